// Package update lets buyers update their address or payment method. Start
// creates the update session and signs the payload of Amazon's button. Return
// takes the buyer back and completes the Checkout Session. session.Unfinished
// finishes the updates that buyers left open. Sources:
// "amazon-pay-paymentmethodonfile" in Amazon Pay's documentation, and the API
// reference for Checkout Session.
//
// Only the merchant's authenticated call starts an update, or a signed link that
// has not expired. A return counts only with the state token of its session, and
// only if the completed Checkout Session names the session's own charge
// permission. No URL and no log line of this package contains a charge
// permission's id or a buyer's data.
package update

import (
	"context"
	"net/http"

	"walletsync/internal/amazonpay"
	"walletsync/internal/amazonpay/merchant"
	"walletsync/internal/update/pages"
	"walletsync/internal/wallet"
)

// Account holds the settings of an account that an update needs.
type Account struct {
	ID             wallet.AccountID
	MerchantID     string
	Environment    merchant.Environment
	Region         amazonpay.Region
	PublicKeyID    string
	StoreID        string
	LedgerCurrency string
	Algorithm      amazonpay.Algorithm
	ScriptURL      string // if empty, the region's own
	Follow         wallet.Followed
}

// Accounts are the configured accounts.
type Accounts []Account

func (as Accounts) byID(id wallet.AccountID) (Account, bool) {
	for _, a := range as {
		if a.ID == id {
			return a, true
		}
	}
	return Account{}, false
}

// Refresher reads a charge permission at once. refresh.Runner implements it.
type Refresher interface {
	Now(ctx context.Context, w wallet.Want) (wallet.Refreshed, error)
}

// Pages writes the buyers' pages. pages.Pages implements it.
type Pages interface {
	Ready(w http.ResponseWriter, r *http.Request, v pages.Ready)
	Result(w http.ResponseWriter, r *http.Request, v pages.Result)
	Problem(w http.ResponseWriter, r *http.Request, v pages.Problem)
}

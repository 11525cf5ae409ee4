// Package update is the buyer's update of address or payment method: Start
// makes the update session and signs what Amazon's button needs, Return takes
// the buyer back and completes the Checkout Session, Unfinished ends what was
// left open. Facts: "amazon-pay-paymentmethodonfile" in Amazon Pay's
// documentation, and the API reference for Checkout Session.
//
// Who may do what: an update is started by the merchant's authenticated call,
// or by a signed link that has not expired. A return counts only with the state
// token issued for its session, and only if the completed Checkout Session
// names the session's own charge permission. No URL and no log line of this
// package holds a charge permission's id or anything of a buyer.
package update

import (
	"context"
	"net/http"

	"walletsync/internal/amazonpay"
	"walletsync/internal/amazonpay/merchant"
	"walletsync/internal/update/pages"
	"walletsync/internal/wallet"
)

// Account is what an update needs to know of an account.
type Account struct {
	ID             wallet.AccountID
	MerchantID     string
	Environment    merchant.Environment
	Region         amazonpay.Region
	PublicKeyID    string
	StoreID        string
	LedgerCurrency string
	Algorithm      amazonpay.Algorithm
	ScriptURL      string // empty: the region's own
	Follow         wallet.Followed
}

// Accounts are the configured ones.
type Accounts []Account

func (as Accounts) byID(id wallet.AccountID) (Account, bool) {
	for _, a := range as {
		if a.ID == id {
			return a, true
		}
	}
	return Account{}, false
}

// Refresher reads a charge permission at once; refresh.Runner is one.
type Refresher interface {
	Now(ctx context.Context, w wallet.Want) (wallet.Refreshed, error)
}

// Pages are what buyers see; pages.Pages are they.
type Pages interface {
	Ready(w http.ResponseWriter, r *http.Request, v pages.Ready)
	Result(w http.ResponseWriter, r *http.Request, v pages.Result)
	Problem(w http.ResponseWriter, r *http.Request, v pages.Problem)
}

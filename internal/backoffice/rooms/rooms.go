// Package rooms gives the console what other rooms do: links to update a wallet,
// by package update, and the erasure and the export of a person, by package
// person. It decides nothing.
package rooms

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"walletsync/internal/amazonpay"
	"walletsync/internal/backoffice/view"
	"walletsync/internal/config"
	"walletsync/internal/privacy"
	"walletsync/internal/telemetry"
	"walletsync/internal/update"
	"walletsync/internal/wallet"
)

// Links starts updates for buyers.
type Links struct{ Start *update.Start }

// NewLinks returns the links by the console's settings. They last as long as a
// clerk may need to reach the buyer.
func NewLinks(c config.Console, store update.StartStore, refresher update.Refresher, sealedBy func(ctx context.Context, again bool) ([]string, error), metrics *telemetry.Metrics) Links {
	l := Links{&update.Start{
		Store: store, Refresher: refresher, Metrics: metrics, Now: time.Now, LinkLifetime: c.LinkLifetime,
		Site:  update.Site{PublicURL: c.PublicURL, Tokens: update.Tokens{Now: time.Now, Secrets: sealedBy}},
		NewID: uuid.New,
	}}
	for _, a := range c.Accounts {
		// What is signed, the ready page signs.
		l.Start.Accounts = append(l.Start.Accounts, update.Account{ID: a.ID, Region: amazonpay.Region(strings.ToLower(a.Region)), Follow: a.Follow})
	}
	return l
}

// Link starts an update and returns the link for the buyer.
func (l Links) Link(ctx context.Context, account wallet.AccountID, id wallet.ChargePermissionID, what string) (view.Link, error) {
	got, err := l.Start.NewLink(ctx, account, id, what)
	if code, refused := update.Refusal(err); refused {
		return view.Link{}, view.Refused{Code: code}
	}
	if err != nil {
		return view.Link{}, err
	}
	return view.Link{Account: string(account), ChargePermissionID: string(id), UpdateID: got.ID.String(), Requested: what, URL: got.URL, ExpiresAt: got.Expires}, nil
}

// People exports and erases all that is stored of a person.
type People struct {
	Eraser *privacy.Eraser
	Store  privacy.Exporter
}

// Export returns all that is stored of the person behind a charge permission. It
// calls record with all charge permissions of that person first.
func (p People) Export(ctx context.Context, account wallet.AccountID, id wallet.ChargePermissionID, record func([]wallet.ChargePermissionID) error) ([]byte, error) {
	all, _, err := privacy.Find(ctx, p.Eraser.Store, account, id, true)
	if err != nil {
		return nil, err
	}
	if err := record(ids(all)); err != nil {
		return nil, err
	}
	document, err := privacy.Export(ctx, p.Store, all)
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	return document, nil
}

// Erase erases the personal data of the person behind a charge permission, in
// all of theirs. It calls record with them first.
func (p People) Erase(ctx context.Context, account wallet.AccountID, id wallet.ChargePermissionID, record func([]wallet.ChargePermissionID) error) error {
	all, at, err := privacy.Find(ctx, p.Eraser.Store, account, id, true)
	if err != nil {
		return err
	}
	if err := record(ids(all)); err != nil {
		return err
	}
	return p.Eraser.Erase(ctx, account, ids(all), at, wallet.CauseErasure)
}

func ids(all []privacy.Permission) []wallet.ChargePermissionID {
	out := make([]wallet.ChargePermissionID, len(all))
	for i, p := range all {
		out[i] = p.ID
	}
	return out
}

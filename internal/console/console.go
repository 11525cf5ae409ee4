// Package console is for the clerk who has a buyer on the phone and for the
// engineer on call: pages, and the same as JSON for programs. It shows the views
// of the schema back_office, and those of back_office_masked to users without
// the right to personal data.
//
// Users are signed in by package oidc, which puts the user's view.Identity into
// the request's context. Search terms and personal data are never part of a URL,
// a log or an error.
package console

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"walletsync/internal/console/view"
	"walletsync/internal/privacy"
	"walletsync/internal/update"
	"walletsync/internal/wallet"
)

// Store reads what the pages show. With masked it reads no personal data.
type Store interface {
	// Search and List return a page of rows, and the cursor of the next page: the
	// zero cursor if there is none.
	Search(ctx context.Context, masked bool, q view.Query) ([]view.Row, view.Cursor, error)
	List(ctx context.Context, masked bool, q view.ListQuery) ([]view.Row, view.Cursor, error)
	// Record returns false for a charge permission that walletsync does not know
	// or does not follow. The timeline holds changes before a position; with 0,
	// the newest.
	Record(ctx context.Context, masked bool, account wallet.AccountID, id wallet.ChargePermissionID, before int64) (view.Record, bool, error)
	// Overview counts a notification as missing once gracePeriod is over.
	Overview(ctx context.Context, from time.Time, gracePeriod time.Duration) (view.Overview, error)
}

// Refresher fetches a charge permission now; refresh.Runner does.
type Refresher interface {
	Now(context.Context, wallet.Want) (wallet.Refreshed, error)
}

// Updates starts an update for a buyer; update.Start does. The error is an
// update.RefusedError if the charge permission cannot be updated.
type Updates interface {
	NewLink(ctx context.Context, account wallet.AccountID, id wallet.ChargePermissionID, update string) (update.Issued, error)
}

// DeadLetters reads and redrives the dead-letter queue.
type DeadLetters interface {
	// List returns at most limit messages and leaves them in the queue.
	List(ctx context.Context, limit int) ([]view.DeadLetter, error)
	Count(ctx context.Context) (int, error)
	// Retry sends one message to the main queue, and returns false if it is gone.
	Retry(ctx context.Context, id string) (bool, error)
	// RetryAll sends the messages that are in the queue now, and returns how many.
	RetryAll(ctx context.Context) (int, error)
}

// Persons finds and exports what is stored of the person behind a charge
// permission.
type Persons interface {
	privacy.Finder
	privacy.Exporter
}

// Eraser erases personal data; privacy.Eraser does.
type Eraser interface {
	Erase(ctx context.Context, account wallet.AccountID, ids []wallet.ChargePermissionID, at time.Time, cause wallet.Cause) error
}

// AccessLog records who searched, and who opened or changed which record. An
// action that cannot be recorded is refused.
type AccessLog interface {
	// LogAccess writes a line for each charge permission of a, and one line if it
	// has none.
	LogAccess(ctx context.Context, by view.Identity, a view.Access) error
	// Accesses returns who opened a record, the newest first.
	Accesses(ctx context.Context, account wallet.AccountID, id wallet.ChargePermissionID, limit int) ([]view.Accessed, error)
}

// Options are the console's parts and settings. All are required but Prefix,
// Location and Random.
type Options struct {
	// Prefix is the path of the public URL, without a slash at the end. It precedes
	// /console in the addresses that browsers see.
	Prefix      string
	Store       Store
	Refresher   Refresher
	Updates     Updates
	DeadLetters DeadLetters
	Persons     Persons
	Eraser      Eraser
	Accesses    AccessLog
	// CursorKeys returns the valid secrets for cursors; the first one signs. With
	// refetch the ones returned before did not match.
	CursorKeys func(ctx context.Context, refetch bool) ([]string, error)
	// StaleAfter is the sweep's period: a charge permission that was not read for
	// so long is stale.
	StaleAfter time.Duration
	// GracePeriod is how long the notification of a completed update may take.
	GracePeriod time.Duration
	Now         func() time.Time
	// Location is the time zone of the pages, and of what counts as today; nil: UTC.
	Location *time.Location
	Random   io.Reader // makes the nonces; nil: crypto/rand
}

type console struct {
	Options
	pages   *pageWriter
	cursors cursors
}

// home is the path of the console below Prefix.
const home = "/console"

// New returns the handler of all paths below /console/. It expects a
// view.Identity in the context of each request.
func New(o Options) (http.Handler, error) {
	for name, missing := range map[string]bool{
		"Store": o.Store == nil, "Refresher": o.Refresher == nil, "Updates": o.Updates == nil, "DeadLetters": o.DeadLetters == nil, "Persons": o.Persons == nil,
		"Eraser": o.Eraser == nil, "Accesses": o.Accesses == nil, "CursorKeys": o.CursorKeys == nil, "Now": o.Now == nil,
		"StaleAfter": o.StaleAfter <= 0, "GracePeriod": o.GracePeriod <= 0,
	} {
		if missing {
			return nil, fmt.Errorf("console: %s is not set", name)
		}
	}
	if o.Location == nil {
		o.Location = time.UTC
	}
	c := &console{Options: o, cursors: cursors{o.CursorKeys}}
	var err error
	if c.pages, err = newPageWriter(o); err != nil {
		return nil, err
	}
	const record = "/charge-permissions/{account}/{id}"
	mux := http.NewServeMux()
	for pattern, h := range map[string]http.HandlerFunc{
		"GET /{$}":                         c.require(view.RoleMasked, c.search),
		"POST /search":                     c.require(view.RoleMasked, c.search),
		"GET /search":                      c.require(view.RoleMasked, c.search),
		"GET /lists/{filter}":              c.require(view.RoleMasked, c.list),
		"GET " + record:                    c.require(view.RoleMasked, c.record),
		"POST " + record + "/refresh":      c.require(view.RoleAct, c.refresh),
		"GET " + record + "/update-links":  c.backToRecord,
		"GET " + record + "/refresh":       c.backToRecord,
		"POST " + record + "/update-links": c.require(view.RoleAct, c.link),
		"GET " + record + "/export":        c.require(view.RoleAct, c.confirm("export")),
		"POST " + record + "/export":       c.require(view.RoleAct, c.export),
		"GET " + record + "/erase":         c.require(view.RoleAct, c.confirm("erase")),
		"POST " + record + "/erase":        c.require(view.RoleAct, c.erase),
		"GET " + record + "/accesses":      c.require(view.RoleAct, c.accesses),
		"GET /failures":                    c.require(view.RoleMasked, c.failures),
		"POST /failures/retry":             c.require(view.RoleAct, c.retry),
		"GET /overview":                    c.require(view.RoleMasked, c.overview),
		"GET /openapi.json":                c.require(view.RoleMasked, describe),
		"/":                                c.require(view.RoleMasked, func(w http.ResponseWriter, q *http.Request) { c.problem(w, q, notFound) }),
	} {
		mux.HandleFunc(pattern, h)
	}
	return http.StripPrefix(home, mux), nil
}

// require calls h for users whose role includes the given one.
func (c *console) require(role view.Role, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		by, ok := view.IdentityOf(q.Context())
		switch {
		case !ok:
			c.problem(w, q, unauthorized)
		case by.Role < role:
			c.problem(w, q, forbidden)
		default:
			q.Body = http.MaxBytesReader(w, q.Body, maxBody)
			h(w, q)
		}
	}
}

// maxBody bounds a form, in bytes.
const maxBody = 64 << 10

// masked reports whether the user may not see personal data.
func masked(q *http.Request) bool {
	by, _ := view.IdentityOf(q.Context())
	return by.Role < view.RoleRead
}

// show answers with the model, as JSON or as a page.
func (c *console) show(w http.ResponseWriter, q *http.Request, status int, v any) {
	if WantsJSON(q) {
		WriteJSON(w, status, v)
		return
	}
	c.pages.show(w, q, status, v)
}

// problem is an error answer. Its code is for programs, and selects the text of
// the page.
type problem struct {
	status int
	code   string
	detail string
}

var (
	unauthorized = problem{http.StatusUnauthorized, "unauthorized", "You are not signed in."}
	forbidden    = problem{http.StatusForbidden, "forbidden", "Your role does not allow this."}
	notFound     = problem{http.StatusNotFound, "not_found", "There is nothing at this address. A charge permission must be one that walletsync knows and follows."}
	badRequest   = problem{http.StatusBadRequest, "bad_request", "The request is malformed."}
	unavailable  = problem{http.StatusServiceUnavailable, "unavailable", "The request cannot be answered at the moment. Try again in a few seconds; the log has the reason."}

	// refusals are the codes of update.RefusedError.
	refusals = map[string]problem{
		"closed":                    {http.StatusConflict, "closed", "The charge permission is closed for good. The buyer must set up a new Saved Wallet."},
		"not_followed":              {http.StatusConflict, "not_followed", "The charge permission is of a type that is not synchronised; only Saved Wallets can be updated."},
		"not_updatable":             {http.StatusConflict, "not_updatable", "Amazon's update page does not take charge permissions of this type."},
		"unknown_charge_permission": {http.StatusNotFound, "unknown_charge_permission", "Amazon Pay does not know this charge permission in this account and environment."},
	}
)

func (c *console) problem(w http.ResponseWriter, q *http.Request, p problem) {
	if WantsJSON(q) {
		WriteProblem(w, p.status, p.code, p.detail)
		return
	}
	c.pages.show(w, q, p.status, p)
}

// failed logs err and answers that the console is unavailable. Errors hold no
// personal data and no search term.
func (c *console) failed(w http.ResponseWriter, q *http.Request, what string, err error) {
	zerolog.Ctx(q.Context()).Error().Err(err).Str("what", what).Msg("console request failed")
	c.problem(w, q, unavailable)
}

// redirect answers a form, so that a reload does not post it again.
func (c *console) redirect(w http.ResponseWriter, path string) {
	w.Header().Set("Location", c.Prefix+home+path)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(http.StatusSeeOther)
}

// permissionOf returns the charge permission in the URL.
func permissionOf(q *http.Request) (wallet.AccountID, wallet.ChargePermissionID, bool) {
	account, err := wallet.ParseAccountID(q.PathValue("account"))
	if err != nil {
		return "", "", false
	}
	id, err := wallet.ParseChargePermissionID(q.PathValue("id"))
	return account, id, err == nil
}

// logAccess writes to the access log. If it fails it answers the request and
// returns false.
func (c *console) logAccess(w http.ResponseWriter, q *http.Request, a view.Access) bool {
	by, _ := view.IdentityOf(q.Context())
	if err := c.Accesses.LogAccess(q.Context(), by, a); err != nil {
		c.failed(w, q, "access log", err)
		return false
	}
	return true
}

// logRecord logs an action on charge permissions of an account.
func (c *console) logRecord(w http.ResponseWriter, q *http.Request, action string, account wallet.AccountID, ids ...wallet.ChargePermissionID) bool {
	return c.logAccess(w, q, view.Access{What: action, Account: account, ChargePermissions: ids})
}

func recordPath(account wallet.AccountID, id wallet.ChargePermissionID) string {
	return "/charge-permissions/" + string(account) + "/" + string(id)
}

// backToRecord is for browsers that load the URL of a form.
func (c *console) backToRecord(w http.ResponseWriter, q *http.Request) {
	account, id, ok := permissionOf(q)
	if !ok {
		c.problem(w, q, notFound)
		return
	}
	c.redirect(w, recordPath(account, id))
}

// startOfDay is when the day of t began in a time zone.
func startOfDay(t time.Time, zone *time.Location) time.Time {
	y, m, d := t.In(zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, zone)
}

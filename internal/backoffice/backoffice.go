// Package backoffice is the console: pages for the clerk who has a buyer on the
// phone and for the engineer on call, and the same as JSON for programs. It
// shows what stands in the schema back_office, to a person without the right to
// personal data what stands in back_office_masked.
//
// It signs nobody in: it takes who asks from the context (package identity) and
// trusts that whoever mounts it has checked the session and the CSRF token. A
// searched term and a person's data are never in a URL, a log or an error.
package backoffice

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"walletsync/internal/backoffice/answer"
	"walletsync/internal/backoffice/identity"
	"walletsync/internal/backoffice/pages"
	"walletsync/internal/backoffice/view"
	"walletsync/internal/wallet"
)

// Store reads what the pages show. Masked is for who may not see personal data.
type Store interface {
	// Search and List return a page of rows, and where it ends; no cursor: that
	// is all.
	Search(ctx context.Context, masked bool, q view.Query) ([]view.Row, view.Cursor, error)
	List(ctx context.Context, masked bool, q view.ListQuery) ([]view.Row, view.Cursor, error)
	// Record returns false for a charge permission that walletsync was never told
	// of or does not follow. Of the timeline it returns what is before a position;
	// 0: the newest.
	Record(ctx context.Context, masked bool, account wallet.AccountID, id wallet.ChargePermissionID, before int64) (view.Record, bool, error)
	// Overview is told how long the notification of an update may take.
	Overview(ctx context.Context, from time.Time, patience time.Duration) (view.Overview, error)
}

// Refresher reads a charge permission at once; refresh.Runner does.
type Refresher interface {
	Now(context.Context, wallet.Want) (wallet.Refreshed, error)
}

// Linker starts an update for a buyer. The error is a view.Refused if the charge
// permission cannot be updated.
type Linker interface {
	Link(ctx context.Context, account wallet.AccountID, id wallet.ChargePermissionID, update string) (view.Link, error)
}

// DeadLetters are the messages that could not be processed.
type DeadLetters interface {
	// List returns some of them, at most so many. It leaves them where they are.
	List(ctx context.Context, most int) ([]view.DeadLetter, error)
	Count(ctx context.Context) (int, error)
	// Retry sends one to the queue again; false: it is not there any more.
	Retry(ctx context.Context, id string) (bool, error)
	// RetryAll sends all that are there now, and returns how many.
	RetryAll(ctx context.Context) (int, error)
}

// People exports and erases what is stored of the person behind a charge
// permission. Before they do, both call record with every charge permission of
// that person, and end with its error.
type People interface {
	// Export returns a JSON document.
	Export(ctx context.Context, account wallet.AccountID, id wallet.ChargePermissionID, record func([]wallet.ChargePermissionID) error) ([]byte, error)
	Erase(ctx context.Context, account wallet.AccountID, id wallet.ChargePermissionID, record func([]wallet.ChargePermissionID) error) error
}

// AccessLog keeps who searched, and who opened or changed which record. What it
// cannot keep is neither shown nor done.
type AccessLog interface {
	// LogAccess writes a line for each charge permission of a, and one if it has
	// none.
	LogAccess(ctx context.Context, by identity.Identity, a view.Access) error
	// Accesses returns who opened a record, the newest first and at most so many.
	Accesses(ctx context.Context, account wallet.AccountID, id wallet.ChargePermissionID, most int) ([]view.Accessed, error)
}

// Options are what the console is built of. All are needed but Prefix, Location
// and Random.
type Options struct {
	// Prefix stands in front of /console in the addresses that browsers see: the
	// path of the public URL, without a slash at the end.
	Prefix      string
	Store       Store
	Refresher   Refresher
	Linker      Linker
	DeadLetters DeadLetters
	People      People
	Accesses    AccessLog
	// CursorKeys are the valid secrets that sign cursors, the one that signs first.
	// Again says that the ones returned before did not match.
	CursorKeys func(ctx context.Context, again bool) ([]string, error)
	// StaleAfter is after how long without a read a charge permission is stale:
	// the sweep's period.
	StaleAfter time.Duration
	// Patience is how long the notification of a completed update may take.
	Patience time.Duration
	Now      func() time.Time
	// Location is whose times are shown, and whose day today is; nil: UTC.
	Location *time.Location
	Random   io.Reader // makes the nonces; nil: crypto/rand
}

type console struct {
	Options
	pages   *pages.Pages
	cursors cursors
}

// home is below what the console stands, behind Prefix.
const home = "/console"

// New returns the handler of everything below /console/. It expects an Identity
// in the context of each request.
func New(o Options) (http.Handler, error) {
	if o.Location == nil {
		o.Location = time.UTC
	}
	c := &console{Options: o, cursors: cursors{o.CursorKeys}}
	var err error
	c.pages, err = pages.New(pages.Options{
		Base: o.Prefix + home, Location: o.Location, Now: o.Now, Random: o.Random,
		Failed: func(q *http.Request, err error) {
			zerolog.Ctx(q.Context()).Error().Err(err).Msg("a page of the console could not be written")
		},
	})
	if err != nil {
		return nil, err
	}
	const record = "/charge-permissions/{account}/{id}"
	mux := http.NewServeMux()
	for pattern, h := range map[string]http.HandlerFunc{
		"GET /{$}":                         c.may(identity.Masked, c.search),
		"POST /search":                     c.may(identity.Masked, c.search),
		"GET /search":                      c.may(identity.Masked, c.search),
		"GET /lists/{filter}":              c.may(identity.Masked, c.list),
		"GET " + record:                    c.may(identity.Masked, c.record),
		"POST " + record + "/refresh":      c.may(identity.Act, c.refresh),
		"GET " + record + "/update-links":  c.back,
		"GET " + record + "/refresh":       c.back,
		"POST " + record + "/update-links": c.may(identity.Act, c.link),
		"GET " + record + "/export":        c.may(identity.Act, c.confirm("export")),
		"POST " + record + "/export":       c.may(identity.Act, c.export),
		"GET " + record + "/erase":         c.may(identity.Act, c.confirm("erase")),
		"POST " + record + "/erase":        c.may(identity.Act, c.erase),
		"GET " + record + "/accesses":      c.may(identity.Act, c.accesses),
		"GET /failures":                    c.may(identity.Masked, c.failures),
		"POST /failures/retry":             c.may(identity.Act, c.retry),
		"GET /overview":                    c.may(identity.Masked, c.overview),
		"GET /openapi.json":                c.may(identity.Masked, describe),
		"/":                                c.may(identity.Masked, func(w http.ResponseWriter, q *http.Request) { c.problem(w, q, notFound) }),
	} {
		mux.HandleFunc(pattern, h)
	}
	return http.StripPrefix(home, mux), nil
}

// may lets in who has the role, and nobody else.
func (c *console) may(least identity.Role, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		by, ok := identity.Of(q.Context())
		switch {
		case !ok:
			c.problem(w, q, unauthorized)
		case by.Role < least:
			c.problem(w, q, forbidden)
		default:
			q.Body = http.MaxBytesReader(w, q.Body, maxBody)
			h(w, q)
		}
	}
}

// maxBody bounds what a form holds.
const maxBody = 64 << 10

// masked reports whether who asks may not see personal data.
func masked(q *http.Request) bool {
	by, _ := identity.Of(q.Context())
	return by.Role < identity.Read
}

// show answers with the model, as JSON or as a page.
func (c *console) show(w http.ResponseWriter, q *http.Request, status int, v any) {
	if answer.JSON(q) {
		answer.Write(w, status, v)
		return
	}
	c.pages.Show(w, q, status, v)
}

// problem is what stands in the way: a word for programs and for the pages'
// texts, its status, and what it means.
type problem struct {
	status int
	code   string
	detail string
}

var (
	unauthorized = problem{http.StatusUnauthorized, "unauthorized", "Nobody is signed in."}
	forbidden    = problem{http.StatusForbidden, "forbidden", "This takes a role that you do not have."}
	notFound     = problem{http.StatusNotFound, "not_found", "There is nothing at this address. A charge permission must be one that walletsync was told of and follows."}
	badRequest   = problem{http.StatusBadRequest, "bad_request", "The request is not one that a page of the console makes."}
	unavailable  = problem{http.StatusServiceUnavailable, "unavailable", "This cannot be answered just now. Try again in a few seconds; the log says what is wrong."}

	// Why no update can be started.
	refusals = map[string]problem{
		"closed":                    {http.StatusConflict, "closed", "The charge permission is closed for good. The buyer must set up a new Saved Wallet."},
		"not_followed":              {http.StatusConflict, "not_followed", "The charge permission is of a type that is not kept in step; only Saved Wallets can be updated."},
		"not_updatable":             {http.StatusConflict, "not_updatable", "Amazon's update page does not take charge permissions of this type."},
		"unknown_charge_permission": {http.StatusNotFound, "unknown_charge_permission", "Amazon Pay does not know this charge permission in this account and environment."},
	}
)

func (c *console) problem(w http.ResponseWriter, q *http.Request, p problem) {
	if answer.JSON(q) {
		answer.NewProblem(p.status, p.code, p.detail).Write(w)
		return
	}
	c.pages.Show(w, q, p.status, pages.Problem{Code: p.code})
}

// failed answers for trouble of our own, and logs it. Errors hold no personal
// data and no searched term.
func (c *console) failed(w http.ResponseWriter, q *http.Request, what string, err error) {
	zerolog.Ctx(q.Context()).Error().Err(err).Str("what", what).Msg("the console could not answer")
	c.problem(w, q, unavailable)
}

// see sends a browser on after a form, so that a reload does not post it again.
func (c *console) see(w http.ResponseWriter, path string) {
	w.Header().Set("Location", c.Prefix+home+path)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(http.StatusSeeOther)
}

// named returns the charge permission in the URL.
func named(q *http.Request) (wallet.AccountID, wallet.ChargePermissionID, bool) {
	account, err := wallet.ParseAccountID(q.PathValue("account"))
	if err != nil {
		return "", "", false
	}
	id, err := wallet.ParseChargePermissionID(q.PathValue("id"))
	return account, id, err == nil
}

// logAccess writes the access log, and answers if it cannot.
func (c *console) logAccess(w http.ResponseWriter, q *http.Request, a view.Access) bool {
	by, _ := identity.Of(q.Context())
	if err := c.Accesses.LogAccess(q.Context(), by, a); err != nil {
		c.failed(w, q, "access log", err)
		return false
	}
	return true
}

// logRecord writes what is done with one record into the access log, and answers
// if it cannot.
func (c *console) logRecord(w http.ResponseWriter, q *http.Request, account wallet.AccountID, id wallet.ChargePermissionID, what string) bool {
	return c.logAccess(w, q, view.Access{What: what, Account: account, ChargePermissions: []wallet.ChargePermissionID{id}})
}

// logPerson returns what writes into the access log what is done with all charge
// permissions of a person.
func (c *console) logPerson(q *http.Request, account wallet.AccountID, what string) func([]wallet.ChargePermissionID) error {
	by, _ := identity.Of(q.Context())
	return func(ids []wallet.ChargePermissionID) error {
		return c.Accesses.LogAccess(q.Context(), by, view.Access{What: what, Account: account, ChargePermissions: ids})
	}
}

func recordPath(account wallet.AccountID, id wallet.ChargePermissionID) string {
	return "/charge-permissions/" + string(account) + "/" + string(id)
}

// back is for who loads the URL of a form again.
func (c *console) back(w http.ResponseWriter, q *http.Request) {
	account, id, ok := named(q)
	if !ok {
		c.problem(w, q, notFound)
		return
	}
	c.see(w, recordPath(account, id))
}

// startOfDay is when the day of t began there.
func startOfDay(t time.Time, there *time.Location) time.Time {
	y, m, d := t.In(there).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, there)
}

// first is a value of a form or of a query, or what stands for none.
func first(q *http.Request, name, otherwise string) string {
	return cmp.Or(q.FormValue(name), otherwise)
}

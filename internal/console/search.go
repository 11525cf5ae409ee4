package console

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"walletsync/internal/console/view"
	"walletsync/internal/wallet"
)

// pageSize is how many rows a page of a list holds.
const pageSize = 25

// maxTerm bounds a search term, in bytes. An e-mail address has 254
// characters (RFC 5321, section 4.5.3.1.3).
const maxTerm = 320

// minPostalCode is how many characters of a postal code a search needs: two
// digits are a whole region.
const minPostalCode = 3

var (
	beginsAnID     = regexp.MustCompile(`^[A-Z][0-9]{2}-[0-9-]*$`)
	postalCodeLike = regexp.MustCompile(`^[0-9A-Z][0-9A-Z -]*$`)
	aDigit         = regexp.MustCompile(`[0-9]`)
)

// states are Amazon's states by the form's words.
var states = map[string]string{"": "", "chargeable": wallet.Chargeable, "not_chargeable": wallet.NonChargeable, "closed": wallet.Closed}

// term decides what a search term is: by its form, the id of a charge permission
// or the beginning of one (the id of a charge or refund contains one too); by its
// @, an e-mail address; by its digits, a postal code; otherwise a name. Japanese
// keyboards write full-width digits and letters, which are converted except in
// names.
func term(s string) (by, t string) {
	plain := strings.TrimSpace(norm.NFKC.String(s))
	upper := strings.ToUpper(plain)
	if id, err := wallet.ChargePermissionOf(upper); err == nil {
		return view.ByID, string(id)
	}
	switch bare := strings.TrimSpace(strings.TrimPrefix(upper, "〒")); {
	case beginsAnID.MatchString(upper):
		return view.ByID, upper
	case strings.Contains(plain, "@"):
		return view.ByEmail, plain
	case len(bare) <= 12 && postalCodeLike.MatchString(bare) && aDigit.MatchString(bare):
		return view.ByPostalCode, strings.NewReplacer(" ", "", "-", "").Replace(bare)
	}
	return view.ByName, strings.Join(strings.Fields(s), " ")
}

// search shows the search form and answers searches. The term comes in the body
// of a POST, since URLs are logged and kept in histories.
func (c *console) search(w http.ResponseWriter, q *http.Request) {
	v := view.Search{Rows: []view.Row{}}
	if q.Method != http.MethodPost {
		c.show(w, q, http.StatusOK, v)
		return
	}
	var form searchRequest
	if !c.readForm(w, q, &form) {
		return
	}
	v.Query, v.State = strings.TrimSpace(form.Query), form.State
	state, known := states[v.State]
	if !known || len(v.Query) > maxTerm || strings.ContainsRune(v.Query, 0) {
		c.problem(w, q, badRequest)
		return
	}
	scope := cursorScope(q, "search", v.Query, v.State)
	after, ok := c.cursor(w, q, scope, form.After)
	if !ok {
		return
	}
	by, t := view.ByState, ""
	if v.Query != "" {
		by, t = term(v.Query)
	}
	if after.Part != 0 { // of a search by name, which a search for a postal code may have become
		if by != view.ByName && by != view.ByPostalCode {
			c.problem(w, q, badRequest)
			return
		}
		by = view.ByName
	}
	switch {
	case by == view.ByState && state == "":
		c.show(w, q, http.StatusOK, v)
		return
	case masked(q) && view.Personal(by):
		v.Problem = "masked" // the rows would reveal whose they are
	case by == view.ByPostalCode && len(t) < minPostalCode:
		v.Problem = "too_short"
	}
	if v.Problem != "" {
		c.show(w, q, http.StatusUnprocessableEntity, v)
		return
	}
	next := view.Cursor{}
	for {
		var err error
		if by == view.ByName {
			t = strings.Join(strings.Fields(v.Query), " ")
		}
		v.SearchedAs = by
		v.Rows, next, err = c.Store.Search(q.Context(), masked(q), view.Query{By: by, Term: t, State: state, After: after, Most: pageSize})
		if err != nil {
			c.failed(w, q, "search", err)
			return
		}
		if len(v.Rows) > 0 || by != view.ByPostalCode || after != (view.Cursor{}) {
			break
		}
		by = view.ByName // there are names with digits in them
	}
	if v.Next, ok = c.nextCursor(w, q, scope, next); !ok || !c.logAccess(w, q, view.Access{What: "searched", Detail: searched(by, v.State)}) {
		return
	}
	// A browser is led to the only hit, but not from a list or a later page.
	if len(v.Rows) == 1 && v.Next == "" && after == (view.Cursor{}) && by != view.ByState && !WantsJSON(q) {
		c.redirect(w, recordPath(wallet.AccountID(v.Rows[0].Account), wallet.ChargePermissionID(v.Rows[0].ChargePermissionID)))
		return
	}
	c.show(w, q, http.StatusOK, v)
}

// searched is the detail of a search in the access log, which never holds the
// term.
func searched(by, state string) string {
	if state == "" {
		return by
	}
	return by + " " + state
}

// list answers with a page of a list.
func (c *console) list(w http.ResponseWriter, q *http.Request) {
	filter := view.Filter(q.PathValue("filter"))
	if !slices.Contains(view.Filters(), filter) {
		c.problem(w, q, notFound)
		return
	}
	scope := cursorScope(q, "list", string(filter))
	after, ok := c.cursor(w, q, scope, q.URL.Query().Get("after"))
	if !ok {
		return
	}
	lq := view.ListQuery{Filter: filter, After: after, Most: pageSize}
	switch filter {
	case view.UpdatedToday:
		lq.Since = startOfDay(c.Now(), c.Location)
	case view.Stale:
		lq.Since = c.Now().Add(-c.StaleAfter)
	}
	rows, next, err := c.Store.List(q.Context(), masked(q), lq)
	if err != nil {
		c.failed(w, q, "list", err)
		return
	}
	v := view.List{Filter: filter, Rows: rows}
	if v.Next, ok = c.nextCursor(w, q, scope, next); ok && c.logAccess(w, q, view.Access{What: "listed", Detail: string(filter)}) {
		c.show(w, q, http.StatusOK, v)
	}
}

// cursor opens the cursor of a request. If it fails it answers the request and
// returns false.
func (c *console) cursor(w http.ResponseWriter, q *http.Request, scope, sealed string) (view.Cursor, bool) {
	after, err := c.cursors.open(q.Context(), scope, sealed)
	switch {
	case errors.Is(err, errCursor):
		c.problem(w, q, badRequest)
	case err != nil:
		c.failed(w, q, "cursor", err)
	}
	return after, err == nil
}

// nextCursor seals the cursor of the next page. If it fails it answers the request
// and returns false.
func (c *console) nextCursor(w http.ResponseWriter, q *http.Request, scope string, next view.Cursor) (string, bool) {
	sealed, err := c.cursors.seal(q.Context(), scope, next)
	if err != nil {
		c.failed(w, q, "cursor", err)
	}
	return sealed, err == nil
}

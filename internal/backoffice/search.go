package backoffice

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"walletsync/internal/backoffice/answer"
	"walletsync/internal/backoffice/view"
	"walletsync/internal/wallet"
)

// most is how many rows a page of a list holds.
const most = 25

// maxTerm bounds what is searched for, in bytes. An e-mail address has 254
// characters (RFC 5321, section 4.5.3.1.3).
const maxTerm = 320

// minPostalCode is how much of a postal code must be there: two digits are a
// whole region.
const minPostalCode = 3

var (
	beginsAnID     = regexp.MustCompile(`^[A-Z][0-9]{2}-[0-9-]*$`)
	postalCodeLike = regexp.MustCompile(`^[0-9A-Z][0-9A-Z -]*$`)
	aDigit         = regexp.MustCompile(`[0-9]`)
)

// states are the words of the form for Amazon's.
var states = map[string]string{"": "", "chargeable": wallet.Chargeable, "not_chargeable": wallet.NonChargeable, "closed": wallet.Closed}

// term tells what somebody who searches means: a charge permission, or its
// beginning, by its form (a charge's or refund's id names one too); an e-mail
// address by its @; a postal code by its digits; anything else is a name.
// Japanese keyboards write digits and letters full-width, which counts as the
// same but in names.
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

// search answers a search, and shows the form for one. The terms come in the
// body of a POST: URLs are logged and remembered.
func (c *console) search(w http.ResponseWriter, q *http.Request) {
	v := view.Search{Rows: []view.Row{}}
	if q.Method != http.MethodPost {
		c.show(w, q, http.StatusOK, v)
		return
	}
	if err := readForm(q); err != nil {
		c.problem(w, q, badRequest)
		return
	}
	v.Query, v.State = strings.TrimSpace(q.PostFormValue("q")), q.PostFormValue("state")
	state, known := states[v.State]
	if !known || len(v.Query) > maxTerm || !utf8.ValidString(v.Query) || strings.ContainsRune(v.Query, 0) {
		c.problem(w, q, badRequest)
		return
	}
	scope := cursorScope(q, "search", v.Query, v.State)
	after, ok := c.cursor(w, q, scope, q.PostFormValue("after"))
	if !ok {
		return
	}
	by, t := view.ByState, ""
	if v.Query != "" {
		by, t = term(v.Query)
	}
	if after.Part != 0 { // of a search by name; what looked like a postal code may have been found as a name
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
		v.Problem = "masked" // what is found would tell whose it is
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
		v.Rows, next, err = c.Store.Search(q.Context(), masked(q), view.Query{By: by, Term: t, State: state, After: after, Most: most})
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
	// One hit: the record itself, unless the rows are what is wanted.
	if len(v.Rows) == 1 && v.Next == "" && after == (view.Cursor{}) && by != view.ByState && !answer.JSON(q) {
		c.see(w, recordPath(wallet.AccountID(v.Rows[0].Account), wallet.ChargePermissionID(v.Rows[0].ChargePermissionID)))
		return
	}
	c.show(w, q, http.StatusOK, v)
}

// searched is what the access log says of a search: what it went by, never the
// term.
func searched(by, state string) string {
	if state == "" {
		return by
	}
	return by + " " + state
}

// list answers one of the lists.
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
	lq := view.ListQuery{Filter: filter, After: after, Most: most}
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

// cursor reads the cursor that a request brings, and answers if it cannot.
func (c *console) cursor(w http.ResponseWriter, q *http.Request, scope, sealed string) (view.Cursor, bool) {
	after, err := c.cursors.open(q.Context(), scope, sealed)
	switch {
	case errors.Is(err, view.ErrCursor):
		c.problem(w, q, badRequest)
	case err != nil:
		c.failed(w, q, "cursor", err)
	}
	return after, err == nil
}

// nextCursor returns the cursor that the page gives out, and answers if it
// cannot.
func (c *console) nextCursor(w http.ResponseWriter, q *http.Request, scope string, next view.Cursor) (string, bool) {
	sealed, err := c.cursors.seal(q.Context(), scope, next)
	if err != nil {
		c.failed(w, q, "cursor", err)
	}
	return sealed, err == nil
}

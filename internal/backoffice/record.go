package backoffice

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"walletsync/internal/backoffice/answer"
	"walletsync/internal/backoffice/pages"
	"walletsync/internal/backoffice/view"
	"walletsync/internal/deadline"
	"walletsync/internal/wallet"
)

// outcomes of a refresh that a page may be asked to tell of.
var outcomes = []string{"read", "unchanged", "gone", "not_followed", "waiting"}

// record answers with all of one charge permission.
func (c *console) record(w http.ResponseWriter, q *http.Request) {
	account, id, ok := named(q)
	before := int64(0)
	if s := q.URL.Query().Get("before"); s != "" && ok {
		var err error
		if before, err = strconv.ParseInt(s, 10, 64); err != nil || before < 1 {
			c.problem(w, q, badRequest)
			return
		}
	}
	if !ok {
		c.problem(w, q, notFound)
		return
	}
	v, found, err := c.Store.Record(q.Context(), masked(q), account, id, before)
	switch {
	case err != nil:
		c.failed(w, q, "record", err)
		return
	case !found:
		c.problem(w, q, notFound)
		return
	}
	if !c.logRecord(w, q, account, id, "opened") {
		return
	}
	for i, h := range v.Timeline {
		v.Timeline[i].Differences = append([]view.Difference{}, view.Differences(h.Facet, h.Before, h.After)...) // never null
	}
	if answer.JSON(q) {
		answer.Write(w, http.StatusOK, v)
		return
	}
	page := pages.Record{Record: v, Older: before > 0}
	if done := q.URL.Query().Get("refreshed"); slices.Contains(outcomes, done) {
		page.Refreshed = done
	}
	c.pages.Show(w, q, http.StatusOK, page)
}

// Staff wait for a read so long: one call that takes API_TIMEOUT's default fits,
// and another try. Of the request's time answerTime is left to answer.
const (
	readFor    = 15 * time.Second
	answerTime = 3 * time.Second
)

// refresh reads the charge permission at Amazon Pay now.
func (c *console) refresh(w http.ResponseWriter, q *http.Request) {
	account, id, ok := c.there(w, q)
	if !ok || !c.logRecord(w, q, account, id, "refreshed") {
		return
	}
	reading, cancel := deadline.Within(q.Context(), readFor, answerTime)
	defer cancel()
	got, err := c.Refresher.Now(reading, wallet.Want{Account: account, ChargePermission: id, Priority: wallet.PriorityRefresh})
	if err != nil {
		c.failed(w, q, "refresh", err)
		return
	}
	v := refreshed(got)
	if answer.JSON(q) {
		answer.Write(w, http.StatusOK, v)
		return
	}
	c.see(w, recordPath(account, id)+"?refreshed="+v.Outcome)
}

// refreshed says what came of a read, in the words of the pages.
func refreshed(got wallet.Refreshed) view.Refreshed {
	v := view.Refreshed{Outcome: "waiting", Changed: []string{}}
	switch {
	case got.Kind == "gone", got.Kind == "not_followed":
		v.Outcome = got.Kind
	case got.Kind == "read" && len(got.Changes) > 0:
		v.Outcome = "read"
	case got.Kind == "read", got.Settled:
		v.Outcome = "unchanged"
	}
	for _, ch := range got.Changes {
		v.Changed = append(v.Changed, string(ch.Facet))
	}
	return v
}

// there returns the charge permission in the URL if it is one that the console
// shows, and answers if it is not.
func (c *console) there(w http.ResponseWriter, q *http.Request) (wallet.AccountID, wallet.ChargePermissionID, bool) {
	account, id, ok := named(q)
	if !ok {
		c.problem(w, q, notFound)
		return "", "", false
	}
	if err := readForm(q); err != nil {
		c.problem(w, q, badRequest)
		return "", "", false
	}
	_, found, err := c.Store.Record(q.Context(), true, account, id, 0)
	switch {
	case err != nil:
		c.failed(w, q, "record", err)
	case !found:
		c.problem(w, q, notFound)
	}
	return account, id, err == nil && found
}

// shownAccesses is how many lines of the access log a page shows.
const shownAccesses = 200

// accesses answers who opened a record, also one that walletsync does not know.
func (c *console) accesses(w http.ResponseWriter, q *http.Request) {
	account, id, ok := named(q)
	if !ok {
		c.problem(w, q, notFound)
		return
	}
	all, err := c.Accesses.Accesses(q.Context(), account, id, shownAccesses)
	if err != nil {
		c.failed(w, q, "access log", err)
		return
	}
	c.show(w, q, http.StatusOK, view.Accesses{Account: string(account), ChargePermissionID: string(id), Accesses: all})
}

// link creates an update link for the buyer.
func (c *console) link(w http.ResponseWriter, q *http.Request) {
	account, id, ok := c.there(w, q)
	if !ok {
		return
	}
	update := q.PostFormValue("update")
	if !slices.Contains([]string{"address", "payment_method", "both"}, update) {
		c.problem(w, q, badRequest)
		return
	}
	if !c.logRecord(w, q, account, id, "linked") {
		return
	}
	v, err := c.Linker.Link(q.Context(), account, id, update)
	if refused, ok := errors.AsType[view.Refused](err); ok {
		if p, known := refusals[refused.Code]; known {
			c.problem(w, q, p)
			return
		}
	}
	if err != nil {
		c.failed(w, q, "update link", err)
		return
	}
	c.show(w, q, http.StatusCreated, v)
}

// confirm asks whether it is meant.
func (c *console) confirm(what string) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		account, id, ok := c.there(w, q)
		if ok {
			c.show(w, q, http.StatusOK, view.Confirm{What: what, Account: string(account), ChargePermissionID: string(id)})
		}
	}
}

// confirmed reports whether the charge permission was confirmed by its id, and
// asks again if not.
func (c *console) confirmed(w http.ResponseWriter, q *http.Request, what string, account wallet.AccountID, id wallet.ChargePermissionID) bool {
	if _, given := term(q.PostFormValue("confirm")); given == string(id) {
		return true
	}
	c.show(w, q, http.StatusUnprocessableEntity, view.Confirm{What: what, Account: string(account), ChargePermissionID: string(id), Wrong: true})
	return false
}

// export answers with all that is stored of the person.
func (c *console) export(w http.ResponseWriter, q *http.Request) {
	account, id, ok := c.there(w, q)
	if !ok || !c.confirmed(w, q, "export", account, id) {
		return
	}
	document, err := c.People.Export(q.Context(), account, id, c.logPerson(q, account, "exported"))
	if err != nil {
		c.failed(w, q, "export", err)
		return
	}
	c.pages.Guard(w)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="`+string(id)+`.json"`)
	_, _ = w.Write(document) // the client is gone
}

// erase erases what is stored of the person.
func (c *console) erase(w http.ResponseWriter, q *http.Request) {
	account, id, ok := c.there(w, q)
	if !ok || !c.confirmed(w, q, "erase", account, id) {
		return
	}
	if err := c.People.Erase(q.Context(), account, id, c.logPerson(q, account, "erased")); err != nil {
		c.failed(w, q, "erase", err)
		return
	}
	c.show(w, q, http.StatusOK, view.Erased{Account: string(account), ChargePermissionID: string(id)})
}

package console

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"walletsync/internal/console/view"
	"walletsync/internal/deadline"
	"walletsync/internal/html"
	"walletsync/internal/privacy"
	"walletsync/internal/update"
	"walletsync/internal/update/pages"
	"walletsync/internal/wallet"
)

// outcomes are those of a refresh that the record's page can show.
var outcomes = []string{"read", "unchanged", "gone", "not_followed", "waiting"}

// record answers with everything about one charge permission.
func (c *console) record(w http.ResponseWriter, q *http.Request) {
	account, id, ok := permissionOf(q)
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
	if !c.logRecord(w, q, "opened", account, id) {
		return
	}
	for i, h := range v.Timeline {
		v.Timeline[i].Differences = view.Differences(h.Facet, h.Before, h.After)
	}
	if WantsJSON(q) {
		WriteJSON(w, http.StatusOK, v)
		return
	}
	page := recordPage{Record: v, Older: before > 0}
	if done := q.URL.Query().Get("refreshed"); slices.Contains(outcomes, done) {
		page.Refreshed = done
	}
	c.pages.show(w, q, http.StatusOK, page)
}

// readFor is how long staff wait for a read: long enough for a call that takes
// API_TIMEOUT's default and another attempt. answerTime of the request's time is
// left to answer.
const (
	readFor    = 15 * time.Second
	answerTime = 3 * time.Second
)

// refresh fetches the charge permission from Amazon Pay now.
func (c *console) refresh(w http.ResponseWriter, q *http.Request) {
	account, id, ok := c.requirePermission(w, q)
	if !ok || !c.logRecord(w, q, "refreshed", account, id) {
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
	if WantsJSON(q) {
		WriteJSON(w, http.StatusOK, v)
		return
	}
	c.redirect(w, recordPath(account, id)+"?refreshed="+v.Outcome)
}

// refreshed returns the outcome of a read.
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

// requirePermission returns the charge permission in the URL. If the console does
// not show it, requirePermission answers the request and returns false.
func (c *console) requirePermission(w http.ResponseWriter, q *http.Request) (wallet.AccountID, wallet.ChargePermissionID, bool) {
	account, id, ok := permissionOf(q)
	if !ok {
		c.problem(w, q, notFound)
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

// maxAccesses is how many lines of the access log a page shows.
const maxAccesses = 200

// accesses answers who opened a record, whether walletsync knows it or not.
func (c *console) accesses(w http.ResponseWriter, q *http.Request) {
	account, id, ok := permissionOf(q)
	if !ok {
		c.problem(w, q, notFound)
		return
	}
	all, err := c.Accesses.Accesses(q.Context(), account, id, maxAccesses)
	if err != nil {
		c.failed(w, q, "access log", err)
		return
	}
	c.show(w, q, http.StatusOK, view.Accesses{Account: string(account), ChargePermissionID: string(id), Accesses: all})
}

// updates are what a buyer can be asked to change.
var updates = []string{pages.PaymentMethod, pages.Address, pages.Both}

// link creates an update link for the buyer.
func (c *console) link(w http.ResponseWriter, q *http.Request) {
	account, id, ok := c.requirePermission(w, q)
	if !ok {
		return
	}
	var form linkRequest
	if !c.readForm(w, q, &form) {
		return
	}
	if !slices.Contains(updates, form.Update) {
		c.problem(w, q, badRequest)
		return
	}
	if !c.logRecord(w, q, "linked", account, id) {
		return
	}
	issued, err := c.Updates.NewLink(q.Context(), account, id, form.Update)
	if refused, ok := errors.AsType[update.RefusedError](err); ok {
		if p, known := refusals[refused.Code]; known {
			c.problem(w, q, p)
			return
		}
	}
	if err != nil {
		c.failed(w, q, "update link", err)
		return
	}
	c.show(w, q, http.StatusCreated, view.Link{
		Account: string(account), ChargePermissionID: string(id), UpdateID: issued.ID.String(), Requested: form.Update, URL: issued.URL, ExpiresAt: issued.Expires,
	})
}

// confirm shows the form that asks for the confirmation of an action.
func (c *console) confirm(action string) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		account, id, ok := c.requirePermission(w, q)
		if ok {
			c.show(w, q, http.StatusOK, view.Confirm{What: action, Account: string(account), ChargePermissionID: string(id)})
		}
	}
}

// personOf is what an export or an erasure begins with. The charge permission
// must be confirmed by its id; what is done is logged for each charge permission
// of the same person. If it fails it answers the request and returns false.
func (c *console) personOf(w http.ResponseWriter, q *http.Request, action, logged string) (permissions []privacy.Permission, at time.Time, ok bool) {
	account, id, ok := c.requirePermission(w, q)
	var form confirmRequest
	if !ok || !c.readForm(w, q, &form) {
		return nil, at, false
	}
	if _, given := term(form.Confirm); given != string(id) {
		c.show(w, q, http.StatusUnprocessableEntity, view.Confirm{What: action, Account: string(account), ChargePermissionID: string(id), Wrong: true})
		return nil, at, false
	}
	permissions, at, err := privacy.Find(q.Context(), c.Persons, account, id, true)
	if err != nil {
		c.failed(w, q, action, err)
		return nil, at, false
	}
	return permissions, at, c.logRecord(w, q, logged, account, ids(permissions)...)
}

func ids(permissions []privacy.Permission) []wallet.ChargePermissionID {
	out := make([]wallet.ChargePermissionID, len(permissions))
	for i, p := range permissions {
		out[i] = p.ID
	}
	return out
}

// export answers with everything that is stored about the person.
func (c *console) export(w http.ResponseWriter, q *http.Request) {
	permissions, _, ok := c.personOf(w, q, "export", "exported")
	if !ok {
		return
	}
	document, err := privacy.Export(q.Context(), c.Persons, permissions)
	if err != nil {
		c.failed(w, q, "export", err)
		return
	}
	html.Guard(w.Header(), html.Strict())
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="`+q.PathValue("id")+`.json"`)
	_, _ = w.Write(document) // the client is gone
}

// erase erases what is stored about the person.
func (c *console) erase(w http.ResponseWriter, q *http.Request) {
	permissions, at, ok := c.personOf(w, q, "erase", "erased")
	if !ok {
		return
	}
	if err := c.Eraser.Erase(q.Context(), permissions[0].Account, ids(permissions), at, wallet.CauseErasure); err != nil {
		c.failed(w, q, "erase", err)
		return
	}
	c.show(w, q, http.StatusOK, view.Erased{Account: q.PathValue("account"), ChargePermissionID: q.PathValue("id")})
}

package update

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"walletsync/internal/deadline"
	"walletsync/internal/html"
	"walletsync/internal/telemetry"
	"walletsync/internal/update/pages"
	"walletsync/internal/update/session"
	"walletsync/internal/wallet"
)

// Return takes the buyer back from Amazon's page.
type Return struct {
	Store     ReturnStore
	Completer *session.Completer
	Refresher Refresher
	Site      Site
	// Timeout limits how long a buyer waits for the outcome.
	Timeout  time.Duration
	NewLease func() session.Lease
	Now      func() time.Time
	Metrics  *telemetry.Metrics
}

// ReturnStore keeps attempts.
type ReturnStore interface {
	Session(ctx context.Context, id session.ID) (session.Session, bool, error)
	// Begin stores that the buyer came back with a Checkout Session, and leases
	// the attempt to held for d, unless it has its outcome, is leased, or belongs
	// to another update session. It refuses a new Checkout Session after the
	// session's end or beyond the limit.
	Begin(ctx context.Context, id session.ID, checkoutSession string, held session.Lease, d time.Duration) (session.Begun, error)
	// Attempt returns an attempt as it stands.
	Attempt(ctx context.Context, a wallet.AccountID, checkoutSession string) (session.Attempt, error)
	// Cancel stores that the buyer cancelled on Amazon's page, and returns the
	// session's state: failed, unless an attempt has another outcome.
	Cancel(ctx context.Context, id session.ID, reason string) (session.State, error)
	// Unidentified stores that the buyer came back and that the Checkout Session
	// is not known, and requests a read of the charge permission.
	Unidentified(ctx context.Context, u session.Session) error
	// Show returns what a buyer may see of a completed attempt, and stores that
	// New has been shown.
	Show(ctx context.Context, a session.Attempt) (session.Shown, error)
}

// holdFor is added to Timeout for the lease of an attempt. In this time the last
// call ends and its result is stored.
const holdFor = 15 * time.Second

// refreshFor limits the read after a completion, including the time to store it.
const refreshFor = 8 * time.Second

// pageTime is the part of the request's time that is reserved for reading the changes
// and writing the page. Waiting for Amazon or for another request ends before it.
const pageTime = 3 * time.Second

// lookEvery is the interval at which a request without the lease checks for the
// outcome.
const lookEvery = 150 * time.Millisecond

// Handler answers GET /return.
func (r *Return) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /return", r.serve)
	return html.Below(r.Site.PublicURL, mux)
}

// returned holds the parameters of a return.
type returned struct {
	token           string
	checkoutSession string // in lower case; empty if none was appended
	cancelled       bool   // the URL is the checkoutCancelUrl
}

// parseReturn parses the query. Amazon appends its parameter to ours. Other
// parameters are ignored.
func parseReturn(rawQuery string) (returned, error) {
	token, err := oneValue(rawQuery, tokenParam)
	if err != nil {
		return returned{}, err
	}
	in := returned{token: token, cancelled: has(rawQuery, cancelledParam)}
	if in.checkoutSession, err = oneValueIfAny(rawQuery, checkoutSessionParam); err != nil {
		return returned{}, err
	}
	if in.checkoutSession != "" {
		// Parse also accepts other forms, which all differ in length.
		id, err := uuid.Parse(in.checkoutSession)
		if err != nil || len(in.checkoutSession) != len(id.String()) {
			return returned{}, errQuery
		}
		in.checkoutSession = id.String() // in lower case
	}
	return in, nil
}

func (r *Return) serve(w http.ResponseWriter, q *http.Request) {
	ctx := q.Context()
	in, err := parseReturn(q.URL.RawQuery)
	var id session.ID
	if err == nil {
		id, err = r.Site.Tokens.Open(ctx, State, in.token)
	}
	_, expired := errors.AsType[expiredError](err)
	switch {
	case errors.Is(err, errForged), errors.Is(err, errQuery):
		r.count("link_invalid")
		r.Site.problem(w, q, pages.LinkInvalid, session.Session{}, "")
	case expired:
		r.late(w, q, id)
	case err != nil:
		r.unavailable(w, q, err)
	case in.checkoutSession == "":
		r.unidentified(w, q, id, in.cancelled)
	default:
		r.finish(w, q, id, in.checkoutSession)
	}
}

func (r *Return) count(outcome string) {
	r.Metrics.Count(telemetry.UpdateReturned, 1, telemetry.Labels{Reason: outcome})
}

// unavailable answers a temporary error. Its page links to the same URL.
func (r *Return) unavailable(w http.ResponseWriter, q *http.Request, err error) {
	zerolog.Ctx(q.Context()).Error().Err(err).Msg("serve return: failed")
	r.count("unavailable")
	r.Site.problem(w, q, pages.Unavailable, session.Session{}, r.here(q))
}

// here returns this page's URL.
func (r *Return) here(q *http.Request) string { return r.Site.PublicURL + "/return?" + q.URL.RawQuery }

// late answers a return with an expired state token. Amazon has cancelled the
// Checkout Session if it was not completed, so the stored state decides.
func (r *Return) late(w http.ResponseWriter, q *http.Request, id session.ID) {
	u, _, err := r.Store.Session(q.Context(), id)
	if err != nil {
		r.unavailable(w, q, err)
		return
	}
	r.ended(w, q, u, pages.LinkExpired)
}

// ended answers a return that the update session no longer accepts. It shows the
// problem, or success if the session was completed before.
func (r *Return) ended(w http.ResponseWriter, q *http.Request, u session.Session, kind pages.Kind) {
	if u.State == session.Completed {
		r.count(string(pages.Success))
		r.result(w, q, u, pages.Result{Outcome: pages.Success})
		return
	}
	r.count(string(kind))
	r.Site.problem(w, q, kind, u, "")
}

// unidentified answers a return without a Checkout Session. At the
// checkoutCancelUrl it means that the buyer cancelled on Amazon's page. At the
// other URL the outcome is unknown. Only a read of the charge permission can show
// it, so unidentified requests one.
func (r *Return) unidentified(w http.ResponseWriter, q *http.Request, id session.ID, cancelled bool) {
	u, found, err := r.Store.Session(q.Context(), id)
	if err == nil && found && cancelled {
		u.State, err = r.Store.Cancel(q.Context(), id, session.ReasonCancelled)
	}
	switch {
	case err != nil:
		r.unavailable(w, q, err)
	case !found:
		r.count("not_found")
		r.Site.problem(w, q, pages.NotFound, session.Session{}, "")
	case u.State == session.Completed:
		r.count(string(pages.Success))
		r.result(w, q, u, pages.Result{Outcome: pages.Success})
	case cancelled && u.State == session.Failed:
		r.failed(w, q, u)
	default:
		// After a cancel in one tab, another tab's attempt may still have no outcome.
		// Its outcome will request the read.
		if !cancelled && u.ReadsRequested < session.MaxCheckoutSessions {
			if err := r.Store.Unidentified(q.Context(), u); err != nil {
				r.unavailable(w, q, err)
				return
			}
			r.refresh(q.Context(), session.Attempt{Account: u.Account, ChargePermission: u.ChargePermission, Session: u.ID})
		}
		r.count(string(pages.Checking))
		r.result(w, q, u, pages.Result{Outcome: pages.Checking, AgainURL: r.here(q)})
	}
}

// finish brings the attempt to its outcome, or reads a stored outcome.
func (r *Return) finish(w http.ResponseWriter, q *http.Request, id session.ID, checkoutSession string) {
	ctx := q.Context()
	held := r.NewLease()
	b, err := r.Store.Begin(ctx, id, checkoutSession, held, r.Timeout+holdFor)
	switch {
	case err != nil:
		r.unavailable(w, q, err)
		return
	case !b.Found:
		r.count("not_found")
		r.Site.problem(w, q, pages.NotFound, session.Session{}, "")
		return
	case b.Refused:
		kind := pages.LinkExpired
		if b.Session.CheckoutSessions >= session.MaxCheckoutSessions {
			kind = pages.UsedUp
		}
		zerolog.Ctx(ctx).Warn().Str("update_session", id.String()).Str("reason", string(kind)).
			Msg("checkout session refused: the update session has expired or has reached its limit")
		r.ended(w, q, b.Session, kind)
		return
	case b.Foreign:
		zerolog.Ctx(ctx).Error().Str("event", "security").Str("update_session", id.String()).Str("checkout_session", checkoutSession).
			Msg("checkout session refused: another update session returned it before")
		r.Metrics.Count(telemetry.SecurityEvents, 1, telemetry.Labels{Account: string(b.Session.Account), Reason: "other_update_session"})
		r.count("link_invalid")
		r.Site.problem(w, q, pages.LinkInvalid, b.Session, "")
		return
	}
	a := b.Attempt
	switch {
	case b.Ours:
		if a, b.Ours, err = r.Completer.Finish(ctx, a, held, r.Timeout); err != nil {
			// Amazon has the outcome even if we could not store it. The reconciler
			// will fetch it.
			zerolog.Ctx(ctx).Error().Err(err).Msg("store outcome: failed; the reconciler will fetch it")
			a.Outcome = ""
		} else if !b.Ours {
			a.Outcome = "" // another worker has the lease, or our answer from the database was lost
			a = r.await(ctx, a)
		}
		if a.Outcome == session.OutcomeCompleted {
			r.refresh(ctx, a)
		}
	case a.Outcome == "" && !b.Deferred:
		a = r.await(ctx, a)
	}
	switch a.Outcome {
	case session.OutcomeCompleted:
		r.completed(w, q, b.Session, a)
	case session.OutcomeFailed:
		r.failed(w, q, b.Session)
	default:
		r.count(string(pages.Checking))
		r.result(w, q, b.Session, pages.Result{Outcome: pages.Checking, AgainURL: r.here(q)})
	}
}

// await waits for the request that has leased the attempt, such as the first of two
// clicks.
func (r *Return) await(ctx context.Context, a session.Attempt) session.Attempt {
	ctx, cancel := deadline.Within(ctx, r.Timeout, pageTime)
	defer cancel()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return a
		case <-tick.C:
		}
		now, err := r.Store.Attempt(ctx, a.Account, a.CheckoutSession)
		if err == nil && now.Outcome != "" {
			return now
		}
	}
}

// refresh reads the charge permission at once. If the read fails, the refresh request
// stays at first priority, or the reconciler makes a new one.
func (r *Return) refresh(ctx context.Context, a session.Attempt) {
	ctx, cancel := deadline.Within(ctx, refreshFor, pageTime)
	defer cancel()
	_, err := r.Refresher.Now(ctx, wallet.Want{
		Account: a.Account, ChargePermission: a.ChargePermission, Priority: wallet.PriorityReturn, At: a.CompletedAt,
	})
	if err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Str("update_session", a.Session.String()).Msg("read change: failed; the refresh request is stored")
	}
}

// completed shows the change, once, or that the change is not stored yet.
func (r *Return) completed(w http.ResponseWriter, q *http.Request, u session.Session, a session.Attempt) {
	shown, err := r.Store.Show(q.Context(), a)
	if err != nil {
		zerolog.Ctx(q.Context()).Error().Err(err).Str("update_session", u.ID.String()).Msg("read changes: failed")
	}
	v := pages.Result{Outcome: pages.Pending}
	if shown.Any || shown.Settled {
		v.Outcome = pages.Success
		describe(&v, shown.New)
	}
	r.count(string(v.Outcome))
	r.result(w, q, u, v)
}

// describe adds to v the parts of the changes that may be shown: the payment methods,
// and the city and postcode of an address.
func describe(v *pages.Result, changes []wallet.Change) {
	for _, c := range changes {
		switch c.Facet {
		case wallet.FacetPaymentMethod:
			var after struct {
				Descriptors []string `json:"payment_descriptors"`
			}
			if json.Unmarshal(c.After, &after) == nil {
				v.Descriptors = after.Descriptors
			}
		case wallet.FacetShippingAddress:
			var after wallet.Address
			if json.Unmarshal(c.After, &after) == nil {
				v.City, v.PostalCode = after.City, after.PostalCode
			}
		}
	}
}

// result shows the outcome, or redirects the buyer to the merchant's page with it. A
// completed update whose change is not stored yet is pending there too, because the
// merchant's page reads the same database.
func (r *Return) result(w http.ResponseWriter, q *http.Request, u session.Session, v pages.Result) {
	status := string(v.Outcome)
	if v.Outcome == pages.Checking {
		status = string(pages.Pending)
	}
	if to := r.Site.with(u.ReturnTo, status, u.ID); to != "" {
		redirect(w, to)
		return
	}
	v.Language, v.Update = u.Locale, u.Update
	v.MerchantName, v.MerchantURL = r.Site.MerchantName, r.Site.wayOut(u)
	r.Site.Pages.Result(w, q, v)
}

// failed redirects the buyer to the start of the flow, as Amazon requires: the
// merchant's page, or the update page with a new link. The new link grants nothing
// more, because the holder of the state token had a link before.
func (r *Return) failed(w http.ResponseWriter, q *http.Request, u session.Session) {
	r.count(string(pages.Failed))
	for _, page := range []string{u.StartURL, u.ReturnTo} {
		if to := r.Site.with(page, string(pages.Failed), u.ID); to != "" {
			redirect(w, to)
			return
		}
	}
	if u.State == session.Completed {
		// Another tab has completed the session, so its link no longer works.
		r.result(w, q, u, pages.Result{Outcome: pages.Failed})
		return
	}
	link, err := r.Site.linkURL(q.Context(), u.ID, r.Now().Add(retryLinkLifetime))
	if err != nil {
		r.unavailable(w, q, err)
		return
	}
	redirect(w, link)
}

// retryLinkLifetime is the lifetime of the link back to the update page.
const retryLinkLifetime = 30 * time.Minute

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
	// Patience is how long a buyer waits for the outcome.
	Patience time.Duration
	NewHeld  func() session.Held
	Now      func() time.Time
	Metrics  *telemetry.Metrics
}

// ReturnStore keeps attempts.
type ReturnStore interface {
	Session(ctx context.Context, id session.ID) (session.Session, bool, error)
	// Begin stores that the buyer came back with a Checkout Session, and gives
	// the attempt to held for the given time, unless it has its outcome,
	// somebody holds it, or it is of another update session. It refuses a new
	// Checkout Session after the session's end or beyond the limit.
	Begin(ctx context.Context, id session.ID, checkoutSession string, held session.Held, d time.Duration) (session.Begun, error)
	// Attempt returns an attempt as it stands.
	Attempt(ctx context.Context, a wallet.AccountID, checkoutSession string) (session.Attempt, error)
	// Cancel stores that the buyer cancelled on Amazon's page, and returns the
	// session's state: it has failed, unless an attempt says more.
	Cancel(ctx context.Context, id session.ID, reason string) (session.State, error)
	// Unidentified stores that the buyer came back and that the Checkout Session
	// is not known, and requests a read of the charge permission.
	Unidentified(ctx context.Context, u session.Session) error
	// Show returns what a buyer may be told of a completed attempt, and notes
	// that New has been shown.
	Show(ctx context.Context, a session.Attempt) (session.Shown, error)
}

// holdFor is how long an attempt is held beyond the buyer's patience, for the
// call under way and the storing of what came of it.
const holdFor = 15 * time.Second

// refreshFor bounds the read that follows a completion; storing it included.
const refreshFor = 8 * time.Second

// pageTime is what waiting for Amazon or for another request leaves of the
// request's time: to read what may be shown, and to write the page.
const pageTime = 3 * time.Second

// lookEvery is how often whoever holds nothing looks whether the outcome is
// there.
const lookEvery = 150 * time.Millisecond

// Handler answers GET /return.
func (r *Return) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /return", r.serve)
	return html.Below(r.Site.PublicURL, mux)
}

// returned is what the URL of a return says.
type returned struct {
	token           string
	checkoutSession string // in lower case; empty: none was appended
	cancelled       bool   // the URL is the checkoutCancelUrl
}

// parseReturn reads the query. Amazon appends its parameter to ours; anything
// else there is ignored.
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
		// Parse also accepts forms that Amazon does not write, all of other lengths.
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

// unavailable offers this page again: nothing is lost by coming back.
func (r *Return) unavailable(w http.ResponseWriter, q *http.Request, err error) {
	zerolog.Ctx(q.Context()).Error().Err(err).Msg("the return cannot be served just now")
	r.count("unavailable")
	r.Site.problem(w, q, pages.Unavailable, session.Session{}, r.here(q))
}

// here is this page's URL.
func (r *Return) here(q *http.Request) string { return r.Site.PublicURL + "/return?" + q.URL.RawQuery }

// late answers a state token that is too old. Amazon has cancelled what was not
// completed by now, so our record has the last word.
func (r *Return) late(w http.ResponseWriter, q *http.Request, id session.ID) {
	u, _, err := r.Store.Session(q.Context(), id)
	if err != nil {
		r.unavailable(w, q, err)
		return
	}
	r.ended(w, q, u, pages.LinkExpired)
}

// ended answers a return that an update session takes no more, for a reason that
// the page names, unless the session was completed before.
func (r *Return) ended(w http.ResponseWriter, q *http.Request, u session.Session, kind pages.Kind) {
	if u.State == session.Completed {
		r.count(string(pages.Success))
		r.result(w, q, u, pages.Result{Outcome: pages.Success})
		return
	}
	r.count(string(kind))
	r.Site.problem(w, q, kind, u, "")
}

// unidentified answers a return without a Checkout Session. By the
// checkoutCancelUrl the buyer cancelled on Amazon's page, which may append none.
// By the other URL the outcome is not known: only a read of the charge permission
// can tell, so one is requested.
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
		// After a cancel in one tab, the attempt of another is still unclear; the
		// read comes with its outcome.
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

// finish brings the attempt to its outcome, or finds it in our record.
func (r *Return) finish(w http.ResponseWriter, q *http.Request, id session.ID, checkoutSession string) {
	ctx := q.Context()
	held := r.NewHeld()
	b, err := r.Store.Begin(ctx, id, checkoutSession, held, r.Patience+holdFor)
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
			Msg("a further checkout session of this update session is not accepted")
		r.ended(w, q, b.Session, kind)
		return
	case b.Foreign:
		zerolog.Ctx(ctx).Error().Str("event", "security").Str("update_session", id.String()).Str("checkout_session", checkoutSession).
			Msg("the checkout session was returned by another update session before; nothing was acted upon")
		r.Metrics.Count(telemetry.SecurityEvents, 1, telemetry.Labels{Account: string(b.Session.Account), Reason: "other_update_session"})
		r.count("link_invalid")
		r.Site.problem(w, q, pages.LinkInvalid, b.Session, "")
		return
	}
	a := b.Attempt
	switch {
	case b.Ours:
		if a, b.Ours, err = r.Completer.Finish(ctx, a, held, r.Patience); err != nil {
			// The outcome is Amazon's, whether we could store it or not; the
			// reconciler finds it again.
			zerolog.Ctx(ctx).Error().Err(err).Msg("the outcome could not be stored; the reconciler asks for it again")
			a.Outcome = ""
		} else if !b.Ours {
			a.Outcome = "" // taken over, or stored by a trip whose answer was lost
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

// await waits for whoever holds the attempt, such as the first of two clicks.
func (r *Return) await(ctx context.Context, a session.Attempt) session.Attempt {
	ctx, cancel := deadline.Within(ctx, r.Patience, pageTime)
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

// refresh reads the charge permission at once. If that fails it stays wanted at
// first priority, or the reconciler wants it again.
func (r *Return) refresh(ctx context.Context, a session.Attempt) {
	ctx, cancel := deadline.Within(ctx, refreshFor, pageTime)
	defer cancel()
	_, err := r.Refresher.Now(ctx, wallet.Want{
		Account: a.Account, ChargePermission: a.ChargePermission, Priority: wallet.PriorityReturn, At: a.CompletedAt,
	})
	if err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Str("update_session", a.Session.String()).Msg("the change could not be read at once; it is on its way")
	}
}

// completed tells what changed, once, or that the change is on its way.
func (r *Return) completed(w http.ResponseWriter, q *http.Request, u session.Session, a session.Attempt) {
	shown, err := r.Store.Show(q.Context(), a)
	if err != nil {
		zerolog.Ctx(q.Context()).Error().Err(err).Str("update_session", u.ID.String()).Msg("what changed cannot be read just now")
	}
	v := pages.Result{Outcome: pages.Pending}
	if shown.Any || shown.Settled {
		v.Outcome = pages.Success
		describe(&v, shown.New)
	}
	r.count(string(v.Outcome))
	r.result(w, q, u, v)
}

// describe puts into v what may be shown of the changes: the payment methods,
// and of an address no more than city and postcode.
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

// result shows the outcome, or sends the buyer to the merchant's page with it.
// A completed update whose change is not stored yet is pending there, too: the
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

// failed sends the buyer back to the start of the flow, as Amazon asks for: the
// merchant's, else the ready page, by a fresh link. Whoever has the state token
// has been at the start before.
func (r *Return) failed(w http.ResponseWriter, q *http.Request, u session.Session) {
	r.count(string(pages.Failed))
	for _, page := range []string{u.StartURL, u.ReturnTo} {
		if to := r.Site.with(page, string(pages.Failed), u.ID); to != "" {
			redirect(w, to)
			return
		}
	}
	if u.State == session.Completed {
		// Another tab has completed it; its link is used up.
		r.result(w, q, u, pages.Result{Outcome: pages.Failed})
		return
	}
	link, err := r.Site.linkURL(q.Context(), u.ID, r.Now().Add(againFor))
	if err != nil {
		r.unavailable(w, q, err)
		return
	}
	redirect(w, link)
}

// againFor is how long the link back to the ready page is good.
const againFor = 30 * time.Minute

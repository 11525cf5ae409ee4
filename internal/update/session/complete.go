package session

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"walletsync/internal/amazonpay"
	"walletsync/internal/deadline"
	"walletsync/internal/telemetry"
	"walletsync/internal/wallet"
)

// API is what completing needs of Amazon Pay. Each call is one attempt.
type API interface {
	GetCheckoutSession(ctx context.Context, id string) (*amazonpay.CheckoutSession, error)
	CompleteCheckoutSession(ctx context.Context, id, idempotencyKey string) (*amazonpay.CheckoutSession, error)
}

// CompleterStore keeps attempts and the calls that are left.
type CompleterStore interface {
	// Take takes a token for one call. Without one, wait says when the next is
	// there.
	Take(ctx context.Context, a wallet.AccountID, c wallet.Call) (ok bool, wait time.Duration, err error)
	// Rest closes a bucket; zero: for a while that grows with each time.
	Rest(ctx context.Context, a wallet.AccountID, c wallet.Call, d time.Duration, why string) error
	// Refused notes that Amazon Pay refused a Checkout Session without a word of
	// the key, and closes the bucket if several different ones in a row were
	// refused. It reports whether it did.
	Refused(ctx context.Context, a wallet.AccountID, c wallet.Call, checkoutSession string) (bool, error)
	// Return gives a token back that no call was made with, and closes the bucket.
	Return(ctx context.Context, a wallet.AccountID, c wallet.Call, d time.Duration, why string) error
	// Settle stores what came of working on an attempt and lets it go; a
	// completion, and the end of one that stayed unclear, is wanted read in the
	// same step. It reports false, and stores no outcome, if Held holds the
	// attempt no more.
	Settle(ctx context.Context, s Settlement) (bool, error)
}

// Completer completes Checkout Sessions: the one piece of code for the buyer
// who waits and for what was left open.
type Completer struct {
	Store   CompleterStore
	API     func(wallet.AccountID) (API, error)
	Jitter  func() float64 // in [0, 1)
	Metrics *telemetry.Metrics
	// Pause is how long an account's calls rest when Amazon Pay refuses its key.
	Pause time.Duration
}

// failuresPerKey is after how many failures another idempotency key is taken if
// the session is still open: Amazon may remember a 5xx under the first.
const failuresPerKey = 3

// idempotencyKey returns the nth key of a Checkout Session: 32 of A-Za-z0-9_-,
// the most that Amazon takes, the same whoever asks.
func idempotencyKey(checkoutSession string, n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "walletsync complete %s %d", checkoutSession, n))
	return base64.RawURLEncoding.EncodeToString(sum[:24])
}

// verdict is what an answer of Amazon's means for an attempt.
type verdict struct {
	outcome Outcome // empty: not known yet
	reason  string  // of a failure
	look    bool    // Get Checkout Session must tell, or tells more
	open    bool    // it was looked, and the session is still open
	unnamed bool    // it was looked, and the session is completed, of no charge permission
	other   bool    // it names another charge permission
	newKey  bool    // the idempotency key cannot be used
	// uncalled: the call could not be made, which is our own trouble.
	uncalled bool
	// completedAt is the moment by which the change was made, by Amazon's clock,
	// as the Timestamp of a notification would say: the answer's Date and a
	// second.
	completedAt time.Time
	requestID   string
}

// ReasonNotFound is Amazon's reason code of a 404.
const ReasonNotFound = "ResourceNotFound"

// The reasons of failures that are not Amazon's reason codes.
const (
	ReasonOtherPermission = "other_charge_permission"
	ReasonCancelled       = "cancelled_before_a_session"
	ReasonUnclear         = "no_outcome_within_a_day"
)

// judge says what Amazon's answer means. Looked says that it is one of Get
// Checkout Session.
func judge(id wallet.ChargePermissionID, got *amazonpay.CheckoutSession, err error, looked bool) verdict {
	if err != nil {
		return judgeError(err)
	}
	v := verdict{requestID: got.Response.RequestID}
	switch got.StatusDetails.State {
	case "Completed":
		switch {
		case strings.EqualFold(got.ChargePermissionID, string(id)):
		case got.ChargePermissionID == "": // the answer of Complete may lack what Get Checkout Session has
			v.look, v.unnamed = !looked, looked
			return v
		default:
			// Whoever returned showed the session of somebody else.
			v.outcome, v.reason, v.other = OutcomeFailed, ReasonOtherPermission, true
			return v
		}
		v.outcome = OutcomeCompleted
		if d := got.Response.Date; !d.IsZero() {
			v.completedAt = d.Add(time.Second)
		}
	case "Canceled":
		v.outcome, v.reason = OutcomeFailed, reasonOf(got.StatusDetails.ReasonCode, "Canceled")
	default:
		v.look, v.open = !looked, looked
	}
	return v
}

// judgeError says what a refusal means: the reason code first, then the class
// of the status.
func judgeError(err error) verdict {
	v := verdict{requestID: responseOf(err).RequestID}
	switch code := amazonpay.ReasonCode(err); {
	case code == amazonpay.ReasonInvalidCheckoutSessionStatus:
		v.look = true // completed or cancelled already
	case code == amazonpay.ReasonCheckoutSessionCanceled:
		v.outcome, v.reason, v.look = OutcomeFailed, code, true
	case code == amazonpay.ReasonDuplicateIdempotencyKey:
		v.newKey = true
	case amazonpay.NotFound(err):
		v.outcome, v.reason = OutcomeFailed, ReasonNotFound
	case amazonpay.WasNotCalled(err):
		v.uncalled = true
	case amazonpay.Misconfigured(err), amazonpay.ObjectRefused(err), amazonpay.Temporary(err):
	default:
		if e, answered := errors.AsType[*amazonpay.Error](err); answered && e.StatusCode >= 400 {
			v.outcome, v.reason = OutcomeFailed, reasonOf(code, fmt.Sprintf("http_%d", e.StatusCode))
		}
	}
	return v
}

// reasonOf returns a reason code fit for a column and a log, or what stands for it.
func reasonOf(code, without string) string {
	if code == "" || len(code) > 64 {
		return without
	}
	for _, c := range code {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.' {
			return without
		}
	}
	return code
}

func responseOf(err error) amazonpay.Response {
	if e, ok := errors.AsType[*amazonpay.Error](err); ok {
		return e.Response
	}
	return amazonpay.Response{}
}

// settleTime bounds storing what came of an attempt. The calls end by so much
// before the caller's context, and what is learnt when that has ended all the
// same gets a second more: less than the runtime keeps for the answer.
const settleTime = 5 * time.Second

// Finish works on an attempt that held holds until it has an outcome, or until
// patience is over; 0: one try. It returns the attempt as it then stands, and
// false if somebody else holds it by now.
//
// Every call costs a token of its bucket. No other path retries within an
// invocation.
func (c *Completer) Finish(ctx context.Context, a Attempt, held Held, patience time.Duration) (Attempt, bool, error) {
	calls, end := deadline.Within(ctx, patience, settleTime)
	s := c.work(calls, a, held, patience)
	end()
	if s.Outcome == "" && a.Overdue {
		s.Outcome, s.Reason = OutcomeFailed, ReasonUnclear
	}
	// What was learnt is stored even when the time is up.
	storing, cancel := deadline.Grace(ctx, settleTime, time.Second)
	defer cancel()
	ours, err := c.Store.Settle(storing, s)
	if err != nil {
		return s.Attempt, false, fmt.Errorf("store the outcome of checkout session %s: %w", a.CheckoutSession, err)
	}
	log := zerolog.Ctx(ctx).With().Str("update_session", a.Session.String()).Str("checkout_session", a.CheckoutSession).Logger()
	switch {
	case !ours:
		log.Warn().Msg("somebody else took the attempt over; what came of this try is dropped")
		return s.Attempt, false, nil
	case s.Outcome == "":
		log.Warn().Str("error", s.Error).Int("failures", s.Failures).Msg("no clear outcome yet")
		return s.Attempt, true, nil
	case s.Reason == ReasonNotFound:
		// Amazon knows a session for 30 days, so this one was invented.
		c.Metrics.Count(telemetry.SecurityEvents, 1, telemetry.Labels{Account: string(a.Account), Reason: "unknown_checkout_session"})
		log.Error().Str("event", "security").Str("request_id", s.RequestID).Msg("Amazon Pay does not know the checkout session that was returned")
	case s.Reason == ReasonOtherPermission:
		c.Metrics.Count(telemetry.SecurityEvents, 1, telemetry.Labels{Account: string(a.Account), Reason: s.Reason})
		log.Error().Str("event", "security").Str("request_id", s.RequestID).
			Msg("the checkout session belongs to another charge permission than the update session's; nothing was acted upon")
	}
	c.Metrics.Count(telemetry.UpdateEnded, 1, telemetry.Labels{Account: string(a.Account), Reason: string(s.Outcome)})
	log.Info().Str("outcome", string(s.Outcome)).Str("reason", s.Reason).Str("request_id", s.RequestID).Msg("attempt ended")
	return s.Attempt, true, nil
}

// work calls until there is an outcome or time is up.
func (c *Completer) work(ctx context.Context, a Attempt, held Held, patience time.Duration) Settlement {
	s := Settlement{Attempt: a, Held: held, Again: backoff(a.Failures)}
	api, err := c.API(a.Account)
	if err != nil {
		s.Error = err.Error()
		return s
	}
	look := s.Failures >= failuresPerKey
	for try := 1; ; try++ {
		call := wallet.CompleteCheckoutSession
		if look {
			call = wallet.GetCheckoutSession
		}
		if err := c.token(ctx, a.Account, call, patience > 0 && s.Outcome == ""); err != nil {
			if s.Outcome == "" {
				s.Error = err.Error()
			}
			return s
		}
		v, err := c.try(ctx, api, a, s.Key, look)
		s.RequestID = v.requestID
		if got := (err == nil || amazonpay.NotFound(err)); got && !slices.Contains(s.Answered, call) {
			s.Answered = append(s.Answered, call)
		}
		switch {
		case v.uncalled:
			if s.Outcome == "" {
				s.Error = err.Error()
			}
			return s
		case v.outcome != "" || s.Outcome != "":
			// A cancelled session was looked at for its reason, if anything.
			if v.outcome == "" {
				return s
			}
			s.Outcome, s.Reason, s.CompletedAt, s.Error = v.outcome, v.reason, v.completedAt, ""
			if !v.look || look {
				return s
			}
			look = true
			continue
		case v.newKey:
			s.Key, s.Failures, look = s.Key+1, 0, false
		case v.open && s.Failures >= failuresPerKey:
			s.Key, s.Failures, look = s.Key+1, 0, false
			continue
		case v.look && !look:
			look = true
			continue
		default:
			s.Failures++
			look = look && err != nil || s.Failures >= failuresPerKey
		}
		s.Error, s.Again = "Amazon Pay says that the session is still open", backoff(s.Failures)
		if v.unnamed {
			s.Error = "Amazon Pay says that the session is completed, and names no charge permission"
		}
		if err != nil {
			s.Error = err.Error()
		}
		if patience == 0 || !temporary(err) || !pause(ctx, c.wait(try, err)) {
			return s
		}
	}
}

// try makes one call and says what it means.
func (c *Completer) try(ctx context.Context, api API, a Attempt, key int, look bool) (verdict, error) {
	var got *amazonpay.CheckoutSession
	var err error
	call := wallet.CompleteCheckoutSession
	if look {
		call = wallet.GetCheckoutSession
		got, err = api.GetCheckoutSession(ctx, a.CheckoutSession)
	} else {
		got, err = api.CompleteCheckoutSession(ctx, a.CheckoutSession, idempotencyKey(a.CheckoutSession, key))
	}
	v := judge(a.ChargePermission, got, err, look)
	after, throttled := amazonpay.Throttled(err)
	log := zerolog.Ctx(ctx)
	note, cancel := deadline.Grace(ctx, time.Second, time.Second) // the call may have used up the time
	defer cancel()
	switch {
	case err == nil:
		if len(got.Unreadable) > 0 {
			log.Warn().Strs("unreadable", got.Unreadable).Str("call", string(call)).Msg("checkout session has members of an unknown form")
			for _, name := range got.Unreadable {
				c.Metrics.Count(telemetry.Unreadable, 1, telemetry.Labels{Reason: name})
			}
		}
	case throttled:
		c.noted(ctx, a.Account, call, c.Store.Rest(note, a.Account, call, after, wallet.ReasonThrottled))
	case amazonpay.WasNotCalled(err):
		log.Error().Err(err).Str("account", string(a.Account)).Str("call", string(call)).Msg("the call could not be made; its token is returned")
		c.noted(ctx, a.Account, call, c.Store.Return(note, a.Account, call, wallet.OwnPause, err.Error()))
	case amazonpay.Misconfigured(err):
		log.Error().Err(err).Str("account", string(a.Account)).Str("remedy", wallet.RemedyRefused).
			Msg(wallet.ReasonKeyRefused)
		c.noted(ctx, a.Account, call, c.Store.Rest(note, a.Account, call, c.Pause, wallet.ReasonKeyRefused))
	case amazonpay.ObjectRefused(err):
		log.Warn().Err(err).Str("call", string(call)).Msg("Amazon Pay refuses the checkout session")
		paused, failed := c.Store.Refused(note, a.Account, call, a.CheckoutSession)
		c.noted(ctx, a.Account, call, failed)
		if paused {
			c.Metrics.Count(telemetry.KeyRefused, 1, telemetry.Labels{Account: string(a.Account)})
			log.Error().Str("account", string(a.Account)).Str("remedy", wallet.RemedyRefused).Msg("the account's calls pause: " + wallet.ReasonRefused)
		}
	default:
		log.Warn().Err(err).Str("call", string(call)).Msg("no success")
	}
	return v, err
}

// noted logs that the outcome of a call could not be noted for the account.
func (c *Completer) noted(ctx context.Context, a wallet.AccountID, call wallet.Call, err error) {
	if err != nil {
		zerolog.Ctx(ctx).Error().Err(err).Str("account", string(a)).Str("call", string(call)).Msg("the bucket could not be closed")
	}
}

// errNoToken means that the quota is used up, or calls pause, and longer than the
// buyer waits.
var errNoToken = errors.New("no call is left in walletsync's share of the quota, or the account's calls pause")

// token takes a token, and waits for one if wait says so and there is time.
func (c *Completer) token(ctx context.Context, a wallet.AccountID, call wallet.Call, wait bool) error {
	for {
		ok, after, err := c.Store.Take(ctx, a, call)
		switch {
		case err != nil:
			return err
		case ok:
			return nil
		case !wait || !pause(ctx, after):
			return errNoToken
		}
	}
}

// temporary reports whether the same call is worth making again while the buyer
// waits. A key that is refused, or one that was used, is not a matter of time.
func temporary(err error) bool {
	return err != nil && (amazonpay.Temporary(err) || amazonpay.ReasonCode(err) == amazonpay.ReasonDuplicateIdempotencyKey)
}

// The waits between tries while a buyer waits: Amazon's own example begins with
// 1, 2 and 4 s ("Error handling").
const firstWait = time.Second

// wait returns how long to wait after try n: what Amazon asked for, else
// between half and all of a time that doubles.
func (c *Completer) wait(n int, err error) time.Duration {
	if after, throttled := amazonpay.Throttled(err); throttled && after > 0 {
		return after
	}
	d := firstWait << min(n-1, 5)
	return d/2 + time.Duration(c.Jitter()*float64(d/2))
}

// backoff returns how long the reconciler leaves an attempt alone after n
// failures: from its own period on, doubled each time, an hour at most.
func backoff(n int) time.Duration {
	return min(time.Hour, time.Minute<<min(max(n-1, 0), 6))
}

// pause waits for d and reports whether it did: not if the context ends first,
// or is going to.
func pause(ctx context.Context, d time.Duration) bool {
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

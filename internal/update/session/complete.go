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

// API is the part of Amazon Pay that completion needs. Calls are not retried.
type API interface {
	GetCheckoutSession(ctx context.Context, id string) (*amazonpay.CheckoutSession, error)
	CompleteCheckoutSession(ctx context.Context, id, idempotencyKey string) (*amazonpay.CheckoutSession, error)
}

// CompleterStore stores attempts and the quota of calls.
type CompleterStore interface {
	// Take takes a token for one call. If none is available, wait is the time until
	// the next one.
	Take(ctx context.Context, a wallet.AccountID, c wallet.Call) (ok bool, wait time.Duration, err error)
	// Rest pauses calls of kind c for d. If d is zero, each pause in a row is longer
	// than the one before.
	Rest(ctx context.Context, a wallet.AccountID, c wallet.Call, d time.Duration, why string) error
	// Refused stores that Amazon Pay refused a Checkout Session without blaming the
	// key. If several different ones in a row were refused, it pauses the calls
	// and returns true.
	Refused(ctx context.Context, a wallet.AccountID, c wallet.Call, checkoutSession string) (bool, error)
	// Return returns an unused token and pauses the calls.
	Return(ctx context.Context, a wallet.AccountID, c wallet.Call, d time.Duration, why string) error
	// Settle stores the result of work on an attempt and ends its lease. In the same
	// transaction it requests a refresh after a completion, and after an attempt
	// that ended without a clear outcome. It returns false and stores no outcome if
	// another worker now has the lease.
	Settle(ctx context.Context, s Settlement) (bool, error)
}

// Completer completes Checkout Sessions, both while a buyer waits and later in the
// reconciler.
type Completer struct {
	Store   CompleterStore
	API     func(wallet.AccountID) (API, error)
	Jitter  func() float64 // in [0, 1)
	Metrics *telemetry.Metrics
	// Pause is how long an account's calls pause after Amazon Pay refuses its key.
	Pause time.Duration
}

// failuresPerKey is the number of failures after which another idempotency key is
// used if the session is still open. Amazon may repeat a 5xx for the first key.
const failuresPerKey = 3

// idempotencyKey returns the nth key of a Checkout Session: 32 characters of
// A-Za-z0-9_-, which is Amazon's limit. All workers compute the same key.
func idempotencyKey(checkoutSession string, n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "walletsync complete %s %d", checkoutSession, n))
	return base64.RawURLEncoding.EncodeToString(sum[:24])
}

// verdict is the meaning of Amazon's answer for an attempt.
type verdict struct {
	outcome Outcome // empty if not known yet
	reason  string  // of a failure
	look    bool    // call Get Checkout Session next
	open    bool    // Get Checkout Session returned an open session
	unnamed bool    // Get Checkout Session returned a completed session without charge permission
	other   bool    // the session has another charge permission
	newKey  bool    // the idempotency key cannot be used
	// uncalled means that the call could not be made, because of an error of ours.
	uncalled bool
	// completedAt is the latest time of the change, by Amazon's clock, comparable
	// with the Timestamp of a notification: the answer's Date plus one second.
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

// judge returns the verdict on Amazon's answer. looked means that it is the answer of
// Get Checkout Session.
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
			// The browser returned with the Checkout Session of another buyer.
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

// judgeError returns the verdict on an error. The reason code has precedence over the
// status.
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

// reasonOf returns a reason code if it is safe for a column and a log, or else
// without.
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

// settleTime limits storing the result of an attempt. The calls end settleTime before
// the caller's deadline. A result that comes after the deadline gets one more
// second, which is less than the runtime reserves for the answer.
const settleTime = 5 * time.Second

// Finish tries to bring attempt a, leased with held, to an outcome. It retries until
// timeout; with zero timeout it tries once. It returns the attempt as stored, and
// false if another worker now has the lease.
//
// Every call takes a token of its bucket. No other code retries within an
// invocation.
func (c *Completer) Finish(ctx context.Context, a Attempt, held Lease, timeout time.Duration) (Attempt, bool, error) {
	calls, end := deadline.Within(ctx, timeout, settleTime)
	s := c.work(calls, a, held, timeout)
	end()
	if s.Outcome == "" && a.Overdue {
		s.Outcome, s.Reason = OutcomeFailed, ReasonUnclear
	}
	// Store the result even after the deadline.
	storing, cancel := deadline.Grace(ctx, settleTime, time.Second)
	defer cancel()
	ours, err := c.Store.Settle(storing, s)
	if err != nil {
		return s.Attempt, false, fmt.Errorf("store the outcome of checkout session %s: %w", a.CheckoutSession, err)
	}
	log := zerolog.Ctx(ctx).With().Str("update_session", a.Session.String()).Str("checkout_session", a.CheckoutSession).Logger()
	switch {
	case !ours:
		log.Warn().Msg("store outcome: another worker has the lease; the result of this try is dropped")
		return s.Attempt, false, nil
	case s.Outcome == "":
		log.Warn().Str("error", s.Error).Int("failures", s.Failures).Msg("complete checkout session: no clear outcome yet")
		return s.Attempt, true, nil
	case s.Reason == ReasonNotFound:
		// Amazon keeps a session for 30 days, so this id was invented.
		c.Metrics.Count(telemetry.SecurityEvents, 1, telemetry.Labels{Account: string(a.Account), Reason: "unknown_checkout_session"})
		log.Error().Str("event", "security").Str("request_id", s.RequestID).Msg("Amazon Pay does not know the checkout session that was returned")
	case s.Reason == ReasonOtherPermission:
		c.Metrics.Count(telemetry.SecurityEvents, 1, telemetry.Labels{Account: string(a.Account), Reason: s.Reason})
		log.Error().Str("event", "security").Str("request_id", s.RequestID).
			Msg("checkout session refused: it belongs to another charge permission than the update session")
	}
	c.Metrics.Count(telemetry.UpdateEnded, 1, telemetry.Labels{Account: string(a.Account), Reason: string(s.Outcome)})
	log.Info().Str("outcome", string(s.Outcome)).Str("reason", s.Reason).Str("request_id", s.RequestID).Msg("attempt ended")
	return s.Attempt, true, nil
}

// work calls Amazon Pay until there is an outcome or the time is up.
func (c *Completer) work(ctx context.Context, a Attempt, held Lease, timeout time.Duration) Settlement {
	s := Settlement{Attempt: a, Lease: held, Again: backoff(a.Failures)}
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
		if err := c.token(ctx, a.Account, call, timeout > 0 && s.Outcome == ""); err != nil {
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
			// The second call only fetched the reason of a cancelled session.
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
		s.Error, s.Again = "the session is still open at Amazon Pay", backoff(s.Failures)
		if v.unnamed {
			s.Error = "the session is completed at Amazon Pay, but has no charge permission"
		}
		if err != nil {
			s.Error = err.Error()
		}
		if timeout == 0 || !temporary(err) || !pause(ctx, c.wait(try, err)) {
			return s
		}
	}
}

// try makes one call and returns the verdict on its answer.
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
		log.Error().Err(err).Str("account", string(a.Account)).Str("call", string(call)).Msg("call not made; its token is returned")
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
		log.Warn().Err(err).Str("call", string(call)).Msg("complete checkout session: attempt failed")
	}
	return v, err
}

// noted logs an error of storing the outcome of a call for the account.
func (c *Completer) noted(ctx context.Context, a wallet.AccountID, call wallet.Call, err error) {
	if err != nil {
		zerolog.Ctx(ctx).Error().Err(err).Str("account", string(a)).Str("call", string(call)).Msg("pause calls: failed")
	}
}

// errNoToken means that the quota is used up, or that calls pause, for longer than the
// buyer can wait.
var errNoToken = errors.New("no call is left in walletsync's share of the quota, or the account's calls pause")

// token takes a token. If wait is true it waits for one while there is time.
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

// temporary reports whether a retry of the call may succeed while the buyer waits.
func temporary(err error) bool {
	return err != nil && (amazonpay.Temporary(err) || amazonpay.ReasonCode(err) == amazonpay.ReasonDuplicateIdempotencyKey)
}

// firstWait is the wait after the first try while a buyer waits. Amazon's own example
// begins with 1, 2 and 4 s ("Error handling").
const firstWait = time.Second

// wait returns how long to wait after try n: the time that Amazon requested, or
// between 50 and 100 % of a time that doubles with each try.
func (c *Completer) wait(n int, err error) time.Duration {
	if after, throttled := amazonpay.Throttled(err); throttled && after > 0 {
		return after
	}
	d := firstWait << min(n-1, 5)
	return d/2 + time.Duration(c.Jitter()*float64(d/2))
}

// backoff returns how long the reconciler waits before the next try after n failures:
// a minute, doubled with each failure, at most an hour.
func backoff(n int) time.Duration {
	return min(time.Hour, time.Minute<<min(max(n-1, 0), 6))
}

// pause waits for d. It returns false if the context ends before that; if the deadline
// is too early, it returns at once.
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

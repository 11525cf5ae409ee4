// Package refresh keeps stored charge permissions equal to what Amazon Pay
// returns. It is level-triggered: a notification only requests a refresh of a
// charge permission. A worker with quota claims requested ones, fetches them, and
// stores the results if its claims still hold. Order, number and age of
// notifications do not matter.
//
// A batch costs two round trips to the store: Claim and Commit. In between, each
// claim costs one signed call. It converges, because a claim's fetch begins after
// every request that the claim counted, claims of one charge permission follow one
// another, and only the holder stores.
//
// The package does not depend on Lambda, SQS or Postgres. plan.go decides what an
// answer means, without clock, network or store.
package refresh

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"walletsync/internal/amazonpay"
	"walletsync/internal/wallet"
)

// Settings are the limits of the refresh. The zero value of a field is not
// usable; Defaults returns those of the design.
type Settings struct {
	// Margin is how far Amazon's reads may lag behind its notifications.
	Margin time.Duration
	// Lease is how long a claim holds. It ends before the visibility time-out
	// of the queue's messages does, and after Timeout.
	Lease time.Duration
	// Limit is the most charge permissions of an account that a batch claims,
	// and the most calls in flight.
	Limit int
	// Timeout bounds one call.
	Timeout time.Duration
	// Pause is how long an account's calls pause when Amazon Pay refuses its key.
	Pause time.Duration
	// OwnPause is the least pause when a call could not be made, for example
	// because the private key was unavailable.
	OwnPause time.Duration
}

// Defaults returns the settings of the design.
func Defaults() Settings {
	return Settings{
		Margin:  5 * time.Second,
		Lease:   35 * time.Second,
		Limit:   20,
		Timeout: 8 * time.Second,
		Pause:   5 * time.Minute,

		OwnPause: wallet.OwnPause,
	}
}

// whole is added to the margin where Amazon's whole-second Date and the queue's
// whole-second delays could otherwise make a read a moment too early.
const whole = 2 * time.Second

// ConfirmAfter is how long after an early read the confirmation is due, and how
// long notifications of charges, refunds and chargebacks wait, so that a
// billing run merges into one call per charge permission.
func (s Settings) ConfirmAfter() time.Duration { return s.Margin + whole }

// MaxConfirms bounds the confirmations since the last new reason. Each begins
// after the margin, so more than one is needed only when an answer has no
// usable Date or clocks are wrong.
const MaxConfirms = 3

// Lease is a claim's random token. Only its holder stores.
type Lease = uuid.UUID

// Ask is one notification with the priority and delay of its refresh request.
type Ask struct {
	wallet.Notification
	Priority wallet.Priority
	Delay    time.Duration // the fetch waits at least so long
}

// ClaimRequest is the first round trip.
type ClaimRequest struct {
	Lease    Lease
	Asks     []Ask // distinct message ids
	Accounts []wallet.AccountID
	// Want, if not nil, is to be read at once. Only it is claimed, if its account
	// has a token, even if another worker holds it or it is not due yet.
	Want  *wallet.Want
	Woken []wallet.Wake
	// Force decides on wake-ups as if none were under way, because a redelivery may
	// mean that one was lost.
	Force bool
	Settings
}

// Claim is a charge permission that only the holder may store until the lease ends.
type Claim struct {
	Account  wallet.AccountID
	ID       wallet.ChargePermissionID
	Priority wallet.Priority
	Attempts int    // failures so far
	Message  string // id of the newest notification; may be empty
	// Notified is the newest notification's Timestamp, by Amazon's clock; zero
	// if there was none.
	Notified time.Time
	// Recent are the facets stored less than the margin ago.
	Recent []wallet.Facet
	// Stored is the stored state, nil if none.
	Stored *wallet.ChargePermission
	// Erased is true if the person's data was erased, and none may be stored. An
	// erasure takes the lease over, so this is true for as long as the claim holds.
	Erased bool
}

// Claimed is the result of the first round trip. When it returns, all requests of
// the batch are committed.
type Claimed struct {
	Claims   []Claim
	Outcomes map[string]int // notifications by outcome; "duplicate" for those known before
	Wakes    []Wake         // if nothing was claimed
	// Covered is true if the stored state was read long enough after Want.At, so that
	// no read was requested.
	Covered bool
	// Stored is the stored state of Want if it was not claimed.
	Stored *wallet.ChargePermission
}

// Wake is a wake-up that has to be sent.
type Wake struct {
	Account wallet.AccountID
	At      time.Time // for the message; the store's clock
	Delay   time.Duration
}

// Kind is the outcome of a fetch.
type Kind string

// The outcomes of a fetch.
const (
	Read        Kind = "read"         // Amazon Pay returned it
	Gone        Kind = "gone"         // 404
	NotFollowed Kind = "not_followed" // of a type that is not kept in step: only id and type are stored
	Failed      Kind = "failed"       // tried again after Backoff
	Deferred    Kind = "deferred"     // the account's key was refused: shown as failing, and due when the pause ends
	NotCalled   Kind = "not_called"   // a failure of ours before the call: not an attempt, and its token is returned
	Left        Kind = "left"         // the invocation ran out of time: the request stays as it is
)

// Result is the result of one claim.
type Result struct {
	Claim
	Kind      Kind
	ReadAt    time.Time // Amazon's clock; zero without a usable Date
	RequestID string
	// State and Raw are to be stored. They contain no personal data if Erased is
	// true.
	State   wallet.ChargePermission
	Raw     json.RawMessage
	Changes []wallet.Change
	// HasAddress is true if Amazon returned a shipping address, even if it is not
	// stored.
	HasAddress bool
	// ContradictsRecent is true if it changes a facet that was stored less than the
	// margin ago: it may be the older of the two reads.
	ContradictsRecent bool
	Backoff           time.Duration
	// Temporary is true if a retry a little later may succeed. A caller that can wait
	// retries with a new claim.
	Temporary bool
	// Refused is true if Amazon refused it with 401 or 403 and did not name the key.
	Refused bool
	// Unreadable names Amazon's members that could not be read.
	Unreadable []string
	Error      string // for the operator; without personal data
}

// Closing pauses an account's calls.
type Closing struct {
	Account wallet.AccountID
	For     time.Duration // zero: each pause in a row is longer than the one before
	Why     string
}

// CommitRequest is the second round trip.
type CommitRequest struct {
	Lease    Lease
	Results  []Result
	Closings []Closing
	Refusals []Refusals
	Accounts []wallet.AccountID
	Woken    []wallet.Wake
	Force    bool
	Settings
}

// Settled is the outcome of one result that passed the fence.
type Settled struct {
	Account wallet.AccountID
	ID      wallet.ChargePermissionID
	Stored  bool
	Confirm bool // another read is requested, after the margin
	Early   bool
	// Withheld is true if the read was not stored, because it contradicts a state
	// stored a moment ago. Only the store decides that, because it counts the
	// confirmations; the confirmation shows which read was right.
	Withheld bool
}

// Committed is the result of the second round trip. Results missing from
// Settled were dropped by the fence: their lease had ended.
type Committed struct {
	Settled  []Settled
	Wakes    []Wake
	Backlogs []Backlog          // of each account
	Refused  []wallet.AccountID // accounts that pause, because wallet.MaxRefused ids in a row were refused
}

// Backlog is the pending work of an account, for metrics.
type Backlog struct {
	Account wallet.AccountID
	Tokens  float64       // calls that may be made at once
	Oldest  time.Duration // age of the oldest pending request; zero if there is none
}

// Store keeps refresh requests and charge permissions. Both calls are one
// transaction and one round trip each. After an error the outcome is unknown;
// calling again with the same lease is safe, and a repeated Claim claims nothing
// beyond what the lease already holds.
type Store interface {
	Claim(context.Context, ClaimRequest) (Claimed, error)
	Commit(context.Context, CommitRequest) (Committed, error)
}

// API is Amazon Pay, as far as the refresh needs it. Each call is one attempt.
type API interface {
	GetChargePermission(ctx context.Context, id string) (*amazonpay.ChargePermission, error)
}

// Waker sends a wake-up to the queue.
type Waker interface {
	Wake(ctx context.Context, account wallet.AccountID, at time.Time, delay time.Duration) error
}

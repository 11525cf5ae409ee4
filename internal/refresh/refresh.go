// Package refresh keeps stored charge permissions equal to what Amazon Pay
// returns. It is level-triggered: a notification only marks a charge permission
// as wanted; whoever has quota claims what is wanted, fetches it, and stores the
// result if the claim still holds. Order, number and age of notifications do
// not matter.
//
// A batch costs two round trips to the store: Claim and Commit. In between,
// each claim costs one signed call. Why it converges: a claim's fetch begins
// after every reason that the claim counted; claims of one charge permission
// follow one another; only the holder stores.
//
// The package knows nothing of Lambda, SQS or Postgres. What to make of an
// answer is decided in plan.go, without clock, network or store.
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
	// Pause is how long an account's calls rest when Amazon Pay refuses its key.
	Pause time.Duration
	// OwnPause is how long they rest at least when a call could not be made, as
	// the private key was unavailable.
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

// Ask is one notification and what it asks for.
type Ask struct {
	wallet.Notification
	Priority wallet.Priority
	Delay    time.Duration // not to be fetched earlier
}

// ClaimRequest is the first round trip.
type ClaimRequest struct {
	Lease    Lease
	Asks     []Ask // distinct message ids
	Accounts []wallet.AccountID
	// Want, if not nil, is wanted at once. It alone is claimed, if its account
	// has a token: from whoever holds it, and however long it was to wait.
	Want  *wallet.Want
	Woken []wallet.Wake
	// Force decides on wake-ups as if none were under way: a redelivery may
	// mean that one got lost.
	Force bool
	Settings
}

// Claim is a charge permission that we alone may store until the lease ends.
type Claim struct {
	Account  wallet.AccountID
	ID       wallet.ChargePermissionID
	Priority wallet.Priority
	Attempts int    // failures so far
	Message  string // id of the newest notification that asked; may be empty
	// Notified is the newest notification's Timestamp, by Amazon's clock; zero
	// if none asked.
	Notified time.Time
	// Recent are the facets stored less than the margin ago.
	Recent []wallet.Facet
	// Stored is the state now stored, nil if none.
	Stored *wallet.ChargePermission
	// Erased: the person's data was erased, and none is to be stored. An
	// erasure takes the lease, so this holds for as long as the claim does.
	Erased bool
}

// Claimed is what the first round trip brought. When it returns, all that the
// batch asks for is committed.
type Claimed struct {
	Claims   []Claim
	Outcomes map[string]int // notifications by outcome; "duplicate" for those known before
	Wakes    []Wake         // if nothing was claimed
	// Covered: what is stored was read long enough after the moment that Want
	// speaks of. It asked for nothing.
	Covered bool
	// Stored is the state now stored of Want where it was not claimed.
	Stored *wallet.ChargePermission
}

// Wake is a wake-up that has to be sent.
type Wake struct {
	Account wallet.AccountID
	At      time.Time // for the message; the store's clock
	Delay   time.Duration
}

// Kind says what came of a fetch.
type Kind string

// What can come of a fetch.
const (
	Read        Kind = "read"         // Amazon Pay returned it
	Gone        Kind = "gone"         // 404
	NotFollowed Kind = "not_followed" // of a type that is not kept in step: id and type alone are stored
	Failed      Kind = "failed"       // tried again after Backoff
	Deferred    Kind = "deferred"     // the account's key was refused: shows as failing, and is due when the calls' pause ends
	NotCalled   Kind = "not_called"   // our own trouble, before the call was made: no attempt, and its token is returned
	Left        Kind = "left"         // our own time ran out: stays wanted as it is
)

// Result is what came of one claim.
type Result struct {
	Claim
	Kind      Kind
	ReadAt    time.Time // Amazon's clock; zero without a usable Date
	RequestID string
	// State and Raw are what is to be stored: of an erased person nothing
	// personal.
	State   wallet.ChargePermission
	Raw     json.RawMessage
	Changes []wallet.Change
	// HasAddress: Amazon told a shipping address, to be stored or not.
	HasAddress bool
	// ContradictsRecent: it changes a facet that was stored less than the margin
	// ago, and may be the older of the two reads.
	ContradictsRecent bool
	Backoff           time.Duration
	// Temporary: another try a little later may well succeed. Who can wait for
	// it makes one, with a claim of its own.
	Temporary bool
	// Refused: Amazon refused it with 401 or 403, and did not blame the key.
	Refused bool
	// Unreadable names Amazon's members that could not be read.
	Unreadable []string
	Error      string // for the operator; without personal data
}

// Closing rests an account's calls.
type Closing struct {
	Account wallet.AccountID
	For     time.Duration // zero: grows with each time
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

// Settled is what became of one result that passed the fence.
type Settled struct {
	Account wallet.AccountID
	ID      wallet.ChargePermissionID
	Stored  bool
	Confirm bool // wanted once more, after the margin
	Early   bool
	// Withheld: it was read and not stored, because it contradicts what was stored
	// a moment ago. The store alone decides that, as it knows how often the charge
	// permission has been confirmed; a confirmation shows who was right.
	Withheld bool
}

// Committed is what the second round trip brought. Results missing from
// Settled were dropped by the fence: their lease had ended.
type Committed struct {
	Settled  []Settled
	Wakes    []Wake
	Backlogs []Backlog          // of each account
	Refused  []wallet.AccountID // whose calls pause, as wallet.MaxRefused ids in a row were refused
}

// Backlog is what waits in an account, for those who watch.
type Backlog struct {
	Account wallet.AccountID
	Tokens  float64       // calls that may be made at once
	Oldest  time.Duration // since when the longest wanted is; zero if nothing is
}

// Store keeps what is wanted and what is stored. Both calls are one transaction
// and one round trip each. An error means that nothing is known to be
// committed; calling again with the same lease is safe, and a repeated Claim
// claims nothing beyond what the lease already holds.
type Store interface {
	Claim(context.Context, ClaimRequest) (Claimed, error)
	Commit(context.Context, CommitRequest) (Committed, error)
}

// API is what the refresh needs of Amazon Pay. Each call is one attempt.
type API interface {
	GetChargePermission(ctx context.Context, id string) (*amazonpay.ChargePermission, error)
}

// Waker sends a wake-up to the queue.
type Waker interface {
	Wake(ctx context.Context, account wallet.AccountID, at time.Time, delay time.Duration) error
}

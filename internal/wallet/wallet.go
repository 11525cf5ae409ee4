// Package wallet holds the types that the features of walletsync share: the
// account, the charge permission with its address and payment state, the
// facets in which it can change, and the refresh request.
//
// It uses no clock, no network, no database, and nothing beyond the standard
// library. The names are Amazon Pay's own (its API reference for Charge
// Permission), the rules are those of the design.
package wallet

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// ChargePermissionID names a charge permission, such as B01-0000000-0000000.
// The meaning of its first character is not documented.
type ChargePermissionID string

// ChargePermissionIDPattern is the form of every charge permission id.
const ChargePermissionIDPattern = `^[A-Z][0-9]{2}-[0-9]{7}-[0-9]{7}$`

var chargePermissionID = regexp.MustCompile(ChargePermissionIDPattern)

// chargePermissionIDLength is the length of every charge permission id; the
// ids of charges and refunds are that id with a suffix, such as -C056351.
const chargePermissionIDLength = 19

// ParseChargePermissionID returns s as an id if it has the form of one.
func ParseChargePermissionID(s string) (ChargePermissionID, error) {
	if !chargePermissionID.MatchString(s) {
		return "", fmt.Errorf("%q is not a charge permission id (such as B01-0000000-0000000)", clip(s, 40))
	}
	return ChargePermissionID(s), nil
}

// ChargePermissionOf returns the charge permission that an object's id names:
// the id itself, or the first 19 characters of a charge's or refund's. The latter
// is a guess: of Recurring charge permissions it is wrong.
func ChargePermissionOf(objectID string) (ChargePermissionID, error) {
	if len(objectID) > chargePermissionIDLength && objectID[chargePermissionIDLength] == '-' {
		objectID = objectID[:chargePermissionIDLength]
	}
	return ParseChargePermissionID(objectID)
}

// AccountID is the name that the operator gave an account in the configuration.
type AccountID string

// AccountIDPattern is the form of every account's name.
const AccountIDPattern = `^[a-z][a-z0-9-]{0,31}$`

var accountID = regexp.MustCompile(AccountIDPattern)

// ParseAccountID returns s as an id if a URL path may contain it: at most 32 of
// a-z, 0-9 and "-", beginning with a-z.
func ParseAccountID(s string) (AccountID, error) {
	if !accountID.MatchString(s) {
		return "", fmt.Errorf("%q is not an account name (at most 32 of a-z, 0-9 and -, beginning with a-z)", clip(s, 40))
	}
	return AccountID(s), nil
}

// Quota is how often one call may be made: Burst calls at once, restored at
// PerSecond calls a second.
type Quota struct {
	Call      Call
	Burst     float64
	PerSecond float64
}

// Call names a call of the Amazon Pay API that has a quota.
type Call string

// The calls that walletsync makes.
const (
	GetChargePermission     Call = "get_charge_permission"
	GetCheckoutSession      Call = "get_checkout_session"
	CompleteCheckoutSession Call = "complete_checkout_session"
)

// LiveQuotas returns what Amazon Pay documents for a merchant account in the live
// environment ("Amazon Pay API v2: throttling limits"), in a fixed order.
func LiveQuotas() []Quota {
	return []Quota{
		{CompleteCheckoutSession, 20, 4},
		{GetChargePermission, 20, 4},
		{GetCheckoutSession, 40, 8},
	}
}

// SandboxQuotas returns those of the sandbox, in the same order.
func SandboxQuotas() []Quota {
	return []Quota{
		{CompleteCheckoutSession, 2, 1},
		{GetChargePermission, 10, 1},
		{GetCheckoutSession, 10, 1},
	}
}

// Share returns the part of q that walletsync uses; share is in (0, 1]. The
// burst is at least one token, because no call could be made with less.
func (q Quota) Share(share float64) Quota {
	q.Burst = max(1, q.Burst*share)
	q.PerSecond *= share
	return q
}

// Priority orders refresh requests; the smaller is fetched first. The numbers
// are stored, so their meaning never changes.
type Priority int16

// The order in which the quota is spent.
const (
	PriorityReturn       Priority = 10 // a buyer waits on the return page
	PriorityRefresh      Priority = 15 // a clerk waits
	PriorityNotification Priority = 20 // a charge permission notification
	PriorityUnknown      Priority = 30 // a notification of a charge permission never read; the newest first
	PriorityConfirm      Priority = 40 // a second read after an early one
	PriorityOther        Priority = 50 // a charge, refund or chargeback notification
	PrioritySweep        Priority = 60 // the longest unread
	PriorityImport       Priority = 70 // ids that a merchant imports
)

// Cause is why a charge permission was fetched or erased; it is stored with the
// change.
type Cause string

// The causes of a fetch, and the two of an erasure.
const (
	CauseIPN       Cause = "ipn"
	CauseReturn    Cause = "return"
	CauseConfirm   Cause = "confirm"
	CauseReconcile Cause = "reconcile"
	CauseRefresh   Cause = "refresh"
	CauseImport    Cause = "import"

	CauseErasure   Cause = "erasure"   // requested
	CauseRetention Cause = "retention" // the retention period is over
)

// CauseOf returns the cause of reads with priority p.
func CauseOf(p Priority) Cause {
	switch p {
	case PriorityReturn:
		return CauseReturn
	case PriorityRefresh:
		return CauseRefresh
	case PriorityConfirm:
		return CauseConfirm
	case PrioritySweep:
		return CauseReconcile
	case PriorityImport:
		return CauseImport
	}
	return CauseIPN
}

// Notification is one verified IPN: the hint that a charge permission may have
// changed. It carries no state.
type Notification struct {
	Account          AccountID
	MessageID        string // of SNS; the same on every retry
	NotificationID   string // of Amazon Pay; for tracking only
	ObjectType       string // CHARGE_PERMISSION, CHARGE, REFUND, CHARGEBACK or one not known yet
	ObjectID         string
	ChargePermission ChargePermissionID // empty: of the old kind, to be recorded only
	// Inferred is true if ChargePermission is only the beginning of ObjectID. It
	// counts if that charge permission is stored; otherwise the notification is
	// recorded as unmatched.
	Inferred  bool
	Type      string    // STATE_CHANGE, ATTRIBUTE_CHANGE or one not known yet
	Published time.Time // SNS Timestamp, by Amazon's clock
	Arrived   time.Time // at the IPN endpoint, by our clock; for display, never compared
}

// ObjectChargePermission is the object type of notifications about a change of the
// charge permission itself. Others are about charges, refunds and chargebacks.
const ObjectChargePermission = "CHARGE_PERMISSION"

// Want is a refresh request without a notification: a buyer has returned, or a
// clerk requests a read.
type Want struct {
	Account          AccountID
	ChargePermission ChargePermissionID
	Priority         Priority
	// At is the time of the change by Amazon's clock, as the Timestamp of a
	// notification would be: for a completed return its answer's Date plus one
	// second. It is zero if no change is known.
	At time.Time
}

// Refreshed is the outcome of a Want that was to be met at once.
type Refreshed struct {
	// Settled is true if a read that began after the request has been stored, or
	// has shown no difference. Otherwise the request stays pending for the worker.
	Settled bool
	// Confirm is true if the read was early and will be confirmed after the margin.
	Confirm bool
	// Kind is the outcome of the read, a refresh.Kind; empty if there was none.
	Kind string
	// Changes are what the read changed.
	Changes []Change
	// State is the stored state, nil if there is none.
	State *ChargePermission
	// HasAddress is true if the read returned a shipping address, which is not
	// stored if the person's data was erased.
	HasAddress bool
}

// Batch is the content of one delivery of the queue.
type Batch struct {
	Notifications []Notification
	Woken         []Wake
	Redelivered   bool // at least one message was delivered before
}

// Wake is a wake-up: work was expected to be due at At.
type Wake struct {
	Account AccountID
	At      time.Time // by Postgres's clock, to the microsecond
}

// Followed selects the charge permissions that are kept in step.
type Followed struct {
	Types     []string // types of charge permission, as Amazon writes them
	KnownOnly bool     // notifications of ids that were never announced, imported or updated through us request nothing
}

// DefaultFollowed are the two types that Saved Wallets have.
func DefaultFollowed() Followed {
	return Followed{Types: []string{"PaymentMethodOnFile", "Recurring"}}
}

// Follows reports whether charge permissions of this type are kept in step.
// Those without a type are, so that nothing is missed.
func (f Followed) Follows(chargePermissionType string) bool {
	if chargePermissionType == "" {
		return true
	}
	for _, t := range f.Types {
		if strings.EqualFold(t, chargePermissionType) {
			return true
		}
	}
	return false
}

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}

// Package session is what is kept of a buyer's update: the update session that
// the merchant asked for, its attempts, one for each Checkout Session, and how
// an attempt gets its outcome, with the buyer waiting or long gone. It knows no
// page, so that who needs none links none.
package session

import (
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"walletsync/internal/wallet"
)

// ID names an update session. It is a random UUID.
type ID [16]byte

// String returns the id as UUIDs are written (RFC 9562, section 4).
func (id ID) String() string {
	h := hex.EncodeToString(id[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// NewID makes a UUID of version 4 of 16 random bytes.
func NewID(random [16]byte) ID {
	random[6] = random[6]&0x0f | 0x40
	random[8] = random[8]&0x3f | 0x80
	return ID(random)
}

// ParseID reads what String writes.
func ParseID(s string) (ID, error) {
	var id ID
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || copy(id[:], b) != len(id) || id.String() != strings.ToLower(s) {
		return ID{}, errors.New("not the id of an update session")
	}
	return id, nil
}

// AmazonsDay is how long a Checkout Session may stay open: Amazon cancels one
// that is not completed within 24 hours.
const AmazonsDay = 24 * time.Hour

// Session is one update: what the merchant asked for, and how far it has come.
type Session struct {
	ID               ID
	Account          wallet.AccountID
	ChargePermission wallet.ChargePermissionID
	Update           string // address, payment_method or both
	ProductType      string // PayAndShip or PayOnly
	Locale           string // as the merchant gave it; may be empty
	StartURL         string // of the merchant, may be empty
	ReturnTo         string // of the merchant, may be empty
	Details          Details
	CreatedAt        time.Time // Postgres's clock
	// ExpiresAt is when the last return is taken: the link's end, and Amazon's
	// day after it.
	ExpiresAt time.Time
	State     State
	Closed    bool // the charge permission is, as far as is known
	// Erased: what the button would be signed with is gone. Buyers who are on
	// Amazon's page may still return.
	Erased           bool
	CheckoutSessions int // that came back
	// ReadsRequested counts returns without a Checkout Session that requested a
	// read, up to MaxCheckoutSessions.
	ReadsRequested int
}

// MaxCheckoutSessions is how many Checkout Sessions are taken for one update
// session. A buyer who cancels, or whose card fails, brings a new one with each
// try; the ids are the browser's word, and each costs a row and a call to Amazon
// Pay. It also limits the reads that returns without one request.
const MaxCheckoutSessions = 10

// State is how far a session has come.
type State string

// The states of a session. A completed one stays completed, whatever a second
// tab brings.
const (
	Started   State = "started"
	Returned  State = "returned" // an attempt has no clear outcome yet
	Completed State = "completed"
	Failed    State = "failed"
	Expired   State = "expired" // nobody has returned
)

// Attempt is one Checkout Session of an update session: a second tab or a
// second try makes another.
type Attempt struct {
	Account          wallet.AccountID
	ChargePermission wallet.ChargePermissionID
	Session          ID
	CheckoutSession  string
	ReturnedAt       time.Time // Postgres's clock
	Outcome          Outcome
	// CompletedAt is the moment by which the change was made, by Amazon's clock:
	// the answer's Date and a second. Zero without a usable Date.
	CompletedAt time.Time
	// Overdue: Amazon's day is over, and an hour. What has no outcome by now
	// gets none.
	Overdue bool
	Progress
}

// Outcome is how an attempt ended; empty while that is not known.
type Outcome string

// The outcomes of an attempt.
const (
	OutcomeCompleted Outcome = "completed"
	OutcomeFailed    Outcome = "failed"
)

// Progress is what is remembered of calls without a clear outcome.
type Progress struct {
	Key      int // which idempotency key: a new one after failuresPerKey failures
	Failures int // since that key was taken
}

// Held is a random token: only its holder completes an attempt and stores the
// outcome.
type Held [16]byte

// Settlement is what came of working on an attempt.
type Settlement struct {
	Attempt
	Held   Held
	Reason string // of a failure, for the operator
	// Error and Again: without an outcome, what went wrong and how long the
	// reconciler waits.
	Error     string
	Again     time.Duration
	RequestID string // Amazon's
	// Answered are the calls that Amazon Pay answered: the key is good.
	Answered []wallet.Call
}

// Shown is what the buyer may be told of a completed attempt.
type Shown struct {
	// Any: a change of address or payment method has been stored since.
	Any bool
	// Settled: a read that began after the completion has been stored, and
	// nothing is wanted any more.
	Settled bool
	// New are those changes that no page has shown yet.
	New []wallet.Change
}

// Left is what a read is owed to: a session that nobody has returned from by its
// end, or a completion with no read since.
type Left struct {
	Session          ID
	Account          wallet.AccountID
	ChargePermission wallet.ChargePermissionID
	Expired          bool
	CompletedAt      time.Time // Amazon's clock; zero of an expired one
}

// Permission is what a start needs to know of a charge permission.
type Permission struct {
	Account    wallet.AccountID
	Type       string
	Followed   bool
	Gone       bool // Amazon Pay does not know it any more
	State      string
	HasAddress bool // a shipping address is stored
	Erased     bool // nothing personal is stored, whatever there is
}

// Begun is an attempt with its session.
type Begun struct {
	Found   bool // there is such a session
	Session Session
	Attempt Attempt
	Ours    bool // the attempt is held by us
	Foreign bool // the attempt is one of another update session
	// Deferred: the last try had no clear outcome, and the next one is not due.
	Deferred bool
	// Refused: there is no attempt, because the session has expired or has
	// MaxCheckoutSessions already.
	Refused bool
}

// Details are the parts of Amazon's payload that a merchant's server passes
// through us. Their JSON is Amazon's.
type Details struct {
	DeliverySpecifications *DeliverySpecifications `json:"deliverySpecifications,omitempty"`
	Scopes                 []string                `json:"scopes,omitempty"`
	MerchantMetadata       *MerchantMetadata       `json:"merchantMetadata,omitempty"`
}

// DeliverySpecifications say which addresses the buyer may choose.
type DeliverySpecifications struct {
	SpecialRestrictions []string             `json:"specialRestrictions,omitempty"` // RestrictPOBoxes, RestrictPackstations
	AddressRestrictions *AddressRestrictions `json:"addressRestrictions,omitempty"`
}

// AddressRestrictions allow or forbid places by country.
type AddressRestrictions struct {
	Type         string                 `json:"type"`         // Allowed or NotAllowed
	Restrictions map[string]Restriction `json:"restrictions"` // by ISO 3166-1 alpha-2 code
}

// Restriction is a part of a country; empty: the whole.
type Restriction struct {
	StatesOrRegions []string `json:"statesOrRegions,omitempty"`
	ZipCodes        []string `json:"zipCodes,omitempty"` // may end in * for any ending
}

// MerchantMetadata is what the merchant attaches.
type MerchantMetadata struct {
	MerchantReferenceID string `json:"merchantReferenceId,omitempty"`
	MerchantStoreName   string `json:"merchantStoreName,omitempty"`
	NoteToBuyer         string `json:"noteToBuyer,omitempty"`
	CustomInformation   string `json:"customInformation,omitempty"`
}

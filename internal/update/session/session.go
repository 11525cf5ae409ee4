// Package session holds update sessions and their attempts, one attempt for each
// Checkout Session. It brings an attempt to its outcome, whether the buyer is
// waiting or has left. It has no pages, so that the reconciler does not link them.
package session

import (
	"time"

	"github.com/google/uuid"

	"walletsync/internal/wallet"
)

// ID is the id of an update session, a random UUID (version 4).
type ID = uuid.UUID

// AmazonsDay is how long a Checkout Session may stay open. Amazon cancels it if it is
// not completed within 24 hours.
const AmazonsDay = 24 * time.Hour

// Session is one update: the request of the merchant and its state.
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
	// ExpiresAt is when returns are no longer accepted: AmazonsDay after the
	// link's expiry.
	ExpiresAt time.Time
	State     State
	Closed    bool // the charge permission is closed, as far as known
	// Erased means that the details of the session were erased, so no button can
	// be signed. Buyers who are on Amazon's page may still return.
	Erased           bool
	CheckoutSessions int // the number of those returned
	// ReadsRequested counts returns without a Checkout Session that requested a
	// read, up to MaxCheckoutSessions.
	ReadsRequested int
}

// MaxCheckoutSessions limits the Checkout Sessions of one update session. Each try of
// a buyer has a new one, for example after a cancellation or a declined card. The
// ids come from the browser, and each costs a row and a call to Amazon Pay. The same
// limit applies to the reads that returns without a Checkout Session request.
const MaxCheckoutSessions = 10

// State is the state of a session.
type State string

// The states of a session. A completed session stays completed, even if another tab
// returns later.
const (
	Started   State = "started"
	Returned  State = "returned" // an attempt has no outcome yet
	Completed State = "completed"
	Failed    State = "failed"
	Expired   State = "expired" // no buyer has returned
)

// Attempt is one Checkout Session of an update session. A second tab or a second try
// creates another attempt.
type Attempt struct {
	Account          wallet.AccountID
	ChargePermission wallet.ChargePermissionID
	Session          ID
	CheckoutSession  string
	ReturnedAt       time.Time // Postgres's clock
	Outcome          Outcome
	// CompletedAt is the latest time of the change, by Amazon's clock: the answer's
	// Date plus one second. It is zero if the answer has no usable Date.
	CompletedAt time.Time
	// Overdue is true 25 hours after the return. An attempt without an outcome by
	// then will not get one.
	Overdue bool
	Progress
}

// Outcome is how an attempt ended. It is empty while unknown.
type Outcome string

// The outcomes of an attempt.
const (
	OutcomeCompleted Outcome = "completed"
	OutcomeFailed    Outcome = "failed"
)

// Progress counts the calls that brought no outcome.
type Progress struct {
	Key      int // number of the idempotency key; increased after failuresPerKey failures
	Failures int // with that key
}

// Lease is the random token of a lease. Only its holder may complete the attempt and
// store the outcome.
type Lease = uuid.UUID

// Settlement is the result of work on an attempt.
type Settlement struct {
	Attempt
	Lease  Lease
	Reason string // of a failure, for the logs
	// Error is the last error if there is no outcome. Again is how long the
	// reconciler waits before the next try.
	Error     string
	Again     time.Duration
	RequestID string // of Amazon Pay
	// Answered lists the kinds of calls that Amazon Pay answered, so the key is valid.
	Answered []wallet.Call
}

// Shown is what the buyer may see of a completed attempt.
type Shown struct {
	// Any means that a change of address or payment method has been stored since.
	Any bool
	// Settled means that a read that began after the completion has been stored,
	// and that no refresh is pending.
	Settled bool
	// New lists the changes that no page has shown yet.
	New []wallet.Change
}

// Left is an update that is due for a refresh: a session that expired before any
// buyer returned, or a completion with no read since.
type Left struct {
	Session          ID
	Account          wallet.AccountID
	ChargePermission wallet.ChargePermissionID
	Expired          bool
	CompletedAt      time.Time // Amazon's clock; zero if expired
}

// Permission is the stored charge permission, as far as a start needs it.
type Permission struct {
	Account    wallet.AccountID
	Type       string
	Followed   bool
	Gone       bool // Amazon Pay no longer knows it
	State      string
	HasAddress bool // a shipping address is stored
	Erased     bool // its personal data has been erased
}

// Begun is an attempt with its session.
type Begun struct {
	Found   bool // the session exists
	Session Session
	Attempt Attempt
	Ours    bool // we have the lease of the attempt
	Foreign bool // the attempt belongs to another update session
	// Deferred means that the last try had no outcome and that the next one is not
	// due yet.
	Deferred bool
	// Refused means that there is no attempt, because the session has expired or
	// already has MaxCheckoutSessions.
	Refused bool
}

// Details are the parts of Amazon's payload that come from the merchant's server.
// Their JSON is Amazon's.
type Details struct {
	DeliverySpecifications *DeliverySpecifications `json:"deliverySpecifications,omitempty"`
	Scopes                 []string                `json:"scopes,omitempty"`
	MerchantMetadata       *MerchantMetadata       `json:"merchantMetadata,omitempty"`
}

// DeliverySpecifications restrict the addresses that the buyer may choose.
type DeliverySpecifications struct {
	SpecialRestrictions []string             `json:"specialRestrictions,omitempty"` // RestrictPOBoxes, RestrictPackstations
	AddressRestrictions *AddressRestrictions `json:"addressRestrictions,omitempty"`
}

// AddressRestrictions allow or forbid places by country.
type AddressRestrictions struct {
	Type         string                 `json:"type"`         // Allowed or NotAllowed
	Restrictions map[string]Restriction `json:"restrictions"` // by ISO 3166-1 alpha-2 code
}

// Restriction is a part of a country. If empty, the whole country.
type Restriction struct {
	StatesOrRegions []string `json:"statesOrRegions,omitempty"`
	ZipCodes        []string `json:"zipCodes,omitempty"` // may end in * for any ending
}

// MerchantMetadata are the notes that the merchant attaches.
type MerchantMetadata struct {
	MerchantReferenceID string `json:"merchantReferenceId,omitempty"`
	MerchantStoreName   string `json:"merchantStoreName,omitempty"`
	NoteToBuyer         string `json:"noteToBuyer,omitempty"`
	CustomInformation   string `json:"customInformation,omitempty"`
}

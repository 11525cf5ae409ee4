// Package view holds what the console shows, as plain data: each page's model
// is also its answer in JSON. Fields are named as the columns of the schema
// back_office, and null where those are; what is added keeps its name for good.
// The package knows neither how it is read nor how it looks.
package view

import (
	"encoding/json"
	"time"

	"walletsync/internal/wallet"
)

// Row is a charge permission in a list.
type Row struct {
	Account            string     `json:"account"`
	ChargePermissionID string     `json:"charge_permission_id"`
	Name               *string    `json:"name"` // the buyer's
	PostalCode         *string    `json:"postal_code"`
	City               *string    `json:"city"`
	CountryCode        *string    `json:"country_code"`
	Chargeable         *bool      `json:"chargeable"` // null: never read
	RequiredAction     *string    `json:"required_action"`
	State              *string    `json:"state"`
	PaymentDescriptor  *string    `json:"payment_descriptor"`
	StoredAt           *time.Time `json:"stored_at"`
	PendingSince       *time.Time `json:"pending_since"`
	FailedAttempts     int        `json:"failed_attempts"`
	LastError          *string    `json:"last_error"`
	// At is the time by which the list is ordered.
	At *time.Time `json:"at"`
}

// The kinds of terms that a search knows by their looks.
const (
	ByID         = "charge_permission_id"
	ByName       = "name"
	ByEmail      = "email"
	ByPostalCode = "postal_code"
	ByState      = "state" // no term at all
)

// Personal reports whether a search by this finds, and orders what it finds, by
// personal data. It is not for those who may not see any.
func Personal(by string) bool { return by != ByID && by != ByState }

// Search is what a search found.
type Search struct {
	Query      string `json:"q"`
	State      string `json:"state"`       // that was asked for; empty: any
	SearchedAs string `json:"searched_as"` // what the term was taken for; empty: nothing was searched for
	Rows       []Row  `json:"rows"`
	Next       string `json:"next"` // goes back as the field after; empty: that is all
	// Problem is set where nothing could be searched for: too_short, masked.
	Problem string `json:"problem"`
}

// Filter names a list.
type Filter string

// The lists.
const (
	NotChargeable Filter = "not_chargeable" // the newest change first
	UpdatedToday  Filter = "updated_today"  // the newest change first
	UpdatePending Filter = "update_pending" // updates that buyers have not finished, the newest first
	Waiting       Filter = "waiting"        // to be read, the longest wanted first
	Stale         Filter = "stale"          // not read for long, the longest first
	Failing       Filter = "failing"        // reads that fail, the longest wanted first
)

// Filters are all lists, in the order in which they are offered.
func Filters() []Filter {
	return []Filter{NotChargeable, UpdatedToday, UpdatePending, Waiting, Stale, Failing}
}

// List is one page of a list.
type List struct {
	Filter Filter `json:"filter"`
	Rows   []Row  `json:"rows"`
	Next   string `json:"next"` // goes back as the parameter after; empty: that is all
}

// Address is one of back_office.shipping_addresses or billing_addresses.
type Address struct {
	Name          *string    `json:"name"`
	Line1         *string    `json:"line1"`
	Line2         *string    `json:"line2"`
	Line3         *string    `json:"line3"`
	City          *string    `json:"city"`
	County        *string    `json:"county"`
	District      *string    `json:"district"`
	StateOrRegion *string    `json:"state_or_region"`
	PostalCode    *string    `json:"postal_code"`
	CountryCode   *string    `json:"country_code"`
	Phone         *string    `json:"phone"`
	Since         *time.Time `json:"since"`
	AsOf          *time.Time `json:"as_of"`
}

// Known reports whether there is anything of an address to show.
func (a *Address) Known() bool {
	return a != nil && (a.Name != nil || a.Line1 != nil || a.City != nil || a.PostalCode != nil || a.StateOrRegion != nil || a.CountryCode != nil)
}

// SameAs reports whether two addresses are one, whenever they were stored.
func (a *Address) SameAs(b *Address) bool {
	if a == nil || b == nil {
		return false
	}
	same := func(x, y *string) bool { return x == nil && y == nil || x != nil && y != nil && *x == *y }
	return same(a.Name, b.Name) && same(a.Line1, b.Line1) && same(a.Line2, b.Line2) && same(a.Line3, b.Line3) && same(a.City, b.City) &&
		same(a.County, b.County) && same(a.District, b.District) && same(a.StateOrRegion, b.StateOrRegion) &&
		same(a.PostalCode, b.PostalCode) && same(a.CountryCode, b.CountryCode) && same(a.Phone, b.Phone)
}

// Buyer is one of back_office.buyers.
type Buyer struct {
	BuyerID *string `json:"buyer_id"`
	Name    *string `json:"name"`
	Email   *string `json:"email"`
	Phone   *string `json:"phone"`
}

// PaymentState is one of back_office.payment_states.
type PaymentState struct {
	Chargeable         bool       `json:"chargeable"`
	Reason             *string    `json:"reason"`
	RequiredAction     string     `json:"required_action"` // nothing, update, wait, set_up_again, unknown, or a newer word
	State              *string    `json:"state"`
	ReasonCodes        []string   `json:"reason_codes"`
	Since              *time.Time `json:"since"`
	PaymentDescriptor  *string    `json:"payment_descriptor"`
	PaymentDescriptors []string   `json:"payment_descriptors"`
	LimitAmount        *string    `json:"limit_amount"`    // decimal
	LimitRemaining     *string    `json:"limit_remaining"` // decimal
	LimitCurrency      *string    `json:"limit_currency"`
	ExpiresAt          *time.Time `json:"expires_at"`
	AsOf               *time.Time `json:"as_of"`
}

// Freshness is one of back_office.freshness.
type Freshness struct {
	AsOf            *time.Time `json:"as_of"`
	StoredAt        *time.Time `json:"stored_at"`
	LastCause       *string    `json:"last_cause"`
	AmazonRequestID *string    `json:"amazon_request_id"`
	RefreshPending  bool       `json:"refresh_pending"`
	PendingSince    *time.Time `json:"pending_since"`
	PendingCause    *string    `json:"pending_cause"`
	NextAttemptAt   *time.Time `json:"next_attempt_at"`
	FailedAttempts  int        `json:"failed_attempts"`
	LastError       *string    `json:"last_error"`
	NotFoundSince   *time.Time `json:"not_found_since"`
	LastNotifiedAt  *time.Time `json:"last_notified_at"`
}

// Change is one of back_office.timeline, with what differs.
type Change struct {
	Position        int64           `json:"position"`
	Facet           string          `json:"facet"`
	Before          json.RawMessage `json:"before"`
	After           json.RawMessage `json:"after"`
	Cause           string          `json:"cause"`
	MessageID       *string         `json:"message_id"`
	AmazonRequestID *string         `json:"amazon_request_id"`
	AsOf            *time.Time      `json:"as_of"`
	StoredAt        time.Time       `json:"stored_at"`
	Differences     []Difference    `json:"differences" db:"-"`
}

// Difference is one field that differs; null: there was, or is, nothing.
type Difference struct {
	Facet  string  `json:"facet"` // that of the change; of a first read, the field's own
	Field  string  `json:"field"`
	Before *string `json:"before"`
	After  *string `json:"after"`
}

// Update is one of back_office.updates.
type Update struct {
	UpdateID       string     `json:"update_id"`
	Requested      string     `json:"requested"`
	Open           bool       `json:"open"`
	State          string     `json:"state"`
	FailureReason  *string    `json:"failure_reason"`
	StartedAt      time.Time  `json:"started_at"`
	ExpiresAt      time.Time  `json:"expires_at"`
	ReturnedAt     *time.Time `json:"returned_at"`
	EndedAt        *time.Time `json:"ended_at"`
	Attempts       int        `json:"attempts"`
	ChangeStoredAt *time.Time `json:"change_stored_at"`
}

// Notification is one that came and named the charge permission.
type Notification struct {
	MessageID        string    `json:"message_id"`
	NotificationID   string    `json:"notification_id"`
	ObjectType       string    `json:"object_type"`
	ObjectID         string    `json:"object_id"`
	NotificationType string    `json:"notification_type"`
	PublishedAt      time.Time `json:"published_at"` // Amazon's clock
	ArrivedAt        time.Time `json:"arrived_at"`
	ProcessedAt      time.Time `json:"processed_at"`
	Outcome          string    `json:"outcome"` // what it led to: wanted, covered, confirming, not_followed, unknown, recorded, unmatched
}

// RefundOrChargebackNotification is one of back_office.refund_and_chargeback_notifications.
type RefundOrChargebackNotification struct {
	ObjectType       string    `json:"object_type"`
	ObjectID         string    `json:"object_id"`
	NotificationType string    `json:"notification_type"`
	NotificationID   string    `json:"notification_id"`
	MessageID        string    `json:"message_id"`
	PublishedAt      time.Time `json:"published_at"`
	ArrivedAt        time.Time `json:"arrived_at"`
}

// Record is all of one charge permission. The newest of each list are shown:
// at most as many as a page holds.
type Record struct {
	Account                          string                           `json:"account"`
	ChargePermissionID               string                           `json:"charge_permission_id"`
	Buyer                            *Buyer                           `json:"buyer"`            // null: never read
	ShippingAddress                  *Address                         `json:"shipping_address"` // null: never read
	BillingAddress                   *Address                         `json:"billing_address"`  // null: never read
	PaymentState                     *PaymentState                    `json:"payment_state"`    // null: never read
	Freshness                        Freshness                        `json:"freshness"`
	Timeline                         []Change                         `json:"timeline"`                            // the newest first
	TimelineNext                     int64                            `json:"timeline_next"`                       // goes back as the parameter before; 0: that is all
	Updates                          []Update                         `json:"updates"`                             // the newest first
	Notifications                    []Notification                   `json:"notifications"`                       // the newest first
	RefundAndChargebackNotifications []RefundOrChargebackNotification `json:"refund_and_chargeback_notifications"` // the newest first
}

// Refreshed is what came of "refresh now".
type Refreshed struct {
	// Outcome is read, unchanged, gone, not_followed, or waiting: it could not be
	// read at once, and is read as soon as it can be.
	Outcome string   `json:"outcome"`
	Changed []string `json:"changed"` // facets
}

// Link is an update link for the buyer.
type Link struct {
	Account            string    `json:"account"`
	ChargePermissionID string    `json:"charge_permission_id"`
	UpdateID           string    `json:"update_id"`
	Requested          string    `json:"requested"`
	URL                string    `json:"url"`
	ExpiresAt          time.Time `json:"expires_at"`
}

// Confirm asks for a confirmation of an export or an erasure.
type Confirm struct {
	What               string `json:"what"` // export, erase
	Account            string `json:"account"`
	ChargePermissionID string `json:"charge_permission_id"`
	// Wrong: the charge permission was not confirmed by its id.
	Wrong bool `json:"wrong"`
}

// Erased says that the personal data of a charge permission is gone.
type Erased struct {
	Account            string `json:"account"`
	ChargePermissionID string `json:"charge_permission_id"`
}

// DeadLetter is a message that could not be processed, and waits for somebody.
type DeadLetter struct {
	ID                 string     `json:"id"`     // the queue's
	Reason             string     `json:"reason"` // the worker's word, or received_too_often
	Kind               *string    `json:"kind"`
	Account            *string    `json:"account"`
	ChargePermissionID *string    `json:"charge_permission_id"`
	ObjectType         *string    `json:"object_type"`
	ObjectID           *string    `json:"object_id"`
	NotificationID     *string    `json:"notification_id"`
	MessageID          *string    `json:"message_id"`
	Topic              *string    `json:"topic"`
	PublishedAt        *time.Time `json:"published_at"`
	SentAt             *time.Time `json:"sent_at"` // to the dead-letter queue
	// Body is the message as it came. It may hold anything, so who may not see
	// personal data is not shown it.
	Body *string `json:"body"`
}

// Failures are what failed: messages in the dead-letter queue, and reads.
type Failures struct {
	DeadLetters []DeadLetter `json:"dead_letters"` // some of them, if there are many
	Total       int          `json:"total"`        // of dead letters, as SQS reckons
	Failing     []Row        `json:"failing"`      // the longest wanted first
	MoreFailing bool         `json:"more_failing"`
	// Retried is how many were sent to the queue again by this request.
	Retried *int `json:"retried"`
	// Missing: the dead letter that was to be tried again is not there any more.
	Missing bool `json:"missing"`
}

// Hour is what happened in one hour, over all accounts.
type Hour struct {
	Hour          time.Time `json:"hour"` // its beginning
	Notifications int       `json:"notifications"`
	Changes       int       `json:"changes"`
	LagP50        *float64  `json:"lag_p50"` // seconds from a notification's arrival to the commit of what it changed
	LagP95        *float64  `json:"lag_p95"`
	Failing       int       `json:"failing"`       // most charge permissions at once whose reads failed
	Fetched       *int      `json:"fetched"`       // tokens of the quota that were spent on what waited
	QuotaUsed     *float64  `json:"quota_used"`    // of the share, 0 to 1; of the account that used the most
	OldestWanted  float64   `json:"oldest_wanted"` // seconds; the longest of all
	CountedUntil  time.Time `json:"counted_until"` // our clock
}

// AccountNow is how an account stands at this moment.
type AccountNow struct {
	Account            string     `json:"account"`
	MerchantID         string     `json:"merchant_id"`
	Environment        string     `json:"environment"`
	Tokens             float64    `json:"tokens"` // calls that may be made at once
	Burst              float64    `json:"burst"`
	PerSecond          float64    `json:"per_second"`
	ClosedUntil        *time.Time `json:"closed_until"` // calls rest until then
	ClosedWhy          *string    `json:"closed_why"`
	OldestWantedSince  *time.Time `json:"oldest_wanted_since"` // null: nothing is due
	Failing            int        `json:"failing"`             // 1001: more than a thousand
	LastNotificationAt *time.Time `json:"last_notification_at"`
	// Channel is whether notifications come: alive, doubtful, dead or untested.
	Channel              string     `json:"channel"`
	MissingNotifications int        `json:"missing_notifications"` // that were due since the last one
	MissingSince         *time.Time `json:"missing_since"`
}

// Overview is how all stands.
type Overview struct {
	Span         string       `json:"span"` // 24h or 7d
	From         time.Time    `json:"from"`
	To           time.Time    `json:"to"`
	Hours        []Hour       `json:"hours"` // of which something was counted, in order
	Accounts     []AccountNow `json:"accounts"`
	LastChangeAt *time.Time   `json:"last_change_at"`
	DeadLetters  *int         `json:"dead_letters"` // null: the queue could not be asked
}

// Query is a search for the store.
type Query struct {
	By    string
	Term  string
	State string // Amazon's word; empty: any
	After Cursor
	Most  int
}

// ListQuery is a list for the store.
type ListQuery struct {
	Filter Filter
	Since  time.Time // updated since, or unread since
	After  Cursor
	Most   int
}

// Key is a row as the store finds it, before it is shown.
type Key struct {
	Account            wallet.AccountID
	ChargePermissionID wallet.ChargePermissionID
	At                 *time.Time
	// Place tells apart what the list holds: the charge permission, or the
	// update session.
	Place string
	Part  int // of a search by name: 1 begins with it, 2 its last word does
}

// Access is something that somebody did, for the access log. Without charge
// permissions it concerns no one record.
type Access struct {
	What              string // opened, refreshed, linked, exported, erased; searched, listed, retried
	Account           wallet.AccountID
	ChargePermissions []wallet.ChargePermissionID // of the account
	// Detail says what was searched by, which list it was, or which message was
	// tried again; never a term.
	Detail string
}

// Refused means that a charge permission cannot be updated, and why: a word that
// the pages know.
type Refused struct {
	Code string // closed, not_followed, not_updatable, unknown_charge_permission
}

func (e Refused) Error() string { return "no update can be started: " + e.Code }

// Accessed is a line of the access log.
type Accessed struct {
	At      time.Time `json:"at"`
	Subject string    `json:"subject"` // the issuer's name of them, the same for good
	Name    string    `json:"name"`    // how the issuer called them then; empty: not at all
	Role    string    `json:"role"`    // masked, read, act
	What    string    `json:"what"`    // opened, refreshed, linked, exported, erased
}

// Accesses tell who opened a record.
type Accesses struct {
	Account            string     `json:"account"`
	ChargePermissionID string     `json:"charge_permission_id"`
	Accesses           []Accessed `json:"accesses"` // the newest first
}

// Package view holds what the console shows, and to whom, as plain data: each
// page's model is also its answer in JSON. Members are named as the columns of the
// schema back_office, and null where those are; they are never renamed.
//
// It is a package of its own because the settings, the store and the dead-letter
// queue use these types in binaries that must not link html/template.
package view

import (
	"encoding/json"
	"reflect"
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

// The kinds of search terms.
const (
	ByID         = "charge_permission_id"
	ByName       = "name"
	ByEmail      = "email"
	ByPostalCode = "postal_code"
	ByState      = "state" // no term at all
)

// Personal reports whether a search goes by personal data. Users who may not see
// any may not search so, since the order of the rows would reveal it.
func Personal(by string) bool { return by != ByID && by != ByState }

// Search is the answer to a search.
type Search struct {
	Query      string `json:"q"`
	State      string `json:"state"`       // empty: any
	SearchedAs string `json:"searched_as"` // the kind of the term; empty: nothing was searched
	Rows       []Row  `json:"rows"`
	Next       string `json:"next"` // the field after of the next page; empty: there is none
	// Problem is why nothing could be searched: too_short, masked; empty: none.
	Problem string `json:"problem"`
}

// Filter names a list.
type Filter string

// The lists.
const (
	NotChargeable Filter = "not_chargeable" // the newest change first
	UpdatedToday  Filter = "updated_today"  // the newest change first
	UpdatePending Filter = "update_pending" // updates that buyers have not finished, the newest first
	Waiting       Filter = "waiting"        // to be read, the longest wait first
	Stale         Filter = "stale"          // not read for long, the longest first
	Failing       Filter = "failing"        // failing reads, the longest wait first
)

// Filters returns the lists in the order in which pages show them.
func Filters() []Filter {
	return []Filter{NotChargeable, UpdatedToday, UpdatePending, Waiting, Stale, Failing}
}

// List is one page of a list.
type List struct {
	Filter Filter `json:"filter"`
	Rows   []Row  `json:"rows"`
	Next   string `json:"next"` // the parameter after of the next page; empty: there is none
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

// Known reports whether there is anything to show of an address.
func (a *Address) Known() bool {
	return a != nil && (a.Name != nil || a.Line1 != nil || a.City != nil || a.PostalCode != nil || a.StateOrRegion != nil || a.CountryCode != nil)
}

// SameAs reports whether two addresses are equal, whenever they were stored.
func (a *Address) SameAs(b *Address) bool {
	if a == nil || b == nil {
		return false
	}
	x, y := *a, *b
	x.Since, x.AsOf, y.Since, y.AsOf = nil, nil, nil, nil
	return reflect.DeepEqual(x, y)
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

// Difference is a field that differs; null stands for no value.
type Difference struct {
	Facet  string  `json:"facet"` // of the change; in a first read, of the field
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

// Notification is a notification that named the charge permission.
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

// Record is everything about a charge permission. Its lists have at most a page.
type Record struct {
	Account                          string                           `json:"account"`
	ChargePermissionID               string                           `json:"charge_permission_id"`
	Buyer                            *Buyer                           `json:"buyer"`            // null: never read
	ShippingAddress                  *Address                         `json:"shipping_address"` // null: never read
	BillingAddress                   *Address                         `json:"billing_address"`  // null: never read
	PaymentState                     *PaymentState                    `json:"payment_state"`    // null: never read
	Freshness                        Freshness                        `json:"freshness"`
	Timeline                         []Change                         `json:"timeline"`                            // the newest first
	TimelineNext                     int64                            `json:"timeline_next"`                       // the parameter before of the next page; 0: there is none
	Updates                          []Update                         `json:"updates"`                             // the newest first
	Notifications                    []Notification                   `json:"notifications"`                       // the newest first
	RefundAndChargebackNotifications []RefundOrChargebackNotification `json:"refund_and_chargeback_notifications"` // the newest first
}

// Refreshed is the outcome of a refresh.
type Refreshed struct {
	// Outcome is read, unchanged, gone, not_followed, or waiting: it could not be
	// read at once and will be as soon as possible.
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
	// Wrong means that the confirmation was not the charge permission's id.
	Wrong bool `json:"wrong"`
}

// Erased means that the personal data of a charge permission is erased.
type Erased struct {
	Account            string `json:"account"`
	ChargePermissionID string `json:"charge_permission_id"`
}

// DeadLetter is a message of the dead-letter queue.
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
	// Body is the message as it came. It may contain anything, so users who may not
	// see personal data do not get it.
	Body *string `json:"body"`
}

// Failures are dead-letter messages and failing reads.
type Failures struct {
	DeadLetters []DeadLetter `json:"dead_letters"` // not all, if there are many
	Total       int          `json:"total"`        // of dead-letter messages, approximately
	Failing     []Row        `json:"failing"`      // the longest wait first
	MoreFailing bool         `json:"more_failing"`
	// Retried is how many messages this request sent to the queue.
	Retried *int `json:"retried"`
	// Missing means that the message to retry was gone.
	Missing bool `json:"missing"`
}

// Hour is what happened in one hour, over all accounts.
type Hour struct {
	Hour          time.Time `json:"hour"` // its beginning
	Notifications int       `json:"notifications"`
	Changes       int       `json:"changes"`
	LagP50        *float64  `json:"lag_p50"` // seconds from a notification's arrival to the commit of what it changed
	LagP95        *float64  `json:"lag_p95"`
	Failing       int       `json:"failing"`       // highest number of charge permissions with failing reads
	Fetched       *int      `json:"fetched"`       // tokens of the quota that pending reads used
	QuotaUsed     *float64  `json:"quota_used"`    // fraction of the share, of the account that used the most
	OldestWanted  float64   `json:"oldest_wanted"` // seconds
	CountedUntil  time.Time `json:"counted_until"` // our clock
}

// AccountNow is the current state of an account.
type AccountNow struct {
	Account            string     `json:"account"`
	MerchantID         string     `json:"merchant_id"`
	Environment        string     `json:"environment"`
	Tokens             float64    `json:"tokens"` // calls that may be made at once
	Burst              float64    `json:"burst"`
	PerSecond          float64    `json:"per_second"`
	ClosedUntil        *time.Time `json:"closed_until"` // calls are paused until then
	ClosedWhy          *string    `json:"closed_why"`
	OldestWantedSince  *time.Time `json:"oldest_wanted_since"` // null: nothing is due
	Failing            int        `json:"failing"`             // 1001: more than a thousand
	LastNotificationAt *time.Time `json:"last_notification_at"`
	// Channel is the health of notifications: alive, doubtful, dead or untested.
	Channel              string     `json:"channel"`
	MissingNotifications int        `json:"missing_notifications"` // since the last one
	MissingSince         *time.Time `json:"missing_since"`
}

// Overview is the state of all accounts.
type Overview struct {
	Span         string       `json:"span"` // 24h or 7d
	From         time.Time    `json:"from"`
	To           time.Time    `json:"to"`
	Hours        []Hour       `json:"hours"` // those in which something was counted, in order
	Accounts     []AccountNow `json:"accounts"`
	LastChangeAt *time.Time   `json:"last_change_at"`
	DeadLetters  *int         `json:"dead_letters"` // null: the queue is unreachable
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

// Key is the key of a row in a list.
type Key struct {
	Account            wallet.AccountID
	ChargePermissionID wallet.ChargePermissionID
	At                 *time.Time
	// Place is the charge permission or update session that the row is about.
	Place string
	Part  int // of a search by name: 1 begins with it, 2 its last word does
}

// Access is an action for the access log. Actions without charge permissions do not
// concern a single record.
type Access struct {
	What              string // opened, refreshed, linked, exported, erased; searched, listed, retried
	Account           wallet.AccountID
	ChargePermissions []wallet.ChargePermissionID // of the account
	// Detail is what was searched by, the list, or the message that was retried. It
	// is never a search term.
	Detail string
}

// Accessed is a line of the access log.
type Accessed struct {
	At      time.Time `json:"at"`
	Subject string    `json:"subject"` // the issuer's identifier of the user, which never changes
	Name    string    `json:"name"`    // the user's name then; empty: the issuer gave none
	Role    string    `json:"role"`    // masked, read, act
	What    string    `json:"what"`    // opened, refreshed, linked, exported, erased
}

// Accesses lists who opened a record.
type Accesses struct {
	Account            string     `json:"account"`
	ChargePermissionID string     `json:"charge_permission_id"`
	Accesses           []Accessed `json:"accesses"` // the newest first
}

package wallet

import (
	"encoding/json"
	"time"
)

// ChargePermission is a charge permission with Amazon's fields under our names. A
// field is empty if Amazon sent null or nothing.
//
// The JSON names are those of the columns of walletsync.charge_permissions; empty
// fields are left out.
type ChargePermission struct {
	ID                 ChargePermissionID `json:"id"`
	Type               string             `json:"type,omitempty"`
	ReleaseEnvironment string             `json:"release_environment,omitempty"`
	State
	Buyer
	PaymentDescriptors []string `json:"payment_descriptors,omitempty"`
	Shipping           Address  `json:"shipping"`
	Billing            Address  `json:"billing"`
	Limits
	CreatedAt time.Time `json:"created_at,omitzero"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// State is whether the merchant can charge.
type State struct {
	State          string    `json:"state,omitempty"` // Chargeable, NonChargeable or Closed
	Reasons        []Reason  `json:"reasons,omitempty"`
	StateUpdatedAt time.Time `json:"state_updated_at,omitzero"`
}

// Reason is why a charge permission is not chargeable, or closed.
type Reason struct {
	Code        string `json:"code"`
	Description string `json:"description,omitempty"`
}

// The states of a charge permission.
const (
	Chargeable    = "Chargeable"
	NonChargeable = "NonChargeable"
	Closed        = "Closed" // for good
)

// Buyer is the person behind the wallet.
type Buyer struct {
	BuyerID    string `json:"buyer_id,omitempty"`
	BuyerName  string `json:"buyer_name,omitempty"`
	BuyerEmail string `json:"buyer_email,omitempty"`
	BuyerPhone string `json:"buyer_phone,omitempty"`
}

// Address is a postal address as Amazon gives it.
type Address struct {
	Name          string `json:"name,omitempty"`
	Line1         string `json:"line1,omitempty"`
	Line2         string `json:"line2,omitempty"`
	Line3         string `json:"line3,omitempty"`
	City          string `json:"city,omitempty"`
	County        string `json:"county,omitempty"`
	District      string `json:"district,omitempty"`
	StateOrRegion string `json:"state_or_region,omitempty"`
	PostalCode    string `json:"postal_code,omitempty"`
	CountryCode   string `json:"country_code,omitempty"`
	Phone         string `json:"phone,omitempty"`
}

// Limits are how much may be charged within a calendar month. Amounts are
// decimal strings, as Amazon writes them.
type Limits struct {
	LimitAmount   string `json:"limit_amount,omitempty"`
	BalanceAmount string `json:"balance_amount,omitempty"` // what is left of it
	LimitCurrency string `json:"limit_currency,omitempty"`
}

// Facet is a part of a charge permission whose changes are recorded as a whole.
type Facet string

// The facets, each the subject of its own change rows.
const (
	FacetShippingAddress Facet = "shipping_address"
	FacetPaymentMethod   Facet = "payment_method"
	FacetState           Facet = "state"
	FacetBuyer           Facet = "buyer"
	FacetBillingAddress  Facet = "billing_address"
	FacetLimit           Facet = "limit"
	FacetExpiry          Facet = "expiry"

	// FacetFirstRead is the first read of a charge permission: one row for all
	// facets.
	FacetFirstRead Facet = "first_read"
	// FacetErased is an erasure of personal data.
	FacetErased Facet = "erased"
)

// Change is one facet that differs; Before and After are JSON, or null if the
// facet was or is empty.
type Change struct {
	Facet  Facet           `json:"facet"`
	Before json.RawMessage `json:"before"`
	After  json.RawMessage `json:"after"`
}

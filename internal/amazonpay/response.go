package amazonpay

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Response tells of the HTTP response that something came in.
type Response struct {
	StatusCode int

	// RequestID is Amazon's name for the request, for its support; empty if
	// the response has none.
	RequestID string

	// Date is when Amazon wrote the response, by its own clock and in whole
	// seconds; zero if it did not say in a form that can be read.
	Date time.Time

	// Duration is that of the attempt, from the connection being ready to the
	// response's headers having been read. What the response says was read by
	// Amazon at Date less Duration or later.
	Duration time.Duration
}

// ChargePermission is the right to charge a buyer, with what Amazon shares of
// the buyer and the wallet (Amazon Pay API, "Charge Permission object").
type ChargePermission struct {
	ID                          string                      `json:"chargePermissionId"`
	Type                        string                      `json:"chargePermissionType"` // OneTime, Recurring or PaymentMethodOnFile
	ReferenceID                 string                      `json:"chargePermissionReferenceId"`
	PlatformID                  string                      `json:"platformId"`
	Buyer                       Buyer                       `json:"buyer"`
	ReleaseEnvironment          string                      `json:"releaseEnvironment"` // Live or Sandbox
	ShippingAddress             Address                     `json:"shippingAddress"`
	BillingAddress              Address                     `json:"billingAddress"`
	PaymentPreferences          []PaymentPreference         `json:"paymentPreferences"`
	StatusDetails               ChargePermissionStatus      `json:"statusDetails"`
	CreationTimestamp           Time                        `json:"creationTimestamp"`
	ExpirationTimestamp         Time                        `json:"expirationTimestamp"`
	MerchantMetadata            MerchantMetadata            `json:"merchantMetadata"`
	PaymentMethodOnFileMetadata PaymentMethodOnFileMetadata `json:"paymentMethodOnFileMetadata"`
	Limits                      Limits                      `json:"limits"`
	PresentmentCurrency         string                      `json:"presentmentCurrency"`

	// Raw is the response's body as Amazon sent it, with the fields that are
	// not above.
	Raw      json.RawMessage `json:"-"`
	Response Response        `json:"-"`
}

// Buyer is the person. Amazon no longer tells 30 days after the charge
// permission has closed.
type Buyer struct {
	BuyerID              string   `json:"buyerId"`
	Name                 string   `json:"name"`
	Email                string   `json:"email"`
	PhoneNumber          string   `json:"phoneNumber"`
	PrimeMembershipTypes []string `json:"primeMembershipTypes"`
}

// Address is a postal address. The zero value is none.
type Address struct {
	Name          string `json:"name"`
	AddressLine1  string `json:"addressLine1"`
	AddressLine2  string `json:"addressLine2"`
	AddressLine3  string `json:"addressLine3"`
	City          string `json:"city"`
	County        string `json:"county"`
	District      string `json:"district"`
	StateOrRegion string `json:"stateOrRegion"`
	PostalCode    string `json:"postalCode"`
	CountryCode   string `json:"countryCode"` // ISO 3166-1 alpha-2
	PhoneNumber   string `json:"phoneNumber"`
}

// PaymentPreference is a payment method of the wallet.
type PaymentPreference struct {
	// PaymentDescriptor is fit to be shown to the buyer, such as
	// "Visa ****1111 (Amazon Pay)"; often empty.
	PaymentDescriptor string `json:"paymentDescriptor"`
}

// ChargePermissionStatus says whether charges are possible.
type ChargePermissionStatus struct {
	State                string   `json:"state"` // Chargeable, NonChargeable or Closed
	Reasons              []Reason `json:"reasons"`
	LastUpdatedTimestamp Time     `json:"lastUpdatedTimestamp"`
}

// Reason is why a charge permission is in its state.
type Reason struct {
	Code        string `json:"reasonCode"`
	Description string `json:"reasonDescription"`
}

// MerchantMetadata is what the merchant attached.
type MerchantMetadata struct {
	MerchantReferenceID string `json:"merchantReferenceId"`
	MerchantStoreName   string `json:"merchantStoreName"`
	NoteToBuyer         string `json:"noteToBuyer"`
	CustomInformation   string `json:"customInformation"`
}

// PaymentMethodOnFileMetadata belongs to a PaymentMethodOnFile charge
// permission.
type PaymentMethodOnFileMetadata struct {
	SetupOnly bool `json:"setupOnly"`
}

// Limits are what can be charged within a calendar month.
type Limits struct {
	AmountLimit   Price `json:"amountLimit"`
	AmountBalance Price `json:"amountBalance"` // what is left of it
}

// Price is an amount of money: a decimal string and an ISO 4217 code.
type Price struct {
	Amount       string `json:"amount"`
	CurrencyCode string `json:"currencyCode"`
}

// CheckoutSession is one visit of a buyer to Amazon's pages (Amazon Pay API,
// "Checkout Session object"). Most of its fields are null once it is completed.
type CheckoutSession struct {
	ID                   string                `json:"checkoutSessionId"`
	ChargePermissionType string                `json:"chargePermissionType"`
	StatusDetails        CheckoutSessionStatus `json:"statusDetails"`
	ChargePermissionID   string                `json:"chargePermissionId"`
	ChargeID             string                `json:"chargeId"`
	CreationTimestamp    Time                  `json:"creationTimestamp"`
	ExpirationTimestamp  Time                  `json:"expirationTimestamp"`
	ReleaseEnvironment   string                `json:"releaseEnvironment"`
	ProductType          string                `json:"productType"` // PayAndShip or PayOnly
	StoreID              string                `json:"storeId"`
	Buyer                Buyer                 `json:"buyer"`
	ShippingAddress      Address               `json:"shippingAddress"`
	BillingAddress       Address               `json:"billingAddress"`
	PaymentPreferences   []PaymentPreference   `json:"paymentPreferences"`
	Constraints          []Constraint          `json:"constraints"`
	MerchantMetadata     MerchantMetadata      `json:"merchantMetadata"`

	// Raw is the response's body as Amazon sent it, with the fields that are
	// not above.
	Raw      json.RawMessage `json:"-"`
	Response Response        `json:"-"`
}

// CheckoutSessionStatus says how far a Checkout Session has come.
type CheckoutSessionStatus struct {
	State                string `json:"state"`      // Open, Completed or Canceled
	ReasonCode           string `json:"reasonCode"` // of a cancelled one: BuyerCanceled, Declined, Expired, AmazonCanceled
	ReasonDescription    string `json:"reasonDescription"`
	LastUpdatedTimestamp Time   `json:"lastUpdatedTimestamp"`
}

// Constraint is what an open Checkout Session still lacks.
type Constraint struct {
	ID          string `json:"constraintId"`
	Description string `json:"description"`
}

// Time is a time as Amazon Pay writes it, 20191015T204313Z. The zero Time is
// null, or what cannot be read as one: Raw has the text.
type Time struct{ time.Time }

// UnmarshalJSON reads Amazon's form, and RFC 3339 too.
func (t *Time) UnmarshalJSON(b []byte) error {
	t.Time = time.Time{}
	var s string
	if json.Unmarshal(b, &s) != nil {
		return nil
	}
	for _, layout := range []string{dateFormat, time.RFC3339} {
		if parsed, err := time.Parse(layout, s); err == nil {
			t.Time = parsed.UTC()
			break
		}
	}
	return nil
}

// A response without the id that was asked for says nothing of the object,
// however well-formed: {} must not empty what is known of it.
var errOtherID = errors.New("the response is not about the object asked for")

func decodeChargePermission(body []byte, id string, r Response) (*ChargePermission, error) {
	p := &ChargePermission{Raw: body, Response: r}
	if err := decode(body, p); err != nil {
		return nil, err
	}
	if !strings.EqualFold(p.ID, id) {
		return nil, errOtherID
	}
	return p, nil
}

func decodeCheckoutSession(body []byte, id string, r Response) (*CheckoutSession, error) {
	s := &CheckoutSession{Raw: body, Response: r}
	if err := decode(body, s); err != nil {
		return nil, err
	}
	if !strings.EqualFold(s.ID, id) {
		return nil, errOtherID
	}
	return s, nil
}

// decode reads a JSON object. Its errors hold nothing of the values, as those
// of encoding/json may.
func decode(body []byte, into any) error {
	if len(body) == 0 {
		return errors.New("the response is empty")
	}
	err := json.Unmarshal(body, into)
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("the response's field %q is not of the documented type", e.Field)
	}
	if err != nil {
		return errors.New("the response is not JSON")
	}
	return nil
}

// decodeError reads the body of a refusal, as far as it can be read.
func decodeError(body []byte) (code, message string) {
	var e struct {
		ReasonCode any `json:"reasonCode"`
		Message    any `json:"message"`
	}
	if json.Unmarshal(body, &e) != nil {
		return "", ""
	}
	if s, ok := e.ReasonCode.(string); ok && plain(s, 64, "_.-") {
		code = s
	}
	if s, ok := e.Message.(string); ok {
		message = printable(s, 300)
	}
	return code, message
}

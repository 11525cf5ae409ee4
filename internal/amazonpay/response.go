package amazonpay

import (
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// Response describes the HTTP response in which an object arrived.
type Response struct {
	StatusCode int

	// RequestID is Amazon's name for the request, for its support; empty if
	// the response has none.
	RequestID string

	// Date is when Amazon wrote the response, by its own clock and in whole
	// seconds; zero if it did not say in a form that can be read.
	Date time.Time

	// Duration is that of the call, from the connection being ready to the
	// response's headers having been read. What the response says was read by
	// Amazon at Date less Duration or later.
	Duration time.Duration
}

// ChargePermission is the right to charge a buyer, with what walletsync stores of
// it (Amazon Pay API, "Charge Permission object"). Everything else that Amazon
// sent is in Raw and not decoded.
type ChargePermission struct {
	ID                  string
	Type                string // OneTime, Recurring or PaymentMethodOnFile
	Buyer               Buyer
	ReleaseEnvironment  string // Live or Sandbox
	ShippingAddress     Address
	BillingAddress      Address
	PaymentPreferences  []PaymentPreference
	StatusDetails       ChargePermissionStatus
	CreationTimestamp   Time
	ExpirationTimestamp Time
	Limits              Limits

	// Unreadable names the members, such as limits.amountLimit.amount, that
	// Amazon sent in a form that is not known. Their fields above are empty,
	// which must not be taken for null.
	Unreadable []string

	// Raw is the response's body as Amazon sent it.
	Raw      json.RawMessage
	Response Response
}

// Buyer is the person. Amazon stops sending the details 30 days after the charge
// permission has closed, and of OneTime 30 days after its creation.
type Buyer struct {
	BuyerID     string
	Name        string
	Email       string
	PhoneNumber string
}

// Address is a postal address. The zero value is none.
type Address struct {
	Name          string
	AddressLine1  string
	AddressLine2  string
	AddressLine3  string
	City          string
	County        string
	District      string
	StateOrRegion string
	PostalCode    string
	CountryCode   string // ISO 3166-1 alpha-2
	PhoneNumber   string
}

// PaymentPreference is a payment method of the wallet.
type PaymentPreference struct {
	// PaymentDescriptor is fit to be shown to the buyer, such as
	// "Visa ****1111 (Amazon Pay)"; often empty.
	PaymentDescriptor string
}

// ChargePermissionStatus says whether charges are possible.
type ChargePermissionStatus struct {
	State                string // Chargeable, NonChargeable or Closed
	Reasons              []Reason
	LastUpdatedTimestamp Time
}

// Reason is why a charge permission is in its state.
type Reason struct {
	Code        string
	Description string
}

// Limits are what can be charged within a calendar month.
type Limits struct {
	AmountLimit   Price
	AmountBalance Price // what is left of it
}

// Price is an amount of money: a decimal string and an ISO 4217 code.
type Price struct {
	Amount       string
	CurrencyCode string
}

// UnmarshalJSON reads a charge permission member by member, so that one of
// another form than documented does not spoil the rest. It fails only if b is
// not a JSON object.
func (p *ChargePermission) UnmarshalJSON(b []byte) error {
	o, err := newObject(b, &p.Unreadable)
	if err != nil {
		return err
	}
	status, limits := o.object("statusDetails"), o.object("limits")
	buyer := o.object("buyer")
	p.ID = o.text("chargePermissionId")
	p.Type = o.text("chargePermissionType")
	p.Buyer = Buyer{
		BuyerID: buyer.text("buyerId"), Name: buyer.text("name"), Email: buyer.text("email"), PhoneNumber: buyer.text("phoneNumber"),
	}
	p.ReleaseEnvironment = o.text("releaseEnvironment")
	p.ShippingAddress, p.BillingAddress = o.address("shippingAddress"), o.address("billingAddress")
	p.PaymentPreferences = o.paymentPreferences("paymentPreferences")
	p.StatusDetails = ChargePermissionStatus{
		State: status.text("state"), Reasons: status.reasons("reasons"), LastUpdatedTimestamp: status.time("lastUpdatedTimestamp"),
	}
	p.CreationTimestamp, p.ExpirationTimestamp = o.time("creationTimestamp"), o.time("expirationTimestamp")
	limit, balance := limits.object("amountLimit"), limits.object("amountBalance")
	p.Limits = Limits{
		AmountLimit:   Price{limit.amount("amount"), limit.text("currencyCode")},
		AmountBalance: Price{balance.amount("amount"), balance.text("currencyCode")},
	}
	return nil
}

// CheckoutSession is one visit of a buyer to Amazon's pages, with what an update
// needs of it (Amazon Pay API, "Checkout Session object").
type CheckoutSession struct {
	ID                 string
	StatusDetails      CheckoutSessionStatus
	ChargePermissionID string

	// Unreadable is that of a ChargePermission.
	Unreadable []string

	// Raw is the response's body as Amazon sent it.
	Raw      json.RawMessage
	Response Response
}

// CheckoutSessionStatus says how far a Checkout Session has come.
type CheckoutSessionStatus struct {
	State      string // Open, Completed or Canceled
	ReasonCode string // of a cancelled one: BuyerCanceled, Declined, Expired, AmazonCanceled
}

// UnmarshalJSON reads a Checkout Session as ChargePermission.UnmarshalJSON reads
// a charge permission.
func (s *CheckoutSession) UnmarshalJSON(b []byte) error {
	o, err := newObject(b, &s.Unreadable)
	if err != nil {
		return err
	}
	status := o.object("statusDetails")
	s.ID = o.text("checkoutSessionId")
	s.StatusDetails = CheckoutSessionStatus{State: status.text("state"), ReasonCode: status.text("reasonCode")}
	s.ChargePermissionID = o.text("chargePermissionId")
	return nil
}

// Time is a time as Amazon Pay writes it, 20191015T204313Z. The zero Time is
// null, or unreadable.
type Time struct{ time.Time }

// A response without the requested id is not about the object, however
// well-formed: {} must not empty what is stored.
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
func decode(body []byte, into json.Unmarshaler) error {
	if len(body) == 0 {
		return errors.New("the response is empty")
	}
	return into.UnmarshalJSON(body)
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

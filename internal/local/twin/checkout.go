package twin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// Times in the life of a checkout session ("Checkout Session" in the API
// reference).
const (
	sessionOpen    = 24 * time.Hour      // then Amazon cancels it
	sessionDeleted = 30 * 24 * time.Hour // after it was made
)

const (
	open      = "Open"
	completed = "Completed"
	canceled  = "Canceled"
)

// Reasons of a canceled session.
const (
	buyerCanceled = "BuyerCanceled"
	declined      = "Declined"
	expired       = "Expired"
)

// session is a checkout session of an update.
type session struct {
	id         string
	account    *account
	payload    payload
	product    string // PayAndShip or PayOnly
	origin     string // of the page with the button
	addresses  []address
	cards      []card
	made       time.Time
	updated    time.Time
	state      string
	reason     string
	confirmed  bool // by its buyer, on the hosted page
	address    *address
	descriptor text
}

// card is a payment method that the hosted page offers.
type card struct {
	Descriptor text
	Ends       string // the reason that the session is canceled for when it is chosen; empty: it works
	Invalid    bool   // it is why the charge permission is NonChargeable
}

// sandboxCards are Amazon's for tests: each ends as its reason says ("Sandbox
// simulations").
func sandboxCards() []card {
	return []card{
		{Descriptor: "Visa ****3434 (Amazon Pay)", Ends: declined},
		{Descriptor: "Visa ****3064 (Amazon Pay)", Ends: buyerCanceled},
	}
}

// healedByBuyer are the reasons of a NonChargeable charge permission that an
// update puts right; of the first ones the payment method itself is the cause.
func healedByBuyer() []text {
	return append(badMethod(), "BillingAddressDeleted", "PaymentMethodNotSet", "MFAFailed")
}

func badMethod() []text {
	return []text{"PaymentMethodInvalid", "PaymentMethodDeleted", "PaymentMethodExpired", "PaymentMethodNotAllowed"}
}

// permissionOf returns an account's charge permission as it is now.
func (t *Twin) permissionOf(owner *account, id string) (permission, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lockedPermissionOf(owner, id)
}

// lockedPermissionOf is permissionOf for a caller that holds the lock.
func (t *Twin) lockedPermissionOf(owner *account, id string) (permission, error) {
	p := t.permissions[id]
	if p == nil || p.account != owner {
		return permission{}, ErrUnknown
	}
	var is permission
	if err := json.Unmarshal(p.latest(), &is); err != nil {
		return permission{}, fmt.Errorf("charge permission %s: decode: %w", id, err)
	}
	return is, nil
}

// initiate checks a button and makes its checkout session.
func (t *Twin) initiate(b Button) (*session, error) {
	owner, p, refused := t.checkButton(b)
	if refused != nil {
		t.count(func(s *Stats) { s.Refused++ })
		t.log.Warn().Str("merchant", clip(b.MerchantID, 40)).Int("problems", len(refused.Problems)).Str("reason", refused.Problems[0].ReasonCode).Msg("button refused")
		return nil, refused
	}
	if b.ProductType == "" {
		b.ProductType = payAndShip
	}
	s := &session{id: t.uuid(), account: owner, payload: p, product: b.ProductType, origin: b.Origin, state: open, made: t.now(), updated: t.now()}
	t.mu.Lock()
	defer t.mu.Unlock()
	is, err := t.lockedPermissionOf(owner, p.ChargePermissionID)
	if err != nil {
		return nil, err
	}
	s.offer(is, t.permissions[p.ChargePermissionID].preset)
	t.sessions[s.id] = s
	return s, nil
}

// offer fills in what the buyer can choose from: first what the charge
// permission has, then the buyer's others, an address that restrictions are
// made for, and the cards that fail.
func (s *session) offer(is permission, others *preset) {
	if is.ShippingAddress != nil {
		s.addresses = append(s.addresses, *is.ShippingAddress)
	}
	for _, a := range append(slices.Clone(others.Addresses), collectionPoint(others.Addresses[0])) {
		if !slices.Contains(s.addresses, a) {
			s.addresses = append(s.addresses, a)
		}
	}
	bad := slices.ContainsFunc(is.StatusDetails.Reasons, func(r reason) bool { return slices.Contains(badMethod(), r.ReasonCode) })
	if len(is.PaymentPreferences) > 0 && is.PaymentPreferences[0].PaymentDescriptor != "" {
		s.cards = append(s.cards, card{Descriptor: is.PaymentPreferences[0].PaymentDescriptor, Invalid: bad})
	}
	for _, d := range others.Cards {
		if !slices.ContainsFunc(s.cards, func(c card) bool { return c.Descriptor == text(d) }) {
			s.cards = append(s.cards, card{Descriptor: text(d)})
		}
	}
	s.cards = append(s.cards, sandboxCards()...)
}

// collectionPoint is a Packstation where there are such, a P.O. box elsewhere,
// in the city of a.
func collectionPoint(a address) address {
	line := text("PO Box 100")
	if a.CountryCode == "DE" || a.CountryCode == "AT" {
		line = "Packstation 101"
	}
	return address{Name: a.Name, AddressLine1: line, City: a.City, StateOrRegion: a.StateOrRegion, PostalCode: a.PostalCode, CountryCode: a.CountryCode}
}

// session returns a session as it is now; nil if there is none, or no longer.
// The caller holds the lock.
func (t *Twin) session(id string) *session {
	s, now := t.sessions[id], t.now()
	switch {
	case s == nil:
		return nil
	case now.Sub(s.made) >= sessionDeleted:
		delete(t.sessions, id)
		return nil
	case s.state == open && now.Sub(s.made) >= sessionOpen:
		s.cancel(expired, s.made.Add(sessionOpen))
	}
	return s
}

func (s *session) cancel(reason string, at time.Time) {
	s.state, s.reason, s.updated = canceled, reason, at
}

// Choice is what a buyer does on the hosted page.
type Choice struct {
	Cancel  bool `json:"cancel,omitempty"`
	Address *int `json:"address,omitempty"` // which of those offered, from 0; nil: the first
	Card    *int `json:"card,omitempty"`    // the same
	// CardEnding chooses the card by its last four digits instead.
	CardEnding string `json:"cardEnding,omitempty"`
}

// choose does on the hosted page what the buyer wants, and returns where the
// buyer is sent.
func (t *Twin) choose(id string, c Choice) (returnURL string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.session(id)
	if s == nil {
		return "", fmt.Errorf("checkout session %s: %w", clip(id, 40), ErrUnknown)
	}
	if returnURL, err = s.choose(c, t.now()); err == nil {
		t.log.Info().Str("session", id).Str("state", s.state).Str("reason", s.reason).Msg("buyer chose")
	}
	return returnURL, err
}

func (s *session) choose(c Choice, now time.Time) (string, error) {
	if s.state != open || s.confirmed {
		return "", fmt.Errorf("checkout session %s: its buyer has chosen already, or waited too long: %w", s.id, ErrOver)
	}
	back := string(s.payload.WebCheckoutDetails.CheckoutResultReturnURL)
	if c.Cancel {
		s.cancel(buyerCanceled, now)
		if to := s.payload.WebCheckoutDetails.CheckoutCancelURL; to != "" {
			return string(to), nil // whether Amazon appends the session's id to it is not documented
		}
		return withSession(back, s.id), nil
	}
	chosen, err := s.card(c)
	if err != nil {
		return "", err
	}
	var where *address
	if s.product == payAndShip {
		a, err := pick(s.addresses, c.Address, "address")
		if err != nil {
			return "", err
		}
		if why := s.payload.DeliverySpecifications.forbids(a); why != "" {
			return "", fmt.Errorf("%w address: %s", ErrChoice, why)
		}
		where = &a
	}
	switch {
	case chosen.Invalid:
		return "", fmt.Errorf("%w payment method: %s can no longer be charged", ErrChoice, chosen.Descriptor)
	case chosen.Ends != "":
		s.cancel(chosen.Ends, now)
	default:
		s.confirmed, s.updated, s.address, s.descriptor = true, now, where, chosen.Descriptor
	}
	return withSession(back, s.id), nil
}

func (s *session) card(c Choice) (card, error) {
	if c.CardEnding == "" {
		return pick(s.cards, c.Card, "payment method")
	}
	i := slices.IndexFunc(s.cards, func(has card) bool { return ending(has.Descriptor) == c.CardEnding })
	if i < 0 {
		return card{}, fmt.Errorf("%w payment method: none ends in %s", ErrChoice, clip(c.CardEnding, 10))
	}
	return s.cards[i], nil
}

// ending returns the last four digits of a descriptor.
func ending(d text) string {
	digits := ""
	for _, r := range d {
		if r >= '0' && r <= '9' {
			digits += string(r)
		}
	}
	return digits[max(0, len(digits)-4):]
}

func pick[V any](all []V, at *int, what string) (v V, err error) {
	i := 0
	if at != nil {
		i = *at
	}
	if i < 0 || i >= len(all) {
		return v, fmt.Errorf("%w %s: there are %d", ErrChoice, what, len(all))
	}
	return all[i], nil
}

// withSession appends the checkout session's id to a URL and leaves its own
// parameters as they are.
func withSession(to, id string) string {
	u, err := url.Parse(to)
	if err != nil {
		return to // parsePayload has parsed it
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += "amazonCheckoutSessionId=" + id
	return u.String()
}

// takeEffect changes the charge permission as its buyer chose, and sends the
// notification. The caller holds t.posts.
func (t *Twin) takeEffect(s *session) error {
	is, err := t.permissionOf(s.account, s.payload.ChargePermissionID)
	if err != nil {
		return err
	}
	if is.StatusDetails.State == closed {
		return ErrFinal
	}
	change := map[string]any{"paymentPreferences": []paymentPreference{{s.descriptor}}}
	if s.address != nil {
		change["shippingAddress"] = s.address
	}
	left := slices.DeleteFunc(slices.Clone(is.StatusDetails.Reasons), func(r reason) bool { return slices.Contains(healedByBuyer(), r.ReasonCode) })
	switch {
	case is.StatusDetails.State != nonChargeable || len(left) == len(is.StatusDetails.Reasons):
	case len(left) == 0:
		change["statusDetails"] = map[string]any{"state": chargeable, "reasons": nil}
	default:
		change["statusDetails"] = map[string]any{"reasons": left}
	}
	patch, err := json.Marshal(change)
	if err != nil {
		return fmt.Errorf("checkout session %s: encode: %w", s.id, err)
	}
	_, err = t.Change(s.payload.ChargePermissionID, patch, Notify{Account: s.account.name()})
	return err
}

// getCheckoutSession is the API's Get Checkout Session.
func (t *Twin) getCheckoutSession(r apiRequest) answer {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.session(r.id)
	if s == nil || s.account != r.account {
		return noSession(r.id)
	}
	return jsonAnswer(http.StatusOK, t.viewOf(s))
}

func noSession(id string) answer {
	return errorAnswer(http.StatusNotFound, "ResourceNotFound", "The requested resource "+clip(id, 60)+" was not found.")
}

// completeCheckoutSession is the API's Complete Checkout Session for an update,
// which has no charge amount. once has it done once for an idempotency key.
func (t *Twin) completeCheckoutSession(r apiRequest) answer {
	if refusal := checkCompletion(r.payload); refusal.status != 0 {
		return refusal
	}
	t.mu.Lock()
	s := t.session(r.id)
	refusal := answer{}
	switch {
	case s == nil || s.account != r.account:
		refusal = noSession(r.id)
	case s.state == canceled:
		refusal = errorAnswer(http.StatusUnprocessableEntity, "CheckoutSessionCanceled", "The checkout session was canceled: "+s.reason+".")
	case s.state == completed:
		refusal = errorAnswer(http.StatusUnprocessableEntity, "InvalidCheckoutSessionStatus", "The checkout session is Completed already.")
	case !s.confirmed:
		refusal = errorAnswer(http.StatusUnprocessableEntity, "InvalidCheckoutSessionStatus", "The buyer has not finished on the hosted page.")
	}
	t.mu.Unlock()
	if refusal.status != 0 {
		return refusal
	}
	switch err := t.takeEffect(s); {
	case errors.Is(err, ErrFinal):
		return errorAnswer(http.StatusUnprocessableEntity, "InvalidChargePermissionStatus", "The charge permission is Closed.")
	case err != nil:
		return errorAnswer(http.StatusInternalServerError, "InternalServerError", err.Error())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s.state, s.updated = completed, t.now()
	return jsonAnswer(http.StatusOK, s.view(nil))
}

func checkCompletion(payload []byte) answer {
	object, err := decodeObject(payload)
	if err != nil {
		return errorAnswer(http.StatusBadRequest, "InvalidRequestFormat", "The payload is not a JSON object; an update's is {}.")
	}
	names := sorted(object)
	switch {
	case len(names) == 0:
		return answer{}
	case names[0] == "chargeAmount" || names[0] == "totalOrderAmount":
		return errorAnswer(http.StatusBadRequest, "InvalidParameterCombination", "An update has no "+names[0]+".")
	}
	return errorAnswer(http.StatusBadRequest, "UnrecognizedField", "The field '"+clip(names[0], 60)+"' is invalid for this API.")
}

// sessionView is a checkout session in Amazon's own form and order.
type sessionView struct {
	CheckoutSessionID           text                    `json:"checkoutSessionId"`
	WebCheckoutDetails          *webCheckoutDetails     `json:"webCheckoutDetails"`
	ProductType                 text                    `json:"productType"`
	ChargePermissionType        text                    `json:"chargePermissionType"`
	RecurringMetadata           *recurringMetadata      `json:"recurringMetadata"`
	PaymentMethodOnFileMetadata *onFileMetadata         `json:"paymentMethodOnFileMetadata"`
	PaymentDetails              *paymentDetails         `json:"paymentDetails"`
	MerchantMetadata            *merchantMetadata       `json:"merchantMetadata"`
	SupplementaryData           text                    `json:"supplementaryData"`
	Buyer                       *buyer                  `json:"buyer"`
	BillingAddress              *address                `json:"billingAddress"`
	ShippingAddress             *address                `json:"shippingAddress"`
	PaymentPreferences          []paymentPreference     `json:"paymentPreferences"`
	StatusDetails               sessionStatus           `json:"statusDetails"`
	Constraints                 []constraint            `json:"constraints"`
	ChargePermissionID          text                    `json:"chargePermissionId"`
	ChargeID                    text                    `json:"chargeId"`
	CreationTimestamp           text                    `json:"creationTimestamp"`
	ExpirationTimestamp         text                    `json:"expirationTimestamp"`
	StoreID                     text                    `json:"storeId"`
	DeliverySpecifications      *deliverySpecifications `json:"deliverySpecifications"`
	ProviderMetadata            *struct{}               `json:"providerMetadata"`
	ReleaseEnvironment          text                    `json:"releaseEnvironment"`
}

type sessionStatus struct {
	State                text `json:"state"`
	ReasonCode           text `json:"reasonCode"`
	ReasonDescription    text `json:"reasonDescription"`
	LastUpdatedTimestamp text `json:"lastUpdatedTimestamp"`
}

type constraint struct {
	ConstraintID text `json:"constraintId"`
	Description  text `json:"description"`
}

// viewOf returns a session as Amazon shows it now. The caller holds the lock.
func (t *Twin) viewOf(s *session) sessionView {
	is, err := t.lockedPermissionOf(s.account, s.payload.ChargePermissionID)
	if err != nil {
		return s.view(nil) // permissions do not go, and what is stored decodes
	}
	return s.view(&is)
}

// view returns the session as Amazon shows it: what it was made of is null once
// it is completed.
func (s *session) view(of *permission) sessionView {
	v := sessionView{
		CheckoutSessionID:    text(s.id),
		ChargePermissionType: text(s.payload.ChargePermissionType),
		PaymentPreferences:   []paymentPreference{{s.descriptor}},
		StatusDetails:        sessionStatus{text(s.state), text(s.reason), text(reasonDescriptions[s.reason]), stamp(s.updated)},
		Constraints:          []constraint{},
		CreationTimestamp:    stamp(s.made),
		ExpirationTimestamp:  stamp(s.made.Add(sessionOpen)),
	}
	if s.state == completed {
		v.ChargePermissionID = text(s.payload.ChargePermissionID)
		if !*s.payload.PaymentMethodOnFileMetadata.SetupOnly {
			v.ChargeID = text(s.payload.ChargePermissionID + "-C000001")
		}
		return v
	}
	v.WebCheckoutDetails, v.ProductType = &s.payload.WebCheckoutDetails, text(s.product)
	v.PaymentMethodOnFileMetadata, v.PaymentDetails = &s.payload.PaymentMethodOnFileMetadata, &s.payload.PaymentDetails
	v.MerchantMetadata, v.DeliverySpecifications = s.payload.MerchantMetadata, s.payload.DeliverySpecifications
	v.StoreID, v.ReleaseEnvironment = text(s.payload.StoreID), releaseEnvironment(s.account)
	if s.state == open && !s.confirmed {
		v.Constraints = append(v.Constraints, constraint{"BuyerNotAssociated", "There is no buyer associated with the Checkout Session."})
	}
	if s.confirmed && of != nil {
		s.show(&v, of)
	}
	return v
}

// show adds what the scopes let the merchant see of the buyer; without any it
// is everything but the billing address.
func (s *session) show(v *sessionView, of *permission) {
	may := func(scope string) bool {
		if s.payload.Scopes == nil {
			return scope != "billingAddress"
		}
		return slices.Contains(s.payload.Scopes, scope)
	}
	if of.Buyer != nil {
		v.Buyer = &buyer{BuyerID: of.Buyer.BuyerID}
		if may("name") {
			v.Buyer.Name = of.Buyer.Name
		}
		if may("email") {
			v.Buyer.Email = of.Buyer.Email
		}
		if may("phoneNumber") {
			v.Buyer.PhoneNumber = of.Buyer.PhoneNumber
		}
		if may("primeStatus") {
			v.Buyer.PrimeMembershipTypes = of.Buyer.PrimeMembershipTypes
		}
	}
	if may("shippingAddress") {
		v.ShippingAddress = s.address
	}
	if may("billingAddress") {
		v.BillingAddress = of.BillingAddress
	}
}

// reasonDescriptions are in the twin's words.
var reasonDescriptions = map[string]string{
	buyerCanceled: "The buyer canceled the checkout session.",
	declined:      "The payment method was declined.",
	expired:       "The checkout session was not completed within 24 hours.",
}

// CheckoutSession is a session as tests see it: Amazon's form, and what the
// twin knows beside it.
type CheckoutSession struct {
	Session            any    `json:"session"`
	ChargePermissionID string `json:"chargePermissionId"`
	ProductType        string `json:"productType"`
	Confirmed          bool   `json:"confirmed"` // the buyer has finished on the hosted page
	Effective          bool   `json:"effective"` // the charge permission has the change
}

// CheckoutSessions returns all sessions, the oldest first.
func (t *Twin) CheckoutSessions() []CheckoutSession {
	t.mu.Lock()
	defer t.mu.Unlock()
	var known []*session
	for _, id := range sorted(t.sessions) {
		if s := t.session(id); s != nil {
			known = append(known, s)
		}
	}
	slices.SortStableFunc(known, func(a, b *session) int { return a.made.Compare(b.made) })
	all := make([]CheckoutSession, len(known))
	for i, s := range known {
		all[i] = t.describe(s)
	}
	return all
}

// CheckoutSession returns a session as it is now.
func (t *Twin) CheckoutSession(id string) (CheckoutSession, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.session(id)
	if s == nil {
		return CheckoutSession{}, fmt.Errorf("checkout session %s: %w", clip(id, 40), ErrUnknown)
	}
	return t.describe(s), nil
}

func (t *Twin) describe(s *session) CheckoutSession {
	return CheckoutSession{t.viewOf(s), s.payload.ChargePermissionID, s.product, s.confirmed, s.state == completed}
}

// AgeCheckoutSession makes a session older, as if the time had passed: one
// that is 24 hours old and not completed is canceled, one of 30 days is
// deleted.
func (t *Twin) AgeCheckoutSession(id string, by time.Duration) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.session(id)
	if s == nil {
		return fmt.Errorf("checkout session %s: %w", clip(id, 40), ErrUnknown)
	}
	s.made, s.updated = s.made.Add(-by), s.updated.Add(-by)
	return nil
}

// Walked is the hosted page, walked without a browser.
type Walked struct {
	CheckoutSessionID string `json:"checkoutSessionId"`
	ReturnURL         string `json:"returnUrl"` // where the buyer is sent
}

// Walk does what a browser does between the button and the return: it posts
// the button, and does on the hosted page what the buyer wants. A button that
// is refused is a *ButtonError.
func (t *Twin) Walk(b Button, c Choice) (Walked, error) {
	s, err := t.initiate(b)
	if err != nil {
		return Walked{}, err
	}
	back, err := t.choose(s.id, c)
	return Walked{s.id, back}, err
}

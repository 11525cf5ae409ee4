package twin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
)

// text is a string of Amazon's, for which null and nothing are the same.
type text string

// MarshalJSON writes null for the empty text.
func (s text) MarshalJSON() ([]byte, error) {
	if s == "" {
		return []byte("null"), nil
	}
	return encodeJSON(string(s))
}

// permission is a charge permission in Amazon's own form and order ("Charge
// Permission" in the API reference). What it does not name is kept all the
// same: the truth is the JSON, this is its known part.
type permission struct {
	ChargePermissionID          text                `json:"chargePermissionId"`
	ChargePermissionType        text                `json:"chargePermissionType"`
	ChargePermissionReferenceID text                `json:"chargePermissionReferenceId"`
	PlatformID                  text                `json:"platformId"`
	Buyer                       *buyer              `json:"buyer"`
	ReleaseEnvironment          text                `json:"releaseEnvironment"`
	ShippingAddress             *address            `json:"shippingAddress"`
	BillingAddress              *address            `json:"billingAddress"`
	PaymentPreferences          []paymentPreference `json:"paymentPreferences"`
	StatusDetails               statusDetails       `json:"statusDetails"`
	CreationTimestamp           text                `json:"creationTimestamp"`
	ExpirationTimestamp         text                `json:"expirationTimestamp"`
	MerchantMetadata            *merchantMetadata   `json:"merchantMetadata"`
	RecurringMetadata           *recurringMetadata  `json:"recurringMetadata"`
	PaymentMethodOnFileMetadata *onFileMetadata     `json:"paymentMethodOnFileMetadata"`
	Limits                      *limits             `json:"limits"`
	PresentmentCurrency         text                `json:"presentmentCurrency"`
	AmazonPayToken              text                `json:"amazonPayToken"`
}

type buyer struct {
	BuyerID              text     `json:"buyerId"`
	Name                 text     `json:"name"`
	Email                text     `json:"email"`
	PhoneNumber          text     `json:"phoneNumber"`
	PrimeMembershipTypes []string `json:"primeMembershipTypes"`
}

type address struct {
	Name          text `json:"name"`
	AddressLine1  text `json:"addressLine1"`
	AddressLine2  text `json:"addressLine2"`
	AddressLine3  text `json:"addressLine3"`
	City          text `json:"city"`
	County        text `json:"county"`
	District      text `json:"district"`
	StateOrRegion text `json:"stateOrRegion"`
	PostalCode    text `json:"postalCode"`
	CountryCode   text `json:"countryCode"`
	PhoneNumber   text `json:"phoneNumber"`
}

type paymentPreference struct {
	PaymentDescriptor text `json:"paymentDescriptor"`
}

type statusDetails struct {
	State                text     `json:"state"`
	Reasons              []reason `json:"reasons"`
	LastUpdatedTimestamp text     `json:"lastUpdatedTimestamp"`
}

type reason struct {
	ReasonCode        text `json:"reasonCode"`
	ReasonDescription text `json:"reasonDescription"`
}

type merchantMetadata struct {
	MerchantReferenceID text `json:"merchantReferenceId"`
	MerchantStoreName   text `json:"merchantStoreName"`
	NoteToBuyer         text `json:"noteToBuyer"`
	CustomInformation   text `json:"customInformation"`
}

type recurringMetadata struct {
	Frequency *frequency `json:"frequency"`
	Amount    *price     `json:"amount"`
}

type frequency struct {
	Unit  text `json:"unit"`
	Value text `json:"value"`
}

type onFileMetadata struct {
	SetupOnly *bool `json:"setupOnly"`
}

type limits struct {
	AmountLimit   *price `json:"amountLimit"`
	AmountBalance *price `json:"amountBalance"`
}

type price struct {
	Amount       text `json:"amount"`
	CurrencyCode text `json:"currencyCode"`
}

const (
	chargeable    = "Chargeable"
	nonChargeable = "NonChargeable"
	closed        = "Closed" // final
)

// amazonTime is the form of Amazon Pay's time stamps: 20191015T204313Z.
const amazonTime = "20060102T150405Z"

// buyerReadable is how long a closed charge permission still shows its buyer, and
// a OneTime one after its creation; later the details come back as null.
const buyerReadable = 30 * 24 * time.Hour

// chargePermission is a charge permission with its past, which stale reads
// show.
type chargePermission struct {
	id       string
	account  *account
	versions []version // oldest first, never empty
	preset   *preset   // what its buyer can choose from
	turns    struct{ address, card int }
}

type version struct {
	at  time.Time
	doc json.RawMessage
}

// maxVersions bounds the past of a charge permission.
const maxVersions = 256

func (p *chargePermission) latest() json.RawMessage { return p.versions[len(p.versions)-1].doc }

// asOf returns the state at a time; ok is false before it was created.
func (p *chargePermission) asOf(at time.Time) (json.RawMessage, bool) {
	for _, v := range slices.Backward(p.versions) {
		if !v.at.After(at) {
			return v.doc, true
		}
	}
	return nil, false
}

var permissionID = regexp.MustCompile(`^[A-Z][0-9]{2}-[0-9]{7}-[0-9]{7}$`)

// getChargePermission is the API's Get Charge Permission.
func (t *Twin) getChargePermission(r apiRequest) answer {
	notFound := errorAnswer(http.StatusNotFound, "ResourceNotFound", "The requested resource "+clip(r.id, 60)+" was not found.")
	at := t.readAt(t.now())
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.permissions[r.id]
	if p == nil || p.account != r.account {
		return notFound
	}
	doc, ok := p.asOf(at)
	if !ok {
		return notFound
	}
	return answer{status: http.StatusOK, body: t.view(doc)}
}

// view returns a state as Amazon shows it now.
func (t *Twin) view(doc json.RawMessage) json.RawMessage {
	var p permission
	if json.Unmarshal(doc, &p) != nil {
		return doc // what is stored always decodes
	}
	past := func(stamp text) bool {
		since, err := time.Parse(amazonTime, string(stamp))
		return err == nil && t.now().Sub(since) > buyerReadable
	}
	closedLongAgo := p.StatusDetails.State == closed && past(p.StatusDetails.LastUpdatedTimestamp)
	oneTimeAndOld := p.ChargePermissionType == "OneTime" && past(p.CreationTimestamp)
	if !closedLongAgo && !oneTimeAndOld {
		return doc
	}
	blank, err := jsonpatch.MergeMergePatches(doc, []byte(`{"buyer":null,"shippingAddress":null,"billingAddress":null}`))
	if err != nil {
		return doc
	}
	return blank
}

// Get returns a charge permission as it is now, in Amazon's own form.
func (t *Twin) Get(id string) (json.RawMessage, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.permissions[id]
	if p == nil {
		return nil, fmt.Errorf("charge permission %s: %w", clip(id, 40), ErrUnknown)
	}
	return t.view(p.latest()), nil
}

// List returns all charge permissions in the order of their ids.
func (t *Twin) List() []json.RawMessage {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]json.RawMessage, 0, len(t.permissions))
	for _, id := range sorted(t.permissions) {
		all = append(all, t.view(t.permissions[id].latest()))
	}
	return all
}

// Changed is a charge permission after a change.
type Changed struct {
	Created    bool
	Now        json.RawMessage // in Amazon's own form
	MessageIDs []string        // of the notifications sent
}

// Change changes a charge permission by a JSON merge patch (RFC 7396), save
// that a null stays a null, as Amazon writes it, and sends the notification. An
// id not known yet is created, if it is well formed, in the account that n
// names or else the first.
func (t *Twin) Change(id string, patch []byte, n Notify) (Changed, error) {
	if !permissionID.MatchString(id) {
		return Changed{}, fmt.Errorf("%q is not a charge permission id such as S01-0000000-0000000", clip(id, 40))
	}
	if err := n.check(); err != nil {
		return Changed{}, err
	}
	owner, err := t.accountNamed(n.Account)
	if err != nil {
		return Changed{}, err
	}
	c, stateChanged, err := t.change(id, patch, owner)
	if err != nil {
		return Changed{}, err
	}
	if n.Silent {
		return c, nil
	}
	if n.Type == "" {
		n.Type = map[bool]string{true: "STATE_CHANGE", false: "ATTRIBUTE_CHANGE"}[stateChanged]
	}
	c.MessageIDs, err = t.notify(id, n)
	return c, err
}

func (t *Twin) change(id string, patch []byte, owner *account) (c Changed, stateChanged bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.permissions[id]
	c.Created = p == nil
	var before json.RawMessage
	if c.Created {
		before, err = blankPermission(id, owner, t.now())
		if err != nil {
			return Changed{}, false, err
		}
	} else {
		before = p.latest()
	}
	after, stateChanged, err := merge(before, patch, t.now())
	if err != nil {
		return Changed{}, false, fmt.Errorf("charge permission %s: %w", id, err)
	}
	if c.Created {
		p = &chargePermission{id: id, account: owner, preset: anyonesPreset()}
		t.permissions[id] = p
	}
	p.versions = append(p.versions, version{t.now(), after})
	if len(p.versions) > maxVersions {
		p.versions = slices.Delete(p.versions, 0, 1)
	}
	c.Now = t.view(after)
	return c, stateChanged, nil
}

// blankPermission is a new charge permission of which nothing is known.
func blankPermission(id string, owner *account, now time.Time) (json.RawMessage, error) {
	p := permission{
		ChargePermissionID:   text(id),
		ChargePermissionType: "PaymentMethodOnFile",
		ReleaseEnvironment:   releaseEnvironment(owner),
		StatusDetails:        statusDetails{State: chargeable, LastUpdatedTimestamp: stamp(now)},
		CreationTimestamp:    stamp(now),
	}
	return encodeJSON(p)
}

func releaseEnvironment(a *account) text {
	if a.Environment == "live" {
		return "Live"
	}
	return "Sandbox"
}

// merge applies a patch to a state and holds the result to Amazon's rules.
func merge(before json.RawMessage, patch []byte, now time.Time) (after json.RawMessage, stateChanged bool, err error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(patch, &members); err != nil || members == nil {
		return nil, false, errors.New("the patch is not a JSON object")
	}
	// Merging two patches keeps the nulls that merging into a document drops.
	after, err = jsonpatch.MergeMergePatches(before, patch)
	if err != nil {
		return nil, false, fmt.Errorf("apply the patch: %w", err)
	}
	var was, is permission
	if err := json.Unmarshal(before, &was); err != nil {
		return nil, false, fmt.Errorf("decode the state before: %w", err)
	}
	if err := json.Unmarshal(after, &is); err != nil {
		return nil, false, fmt.Errorf("the patch does not fit Amazon's form: %w", err)
	}
	if is.ChargePermissionID != was.ChargePermissionID {
		return nil, false, errors.New("chargePermissionId cannot change")
	}
	switch is.StatusDetails.State {
	case "", chargeable, nonChargeable, closed:
	default:
		return nil, false, fmt.Errorf("state %q is none of Chargeable, NonChargeable, Closed", is.StatusDetails.State)
	}
	if was.StatusDetails.State == closed && is.StatusDetails.State != closed {
		return nil, false, ErrFinal
	}
	return tidyStatus(after, members, was.StatusDetails, is.StatusDetails, now)
}

// tidyStatus does what follows from a change of state and was not patched: the
// reasons go when it becomes chargeable, and the time stamp moves.
func tidyStatus(doc json.RawMessage, patch map[string]json.RawMessage, was, is statusDetails, now time.Time) (json.RawMessage, bool, error) {
	var patched map[string]json.RawMessage
	_ = json.Unmarshal(patch["statusDetails"], &patched) // nothing patched: an empty map
	follow := map[string]any{}
	if _, given := patched["reasons"]; !given && is.State == chargeable && len(is.Reasons) > 0 {
		follow["reasons"] = nil
		is.Reasons = nil
	}
	changed := was.State != is.State || !slices.Equal(was.Reasons, is.Reasons)
	if _, given := patched["lastUpdatedTimestamp"]; !given && changed {
		follow["lastUpdatedTimestamp"] = stamp(now)
	}
	if len(follow) == 0 {
		return doc, changed, nil
	}
	more, err := json.Marshal(map[string]any{"statusDetails": follow})
	if err != nil {
		return nil, false, fmt.Errorf("encode the status: %w", err)
	}
	doc, err = jsonpatch.MergeMergePatches(doc, more)
	if err != nil {
		return nil, false, fmt.Errorf("apply the status: %w", err)
	}
	return doc, changed, nil
}

// accountNamed returns the account of a merchant id, with or without
// /environment; "" is the first.
func (t *Twin) accountNamed(name string) (*account, error) {
	if name == "" {
		return t.accounts[0], nil
	}
	var names []string
	for _, a := range t.accounts {
		if name == a.name() || name == a.MerchantID {
			return a, nil
		}
		names = append(names, a.name())
	}
	return nil, fmt.Errorf("there is no account %q; there are %s", clip(name, 40), strings.Join(names, ", "))
}

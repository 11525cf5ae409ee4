package twin

import (
	"encoding/json"
	"fmt"
	"time"
)

// preset is what a buyer can choose from on Amazon's pages.
type preset struct {
	addresses []address
	cards     []string
}

// seeded is a buyer that Seed brings. All of them are made up: reserved
// e-mail domains (RFC 2606), places and telephone numbers set aside for
// fiction or plainly invented.
type seeded struct {
	number   string // the id without its letter
	kind     text
	buyer    buyer
	currency text
	status   statusDetails
	blank    bool // with null wherever Amazon may write it
	preset
}

// Seed gives the first account eight charge permissions of buyers across
// Amazon Pay's countries, without notifications, and returns their ids. One is
// NonChargeable, one Closed, one all nulls, and one of a one-time order.
func (t *Twin) Seed() ([]string, error) {
	owner := t.accounts[0]
	letter := "S"
	if owner.Environment == "live" {
		letter = "B"
	}
	var ids []string
	for _, s := range buyers() {
		id := letter + s.number
		doc, err := encodePermission(s.permission(id, owner, t.now()))
		if err != nil {
			return nil, err
		}
		t.mu.Lock()
		_, exists := t.permissions[id]
		if !exists {
			t.permissions[id] = &chargePermission{id: id, account: owner, preset: &s.preset, versions: []version{{time.Time{}, doc}}}
		}
		t.mu.Unlock()
		if exists {
			return nil, fmt.Errorf("twin: charge permission %s exists already", id)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// permission returns the charge permission that the buyer has.
func (s seeded) permission(id string, owner *account, now time.Time) permission {
	created := now.UTC().AddDate(0, -3, 0)
	stamp := func(t time.Time) text { return text(t.Format(amazonTime)) }
	p := permission{
		ChargePermissionID:          text(id),
		ChargePermissionType:        s.kind,
		ReleaseEnvironment:          releaseEnvironment(owner),
		Buyer:                       &s.buyer,
		StatusDetails:               s.status,
		CreationTimestamp:           stamp(created),
		MerchantMetadata:            &merchantMetadata{},
		RecurringMetadata:           &recurringMetadata{},
		PaymentMethodOnFileMetadata: &onFileMetadata{},
		Limits:                      &limits{},
		PaymentPreferences:          []paymentPreference{{}},
	}
	p.StatusDetails.LastUpdatedTimestamp = stamp(now.UTC())
	if s.blank {
		return p
	}
	setupOnly := true
	p.PaymentMethodOnFileMetadata.SetupOnly = &setupOnly
	p.MerchantMetadata = &merchantMetadata{MerchantReferenceID: "ref-" + s.buyer.BuyerID[len(s.buyer.BuyerID)-4:], MerchantStoreName: "Example Store"}
	p.Limits = &limits{AmountLimit: &price{"500.00", s.currency}, AmountBalance: &price{"500.00", s.currency}}
	p.PresentmentCurrency = s.currency
	p.PaymentPreferences = []paymentPreference{{text(s.cards[0])}}
	p.ShippingAddress = &s.addresses[0]
	billing := s.addresses[len(s.addresses)-1]
	p.BillingAddress = &billing
	if s.kind == "Recurring" {
		p.RecurringMetadata = &recurringMetadata{&frequency{"Month", "1"}, &price{"19.90", s.currency}}
	}
	if s.kind != "PaymentMethodOnFile" {
		p.PaymentMethodOnFileMetadata = nil
	}
	if s.kind == "OneTime" {
		p.ExpirationTimestamp = stamp(created.AddDate(0, 6, 0))
	}
	return p
}

func buyers() []seeded {
	ok := statusDetails{State: chargeable}
	return []seeded{
		{
			number: "01-1000001-1000001", kind: "PaymentMethodOnFile", currency: "EUR", status: ok,
			buyer: buyer{BuyerID: "amzn1.account.TWIN0001", Name: "Erika Beispiel", Email: "erika.beispiel@example.de", PhoneNumber: "030 23125 001"},
			preset: preset{
				addresses: []address{
					{Name: "Erika Beispiel", AddressLine1: "Musterstraße 12", City: "Musterstadt", PostalCode: "12345", CountryCode: "DE", PhoneNumber: "030 23125 001"},
					{Name: "Erika Beispiel", AddressLine1: "Beispielweg 7", AddressLine2: "Hinterhaus", City: "Beispielhausen", PostalCode: "54321", CountryCode: "DE"},
				},
				cards: []string{"Visa ****1111 (Amazon Pay)", "MasterCard ****4444 (Amazon Pay)"},
			},
		},
		{
			number: "01-1000002-1000002", kind: "PaymentMethodOnFile", currency: "GBP", status: ok,
			buyer: buyer{BuyerID: "amzn1.account.TWIN0002", Name: "Jo Sample", Email: "jo.sample@example.co.uk", PhoneNumber: "020 7946 0002"},
			preset: preset{
				addresses: []address{
					{Name: "Jo Sample", AddressLine1: "Flat 2", AddressLine2: "1 Nowhere Lane", City: "Sampleton", County: "Exampleshire", PostalCode: "ZZ99 1AA", CountryCode: "GB", PhoneNumber: "020 7946 0002"},
					{Name: "Jo Sample c/o A. Nother", AddressLine1: "22 Invented Mews", City: "Fictionbury", PostalCode: "ZZ99 2BB", CountryCode: "GB"},
					{Name: "Jo Sample", AddressLine1: "The Old Placeholder", City: "Loremford", PostalCode: "ZZ99 3CC", CountryCode: "GB"},
				},
				cards: []string{"Amex ****0005 (Amazon Pay)", "Visa ****4242 (Amazon Pay)", "Visa ****0002 (Amazon Pay)"},
			},
		},
		{
			number: "01-1000003-1000003", kind: "Recurring", currency: "EUR", status: ok,
			buyer: buyer{BuyerID: "amzn1.account.TWIN0003", Name: "Zoé Exemple", Email: "zoe.exemple@example.fr", PhoneNumber: "01 99 00 00 03"},
			preset: preset{
				addresses: []address{
					{Name: "Zoé Exemple", AddressLine1: "3 bis, rue de l’Échantillon", City: "Exemple-sur-Fiction", PostalCode: "99003", CountryCode: "FR", PhoneNumber: "01 99 00 00 03"},
					{Name: "Zoé Exemple", AddressLine1: "14, allée Imaginaire", AddressLine2: "Bâtiment C", City: "Villefictive", PostalCode: "99014", CountryCode: "FR"},
				},
				cards: []string{"CB ****3333 (Amazon Pay)", "Visa ****5555 (Amazon Pay)"},
			},
		},
		{
			number: "01-1000004-1000004", kind: "PaymentMethodOnFile", currency: "EUR",
			status: statusDetails{State: nonChargeable, Reasons: []reason{paymentMethodExpired()}},
			buyer:  buyer{BuyerID: "amzn1.account.TWIN0004", Name: "Prova Esempio", Email: "prova.esempio@example.it", PhoneNumber: "06 9999 0004"},
			preset: preset{
				addresses: []address{
					{Name: "Prova Esempio", AddressLine1: "Via dell’Esempio 4", City: "Provaverde", StateOrRegion: "EE", PostalCode: "00004", CountryCode: "IT", PhoneNumber: "06 9999 0004"},
					{Name: "Prova Esempio", AddressLine1: "Piazza Inventata 1", City: "Fantasia", StateOrRegion: "EE", PostalCode: "00014", CountryCode: "IT"},
				},
				cards: []string{"MasterCard ****5454 (Amazon Pay)", "Visa ****1881 (Amazon Pay)"},
			},
		},
		{
			number: "01-1000005-1000005", kind: "PaymentMethodOnFile", currency: "EUR",
			status: statusDetails{State: closed, Reasons: []reason{{"BuyerClosed", "The buyer closed the charge permission."}}},
			buyer:  buyer{BuyerID: "amzn1.account.TWIN0005", Name: "Ejemplo Ficticio Pérez", Email: "ejemplo.ficticio@example.es", PhoneNumber: "900 000 005"},
			preset: preset{
				addresses: []address{
					{Name: "Ejemplo Ficticio Pérez", AddressLine1: "Calle de la Muestra 5, 2.º B", City: "Villaejemplo", StateOrRegion: "Ficticia", PostalCode: "00005", CountryCode: "ES", PhoneNumber: "900 000 005"},
					{Name: "Ejemplo Ficticio Pérez", AddressLine1: "Avenida Inventada 50", City: "Villaejemplo", StateOrRegion: "Ficticia", PostalCode: "00050", CountryCode: "ES"},
				},
				cards: []string{"Visa ****0505 (Amazon Pay)", "MasterCard ****5005 (Amazon Pay)"},
			},
		},
		{
			number: "01-1000006-1000006", kind: "PaymentMethodOnFile", currency: "JPY", status: ok,
			buyer: buyer{BuyerID: "amzn1.account.TWIN0006", Name: "見本 太郎", Email: "mihon.taro@example.jp", PhoneNumber: "03-0000-0006", PrimeMembershipTypes: []string{"PRIME_GENERAL"}},
			preset: preset{
				addresses: []address{
					{Name: "見本 太郎", AddressLine1: "見本町1-2-3", AddressLine2: "サンプルビル 4階", City: "架空市", StateOrRegion: "東京都", PostalCode: "000-0006", CountryCode: "JP", PhoneNumber: "03-0000-0006"},
					{Name: "見本 太郎", AddressLine1: "例示1丁目1番1号", City: "仮名区", StateOrRegion: "大阪府", PostalCode: "000-0016", CountryCode: "JP"},
				},
				cards: []string{"JCB ****0606 (Amazon Pay)", "Visa ****6006 (Amazon Pay)"},
			},
		},
		{
			// What Amazon tells of some wallets: hardly anything.
			number: "01-1000007-1000007", kind: "PaymentMethodOnFile", status: ok, blank: true,
			buyer:  buyer{BuyerID: "amzn1.account.TWIN0007"},
			preset: *anyonesPreset(),
		},
		{
			// A one-time order in the same merchant account, and a name that
			// tries everything: markup, quotes, right to left, emoji.
			number: "01-1000008-1000008", kind: "OneTime", currency: "USD", status: ok,
			buyer: buyer{BuyerID: "amzn1.account.TWIN0008", Name: `<b>Nobody</b> "Test" O’Fiction & שלום 🦄`, Email: "nobody+tag@example.com", PhoneNumber: "+1 206-555-0108"},
			preset: preset{
				addresses: []address{
					{Name: `<b>Nobody</b> "Test" O’Fiction & שלום 🦄`, AddressLine1: "8 Fiction Ave <script>", AddressLine2: "Suite #8 \\ back", City: "Nowhereville", StateOrRegion: "WA", PostalCode: "00008", CountryCode: "US", PhoneNumber: "+1 206-555-0108"},
					{Name: "مثال تجريبي 🧪", AddressLine1: "18 Invented Blvd", City: "Sampletown", StateOrRegion: "CA", PostalCode: "00018", CountryCode: "US"},
				},
				cards: []string{"Discover ****0808 (Amazon Pay)", "Visa ****8008 (Amazon Pay)"},
			},
		},
	}
}

// anyonesPreset is for a buyer of whom nothing is known.
func anyonesPreset() *preset {
	return &preset{
		addresses: []address{
			{Name: "Anyone Example", AddressLine1: "1 Example Road", City: "Sampleton", PostalCode: "ZZ99 7AA", CountryCode: "GB"},
			{Name: "Anyone Example", AddressLine1: "2 Specimen Street", City: "Fictionbury", PostalCode: "ZZ99 7BB", CountryCode: "GB"},
		},
		cards: []string{"Visa ****0007 (Amazon Pay)", "MasterCard ****7007 (Amazon Pay)"},
	}
}

func paymentMethodExpired() reason {
	return reason{"PaymentMethodExpired", "The payment method of the charge permission has expired."}
}

// Act does what a buyer would: "address" and "card" take the next of the
// buyer's, "state" lets the card expire or puts it right. The notification
// goes out as n says.
func (t *Twin) Act(id, what string, n Notify) (Changed, error) {
	patch, err := t.act(id, what)
	if err != nil {
		return Changed{}, err
	}
	return t.Change(id, patch, n)
}

// NextAddress gives the buyer the next address and sends the notification.
func (t *Twin) NextAddress(id string) (Changed, error) { return t.Act(id, "address", Notify{}) }

// NextCard gives the buyer the next payment method and sends the notification.
func (t *Twin) NextCard(id string) (Changed, error) { return t.Act(id, "card", Notify{}) }

// NextState turns Chargeable into NonChargeable (PaymentMethodExpired) and
// back, and sends the notification.
func (t *Twin) NextState(id string) (Changed, error) { return t.Act(id, "state", Notify{}) }

// act returns the patch of a buyer's act, and moves on to the next choice.
func (t *Twin) act(id, what string) ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.permissions[id]
	if p == nil {
		return nil, fmt.Errorf("charge permission %s: %w", clip(id, 40), ErrUnknown)
	}
	var is permission
	if err := json.Unmarshal(p.latest(), &is); err != nil {
		return nil, fmt.Errorf("charge permission %s: decode: %w", id, err)
	}
	if is.StatusDetails.State == closed {
		return nil, fmt.Errorf("charge permission %s: its buyer can do no more: %w", id, ErrFinal)
	}
	var patch any
	switch what {
	case "address":
		p.turns.address = (p.turns.address + 1) % len(p.preset.addresses)
		patch = map[string]any{"shippingAddress": p.preset.addresses[p.turns.address]}
	case "card":
		p.turns.card = (p.turns.card + 1) % len(p.preset.cards)
		patch = map[string]any{"paymentPreferences": []paymentPreference{{text(p.preset.cards[p.turns.card])}}}
	case "state":
		status := map[string]any{"state": chargeable, "reasons": nil}
		if is.StatusDetails.State != nonChargeable {
			status = map[string]any{"state": nonChargeable, "reasons": []reason{paymentMethodExpired()}}
		}
		patch = map[string]any{"statusDetails": status}
	default:
		return nil, fmt.Errorf("a buyer cannot do %q: it is address, card or state", clip(what, 40))
	}
	b, err := json.Marshal(patch)
	if err != nil {
		return nil, fmt.Errorf("charge permission %s: encode: %w", id, err)
	}
	return b, nil
}

package twin

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestButtonVectorsAreAcceptedAndAByteChangedIsNot replays what the official
// Node SDK signed.
func TestButtonVectorsAreAcceptedAndAByteChangedIsNot(t *testing.T) {
	_, key := readVectors(t)
	b, err := os.ReadFile("testdata/signing-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Buttons []struct{ Algorithm, Payload, Signature string }
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Buttons) == 0 {
		t.Fatal("no vectors")
	}
	tw, err := New(Options{Seed: 1, Accounts: []Account{{PublicKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	for i, button := range v.Buttons {
		t.Run(fmt.Sprint(i, " ", button.Algorithm), func(t *testing.T) {
			b := Button{PayloadJSON: button.Payload, Signature: button.Signature, Algorithm: button.Algorithm}
			if refused := tw.verifyButton(b, key); refused != nil {
				t.Fatal(refused)
			}
			changed := b
			changed.PayloadJSON = flipAfter(button.Payload, `"`, 3)
			if refused := tw.verifyButton(changed, key); refused == nil || !strings.Contains(refused.Error(), "line 2") || !strings.Contains(refused.Error(), "byte 6") {
				t.Errorf("a byte of the payload changed: %v", refused)
			}
			changed = b
			changed.Signature = flipAfter(button.Signature, "", 20)
			if refused := tw.verifyButton(changed, key); refused == nil || !strings.Contains(refused.Error(), "the signature") {
				t.Errorf("a byte of the signature changed: %v", refused)
			}
			changed = b
			changed.Algorithm = map[string]string{"AMZN-PAY-RSASSA-PSS": "AMZN-PAY-RSASSA-PSS-V2", "AMZN-PAY-RSASSA-PSS-V2": ""}[button.Algorithm]
			if refused := tw.verifyButton(changed, key); refused == nil || !strings.Contains(refused.Error(), "line 1 (algorithm): signed as "+button.Algorithm) {
				t.Errorf("the other algorithm: %v", refused)
			}
		})
	}
}

func TestWhatIsWrongWithASignatureIsSaid(t *testing.T) {
	s := newShop(t, func(o *Options) { o.Accounts = append(o.Accounts, Account{MerchantID: "A9OTHER000000"}) })
	v1, v2 := algorithms()[0], algorithms()[1]
	good := payloadFor(known, nil)
	for _, c := range []struct {
		name   string
		change func(*Button)
		says   string
	}{
		{"no algorithm for a V2 signature", func(b *Button) { b.Algorithm = "" }, "line 1 (algorithm): signed as AMZN-PAY-RSASSA-PSS-V2"},
		{"a salt of 20 bytes in V2", func(b *Button) { b.Signature = s.sign(stringToSign(v2.name, good), v1) }, "the salt: the signature's has 20 bytes"},
		{"signed as the template has it", func(b *Button) {
			b.Signature = s.sign(stringToSign(v2.name, strings.ReplaceAll(good, `"`, "&#34;")), v2)
		}, "as the HTML source has it"},
		{`signed with \/`, func(b *Button) {
			b.Signature = s.sign(stringToSign(v2.name, strings.ReplaceAll(good, "/", `\/`)), v2)
		}, `\/ for /`},
		{"a space added", func(b *Button) { b.PayloadJSON += " " }, "white space was added"},
		{"a byte lost", func(b *Button) { b.PayloadJSON = strings.Replace(good, "a-b_c", "a-bc", 1) }, `"_" was lost`},
		{"another key's id", func(b *Button) { b.PublicKeyID, b.MerchantID = s.accounts[1].PublicKeyID, s.accounts[1].MerchantID }, "the key id: the signature was made with the key of " + s.accounts[0].PublicKeyID},
		{"not base64", func(b *Button) { b.Signature = "!" + b.Signature }, "not base64"},
		{"something else altogether", func(b *Button) { b.Signature = s.sign("hello", v2) }, "no change of a byte"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := s.button(good)
			c.change(&b)
			_, _, refused := s.checkButton(b)
			if refused == nil || !strings.Contains(refused.Error(), c.says) {
				t.Errorf("it says %v", refused)
			}
		})
	}
}

// TestAnyChangedByteIsNamed holds for every byte of a payload; a short one, as
// the search is by trial.
func TestAnyChangedByteIsNamed(t *testing.T) {
	s := newShop(t, nil)
	b := s.button(`{"storeId":"amzn1.application-oa2-client.1","note":"日本"}`)
	rapid.Check(t, func(t *rapid.T) {
		i := rapid.IntRange(0, len(b.PayloadJSON)-1).Draw(t, "at")
		to := byte(rapid.IntRange(' ', '~').Filter(func(c int) bool { return byte(c) != b.PayloadJSON[i] }).Draw(t, "to"))
		changed := b
		changed.PayloadJSON = b.PayloadJSON[:i] + string(to) + b.PayloadJSON[i+1:]
		_, _, refused := s.checkButton(changed)
		if want := fmt.Sprintf("byte %d: %q became %q", i+1, b.PayloadJSON[i:i+1], string(to)); refused == nil || !strings.Contains(refused.Error(), want) {
			t.Fatalf("%v, want %s", refused, want)
		}
	})
}

func TestWhatIsWrongAroundThePayload(t *testing.T) {
	s := newShop(t, func(o *Options) {
		o.Accounts = append(o.Accounts, Account{MerchantID: "A8LIVE00000000", Environment: "live", Origins: []string{"https://merchant.example"}})
	})
	for _, c := range []struct {
		name   string
		change func(*Button)
		field  string // of the problem; empty: none
	}{
		{"nothing", func(*Button) {}, ""},
		{"no language", func(b *Button) { b.CheckoutLanguage = "" }, ""},
		{"no product type", func(b *Button) { b.ProductType = "" }, ""},
		{"no merchant", func(b *Button) { b.MerchantID = "" }, "merchantId"},
		{"another merchant", func(b *Button) { b.MerchantID = "A8LIVE00000000" }, "merchantId"},
		{"no currency", func(b *Button) { b.LedgerCurrency = "" }, "ledgerCurrency"},
		{"another region's currency", func(b *Button) { b.LedgerCurrency = "USD" }, "ledgerCurrency"},
		{"another region's language", func(b *Button) { b.CheckoutLanguage = "en_US" }, "checkoutLanguage"},
		{"no placement", func(b *Button) { b.Placement = "" }, "placement"},
		{"no such placement", func(b *Button) { b.Placement = "Footer" }, "placement"},
		{"no such product type", func(b *Button) { b.ProductType = "SignIn" }, "productType"},
		{"PayOnly with an address", func(b *Button) { b.ProductType = payOnly }, "productType"},
		{"sandbox left out", func(b *Button) { b.Sandbox = false }, "sandbox"},
		{"no payload", func(b *Button) { b.PayloadJSON = "" }, "createCheckoutSessionConfig.payloadJSON"},
		{"no signature", func(b *Button) { b.Signature = "" }, "createCheckoutSessionConfig.signature"},
		{"no key id", func(b *Button) { b.PublicKeyID = "" }, "createCheckoutSessionConfig.publicKeyId"},
		{"an unknown key id", func(b *Button) { b.PublicKeyID = "SANDBOX-NONE" }, "publicKeyId"},
		{"no such algorithm", func(b *Button) { b.Algorithm = "AMZN-PAY-RSASSA-PSS-V3" }, "algorithm"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := s.button(payloadFor(known, nil))
			c.change(&b)
			_, _, refused := s.checkButton(b)
			switch {
			case c.field == "" && refused != nil:
				t.Errorf("refused: %v", refused)
			case c.field != "" && (refused == nil || refused.Problems[0].Field != c.field):
				t.Errorf("%v, want a problem of %s", refused, c.field)
			}
		})
	}
	live := Button{LedgerCurrency: "EUR", Placement: "Other", Origin: "https://elsewhere.example"}
	if problems := checkSurroundings(live, s.accounts[1]); len(problems) != 1 || problems[0].Field != "origin" {
		t.Errorf("a page that is no JavaScript Origin: %v", problems)
	}
	live.Origin = "https://merchant.example"
	if problems := checkSurroundings(live, s.accounts[1]); len(problems) != 0 {
		t.Errorf("one that is: %v", problems)
	}
}

// urlOf is a URL of so many characters.
func urlOf(characters int) string {
	const start = "https://merchant.example/"
	return start + strings.Repeat("a", characters-len(start))
}

func TestEveryRuleOfThePayload(t *testing.T) {
	s := newShop(t, nil)
	set := func(path string, v any) func(map[string]any) {
		return func(p map[string]any) {
			names := strings.Split(path, ".")
			for _, name := range names[:len(names)-1] {
				if _, ok := p[name].(map[string]any); !ok {
					p[name] = map[string]any{}
				}
				p = p[name].(map[string]any)
			}
			p[names[len(names)-1]] = v
		}
	}
	drop := func(path string) func(map[string]any) { return set(path, nil) } // null and absent are one
	restrict := func(country string, v any) func(map[string]any) {
		return set("deliverySpecifications.addressRestrictions", map[string]any{"type": "Allowed", "restrictions": map[string]any{country: v}})
	}
	for _, c := range []struct {
		name   string
		change func(map[string]any)
		want   string // field and reasonCode; empty: accepted
	}{
		{"good", func(map[string]any) {}, ""},
		{"setupOnly false", set("paymentMethodOnFileMetadata.setupOnly", false), ""},
		{"no setupOnly", drop("paymentMethodOnFileMetadata.setupOnly"), "paymentMethodOnFileMetadata.setupOnly MissingParameterValue"},
		{"setupOnly as a string", set("paymentMethodOnFileMetadata.setupOnly", "true"), "paymentMethodOnFileMetadata.setupOnly InvalidParameterValue"},
		{"no return URL", drop("webCheckoutDetails.checkoutResultReturnUrl"), "webCheckoutDetails.checkoutResultReturnUrl MissingParameterValue"},
		{"http to a loopback host", set("webCheckoutDetails.checkoutResultReturnUrl", "http://127.0.0.1:8080/return"), ""},
		{"http to localhost", set("webCheckoutDetails.checkoutResultReturnUrl", "http://localhost/return"), ""},
		{"http elsewhere", set("webCheckoutDetails.checkoutResultReturnUrl", "http://merchant.example/return"), "webCheckoutDetails.checkoutResultReturnUrl InvalidParameterValue"},
		{"http to a name that begins like one", set("webCheckoutDetails.checkoutResultReturnUrl", "http://localhost.example/"), "webCheckoutDetails.checkoutResultReturnUrl InvalidParameterValue"},
		{"a relative URL", set("webCheckoutDetails.checkoutResultReturnUrl", "/return"), "webCheckoutDetails.checkoutResultReturnUrl InvalidParameterValue"},
		{"a script for a URL", set("webCheckoutDetails.checkoutResultReturnUrl", "javascript:alert(1)"), "webCheckoutDetails.checkoutResultReturnUrl InvalidParameterValue"},
		{"a user in the URL", set("webCheckoutDetails.checkoutResultReturnUrl", "https://a:b@merchant.example/"), "webCheckoutDetails.checkoutResultReturnUrl InvalidParameterValue"},
		{"a cancel URL", set("webCheckoutDetails.checkoutCancelUrl", "https://merchant.example/cancel"), ""},
		{"a cancel URL without TLS", set("webCheckoutDetails.checkoutCancelUrl", "http://merchant.example/cancel"), "webCheckoutDetails.checkoutCancelUrl InvalidParameterValue"},
		{"no store", drop("storeId"), "storeId MissingParameterValue"},
		{"no such form of a store", set("storeId", "store"), "storeId InvalidParameterValue"},
		{"another store", set("storeId", "amzn1.application-oa2-client.ffff"), "storeId InvalidParameterValue"},
		{"no charge permission", drop("chargePermissionId"), "chargePermissionId MissingParameterValue"},
		{"a malformed one", set("chargePermissionId", "B01"), "chargePermissionId InvalidParameterValue"},
		{"an unknown one", set("chargePermissionId", "S01-9999999-9999999"), "chargePermissionId ResourceNotFound"},
		{"a closed one", set("chargePermissionId", closedBuyer), "chargePermissionId InvalidChargePermissionStatus"},
		{"one of another type", set("chargePermissionId", "S01-1000008-1000008"), "chargePermissionType InvalidParameterValue"},
		{"a type that cannot be updated", set("chargePermissionType", "OneTime"), "chargePermissionType InvalidParameterValue"},
		{"no payment details", drop("paymentDetails"), "paymentDetails MissingParameterValue"},
		{"another intent", set("paymentDetails.paymentIntent", "AuthorizeWithCapture"), "paymentDetails.paymentIntent InvalidParameterValue"},
		{"pending authorization", set("paymentDetails.canHandlePendingAuthorization", true), "paymentDetails.canHandlePendingAuthorization InvalidParameterCombination"},
		{"an amount", set("paymentDetails.chargeAmount", map[string]any{}), "paymentDetails.chargeAmount UnrecognizedField"},
		{"scopes", set("scopes", []string{"name", "email", "phoneNumber", "billingAddress", "shippingAddress", "postalCode", "primeStatus"}), ""},
		{"an unknown scope", set("scopes", []string{"name", "shoeSize"}), "scopes[1] InvalidParameterValue"},
		{"a scope twice", set("scopes", []string{"name", "name"}), "scopes InvalidParameterValue"},
		{"scopes that are no list", set("scopes", "name"), "scopes InvalidParameterValue"},
		{"metadata", set("merchantMetadata.merchantStoreName", "Beispiel & Söhne"), ""},
		{"metadata that there is not", set("merchantMetadata.merchantName", "x"), "merchantMetadata.merchantName UnrecognizedField"},
		{"a number for a text", set("merchantMetadata.merchantReferenceId", 7), "merchantMetadata.merchantReferenceId InvalidParameterValue"},
		{"texts as long as they may be", func(p map[string]any) {
			set("merchantMetadata", map[string]any{"merchantReferenceId": strings.Repeat("ü", 256), "merchantStoreName": strings.Repeat("ü", 50),
				"noteToBuyer": strings.Repeat("ü", 255), "customInformation": strings.Repeat("ü", 4096)})(p)
			set("webCheckoutDetails.checkoutResultReturnUrl", urlOf(512))(p)
			set("webCheckoutDetails.checkoutCancelUrl", urlOf(512))(p)
		}, ""},
		{"a long reference", set("merchantMetadata.merchantReferenceId", strings.Repeat("ü", 257)), "merchantMetadata.merchantReferenceId InvalidParameterValue"},
		{"a long store name", set("merchantMetadata.merchantStoreName", strings.Repeat("ü", 51)), "merchantMetadata.merchantStoreName InvalidParameterValue"},
		{"a long note", set("merchantMetadata.noteToBuyer", strings.Repeat("ü", 256)), "merchantMetadata.noteToBuyer InvalidParameterValue"},
		{"long information", set("merchantMetadata.customInformation", strings.Repeat("ü", 4097)), "merchantMetadata.customInformation InvalidParameterValue"},
		{"a long return URL", set("webCheckoutDetails.checkoutResultReturnUrl", urlOf(513)), "webCheckoutDetails.checkoutResultReturnUrl InvalidParameterValue"},
		{"a long cancel URL", set("webCheckoutDetails.checkoutCancelUrl", urlOf(513)), "webCheckoutDetails.checkoutCancelUrl InvalidParameterValue"},
		{"an unknown field", set("checkoutMode", "ProcessOrder"), "checkoutMode UnrecognizedField"},
		{"a field in another case", set("StoreId", "x"), "StoreId UnrecognizedField"},
		{"a backslash", set("merchantMetadata.noteToBuyer", `"quoted"`), "payloadJSON InvalidRequestFormat"},
		{"no P.O. boxes", set("deliverySpecifications.specialRestrictions", []string{restrictPOBoxes, restrictPackstations}), ""},
		{"a restriction that there is not", set("deliverySpecifications.specialRestrictions", []string{"RestrictIslands"}), "deliverySpecifications.specialRestrictions[0] InvalidParameterValue"},
		{"a whole country", restrict("DE", map[string]any{}), ""},
		{"no country", set("deliverySpecifications.addressRestrictions", map[string]any{"type": "Allowed", "restrictions": map[string]any{}}), "deliverySpecifications.addressRestrictions.restrictions MissingParameterValue"},
		{"no type", set("deliverySpecifications.addressRestrictions", map[string]any{"restrictions": map[string]any{"DE": map[string]any{}}}), "deliverySpecifications.addressRestrictions.type MissingParameterValue"},
		{"another type", set("deliverySpecifications.addressRestrictions", map[string]any{"type": "Forbidden", "restrictions": map[string]any{"DE": map[string]any{}}}), "deliverySpecifications.addressRestrictions.type InvalidParameterValue"},
		{"UK is no country of ISO 3166", restrict("UK", map[string]any{}), "deliverySpecifications.addressRestrictions.restrictions.UK InvalidParameterValue"},
		{"a country by three letters", restrict("DEU", map[string]any{}), "deliverySpecifications.addressRestrictions.restrictions.DEU InvalidParameterValue"},
		{"states of the US", restrict("US", map[string]any{"statesOrRegions": []string{"WA", "HI"}}), ""},
		{"a state by its name", restrict("US", map[string]any{"statesOrRegions": []string{"Washington"}}), "deliverySpecifications.addressRestrictions.restrictions.US.statesOrRegions[0] InvalidParameterValue"},
		{"a prefecture", restrict("JP", map[string]any{"statesOrRegions": []string{"東京都"}}), ""},
		{"a prefecture in Latin letters", restrict("JP", map[string]any{"statesOrRegions": []string{"Tokyo"}}), "deliverySpecifications.addressRestrictions.restrictions.JP.statesOrRegions[0] InvalidParameterValue"},
		{"zip codes", restrict("DE", map[string]any{"zipCodes": []string{"12*", "54321"}}), ""},
		{"an asterisk in the middle", restrict("DE", map[string]any{"zipCodes": []string{"1*2"}}), "deliverySpecifications.addressRestrictions.restrictions.DE.zipCodes[0] InvalidParameterValue"},
		{"an asterisk alone", restrict("DE", map[string]any{"zipCodes": []string{"*"}}), "deliverySpecifications.addressRestrictions.restrictions.DE.zipCodes[0] InvalidParameterValue"},
		{"a member of a country that there is not", restrict("DE", map[string]any{"cities": []string{"Berlin"}}), "deliverySpecifications.addressRestrictions.restrictions.DE.cities UnrecognizedField"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, refused := s.checkButton(s.button(payloadFor(known, c.change)))
			var got []string
			if refused != nil {
				for _, p := range refused.Problems {
					got = append(got, p.Field+" "+p.ReasonCode)
				}
			}
			if c.want == "" && refused != nil || c.want != "" && !slices.Contains(got, c.want) {
				t.Errorf("%v, want %q", got, c.want)
			}
		})
	}
	for name, payload := range map[string]string{
		"not JSON": `storeId=x`, "a list": `[]`, "cut off": `{"storeId":"x"`, "followed by something": payloadFor(known, nil) + "{}",
		"a member twice": strings.Replace(payloadFor(known, nil), `{`, `{"storeId":"amzn1.application-oa2-client.1",`, 1),
		"not UTF-8":      strings.Replace(payloadFor(known, nil), "a-b_c", "a\xff", 1),
	} {
		if _, _, refused := s.checkButton(s.button(payload)); refused == nil || refused.Problems[0].ReasonCode != "InvalidRequestFormat" {
			t.Errorf("%s: %v", name, refused)
		}
	}
}

func TestWhereTheShopDelivers(t *testing.T) {
	de := address{AddressLine1: "Musterstraße 12", City: "Musterstadt", PostalCode: "12345", CountryCode: "DE"}
	us := address{AddressLine1: "8 Fiction Ave", City: "Nowhereville", StateOrRegion: "WA", PostalCode: "00008-1234", CountryCode: "US"}
	at := func(kind, country string, a area) *deliverySpecifications {
		return &deliverySpecifications{AddressRestrictions: &addressRestrictions{kind, map[string]area{country: a}}}
	}
	special := func(s string) *deliverySpecifications {
		return &deliverySpecifications{SpecialRestrictions: []string{s}}
	}
	for _, c := range []struct {
		name    string
		d       *deliverySpecifications
		a       address
		forbids bool
	}{
		{"no restrictions", nil, de, false},
		{"its country allowed", at("Allowed", "DE", area{}), de, false},
		{"another country allowed", at("Allowed", "US", area{}), de, true},
		{"its country not allowed", at("NotAllowed", "DE", area{}), de, true},
		{"another country not allowed", at("NotAllowed", "US", area{}), de, false},
		{"its state allowed", at("Allowed", "US", area{StatesOrRegions: []string{"WA"}}), us, false},
		{"another state allowed", at("Allowed", "US", area{StatesOrRegions: []string{"HI"}}), us, true},
		{"its zip code not allowed", at("NotAllowed", "DE", area{ZipCodes: []string{"12345"}}), de, true},
		{"another zip code not allowed", at("NotAllowed", "DE", area{ZipCodes: []string{"1234"}}), de, false},
		{"zip codes by their beginning", at("NotAllowed", "DE", area{ZipCodes: []string{"12*"}}), de, true},
		{"written in another way", at("Allowed", "US", area{ZipCodes: []string{"00008*"}}), us, false},
		{"state or zip code", at("Allowed", "US", area{StatesOrRegions: []string{"HI"}, ZipCodes: []string{"00008*"}}), us, false},
		{"a P.O. box", special(restrictPOBoxes), address{AddressLine1: "PO Box 100"}, true},
		{"a P.O. box with points", special(restrictPOBoxes), address{AddressLine2: "p.o. box 7"}, true},
		{"a Postfach", special(restrictPOBoxes), address{AddressLine1: "Postfach 10"}, true},
		{"a box street is none", special(restrictPOBoxes), address{AddressLine1: "1 Boxley Road"}, false},
		{"a Packstation", special(restrictPackstations), address{AddressLine1: "Packstation 101"}, true},
		{"a Packstation is no P.O. box", special(restrictPOBoxes), address{AddressLine1: "Packstation 101"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if why := c.d.forbids(c.a); (why != "") != c.forbids {
				t.Errorf("it says %q", why)
			}
		})
	}
}

// TestTheReturnURLKeepsItsOwnParameters holds for every query.
func TestTheReturnURLKeepsItsOwnParameters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		query := rapid.StringMatching(`([a-z]{1,3}=[A-Za-z0-9_.~%2F+-]{0,8}(&[a-z]=[0-9]{0,3}){0,3})?`).Draw(t, "query")
		to := "https://merchant.example/return"
		if query != "" {
			to += "?" + query
		}
		got := withSession(to, "the-id")
		if !strings.HasPrefix(got, to) || !strings.HasSuffix(got, "amazonCheckoutSessionId=the-id") {
			t.Fatalf("%s became %s", to, got)
		}
		if n := len(got) - len(to); n != len("?amazonCheckoutSessionId=the-id") {
			t.Fatalf("%s became %s", to, got)
		}
	})
}

// FuzzPayload: what is accepted is JSON without a backslash, names a charge
// permission, and means the same when it is written and read again.
func FuzzPayload(f *testing.F) {
	f.Add(payloadFor(known, nil))
	f.Add(payloadFor(known, func(p map[string]any) {
		p["scopes"] = []string{"name"}
		p["deliverySpecifications"] = map[string]any{"specialRestrictions": []string{restrictPOBoxes},
			"addressRestrictions": map[string]any{"type": "NotAllowed", "restrictions": map[string]any{"US": map[string]any{"statesOrRegions": []string{"HI"}, "zipCodes": []string{"123*"}}}}}
		p["merchantMetadata"] = map[string]any{"merchantStoreName": "見本"}
	}))
	f.Add(`{"storeId":"x","storeId":"y"}`)
	f.Add(`{}{}`)
	f.Add(`{"webCheckoutDetails":{"checkoutResultReturnUrl":"http://[::1]/"}`)
	f.Fuzz(func(t *testing.T, s string) {
		p, problems := parsePayload(s)
		if len(problems) > 0 {
			return
		}
		if strings.Contains(s, `\`) || !json.Valid([]byte(s)) || !permissionID.MatchString(p.ChargePermissionID) {
			t.Fatalf("accepted %q", s)
		}
		again, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(again), `\`) {
			return // json.Marshal writes < and & with one
		}
		if _, problems := parsePayload(string(again)); len(problems) > 0 {
			t.Fatalf("%q was accepted, not so %s: %v", s, again, problems)
		}
	})
}

package update

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"walletsync/internal/amazonpay"
	"walletsync/internal/update/session"
)

// with returns a request with more members.
func with(members string) string {
	return `{"chargePermissionId":"S01-0000000-0000001","update":"both",` + members + `}`
}

// metadata returns a request with a member of merchantMetadata of n characters.
func metadata(member string, characters int) string {
	return with(`"merchantMetadata":{"` + member + `":"` + strings.Repeat("ü", characters) + `"}`)
}

func TestRequestErrorsNameTheirMember(t *testing.T) {
	delivery := func(s string) string { return with(`"deliverySpecifications":` + s) }
	places := func(s string) string {
		return delivery(`{"addressRestrictions":{"type":"Allowed","restrictions":` + s + `}}`)
	}
	const in = "deliverySpecifications.addressRestrictions."
	described := checker(t)
	for _, c := range []struct{ name, body, field string }{
		{"no JSON", `update`, "body"},
		{"an array", `[]`, "body"},
		{"nothing", ``, "body"},
		{"cut off", `{"update":"both"`, "body"},
		{"two objects", asked + asked, "body"},
		{"a member misspelt", with(`"returnURL":"x"`), "returnURL"},
		{"a member misspelt deep inside", delivery(`{"specialRestriction":[]}`), "specialRestriction"},
		{"a member whose name is somebody's", with(`"Ada Example":1`), "body"},
		{"a number for a text", with(`"locale":1`), "locale"},
		{"a text for a list", with(`"scopes":"name"`), "scopes"},
		{"a text for a list deep inside", delivery(`{"specialRestrictions":"RestrictPOBoxes"}`), "deliverySpecifications.specialRestrictions"},
		{"no charge permission", `{"update":"both"}`, "chargePermissionId"},
		{"a charge's id", `{"chargePermissionId":"S01-0000000-0000001-C056351","update":"both"}`, "chargePermissionId"},
		{"no update", `{"chargePermissionId":"S01-0000000-0000001"}`, "update"},
		{"an update of something else", `{"chargePermissionId":"S01-0000000-0000001","update":"name"}`, "update"},
		{"account", with(`"account":"Main!"`), "account"},
		{"locale", with(`"locale":"german"`), "locale"},
		{"product type", with(`"productType":"PayAndGo"`), "productType"},
		{"a foreign origin", with(`"returnTo":"https://evil.example/"`), "returnTo"},
		{"an origin that begins alike", with(`"returnTo":"https://shop.example.evil.example/"`), "returnTo"},
		{"an origin as a user", with(`"returnTo":"https://shop.example@evil.example/"`), "returnTo"},
		{"a user", with(`"returnTo":"https://me@shop.example/"`), "returnTo"},
		{"a backslash", with(`"returnTo":"https://shop.example\\@evil.example/"`), "returnTo"},
		{"without TLS", with(`"returnTo":"http://shop.example/"`), "returnTo"},
		{"another port", with(`"returnTo":"https://shop.example:444/"`), "returnTo"},
		{"no origin", with(`"returnTo":"//shop.example/"`), "returnTo"},
		{"a path alone", with(`"startUrl":"/account"`), "startUrl"},
		{"a script", with(`"startUrl":"javascript:alert(1)"`), "startUrl"},
		{"a line break", with(`"startUrl":"https://shop.example/\nX: y"`), "startUrl"},
		{"too long", with(`"startUrl":"https://shop.example/` + strings.Repeat("a", 2000) + `"`), "startUrl"},
		{"the charge permission's id in a URL", with(`"startUrl":"https://shop.example/?cp=s01-0000000-0000001"`), "startUrl"},
		{"a scope", with(`"scopes":["name","shoeSize"]`), "scopes[1]"},
		{"a scope twice", with(`"scopes":["name","name"]`), "scopes[1]"},
		{"special restriction", delivery(`{"specialRestrictions":["RestrictMoon"]}`), "deliverySpecifications.specialRestrictions[0]"},
		{"restriction type", delivery(`{"addressRestrictions":{"type":"Maybe","restrictions":{"DE":{}}}}`), in + "type"},
		{"no country", places(`{}`), in + "restrictions"},
		{"an unknown country", places(`{"UK":{}}`), in + "restrictions"},
		{"a country in lower case", places(`{"de":{}}`), in + "restrictions"},
		{"a country of three characters", places(`{"DEU":{}}`), in + "restrictions"},
		{"a US state by name", places(`{"US":{"statesOrRegions":["Washington"]}}`), in + "restrictions.US.statesOrRegions[0]"},
		{"an empty region", places(`{"JP":{"statesOrRegions":["東京都",""]}}`), in + "restrictions.JP.statesOrRegions[1]"},
		{"a * in the middle", places(`{"DE":{"zipCodes":["1*3"]}}`), in + "restrictions.DE.zipCodes[0]"},
		{"an empty zip code", places(`{"DE":{"zipCodes":["12345",""]}}`), in + "restrictions.DE.zipCodes[1]"},
		{"a * alone", places(`{"DE":{"zipCodes":["*"]}}`), in + "restrictions.DE.zipCodes[0]"},
		{"a quotation mark", with(`"merchantMetadata":{"noteToBuyer":"say \"hello\""}`), "merchantMetadata.noteToBuyer"},
		{"a line break in a note", with(`"merchantMetadata":{"merchantStoreName":"a\nb"}`), "merchantMetadata.merchantStoreName"},
		{"a reference of 257 characters", metadata("merchantReferenceId", 257), "merchantMetadata.merchantReferenceId"},
		{"a store name of 51 characters", metadata("merchantStoreName", 51), "merchantMetadata.merchantStoreName"},
		{"a note of 256 characters", metadata("noteToBuyer", 256), "merchantMetadata.noteToBuyer"},
		{"information of 4,097 characters", metadata("customInformation", 4097), "merchantMetadata.customInformation"},
		{"a line separator", with(`"merchantMetadata":{"customInformation":"a\u2028b"}`), "merchantMetadata.customInformation"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parseRequest([]byte(c.body), []string{shop})
			bad, ok := errors.AsType[fieldErrors](err)
			if !ok || len(bad) != 1 || bad[0].Field != c.field || bad[0].Detail == "" {
				t.Errorf("%v, want one of %s", err, c.field)
			}
			if broken := described.asks(t, "/update-sessions", c.body); (broken == nil) != slices.Contains(beyondSchemas, c.name) {
				t.Errorf("violates the description: %v", broken)
			}
		})
	}
}

// beyondSchemas are the requests whose error a schema cannot express.
var beyondSchemas = []string{
	"two objects", // the checker reads the first
	"a foreign origin", "an origin that begins alike", "an origin as a user", "a user", "a backslash", "without TLS", "another port", "no origin",
	"a path alone", "a script", "a line break", "the charge permission's id in a URL",
	"an unknown country", "a country in lower case", "a country of three characters", "a US state by name",
	"a quotation mark", "a line break in a note", "a line separator",
}

func TestAllErrorsAreReportedTogether(t *testing.T) {
	_, err := parseRequest([]byte(`{"chargePermissionId":"x","update":"y","locale":"z!","scopes":["q"]}`), nil)
	bad, _ := errors.AsType[fieldErrors](err)
	var fields []string
	for _, b := range bad {
		fields = append(fields, b.Field)
	}
	if d := cmp.Diff([]string{"chargePermissionId", "update", "locale", "scopes[0]"}, fields); d != "" {
		t.Error(d)
	}
}

func TestErrorsDoNotQuoteTheRequest(t *testing.T) {
	for _, body := range []string{with(`"locale":"Ada Example!"`), with(`"startUrl":"https://evil.example/Ada Example"`), with(`"merchantMetadata":{"noteToBuyer":"\"Ada Example\""}`)} {
		if _, err := parseRequest([]byte(body), nil); err == nil || strings.Contains(err.Error(), "Ada Example") {
			t.Errorf("%v", err)
		}
	}
}

func TestDocumentedRequestsAreAccepted(t *testing.T) {
	for member, most := range map[string]int{"merchantReferenceId": 256, "merchantStoreName": 50, "noteToBuyer": 255, "customInformation": 4096} {
		if _, err := parseRequest([]byte(metadata(member, most)), nil); err != nil {
			t.Errorf("%s of %d characters: %v", member, most, err)
		}
	}
	for _, members := range []string{
		`"locale":"de"`, `"locale":"de-AT"`, `"locale":"zh_Hant_TW"`, `"account":"main"`, `"productType":"PayAndShip"`,
		`"startUrl":"https://shop.example"`, `"returnTo":"https://SHOP.example/a?b=c#d"`, `"returnTo":"https://shop.example/\u00fc"`,
		`"scopes":["name","email","phoneNumber","billingAddress","shippingAddress","postalCode","primeStatus"]`, `"scopes":[]`, `"scopes":null`,
		`"deliverySpecifications":{}`, `"deliverySpecifications":{"specialRestrictions":["RestrictPOBoxes","RestrictPackstations"]}`,
		`"deliverySpecifications":{"addressRestrictions":{"type":"NotAllowed","restrictions":{"US":{"statesOrRegions":["WA","CA"],"zipCodes":["98101","981*"]},"JP":{"statesOrRegions":["東京都"]},"GB":{"zipCodes":["SW1A 1AA","SW*"]}}}}`,
		`"merchantMetadata":{"merchantReferenceId":"a","merchantStoreName":"Müller & Söhne <b>","noteToBuyer":"it's","customInformation":"x=y"}`,
	} {
		if _, err := parseRequest([]byte(with(members)), []string{shop}); err != nil {
			t.Errorf("%s: %v", members, err)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add([]byte(asked))
	f.Add([]byte(with(`"startUrl":"https://shop.example/x","deliverySpecifications":{"addressRestrictions":{"type":"Allowed","restrictions":{"DE":{"zipCodes":["1*"]}}}}`)))
	f.Add([]byte(with(`"merchantMetadata":{"noteToBuyer":"\ud800"}`)))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := parseRequest(body, []string{shop})
		if err != nil {
			if bad, ok := errors.AsType[fieldErrors](err); !ok || len(bad) == 0 {
				t.Fatalf("%v names no member", err)
			}
			return
		}
		if r.startURL != "" && !strings.HasPrefix(strings.ToLower(r.startURL), shop) || r.returnTo != "" && !strings.HasPrefix(strings.ToLower(r.returnTo), shop) {
			t.Errorf("leads elsewhere: %+v", r)
		}
		p, err := amazonpay.MarshalPayload(payload{ChargePermissionID: r.chargePermission, Details: r.Details})
		if err != nil {
			t.Fatalf("accepted a payload that cannot be signed: %v", err)
		}
		if strings.ContainsRune(string(p), '\\') {
			t.Errorf("a backslash: %s", p)
		}
	})
}

func TestPayloadsHaveNoBackslashAndDecodeUnchanged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String()
		d := session.Details{
			Scopes: rapid.SliceOf(rapid.SampledFrom(knownScopes)).Draw(t, "scopes"),
			MerchantMetadata: &session.MerchantMetadata{
				MerchantReferenceID: text.Draw(t, "reference"), MerchantStoreName: text.Draw(t, "store"),
				NoteToBuyer: text.Draw(t, "note"), CustomInformation: text.Draw(t, "information"),
			},
		}
		if len(d.Scopes) == 0 {
			d.Scopes = nil
		}
		d.Scopes = slices.Compact(slices.Sorted(slices.Values(d.Scopes)))
		var bad fieldErrors
		bad.metadata(d.MerchantMetadata)
		in := payload{WebCheckoutDetails: webCheckoutDetails{CheckoutResultReturnURL: "https://pay.example/return?t=x&y=z"}, ChargePermissionID: one, Details: d}
		out, err := amazonpay.MarshalPayload(in)
		if err != nil && len(bad) == 0 {
			t.Fatalf("accepted a request whose payload is refused: %v", err)
		}
		if len(bad) > 0 {
			// U+FFFD could be signed, but it replaces broken UTF-8.
			if err == nil && !strings.ContainsRune(string(out), '\uFFFD') {
				t.Fatalf("refused a valid request: %v", bad)
			}
			return
		}
		if strings.ContainsRune(string(out), '\\') {
			t.Fatalf("a backslash: %s", out)
		}
		var again payload
		if err := json.Unmarshal(out, &again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(in, again); diff != "" {
			t.Fatal(diff)
		}
	})
}

package amazonpay

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const (
	permissionID = "B01-0000000-0000000"
	sessionID    = "bd504926-f659-4ad7-a1a9-9a747aaf5275"
	permission   = `{"chargePermissionId":"` + permissionID + `"}`
	session      = `{"checkoutSessionId":"` + sessionID + `"}`
)

// host answers in Amazon's place.
type host func(*http.Request) (*http.Response, error)

func (h host) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return h(r)
}

func answer(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

func refusal(status int, reasonCode string) *http.Response {
	return answer(status, fmt.Sprintf(`{"reasonCode":%q,"message":"the message"}`, reasonCode))
}

func newClient(t testing.TB, change func(*Config), h host) *Client {
	t.Helper()
	config := Config{Region: EU, Environment: Sandbox, PublicKeyID: "ABC123DEF456XYZ", PrivateKey: testKey(), HTTPClient: &http.Client{Transport: h}}
	if change != nil {
		change(&config)
	}
	c, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestKeyAndEnvironmentChooseTheURL(t *testing.T) {
	for _, tt := range []struct {
		region      Region
		environment Environment
		key         string
		want        string
	}{
		{NA, Live, "ABC", "https://pay-api.amazon.com/live/v2/"},
		{EU, Sandbox, "ABC", "https://pay-api.amazon.eu/sandbox/v2/"},
		{JP, Live, "ABC", "https://pay-api.amazon.jp/live/v2/"},
		{NA, Live, "LIVE-ABC", "https://pay-api.amazon.com/v2/"},
		{EU, Sandbox, "SANDBOX-ABC", "https://pay-api.amazon.eu/v2/"},
		{EU, Sandbox, "sandbox-ABC", "https://pay-api.amazon.eu/v2/"},
		{JP, "", "LiveABC", "https://pay-api.amazon.jp/v2/"},
		{JP, "", "SANDBOX-ABC", "https://pay-api.amazon.jp/v2/"},
	} {
		var asked string
		c := newClient(t, func(c *Config) { c.Region, c.Environment, c.PublicKeyID = tt.region, tt.environment, tt.key },
			func(r *http.Request) (*http.Response, error) {
				asked = r.URL.String()
				return answer(200, permission), nil
			})
		if _, err := c.GetChargePermission(t.Context(), permissionID); err != nil {
			t.Error(err)
		}
		if want := tt.want + "chargePermissions/" + permissionID; asked != want {
			t.Errorf("%v asked %s, want %s", tt, asked, want)
		}
	}
}

func TestWrongSettingsAreRefused(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	fine := Config{Region: EU, Environment: Live, PublicKeyID: "ABC", PrivateKey: testKey(), HTTPClient: NewHTTPClient(nil, 1)}
	if _, err := New(fine); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"no region":             func(c *Config) { c.Region = "" },
		"alias as region":       func(c *Config) { c.Region = "de" },
		"no environment":        func(c *Config) { c.Environment = "" },
		"unknown environment":   func(c *Config) { c.Environment = "test" },
		"sandbox key, live":     func(c *Config) { c.PublicKeyID = "SANDBOX-ABC" },
		"live key, sandbox":     func(c *Config) { c.PublicKeyID, c.Environment = "live-ABC", Sandbox },
		"no key id":             func(c *Config) { c.PublicKeyID = "" },
		"key id ends a header":  func(c *Config) { c.PublicKeyID = "ABC\r\nx: y" },
		"key id ends parameter": func(c *Config) { c.PublicKeyID = "ABC, SignedHeaders=accept" },
		"no key":                func(c *Config) { c.PrivateKey = nil },
		"empty key":             func(c *Config) { c.PrivateKey = &rsa.PrivateKey{} },
		"weak key":              func(c *Config) { c.PrivateKey = weak },
		"algorithm":             func(c *Config) { c.Algorithm = "AMZN-PAY-RSASSA-PSS-V3" },
		"no HTTP client":        func(c *Config) { c.HTTPClient = nil },
		"no transport":          func(c *Config) { c.HTTPClient = &http.Client{} },
		"negative time-out":     func(c *Config) { c.Timeout = -1 },
		"user agent":            func(c *Config) { c.UserAgent = "a\r\nb: c" },
	} {
		c := fine
		change(&c)
		if client, err := New(c); err == nil || client != nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestKeysInBothEncodingsAreParsed(t *testing.T) {
	key := testKey()
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	plain8, plain1 := block("PRIVATE KEY", pkcs8), block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
	for name, text := range map[string]string{
		"PKCS#8":         plain8,
		"PKCS#1":         plain1,
		"Windows' lines": strings.ReplaceAll(plain8, "\n", "\r\n"),
		// What copying does to a key.
		"a byte order mark":           "\uFEFF" + plain8,
		"quotes":                      `"` + strings.TrimSpace(plain8) + `"`,
		"single quotes":               " '" + plain1 + "' \n",
		"line ends lost":              strings.ReplaceAll(plain8, "\n", ""),
		"line ends lost, PKCS#1":      strings.ReplaceAll(plain1, "\n", ""),
		"spaces for line ends":        strings.ReplaceAll(plain8, "\n", " "),
		`literal \n`:                  strings.ReplaceAll(plain8, "\n", `\n`),
		`literal \r\n, twice escaped`: strings.ReplaceAll(plain8, "\n", `\\r\\n`),
		`literal \n beside line ends`: strings.ReplaceAll(plain8, "\n", "\\n\n"),
		"all of it":                   "\uFEFF\"" + strings.ReplaceAll(plain8, "\n", `\n`) + "\"\r\n",
		"text before":                 "Bag Attributes\n" + plain8,
		"blanks around":               "\n\n" + plain1 + "\n  \n",
	} {
		if got, err := ParsePrivateKey([]byte(text)); err != nil || !got.Equal(key) {
			t.Errorf("%s: %v", name, err)
		}
	}

	elliptic256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := x509.MarshalPKCS8PrivateKey(elliptic256)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"nothing":             "",
		"not PEM":             "MIIEvQ",
		"public key":          block("PUBLIC KEY", public),
		"ECDSA":               block("PRIVATE KEY", ec),
		"1024 bits":           block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(weak)),
		"wrong label":         block("RSA PRIVATE KEY", pkcs8),
		"broken PKCS#8":       block("PRIVATE KEY", pkcs8[:len(pkcs8)-1]),
		"broken PKCS#1":       block("RSA PRIVATE KEY", []byte{0x30, 0}),
		"encrypted PKCS#8":    block("ENCRYPTED PRIVATE KEY", pkcs8),
		"encrypted PKCS#1":    "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
		"two keys":            plain8 + plain1,
		"cut off":             plain8[:len(plain8)/2],
		"no BEGIN":            strings.TrimPrefix(plain8, "-----BEGIN PRIVATE KEY-----"),
		"two labels":          strings.Replace(plain8, "END PRIVATE", "END RSA PRIVATE", 1),
		"a changed character": strings.Replace(plain8, "M", "*", 1),
		"a lost character":    strings.Replace(plain8, "MII", "MI", 1),
		"text after":          plain8 + "and more",
	} {
		got, err := ParsePrivateKey([]byte(text))
		if err == nil || got != nil {
			t.Errorf("%s: accepted", name)
		} else if len(text) > 100 && strings.Contains(err.Error(), text[60:80]) || strings.Contains(err.Error(), "illegal base64") {
			t.Errorf("%s: the error contains the key: %v", name, err)
		}
	}
}

func TestIDsThatWouldChangeThePathAreRefused(t *testing.T) {
	c := newClient(t, nil, func(*http.Request) (*http.Response, error) {
		t.Error("a request was sent")
		return answer(200, permission), nil
	})
	for _, id := range []string{"", ".", "..", "a/b", "a?b", "a b", "a%2fb", "ä", strings.Repeat("a", 65)} {
		if _, err := c.GetChargePermission(t.Context(), id); err == nil || Temporary(err) || NotFound(err) {
			t.Errorf("charge permission %q: %v", id, err)
		}
		if _, err := c.GetCheckoutSession(t.Context(), id); err == nil {
			t.Errorf("checkout session %q was asked for", id)
		}
		if _, err := c.CompleteCheckoutSession(t.Context(), id, "key"); err == nil {
			t.Errorf("checkout session %q was completed", id)
		}
	}
	for _, key := range []string{"", "a b", "a\nb", "ä", strings.Repeat("a", 33), "0f8fad5b-d9cb-469f-a165-70867728950e"} {
		if _, err := c.CompleteCheckoutSession(t.Context(), sessionID, key); err == nil {
			t.Errorf("idempotency key %q was sent", key)
		}
	}
}

const wholePermission = `{
	"chargePermissionId": "B01-0000000-0000000", "chargePermissionType": "PaymentMethodOnFile",
	"chargePermissionReferenceId": null, "platformId": null,
	"buyer": {"buyerId": "amzn1.account.X", "name": "Käthe Müller", "email": "k@example.com", "phoneNumber": "+49 30 1", "primeMembershipTypes": null},
	"releaseEnvironment": "Sandbox",
	"shippingAddress": {"name": "Käthe Müller", "addressLine1": "Hauptstr. 1", "addressLine2": null, "city": "Berlin", "postalCode": "10115", "countryCode": "DE"},
	"billingAddress": null,
	"paymentPreferences": [{"paymentDescriptor": "Visa ****1111 (Amazon Pay)"}],
	"statusDetails": {"state": "NonChargeable", "reasons": [{"reasonCode": "PaymentMethodExpired", "reasonDescription": "expired"}], "lastUpdatedTimestamp": "20191015T204313Z"},
	"creationTimestamp": "20191015T204313Z", "expirationTimestamp": null,
	"merchantMetadata": {"merchantReferenceId": "5"}, "recurringMetadata": {"frequency": null, "amount": null},
	"paymentMethodOnFileMetadata": {"setupOnly": true},
	"limits": {"amountLimit": {"amount": "1000.00", "currencyCode": "EUR"}, "amountBalance": {"amount": "5.10", "currencyCode": "EUR"}},
	"presentmentCurrency": "EUR", "somethingNew": {"a": [1]}
}`

func TestChargePermissionIsRead(t *testing.T) {
	c := newClient(t, nil, func(*http.Request) (*http.Response, error) {
		r := answer(200, wholePermission)
		r.Header.Set("x-amz-pay-request-id", "request-1")
		return r, nil
	})
	got, err := c.GetChargePermission(t.Context(), permissionID)
	if err != nil {
		t.Fatal(err)
	}
	at := Time{time.Date(2019, 10, 15, 20, 43, 13, 0, time.UTC)}
	want := &ChargePermission{
		ID: permissionID, Type: "PaymentMethodOnFile", ReleaseEnvironment: "Sandbox",
		Buyer:              Buyer{BuyerID: "amzn1.account.X", Name: "Käthe Müller", Email: "k@example.com", PhoneNumber: "+49 30 1"},
		ShippingAddress:    Address{Name: "Käthe Müller", AddressLine1: "Hauptstr. 1", City: "Berlin", PostalCode: "10115", CountryCode: "DE"},
		PaymentPreferences: []PaymentPreference{{"Visa ****1111 (Amazon Pay)"}},
		StatusDetails: ChargePermissionStatus{
			State: "NonChargeable", Reasons: []Reason{{"PaymentMethodExpired", "expired"}}, LastUpdatedTimestamp: at,
		},
		CreationTimestamp: at,
		Limits:            Limits{AmountLimit: Price{"1000.00", "EUR"}, AmountBalance: Price{"5.10", "EUR"}},
		Raw:               json.RawMessage(wholePermission),
		Response:          Response{StatusCode: 200, RequestID: "request-1", Duration: got.Response.Duration},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if !strings.Contains(string(got.Raw), "somethingNew") {
		t.Error("an unknown field is lost")
	}
}

func TestNullAndAbsentMeanTheSame(t *testing.T) {
	absent, err := decodeChargePermission([]byte(permission), permissionID, Response{})
	if err != nil {
		t.Fatal(err)
	}
	for _, nulls := range []string{
		`"buyer":null,"shippingAddress":null,"limits":null,"paymentPreferences":null,"statusDetails":null,"creationTimestamp":null,"platformId":null`,
		`"buyer":{"name":null,"primeMembershipTypes":null},"shippingAddress":{"city":null},"limits":{"amountLimit":null,"amountBalance":null},"statusDetails":{"reasons":null,"lastUpdatedTimestamp":null},"recurringMetadata":{"frequency":null,"amount":null}`,
	} {
		got, err := decodeChargePermission([]byte(`{"chargePermissionId":"`+permissionID+`",`+nulls+`}`), permissionID, Response{})
		if err != nil {
			t.Fatal(err)
		}
		got.Raw = absent.Raw
		if !reflect.DeepEqual(got, absent) {
			t.Errorf("%s: got %+v", nulls, got)
		}
	}
}

func TestTimesInBothFormsAreRead(t *testing.T) {
	for _, s := range []string{`"20260203T040506Z"`, `"2026-02-03T04:05:06Z"`, `"2026-02-03T05:05:06+01:00"`} {
		got, err := decodeChargePermission([]byte(`{"chargePermissionId":"`+permissionID+`","creationTimestamp":`+s+`}`), permissionID, Response{})
		if err != nil || got.CreationTimestamp.Time != time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC) || got.Unreadable != nil {
			t.Errorf("%s: %+v, %v", s, got, err)
		}
	}
}

// A member of an unexpected form is empty and named, and the rest is read.
func TestEachMemberIsReadOnItsOwn(t *testing.T) {
	for _, tt := range []struct {
		name, member string
		unreadable   []string
		read         func(*ChargePermission) bool // what is read all the same
	}{
		{"members that are not stored", `"buyer":{"name":"A","primeMembershipTypes":{"a":1}},"merchantMetadata":"m","paymentMethodOnFileMetadata":{"setupOnly":"yes"},
			"platformId":5,"recurringMetadata":[],"presentmentCurrency":{}`, nil, func(p *ChargePermission) bool { return p.Buyer.Name == "A" }},
		{"an amount as a number", `"limits":{"amountLimit":{"amount":1000.00,"currencyCode":"EUR"}}`, nil,
			func(p *ChargePermission) bool { return p.Limits.AmountLimit == Price{"1000.00", "EUR"} }},
		{"an amount for people", `"limits":{"amountLimit":{"amount":"1,000.00","currencyCode":"EUR"},"amountBalance":{"amount":"5"}}`, []string{"limits.amountLimit.amount"},
			func(p *ChargePermission) bool { return p.Limits == Limits{Price{"", "EUR"}, Price{"5", ""}} }},
		{"an amount with an exponent", `"limits":{"amountBalance":{"amount":1e99999}}`, []string{"limits.amountBalance.amount"}, nil},
		{"an empty amount", `"limits":{"amountBalance":{"amount":""}}`, []string{"limits.amountBalance.amount"}, nil},
		{"limits as a list", `"limits":[]`, []string{"limits"}, nil},
		{"a price as a text", `"limits":{"amountLimit":"5.00 EUR"}`, []string{"limits.amountLimit"}, nil},
		{"a time for people", `"creationTimestamp":"some day","expirationTimestamp":5`, []string{"creationTimestamp", "expirationTimestamp"}, nil},
		{"a time before all time", `"expirationTimestamp":"0000-01-01T00:00:00Z"`, []string{"expirationTimestamp"}, nil},
		{"a phone number as a number", `"buyer":{"name":"A","phoneNumber":49301234567}`, []string{"buyer.phoneNumber"},
			func(p *ChargePermission) bool { return p.Buyer == Buyer{Name: "A"} }},
		{"a buyer as a text", `"buyer":"A"`, []string{"buyer"}, nil},
		{"an address with a list in it", `"shippingAddress":{"city":["B"],"countryCode":"DE"}`, []string{"shippingAddress.city"},
			func(p *ChargePermission) bool { return p.ShippingAddress.CountryCode == "DE" }},
		{"payment preferences as an object", `"paymentPreferences":{"paymentDescriptor":"Visa"}`, []string{"paymentPreferences"}, nil},
		{"one payment preference of two", `"paymentPreferences":[{"paymentDescriptor":"Visa"},{"paymentDescriptor":5}]`, []string{"paymentPreferences"},
			func(p *ChargePermission) bool { return p.PaymentPreferences == nil }},
		{"a reason as a text", `"statusDetails":{"state":"Closed","reasons":["BuyerClosed"]}`, []string{"statusDetails.reasons"},
			func(p *ChargePermission) bool {
				return p.StatusDetails.State == "Closed" && p.StatusDetails.Reasons == nil
			}},
		{"a description as an object", `"statusDetails":{"reasons":[{"reasonCode":"MFAFailed","reasonDescription":{}}]}`, []string{"statusDetails.reasons.reasonDescription"},
			func(p *ChargePermission) bool { return p.StatusDetails.Reasons[0] == Reason{Code: "MFAFailed"} }},
		{"a state as a number", `"statusDetails":{"state":1,"lastUpdatedTimestamp":"20260203T040506Z"}`, []string{"statusDetails.state"},
			func(p *ChargePermission) bool { return !p.StatusDetails.LastUpdatedTimestamp.IsZero() }},
		{"a type as a list", `"chargePermissionType":["Recurring"],"releaseEnvironment":true`, []string{"chargePermissionType", "releaseEnvironment"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := `{` + tt.member + `,"chargePermissionId":"` + permissionID + `"}`
			got, err := decodeChargePermission([]byte(body), permissionID, Response{})
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got.Unreadable, tt.unreadable) || string(got.Raw) != body {
				t.Errorf("unreadable: %q, want %q; raw %s", got.Unreadable, tt.unreadable, got.Raw)
			}
			if tt.read != nil && !tt.read(got) {
				t.Errorf("read: %+v", got)
			}
		})
	}
	s, err := decodeCheckoutSession([]byte(`{"checkoutSessionId":"`+sessionID+`","chargePermissionId":{},"statusDetails":{"state":"Completed","reasonCode":5},
		"constraints":"none","paymentPreferences":1,"buyer":[]}`), sessionID, Response{})
	if err != nil || s.StatusDetails.State != "Completed" || !reflect.DeepEqual(s.Unreadable, []string{"statusDetails.reasonCode", "chargePermissionId"}) {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestCheckoutSessionIsReadAndCompleted(t *testing.T) {
	const body = `{"checkoutSessionId":"` + sessionID + `","chargePermissionType":"PaymentMethodOnFile",
		"statusDetails":{"state":"Completed","reasonCode":null,"lastUpdatedTimestamp":"20260203T040506Z"},
		"chargePermissionId":"` + permissionID + `","chargeId":null,"constraints":[{"constraintId":"a","description":"b"}],"supplementaryData":{"x":1}}`
	var asked []string
	c := newClient(t, nil, func(r *http.Request) (*http.Response, error) {
		sent := ""
		if r.Body != nil {
			b, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			sent = string(b)
		}
		checkAuthorization(t, r, sent, 32)
		asked = append(asked, strings.Join([]string{r.Method, r.URL.Path, sent, r.Header.Get("x-amz-pay-idempotency-key")}, " "))
		return answer(200, body), nil
	})
	got, err := c.GetCheckoutSession(t.Context(), sessionID)
	if err != nil {
		t.Fatal(err)
	}
	completed, err := c.CompleteCheckoutSession(t.Context(), sessionID, "key_1-A")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*CheckoutSession{got, completed} {
		if s.ID != sessionID || s.ChargePermissionID != permissionID || s.StatusDetails.State != "Completed" || s.Response.StatusCode != 200 || string(s.Raw) != body {
			t.Errorf("got %+v", s)
		}
	}
	want := []string{
		"GET /sandbox/v2/checkoutSessions/" + sessionID + "  ",
		"POST /sandbox/v2/checkoutSessions/" + sessionID + "/complete {} key_1-A",
	}
	if !reflect.DeepEqual(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
}

// A time read at Date less Duration must not be later than when Amazon read.
func TestDateAndDurationAreHandedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		date := "Tue, 03 Feb 2026 04:05:06 GMT"
		status := 200
		c := newClient(t, nil, func(r *http.Request) (*http.Response, error) {
			trace := httptrace.ContextClientTrace(r.Context())
			time.Sleep(3 * time.Second) // connecting to a server that had closed the connection
			trace.GotConn(httptrace.GotConnInfo{})
			time.Sleep(time.Second) // connecting again
			trace.GotConn(httptrace.GotConnInfo{})
			time.Sleep(2 * time.Second)
			a := answer(status, permission)
			a.Body = io.NopCloser(io.MultiReader(slow(time.Second), a.Body))
			a.Header.Set("Date", date)
			return a, nil
		})
		want := Response{StatusCode: 200, Date: time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC), Duration: 2 * time.Second}
		got, err := c.GetChargePermission(t.Context(), permissionID)
		if err != nil {
			t.Fatal(err)
		}
		if got.Response != want {
			t.Errorf("got %+v, want %+v", got.Response, want)
		}
		status = 404
		want.StatusCode = 404
		_, err = c.GetChargePermission(t.Context(), permissionID)
		if e, ok := errors.AsType[*Error](err); !ok || e.Response != want {
			t.Errorf("got %+v, want the response %+v", err, want)
		}
		status = 200
		for _, unusable := range []string{"", "today", "Tue, 32 Feb 2026 04:05:06 GMT"} {
			date = unusable
			got, err := c.GetChargePermission(t.Context(), permissionID)
			if err != nil {
				t.Fatal(err)
			}
			if !got.Response.Date.IsZero() {
				t.Errorf("%q is read as %v", date, got.Response.Date)
			}
		}
	})
}

type slow time.Duration

func (s slow) Read([]byte) (int, error) {
	time.Sleep(time.Duration(s))
	return 0, io.EOF
}

func TestErrorsAnswerWhatCallersAsk(t *testing.T) {
	type answers struct{ notFound, throttled, misconfigured, objectRefused, temporary bool }
	ask := func(err error) answers {
		_, throttled := Throttled(err)
		return answers{NotFound(err), throttled, Misconfigured(err), ObjectRefused(err), Temporary(err)}
	}
	none, temporary := answers{}, answers{temporary: true}
	objectRefused := answers{objectRefused: true}
	misconfigured, throttled, notFound := answers{misconfigured: true}, answers{throttled: true, temporary: true}, answers{notFound: true}
	for _, tt := range []struct {
		status     int
		reasonCode string
		want       answers
	}{
		// The status, where the code is unknown or missing.
		{400, "", none}, {401, "", objectRefused}, {403, "", objectRefused}, {404, "", notFound}, {405, "", none},
		{408, "", temporary}, {409, "", none}, {422, "", none}, {425, "", temporary}, {426, "", misconfigured},
		{429, "", throttled}, {500, "", temporary}, {502, "", temporary}, {503, "", temporary}, {504, "", temporary},
		{404, "SomethingNew", notFound}, {301, "", none}, {302, "", none},
		// The code, where it is known.
		{404, "ResourceNotFound", notFound},
		{429, "TooManyRequests", throttled}, {503, "TooManyRequests", throttled},
		{401, "UnauthorizedAccess", objectRefused}, {403, "InvalidAuthentication", misconfigured},
		{403, "InvalidAccountStatus", objectRefused}, {403, "InvalidRequestSignature", misconfigured},
		{400, "InvalidRequestSignature", misconfigured}, {403, "InvalidAuthorizationToken", misconfigured},
		{426, "TLSVersionNotSupported", misconfigured},
		{500, "InternalServerError", temporary}, {500, "ProcessingFailure", temporary}, {503, "ServiceUnavailable", temporary},
		{408, "RequestTimeout", temporary},
		{422, ReasonCheckoutSessionCanceled, none}, {400, ReasonCheckoutSessionCanceled, none}, {500, ReasonCheckoutSessionCanceled, none},
		{404, ReasonInvalidCheckoutSessionStatus, none}, {400, ReasonDuplicateIdempotencyKey, none},
	} {
		c := newClient(t, nil, func(*http.Request) (*http.Response, error) { return refusal(tt.status, tt.reasonCode), nil })
		_, err := c.GetChargePermission(t.Context(), permissionID)
		if got := ask(err); got != tt.want {
			t.Errorf("%d %s: %+v, want %+v", tt.status, tt.reasonCode, got, tt.want)
		}
		if got := ReasonCode(fmt.Errorf("wrapped: %w", err)); got != tt.reasonCode {
			t.Errorf("the reason code is %q, want %q", got, tt.reasonCode)
		}
		if e, ok := errors.AsType[*Error](err); !ok || e.StatusCode != tt.status || e.Message != "the message" {
			t.Errorf("%d %s: got %#v", tt.status, tt.reasonCode, err)
		}
	}

	untrusted := &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
	for name, tt := range map[string]struct {
		err  error
		want answers
	}{
		"refused":   {&net.OpError{Op: "dial", Err: errors.New("connection refused")}, temporary},
		"closed":    {io.EOF, temporary},
		"proxy":     {proxyError(407), temporary},
		"untrusted": {untrusted, misconfigured},
	} {
		c := newClient(t, nil, func(*http.Request) (*http.Response, error) { return nil, tt.err })
		_, err := c.GetChargePermission(t.Context(), permissionID)
		if got := ask(err); got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: %+v, want %+v: %v", name, got, tt.want, err)
		}
	}
	for _, err := range []error{nil, io.EOF, context.Canceled} {
		if got := ask(err); got != none || ReasonCode(err) != "" {
			t.Errorf("of %v, which is not ours, %+v", err, got)
		}
	}
}

func TestUselessResponsesAreErrors(t *testing.T) {
	for name, body := range map[string]string{
		"empty":            "",
		"HTML":             "<html>",
		"null":             "null",
		"no id":            "{}",
		"another's":        `{"chargePermissionId":"B01-0000000-0000001"}`,
		"a list":           "[]",
		"an unreadable id": `{"chargePermissionId":5}`,
		"two":              permission + permission,
		"larger than 1 M":  permission + strings.Repeat(" ", 1<<20),
	} {
		c := newClient(t, nil, func(*http.Request) (*http.Response, error) { return answer(200, body), nil })
		got, err := c.GetChargePermission(t.Context(), permissionID)
		e, ok := errors.AsType[*Error](err)
		if got != nil || !ok || e.StatusCode != 200 || e.Err == nil || Temporary(err) || NotFound(err) || Misconfigured(err) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := decodeCheckoutSession([]byte(`{"checkoutSessionId":"another"}`), sessionID, Response{}); err == nil {
		t.Error("another checkout session was accepted")
	}
	if _, err := decodeCheckoutSession([]byte(`{`), sessionID, Response{}); err == nil {
		t.Error("half a checkout session was accepted")
	}
}

func TestLargestResponseIsRead(t *testing.T) {
	body := permission + strings.Repeat(" ", maxResponse-len(permission))
	c := newClient(t, nil, func(*http.Request) (*http.Response, error) { return answer(200, body), nil })
	if _, err := c.GetChargePermission(t.Context(), permissionID); err != nil {
		t.Error(err)
	}
}

func TestBrokenOffResponseIsTemporary(t *testing.T) {
	status := 200
	c := newClient(t, nil, func(*http.Request) (*http.Response, error) {
		a := answer(status, "")
		a.Body = io.NopCloser(io.MultiReader(strings.NewReader(permission[:10]), broken{}))
		return a, nil
	})
	if _, err := c.GetChargePermission(t.Context(), permissionID); !Temporary(err) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	status = 404
	if _, err := c.GetChargePermission(t.Context(), permissionID); !NotFound(err) {
		t.Errorf("a refusal's status is lost with its body: %v", err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestErrorsHoldNothingOfAResponseButCodeAndMessage(t *testing.T) {
	const secret = "Müller"
	for name, h := range map[string]host{
		"malformed": func(*http.Request) (*http.Response, error) { return answer(200, `{"buyer":{"name":"`+secret+`"`), nil },
		"wrong type": func(*http.Request) (*http.Response, error) {
			return answer(200, `{"buyer":{"name":{"`+secret+`":"`+secret+`"},"phoneNumber":49301234567}}`), nil
		},
		"number": func(*http.Request) (*http.Response, error) {
			return answer(200, `{"buyer":{"phoneNumber":49301234567}}`), nil
		},
		"refusal": func(*http.Request) (*http.Response, error) {
			return answer(400, `{"reasonCode":"InvalidRequest","message":"no","buyer":"`+secret+`"}`), nil
		},
		"refusal in HTML":  func(*http.Request) (*http.Response, error) { return answer(500, "<p>"+secret), nil },
		"code of any text": func(*http.Request) (*http.Response, error) { return answer(400, `{"reasonCode":"`+secret+`"}`), nil },
		"code of no text": func(*http.Request) (*http.Response, error) {
			return answer(400, `{"reasonCode":{"a":"`+secret+`"}}`), nil
		},
		"malformed HTTP": func(*http.Request) (*http.Response, error) {
			return nil, errors.New("malformed HTTP response \"" + secret)
		},
		"malformed request": func(*http.Request) (*http.Response, error) { return nil, fmt.Errorf("wrapped: %w", errors.New(secret)) },
	} {
		c := newClient(t, nil, h)
		_, err := c.GetChargePermission(t.Context(), permissionID)
		if err == nil || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "49301234567") {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.Contains(err.Error(), "get charge permission "+permissionID) {
			t.Errorf("%s: the error does not name the call: %v", name, err)
		}
	}
}

func TestMessageOfARefusalIsBounded(t *testing.T) {
	body, err := json.Marshal(map[string]string{"reasonCode": strings.Repeat("A", 65), "message": "line\nline\u202e" + strings.Repeat("ü", 1000)})
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, nil, func(*http.Request) (*http.Response, error) {
		a := answer(400, string(body))
		a.Header.Set("x-amz-pay-request-id", strings.Repeat("r", 1000))
		return a, nil
	})
	_, err = c.GetChargePermission(t.Context(), permissionID)
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatal(err)
	}
	if e.ReasonCode != "" || len(e.Message) > 300 || len(e.Message) < 298 || !strings.HasPrefix(e.Message, "linelineü") || len(e.Response.RequestID) != 128 {
		t.Errorf("%d bytes of request id, %d of message: %v", len(e.Response.RequestID), len(e.Message), err)
	}
}

func TestErrorHasAmazonsReasonAndMessage(t *testing.T) {
	c := newClient(t, nil, func(*http.Request) (*http.Response, error) {
		a := refusal(429, "TooManyRequests")
		a.Header.Set("x-amz-pay-request-id", "r-1")
		return a, nil
	})
	_, err := c.GetChargePermission(t.Context(), permissionID)
	want := `amazonpay: get charge permission B01-0000000-0000000: HTTP status 429 TooManyRequests: "the message" (request r-1)`
	if err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestRetryAfterIsRead(t *testing.T) {
	const date = "Tue, 03 Feb 2026 04:05:06 GMT"
	for value, want := range map[string]time.Duration{
		"":                              0,
		"0":                             0,
		"7":                             7 * time.Second,
		"-7":                            0,
		"1.5":                           0,
		"soon":                          0,
		"99999999":                      5 * time.Minute,
		"99999999999999999999999":       0,
		"9223372036854775807":           5 * time.Minute,
		"Tue, 03 Feb 2026 04:05:36 GMT": 30 * time.Second,
		"Tue, 03 Feb 2026 04:05:05 GMT": 0,
		"Tue, 03 Feb 2036 04:05:05 GMT": 5 * time.Minute,
	} {
		c := newClient(t, nil, func(*http.Request) (*http.Response, error) {
			a := refusal(429, "TooManyRequests")
			a.Header.Set("Date", date)
			a.Header.Set("Retry-After", value)
			return a, nil
		})
		_, err := c.GetChargePermission(t.Context(), permissionID)
		if got, ok := Throttled(err); !ok || got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	requests := 0
	c := newClient(t, func(c *Config) {
		c.HTTPClient.CheckRedirect = func(*http.Request, []*http.Request) error { return nil }
	}, func(*http.Request) (*http.Response, error) {
		requests++
		a := answer(307, permission)
		a.Header.Set("Location", "https://evil.example/")
		return a, nil
	})
	_, err := c.CompleteCheckoutSession(t.Context(), sessionID, "key")
	if e, ok := errors.AsType[*Error](err); !ok || e.StatusCode != 307 || requests != 1 {
		t.Errorf("%d requests, %v", requests, err)
	}
}

func TestUserAgentIsSentUnsigned(t *testing.T) {
	for sent, want := range map[string]string{"": "walletsync", "shop/1.0 (go; a@b)": "", "shop/1.0 (go; linux)": "shop/1.0 (go; linux)"} {
		config := Config{Region: EU, Environment: Live, PublicKeyID: "ABC", PrivateKey: testKey(), UserAgent: sent,
			HTTPClient: &http.Client{Transport: host(func(r *http.Request) (*http.Response, error) {
				if got := r.Header.Get("User-Agent"); got != want || strings.Contains(r.Header.Get("Authorization"), "user-agent") {
					t.Errorf("got %q, want %q", got, want)
				}
				return answer(200, permission), nil
			})}}
		c, err := New(config)
		if want == "" {
			if err == nil {
				t.Errorf("%q was accepted", sent)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.GetChargePermission(t.Context(), permissionID); err != nil {
			t.Error(err)
		}
	}
}

// Retrying is the callers' part: a method sends one request, whatever the answer.
func TestACallSendsOneRequest(t *testing.T) {
	for _, status := range []int{200, 302, 400, 401, 403, 404, 408, 409, 422, 425, 426, 429, 500, 503} {
		requests := 0
		c := newClient(t, nil, func(*http.Request) (*http.Response, error) {
			requests++
			return answer(status, "{}"), nil
		})
		if _, err := c.GetChargePermission(t.Context(), permissionID); err == nil || requests != 1 {
			t.Errorf("%d: %d requests, then %v", status, requests, err)
		}
	}
}

func TestCancelledCallIsTemporary(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	requests := 0
	c := newClient(t, nil, func(*http.Request) (*http.Response, error) {
		requests++
		cancel()
		return nil, ctx.Err()
	})
	_, err := c.GetChargePermission(ctx, permissionID)
	if !errors.Is(err, context.Canceled) || !Temporary(err) || requests != 1 {
		t.Errorf("%d requests, then %v", requests, err)
	}
}

func TestContextAndTimeoutEndACall(t *testing.T) {
	stalled := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	stalledBody := func(r *http.Request) (*http.Response, error) {
		a := answer(200, "")
		a.Body = io.NopCloser(readerFunc(func([]byte) (int, error) {
			<-r.Context().Done()
			return 0, r.Context().Err()
		}))
		return a, nil
	}
	for name, tt := range map[string]struct {
		timeout, deadline, want time.Duration
		host                    host
	}{
		"default time-out":        {0, time.Hour, 8 * time.Second, stalled},
		"time-out":                {time.Second, time.Hour, time.Second, stalled},
		"deadline":                {0, 3 * time.Second, 3 * time.Second, stalled},
		"time-out in the body":    {time.Second, time.Hour, time.Second, stalledBody},
		"deadline in the body":    {0, 3 * time.Second, 3 * time.Second, stalledBody},
		"deadline passed already": {0, -1, 0, stalled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				c := newClient(t, func(c *Config) { c.Timeout = tt.timeout }, tt.host)
				ctx, cancel := context.WithTimeout(t.Context(), tt.deadline)
				defer cancel()
				_, err := c.GetChargePermission(ctx, permissionID)
				if !Temporary(err) || !errors.Is(err, context.DeadlineExceeded) || !strings.HasSuffix(err.Error(), "timed out") {
					t.Error(err)
				}
				if took := time.Since(start); took != tt.want {
					t.Errorf("took %v, want %v", took, tt.want)
				}
			})
		})
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

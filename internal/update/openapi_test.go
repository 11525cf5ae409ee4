package update

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"walletsync/internal/local/apidoc"
	"walletsync/internal/update/pages"
	"walletsync/internal/update/session"
	"walletsync/internal/wallet"
)

var write = flag.Bool("update", false, "write functions/update-start/openapi.json as the types are now")

// describedIn is the file with the description of the merchant's API.
const describedIn = "../../functions/update-start/openapi.json"

// longest limits a text.
func longest(characters uint64) func(*openapi3.Schema) {
	return func(s *openapi3.Schema) { s.MaxLength = &characters }
}

// each limits the items of a list.
func each(limit func(*openapi3.Schema), more ...func(*openapi3.Schema)) func(*openapi3.Schema) {
	return func(s *openapi3.Schema) {
		limit(s.Items.Value)
		for _, m := range more {
			m(s)
		}
	}
}

func distinct(s *openapi3.Schema) { s.UniqueItems = true }

// ownPage limits a page of the merchant's own.
func ownPage(s *openapi3.Schema) {
	longest(maxPageURL)(s)
	s.Format = "uri"
}

// problems returns the error answers. codes has the codes of each status.
func problems(codes map[int][]string) (all []apidoc.Answer) {
	says := map[int]string{
		http.StatusBadRequest:            "The request is not as documented; errors names each member.",
		http.StatusUnauthorized:          "There is no valid key in the header Authorization.",
		http.StatusNotFound:              "Amazon Pay does not know the charge permission in this account and environment.",
		http.StatusConflict:              "The charge permission cannot be updated; detail says why and what to do.",
		http.StatusRequestEntityTooLarge: "The request is too large.",
		http.StatusServiceUnavailable:    "Something that is needed cannot be reached just now. Send the request again after the seconds in Retry-After.",
	}
	for _, status := range []int{
		http.StatusBadRequest, http.StatusUnauthorized, http.StatusNotFound, http.StatusConflict, http.StatusRequestEntityTooLarge,
		http.StatusServiceUnavailable,
	} {
		if codes[status] == nil {
			continue
		}
		a := apidoc.Answer{Status: status, Says: says[status], Codes: codes[status], Model: problem{}, ContentType: "application/problem+json"}
		switch status {
		case http.StatusUnauthorized:
			a.Headers = map[string]string{"WWW-Authenticate": "Bearer"}
		case http.StatusServiceUnavailable:
			a.Headers = map[string]string{"Retry-After": "Seconds to wait."}
		}
		all = append(all, a)
	}
	return append(all,
		apidoc.Answer{Status: http.StatusForbidden, Says: "API Gateway's own answer where the caller is known by IAM, and its signature does not hold."},
		apidoc.Answer{Status: http.StatusTooManyRequests, Says: "API Gateway's own answer to too many requests a second. Send the request again later."},
		apidoc.Answer{Says: "An answer of API Gateway's own. A 5xx may pass: send the request again later."},
	)
}

// description returns the description of the merchant's API.
func description() apidoc.Description {
	return apidoc.Description{
		Info: openapi3.Info{
			Title: "walletsync: the merchant's API", Version: "1",
			Description: "What a merchant's server asks of walletsync: update sessions for buyers, and announcements of new Saved Wallets.\n\n" +
				"Members, values of status and code, and optional members of requests are only added: what is there keeps its name and its meaning. " +
				"So ignore members of answers that you do not know, and treat a code that you do not know by its HTTP status. " +
				"Members of a request that are not described are refused. Times are RFC 3339 in UTC. Texts are counted in characters.",
		},
		Servers: openapi3.Servers{{URL: "https://wallet.example.com", Description: "PUBLIC_URL of the deployment"}},
		Security: map[string]*openapi3.SecurityScheme{
			"bearerKey": openapi3.NewSecurityScheme().WithType("http").WithScheme("bearer").WithDescription("A key of BEARER_SECRET_ARN; during a rotation the previous one is valid too."),
			"iam": openapi3.NewSecurityScheme().WithType("apiKey").WithName("Authorization").WithIn("header").
				WithDescription("With AUTH=iam in place of the key: AWS Signature Version 4 for the service execute-api."),
		},
		Strict: true,
		Operations: []apidoc.Operation{
			{
				Method: http.MethodPost, Path: "/update-sessions", ID: "createUpdateSession", Summary: "Start an update of a buyer's Saved Wallet.",
				Says: "Makes an update session, whose link leads the buyer to the update page, and signs what a button on a page of your own needs. " +
					fmt.Sprintf("A request has %d kB at most. Sent again, it makes another update session, which does no harm.", maxBody>>10),
				Request: SessionRequest{},
				Answers: append([]apidoc.Answer{{
					Status: http.StatusCreated, Says: "The update session.", Model: SessionAnswer{}, Headers: map[string]string{"Location": "url of the answer."},
				}}, problems(map[int][]string{
					http.StatusBadRequest: {"invalid_request"}, http.StatusUnauthorized: {"unauthorized"}, http.StatusNotFound: {"unknown_charge_permission"},
					http.StatusConflict:              {"closed", "not_followed", "not_updatable", "other_account"},
					http.StatusRequestEntityTooLarge: {"too_large"}, http.StatusServiceUnavailable: {"unavailable"},
				})...),
			},
			{
				Method: http.MethodPost, Path: "/charge-permissions", ID: "announceChargePermissions", Summary: "Announce new Saved Wallets.",
				Says: "Makes charge permissions known, also where follow.knownOnly is set, and has those read that were never read, as soon as a notification would. " +
					fmt.Sprintf("A request has %d kB at most. It can be sent again at any time: what is known asks for nothing new, and the answer says how it stands.", maxAnnouncementBody>>10),
				Request: AnnouncementRequest{},
				Answers: append([]apidoc.Answer{
					{Status: http.StatusOK, Says: "None of them is to be read.", Model: AnnouncementAnswer{}},
					{Status: http.StatusAccepted, Says: "At least one of them is to be read: its status is requested or pending.", Model: AnnouncementAnswer{}},
				}, problems(map[int][]string{
					http.StatusBadRequest: {"invalid_request"}, http.StatusUnauthorized: {"unauthorized"},
					http.StatusRequestEntityTooLarge: {"too_large"}, http.StatusServiceUnavailable: {"unavailable"},
				})...),
			},
		},
		Members: members(),
	}
}

func members() map[string]apidoc.Member {
	id := apidoc.Pattern(wallet.ChargePermissionIDPattern)
	account := apidoc.Pattern(wallet.AccountIDPattern)
	return map[string]apidoc.Member{
		"SessionRequest":                        {Says: "What is to be updated, and how."},
		"SessionRequest.chargePermissionId":     {Says: "The Saved Wallet.", Limit: id},
		"SessionRequest.update":                 {Says: "What the buyer changes.", Limit: apidoc.OneOf(pages.Address, pages.PaymentMethod, pages.Both)},
		"SessionRequest.account":                {Says: "Its account, as the configuration names it. Needed where there are several, and the charge permission was never read or is stored for several.", Limit: account},
		"SessionRequest.locale":                 {Says: "The buyer's language, such as de, de_DE or de-DE. Without one the browser's languages decide.", Limit: apidoc.Pattern(localeForm.String())},
		"SessionRequest.productType":            {Says: "Overrides Amazon's product type, which follows from update and from whether a shipping address is stored. PayOnly only with update payment_method, and not where the charge permission has a shipping address.", Limit: apidoc.OneOf(payAndShip, payOnly)},
		"SessionRequest.startUrl":               {Says: "Your page from which the buyer can begin again after a failure. Its origin must be in RETURN_ORIGINS, and it must not hold the charge permission's id.", Limit: ownPage},
		"SessionRequest.returnTo":               {Says: "Your page to which the buyer comes back, with status (success, failed or pending) and updateSessionId appended to its query. Its origin must be in RETURN_ORIGINS, and it must not hold the charge permission's id.", Limit: ownPage},
		"SessionRequest.deliverySpecifications": {Says: "Which addresses the buyer may choose."},
		"SessionRequest.scopes":                 {Says: "The details of the buyer that are asked for, each once. Without it Amazon's default for the product type.", Limit: each(apidoc.OneOf(knownScopes...), distinct)},
		"SessionRequest.merchantMetadata":       {Says: "What you attach to the update."},

		"DeliverySpecifications":                     {Says: "Amazon Pay's deliverySpecifications."},
		"DeliverySpecifications.specialRestrictions": {Says: "Kinds of addresses that are excluded, each once.", Limit: each(apidoc.OneOf(knownSpecial...), distinct)},
		"DeliverySpecifications.addressRestrictions": {Says: "Places that are allowed or excluded."},
		"AddressRestrictions":                        {Says: "Places by country."},
		"AddressRestrictions.type":                   {Says: "Whether the places are allowed or excluded.", Limit: apidoc.OneOf("Allowed", "NotAllowed")},
		"AddressRestrictions.restrictions":           {Says: "The places, by the country's code of ISO 3166-1 alpha-2, such as DE or GB.", Limit: func(s *openapi3.Schema) { s.MinProps = 1 }},
		"Restriction":                                {Says: "A part of a country; empty, all of it."},
		"Restriction.statesOrRegions":                {Says: "States or regions; in the US states of two letters, such as WA. " + plainText, Limit: each(nonEmpty)},
		"Restriction.zipCodes":                       {Says: "Zip codes; a * at the end stands for any ending.", Limit: each(apidoc.Pattern(zipCode.String()))},

		"MerchantMetadata":                     {Says: "Amazon Pay's merchantMetadata. " + plainText},
		"MerchantMetadata.merchantReferenceId": {Says: "Your reference.", Limit: longest(maxReferenceID)},
		"MerchantMetadata.merchantStoreName":   {Says: "Your shop's name, which the buyer reads.", Limit: longest(maxStoreName)},
		"MerchantMetadata.noteToBuyer":         {Says: "A note, which the buyer reads.", Limit: longest(maxNote)},
		"MerchantMetadata.customInformation":   {Says: "For yourself.", Limit: longest(maxCustomInformation)},

		"SessionAnswer":                 {Says: "An update session."},
		"SessionAnswer.updateSessionId": {Says: "Names the update session; the buyer comes back with it.", Limit: apidoc.Format("uuid")},
		"SessionAnswer.url":             {Says: "The update page: lead the buyer there.", Limit: apidoc.Format("uri")},
		"SessionAnswer.expiresAt":       {Says: "Until when url can be opened."},
		"SessionAnswer.checkout":        {Says: "For a button on a page of your own, in place of url."},

		"Checkout":                  {Says: "What a page passes to amazon.Pay.initCheckout."},
		"Checkout.scriptUrl":        {Says: "Amazon's script of the account's region.", Limit: apidoc.Format("uri")},
		"Checkout.merchantId":       {Says: "The merchant's id."},
		"Checkout.publicKeyId":      {Says: "The id of the key that signed."},
		"Checkout.ledgerCurrency":   {Says: "The account's currency, of ISO 4217."},
		"Checkout.checkoutLanguage": {Says: "The region's language that is nearest to locale."},
		"Checkout.productType":      {Says: "Amazon's product type.", Limit: apidoc.OneOf(payAndShip, payOnly)},
		"Checkout.placement":        {Says: "Where the button stands, for Amazon."},
		"Checkout.sandbox":          {Says: "Whether it is Amazon Pay's sandbox."},
		"Checkout.payloadJSON":      {Says: "What was signed: pass it on byte for byte."},
		"Checkout.signature":        {Says: "The signature of payloadJSON."},
		"Checkout.algorithm":        {Says: "How it was signed."},

		"AnnouncementRequest": {Says: "New Saved Wallets of one account."},
		"AnnouncementRequest.chargePermissionIds": {Says: "The charge permissions, each once.", Limit: each(id, distinct, func(s *openapi3.Schema) {
			most := uint64(MaxAnnounced)
			s.MinItems, s.MaxItems = 1, &most
		})},
		"AnnouncementRequest.account": {Says: "Their account, as the configuration names it. Needed where there are several.", Limit: account},

		"AnnouncementAnswer":                     {Says: "What came of an announcement."},
		"AnnouncementAnswer.chargePermissions":   {Says: "Each of the request, in its order."},
		"AnnouncedPermission":                    {Says: "What came of one charge permission."},
		"AnnouncedPermission.chargePermissionId": {Says: "The charge permission.", Limit: id},
		"AnnouncedPermission.status": {Says: "requested: not known until now, and read soon. pending: known, and not read yet. stored: read, and kept in step. " +
			"not_followed: of a type that is not kept in step. not_found: Amazon Pay does not know it. erased: its personal data was erased, and none is stored until the buyer's next update. " +
			"other_account: it is stored for another account of the configuration.", Limit: apidoc.OneOf(wallet.AnnouncementStatuses()...)},

		"Problem":        {Says: "Why a request came to nothing (RFC 9457)."},
		"Problem.title":  {Says: "The HTTP status in words."},
		"Problem.status": {Says: "The HTTP status."},
		"Problem.detail": {Says: "What to do, for people."},
		"Problem.code":   {Says: "What is wrong, for programs."},
		"Problem.errors": {Says: "Each member of the request that is not as documented."},

		"FieldError":        {Says: "What is wrong with one member."},
		"FieldError.field":  {Says: "The member, such as scopes[1]; body, where it is the request as a whole."},
		"FieldError.detail": {Says: "What is wrong with it. What was sent is not quoted."},
	}
}

// plainText describes the texts that JSON can contain without a backslash.
const plainText = "Quotation marks, backslashes and control characters are refused, since a payload with them cannot be signed."

func nonEmpty(s *openapi3.Schema) { s.MinLength = 1 }

func TestDescriptionMatchesTheTypes(t *testing.T) {
	doc, err := description().Document()
	if err != nil {
		t.Fatal(err)
	}
	b, err := apidoc.Encode(doc)
	if err != nil {
		t.Fatal(err)
	}
	if *write {
		if err := os.WriteFile(describedIn, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(describedIn)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, file) {
		t.Error("openapi.json does not match the types (-update writes it); removing or retyping a member breaks clients")
	}
	checker(t) // validates it
}

// merchantAPI checks requests and answers against the description.
type merchantAPI struct{ *apidoc.Checker }

// asks returns how a request's body violates the description.
func (c merchantAPI) asks(t *testing.T, path, body string) error {
	t.Helper()
	q := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, nil)
	q.Header.Set("Content-Type", "application/json")
	return c.Request(t.Context(), q, []byte(body))
}

func checker(t *testing.T) merchantAPI {
	t.Helper()
	file, err := os.ReadFile(describedIn)
	if err != nil {
		t.Fatal(err)
	}
	c, err := apidoc.NewChecker(file)
	if err != nil {
		t.Fatal(err)
	}
	return merchantAPI{c}
}

// asDescribed makes a request, checks the answer against the description, and reports
// whether the request matches it.
func (w *world) asDescribed(t *testing.T, c merchantAPI, path, body string, headers ...string) (got *httptest.ResponseRecorder, broken error) {
	t.Helper()
	got = w.postTo(t, path, body, headers...)
	q := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, nil)
	if err := c.Answer(t.Context(), q, got.Code, got.Header(), got.Body.Bytes()); err != nil {
		t.Error(err)
	}
	return got, c.asks(t, path, body)
}

// everyMember are requests with every member.
var everyMember = map[string]any{
	"/update-sessions": SessionRequest{
		ChargePermissionID: string(one), Update: pages.Both, Account: "main", Locale: "de_DE", ProductType: payAndShip,
		StartURL: shop + "/account", ReturnTo: shop + "/account", Scopes: []string{"name", "email"},
		DeliverySpecifications: &session.DeliverySpecifications{
			SpecialRestrictions: []string{"RestrictPOBoxes", "RestrictPackstations"},
			AddressRestrictions: &session.AddressRestrictions{Type: "Allowed", Restrictions: map[string]session.Restriction{
				"DE": {StatesOrRegions: []string{"Berlin"}, ZipCodes: []string{"10115"}},
			}},
		},
		MerchantMetadata: &session.MerchantMetadata{MerchantReferenceID: "1", MerchantStoreName: "Shop", NoteToBuyer: "Hello", CustomInformation: "x"},
	},
	"/charge-permissions": func() (r AnnouncementRequest) {
		for i := range MaxAnnounced {
			r.ChargePermissionIDs = append(r.ChargePermissionIDs, fmt.Sprintf("S01-0000000-%07d", i))
		}
		r.Account = "main"
		return r
	}(),
}

// Each limit of the description is the code's. A value at the limit is accepted, and a
// value beyond it is refused with the member's name. The description agrees.
func TestDescribedLimitsMatchTheCode(t *testing.T) {
	c := checker(t)
	for path, example := range everyMember {
		tries, err := c.Tries(http.MethodPost, path, example)
		if err != nil {
			t.Fatal(err)
		}
		if len(tries) < 10 {
			t.Errorf("%s: only %d limits", path, len(tries))
		}
		for _, try := range tries {
			t.Run(path+" "+try.Name, func(t *testing.T) {
				got, broken := newWorld().asDescribed(t, c, path, string(try.Body))
				if (broken == nil) != try.Valid {
					t.Errorf("violates the description: %v", broken)
				}
				switch {
				case try.Valid && got.Code < http.StatusBadRequest:
				case try.Valid && strings.HasPrefix(try.Name, "productType: "+payOnly): // invalid with an address, which no schema can express
				case try.Valid:
					t.Errorf("%d %s", got.Code, got.Body)
				default:
					code, fields := problemOf(t, got)
					named := slices.Contains(fields, try.Member) || slices.Contains(fields, strings.Replace(try.Member, ".DE", "", 1)) // encoding/json names no key
					if got.Code != http.StatusBadRequest || code != "invalid_request" || !named {
						t.Errorf("%d %s %v, want %s", got.Code, code, fields, try.Member)
					}
				}
			})
		}
	}
}

// Every kind of answer, including errors, matches the description.
func TestAnswersMatchTheDescription(t *testing.T) {
	c := checker(t)
	everything := func(path string) string {
		b, err := json.Marshal(everyMember[path])
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	permission := func(change func(*session.Permission)) func(*world) {
		return func(w *world) { change(&w.store.permissions[0]) }
	}
	for _, a := range []struct {
		name, path, body string
		change           func(*world)
		headers          []string
		want             int
	}{
		{"the least", "/update-sessions", asked, nil, nil, 201},
		{"every member", "/update-sessions", everything("/update-sessions"), nil, nil, 201},
		{"no JSON", "/update-sessions", "x", nil, nil, 400},
		{"several members", "/update-sessions", with(`"locale":"german","scopes":["x","y"]`), nil, nil, 400},
		{"no key", "/update-sessions", asked, nil, []string{"Authorization", ""}, 401},
		{"unknown to Amazon", "/update-sessions", asked, permission(func(p *session.Permission) { p.Gone = true }), nil, 404},
		{"closed", "/update-sessions", asked, permission(func(p *session.Permission) { p.State = wallet.Closed }), nil, 409},
		{"not followed", "/update-sessions", asked, permission(func(p *session.Permission) { p.Followed, p.Type = false, "OneTime" }), nil, 409},
		{"not updatable", "/update-sessions", asked, permission(func(p *session.Permission) { p.Type = "Recurring" }), nil, 409},
		{"another account", "/update-sessions", asked, permission(func(p *session.Permission) { p.Account = "gone" }), nil, 409},
		{"too large", "/update-sessions", asked + strings.Repeat(" ", maxBody), nil, nil, 413},
		{"the database is down", "/update-sessions", asked, func(w *world) { w.store.down = errDown }, nil, 503},

		{"new", "/charge-permissions", announced(3), nil, nil, 202},
		{"the most", "/charge-permissions", everything("/charge-permissions"), nil, nil, 202},
		{"every status", "/charge-permissions", announced(len(wallet.AnnouncementStatuses())), func(w *world) {
			w.announced.stored = map[wallet.ChargePermissionID]wallet.AnnouncementStatus{}
			for i, status := range wallet.AnnouncementStatuses() {
				w.announced.stored[wallet.ChargePermissionID(fmt.Sprintf("S01-0000000-%07d", i+1))] = status
			}
		}, nil, 202},
		{"known", "/charge-permissions", announced(1), func(w *world) {
			w.announced.stored = map[wallet.ChargePermissionID]wallet.AnnouncementStatus{one: wallet.AnnouncementStored}
		}, nil, 200},
		{"no id", "/charge-permissions", `{"chargePermissionIds":["x",""]}`, nil, nil, 400},
		{"no key", "/charge-permissions", announced(1), nil, []string{"Authorization", ""}, 401},
		{"too large", "/charge-permissions", announced(1) + strings.Repeat(" ", maxAnnouncementBody), nil, nil, 413},
		{"the database is down", "/charge-permissions", announced(1), func(w *world) { w.announced.down = errDown }, nil, 503},
		{"the key is not to be had", "/charge-permissions", announced(1), func(w *world) {
			w.start.BearerKeys = func(context.Context, bool) ([]string, error) { return nil, errDown }
		}, nil, 503},
	} {
		t.Run(a.path+" "+a.name, func(t *testing.T) {
			w := newWorld()
			if a.change != nil {
				a.change(w)
			}
			got, broken := w.asDescribed(t, c, a.path, a.body, a.headers...)
			if got.Code != a.want {
				t.Errorf("%d %s, want %d", got.Code, got.Body, a.want)
			}
			if (broken != nil) != (a.want == http.StatusBadRequest) {
				t.Errorf("the request violates the description: %v", broken)
			}
		})
	}
}

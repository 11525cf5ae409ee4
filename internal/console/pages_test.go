package console

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"walletsync/internal/console/view"
)

var rewrite = flag.Bool("update", false, "rewrite openapi.json and the golden files of the pages")

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// shownAt is the time at which these tests look at pages.
var shownAt = time.Date(2026, 11, 24, 20, 15, 0, 0, time.UTC)

func testPages(t testing.TB) *pageWriter {
	t.Helper()
	p, err := newPageWriter(Options{Location: time.UTC, Now: func() time.Time { return shownAt }, Random: zeros{}})
	if err != nil {
		t.Fatal(err)
	}
	p.failed = func(_ *http.Request, err error) { t.Error(err) }
	return p
}

func ago(d time.Duration) *time.Time {
	t := shownAt.Add(-d)
	return &t
}

func raw(s string) json.RawMessage { return json.RawMessage(s) }

var (
	clerk       = view.Identity{Subject: "s", Name: "Kim Clerk", Role: view.RoleAct, CSRF: "token"}
	reader      = view.Identity{Subject: "s", Name: "Kim Reader", Role: view.RoleRead, CSRF: "token"}
	withoutData = view.Identity{Subject: "s", Name: "Kim Masked", Role: view.RoleMasked, CSRF: "token"}
)

const shownID = "B01-1234567-7654321"

func rows() []view.Row {
	return []view.Row{
		{Account: "main", ChargePermissionID: shownID, Name: new("Anna Müller"), PostalCode: new("10115"), City: new("Berlin"), CountryCode: new("DE"), Chargeable: new(true),
			RequiredAction: new("nothing"), State: new("Chargeable"), PaymentDescriptor: new("Visa ****1111 (Amazon Pay)"), StoredAt: ago(time.Hour), At: ago(time.Hour)},
		{Account: "main", ChargePermissionID: "B01-0000000-0000002", Name: new("山田 太郎"), PostalCode: new("150-0002"), City: new("渋谷区"), Chargeable: new(false),
			RequiredAction: new("update"), State: new("NonChargeable"), StoredAt: ago(25 * time.Hour), At: ago(25 * time.Hour), FailedAttempts: 3, LastError: new("503 ServiceUnavailable")},
		{Account: "main", ChargePermissionID: "B01-0000000-0000003", Chargeable: new(false), RequiredAction: new("set_up_again"), State: new("Closed"), At: ago(72 * time.Hour)},
		{Account: "main", ChargePermissionID: "B01-0000000-0000004", At: ago(time.Minute)},
	}
}

func address(name, line1, code, city, country string) *view.Address {
	return &view.Address{Name: &name, Line1: &line1, PostalCode: &code, City: &city, CountryCode: &country, Since: ago(3 * time.Hour), AsOf: ago(3 * time.Hour)}
}

// aRecord is of one whose card has expired.
func aRecord() recordPage {
	changes := []view.Change{
		{Position: 44, Facet: "erased", Cause: "erasure", StoredAt: *ago(time.Minute)},
		{Position: 43, Facet: "state", Before: raw(`{"state":"Chargeable"}`), After: raw(`{"state":"NonChargeable","reason_codes":["PaymentMethodExpired"]}`), Cause: "ipn",
			AmazonRequestID: new("R-1"), StoredAt: *ago(20 * time.Minute)},
		{Position: 42, Facet: "shipping_address", Before: raw(`{"name":"Anna Müller","line1":"Alte Straße 1","city":"Köln","postal_code":"50667","country_code":"DE"}`),
			After: raw(`{"name":"Anna Müller","line1":"Neue Straße 2","city":"Berlin","postal_code":"10115","country_code":"DE"}`), Cause: "return", StoredAt: *ago(3 * time.Hour)},
		{Position: 7, Facet: "first_read", After: raw(`{"shipping_address":{"city":"Köln","country_code":"DE"},"payment_method":{"payment_descriptors":["Visa ****1111 (Amazon Pay)"]},"state":{"state":"Chargeable"},"expiry":{"expires_at":"2031-01-01T00:00:00Z"}}`),
			Cause: "import", StoredAt: *ago(90 * 24 * time.Hour)},
	}
	for i, h := range changes {
		changes[i].Differences = view.Differences(h.Facet, h.Before, h.After)
	}
	return recordPage{Record: view.Record{
		Account: "main", ChargePermissionID: shownID,
		Buyer:           &view.Buyer{BuyerID: new("amzn1.account.AAAA"), Name: new("Anna Müller"), Email: new("anna@example.com"), Phone: new("+49 30 123456")},
		ShippingAddress: address("Anna Müller", "Neue Straße 2", "10115", "Berlin", "DE"),
		BillingAddress:  address("Anna Müller", "Neue Straße 2", "10115", "Berlin", "DE"),
		PaymentState: &view.PaymentState{Reason: new("The card has expired"), RequiredAction: "update", State: new("NonChargeable"), ReasonCodes: []string{"PaymentMethodExpired"},
			Since: ago(21 * time.Minute), PaymentDescriptors: []string{"Visa ****1111 (Amazon Pay)"}, LimitAmount: new("500"), LimitRemaining: new("380.5"), LimitCurrency: new("EUR"), AsOf: ago(20 * time.Minute)},
		Freshness: view.Freshness{AsOf: ago(20 * time.Minute), StoredAt: ago(20 * time.Minute), LastCause: new("ipn"), AmazonRequestID: new("R-1"), LastNotifiedAt: ago(21 * time.Minute)},
		Timeline:  changes, TimelineNext: 7,
		Updates: []view.Update{
			{UpdateID: "3f0e8b5e-0000-4000-8000-000000000001", Requested: "payment_method", Open: true, State: "started", StartedAt: *ago(10 * time.Minute), ExpiresAt: shownAt.Add(47 * time.Hour)},
			{UpdateID: "3f0e8b5e-0000-4000-8000-000000000002", Requested: "address", State: "failed", FailureReason: new("BuyerCanceled"), StartedAt: *ago(5 * time.Hour), EndedAt: ago(4 * time.Hour), Attempts: 1},
			{UpdateID: "3f0e8b5e-0000-4000-8000-000000000003", Requested: "address", State: "completed", StartedAt: *ago(4 * time.Hour), EndedAt: ago(3 * time.Hour), ChangeStoredAt: ago(3 * time.Hour), Attempts: 1},
		},
		Notifications: []view.Notification{{MessageID: "m1", NotificationID: "n1", ObjectType: "CHARGE_PERMISSION", ObjectID: shownID, NotificationType: "STATE_CHANGE",
			PublishedAt: *ago(21 * time.Minute), ArrivedAt: *ago(21 * time.Minute), ProcessedAt: *ago(21 * time.Minute), Outcome: "wanted"}},
		RefundAndChargebackNotifications: []view.RefundOrChargebackNotification{{ObjectType: "REFUND", ObjectID: shownID + "-R000001", NotificationType: "STATE_CHANGE", PublishedAt: *ago(50 * time.Hour)}},
	}, Refreshed: "unchanged"}
}

// withoutPersonalData is the record as back_office_masked shows it.
func withoutPersonalData() recordPage {
	r := aRecord()
	r.Refreshed = ""
	r.Buyer = &view.Buyer{}
	region := &view.Address{StateOrRegion: new("Berlin"), CountryCode: new("DE"), Since: ago(3 * time.Hour)}
	r.ShippingAddress, r.BillingAddress = region, region
	r.Timeline[2].Differences = nil
	r.PaymentState.PaymentDescriptors = []string{"Visa ******** (Amazon Pay)"}
	return r
}

// neverRead is one of which nothing is known yet but that it is wanted.
func neverRead() recordPage {
	return recordPage{Record: view.Record{Account: "main", ChargePermissionID: shownID, Freshness: view.Freshness{RefreshPending: true, PendingSince: ago(time.Minute),
		PendingCause: new("ipn"), NextAttemptAt: new(shownAt.Add(30 * time.Second)), FailedAttempts: 2, LastError: new("503 ServiceUnavailable")}}}
}

func hours() []view.Hour {
	var all []view.Hour
	for i := range 24 {
		if i == 9 {
			continue // not counted
		}
		h := view.Hour{Hour: shownAt.Truncate(time.Hour).Add(time.Duration(i-23) * time.Hour), Notifications: 1000 + 100*(i%7), Changes: 40 * (i % 5), Failing: i % 9 / 7,
			OldestWanted: float64(i * 3), CountedUntil: shownAt, QuotaUsed: new(float64(i%10) / 12), Fetched: new(i * 40)}
		if h.Changes > 0 {
			h.LagP50, h.LagP95 = new(0.12+float64(i%3)/50), new(0.9+float64(i%4)/3)
		}
		all = append(all, h)
	}
	return all
}

type sight struct {
	who view.Identity
	v   any
}

// every is each page once, in each of its forms.
func every() map[string]sight {
	dead := []view.DeadLetter{
		{ID: "q-1", Reason: "foreign_topic", Kind: new("unreadable"), Account: new("main"), MessageID: new("m-7"), Topic: new("arn:aws:sns:eu-west-1:999999999999:foreign"),
			PublishedAt: ago(2 * time.Hour), SentAt: ago(2 * time.Hour), Body: new(`{"v":1,"kind":"unreadable"}`)},
		{ID: "q-2", Reason: "received_too_often", Kind: new("ipn"), Account: new("main"), ChargePermissionID: new(shownID), ObjectType: new("CHARGE"), ObjectID: new(shownID + "-C000001"), SentAt: ago(26 * time.Hour)},
		{ID: "q-3", Reason: "a_newer_word"},
	}
	failing := rows()[1:2]
	accounts := []view.AccountNow{{Account: "main", MerchantID: "M1", Environment: "live", Tokens: 9.6, Burst: 10, PerSecond: 2, OldestWantedSince: ago(12 * time.Minute), Failing: 3, LastNotificationAt: ago(40 * time.Second), Channel: "alive"}}
	cut := []view.AccountNow{{Account: "main", MerchantID: "M1", Environment: "live", Tokens: 10, Burst: 10, PerSecond: 2, LastNotificationAt: ago(50 * time.Hour), Channel: "dead", MissingNotifications: 2, MissingSince: ago(26 * time.Hour)}}
	return map[string]sight{
		"search":         {clerk, view.Search{}},
		"search-masked":  {withoutData, view.Search{Query: "Anna", Problem: "masked"}},
		"search-found":   {clerk, view.Search{Query: "an", SearchedAs: view.ByName, Rows: rows(), Next: "cursor"}},
		"search-none":    {reader, view.Search{Query: "nobody", State: "closed", SearchedAs: view.ByName, Rows: []view.Row{}}},
		"list":           {clerk, view.List{Filter: view.NotChargeable, Rows: rows(), Next: "cursor"}},
		"list-failing":   {clerk, view.List{Filter: view.Failing, Rows: failing}},
		"list-empty":     {reader, view.List{Filter: view.Stale, Rows: []view.Row{}}},
		"record":         {clerk, aRecord()},
		"record-masked":  {withoutData, withoutPersonalData()},
		"record-unread":  {reader, neverRead()},
		"link":           {clerk, view.Link{Account: "main", ChargePermissionID: shownID, Requested: "payment_method", URL: "https://update.example.com/update?t=" + strings.Repeat("A", 90), ExpiresAt: shownAt.Add(24 * time.Hour)}},
		"confirm-export": {clerk, view.Confirm{What: "export", Account: "main", ChargePermissionID: shownID}},
		"confirm-erase":  {clerk, view.Confirm{What: "erase", Account: "main", ChargePermissionID: shownID, Wrong: true}},
		"erased":         {clerk, view.Erased{Account: "main", ChargePermissionID: shownID}},
		"accesses": {clerk, view.Accesses{Account: "main", ChargePermissionID: shownID, Accesses: []view.Accessed{
			{At: shownAt.Add(-time.Minute), Subject: "u-1", Name: "Carla Clerk", Role: "read", What: "opened"},
			{At: shownAt.Add(-48 * time.Hour), Subject: "reports", Role: "act", What: "a_newer_word"}}}},
		"accesses-none":  {clerk, view.Accesses{Account: "main", ChargePermissionID: shownID}},
		"failures":       {clerk, view.Failures{DeadLetters: dead, Total: 60, Failing: failing, MoreFailing: true, Retried: new(2)}},
		"failures-none":  {withoutData, view.Failures{DeadLetters: []view.DeadLetter{}, Failing: []view.Row{}, Missing: true}},
		"overview":       {clerk, view.Overview{Span: "24h", From: shownAt.Truncate(time.Hour).Add(-23 * time.Hour), To: shownAt, Hours: hours(), Accounts: accounts, LastChangeAt: ago(5 * time.Minute), DeadLetters: new(2)}},
		"overview-cut":   {clerk, view.Overview{Span: "24h", From: shownAt.Truncate(time.Hour).Add(-23 * time.Hour), To: shownAt, Accounts: cut, DeadLetters: new(0)}},
		"overview-empty": {reader, view.Overview{Span: "7d", From: shownAt.Add(-7 * 24 * time.Hour), To: shownAt, Accounts: []view.AccountNow{{Account: "main", Environment: "live", Channel: "untested", ClosedUntil: new(shownAt.Add(4 * time.Minute)), ClosedWhy: new("InvalidRequestSignature")}}}},
		"problem":        {clerk, notFound},
		"problem-nobody": {view.Identity{}, unauthorized},
	}
}

// show writes a page as somebody sees it.
func show(p *pageWriter, language string, s sight) *httptest.ResponseRecorder {
	w, q := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/lists/stale", nil)
	q.Header.Set("Accept-Language", language)
	if s.who.Role > 0 {
		q = q.WithContext(view.WithIdentity(q.Context(), s.who))
	}
	p.show(w, q, http.StatusOK, s.v)
	return w
}

func TestPagesAreAsTheirGoldenFiles(t *testing.T) {
	p := testPages(t)
	files, err := filepath.Glob(filepath.Join("testdata", "*.html"))
	if err != nil || len(files) != 2*len(every()) && !*rewrite {
		t.Errorf("%d golden files for %d pages in two languages: %v", len(files), len(every()), err)
	}
	for name, s := range every() {
		for _, language := range languages {
			name := name + "." + language
			t.Run(name, func(t *testing.T) {
				got := show(p, language, s).Body.Bytes()
				// Styles and script are files of their own; here they would hide the rest.
				for bytes.Contains(got, []byte("<style nonce=\"AAAA")) {
					got = cut(got, "<style nonce=", "</style>")
				}
				got = cut(got, "<script nonce=", "</script>")
				file := filepath.Join("testdata", name+".html")
				if *rewrite {
					if err := os.WriteFile(file, got, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), string(got)); diff != "" {
					t.Errorf("%s (-update rewrites it): %s", file, diff)
				}
			})
		}
	}
}

// cut takes out the element that begins with open.
func cut(page []byte, open, end string) []byte {
	i := bytes.Index(page, []byte(open))
	if i < 0 {
		return page
	}
	to := i + bytes.Index(page[i:], []byte(end)) + len(end)
	return append(page[:i:i], page[to:]...)
}

// document is a page as a parser that others wrote sees it.
type document struct {
	Elements []string // in order, with their attributes' names
	Text     string
	Links    []string
	Forms    []string // where they are posted to, and whether they carry the token
	IDs      []string
}

func parse(t testing.TB, page string) (d document) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	attribute := func(n *html.Node, key string) string {
		for _, a := range n.Attr {
			if a.Key == key {
				return a.Val
			}
		}
		return ""
	}
	for n := range root.Descendants() {
		switch n.Type {
		case html.ElementNode:
			element := n.Data
			for _, a := range n.Attr {
				element += " " + a.Key
				switch a.Key {
				case "href", "src":
					d.Links = append(d.Links, a.Val)
				case "id":
					d.IDs = append(d.IDs, a.Val)
				}
			}
			d.Elements = append(d.Elements, element)
			if n.Data == "form" {
				form := attribute(n, "method") + " " + attribute(n, "action")
				for f := range n.Descendants() {
					if f.Data == "input" && attribute(f, "name") == "csrf" {
						form += " with " + attribute(f, "value")
					}
				}
				d.Forms = append(d.Forms, form)
			}
		case html.TextNode:
			if n.Parent.Data != "script" && n.Parent.Data != "style" {
				d.Text += n.Data
			}
		}
	}
	return d
}

// hostile is what Amazon, or a buyer, might write into a field.
var hostile = map[string]string{
	"element":       `<script>alert(1)</script>`,
	"attribute":     `" onmouseover="alert(1)`,
	"single quote":  `' autofocus onfocus='alert(1)`,
	"end of page":   `</dd></dl></section></main></body></html>`,
	"comment":       `<!-- `,
	"template":      `{{.Data}}`,
	"entity":        `&lt;b&gt; &amp;`,
	"right to left": "שלום ‮gnitset‬ مرحبا",
	"emoji":         "👩‍👩‍👧‍👦🇯🇵",
	"long line":     strings.Repeat("W", 200),
}

// everywhere puts a text into every field of the models that somebody else fills.
func everywhere(text string) (recordPage, view.List, view.Failures) {
	r := aRecord()
	r.Buyer = &view.Buyer{BuyerID: &text, Name: &text, Email: &text, Phone: &text}
	r.ShippingAddress = &view.Address{Name: &text, Line1: &text, Line2: &text, Line3: &text, City: &text, County: &text, District: &text,
		StateOrRegion: &text, PostalCode: &text, CountryCode: &text, Phone: &text}
	r.BillingAddress = address(text, "x", text, text, "JP")
	r.PaymentState.Reason, r.PaymentState.ReasonCodes, r.PaymentState.PaymentDescriptors = &text, []string{text}, []string{text}
	r.PaymentState.RequiredAction, r.PaymentState.LimitCurrency = text, &text
	value, _ := json.Marshal(map[string]string{"line1": text, "zz" + text: text})
	r.Timeline = []view.Change{{Facet: "shipping_address", Before: raw(`{"line1":"before"}`), After: value}, {Facet: text, Before: value, Cause: text, AmazonRequestID: &text}}
	for i, h := range r.Timeline {
		r.Timeline[i].Differences = view.Differences(h.Facet, h.Before, h.After)
	}
	r.Updates[0].State, r.Updates[1].FailureReason = text, &text
	r.Notifications[0].ObjectType, r.Notifications[0].ObjectID, r.Notifications[0].NotificationType, r.Notifications[0].Outcome = text, text, text, text
	r.Freshness.LastError, r.Freshness.AmazonRequestID = &text, &text
	row := view.Row{Account: "main", ChargePermissionID: shownID, Name: &text, PostalCode: &text, City: &text, State: &text, RequiredAction: &text, Chargeable: new(false), LastError: &text}
	dead := view.DeadLetter{ID: text, Reason: text, Kind: &text, Account: &text, ChargePermissionID: &text, ObjectType: &text, ObjectID: &text, MessageID: &text, Topic: &text, Body: &text}
	return r, view.List{Filter: view.Failing, Rows: []view.Row{row}}, view.Failures{DeadLetters: []view.DeadLetter{dead}, Failing: []view.Row{row}}
}

func TestDataOfOthersStaysText(t *testing.T) {
	p := testPages(t)
	shown := func(text string) (all [3]document) {
		r, l, f := everywhere(text)
		for i, v := range []any{r, l, f} {
			all[i] = parse(t, show(p, "en", sight{clerk, v}).Body.String())
		}
		return all
	}
	want := shown("x")
	for name, text := range hostile {
		t.Run(name, func(t *testing.T) {
			for i, got := range shown(text) {
				if diff := cmp.Diff(want[i].Elements, got.Elements); diff != "" {
					t.Errorf("the text became markup: %s", diff)
				}
				if n := strings.Count(got.Text, text); n < 5 {
					t.Errorf("%q is read %d times in %q", text, n, got.Text)
				}
			}
		})
	}
}

// TestNothingPersonalIsInAnAddressOrATitle: both are kept in the browser's
// history and in logs.
func TestNothingPersonalIsInAnAddressOrATitle(t *testing.T) {
	const person = "Q7personal"
	p := testPages(t)
	r, l, f := everywhere(person)
	for _, v := range []any{r, l, f, view.Search{Query: person, SearchedAs: view.ByName, Rows: l.Rows, Next: "cursor"}} {
		page := show(p, "en", sight{clerk, v}).Body.String()
		d := parse(t, page)
		for _, address := range append(d.Links, d.Forms...) {
			if strings.Contains(address, person) {
				t.Errorf("%T leads to %s", v, address)
			}
		}
		if title := page[strings.Index(page, "<title>"):strings.Index(page, "</title>")]; strings.Contains(title, person) {
			t.Errorf("%T is titled %s", v, title)
		}
	}
}

func TestEveryFormIsPostedHereWithTheToken(t *testing.T) {
	p := testPages(t)
	forms := 0
	for name, s := range every() {
		for _, form := range parse(t, show(p, "en", s).Body.String()).Forms {
			forms++
			if !strings.HasPrefix(form, "post /console/") || !strings.HasSuffix(form, " with token") {
				t.Errorf("%s: %s", name, form)
			}
		}
	}
	if forms < 20 {
		t.Errorf("%d forms were found", forms)
	}
}

// TestActionsAreOfferedToTheRoleActOnly but to search and to sign out.
func TestActionsAreOfferedToTheRoleActOnly(t *testing.T) {
	p := testPages(t)
	for name, s := range every() {
		if s.who.Role == 0 {
			continue
		}
		s.who = reader
		d := parse(t, show(p, "en", s).Body.String())
		if strings.HasPrefix(name, "confirm") {
			continue // they may not come here
		}
		for _, form := range d.Forms {
			if !strings.HasPrefix(form, "post /console/search ") && !strings.HasPrefix(form, "post /console/sign-out ") {
				t.Errorf("%s offers a reader %s", name, form)
			}
		}
		for _, link := range d.Links {
			if strings.HasSuffix(link, "/erase") || strings.HasSuffix(link, "/export") {
				t.Errorf("%s leads a reader to %s", name, link)
			}
		}
	}
}

func TestEveryPageIsGuarded(t *testing.T) {
	p := testPages(t)
	for name, s := range every() {
		w := show(p, "en", s)
		d := parse(t, w.Body.String())
		for _, e := range d.Elements {
			if (strings.HasPrefix(e, "script") || strings.HasPrefix(e, "style")) && e != "script nonce" && e != "style nonce" {
				t.Errorf("%s has %q without a nonce", name, e)
			}
			if strings.Contains(e, " on") || strings.Contains(e, " style") {
				t.Errorf("%s has an inline handler or style: %q", name, e)
			}
		}
		seen := map[string]bool{}
		for _, id := range d.IDs {
			if seen[id] {
				t.Errorf("%s has the id %s twice", name, id)
			}
			seen[id] = true
		}
		for _, link := range d.Links {
			if !strings.HasPrefix(link, "/console/") && !strings.HasPrefix(link, "#") {
				t.Errorf("%s leads to %s", name, link)
			}
		}
		for header, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
			"Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; script-src 'nonce-AAAAAAAAAAAAAAAAAAAAAAAA'; style-src 'nonce-AAAAAAAAAAAAAAAAAAAAAAAA'"} {
			if got := w.Header().Get(header); got != want {
				t.Errorf("%s: %s is %q, not %q", name, header, got, want)
			}
		}
	}
}

func TestEveryLanguageHasEveryText(t *testing.T) {
	said := map[string]map[string]string{}
	for _, language := range languages {
		if translations[language] == nil {
			t.Fatalf("no %s", language)
		}
		said[language] = map[string]string{}
		walk(reflect.ValueOf(translations[language]).Elem(), "", said[language])
	}
	if n := len(said["en"]); n < 200 {
		t.Errorf("%d texts were found", n)
	}
	same := map[string]bool{".Must.nothing": true}
	for _, language := range languages[1:] {
		for key, english := range said["en"] {
			text, ok := said[language][key]
			switch {
			case !ok || strings.TrimSpace(text) == "" && english != "":
				t.Errorf("%s says nothing for %s", language, key)
			case text == english && english != "" && !same[key]:
				t.Errorf("%s is not translated: %s", key, text)
			case strings.Contains(english, "%s") != strings.Contains(text, "%s"):
				t.Errorf("%s in %s has lost its %%s: %s", key, language, text)
			}
		}
		if len(said[language]) != len(said["en"]) {
			t.Errorf("%s has %d texts, English %d", language, len(said[language]), len(said["en"]))
		}
	}
	for _, f := range view.Filters() {
		for _, language := range languages {
			if translations[language].Filters[string(f)].Title == "" || translations[language].At[string(f)] == "" {
				t.Errorf("%s says nothing of the list %s", language, f)
			}
		}
	}
}

func walk(v reflect.Value, path string, said map[string]string) {
	switch v.Kind() {
	case reflect.String:
		said[path] = v.String()
	case reflect.Struct:
		for i := range v.NumField() {
			walk(v.Field(i), path+"."+v.Type().Field(i).Name, said)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			walk(v.MapIndex(k), path+"."+k.String(), said)
		}
	}
}

func TestTheChosenLanguageIsKept(t *testing.T) {
	p := testPages(t)
	q := httptest.NewRequest(http.MethodGet, "/overview?language=ja", nil)
	w := httptest.NewRecorder()
	p.show(w, q, http.StatusOK, notFound)
	cookies := w.Result().Cookies()
	if len(cookies) != 1 || !strings.Contains(w.Body.String(), `<html lang="ja">`) || !cookies[0].HttpOnly || cookies[0].Path != "/console/" {
		t.Fatalf("%v %s", cookies, w.Body)
	}
	q = httptest.NewRequest(http.MethodGet, "/overview", nil)
	q.Header.Set("Accept-Language", "en")
	q.AddCookie(cookies[0])
	w = httptest.NewRecorder()
	p.show(w, q, http.StatusOK, notFound)
	if !strings.Contains(w.Body.String(), `<html lang="ja">`) || len(w.Result().Cookies()) != 0 {
		t.Errorf("%v %s", w.Result().Cookies(), w.Body)
	}
}

func TestDurationsAreInTheirLargestUnit(t *testing.T) {
	s := &shown{Text: &english, Now: shownAt, location: time.UTC}
	for d, want := range map[time.Duration]string{
		0: "just now", 59 * time.Second: "just now", -30 * time.Second: "just now", time.Minute: "1 min ago", 90 * time.Minute: "1 h ago",
		47 * time.Hour: "47 h ago", 48 * time.Hour: "2 days ago", 800 * 24 * time.Hour: "2 years ago", -3 * time.Hour: "in 3 h",
	} {
		if got := s.Time(shownAt.Add(-d)).Ago; got != want {
			t.Errorf("%v: %q, not %q", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0 s", 120 * time.Millisecond: "120 ms", 1500 * time.Millisecond: "1.5 s", 3 * time.Second: "3 s", 42 * time.Second: "42 s"} {
		if got := s.duration(d); got != want {
			t.Errorf("%v: %q, not %q", d, got, want)
		}
	}
	if s.Time((*time.Time)(nil)) != nil {
		t.Error("there is a time where there is none")
	}
}

func TestAnAddressReadsAsOnAnEnvelope(t *testing.T) {
	s := &shown{Text: &english}
	japan := address("山田 太郎", "神南1-2-3", "150-0041", "渋谷区", "JP")
	japan.StateOrRegion = new("東京都")
	for _, c := range []struct {
		of   *view.Address
		want []string
	}{
		{address("Anna Müller", "Neue Straße 2", "10115", "Berlin", "DE"), []string{"Anna Müller", "Neue Straße 2", "10115 Berlin", "DE"}},
		{japan, []string{"〒150-0041", "東京都 渋谷区", "神南1-2-3", "山田 太郎"}},
		{&view.Address{}, nil},
		{nil, nil},
	} {
		if diff := cmp.Diff(c.want, s.Lines(c.of)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestAScaleEndsInARoundNumber(t *testing.T) {
	for f, want := range map[float64]float64{1: 1, 1.01: 2, 3: 4, 4.5: 5, 7: 10, 10: 10, 1234: 2000, 0.03: 0.04} {
		if got := niceTop(f); got < want*0.999999 || got > want*1.000001 {
			t.Errorf("%v: %v, not %v", f, got, want)
		}
	}
}

func TestAScaleOfTimeEndsInAWholeUnit(t *testing.T) {
	s := &shown{Text: &english}
	for f, want := range map[float64]string{0.3: "1 s", 3: "4 s", 61: "2 min", 1999: "40 min", 5000: "2 h", 90000: "2 days", 3 * 86400: "4 days", 30 * 86400: "40 days"} {
		if got := s.seconds(new(niceSeconds(f))); got != want {
			t.Errorf("%v: %s, not %s", f, got, want)
		}
	}
}

// TestALineHasAGapWhereNothingWasCounted: a line across the gap would show a lag
// that was not measured.
func TestALineHasAGapWhereNothingWasCounted(t *testing.T) {
	at := func(n int) time.Time { return shownAt.Truncate(time.Hour).Add(time.Duration(n) * time.Hour) }
	all := []view.Hour{{Hour: at(0), LagP50: new(1.0)}, {Hour: at(1), LagP50: new(2.0)}, {Hour: at(2)}, {Hour: at(3), LagP50: new(3.0)}, {Hour: at(5), LagP50: new(4.0)}}
	of := func(h view.Hour) (float64, bool) {
		if h.LagP50 == nil {
			return 0, false
		}
		return *h.LagP50, true
	}
	got := path(all, of, func(h time.Time) float64 { return h.Sub(at(0)).Hours() }, func(f float64) float64 { return f })
	if want := "M0 1L1 2M3 3h.01M5 4h.01"; got != want {
		t.Errorf("%s, not %s", got, want)
	}
}

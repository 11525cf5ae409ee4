package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"walletsync/internal/console/view"
	"walletsync/internal/privacy"
	"walletsync/internal/update"
	"walletsync/internal/wallet"
)

const id = "B01-0000000-0000001"

var (
	now      = time.Date(2026, 11, 24, 0, 30, 0, 0, time.UTC)
	errParts = errors.New("broken")
)

// parts is all that the console stands on, and remembers what it was asked.
type parts struct {
	asked   []string
	rows    map[string][]view.Row // by kind of search
	next    view.Cursor
	dead    []view.DeadLetter
	refused error
	got     wallet.Refreshed
	broken  string // the part that does not work
	log     bytes.Buffer
}

func (p *parts) ask(part, format string, args ...any) error {
	p.asked = append(p.asked, strings.TrimSpace(part+" "+fmt.Sprintf(format, args...)))
	if p.broken == part {
		return errParts
	}
	return nil
}

func (p *parts) Search(_ context.Context, masked bool, q view.Query) ([]view.Row, view.Cursor, error) {
	err := p.ask("search", "%s %q %q masked %v after %q", q.By, q.Term, q.State, masked, q.After.Place)
	rows := p.rows[q.By]
	if rows == nil {
		rows = []view.Row{}
	}
	return rows, p.next, err
}

func (p *parts) List(_ context.Context, masked bool, q view.ListQuery) ([]view.Row, view.Cursor, error) {
	since := ""
	if !q.Since.IsZero() {
		since = " since " + q.Since.UTC().Format(time.RFC3339)
	}
	return []view.Row{}, p.next, p.ask("list", "%s masked %v after %q%s", q.Filter, masked, q.After.Place, since)
}

func (p *parts) Record(_ context.Context, masked bool, account wallet.AccountID, of wallet.ChargePermissionID, before int64) (view.Record, bool, error) {
	err := p.ask("record", "%s %s before %d masked %v", account, of, before, masked)
	name := "Anna"
	return view.Record{Account: string(account), ChargePermissionID: string(of), Buyer: &view.Buyer{Name: &name},
		Timeline: []view.Change{{Facet: "shipping_address", Before: json.RawMessage(`{"city":"a"}`), After: json.RawMessage(`{"city":"b"}`)}},
		Updates:  []view.Update{}, Notifications: []view.Notification{}, RefundAndChargebackNotifications: []view.RefundOrChargebackNotification{}}, of == id, err
}

func (p *parts) Overview(_ context.Context, from time.Time, grace time.Duration) (view.Overview, error) {
	return view.Overview{Hours: []view.Hour{}, Accounts: []view.AccountNow{}}, p.ask("overview", "%s, patient for %v", from.Format(time.RFC3339), grace)
}

func (p *parts) Now(_ context.Context, w wallet.Want) (wallet.Refreshed, error) {
	return p.got, p.ask("refresh", "%s %s %d", w.Account, w.ChargePermission, w.Priority)
}

func (p *parts) NewLink(_ context.Context, account wallet.AccountID, of wallet.ChargePermissionID, change string) (update.Issued, error) {
	if err := p.ask("link", "%s %s %s", account, of, change); err != nil {
		return update.Issued{}, err
	}
	return update.Issued{URL: "https://update.example.com/update?t=secret"}, p.refused
}

type deadLetters struct{ *parts }

func (l deadLetters) List(_ context.Context, limit int) ([]view.DeadLetter, error) {
	return append([]view.DeadLetter{}, l.dead...), l.ask("letters", "%d", limit)
}
func (l deadLetters) Count(context.Context) (int, error) { return len(l.dead), l.ask("count", "") }
func (l deadLetters) Retry(_ context.Context, id string) (bool, error) {
	return id == "there", l.ask("retry", "%s", id)
}
func (l deadLetters) RetryAll(context.Context) (int, error) { return 7, l.ask("retry", "all") }

// ofPerson are the charge permissions of the person behind id.
var ofPerson = []privacy.Permission{{Account: "main", ID: id}, {Account: "main", ID: "B01-0000000-0000007"}}

func (p *parts) OfOnePerson(context.Context, wallet.AccountID, wallet.ChargePermissionID) ([]privacy.Permission, time.Time, error) {
	return ofPerson, now, p.ask("person", "")
}

func (p *parts) ExportPerson(_ context.Context, account wallet.AccountID, of []wallet.ChargePermissionID) ([]byte, error) {
	return []byte(`{"all":"of it"}`), p.ask("export", "%s %s", account, of)
}

func (p *parts) Erase(_ context.Context, account wallet.AccountID, of []wallet.ChargePermissionID, at time.Time, cause wallet.Cause) error {
	return p.ask("erase", "%s %s at %s for %s", account, of, at.Format(time.RFC3339), cause)
}

func (p *parts) LogAccess(_ context.Context, by view.Identity, a view.Access) error {
	var of []string
	for _, id := range a.ChargePermissions {
		of = append(of, string(a.Account)+" "+string(id))
	}
	return p.ask("access", "%s %s %s", by.Subject, a.What, strings.Join(append(of, a.Detail), " "))
}

// did returns what was asked but lines of the access log.
func (p *parts) did() []string {
	var all []string
	for _, a := range p.asked {
		if !strings.HasPrefix(a, "access ") {
			all = append(all, a)
		}
	}
	return all
}

// key signs the cursors of these tests.
func key(context.Context, bool) ([]string, error) { return []string{"a-key-of-the-tests"}, nil }

// sealed is a cursor as a page gave it out to somebody with a role.
func sealed(t testing.TB, role view.Role, c view.Cursor, list string, filter ...string) string {
	t.Helper()
	q := httptest.NewRequest("GET", "/", nil)
	q = q.WithContext(view.WithIdentity(q.Context(), view.Identity{Role: role}))
	s, err := cursors{key}.seal(q.Context(), cursorScope(q, list, filter...), c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (p *parts) Accesses(_ context.Context, account wallet.AccountID, of wallet.ChargePermissionID, limit int) ([]view.Accessed, error) {
	return []view.Accessed{{At: now, Subject: "u-1", Name: "Carla", Role: "read", What: "opened"}}, p.ask("accesses", "%s %s %d", account, of, limit)
}

// call is a request.
type call struct {
	method, path string
	form         url.Values
	json         bool   // the answer is to be JSON
	body         string // in JSON, instead of the form
	role         view.Role
}

func (p *parts) options() Options {
	return Options{Store: p, Refresher: p, Updates: p, DeadLetters: deadLetters{p}, Persons: p, Eraser: p, Accesses: p, CursorKeys: key, StaleAfter: 30 * 24 * time.Hour, GracePeriod: 5 * time.Minute,
		Now: func() time.Time { return now }, Location: time.FixedZone("JST", 9*60*60), Prefix: "/prod"}
}

func TestEveryPartOfTheConsoleIsRequired(t *testing.T) {
	var p parts
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Options]()) {
		o := p.options()
		reflect.ValueOf(&o).Elem().FieldByIndex(f.Index).SetZero()
		_, err := New(o)
		if optional := slices.Contains([]string{"Prefix", "Location", "Random"}, f.Name); optional != (err == nil) {
			t.Errorf("without %s: %v", f.Name, err)
		}
	}
}

func (p *parts) call(t testing.TB, c call) *httptest.ResponseRecorder {
	t.Helper()
	h, err := New(p.options())
	if err != nil {
		t.Fatal(err)
	}
	q := httptest.NewRequest(c.method, "/console"+c.path, strings.NewReader(c.form.Encode()))
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if c.body != "" {
		q = httptest.NewRequest(c.method, "/console"+c.path, strings.NewReader(c.body))
		q.Header.Set("Content-Type", "application/json")
	}
	if c.json {
		q.Header.Set("Accept", "application/json")
	}
	ctx := zerolog.New(&p.log).WithContext(q.Context())
	if c.role > 0 {
		ctx = view.WithIdentity(ctx, view.Identity{Subject: "subject", Role: c.role, CSRF: "token"})
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, q.WithContext(ctx))
	return w
}

const record = "/charge-permissions/main/" + id

func TestEachActionNeedsItsRole(t *testing.T) {
	for _, c := range []struct {
		call
		least view.Role
		want  int
	}{
		{call{method: "GET", path: "/"}, view.RoleMasked, 200},
		{call{method: "POST", path: "/search", form: url.Values{"q": {id}}}, view.RoleMasked, 200},
		{call{method: "GET", path: "/lists/stale"}, view.RoleMasked, 200},
		{call{method: "GET", path: record}, view.RoleMasked, 200},
		{call{method: "GET", path: "/failures"}, view.RoleMasked, 200},
		{call{method: "GET", path: "/overview"}, view.RoleMasked, 200},
		{call{method: "GET", path: "/nowhere"}, view.RoleMasked, 404},
		{call{method: "POST", path: record + "/refresh"}, view.RoleAct, 303},
		{call{method: "POST", path: record + "/update-links", form: url.Values{"update": {"both"}}}, view.RoleAct, 201},
		{call{method: "GET", path: record + "/export"}, view.RoleAct, 200},
		{call{method: "POST", path: record + "/export", form: url.Values{"confirm": {id}}}, view.RoleAct, 200},
		{call{method: "GET", path: record + "/erase"}, view.RoleAct, 200},
		{call{method: "POST", path: record + "/erase", form: url.Values{"confirm": {id}}}, view.RoleAct, 200},
		{call{method: "POST", path: "/failures/retry", form: url.Values{"all": {"1"}}}, view.RoleAct, 303},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			for role := view.Role(0); role <= view.RoleAct; role++ {
				var p parts
				c.role = role
				want := c.want
				switch {
				case role == 0:
					want = http.StatusUnauthorized
				case role < c.least:
					want = http.StatusForbidden
				}
				if got := p.call(t, c.call).Code; got != want {
					t.Errorf("as %s: %d, not %d", role, got, want)
				}
				if want := want != http.StatusUnauthorized && want != http.StatusForbidden; len(p.asked) > 0 && !want {
					t.Errorf("as %s: asked %v", role, p.asked)
				}
				for _, a := range p.asked {
					if strings.Contains(a, "masked ") && !strings.Contains(a, fmt.Sprint("masked ", role < view.RoleRead)) && !strings.Contains(a, "record main "+id+" before 0 masked true") {
						t.Errorf("as %s: %s", role, a)
					}
				}
			}
		})
	}
}

func TestTermsAreRecognisedByTheirForm(t *testing.T) {
	for given, want := range map[string][2]string{
		id:                         {view.ByID, id},
		" b01-0000000-0000001 ":    {view.ByID, id},
		id + "-C056351":            {view.ByID, id}, // of a charge
		"b01-00":                   {view.ByID, "B01-00"},
		"Anna@Example.com":         {view.ByEmail, "Anna@Example.com"},
		"10115":                    {view.ByPostalCode, "10115"},
		"sw1a 1aa":                 {view.ByPostalCode, "SW1A1AA"},
		"〒150-0041":                {view.ByPostalCode, "1500041"},
		"１５０－００４１":                 {view.ByPostalCode, "1500041"},
		"Anna  Müller":             {view.ByName, "Anna Müller"},
		"山田　太郎":                    {view.ByName, "山田 太郎"},
		"Anna Example the 3rd Esq": {view.ByName, "Anna Example the 3rd Esq"},
		"O'Brien-2":                {view.ByName, "O'Brien-2"},
		"%":                        {view.ByName, "%"},
	} {
		if by, term := term(given); by != want[0] || term != want[1] {
			t.Errorf("%q: %s %q", given, by, term)
		}
	}
}

func FuzzTerm(f *testing.F) {
	for _, s := range []string{"", id, "a@b", "150-0041", "山田　太郎", "\u0000", "〒", "B01-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		by, term := term(s)
		if !slices.Contains([]string{view.ByID, view.ByEmail, view.ByPostalCode, view.ByName}, by) {
			t.Errorf("%q by %q", s, by)
		}
		if by == view.ByPostalCode && strings.ContainsAny(term, " -") || by == view.ByID && !beginsAnID.MatchString(term) {
			t.Errorf("%q by %s: %q", s, by, term)
		}
	})
}

func TestASearch(t *testing.T) {
	row := func(id string) view.Row { return view.Row{Account: "main", ChargePermissionID: id} }
	two := []view.Row{row(id), row("B01-0000000-0000002")}
	cursor := view.Cursor{Account: "main", Place: id}
	for _, c := range []struct {
		name  string
		form  url.Values
		role  view.Role
		json  bool
		parts parts
		want  int
		asked []string
		says  string // in the page, or where it leads
	}{
		{"of nothing", url.Values{}, view.RoleRead, false, parts{}, 200, nil, "Find a charge permission"},
		{"by name", url.Values{"q": {"anna"}}, view.RoleRead, false, parts{rows: map[string][]view.Row{view.ByName: two}}, 200, []string{`search name "anna" "" masked false after ""`}, "Found: 2"},
		{"one hit leads to it", url.Values{"q": {"anna"}}, view.RoleRead, false, parts{rows: map[string][]view.Row{view.ByName: two[:1]}}, 303, []string{`search name "anna" "" masked false after ""`}, "/prod/console" + record},
		{"but programs get the search method", url.Values{"q": {"anna"}}, view.RoleRead, true, parts{rows: map[string][]view.Row{view.ByName: two[:1]}}, 200, []string{`search name "anna" "" masked false after ""`}, `"searched_as":"name"`},
		{"one hit on a second page does not", url.Values{"q": {"anna"}, "after": {sealed(t, view.RoleRead, cursor, "search", "anna", "")}}, view.RoleRead, false, parts{rows: map[string][]view.Row{view.ByName: two[:1]}}, 200, []string{`search name "anna" "" masked false after "` + id + `"`}, "Found: 1"},
		{"by state alone", url.Values{"state": {"closed"}}, view.RoleMasked, false, parts{rows: map[string][]view.Row{view.ByState: two}}, 200, []string{`search state "" "Closed" masked true after ""`}, "Found: 2"},
		{"digits that are a name's", url.Values{"q": {"area 51"}}, view.RoleRead, false, parts{rows: map[string][]view.Row{view.ByName: two}}, 200, []string{`search postal_code "AREA51" "" masked false after ""`, `search name "area 51" "" masked false after ""`}, "Searched as a name"},
		{"and their next page", url.Values{"q": {"area 51"}, "after": {sealed(t, view.RoleRead, view.Cursor{Account: "main", Place: id, Part: 1}, "search", "area 51", "")}}, view.RoleRead, false, parts{}, 200, []string{`search name "area 51" "" masked false after "` + id + `"`}, "Found: 0"},
		{"a short postcode", url.Values{"q": {"15"}}, view.RoleRead, false, parts{}, 422, nil, "at least three characters"},
		{"a name without the right to names", url.Values{"q": {"anna"}}, view.RoleMasked, false, parts{}, 422, nil, "without personal data"},
		{"an id without it", url.Values{"q": {id}}, view.RoleMasked, true, parts{}, 200, []string{`search charge_permission_id "` + id + `" "" masked true after ""`}, `"rows":[]`},
		{"a state that there is not", url.Values{"q": {"a"}, "state": {"odd"}}, view.RoleRead, false, parts{}, 400, nil, "That did not work"},
		{"a cursor that is none", url.Values{"q": {"a"}, "after": {"odd"}}, view.RoleRead, true, parts{}, 400, nil, `"code":"bad_request"`},
		{"NUL", url.Values{"q": {"a\x00"}}, view.RoleRead, false, parts{}, 400, nil, "That did not work"},
		{"no UTF-8", url.Values{"q": {"\xff"}}, view.RoleRead, false, parts{}, 400, nil, "That did not work"},
		{"too much", url.Values{"q": {strings.Repeat("a", 321)}}, view.RoleRead, false, parts{}, 400, nil, "That did not work"},
		{"far too much", url.Values{"q": {strings.Repeat("a", maxBody)}}, view.RoleRead, false, parts{}, 400, nil, "That did not work"},
		{"of a store that is down", url.Values{"q": {"secretname"}}, view.RoleRead, false, parts{broken: "search"}, 503, []string{`search name "secretname" "" masked false after ""`}, "Something went wrong"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := c.parts.call(t, call{method: "POST", path: "/search", form: c.form, role: c.role, json: c.json})
			says := w.Body.String() + w.Header().Get("Location")
			if w.Code != c.want || !strings.Contains(says, c.says) {
				t.Errorf("%d, not %d with %q: %s", w.Code, c.want, c.says, says)
			}
			if diff := cmp.Diff(c.asked, c.parts.did()); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(c.parts.log.String(), "secretname") {
				t.Errorf("logged: %s", &c.parts.log)
			}
		})
	}
}

func TestASearchInJSONMaySayItInJSON(t *testing.T) {
	var p parts
	w := p.call(t, call{method: "POST", path: "/search", body: `{"q":"anna","state":"chargeable"}`, json: true, role: view.RoleRead})
	if diff := cmp.Diff([]string{`search name "anna" "Chargeable" masked false after ""`}, p.did()); diff != "" || w.Code != 200 {
		t.Error(w.Code, diff)
	}
	if w = p.call(t, call{method: "POST", path: "/search", body: `{"q":["secret"]}`, json: true, role: view.RoleRead}); w.Code != 400 || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestASearchTermIsNeverInAnAddress(t *testing.T) {
	p := parts{next: view.Cursor{Account: "main", Place: id}, rows: map[string][]view.Row{view.ByName: {{Account: "main", ChargePermissionID: id}}}}
	w := p.call(t, call{method: "POST", path: "/search", form: url.Values{"q": {"secretname"}}, role: view.RoleRead})
	for _, part := range strings.Split(w.Body.String(), `"`) {
		if strings.HasPrefix(part, "/") && strings.Contains(part, "secretname") {
			t.Error(part)
		}
	}
	// A term in a URL is ignored, so that it is never put into one.
	p.asked = nil
	if w = p.call(t, call{method: "GET", path: "/search?q=secretname", role: view.RoleRead}); w.Code != 200 || len(p.asked) != 0 || strings.Contains(w.Body.String(), "secretname") {
		t.Errorf("%d %v", w.Code, p.asked)
	}
	if p.call(t, call{method: "POST", path: "/search?q=secretname", role: view.RoleRead}); len(p.asked) != 0 {
		t.Errorf("asked %v", p.asked)
	}
}

func TestLists(t *testing.T) {
	after := sealed(t, view.RoleRead, view.Cursor{Account: "main", Place: id, Micro: 1}, "list", "waiting")
	for path, want := range map[string]struct {
		code  int
		asked []string
	}{
		"/lists/not_chargeable":          {200, []string{`list not_chargeable masked false after ""`}},
		"/lists/waiting?after=" + after:  {200, []string{`list waiting masked false after "` + id + `"`}},
		"/lists/updated_today":           {200, []string{`list updated_today masked false after "" since 2026-11-23T15:00:00Z`}}, // midnight there
		"/lists/stale":                   {200, []string{`list stale masked false after "" since 2026-10-25T00:30:00Z`}},
		"/lists/of_nothing":              {404, nil},
		"/lists/waiting?after=something": {400, nil},
	} {
		var p parts
		if w := p.call(t, call{method: "GET", path: path, role: view.RoleRead}); w.Code != want.code || !slices.Equal(p.did(), want.asked) {
			t.Errorf("%s: %d %v", path, w.Code, p.asked)
		}
	}
}

func TestARecordIsShownOnlyOnceItsAccessIsLogged(t *testing.T) {
	var p parts
	w := p.call(t, call{method: "GET", path: record, json: true, role: view.RoleRead})
	if want := []string{"record main " + id + " before 0 masked false", "access subject opened main " + id}; w.Code != 200 || !slices.Equal(p.asked, want) {
		t.Errorf("%d %v", w.Code, p.asked)
	}
	if !strings.Contains(w.Body.String(), `"differences":[{"facet":"shipping_address","field":"city","before":"a","after":"b"}]`) {
		t.Error(w.Body)
	}
	p = parts{broken: "access"}
	for _, c := range []call{
		{method: "GET", path: record}, {method: "POST", path: record + "/refresh"}, {method: "POST", path: record + "/update-links", form: url.Values{"update": {"both"}}},
		{method: "POST", path: record + "/export", form: url.Values{"confirm": {id}}}, {method: "POST", path: record + "/erase", form: url.Values{"confirm": {id}}},
		{method: "POST", path: "/failures/retry", form: url.Values{"all": {"1"}}},
	} {
		c.role = view.RoleAct
		if w := p.call(t, c); w.Code != 503 || strings.Contains(w.Body.String(), "Anna") {
			t.Errorf("%s: %d %s", c.path, w.Code, w.Body)
		}
	}
	for _, a := range p.asked {
		if !strings.HasPrefix(a, "record ") && !strings.HasPrefix(a, "access ") && a != "person" {
			t.Errorf("done without being written down: %s", a)
		}
	}
}

func TestSearchesListsExportsErasuresAndRetriesAreInTheAccessLog(t *testing.T) {
	both := " main " + id + " main B01-0000000-0000007"
	for _, c := range []struct {
		call
		want string
	}{
		{call{method: "POST", path: "/search", form: url.Values{"q": {"anna"}}}, "searched name"},
		{call{method: "POST", path: "/search", form: url.Values{"q": {"anna@example.com"}, "state": {"closed"}}}, "searched email closed"},
		{call{method: "POST", path: "/search", form: url.Values{"state": {"closed"}}}, "searched state closed"},
		{call{method: "POST", path: "/search", form: url.Values{"q": {"area 51"}}}, "searched name"},
		{call{method: "GET", path: "/lists/stale"}, "listed stale"},
		{call{method: "GET", path: "/failures"}, "listed failures"},
		{call{method: "POST", path: record + "/export", form: url.Values{"confirm": {id}}}, "exported" + both},
		{call{method: "POST", path: record + "/erase", form: url.Values{"confirm": {id}}}, "erased" + both},
		{call{method: "POST", path: "/failures/retry", form: url.Values{"all": {"1"}}}, "retried all"},
		{call{method: "POST", path: "/failures/retry", form: url.Values{"id": {"there"}}}, "retried there"},
	} {
		c.role = view.RoleAct
		body := url.Values.Encode(c.form)
		var p parts
		p.call(t, c.call)
		if want := "access subject " + c.want; !slices.Contains(p.asked, want) || strings.Contains(strings.Join(p.asked, "\n"), "access subject searched name anna") {
			t.Errorf("%s %s: %q, not %q", c.path, body, p.asked, want)
		}
		// What cannot be written down is neither shown nor done.
		p = parts{broken: "access", rows: map[string][]view.Row{view.ByName: {{Account: "main", ChargePermissionID: "B01-0000000-0000009"}}}}
		if w := p.call(t, c.call); w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "0000009") {
			t.Errorf("%s %s: %d %s", c.path, body, w.Code, w.Body)
		}
		for _, a := range p.did() {
			if strings.HasPrefix(a, "retry") || strings.HasPrefix(a, "export") || strings.HasPrefix(a, "erase") {
				t.Errorf("done without being written down: %s", a)
			}
		}
	}
	// The form alone shows nothing.
	var p parts
	if p.call(t, call{method: "GET", path: "/", role: view.RoleRead}); len(p.asked) > 0 {
		t.Errorf("%v", p.asked)
	}
}

func TestTheRoleActSeesTheAccessLog(t *testing.T) {
	var p parts
	w := p.call(t, call{method: "GET", path: record + "/accesses", json: true, role: view.RoleAct})
	if want := []string{"accesses main " + id + " 200"}; w.Code != 200 || !slices.Equal(p.asked, want) ||
		!strings.Contains(w.Body.String(), `"accesses":[{"at":"2026-11-24T00:30:00Z","subject":"u-1","name":"Carla","role":"read","what":"opened"}]`) {
		t.Errorf("%d %v %s", w.Code, p.asked, w.Body)
	}
	for _, role := range []view.Role{view.RoleMasked, view.RoleRead} {
		p = parts{}
		if w := p.call(t, call{method: "GET", path: record + "/accesses", role: role}); w.Code != 403 || len(p.asked) > 0 {
			t.Errorf("%s: %d %v", role, w.Code, p.asked)
		}
	}
	p = parts{broken: "accesses"}
	if w := p.call(t, call{method: "GET", path: record + "/accesses", role: view.RoleAct}); w.Code != 503 {
		t.Errorf("broken: %d", w.Code)
	}
}

func TestUnknownRecordsAreNotFound(t *testing.T) {
	for path, want := range map[string]int{
		record: 200, record + "?before=4": 200, record + "?before=x": 400, record + "?before=0": 400, "/charge-permissions/main/B01-0000000-0000002": 404,
		"/charge-permissions/main/nonsense": 404, "/charge-permissions/Main/" + id: 404, "/charge-permissions/main/" + id + "/more": 404,
	} {
		var p parts
		w := p.call(t, call{method: "GET", path: path, role: view.RoleRead})
		if w.Code != want {
			t.Errorf("%s: %d", path, w.Code)
		}
		if want != 200 && slices.ContainsFunc(p.asked, func(a string) bool { return strings.HasPrefix(a, "access") }) {
			t.Errorf("%s: %v", path, p.asked)
		}
	}
}

func TestARefreshAnswersWithItsOutcome(t *testing.T) {
	for outcome, got := range map[string]wallet.Refreshed{
		"read":         {Settled: true, Kind: "read", Changes: []wallet.Change{{Facet: "shipping_address"}}},
		"unchanged":    {Settled: true, Kind: "read"},
		"gone":         {Settled: true, Kind: "gone"},
		"not_followed": {Settled: true, Kind: "not_followed"},
		"waiting":      {Kind: "failed"},
	} {
		p := parts{got: got}
		w := p.call(t, call{method: "POST", path: record + "/refresh", role: view.RoleAct})
		if to := w.Header().Get("Location"); w.Code != 303 || to != "/prod/console"+record+"?refreshed="+outcome {
			t.Errorf("%s: %d %s", outcome, w.Code, to)
		}
		if want := "refresh main " + id + " 15"; p.asked[len(p.asked)-1] != want {
			t.Errorf("%v", p.asked)
		}
		w = p.call(t, call{method: "GET", path: record + "?refreshed=" + outcome, role: view.RoleAct})
		if !strings.Contains(w.Body.String(), `role="status"`) {
			t.Errorf("outcome %s is not shown", outcome)
		}
		w = p.call(t, call{method: "POST", path: record + "/refresh", role: view.RoleAct, json: true})
		if !strings.Contains(w.Body.String(), `"outcome":"`+outcome+`"`) {
			t.Errorf("%s", w.Body)
		}
	}
	p := parts{broken: "refresh"}
	if w := p.call(t, call{method: "POST", path: record + "/refresh", role: view.RoleAct}); w.Code != 503 {
		t.Error(w.Code)
	}
	// Values that are no outcome are not shown.
	if w := p.call(t, call{method: "GET", path: record + "?refreshed=<b>", role: view.RoleAct}); strings.Contains(w.Body.String(), `role="status"`) {
		t.Error(w.Body)
	}
}

func TestALinkIsCreatedOrRefusedWithAReason(t *testing.T) {
	link := func(p *parts, update string, json bool) *httptest.ResponseRecorder {
		return p.call(t, call{method: "POST", path: record + "/update-links", form: url.Values{"update": {update}}, role: view.RoleAct, json: json})
	}
	var p parts
	if w := link(&p, "address", false); w.Code != 201 || !strings.Contains(w.Body.String(), "https://update.example.com/update?t=secret") || !slices.Contains(p.asked, "link main "+id+" address") {
		t.Errorf("%d %v", w.Code, p.asked)
	}
	if strings.Contains(p.log.String(), "secret") {
		t.Errorf("logged: %s", &p.log)
	}
	if w := link(&p, "everything", false); w.Code != 400 {
		t.Error(w.Code)
	}
	for code, want := range map[string]int{"closed": 409, "not_followed": 409, "not_updatable": 409, "unknown_charge_permission": 404, "new": 503} {
		p := parts{refused: fmt.Errorf("start: %w", update.RefusedError{Code: code})}
		if w := link(&p, "both", true); w.Code != want || want != 503 && !strings.Contains(w.Body.String(), code) {
			t.Errorf("%s: %d %s", code, w.Code, w.Body)
		}
	}
	p = parts{broken: "link"}
	if w := link(&p, "both", false); w.Code != 503 {
		t.Error(w.Code)
	}
	// Loaded again, the address leads back.
	if w := p.call(t, call{method: "GET", path: record + "/update-links", role: view.RoleAct}); w.Code != 303 || w.Header().Get("Location") != "/prod/console"+record {
		t.Errorf("%d %s", w.Code, w.Header())
	}
}

func TestExportAndErasureAreRecordedForEachChargePermissionFirst(t *testing.T) {
	for action, want := range map[string][]string{
		"export": {"access subject exported main " + id + " main B01-0000000-0000007", "export main [" + id + " B01-0000000-0000007]"},
		"erase":  {"access subject erased main " + id + " main B01-0000000-0000007", "erase main [" + id + " B01-0000000-0000007] at 2026-11-24T00:30:00Z for erasure"},
	} {
		for _, broken := range []string{"", "access"} {
			p := parts{broken: broken}
			p.call(t, call{method: "POST", path: record + "/" + action, form: url.Values{"confirm": {id}}, role: view.RoleAct})
			all := append([]string{"record main " + id + " before 0 masked true", "person"}, want...)
			if broken != "" {
				all = all[:3]
			}
			if diff := cmp.Diff(all, p.asked); diff != "" {
				t.Errorf("%s: %s", action, diff)
			}
		}
	}
}

func TestExportAndErasureAreConfirmedByTheID(t *testing.T) {
	for _, what := range []string{"export", "erase"} {
		for confirm, want := range map[string]int{id: 200, "b01-0000000-0000001": 200, "": 422, "yes": 422, "B01-0000000-0000002": 422} {
			var p parts
			w := p.call(t, call{method: "POST", path: record + "/" + what, form: url.Values{"confirm": {confirm}}, role: view.RoleAct})
			done := len(p.asked) > 1
			if w.Code != want || done != (want == 200) {
				t.Errorf("%s with %q: %d %v", what, confirm, w.Code, p.asked)
			}
		}
		for _, broken := range []string{"person", what} {
			p := parts{broken: broken}
			if w := p.call(t, call{method: "POST", path: record + "/" + what, form: url.Values{"confirm": {id}}, role: view.RoleAct}); w.Code != 503 {
				t.Errorf("%s without %s: %d", what, broken, w.Code)
			}
		}
	}
	var p parts
	w := p.call(t, call{method: "POST", path: record + "/export", form: url.Values{"confirm": {id}}, role: view.RoleAct})
	if w.Body.String() != `{"all":"of it"}` || w.Header().Get("Content-Disposition") != `attachment; filename="`+id+`.json"` || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%v %s", w.Header(), w.Body)
	}
}

func TestDeadLetterMessagesAreRetriedOneOrAll(t *testing.T) {
	body := "as it came"
	for _, c := range []struct {
		form url.Values
		want int
		to   string
		done string
	}{
		{url.Values{"id": {"there"}}, 303, "/prod/console/failures?retried=1", "retry there"},
		{url.Values{"id": {"gone"}}, 303, "/prod/console/failures?missing=1", "retry gone"},
		{url.Values{"all": {"1"}}, 303, "/prod/console/failures?retried=7", "retry all"},
		{url.Values{}, 400, "", ""},
		{url.Values{"all": {"1"}, "id": {"there"}}, 400, "", ""},
		{url.Values{"id": {strings.Repeat("x", 200)}}, 400, "", ""},
	} {
		var p parts
		w := p.call(t, call{method: "POST", path: "/failures/retry", form: c.form, role: view.RoleAct})
		if w.Code != c.want || w.Header().Get("Location") != c.to || strings.Join(p.did(), "") != c.done {
			t.Errorf("%v: %d %s %v", c.form, w.Code, w.Header().Get("Location"), p.asked)
		}
	}
	p := parts{dead: []view.DeadLetter{{ID: "there", Reason: "forged", Body: &body}}}
	w := p.call(t, call{method: "POST", path: "/failures/retry", form: url.Values{"id": {"gone"}}, role: view.RoleAct, json: true})
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"missing":true`) || !strings.Contains(w.Body.String(), `"total":1`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	// What came may hold anything.
	for role, shown := range map[view.Role]bool{view.RoleMasked: false, view.RoleRead: true} {
		if w := p.call(t, call{method: "GET", path: "/failures", role: role, json: true}); strings.Contains(w.Body.String(), body) != shown {
			t.Errorf("as %s: %s", role, w.Body)
		}
	}
	for _, broken := range []string{"letters", "count", "list", "retry"} {
		p := parts{broken: broken}
		c := call{method: "GET", path: "/failures", role: view.RoleAct}
		if broken == "retry" {
			c = call{method: "POST", path: "/failures/retry", form: url.Values{"all": {"1"}}, role: view.RoleAct}
		}
		if w := p.call(t, c); w.Code != 503 {
			t.Errorf("%s: %d", broken, w.Code)
		}
	}
}

// TestTheOverviewIsShownEvenIfTheQueueIsUnreachable: on call one needs it the more.
func TestTheOverviewIsShownEvenIfTheQueueIsUnreachable(t *testing.T) {
	p := parts{broken: "count"}
	w := p.call(t, call{method: "GET", path: "/overview?span=7d", role: view.RoleRead, json: true})
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"dead_letters":null`) || p.asked[0] != "overview 2026-11-17T01:00:00Z, patient for 5m0s" {
		t.Errorf("%d %v %s", w.Code, p.asked, w.Body)
	}
	p = parts{}
	w = p.call(t, call{method: "GET", path: "/overview", role: view.RoleRead, json: true})
	if !strings.Contains(w.Body.String(), `"dead_letters":0`) || !strings.Contains(w.Body.String(), `"span":"24h"`) || p.asked[0] != "overview 2026-11-23T01:00:00Z, patient for 5m0s" {
		t.Errorf("%d %v %s", w.Code, p.asked, w.Body)
	}
	if w = p.call(t, call{method: "GET", path: "/overview?span=1y", role: view.RoleRead}); w.Code != 400 {
		t.Error(w.Code)
	}
}

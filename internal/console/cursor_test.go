package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"walletsync/internal/console/view"
)

// A person without the right to personal data must not find anybody by it, also
// by a cursor that names the part of a search by name: neither one that they
// wrote nor one that is signed.
func TestACursorAllowsNoSearchThatTheRoleDoesNot(t *testing.T) {
	cursor := view.Cursor{Account: "main", Place: id, Part: 1}
	for name, form := range map[string]url.Values{
		"by state, written":  {"state": {"chargeable"}, "after": {unsigned(cursor)}},
		"by id, written":     {"q": {"B01-"}, "after": {unsigned(cursor)}},
		"by state, signed":   {"state": {"chargeable"}, "after": {sealed(t, view.RoleMasked, cursor, "search", "", "chargeable")}},
		"by id, signed":      {"q": {"B01-"}, "after": {sealed(t, view.RoleMasked, cursor, "search", "B01-", "")}},
		"by nothing, signed": {"after": {sealed(t, view.RoleMasked, cursor, "search", "", "")}},
		"by name, signed":    {"q": {"anna"}, "after": {sealed(t, view.RoleMasked, cursor, "search", "anna", "")}},
		"by digits, signed":  {"q": {"10115"}, "after": {sealed(t, view.RoleMasked, cursor, "search", "10115", "")}},
	} {
		var p parts
		w := p.call(t, call{method: "POST", path: "/search", form: form, role: view.RoleMasked, json: true})
		if w.Code != http.StatusBadRequest && w.Code != http.StatusUnprocessableEntity || len(p.asked) != 0 {
			t.Errorf("%s: %d, asked %v", name, w.Code, p.asked)
		}
	}
}

// unsigned is a cursor without its signature.
func unsigned(c view.Cursor) string {
	b, _ := json.Marshal(c) // strings and numbers
	return cursorEncoding.EncodeToString(b)
}

func TestACursorIsReadAsItWasSealed(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 123456000, time.UTC)
	for _, k := range []view.Key{
		{Account: "main", ChargePermissionID: id, Place: id, At: &at},
		{Account: "main", Place: "3f0e8b5e-0000-4000-8000-000000000001", Part: 2},
	} {
		want := view.CursorAfter(k)
		text, err := cursors{key}.seal(t.Context(), "scope", want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := cursors{key}.open(t.Context(), "scope", text)
		if err != nil || got != want {
			t.Errorf("%+v, %v", got, err)
		}
		if k.At != nil && !got.At().Equal(at) {
			t.Errorf("%v", got.At())
		}
	}
	if text, err := (cursors{key}).seal(t.Context(), "scope", view.Cursor{}); text != "" || err != nil {
		t.Errorf("the end of a list: %q %v", text, err)
	}
	if c, err := (cursors{key}).open(t.Context(), "scope", ""); c != (view.Cursor{}) || err != nil {
		t.Errorf("%+v %v", c, err)
	}
}

// No text but one that was sealed is a cursor, not even the same bytes in another
// spelling.
func FuzzCursor(f *testing.F) {
	text, err := cursors{key}.seal(f.Context(), "scope", view.Cursor{Account: "main", Place: id, Micro: 1})
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{text, text + "=", text[:len(text)-1], unsigned(view.Cursor{Account: "main"}), "e30", ".", strings.Repeat("A", 2000), "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := cursors{key}.open(t.Context(), "scope", s)
		if err == nil && s != text && s != "" {
			t.Errorf("%q is a cursor: %+v", s, c)
		}
	})
}

func TestACursorIsValidForItsListRoleAndFilterOnly(t *testing.T) {
	cursor := view.Cursor{Account: "main", Place: id}
	good := sealed(t, view.RoleRead, cursor, "search", "anna", "closed")
	text, signature, _ := strings.Cut(good, ".")
	other := view.Cursor{Account: "main", Place: "B01-0000000-0000002"}
	search := func(role view.Role, q, state, after string) int {
		var p parts
		return p.call(t, call{method: "POST", path: "/search", form: url.Values{"q": {q}, "state": {state}, "after": {after}}, role: role, json: true}).Code
	}
	list := func(filter view.Filter, after string) int {
		var p parts
		return p.call(t, call{method: "GET", path: "/lists/" + string(filter) + "?after=" + after, role: view.RoleRead, json: true}).Code
	}
	for name, c := range map[string]struct{ got, want int }{
		"as it was given out":  {search(view.RoleRead, "anna", "closed", good), 200},
		"by another role":      {search(view.RoleAct, "anna", "closed", good), 400},
		"by another term":      {search(view.RoleRead, "annab", "closed", good), 400},
		"by another state":     {search(view.RoleRead, "anna", "", good), 400},
		"in a list":            {list(view.Waiting, good), 400},
		"of another list":      {list(view.Stale, sealed(t, view.RoleRead, cursor, "list", "waiting")), 400},
		"of that list":         {list(view.Waiting, sealed(t, view.RoleRead, cursor, "list", "waiting")), 200},
		"unsigned":             {search(view.RoleRead, "anna", "closed", text), 400},
		"signed with nothing":  {search(view.RoleRead, "anna", "closed", text+"."), 400},
		"another place":        {search(view.RoleRead, "anna", "closed", unsigned(other)+"."+signature), 400},
		"a signature alone":    {search(view.RoleRead, "anna", "closed", "."+signature), 400},
		"the signature is cut": {search(view.RoleRead, "anna", "closed", good[:len(good)-1]), 400},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d, not %d", name, c.got, c.want)
		}
	}
}

func TestACursorSurvivesARotationOfItsKey(t *testing.T) {
	keys := func(all ...string) cursors {
		return cursors{func(context.Context, bool) ([]string, error) { return all, nil }}
	}
	want := view.Cursor{Account: "main", Place: id}
	text, err := keys("old").seal(t.Context(), "scope", want)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := keys("new", "old").open(t.Context(), "scope", text); err != nil || got != want {
		t.Errorf("with the previous key: %v, %v", got, err)
	}
	if _, err := keys("new").open(t.Context(), "scope", text); !errors.Is(err, errCursor) {
		t.Errorf("without it: %v", err)
	}
	away := cursors{func(context.Context, bool) ([]string, error) { return nil, errors.New("away") }}
	if _, err := away.open(t.Context(), "scope", text); err == nil || errors.Is(err, errCursor) {
		t.Errorf("while the key cannot be read: %v", err)
	}
}

// The order of a cursor's parts in the signature is fixed: two filters do not run
// into one another.
func TestScopesDoNotRunIntoOneAnother(t *testing.T) {
	q := httptest.NewRequest("GET", "/", nil)
	if a, b := cursorScope(q, "search", "a", "b"), cursorScope(q, "search", `a","b`); a == b || strings.Contains(a+b, "\n") {
		t.Errorf("%s and %s", a, b)
	}
}

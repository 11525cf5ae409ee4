package console

import (
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestJSONIsForClientsThatPreferIt(t *testing.T) {
	for name, c := range map[string]struct {
		accept []string
		want   bool
	}{
		"nothing":          {nil, false},
		"anything":         {[]string{"*/*"}, false},
		"a browser":        {[]string{"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"}, false},
		"a program":        {[]string{"application/json"}, true},
		"its problems too": {[]string{"application/json, application/problem+json"}, true},
		"upper case":       {[]string{"Application/JSON"}, true},
		"rather a page":    {[]string{"application/json;q=0.5, text/html"}, false},
		"rather JSON":      {[]string{"application/json, text/html;q=0.9"}, true},
		"either":           {[]string{"application/json, text/html"}, false},
		"anything but":     {[]string{"application/json;q=0"}, false},
		"two headers":      {[]string{"image/png", "application/json"}, true},
		"no weight":        {[]string{"application/json;q=x"}, false},
		"weight over one":  {[]string{"application/json;q=2"}, false},
		"not a number":     {[]string{"application/json;q=NaN"}, false},
		"too long":         {[]string{strings.Repeat("application/json,", 100)}, false},
		"malformed":        {[]string{"application/json;;, /"}, false},
	} {
		q := httptest.NewRequest(http.MethodGet, "/", nil)
		q.Header["Accept"] = c.accept
		if got := WantsJSON(q); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestProblemsHaveTheirOwnContentType(t *testing.T) {
	w := httptest.NewRecorder()
	WriteProblem(w, http.StatusForbidden, "role", "It takes the role act.")
	if got := w.Header().Get("Content-Type"); w.Code != http.StatusForbidden || got != "application/problem+json" {
		t.Errorf("%d %s", w.Code, got)
	}
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"title": "Forbidden", "status": 403.0, "detail": "It takes the role act.", "code": "role"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnswersAreNotCached(t *testing.T) {
	w := httptest.NewRecorder()
	WriteJSON(w, http.StatusOK, map[string]string{"name": "<b>"})
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Vary": "Accept",
		"Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestAValueThatJSONCannotHoldIsAProblem(t *testing.T) {
	w := httptest.NewRecorder()
	WriteJSON(w, http.StatusOK, math.NaN())
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), `"internal"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

package html

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

var pages = fstest.MapFS{
	"one.html":    {Data: []byte(`{{define "main"}}<h1>{{.Data}}</h1>{{end}}{{define "script"}}<script nonce="{{.Nonce}}">1</script>{{end}}`)},
	"two.html":    {Data: []byte(`{{define "main"}}<p>no script</p>{{end}}`)},
	"torn.html":   {Data: []byte(`{{define "main"}}<h1>{{if}}`)},
	"broken.html": {Data: []byte(`{{define "main"}}<h1>{{.Data.Missing}}</h1>{{end}}`)},
}

func site(t *testing.T) *Site {
	t.Helper()
	s, err := New(nil, nil, pages, "one.html", "two.html", "broken.html", "torn.html")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var nonces = regexp.MustCompile(`nonce[-=]"?([A-Za-z0-9_-]+)`)

func TestEveryAnswerHasItsOwnNonceInPolicyAndPage(t *testing.T) {
	s := site(t)
	seen := map[string]bool{}
	for range 3 {
		w := httptest.NewRecorder()
		if err := s.Write(w, http.StatusTeapot, "one.html", View{Language: "en", Title: "T", Data: "<b>"}, Strict()); err != nil {
			t.Fatal(err)
		}
		if w.Code != http.StatusTeapot || !strings.Contains(w.Body.String(), "<h1>&lt;b&gt;</h1>") {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		var all []string
		for _, m := range nonces.FindAllStringSubmatch(w.Header().Get("Content-Security-Policy")+w.Body.String(), -1) {
			all = append(all, m[1])
		}
		// Twice in the policy, at the style, at the script: one and the same.
		if len(all) != 4 || len(slices.Compact(all)) != 1 {
			t.Errorf("nonces %v", all)
		}
		if len(all[0]) < 22 || seen[all[0]] { // 128 bits in base64
			t.Errorf("nonce %q is short or was used before", all[0])
		}
		seen[all[0]] = true
	}
}

func TestAPageThatFailsWritesNothing(t *testing.T) {
	for name, write := range map[string]func(*httptest.ResponseRecorder) error{
		"template": func(w *httptest.ResponseRecorder) error {
			return site(t).Write(w, http.StatusOK, "broken.html", View{Data: struct{}{}}, Strict())
		},
		"malformed": func(w *httptest.ResponseRecorder) error {
			return site(t).Write(w, http.StatusOK, "torn.html", View{}, Strict())
		},
		"unknown": func(w *httptest.ResponseRecorder) error {
			return site(t).Write(w, http.StatusOK, "none.html", View{}, Strict())
		},
		"randomness": func(w *httptest.ResponseRecorder) error {
			s, err := New(iotest.ErrReader(errors.New("dry")), nil, pages, "two.html")
			if err != nil {
				t.Fatal(err)
			}
			return s.Write(w, http.StatusOK, "two.html", View{}, Strict())
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			if err := write(w); err == nil {
				t.Error("no error")
			}
			if w.Body.Len() > 0 || len(w.Header()) > 0 {
				t.Errorf("written: %v %s", w.Header(), w.Body)
			}
		})
	}
}

func TestGuardSetsEveryHeader(t *testing.T) {
	h := http.Header{}
	h.Set("Referrer-Policy", "strict-origin")
	Guard(h, Strict())
	want := http.Header{
		"Cache-Control":                {"no-store"},
		"Content-Security-Policy":      {"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
		"Cross-Origin-Opener-Policy":   {"same-origin"},
		"Cross-Origin-Resource-Policy": {"same-origin"},
		"Permissions-Policy":           {"browsing-topics=(), camera=(), display-capture=(), geolocation=(), microphone=(), midi=(), serial=(), usb=()"},
		"Referrer-Policy":              {"strict-origin"}, // the page's own stays
		"Strict-Transport-Security":    {"max-age=31536000"},
		"X-Content-Type-Options":       {"nosniff"},
		"X-Robots-Tag":                 {"noindex"},
	}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Error(diff)
	}
}

func TestPoliciesMergeByDirective(t *testing.T) {
	base := Policy{"default-src": {"'none'"}, "script-src": {"https://a.example"}, "form-action": {"'none'"}}
	got := base.With(Policy{"script-src": {"https://b.example", "https://a.example"}, "form-action": {"https://c.example"}, "img-src": {"data:"}, "frame-src": nil})
	const want = "default-src 'none'; form-action https://c.example; frame-src 'none'; img-src data:; script-src https://a.example https://b.example"
	if got.String() != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if diff := cmp.Diff(Policy{"default-src": {"'none'"}, "script-src": {"https://a.example"}, "form-action": {"'none'"}}, base); diff != "" {
		t.Errorf("the base changed: %s", diff)
	}
}

func TestWhatWouldBreakTheHeaderIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		policy Policy
		ok     bool
	}{
		"none":            {nil, true},
		"host":            {Policy{"connect-src": {"https://*.example.com:8443/path"}}, true},
		"keyword":         {Policy{"script-src": {"'unsafe-eval'", "data:"}}, true},
		"semicolon":       {Policy{"img-src": {"data:; script-src *"}}, false},
		"glued semicolon": {Policy{"img-src": {"data:;script-src"}}, false},
		"comma":           {Policy{"img-src": {"data:,"}}, false},
		"two sources":     {Policy{"img-src": {"a.example b.example"}}, false},
		"new line":        {Policy{"img-src": {"a.example\r\nSet-Cookie:a"}}, false},
		"empty source":    {Policy{"img-src": {""}}, false},
		"directive":       {Policy{"img-src; script-src": {"*"}}, false},
		"upper case":      {Policy{"IMG-SRC": {"*"}}, false},
	} {
		if err := c.policy.Validate(); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func languages(t testing.TB) *Languages {
	t.Helper()
	l, err := NewLanguages("en", "de", "fr", "it", "es", "ja")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLanguageIsTheOneAskedForElseTheBrowsersElseTheFirst(t *testing.T) {
	l := languages(t)
	for name, c := range map[string]struct{ explicit, accept, want string }{
		"nothing":                 {"", "", "en"},
		"explicit":                {"ja", "de", "ja"},
		"locale of Amazon Pay":    {"de_DE", "ja", "de"},
		"upper case":              {"FR", "", "fr"},
		"explicit but not spoken": {"ko", "it-IT,en;q=0.5", "it"},
		"explicit nonsense":       {"<script>", "es", "es"},
		"browser":                 {"", "de-AT,de;q=0.9,en;q=0.8", "de"},
		"by weight":               {"", "fr;q=0.2, ja;q=0.9", "ja"},
		"first that is spoken":    {"", "ko-KR, nl;q=0.9, it;q=0.5", "it"},
		"none spoken":             {"", "ko-KR, zh-TW", "en"},
		"variant":                 {"", "es-419", "es"},
		"any":                     {"", "*", "en"},
		"refused":                 {"", "de;q=0", "en"},
		"malformed":               {"", "de;q=x,,;;", "en"},
		"too long":                {"", strings.Repeat("de,", 1000), "en"},
	} {
		if got := l.Choose(c.explicit, c.accept); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

func FuzzLanguage(f *testing.F) {
	l := languages(f)
	for _, s := range []string{"", "de-AT,de;q=0.9", "*", "de_DE", "x-klingon", "en-u-co-phonebk", "\x00", "de;q=1e309", strings.Repeat("a-", 400)} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, explicit, accept string) {
		got := l.Choose(explicit, accept)
		if !slices.Contains(l.tags, got) {
			t.Errorf("%q is not spoken", got)
		}
		if again := l.Choose(explicit, accept); again != got {
			t.Errorf("%q, then %q", got, again)
		}
		if got := l.Choose("ja", accept); got != "ja" {
			t.Errorf("the browser's list made %q of ja", got)
		}
	})
}

func TestWhatPagesShareIsInEach(t *testing.T) {
	s, err := New(nil, nil, fstest.MapFS{
		Shared:     {Data: []byte(`{{define "head"}}<style nonce="{{.Nonce}}">b{}</style>{{end}}{{define "top"}}<p>{{.}}</p>{{end}}`)},
		"one.html": {Data: []byte(`{{define "main"}}{{template "top" "one"}}{{end}}`)},
		"two.html": {Data: []byte(`{{define "main"}}{{template "top" "two"}}{{end}}`)},
	}, "one.html", "two.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one", "two"} {
		w := httptest.NewRecorder()
		if err := s.Write(w, http.StatusOK, name+".html", View{}, Strict()); err != nil {
			t.Fatal(err)
		}
		if got := w.Body.String(); !strings.Contains(got, "<p>"+name+"</p>") || !strings.Contains(got, ">b{}</style>\n</head>") && !strings.Contains(got, ">b{}</style></head>") {
			t.Errorf("%s: %s", name, got)
		}
	}
	if _, err := New(nil, nil, fstest.MapFS{Shared: {Data: []byte(`{{define`)}}); err == nil {
		t.Error("no error for what is shared and malformed")
	}
}

// The layout is one document around any page.
func TestLayout(t *testing.T) {
	w := httptest.NewRecorder()
	if err := site(t).Write(w, http.StatusOK, "two.html", View{Language: "ja", Title: "</title>\u200b<script>"}, Strict()); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`<html lang="ja">`, "<title>&lt;/title&gt;&lt;script&gt;</title>", "width=device-width, initial-scale=1\"", "prefers-color-scheme: dark"} {
		if !bytes.Contains(w.Body.Bytes(), []byte(part)) {
			t.Errorf("no %s", part)
		}
	}
}

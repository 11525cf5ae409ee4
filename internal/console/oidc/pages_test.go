package oidc

import (
	"bytes"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"walletsync/internal/console/view"
)

var update = flag.Bool("update", false, "rewrite the golden files")

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func newPages(t *testing.T) *pageWriter {
	t.Helper()
	p, err := newPageWriter("https://console.example/base", zeros{})
	if err != nil {
		t.Fatal(err)
	}
	p.failed = func(_ *http.Request, err error) { t.Error(err) }
	return p
}

// every is each page in each of its forms.
func every(p *pageWriter) map[string]func(http.ResponseWriter, *http.Request) {
	all := map[string]func(http.ResponseWriter, *http.Request){
		"signed-out":      func(w http.ResponseWriter, q *http.Request) { p.signedOut(w, q, "https://issuer.example/out?a=1&b=2") },
		"signed-out-bare": func(w http.ResponseWriter, q *http.Request) { p.signedOut(w, q, "") },
		"you-nameless": func(w http.ResponseWriter, q *http.Request) {
			p.you(w, q, view.Identity{Role: view.RoleMasked, CSRF: "token"})
		},
		"you-hostile": func(w http.ResponseWriter, q *http.Request) {
			p.you(w, q, view.Identity{Name: `<script>alert(1)</script> "שלום"`, Role: view.RoleAct, CSRF: `"><b>`})
		},
		"you": func(w http.ResponseWriter, q *http.Request) {
			p.you(w, q, view.Identity{Name: "Carla Clerk", Role: view.RoleRead, CSRF: "token"})
		},
	}
	for why := range statuses {
		all["problem-"+string(why)] = func(w http.ResponseWriter, q *http.Request) { p.refuse(w, q, why, "") }
	}
	return all
}

func TestPagesAreAsTheirGoldenFiles(t *testing.T) {
	p := newPages(t)
	files, err := filepath.Glob(filepath.Join("testdata", "*.html"))
	if err != nil || len(files) != 2*len(every(p)) && !*update {
		t.Errorf("%d golden files for %d pages in two languages: %v", len(files), len(every(p)), err)
	}
	for name, write := range every(p) {
		for _, language := range languages {
			w, q := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/console/", nil)
			q.Header.Set("Accept-Language", language)
			write(w, q)
			got := w.Body.Bytes()
			// The style is a file of its own; here it would hide the rest.
			if from, to := bytes.Index(got, []byte("\n:root")), bytes.Index(got, []byte("</style>")); from > 0 && to > from {
				got = append(got[:from:from], got[to:]...)
			}
			file := filepath.Join("testdata", name+"."+language+".html")
			if *update {
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
		}
	}
}

func TestEveryLanguageHasEveryText(t *testing.T) {
	if len(translations) != len(languages) {
		t.Fatalf("%d translations for %d languages", len(translations), len(languages))
	}
	seen := map[string]string{}
	for _, language := range languages {
		x := translations[language]
		said := []string{x.SignedOut.Title, x.SignedOut.Body, x.SignIn, x.SignInNew, x.SignOut, x.SignOutIssuer, x.Again, x.Console, x.You, x.Name, x.Role}
		for why := range statuses {
			said = append(said, x.Problems[why].Title, x.Problems[why].Body)
		}
		for _, r := range []view.Role{view.RoleMasked, view.RoleRead, view.RoleAct} {
			said = append(said, x.Roles[r].Title, x.Roles[r].Body)
		}
		for i, s := range said {
			if strings.TrimSpace(s) == "" {
				t.Errorf("%s: text %d is empty", language, i)
			}
			if other := seen[s]; other != "" && other != language {
				t.Errorf("%s says %q as %s does", language, s, other)
			}
			seen[s] = language
		}
	}
}

// A program that shows a token is answered in JSON whatever it accepts.
func TestProgramsGetProblemsInJSON(t *testing.T) {
	p := newPages(t)
	for name, header := range map[string][2]string{"by what it accepts": {"Accept", "application/json"}, "by its token": {"Authorization", "Bearer a"}} {
		for why, s := range statuses {
			w, q := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/console/", nil)
			q.Header.Set(header[0], header[1])
			p.refuse(w, q, why, "")
			if w.Code != s.code || w.Header().Get("Content-Type") != "application/problem+json" || !strings.Contains(w.Body.String(), `"code":"`+string(why)+`"`) {
				t.Errorf("%s, %s: %d %s", name, why, w.Code, w.Body)
			}
		}
	}
}

package update

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"walletsync/internal/config"
	"walletsync/internal/update/session"
)

const outcome = "status=success&updateSessionId=01020304-0506-4708-890a-0b0c0d0e0f10"

func TestOutcomeIsAppendedToTheMerchantsURL(t *testing.T) {
	site := Site{ReturnOrigins: []string{shop}}
	for page, want := range map[string]string{
		shop:                                 shop + "?" + outcome,
		shop + "/done":                       shop + "/done?" + outcome,
		shop + "/done?":                      shop + "/done?" + outcome,
		shop + "/done?a=b":                   shop + "/done?a=b&" + outcome,
		shop + "/done??":                     shop + "/done??&" + outcome,
		shop + "/done?a=b&":                  shop + "/done?a=b&" + outcome,
		shop + "/done?b=1;c=2&a=3":           shop + "/done?b=1;c=2&a=3&" + outcome,
		shop + "/done?b&a&b":                 shop + "/done?b&a&b&" + outcome,
		shop + "/done?q=a+b%20c%2f%2F&p=%zz": shop + "/done?q=a+b%20c%2f%2F&p=%zz&" + outcome,
		shop + "/a%2Fb/?x=/?y":               shop + "/a%2Fb/?x=/?y&" + outcome,
		shop + "/done#part":                  shop + "/done?" + outcome + "#part",
		shop + "/done?a=b#/route?c=d":        shop + "/done?a=b&" + outcome + "#/route?c=d",
		shop + "/done#":                      shop + "/done?" + outcome + "#",
		"https://SHOP.example/~a'(b)*!":      "https://SHOP.example/~a'(b)*!?" + outcome,
		shop + "/ü?ö=ß#東":                    shop + "/ü?ö=ß&" + outcome + "#東",
		"https://evil.example/":              "",
	} {
		if got := site.with(page, "success", some); got != want {
			t.Errorf("%s\nbecame %s\nwant   %s", page, got, want)
		}
	}
}

// An accepted URL keeps every byte in its order. Our parameters follow the query and
// precede the fragment. Other characters than ASCII are encoded as browsers do.
func TestEveryAcceptedURLKeepsItsBytes(t *testing.T) {
	site := Site{ReturnOrigins: []string{shop}}
	tail := rapid.StringOfN(rapid.OneOf(
		rapid.RuneFrom([]rune("?&;=#%+/:@!$'()*,.~-_[]{}|^`<>aZ09")),
		rapid.RuneFrom([]rune("üß東👩\u00ad")), rapid.Rune()), 0, 60, -1)
	rapid.Check(t, func(t *rapid.T) {
		page := shop + "/" + tail.Draw(t, "tail")
		if !allowed(page, site.ReturnOrigins) {
			return
		}
		w := httptest.NewRecorder()
		redirect(w, site.with(page, "success", some))
		to := w.Header().Get("Location")
		if strings.ContainsFunc(to, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Fatalf("a header cannot carry %q", to)
		}
		before, after, found := strings.Cut(to, outcome)
		if !found || w.Code != http.StatusSeeOther {
			t.Fatalf("%q has no outcome", to)
		}
		own, fragment, _ := strings.Cut(ascii(page), "#")
		if added := strings.TrimPrefix(before, own); before != own+added || !slices.Contains([]string{"", "?", "&"}, added) || strings.TrimPrefix(after, "#") != fragment {
			t.Fatalf("%q became %q", page, to)
		}
		u, err := url.Parse(to)
		if err != nil || u.Scheme+"://"+u.Host != shop {
			t.Fatalf("%q became %q: %v", page, to, err)
		}
		pairs := strings.Split(u.RawQuery, "&")
		if got := strings.Join(pairs[len(pairs)-2:], "&"); got != outcome {
			t.Fatalf("%q became %q: a server reads %q", page, to, got)
		}
	})
}

func TestHeaderURLIsEncodedAsBrowsersDo(t *testing.T) {
	for page, want := range map[string]string{
		shop + "/a%2fb?c;d": shop + "/a%2fb?c;d",
		shop + "/ü?東=1#ß":   shop + "/%C3%BC?%E6%9D%B1=1#%C3%9F",
	} {
		if got := ascii(page); got != want {
			t.Errorf("%s: %s", page, got)
		}
	}
}

// Amazon Pay accepts at most 512 characters and appends the id.
func TestURLsForAmazonPayFitWithTheLongestPublicURL(t *testing.T) {
	w := newWorld()
	site := w.start.Site
	site.PublicURL = "https://pay.example/"
	site.PublicURL += strings.Repeat("a", config.MaxPublicURL-len(site.PublicURL))
	u := w.session(nil)
	to, err := site.returnURL(t.Context(), u.ID, u.ExpiresAt)
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range []string{to, cancelURL(to)} {
		if n := len(page + "&amazonCheckoutSessionId=" + checkout); n >= 512 {
			t.Errorf("%d characters", n)
		}
	}
}

func TestRedirectsStayWithinTheSessionsOrigins(t *testing.T) {
	w := newWorld()
	w.start.Site.ReturnOrigins = []string{shop, "https://account.example:8443", "https://unused.example"}
	u := w.session(func(s *session.Session) { s.StartURL, s.ReturnTo = "https://ACCOUNT.example:8443/a", shop+"/done" })
	link, err := w.start.Site.linkURL(t.Context(), u.ID, u.ExpiresAt)
	if err != nil {
		t.Fatal(err)
	}
	w.get(t.Context(), link)
	if len(w.shown.ready) != 1 || !slices.Equal(w.shown.ready[0].RedirectOrigins, []string{"https://account.example:8443", shop}) {
		t.Errorf("%+v", w.shown)
	}
	// An origin that has left the list since is not allowed.
	w.start.Site.ReturnOrigins = []string{shop}
	w.get(t.Context(), link)
	if len(w.shown.ready) != 2 || !slices.Equal(w.shown.ready[1].RedirectOrigins, []string{shop}) {
		t.Errorf("%+v", w.shown)
	}
}

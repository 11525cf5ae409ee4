package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"walletsync/internal/local/issuer"
	"walletsync/internal/local/stack"
)

// signInAs opens a page of the console and signs in as who.
func signInAs(t *testing.T, ctx context.Context, s *stack.Stack, url string, who issuer.Person) {
	t.Helper()
	do(t, ctx, chromedp.Navigate(url))
	choose(t, ctx, s, who)
}

// choose selects a person on the issuer's page.
func choose(t *testing.T, ctx context.Context, s *stack.Stack, who issuer.Person) {
	t.Helper()
	until(t, "the issuer's page", func() (bool, error) {
		at, err := chromedp.Run(ctx, chromedp.Location())
		return strings.HasPrefix(at, s.IssuerURL), err
	})
	do(t, ctx, chromedp.Click(fmt.Sprintf(`button[value=%q]`, who.Subject)))
	until(t, "the return from the issuer", func() (bool, error) {
		at, err := chromedp.Run(ctx, chromedp.Location())
		return strings.HasPrefix(at, s.ConsoleURL), err
	})
	do(t, ctx, chromedp.WaitVisible("main h1"))
}

func TestPeopleSignInAndOut(t *testing.T) {
	s := running(t)
	axe := axeCore(t)
	for _, scheme := range []string{"light", "dark"} {
		for language, says := range map[string]struct{ role, out, no string }{
			"en": {"Read", "You are signed out", "You have no access to the console"},
			"ja": {"閲覧", "サインアウトしました", "利用する権限がありません"},
		} {
			t.Run(scheme+" "+language, func(t *testing.T) {
				ctx := browser(t, scheme, chromedp.Flag("accept-lang", language))
				see := func(name string) {
					t.Helper()
					do(t, ctx, chromedp.EmulateViewport(1200, 900))
					inspect(t, ctx, axe, name, func(device string) string {
						return fmt.Sprintf("console-%s-%s-%s-%s", language, device, scheme, name)
					})
				}
				// After the sign-in the browser is on the requested page.
				signInAs(t, ctx, s, s.ConsoleURL+"you", stack.Clerk)
				if at, role := do(t, ctx, chromedp.Location()), do(t, ctx, chromedp.Text("#role")); at != s.ConsoleURL+"you" || role != says.role {
					t.Errorf("at %s as %q", at, role)
				}
				see("you")
				do(t, ctx, chromedp.Click("#sign-out"))
				do(t, ctx, chromedp.WaitVisible("#issuer"))
				if title := do(t, ctx, chromedp.Text("h1")); title != says.out {
					t.Errorf("after signing out: %q", title)
				}
				see("signed-out")
				// The session has ended, also for the back button.
				do(t, ctx, chromedp.Navigate(s.ConsoleURL+"you"))
				choose(t, ctx, s, stack.Stranger)
				if title := do(t, ctx, chromedp.Text("h1")); !strings.Contains(strings.ReplaceAll(title, "\u200b", ""), says.no) {
					t.Errorf("without a role: %q", title)
				}
				see("no-role")
				do(t, ctx, chromedp.Click("#on"))
				choose(t, ctx, s, stack.Engineer)
			})
		}
	}
}

// The keyboard suffices to sign in, to reach a page and to sign out.
func TestPeopleSignInByKeyboard(t *testing.T) {
	s := running(t)
	ctx := browser(t, "light")
	do(t, ctx, chromedp.Navigate(s.ConsoleURL+"you"))
	press := func(keys string) { t.Helper(); do(t, ctx, chromedp.KeyEvent(keys)) }
	focused := func(selector string) {
		t.Helper()
		for range 20 {
			press("\t")
			if do(t, ctx, chromedp.Evaluate[bool](fmt.Sprintf(`document.activeElement.matches(%q)`, selector))) {
				return
			}
		}
		t.Fatalf("Tab does not reach %s", selector)
	}
	do(t, ctx, chromedp.WaitVisible(`button[value="engineer"]`))
	focused(`button[value="engineer"]`)
	press("\r")
	do(t, ctx, chromedp.WaitVisible("#sign-out"))
	focused("#sign-out")
	press("\r")
	do(t, ctx, chromedp.WaitVisible("#issuer"))
	focused("#on")
	press("\r")
	do(t, ctx, chromedp.WaitVisible(`button[value="engineer"]`))
}

func TestTheConsoleIsNotShownInAFrame(t *testing.T) {
	s := running(t)
	ctx := browser(t, "light")
	signInAs(t, ctx, s, s.ConsoleURL+"you", stack.Engineer)
	framing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, `<title>evil</title><iframe src="%syou" onload="document.title = 'loaded'"></iframe>`, s.ConsoleURL)
	}))
	t.Cleanup(framing.Close)
	do(t, ctx, chromedp.Navigate(framing.URL))
	until(t, "the frame to be loaded or refused", func() (bool, error) {
		title, err := chromedp.Run(ctx, chromedp.Title())
		return title == "loaded", err
	})
	var framed []string
	do(t, ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		tree, err := cdp.Call(ctx, target, page.GetFrameTree, cdp.Empty{})
		if err != nil {
			return err
		}
		for _, child := range tree.FrameTree.ChildFrames {
			framed = append(framed, child.Frame.URL)
		}
		return nil
	}))
	if len(framed) != 1 || !strings.HasPrefix(framed[0], "chrome-error:") {
		t.Errorf("framed: %q", framed)
	}
}

// The browser treats two ports of a host as the same site, so it sends the cookie with
// a form of the other port. The console must ignore that form.
func TestAFormOfAnotherSiteDoesNotSignOut(t *testing.T) {
	s := running(t)
	ctx := browser(t, "light")
	signInAs(t, ctx, s, s.ConsoleURL+"you", stack.Engineer)
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, `<form method="post" action="%ssign-out"><button>win</button></form>`, s.ConsoleURL)
	}))
	t.Cleanup(evil.Close)
	do(t, ctx, chromedp.Navigate(evil.URL))
	do(t, ctx, chromedp.Click("button"))
	do(t, ctx, chromedp.WaitVisible("#on"))
	if title := do(t, ctx, chromedp.Text("h1")); title != "This was sent by another site" {
		t.Errorf("the page shows %q", title)
	}
	do(t, ctx, chromedp.Navigate(s.ConsoleURL+"you"))
	do(t, ctx, chromedp.WaitVisible("#sign-out"))
}

// accessToken requests a program's token from the stack's issuer.
func accessToken(t *testing.T, s *stack.Stack) string {
	t.Helper()
	secret, err := os.ReadFile(s.ConsoleSecretFile)
	if err != nil {
		t.Fatal(err)
	}
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.IssuerURL+"/token", strings.NewReader(url.Values{"grant_type": {"client_credentials"}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	q.SetBasicAuth(s.ConsoleClientID, string(secret))
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(r.Body).Decode(&answer); err != nil || answer.Token == "" {
		t.Fatalf("%d %v", r.StatusCode, err)
	}
	return answer.Token
}

// askConsole sends a program's request to the console.
func askConsole(t *testing.T, s *stack.Stack, method, path, token string) (status int, body string) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), method, s.PublicURL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Accept", "application/json")
	if token != "" {
		q.Header.Set("Authorization", "Bearer "+token)
	}
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

func TestProgramsUseAccessTokensOfTheIssuer(t *testing.T) {
	s := running(t)
	if status, body := askConsole(t, s, http.MethodGet, "/console/you", accessToken(t, s)); status != http.StatusOK || body != `{"subject":"walletsync-console","role":"act"}`+"\n" {
		t.Errorf("%d %s", status, body)
	}
	for name, token := range map[string]string{"none": "", "made up": "a.b.c"} {
		if status, body := askConsole(t, s, http.MethodGet, "/console/you", token); status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
}

package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"walletsync/internal/local/stack"
)

// block returns the only block of code in the README that contains words.
func block(t *testing.T, words string) string {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, m := range regexp.MustCompile("(?s)\n```[a-z]*\n(.*?)```").FindAllStringSubmatch(string(readme), -1) {
		if strings.Contains(m[1], words) {
			found = append(found, m[1])
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d blocks of the README hold %q", len(found), words)
	}
	return found[0]
}

// members lists the members of a JSON value, each with its path.
func members(v any) (paths []string) {
	object, _ := v.(map[string]any)
	for name, value := range object {
		paths = append(paths, name)
		for _, m := range members(value) {
			paths = append(paths, name+"."+m)
		}
	}
	slices.Sort(paths)
	return paths
}

// here replaces the README's names with the stack and its buyer.
func here(s *stack.Stack, text string) string {
	return strings.NewReplacer("https://wallet.example.com", s.PublicURL, "B01-0000000-0000000", walker,
		"https://shop.example/", s.ShopURL).Replace(text)
}

// TestTheREADMEsCommandsWork follows the README's section on the Update button, verbatim
// except for names: the announcement, the request, the answer, the update page, and the
// merchant's own page with the button.
func TestTheREADMEsCommandsWork(t *testing.T) {
	s := running(t)
	atHome(t, s)
	settled(t, s, walker)
	for _, program := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("no %s — apt-get install %s", program, program)
		}
	}
	key, err := os.ReadFile(s.BearerKeyFile)
	if err != nil {
		t.Fatal(err)
	}
	run := func(words string) []byte {
		c := exec.CommandContext(t.Context(), "bash", "-euc", here(s, block(t, words)))
		c.Env = append(os.Environ(), "BEARER_KEY="+string(key))
		out, err := c.Output()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return out
	}
	if out := run("curl https://wallet.example.com/charge-permissions"); !strings.Contains(string(out), `"stored"`) {
		t.Errorf("the announcement is answered %s", out)
	}
	out := run("curl https://wallet.example.com/update-sessions")
	var got, documented map[string]any
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := json.Unmarshal([]byte(block(t, `"updateSessionId"`)), &documented); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(members(documented), members(got)); diff != "" {
		t.Errorf("the answer's members (-README +answer): %s", diff)
	}
	link, _ := got["url"].(string)
	if status, _, page := get(t, link); status != http.StatusOK {
		t.Errorf("the update page: %d %s", status, page)
	}

	// {{…}} is filled in by the merchant's templates.
	checkout, err := json.Marshal(got["checkout"]) // it escapes each < as \u003c
	if err != nil {
		t.Fatal(err)
	}
	script, _ := got["checkout"].(map[string]any)["scriptUrl"].(string)
	page := regexp.MustCompile(`\{\{checkout as JSON[^}]*\}\}`).ReplaceAllLiteralString(block(t, "initCheckout"), string(checkout))
	page = strings.ReplaceAll(page, "{{checkout.scriptUrl}}", script)
	if strings.Contains(page, "{{") {
		t.Fatalf("a placeholder is left: %s", page)
	}
	merchant := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte("<!doctype html>" + page)) // for a browser
	}))
	t.Cleanup(merchant.Close)
	ctx := browser(t, "light")
	do(t, ctx, chromedp.Navigate(merchant.URL))
	for _, step := range []string{"#update", "#address-1", "#card-1", "#continue"} {
		do(t, ctx, chromedp.Click(step))
	}
	var at *url.URL
	until(t, "the buyer to return", func() (bool, error) {
		location, err := chromedp.Run(ctx, chromedp.Location())
		if err == nil {
			at, err = url.Parse(location)
		}
		return err == nil && at.Query().Has("status"), err
	})
	if q := at.Query(); !strings.HasPrefix(at.String(), s.ShopURL+"account?") || q.Get("status") != "success" || q.Get("updateSessionId") != got["updateSessionId"] {
		t.Errorf("the buyer returned to %s", at)
	}
}

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// chromium are the browsers that tests share, one for each colour scheme. Starting one
// takes as long as ten pages.
var chromium = map[string]*sharedBrowser{"light": {}, "dark": {}}

type sharedBrowser struct {
	once  sync.Once
	ctx   context.Context
	close context.CancelFunc
	err   error
}

func closeBrowsers() {
	for _, b := range chromium {
		if b.close != nil {
			b.close()
		}
	}
}

// browser returns a context of headless Chromium in desktop size with its own cookies
// and cache. With further options it starts its own browser.
func browser(t *testing.T, scheme string, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("no Chromium — apt-get install chromium fonts-noto-cjk")
	}
	browsing.take(t)
	b, options := chromium[scheme], []chromedp.ContextOption{chromedp.WithNewBrowserContext()}
	if len(more) > 0 {
		b, options = &sharedBrowser{}, nil
		t.Cleanup(func() { b.close() })
	}
	b.once.Do(func() { b.start(path, scheme, more...) })
	if b.err != nil {
		t.Fatal(b.err)
	}
	return tab(t, b.ctx, options...)
}

// tab opens another tab. The tab lives as long as the context of its first run, so that
// is here and not in a step with its own time-out.
func tab(t *testing.T, ctx context.Context, options ...chromedp.ContextOption) context.Context {
	t.Helper()
	ctx, cancel := chromedp.NewContext(ctx, options...)
	t.Cleanup(cancel)
	if _, err := chromedp.Run(ctx, chromedp.Location()); err != nil {
		t.Fatal(err)
	}
	return ctx
}

func (b *sharedBrowser) start(path, scheme string, more ...chromedp.ExecAllocatorOption) {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.WindowSize(1200, 900))
	if scheme == "dark" {
		options = append(options, chromedp.Flag("blink-settings", "preferredColorScheme=0"))
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), append(options, more...)...)
	ctx, cancel := chromedp.NewContext(allocator)
	b.ctx, b.close = ctx, func() { cancel(); stop() }
	_, b.err = chromedp.Run(ctx, chromedp.Location())
}

// do runs an action in the browser, with a time-out for a busy machine.
func do[T any](t *testing.T, ctx context.Context, a chromedp.Action[T]) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, trialTimeout)
	defer cancel()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// screenshot keeps a picture of the page among the test's artefacts.
func screenshot(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	picture := do(t, ctx, chromedp.FullScreenshot(100))
	dir := filepath.Join("..", "..", ".test", "screenshots")
	if err := os.MkdirAll(dir, 0o755); err != nil { // pictures of fictitious buyers
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600); err != nil {
		t.Fatal(err)
	}
}

// axeCore returns the source of axe-core.
func axeCore(t *testing.T) string {
	t.Helper()
	axe, err := os.ReadFile(filepath.Join(nodeModules(t), "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(axe)
}

// inspect runs axe-core on the open page, checks that it does not scroll sideways on a
// narrow screen, and keeps pictures of it, named by picture for each device.
func inspect(t *testing.T, ctx context.Context, axe, page string, picture func(device string) string) {
	t.Helper()
	do(t, ctx, chromedp.Evaluate[bool](axe+";true"))
	found := do(t, ctx, chromedp.Evaluate[string](`axe.run({runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then((r) =>
		(r.passes.length < 5 ? "axe looked at nothing" : "") +
		r.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.failureSummary + " " + n.html).join("; ")).join("\n"))`, chromedp.EvalAwaitPromise))
	if found != "" {
		t.Errorf("%s: %s", page, found)
	}
	screenshot(t, ctx, picture("desktop"))
	for _, width := range []int64{390, 360, 320} {
		do(t, ctx, chromedp.EmulateViewport(width, 844))
		if wide := do(t, ctx, chromedp.Evaluate[int64](`document.documentElement.scrollWidth`)); wide > width {
			t.Errorf("%s is %d pixels wide on a screen of %d", page, wide, width)
		}
		if width == 390 {
			screenshot(t, ctx, picture("mobile"))
		}
	}
}

func TestPressingAButtonChangesTheRowOnThePage(t *testing.T) {
	s := running(t)
	for _, scheme := range []string{"light", "dark"} {
		t.Run(scheme, func(t *testing.T) {
			ctx := browser(t, scheme)
			const id = "S01-1000004-1000004"
			do(t, ctx, chromedp.Navigate(s.StatusURL))
			do(t, ctx, chromedp.WaitVisible("#live.good"))
			before := do(t, ctx, chromedp.Text("#"+id+" .card"))
			do(t, ctx, chromedp.Click("#"+id+` [data-do="card"]`))
			// The page is not reloaded: only the row changes.
			do(t, ctx, chromedp.Poll[bool](fmt.Sprintf(`document.querySelector("#%s .card").innerText.trim() !== %q`, id, before)))
			if after := do(t, ctx, chromedp.Text("#"+id+" .card")); after == before {
				t.Errorf("the card is still %s", after)
			}
			if focused := do(t, ctx, chromedp.Evaluate[string](`document.activeElement.dataset.do ?? ""`)); focused != "card" {
				t.Errorf("the focus went to %q when the row was replaced", focused)
			}
			screenshot(t, ctx, "status-"+scheme)
			do(t, ctx, chromedp.EmulateViewport(390, 844))
			screenshot(t, ctx, "status-mobile-"+scheme)
		})
	}
}

package e2e

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestABuyerWalksTheWholeWayInABrowser goes from the shop by the ready page, or
// by the shop's own button, to Amazon's page and back, through the real binaries.
func TestABuyerWalksTheWholeWayInABrowser(t *testing.T) {
	s := running(t)
	const id = "S01-1000001-1000001"
	for _, c := range []struct {
		name   string
		button string   // the shop's
		page   string   // the button that Amazon's page opens from
		steps  []string // what the buyer clicks on Amazon's page
		shows  string
		state  string
	}{
		{"address and card by the ready page", `button[value="both"]:not(.quiet)`, "#go", []string{"#address-1", "#card-1", "#continue"}, "Your details are updated", "completed"},
		{"the card alone", `button[value="payment_method"]`, "#go", []string{"#card-1", "#continue"}, "Your details are updated", "completed"},
		{"by the shop's own button", ".quiet", "#own:enabled", []string{"#address-1", "#card-1", "#continue"}, "Your details are updated", "completed"},
		{"cancel", `button[value="address"]`, "#go", []string{"#cancel"}, "failed. Please try again", "failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			settled(t, s, id)
			ctx := browser(t, "light")
			do(t, ctx, chromedp.Navigate(s.ShopURL))
			do(t, ctx, chromedp.Click("#"+id+" "+c.button))
			do(t, ctx, chromedp.WaitVisible(c.page))
			if at := do(t, ctx, chromedp.Evaluate[string](`location.href`)); strings.Contains(at, id) && c.page == "#go" {
				t.Errorf("the charge permission's id is in %s", at)
			}
			do(t, ctx, chromedp.Click(c.page))
			for _, step := range c.steps {
				do(t, ctx, chromedp.Click(step))
			}
			do(t, ctx, chromedp.WaitVisible("#returned"))
			if got := do(t, ctx, chromedp.Text("#returned")); !strings.Contains(got, c.shows) {
				t.Errorf("the shop shows %q", got)
			}
			got := column(t, s, `select state from walletsync.update_sessions where charge_permission = $1 order by created_at desc limit 1`, id)
			if got != c.state {
				t.Errorf("the session is %s", got)
			}
		})
	}
}

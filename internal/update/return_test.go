package update

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"walletsync/internal/amazonpay"
	"walletsync/internal/update/pages"
	"walletsync/internal/update/session"
	"walletsync/internal/wallet"
)

var newAddress = []wallet.Change{
	{Facet: wallet.FacetShippingAddress, After: json.RawMessage(`{"name":"Ada Example","line1":"1 Example Way","city":"Exampleton","postal_code":"12345"}`)},
	{Facet: wallet.FacetPaymentMethod, After: json.RawMessage(`{"payment_descriptors":["Visa ****2222 (Amazon Pay)"]}`)},
}

func TestReturnShowsTheOutcome(t *testing.T) {
	for _, c := range []struct {
		name  string
		err   error
		shown session.Shown
		want  pages.Result
		state session.State
	}{
		{"what changed", nil, session.Shown{Any: true, New: newAddress},
			pages.Result{Outcome: pages.Success, City: "Exampleton", PostalCode: "12345", Descriptors: []string{"Visa ****2222 (Amazon Pay)"}}, session.Completed},
		{"that it worked, when it was shown before", nil, session.Shown{Any: true}, pages.Result{Outcome: pages.Success}, session.Completed},
		{"that it is on its way", nil, session.Shown{}, pages.Result{Outcome: pages.Pending}, session.Completed},
		{"that it worked and changed nothing", nil, session.Shown{Settled: true}, pages.Result{Outcome: pages.Success}, session.Completed},
		{"that it is being checked", &amazonpay.Error{StatusCode: 401}, session.Shown{},
			pages.Result{Outcome: pages.Checking, AgainURL: "here"}, session.Returned},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			w.amazon.err, w.store.changes = c.err, c.shown
			s := w.session(func(s *session.Session) { s.Locale = "de_DE" })
			if got := w.returns(t, s); got.Code != http.StatusOK || len(w.shown.results) != 1 {
				t.Fatalf("%d, %+v", got.Code, w.shown)
			}
			c.want.Language, c.want.Update, c.want.MerchantURL = "de_DE", pages.Both, "https://merchant.example"
			if c.want.AgainURL != "" {
				c.want.AgainURL = "https://pay.example" + w.returnURL(t, s) + "&amazonCheckoutSessionId=" + checkout
			}
			if d := cmp.Diff(c.want, w.shown.results[0]); d != "" {
				t.Error(d)
			}
			if got := w.store.sessions[some].State; got != c.state {
				t.Error(got)
			}
		})
	}
}

func TestCompletionIsReadAtOnce(t *testing.T) {
	w := newWorld()
	w.returns(t, w.session(nil))
	want := []wallet.Want{{Account: "main", ChargePermission: one, Priority: wallet.PriorityReturn, At: noon.Add(time.Second)}}
	if d := cmp.Diff(want, w.reader.requests); d != "" {
		t.Error(d)
	}
	// If the read fails, the buyer still gets the page.
	w = newWorld()
	w.reader.err = errDown
	if got := w.returns(t, w.session(nil)); got.Code != http.StatusOK || w.shown.results[0].Outcome != pages.Pending {
		t.Errorf("%+v", w.shown)
	}
}

// Invariant 5: the completed Checkout Session must have the session's own charge
// permission.
func TestReturnOfAnotherBuyerIsRefused(t *testing.T) {
	w := newWorld()
	w.amazon.permission = other
	got := w.returns(t, w.session(nil))
	if got.Code != http.StatusSeeOther || len(w.reader.requests) != 0 || w.store.sessions[some].State != session.Failed ||
		w.store.reasons[checkout] != session.ReasonOtherPermission {
		t.Errorf("%d, read %v, %+v", got.Code, w.reader.requests, w.store.attempts)
	}
	if !strings.Contains(w.log.String(), `"event":"security"`) {
		t.Error(w.log.String())
	}
}

// Invariant 5: a return is accepted only with the session's own state token.
func TestReturnNeedsTheStateTokenOfItsSession(t *testing.T) {
	w := newWorld()
	s := w.session(nil)
	own := seal(t, w.back.Site.Tokens, State, s.ID, s.ExpiresAt)
	link := seal(t, w.back.Site.Tokens, Link, s.ID, s.ExpiresAt)
	forged := seal(t, tokens(noon, "an-unknown-secret-1"), State, s.ID, s.ExpiresAt)
	for name, query := range map[string]string{
		"none":                     "",
		"forged":                   "t=" + forged,
		"a link's":                 "t=" + link,
		"cut off":                  "t=" + own[:40],
		"two":                      "t=" + own + "&t=" + own,
		"a malformed token":        "t=" + own + "%zz",
		"an empty one beside it":   "t=" + own + "&t=",
		"two checkout sessions":    "t=" + own + "&amazonCheckoutSessionId=" + checkout,
		"another checkout session": "t=" + own + "&amazonCheckoutSessionId=../../x#",
	} {
		if name != "another checkout session" {
			query += "&amazonCheckoutSessionId=" + checkout
		}
		w.shown.problem = nil
		w.get(t.Context(), "/return?"+query)
		if len(w.shown.problem) != 1 || w.shown.problem[0].Kind != pages.LinkInvalid || w.shown.problem[0].MerchantURL == "" {
			t.Errorf("%s: %+v", name, w.shown)
		}
	}
	if w.amazon.calls != 0 || w.store.begun != 0 {
		t.Errorf("%d calls, %d attempts", w.amazon.calls, w.store.begun)
	}
}

func TestCheckoutSessionOfAnotherUpdateIsRefused(t *testing.T) {
	w := newWorld()
	first := w.session(nil)
	w.returns(t, first)
	second := w.session(func(s *session.Session) { s.ID = session.ID{2}; s.StartURL = shop + "/account" })
	w.shown.problem = nil
	w.returns(t, second)
	if len(w.shown.problem) != 1 || w.shown.problem[0].Kind != pages.LinkInvalid || w.shown.problem[0].AgainURL != shop+"/account" || w.amazon.calls != 1 {
		t.Errorf("%+v, %d calls", w.shown.problem, w.amazon.calls)
	}
	if !strings.Contains(w.log.String(), `"event":"security"`) {
		t.Error(w.log.String())
	}
}

func TestReloadIsAnsweredFromTheRecord(t *testing.T) {
	w := newWorld()
	s := w.session(nil)
	w.store.changes = session.Shown{Any: true, New: newAddress}
	w.returns(t, s)
	w.store.changes.New = nil
	w.returns(t, s)
	w.returns(t, s)
	if w.amazon.calls != 1 || len(w.reader.requests) != 1 || len(w.shown.results) != 3 {
		t.Errorf("%d completions, %d reads, %d pages", w.amazon.calls, len(w.reader.requests), len(w.shown.results))
	}
	for i, r := range w.shown.results {
		if r.Outcome != pages.Success || (r.City != "") != (i == 0) {
			t.Errorf("%d: %+v", i, r)
		}
	}
}

func TestOneOfTwoClicksCompletesAndBothShowTheOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := w.session(nil)
		w.store.changes = session.Shown{Any: true}
		w.amazon.hold = make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() { w.returns(t, s) })
		synctest.Wait()
		wg.Go(func() { w.returns(t, s) })
		synctest.Wait()
		close(w.amazon.hold)
		wg.Wait()
		if w.amazon.calls != 1 || len(w.shown.results) != 2 {
			t.Fatalf("%d completions, %d pages", w.amazon.calls, len(w.shown.results))
		}
		for _, r := range w.shown.results {
			if r.Outcome != pages.Success {
				t.Errorf("%+v", r)
			}
		}
	})
}

func TestWaitForAnotherRequestEndsWithTheCheckingPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := w.session(nil)
		if _, err := w.store.Begin(t.Context(), s.ID, checkout, session.Lease{99}, 0); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		w.returns(t, s)
		if w.amazon.calls != 0 || len(w.shown.results) != 1 || w.shown.results[0].Outcome != pages.Checking {
			t.Errorf("%d calls, %+v", w.amazon.calls, w.shown.results)
		}
		if took := time.Since(start); took != w.back.Timeout {
			t.Errorf("waited %s", took)
		}
	})
}

func TestLostLeaseShowsTheOutcomeThatAnotherStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s := w.session(nil)
		w.amazon.hold = make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() { w.returns(t, s) })
		synctest.Wait()
		// Another worker takes the lease and has the outcome a second later.
		a, _ := w.store.Attempt(t.Context(), "main", checkout)
		w.store.hold(checkout, session.Lease{99})
		close(w.amazon.hold)
		time.Sleep(time.Second)
		a.Outcome = session.OutcomeFailed
		if ours, err := w.store.Settle(t.Context(), session.Settlement{Attempt: a, Lease: session.Lease{99}, Reason: "BuyerCanceled"}); !ours || err != nil {
			t.Fatal(ours, err)
		}
		wg.Wait()
		if len(w.shown.results) != 0 || len(w.reader.requests) != 0 {
			t.Errorf("shown %+v, read %+v", w.shown.results, w.reader.requests)
		}
	})
}

func TestReturnWithoutQuotaShowsTheCheckingPage(t *testing.T) {
	w := newWorld()
	w.store.noTokens = true
	s := w.session(nil)
	w.returns(t, s)
	if w.amazon.calls != 0 || w.shown.results[0].Outcome != pages.Checking || w.store.sessions[some].State != session.Returned {
		t.Errorf("%d calls, %+v", w.amazon.calls, w.shown.results)
	}
}

func TestBuyerIsSentToTheMerchantsPageWithTheOutcome(t *testing.T) {
	cancelled := &amazonpay.Error{StatusCode: 422, ReasonCode: "CheckoutSessionCanceled"}
	unclear := &amazonpay.Error{StatusCode: 401}
	query := "updateSessionId=" + some.String()
	for _, c := range []struct {
		name            string
		start, returnTo string
		err             error
		shown           session.Shown
		want            string // empty: our own page
	}{
		{"success", "", shop + "/done", nil, session.Shown{Any: true}, shop + "/done?status=success&" + query},
		{"success keeps the page's own query", "", shop + "/done?a=b", nil, session.Shown{Any: true}, shop + "/done?a=b&status=success&" + query},
		{"success keeps what the merchant's page calls so", "", shop + "/done?status=x", nil, session.Shown{Any: true}, shop + "/done?status=x&status=success&" + query},
		{"on its way", "", shop + "/done", nil, session.Shown{}, shop + "/done?status=pending&" + query},
		{"being checked", "", shop + "/done", unclear, session.Shown{}, shop + "/done?status=pending&" + query},
		{"failed, to the start", shop + "/account", shop + "/done", cancelled, session.Shown{}, shop + "/account?status=failed&" + query},
		{"failed, without a start", "", shop + "/done", cancelled, session.Shown{}, shop + "/done?status=failed&" + query},
		{"success has no use for the start", shop + "/account", "", nil, session.Shown{Any: true}, ""},
		{"an origin that has left the list", "", "https://gone.example/done", nil, session.Shown{Any: true}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			w.amazon.err, w.store.changes = c.err, c.shown
			got := w.returns(t, w.session(func(s *session.Session) { s.StartURL, s.ReturnTo = c.start, c.returnTo }))
			to := got.Header().Get("Location")
			if c.want == "" {
				if got.Code != http.StatusOK || to != "" || len(w.shown.results) != 1 {
					t.Errorf("%d to %q", got.Code, to)
				}
				return
			}
			if got.Code != http.StatusSeeOther || to != c.want {
				t.Errorf("%d to %q, want %q", got.Code, to, c.want)
			}
			if got.Header().Get("Referrer-Policy") != "no-referrer" || got.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%v", got.Header())
			}
		})
	}
}

func TestFailureRedirectsToTheUpdatePageWithAMessage(t *testing.T) {
	w := newWorld()
	w.amazon.err = &amazonpay.Error{StatusCode: 422, ReasonCode: "CheckoutSessionCanceled"}
	s := w.session(nil)
	// The link has expired before the buyer returns.
	w.now = w.now.Add(2 * time.Hour)
	to := w.returns(t, s).Header().Get("Location")
	if !strings.HasPrefix(to, "https://pay.example/update?t=") {
		t.Fatal(to)
	}
	if w.get(t.Context(), to); len(w.shown.ready) != 1 || !w.shown.ready[0].Failed {
		t.Errorf("%+v", w.shown)
	}
}

func TestReturnByTheCancelURLWithoutACheckoutSessionIsACancellation(t *testing.T) {
	for _, c := range []struct {
		state session.State
		want  pages.Outcome // empty if redirected to the start
		after session.State
	}{
		{session.Started, "", session.Failed},
		{session.Failed, "", session.Failed},
		{session.Expired, "", session.Failed},
		{session.Returned, pages.Checking, session.Returned},
		{session.Completed, pages.Success, session.Completed},
	} {
		for _, appended := range []string{"", "&amazonCheckoutSessionId="} {
			w := newWorld()
			s := w.session(func(s *session.Session) { s.State = c.state })
			got := w.get(t.Context(), cancelURL(w.returnURL(t, s))+appended)
			if c.want == "" && got.Code != http.StatusSeeOther || c.want != "" && (len(w.shown.results) != 1 || w.shown.results[0].Outcome != c.want) {
				t.Errorf("%s: %d, %+v", c.state, got.Code, w.shown)
			}
			if got := w.store.sessions[some].State; got != c.after || w.amazon.calls != 0 || len(w.reader.requests) != 0 {
				t.Errorf("%s became %s", c.state, got)
			}
		}
	}
	// Amazon may append the id here too. Then the Checkout Session has the outcome.
	w := newWorld()
	s := w.session(nil)
	w.get(t.Context(), cancelURL(w.returnURL(t, s))+"&amazonCheckoutSessionId="+checkout)
	if w.amazon.calls != 1 || w.store.sessions[some].State != session.Completed {
		t.Errorf("%d calls, %+v", w.amazon.calls, w.store.sessions[some])
	}
}

// According to Amazon's documentation the return URL has the id. Without it, the buyer
// may have completed or cancelled the update.
func TestReturnWithoutACheckoutSessionIsCheckedByARead(t *testing.T) {
	for _, c := range []struct {
		state session.State
		want  pages.Outcome
	}{
		{session.Started, pages.Checking},
		{session.Failed, pages.Checking}, // the return may be from a second try
		{session.Expired, pages.Checking},
		{session.Returned, pages.Checking},
		{session.Completed, pages.Success},
	} {
		for _, appended := range []string{"", "&amazonCheckoutSessionId="} {
			w := newWorld()
			s := w.session(func(s *session.Session) { s.State = c.state })
			if got := w.get(t.Context(), w.returnURL(t, s)+appended); got.Code != http.StatusOK || len(w.shown.results) != 1 || w.shown.results[0].Outcome != c.want {
				t.Errorf("%s: %d, %+v", c.state, got.Code, w.shown)
			}
			var want []wallet.Want
			if c.want == pages.Checking {
				want = []wallet.Want{{Account: "main", ChargePermission: one, Priority: wallet.PriorityReturn}}
			}
			if d := cmp.Diff(want, w.reader.requests); d != "" {
				t.Errorf("%s: reads: %s", c.state, d)
			}
			if got := w.store.sessions[some].State; got != c.state || w.amazon.calls != 0 {
				t.Errorf("%s became %s", c.state, got)
			}
		}
	}
	w := newWorld()
	got := w.get(t.Context(), w.returnURL(t, w.session(func(s *session.Session) { s.ReturnTo = shop + "/done" })))
	if to := got.Header().Get("Location"); to != shop+"/done?status=pending&updateSessionId="+some.String() {
		t.Errorf("to %q", to)
	}
}

func TestReturnsWithoutACheckoutSessionRequestALimitedNumberOfReads(t *testing.T) {
	w := newWorld()
	s := w.session(nil)
	for range 3 * session.MaxCheckoutSessions {
		w.get(t.Context(), w.returnURL(t, s))
	}
	if n := len(w.reader.requests); n != session.MaxCheckoutSessions {
		t.Errorf("%d reads", n)
	}
	if n := len(w.shown.results); n != 3*session.MaxCheckoutSessions {
		t.Errorf("%d pages", n)
	}
}

// numbered returns the nth invented Checkout Session.
func numbered(n int) string { return fmt.Sprintf("bd504926-f659-4ad7-a1a9-%012d", n) }

// Invariant 5: the cost of one link is limited.
func TestInventedCheckoutSessionsCostALimitedNumberOfCalls(t *testing.T) {
	w := newWorld()
	w.amazon.err = &amazonpay.Error{StatusCode: http.StatusNotFound, ReasonCode: "ResourceNotFound"}
	s := w.session(func(s *session.Session) { s.StartURL = shop + "/account" })
	for n := range 30 {
		w.shown.problem = nil
		got := w.get(t.Context(), w.returnURL(t, s)+"&amazonCheckoutSessionId="+numbered(n))
		switch {
		case n < session.MaxCheckoutSessions && got.Code != http.StatusSeeOther:
			t.Errorf("%d: %d", n, got.Code)
		case n >= session.MaxCheckoutSessions && (len(w.shown.problem) != 1 || w.shown.problem[0].Kind != pages.UsedUp || w.shown.problem[0].AgainURL != shop+"/account"):
			t.Errorf("%d: %+v", n, w.shown.problem)
		}
	}
	if w.amazon.calls != session.MaxCheckoutSessions || len(w.store.attempts) != session.MaxCheckoutSessions {
		t.Errorf("%d calls, %d rows", w.amazon.calls, len(w.store.attempts))
	}
	// The link no longer shows a button, because a return would be refused.
	w.shown.problem = nil
	link := "/update?t=" + seal(t, w.start.Site.Tokens, Link, s.ID, w.now.Add(time.Minute))
	if w.get(t.Context(), link); len(w.shown.problem) != 1 || w.shown.problem[0].Kind != pages.UsedUp || len(w.shown.ready) != 0 {
		t.Errorf("%+v", w.shown)
	}
}

// Reloads cannot bring an open Checkout Session to an outcome.
func TestReloadOfAnUnclearReturnMakesNoCallBeforeTheNextTryIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.amazon.err = &amazonpay.Error{StatusCode: 401}
		s := w.session(nil)
		w.returns(t, s)
		calls, start := w.amazon.calls, time.Now()
		for range 20 {
			w.returns(t, s)
		}
		if w.amazon.calls != calls || time.Since(start) != 0 {
			t.Errorf("%d more calls in %s", w.amazon.calls-calls, time.Since(start))
		}
		for _, r := range w.shown.results {
			if r.Outcome != pages.Checking {
				t.Errorf("%+v", r)
			}
		}
		w.amazon.err = nil
		w.now = w.now.Add(2 * time.Minute)
		w.returns(t, s)
		if w.amazon.calls != calls+1 || w.store.sessions[some].State != session.Completed {
			t.Errorf("%d calls, %+v", w.amazon.calls-calls, w.store.sessions[some])
		}
	})
}

func TestEveryTryWithinTheLimitCanSucceed(t *testing.T) {
	w := newWorld()
	s := w.session(nil)
	w.amazon.err = &amazonpay.Error{StatusCode: 422, ReasonCode: "CheckoutSessionCanceled"}
	for n := range session.MaxCheckoutSessions - 1 {
		w.get(t.Context(), w.returnURL(t, s)+"&amazonCheckoutSessionId="+numbered(n))
	}
	w.amazon.err = nil
	w.returns(t, s)
	if got := w.store.sessions[some].State; got != session.Completed {
		t.Error(got)
	}
	// Further returns show the problem and make no call.
	calls := w.amazon.calls
	w.get(t.Context(), w.returnURL(t, s)+"&amazonCheckoutSessionId="+numbered(99))
	if last := w.shown.results[len(w.shown.results)-1]; last.Outcome != pages.Success || w.amazon.calls != calls {
		t.Errorf("%+v, %d calls", last, w.amazon.calls-calls)
	}
}

func TestExpiredSessionRefusesCheckoutSessions(t *testing.T) {
	w := newWorld()
	s := w.session(nil)
	to := w.returnURL(t, s) // its token expires later
	s.ExpiresAt = w.now
	w.store.sessions[some] = s
	w.get(t.Context(), to+"&amazonCheckoutSessionId="+checkout)
	if len(w.shown.problem) != 1 || w.shown.problem[0].Kind != pages.LinkExpired || w.shown.problem[0].MerchantURL == "" || w.amazon.calls != 0 || len(w.store.attempts) != 0 {
		t.Errorf("%+v, %d calls", w.shown, w.amazon.calls)
	}
}

func TestCheckoutSessionIDIgnoresCase(t *testing.T) {
	w := newWorld()
	s := w.session(nil)
	for _, id := range []string{checkout, strings.ToUpper(checkout), "BD504926-f659-4AD7-a1a9-9a747aaf5275"} {
		w.get(t.Context(), w.returnURL(t, s)+"&amazonCheckoutSessionId="+id)
	}
	if w.amazon.calls != 1 || len(w.store.attempts) != 1 || len(w.shown.results) != 3 {
		t.Errorf("%d calls, %d attempts, %d pages", w.amazon.calls, len(w.store.attempts), len(w.shown.results))
	}
}

// Mail programs and trackers add parameters.
func TestUnknownParametersDoNotInvalidateALink(t *testing.T) {
	for _, others := range []string{
		"utm_source=mail&utm_source=mail", "x=%zz", "%zz=x", "%", "a;b=c;d", ";", "&&", "=", "=t", "T=x", "amazoncheckoutsessionid=x", "x=t=1",
	} {
		w := newWorld()
		s := w.session(nil)
		own := "t=" + seal(t, w.back.Site.Tokens, State, s.ID, s.ExpiresAt) + "&amazonCheckoutSessionId=" + checkout
		w.get(t.Context(), "/return?"+others+"&"+own)
		w.get(t.Context(), "/return?"+own+"&"+others)
		if len(w.shown.results) != 2 || w.store.sessions[some].State != session.Completed {
			t.Errorf("return with %q: %+v", others, w.shown.problem)
		}
		w = newWorld()
		link := "t=" + seal(t, w.start.Site.Tokens, Link, w.session(nil).ID, w.now.Add(time.Minute))
		w.get(t.Context(), "/update?"+others+"&"+link)
		w.get(t.Context(), "/update?"+link+"&"+others)
		if len(w.shown.ready) != 2 {
			t.Errorf("link with %q: %+v", others, w.shown.problem)
		}
	}
}

func TestExpiredStateTokenIsAnsweredFromTheRecord(t *testing.T) {
	for _, c := range []struct {
		state session.State
		ok    bool
	}{{session.Started, false}, {session.Failed, false}, {session.Completed, true}} {
		w := newWorld()
		s := w.session(func(s *session.Session) { s.State, s.StartURL = c.state, shop+"/account" })
		to := w.returnURL(t, s) + "&amazonCheckoutSessionId=" + checkout
		w.now = s.ExpiresAt
		w.get(t.Context(), to)
		switch {
		case c.ok && (len(w.shown.results) != 1 || w.shown.results[0].Outcome != pages.Success):
			t.Errorf("%s: %+v", c.state, w.shown)
		case !c.ok && (len(w.shown.problem) != 1 || w.shown.problem[0].Kind != pages.LinkExpired || w.shown.problem[0].AgainURL != shop+"/account"):
			t.Errorf("%s: %+v", c.state, w.shown)
		}
		if w.amazon.calls != 0 || w.store.begun != 0 {
			t.Errorf("%s: has side effects", c.state)
		}
	}
}

func TestDeletedSessionShowsAPageWithALink(t *testing.T) {
	w := newWorld()
	s := w.session(nil)
	w.store.sessions = nil
	for _, to := range []string{w.returnURL(t, s), w.returnURL(t, s) + "&amazonCheckoutSessionId=" + checkout} {
		w.shown.problem = nil
		w.get(t.Context(), to)
		if len(w.shown.problem) != 1 || w.shown.problem[0].Kind != pages.NotFound || w.shown.problem[0].MerchantURL == "" {
			t.Errorf("%+v", w.shown)
		}
	}
}

func TestReturnWhileTheDatabaseIsDownCanBeTriedAgain(t *testing.T) {
	w := newWorld()
	s := w.session(nil)
	w.store.down = errDown
	w.returns(t, s)
	if len(w.shown.problem) != 1 || w.shown.problem[0].Kind != pages.Unavailable || !strings.HasPrefix(w.shown.problem[0].AgainURL, "https://pay.example/return?t=") || w.amazon.calls != 0 {
		t.Errorf("%+v", w.shown)
	}
}

func TestReturnLogsNothingOfTheBuyerAndNoToken(t *testing.T) {
	for _, err := range []error{nil, &amazonpay.Error{StatusCode: 422, ReasonCode: "CheckoutSessionCanceled"}, &amazonpay.Error{StatusCode: 401}} {
		w := newWorld()
		w.amazon.err, w.store.changes = err, session.Shown{Any: true, New: newAddress}
		s := w.session(nil)
		w.returns(t, s)
		log := w.log.String()
		for _, no := range []string{string(one), "Exampleton", "Visa", "Ada", strings.TrimPrefix(w.returnURL(t, s), "/return?t=")} {
			if strings.Contains(log, no) {
				t.Errorf("%q is in the log: %s", no, log)
			}
		}
		if !strings.Contains(log, some.String()) {
			t.Errorf("the log does not name the session: %s", log)
		}
	}
}

func TestPathOfAnAPIMappingIsRemoved(t *testing.T) {
	w := newWorld()
	w.back.Site.PublicURL = "https://pay.example/wallet"
	s := w.session(nil)
	for _, path := range []string{"", "/wallet"} {
		q := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path+w.returnURL(t, s)+"&amazonCheckoutSessionId="+checkout, nil)
		got := httptest.NewRecorder()
		w.back.Handler().ServeHTTP(got, q)
		if got.Code != http.StatusOK {
			t.Errorf("%q: %d", path, got.Code)
		}
	}
}

// A Checkout Session id has one form, because the store compares texts.
func TestCheckoutSessionIDHasOneForm(t *testing.T) {
	const id = "bd504926-f659-4ad7-a1a9-9a747aaf5275"
	for _, s := range []string{id, strings.ToUpper(id)} {
		if r, err := parseReturn("t=a&amazonCheckoutSessionId=" + s); err != nil || r.checkoutSession != id {
			t.Errorf("%s: %+v, %v", s, r, err)
		}
	}
	for _, s := range []string{strings.ReplaceAll(id, "-", ""), "urn:uuid:" + id, "{" + id + "}", id[:35], id + "0", "g" + id[1:], strings.ReplaceAll(id, "-", "0")} {
		if r, err := parseReturn("t=a&amazonCheckoutSessionId=" + s); err == nil {
			t.Errorf("%s: accepted as %+v", s, r)
		}
	}
}

func FuzzParseReturn(f *testing.F) {
	for _, s := range []string{"t=a", "t=a&amazonCheckoutSessionId=" + checkout, "t=a&amazonCheckoutSessionId=..%2f", "t=a;b", "%", "t=a&t=b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		r, err := parseReturn(query)
		if err != nil {
			if r != (returned{}) {
				t.Errorf("%q: %+v with %v", query, r, err)
			}
			return
		}
		if r.token == "" || r.checkoutSession != "" && len(r.checkoutSession) != 36 {
			t.Errorf("%q: %+v", query, r)
		}
		if r.checkoutSession != strings.ToLower(r.checkoutSession) {
			t.Errorf("%q: %+v", query, r)
		}
		if strings.ContainsAny(r.checkoutSession, "/.%?#\\ ") {
			t.Errorf("%q: %+v", query, r)
		}
	})
}

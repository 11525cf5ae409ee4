package update

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"walletsync/internal/wallet"
)

// announced returns a request with n charge permissions in reverse order.
func announced(n int) string {
	var ids []string
	for i := n; i > 0; i-- {
		ids = append(ids, fmt.Sprintf(`"S01-0000000-%07d"`, i))
	}
	return `{"chargePermissionIds":[` + strings.Join(ids, ",") + `]}`
}

func (w *world) announce(t *testing.T, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	return w.postTo(t, "/charge-permissions", body, headers...)
}

func TestAnnouncementReturnsAStatusForEach(t *testing.T) {
	w := newWorld()
	w.announced.stored = map[wallet.ChargePermissionID]wallet.AnnouncementStatus{other: wallet.AnnouncementStored}
	got := w.announce(t, `{"chargePermissionIds":["S01-0000000-0000002","S01-0000000-0000003","S01-0000000-0000001"]}`)
	var a AnnouncementAnswer
	if err := json.Unmarshal(got.Body.Bytes(), &a); err != nil || got.Code != http.StatusAccepted || got.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v %v: %s", got.Code, got.Header(), err, got.Body)
	}
	want := []AnnouncedPermission{{other, "stored"}, {"S01-0000000-0000003", "requested"}, {one, "requested"}}
	if d := cmp.Diff(want, a.ChargePermissions); d != "" {
		t.Error(d)
	}
	if !slices.IsSorted(w.announced.asked) || w.announced.account != "main" || w.announced.wakeUps != 1 {
		t.Errorf("asked for %v of %s, %d wake-ups", w.announced.asked, w.announced.account, w.announced.wakeUps)
	}
	if strings.Contains(w.log.String(), "S01-") {
		t.Errorf("the log names charge permissions: %s", w.log.String())
	}

	// A repetition requests nothing new.
	if got = w.announce(t, `{"chargePermissionIds":["S01-0000000-0000001"]}`); got.Code != http.StatusAccepted || !strings.Contains(got.Body.String(), `"pending"`) || w.announced.wakeUps != 1 {
		t.Errorf("%d %s, %d wake-ups", got.Code, got.Body, w.announced.wakeUps)
	}
	if got = w.announce(t, `{"chargePermissionIds":["S01-0000000-0000002"]}`); got.Code != http.StatusOK || !strings.Contains(got.Body.String(), `"stored"`) {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}

func TestAnnouncementErrorsNameTheirMember(t *testing.T) {
	described := checker(t)
	for _, c := range []struct{ name, body, field string }{
		{"no JSON", `S01-0000000-0000001`, "body"},
		{"a list alone", `["S01-0000000-0000001"]`, "body"},
		{"nothing", ``, "body"},
		{"something after it", announced(1) + `1`, "body"},
		{"no ids", `{}`, "chargePermissionIds"},
		{"null", `{"chargePermissionIds":null}`, "chargePermissionIds"},
		{"an empty list", announced(0), "chargePermissionIds"},
		{"a text for the list", `{"chargePermissionIds":"S01-0000000-0000001"}`, "chargePermissionIds"},
		{"one too many", announced(MaxAnnounced + 1), "chargePermissionIds"},
		{"a number for an id", `{"chargePermissionIds":[1]}`, "chargePermissionIds"},
		{"a charge's id", `{"chargePermissionIds":["S01-0000000-0000001","S01-0000000-0000002-C056351"]}`, "chargePermissionIds[1]"},
		{"twice", `{"chargePermissionIds":["S01-0000000-0000001","S01-0000000-0000001"]}`, "chargePermissionIds[1]"},
		{"a member misspelt", `{"chargePermissionId":"S01-0000000-0000001"}`, "chargePermissionId"},
		{"an account that is no name", `{"chargePermissionIds":["S01-0000000-0000001"],"account":"Main!"}`, "account"},
		{"an account that there is not", `{"chargePermissionIds":["S01-0000000-0000001"],"account":"japan"}`, "account"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			got := w.announce(t, c.body)
			code, fields := problemOf(t, got)
			if got.Code != http.StatusBadRequest || code != "invalid_request" || !slices.Contains(fields, c.field) || w.announced.asked != nil {
				t.Errorf("%d %s %v: %s", got.Code, code, fields, got.Body)
			}
			// Limits that the schema cannot express, or that the checker does not read.
			inWords := c.name == "an account that there is not" || c.name == "something after it"
			if broken := described.asks(t, "/charge-permissions", c.body); (broken == nil) != inWords {
				t.Errorf("the description says: %v", broken)
			}
		})
	}
}

func TestAnnouncementNeedsAnAccountIfThereAreSeveral(t *testing.T) {
	w := newWorld()
	second := w.start.Accounts[0]
	second.ID = "japan"
	w.start.Accounts = append(w.start.Accounts, second)
	if code, fields := problemOf(t, w.announce(t, announced(1))); code != "invalid_request" || !slices.Contains(fields, "account") {
		t.Error(code, fields)
	}
	if got := w.announce(t, `{"chargePermissionIds":["S01-0000000-0000001"],"account":"japan"}`); got.Code != http.StatusAccepted || w.announced.account != "japan" {
		t.Errorf("%d %s: %s", got.Code, got.Body, w.announced.account)
	}
}

// Like invariant 5: only the merchant's authenticated call announces new wallets.
func TestAnnouncementNeedsTheMerchantsKey(t *testing.T) {
	for header, want := range map[string]int{
		"Bearer the-current-key-1": http.StatusAccepted, "bearer the-previous-key": http.StatusAccepted, "": http.StatusUnauthorized,
		"Bearer the-current-key-2": http.StatusUnauthorized, "Basic the-current-key-1": http.StatusUnauthorized,
	} {
		w := newWorld()
		if got := w.announce(t, announced(1), "Authorization", header); got.Code != want || (w.announced.asked == nil) != (want == http.StatusUnauthorized) {
			t.Errorf("%q: %d %s", header, got.Code, got.Body)
		}
	}
	w := newWorld()
	w.start.BearerKeys = nil
	w.start.Caller = func(*http.Request) string { return "" }
	if got := w.announce(t, announced(1)); got.Code != http.StatusUnauthorized || w.announced.asked != nil {
		t.Errorf("without its authorizer the route answers %d", got.Code)
	}
	w.start.Caller = func(*http.Request) string { return "arn:aws:iam::000000000000:user/shop" }
	if got := w.announce(t, announced(1)); got.Code != http.StatusAccepted {
		t.Errorf("by IAM: %d", got.Code)
	}
}

func TestFailedAnnouncements(t *testing.T) {
	t.Run("the largest request", func(t *testing.T) {
		if got := newWorld().announce(t, announced(MaxAnnounced)); got.Code != http.StatusAccepted {
			t.Errorf("%d %s", got.Code, got.Body)
		}
	})
	t.Run("a body without end", func(t *testing.T) {
		w := newWorld()
		if got := w.announce(t, announced(1)+strings.Repeat(" ", maxAnnouncementBody)); got.Code != http.StatusRequestEntityTooLarge || w.announced.asked != nil {
			t.Errorf("%d %s", got.Code, got.Body)
		}
	})
	t.Run("the database is down", func(t *testing.T) {
		w := newWorld()
		w.announced.down = errDown
		if got := w.announce(t, announced(1)); got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") == "" {
			t.Errorf("%d %s", got.Code, got.Body)
		}
	})
	t.Run("the bearer key is not to be had", func(t *testing.T) {
		w := newWorld()
		w.start.BearerKeys = func(context.Context, bool) ([]string, error) { return nil, errDown }
		if got := w.announce(t, announced(1)); got.Code != http.StatusServiceUnavailable {
			t.Errorf("%d %s", got.Code, got.Body)
		}
	})
	// The request is stored, and the reconciler sends the wake-up.
	t.Run("the queue is down", func(t *testing.T) {
		w := newWorld()
		w.announced.queue = errDown
		if got := w.announce(t, announced(1)); got.Code != http.StatusAccepted || !strings.Contains(w.log.String(), "send wake-up: failed") {
			t.Errorf("%d %s: %s", got.Code, got.Body, w.log.String())
		}
	})
}

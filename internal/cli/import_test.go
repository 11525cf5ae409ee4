package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"walletsync/internal/refresh"
	"walletsync/internal/wallet"
)

// importStore knows ids, and a worker that fetches four a second.
type importStore struct {
	Store
	known   map[key]time.Time // since when
	batches int
	failAt  int // the batch that fails, and every one after it
	fetches bool
	fails   map[wallet.ChargePermissionID]bool
	rest    time.Duration
}

func (s *importStore) Import(_ context.Context, a wallet.AccountID, ids []wallet.ChargePermissionID) (n int, err error) {
	if s.batches++; s.batches == s.failAt {
		return 0, errors.New("the database is down")
	}
	if !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != len(ids) || len(ids) > batch {
		panic("not a batch in key order")
	}
	for _, id := range ids {
		if _, ok := s.known[key{a, id}]; !ok {
			s.known[key{a, id}] = time.Now()
			n++
		}
	}
	return n, nil
}

// waits are those of an account that are not fetched by now.
func (s *importStore) waits(a wallet.AccountID) (waiting, stuck int) {
	n, done := 0, 0
	for k, since := range s.known {
		if k.account == a {
			n++
			done = max(done, int(4*time.Since(since).Seconds()))
		}
	}
	if !s.fetches {
		done = 0
	}
	return max(len(s.fails), n-done), len(s.fails)
}

func (s *importStore) ImportOf(_ context.Context, a wallet.AccountID) (refresh.Import, error) {
	waiting, stuck := s.waits(a)
	i := refresh.Import{Waiting: waiting, Stuck: stuck, Ahead: 12, PerSecond: 4, Rest: s.rest}
	if s.rest > 0 {
		i.Why = "Amazon Pay throttles"
	}
	return i, nil
}

func (s *importStore) OtherCalls(context.Context, wallet.AccountID) (float64, error) { return 0.5, nil }

func (s *importStore) Imported(_ context.Context, a wallet.AccountID, ids []wallet.ChargePermissionID) (of refresh.Imported, err error) {
	for _, id := range ids {
		switch {
		case s.fails[id]:
			of.Failing++
			of.Error = "status 500"
		case strings.HasSuffix(string(id), "0"):
			of.Gone++
		default:
			of.Read++
		}
	}
	return of, nil
}

func (s *importStore) Backlog(_ context.Context, a wallet.AccountID) (refresh.Backlog, []refresh.Wake, error) {
	return refresh.Backlog{}, []refresh.Wake{{Account: a}}, nil
}

type wakes struct {
	sent map[wallet.AccountID]int
	err  error
}

func (w *wakes) Wake(_ context.Context, a wallet.AccountID, _ time.Time, _ time.Duration) error {
	w.sent[a]++
	return w.err
}

func idList(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "B01-0000000-%07d\n", n-i)
	}
	return b.String()
}

// imported runs an import of a list from standard input.
func imported(t *testing.T, s *importStore, w *wakes, bars bool, list string, args ...string) (int, string) {
	t.Helper()
	parts := Parts{Accounts: []wallet.AccountID{"main"}, Store: s, Waker: w, FetchLimit: 20}
	if strings.Contains(list, "account") {
		parts.Accounts = append(parts.Accounts, "other")
	}
	c := &CLI{In: strings.NewReader(list), Bars: bars, Connect: func(context.Context) (Parts, error) { return parts, nil }}
	code, out, stderr := run(t.Context(), c, append([]string{"import"}, args...)...)
	return code, fmt.Sprintf("%s----\n%s----\n%d\n", drawn(stderr), out, code)
}

// drawn is what a screen shows, with a line for each state of the bar.
func drawn(stderr string) string {
	return regexp.MustCompile(`[ \r]*\r+`).ReplaceAllString(stderr, "\n")
}

func TestImport(t *testing.T) {
	for _, c := range []struct {
		name  string
		store *importStore
		bars  bool
		list  string
		args  []string
	}{
		{"marks", &importStore{}, false, idList(2500) + "no id\n" + idA + "\n", nil},
		{"accounts", &importStore{}, false, "account,charge_permission_id\nmain," + idA + "\nother," + idB + "\nmian," + idB + "\n," + idA, nil},
		{"waits", &importStore{fetches: true}, false, idList(200), []string{"--wait", "-"}},
		{"waits, with a bar", &importStore{fetches: true}, true, idList(20), []string{"--wait"}},
		{"waits for what fails", &importStore{fetches: true, fails: map[wallet.ChargePermissionID]bool{"B01-0000000-0000007": true}, rest: 90 * time.Second}, false, idList(30), []string{"--wait"}},
		{"is broken off", &importStore{failAt: 3}, false, idList(2500), nil},
		{"is no list", &importStore{}, false, strings.Repeat("Ada\n", 5), nil},
		{"an account that is not there", &importStore{}, false, idList(1), []string{"--account", "other"}},
		{"nothing", &importStore{}, false, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.store.known = map[key]time.Time{}
				_, stderr := imported(t, c.store, &wakes{sent: map[wallet.AccountID]int{}}, c.bars, c.list, c.args...)
				golden(t, "import-"+strings.ReplaceAll(strings.ReplaceAll(c.name, ",", ""), " ", "-"), stderr)
			})
		})
	}
}

func TestListWithoutIDsIsGivenUpEarly(t *testing.T) {
	s := &importStore{known: map[key]time.Time{}}
	code, stderr := imported(t, s, &wakes{}, false, strings.Repeat("Ada Example\n", 100_000))
	if n := strings.Count(stderr, "\n"); code != Failed || n > batch+10 || strings.Contains(stderr, "Ada") || !strings.Contains(stderr, "have no id") {
		t.Errorf("%d, %d lines: %.300s", code, n, stderr)
	}
}

func TestImportWakesTheWorkerAtOnceAndAtItsEnd(t *testing.T) {
	s := &importStore{known: map[key]time.Time{}}
	w := &wakes{sent: map[wallet.AccountID]int{}}
	if code, stderr := imported(t, s, w, false, idList(5000)); code != Done || w.sent["main"] != 2 {
		t.Errorf("%d wake-ups: %s", w.sent["main"], stderr)
	}
	// What is known asks for nothing, but an import before may have died before
	// it sent its wake-up.
	if code, stderr := imported(t, s, w, false, idList(5000)); code != Done || w.sent["main"] != 3 || !strings.Contains(stderr, " 5,000  known before") {
		t.Errorf("%d wake-ups: %s", w.sent["main"], stderr)
	}
	w.err = errors.New("the queue is unavailable")
	if code, stderr := imported(t, s, w, false, idList(5000)); code != Done || !strings.Contains(stderr, "the queue is unavailable; the reconciler will do it on its next run") {
		t.Errorf("%d: %s", code, stderr)
	}
}

func TestTimeLeftOfAnImport(t *testing.T) {
	for _, c := range []struct {
		name   string
		of     refresh.Import
		others float64
		want   time.Duration
	}{
		{"nothing waits", refresh.Import{Ahead: 100, PerSecond: 2}, 0, 0},
		{"a million at half of what is documented", refresh.Import{Waiting: 1_000_000, PerSecond: 2}, 0, 500_000 * time.Second},
		{"beside others", refresh.Import{Waiting: 300, Ahead: 20, PerSecond: 2}, 0.5, 210 * time.Second},
		{"others take all: one in ten is left", refresh.Import{Waiting: 30, PerSecond: 2}, 3, 150 * time.Second},
		{"the worker is slower", refresh.Import{Waiting: 300, PerSecond: 50}, 0, 15 * time.Second},
		{"calls rest", refresh.Import{Waiting: 2, PerSecond: 2, Rest: time.Minute}, 0, 61 * time.Second},
	} {
		if got := c.of.Left(c.others, 20); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

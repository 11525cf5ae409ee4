package reconcile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"pgregory.net/rapid"

	"walletsync/internal/refresh"
	"walletsync/internal/telemetry"
	"walletsync/internal/wallet"
)

type duty struct {
	name string
	err  error
	done *[]string
}

func (d duty) Name() string { return d.name }
func (d duty) Do(_ context.Context, a wallet.AccountID) error {
	*d.done = append(*d.done, d.name+" "+string(a))
	return d.err
}

func TestTheOtherDutiesRunAfterAFailure(t *testing.T) {
	var done []string
	broken := errors.New("broken")
	r := Reconciler{Accounts: []wallet.AccountID{"a", "b"}, Wake: duty{"wake", nil, &done},
		Duties: []Duty{duty{"sweep", broken, &done}, duty{"inbox", nil, &done}}, Calls: []Duty{duty{"updates", nil, &done}}}
	err := r.Run(t.Context())
	want := []string{"wake a", "wake b", "sweep a", "inbox a", "sweep b", "inbox b", "updates a", "updates b", "wake a", "wake b"}
	if !slices.Equal(done, want) {
		t.Errorf("done: %v", done)
	}
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "sweep of account b") {
		t.Errorf("error: %v", err)
	}
}

// slow is a duty that takes its time, or as much as it gets.
type slow struct {
	takes map[wallet.AccountID]time.Duration
	log   *[]string
	name  string
	start time.Time
}

func (s slow) Name() string { return s.name }
func (s slow) Do(ctx context.Context, a wallet.AccountID) error {
	began := time.Now()
	select {
	case <-time.After(s.takes[a]):
	case <-ctx.Done():
	}
	*s.log = append(*s.log, fmt.Sprintf("%s %s %v+%v", s.name, a, began.Sub(s.start), time.Since(began)))
	return ctx.Err()
}

// TestNoAccountTakesTheTimeOfAnother: an account whose calls get no answer uses
// only its part of the run, and the wake-ups of all are sent first and last.
func TestNoAccountTakesTheTimeOfAnother(t *testing.T) {
	const s, ever = time.Second, time.Hour
	for _, c := range []struct {
		name         string
		wake, duties map[wallet.AccountID]time.Duration
		calls        map[wallet.AccountID]time.Duration
		want         []string
	}{
		{"Amazon is silent for the first", nil, nil, map[wallet.AccountID]time.Duration{"a": ever, "b": s, "c": s}, []string{
			"wake a 0s+0s", "wake b 0s+0s", "wake c 0s+0s", "duty a 0s+0s", "duty b 0s+0s", "duty c 0s+0s",
			"calls a 0s+16s", "calls b 16s+1s", "calls c 17s+1s", "wake a 18s+0s", "wake b 18s+0s", "wake c 18s+0s"}},
		{"Amazon is silent for all", nil, nil, map[wallet.AccountID]time.Duration{"a": ever, "b": ever, "c": ever}, []string{
			"wake a 0s+0s", "wake b 0s+0s", "wake c 0s+0s", "duty a 0s+0s", "duty b 0s+0s", "duty c 0s+0s",
			"calls a 0s+16s", "calls b 16s+16s", "calls c 32s+16s", "wake a 48s+0s", "wake b 48s+0s", "wake c 48s+0s"}},
		{"a duty is slow", nil, map[wallet.AccountID]time.Duration{"a": ever}, nil, []string{
			"wake a 0s+0s", "wake b 0s+0s", "wake c 0s+0s", "duty a 0s+6.5s", "duty b 6.5s+0s", "duty c 6.5s+0s",
			"calls a 6.5s+0s", "calls b 6.5s+0s", "calls c 6.5s+0s", "wake a 6.5s+0s", "wake b 6.5s+0s", "wake c 6.5s+0s"}},
		{"SQS is silent", map[wallet.AccountID]time.Duration{"a": ever, "b": ever, "c": ever}, nil, map[wallet.AccountID]time.Duration{"b": ever}, []string{
			"wake a 0s+3.333333333s", "wake b 3.333333333s+3.333333333s", "wake c 6.666666666s+3.333333334s",
			"duty a 10s+0s", "duty b 10s+0s", "duty c 10s+0s", "calls a 10s+0s", "calls b 10s+19s", "calls c 29s+0s",
			"wake a 29s+3.333333333s", "wake b 32.333333333s+3.333333333s", "wake c 35.666666666s+3.333333334s"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 58*time.Second)
				defer cancel()
				var log []string
				named := func(name string, takes map[wallet.AccountID]time.Duration) Duty {
					return slow{takes, &log, name, time.Now()}
				}
				r := Reconciler{Accounts: []wallet.AccountID{"a", "b", "c"}, Wake: named("wake", c.wake),
					Duties: []Duty{named("duty", c.duties)}, Calls: []Duty{named("calls", c.calls)}}
				_ = r.Run(ctx) // returns the errors of duties that ran out of time
				if !slices.Equal(log, c.want) {
					t.Errorf("done:\n%s\nwant:\n%s", strings.Join(log, "\n"), strings.Join(c.want, "\n"))
				}
				if ctx.Err() != nil {
					t.Error("the run outlasted its time")
				}
			})
		})
	}
}

// TestEachAccountIsFirstInItsTurn: if a run has time for only a few accounts,
// each has calls made at least once in as many runs as there are accounts.
func TestEachAccountIsFirstInItsTurn(t *testing.T) {
	const every = 5 * time.Minute
	accounts := []wallet.AccountID{"a", "b", "c", "d", "e", "f", "g", "h", "i"}
	had := map[string]int{}
	for run := range len(accounts) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 58*time.Second)
			defer cancel()
			var log []string
			takes := map[wallet.AccountID]time.Duration{}
			for _, a := range accounts {
				takes[a] = time.Hour
			}
			r := Reconciler{Accounts: accounts, Wake: duty{"wake", nil, &[]string{}}, Calls: []Duty{slow{takes, &log, "calls", time.Now()}}, Every: every,
				Now: func() time.Time {
					return time.Date(2026, 11, 30, 12, 0, 7, 0, time.UTC).Add(time.Duration(run) * every)
				}}
			if err := r.Run(ctx); err == nil {
				t.Error("that some got no time is no error")
			}
			for _, line := range log {
				if strings.HasSuffix(line, "+13s") {
					had[strings.Fields(line)[1]]++
				}
			}
		})
	}
	for _, a := range accounts {
		if had[string(a)] < 3 {
			t.Errorf("%s had a whole turn in %d of %d runs", a, had[string(a)], len(accounts))
		}
	}
}

// store is a store with fixed answers.
type store struct {
	wakes     []refresh.Wake
	sweepable Sweepable
	err       error
	unread    time.Duration
	limit     int
}

func (s *store) Backlog(context.Context, wallet.AccountID) (refresh.Backlog, []refresh.Wake, error) {
	return refresh.Backlog{}, s.wakes, s.err
}
func (s *store) Sweepable(context.Context, wallet.AccountID) (Sweepable, error) {
	return s.sweepable, s.err
}
func (s *store) MarkUnread(_ context.Context, _ wallet.AccountID, unread time.Duration, limit int) (int, error) {
	s.unread, s.limit = unread, limit
	return limit, nil
}

type wakerFunc func() error

func (f wakerFunc) Wake(context.Context, wallet.AccountID, time.Time, time.Duration) error {
	return f()
}

func TestAWakeUpThatCannotBeSentFailsTheInvocation(t *testing.T) {
	broken := errors.New("broken")
	sent := 0
	for _, c := range []struct {
		name  string
		store store
		waker error
		want  error
		sent  int
	}{
		{"none is needed", store{}, nil, nil, 0},
		{"one is sent", store{wakes: []refresh.Wake{{Account: "a"}}}, nil, nil, 1},
		{"one cannot be sent", store{wakes: []refresh.Wake{{Account: "a"}}}, broken, broken, 1},
		{"the store cannot be asked", store{err: broken}, nil, broken, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			sent = 0
			w := Wake{Store: &c.store, Waker: wakerFunc(func() error { sent++; return c.waker })}
			if err := w.Do(t.Context(), "a"); !errors.Is(err, c.want) || sent != c.sent {
				t.Errorf("%v after %d sent", err, sent)
			}
		})
	}
}

const day = 24 * time.Hour

// kept is a store with old rows.
type kept struct {
	due  int
	asks []string
	err  error
}

func (k *kept) Forget(_ context.Context, a wallet.AccountID, processed time.Duration, limit int) (int, error) {
	k.asks = append(k.asks, fmt.Sprint("processed in ", a, " before ", processed, ", at most ", limit))
	return k.due, k.err
}
func (k *kept) ForgetUpdates(_ context.Context, a wallet.AccountID, ended time.Duration, limit int) (int, error) {
	k.asks = append(k.asks, fmt.Sprint("ended in ", a, " before ", ended, ", at most ", limit))
	return k.due, k.err
}
func (k *kept) ForgetAccesses(_ context.Context, written time.Duration, limit int) (int, error) {
	k.asks = append(k.asks, fmt.Sprint("written before ", written, ", at most ", limit))
	return k.due, k.err
}

func TestTheInboxIsKeptForItsPeriod(t *testing.T) {
	s := &kept{due: 7, err: errors.New("broken")}
	err := (&Inbox{Store: s, Keep: 90 * day}).Do(t.Context(), "main")
	if want := []string{"processed in main before 2160h0m0s, at most 5000"}; !slices.Equal(s.asks, want) || !errors.Is(err, s.err) {
		t.Errorf("%v, %v", s.asks, err)
	}
}

func TestUpdatesAreKeptForTheirPeriod(t *testing.T) {
	s := &kept{due: 7, err: errors.New("broken")}
	err := (&Updates{Store: s, Keep: 90 * day}).Do(t.Context(), "main")
	if want := []string{"ended in main before 2160h0m0s, at most 5000"}; !slices.Equal(s.asks, want) || !errors.Is(err, s.err) {
		t.Errorf("%v, %v", s.asks, err)
	}
}

func TestTheAccessLogIsKeptForItsPeriod(t *testing.T) {
	s := &kept{due: 7, err: errors.New("broken")}
	err := (&Accesses{Store: s, Keep: 365 * day}).Do(t.Context(), "main")
	if want := []string{"written before 8760h0m0s, at most 5000"}; !slices.Equal(s.asks, want) || !errors.Is(err, s.err) {
		t.Errorf("%v, %v", s.asks, err)
	}
}

func TestTheSweepUsesAtMostAQuarterOfTheShare(t *testing.T) {
	for _, c := range []struct {
		name string
		work Sweepable
		want sweep
	}{
		{"no charge permissions", Sweepable{0, 0, 2}, sweep{0, 7 * day, 150}},
		{"a few: each waits for nearly the whole period", Sweepable{1000, 0, 2}, sweep{35 * time.Minute, 7*day - 35*time.Minute, 150}},
		{"some were marked and not read yet", Sweepable{1000, 149, 2}, sweep{35 * time.Minute, 7*day - 35*time.Minute, 1}},
		{"more of them than a run marks", Sweepable{1000, 200, 2}, sweep{35 * time.Minute, 7*day - 35*time.Minute, 0}},
		{"as many as the period allows", Sweepable{302_400, 0, 2}, sweep{7 * day, 0, 150}},
		{"too many: as fast as the share allows", Sweepable{1_000_000, 0, 2}, sweep{6667 * 5 * time.Minute, 0, 150}},
		{"a share so small that a run has no whole call", Sweepable{10, 0, 0.004}, sweep{50 * time.Minute, 7*day - 50*time.Minute, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := plan(c.work, 7*day, 5*time.Minute); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// At any age of the charge permissions, and with any reads that notifications
// cause, none stays unread for longer than the period, or than the share allows,
// plus one run.
func TestEverythingIsReadWithinThePeriod(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		const every = 5 * time.Minute
		period := time.Duration(rapid.IntRange(1, 3).Draw(rt, "days")) * day
		n := rapid.IntRange(1, 400).Draw(rt, "charge permissions")
		// The share is too small, just enough or more than enough for the period.
		rate := float64(n) / period.Seconds() / part * rapid.Float64Range(0.5, 40).Draw(rt, "rate")
		read := make([]time.Duration, n) // when each was read last
		for i := range read {
			read[i] = -time.Duration(rapid.IntRange(0, int(period.Seconds())).Draw(rt, "unread for")) * time.Second
		}
		if rapid.Bool().Draw(rt, "all at one time") {
			clear(read)
		}
		for now := every; now < 3*period; now += every {
			if rapid.IntRange(0, 50).Draw(rt, "notified") == 0 {
				read[rapid.IntRange(0, n-1).Draw(rt, "which")] = now
			}
			slices.Sort(read)
			p := plan(Sweepable{Total: n, PerSecond: rate}, period, every)
			// In the first period, ages are from before the first sweep.
			if oldest := now - read[0]; now > p.shortest && oldest > max(period, p.shortest)+every {
				rt.Fatalf("after %v one has been unread for %v", now, oldest)
			}
			for i := 0; i < min(p.limit, n) && now-read[i] >= p.unread; i++ {
				read[i] = now
			}
		}
	})
}

func TestAnUnreachablePeriodIsLoggedWithARemedy(t *testing.T) {
	for _, c := range []struct {
		name  string
		total int
		want  string
	}{
		{"it can be kept", 302_400, `"level":"info"`},
		{"it cannot", 1_000_000, `"needed_days":24`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			s := Sweep{Store: &store{sweepable: Sweepable{Total: c.total, PerSecond: 2}}, Period: 7 * day, Every: 5 * time.Minute}
			if err := s.Do(zerolog.New(&out).WithContext(t.Context()), "main"); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(out.String(), c.want) {
				t.Errorf("log: %s", out.String())
			}
			if loud := strings.Contains(out.String(), `"level":"error"`) && strings.Contains(out.String(), "SWEEP_DAYS"); loud != (c.total > 302_400) {
				t.Errorf("log: %s", out.String())
			}
		})
	}
}

type heard Heard

func (h heard) Heard(context.Context, wallet.AccountID, time.Duration) (Heard, error) {
	return Heard(h), nil
}

func TestMissingNotificationsAreLoggedWithARemedy(t *testing.T) {
	for verdict, h := range map[Verdict]Heard{
		Untested: {}, Alive: {Last: time.Now()}, Doubtful: {Last: time.Now(), Updates: 1}, Dead: {Updates: 1, Found: 1},
	} {
		t.Run(string(verdict), func(t *testing.T) {
			var out bytes.Buffer
			metrics := telemetry.NewMetrics(&out, "reconciler", time.Now)
			c := Channel{Store: heard(h), GracePeriod: time.Minute, Metrics: metrics}
			if err := c.Do(zerolog.New(&out).WithContext(t.Context()), "main"); err != nil {
				t.Fatal(err)
			}
			metrics.Flush()
			log := out.String()
			if loud := strings.Contains(log, `"level":"error"`) && strings.Contains(log, "Seller Central"); loud != (verdict == Dead) {
				t.Errorf("log: %s", log)
			}
			if warned := strings.Contains(log, `"level":"warn"`); warned != (verdict == Doubtful) {
				t.Errorf("log: %s", log)
			}
			if !strings.Contains(log, `"Missing":[`+strconv.Itoa(h.Missing())+`]`) {
				t.Errorf("metrics: %s", log)
			}
		})
	}
}

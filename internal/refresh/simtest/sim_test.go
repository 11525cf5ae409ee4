package simtest

import (
	"flag"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	seedFlag      = flag.Uint64("seed", 0, "play the schedule of this seed alone")
	firstFlag     = flag.Uint64("first", 0, "the first seed; 0: a random one")
	schedulesFlag = flag.Int("schedules", 2000, "play at most so many schedules")
	timeFlag      = flag.Duration("time", 10*time.Second, "play no longer than this")
)

// enough is how many schedules must be played before each rule must have been
// seen at work.
const enough = 100000

// TestSimulation plays schedules of random seeds, on all processors.
func TestSimulation(t *testing.T) {
	if *seedFlag != 0 {
		holds(t, *seedFlag)
		return
	}
	first := *firstFlag
	if first == 0 {
		first = rand.Uint64()>>16 | 1
	}
	t.Logf("seeds from %d on", first)
	coverage, n, took, bad := playAll(first, *schedulesFlag, *timeFlag)
	t.Logf("%d schedules in %v: %.0f a second", n, took.Round(time.Millisecond), float64(n)/took.Seconds())
	if bad != 0 {
		holds(t, bad)
		return
	}
	coverage.Counts(func(what string, n int) { t.Logf("%10d  %s", n, what) })
	if missing := coverage.Missing(); n >= enough && len(missing) > 0 {
		t.Errorf("never happened: %s", strings.Join(missing, ", "))
	}
}

// playAll plays schedules until there were enough, time is up, or one fails,
// whose seed it returns.
func playAll(first uint64, schedules int, limit time.Duration) (coverage *Coverage, n int, took time.Duration, bad uint64) {
	began := time.Now()
	coverage = NewCoverage()
	var next, failed atomic.Uint64
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			mine, played := NewCoverage(), 0
			for failed.Load() == 0 && (played%32 != 0 || time.Since(began) < limit) {
				i := next.Add(1) - 1
				if i >= uint64(schedules) {
					break
				}
				if Run(first+i, mine) != "" {
					failed.CompareAndSwap(0, first+i)
				}
				played++
			}
			mu.Lock()
			defer mu.Unlock()
			coverage.Add(mine)
			n += played
		})
	}
	wg.Wait()
	return coverage, n, time.Since(began), failed.Load()
}

// holds plays one schedule, and logs the shortest trace of a failure.
func holds(t *testing.T, seed uint64) {
	t.Helper()
	if story, wrong := Shortest(seed); wrong != "" {
		t.Errorf("seed %d: %s\n%s", seed, wrong, story)
	} else {
		t.Logf("the schedule of seed %d holds", seed)
	}
}

// TestFixedSeeds plays the same schedules each time.
func TestFixedSeeds(t *testing.T) {
	if _, _, _, bad := playAll(1, 1000, time.Minute); bad != 0 {
		holds(t, bad)
	}
}

func TestTheSameSeedIsTheSameSchedule(t *testing.T) {
	for seed := uint64(1); seed <= 100; seed++ {
		one, _ := Trace(seed)
		two, _ := Trace(seed)
		if one != two {
			t.Fatalf("seed %d has two traces:\n%s\n%s", seed, one, two)
		}
	}
	if a, _ := Trace(1); a == "" {
		t.Error("the trace is empty")
	}
	if a, b := first(Trace(1)), first(Trace(2)); a == b {
		t.Errorf("two seeds have the same trace:\n%s", a)
	}
}

func first(story, _ string) string { return story }

func TestAListReplaysASchedule(t *testing.T) {
	for seed := uint64(1); seed <= 100; seed++ {
		var original, replay strings.Builder
		c := seeded(seed)
		play(c, NewCoverage(), &original)
		play(replayed(c.list), NewCoverage(), &replay)
		if original.String() != replay.String() {
			t.Fatalf("the list of seed %d has another trace:\n%s\n%s", seed, original.String(), replay.String())
		}
	}
}

func TestAFailingListBecomesShorter(t *testing.T) {
	list := make([]uint16, 500)
	for i := range list {
		list[i] = uint16(i % 7)
	}
	got := shorter(list, 2000, func(l []uint16) bool { return slices.Contains(l, 5) && slices.Contains(l, 6) })
	slices.Sort(got)
	if !slices.Equal(got, []uint16{5, 6}) {
		t.Errorf("%v", got)
	}
}

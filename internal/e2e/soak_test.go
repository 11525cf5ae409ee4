package e2e

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"walletsync/internal/local/aws/lambda"
	"walletsync/internal/local/twin"
)

// sample is the resource usage of a function's processes at a moment.
type sample struct {
	memory    float64 // MB, of all instances
	instances int
}

// TestASoakLeaksNothing runs a steady load for SOAK_TIME and compares the resource
// usage at the end with the usage at the beginning.
func TestASoakLeaksNothing(t *testing.T) {
	text := os.Getenv("SOAK_TIME")
	if text == "" {
		t.Skip("it takes long: make soak runs it")
	}
	soakTime, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("SOAK_TIME: %v", err)
	}
	c := startChaos(t, 1, false)
	if err := c.Twin.SetFaults(twin.Faults{Seed: 1, IPNs: c.lossy()}); err != nil {
		t.Fatal(err)
	}
	functions := []*lambda.Function{c.Receiver, c.Worker, c.Start, c.Return, c.Reconciler}
	loading, stop := context.WithCancel(t.Context())
	defer stop()
	var loads sync.WaitGroup
	for what, do := range map[string]func() error{
		"the load":                      func() error { return c.changing(loading, 1) },
		"changes without notifications": func() error { return c.quiet(loading) },
		"the buyers":                    func() error { return c.updating(loading, 1) },
	} {
		loads.Go(func() {
			if err := do(); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		})
	}
	c.pause(t, min(soakTime/10, time.Minute)) // pools and caches fill
	early := c.goroutines(t, functions)
	samples := map[string][]sample{}
	var connections []float64
	for end := time.Now().Add(soakTime); time.Now().Before(end); {
		c.pause(t, max(soakTime/60, time.Second))
		for _, f := range functions {
			s := sample{float64(f.Usage().RSS) / (1 << 20), f.Stats().Running}
			samples[f.Name()] = append(samples[f.Name()], s)
		}
		connections = append(connections, float64(c.count(`select count(*) from pg_stat_activity where application_name like 'walletsync%' or usename = current_user`)))
	}
	late := c.goroutines(t, functions)
	stop()
	loads.Wait()
	if err := c.Twin.SetFaults(twin.Faults{}); err != nil {
		t.Fatal(err)
	}
	c.converges(t)
	c.ended(t)
	c.recorded(t)

	var b strings.Builder
	fmt.Fprintf(&b, "\n%-16s %28s %28s %22s\n", soakTime, "memory of an instance, MB", "instances", "goroutines of one")
	flat := func(what string, was, is, slack float64) {
		if is > was*1.2+slack {
			t.Errorf("%s: %.1f at the beginning, %.1f at the end", what, was, is)
		}
	}
	for _, f := range functions {
		s := samples[f.Name()]
		third := len(s) / 3
		first, last := average(s[:third]), average(s[len(s)-third:])
		fmt.Fprintf(&b, "%-16s %13.1f → %12.1f %14d → %11d %10d → %9d\n", f.Name(), first, last, s[0].instances, s[len(s)-1].instances, early[f.Name()], late[f.Name()])
		flat("memory of "+f.Name()+", MB", first, last, 3)
		// An idle connection to Amazon has two, and the pool keeps up to FETCH_LIMIT.
		flat("goroutines of "+f.Name(), float64(early[f.Name()]), float64(late[f.Name()]), 2*20)
	}
	third := len(connections) / 3
	first, last := mean(connections[:third]), mean(connections[len(connections)-third:])
	fmt.Fprintf(&b, "connections of the database: %.1f → %.1f\n", first, last)
	flat("connections", first, last, 2)
	fmt.Fprintf(&b, "changes at Amazon: %d; notifications: %+v; returns: %v", c.changes.Load(), c.Twin.Stats().IPNs, c.trips)
	t.Log(b.String())
}

// average returns the mean memory of one instance.
func average(samples []sample) float64 {
	var each []float64
	for _, s := range samples {
		if s.instances > 0 {
			each = append(each, s.memory/float64(s.instances))
		}
	}
	return mean(each)
}

func mean(values []float64) (m float64) {
	for _, v := range values {
		m += v / float64(len(values))
	}
	return m
}

var goroutine = regexp.MustCompile(`(?m)^goroutine \d+ `)

// goroutines counts the goroutines of the oldest process of each function, in the
// trace that the Go runtime writes on SIGQUIT.
func (c *chaos) goroutines(t *testing.T, functions []*lambda.Function) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, f := range functions {
		pids := f.PIDs()
		if len(pids) == 0 {
			continue
		}
		c.book.forget()
		pid := slices.Min(pids)
		if err := syscall.Kill(pid, syscall.SIGQUIT); err != nil {
			t.Fatal(err)
		}
		c.until("the trace of "+f.Name(), func() (bool, error) {
			return !slices.Contains(f.PIDs(), pid), nil
		})
		counts[f.Name()] = len(goroutine.FindAllString(c.book.all(), -1))
	}
	return counts
}

package simtest

import (
	"maps"
	"slices"
	"strings"
)

// Coverage counts how often each fault and each rule happened.
type Coverage struct{ counts map[string]int }

func (c *Coverage) count(what string) { c.counts[what]++ }

// Add adds the counts of another.
func (c *Coverage) Add(o *Coverage) {
	for k, n := range o.counts {
		c.counts[k] += n
	}
}

// NewCoverage returns counts of nothing.
func NewCoverage() *Coverage { return &Coverage{map[string]int{}} }

// Counts lists them in order.
func (c *Coverage) Counts(each func(what string, n int)) {
	for _, k := range slices.Sorted(maps.Keys(c.counts)) {
		each(k, c.counts[k])
	}
}

// rules are what must happen in any number of schedules worth the name: each
// fault, and each rule of the design at work.
var rules = []string{
	"401", "403", "404", "429", "500", "no key", "several ids in a row refused", "call timed out", "call answered, answer lost", "answer without Date", "answer of another charge permission", "stale read",
	"dropped notification", "redelivery", "acknowledgement lost", "clock jump", "not committed", "committed, answer lost", "first trip repeated",
	"crash at the first trip", "crash at a call", "crash at an answer", "crash at the second trip", "crash at a wake-up", "crash at a dead-letter message", "crash at the end",
	"invocation out of time", "wake-up", "wake-up not sent", "wake-up of the reconciler", "crash at a duty", "dead-letter message", "dead-letter message not sent",
	"wanted", "duplicate", "covered", "confirming", "left to a confirmation", "left to a read under way", "not_followed", "unknown", "merged", "back-off kept", "wanted during the fetch",
	"call", "read", "gone", "failed", "left", "deferred", "not_called", "early", "withheld", "confirmation asked for", "confirmed three times", "changes", "dropped by the fence",
	"takeover of a lease that ran out", "takeover of a live lease", "refresh now", "covered at once", "another try",
	"erasure", "erasure during a fetch", "read without the person", "an update lifts an erasure",
	"out of tokens", "closing", "bucket closed", "token for the longest wanted", "sweep",
}

// Missing returns which of the rules were never at work.
func (c *Coverage) Missing() (out []string) {
	for _, r := range rules {
		if c.counts[r] == 0 {
			out = append(out, r)
		}
	}
	return out
}

// Run plays the schedule of a seed. It returns what went wrong; nothing if
// nothing did.
func Run(seed uint64, coverage *Coverage) (wrong string) {
	return play(seeded(seed), coverage, nil)
}

// Trace plays the schedule of a seed and returns its trace.
func Trace(seed uint64) (story, wrong string) {
	var b strings.Builder
	wrong = play(seeded(seed), NewCoverage(), &b)
	return b.String(), wrong
}

// tries bounds how long a failing schedule is made shorter.
const tries = 4000

// Shortest plays the schedule of a seed, shortens it as far as it still fails, and
// returns the trace of the result.
func Shortest(seed uint64) (story, wrong string) {
	c := seeded(seed)
	if wrong = play(c, NewCoverage(), nil); wrong == "" {
		return "", ""
	}
	list := shorter(c.list, tries, func(list []uint16) bool { return play(replayed(list), NewCoverage(), nil) != "" })
	var b strings.Builder
	shortest := play(replayed(list), NewCoverage(), &b)
	if shortest == "" {
		return b.String(), wrong + " (but its replay does not fail: the schedule is not deterministic)"
	}
	return b.String(), shortest
}

func play(c *choices, coverage *Coverage, story *strings.Builder) (wrong string) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case violation:
			wrong = string(v)
		default:
			panic(v)
		}
	}()
	w := newWorld(c, coverage, story)
	w.run()
	return ""
}

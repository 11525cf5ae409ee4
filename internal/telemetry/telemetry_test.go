package telemetry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
)

func at() time.Time {
	return time.Date(2026, 3, 4, 5, 6, 7, 89_000_000, time.FixedZone("CET", 3600))
}

func lines(t *testing.T, out *bytes.Buffer) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range strings.Lines(out.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%q is not a JSON line: %v", line, err)
		}
		all = append(all, m)
	}
	return all
}

func TestLogLineHasFunctionAndTime(t *testing.T) {
	var out bytes.Buffer
	log := NewLogger(&out, "ipn-receiver", zerolog.InfoLevel, at)
	log.Info().Str("outcome", "queued").Msg("ipn")
	log.Debug().Msg("not at this level")
	want := []map[string]any{{
		"level": "info", "function": "ipn-receiver", "version": "dev",
		"time": "2026-03-04T04:06:07.089Z", "outcome": "queued", "message": "ipn",
	}}
	if diff := cmp.Diff(want, lines(t, &out)); diff != "" {
		t.Error(diff)
	}
}

func TestReleaseAndCommitAreLogged(t *testing.T) {
	defer func(v, c string) { version, commit = v, c }(version, commit)
	for _, c := range []struct{ version, commit, agent string }{
		{"dev", "", "walletsync/dev"},
		{"1.2.3", "0123456789ab", "walletsync/1.2.3 (0123456789ab)"},
	} {
		version, commit = c.version, c.commit
		var out bytes.Buffer
		log := NewLogger(&out, "f", zerolog.InfoLevel, at)
		log.Info().Send()
		line := lines(t, &out)[0]
		if logged, _ := line["commit"].(string); UserAgent() != c.agent || line["version"] != c.version || logged != c.commit {
			t.Errorf("%+v: %q, and %v in the log", c, UserAgent(), line)
		}
	}
}

// The specification's rules that a reader of the line relies on: every metric
// and every dimension is a member of the root.
func TestLineIsInTheEmbeddedMetricFormat(t *testing.T) {
	var out bytes.Buffer
	m := NewMetrics(&out, "ipn-worker", at)
	m.Count(Received, 2, Labels{})
	m.Count(Received, 1, Labels{})
	m.Count(Refused, 1, Labels{Account: "main", Reason: "signature"})
	m.Time(APILatency, 1500*time.Microsecond, Labels{Account: "main"})
	m.Flush()

	millis := float64(at().UnixMilli())
	directive := func(dimensions []any, metrics ...any) map[string]any {
		return map[string]any{"Timestamp": millis, "CloudWatchMetrics": []any{map[string]any{
			"Namespace": "walletsync", "Dimensions": dimensions, "Metrics": metrics,
		}}}
	}
	metric := func(name, unit string) any { return map[string]any{"Name": name, "Unit": unit} }
	want := []map[string]any{
		{
			"function": "ipn-worker", "Received": 3.0,
			"_aws": directive([]any{[]any{"function"}}, metric("Received", "Count")),
		},
		{
			"function": "ipn-worker", "account": "main", "APILatency": []any{1.5},
			"_aws": directive([]any{[]any{"function"}, []any{"function", "account"}}, metric("APILatency", "Milliseconds")),
		},
		{
			"function": "ipn-worker", "account": "main", "reason": "signature", "Refused": 1.0,
			"_aws": directive([]any{[]any{"function"}, []any{"function", "account", "reason"}}, metric("Refused", "Count")),
		},
	}
	if diff := cmp.Diff(want, lines(t, &out)); diff != "" {
		t.Error(diff)
	}
}

func TestFlushedIsWrittenOnce(t *testing.T) {
	var out bytes.Buffer
	m := NewMetrics(&out, "f", at)
	m.Count(Queued, 1, Labels{})
	m.Flush()
	m.Flush()
	if n := len(lines(t, &out)); n != 1 {
		t.Errorf("%d lines, want 1", n)
	}
}

func TestNothingCountedWritesNothing(t *testing.T) {
	var out bytes.Buffer
	m := NewMetrics(&out, "f", at)
	m.Count(Queued, 0, Labels{Reason: "none"})
	m.Flush()
	if out.Len() != 0 {
		t.Errorf("wrote %q", out.String())
	}
}

func TestManyTimesAreSplitOverLinesAndNoneIsLost(t *testing.T) {
	var out bytes.Buffer
	m := NewMetrics(&out, "f", at)
	const n = 2*maxValues + 50
	for i := range n {
		m.Time(APILatency, time.Duration(i)*time.Millisecond, Labels{})
	}
	m.Flush()
	var values []any
	for _, l := range lines(t, &out) {
		v := l["APILatency"].([]any)
		if len(v) > maxValues {
			t.Errorf("%d values in one line, at most %d are allowed", len(v), maxValues)
		}
		values = append(values, v...)
	}
	if len(values) != n || values[n-1] != float64(n-1) {
		t.Errorf("%d values, the last %v; want %d", len(values), values[len(values)-1], n)
	}
}

func TestAValueHasItsUnit(t *testing.T) {
	var out bytes.Buffer
	m := NewMetrics(&out, "f", at)
	m.Value(OldestWanted, Seconds, 1.25, Labels{})
	m.Value(Tokens, Number, 3, Labels{})
	m.Value(OldestWanted, Seconds, 0, Labels{})
	m.Flush()
	l := lines(t, &out)[0]
	if diff := cmp.Diff([]any{1.25, 0.0}, l["OldestWanted"]); diff != "" {
		t.Error(diff)
	}
	if text := fmt.Sprint(l["_aws"]); !strings.Contains(text, "Name:OldestWanted Unit:Seconds") || !strings.Contains(text, "Name:Tokens Unit:Count") {
		t.Errorf("units: %s", text)
	}
}

func TestReasonThatIsNoWordBecomesOther(t *testing.T) {
	for _, reason := range []string{"two words", "Grüße", "a\nb", strings.Repeat("x", 65)} {
		var out bytes.Buffer
		m := NewMetrics(&out, "f", at)
		m.Count(Refused, 1, Labels{Reason: reason})
		m.Flush()
		if got := lines(t, &out)[0]["reason"]; got != Other {
			t.Errorf("reason %q is shown as %q", reason, got)
		}
	}
}

func TestNumberOfCombinationsIsBoundedForTheProcess(t *testing.T) {
	var out bytes.Buffer
	m := NewMetrics(&out, "f", at)
	for i := range 10 * maxSeries {
		m.Count(APIErrors, 1, Labels{Reason: fmt.Sprint("Code", i)})
		m.Flush()
	}
	reasons := map[any]float64{}
	for _, l := range lines(t, &out) {
		reasons[l["reason"]] += l["APIErrors"].(float64)
	}
	if len(reasons) > maxSeries+1 {
		t.Errorf("%d reasons, want at most %d", len(reasons), maxSeries+1)
	}
	if reasons[Other] != 9*maxSeries {
		t.Errorf("%v counted as other, want %d", reasons[Other], 9*maxSeries)
	}
}

func TestCountsFromManyGoroutinesAddUp(t *testing.T) {
	var out bytes.Buffer
	m := NewMetrics(&out, "f", at)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			m.Count(Received, 1, Labels{})
			m.Time(APILatency, time.Millisecond, Labels{})
		})
	}
	wg.Wait()
	m.Flush()
	l := lines(t, &out)[0]
	if l["Received"] != 50.0 || len(l["APILatency"].([]any)) != 50 {
		t.Errorf("got %v", l)
	}
}

func TestNilMetricsTakeEverything(t *testing.T) {
	var m *Metrics
	m.Count(Received, 1, Labels{})
	m.Time(APILatency, time.Second, Labels{})
	m.Flush()
}

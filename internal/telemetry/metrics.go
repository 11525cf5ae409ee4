package telemetry

import (
	"cmp"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// Namespace is where CloudWatch shows the metrics.
const Namespace = "walletsync"

// Metric is the name of a metric.
type Metric string

// The metrics.
const (
	Received            Metric = "Received"            // deliveries from SNS, or messages from the queue
	Refused             Metric = "Refused"             // by reason: cannot be verified; answered 4xx, which is final
	Unavailable         Metric = "Unavailable"         // by reason: could not be taken; answered 503, SNS retries
	Forged              Metric = "Forged"              // alarm: on the right path, but SNS has not signed it
	Queued              Metric = "Queued"              // notifications put on the queue
	Diverted            Metric = "Diverted"            // by reason: verified, but on its way to the dead-letter queue
	Confirmed           Metric = "Confirmed"           // subscriptions confirmed
	SubscriptionEnded   Metric = "SubscriptionEnded"   // alarm: notifications stop coming until someone subscribes again
	Unpinned            Metric = "Unpinned"            // alarm: accepted from a topic that the configuration does not name yet
	DeadLettered        Metric = "DeadLettered"        // alarm, by reason: put on the dead-letter queue
	Retried             Metric = "Retried"             // by reason: messages left to the queue to be delivered again
	APILatency          Metric = "APILatency"          // of one call, milliseconds
	APIErrors           Metric = "APIErrors"           // by Amazon's reason code, or what stands for it
	KeyRefused          Metric = "KeyRefused"          // alarm: the key is unavailable, or Amazon Pay does not accept it, or refuses one id after the other
	APIThrottled        Metric = "APIThrottled"        // alarm: the quota is used up
	APIFailed           Metric = "APIFailed"           // alarm: Amazon Pay answered 5xx, or not at all
	APIRefused          Metric = "APIRefused"          // alarm: Amazon Pay refuses the call
	ConnectionsFailed   Metric = "ConnectionsFailed"   // alarm: connections to Postgres that failed
	Notifications       Metric = "Notifications"       // by outcome: wanted, covered, confirming, duplicate, unmatched …
	Fetched             Metric = "Fetched"             // by cause: calls of Get Charge Permission
	Unreadable          Metric = "Unreadable"          // by Amazon's name: members of an unknown form, which keep what was stored
	Results             Metric = "Results"             // by what came of them: read, gone, failed …
	Changes             Metric = "Changes"             // by facet: change rows appended
	Unchanged           Metric = "Unchanged"           // by cause: reads that differed in nothing
	Confirmations       Metric = "Confirmations"       // by cause: early reads, requested once more
	Held                Metric = "Held"                // by cause: reads withheld, as they may be older than the stored state
	FenceDropped        Metric = "FenceDropped"        // by cause: results whose lease had ended
	WakeUps             Metric = "WakeUps"             // sent
	Covered             Metric = "Covered"             // by cause: requests that the stored state already answers
	BatchSize           Metric = "BatchSize"           // messages in one batch of the worker
	Lag                 Metric = "Lag"                 // from a notification's Timestamp to the commit, milliseconds: Amazon's clock to ours
	Tokens              Metric = "Tokens"              // by account: calls that its share allows at once
	OldestWanted        Metric = "OldestWanted"        // by account: age of the oldest refresh request, seconds
	Swept               Metric = "Swept"               // by account: refreshes requested by the sweep
	Missing             Metric = "Missing"             // alarm, by account: notifications that were due since the last one received
	Erased              Metric = "Erased"              // by account: charge permissions whose personal data retention erased
	Pushed              Metric = "Pushed"              // changes published to the topic or bus
	SweepPeriod         Metric = "SweepPeriod"         // by account: the shortest period that its share allows, seconds
	UpdateStarted       Metric = "UpdateStarted"       // update sessions made
	UpdateRefused       Metric = "UpdateRefused"       // by code: requests for one that were refused
	Announced           Metric = "Announced"           // by status: charge permissions that the merchant's server announced
	AnnouncementRefused Metric = "AnnouncementRefused" // by code: announcements that were refused
	UpdatePageRefused   Metric = "UpdatePageRefused"   // by problem: buyers who were shown one instead of a page
	UpdateReturned      Metric = "UpdateReturned"      // by outcome: returns of buyers
	UpdateEnded         Metric = "UpdateEnded"         // by outcome: attempts that ended
	SignedIn            Metric = "SignedIn"            // by role: people who signed in to the console
	ConsoleRefused      Metric = "ConsoleRefused"      // alarm, by problem: requests that the console refused
	SecurityEvents      Metric = "SecurityEvents"      // alarm, by reason: a return with another buyer's ids, or with an id unknown to Amazon Pay
	Panics              Metric = "Panics"              // alarm: invocations that panicked
)

// Labels distinguish the counts of one metric. They must come from short, fixed
// lists: each combination is a metric of its own to CloudWatch, and is paid for.
type Labels struct {
	Account string // as the configuration names it
	Reason  string
}

// maxSeries bounds the combinations of labels that a process counts
// separately. Later ones are counted under the reason Other.
const maxSeries = 200

// Other stands for reasons that are no short word, or one too many.
const Other = "other"

// maxValues is how many values a metric may have in one line ("Specification:
// Embedded metric format", CloudWatch User Guide).
const maxValues = 100

// Metrics gathers counts and times until Flush writes them. A nil *Metrics
// takes everything and keeps nothing. It is safe for concurrent use.
type Metrics struct {
	log      zerolog.Logger
	function string
	now      func() time.Time

	mu      sync.Mutex
	known   map[Labels]bool // for the life of the process
	pending map[Labels]*series
}

// Unit is what a value is measured in, as CloudWatch names it.
type Unit string

// The units in use.
const (
	Number       Unit = "Count"
	Milliseconds Unit = "Milliseconds"
	Seconds      Unit = "Seconds"
)

// series are the metrics of one combination of labels.
type series struct {
	counts map[Metric]int
	values map[Metric][]float64
	units  map[Metric]Unit // of values
}

// NewMetrics returns metrics that Flush writes to out, one JSON line for each
// combination of labels.
func NewMetrics(out io.Writer, function string, now func() time.Time) *Metrics {
	return &Metrics{
		log:      zerolog.New(out),
		function: function,
		now:      now,
		known:    map[Labels]bool{},
		pending:  map[Labels]*series{},
	}
}

// Count adds n to a count.
func (m *Metrics) Count(name Metric, n int, l Labels) {
	if m == nil || n == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.series(l).counts[name] += n
}

// Time adds one duration to a metric of times.
func (m *Metrics) Time(name Metric, d time.Duration, l Labels) {
	m.Value(name, Milliseconds, float64(d.Microseconds())/1000, l)
}

// Value adds one value to a metric of single values, such as a time or a size. A
// metric always has the same unit.
func (m *Metrics) Value(name Metric, unit Unit, v float64, l Labels) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.series(l)
	s.values[name] = append(s.values[name], v)
	s.units[name] = unit
}

// series returns what is pending for the labels, made fit for a dimension.
func (m *Metrics) series(l Labels) *series {
	l = Labels{word(l.Account), word(l.Reason)}
	if !m.known[l] {
		if len(m.known) >= maxSeries {
			l = Labels{Reason: Other}
		}
		m.known[l] = true
	}
	s := m.pending[l]
	if s == nil {
		s = &series{counts: map[Metric]int{}, values: map[Metric][]float64{}, units: map[Metric]Unit{}}
		m.pending[l] = s
	}
	return s
}

// word returns s if it is empty or a short word, and Other if not.
func word(s string) string {
	if len(s) > 64 {
		return Other
	}
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-', c == '.':
		default:
			return Other
		}
	}
	return s
}

// Flush writes what was gathered. Values of one dimension cannot differ within
// a line of the format, so there is a line for each combination of labels: one
// for an invocation in which nothing is out of the ordinary.
func (m *Metrics) Flush() {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range slices.SortedFunc(maps.Keys(m.pending), func(a, b Labels) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Reason, b.Reason))
	}) {
		for s := m.pending[l]; !s.empty(); {
			m.write(l, s)
		}
	}
	clear(m.pending)
}

func (s *series) empty() bool { return len(s.counts) == 0 && len(s.values) == 0 }

// write writes one line of the series, and takes what it wrote out of it.
func (m *Metrics) write(l Labels, s *series) {
	line := m.log.Log()
	metrics := zerolog.Arr()
	line.Str("function", m.function)
	all := []string{"function"}
	if l.Account != "" {
		line.Str("account", l.Account)
		all = append(all, "account")
	}
	if l.Reason != "" {
		line.Str("reason", l.Reason)
		all = append(all, "reason")
	}
	for _, name := range slices.Sorted(maps.Keys(s.counts)) {
		line.Int(string(name), s.counts[name])
		metrics.Dict(zerolog.Dict().Str("Name", string(name)).Str("Unit", string(Number)))
	}
	clear(s.counts)
	for _, name := range slices.Sorted(maps.Keys(s.values)) {
		values := s.values[name]
		n := min(len(values), maxValues)
		line.Floats64(string(name), values[:n])
		metrics.Dict(zerolog.Dict().Str("Name", string(name)).Str("Unit", string(s.units[name])))
		if s.values[name] = values[n:]; len(values) == n {
			delete(s.values, name)
		}
	}
	// The function alone is there as well, for alarms: they cannot add up
	// metrics that they would have to search for.
	dimensions := zerolog.Arr().Interface(all[:1])
	if len(all) > 1 {
		dimensions.Interface(all)
	}
	line.Dict("_aws", zerolog.Dict().
		Int64("Timestamp", m.now().UnixMilli()).
		Array("CloudWatchMetrics", zerolog.Arr().Dict(zerolog.Dict().
			Str("Namespace", Namespace).
			Array("Dimensions", dimensions).
			Array("Metrics", metrics)))).
		Send()
}

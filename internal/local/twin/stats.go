package twin

import (
	"maps"
	"strconv"
)

// Stats counts what happened since the start or the last ResetStats.
type Stats struct {
	// Calls counts answers by call and by HTTP status; "reset" and "silent"
	// count the calls that a fault left without an answer. Requests that no
	// call of the twin fits are of the call Unknown.
	Calls map[Call]map[string]int `json:"calls"`

	Throttled int `json:"throttled"` // 429 for lack of quota, faults not counted
	Faulted   int `json:"faulted"`   // calls that met a fault
	Refused   int `json:"refused"`   // requests refused for their signature, key or headers

	IPNs IPNStats `json:"ipns"`

	// SubscriptionConfirmations counts those sent, retries not counted.
	SubscriptionConfirmations int `json:"subscriptionConfirmations"`
}

// IPNStats counts notifications. When nothing is pending, Published + Copies =
// Delivered + Refused + GivenUp + Dropped + Unsubscribed.
type IPNStats struct {
	Published    int `json:"published"`    // by Amazon Pay
	Copies       int `json:"copies"`       // further deliveries of the same message, asked for
	Attempts     int `json:"attempts"`     // POSTs, retries included
	Delivered    int `json:"delivered"`    // answered 2xx
	Refused      int `json:"refused"`      // answered 4xx: final
	GivenUp      int `json:"givenUp"`      // after the last retry
	Dropped      int `json:"dropped"`      // by a fault, or by Close
	Unsubscribed int `json:"unsubscribed"` // no confirmed subscription
	Pending      int `json:"pending"`      // under way, waiting for a retry or held
}

// Stats returns a copy of the counts.
func (t *Twin) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.stats
	s.Calls = make(map[Call]map[string]int, len(t.stats.Calls))
	for call, byStatus := range t.stats.Calls {
		s.Calls[call] = maps.Clone(byStatus)
	}
	s.IPNs.Pending = t.pending
	return s
}

// ResetStats sets the counts to zero; what is pending stays so.
func (t *Twin) ResetStats() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stats = Stats{}
}

// count changes the counts.
func (t *Twin) count(f func(*Stats)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.stats)
}

// countCall counts one call by what its caller got of it.
func (t *Twin) countCall(call Call, got string) {
	t.count(func(s *Stats) {
		if s.Calls == nil {
			s.Calls = map[Call]map[string]int{}
		}
		if s.Calls[call] == nil {
			s.Calls[call] = map[string]int{}
		}
		s.Calls[call][got]++
	})
}

func statusText(status int) string { return strconv.Itoa(status) }

package twin

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
)

// Faults is what goes wrong, and all that does. The zero value is none.
type Faults struct {
	// Seed of what is left to chance: the same seed and the same order of
	// calls meet the same faults.
	Seed uint64 `json:"seed"`

	Calls []CallFault `json:"calls,omitempty"` // the first that matches counts
	Reads *StaleReads `json:"reads,omitempty"`
	IPNs  []IPNFault  `json:"ipns,omitempty"` // the first that matches counts
}

// CallFault befalls calls of the API, of the checkout pages and of SNS's host. Each comes in both
// forms: as it is, the call is not applied (no quota taken, nothing read or
// done); with Applied, all was done and the answer is lost or replaced.
type CallFault struct {
	Call        Call    `json:"call,omitempty"`        // empty: every call
	ID          string  `json:"id,omitempty"`          // of the object; empty: any
	Next        int     `json:"next,omitempty"`        // for the next n that match; 0: without end
	Probability float64 `json:"probability,omitempty"` // 0: always
	Applied     bool    `json:"applied,omitempty"`

	Delay      Duration `json:"delay,omitempty"`      // before the call, or before its answer
	Status     int      `json:"status,omitempty"`     // answer this instead, 400 to 599
	ReasonCode string   `json:"reasonCode,omitempty"` // empty: what fits the status
	RetryAfter string   `json:"retryAfter,omitempty"` // header Retry-After, as it stands
	Connection string   `json:"connection,omitempty"` // "reset": broken; "silent": no answer until the caller gives up
	Date       string   `json:"date,omitempty"`       // header Date of the answer: "none" or "garbled"
	Script     string   `json:"script,omitempty"`     // of CheckoutScript: "throws": initCheckout throws; "nothing": it does nothing

	// Patch is a JSON merge patch (RFC 7396) of a successful answer of the API:
	// members of another form than documented, or none. It is not held to
	// Amazon's form, and changes nothing but the answer.
	Patch json.RawMessage `json:"patch,omitempty"`
}

// StaleReads makes Get Charge Permission lag.
type StaleReads struct {
	Lag Duration `json:"lag"`

	// Replicas answer in turn: the first is up to date and the last lags by
	// Lag, so that a later read can show an earlier state. 0 or 1: every read
	// lags by Lag.
	Replicas int `json:"replicas,omitempty"`
}

// IPNFault befalls notifications (subscription confirmations excepted). What
// is named is combined: duplicates can be delayed and held.
type IPNFault struct {
	ID          string  `json:"id,omitempty"`          // of the charge permission; empty: any
	Next        int     `json:"next,omitempty"`        // for the next n that match; 0: without end
	Probability float64 `json:"probability,omitempty"` // 0: always

	Drop       bool     `json:"drop,omitempty"`
	Duplicates int      `json:"duplicates,omitempty"` // further deliveries, same message id
	Delay      Duration `json:"delay,omitempty"`

	// Reorder holds notifications until there are so many, then sends them
	// newest first. SetFaults sends what is still held.
	Reorder int `json:"reorder,omitempty"`
}

// Duration is a time.Duration that JSON writes like "1.5s".
type Duration time.Duration

// MarshalText writes the duration as Go does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads a duration of zero or more.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := parseDuration(string(b))
	*d = Duration(v)
	return err
}

func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a duration such as 1.5s", clip(s, 40))
	}
	return d, nil
}

// limits of what one fault can ask for.
const (
	maxReplicas   = 16
	maxReorder    = 1000
	maxDuplicates = 1000
)

func (f Faults) check() error {
	for i, c := range f.Calls {
		if err := c.check(); err != nil {
			return fmt.Errorf("calls[%d]: %w", i, err)
		}
	}
	for i, n := range f.IPNs {
		if err := n.check(); err != nil {
			return fmt.Errorf("ipns[%d]: %w", i, err)
		}
	}
	if r := f.Reads; r != nil && (r.Lag < 0 || r.Replicas < 0 || r.Replicas > maxReplicas) {
		return fmt.Errorf("reads: lag is 0 or more, replicas 0 to %d", maxReplicas)
	}
	return nil
}

func (f CallFault) check() error {
	switch {
	case !slices.Contains([]Call{"", GetChargePermission, GetCheckoutSession, CompleteCheckoutSession,
		CheckoutScript, InitiateCheckout, GetSigningCertificate, ConfirmSubscription}, f.Call):
		return fmt.Errorf("call %q is none of the twin's", f.Call)
	case f.Status != 0 && (f.Status < 400 || f.Status > 599):
		return fmt.Errorf("status %d is not of 400 to 599", f.Status)
	case f.Connection != "" && f.Connection != "reset" && f.Connection != "silent":
		return fmt.Errorf("connection %q is neither reset nor silent", f.Connection)
	case f.Connection != "" && f.Status != 0:
		return fmt.Errorf("a connection that is %s has no status", f.Connection)
	case f.Date != "" && f.Date != "none" && f.Date != "garbled":
		return fmt.Errorf("date %q is neither none nor garbled", f.Date)
	case f.Script != "" && f.Script != "throws" && f.Script != "nothing":
		return fmt.Errorf("script %q is neither throws nor nothing", f.Script)
	case f.Script != "" && (f.Call != CheckoutScript || f.fails()):
		return fmt.Errorf("script is for the call CheckoutScript, which is answered then")
	case f.Delay == 0 && f.Status == 0 && f.Connection == "" && f.Date == "" && f.Script == "" && len(f.Patch) == 0:
		return fmt.Errorf("nothing goes wrong: give delay, status, connection, date, script or patch")
	case len(f.Patch) > 0 && f.fails():
		return fmt.Errorf("a patch is of a successful answer: give no status or connection")
	case len(f.Patch) > 0 && !slices.Contains([]Call{"", GetChargePermission, GetCheckoutSession, CompleteCheckoutSession}, f.Call):
		return fmt.Errorf("a patch is of an answer of the API, not of %s", f.Call)
	case len(f.Patch) > 0 && !isObject(f.Patch):
		return fmt.Errorf("the patch is not a JSON object")
	case strings.ContainsAny(f.RetryAfter, "\r\n"):
		return fmt.Errorf("retryAfter has a line break")
	}
	return checkChance(f.Next, f.Probability)
}

func (f IPNFault) check() error {
	switch {
	case f.Duplicates < 0 || f.Duplicates > maxDuplicates:
		return fmt.Errorf("duplicates are 0 to %d", maxDuplicates)
	case f.Reorder < 0 || f.Reorder > maxReorder:
		return fmt.Errorf("reorder is 0 to %d", maxReorder)
	case !f.Drop && f.Duplicates == 0 && f.Delay == 0 && f.Reorder == 0:
		return fmt.Errorf("nothing goes wrong: give drop, duplicates, delay or reorder")
	}
	return checkChance(f.Next, f.Probability)
}

func checkChance(next int, probability float64) error {
	if next < 0 || probability < 0 || probability > 1 {
		return fmt.Errorf("next is 0 or more, probability 0 to 1")
	}
	return nil
}

func isObject(b []byte) bool {
	var members map[string]json.RawMessage
	return json.Unmarshal(b, &members) == nil && members != nil
}

// patched returns a successful answer with the fault's patch applied.
func (f CallFault) patched(a answer) answer {
	if len(f.Patch) == 0 || a.status != http.StatusOK {
		return a
	}
	// Merging two patches keeps the nulls, as Amazon does.
	body, err := jsonpatch.MergeMergePatches(a.body, f.Patch)
	if err != nil {
		return errorAnswer(http.StatusInternalServerError, "InternalServerError", "The twin could not patch its answer: "+err.Error())
	}
	a.body = body
	return a
}

// fails reports whether the fault takes the place of the answer.
func (f CallFault) fails() bool { return f.Status != 0 || f.Connection != "" }

// answer returns the answer of the fault; it has none if it breaks the
// connection.
func (f CallFault) answer() answer {
	if f.Status == 0 {
		return answer{}
	}
	a := errorAnswer(f.Status, cmp.Or(f.ReasonCode, reasonCodes[f.Status], "InternalServerError"), "A fault that was asked for.")
	if f.RetryAfter != "" {
		a.header = http.Header{"Retry-After": {f.RetryAfter}}
	}
	return a
}

// reasonCodes are the reasonCodes that a status most often has ("Amazon Pay
// API v2: error handling").
var reasonCodes = map[int]string{
	http.StatusBadRequest:         "InvalidRequest",
	http.StatusUnauthorized:       "UnauthorizedAccess",
	http.StatusForbidden:          "InvalidAccountStatus",
	http.StatusNotFound:           "ResourceNotFound",
	http.StatusMethodNotAllowed:   "UnsupportedOperation",
	http.StatusRequestTimeout:     "RequestTimeout",
	http.StatusConflict:           "AmountMismatch",
	http.StatusUpgradeRequired:    "TLSVersionNotSupported",
	http.StatusTooManyRequests:    "TooManyRequests",
	http.StatusServiceUnavailable: "ServiceUnavailable",
}

// faultState is the faults with what is left of them.
type faultState struct {
	Faults
	chance *rand.Rand
}

func newFaultState(f Faults) *faultState {
	f.Calls, f.IPNs = slices.Clone(f.Calls), slices.Clone(f.IPNs)
	return &faultState{f, rand.New(rand.NewPCG(f.Seed, 0x6661756c74))} // the second half is "fault": its own stream
}

// draw reports whether chance lets a fault happen.
func (s *faultState) draw(probability float64) bool {
	return probability == 0 || s.chance.Float64() < probability
}

// ParseFaults reads faults as the control API takes them. Unknown members are
// errors: a fault that is misspelt would never happen.
func ParseFaults(b []byte) (Faults, error) {
	var f Faults
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return Faults{}, fmt.Errorf("faults: %w", err)
	}
	if d.More() {
		return Faults{}, fmt.Errorf("faults: there is more than one JSON value")
	}
	return f, f.check()
}

// SetFaults replaces the faults, and sends the notifications that a reorder
// still holds.
func (t *Twin) SetFaults(f Faults) error {
	if err := f.check(); err != nil {
		return fmt.Errorf("twin: %w", err)
	}
	t.mu.Lock()
	t.faults = newFaultState(f)
	held := t.held
	t.held = nil
	t.mu.Unlock()
	t.deliverReversed(held)
	return nil
}

// Faults returns the faults that are still to come: used-up ones are gone, and
// Next is what is left.
func (t *Twin) Faults() Faults {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.faults.Faults
	f.Calls, f.IPNs = slices.Clone(f.Calls), slices.Clone(f.IPNs)
	return f
}

// callFault returns the fault that befalls a call, and uses it up.
func (t *Twin) callFault(call Call, id string) (CallFault, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f, found := next(&t.faults.Calls, func(f *CallFault) (bool, *int) {
		return (f.Call == "" || f.Call == call) && (f.ID == "" || f.ID == id) && t.faults.draw(f.Probability), &f.Next
	})
	if found {
		t.stats.Faulted++
	}
	return f, found
}

// ipnFault returns the fault that befalls a notification, and uses it up.
func (t *Twin) ipnFault(id string) IPNFault {
	t.mu.Lock()
	defer t.mu.Unlock()
	f, _ := next(&t.faults.IPNs, func(f *IPNFault) (bool, *int) {
		return (f.ID == "" || f.ID == id) && t.faults.draw(f.Probability), &f.Next
	})
	return f
}

// next returns the first fault that strikes, and counts down how many are left
// of it; the last one is removed.
func next[F any](faults *[]F, strikes func(*F) (strikes bool, left *int)) (f F, found bool) {
	for i := range *faults {
		ok, left := strikes(&(*faults)[i])
		if !ok {
			continue
		}
		f = (*faults)[i]
		if *left == 1 {
			*faults = slices.Delete(*faults, i, i+1)
		} else if *left > 1 {
			*left--
		}
		return f, true
	}
	return f, false
}

// readAt returns the time as of which the next read shows the world.
func (t *Twin) readAt(now time.Time) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	stale := t.faults.Reads
	if stale == nil {
		return now
	}
	lag := time.Duration(stale.Lag)
	if n := stale.Replicas; n > 1 {
		lag = lag * time.Duration(t.reads%n) / time.Duration(n-1)
		t.reads++
	}
	return now.Add(-lag)
}

// Hold makes calls wait, so that a test can order them. It is not a fault: the
// call goes on as if nothing had been.
type Hold struct {
	t      *Twin
	call   Call
	id     string
	answer bool
	calls  chan *HeldCall
	done   chan struct{}
}

// HeldCall is a call that waits.
type HeldCall struct {
	Call Call
	ID   string
	free chan struct{}
	once sync.Once
}

// Hold makes the calls of a kind and, unless id is empty, of one object wait:
// before they are applied, or with answer before the answer is sent. Close
// ends it.
func (t *Twin) Hold(call Call, id string, answer bool) *Hold {
	h := &Hold{t: t, call: call, id: id, answer: answer, calls: make(chan *HeldCall), done: make(chan struct{})}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.holds = append(t.holds, h)
	return h
}

// Next returns the next call that waits, once there is one.
func (h *Hold) Next(ctx context.Context) (*HeldCall, error) {
	select {
	case c := <-h.calls:
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Close lets all calls go that wait, and holds no more.
func (h *Hold) Close() {
	h.t.mu.Lock()
	defer h.t.mu.Unlock()
	if i := slices.Index(h.t.holds, h); i >= 0 {
		h.t.holds = slices.Delete(h.t.holds, i, i+1)
		close(h.done)
	}
}

// Release lets the call go on.
func (c *HeldCall) Release() { c.once.Do(func() { close(c.free) }) }

// holdCall waits while a Hold wants the call at this point to wait.
func (t *Twin) holdCall(ctx context.Context, call Call, id string, answer bool) {
	t.mu.Lock()
	i := slices.IndexFunc(t.holds, func(h *Hold) bool {
		return h.call == call && (h.id == "" || h.id == id) && h.answer == answer
	})
	if i < 0 {
		t.mu.Unlock()
		return
	}
	h := t.holds[i]
	t.mu.Unlock()
	c := &HeldCall{Call: call, ID: id, free: make(chan struct{})}
	select {
	case h.calls <- c:
	case <-h.done:
		return
	case <-ctx.Done():
		return
	case <-t.ctx.Done():
		return
	}
	select {
	case <-c.free:
	case <-h.done:
	case <-ctx.Done():
	case <-t.ctx.Done():
	}
}

package twin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// Notified is a line of a trace: a notification as it once came.
type Notified struct {
	After            Duration `json:"after"` // when it was published, from the beginning of the trace
	Late             Duration `json:"late"`  // how much later it arrived
	ChargePermission string   `json:"chargePermission"`
	ObjectType       string   `json:"objectType"`
	Object           string   `json:"object"`
	Type             string   `json:"type"`
}

// limits of a trace.
const (
	maxTrace     = 100_000
	maxTraceLine = 4 << 10
)

// ReadTrace reads a trace: JSON lines in the order of their After. Members that
// the twin does not know are passed over.
func ReadTrace(r io.Reader) ([]Notified, error) {
	var all []Notified
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxTraceLine)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var e Notified
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		switch {
		case !permissionID.MatchString(e.ChargePermission):
			return nil, fmt.Errorf("line %d: %q is not a charge permission id", n, clip(e.ChargePermission, 40))
		case e.ObjectType == "" || !strings.HasPrefix(e.Object, e.ChargePermission):
			return nil, fmt.Errorf("line %d: it does not say of which object of its charge permission it speaks", n)
		case len(all) > 0 && e.After < all[len(all)-1].After:
			return nil, fmt.Errorf("line %d: it comes before the line above", n)
		case len(all) == maxTrace:
			return nil, fmt.Errorf("more than %d lines", maxTrace)
		}
		all = append(all, e)
	}
	return all, lines.Err()
}

// Play publishes the notifications of a trace as they once came, so many times
// faster, and returns when the last is published. A charge permission that the
// twin does not know is made; one whose notification
// reports a change gets a new address.
func (t *Twin) Play(ctx context.Context, trace []Notified, faster float64) error {
	if !(faster > 0) {
		return fmt.Errorf("%v times faster is no speed", faster)
	}
	scaled := func(d Duration) time.Duration { return time.Duration(float64(d) / faster) }
	began := time.Now()
	for n, e := range trace {
		if !t.wait(ctx, scaled(e.After)-time.Since(began)) {
			return context.Cause(ctx)
		}
		patch := `{}`
		if e.ObjectType == "CHARGE_PERMISSION" {
			patch = fmt.Sprintf(`{"shippingAddress":{"city":"Trace-%d"}}`, n)
		}
		if _, err := t.Change(e.ChargePermission, []byte(patch), Notify{
			ObjectType: e.ObjectType, ObjectID: e.Object, Type: e.Type, Delay: min(scaled(e.Late), time.Hour)}); err != nil {
			return fmt.Errorf("line %d of the trace: %w", n+1, err)
		}
	}
	return nil
}

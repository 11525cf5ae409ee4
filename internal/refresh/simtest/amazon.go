package simtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"walletsync/internal/amazonpay"
	"walletsync/internal/refresh/storetest"
	"walletsync/internal/wallet"
)

// permission is a charge permission at Amazon: every state that it ever had.
type permission struct {
	storetest.Key
	name     string // in stories
	kind     string // its type
	versions []version
	// unheard is set when no notification of the newest version will come.
	unheard bool
}

// version is what Amazon Pay answers from a moment on.
type version struct {
	from                       time.Duration
	city, card, state, balance string
}

// epoch is the start of every schedule by Amazon's clock. What an answer is
// worth is known by the time of its state, which is no facet: version n has
// this moment and n hours.
var epoch = time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)

func stamp(n int) time.Time { return epoch.Add(time.Duration(n) * time.Hour) }

// versionOf returns the version of a stored state, and -1 for none.
func (p *permission) versionOf(s *wallet.ChargePermission) int {
	if s == nil {
		return -1
	}
	n := int(s.StateUpdatedAt.Sub(epoch) / time.Hour)
	if n < 0 || n >= len(p.versions) {
		return -1
	}
	return n
}

// at returns the number of the version that was true at a moment, -1 for none.
func (p *permission) at(t time.Duration) int {
	n := -1
	for i := range p.versions {
		if p.versions[i].from <= t {
			n = i
		}
	}
	return n
}

func (p *permission) newest() int { return len(p.versions) - 1 }

// facets returns the facets of a version as the history must record them.
func (v version) facets() map[wallet.Facet]string {
	return map[wallet.Facet]string{
		wallet.FacetShippingAddress: fmt.Sprintf(`{"city":%q}`, v.city),
		wallet.FacetPaymentMethod:   fmt.Sprintf(`{"payment_descriptors":[%q]}`, v.card),
		wallet.FacetState:           fmt.Sprintf(`{"state":%q}`, v.state),
	}
}

// facetsOf returns the facets of a version as the history must record them, with or
// without personal data.
func (p *permission) facetsOf(n int, bare bool) map[wallet.Facet]string {
	if n < 0 {
		return nil
	}
	all := p.versions[n].facets()
	if bare {
		delete(all, wallet.FacetShippingAddress)
		delete(all, wallet.FacetPaymentMethod)
	}
	return all
}

// bare reports whether s has no personal data.
func bare(s *wallet.ChargePermission) bool {
	return s != nil && s.Shipping == wallet.Address{} && len(s.PaymentDescriptors) == 0
}

// words occur only in personal data.
var words = []string{"Exampleton", "Newtown", "Visa", "Master"}

// whole returns a version as the history must record its first read.
func (v version) whole() string {
	return fmt.Sprintf(`{"payment_method":{"payment_descriptors":[%q]},"shipping_address":{"city":%q},"state":{"state":%q}}`, v.card, v.city, v.state)
}

func (v version) String() string {
	return fmt.Sprintf("%s, %s, %s, balance %s", v.city, v.card, v.state, v.balance)
}

// matches reports whether s equals version n, with or without personal data.
func (p *permission) matches(s *wallet.ChargePermission, n int) bool {
	v := p.versions[n]
	return s.ID == p.ID && s.Type == p.kind && s.State.State == v.state && s.BalanceAmount == v.balance && (bare(s) ||
		s.Shipping == wallet.Address{City: v.city} && len(s.PaymentDescriptors) == 1 && s.PaymentDescriptors[0] == v.card)
}

// answer is Get Charge Permission's, of version n.
func (p *permission) answer(n int, r amazonpay.Response) *amazonpay.ChargePermission {
	v := p.versions[n]
	got := &amazonpay.ChargePermission{
		ID: string(p.ID), Type: p.kind, Raw: json.RawMessage(`{}`), Response: r,
		ShippingAddress:    amazonpay.Address{City: v.city},
		PaymentPreferences: []amazonpay.PaymentPreference{{PaymentDescriptor: v.card}},
	}
	got.StatusDetails.State = v.state
	got.StatusDetails.LastUpdatedTimestamp.Time = stamp(n)
	got.Limits.AmountBalance.Amount = v.balance
	return got
}

// trouble is what a call can end in instead of an answer.
type trouble int

const (
	noTrouble trouble = iota
	throttled
	throttledFor // with Retry-After
	serverError
	timedOut      // not applied: the call never reached Amazon
	lost          // applied, with the answer lost: the quota is spent
	refused       // the key or its signature
	objectRefused // the object, which may be another merchant's
	nonsense      // another charge permission's
	troubles
)

var (
	errTimedOut = errors.New("timed out")
	errReset    = errors.New("connection reset")
	errCrashed  = errors.New("the worker is gone")
)

func refusal(status int, reason string, after time.Duration, r amazonpay.Response) error {
	r.StatusCode = status
	return &amazonpay.Error{StatusCode: status, ReasonCode: reason, RetryAfter: after, Response: r}
}

// change makes the next version: one facet moves, and may move back.
func (w *world) change(p *permission) {
	v := version{from: w.now, city: "Exampleton", card: "Visa", state: wallet.Chargeable, balance: "500.00"}
	object := wallet.ObjectChargePermission
	if len(p.versions) > 0 {
		v = p.versions[p.newest()]
		v.from = w.now
		switch w.below(5) {
		case 0:
			v.city = other(v.city, "Exampleton", "Newtown")
		case 1:
			v.card = other(v.card, "Visa", "Master")
		case 2:
			v.city, v.card = other(v.city, "Exampleton", "Newtown"), other(v.card, "Visa", "Master")
		case 3:
			v.state = other(v.state, wallet.Chargeable, wallet.NonChargeable)
		case 4: // a charge: the balance moves, which is no change
			v.balance = fmt.Sprintf("%d.00", 500-len(p.versions))
			object = "CHARGE"
			w.saw("a charge")
		}
	}
	p.versions = append(p.versions, v)
	if w.tracing() {
		w.trace("Amazon: %s is %v", p.name, v)
	}
	w.publish(p, object)
}

func other(is, a, b string) string {
	if is == a {
		return b
	}
	return a
}

// note is one notification: a message of SNS, with a time of Amazon's clock.
type note struct {
	id        string
	p         *permission
	published time.Duration
	acked     bool // a copy of it was taken off the queue for good
	body      string
}

// publish sends a notification, or loses it, or sends it more than once.
func (w *world) publish(p *permission, object string) {
	p.unheard = w.enabled(drops) && w.oneIn(4)
	if p.unheard {
		w.saw("dropped notification")
		w.trace("SNS: the notification is lost")
		return
	}
	n := &note{id: fmt.Sprintf("m%d", len(w.notes)+1), p: p, published: w.now + []time.Duration{0, 0, 250 * time.Millisecond, 2 * time.Second}[w.below(4)]}
	w.notes = append(w.notes, n)
	n.body = notification(n, object)
	copies := 1
	if w.enabled(duplicates) {
		copies += w.below(3)
	}
	for range copies {
		w.mail = append(w.mail, n)
	}
	if w.tracing() {
		w.trace("SNS: notification %s of %s, published at %v, %d times", n.id, p.name, n.published, copies)
	}
}

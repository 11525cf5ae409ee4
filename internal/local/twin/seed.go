package twin

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

// preset is what a buyer can choose from on Amazon's pages.
type preset struct {
	Addresses []address
	Cards     []string
}

// seeded is a buyer that Seed brings. All of them are made up: reserved
// e-mail domains (RFC 2606), places and telephone numbers set aside for
// fiction or plainly invented.
type seeded struct {
	Number           string // the id without its prefix
	ChargePermission permission
	preset
}

// Seed gives the first account eight charge permissions of buyers across
// Amazon Pay's countries, without notifications, and returns their ids. One is
// NonChargeable, one Closed, one all nulls, and one of a one-time order.
func (t *Twin) Seed() ([]string, error) {
	owner := t.accounts[0]
	prefix := "S"
	if owner.Environment == "live" {
		prefix = "B"
	}
	var ids []string
	for _, s := range buyers() {
		id := prefix + s.Number
		created, p := t.now().UTC().AddDate(0, -3, 0), s.ChargePermission
		p.ChargePermissionID, p.ReleaseEnvironment = text(id), releaseEnvironment(owner)
		p.CreationTimestamp, p.StatusDetails.LastUpdatedTimestamp = stamp(created), stamp(t.now())
		if p.ChargePermissionType == "OneTime" {
			p.ExpirationTimestamp = stamp(created.AddDate(0, 6, 0))
		}
		doc, err := encodeJSON(p)
		if err != nil {
			return nil, err
		}
		t.mu.Lock()
		_, exists := t.permissions[id]
		if !exists {
			t.permissions[id] = &chargePermission{id: id, account: owner, preset: &s.preset, versions: []version{{time.Time{}, doc}}}
		}
		t.mu.Unlock()
		if exists {
			return nil, fmt.Errorf("twin: charge permission %s exists already", id)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// stamp is a time as Amazon Pay writes it.
func stamp(t time.Time) text { return text(t.UTC().Format(amazonTime)) }

//go:embed buyers.json
var buyersJSON []byte

// buyers are those of buyers.json. One hardly has a wallet to show, and one has
// a name that tries everything: markup, quotes, right to left, emoji.
var buyers = sync.OnceValue(func() (all []seeded) {
	if err := json.Unmarshal(buyersJSON, &all); err != nil {
		panic(err) // it is part of the program
	}
	return all
})

// anyonesPreset is for a buyer of whom nothing is known: that of the blank one.
func anyonesPreset() *preset {
	for _, s := range buyers() {
		if s.ChargePermission.ShippingAddress == nil {
			return &s.preset
		}
	}
	return nil
}

func paymentMethodExpired() reason {
	return reason{"PaymentMethodExpired", "The payment method of the charge permission has expired."}
}

// Act does what a buyer would: "address" and "card" take the next of the
// buyer's, "state" lets the card expire or puts it right. The notification
// goes out as n says.
func (t *Twin) Act(id, what string, n Notify) (Changed, error) {
	patch, err := t.act(id, what)
	if err != nil {
		return Changed{}, err
	}
	return t.Change(id, patch, n)
}

// act returns the patch of a buyer's act, and moves on to the next choice.
func (t *Twin) act(id, what string) ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.permissions[id]
	if p == nil {
		return nil, fmt.Errorf("charge permission %s: %w", clip(id, 40), ErrUnknown)
	}
	var is permission
	if err := json.Unmarshal(p.latest(), &is); err != nil {
		return nil, fmt.Errorf("charge permission %s: decode: %w", id, err)
	}
	if is.StatusDetails.State == closed {
		return nil, fmt.Errorf("charge permission %s: its buyer can do no more: %w", id, ErrFinal)
	}
	var patch any
	switch what {
	case "address":
		p.turns.address = (p.turns.address + 1) % len(p.preset.Addresses)
		patch = map[string]any{"shippingAddress": p.preset.Addresses[p.turns.address]}
	case "card":
		p.turns.card = (p.turns.card + 1) % len(p.preset.Cards)
		patch = map[string]any{"paymentPreferences": []paymentPreference{{text(p.preset.Cards[p.turns.card])}}}
	case "state":
		status := map[string]any{"state": chargeable, "reasons": nil}
		if is.StatusDetails.State != nonChargeable {
			status = map[string]any{"state": nonChargeable, "reasons": []reason{paymentMethodExpired()}}
		}
		patch = map[string]any{"statusDetails": status}
	default:
		return nil, fmt.Errorf("a buyer cannot do %q: it is address, card or state", clip(what, 40))
	}
	b, err := json.Marshal(patch)
	if err != nil {
		return nil, fmt.Errorf("charge permission %s: encode: %w", id, err)
	}
	return b, nil
}

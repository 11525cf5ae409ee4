package twin

import (
	"fmt"
	"maps"
	"time"
)

// Quota is a token bucket: Burst calls at once, restored at PerSecond a second.
type Quota struct {
	Burst     float64 `json:"burst"`
	PerSecond float64 `json:"perSecond"`
}

// documentedQuota returns what Amazon Pay documents for a merchant account
// ("Amazon Pay API v2: throttling limits"); ok is false for a call without.
func documentedQuota(environment string, call Call) (q Quota, ok bool) {
	q, ok = map[string]map[Call]Quota{
		"live":    {GetChargePermission: {20, 4}, GetCheckoutSession: {40, 8}, CompleteCheckoutSession: {20, 4}},
		"sandbox": {GetChargePermission: {10, 1}, GetCheckoutSession: {10, 1}, CompleteCheckoutSession: {2, 1}},
	}[environment][call]
	return q, ok
}

func (a *account) quota(call Call) (Quota, bool) {
	if q, ok := a.Quotas[call]; ok {
		return q, true
	}
	return documentedQuota(a.Environment, call)
}

type bucketKey struct {
	account string
	call    Call
}

// bucket holds what is left of a quota at a time.
type bucket struct {
	tokens float64
	at     time.Time
}

// take takes a token at now, and reports false if there is none.
func (b *bucket) take(q Quota, now time.Time) bool {
	if d := now.Sub(b.at); d > 0 {
		b.tokens = min(q.Burst, b.tokens+d.Seconds()*q.PerSecond)
		b.at = now
	}
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// SetQuota gives an account another quota from now on, with a full bucket, as
// Amazon does when it grants a merchant more. "" is the first account.
func (t *Twin) SetQuota(account string, call Call, q Quota) error {
	a, err := t.accountNamed(account)
	if err != nil {
		return fmt.Errorf("twin: %w", err)
	}
	if !(q.Burst >= 1) || !(q.PerSecond > 0) {
		return fmt.Errorf("twin: a burst of %v and %v a second is no quota", q.Burst, q.PerSecond)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	quotas := maps.Clone(a.Quotas) // the caller of New may still read its own
	if quotas == nil {
		quotas = map[Call]Quota{}
	}
	quotas[call] = q
	a.Quotas = quotas
	t.buckets[bucketKey{a.name(), call}] = &bucket{tokens: q.Burst, at: t.now()}
	return nil
}

// allow takes a token for a call of an account from its bucket.
func (t *Twin) allow(a *account, call Call) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	q, limited := a.quota(call)
	if !limited {
		return true
	}
	key, now := bucketKey{a.name(), call}, t.now()
	b := t.buckets[key]
	if b == nil {
		b = &bucket{tokens: q.Burst, at: now}
		t.buckets[key] = b
	}
	if !b.take(q, now) {
		t.stats.Throttled++
		return false
	}
	return true
}

package oidc

import (
	"errors"
	"sync"
	"time"
)

const (
	// failedByAll is how many codes of unknown browsers may fail in failedWithin, all
	// together. Issuers limit calls of their token endpoint, and would then refuse
	// all users.
	failedByAll  = 20
	failedWithin = time.Minute
	// failedByOne is how many codes of one browser may fail in oneWithin.
	failedByOne = 5
	oneWithin   = 5 * time.Minute
)

var (
	// errRedeemed means that a code of this sign-in was sent to the issuer before.
	errRedeemed = errors.New("this sign-in has ended already")
	// errLimited means that too many codes have failed to send another to the issuer.
	errLimited = errors.New("too many sign-in codes have failed recently: the issuer is not called")
)

// redemptions bounds how many invalid codes are sent to the issuer: an attacker can
// start any number of sign-ins and make up the codes. Each sign-in may send one code.
// Failures are counted by browser, and for all unknown browsers together. A browser
// in which a user has signed in before is counted on its own, so that an attacker
// cannot lock out users.
//
// The counts are those of this process. The zero value is ready to use. It is safe
// for concurrent use.
type redemptions struct {
	mu        sync.Mutex
	redeemed  map[string]time.Time // nonces of sign-ins, and when they are forgotten
	browsers  map[string]*failures
	strangers failures
	pruned    time.Time
}

// failures counts failures in a window that begins with the first one.
type failures struct {
	n     int
	since time.Time
}

// over reports whether the limit is reached.
func (f *failures) over(now time.Time, limit int, within time.Duration) bool {
	if now.Sub(f.since) >= within {
		*f = failures{since: now}
	}
	return f.n >= limit
}

// begin counts a code as failed; done reverts that. The error is errRedeemed or
// errLimited.
func (r *redemptions) begin(now time.Time, nonce, browser string, known bool) (done func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.prune(now)
	if _, again := r.redeemed[nonce]; again {
		return nil, errRedeemed
	}
	key := "browser " + browser
	if known {
		key = "known " + browser
	}
	one := r.browsers[key]
	if one == nil {
		one = &failures{since: now}
	}
	if one.over(now, failedByOne, oneWithin) || !known && r.strangers.over(now, failedByAll, failedWithin) {
		return nil, errLimited
	}
	r.redeemed[nonce], r.browsers[key] = now.Add(signInWithin), one
	one.n++
	if !known {
		r.strangers.n++
	}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		one.n = max(one.n-1, 0)
		if !known {
			r.strangers.n = max(r.strangers.n-1, 0)
		}
	}, nil
}

// prune drops what no longer counts. The rest is bounded: unknown browsers add
// failedByAll in failedWithin, and each known one failedByOne in oneWithin.
func (r *redemptions) prune(now time.Time) {
	if r.redeemed == nil {
		r.redeemed, r.browsers = map[string]time.Time{}, map[string]*failures{}
	}
	if now.Sub(r.pruned) < failedWithin {
		return
	}
	r.pruned = now
	for nonce, until := range r.redeemed {
		if !now.Before(until) {
			delete(r.redeemed, nonce)
		}
	}
	for key, f := range r.browsers {
		if now.Sub(f.since) >= oneWithin {
			delete(r.browsers, key)
		}
	}
}

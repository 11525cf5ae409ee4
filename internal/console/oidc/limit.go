package oidc

import (
	"errors"
	"sync"
	"time"
)

const (
	// failedByAll is how many codes of strangers may fail in failedWithin, by all
	// browsers together. Issuers limit calls of their token endpoint, and would
	// then refuse everybody.
	failedByAll  = 20
	failedWithin = time.Minute
	// failedByOne is how many codes of one browser may fail in oneWithin.
	failedByOne = 5
	oneWithin   = 5 * time.Minute
)

var (
	// errRedeemed means that the code of this sign-in was shown to the issuer
	// before.
	errRedeemed = errors.New("this sign-in has ended already")
	// errLimited means that the issuer is not asked, as too many codes have failed.
	errLimited = errors.New("too many codes of sign-ins have failed just now: the issuer is not asked")
)

// redemptions bounds how often the issuer is shown a code in vain: a stranger can
// begin as many sign-ins as they like, and make up the codes. Each sign-in may
// show one code. What fails is counted for each browser, and for all strangers
// together. A browser in which somebody has signed in before is counted alone, so
// that strangers cannot keep out those who work here.
//
// It counts in this process. The zero value has counted nothing. It is safe for
// concurrent use.
type redemptions struct {
	mu        sync.Mutex
	redeemed  map[string]time.Time // nonces of sign-ins, and when they are forgotten
	browsers  map[string]*failures
	strangers failures
	pruned    time.Time
}

// failures are counted in a window that begins with the first.
type failures struct {
	n     int
	since time.Time
}

// over reports whether there is no room for one more.
func (f *failures) over(now time.Time, limit int, within time.Duration) bool {
	if now.Sub(f.since) >= within {
		*f = failures{since: now}
	}
	return f.n >= limit
}

// begin counts a code as failed. Done takes that back. The error is errRedeemed or
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

// prune forgets what no longer counts. What is left is bounded: strangers add
// failedByAll in failedWithin, and known browsers failedByOne in oneWithin.
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

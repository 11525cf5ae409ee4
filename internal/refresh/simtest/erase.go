package simtest

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"walletsync/internal/refresh"
	"walletsync/internal/refresh/storetest"
	"walletsync/internal/wallet"
)

// erased checks an erasure: no personal data is left, nothing else is gone, the feed
// has one change for it, and a running fetch will store nothing.
func (c *checker) erased(p *permission) {
	before, now := c.take(), c.w.storeTime()
	c.w.saw("erasure")
	_, repeated := c.erasures[p.Key]
	c.erasures[p.Key] = now
	for _, r := range c.last.Rows {
		was := row(before, r.Key)
		if r.Key != p.Key {
			if r != was {
				c.w.fail("an erasure changed %s, which is another charge permission", r.ID)
			}
			continue
		}
		if was.Lease != (refresh.Lease{}) && was.Lease != storetest.ErasureLease && r.Lease == was.Lease {
			c.w.fail("the holder of %s may still store a read from before the erasure", r.ID)
		}
		if was.LeaseUntil.After(now) {
			c.w.saw("erasure during a fetch")
		}
		was.Lease, was.LastError, was.ErasedAt = r.Lease, "", now
		if was.Priority == 0 { // it was never heard of
			was.Priority = r.Priority
		}
		if r != was || (r.Lease == refresh.Lease{}) != r.LeaseUntil.IsZero() {
			c.w.fail("an erasure changed more of %s than its marker", r.ID)
		}
	}
	for i, ch := range before.Changes {
		if ch.Key == p.Key {
			before.Changes[i] = blank(ch)
		}
	}
	is := stored(c.last, p.Key)
	appended := c.last.Changes[min(len(before.Changes), len(c.last.Changes)):]
	if record := is.Type != "" && !repeated; record && (len(appended) != 1 || appended[0].Facet != wallet.FacetErased || appended[0].Key != p.Key) || !record && len(appended) > 0 {
		c.w.fail("the erasure of %s is recorded as %+v", p.name, appended)
	}
	if was := stored(before, p.Key); c.version(was) != c.version(is) || !was.ReadAt.Equal(is.ReadAt) || was.Type != is.Type {
		c.w.fail("the erasure of %s stored something", p.name)
	}
	c.steady(before)
}

// blank is what an erasure must leave of a change.
func blank(ch storetest.Change) storetest.Change {
	switch ch.Facet {
	case wallet.FacetShippingAddress, wallet.FacetPaymentMethod:
		ch.Before, ch.After = "", ""
	case wallet.FacetFirstRead:
		var whole struct {
			State json.RawMessage `json:"state"`
		}
		if json.Unmarshal([]byte(ch.After), &whole) == nil {
			ch.After = `{"state":` + string(whole.State) + `}`
		}
	}
	return ch
}

// gone checks that no data of an erased person is stored anywhere.
func (c *checker) gone() {
	for k := range c.erasures {
		if s := stored(c.last, k).State; s != nil && !bare(s) {
			c.w.fail("the person of %s is erased, and stored: %+v", k.ID, *s)
		}
		for _, ch := range c.last.Changes {
			if ch.Key == k && slices.ContainsFunc(words, func(word string) bool { return strings.Contains(ch.Before+ch.After, word) }) {
				c.w.fail("the person of %s is erased, and in the history: %s -> %s", k.ID, ch.Before, ch.After)
			}
		}
	}
}

// completed checks the stored outcome of a buyer's update: a read is requested, and
// an earlier erasure is lifted.
func (c *checker) completed(p *permission, at time.Time) {
	before, now := c.take(), c.w.storeTime()
	was, r := row(before, p.Key), row(c.last, p.Key)
	if at, erased := c.erasures[p.Key]; erased && !at.After(now) {
		c.w.saw("an update lifts an erasure")
		delete(c.erasures, p.Key)
		if !r.ReadAt.IsZero() || r.Wanted == r.Done {
			c.w.fail("the erasure of %s is lifted, and an earlier read may cover the request", p.name)
		}
		was.ReadAt = time.Time{}
	}
	if _, erased := c.erasures[p.Key]; erased == r.ErasedAt.IsZero() {
		c.w.fail("%s is erased: %v, and its erasure marker is %v", p.name, erased, r.ErasedAt)
	}
	covered := !was.ReadAt.IsZero() && !at.After(was.ReadAt)
	if raised := r.Wanted - was.Wanted; covered != (raised == 0) || raised < 0 || raised > 1 {
		c.w.fail("a completed update of %s raised wanted by %d", p.name, raised)
	}
	if r.Lease != was.Lease || !r.LeaseUntil.Equal(was.LeaseUntil) || r.Done != was.Done || r.Claimed != was.Claimed || !r.ReadAt.Equal(was.ReadAt) {
		c.w.fail("a completed update settled %s", p.name)
	}
	if !covered {
		c.confirms[p.Key] = 0
		c.w.wants = append(c.w.wants, &note{id: "the completed update", p: p, published: at.Sub(epoch)})
	}
	c.steady(before)
}

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

// erased checks what an erasure did: nothing of the person is left, nothing else
// is gone, the feed's readers are told once, and whoever is fetching will store
// nothing.
func (c *checker) erased(p *permission) {
	before, now := c.take(), c.w.storeTime()
	c.w.saw("erasure")
	_, again := c.tombs[p.Key]
	c.tombs[p.Key] = now
	for _, r := range c.last.Rows {
		was := row(before, r.Key)
		if r.Key != p.Key {
			if r != was {
				c.w.fail("an erasure changed %s, which is of somebody else", r.ID)
			}
			continue
		}
		if was.Lease != (refresh.Lease{}) && was.Lease != storetest.Nobody && r.Lease == was.Lease {
			c.w.fail("whoever holds %s may still store what was read before the erasure", r.ID)
		}
		if was.LeaseUntil.After(now) {
			c.w.saw("erasure during a fetch")
		}
		was.Lease, was.LastError, was.ErasedAt = r.Lease, "", now
		if was.Priority == 0 { // it was never heard of
			was.Priority = r.Priority
		}
		if r != was || (r.Lease == refresh.Lease{}) != r.LeaseUntil.IsZero() {
			c.w.fail("an erasure did more to %s than to mark it", r.ID)
		}
	}
	for i, ch := range before.Changes {
		if ch.Key == p.Key {
			before.Changes[i] = blank(ch)
		}
	}
	is := stored(c.last, p.Key)
	appended := c.last.Changes[min(len(before.Changes), len(c.last.Changes)):]
	if tell := is.Type != "" && !again; tell && (len(appended) != 1 || appended[0].Facet != wallet.FacetErased || appended[0].Key != p.Key) || !tell && len(appended) > 0 {
		c.w.fail("the erasure of %s is told as %+v", p.name, appended)
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

// gone checks that nothing of an erased person is stored anywhere.
func (c *checker) gone() {
	for k := range c.tombs {
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

// completed checks what storing the outcome of a buyer's update did: a read is
// wanted, and an erasure from before is lifted.
func (c *checker) completed(p *permission, at time.Time) {
	before, now := c.take(), c.w.storeTime()
	was, r := row(before, p.Key), row(c.last, p.Key)
	if tomb, erased := c.tombs[p.Key]; erased && !tomb.After(now) {
		c.w.saw("an update lifts an erasure")
		delete(c.tombs, p.Key)
		if !r.ReadAt.IsZero() || r.Wanted == r.Done {
			c.w.fail("the erasure of %s is lifted, and what was read before may cover what is to be read", p.name)
		}
		was.ReadAt = time.Time{}
	}
	if _, erased := c.tombs[p.Key]; erased == r.ErasedAt.IsZero() {
		c.w.fail("%s is erased: %v, and its tombstone says %v", p.name, erased, r.ErasedAt)
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

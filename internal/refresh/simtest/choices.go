package simtest

import "math/rand/v2"

// choices are the choices of a schedule, in their order. They come from a seed, and
// can be replayed from a list: that is how a failing schedule is made shorter. The
// tamest choice is always 0, so that a list with zeros in it, or one that ends
// early, is a tamer schedule: the faults stop where the list ends.
type choices struct {
	rng  *rand.Rand // nil: choices beyond the list are 0
	list []uint16
	next int
}

func seeded(seed uint64) *choices {
	return &choices{rng: rand.New(rand.NewPCG(seed, 0x77616c6c6574)), list: make([]uint16, 0, 512)}
}

func replayed(list []uint16) *choices { return &choices{list: list} }

// below returns a number in [0, n).
func (c *choices) below(n int) int {
	if n <= 1 {
		return 0
	}
	if c.rng != nil {
		v := c.rng.IntN(n)
		c.list = append(c.list, uint16(v))
		return v
	}
	if c.next >= len(c.list) {
		return 0
	}
	v := int(c.list[c.next])
	c.next++
	return min(v, n-1)
}

// over reports whether the list has ended.
func (c *choices) over() bool { return c.rng == nil && c.next >= len(c.list) }

// oneIn is true once in n times.
func (c *choices) oneIn(n int) bool { return c.below(n) == n-1 }

// shorter returns the tamest list that still fails, found within a number of
// tries: without a stretch of the list, or with zeros in its place.
func shorter(list []uint16, tries int, fails func([]uint16) bool) []uint16 {
	try := func(candidate []uint16) bool {
		tries--
		if fails(candidate) {
			list = candidate
			return true
		}
		return false
	}
	for shortened := true; shortened && tries > 0; {
		shortened = false
		for size := max(1, len(list)/2); size >= 1; size /= 2 {
			for from := len(list) - size; from >= 0 && tries > 0; from -= size {
				if from+size > len(list) {
					continue
				}
				without := append(append([]uint16{}, list[:from]...), list[from+size:]...)
				if try(without) {
					shortened = true
					continue
				}
				if !zero(list[from : from+size]) {
					tame := append([]uint16{}, list...)
					clear(tame[from : from+size])
					shortened = try(tame) || shortened
				}
			}
		}
		for i := 0; i < len(list) && tries > 0; i++ {
			for v := list[i]; v > 0 && tries > 0; {
				smaller := append([]uint16{}, list...)
				smaller[i] = v / 2
				if !try(smaller) {
					break
				}
				v, shortened = smaller[i], true
			}
		}
	}
	return list
}

func zero(list []uint16) bool {
	for _, v := range list {
		if v != 0 {
			return false
		}
	}
	return true
}

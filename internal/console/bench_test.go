package console

import (
	"slices"
	"strings"
	"testing"
)

// BenchmarkPages measures what writing a page costs, beside the queries.
func BenchmarkPages(b *testing.B) {
	p := testPages(b)
	all := every()
	names := make([]string, 0, len(all))
	for name := range all {
		if !strings.Contains(name, "-") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				show(p, "en", all[name])
			}
		})
	}
}

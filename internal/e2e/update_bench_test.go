package e2e

import (
	"os"
	"slices"
	"testing"

	"walletsync/internal/local/aws/lambda"
	"walletsync/internal/local/stack"
)

// BenchmarkUpdateFunctions measures the cold starts that buyers and clerks wait for,
// and the size of the deployed binaries.
func BenchmarkUpdateFunctions(b *testing.B) {
	w := benchTrial(b)
	const starts = 20
	for b.Loop() {
		for _, f := range []*lambda.Function{w.Start, w.Return, w.Console} {
			for range starts {
				f.Kill()
				if err := stack.Until(b.Context(), trialTimeout, "the function to be gone", func() (bool, error) { return f.Stats().Running == 0, nil }); err != nil {
					b.Fatal(err)
				}
				if err := f.Provision(b.Context(), 1); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	var lines []budget
	for name, f := range map[string]*lambda.Function{"update-start": w.Start, "checkout-return": w.Return, "console": w.Console} {
		inits := f.Stats().Inits
		slices.Sort(inits)
		info, err := os.Stat(w.Binary(name))
		if err != nil {
			b.Fatal(err)
		}
		lines = append(lines,
			budget{"cold start of " + name + ", median", float64(inits[len(inits)/2].Microseconds()) / 1000, 15, "ms"},
			budget{"binary of " + name + ", stripped", float64(info.Size()) / (1 << 20), 20, "MB"})
	}
	slices.SortFunc(lines, func(x, y budget) int {
		if x.what < y.what {
			return -1
		}
		return 1
	})
	report(b, "update-start, checkout-return and console", lines...)
}

package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	for _, c := range []struct {
		name, in string
		ok       bool
		want     []string
	}{
		{"all passed", `{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p"}`, true, []string{"ok   p", "1 passed, 0 failed, 0 skipped"}},
		{"a skip says why", `{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:3: no browser\n"}
{"Action":"skip","Package":"p","Test":"TestB"}`, true, []string{"SKIP TestB: no browser", "1 passed, 0 failed, 1 skipped"}},
		{"a failure is told in full", `{"Action":"output","Package":"p","Test":"TestA","Output":"it broke\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}`, false, []string{"it broke", "0 passed, 1 failed, 0 skipped"}},
		{"a failure in short at the end", `{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: it broke\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p","Elapsed":1}`, false, []string{"slow p 1.0s\nFAIL p TestA\n  a_test.go:3: it broke\n0 passed, 1 failed"}},
		{"a package that does not build", `{"Action":"build-output","ImportPath":"p","Output":"undefined: x\n"}
{"Action":"fail","Package":"p"}`, false, []string{"undefined: x", "1 failed"}},
		{"a package's time and seed", `{"Action":"output","Package":"p","Output":"-test.shuffle 17\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"-test.cpu 1.250 0.250\n"}
{"Action":"pass","Package":"p","Elapsed":2.5}
{"Action":"pass","Package":"q","Elapsed":3}`, true, []string{"ok   p 2.5s, cpu 1.5s, -shuffle=17\n", "slow q 3.0s\nslow p 2.5s, cpu 1.5s, -shuffle=17\n1 passed"}},
		{"no test at all", ``, false, []string{"0 passed"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			if ok := report(strings.NewReader(c.in), &out); ok != c.ok {
				t.Errorf("ok: %v\n%s", ok, out.String())
			}
			for _, w := range c.want {
				if !strings.Contains(out.String(), w) {
					t.Errorf("%q is missing in\n%s", w, out.String())
				}
			}
		})
	}
}

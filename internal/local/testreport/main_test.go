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
		{"a package that does not build", `{"Action":"build-output","ImportPath":"p","Output":"undefined: x\n"}
{"Action":"fail","Package":"p"}`, false, []string{"undefined: x", "1 failed"}},
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

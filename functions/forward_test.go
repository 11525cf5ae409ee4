package functions_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// forwarding counts the methods of types, and the methods that only call a method of the
// same name, also in a closure.
type forwarding struct{ methods, forward map[string]int }

func (f forwarding) add(pkg string, file *ast.File) {
	for _, d := range file.Decls {
		m, ok := d.(*ast.FuncDecl)
		if !ok || m.Recv == nil || m.Body == nil {
			continue
		}
		receiver := m.Recv.List[0].Type
		if p, ok := receiver.(*ast.StarExpr); ok {
			receiver = p.X
		}
		name, ok := receiver.(*ast.Ident)
		if !ok {
			continue // of a generic type
		}
		of := pkg + "." + name.Name
		f.methods[of]++
		forwards, locks := false, false
		ast.Inspect(m.Body, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				s, ok := call.Fun.(*ast.SelectorExpr)
				forwards = forwards || ok && s.Sel.Name == m.Name.Name
				locks = locks || ok && s.Sel.Name == "Lock"
			}
			return true
		})
		if forwards && !locks && len(m.Body.List) <= 3 {
			f.forward[of]++
		}
	}
}

// forwarders returns the types most of whose methods only forward.
func (f forwarding) forwarders() (names []string) {
	for name, n := range f.methods {
		if n >= 2 && f.forward[name]*3 > n*2 {
			names = append(names, name)
		}
	}
	return names
}

func TestNoTypeOnlyForwards(t *testing.T) {
	found := forwarding{map[string]int{}, map[string]int{}}
	for _, dir := range []string{".", "../internal", "../migrations"} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			found.add(filepath.Dir(path), file)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(found.methods) < 100 {
		t.Fatalf("only %d types were found", len(found.methods))
	}
	if names := found.forwarders(); len(names) > 0 {
		t.Errorf("the methods of %v call a method of the same name and do nothing else: use what they call", names)
	}
}

func TestForwardingMethodsAreFound(t *testing.T) {
	const source = `package p
func (l *lazy) Claim(q int) (int, error) { return with(l, func(s *store) (int, error) { return s.Claim(q) }) }
func (l *lazy) Commit(q int) (n int, err error) {
	err = with(l, func(s *store) (err error) { n, err = s.Commit(q); return err })
	return n, err
}
func (s *store) Claim(q int) (int, error) { return s.trip(q) }
func (s *store) Commit(q int) (int, error) { return s.trip(q) }
`
	file, err := parser.ParseFile(token.NewFileSet(), "p.go", source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	f := forwarding{map[string]int{}, map[string]int{}}
	f.add("p", file)
	if got := f.forwarders(); len(got) != 1 || got[0] != "p.lazy" {
		t.Errorf("%v", got)
	}
}

package load

import (
	"context"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

// TestDeclarationsAloneGiveTheTypesThatTheCompilerHas compares what is left of
// a dependency's source with export data, over packages with large tables,
// generics, aliases and assembly.
func TestDeclarationsAloneGiveTheTypesThatTheCompilerHas(t *testing.T) {
	patterns := []string{"net/http", "encoding/json", "unicode", "maps", "sync/atomic", "math/big", "go/types"}
	listed, err := packages.Load(&packages.Config{Mode: listMode}, patterns...)
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := packages.Load(&packages.Config{Mode: packages.NeedName | packages.NeedTypes}, patterns...)
	if err != nil {
		t.Fatal(err)
	}
	c := &checker{
		l: &loader{fset: token.NewFileSet()}, sizes: types.SizesFor("gc", HostConfig(nil).GOARCH),
		done: map[*packages.Package]*checked{}, sem: make(chan struct{}, 2),
	}
	for i, p := range listed {
		got, want := c.dep(context.Background(), p), compiled[i].Types
		if !got.ok {
			t.Errorf("%s: has errors", p.PkgPath)
		}
		for _, name := range want.Scope().Names() {
			w := want.Scope().Lookup(name)
			if !w.Exported() {
				continue
			}
			g := got.types.Scope().Lookup(name)
			if g == nil {
				t.Errorf("%s.%s is not there", p.PkgPath, name)
			} else if a, b := describe(g), describe(w); a != b {
				t.Errorf("%s.%s:\ngot  %s\nwant %s", p.PkgPath, name, a, b)
			}
		}
	}
	if all := len(c.done); all > 150 {
		t.Errorf("%d packages were checked: what only bodies use was followed", all)
	}
}

// describe writes an object with its methods.
func describe(o types.Object) string {
	s := o.String()
	if named, ok := o.Type().(*types.Named); ok {
		var methods []string
		for m := range named.Methods() {
			if m.Exported() {
				methods = append(methods, m.String())
			}
		}
		slices.Sort(methods)
		for _, m := range methods {
			s += "\n\t" + m
		}
	}
	return s
}

func TestImportsOfBodiesAreTakenOut(t *testing.T) {
	l := &loader{fset: token.NewFileSet(), files: map[string]*File{}, problems: map[string]Problem{}}
	dir := tree(t, `
-- a.go --
package a

import (
	"C"
	. "dot"
	_ "blank"
	"body"
	"elements"
	other "signature"
	"value"
)

var v = value.New()
var e = []int{elements.One}

func f(other.T) { body.F() }
`)
	p := &packages.Package{Name: "a", PkgPath: "a", GoFiles: []string{dir + "/a.go"}, Imports: map[string]*packages.Package{}}
	for _, path := range []string{"dot", "blank", "body", "elements", "signature", "value"} {
		p.Imports[path] = &packages.Package{Name: path, PkgPath: path}
	}
	c := &checker{l: l, sem: make(chan struct{}, 1)}
	files := c.declarations(p, &checked{})
	needed := neededImports(p, files)
	for path := range p.Imports {
		_, got := needed[path]
		if want := slices.Contains([]string{"dot", "signature", "value"}, path); got != want {
			t.Errorf("%s is followed: %v, want %v", path, got, want)
		}
	}
	specs := 0
	ast.Inspect(files[0], func(n ast.Node) bool {
		if _, ok := n.(*ast.ImportSpec); ok {
			specs++
		}
		return true
	})
	if specs != 4 {
		t.Errorf("%d imports are left, want those that are followed, and C", specs)
	}
}

func TestHollowLeavesWhatTypesAreMadeOf(t *testing.T) {
	const src = `package p

func f(a int) error {
	if a > 0 {
		return nil
	}
	return g
}

func (t *T) m(x struct {
	A int
}) {
	_ = x
}

func result() interface {
	B()
} {
	return nil
}

func one() { return }

func open(
	a int,
) {
	_ = a
}

const text = ` + "`" + `
func f() {
	x
}
` + "`" + `

type T struct {
	// g is commented.
	g int
	f func() // {
}

func last() {
}`
	want := strings.Replace(src, "\tif a > 0 {\n\t\treturn nil\n\t}\n\treturn g\n", "\n\n\n\n", 1)
	want = strings.Replace(want, "func f() {\n\tx\n", "func f() {\n\n", 1)
	want = strings.Replace(want, "\t// g is commented.\n", "\n", 1)
	if got := string(hollow([]byte(src))); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if got, want := string(hollow([]byte("func f() {\r\n\tx()\r\n}\r\n"))), "func f() {\r\n\n}\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := string(hollow([]byte("func f() {\n\tx()\n"))); got != "func f() {\n\tx()\n" {
		t.Errorf("without an end: got %q", got)
	}
}

package load

import (
	"bytes"
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
	"hidden"
	"typed"
	"value"
)

var V = value.New()
var W int = typed.One
var E = []int{elements.One}
var h = hidden.New()

func F(other.T) { body.F() }
`)
	p := &packages.Package{Name: "a", PkgPath: "a", GoFiles: []string{dir + "/a.go"}, Imports: map[string]*packages.Package{}}
	for _, path := range []string{"dot", "blank", "body", "elements", "signature", "hidden", "typed", "value"} {
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

func TestWhatNoOtherPackageSeesIsTakenOut(t *testing.T) {
	l := &loader{fset: token.NewFileSet(), files: map[string]*File{}, problems: map[string]Problem{}}
	dir := tree(t, `
-- a.go --
package a

type Exported struct {
	inner
	*pointed
	f func(param) result
}

func (Exported) Method(argument)   {}
func (Exported) unseen(dropped1)   {}
func (*Exported) sealed(dropped2)  {}
func (g generic[T]) Promoted(sealing) {}
func (d dropped3) Method(dropped4) {}

type (
	inner    struct{ generic[int] }
	pointed  int
	param    interface{ sealed(dropped2) }
	result   [size]byte
	argument = aliased
	aliased  int
	dropped1 int
	dropped2 int
	dropped3 int
	dropped4 int
)

type sealing interface{}
type generic[T any] struct{}

const (
	zero = iota
	size
)

const dropped5 = 1

var Made, made = make1()
var dropped6, _ = make1()
var _ param = (*Exported)(nil)

func make1() (int, dropped7)
func dropped8() {}
func init() {}
-- b.go --
package a

type dropped7 int
`)
	p := &packages.Package{Name: "a", PkgPath: "a", GoFiles: []string{dir + "/a.go", dir + "/b.go"}}
	r := &checked{ok: true}
	c := &checker{l: l, sem: make(chan struct{}, 1), sizes: types.SizesFor("gc", "amd64"), done: map[*packages.Package]*checked{}}
	r = c.dep(context.Background(), p)
	if !r.ok {
		t.Error("what is left has errors")
	}
	left := r.types.Scope().Names()
	want := strings.Fields("Exported Made aliased argument dropped2 dropped7 generic inner made make1 param pointed result sealing size zero")
	if !slices.Equal(left, want) {
		t.Errorf("left are\n%s\nwant\n%s", left, want)
	}
	const methods = "Method sealed"
	var got []string
	for m := range r.types.Scope().Lookup("Exported").Type().(*types.Named).Methods() {
		got = append(got, m.Name())
	}
	if slices.Sort(got); strings.Join(got, " ") != methods {
		t.Errorf("Exported has the methods %s, want %s", got, methods)
	}
}

func TestLengthsThatMatterAreCounted(t *testing.T) {
	dir := tree(t, `
-- a.go --
package a

var counted = [...]string{"a", "b"}

var unseen = [...]string{"a", "b"}

type Array [len(counted)]int
`)
	c := &checker{
		l: &loader{fset: token.NewFileSet()}, sizes: types.SizesFor("gc", "amd64"),
		sem: make(chan struct{}, 1), done: map[*packages.Package]*checked{},
	}
	r := c.dep(context.Background(), &packages.Package{Name: "a", PkgPath: "a", GoFiles: []string{dir + "/a.go"}})
	if got := r.types.Scope().Lookup("Array").Type().Underlying().String(); got != "[2]int" || !r.ok {
		t.Errorf("Array is %s, without errors %v", got, r.ok)
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

var table = map[int]string{
	1: "",
}

var counted = [...]int{
	1,
}

var s = struct {
	A int
}{
	1,
}

type T struct {
	// g is commented.
	g int
	f func() // {
}

func last() {
}`
	want := strings.Replace(src, "\tif a > 0 {\n\t\treturn nil\n\t}\n\treturn g\n", "", 1)
	want = strings.Replace(want, "func f() {\n\tx\n", "func f() {\n", 1)
	want = strings.Replace(want, "\t// g is commented.\n", "", 1)
	want = strings.Replace(want, "\t1: \"\",\n", "", 1)
	hollowed := func(src string, lengths bool) string {
		var b bytes.Buffer
		hollow(&b, []byte(src), lengths)
		return b.String()
	}
	if got := hollowed(src, true); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	for _, c := range []struct{ src, want string }{
		{"func f() {\r\n\tx()\r\n}\r\n", "func f() {\r\n}\r\n"},
		{"func f() {\n\tx()\n", "func f() {\n\tx()\n"},
		{"var counted = [...]int{\n\t1,\n}\n", "var counted = [...]int{\n}\n"},
		{"var counted = [...][]p.T{{1}, {2}}\n", "var counted = [...][]p.T{}\n"},
		{"var Counted = [...]int{1}\n", "var Counted = [...]int{1}\n"},
		{"var s = [...]struct{ a int }{{1}}\n", "var s = [...]struct{ a int }{{1}}\n"},
	} {
		if got := hollowed(c.src, false); got != c.want {
			t.Errorf("%q becomes %q, want %q", c.src, got, c.want)
		}
	}
}

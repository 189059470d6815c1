package rules

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// messageCompare compares messages by what they say, not by their memory.
//
// Matched: reflect.DeepEqual and testify's Equal family on two messages, and
// go-cmp on anything that holds messages.
//
// Not matched, but reported: slices, maps and structs of messages given to
// reflect.DeepEqual, testify or gomega; messages that are compared with == or
// are keys of a map; and go-cmp with options that are passed on.
//
// proto.Equal takes nil and empty bytes for equal, reflect.DeepEqual did not.
var messageCompare = &Rule{
	ID:    "message-compare",
	Title: "compare messages with proto.Equal and protocmp",
	Before: `package p

import (
	"reflect"

	"github.com/coreos/etcd/mvcc/mvccpb"
)

func changed(a, b *mvccpb.KeyValue) bool {
	return !reflect.DeepEqual(a, b)
}
`,
	After: `package p

import (
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"
)

func changed(a, b *mvccpb.KeyValue) bool {
	return !proto.Equal(a, b)
}
`,
	Why:     "A message of 3.7 has internal state that is filled when it is first marshalled, received or printed. Two messages with the same fields are then not deeply equal, and go-cmp panics over the unexported fields.",
	Since:   "v3.7.0",
	Targets: []atlas.Line{atlas.Line37},
	Safety:  Adjusted,
	Refs: []string{
		"https://pkg.go.dev/google.golang.org/protobuf/proto#Equal",
		"https://pkg.go.dev/google.golang.org/protobuf/testing/protocmp",
	},
	Run: runMessageCompare,
}

const protocmp = "google.golang.org/protobuf/testing/protocmp"

func runMessageCompare(p *Pass) {
	if !p.usesMessages() {
		return
	}
	reportOperators(p)
	for c := range p.Inspector().Root().Preorder((*ast.CallExpr)(nil)) {
		call := c.Node().(*ast.CallExpr)
		fun, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
		if !ok {
			continue
		}
		fn, ok := p.Info.Uses[fun.Sel].(*types.Func)
		if !ok || fn.Pkg() == nil {
			continue
		}
		switch fn.Pkg().Path() {
		case "reflect":
			if fn.Name() == "DeepEqual" {
				compare(p, call, 0, func(c Change, f *File) { c.ReplaceNode(f, fun, c.Qualified(f, googleProto, "Equal")) })
			}
		case "github.com/stretchr/testify/assert", "github.com/stretchr/testify/require":
			testify(p, call, fun, fn)
		case "github.com/google/go-cmp/cmp":
			if fn.Name() == "Equal" || fn.Name() == "Diff" {
				goCmp(p, call)
			}
		case "github.com/onsi/gomega":
			if fn.Name() == "Equal" || fn.Name() == "BeEquivalentTo" {
				if len(call.Args) == 1 {
					reportCompare(p, call, call.Args[0])
				}
			}
		}
	}
}

// reportOperators finds messages, and structs and arrays of them, that cannot
// be compared any more.
func reportOperators(p *Pass) {
	for c := range p.Inspector().Root().Preorder((*ast.BinaryExpr)(nil), (*ast.MapType)(nil)) {
		var n *types.Named
		what, advice := "compared", "compare messages with proto.Equal, or the fields that matter"
		switch e := c.Node().(type) {
		case *ast.BinaryExpr:
			if e.Op != token.EQL && e.Op != token.NEQ {
				continue
			}
			if n = comparedMessage(p.TypeOf(e.X)); n == nil {
				n = comparedMessage(p.TypeOf(e.Y))
			}
		case *ast.MapType:
			n = comparedMessage(p.TypeOf(e.Key))
			what, advice = "the key of a map", "take the fields that tell the messages apart for the key"
		}
		if n != nil {
			sym, _ := TypeSymbol(n)
			p.Report(p.FileOf(c.Node().Pos()), c.Node(), edit.Manual, short(sym)+" cannot be "+what+" in 3.7", advice)
		}
	}
}

// comparedMessage returns a message that a comparison of two values of a type
// looks into.
func comparedMessage(t types.Type) *types.Named {
	if t == nil || !types.Comparable(t) {
		return nil
	}
	if n, ok := oldMessage(t); ok {
		return n
	}
	switch u := t.Underlying().(type) {
	case *types.Array:
		return comparedMessage(u.Elem())
	case *types.Struct:
		for f := range u.Fields() {
			if n := comparedMessage(f.Type()); n != nil {
				return n
			}
		}
	}
	return nil
}

// compare rewrites a comparison of the arguments at i and i+1.
func compare(p *Pass, call *ast.CallExpr, i int, rewrite func(Change, *File)) {
	if len(call.Args) < i+2 {
		return
	}
	f := p.FileOf(call.Pos())
	a, b := call.Args[i], call.Args[i+1]
	pre, ok := comparable(p, a)
	pre2, ok2 := comparable(p, b)
	if !ok || !ok2 {
		reportCompare(p, call, a, b)
		return
	}
	c := p.Change(p.Tier, "messages are compared by proto.Equal")
	rewrite(c, f)
	for i, e := range []ast.Expr{a, b} {
		pre := []string{pre, pre2}[i]
		if s, star := e.(*ast.StarExpr); star && !p.pointers().byPointer(e) {
			c.Replace(f, s.Star, s.X.Pos(), "")
		}
		if pre != "" {
			c.Insert(f, e.Pos(), pre)
		}
	}
}

// comparison says whether a function is one that this rule looks at.
func comparison(fn *types.Func) bool {
	if fn == nil || fn.Pkg() == nil {
		return false
	}
	switch fn.Pkg().Path() {
	case "reflect":
		return fn.Name() == "DeepEqual"
	case "github.com/stretchr/testify/assert", "github.com/stretchr/testify/require":
		switch strings.TrimSuffix(fn.Name(), "f") {
		case "Equal", "EqualValues", "Exactly", "NotEqual":
			return true
		}
	}
	return fn.Name() == "AssertEqual" && canonical(fn.Pkg().Path()) == "pkg/testutil"
}

// comparable says whether an expression can be given to proto.Equal, and what
// to write before it.
func comparable(p *Pass, e ast.Expr) (pre string, ok bool) {
	if id, isID := ast.Unparen(e).(*ast.Ident); isID && id.Name == "nil" {
		return "", true
	}
	_, pointer, ok := p.protoMessage(e)
	switch {
	case !ok:
		return "", false
	case pointer:
		return "", true
	}
	if s, star := e.(*ast.StarExpr); star && !p.pointers().byPointer(e) {
		return "", s.X != nil // compare takes the star away
	}
	if _, lit := ast.Unparen(e).(*ast.CompositeLit); lit {
		return "&", true
	}
	if p.pointers().byPointer(e) {
		return "", true
	}
	return "&", addressable(p, e)
}

func testify(p *Pass, call *ast.CallExpr, fun *ast.SelectorExpr, fn *types.Func) {
	i := 0
	if fn.Signature().Recv() == nil && fn.Name() != "ObjectsAreEqual" {
		i = 1 // after t
	}
	name, formatted := strings.CutSuffix(fn.Name(), "f")
	now := ""
	switch name {
	case "Equal", "EqualValues", "Exactly":
		now = "True"
	case "NotEqual":
		now = "False"
	case "ObjectsAreEqual", "ElementsMatch":
		if len(call.Args) >= i+2 {
			reportCompare(p, call, call.Args[i], call.Args[i+1])
		}
		return
	default:
		return
	}
	if formatted {
		now += "f"
	}
	compare(p, call, i, func(c Change, f *File) {
		c.ReplaceNode(f, fun.Sel, now)
		c.Insert(f, call.Args[i].Pos(), c.Qualified(f, googleProto, "Equal")+"(")
		c.Insert(f, call.Args[i+1].End(), ")")
	})
}

func goCmp(p *Pass, call *ast.CallExpr) {
	if len(call.Args) < 2 {
		return
	}
	n := p.holdsMessage(p.TypeOf(call.Args[0]))
	if n == nil {
		n = p.holdsMessage(p.TypeOf(call.Args[1]))
	}
	if n == nil {
		return
	}
	f := p.FileOf(call.Pos())
	sym, _ := TypeSymbol(n)
	for _, o := range call.Args[2:] {
		if t := p.TypeOf(o); t != nil && strings.Contains(f.Text(o), "protocmp.") {
			return
		}
	}
	if !isProto(n) || len(call.Args) > 2 {
		p.Report(f, call, edit.Review, "go-cmp panics over the unexported fields of "+short(sym)+" from 3.7, unless an option covers them",
			"add protocmp.Transform() of "+protocmp+"; for types of clientv3, compare the fields that matter")
		return
	}
	c := p.Change(p.Tier, "go-cmp compares messages with protocmp.Transform")
	last := call.Args[len(call.Args)-1]
	c.Insert(f, last.End(), ", "+c.Qualified(f, protocmp, "Transform")+"()")
}

func reportCompare(p *Pass, call *ast.CallExpr, args ...ast.Expr) {
	sev := edit.Review
	for _, a := range args {
		if _, ok := oldMessage(p.TypeOf(a)); ok {
			sev = edit.Manual // a copy, too
		}
	}
	for _, a := range args {
		if n := p.holdsMessage(p.TypeOf(a)); n != nil {
			sym, _ := TypeSymbol(n)
			p.Report(p.FileOf(call.Pos()), call, sev, "values with "+short(sym)+" in them are compared deeply; from 3.7 equal messages may differ in their internal state",
				"compare messages with proto.Equal, or with cmp.Diff(a, b, protocmp.Transform())")
			return
		}
	}
}

// holdsMessage returns an old message that a value of a type holds or points
// to.
func (p *Pass) holdsMessage(t types.Type) *types.Named { return holds(t, map[types.Type]bool{}) }

func holds(t types.Type, seen map[types.Type]bool) *types.Named {
	if t == nil || seen[t] {
		return nil
	}
	seen[t] = true
	if n, ok := oldMessage(t); ok {
		return n
	}
	switch u := t.Underlying().(type) {
	case *types.Pointer:
		return holds(u.Elem(), seen)
	case *types.Slice:
		return holds(u.Elem(), seen)
	case *types.Array:
		return holds(u.Elem(), seen)
	case *types.Map:
		if n := holds(u.Key(), seen); n != nil {
			return n
		}
		return holds(u.Elem(), seen)
	case *types.Struct:
		for f := range u.Fields() {
			if n := holds(f.Type(), seen); n != nil {
				return n
			}
		}
	}
	return nil
}

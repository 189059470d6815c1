package rules

import (
	"go/ast"
	"go/types"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// setContains reports implementations of types.Set, whose Contains takes any
// number of values. Calls stay as they are.
var setContains = &Rule{
	ID:    "set-contains",
	Title: "report implementations of types.Set with a Contains of one value",
	Before: `package p

import (
	"github.com/coreos/etcd/pkg/types"
)

type set struct{ types.Set }

func (s set) Contains(v string) bool { return v != "" }

var _ types.Set = set{}
`,
	After: `package p

import (
	"go.etcd.io/etcd/client/pkg/v3/types"
)

type set struct{ types.Set }

func (s set) Contains(v string) bool { return v != "" }

var _ types.Set = set{}
`,
	Why:     "Set.Contains is variadic from 3.7 and asks whether all values are in the set. What the body of an implementation should do with several is for a person to write.",
	Since:   "v3.7.0",
	Targets: []atlas.Line{atlas.Line37},
	Safety:  Report,
	Refs:    []string{"https://github.com/etcd-io/etcd/blob/main/client/pkg/types/set.go"},
	Claims:  []string{"pkg/types.Set.Contains"},
	Run: func(p *Pass) {
		if p.Info == nil || len(p.RefsTo("pkg/types")) == 0 {
			return
		}
		seen := map[*types.Func]bool{}
		p.implicitConversions(func(f *File, e ast.Expr, to types.Type) {
			if !IsType(to, "pkg/types", "Set") {
				return
			}
			t := p.TypeOf(e)
			if t == nil || types.IsInterface(t) {
				return
			}
			fn, _, _ := types.LookupFieldOrMethod(t, true, p.Pkg, "Contains")
			m, ok := fn.(*types.Func)
			if !ok || m.Pkg() != p.Pkg || seen[m] || m.Signature().Variadic() {
				return
			}
			seen[m] = true
			advice := "write Contains(vals ...string) bool, true when all vals are in the set"
			p.Report(f, e, edit.Manual, "this does not implement types.Set in 3.7, whose Contains is variadic", advice)
			if at, ok := p.declaration(m); ok {
				d := at.Node().(*ast.FuncDecl)
				p.Report(p.FileOf(d.Pos()), d.Name, edit.Manual, "Contains of types.Set is variadic in 3.7", advice)
			}
		})
	},
}

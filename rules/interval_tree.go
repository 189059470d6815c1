package rules

import (
	"go/ast"
	"go/token"
	"go/types"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// intervalTree follows adt.IntervalTree from a struct to an interface.
//
// Matched: pointers to it, literals behind an & and new(adt.IntervalTree),
// variables that are declared with the type alone, and their addresses.
//
// Not matched: fields and elements of the struct type, whose zero value was a
// tree and now is nil; they become findings.
var intervalTree = &Rule{
	ID:    "interval-tree",
	Title: "make interval trees with NewIntervalTree",
	Before: `package p

import (
	"github.com/coreos/etcd/pkg/adt"
)

type perms struct {
	tree *adt.IntervalTree
}

func newPerms() *perms {
	return &perms{tree: &adt.IntervalTree{}}
}
`,
	After: `package p

import (
	"go.etcd.io/etcd/pkg/v3/adt"
)

type perms struct {
	tree adt.IntervalTree
}

func newPerms() *perms {
	return &perms{tree: adt.NewIntervalTree()}
}
`,
	Why:    "IntervalTree is an interface since 3.3.14; its methods are those of the struct.",
	Since:  "v3.3.14",
	Safety: Same,
	Refs:   []string{"https://github.com/etcd-io/etcd/blob/v3.5.0/pkg/adt/interval_tree.go"},
	Claims: []string{"pkg/adt.IntervalTree"},
	Run: func(p *Pass) {
		for h := range p.Broken() {
			if h.Break.Symbol == "IntervalTree" {
				p.interfaceTree(h)
			}
		}
		if p.Info != nil && len(p.RefsTo("pkg/adt")) > 0 {
			p.treeAddresses()
		}
	},
}

// treeAddresses follows pointers to trees that were variables: what was their
// address is what they hold.
func (p *Pass) treeAddresses() {
	isTree := func(e ast.Expr) bool {
		n, ok := types.Unalias(orInvalid(p.TypeOf(e))).(*types.Named)
		if !ok || !IsType(n, "pkg/adt", "IntervalTree") {
			return false
		}
		_, old := n.Underlying().(*types.Struct)
		return old
	}
	for c := range p.Inspector().Root().Preorder((*ast.UnaryExpr)(nil), (*ast.StarExpr)(nil)) {
		switch n := c.Node().(type) {
		case *ast.UnaryExpr:
			if _, lit := n.X.(*ast.CompositeLit); n.Op == token.AND && !lit && isTree(n.X) {
				p.Change(p.Tier, "adt.IntervalTree is an interface").Replace(p.FileOf(n.Pos()), n.Pos(), n.X.Pos(), "")
			}
		case *ast.StarExpr:
			if p.Info.Types[n].IsValue() && isTree(n) {
				p.Report(p.FileOf(n.Pos()), n, edit.Manual, "adt.IntervalTree is an interface in etcd "+string(p.Target.Line)+", and a tree behind a pointer is copied or replaced here",
					"keep the tree in a field or variable of type adt.IntervalTree, and set that to adt.NewIntervalTree()")
			}
		}
	}
}

func (p *Pass) interfaceTree(h Hit) {
	f := h.File
	e, at := h.Expr()
	parent := at.Parent()
	q := ""
	if sel := h.Selector(); sel != nil {
		q = f.Text(sel.X) + "."
	}
	change := func() Change { return p.Change(h.Tier, "adt.IntervalTree is an interface") }
	switch n := parent.Node().(type) {
	case *ast.StarExpr:
		if n.X == e {
			change().Replace(f, n.Pos(), e.Pos(), "")
			return
		}
	case *ast.CompositeLit:
		if n.Type != e || len(n.Elts) > 0 {
			break
		}
		c := change()
		if u, ok := parent.Parent().Node().(*ast.UnaryExpr); ok && u.Op == token.AND {
			c.ReplaceNode(f, u, q+"NewIntervalTree()")
			return
		}
		c.ReplaceNode(f, n, q+"NewIntervalTree()")
		return
	case *ast.CallExpr:
		if id, ok := n.Fun.(*ast.Ident); ok && id.Name == "new" && len(n.Args) == 1 && n.Args[0] == e {
			change().ReplaceNode(f, n, q+"NewIntervalTree()")
			return
		}
	case *ast.ValueSpec:
		if n.Type == e && len(n.Values) == 0 && len(n.Names) == 1 {
			change().Insert(f, n.End(), " = "+q+"NewIntervalTree()")
			return
		}
	case *ast.Field:
		if _, ok := parent.Parent().Parent().Node().(*ast.StructType); ok {
			p.Report(f, e, edit.Manual, "the zero value of adt.IntervalTree is nil in etcd "+string(p.Target.Line)+", and was an empty tree",
				"set the field to `"+q+"NewIntervalTree()` wherever the struct is made")
			return
		}
		return // parameters and results: the interface fits
	}
	p.Report(f, e, edit.Manual, "adt.IntervalTree is an interface in etcd "+string(p.Target.Line), "make it with `"+q+"NewIntervalTree()`, and drop the * of pointers to it")
}

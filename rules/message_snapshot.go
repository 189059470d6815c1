package rules

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// messageSnapshot follows the snapshot of a raft message, which is held by
// pointer.
//
// Matched: reads; literals and assignments from a composite literal, from *x,
// and from a variable of the function that is set once and left alone.
//
// Not matched: other values; they become findings, and so do reads in functions
// that do not look at the type of the message, since only MsgSnap has a snapshot.
// message-pointers has this field for 3.7, with all others of raft's messages.
var messageSnapshot = &Rule{
	ID:    "message-snapshot",
	Title: "hold the snapshot of a raft message by pointer",
	Before: `package p

import (
	"go.etcd.io/etcd/raft/raftpb"
)

func fill(m *raftpb.Message, load func() raftpb.Snapshot) {
	snap := load()
	m.Snapshot = snap
}
`,
	After: `package p

import (
	"go.etcd.io/raft/v3/raftpb"
)

func fill(m *raftpb.Message, load func() raftpb.Snapshot) {
	snap := load()
	m.Snapshot = &snap
}
`,
	Why:     "A message without a snapshot had an empty one, which was sent with it. In 3.6 it has none.",
	Since:   "v3.6.0",
	Targets: []atlas.Line{atlas.Line36},
	Safety:  Same,
	Claims:  []string{"raft/raftpb.Message.Snapshot"},
	Refs:    []string{"https://github.com/etcd-io/raft/blob/v3.6.0/raftpb/raft.proto"},
	Run:     runMessageSnapshot,
}

func runMessageSnapshot(p *Pass) {
	for h := range p.Broken() {
		e, at := h.Expr()
		f, up := h.File, parent(at)
		change := func() Change {
			return p.Change(h.Tier, "the snapshot of a raft message is a pointer since 3.6")
		}
		set := func(value ast.Expr) {
			if !p.snapshotPointer(f, value, change) {
				p.Report(f, value, edit.Manual, "the snapshot of a raft message is a pointer since 3.6",
					"put the value into a variable of its own, and set the field to its address")
			}
		}
		switch n := up.Node().(type) {
		case *ast.KeyValueExpr:
			if n.Key == h.Ident {
				set(n.Value)
				continue
			}
		case *ast.AssignStmt:
			if i := slices.Index(n.Lhs, e); i >= 0 && len(n.Lhs) == len(n.Rhs) {
				set(n.Rhs[i])
				continue
			} else if i >= 0 {
				p.Report(f, e, edit.Manual, "the snapshot of a raft message is a pointer since 3.6", "assign to a variable, and set the field to its address")
				continue
			}
		}
		if h.Selector() == nil {
			p.reportBroken(h)
			continue
		}
		if !p.looksAtType(h.Ref) {
			p.Report(f, e, edit.Review, "only messages of type MsgSnap have a snapshot since 3.6; others had an empty one",
				"look at the type of the message first, or for nil")
		}
		switch n := up.Node().(type) {
		case *ast.SelectorExpr: // goes through the pointer
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				change().Replace(f, n.Pos(), e.Pos(), "")
				continue
			}
			change().Insert(f, e.Pos(), "*")
		default:
			change().Insert(f, e.Pos(), "*")
		}
	}
}

// snapshotPointer makes a pointer of the value that a field is set to.
func (p *Pass) snapshotPointer(f *File, value ast.Expr, change func() Change) bool {
	switch v := ast.Unparen(value).(type) {
	case *ast.CompositeLit:
		change().Insert(f, v.Pos(), "&")
	case *ast.StarExpr:
		change().Replace(f, v.Pos(), v.X.Pos(), "")
	case *ast.Ident:
		if !p.setOnce(v) {
			return false
		}
		change().Insert(f, v.Pos(), "&")
	default:
		return false
	}
	return true
}

// setOnce says whether an identifier is a variable of a function that is set
// where it is declared and nowhere else, as a whole or in part, so that its
// address stands for its value.
func (p *Pass) setOnce(id *ast.Ident) bool {
	v, ok := p.object(id).(*types.Var)
	if !ok || p.Info == nil || v.IsField() || v.Parent() == p.Pkg.Scope() {
		return false
	}
	for _, u := range p.uses(v) {
		if p.Info.Defs[u.Node().(*ast.Ident)] == v {
			continue
		}
		// The variable, or what a chain of selectors and indexes starts with it.
		c := u
		for {
			up := c.Parent()
			switch n := up.Node().(type) {
			case *ast.SelectorExpr:
				if n.X == c.Node() {
					c = up
					continue
				}
			case *ast.IndexExpr:
				if n.X == c.Node() {
					c = up
					continue
				}
			case *ast.ParenExpr:
				c = up
				continue
			}
			break
		}
		switch n := c.Parent().Node().(type) {
		case *ast.AssignStmt:
			if slices.Contains(n.Lhs, c.Node().(ast.Expr)) {
				return false
			}
		case *ast.IncDecStmt:
			return false
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				return false
			}
		case *ast.CallExpr:
			if n.Fun == c.Node() && c.Node() != u.Node() && p.changes(c.Node().(ast.Expr)) {
				return false
			}
		case *ast.RangeStmt:
			if n.Key == c.Node() || n.Value == c.Node() {
				return false
			}
		}
	}
	return true
}

// changes says whether a method has a receiver by pointer, and is not one of
// those that only read a message.
func (p *Pass) changes(method ast.Expr) bool {
	fn, ok := p.object(method).(*types.Func)
	if !ok || fn.Signature().Recv() == nil {
		return true
	}
	_, pointer := fn.Signature().Recv().Type().(*types.Pointer)
	return pointer && !slices.Contains([]string{"Size", "Marshal", "MarshalTo", "String"}, fn.Name())
}

// looksAtType says whether the function around a mention names MsgSnap.
func (p *Pass) looksAtType(r Ref) bool {
	fn := funcAround(r.Cursor)
	found := false
	if fn != nil {
		ast.Inspect(fn, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && id.Name == "MsgSnap" {
				found = true
			}
			return !found
		})
	}
	return found
}

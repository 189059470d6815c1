package rules

import (
	"go/ast"
	"go/token"
	"go/types"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// cmpOpaque rewrites code that knows what clientv3.Cmp is made of.
//
// Matched: literals with fields, conversions from and to etcdserverpb.Compare
// and fields of a Cmp that can be addressed.
//
// Not matched, but reported: a Cmp turned into a Compare by value, pointers to
// literals, and fields of a Cmp that cannot be addressed.
//
// A Cmp holds a pointer now: copies share what it points to, where they had
// fields of their own. Writes to a field are reported for review.
var cmpOpaque = &Rule{
	ID:    "cmp-opaque",
	Title: "build and read clientv3.Cmp through FromCompare and GetCompare",
	Before: `package p

import (
	"github.com/coreos/etcd/clientv3"
	pb "github.com/coreos/etcd/etcdserver/etcdserverpb"
)

func exists(key string) clientv3.Cmp {
	return clientv3.Cmp{
		Key:         []byte(key),
		Result:      pb.Compare_GREATER,
		Target:      pb.Compare_VERSION,
		TargetUnion: &pb.Compare_Version{Version: 0},
	}
}

func proto(cmps []clientv3.Cmp) (out []*pb.Compare, key string) {
	for i := range cmps {
		out = append(out, (*pb.Compare)(&cmps[i]))
		key = string(cmps[i].Key)
	}
	return out, key
}
`,
	After: `package p

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func exists(key string) clientv3.Cmp {
	return clientv3.FromCompare(&pb.Compare{
		Key:         []byte(key),
		Result:      pb.Compare_GREATER,
		Target:      pb.Compare_VERSION,
		TargetUnion: &pb.Compare_Version{Version: 0},
	})
}

func proto(cmps []clientv3.Cmp) (out []*pb.Compare, key string) {
	for i := range cmps {
		out = append(out, cmps[i].GetCompare())
		key = string(cmps[i].GetCompare().Key)
	}
	return out, key
}
`,
	Why:     "Cmp was etcdserverpb.Compare under another name; from 3.7 it is a struct of its own around a pointer to one, since a message cannot be passed by value.",
	Since:   "v3.7.0",
	Targets: []atlas.Line{atlas.Line37},
	Safety:  Adjusted,
	Refs: []string{
		"https://github.com/etcd-io/etcd/blob/main/client/v3/compare.go",
	},
	Claims: []string{"clientv3.Cmp"},
	Run:    runCmpOpaque,
}

func runCmpOpaque(p *Pass) {
	if len(p.RefsTo("clientv3")) == 0 && len(p.RefsTo("etcdserver/etcdserverpb")) == 0 {
		return
	}
	for _, l := range p.Literals("clientv3", "Cmp") {
		cmpLiteral(p, l)
	}
	if p.Info == nil {
		return // conversions and fields are told by types alone
	}
	for _, r := range p.Refs("etcdserver/etcdserverpb", "Compare") {
		cmpToCompare(p, r)
	}
	for _, r := range p.Refs("clientv3", "Cmp") {
		cmpFromCompare(p, r)
	}
	for _, field := range []string{"Result", "Target", "Key", "TargetUnion", "RangeEnd"} {
		for _, r := range p.Refs("etcdserver/etcdserverpb", "Compare."+field) {
			cmpField(p, r)
		}
	}
}

// oldCmp says whether a type is the Cmp of before 3.7.
func oldCmp(t types.Type) bool {
	if !IsType(t, "clientv3", "Cmp") {
		return false
	}
	s, ok := deref(types.Unalias(t)).Underlying().(*types.Struct)
	return ok && s.NumFields() > 1
}

func cmpLiteral(p *Pass, l Literal) {
	if p.Info != nil && !oldCmp(p.TypeOf(l.Lit)) || len(l.Lit.Elts) == 0 {
		return // of 3.7, or zero, which stays
	}
	if !l.Keyed() {
		p.Report(l.File, l.Lit, edit.Manual, "clientv3.Cmp is opaque in 3.7, and this literal has no keys", "write clientv3.FromCompare(&etcdserverpb.Compare{Key: …})")
		return
	}
	if u, ok := l.Cursor.Parent().Node().(*ast.UnaryExpr); ok && u.Op == token.AND {
		p.Report(l.File, u, edit.Manual, "clientv3.Cmp is opaque in 3.7, and no pointer to a call's result can be taken",
			"write cmp := clientv3.FromCompare(&etcdserverpb.Compare{…}) and use &cmp")
		return
	}
	if t := p.TypeOf(l.Lit); t != nil {
		if _, ptr := types.Unalias(t).(*types.Pointer); ptr {
			p.Report(l.File, l.Lit, edit.Manual, "clientv3.Cmp is opaque in 3.7, and no pointer to a call's result can be taken",
				"write cmp := clientv3.FromCompare(&etcdserverpb.Compare{…}) and use &cmp")
			return
		}
	}
	c := p.Change(l.Tier, "clientv3.Cmp is made by FromCompare")
	text := c.home(l.File, "clientv3", "FromCompare") + "(&" + c.home(l.File, "etcdserver/etcdserverpb", "Compare")
	if l.Lit.Type != nil {
		c.ReplaceNode(l.File, l.Lit.Type, text)
	} else {
		c.Insert(l.File, l.Lit.Pos(), text)
	}
	c.Insert(l.File, l.Lit.End(), ")")
}

// home returns the qualified name of an etcd symbol in the target.
func (c Change) home(f *File, pkg, name string) string {
	h, _ := atlas.HomeOf(pkg, c.p.Target.Line)
	return c.Qualified(f, h.Path, name)
}

// conversion returns the call that converts to a type, given the expression
// of the type: T(x) or (*T)(x).
func conversion(r Ref) (call *ast.CallExpr, pointer bool, outer ast.Node) {
	e, cur := r.Expr()
	for {
		up := cur.Parent()
		switch n := up.Node().(type) {
		case *ast.ParenExpr:
			e, cur = n, up
			continue
		case *ast.StarExpr:
			if pointer {
				return nil, false, nil
			}
			pointer = true
			e, cur = n, up
			continue
		case *ast.CallExpr:
			if n.Fun == e && len(n.Args) == 1 {
				return n, pointer, up.Parent().Node()
			}
		}
		return nil, false, nil
	}
}

// cmpToCompare rewrites (*pb.Compare)(&cmp).
func cmpToCompare(p *Pass, r Ref) {
	call, pointer, _ := conversion(r)
	if call == nil || !oldCmp(p.TypeOf(call.Args[0])) {
		return
	}
	arg := ast.Unparen(call.Args[0])
	if !pointer {
		p.Report(r.File, call, edit.Manual, "clientv3.Cmp cannot be converted to etcdserverpb.Compare in 3.7",
			"use the pointer that cmp.GetCompare() returns")
		return
	}
	c := p.Change(p.Tier, "the Compare of a Cmp comes from GetCompare")
	from := arg
	if u, ok := arg.(*ast.UnaryExpr); ok && u.Op == token.AND {
		from = u.X
	}
	if _, star := from.(*ast.StarExpr); star {
		p.Report(r.File, call, edit.Manual, "clientv3.Cmp cannot be converted to etcdserverpb.Compare in 3.7", "write cmp.GetCompare()")
		return
	}
	c.Replace(r.File, call.Pos(), from.Pos(), "")
	c.Replace(r.File, from.End(), call.End(), ".GetCompare()")
}

// cmpFromCompare rewrites clientv3.Cmp(x).
func cmpFromCompare(p *Pass, r Ref) {
	call, pointer, outer := conversion(r)
	if call == nil || !IsType(p.TypeOf(call.Args[0]), "etcdserver/etcdserverpb", "Compare") || !oldCmp(p.TypeOf(call)) {
		return
	}
	arg := ast.Unparen(call.Args[0])
	if pointer {
		if s, ok := outer.(*ast.StarExpr); ok && ast.Unparen(s.X) == call { // *(*clientv3.Cmp)(c)
			c := p.Change(p.Tier, "clientv3.Cmp is made by FromCompare")
			c.Replace(r.File, s.Pos(), arg.Pos(), c.home(r.File, "clientv3", "FromCompare")+"(")
			c.Replace(r.File, arg.End(), s.End(), ")")
			return
		}
		p.Report(r.File, call, edit.Manual, "a *etcdserverpb.Compare cannot be converted to *clientv3.Cmp in 3.7",
			"write cmp := clientv3.FromCompare(c) and use &cmp; it holds a copy of c")
		return
	}
	c := p.Change(p.Tier, "clientv3.Cmp is made by FromCompare")
	c.Replace(r.File, call.Fun.Pos(), call.Fun.End(), c.home(r.File, "clientv3", "FromCompare"))
	switch x := arg.(type) {
	case *ast.StarExpr:
		c.Replace(r.File, x.Star, x.X.Pos(), "")
	default:
		if !p.pointers().byPointer(arg) {
			c.Insert(r.File, arg.Pos(), "&")
		}
	}
}

// cmpField rewrites cmp.Key.
func cmpField(p *Pass, r Ref) {
	sel := r.Selector()
	if sel == nil || !oldCmp(p.TypeOf(sel.X)) {
		return // a key of a literal, or a field of a Compare
	}
	if !addressable(p, sel.X) {
		p.Report(r.File, sel, edit.Manual, "clientv3.Cmp has no fields in 3.7, and GetCompare needs a variable",
			"write cmp := …, then cmp.GetCompare()."+sel.Sel.Name)
		return
	}
	c := p.Change(p.Tier, "fields of a Cmp are those of its GetCompare")
	c.Insert(r.File, sel.Sel.Pos(), "GetCompare().")
	if lhs(r.Cursor.Parent()) {
		p.Report(r.File, sel, edit.Review, "a field of a clientv3.Cmp is written; copies of a Cmp share their fields in 3.7",
			"where the Cmp was copied from another, write cmp = cmp.Clone() first")
	}
}

// addressable says whether the address of an expression can be taken, or it
// is a pointer already.
func addressable(p *Pass, e ast.Expr) bool {
	if t := p.TypeOf(e); t != nil {
		if _, ok := t.Underlying().(*types.Pointer); ok {
			return true
		}
	}
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident, *ast.StarExpr:
		return true
	case *ast.SelectorExpr:
		return addressable(p, e.X)
	case *ast.IndexExpr:
		t := p.TypeOf(e.X)
		if t == nil {
			return false
		}
		switch t.Underlying().(type) {
		case *types.Slice, *types.Pointer:
			return true
		case *types.Array:
			return addressable(p, e.X)
		}
	}
	return false
}

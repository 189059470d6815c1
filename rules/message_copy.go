package rules

import (
	"go/ast"
	"go/types"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// messageCopy replaces messages that are held by value by pointers, where go
// vet rejects a copy of them.
//
// Matched: variables, slices, maps, channels, parameters and results of the
// package whose every use is understood, together with all that exchange
// values with them. A copy becomes a shared pointer when the package writes to
// no field of such a message, and a proto.Clone when it does.
//
// Not matched, but reported: exported API, function types and methods that may
// satisfy an interface, fields of structs, values in interfaces, and copies of
// structs that hold a message.
//
// Printing through fmt or log shows the text form of a message in place of the
// Go struct.
var messageCopy = &Rule{
	ID:    "message-copy",
	Title: "hold messages by pointer where they are copied",
	Before: `package p

import (
	"context"

	"github.com/coreos/etcd/clientv3"
	"github.com/coreos/etcd/mvcc/mvccpb"
)

func list(ctx context.Context, cli *clientv3.Client) ([]mvccpb.KeyValue, error) {
	resp, err := cli.Get(ctx, "k", clientv3.WithPrefix())
	if err != nil {
		return nil, err
	}
	kvs := make([]mvccpb.KeyValue, 0, len(resp.Kvs))
	for _, kv := range resp.Kvs {
		kvs = append(kvs, *kv)
	}
	return kvs, nil
}
`,
	After: `package p

import (
	"context"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func list(ctx context.Context, cli *clientv3.Client) ([]*mvccpb.KeyValue, error) {
	resp, err := cli.Get(ctx, "k", clientv3.WithPrefix())
	if err != nil {
		return nil, err
	}
	kvs := make([]*mvccpb.KeyValue, 0, len(resp.Kvs))
	for _, kv := range resp.Kvs {
		kvs = append(kvs, kv)
	}
	return kvs, nil
}
`,
	Why:     "Messages of google.golang.org/protobuf hold a lock. Copying one still compiles, but go vet rejects it (copylocks), and so does the proof of a plan.",
	Since:   "v3.7.0",
	Targets: []atlas.Line{atlas.Line37},
	Safety:  Adjusted,
	Refs: []string{
		"https://pkg.go.dev/google.golang.org/protobuf/internal/impl#MessageState",
		"https://pkg.go.dev/golang.org/x/tools/go/analysis/passes/copylock",
	},
	Run: runMessageCopy,
}

func runMessageCopy(p *Pass) {
	runGroups(p, copied)
	if p.usesMessages() {
		reportStructCopies(p)
	}
}

// reportStructCopies finds copies of structs that hold a message by value: the
// message of the first field that does is named.
func reportStructCopies(p *Pass) {
	a := p.pointers()
	holds := map[types.Type]*types.Named{}
	var inside func(t types.Type, seen map[types.Type]bool) *types.Named
	inside = func(t types.Type, seen map[types.Type]bool) *types.Named {
		if t == nil || seen[t] {
			return nil
		}
		seen[t] = true
		if n, ok := oldMessage(t); ok {
			return n
		}
		if n, ok := types.Unalias(t).(*types.Named); ok && n.Obj().Pkg() != nil {
			if IsType(n, "clientv3", "Client") && !holdsAtomic(n) {
				return n // which has an atomic pointer to its logger from 3.7
			}
			if _, _, etcd := atlas.Canonical(n.Obj().Pkg().Path()); etcd {
				return nil // etcd's other structs hold pointers
			}
		}
		switch u := t.Underlying().(type) {
		case *types.Array:
			return inside(u.Elem(), seen)
		case *types.Struct:
			for f := range u.Fields() {
				if g := a.places[f.Origin()]; g != nil && a.changes(g.root()) {
					continue // a pointer from now on
				}
				if n := inside(f.Type(), seen); n != nil {
					return n
				}
			}
		}
		return nil
	}
	held := func(e ast.Expr) *types.Named {
		t := p.TypeOf(e)
		if t == nil || !p.Info.Types[e].IsValue() && !isIdent(e) {
			return nil
		}
		if _, ok := oldMessage(t); ok {
			return nil // a message itself
		}
		n, ok := holds[t]
		if !ok {
			n = inside(t, map[types.Type]bool{})
			holds[t] = n
		}
		return n
	}
	check := func(e ast.Expr) {
		e = ast.Unparen(e)
		switch x := e.(type) {
		case *ast.CompositeLit, *ast.CallExpr, *ast.FuncLit:
			return
		case *ast.StarExpr:
			if _, call := ast.Unparen(x.X).(*ast.CallExpr); call {
				return
			}
		}
		if n := held(e); n != nil {
			sym, _ := TypeSymbol(n)
			p.Report(p.FileOf(e.Pos()), e, edit.Manual, holder(p.TypeOf(e), sym)+" is copied, which go vet rejects from 3.7",
				"hold *"+short(sym)+" in it, or pass a pointer to it")
		}
	}
	for c := range p.Inspector().Root().Preorder((*ast.AssignStmt)(nil), (*ast.ValueSpec)(nil), (*ast.CallExpr)(nil), (*ast.CompositeLit)(nil),
		(*ast.ReturnStmt)(nil), (*ast.RangeStmt)(nil), (*ast.FuncDecl)(nil), (*ast.FuncLit)(nil)) {
		switch n := c.Node().(type) {
		case *ast.AssignStmt:
			for i, r := range n.Rhs {
				if len(n.Lhs) == len(n.Rhs) && blank(n.Lhs[i]) {
					continue
				}
				check(r)
			}
		case *ast.ValueSpec:
			for _, v := range n.Values {
				check(v)
			}
		case *ast.CallExpr:
			if id, ok := ast.Unparen(n.Fun).(*ast.Ident); ok {
				if b, ok := p.Info.Uses[id].(*types.Builtin); ok && b.Name() != "append" {
					continue
				}
			}
			if fn := p.callee(ast.Unparen(n.Fun)); fn != nil && fn.Pkg() != nil && canonical(fn.Pkg().Path()) == "clientv3/ordering" {
				continue // which takes a pointer to the client now
			}
			for _, arg := range n.Args {
				check(arg)
			}
		case *ast.CompositeLit:
			for _, el := range n.Elts {
				if kv, ok := el.(*ast.KeyValueExpr); ok {
					el = kv.Value
				}
				check(el)
			}
		case *ast.ReturnStmt:
			for _, r := range n.Results {
				check(r)
			}
		case *ast.RangeStmt:
			if n.Value != nil && !blank(n.Value) {
				check(n.Value)
			}
			if n.Key != nil && !blank(n.Key) {
				check(n.Key)
			}
		case *ast.FuncDecl:
			checkParams(p, n.Recv, held)
			checkParams(p, n.Type.Params, held)
		case *ast.FuncLit:
			checkParams(p, n.Type.Params, held)
		}
	}
}

// holder names a value that holds, or is, what may not be copied.
func holder(t types.Type, sym Symbol) string {
	if IsType(t, sym.Pkg, sym.Name) {
		return short(sym)
	}
	return "a value that holds " + short(sym)
}

// holdsAtomic says whether a struct has a field of package sync/atomic.
func holdsAtomic(n *types.Named) bool {
	s, ok := n.Underlying().(*types.Struct)
	if !ok {
		return false
	}
	for f := range s.Fields() {
		if t, ok := types.Unalias(f.Type()).(*types.Named); ok && t.Obj().Pkg() != nil && t.Obj().Pkg().Path() == "sync/atomic" {
			return true
		}
	}
	return false
}

func isIdent(e ast.Expr) bool {
	_, ok := e.(*ast.Ident)
	return ok
}

// checkParams reports parameters and receivers that hold a message by value.
func checkParams(p *Pass, l *ast.FieldList, held func(ast.Expr) *types.Named) {
	if l == nil {
		return
	}
	for _, f := range l.List {
		for _, name := range f.Names {
			if n := held(name); n != nil {
				sym, _ := TypeSymbol(n)
				p.Report(p.FileOf(name.Pos()), f, edit.Manual, holder(p.TypeOf(name), sym)+" is passed by value, which go vet rejects from 3.7",
					"take a pointer")
			}
		}
	}
}

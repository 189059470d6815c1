package rules

import (
	"go/ast"
	"go/types"

	"golang.org/x/tools/go/ast/inspector"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// mutexUnlock reports locks whose second Unlock fails now, and locks whose
// Lock tells of a lost session.
//
// Matched: two calls of Unlock on one mutex in a function, where the later one
// (or a deferred one) looks at the error; and calls of Lock whose error is
// thrown away.
//
// Not matched: a deferred Unlock without a look at its error, and a Lock whose
// error is handled: more errors only make these safer.
var mutexUnlock = &Rule{
	ID:    "mutex-unlock",
	Title: "report a second Unlock of a concurrency.Mutex, and a Lock whose error is lost",
	Before: `package p

import (
	"context"
	"log"

	"github.com/coreos/etcd/clientv3/concurrency"
)

func work(ctx context.Context, m *concurrency.Mutex) error {
	if err := m.Lock(ctx); err != nil {
		return err
	}
	defer func() {
		if err := m.Unlock(ctx); err != nil {
			log.Fatal(err)
		}
	}()
	return m.Unlock(ctx)
}
`,
	After: `package p

import (
	"context"
	"log"

	"go.etcd.io/etcd/client/v3/concurrency"
)

func work(ctx context.Context, m *concurrency.Mutex) error {
	if err := m.Lock(ctx); err != nil {
		return err
	}
	defer func() {
		if err := m.Unlock(ctx); err != nil {
			log.Fatal(err)
		}
	}()
	return m.Unlock(ctx)
}
`,
	Why: "From 3.6 on Unlock of a mutex that is not locked returns concurrency.ErrLockReleased; it returned nil. " +
		"From 3.5 on Lock returns concurrency.ErrSessionExpired when the session's lease is gone by then; it returned nil without the lock.",
	Since:  "v3.5.0",
	Safety: Report,
	Refs:   []string{"https://github.com/etcd-io/etcd/blob/v3.6.16/client/v3/concurrency/mutex.go"},
	Run:    runMutexUnlock,
}

func runMutexUnlock(p *Pass) {
	if p.Target.Line != atlas.Line35 {
		p.secondUnlock()
	}
	for _, name := range []string{"Mutex.Lock", "Mutex.TryLock"} {
		for _, r := range p.Refs("clientv3/concurrency", name) {
			if r.File.preRelease35() || r.Obj != nil && r.Obj.Pkg().Scope().Lookup("ErrSessionExpired") != nil {
				continue // it had the error already
			}
			if call := r.Call(); call != nil && p.before35(r.File) && !usesResult(r) {
				p.Report(r.File, call, edit.Review, "Lock returns concurrency.ErrSessionExpired now when the session's lease is gone; nobody looks at the error, and the code goes on without the lock",
					"handle the error")
			}
		}
	}
}

func (p *Pass) secondUnlock() {
	type unlock struct {
		Ref
		used, deferred bool
	}
	type key struct {
		fn    ast.Node
		mutex string
		root  types.Object // the variable that it starts with: closures may have one each
	}
	groups := map[key][]unlock{}
	var order []key
	for _, r := range p.Refs("clientv3/concurrency", "Mutex.Unlock") {
		sel, call := r.Selector(), r.Call()
		if sel == nil || call == nil || p.From != "" && !p.FromBefore("v3.6.0") {
			continue
		}
		for fc := range r.Cursor.Enclosing((*ast.FuncDecl)(nil)) {
			k := key{fc.Node(), r.File.Text(sel.X), p.object(root(sel.X))}
			if groups[k] == nil {
				order = append(order, k)
			}
			u := unlock{Ref: r, used: usesResult(r)}
			for range r.Cursor.Enclosing((*ast.DeferStmt)(nil)) {
				u.deferred = true
			}
			groups[k] = append(groups[k], u)
		}
	}
	for _, k := range order {
		g := groups[k]
		for i, u := range g {
			// One that runs after another: a deferred one, or the later of two
			// that do not stand in branches of their own.
			second := u.deferred && len(g) > 1 || i > 0 && !g[i-1].deferred && straight(g[i-1].Cursor, k.fn) && !p.locked(k.mutex, g[i-1].Cursor, u.Cursor)
			if u.used && second {
				p.Report(u.File, u.Call(), edit.Review, "a second Unlock of a mutex returns concurrency.ErrLockReleased from 3.6 on; it returned nil",
					"unlock once, or accept the error: if err != nil && !errors.Is(err, concurrency.ErrLockReleased)")
				break
			}
		}
	}
}

// locked says whether a mutex is locked again between two calls.
func (p *Pass) locked(mutex string, from, to inspector.Cursor) bool {
	for _, name := range []string{"Mutex.Lock", "Mutex.TryLock"} {
		for _, r := range p.Refs("clientv3/concurrency", name) {
			sel := r.Selector()
			if sel != nil && from.Node().End() < sel.Pos() && sel.End() < to.Node().Pos() && r.File.Text(sel.X) == mutex {
				return true
			}
		}
	}
	return false
}

// root returns the identifier that a chain of selectors starts with.
func root(e ast.Expr) ast.Expr {
	for {
		sel, ok := ast.Unparen(e).(*ast.SelectorExpr)
		if !ok {
			return e
		}
		e = sel.X
	}
}

// usesResult says whether somebody looks at what a call returns.
func usesResult(r Ref) bool {
	_, ec := r.Expr()
	switch n := parent(parent(ec)).Node().(type) {
	case *ast.ExprStmt, *ast.DeferStmt, *ast.GoStmt:
		return false
	case *ast.AssignStmt:
		for _, l := range n.Lhs {
			if id, ok := l.(*ast.Ident); !ok || id.Name != "_" {
				return true
			}
		}
		return false
	}
	return true
}

// straight says whether a call stands in the body of a function itself, or in
// the condition of a statement there: it runs whenever the function gets that
// far.
func straight(c inspector.Cursor, fn ast.Node) bool {
	sc, ok := statement(c)
	if !ok || sc.Parent().Parent().Node() != fn {
		return false
	}
	_, ret := sc.Node().(*ast.ReturnStmt)
	return !ret
}

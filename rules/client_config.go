package rules

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ast/inspector"

	"github.com/etcdshift/etcdshift/rules/atlas"
)

// clientConfig is what can be seen of a clientv3.Config that goes into a call.
type clientConfig struct {
	literals []inspector.Cursor // composite literals that it may start from
	// fields holds the values of each field, from keys of the literals and
	// from assignments.
	fields map[string][]inspector.Cursor
	// complete says that nothing else sets it: it comes from no caller that
	// is not in the package, and nobody took its address.
	complete bool
}

// clientConfig follows the argument of clientv3.New back to where its fields
// are set.
func (p *Pass) clientConfig(arg inspector.Cursor) *clientConfig {
	cc := &clientConfig{fields: map[string][]inspector.Cursor{}, complete: true}
	cc.from(p, arg, map[types.Object]bool{})
	return cc
}

func (cc *clientConfig) from(p *Pass, c inspector.Cursor, seen map[types.Object]bool) {
	e := ast.Unparen(c.Node().(ast.Expr))
	if lit := literalOf(e); lit != nil {
		lc, _ := c.FindNode(lit)
		cc.literals = append(cc.literals, lc)
		for _, el := range lit.Elts {
			kv, ok := el.(*ast.KeyValueExpr)
			if !ok {
				cc.complete = false // without keys
				break
			}
			if vc, ok := c.FindNode(kv.Value); ok {
				name := kv.Key.(*ast.Ident).Name
				cc.fields[name] = append(cc.fields[name], vc)
			}
		}
		return
	}
	if id, ok := e.(*ast.Ident); ok && id.Name == "nil" {
		return
	}
	if call, ok := e.(*ast.CallExpr); ok {
		cc.fromCall(p, call, seen)
		return
	}
	v, ok := p.object(e).(*types.Var)
	if !ok {
		cc.complete = false
		return
	}
	if seen[v] {
		return
	}
	seen[v] = true
	values, all := p.valuesOf(v)
	cc.complete = cc.complete && all
	for _, vc := range values {
		cc.from(p, vc, seen)
	}
	for _, u := range p.uses(v) {
		if sel, ok := u.Parent().Node().(*ast.SelectorExpr); ok && sel.Sel == u.Node() {
			u = u.Parent()
		}
		if _, ok := u.Parent().Node().(*ast.StarExpr); ok { // *cfg = clientv3.Config{…}
			if as, i := assignment(u.Parent()); as != nil && len(as.Lhs) == len(as.Rhs) {
				if vc, ok := u.Parent().Parent().FindNode(as.Rhs[i]); ok {
					cc.from(p, vc, seen)
				}
			} else if as != nil {
				cc.complete = false
			}
		}
		sel, ok := u.Parent().Node().(*ast.SelectorExpr)
		if !ok || sel.X != u.Node() {
			// A pointer that is handed on lets others set fields.
			if call, ok := u.Parent().Node().(*ast.CallExpr); ok && call.Fun != u.Node() {
				if _, ptr := types.Unalias(v.Type()).(*types.Pointer); ptr || p.Info == nil && p.symbolOf(call.Fun) != (Symbol{"clientv3", "New"}) {
					cc.complete = false
				}
			}
			continue
		}
		sc := u.Parent()
		if as, i := assignment(sc); as != nil {
			if as.Tok != token.ASSIGN || len(as.Lhs) != len(as.Rhs) {
				cc.complete = false
			} else if vc, ok := sc.Parent().FindNode(as.Rhs[i]); ok {
				cc.fields[sel.Sel.Name] = append(cc.fields[sel.Sel.Name], vc)
			}
		} else if ue, ok := sc.Parent().Node().(*ast.UnaryExpr); ok && ue.Op == token.AND {
			cc.complete = false
		}
	}
}

func (cc *clientConfig) fromCall(p *Pass, call *ast.CallExpr, seen map[types.Object]bool) {
	fn, ok := p.object(call.Fun).(*types.Func)
	if !ok || seen[fn] {
		cc.complete = cc.complete && ok
		return
	}
	seen[fn] = true
	dc, ok := p.declaration(fn)
	if !ok {
		cc.complete = false
		return
	}
	results, at := fn.Signature().Results(), -1
	for i := range results.Len() {
		if IsType(results.At(i).Type(), "clientv3", "Config") {
			at = i
		}
	}
	if at < 0 {
		cc.complete = false
		return
	}
	for rc := range dc.Preorder((*ast.ReturnStmt)(nil)) {
		inner := false
		for lc := range rc.Enclosing((*ast.FuncLit)(nil), (*ast.FuncDecl)(nil)) {
			inner = lc.Node() != dc.Node()
			break
		}
		ret := rc.Node().(*ast.ReturnStmt)
		switch {
		case inner:
		case at < len(ret.Results) && len(ret.Results) == results.Len():
			if vc, ok := rc.FindNode(ret.Results[at]); ok {
				cc.from(p, vc, seen)
			}
		default:
			cc.complete = false // named results, or another call's
		}
	}
}

// amount is what is known of a number.
type amount int

const (
	unknown amount = iota
	zero
	positive
)

// timeout tells whether DialTimeout is set.
func (cc *clientConfig) timeout(p *Pass) amount {
	values := cc.fields["DialTimeout"]
	if len(values) == 0 {
		if cc.complete {
			return zero
		}
		return unknown
	}
	if !cc.complete {
		return unknown
	}
	known := unknown
	for i, vc := range values {
		a := p.amount(vc.Node().(ast.Expr))
		if i > 0 && a != known {
			return unknown
		}
		known = a
	}
	return known
}

// always says whether a field is set on every way to a call: by each literal,
// or by an assignment beside those that lack it, in a block around the call, or
// in the body of a function.
func (cc *clientConfig) always(field string, call inspector.Cursor) bool {
	around := map[ast.Node]bool{}
	for c := range call.Enclosing() {
		around[c.Node()] = true
	}
	blocks := map[ast.Node]bool{} // that hold an assignment
	for _, v := range cc.fields[field] {
		as, ok := v.Parent().Node().(*ast.AssignStmt)
		if sc, alone := statement(v.Parent()); ok && alone && sc.Node() == as {
			block := sc.Parent()
			if _, body := block.Parent().Node().(*ast.FuncDecl); body || around[block.Node()] {
				return true
			}
			blocks[block.Node()] = true
		}
	}
	for _, lc := range cc.literals {
		if (Literal{Lit: lc.Node().(*ast.CompositeLit)}).Key(field) != nil {
			continue
		}
		if sc, ok := statement(lc); !ok || !blocks[sc.Parent().Node()] {
			return false
		}
	}
	return len(cc.literals) > 0
}

// amount tells whether a number is zero, as far as the source shows it.
func (p *Pass) amount(e ast.Expr) amount {
	if tv, ok := p.constant(e); ok {
		switch s := constant.Sign(tv.Value); {
		case s > 0:
			return positive
		case s == 0:
			return zero
		}
		return unknown
	}
	if p.Info != nil {
		return unknown
	}
	switch e := ast.Unparen(e).(type) { // 5 * time.Second
	case *ast.Ident:
		if e.Obj == nil || e.Obj.Kind != ast.Con {
			break
		}
		if vs, ok := e.Obj.Decl.(*ast.ValueSpec); ok {
			for i, n := range vs.Names {
				if n.Name == e.Name && i < len(vs.Values) {
					return p.amount(vs.Values[i])
				}
			}
		}
	case *ast.BasicLit:
		if e.Value == "0" {
			return zero
		}
		return positive
	case *ast.BinaryExpr:
		if e.Op != token.MUL {
			break
		}
		for _, x := range []ast.Expr{e.X, e.Y} {
			if lit, ok := x.(*ast.BasicLit); ok {
				return p.amount(lit)
			}
		}
	case *ast.SelectorExpr:
		if q, ok := e.X.(*ast.Ident); ok && q.Name == "time" && q.Obj == nil && (e.Sel.Name == "Second" || e.Sel.Name == "Minute") {
			return positive
		}
	}
	return unknown
}

// oldLayout says whether a file imports an etcd package by the path that it had
// before 3.5.
func (f *File) oldLayout() bool {
	for _, i := range f.imps {
		if _, layout, ok := atlas.Canonical(i.path); ok && layout != atlas.LayoutSplit {
			return true
		}
	}
	return false
}

// preRelease35 says whether a file imports etcd by the path that it had between
// 3.4 and 3.5.
func (f *File) preRelease35() bool {
	return slices.ContainsFunc(f.imps, func(i *fileImport) bool {
		_, layout, ok := atlas.Canonical(i.path)
		return ok && layout == atlas.LayoutV3
	})
}

// test says whether a file is a test.
func (f *File) test() bool { return strings.HasSuffix(f.Name, "_test.go") }

// before35 says whether a file was written for an etcd before 3.5: the release
// says so, or the import paths.
func (p *Pass) before35(f *File) bool {
	return p.FromBefore("v3.5.0") || p.From == "" && f.oldLayout()
}

// before says whether a file was written for an etcd before v. Where the
// release is not known and the import paths allow it, unsure has the words
// that a finding adds.
func (p *Pass) before(f *File, v string) (yes bool, unsure string) {
	if p.From == "" && f.oldLayout() {
		return true, " (if this was written for an etcd before " + v + "; the release is not known, --from names it)"
	}
	return p.FromBefore(v), ""
}

// configs returns the calls of clientv3.New with what is seen of their Config.
func (p *Pass) configs() []newCall {
	if p.index.newCalls != nil {
		return p.index.newCalls
	}
	out := []newCall{}
	for _, r := range p.Refs("clientv3", "New") {
		call := r.Call()
		if call == nil || len(call.Args) != 1 {
			continue
		}
		_, ec := r.Expr()
		arg, _ := parent(ec).FindNode(call.Args[0])
		out = append(out, newCall{r, call, p.clientConfig(arg)})
	}
	p.index.newCalls = out
	return out
}

type newCall struct {
	Ref
	call *ast.CallExpr
	cfg  *clientConfig
}

// unset says that a field has its zero value for sure.
func (cc *clientConfig) unset(field string) bool {
	return cc.complete && len(cc.fields[field]) == 0
}

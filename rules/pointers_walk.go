package rules

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ast/inspector"
)

// How messages flow from place to place: one function for each kind of
// declaration, statement and expression. See pointers.go.

// field handles the declared types of parameters, results and fields.
func (a *pointers) field(f *File, c inspector.Cursor, n *ast.Field) {
	t := n.Type
	if e, ok := t.(*ast.Ellipsis); ok {
		t = e.Elt
	}
	msg, depth, ok := valueShape(a.p.Info.TypeOf(t))
	if !ok {
		return
	}
	list := c.Parent()
	holder := list.Parent()
	if _, ok := n.Type.(*ast.Ellipsis); ok {
		depth++
	}
	var g *group
	for _, name := range n.Names {
		obj := a.p.Info.Defs[name]
		if obj == nil {
			continue
		}
		if g == nil {
			g = a.place(obj)
		} else {
			g = a.join(g, a.place(obj))
		}
	}
	if g == nil && len(n.Names) == 0 {
		if ft, ok := holder.Node().(*ast.FuncType); ok {
			fn := a.funcOf(holder)
			obj, isFunc := fn.(*types.Func)
			switch {
			case fn == nil:
			case ft.Results == list.Node():
				g = a.results(fn, fieldIndex(ft.Results, n), msg)
			case isFunc && ft.Params == list.Node():
				g = a.place(obj.Signature().Params().At(fieldIndex(ft.Params, n)))
			}
		}
	}
	if g == nil {
		// Embedded fields, and parameters without a name.
		g = a.fresh(msg)
		if s, ok := holder.Node().(*ast.StructType); ok && s != nil {
			if obj := embedded(a.p.Info, n.Type); obj != nil {
				g = a.place(obj)
			}
			g.fail(f, n, "embedded in a struct")
			return
		}
	}
	a.star(g, f, n.Type)
	switch h := holder.Node().(type) {
	case *ast.StructType:
		if depth == 0 {
			a.zero(g, f, n, "a field of a struct")
		}
		for _, name := range n.Names {
			if obj := a.p.Info.Defs[name]; obj != nil && !a.hidden(obj) {
				g.fail(f, n, "an exported field, which other packages may use")
			}
		}
	case *ast.FuncType:
		fn := a.funcOf(holder)
		_, lit := holder.Parent().Node().(*ast.FuncLit)
		if h.Params == list.Node() && depth == 0 && (fn != nil || lit) {
			g = g.root()
			for _, name := range n.Names {
				g.flagged = append(g.flagged, spot{f: f, n: name})
			}
			if len(n.Names) == 0 {
				g.flagged = append(g.flagged, spot{f: f, n: n})
			}
		}
		if fn == nil {
			g.fail(f, n, "part of a function type or of an interface")
			return
		}
		if h.Results == list.Node() {
			if len(n.Names) > 0 {
				if depth == 0 {
					a.zero(g, f, n, "a named result")
				}
				i := fieldIndex(h.Results, n)
				for k := range n.Names {
					a.join(g, a.results(fn, i+k, msg))
				}
			}
		}
		if obj, ok := fn.(*types.Func); ok {
			switch {
			case a.satisfies[obj]:
			case !a.direct(obj):
				g.fail(f, n, "in the signature of a generic function")
			case obj.Signature().Recv() != nil && (obj.Exported() || a.inInterface(obj.Name())):
				g.fail(f, n, "in the signature of a method that may satisfy an interface")
			case !a.hidden(obj):
				g.fail(f, n, "in the signature of an exported function, which other packages may call")
			}
		}
	}
}

// zero handles a declaration whose zero value was a message and will be nil:
// it can change if it is only read, through getters.
func (a *pointers) zero(g *group, f *File, n *ast.Field, what string) {
	g = g.root()
	g.nilable = true
	if !isProto(g.msg) {
		g.fail(f, n, what+", whose zero value would be nil")
	}
	for _, name := range n.Names {
		if obj := a.p.Info.Defs[name]; obj != nil {
			a.zeros[obj] = what
		}
	}
}

// embedded returns the field that an embedded type declares.
func embedded(info *types.Info, typ ast.Expr) types.Object {
	switch t := typ.(type) {
	case *ast.Ident:
		return info.Defs[t]
	case *ast.SelectorExpr:
		return info.Defs[t.Sel]
	}
	return nil
}

func fieldIndex(l *ast.FieldList, n *ast.Field) int {
	i := 0
	for _, f := range l.List {
		if f == n {
			break
		}
		i += max(1, len(f.Names))
	}
	return i
}

// funcOf returns what declares a function type: *types.Func or *ast.FuncLit,
// nil for a type that is written for itself.
func (a *pointers) funcOf(ft inspector.Cursor) any {
	switch n := ft.Parent().Node().(type) {
	case *ast.FuncDecl:
		if obj, ok := a.p.Info.Defs[n.Name].(*types.Func); ok {
			return obj
		}
	case *ast.FuncLit:
		// Called on the spot, or by a deferred or go statement: no one else
		// sees its type.
		up := ft.Parent().Parent()
		for {
			if _, ok := up.Node().(*ast.ParenExpr); !ok {
				break
			}
			up = up.Parent()
		}
		if call, ok := up.Node().(*ast.CallExpr); ok && ast.Unparen(call.Fun) == n {
			return n
		}
	}
	return nil
}

// inInterface says whether an interface of the package has a method.
func (a *pointers) inInterface(name string) bool {
	for c := range a.p.index.in.Root().Preorder((*ast.InterfaceType)(nil)) {
		for _, m := range c.Node().(*ast.InterfaceType).Methods.List {
			for _, id := range m.Names {
				if id.Name == name {
					return true
				}
			}
		}
	}
	return false
}

// function handles functions that are used as values: their signature cannot
// change.
func (a *pointers) function(f *File, id *ast.Ident) {
	fn, ok := a.p.Info.Uses[id].(*types.Func)
	if !ok || a.called[id] || !a.local(fn) {
		return
	}
	sig := fn.Signature()
	for v := range sig.Params().Variables() {
		if _, _, ok := valueShape(v.Type()); ok {
			a.place(v).fail(f, id, "a parameter of a function that is used as a value")
		}
	}
	for i := range sig.Results().Len() {
		if msg, _, ok := valueShape(sig.Results().At(i).Type()); ok {
			a.results(fn.Origin(), i, msg).fail(f, id, "a result of a function that is used as a value")
		}
	}
}

func (a *pointers) valueSpec(f *File, c inspector.Cursor, n *ast.ValueSpec) {
	if n.Type != nil {
		if _, depth, ok := valueShape(a.p.Info.TypeOf(n.Type)); ok {
			var g *group
			for _, name := range n.Names {
				if obj := a.p.Info.Defs[name]; obj != nil {
					if g == nil {
						g = a.place(obj)
					} else {
						g = a.join(g, a.place(obj))
					}
				}
			}
			switch {
			case g == nil:
			case depth == 0 && len(n.Values) == 0:
				// A zero message: var x T is x := &T{}, or var x = &T{} where that cannot stand.
				if len(n.Names) > 1 {
					g.fail(f, n, "declared together with others")
				}
				define := "= &"
				d, _ := c.Parent().Node().(*ast.GenDecl)
				if _, local := c.Parent().Parent().Node().(*ast.DeclStmt); local && !d.Lparen.IsValid() {
					g.edit(f, d.Pos(), n.Pos(), "")
					define = ":= &"
				}
				g.edit(f, n.Type.Pos(), n.Type.Pos(), define)
				g.edit(f, n.Type.End(), n.Type.End(), "{}")
			default:
				a.star(g, f, n.Type)
			}
		}
	}
	for _, name := range n.Names {
		obj := a.p.Info.Defs[name]
		if obj == nil || obj.Parent() != a.p.Pkg.Scope() {
			continue
		}
		if _, _, ok := valueShape(obj.Type()); ok && !a.hidden(obj) {
			a.place(obj).fail(f, name, "an exported variable, which other packages may use")
		}
	}
	a.pairs(f, identExprs(n.Names), n.Values)
}

func identExprs(ids []*ast.Ident) []ast.Expr {
	var out []ast.Expr
	for _, id := range ids {
		out = append(out, id)
	}
	return out
}

func (a *pointers) assign(f *File, c inspector.Cursor, n *ast.AssignStmt) {
	for _, l := range n.Lhs {
		a.written(l)
		a.stored[ast.Unparen(l)] = true
		id, ok := ast.Unparen(l).(*ast.Ident)
		if ok && a.p.Info.Defs[id] == nil {
			if obj := a.p.Info.Uses[id]; obj != nil {
				a.set[obj] = true
			}
		}
		if s, ok := ast.Unparen(l).(*ast.StarExpr); ok {
			if _, depth, ok := a.shapeOf(s); ok && depth == 0 {
				a.of(s).fail(f, s, "assigned through a pointer")
			}
		}
	}
	if a.apart[n] {
		a.mergeInto(f, n)
		return
	}
	a.pairs(f, n.Lhs, n.Rhs)
	if a.mergeable(c, n) {
		g := a.of(n.Lhs[0]).root()
		g.assigns = append(g.assigns, n)
	}
}

// mergeable says whether an assignment of one message can be written as
// proto.Reset and proto.Merge.
func (a *pointers) mergeable(c inspector.Cursor, n *ast.AssignStmt) bool {
	if n.Tok != token.ASSIGN || len(n.Lhs) != 1 || len(n.Rhs) != 1 || blank(n.Lhs[0]) || !addressable(a.p, n.Lhs[0]) {
		return false
	}
	to := n.Lhs[0]
	if star, ok := to.(*ast.StarExpr); ok {
		to = star.X
	}
	if !a.p.repeatable(to) {
		return false
	}
	msg, depth, ok := a.shapeOf(n.Lhs[0])
	if !ok || depth > 0 || !isProto(msg) {
		return false
	}
	if from, _, ok := a.shapeOf(n.Rhs[0]); !ok || !types.Identical(from, msg) {
		return false
	}
	switch x := ast.Unparen(n.Rhs[0]).(type) {
	case *ast.StarExpr:
		if _, call := ast.Unparen(x.X).(*ast.CallExpr); call {
			return false // which go vet lets pass
		}
	case *ast.Ident, *ast.SelectorExpr, *ast.IndexExpr:
		if !addressable(a.p, x.(ast.Expr)) {
			return false
		}
	default:
		return false
	}
	switch up := c.Parent().Node().(type) {
	case *ast.BlockStmt, *ast.CaseClause:
		return true
	case *ast.CommClause:
		return up.Comm != n
	}
	return false
}

// mergeInto takes an assignment apart: the place on the left stays a value.
func (a *pointers) mergeInto(f *File, n *ast.AssignStmt) {
	msg, _, _ := a.shapeOf(n.Lhs[0])
	a.of(n.Lhs[0])
	sym, _ := TypeSymbol(msg)
	a.writes[sym] = true
	if obj := a.object(n.Lhs[0]); obj != nil {
		a.filled[obj] = true
	}
	g := a.fresh(msg)
	g.merge = n
	from := a.of(n.Rhs[0]).root()
	if len(from.forced) > 0 && a.external(n.Rhs[0]) {
		g.forced = slices.Clone(from.forced)
	} else {
		g.flagged = []spot{{f: f, n: ast.Unparen(n.Rhs[0])}}
	}
}

// pairs lets values flow into what is assigned or declared.
func (a *pointers) pairs(f *File, lhs, rhs []ast.Expr) {
	if len(rhs) == 1 && len(lhs) > 1 {
		if call, ok := ast.Unparen(rhs[0]).(*ast.CallExpr); ok {
			tup, ok := a.p.Info.TypeOf(call).(*types.Tuple)
			if !ok {
				return
			}
			for i := range min(tup.Len(), len(lhs)) {
				if blank(lhs[i]) {
					continue
				}
				if msg, _, ok := valueShape(tup.At(i).Type()); ok {
					a.into(f, a.resultOf(f, call, i, msg), lhs[i])
					a.source(lhs[i], a.resultSource(call, i))
				} else if _, _, ok := a.shapeOf(lhs[i]); ok {
					a.unfollowed(f, call, a.of(lhs[i]))
				}
			}
			return
		}
		if _, depth, ok := a.shapeOf(rhs[0]); ok && depth == 0 {
			if g := a.of(rhs[0]); blank(lhs[1]) {
				a.mayBeEmpty(f, ast.Unparen(rhs[0]), g)
			} else {
				g.nilable = true // whoever writes to it has looked at the second value
			}
		}
		lhs = lhs[:1]
	}
	for i, r := range rhs {
		if i >= len(lhs) {
			break
		}
		if _, _, ok := a.shapeOf(r); !ok {
			if _, _, ok := a.shapeOf(lhs[i]); ok && !blank(lhs[i]) {
				a.unfollowed(f, r, a.of(lhs[i]))
			}
			continue
		}
		if blank(lhs[i]) {
			a.of(r)
			continue
		}
		if _, _, ok := a.shapeOf(lhs[i]); !ok {
			a.sink(f, r, "held in an interface")
			continue
		}
		a.flow(f, r, a.of(lhs[i]), true, false)
		a.source(lhs[i], r)
	}
}

// source notes what is assigned to a variable or field.
func (a *pointers) source(l ast.Expr, from any) {
	if id, ok := ast.Unparen(l).(*ast.Ident); ok {
		if obj := a.p.Info.ObjectOf(id); obj != nil {
			a.from[obj] = append(a.from[obj], from)
		}
	}
}

// resultSource is the result of a call for source.
func (a *pointers) resultSource(call *ast.CallExpr, i int) any {
	fun := ast.Unparen(call.Fun)
	if lit, ok := fun.(*ast.FuncLit); ok {
		return resultKey{lit, i}
	}
	if fn := a.p.callee(fun); fn != nil {
		return resultKey{fn.Origin(), i}
	}
	return nil
}

// unfollowed handles a value that goes to a place and is of a type of its own,
// such as a named slice of messages. nil can go anywhere.
func (a *pointers) unfollowed(f *File, e ast.Expr, to *group) {
	if !a.p.Info.Types[e].IsNil() {
		to.fail(f, e, "of a type that is not followed")
	}
}

func (a *pointers) into(f *File, g *group, l ast.Expr) {
	if _, _, ok := a.shapeOf(l); ok {
		a.join(g, a.of(l))
		return
	}
	g.fail(f, l, "held in an interface")
}

// resultOf returns the group of a result of a call with several.
func (a *pointers) resultOf(f *File, call *ast.CallExpr, i int, msg *types.Named) *group {
	fun := ast.Unparen(call.Fun)
	fn := a.p.callee(fun)
	switch {
	case fn == nil:
		if lit, ok := fun.(*ast.FuncLit); ok {
			return a.results(lit, i, msg)
		}
		return a.stuck(msg, f, call, "returned by a function value")
	case a.direct(fn):
		return a.results(fn.Origin(), i, msg)
	}
	return a.outside(f, call, msg, fn, func(sig string) ast.Expr { return resultType(sig, i) })
}

// variable says whether an expression is a variable of the function.
func (a *pointers) variable(e ast.Expr) bool {
	id, ok := ast.Unparen(e).(*ast.Ident)
	if !ok {
		return false
	}
	v, ok := a.p.Info.Uses[id].(*types.Var)
	return ok && v.Parent() != nil && v.Parent() != a.p.Pkg.Scope()
}

func blank(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == "_"
}

// flow lets a value go to a place. copied says whether go vet looks at it.
func (a *pointers) flow(f *File, e ast.Expr, to *group, copied, returned bool) {
	msg, depth, _ := a.shapeOf(e)
	from := a.of(e)
	if from.root().msg != nil && to.root().msg != nil && msg != nil && !types.Identical(from.root().msg, to.root().msg) {
		from.fail(f, e, "converted on the way")
	}
	a.join(to, from)
	if depth == 0 {
		a.copied(f, e, to.root(), copied, returned)
	}
}

// copied notes that a message is copied here. vet says whether go vet looks
// at it, own whether nobody can tell the copy from the original.
func (a *pointers) copied(f *File, e ast.Expr, g *group, vet, own bool) {
	e = ast.Unparen(e)
	switch x := e.(type) {
	case *ast.CompositeLit:
		return
	case *ast.CallExpr:
		return // a result is new; the operand of a conversion was looked at
	case *ast.StarExpr:
		if _, call := ast.Unparen(x.X).(*ast.CallExpr); call {
			vet = false
		}
	case *ast.UnaryExpr:
		own = own || x.Op == token.ARROW // the sender copied it
	case *ast.Ident:
		own = own || a.lastUse(x)
	}
	g = g.root()
	if vet {
		g.flagged = append(g.flagged, spot{f: f, n: e})
	}
	if own {
		return
	}
	g.copies = append(g.copies, spot{f: f, n: e})
}

// lastUse says whether an identifier is the last mention of a variable of the
// function: nobody can see what happens to it later.
func (a *pointers) lastUse(id *ast.Ident) bool {
	obj, ok := a.p.Info.Uses[id].(*types.Var)
	if !ok || !a.variable(id) {
		return false
	}
	for _, c := range a.p.uses(obj) {
		if c.Node().Pos() > id.Pos() {
			return false
		}
		if u, ok := c.Parent().Node().(*ast.UnaryExpr); ok && u.Op == token.AND {
			return false
		}
	}
	return !a.p.loopsBetween(obj, id)
}

// sink handles a message that goes into an interface.
func (a *pointers) sink(f *File, e ast.Expr, why string) {
	g := a.of(e)
	if _, depth, _ := a.shapeOf(e); depth == 0 {
		a.copied(f, e, g, true, true)
	}
	g.fail(f, e, why)
}

func (a *pointers) rangeStmt(f *File, n *ast.RangeStmt) {
	_, depth, ok := a.shapeOf(n.X)
	if !ok {
		for _, v := range []ast.Expr{n.Key, n.Value} {
			if v == nil || blank(v) {
				continue
			}
			if _, depth, ok := a.shapeOf(v); ok {
				g := a.of(v).root()
				g.fail(f, n.X, "of a type that is not followed")
				if depth == 0 {
					g.flagged = append(g.flagged, spot{f: f, n: v})
				}
			}
		}
		return
	}
	if depth == 0 {
		return
	}
	g := a.of(n.X)
	v := n.Value
	if _, ch := a.p.TypeOf(n.X).Underlying().(*types.Chan); ch {
		v = n.Key
	} else if depth == 1 && v != nil && !blank(v) {
		g.ranged = true
	}
	if v == nil || blank(v) {
		return
	}
	if _, _, ok := a.shapeOf(v); !ok {
		g.fail(f, v, "held in an interface")
		return
	}
	g = a.join(g, a.of(v))
	if depth == 1 {
		g.flagged = append(g.flagged, spot{f: f, n: v})
	}
}

func (a *pointers) ret(f *File, c inspector.Cursor, n *ast.ReturnStmt) {
	var fn any
	var sig *types.Signature
	switch d := funcAround(c).(type) {
	case *ast.FuncDecl:
		obj, ok := a.p.Info.Defs[d.Name].(*types.Func)
		if !ok {
			return
		}
		fn, sig = obj, obj.Signature()
	case *ast.FuncLit:
		fn = d
		sig, _ = a.p.Info.TypeOf(d).(*types.Signature)
	}
	if sig == nil {
		return
	}
	if len(n.Results) == 1 && sig.Results().Len() > 1 {
		call, _ := ast.Unparen(n.Results[0]).(*ast.CallExpr)
		tup, _ := a.p.Info.TypeOf(n.Results[0]).(*types.Tuple)
		for i := range min(tup.Len(), sig.Results().Len()) {
			from, _, ok := valueShape(tup.At(i).Type())
			msg, _, want := valueShape(sig.Results().At(i).Type())
			switch {
			case ok && want:
				a.join(a.results(fn, i, msg), a.resultOf(f, call, i, msg))
				a.from[resultKey{fn, i}] = append(a.from[resultKey{fn, i}], a.resultSource(call, i))
			case ok:
				a.resultOf(f, call, i, from).fail(f, call, "returned as an interface")
			case want:
				a.unfollowed(f, call, a.results(fn, i, msg))
			}
		}
		return
	}
	for i, r := range n.Results {
		if i >= sig.Results().Len() {
			break
		}
		_, _, ok := a.shapeOf(r)
		msg, _, want := valueShape(sig.Results().At(i).Type())
		switch {
		case !ok && !want:
			continue
		case !want:
			a.sink(f, r, "returned as an interface")
			continue
		case !ok:
			a.unfollowed(f, r, a.results(fn, i, msg))
			continue
		}
		a.flow(f, r, a.results(fn, i, msg), true, a.variable(r))
		a.from[resultKey{fn, i}] = append(a.from[resultKey{fn, i}], r)
	}
	if len(n.Results) == 0 {
		for i := range sig.Results().Len() {
			a.from[resultKey{fn, i}] = append(a.from[resultKey{fn, i}], sig.Results().At(i))
		}
	}
}

// printers are packages whose functions take any value and only show it: a
// pointer to a message does as well as the message.
var printers = []string{
	"fmt", "log", "encoding/json", "sort", "testing", "go.uber.org/zap", "github.com/sirupsen/logrus", "github.com/golang/glog",
	"k8s.io/klog", "k8s.io/klog/v2", "log/slog",
}

// logs says whether a function that takes any values is named like one that
// prints them, such as the Logf of a repository's own logger.
func logs(fun ast.Expr) bool {
	name := ""
	switch fun := fun.(type) {
	case *ast.Ident:
		name = fun.Name
	case *ast.SelectorExpr:
		name = fun.Sel.Name
	}
	name = strings.ToLower(name)
	for _, p := range []string{"log", "print", "sprint", "debug", "info", "warn", "error", "fatal", "panic", "trace"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// readers are functions of etcd that take a message and are done with it when
// they return: they need no copy.
var readers = map[Symbol]bool{
	{"raft", "IsEmptyHardState"}:                    true,
	{"raft", "IsEmptySnap"}:                         true,
	{"raft", "Node.ApplyConfChange"}:                true,
	{"raft", "Node.ProposeConfChange"}:              true,
	{"raft", "RawNode.ApplyConfChange"}:             true,
	{"raft", "RawNode.ProposeConfChange"}:           true,
	{"snap", "Snapshotter.SaveSnap"}:                true,
	{"etcdserver/api/snap", "Snapshotter.SaveSnap"}: true,
	{"wal", "WAL.SaveSnapshot"}:                     true,
}

func (a *pointers) args(f *File, n *ast.CallExpr) {
	info := a.p.Info
	fun := ast.Unparen(n.Fun)
	if info.Types[fun].IsType() {
		if len(n.Args) != 1 {
			return
		}
		if _, depth, ok := a.shapeOf(n.Args[0]); ok {
			if _, _, to := a.shapeOf(n); to {
				g := a.join(a.of(n), a.of(n.Args[0]))
				if depth == 0 {
					a.copied(f, n.Args[0], g, true, false)
				}
			} else if !IsType(a.p.TypeOf(n), "clientv3", "Cmp") { // which cmp-opaque rewrites
				a.sink(f, n.Args[0], "converted")
			}
		}
		return
	}
	if id, ok := fun.(*ast.Ident); ok {
		if b, ok := info.Uses[id].(*types.Builtin); ok {
			a.builtin(f, n, b.Name())
			return
		}
	}
	sig, ok := info.TypeOf(fun).(*types.Signature)
	if !ok {
		if t := info.TypeOf(fun); t != nil {
			sig, _ = t.Underlying().(*types.Signature)
		}
	}
	if sig == nil {
		return
	}
	fn := a.p.callee(fun)
	if len(n.Args) == 1 && sig.Params().Len() > 1 { // f(g())
		call, _ := ast.Unparen(n.Args[0]).(*ast.CallExpr)
		tup, _ := info.TypeOf(n.Args[0]).(*types.Tuple)
		for i := range tup.Len() {
			if call == nil {
				break
			}
			var to *group
			if a.direct(fn) && i < sig.Params().Len() && !sig.Variadic() {
				if want, _, same := valueShape(sig.Params().At(i).Type()); same {
					to = a.param(f, fun, fn, call, i, want)
				}
			}
			msg, _, ok := valueShape(tup.At(i).Type())
			switch {
			case ok && to != nil:
				a.join(to, a.resultOf(f, call, i, msg))
				if v := a.parameter(fun, fn, i); v != nil {
					a.from[v] = append(a.from[v], a.resultSource(call, i))
				}
			case ok:
				a.resultOf(f, call, i, msg).fail(f, n, "passed on together with other results")
			case to != nil:
				a.unfollowed(f, call, to)
			}
		}
		return
	}
	for i, arg := range n.Args {
		k := min(i, sig.Params().Len()-1)
		if k < 0 {
			continue
		}
		param := sig.Params().At(k)
		pt := param.Type()
		if sig.Variadic() && k == sig.Params().Len()-1 && !n.Ellipsis.IsValid() {
			pt = pt.(*types.Slice).Elem()
		}
		msg, _, ok := a.shapeOf(arg)
		want, _, same := valueShape(pt)
		if !ok {
			if same && !a.p.Info.Types[arg].IsNil() {
				a.unfollowed(f, arg, a.param(f, fun, fn, arg, k, want))
			}
			continue
		}
		if !same {
			if comparison(fn) {
				a.compared(f, n, arg)
				continue
			}
			if fn != nil && fn.Pkg() != nil && slices.Contains(printers, fn.Pkg().Path()) || sig.Variadic() && k == sig.Params().Len()-1 && logs(fun) {
				g := a.of(arg)
				if _, depth, _ := a.shapeOf(arg); depth == 0 {
					a.copied(f, arg, g, true, true)
				}
				continue
			}
			if named, ok := TypeSymbol(pt); ok && messageInterfaces[named] {
				g := a.of(arg).root() // which pointers satisfy, and values no longer
				g.forced = append(g.forced, spot{f: f, n: arg, sym: named})
				if _, depth, _ := a.shapeOf(arg); depth == 0 {
					a.copied(f, arg, g, true, true)
				}
				continue
			}
			a.sink(f, arg, "passed as an interface")
			continue
		}
		sym := Symbol{}
		if fn != nil {
			sym, _ = a.p.symbol(fn)
		}
		a.flow(f, arg, a.param(f, fun, fn, arg, k, msg), true, readers[sym])
		if v := a.parameter(fun, fn, k); v != nil {
			a.from[v] = append(a.from[v], arg)
		}
	}
}

// compared handles an argument of a function that looks at types, too: slices
// and maps of messages have to be of one type on both sides.
func (a *pointers) compared(f *File, n *ast.CallExpr, arg ast.Expr) {
	if _, depth, _ := a.shapeOf(arg); depth == 0 {
		if _, star := ast.Unparen(arg).(*ast.StarExpr); !star {
			a.of(arg) // message-compare takes its address, unless it is a pointer then
		}
		return
	}
	g, t := a.of(arg), a.p.TypeOf(arg)
	for _, other := range n.Args {
		switch {
		case other == arg:
		case types.Identical(t, a.p.TypeOf(other)):
			a.join(g, a.of(other))
			return
		case a.p.Info.Types[other].IsNil():
			return
		}
	}
	g.fail(f, arg, "compared with a value of another type")
}

// param returns the group of the k-th parameter of what is called.
func (a *pointers) param(f *File, fun ast.Expr, fn *types.Func, arg ast.Expr, k int, msg *types.Named) *group {
	if v := a.parameter(fun, fn, k); v != nil {
		return a.place(v)
	}
	if a.p.methodExpr(fun) {
		k-- // the first is the receiver
	}
	switch {
	case fn == nil:
		return a.stuck(msg, f, arg, "passed to a function value")
	case k < 0:
		return a.stuck(msg, f, arg, "the receiver of a method expression")
	}
	return a.outside(f, arg, msg, fn, func(sig string) ast.Expr { return paramOf(sig, k, msg) })
}

// parameter returns the k-th parameter of what is called, nil where that is not
// the package's own.
func (a *pointers) parameter(fun ast.Expr, fn *types.Func, k int) types.Object {
	if lit, ok := fun.(*ast.FuncLit); ok {
		sig, _ := a.p.Info.TypeOf(lit).(*types.Signature)
		return sig.Params().At(k)
	}
	if a.p.methodExpr(fun) {
		k-- // the first is the receiver
	}
	if k < 0 || !a.direct(fn) {
		return nil
	}
	return fn.Origin().Signature().Params().At(k)
}

func (a *pointers) builtin(f *File, n *ast.CallExpr, name string) {
	switch name {
	case "append":
		for _, arg := range n.Args[1:] {
			_, _, ok := a.shapeOf(arg)
			_, _, to := a.shapeOf(n)
			switch {
			case !ok && !to:
			case !ok:
				a.unfollowed(f, arg, a.of(n))
			case !to:
				a.sink(f, arg, "appended to a slice of another type")
			default:
				a.flow(f, arg, a.of(n), true, false)
				if n.Ellipsis.IsValid() {
					a.spread(f, arg, n.Args[0])
				}
			}
		}
	case "copy":
		_, _, from := a.shapeOf(n.Args[1])
		if _, _, to := a.shapeOf(n.Args[0]); to || from {
			a.flow(f, n.Args[1], a.of(n.Args[0]), false, false)
			a.spread(f, n.Args[1], n.Args[0])
		}
	case "len", "cap", "delete", "clear", "close", "make":
	case "new":
		if msg, depth, ok := valueShape(a.p.Info.TypeOf(n.Args[0])); ok && depth > 0 {
			a.stuck(msg, f, n, "made with new")
		}
	default:
		for _, arg := range n.Args {
			if _, _, ok := a.shapeOf(arg); ok {
				a.of(arg).fail(f, arg, "passed to "+name)
			}
		}
	}
}

// spread notes that the elements of one slice are copied to another, which
// will share them.
func (a *pointers) spread(f *File, from, to ast.Expr) {
	if _, depth, ok := a.shapeOf(from); !ok || depth != 1 {
		return
	}
	whole := func(e ast.Expr) ast.Expr { // of s[i:j], s
		e = ast.Unparen(e)
		if s, ok := e.(*ast.SliceExpr); ok {
			return ast.Unparen(s.X)
		}
		return e
	}
	if x, y := a.object(whole(from)), a.object(whole(to)); x != nil && x == y {
		return // moved
	}
	switch x := ast.Unparen(from).(type) {
	case *ast.CompositeLit:
		return
	case *ast.Ident:
		if a.lastUse(x) {
			return
		}
	}
	g := a.of(from).root()
	g.spread = append(g.spread, spot{f: f, n: from})
}

// pick notes that an element of a slice is written to, or its address taken.
func (a *pointers) pick(e ast.Expr) {
	if x, ok := ast.Unparen(e).(*ast.IndexExpr); ok {
		if _, depth, ok := a.shapeOf(x); ok && depth == 0 {
			a.of(x).picked = true
		}
	}
}

func (a *pointers) elements(f *File, n *ast.CompositeLit) {
	_, depth, ok := a.shapeOf(n)
	if ok && depth > 0 {
		g := a.of(n)
		for _, el := range n.Elts {
			if kv, ok := el.(*ast.KeyValueExpr); ok {
				el = kv.Value
			}
			a.flow(f, el, g, true, false)
		}
		return
	}
	t := a.p.TypeOf(n)
	if t == nil {
		return
	}
	st, isStruct := deref(t).Underlying().(*types.Struct)
	for i, el := range n.Elts {
		v := el
		var fld *types.Var
		if kv, ok := el.(*ast.KeyValueExpr); ok {
			v = kv.Value
			if id, ok := kv.Key.(*ast.Ident); ok && isStruct {
				fld, _ = a.p.Info.Uses[id].(*types.Var)
			}
		} else if isStruct && i < st.NumFields() {
			fld = st.Field(i)
		}
		msg, _, ok := a.shapeOf(v)
		var want *types.Named
		same := false
		if fld != nil {
			want, _, same = valueShape(fld.Type())
		}
		switch {
		case !ok && (!same || a.p.Info.Types[v].IsNil()):
		case !ok && a.local(fld):
			a.unfollowed(f, v, a.place(fld.Origin()))
		case !ok:
			a.unfollowed(f, v, a.outside(f, v, want, fld, fieldType))
		case fld == nil:
			a.sink(f, v, "an element of a literal")
		case !same:
			a.sink(f, v, "held in an interface")
		case a.local(fld):
			a.flow(f, v, a.place(fld.Origin()), true, false)
		default:
			a.flow(f, v, a.outside(f, v, msg, fld, fieldType), true, false)
		}
	}
}

// address handles &x.
func (a *pointers) address(f *File, c inspector.Cursor, n *ast.UnaryExpr) {
	if n.Op != token.AND {
		return
	}
	x := ast.Unparen(n.X)
	if sel, ok := x.(*ast.SelectorExpr); ok {
		a.writtenField(sel) // whoever has the address of a field may write
	}
	_, depth, ok := a.shapeOf(x)
	if !ok {
		return
	}
	if _, lit := x.(*ast.CompositeLit); lit {
		if depth > 0 {
			a.of(x).fail(f, n, "held behind a pointer")
		}
		return
	}
	g := a.of(x)
	if depth > 0 {
		g.fail(f, n, "held behind a pointer")
		return
	}
	a.pick(x)
	if obj := a.object(x); obj != nil {
		a.taken[obj] = true
		a.fillSpots[obj] = append(a.fillSpots[obj], spot{f: f, n: n})
	}
	if call, ok := c.Parent().Node().(*ast.CallExpr); !ok || ast.Unparen(call.Fun) == n {
		g.escapes = true // h := *p; return &h
	} else if a.fills(call) { // proto.Unmarshal(b, &m)
		sym, _ := TypeSymbol(g.msg)
		a.writes[sym] = true
	}
	g.edit(f, n.OpPos, n.X.Pos(), "")
	if a.external(x) {
		a.held(c, g)
	}
}

// held follows the address of a field that another package declares: what it
// points to is looked at like the field itself.
func (a *pointers) held(c inspector.Cursor, g *group) {
	a.p.flow(c, func(at inspector.Cursor) bool {
		sel, ok := at.Parent().Node().(*ast.SelectorExpr)
		if !ok || sel.X != at.Node() || a.followed[sel] {
			return false
		}
		if _, pointer := types.Unalias(orInvalid(a.p.TypeOf(sel.X))).(*types.Pointer); pointer {
			a.followed[sel] = true
			a.memberOf(a.p.FileOf(sel.Pos()), at.Parent(), sel, g, true)
		}
		return false
	})
}

// fills says whether a call may write to the messages that it gets.
func (a *pointers) fills(call *ast.CallExpr) bool {
	fn := a.p.callee(ast.Unparen(call.Fun))
	if fn == nil || fn.Pkg() == nil || fn.Name() == "Unmarshal" || fn.Name() == "Decode" {
		return true
	}
	return !slices.Contains(printers, fn.Pkg().Path()) && !strings.HasPrefix(fn.Name(), "Marshal") && !strings.HasPrefix(fn.Name(), "MustMarshal") &&
		fn.Name() != "Equal" && fn.Name() != "Size" && fn.Name() != "Clone"
}

// written notes a write to a field of a message.
func (a *pointers) written(l ast.Expr) {
	for {
		switch x := ast.Unparen(l).(type) {
		case *ast.SelectorExpr:
			a.writtenField(x)
			l = x.X
			continue
		case *ast.IndexExpr:
			l = x.X
			continue
		}
		return
	}
}

func (a *pointers) writtenField(sel *ast.SelectorExpr) {
	t := a.p.TypeOf(sel.X)
	if t == nil {
		return
	}
	if n, ok := oldMessage(deref(t)); ok {
		sym, _ := TypeSymbol(n)
		a.writes[sym] = true
		a.pick(sel.X)
		if obj := a.object(sel.X); obj != nil {
			a.filled[obj] = true
			a.fillSpots[obj] = append(a.fillSpots[obj], spot{f: a.p.FileOf(sel.Pos()), n: sel})
		}
	}
}

// object returns the variable or field that an expression names.
func (a *pointers) object(e ast.Expr) types.Object {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		return a.p.Info.Uses[e]
	case *ast.SelectorExpr:
		return a.p.Info.Uses[e.Sel]
	}
	return nil
}

// member handles reads of fields, and methods.
func (a *pointers) member(f *File, c inspector.Cursor, n *ast.SelectorExpr) {
	// Methods that write.
	if fn, ok := a.p.Info.Uses[n.Sel].(*types.Func); ok {
		switch fn.Name() {
		case "Unmarshal", "Reset":
			a.writtenField(n)
		}
	}
	_, depth, ok := a.shapeOf(n.X)
	if !ok || depth > 0 {
		return
	}
	g := a.of(n.X).root()
	a.memberOf(f, c, n, g, a.external(n.X))
}

// memberOf handles a member of what a group holds. outer says whether that is
// what another package declares.
func (a *pointers) memberOf(f *File, c inspector.Cursor, n *ast.SelectorExpr, g *group, outer bool) {
	fills := outer && len(g.forced) > 0
	switch obj := a.p.Info.Uses[n.Sel].(type) {
	case *types.Func:
		if fills && (obj.Name() == "Reset" || obj.Name() == "Unmarshal") {
			g.fills = append(g.fills, spot{f: f, n: n, text: obj.Name()})
		}
	case *types.Var:
		switch {
		case !obj.IsField():
		case !lhs(c):
			g.reads = append(g.reads, spot{f: f, n: n, start: n.Sel.Pos(), end: n.Sel.End()})
		case fills:
			g.fills = append(g.fills, spot{f: f, n: n})
		}
	}
}

// external says whether an expression is a field that another package
// declares.
func (a *pointers) external(e ast.Expr) bool {
	sel, ok := ast.Unparen(e).(*ast.SelectorExpr)
	if !ok {
		return false
	}
	v, ok := a.p.Info.Uses[sel.Sel].(*types.Var)
	return ok && v.IsField() && !a.local(v)
}

// lhs says whether an expression is written to or its address taken.
func lhs(c inspector.Cursor) bool {
	e := c.Node()
	switch n := c.Parent().Node().(type) {
	case *ast.AssignStmt:
		return slices.ContainsFunc(n.Lhs, func(l ast.Expr) bool { return l == e })
	case *ast.IncDecStmt:
		return true
	case *ast.UnaryExpr:
		return n.Op == token.AND
	}
	return false
}

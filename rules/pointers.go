package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ast/inspector"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// This file finds out which messages that are held by value can be held by
// pointer instead, and what that takes.
//
// A place is a variable, field, parameter or result whose type is a message,
// or a slice, map or channel of messages, by value. Places that exchange
// values must change together: they are joined into a group (union-find). A
// group must change where go vet would flag one of its copies, or where etcd
// 3.7 itself has a pointer in place of the value (WatchResponse.Header, the
// channel of Election.Observe, the slices of raftpb). It can change when every
// use of every place in it is one that the analysis understands; the first
// that is not is the reason why the group stays as it is, and is reported.
//
// Copies stay copies where it could matter: in a package that writes to the
// fields of a message, `x := *p` becomes a proto.Clone; where nothing writes,
// sharing cannot be told from copying and the pointer is enough.

// group is a set of places that change together.
type group struct {
	up *group

	msg     *types.Named      // the message
	edits   []spot            // what makes it hold pointers
	copies  []spot            // copies of messages that exist, to be cloned if someone writes
	merge   *ast.AssignStmt   // the assignment that the group is, see mergeInto
	assigns []*ast.AssignStmt // that let a message flow in
	fills   []spot            // writes to fields of what is nil until it is set
	reads   []spot            // reads of fields through what may be nil
	flagged []spot            // copies that go vet rejects
	forced  []spot            // where etcd 3.7 has a pointer, with its symbol
	ranged  bool              // a range statement copies elements
	escapes bool              // a pointer to a place is handed out
	nilable bool              // a place may hold nil where it held a zero message
	moved   []types.Object
	why     string // reason why it cannot change
	whyAt   spot
}

// spot is a place in a file.
type spot struct {
	f          *File
	n          ast.Node
	start, end token.Pos
	text       string
	sym        Symbol
	what       string
}

func (g *group) root() *group {
	for g.up != nil {
		g = g.up
	}
	return g
}

// pointers is the analysis of a package.
type pointers struct {
	p         *Pass
	places    map[types.Object]*group
	result    map[resultKey]*group
	exprs     map[ast.Expr]*group
	writes    map[Symbol]bool          // messages whose fields the package writes
	called    map[*ast.Ident]bool      // identifiers of functions in calls
	taken     map[types.Object]bool    // places whose address is taken
	filled    map[types.Object]bool    // places whose fields are written
	zeros     map[types.Object]string  // places that would be nil until they are set
	satisfies map[*types.Func]bool     // methods that satisfy an interface which has pointers
	apart     map[*ast.AssignStmt]bool // assignments that are made by proto.Merge
	set       map[types.Object]bool    // places that are assigned after their declaration
	order     []*group
	final     []*group
}

// resultKey is a result of a function of the package: by its object, or by
// its literal.
type resultKey struct {
	fn any
	i  int
}

// pointers returns the analysis of the package, made once for all rules.
func (p *Pass) pointers() *pointers {
	if p.index.pointers != nil {
		return p.index.pointers
	}
	a := newPointers(p, map[*ast.AssignStmt]bool{})
	if p.usesMessages() {
		a.run()
		// An assignment into a place that stays a value can be made without
		// changing the place; then its group may do without it.
		apart := map[*ast.AssignStmt]bool{}
		for _, g := range a.final {
			if g.why != "" {
				for _, n := range g.assigns {
					apart[n] = true
				}
			}
		}
		if len(apart) > 0 {
			a = newPointers(p, apart)
			a.run()
		}
	}
	p.index.pointers = a
	return a
}

func newPointers(p *Pass, apart map[*ast.AssignStmt]bool) *pointers {
	return &pointers{
		p: p, places: map[types.Object]*group{}, result: map[resultKey]*group{}, exprs: map[ast.Expr]*group{},
		writes: map[Symbol]bool{}, called: map[*ast.Ident]bool{}, taken: map[types.Object]bool{}, filled: map[types.Object]bool{},
		zeros: map[types.Object]string{}, satisfies: map[*types.Func]bool{}, set: map[types.Object]bool{}, apart: apart,
	}
}

// byPointer says whether an expression that is a message by value will be a
// pointer.
func (a *pointers) byPointer(e ast.Expr) bool {
	if _, depth, ok := a.shapeOf(e); !ok || depth > 0 {
		return false
	}
	return a.changes(a.of(e).root())
}

// needed says whether something is wrong with the group as it is.
func (g *group) needed() bool { return len(g.flagged) > 0 || len(g.forced) > 0 }

// changes says whether the group is rewritten.
func (a *pointers) changes(g *group) bool { return g.needed() && g.why == "" }

// valueShape returns the message at the end of a type that holds messages by
// value, and how many slices, maps and channels are around it.
func valueShape(t types.Type) (msg *types.Named, depth int, ok bool) {
	for t != nil {
		t = types.Unalias(t)
		if n, ok := oldMessage(t); ok {
			return n, depth, true
		}
		switch u := t.(type) {
		case *types.Slice:
			t = u.Elem()
		case *types.Map:
			t = u.Elem()
		case *types.Chan:
			t = u.Elem()
		default:
			return nil, 0, false
		}
		depth++
	}
	return nil, 0, false
}

// shapeOf is valueShape of an expression; of a two-valued expression, that of
// the first value.
func (a *pointers) shapeOf(e ast.Expr) (*types.Named, int, bool) {
	tv, ok := a.p.Info.Types[e]
	if !ok {
		if id, isID := e.(*ast.Ident); isID {
			if v, isVar := a.p.Info.ObjectOf(id).(*types.Var); isVar {
				return valueShape(v.Type())
			}
		}
		return nil, 0, false
	}
	if tv.IsType() {
		return nil, 0, false
	}
	t := tv.Type
	if tup, ok := t.(*types.Tuple); ok {
		if _, call := ast.Unparen(e).(*ast.CallExpr); call || tup.Len() != 2 {
			return nil, 0, false
		}
		t = tup.At(0).Type()
	}
	return valueShape(t)
}

func (a *pointers) fresh(msg *types.Named) *group {
	g := &group{msg: msg}
	a.order = append(a.order, g)
	return g
}

// stuck makes a group that cannot change.
func (a *pointers) stuck(msg *types.Named, f *File, n ast.Node, why string) *group {
	g := a.fresh(msg)
	g.fail(f, n, why)
	return g
}

func (g *group) fail(f *File, n ast.Node, why string) {
	if g = g.root(); g.why == "" {
		g.why, g.whyAt = why, spot{f: f, n: n}
	}
}

func (a *pointers) join(x, y *group) *group {
	x, y = x.root(), y.root()
	if x == y {
		return x
	}
	y.up = x
	if x.msg == nil {
		x.msg = y.msg
	}
	x.edits = append(x.edits, y.edits...)
	x.copies = append(x.copies, y.copies...)
	x.reads = append(x.reads, y.reads...)
	x.fills = append(x.fills, y.fills...)
	x.assigns = append(x.assigns, y.assigns...)
	x.flagged = append(x.flagged, y.flagged...)
	x.forced = append(x.forced, y.forced...)
	x.moved = append(x.moved, y.moved...)
	x.ranged = x.ranged || y.ranged
	x.escapes = x.escapes || y.escapes
	x.nilable = x.nilable || y.nilable
	if x.why == "" {
		x.why, x.whyAt = y.why, y.whyAt
	}
	return x
}

func (g *group) edit(f *File, start, end token.Pos, text string) {
	g = g.root()
	g.edits = append(g.edits, spot{f: f, start: start, end: end, text: text})
}

// place returns the group of a variable of the package.
func (a *pointers) place(obj types.Object) *group {
	if g := a.places[obj]; g != nil {
		return g.root()
	}
	msg, _, _ := valueShape(obj.Type())
	g := a.fresh(msg)
	g.moved = []types.Object{obj}
	a.places[obj] = g
	return g
}

func (a *pointers) results(fn any, i int, msg *types.Named) *group {
	k := resultKey{fn, i}
	if g := a.result[k]; g != nil {
		return g.root()
	}
	a.result[k] = a.fresh(msg)
	return a.result[k]
}

// local says whether an object is declared in the package and can be seen
// only there.
func (a *pointers) local(obj types.Object) bool {
	if obj == nil || obj.Pkg() != a.p.Pkg {
		return false
	}
	f := a.p.FileOf(obj.Pos())
	return f != nil
}

// interfaces finds the methods of the package that satisfy an interface of
// etcd whose signature has pointers from 3.7: they have to follow.
func (a *pointers) interfaces() {
	a.p.implicitConversions(func(f *File, e ast.Expr, to types.Type) {
		sym, ok := TypeSymbol(to)
		if !ok {
			return
		}
		t := a.p.TypeOf(e)
		if t == nil || types.IsInterface(t) {
			return
		}
		if _, _, etcd := atlas.Canonical(types.Unalias(to).(*types.Named).Obj().Pkg().Path()); !etcd {
			return
		}
		for m := range to.Underlying().(*types.Interface).Methods() {
			obj, _, _ := types.LookupFieldOrMethod(t, true, a.p.Pkg, m.Name())
			fn, ok := obj.(*types.Func)
			if !ok || !a.direct(fn) || a.satisfies[fn] {
				continue
			}
			s, ok := atlas.Lookup(sym.Pkg, sym.Name+"."+m.Name(), string(a.p.Target.Line))
			if !ok || s.Sig == "" {
				continue
			}
			follow := func(t types.Type, now ast.Expr, g func(*types.Named) *group) {
				if msg, _, ok := valueShape(t); ok && endsInPointer(now) {
					a.satisfies[fn] = true
					at := g(msg).root()
					at.forced = append(at.forced, spot{f: a.p.FileOf(fn.Pos()), n: objNode(fn), sym: Symbol{sym.Pkg, sym.Name + "." + m.Name()}})
				}
			}
			sig := fn.Signature()
			for i := range sig.Params().Len() {
				v := sig.Params().At(i)
				follow(v.Type(), paramType(s.Sig, i), func(*types.Named) *group { return a.place(v) })
			}
			for i := range sig.Results().Len() {
				follow(sig.Results().At(i).Type(), resultType(s.Sig, i), func(msg *types.Named) *group { return a.results(fn.Origin(), i, msg) })
			}
		}
	})
}

// endsInPointer says whether there is a pointer where a type of a message, or
// of slices, maps and channels of messages, had the message.
func endsInPointer(typ ast.Expr) bool {
	for {
		switch t := typ.(type) {
		case *ast.ArrayType:
			typ = t.Elt
		case *ast.MapType:
			typ = t.Value
		case *ast.ChanType:
			typ = t.Value
		case *ast.Ellipsis:
			typ = t.Elt
		case *ast.StarExpr:
			return true
		default:
			return false
		}
	}
}

// direct says whether a function is declared in the package with a body of
// its own, so that its signature can follow.
func (a *pointers) direct(fn *types.Func) bool {
	if fn == nil || !a.local(fn) {
		return false
	}
	sig := fn.Origin().Signature()
	if sig.TypeParams().Len() > 0 || sig.RecvTypeParams().Len() > 0 {
		return false // its body may count on a zero value that is no nil
	}
	return sig.Recv() == nil || !types.IsInterface(sig.Recv().Type())
}

// hidden says whether no other package can use an exported object.
func (a *pointers) hidden(obj types.Object) bool {
	f := a.p.FileOf(obj.Pos())
	return !obj.Exported() || a.p.Pkg.Name() == "main" || f != nil && strings.HasSuffix(f.Name, "_test.go")
}

// of returns the group that an expression of value shape belongs to, with the
// edits that turn the expression itself into one of pointers.
func (a *pointers) of(e ast.Expr) *group {
	e = ast.Unparen(e)
	if g := a.exprs[e]; g != nil {
		return g.root()
	}
	g := a.group(e)
	a.exprs[e] = g
	return g.root()
}

func (a *pointers) group(e ast.Expr) *group {
	msg, depth, ok := a.shapeOf(e)
	f := a.p.FileOf(e.Pos())
	if !ok { // nil, mostly
		return a.fresh(nil)
	}
	switch e := e.(type) {
	case *ast.Ident:
		obj := a.p.Info.ObjectOf(e)
		if v, ok := obj.(*types.Var); ok && a.local(v) {
			return a.place(v.Origin())
		}
	case *ast.SelectorExpr:
		obj, ok := a.p.Info.ObjectOf(e.Sel).(*types.Var)
		if ok && a.local(obj) {
			return a.place(obj.Origin())
		}
		if ok && obj.IsField() {
			return a.outside(f, e, msg, obj, func(sig string) ast.Expr { return fieldType(sig) })
		}
	case *ast.IndexExpr:
		if _, _, ok := a.shapeOf(e.X); !ok {
			return a.stuck(msg, f, e, "an element of a type that is not followed")
		}
		g := a.of(e.X)
		if t := a.p.TypeOf(e.X); t != nil && depth == 0 {
			if _, ok := t.Underlying().(*types.Map); ok && !a.twoValued(e) {
				g.root().nilable = true
			}
		}
		return g
	case *ast.SliceExpr:
		return a.of(e.X)
	case *ast.UnaryExpr:
		if e.Op == token.ARROW {
			g := a.of(e.X)
			if depth == 0 && !a.twoValued(e) {
				g.root().nilable = true
			}
			return g
		}
	case *ast.StarExpr:
		if depth == 0 {
			g := a.fresh(msg)
			g.edit(f, e.Star, e.X.Pos(), "")
			return g
		}
	case *ast.CompositeLit:
		g := a.fresh(msg)
		switch {
		case e.Type == nil: // in a literal that says the type
		case depth == 0:
			g.edit(f, e.Pos(), e.Pos(), "&")
		default:
			a.star(g, f, e.Type)
		}
		return g
	case *ast.CallExpr:
		return a.call(e, msg, depth, f)
	}
	return a.stuck(msg, f, e, "held in a way that is not followed")
}

// twoValued says whether an expression is used with its second value.
func (a *pointers) twoValued(e ast.Expr) bool {
	if _, call := ast.Unparen(e).(*ast.CallExpr); call {
		return false
	}
	_, ok := a.p.Info.Types[e].Type.(*types.Tuple)
	return ok
}

// star adds the edit that puts a star before the message in a type.
func (a *pointers) star(g *group, f *File, typ ast.Expr) {
	for {
		if n, ok := oldMessage(a.p.Info.TypeOf(typ)); ok && n != nil {
			switch typ.(type) {
			case *ast.Ident, *ast.SelectorExpr:
				g.edit(f, typ.Pos(), typ.Pos(), "*")
				return
			}
		}
		switch t := typ.(type) {
		case *ast.ParenExpr:
			typ = t.X
		case *ast.ArrayType:
			typ = t.Elt
		case *ast.MapType:
			typ = t.Value
		case *ast.ChanType:
			typ = t.Value
		case *ast.Ellipsis:
			typ = t.Elt
		default:
			g.fail(f, typ, "its type is written in a way that is not followed")
			return
		}
	}
}

func (a *pointers) call(e *ast.CallExpr, msg *types.Named, depth int, f *File) *group {
	info := a.p.Info
	fun := ast.Unparen(e.Fun)
	if tv := info.Types[fun]; tv.IsType() { // a conversion
		if depth != 0 || len(e.Args) != 1 {
			return a.stuck(msg, f, e, "converted")
		}
		switch fun.(type) {
		case *ast.Ident, *ast.SelectorExpr:
		default:
			return a.stuck(msg, f, e, "converted")
		}
		if _, _, ok := a.shapeOf(e.Args[0]); !ok {
			return a.stuck(msg, f, e, "converted from what is no message")
		}
		g := a.fresh(msg)
		if _, lit := ast.Unparen(e.Args[0]).(*ast.CompositeLit); lit {
			g.fail(f, e, "converted from a literal")
		}
		if fun != e.Fun {
			g.edit(f, fun.Pos(), fun.Pos(), "*")
		} else {
			g.edit(f, fun.Pos(), fun.Pos(), "(*")
			g.edit(f, fun.End(), fun.End(), ")")
		}
		return g
	}
	if id, ok := fun.(*ast.Ident); ok {
		if b, ok := info.Uses[id].(*types.Builtin); ok {
			switch {
			case b.Name() == "append":
				return a.of(e.Args[0])
			case b.Name() == "make":
				g := a.fresh(msg)
				a.star(g, f, e.Args[0])
				if _, slice := info.TypeOf(e).Underlying().(*types.Slice); slice && len(e.Args) > 1 {
					if n := info.Types[e.Args[1]].Value; n == nil || n.String() != "0" {
						g.fail(f, e, "made with elements, which would be nil")
					}
				}
				return g
			}
			return a.stuck(msg, f, e, "passed to "+b.Name())
		}
	}
	fn := a.callee(fun)
	switch {
	case fn == nil:
		if lit, ok := fun.(*ast.FuncLit); ok {
			return a.results(lit, 0, msg)
		}
		return a.stuck(msg, f, e, "returned by a function value")
	case a.direct(fn):
		return a.results(fn.Origin(), 0, msg)
	}
	return a.outside(f, e, msg, fn, func(sig string) ast.Expr { return resultType(sig, 0) })
}

// callee returns the function or method that a call names.
func (a *pointers) callee(fun ast.Expr) *types.Func {
	switch fun := fun.(type) {
	case *ast.Ident:
		fn, _ := a.p.Info.Uses[fun].(*types.Func)
		return fn
	case *ast.SelectorExpr:
		fn, _ := a.p.Info.Uses[fun.Sel].(*types.Func)
		return fn
	}
	return nil
}

// outside returns a group for one use of something that another package
// declares: etcd 3.7 may have a pointer there.
func (a *pointers) outside(f *File, e ast.Node, msg *types.Named, obj types.Object, part func(sig string) ast.Expr) *group {
	sym, _ := a.p.symbol(obj)
	s, ok := atlas.Lookup(sym.Pkg, sym.Name, string(a.p.Target.Line))
	if a.local(obj) {
		return a.stuck(msg, f, e, "passed through an interface or a generic function")
	}
	if !ok || s.Sig == "" {
		return a.stuck(msg, f, e, "declared in another package")
	}
	typ := part(s.Sig)
	for typ != nil {
		switch t := typ.(type) {
		case *ast.ArrayType:
			typ = t.Elt
		case *ast.MapType:
			typ = t.Value
		case *ast.ChanType:
			typ = t.Value
		case *ast.Ellipsis:
			typ = t.Elt
		case *ast.SelectorExpr:
			if rel, ok := qualifiedName(t); ok && messageInterfaces[rel] {
				g := a.fresh(msg)
				g.forced = []spot{{f: f, n: e, sym: sym}}
				return g
			}
			return a.stuck(msg, f, e, "declared in another package")
		case *ast.StarExpr:
			g := a.fresh(msg)
			g.forced = []spot{{f: f, n: e, sym: sym}}
			if _, depth, _ := valueShape(obj.Type()); depth == 0 {
				g.nilable = true // such as the header of a zero WatchResponse, which a closed channel gives
			}
			return g
		default:
			return a.stuck(msg, f, e, "declared in another package")
		}
	}
	return a.stuck(msg, f, e, "declared in another package")
}

// messageInterfaces are interfaces of etcd that messages satisfied by value
// and satisfy by pointer from 3.7.
var messageInterfaces = map[Symbol]bool{{"raft/raftpb", "ConfChangeI"}: true}

// qualifiedName resolves a type in a signature of the atlas, as far as this
// file needs it: packages are written by their name there.
func qualifiedName(t *ast.SelectorExpr) (Symbol, bool) {
	q, ok := t.X.(*ast.Ident)
	if !ok {
		return Symbol{}, false
	}
	for i := range messageInterfaces {
		if i.Name == t.Sel.Name && (q.Name == i.Pkg[strings.LastIndexByte(i.Pkg, '/')+1:] || q.Name == "pb") {
			return i, true
		}
	}
	return Symbol{}, false
}

// The signatures of the atlas are Go with a word in front: "field Header
// *etcdserverpb.ResponseHeader", "func (*Election) Observe(…) <-chan …".

func fieldType(sig string) ast.Expr {
	f := strings.SplitN(sig, " ", 3)
	switch {
	case len(f) == 3 && f[0] == "field":
		return parseType(f[2])
	case len(f) == 2 && f[0] == "embed":
		return parseType(f[1])
	}
	return nil
}

func parseType(s string) ast.Expr {
	e, err := parser.ParseExpr(s)
	if err != nil {
		return nil
	}
	return e
}

func funcType(sig string) *ast.FuncType {
	s, ok := strings.CutPrefix(sig, "func ")
	if !ok {
		if s, ok = strings.CutPrefix(sig, "method "); !ok {
			return nil
		}
	}
	if strings.HasPrefix(s, "(") { // the receiver
		_, s, _ = strings.Cut(s, ") ")
	}
	i := strings.IndexByte(s, '(')
	if i < 0 {
		return nil
	}
	ft, _ := parseType("func" + s[i:]).(*ast.FuncType)
	return ft
}

func resultType(sig string, i int) ast.Expr {
	if ft := funcType(sig); ft != nil && ft.Results != nil {
		return fieldAt(ft.Results, i)
	}
	return nil
}

func paramType(sig string, i int) ast.Expr {
	if ft := funcType(sig); ft != nil {
		return fieldAt(ft.Params, i)
	}
	return nil
}

// paramOf returns the type of the parameter that the k-th was before others
// were added in front of it: the first from k on that names the message.
func paramOf(sig string, k int, msg *types.Named) ast.Expr {
	ft := funcType(sig)
	if ft == nil {
		return nil
	}
	for i := k; i < ft.Params.NumFields(); i++ {
		typ := fieldAt(ft.Params, i)
		found := false
		ast.Inspect(typ, func(n ast.Node) bool {
			id, ok := n.(*ast.Ident)
			found = found || ok && (id.Name == msg.Obj().Name() || id.Name == "ConfChangeI")
			return true
		})
		if found {
			return typ
		}
	}
	return paramType(sig, k)
}

// fieldAt returns the type of the i-th parameter or result; of the last, if
// it is variadic, for all that follow.
func fieldAt(l *ast.FieldList, i int) ast.Expr {
	for k, fld := range l.List {
		n := max(1, len(fld.Names))
		if _, variadic := fld.Type.(*ast.Ellipsis); i < n || variadic && k == len(l.List)-1 {
			return fld.Type
		}
		i -= n
	}
	return nil
}

// run walks the package.
func (a *pointers) run() {
	types_ := []ast.Node{
		(*ast.Field)(nil), (*ast.ValueSpec)(nil), (*ast.AssignStmt)(nil), (*ast.RangeStmt)(nil), (*ast.ReturnStmt)(nil),
		(*ast.CallExpr)(nil), (*ast.CompositeLit)(nil), (*ast.SendStmt)(nil), (*ast.UnaryExpr)(nil), (*ast.SelectorExpr)(nil),
		(*ast.IncDecStmt)(nil), (*ast.Ident)(nil), (*ast.BinaryExpr)(nil), (*ast.TypeAssertExpr)(nil), (*ast.FuncLit)(nil),
		(*ast.SwitchStmt)(nil), (*ast.IndexExpr)(nil), (*ast.SliceExpr)(nil), (*ast.StarExpr)(nil), (*ast.TypeSpec)(nil),
	}
	root := a.p.index.in.Root()
	for c := range root.Preorder((*ast.CallExpr)(nil)) {
		switch fun := ast.Unparen(c.Node().(*ast.CallExpr).Fun).(type) {
		case *ast.Ident:
			a.called[fun] = true
		case *ast.SelectorExpr:
			a.called[fun.Sel] = true
		}
	}
	a.interfaces()
	for c := range root.Preorder(types_...) {
		f := a.p.FileOf(c.Node().Pos())
		switch n := c.Node().(type) {
		case *ast.Field:
			a.field(f, c, n)
		case *ast.ValueSpec:
			a.valueSpec(f, c, n)
		case *ast.AssignStmt:
			a.assign(f, c, n)
		case *ast.RangeStmt:
			a.rangeStmt(f, n)
		case *ast.ReturnStmt:
			a.ret(f, c, n)
		case *ast.CallExpr:
			a.args(f, n)
		case *ast.CompositeLit:
			a.elements(f, n)
		case *ast.SendStmt:
			if _, _, ok := a.shapeOf(n.Value); ok {
				if _, _, ok := a.shapeOf(n.Chan); ok {
					a.flow(f, n.Value, a.of(n.Chan), false, false)
				} else {
					a.sink(f, n.Value, "sent as an interface")
				}
			}
		case *ast.UnaryExpr:
			a.address(f, c, n)
		case *ast.SelectorExpr:
			a.member(f, c, n)
		case *ast.IncDecStmt:
			a.written(n.X)
		case *ast.BinaryExpr:
			for _, e := range []ast.Expr{n.X, n.Y} {
				if _, depth, ok := a.shapeOf(e); ok && depth == 0 {
					a.of(e).fail(f, n, "compared")
				}
			}
		case *ast.SwitchStmt:
			if n.Tag != nil {
				if _, _, ok := a.shapeOf(n.Tag); ok {
					a.of(n.Tag).fail(f, n.Tag, "switched on")
				}
			}
		case *ast.TypeAssertExpr:
			if _, _, ok := a.shapeOf(n); ok {
				a.of(n).fail(f, n, "taken out of an interface")
			}
		case *ast.Ident:
			a.function(f, n)
		}
	}
	// Places whose value changes under a pointer that was handed out.
	for _, obj := range sortedPlaces(a.places) {
		if a.taken[obj] && a.set[obj] {
			if _, depth, _ := valueShape(obj.Type()); depth == 0 {
				a.places[obj].fail(a.p.FileOf(obj.Pos()), objNode(obj), "assigned after its address was taken")
			}
		}
	}
	for obj, what := range a.zeros {
		if a.taken[obj] || a.filled[obj] {
			a.place(obj).fail(a.p.FileOf(obj.Pos()), objNode(obj), what+" that is filled in place, whose zero value would be nil")
		}
	}
	for _, g := range a.order {
		if g.up == nil && g.needed() {
			a.settle(g)
			a.final = append(a.final, g)
		}
	}
}

func sortedPlaces(m map[types.Object]*group) []types.Object {
	var out []types.Object
	for obj := range m {
		out = append(out, obj)
	}
	slices.SortFunc(out, func(x, y types.Object) int { return int(x.Pos()) - int(y.Pos()) })
	return out
}

// objNode is the identifier that declares an object, as far as its position
// goes.
func objNode(obj types.Object) ast.Node {
	return &ast.Ident{NamePos: obj.Pos(), Name: obj.Name()}
}

// settle decides how the copies of a group are made.
func (a *pointers) settle(g *group) {
	if g.msg == nil {
		g.why = "of a type that is not known"
		return
	}
	sym, _ := TypeSymbol(g.msg)
	if !a.writes[sym] || g.why != "" || g.merge != nil {
		return
	}
	switch {
	case g.ranged:
		g.why, g.whyAt = "copied where no proto.Clone can stand, in a package that writes to its fields", g.flaggedSpot()
	case len(g.copies) > 0 && cloneType(g.msg) == (Symbol{}):
		g.why, g.whyAt = "copied in a package that writes to its fields, and proto.Clone does not take it", g.flaggedSpot()
	}
	for _, s := range g.copies {
		if g.why == "" && a.shadowed(s.f, cloneType(g.msg).Pkg, s.n) {
			g.why, g.whyAt = "copied where a variable hides the name of its package", s
		}
	}
}

// shadowed says whether the name by which a file imports a package of etcd
// means something else at a node.
func (a *pointers) shadowed(f *File, rel string, n ast.Node) bool {
	for _, i := range f.imps {
		if i.rel != rel {
			continue
		}
		scope := a.p.Pkg.Scope().Innermost(n.Pos())
		if scope == nil {
			return false
		}
		_, obj := scope.LookupParent(i.name, n.Pos())
		_, pkg := obj.(*types.PkgName)
		return obj != nil && !pkg
	}
	return false
}

// cloneType returns the message that a message is cloned as: itself, or what a
// type of clientv3 is defined as.
func cloneType(n *types.Named) Symbol {
	sym, _ := TypeSymbol(n)
	if isProto(n) {
		return sym
	}
	s, _ := atlas.Lookup(sym.Pkg, sym.Name, string(atlas.Line37))
	_, def, _ := strings.Cut(s.Sig, "type "+sym.Name+" ")
	q, name, _ := strings.Cut(def, ".")
	for _, pkg := range messagePackages {
		if name != "" && strings.HasSuffix(pkg, "/"+q) {
			return Symbol{pkg, name}
		}
	}
	return Symbol{}
}

func (g *group) flaggedSpot() spot {
	if len(g.flagged) > 0 {
		return g.flagged[0]
	}
	return g.forced[0]
}

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
				g.flagged = append(g.flagged, spot{f: f, n: name, what: "parameter"})
			}
			if len(n.Names) == 0 {
				g.flagged = append(g.flagged, spot{f: f, n: n, what: "parameter"})
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
				// A zero message: var x T is var x = &T{}.
				if len(n.Names) > 1 {
					g.fail(f, n, "declared together with others")
				}
				g.edit(f, n.Type.Pos(), n.Type.Pos(), "= &")
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
		g.flagged = []spot{{f: f, n: ast.Unparen(n.Rhs[0]), what: "copy"}}
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
				if msg, _, ok := valueShape(tup.At(i).Type()); ok && !blank(lhs[i]) {
					a.into(f, a.resultOf(f, call, i, msg), lhs[i])
				}
			}
			return
		}
		lhs = lhs[:1]
	}
	for i, r := range rhs {
		if i >= len(lhs) {
			break
		}
		if _, _, ok := a.shapeOf(r); !ok {
			if _, _, ok := a.shapeOf(lhs[i]); ok && !blank(lhs[i]) {
				a.of(lhs[i]) // nil, or an interface's content
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
	fn := a.callee(fun)
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
	if !own && a.twoValued(e) {
		g.ranged = true // no place for a clone
	}
	if vet {
		g.flagged = append(g.flagged, spot{f: f, n: e, what: "copy"})
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
	if !ok || depth == 0 {
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
		g.flagged = append(g.flagged, spot{f: f, n: v, what: "range"})
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
		if call, ok := ast.Unparen(n.Results[0]).(*ast.CallExpr); ok {
			for i := range sig.Results().Len() {
				if msg, _, ok := valueShape(sig.Results().At(i).Type()); ok {
					a.join(a.results(fn, i, msg), a.resultOf(f, call, i, msg))
				}
			}
		}
		return
	}
	for i, r := range n.Results {
		if i >= sig.Results().Len() {
			break
		}
		msg, _, ok := a.shapeOf(r)
		if _, _, want := valueShape(sig.Results().At(i).Type()); ok && !want {
			a.sink(f, r, "returned as an interface")
			continue
		}
		if !ok {
			continue
		}
		a.flow(f, r, a.results(fn, i, msg), true, a.variable(r))
	}
}

// printers are packages whose functions take any value and only show it: a
// pointer to a message does as well as the message.
var printers = []string{
	"fmt", "log", "encoding/json", "sort", "testing", "go.uber.org/zap", "github.com/sirupsen/logrus", "github.com/golang/glog",
	"k8s.io/klog", "k8s.io/klog/v2", "log/slog",
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
	fn := a.callee(fun)
	if len(n.Args) == 1 && sig.Params().Len() > 1 { // f(g())
		call, _ := ast.Unparen(n.Args[0]).(*ast.CallExpr)
		tup, _ := info.TypeOf(n.Args[0]).(*types.Tuple)
		for i := range tup.Len() {
			if msg, _, ok := valueShape(tup.At(i).Type()); ok && call != nil {
				g := a.resultOf(f, call, i, msg)
				if a.direct(fn) && i < sig.Params().Len() && !sig.Variadic() {
					if _, _, same := valueShape(sig.Params().At(i).Type()); same {
						a.join(a.place(fn.Origin().Signature().Params().At(i)), g)
						continue
					}
				}
				g.fail(f, n, "passed on together with other results")
			}
		}
		return
	}
	for i, arg := range n.Args {
		msg, _, ok := a.shapeOf(arg)
		if !ok {
			continue
		}
		k := min(i, sig.Params().Len()-1)
		if k < 0 {
			continue
		}
		param := sig.Params().At(k)
		pt := param.Type()
		if sig.Variadic() && k == sig.Params().Len()-1 && !n.Ellipsis.IsValid() {
			pt = pt.(*types.Slice).Elem()
		}
		if _, _, same := valueShape(pt); !same {
			if comparison(fn) {
				if _, star := ast.Unparen(arg).(*ast.StarExpr); !star {
					a.of(arg) // message-compare takes its address, unless it is a pointer then
				}
				continue
			}
			if fn != nil && fn.Pkg() != nil && slices.Contains(printers, fn.Pkg().Path()) {
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
		switch lit, isLit := fun.(*ast.FuncLit); {
		case isLit:
			a.flow(f, arg, a.place(a.litParam(lit, k)), true, false)
		case fn == nil:
			a.flow(f, arg, a.stuck(msg, f, arg, "passed to a function value"), true, false)
		case a.direct(fn):
			a.flow(f, arg, a.place(fn.Origin().Signature().Params().At(k)), true, false)
		default:
			a.flow(f, arg, a.outside(f, arg, msg, fn, func(sig string) ast.Expr { return paramOf(sig, k, msg) }), true, false)
		}
	}
}

func (a *pointers) litParam(lit *ast.FuncLit, k int) types.Object {
	sig, _ := a.p.Info.TypeOf(lit).(*types.Signature)
	return sig.Params().At(k)
}

func (a *pointers) builtin(f *File, n *ast.CallExpr, name string) {
	switch name {
	case "append":
		for _, arg := range n.Args[1:] {
			_, _, ok := a.shapeOf(arg)
			_, _, to := a.shapeOf(n)
			switch {
			case !ok:
			case !to:
				a.sink(f, arg, "appended to a slice of another type")
			default:
				a.flow(f, arg, a.of(n), true, false)
			}
		}
	case "copy":
		if _, _, ok := a.shapeOf(n.Args[0]); ok {
			a.flow(f, n.Args[1], a.of(n.Args[0]), false, false)
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
		if !ok {
			continue
		}
		switch {
		case fld == nil:
			a.sink(f, v, "an element of a literal")
		case func() bool { _, _, ok := valueShape(fld.Type()); return !ok }():
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
	if obj := a.object(x); obj != nil {
		a.taken[obj] = true
	}
	if call, ok := c.Parent().Node().(*ast.CallExpr); !ok || ast.Unparen(call.Fun) == n {
		g.escapes = true // h := *p; return &h
	} else if a.fills(call) { // proto.Unmarshal(b, &m)
		sym, _ := TypeSymbol(g.msg)
		a.writes[sym] = true
	}
	g.edit(f, n.OpPos, n.X.Pos(), "")
}

// fills says whether a call may write to the messages that it gets.
func (a *pointers) fills(call *ast.CallExpr) bool {
	fn := a.callee(ast.Unparen(call.Fun))
	if fn == nil || fn.Pkg() == nil {
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
		if obj := a.object(sel.X); obj != nil {
			a.filled[obj] = true
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
	fld, ok := a.p.Info.Uses[n.Sel].(*types.Var)
	if !ok || !fld.IsField() {
		return
	}
	if lhs(c) {
		if len(g.forced) > 0 && a.external(n.X) {
			g.fills = append(g.fills, spot{f: f, n: n})
		}
		return
	}
	g.reads = append(g.reads, spot{f: f, n: n, start: n.Sel.Pos(), end: n.Sel.End()})
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

// emit writes the change of a group.
func (a *pointers) emit(p *Pass, g *group) {
	sym, _ := TypeSymbol(g.msg)
	if g.merge != nil {
		a.emitMerge(p, g)
		return
	}
	c := p.Change(p.Tier, "%s is held by pointer", short(sym))
	if a.writes[sym] || g.escapes && isProto(g.msg) {
		cloned := map[ast.Node]bool{}
		for _, s := range g.copies {
			if !cloned[s.n] {
				cloned[s.n] = true
				c.clone(s.f, s.n.(ast.Expr), g.msg)
			}
		}
	}
	for _, s := range g.fills {
		p.Report(s.f, s.n, edit.Review, "a field of "+s.f.Text(s.n.(*ast.SelectorExpr).X)+" is written or its address taken; from 3.7 that is a pointer, nil until someone sets it",
			"set it to &"+short(sym)+"{…} first")
	}
	for _, s := range g.edits {
		c.Replace(s.f, s.start, s.end, s.text)
	}
	if g.nilable {
		for _, s := range g.reads {
			if getter(p, g.msg, s.n.(*ast.SelectorExpr).Sel.Name) {
				sel := s.n.(*ast.SelectorExpr).Sel
				c.ReplaceNode(s.f, sel, "Get"+sel.Name+"()")
			}
		}
	}
}

// clone makes a pointer to a message, or the star expression that it replaces,
// one to a copy.
func (c Change) clone(f *File, e ast.Expr, msg *types.Named) {
	from := e.Pos()
	if st, ok := e.(*ast.StarExpr); ok {
		from = st.X.Pos()
	}
	before := c.Qualified(f, googleProto, "Clone") + "("
	as := cloneType(msg)
	typ := c.home(f, as.Pkg, as.Name)
	after := ").(*" + typ + ")"
	if !isProto(msg) {
		before = "(*" + c.typeName(f, msg) + ")(" + before + "(*" + typ + ")("
		after = ")" + after + ")"
	}
	c.Insert(f, from, before)
	c.Insert(f, e.End(), after)
}

// emitMerge writes an assignment of a message as proto.Reset and proto.Merge.
func (a *pointers) emitMerge(p *Pass, g *group) {
	n := g.merge
	f := p.FileOf(n.Pos())
	if a.byPointer(n.Lhs[0]) {
		g.why = "assigned to what is a pointer by then"
		a.report(p, g)
		return
	}
	sym, _ := TypeSymbol(g.msg)
	c := p.Change(p.Tier, "%s is copied by proto.Merge", short(sym))
	pkg, to := c.Import(f, googleProto), "&"+f.Text(n.Lhs[0])
	if star, ok := n.Lhs[0].(*ast.StarExpr); ok {
		to = f.Text(star.X)
	}
	from, addr := ast.Unparen(n.Rhs[0]), ""
	switch x := from.(type) {
	case *ast.StarExpr:
		from = x.X
	default:
		if len(g.forced) == 0 && !a.byPointer(from) {
			addr = "&"
		}
	}
	c.Replace(f, n.Pos(), from.Pos(), pkg+".Reset("+to+")"+f.NL()+f.Indent(n.Pos())+pkg+".Merge("+to+", "+addr)
	c.Replace(f, from.End(), n.End(), ")")
}

// typeName writes the name of a message's type for a file.
func (c Change) typeName(f *File, n *types.Named) string {
	home, ok := atlas.HomeOf(canonical(n.Obj().Pkg().Path()), c.p.Target.Line)
	if !ok || home.Gone {
		return n.Obj().Name()
	}
	return c.Qualified(f, home.Path, n.Obj().Name())
}

// getter says whether 3.7 has a nil-safe getter for a field that is still of
// the same type.
func getter(p *Pass, n *types.Named, field string) bool {
	sym, _ := TypeSymbol(n)
	if _, changed := optionalField(Symbol{sym.Pkg, sym.Name + "." + field}); changed {
		return false // proto2-fields writes the getter
	}
	s, ok := atlas.Lookup(sym.Pkg, sym.Name+".Get"+field, string(p.Target.Line))
	return ok && s.Sig != ""
}

// short writes a symbol with the last element of its package.
func short(s Symbol) string { return s.Pkg[strings.LastIndexByte(s.Pkg, '/')+1:] + "." + s.Name }

// report writes the findings of a group that stays as it is.
func (a *pointers) report(p *Pass, g *group) {
	name := "a message"
	if g.msg != nil {
		sym, _ := TypeSymbol(g.msg)
		name = short(sym)
	}
	reason := ""
	if g.why != "" {
		reason = " (not rewritten: the value is " + g.why + ")"
	}
	seen := map[ast.Node]bool{}
	for _, s := range g.forced {
		if !seen[s.n] {
			seen[s.n] = true
			p.Report(s.f, s.n, edit.Manual, short(s.sym)+" holds *"+name+" in 3.7"+reason,
				"hold *"+name+" here, and read fields with the Get methods where it may be nil")
		}
	}
	for _, s := range g.flagged {
		if seen[s.n] {
			continue
		}
		seen[s.n] = true
		p.Report(s.f, s.n, edit.Manual, name+" is copied, which go vet rejects from 3.7"+reason,
			"hold *"+name+"; where a copy is needed, write proto.Clone(m).(*"+name+") with "+googleProto)
	}
}

// cause says why a group must change; each cause has a rule that answers for
// it.
type cause uint8

const (
	copied  cause = iota // go vet rejects a copy
	header               // WatchResponse.Header
	channel              // the channels of Observe and SyncBase
	server               // raft and the packages of the server
)

func (g *group) cause() cause {
	out := copied
	for _, s := range g.forced {
		switch {
		case s.sym == Symbol{"clientv3", "WatchResponse.Header"}:
			return header
		case s.sym.Pkg == "clientv3/concurrency" || s.sym.Pkg == "clientv3/mirror":
			out = channel
		case out == copied:
			out = server
		}
	}
	return out
}

// runGroups rewrites or reports the groups of one cause.
func runGroups(p *Pass, why cause) {
	if !p.usesMessages() {
		return
	}
	a := p.pointers()
	for _, g := range a.final {
		if g.cause() != why {
			continue
		}
		if a.changes(g) {
			a.emit(p, g)
		} else {
			a.report(p, g)
		}
	}
}

package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"slices"
	"strings"

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
	fills   []spot            // writes to what is nil until it is set: to a field, or by the method in text
	reads   []spot            // reads of fields through what may be nil
	flagged []spot            // copies that go vet rejects
	forced  []spot            // where etcd 3.7 has a pointer, with its symbol
	empty   []spot            // receives and look-ups that do not ask whether there is something
	spread  []spot            // append and copy of elements from slice to slice
	ranged  bool              // a range statement copies elements
	picked  bool              // elements of a slice are written to, or their address is taken
	escapes bool              // a pointer to a place is handed out
	nilable bool              // a place may hold nil where it held a zero message
	why     string            // reason why it cannot change
	whyAt   spot
}

// spot is a place in a file.
type spot struct {
	f          *File
	n          ast.Node
	start, end token.Pos
	text       string
	sym        Symbol
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
	writes    map[Symbol]bool            // messages whose fields the package writes
	called    map[*ast.Ident]bool        // identifiers of functions in calls
	taken     map[types.Object]bool      // places whose address is taken
	filled    map[types.Object]bool      // places whose fields are written
	zeros     map[types.Object]string    // places that would be nil until they are set
	nils      map[ast.Expr]bool          // expressions that may be nil
	from      map[any][]any              // what is assigned to places and results: expressions and results
	fillSpots map[types.Object][]spot    // where fields of places are written, or their address is taken
	stored    map[ast.Expr]bool          // expressions that are assigned to
	satisfies map[*types.Func]bool       // methods that satisfy an interface which has pointers
	apart     map[*ast.AssignStmt]bool   // assignments that are made by proto.Merge
	set       map[types.Object]bool      // places that are assigned after their declaration
	followed  map[*ast.SelectorExpr]bool // members of pointers that groups became
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
		zeros: map[types.Object]string{}, nils: map[ast.Expr]bool{}, from: map[any][]any{}, fillSpots: map[types.Object][]spot{}, stored: map[ast.Expr]bool{},
		satisfies: map[*types.Func]bool{}, set: map[types.Object]bool{}, apart: apart, followed: map[*ast.SelectorExpr]bool{},
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
	x.empty = append(x.empty, y.empty...)
	x.spread = append(x.spread, y.spread...)
	x.ranged = x.ranged || y.ranged
	x.picked = x.picked || y.picked
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
	msg, _, ok := valueShape(obj.Type())
	g := a.fresh(msg)
	if !ok { // a field that has a type parameter
		g.fail(a.p.FileOf(obj.Pos()), objNode(obj), "of a type that is not followed")
	}
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
			s, ok := atlas.LookupIn(sym.Pkg, sym.Name+"."+m.Name(), a.p.Target.Line)
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

// identicalStructs joins the fields of struct types that are written more than
// once: values of one can be used as, or converted to, the other.
func (a *pointers) identicalStructs() {
	var seen []*types.Struct
	for c := range a.p.index.in.Root().Preorder((*ast.StructType)(nil)) {
		st, ok := a.p.Info.TypeOf(c.Node().(*ast.StructType)).(*types.Struct)
		if !ok {
			continue
		}
		for _, other := range seen {
			if !types.IdenticalIgnoreTags(st, other) {
				continue
			}
			for i := range st.NumFields() {
				if _, _, ok := valueShape(st.Field(i).Type()); ok {
					a.join(a.place(other.Field(i)), a.place(st.Field(i)))
				}
			}
			break // the first stands for all
		}
		seen = append(seen, st)
	}
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
	if !ok {
		g := a.fresh(nil)
		a.unfollowed(f, e, g)
		return g
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
			g := a.outside(f, e, msg, obj, func(sig string) ast.Expr { return fieldType(sig) })
			a.nils[e] = g.nilable
			return g
		}
	case *ast.IndexExpr:
		if _, _, ok := a.shapeOf(e.X); !ok {
			return a.stuck(msg, f, e, "an element of a type that is not followed")
		}
		g := a.of(e.X)
		if t := a.p.TypeOf(e.X); t != nil && depth == 0 {
			if _, ok := t.Underlying().(*types.Map); ok && !a.twoValued(e) && !a.stored[e] {
				a.mayBeEmpty(f, e, g)
			}
		}
		return g
	case *ast.SliceExpr:
		return a.of(e.X)
	case *ast.UnaryExpr:
		if e.Op == token.ARROW {
			g := a.of(e.X)
			if depth == 0 && !a.twoValued(e) {
				a.mayBeEmpty(f, e, g)
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

// mayBeEmpty notes a look-up or a receive that gives nil where there is
// nothing.
func (a *pointers) mayBeEmpty(f *File, e ast.Expr, g *group) {
	g = g.root()
	g.nilable = true
	g.empty = append(g.empty, spot{f: f, n: e})
	if _, receive := e.(*ast.UnaryExpr); !receive { // whoever goes on with it knows that the channel is open
		a.nils[e] = true
	}
}

// mayBeNil says whether a place, result or expression may hold nil where it
// held a zero message.
func (a *pointers) mayBeNil(of any, seen map[any]bool) bool {
	if seen[of] {
		return false
	}
	seen[of] = true
	switch of := of.(type) {
	case types.Object:
		if _, zero := a.zeros[of]; zero {
			return true
		}
	case ast.Expr:
		if a.nils[of] {
			return true
		}
		switch e := of.(type) {
		case *ast.ParenExpr:
			return a.mayBeNil(e.X, seen)
		case *ast.Ident, *ast.SelectorExpr:
			v, ok := a.object(e).(*types.Var)
			return ok && a.mayBeNil(types.Object(v.Origin()), seen)
		case *ast.CallExpr:
			if a.p.Info.Types[e.Fun].IsType() {
				return len(e.Args) == 1 && a.mayBeNil(e.Args[0], seen)
			}
			return a.mayBeNil(a.resultSource(e, 0), seen)
		}
		return false
	}
	return slices.ContainsFunc(a.from[of], func(from any) bool { return a.mayBeNil(from, seen) })
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
				if _, slice := info.TypeOf(e).Underlying().(*types.Slice); slice && depth == 1 && len(e.Args) > 1 {
					if n := info.Types[e.Args[1]].Value; n == nil || n.String() != "0" {
						g.fail(f, e, "made with elements, which would be nil")
					}
				}
				return g
			}
			return a.stuck(msg, f, e, "passed to "+b.Name())
		}
	}
	fn := a.p.callee(fun)
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
func (p *Pass) callee(fun ast.Expr) *types.Func {
	switch fun := fun.(type) {
	case *ast.Ident:
		fn, _ := p.Info.Uses[fun].(*types.Func)
		return fn
	case *ast.SelectorExpr:
		fn, _ := p.Info.Uses[fun.Sel].(*types.Func)
		return fn
	}
	return nil
}

// outside returns a group for one use of something that another package
// declares: etcd 3.7 may have a pointer there.
func (a *pointers) outside(f *File, e ast.Node, msg *types.Named, obj types.Object, part func(sig string) ast.Expr) *group {
	sym, _ := a.p.symbol(obj)
	s, ok := atlas.LookupIn(sym.Pkg, sym.Name, a.p.Target.Line)
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
		(*ast.CaseClause)(nil),
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
	a.identicalStructs()
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
			_, _, ok := a.shapeOf(n.Value)
			switch _, _, to := a.shapeOf(n.Chan); {
			case to:
				a.flow(f, n.Value, a.of(n.Chan), false, false)
			case ok:
				a.sink(f, n.Value, "sent as an interface")
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
		case *ast.CaseClause: // of a type switch, with a variable of its own
			if v := a.p.Info.Implicits[n]; v != nil {
				if _, _, ok := valueShape(v.Type()); ok {
					a.place(v).fail(f, n.List[0], "taken out of an interface")
				}
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
	for _, obj := range sortedPlaces(a.places) {
		what, zero := a.zeros[obj]
		if !zero {
			continue
		}
		if a.taken[obj] || a.filled[obj] {
			a.place(obj).fail(a.p.FileOf(obj.Pos()), objNode(obj), what+" that is filled in place, whose zero value would be nil")
		}
	}
	for _, obj := range sortedPlaces(a.places) {
		if v, ok := obj.(*types.Var); !ok || v.IsField() || len(a.fillSpots[obj]) == 0 || !a.mayBeNil(obj, map[any]bool{}) {
			continue
		}
		if g := a.place(obj); len(g.forced) > 0 {
			g.fills = append(g.fills, a.fillSpots[obj]...)
		} else {
			g.fail(a.fillSpots[obj][0].f, a.fillSpots[obj][0].n, "filled in place, where it may be nil")
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
	if !a.clones(g) || g.why != "" || g.merge != nil {
		return
	}
	// A second value has no place in a clone: kv, ok := m[k].
	pair := slices.IndexFunc(g.copies, func(s spot) bool { return a.twoValued(s.n.(ast.Expr)) })
	switch {
	case pair >= 0 && !a.writes[sym]:
		g.why, g.whyAt = "copied where no proto.Clone can stand, and its address goes on", g.copies[pair]
	case pair >= 0:
		g.why, g.whyAt = "copied where no proto.Clone can stand, in a package that writes to its fields", g.copies[pair]
	case g.picked && len(g.spread) > 0:
		g.why, g.whyAt = "copied with its slice, whose elements are written to", g.spread[0]
	case g.ranged && a.writes[sym]:
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

// clones says whether the copies of a group are made with proto.Clone.
func (a *pointers) clones(g *group) bool {
	sym, _ := TypeSymbol(g.msg)
	return a.writes[sym] || g.escapes && isProto(g.msg)
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

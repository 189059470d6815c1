package rules

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ast/inspector"
)

// uses returns the identifiers that mention an object of the package's own,
// definitions included. The table is built when the first rule asks.
func (p *Pass) uses(obj types.Object) []inspector.Cursor {
	x := p.index
	if x.uses == nil {
		x.uses = map[types.Object][]inspector.Cursor{}
		for c := range x.in.Root().Preorder((*ast.Ident)(nil)) {
			id := c.Node().(*ast.Ident)
			var obj types.Object
			if p.Info == nil {
				// The parser takes keys of literals for variables.
				if kv, ok := c.Parent().Node().(*ast.KeyValueExpr); ok && kv.Key == id || x.locals.variable(id) == nil {
					continue
				}
				obj = x.locals.variable(id)
			} else if obj = p.Info.Uses[id]; obj == nil {
				obj = p.Info.Defs[id]
			}
			switch obj := obj.(type) {
			case *types.Var:
				x.uses[obj.Origin()] = append(x.uses[obj.Origin()], c)
			case *types.Func:
				x.uses[obj.Origin()] = append(x.uses[obj.Origin()], c)
			}
		}
	}
	switch o := obj.(type) {
	case *types.Var:
		return x.uses[o.Origin()]
	case *types.Func:
		return x.uses[o.Origin()]
	}
	return nil
}

// object returns the variable or field that an expression names: x, s.x, *x
// and &x alike.
func (p *Pass) object(e ast.Expr) types.Object {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		if p.Info == nil {
			if v := p.index.locals.variable(e); v != nil {
				return v
			}
			return nil
		}
		if o := p.Info.Uses[e]; o != nil {
			return o
		}
		return p.Info.Defs[e]
	case *ast.SelectorExpr:
		if p.Info == nil {
			return nil
		}
		return p.Info.Uses[e.Sel]
	case *ast.StarExpr:
		return p.object(e.X)
	case *ast.UnaryExpr:
		if e.Op == token.AND {
			return p.object(e.X)
		}
	}
	return nil
}

// flow follows a value through the package: it calls visit at each expression
// that holds it, until visit says stop. It goes through variables, fields,
// parameters and results of the package's own functions, append and slice
// literals; not through maps, channels, methods of interfaces or other
// packages.
func (p *Pass) flow(c inspector.Cursor, visit func(inspector.Cursor) (stop bool)) bool {
	w := flow{p, visit, map[types.Object]bool{}}
	return w.expr(c)
}

// flowOf follows what a variable or field holds.
func (p *Pass) flowOf(o types.Object, visit func(inspector.Cursor) (stop bool)) bool {
	w := flow{p, visit, map[types.Object]bool{}}
	return w.object(o)
}

type flow struct {
	p     *Pass
	visit func(inspector.Cursor) bool
	seen  map[types.Object]bool
}

func (w *flow) object(o types.Object) bool {
	v, ok := o.(*types.Var)
	if !ok || w.seen[v] {
		return false
	}
	w.seen[v] = true
	for _, u := range w.p.uses(v) {
		id := u.Node().(*ast.Ident)
		if sel, ok := u.Parent().Node().(*ast.SelectorExpr); ok && sel.Sel == id {
			u = u.Parent()
		}
		if w.expr(u) {
			return true
		}
	}
	return false
}

func (w *flow) expr(c inspector.Cursor) bool {
	if w.visit(c) {
		return true
	}
	p := w.p
	e := c.Node().(ast.Expr)
	pc := c.Parent()
	switch n := pc.Node().(type) {
	case *ast.ParenExpr, *ast.StarExpr, *ast.SliceExpr:
		return w.expr(pc)
	case *ast.UnaryExpr:
		return n.Op == token.AND && w.expr(pc)
	case *ast.CompositeLit:
		if t := p.TypeOf(n); t != nil && e != n.Type {
			switch t.Underlying().(type) {
			case *types.Slice, *types.Array:
				return w.expr(pc)
			}
		} else if _, ok := n.Type.(*ast.ArrayType); ok && e != n.Type {
			return w.expr(pc)
		}
	case *ast.KeyValueExpr:
		if id, ok := n.Key.(*ast.Ident); ok && n.Value == e && p.Info != nil {
			return w.object(p.Info.Uses[id])
		}
	case *ast.AssignStmt:
		for i, r := range n.Rhs {
			if r == e && i < len(n.Lhs) {
				return w.object(p.object(n.Lhs[i]))
			}
		}
	case *ast.ValueSpec:
		for i, r := range n.Values {
			if r == e && i < len(n.Names) {
				return w.object(p.object(n.Names[i]))
			}
		}
	case *ast.ReturnStmt:
		for i, r := range n.Results {
			if r == e {
				return w.result(pc, i)
			}
		}
	case *ast.CallExpr:
		return n.Fun != e && w.argument(pc, n, e)
	}
	return false
}

// argument follows a value into a call.
func (w *flow) argument(c inspector.Cursor, call *ast.CallExpr, arg ast.Expr) bool {
	if id, ok := ast.Unparen(call.Fun).(*ast.Ident); ok && id.Name == "append" {
		return w.expr(c)
	}
	fn, ok := w.p.object(call.Fun).(*types.Func)
	if !ok {
		return false
	}
	params := fn.Signature().Params()
	i := slices.Index(call.Args, arg)
	if w.p.methodExpr(call.Fun) {
		i-- // the first is the receiver
	}
	return i >= 0 && params.Len() > 0 && w.object(params.At(min(i, params.Len()-1)))
}

// methodExpr says whether an expression is a method of a type, such as
// (*T).Method, which takes the receiver as its first argument.
func (p *Pass) methodExpr(fun ast.Expr) bool {
	sel, ok := ast.Unparen(fun).(*ast.SelectorExpr)
	if !ok {
		return false
	}
	s := p.selected(sel)
	return s != nil && s.Kind() == types.MethodExpr
}

// result follows result i of the function around c to its calls.
func (w *flow) result(c inspector.Cursor, i int) bool {
	for fc := range c.Enclosing((*ast.FuncDecl)(nil), (*ast.FuncLit)(nil)) {
		fd, ok := fc.Node().(*ast.FuncDecl)
		if !ok || w.p.Info == nil {
			return false
		}
		fn := w.p.Info.Defs[fd.Name]
		if fn == nil || w.seen[fn] {
			return false
		}
		w.seen[fn] = true
		for _, cc := range w.p.calls(fn) {
			if as, ok := cc.Parent().Node().(*ast.AssignStmt); ok && len(as.Rhs) == 1 && i < len(as.Lhs) {
				if w.object(w.p.object(as.Lhs[i])) {
					return true
				}
			} else if w.expr(cc) {
				return true
			}
		}
		return false
	}
	return false
}

// calls returns the calls of a function of the package.
func (p *Pass) calls(fn types.Object) []inspector.Cursor {
	var out []inspector.Cursor
	for _, c := range p.uses(fn) {
		e := c.Node().(ast.Expr)
		if sel, ok := c.Parent().Node().(*ast.SelectorExpr); ok && sel.Sel == e {
			e, c = sel, c.Parent()
		}
		if call, ok := c.Parent().Node().(*ast.CallExpr); ok && call.Fun == e {
			out = append(out, c.Parent())
		}
	}
	return out
}

// valuesOf returns the expressions that a variable or field is set to in the
// package. all is false when it may be set in other ways too: a parameter, an
// exported field, an address that was taken.
func (p *Pass) valuesOf(o types.Object) (values []inspector.Cursor, all bool) {
	v, ok := o.(*types.Var)
	if !ok {
		return nil, false
	}
	all = !v.Exported() || !v.IsField() && p.Pkg != nil && v.Parent() != p.Pkg.Scope()
	value := func(c inspector.Cursor, e ast.Expr) {
		if vc, ok := c.FindNode(e); ok {
			values = append(values, vc)
		}
	}
	for _, u := range p.uses(v) {
		id := u.Node().(*ast.Ident)
		var e ast.Expr = id
		if sel, ok := u.Parent().Node().(*ast.SelectorExpr); ok && sel.Sel == id {
			e, u = sel, u.Parent()
		}
		switch n := u.Parent().Node().(type) {
		case *ast.AssignStmt:
			for i, l := range n.Lhs {
				switch {
				case l != e:
				case len(n.Lhs) == len(n.Rhs):
					value(u.Parent(), n.Rhs[i])
				case len(n.Rhs) == 1:
					value(u.Parent(), n.Rhs[0]) // a call with several results
				}
			}
		case *ast.ValueSpec:
			for i, name := range n.Names {
				switch {
				case name != e:
				case len(n.Names) == len(n.Values):
					value(u.Parent(), n.Values[i])
				case len(n.Values) == 1:
					value(u.Parent(), n.Values[0])
				}
			}
		case *ast.KeyValueExpr:
			if n.Key == e {
				value(u.Parent(), n.Value)
			}
		case *ast.Field: // a parameter, or the declaration of a field
			if v.IsField() {
				break
			}
			fd, i := parameter(u, id)
			if fd == nil || fd.Name.IsExported() || p.Info == nil {
				all = false
				break
			}
			fn := p.Info.Defs[fd.Name]
			calls := p.calls(fn)
			all = all && len(calls) == len(p.uses(fn))-1 && i < fn.Type().(*types.Signature).Params().Len() && !fn.Type().(*types.Signature).Variadic()
			for _, cc := range calls {
				call, i := cc.Node().(*ast.CallExpr), i
				if p.methodExpr(call.Fun) {
					i++ // behind the receiver
				}
				if i < len(call.Args) {
					value(cc, call.Args[i])
				}
			}
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				all = false
			}
		case *ast.RangeStmt:
			all = all && n.Key != e && n.Value != e
		}
	}
	return values, all
}

// parameter returns the function that declares a parameter at an identifier,
// and which parameter it is.
func parameter(c inspector.Cursor, id *ast.Ident) (*ast.FuncDecl, int) {
	ft, ok := c.Parent().Parent().Parent().Node().(*ast.FuncType)
	if !ok {
		return nil, 0
	}
	fd, ok := c.Parent().Parent().Parent().Parent().Node().(*ast.FuncDecl)
	if !ok {
		return nil, 0
	}
	i := 0
	for _, field := range ft.Params.List {
		for _, name := range field.Names {
			if name == id {
				return fd, i
			}
			i++
		}
	}
	return nil, 0 // a result
}

// declaration returns the cursor at a function's declaration in the package.
func (p *Pass) declaration(fn types.Object) (inspector.Cursor, bool) {
	for _, u := range p.uses(fn) {
		if fd, ok := u.Parent().Node().(*ast.FuncDecl); ok && fd.Name == u.Node() {
			return u.Parent(), true
		}
	}
	return inspector.Cursor{}, false
}

// repeatable says whether an expression may be evaluated once more: names,
// fields, indexes, operators and conversions.
func (p *Pass) repeatable(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident, *ast.BasicLit:
		return true
	case *ast.SelectorExpr:
		return p.repeatable(e.X)
	case *ast.StarExpr:
		return p.repeatable(e.X)
	case *ast.ParenExpr:
		return p.repeatable(e.X)
	case *ast.IndexExpr:
		return p.repeatable(e.X) && p.repeatable(e.Index)
	case *ast.BinaryExpr:
		return p.repeatable(e.X) && p.repeatable(e.Y)
	case *ast.CallExpr:
		return p.Info != nil && p.Info.Types[e.Fun].IsType() && len(e.Args) == 1 && p.repeatable(e.Args[0])
	}
	return false
}

// assignment returns the assignment that an expression is a left side of, and
// which.
func assignment(c inspector.Cursor) (*ast.AssignStmt, int) {
	if as, ok := c.Parent().Node().(*ast.AssignStmt); ok {
		for i, l := range as.Lhs {
			if l == c.Node() {
				return as, i
			}
		}
	}
	return nil, 0
}

// literalOf returns the composite literal that an expression is, or is the
// address of.
func literalOf(e ast.Expr) *ast.CompositeLit {
	switch e := ast.Unparen(e).(type) {
	case *ast.CompositeLit:
		return e
	case *ast.UnaryExpr:
		if e.Op == token.AND {
			return literalOf(e.X)
		}
	}
	return nil
}

// literal returns the composite literal that an expression is, or that the
// variable which it names is set to once.
func (p *Pass) literal(c inspector.Cursor) *ast.CompositeLit {
	e := c.Node().(ast.Expr)
	if lit := literalOf(e); lit != nil {
		return lit
	}
	values, all := p.valuesOf(p.object(e))
	if !all || len(values) != 1 {
		return nil
	}
	return literalOf(values[0].Node().(ast.Expr))
}

// assigns says whether a field of what a variable or another field holds is
// assigned anywhere.
func (p *Pass) assigns(e ast.Expr, field string) bool {
	for _, u := range p.uses(p.object(e)) {
		if sel, ok := u.Parent().Node().(*ast.SelectorExpr); ok && sel.Sel == u.Node() {
			u = u.Parent()
		}
		if sel, ok := u.Parent().Node().(*ast.SelectorExpr); ok && sel.X == u.Node() && sel.Sel.Name == field {
			if as, _ := assignment(u.Parent()); as != nil {
				return true
			}
		}
	}
	return false
}

// assignedTo returns the field that an expression is stored in by its parent:
// a key of a struct literal or an assignment.
func (p *Pass) assignedTo(c inspector.Cursor) (Symbol, bool) {
	e, ok := c.Node().(ast.Expr)
	if !ok {
		return Symbol{}, false
	}
	switch n := c.Parent().Node().(type) {
	case *ast.KeyValueExpr:
		if id, ok := n.Key.(*ast.Ident); ok && n.Value == e {
			s, ok := p.index.refOf[id]
			return s, ok
		}
	case *ast.AssignStmt:
		for i, r := range n.Rhs {
			if r != e || len(n.Lhs) != len(n.Rhs) {
				continue
			}
			if sel, ok := ast.Unparen(n.Lhs[i]).(*ast.SelectorExpr); ok {
				s, ok := p.index.refOf[sel.Sel]
				return s, ok
			}
		}
	}
	return Symbol{}, false
}

// symbol names an object of an etcd or gRPC package.
func (p *Pass) symbol(o types.Object) (Symbol, bool) {
	if o == nil || o.Pkg() == nil || !indexed(o.Pkg().Path()) {
		return Symbol{}, false
	}
	name := p.index.name(o)
	return Symbol{canonical(o.Pkg().Path()), name}, name != ""
}

// symbolOf returns the etcd or gRPC symbol that an expression names, if any.
func (p *Pass) symbolOf(e ast.Expr) Symbol {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		return p.index.refOf[e]
	case *ast.SelectorExpr:
		return p.index.refOf[e.Sel]
	}
	return Symbol{}
}

// etcdOption tells whether a gRPC dial option ends in the DialOptions of a
// clientv3.Config, and at which expression that is stored there.
func (p *Pass) etcdOption(c inspector.Cursor) (stored inspector.Cursor, ok bool) {
	ok = p.flow(c, func(c inspector.Cursor) bool {
		stored = c
		s, ok := p.assignedTo(c)
		return ok && s == Symbol{"clientv3", "Config.DialOptions"}
	})
	return stored, ok
}

// handedOn says whether a value ends in a call of what the package does not
// declare, such as grpc.Dial beside clientv3.New.
func (p *Pass) handedOn(c inspector.Cursor) bool {
	return p.flow(c, func(c inspector.Cursor) bool {
		call, ok := parent(c).Node().(*ast.CallExpr)
		if !ok || ast.Unparen(call.Fun) == c.Node() {
			return false
		}
		if id, ok := ast.Unparen(call.Fun).(*ast.Ident); ok && (id.Name == "append" || id.Name == "len") {
			return false
		}
		fn, ok := p.object(call.Fun).(*types.Func)
		if !ok {
			return true
		}
		_, own := p.declaration(fn)
		return !own // its parameter is followed
	})
}

// listOf returns the list that an expression is an element of: of a composite
// literal, or of the arguments of append behind the slice.
func listOf(c inspector.Cursor) (list []ast.Expr, i int, ok bool) {
	switch n := c.Parent().Node().(type) {
	case *ast.CompositeLit:
		list = n.Elts
	case *ast.CallExpr:
		id, is := ast.Unparen(n.Fun).(*ast.Ident)
		if !is || id.Name != "append" || n.Args[0] == c.Node() || n.Ellipsis.IsValid() {
			return nil, 0, false
		}
		list = n.Args
	}
	i = slices.Index(list, c.Node().(ast.Expr))
	return list, i, i >= 0
}

// statement returns the statement around a cursor that stands directly in a
// block or case, so that others can be put before and after it.
func statement(c inspector.Cursor) (inspector.Cursor, bool) {
	for ; c.Node() != nil; c = c.Parent() {
		if _, ok := c.Node().(ast.Stmt); ok {
			switch c.Parent().Node().(type) {
			case *ast.BlockStmt, *ast.CaseClause, *ast.CommClause:
				return c, true
			}
		}
		if _, ok := c.Node().(*ast.File); ok {
			break
		}
	}
	return inspector.Cursor{}, false
}

// constant returns the value of an expression that is one: a constant, or a
// variable of the package that is set once, to a constant, and whose address
// nobody takes.
func (p *Pass) constant(e ast.Expr) (tv types.TypeAndValue, ok bool) {
	if p.Info == nil {
		return tv, false
	}
	if tv = p.Info.Types[e]; tv.Value != nil {
		return tv, true
	}
	v, isVar := p.object(e).(*types.Var)
	if !isVar || v.IsField() || v.Exported() {
		return tv, false
	}
	var value ast.Expr
	for _, u := range p.uses(v) {
		id := u.Node().(*ast.Ident)
		switch n := u.Parent().Node().(type) {
		case *ast.ValueSpec:
			for i, name := range n.Names {
				if name == id && i < len(n.Values) && value == nil {
					value = n.Values[i]
				}
			}
		case *ast.AssignStmt:
			for i, l := range n.Lhs {
				if l != id {
					continue
				}
				if value != nil || len(n.Lhs) != len(n.Rhs) || n.Tok != token.DEFINE {
					return tv, false
				}
				value = n.Rhs[i]
			}
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				return tv, false
			}
		case *ast.IncDecStmt, *ast.RangeStmt:
			return tv, false
		}
	}
	if value == nil {
		return tv, false
	}
	tv = p.Info.Types[value]
	return tv, tv.Value != nil
}

// onlyUse says whether an expression is a variable of a function that nothing
// else uses, so that the function does not compile without it.
func (p *Pass) onlyUse(e ast.Expr) bool {
	o := p.object(e)
	return p.local(o) && len(p.uses(o)) < 3
}

// local says whether an object is a variable of a function, which has to be
// used, not a parameter.
func (p *Pass) local(o types.Object) bool {
	v, ok := o.(*types.Var)
	return ok && p.Info != nil && v.Pkg() == p.Pkg && !v.IsField() && v.Parent() != p.Pkg.Scope() && !slices.ContainsFunc(p.uses(v), func(c inspector.Cursor) bool {
		_, param := c.Parent().Node().(*ast.Field)
		return param
	})
}

// remove deletes elements of a comma-separated list, with their commas and, if
// each has its lines to itself, with the lines and the comments on them.
func (c Change) remove(f *File, list []ast.Expr, gone ...int) {
	type span struct{ start, end int }
	var lines []span
	for _, i := range gone {
		start, after := f.Offset(list[i].Pos()), skipSpace(f.Src, f.Offset(list[i].End()))
		first := f.Offset(f.tok.LineStart(f.tok.Line(list[i].Pos())))
		if skipSpace(f.Src, first) != start || after == len(f.Src) || f.Src[after] != ',' {
			break
		}
		rest := string(f.Src[skipSpace(f.Src, after+1):])
		if !strings.HasPrefix(rest, "\n") && !strings.HasPrefix(rest, "\r\n") && !strings.HasPrefix(rest, "//") {
			break
		}
		lines = append(lines, span{first, lineEnd(f.Src, after)})
	}
	if len(lines) == len(gone) {
		for _, l := range lines {
			c.replace(f, l.start, l.end, "")
		}
		return
	}
	for i := 0; i < len(list); i++ {
		if !slices.Contains(gone, i) {
			continue
		}
		j := i // the last of a run
		for slices.Contains(gone, j+1) {
			j++
		}
		switch { // commas by themselves, since the neighbour may go by another rule
		case j+1 < len(list):
			c.Replace(f, list[i].Pos(), list[j].End(), "")
			c.Replace(f, list[j].End(), list[j+1].Pos(), "")
		case i > 0:
			c.Replace(f, list[i-1].End(), list[i].Pos(), "")
			c.Replace(f, list[i].Pos(), list[j].End(), "")
		default: // nothing is left; a comma at the end must go too
			end := skipSpace(f.Src, f.Offset(list[j].End()))
			if end < len(f.Src) && f.Src[end] == ',' {
				end++
			}
			c.replace(f, f.Offset(list[i].Pos()), end, "")
		}
		i = j
	}
}

// removeStmt deletes a statement, with its line where nothing else is on it.
func (c Change) removeStmt(f *File, s ast.Node) {
	start, end := f.Offset(s.Pos()), f.Offset(s.End())
	lineStart := f.Offset(f.tok.LineStart(f.tok.Line(s.Pos())))
	rest := skipSpace(f.Src, end)
	if skipSpace(f.Src, lineStart) == start && (rest == len(f.Src) || f.Src[rest] == '\n' || f.Src[rest] == '\r') {
		c.replace(f, lineStart, lineEnd(f.Src, rest), "")
		return
	}
	c.replace(f, start, end, "")
}

func skipSpace(src []byte, i int) int {
	for i < len(src) && (src[i] == ' ' || src[i] == '\t') {
		i++
	}
	return i
}

// lineEnd returns the offset after the line break of the line that holds i.
func lineEnd(src []byte, i int) int {
	for i < len(src) && src[i] != '\n' {
		i++
	}
	return min(i+1, len(src))
}

// addField adds "name: value" to a keyed struct literal: on a line of its own
// if the literal has its elements on lines, else at its end.
func (c Change) addField(f *File, lit *ast.CompositeLit, name, value string) {
	if n := len(lit.Elts); n > 0 {
		last := lit.Elts[n-1]
		if f.SameLine(last.End(), lit.Rbrace) {
			c.Insert(f, last.End(), ", "+name+": "+value)
			return
		}
		// Before the line of the closing brace, behind comments on the last
		// element.
		at := f.tok.LineStart(f.tok.Line(lit.Rbrace))
		c.Insert(f, at, f.Indent(last.Pos())+name+": "+value+","+f.NL())
		return
	}
	c.Insert(f, lit.Rbrace, name+": "+value)
}

// parent returns the node around a cursor, without parentheses.
func parent(c inspector.Cursor) inspector.Cursor {
	for c = c.Parent(); ; c = c.Parent() {
		if _, ok := c.Node().(*ast.ParenExpr); !ok {
			return c
		}
	}
}

// fieldUse is one mention of a struct's field.
type fieldUse struct {
	Ref
	kv     *ast.KeyValueExpr // as a key of lit
	lit    *ast.CompositeLit
	assign *ast.AssignStmt  // as a left side, Lhs[i]
	value  ast.Expr         // what it is set to; nil when it is read or several values are assigned at once
	alone  bool             // assign stands in a block and sets nothing else
	expr   ast.Expr         // the selector, or the key
	cursor inspector.Cursor // at expr
}

// read says whether the mention takes the field's value.
func (u fieldUse) read() bool { return u.kv == nil && u.assign == nil && !u.addressed() }

func (u fieldUse) addressed() bool {
	n, ok := u.cursor.Parent().Node().(*ast.UnaryExpr)
	return ok && n.Op == token.AND
}

// base returns the source of the struct whose field is named by a selector.
func (u fieldUse) base() string {
	if sel := u.Selector(); sel != nil {
		return u.File.Text(sel.X)
	}
	return ""
}

func useOf(r Ref) fieldUse {
	u := fieldUse{Ref: r}
	u.expr, u.cursor = r.Expr()
	if kv, ok := r.Cursor.Parent().Node().(*ast.KeyValueExpr); ok && kv.Key == r.Ident {
		if lit, ok := r.Cursor.Parent().Parent().Node().(*ast.CompositeLit); ok {
			u.kv, u.lit, u.value = kv, lit, kv.Value
			return u
		}
	}
	as, i := assignment(u.cursor)
	if as == nil {
		return u
	}
	u.assign = as
	if len(as.Lhs) == len(as.Rhs) && as.Tok == token.ASSIGN {
		u.value = as.Rhs[i]
	}
	sc, ok := statement(u.cursor)
	u.alone = ok && sc.Node() == as && len(as.Lhs) == 1 && u.value != nil
	return u
}

// drop removes the setting of a field.
func (u fieldUse) drop(c Change) {
	if u.kv != nil {
		c.remove(u.File, u.lit.Elts, slices.Index(u.lit.Elts, ast.Expr(u.kv)))
	} else {
		c.removeStmt(u.File, u.assign)
	}
}

// settable says whether the field is set where drop can remove it.
func (u fieldUse) settable() bool { return u.kv != nil || u.alone }

package rules

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/ast/inspector"
)

// InScope returns the name of a variable that can be used at a position and
// whose type is wanted: the innermost, and of several in one scope the last
// before the position. At package level it must be the only one. Variables
// that have no value yet are passed over. It is "" where there is none, or no
// types.
func (p *Pass) InScope(pos token.Pos, want func(types.Type) bool) string {
	if p.Pkg == nil {
		return ""
	}
	for s := p.Pkg.Scope().Innermost(pos); s != nil && s != types.Universe; s = s.Parent() {
		var best *types.Var
		n := 0
		for _, name := range s.Names() {
			v, ok := s.Lookup(name).(*types.Var)
			if !ok || name == "_" || !want(v.Type()) {
				continue
			}
			if at, obj := s.Innermost(pos).LookupParent(name, pos); at == nil || obj != v {
				continue // shadowed, or not declared yet
			}
			if s == p.Pkg.Scope() && p.initializes(v, pos) || s != p.Pkg.Scope() && p.unset(v, pos) {
				continue
			}
			n++
			if best == nil || best.Pos() < v.Pos() {
				best = v
			}
		}
		if best != nil && (s != p.Pkg.Scope() || n == 1) {
			return best.Name()
		}
	}
	return ""
}

// initializes says whether what stands at a position is run to give a variable
// of package level its first value. A use there would be a cycle.
func (p *Pass) initializes(v *types.Var, pos token.Pos) bool {
	seen := map[types.Object]bool{}
	var declares func(types.Object) bool
	declares = func(o types.Object) bool {
		if o == nil || seen[o] || o.Pkg() != p.Pkg {
			return false
		}
		seen[o] = true
		for _, u := range p.uses(o) {
			decl := u.Parent().Node()
			switch decl.(type) {
			case *ast.ValueSpec, *ast.FuncDecl:
			default:
				continue
			}
			if p.Info.Defs[u.Node().(*ast.Ident)] == nil {
				continue
			}
			found := decl.Pos() <= pos && pos < decl.End()
			ast.Inspect(decl, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok && !found {
					found = declares(p.Info.Uses[id])
				}
				return !found
			})
			return found
		}
		return false
	}
	return declares(v)
}

// unset says whether a variable of a function was declared without a value and
// has none at a position, as far as the text before it tells.
func (p *Pass) unset(v *types.Var, pos token.Pos) bool {
	zero := false
	for _, u := range p.uses(v) {
		id := u.Node().(*ast.Ident)
		if id.Pos() >= pos {
			continue
		}
		switch n := u.Parent().Node().(type) {
		case *ast.ValueSpec:
			zero = zero || p.Info.Defs[id] != nil && len(n.Values) == 0
		case *ast.Field:
			ft, ok := u.Parent().Parent().Parent().Node().(*ast.FuncType)
			zero = zero || ok && ft.Results == u.Parent().Parent().Node()
		case *ast.AssignStmt:
			if as, _ := assignment(u); as != nil {
				return false
			}
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				return false
			}
		}
	}
	return zero
}

// receiverField returns the field of a method's receiver that has a wanted
// type and that the package itself calls methods of, as x.field. It is "" where
// there is none or several, and for uses in function literals, which may run
// when the receiver is another.
func (p *Pass) receiverField(c inspector.Cursor, want func(types.Type) bool) string {
	decl, ok := enclosingFunction(c).(*ast.FuncDecl)
	if !ok || p.Info == nil || decl.Recv == nil || len(decl.Recv.List[0].Names) == 0 {
		return ""
	}
	recv := decl.Recv.List[0].Names[0]
	obj, ok := p.Info.Defs[recv].(*types.Var)
	if !ok {
		return ""
	}
	s, ok := deref(obj.Type()).Underlying().(*types.Struct)
	if !ok {
		return ""
	}
	var field *types.Var
	for i := range s.NumFields() {
		if want(s.Field(i).Type()) && !s.Field(i).Embedded() {
			if field != nil {
				return ""
			}
			field = s.Field(i)
		}
	}
	if field == nil {
		return ""
	}
	if at, there := p.Pkg.Scope().Innermost(c.Node().Pos()).LookupParent(recv.Name, c.Node().Pos()); at == nil || there != obj {
		return "" // shadowed
	}
	for use := range p.usesOf(field) {
		sel := use.Parent() // x.field
		if _, ok := sel.Parent().Node().(*ast.SelectorExpr); ok {
			return recv.Name + "." + field.Name()
		}
	}
	return ""
}

// isPointerTo says whether a type is a pointer to a named type.
func isPointerTo(pkg, name string) func(types.Type) bool {
	return func(t types.Type) bool {
		_, ptr := types.Unalias(t).(*types.Pointer)
		return ptr && IsType(t, pkg, name)
	}
}

// isNamed says whether a type is a named type itself.
func isNamed(pkg, name string) func(types.Type) bool {
	return func(t types.Type) bool {
		_, ptr := types.Unalias(t).(*types.Pointer)
		return !ptr && IsType(t, pkg, name)
	}
}

// Simple says whether an expression can be written a second time without
// doing anything twice.
func Simple(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident, *ast.BasicLit:
		return true
	case *ast.SelectorExpr:
		return Simple(e.X)
	case *ast.ParenExpr:
		return Simple(e.X)
	case *ast.BinaryExpr:
		return Simple(e.X) && Simple(e.Y)
	case *ast.StarExpr:
		return Simple(e.X)
	}
	return false
}

// redeclares says whether a mention embeds a type in a struct that has a field or
// a method of another name already.
func (p *Pass) redeclares(r Ref, name string) bool {
	if p.Info == nil || name == r.Ident.Name {
		return false
	}
	v, ok := p.Info.Defs[r.Ident].(*types.Var)
	if !ok || !v.Embedded() {
		return false
	}
	for c := range r.Cursor.Enclosing((*ast.StructType)(nil)) {
		if st, ok := p.TypeOf(c.Node().(ast.Expr)).(*types.Struct); ok {
			for f := range st.Fields() {
				if f.Name() == name {
					return true
				}
			}
		}
		spec, ok := c.Parent().Node().(*ast.TypeSpec)
		if !ok {
			return false
		}
		n, ok := p.Info.Defs[spec.Name].Type().(*types.Named)
		return ok && ownMethod(n, name) != nil
	}
	return false
}

// followEmbedded renames the field that an embedded type declares, where the
// type is called otherwise from now on.
func (c Change) followEmbedded(id *ast.Ident, now string) {
	if c.p.Info == nil || id.Name == now {
		return
	}
	v, ok := c.p.Info.Defs[id].(*types.Var)
	if !ok || !v.Embedded() {
		return
	}
	for _, u := range c.p.uses(v) {
		c.ReplaceNode(c.p.FileOf(u.Node().Pos()), u.Node(), now)
	}
}

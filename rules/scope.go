package rules

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/ast/inspector"
)

// InScope returns the name of a variable that can be used at a position and
// whose type is wanted: the innermost, and of several in one scope the last
// before the position. At package level it must be the only one. It is ""
// where there is none, or no types.
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

package rules

import (
	"go/ast"
	"go/token"
	"go/types"
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

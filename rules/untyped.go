package rules

import (
	"go/ast"
	"go/types"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// locals tells, in packages without types, what the variables of a file are:
// those declared with an etcd type, set to a literal of one, or to the result
// of an etcd function whose signature the atlas has. The parser's own
// resolution of names within a file, shadowing included, says which variable an
// identifier is.
type locals struct {
	pkg      *Package
	declared map[string]bool
	types    map[*ast.Object]Symbol
	vars     map[*ast.Object]*types.Var // stand-ins for the objects of a type checker
}

// typeOf returns the etcd type of a local variable, or of what it points to.
func (l *locals) typeOf(f *File, id *ast.Ident) (Symbol, bool) {
	o := id.Obj
	if o == nil || o.Kind != ast.Var {
		return Symbol{}, false
	}
	if s, ok := l.types[o]; ok {
		return s, s.Name != ""
	}
	l.types[o] = Symbol{} // also while it is being looked at
	s := l.declaration(f, o)
	l.types[o] = s
	return s, s.Name != ""
}

func (l *locals) declaration(f *File, o *ast.Object) Symbol {
	switch d := o.Decl.(type) {
	case *ast.Field:
		return l.typeExpr(f, d.Type)
	case *ast.ValueSpec:
		if d.Type != nil {
			return l.typeExpr(f, d.Type)
		}
		for i, n := range d.Names {
			if n.Name == o.Name {
				return l.nth(f, d.Values, len(d.Names), i)
			}
		}
	case *ast.AssignStmt:
		for i, e := range d.Lhs {
			if n, ok := e.(*ast.Ident); ok && n.Name == o.Name {
				return l.nth(f, d.Rhs, len(d.Lhs), i)
			}
		}
	}
	return Symbol{}
}

func (l *locals) typeExpr(f *File, e ast.Expr) Symbol {
	switch e := e.(type) {
	case *ast.StarExpr:
		return l.typeExpr(f, e.X)
	case *ast.SelectorExpr:
		s, _ := f.qualified(l.pkg, e, l.declared)
		return s
	}
	return Symbol{}
}

// nth returns the type of the i-th of n variables that values are assigned to.
func (l *locals) nth(f *File, values []ast.Expr, n, i int) Symbol {
	result := 0
	switch {
	case len(values) == n:
		values = values[i:]
	case len(values) == 1:
		result = i
	default:
		return Symbol{}
	}
	e := ast.Unparen(values[0])
	if lit := literalOf(e); lit != nil && result == 0 {
		return l.typeExpr(f, lit.Type)
	}
	switch e := e.(type) {
	case *ast.Ident:
		s, _ := l.typeOf(f, e)
		return s
	case *ast.CallExpr:
		sel, ok := e.Fun.(*ast.SelectorExpr)
		if !ok {
			return Symbol{}
		}
		fn, ok := f.qualified(l.pkg, sel, l.declared)
		if !ok {
			return Symbol{}
		}
		for _, release := range []string{"3.4.31", "3.3.27", "3.5.35"} {
			if s, ok := atlas.Lookup(fn.Pkg, fn.Name, release); ok {
				sig, ok := parseSignature(s.Sig)
				if !ok || result >= len(sig.results) {
					return Symbol{}
				}
				if t := strings.TrimPrefix(sig.results[result].typ, "*"); ast.IsExported(t) && !strings.Contains(t, ".") {
					return Symbol{fn.Pkg, t}
				}
				return Symbol{}
			}
		}
	}
	return Symbol{}
}

// member names a member of a type as the type checker would: one that it takes
// from an interface that it embeds by that interface.
func (l *locals) member(t Symbol, name string) Symbol {
	for _, release := range []string{"3.4.31", "3.3.27", "3.5.35"} {
		s, ok := atlas.Lookup(t.Pkg, t.Name+"."+name, release)
		if !ok || !s.Promoted {
			continue
		}
		for _, m := range atlas.Symbols(t.Pkg, release) {
			embedded, ok := strings.CutPrefix(m.Sig, "embed ")
			if !ok || !strings.HasPrefix(m.Name, t.Name+".") {
				continue
			}
			embedded = strings.TrimPrefix(embedded, "*")
			if o, ok := atlas.Lookup(t.Pkg, embedded+"."+name, release); ok && !o.Promoted {
				return Symbol{t.Pkg, embedded + "." + name}
			}
		}
	}
	return Symbol{t.Pkg, t.Name + "." + name}
}

// variable stands in for the object of a variable of the file.
func (l *locals) variable(id *ast.Ident) *types.Var {
	o := id.Obj
	if o == nil || o.Kind != ast.Var {
		return nil
	}
	if l.vars[o] == nil {
		l.vars[o] = types.NewVar(o.Pos(), nil, o.Name, types.Typ[types.Invalid])
	}
	return l.vars[o]
}

// untyped returns the selectors of a package without types that may name a
// field or method of an etcd type: those called so in a file that imports the
// etcd package, whose operand nothing is known of. They are for findings only.
func (p *Pass) untyped(pkg, name string) []Ref {
	if p.Info != nil {
		return nil
	}
	var out []Ref
	for c := range p.index.in.Root().Preorder((*ast.SelectorExpr)(nil)) {
		sel := c.Node().(*ast.SelectorExpr)
		if _, known := p.index.refOf[sel.Sel]; sel.Sel.Name != name || known {
			continue
		}
		f := p.FileOf(sel.Pos())
		for _, i := range f.imps {
			if i.rel == pkg {
				id, _ := c.LastChild()
				out = append(out, Ref{Symbol: Symbol{pkg, name}, File: f, Ident: sel.Sel, Cursor: id, Tier: edit.Syntax})
				break
			}
		}
	}
	return out
}

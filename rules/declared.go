package rules

import (
	"go/ast"
	"go/types"
	"maps"
	"slices"
	"strings"
)

// declared is a type of the package with what is written about it in the
// package's files.
type declared struct {
	Name    string
	File    *File
	Spec    *ast.TypeSpec // nil when the declaration is not among the files
	Struct  *ast.StructType
	Methods map[string]method
}

// method is a method of a declared type.
type method struct {
	File *File
	Decl *ast.FuncDecl
}

// declaredTypes lists the types of the package that have methods, by name.
func (p *Pass) declaredTypes() []*declared {
	byName := map[string]*declared{}
	get := func(name string) *declared {
		if byName[name] == nil {
			byName[name] = &declared{Name: name, Methods: map[string]method{}}
		}
		return byName[name]
	}
	for _, f := range p.Files {
		for _, d := range f.AST.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if name := receiver(d); name != "" {
					get(name).Methods[d.Name.Name] = method{f, d}
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if ts, ok := s.(*ast.TypeSpec); ok {
						t := get(ts.Name.Name)
						t.File, t.Spec = f, ts
						t.Struct, _ = ts.Type.(*ast.StructType)
					}
				}
			}
		}
	}
	var out []*declared
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		if t := byName[name]; len(t.Methods) > 0 {
			out = append(out, t)
		}
	}
	return out
}

// receiver names the type of a method's receiver, "" for functions.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) != 1 {
		return ""
	}
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.ParenExpr:
			t = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

// has says whether the type declares all of the methods.
func (t *declared) has(names ...string) bool {
	for _, n := range names {
		if _, ok := t.Methods[n]; !ok {
			return false
		}
	}
	return true
}

// embeds says whether the struct embeds one of the types of a package, by
// the names of the types; none for any type of it.
func (t *declared) embeds(p *Pass, pkg string, names ...string) bool {
	if t.Struct == nil {
		return false
	}
	for _, field := range t.Struct.Fields.List {
		if len(field.Names) > 0 {
			continue
		}
		for _, r := range p.RefsTo(pkg) {
			if field.Type.Pos() <= r.Ident.Pos() && r.Ident.End() <= field.Type.End() && (len(names) == 0 || slices.Contains(names, r.Name)) {
				return true
			}
		}
	}
	return false
}

// promotes returns a type of the package that the struct embeds, by way of
// others or not, and that declares one of the methods; nil for none. Beside it
// an embedded implementation would make that method ambiguous.
func (t *declared) promotes(own []*declared, names ...string) *declared {
	for _, e := range t.below(own) {
		if slices.ContainsFunc(names, func(n string) bool { return e.has(n) }) {
			return e
		}
	}
	return nil
}

// below returns the types of the package that the struct embeds, by way of
// others or not. Pointers may lead back to where they come from.
func (t *declared) below(own []*declared) []*declared {
	out := []*declared{t}
	for i := 0; i < len(out); i++ {
		for _, e := range out[i].bases(own) {
			if !slices.Contains(out, e) {
				out = append(out, e)
			}
		}
	}
	return out[1:]
}

// bases returns the types of the package that the struct embeds.
func (t *declared) bases(own []*declared) []*declared {
	var out []*declared
	if t.Struct == nil {
		return nil
	}
	for _, field := range t.Struct.Fields.List {
		typ := field.Type
		if star, ok := typ.(*ast.StarExpr); ok {
			typ = star.X
		}
		if id, ok := typ.(*ast.Ident); ok && len(field.Names) == 0 && id.Name != t.Name {
			i := slices.IndexFunc(own, func(e *declared) bool { return e.Name == id.Name })
			if i >= 0 {
				out = append(out, own[i])
			}
		}
	}
	return out
}

// field says whether the struct has a field of a name.
func (t *declared) field(name string) bool {
	return t.Struct != nil && slices.ContainsFunc(t.Struct.Fields.List, func(f *ast.Field) bool {
		return slices.ContainsFunc(f.Names, func(id *ast.Ident) bool { return id.Name == name })
	})
}

// unkeyed says whether a literal of the type lists its fields without names,
// so that a field cannot be added.
func (p *Pass) unkeyed(t *declared) bool {
	found := false
	for c := range p.Inspector().Root().Preorder((*ast.CompositeLit)(nil)) {
		lit := c.Node().(*ast.CompositeLit)
		if len(lit.Elts) > 0 && !(Literal{Lit: lit}).Keyed() && p.makes(lit, t) {
			found = true
		}
	}
	return found
}

// makes says whether a literal is one of a type. Without types that is seen
// only where it names it.
func (p *Pass) makes(lit *ast.CompositeLit, t *declared) bool {
	if typ := p.TypeOf(lit); typ != nil {
		n, ok := types.Unalias(deref(typ)).(*types.Named)
		return ok && n.Obj().Pkg() == p.Pkg && n.Obj().Parent() == p.Pkg.Scope() && n.Obj().Name() == t.Name
	}
	id, ok := lit.Type.(*ast.Ident)
	return ok && id.Name == t.Name
}

// embed adds an embedded field to a struct, as its first.
func (c Change) embed(t *declared, path, name string) {
	f, l := t.File, t.Struct.Fields
	text := c.Qualified(f, path, name)
	if f.SameLine(l.Opening, l.Closing) {
		if len(l.List) == 0 {
			c.Insert(f, l.Opening+1, " "+text+" ")
		} else {
			c.Insert(f, l.List[0].Pos(), text+"; ")
		}
		return
	}
	indent := f.Indent(t.Spec.Pos()) + "\t"
	if len(l.List) > 0 {
		indent = f.Indent(l.List[0].Pos())
	}
	nl := f.NL()
	text = nl + indent + text
	if len(l.List) > 0 {
		text += nl // a paragraph of its own
	}
	c.Insert(f, l.Opening+1, text)
}

// addMethods writes methods after the last of those that a type has in the
// file of one of them. In text, RECV stands for the receiver and its name for
// R.
func (c Change) addMethods(t *declared, beside string, texts ...string) {
	m := t.Methods[beside]
	last := m.Decl
	for _, o := range t.Methods {
		if o.File == m.File && o.Decl.Pos() > last.Pos() {
			last = o.Decl
		}
	}
	recv, name := m.Decl.Recv.List[0], t.receiverName(beside)
	nl := m.File.NL()
	out := ""
	for _, text := range texts {
		text = strings.ReplaceAll(text, "RECV", "("+name+" "+m.File.Text(recv.Type)+")")
		text = strings.ReplaceAll(text, "R.", name+".")
		out += nl + nl + strings.ReplaceAll(text, "\n", nl)
	}
	c.Insert(m.File, m.File.after(last), out)
}

// receiverName returns the name of a method's receiver, or one for those that
// are written beside it.
func (t *declared) receiverName(beside string) string {
	if name := named(t.Methods[beside].Decl.Recv.List[0]); name != "" {
		return name
	}
	return strings.ToLower(t.Name[:1])
}

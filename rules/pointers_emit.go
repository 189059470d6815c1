package rules

import (
	"go/ast"
	"go/types"
	"path"
	"strconv"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// The changes and findings that the groups of messages become. See
// pointers.go.

// emit writes the change of a group.
func (a *pointers) emit(p *Pass, g *group) {
	sym, _ := TypeSymbol(g.msg)
	if g.merge != nil {
		a.emitMerge(p, g)
		return
	}
	c := p.Change(p.Tier, "%s is held by pointer", short(sym))
	if a.clones(g) {
		cloned := map[ast.Node]bool{}
		for _, s := range g.copies {
			if !cloned[s.n] {
				cloned[s.n] = true
				c.clone(s.f, s.n.(ast.Expr), g.msg)
			}
		}
	}
	for _, s := range g.fills {
		what := s.f.Text(s.n.(*ast.SelectorExpr).X)
		if s.text != "" {
			what += " is written by " + s.text
		} else {
			what = "a field of " + what + " is written or its address taken"
		}
		p.Report(s.f, s.n, edit.Review, what+"; from 3.7 that is a pointer, nil until someone sets it",
			"set it to &"+short(sym)+"{…} first")
	}
	for _, s := range g.edits {
		c.Replace(s.f, s.start, s.end, s.text)
	}
	if !g.nilable {
		return
	}
	bare := false // fields are read of what may be nil
	for _, s := range g.reads {
		if sel := s.n.(*ast.SelectorExpr).Sel; getter(p, g.msg, sel.Name) {
			c.ReplaceNode(s.f, sel, "Get"+sel.Name+"()")
		} else {
			bare = bare || !isProto(g.msg)
		}
	}
	if bare {
		for _, s := range g.empty {
			what := "a key that is not in the map"
			if _, receive := s.n.(*ast.UnaryExpr); receive {
				what = "a closed channel"
			}
			p.Report(s.f, s.n, edit.Review, what+" gives nil here from 3.7, where it gave an empty "+short(sym),
				"take the second value, which is false then, and read no fields")
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
	reason := func(s spot) string {
		if g.why == "" {
			return ""
		}
		at := ""
		if g.whyAt.f != nil {
			if line := g.whyAt.f.tok.Line(g.whyAt.n.Pos()); g.whyAt.f != s.f {
				at = ", " + path.Base(g.whyAt.f.Name) + ":" + strconv.Itoa(line)
			} else if line != s.f.tok.Line(s.n.Pos()) {
				at = ", line " + strconv.Itoa(line)
			}
		}
		return " (not rewritten" + at + ": the value is " + g.why + ")"
	}
	seen := map[ast.Node]bool{}
	for _, s := range g.forced {
		if !seen[s.n] {
			seen[s.n] = true
			p.Report(s.f, s.n, edit.Manual, short(s.sym)+" holds *"+name+" in 3.7"+reason(s),
				"hold *"+name+" here, and read fields with the Get methods where it may be nil")
		}
	}
	for _, s := range g.flagged {
		if seen[s.n] {
			continue
		}
		seen[s.n] = true
		p.Report(s.f, s.n, edit.Manual, name+" is copied, which go vet rejects from 3.7"+reason(s),
			"hold *"+name+"; where a copy is needed, write proto.Clone(m).(*"+name+") with "+googleProto)
	}
}

package rules

import (
	"fmt"
	"go/ast"
	"go/types"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// narrowInterfaces follows methods of etcd that gained options into the
// interfaces of the repository that values with these methods are used as.
func (p *Pass) narrowInterfaces(done map[string]bool) {
	p.asInterfaces(func(e ast.Expr, to types.Type) {
		t := p.TypeOf(e)
		if t == nil || indexed(packageOf(to)) {
			return // interface-methods has those of etcd
		}
		iface := to.Underlying().(*types.Interface)
		var lost lostMethods
		for i := range iface.NumMethods() {
			own := iface.Method(i)
			obj, _, _ := types.LookupFieldOrMethod(t, true, own.Pkg(), own.Name())
			fn, ok := obj.(*types.Func)
			if !ok || fn.Pkg() == nil || !indexed(fn.Pkg().Path()) {
				continue
			}
			from, ok := TypeSymbol(fn.Signature().Recv().Type())
			if !ok {
				continue
			}
			for _, m := range atlas.Methods(from.Pkg, from.Name, string(p.Target.Line)) {
				if m.Name == own.Name() {
					p.widen(&lost, to, own, from, m, done)
				}
			}
			p.noLonger(&lost, to, fn, from, done)
		}
		p.reportLost(e, to, lost)
	})
}

// lostMethods are methods of etcd that do not satisfy an interface any more.
type lostMethods struct {
	names, now []string
}

func (l *lostMethods) add(from Symbol, name, now string) {
	if len(l.names) == 0 || !strings.HasPrefix(l.names[0], from.String()+".") {
		name = from.String() + "." + name
	}
	l.names, l.now = append(l.names, name), append(l.now, "`"+now+"`")
}

// reportLost reports, in one finding, the methods for which a value does not
// satisfy the interface that it is used as.
func (p *Pass) reportLost(e ast.Expr, to types.Type, lost lostMethods) {
	if len(lost.names) == 0 {
		return
	}
	have := "has another signature"
	if len(lost.names) > 1 {
		have = "have other signatures"
	}
	p.Report(p.FileOf(e.Pos()), e, edit.Manual, fmt.Sprintf("%s %s in etcd %s, so this is no %s any more", strings.Join(lost.names, ", "), have, p.Target.Line, types.TypeString(to, types.RelativeTo(p.Pkg))),
		"give the interface, and what else implements it, "+strings.Join(lost.now, ", "))
}

// noLonger finds a value of a struct of etcd that is used as an interface
// which it does not satisfy any more, since a method of it changed.
func (p *Pass) noLonger(lost *lostMethods, to types.Type, fn *types.Func, from Symbol, done map[string]bool) {
	b := atlas.BreakOf(from.Pkg, from.Name+"."+fn.Name())
	name := types.TypeString(to, types.RelativeTo(p.Pkg))
	if b == nil || types.IsInterface(fn.Signature().Recv().Type()) || done[name+"."+fn.Name()] {
		return
	}
	form, now := p.form(b, fn), b.NewIn(p.Target.Line)
	if form == nil || form.Class[p.lineIndex()] == atlas.None || now == "" {
		return
	}
	o, _ := parseSignature(form.Sig)
	n, _ := parseSignature(now)
	same := func(a, b string) bool { return p.renamedTo(from.Pkg, a) == b }
	if sameResults(o, n, same) && sameResults(signature{results: o.params}, signature{results: n.params}, same) {
		return
	}
	done[name+"."+fn.Name()] = true
	lost.add(from, fn.Name(), now)
}

// packageOf returns the import path of the package that a type is declared in.
func packageOf(t types.Type) string {
	if n, ok := types.Unalias(t).(*types.Named); ok && n.Obj().Pkg() != nil {
		return n.Obj().Pkg().Path()
	}
	return ""
}

// widen gives a method of an own interface, and those of the package's types
// that implement it, the options that etcd's has gained.
func (p *Pass) widen(lost *lostMethods, to types.Type, own *types.Func, etcd Symbol, m atlas.Method, done map[string]bool) {
	options, same := p.compareMethod(own.Signature(), m)
	name := types.TypeString(to, types.RelativeTo(p.Pkg))
	if same || done[name+"."+m.Name] {
		return
	}
	done[name+"."+m.Name] = true
	spec := p.methodSpec(own)
	if options == nil || spec == nil {
		lost.add(etcd, m.Name, m.Name+m.Sig)
		return
	}
	if !done[own.FullName()] { // else by another interface that embeds the same
		done[own.FullName()] = true
		f := p.FileOf(spec.Pos())
		c := p.Change(p.Tier, "%s.%s takes options in etcd %s, and the client is used as a %s", etcd, m.Name, p.Target.Line, name)
		addParameter(c, f, spec, spec, localType(c, f, options.typ, m.Imports))
		p.methodValues(own, m)
	}
	for _, f := range p.Files {
		for _, d := range f.AST.Decls {
			fd, ok := d.(*ast.FuncDecl)
			if !ok || fd.Recv == nil || fd.Name.Name != m.Name {
				continue
			}
			t := p.receiver(fd)
			if t == nil || done[t.Name()+"."+m.Name] || !types.Implements(types.NewPointer(t.Type()), to.Underlying().(*types.Interface)) {
				continue
			}
			done[t.Name()+"."+m.Name] = true
			if options, _ := p.compareMethod(p.Info.Defs[fd.Name].(*types.Func).Signature(), m); options != nil {
				p.addOptions(t, f, fd, m, *options, func(fn *types.Func) bool { return fn == own })
			}
		}
	}
}

// methodValues reports the uses of a method that gains options which are not
// calls: where the type of the function is written down, it is another one.
func (p *Pass) methodValues(own *types.Func, m atlas.Method) {
	for _, c := range p.uses(own) {
		f, id := p.FileOf(c.Node().Pos()), c.Node().(*ast.Ident)
		if p.Info.Uses[id] != own {
			continue // its declaration
		}
		r := Ref{File: f, Ident: id, Cursor: c, Obj: own}
		if e, _ := r.Expr(); r.Call() == nil && !typeIsInferred(r) {
			p.Report(f, e, edit.Manual, fmt.Sprintf("%s takes options in etcd %s, so that as a value it is of another type", m.Name, p.Target.Line),
				"write a function around "+f.Text(e)+" that has the type which is wanted")
		}
	}
}

// methodSpec finds the declaration of a method of an interface of the package.
func (p *Pass) methodSpec(fn *types.Func) *ast.FuncType {
	f := p.FileOf(fn.Pos())
	if f == nil {
		return nil
	}
	for c := range p.Inspector().Root().Preorder((*ast.InterfaceType)(nil)) {
		for _, field := range c.Node().(*ast.InterfaceType).Methods.List {
			if len(field.Names) == 1 && p.Info.Defs[field.Names[0]] == fn {
				return field.Type.(*ast.FuncType)
			}
		}
	}
	return nil
}

package rules

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/types"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// interfaceMethods completes types of the repository that implement an
// interface of etcd: fakes in tests, and wrappers that log or count.
//
// Matched: types that implement an interface of etcd as the source release
// has it, and that the package uses as one (in an assignment, a call, a
// return, a literal or a send) or exports, and types that these embed and that
// implement it. Methods that the target adds are written
// below the others: a wrapper with one field of the interface passes the call
// on, anything else returns an error. Where a method has gained options at its
// end, so do the type's.
//
// The same goes for an interface of the package's own that a client of etcd is
// used as; one of another package is reported where it is used, and so are an
// election or a transport that satisfy an interface no longer.
//
// Not matched: interfaces embedded in the type provide their own new methods.
// Servers of gRPC embed an Unimplemented server for 3.7, which is another
// rule's. Other changes of a method become findings.
var interfaceMethods = &Rule{
	ID:    "interface-methods",
	Title: "complete fakes and wrappers of etcd's interfaces",
	Before: `package p

import (
	"context"

	"go.etcd.io/etcd/clientv3"
)

// counting counts the requests of a client.
type counting struct {
	kv clientv3.KV
	n  int
}

var _ clientv3.KV = (*counting)(nil)

func (c *counting) Put(ctx context.Context, key, val string, opts ...clientv3.OpOption) (*clientv3.PutResponse, error) {
	c.n++
	return c.kv.Put(ctx, key, val, opts...)
}

func (c *counting) Get(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	c.n++
	return c.kv.Get(ctx, key, opts...)
}

func (c *counting) Delete(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.DeleteResponse, error) {
	return c.kv.Delete(ctx, key, opts...)
}

func (c *counting) Compact(ctx context.Context, rev int64, opts ...clientv3.CompactOption) (*clientv3.CompactResponse, error) {
	return c.kv.Compact(ctx, rev, opts...)
}

func (c *counting) Do(ctx context.Context, op clientv3.Op) (clientv3.OpResponse, error) {
	return c.kv.Do(ctx, op)
}

func (c *counting) Txn(ctx context.Context) clientv3.Txn { return c.kv.Txn(ctx) }
`,
	After: `package p

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// counting counts the requests of a client.
type counting struct {
	kv clientv3.KV
	n  int
}

var _ clientv3.KV = (*counting)(nil)

func (c *counting) Put(ctx context.Context, key, val string, opts ...clientv3.OpOption) (*clientv3.PutResponse, error) {
	c.n++
	return c.kv.Put(ctx, key, val, opts...)
}

func (c *counting) Get(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	c.n++
	return c.kv.Get(ctx, key, opts...)
}

func (c *counting) Delete(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.DeleteResponse, error) {
	return c.kv.Delete(ctx, key, opts...)
}

func (c *counting) Compact(ctx context.Context, rev int64, opts ...clientv3.CompactOption) (*clientv3.CompactResponse, error) {
	return c.kv.Compact(ctx, rev, opts...)
}

func (c *counting) Do(ctx context.Context, op clientv3.Op) (clientv3.OpResponse, error) {
	return c.kv.Do(ctx, op)
}

func (c *counting) Txn(ctx context.Context) clientv3.Txn { return c.kv.Txn(ctx) }

func (c *counting) GetStream(ctx context.Context, key string, opts ...clientv3.OpOption) (clientv3.GetStreamChan, error) {
	return c.kv.GetStream(ctx, key, opts...)
}
`,
	Why:    "The interfaces of the client grow with each release. Old code never calls the new methods, so a fake needs them only to compile.",
	Since:  "v3.3.0",
	Safety: Same,
	Refs: []string{
		"https://github.com/etcd-io/etcd/blob/v3.7.0/client/v3/kv.go",
		"https://github.com/etcd-io/etcd/blob/v3.6.0/client/v3/cluster.go",
	},
	Claims: []string{"clientv3.Cluster.MemberList", "pkg/types.Set.Contains"},
	Run:    runInterfaceMethods,
}

func runInterfaceMethods(p *Pass) {
	if p.atTarget() {
		return
	}
	if p.Info == nil {
		p.assertedInterfaces()
		return
	}
	var evidence map[*types.TypeName][]types.Type // worked out when first needed
	done := map[string]bool{}                     // type and method, since interfaces overlap
	for _, imp := range p.Pkg.Imports() {
		rel, _, ok := atlas.Canonical(imp.Path())
		if !ok {
			continue
		}
		for _, name := range atlas.Interfaces(rel) {
			tn, ok := imp.Scope().Lookup(name).(*types.TypeName)
			if !ok {
				continue
			}
			iface, ok := tn.Type().Underlying().(*types.Interface)
			if !ok || iface.NumMethods() == 0 {
				continue
			}
			now := atlas.Methods(rel, name, string(p.Target.Line))
			if len(now) == 0 || p.Target.Line == atlas.Line37 && strings.HasSuffix(rel, "pb") && strings.HasSuffix(name, "Server") {
				continue
			}
			for _, own := range p.Pkg.Scope().Names() {
				t, ok := p.Pkg.Scope().Lookup(own).(*types.TypeName)
				if !ok || t.IsAlias() || types.IsInterface(t.Type()) {
					continue
				}
				if !types.Implements(types.NewPointer(t.Type()), iface) {
					continue
				}
				if evidence == nil {
					evidence = p.usedAs()
				}
				if !t.Exported() && !slices.ContainsFunc(evidence[t], func(to types.Type) bool { return needs(to, tn) }) {
					continue
				}
				p.complete(t, rel, tn, now, done)
				for _, e := range p.embedded(t) { // t may have its methods from there
					if types.Implements(types.NewPointer(e.Type()), iface) {
						p.complete(e, rel, tn, now, done)
					}
				}
			}
		}
	}
	p.narrowInterfaces(done)
}

// needs says whether an interface type is, or embeds, another.
func needs(t types.Type, want *types.TypeName) bool {
	if n, ok := types.Unalias(t).(*types.Named); ok && n.Obj() == want {
		return true
	}
	i, ok := t.Underlying().(*types.Interface)
	if !ok {
		return false
	}
	for k := range i.NumEmbeddeds() {
		if needs(i.EmbeddedType(k), want) {
			return true
		}
	}
	return false
}

// usedAs returns the interface types that values of the package's own types
// are used as.
func (p *Pass) usedAs() map[*types.TypeName][]types.Type {
	out := map[*types.TypeName][]types.Type{}
	p.asInterfaces(func(e ast.Expr, to types.Type) {
		n, ok := types.Unalias(deref(orInvalid(p.TypeOf(e)))).(*types.Named)
		if ok && n.Obj().Pkg() == p.Pkg {
			out[n.Obj()] = append(out[n.Obj()], to)
		}
	})
	return out
}

// embedded returns the package's own types that a struct embeds, by way of
// others or not, interfaces left out.
func (p *Pass) embedded(t *types.TypeName) []*types.TypeName {
	out := []*types.TypeName{t}
	for i := 0; i < len(out); i++ {
		s, ok := out[i].Type().Underlying().(*types.Struct)
		if !ok {
			continue
		}
		for v := range s.Fields() {
			n, ok := types.Unalias(deref(v.Type())).(*types.Named)
			if v.Embedded() && ok && n.Obj().Pkg() == p.Pkg && !types.IsInterface(n) && !slices.Contains(out, n.Obj()) {
				out = append(out, n.Obj())
			}
		}
	}
	return out[1:]
}

// asInterfaces calls a function with each value that is used as one of an
// interface type: in a call, an assignment, a return, a literal or a send, or
// that one is asserted to be.
func (p *Pass) asInterfaces(found func(e ast.Expr, to types.Type)) {
	note := func(e ast.Expr, to types.Type) {
		if e != nil && to != nil && types.IsInterface(to) {
			found(e, to)
		}
	}
	for c := range p.Inspector().Root().Preorder((*ast.CallExpr)(nil), (*ast.AssignStmt)(nil), (*ast.ValueSpec)(nil), (*ast.ReturnStmt)(nil), (*ast.CompositeLit)(nil), (*ast.SendStmt)(nil), (*ast.TypeAssertExpr)(nil)) {
		switch n := c.Node().(type) {
		case *ast.CallExpr:
			t := p.TypeOf(n.Fun)
			if t == nil {
				continue
			}
			sig, ok := t.Underlying().(*types.Signature)
			if !ok {
				if len(n.Args) == 1 { // a conversion
					note(n.Args[0], t)
				}
				continue
			}
			for i, a := range n.Args {
				switch {
				case sig.Variadic() && i >= sig.Params().Len()-1:
					if s, ok := sig.Params().At(sig.Params().Len() - 1).Type().(*types.Slice); ok {
						note(a, s.Elem())
					}
				case i < sig.Params().Len():
					note(a, sig.Params().At(i).Type())
				}
			}
		case *ast.AssignStmt:
			if len(n.Lhs) == len(n.Rhs) {
				for i := range n.Lhs {
					note(n.Rhs[i], p.TypeOf(n.Lhs[i]))
				}
			}
		case *ast.ValueSpec:
			if n.Type != nil {
				for _, v := range n.Values {
					note(v, p.TypeOf(n.Type))
				}
			}
		case *ast.ReturnStmt:
			ft := functionAround(c)
			if ft == nil || ft.Results == nil {
				continue
			}
			var results []types.Type
			for _, r := range ft.Results.List {
				for range max(1, len(r.Names)) {
					results = append(results, p.TypeOf(r.Type))
				}
			}
			if len(results) == len(n.Results) {
				for i, r := range n.Results {
					note(r, results[i])
				}
			}
		case *ast.SendStmt:
			if t := p.TypeOf(n.Chan); t != nil {
				if ch, ok := t.Underlying().(*types.Chan); ok {
					note(n.Value, ch.Elem())
				}
			}
		case *ast.TypeAssertExpr:
			if n.Type != nil { // else the cases of a switch name the types
				note(n.Type, p.TypeOf(n.X))
			}
		case *ast.CompositeLit:
			t := p.TypeOf(n)
			if t == nil {
				continue
			}
			for i, e := range n.Elts {
				value, key := e, ast.Expr(nil)
				if kv, ok := e.(*ast.KeyValueExpr); ok {
					value, key = kv.Value, kv.Key
				}
				switch u := deref(t).Underlying().(type) {
				case *types.Struct:
					id, _ := key.(*ast.Ident)
					switch {
					case id != nil:
						for k := range u.NumFields() {
							if u.Field(k).Name() == id.Name {
								note(value, u.Field(k).Type())
							}
						}
					case key == nil && i < u.NumFields():
						note(value, u.Field(i).Type())
					}
				case *types.Slice:
					note(value, u.Elem())
				case *types.Array:
					note(value, u.Elem())
				case *types.Map:
					note(value, u.Elem())
				}
			}
		}
	}
}

func orInvalid(t types.Type) types.Type {
	if t == nil {
		return types.Typ[types.Invalid]
	}
	return t
}

// complete gives a type the methods that an interface has in the target.
func (p *Pass) complete(t *types.TypeName, rel string, iface *types.TypeName, now []atlas.Method, done map[string]bool) {
	var stubs []atlas.Method
	var after, like *ast.FuncDecl // the last method of the type, and one of the interface
	methods := map[string]*ast.FuncDecl{}
	for _, f := range p.Files {
		for _, d := range f.AST.Decls {
			fd, ok := d.(*ast.FuncDecl)
			if ok && fd.Recv != nil && p.receiver(fd) == t {
				methods[fd.Name.Name] = fd
				if after == nil || fd.End() > after.End() && p.FileOf(fd.Pos()) == p.FileOf(after.Pos()) {
					after = fd
				}
			}
		}
	}
	for _, m := range now {
		if like == nil {
			like = methods[m.Name]
		}
		if !ast.IsExported(m.Name) || done[t.Name()+"."+m.Name] {
			continue
		}
		obj, _, _ := types.LookupFieldOrMethod(types.NewPointer(t.Type()), true, p.Pkg, m.Name)
		fn, isFunc := obj.(*types.Func)
		switch {
		case obj == nil && !p.provided(t, iface, m.Name):
			stubs = append(stubs, m)
			done[t.Name()+"."+m.Name] = true
		case isFunc && methods[m.Name] != nil && !strings.HasSuffix(rel, "pb"):
			if p.extend(t, iface, fn, methods[m.Name], m) {
				done[t.Name()+"."+m.Name] = true
			}
		}
	}
	if len(stubs) == 0 || after == nil {
		return
	}
	if like == nil {
		like = after
	}
	f := p.FileOf(after.Pos())
	var names []string
	for _, m := range stubs {
		names = append(names, m.Name)
	}
	c := p.Change(p.Tier, "%s lacks %s of %s.%s in etcd %s", t.Name(), strings.Join(names, ", "), rel, iface.Name(), p.Target.Line)
	field := p.delegate(t, iface)
	text := ""
	for _, m := range stubs {
		text += "\n\n" + p.stub(c, f, t, like, m, field)
	}
	c.Insert(f, f.after(after), f.indented(text, ""))
	if f.Generated() {
		p.reportGenerated(f, after, t, names)
	}
}

// receiver returns the type that a method belongs to.
func (p *Pass) receiver(fd *ast.FuncDecl) *types.TypeName {
	fn, ok := p.Info.Defs[fd.Name].(*types.Func)
	if !ok {
		return nil
	}
	return p.receiverOf(fn)
}

func (p *Pass) receiverOf(fn *types.Func) *types.TypeName {
	if fn.Signature().Recv() == nil {
		return nil
	}
	n, ok := types.Unalias(deref(fn.Signature().Recv().Type())).(*types.Named)
	if !ok {
		return nil
	}
	return n.Obj()
}

// pointerImplements says whether a pointer to a type implements an interface.
func pointerImplements(t, iface *types.TypeName) bool {
	return types.Implements(types.NewPointer(t.Type()), iface.Type().Underlying().(*types.Interface))
}

// provided says whether a field that a type embeds, by way of others or not,
// will have a method of an interface in the target.
func (p *Pass) provided(t, iface *types.TypeName, method string) bool {
	embedded := p.embedded(t)
	if slices.ContainsFunc(embedded, func(e *types.TypeName) bool {
		return pointerImplements(e, iface)
	}) {
		return true // it is completed
	}
	for _, e := range append(embedded, t) {
		s, ok := e.Type().Underlying().(*types.Struct)
		if !ok {
			continue
		}
		for v := range s.Fields() {
			n, ok := types.Unalias(deref(v.Type())).(*types.Named)
			if !v.Embedded() || !ok {
				continue
			}
			if n.Obj().Pkg() != p.Pkg {
				if p.hasMethod(n, method) {
					return true
				}
			} else if it, ok := n.Underlying().(*types.Interface); ok {
				for k := range it.NumEmbeddeds() {
					if e, ok := types.Unalias(it.EmbeddedType(k)).(*types.Named); ok && p.hasMethod(e, method) {
						return true
					}
				}
			}
		}
	}
	return false
}

// hasMethod says whether a type of etcd has a method in the target.
func (p *Pass) hasMethod(n *types.Named, method string) bool {
	if n.Obj().Pkg() == nil {
		return false
	}
	rel, _, ok := atlas.Canonical(n.Obj().Pkg().Path())
	if !ok {
		return false
	}
	line := string(p.Target.Line)
	if _, ok := atlas.Lookup(rel, n.Obj().Name()+"."+method, line); ok {
		return true
	}
	return slices.ContainsFunc(atlas.Methods(rel, n.Obj().Name(), line), func(m atlas.Method) bool { return m.Name == method })
}

// delegate returns the one field of a wrapper that has an interface, or is
// the client, to pass calls on to.
func (p *Pass) delegate(t, iface *types.TypeName) string {
	s, ok := t.Type().Underlying().(*types.Struct)
	if !ok {
		return ""
	}
	name := ""
	for i := range s.NumFields() {
		ft := s.Field(i).Type()
		if needs(ft, iface) || canonical(iface.Pkg().Path()) == "clientv3" && isPointerTo("clientv3", "Client")(ft) {
			if name != "" {
				return ""
			}
			name = s.Field(i).Name()
		}
	}
	return name
}

// stub writes a method.
func (p *Pass) stub(c Change, f *File, t *types.TypeName, like *ast.FuncDecl, m atlas.Method, field string) string {
	params, results := parseMethod(m)
	local := func(e ast.Expr) string { return localType(c, f, e, m.Imports) }
	recvName := ""
	if names := like.Recv.List[0].Names; len(names) > 0 && names[0].Name != "_" {
		recvName = names[0].Name
	}
	recv := p.FileOf(like.Pos()).Text(like.Recv.List[0].Type)
	if field != "" && recvName == "" {
		recvName = strings.ToLower(t.Name()[:1])
	}
	var ps, args []string
	for i, prm := range params {
		name := prm.name
		if name == "" || name == "_" || name == recvName {
			name = "arg" + strconv.Itoa(i)
		}
		ps = append(ps, name+" "+local(prm.typ))
		if _, ok := prm.typ.(*ast.Ellipsis); ok {
			name += "..."
		}
		args = append(args, name)
	}
	var rs []string
	for _, r := range results {
		rs = append(rs, local(r.typ))
	}
	head := "func (" + strings.TrimSpace(recvName+" "+recv) + ") " + m.Name + "(" + strings.Join(ps, ", ") + ")"
	switch {
	case len(rs) == 1:
		head += " " + rs[0]
	case len(rs) > 1:
		head += " (" + strings.Join(rs, ", ") + ")"
	}
	if field != "" {
		call := recvName + "." + field + "." + m.Name + "(" + strings.Join(args, ", ") + ")"
		if len(rs) > 0 {
			call = "return " + call
		}
		return head + " {\n\t" + call + "\n}"
	}
	var zeros []string
	for i, r := range results {
		z := zeroOfExpr(r.typ)
		if i == len(results)-1 && rs[i] == "error" {
			z = c.Qualified(f, "errors", "New") + "(" + strconv.Quote(t.Name()+" has no "+m.Name) + ")"
		}
		zeros = append(zeros, z)
	}
	if slices.Contains(zeros, "") || len(rs) == 0 {
		return head + " {\n\tpanic(" + strconv.Quote(t.Name()+" has no "+m.Name) + ")\n}"
	}
	return head + " {\n\treturn " + strings.Join(zeros, ", ") + "\n}"
}

// methodParam is a parameter or result of a method of the atlas.
type methodParam struct {
	name string
	typ  ast.Expr
}

func parseMethod(m atlas.Method) (params, results []methodParam) {
	e, err := parser.ParseExpr("func" + m.Sig)
	if err != nil {
		return nil, nil
	}
	list := func(l *ast.FieldList) []methodParam {
		var out []methodParam
		if l == nil {
			return nil
		}
		for _, f := range l.List {
			if len(f.Names) == 0 {
				out = append(out, methodParam{"", f.Type})
			}
			for _, n := range f.Names {
				out = append(out, methodParam{n.Name, f.Type})
			}
		}
		return out
	}
	ft := e.(*ast.FuncType)
	return list(ft.Params), list(ft.Results)
}

// localType writes a type of the atlas for a file, importing what it names.
func localType(c Change, f *File, e ast.Expr, imports map[string]string) string {
	ast.Inspect(e, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if q, ok := sel.X.(*ast.Ident); ok && imports[q.Name] != "" {
				q.Name = c.Import(f, imports[q.Name])
			}
			return false
		}
		return true
	})
	return types.ExprString(e)
}

func zeroOfExpr(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr, *ast.ArrayType, *ast.MapType, *ast.ChanType, *ast.FuncType, *ast.InterfaceType:
		return "nil"
	case *ast.Ident:
		switch e.Name {
		case "error", "any":
			return "nil"
		case "string":
			return `""`
		case "bool":
			return "false"
		case "int", "int64", "uint64", "int32", "uint32":
			return "0"
		}
	case *ast.SelectorExpr:
		if strings.HasSuffix(e.Sel.Name, "Chan") {
			return "nil"
		}
	}
	return ""
}

// extend gives a method the options that it has gained at its end, and passes
// them on where the method calls its namesake. It reports other changes.
func (p *Pass) extend(t, iface *types.TypeName, fn *types.Func, decl *ast.FuncDecl, m atlas.Method) bool {
	f := p.FileOf(decl.Pos())
	switch options, same := p.compareMethod(fn.Signature(), m); {
	case same:
		return false
	case options != nil:
		p.addOptions(t, f, decl, m, *options, func(fn *types.Func) bool {
			return slices.ContainsFunc(p.embedded(t), func(e *types.TypeName) bool {
				return p.receiverOf(fn) == e && pointerImplements(e, iface)
			})
		})
		return true
	case p.Target.Line == atlas.Line37 && p.pointers().satisfies[fn]:
		return false // message-pointers makes it take pointers, or reports it
	}
	p.Report(f, decl.Name, edit.Manual, fmt.Sprintf("%s implements %s.%s, whose %s has another signature in etcd %s", t.Name(), iface.Pkg().Name(), iface.Name(), m.Name, p.Target.Line),
		"now `"+m.Name+m.Sig+"`")
	return true
}

// compareMethod compares a signature with that of a method in the target: it
// may be the same, or have gained options at its end.
func (p *Pass) compareMethod(sig *types.Signature, m atlas.Method) (options *methodParam, same bool) {
	params, results := parseMethod(m)
	n := len(params)
	text := func(mp []methodParam) string {
		var out []string
		for _, x := range mp {
			out = append(out, anyName(types.ExprString(x.typ)))
		}
		return "(" + strings.Join(out, ", ") + ")"
	}
	qualifier := func(q *types.Package) string {
		path := q.Path()
		if rel, _, ok := atlas.Canonical(path); ok {
			if h, ok := atlas.HomeOf(rel, p.Target.Line); ok && !h.Gone {
				path = h.Path
			}
		}
		for alias, ip := range m.Imports {
			if ip == path {
				return alias
			}
		}
		return q.Name()
	}
	have := tuple(sig.Params(), sig.Variadic(), qualifier)
	if tuple(sig.Results(), false, qualifier) != text(results) {
		return nil, false
	}
	if have == text(params) {
		return nil, true
	}
	if n == sig.Params().Len()+1 && !sig.Variadic() && have == text(params[:n-1]) {
		if _, ok := params[n-1].typ.(*ast.Ellipsis); ok {
			return &params[n-1], false
		}
	}
	return nil, false
}

// addOptions gives a method of a type its options, and passes them on where it
// calls its namesake: of etcd, or one that gets them as well.
func (p *Pass) addOptions(t *types.TypeName, f *File, decl *ast.FuncDecl, m atlas.Method, opt methodParam, widened func(*types.Func) bool) {
	c := p.Change(p.Tier, "%s.%s takes options in etcd %s", t.Name(), m.Name, p.Target.Line)
	name := addParameter(c, f, decl, decl.Type, localType(c, f, opt.typ, m.Imports))
	if fn, ok := p.Info.Defs[decl.Name].(*types.Func); ok {
		p.methodValues(fn, m)
	}
	if decl.Body == nil || name == "" {
		return
	}
	ast.Inspect(decl.Body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || sel.Sel.Name != m.Name || call.Ellipsis.IsValid() {
			return true
		}
		if fn, ok := p.Info.Uses[sel.Sel].(*types.Func); ok && fn.Pkg() != nil && (widened(fn) || indexed(fn.Pkg().Path())) {
			insertArguments(c, f, call, len(call.Args), name+"...")
		}
		return true
	})
	if f.Generated() {
		p.reportGenerated(f, decl, t, []string{m.Name})
	}
}

// addParameter writes options at the end of a function's parameters, and returns
// their name, which nothing in the function has yet; "" where they have none.
func addParameter(c Change, f *File, fn ast.Node, ft *ast.FuncType, typ string) string {
	taken := map[string]bool{}
	ast.Inspect(fn, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			taken[id.Name] = true
		}
		return true
	})
	name := "opts"
	if taken[name] {
		name = "options"
	}
	for i := 2; taken[name]; i++ {
		name = "opts" + strconv.Itoa(i)
	}
	last := len(ft.Params.List) - 1
	switch {
	case last < 0:
		c.Insert(f, ft.Params.Closing, name+" "+typ)
	case len(ft.Params.List[last].Names) == 0:
		c.Insert(f, ft.Params.List[last].End(), ", "+typ)
		return ""
	default:
		c.Insert(f, ft.Params.List[last].End(), ", "+name+" "+typ)
	}
	return name
}

func (p *Pass) reportGenerated(f *File, at ast.Node, t *types.TypeName, methods []string) {
	p.Report(f, at, edit.Review, t.Name()+" is generated: what is changed here is lost when it is made again from old sources ("+strings.Join(methods, ", ")+")", "after the move, run "+p.regenerate(f))
}

// assertedInterfaces reports, without types, the types that say themselves
// that they implement an interface which grows: var _ clientv3.KV = (*T)(nil).
func (p *Pass) assertedInterfaces() {
	from := nearestRelease(p.From)
	if from == "" {
		return
	}
	for _, pkg := range p.Packages() {
		for _, r := range p.RefsTo(pkg) {
			_, c := r.Expr()
			v, ok := c.Parent().Node().(*ast.ValueSpec)
			if !ok || v.Names[0].Name != "_" || !slices.Contains(atlas.Interfaces(pkg), r.Name) {
				continue
			}
			added, changed := atlas.MethodsToWrite(pkg, r.Name, from, string(p.Target.Line))
			var lines []string
			for _, m := range append(added, changed...) {
				lines = append(lines, "`"+m.Name+m.Sig+"`")
			}
			advice := "add to the type: " + strings.Join(lines, ", ")
			if slices.ContainsFunc(added, func(m atlas.Method) bool { return !ast.IsExported(m.Name) }) {
				advice = "embed in the type: " + path.Base(pkg) + ".Unimplemented" + r.Name
			}
			if len(lines) > 0 {
				p.Report(r.File, v, edit.Manual, r.Symbol.String()+" has more methods in etcd "+string(p.Target.Line), advice)
			}
		}
	}
}

// nearestRelease returns the last release of the atlas that is not newer than
// another.
func nearestRelease(from string) string {
	best := ""
	for _, r := range atlas.SourceReleases() {
		if v := "v" + r; from != "" && semver.Compare(v, from) <= 0 && (best == "" || semver.Compare(v, "v"+best) > 0) {
			best = r
		}
	}
	return best
}

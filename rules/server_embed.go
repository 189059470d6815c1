package rules

import (
	"go/ast"
	"go/types"
	"slices"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// serverEmbed embeds the Unimplemented server in types that serve a gRPC
// service of etcd.
//
// Matched: struct types of the package that are registered, or assigned, as
// such a server. Where one embeds another that has all methods, it is the
// other.
//
// Not matched, but reported: types that are no structs or belong to another
// package, structs with literals without keys, and servers that embed the
// Unimplemented server as a pointer, which panics when it is nil.
var serverEmbed = &Rule{
	ID:    "server-embed",
	Title: "embed pb.UnimplementedXServer in gRPC servers of etcd's services",
	Before: `package p

import (
	"context"

	pb "github.com/coreos/etcd/etcdserver/etcdserverpb"
	"google.golang.org/grpc"
)

type server struct {
	rev int64
}

func (s *server) MemberAdd(context.Context, *pb.MemberAddRequest) (*pb.MemberAddResponse, error) {
	return nil, nil
}

func (s *server) MemberRemove(context.Context, *pb.MemberRemoveRequest) (*pb.MemberRemoveResponse, error) {
	return nil, nil
}

func (s *server) MemberUpdate(context.Context, *pb.MemberUpdateRequest) (*pb.MemberUpdateResponse, error) {
	return nil, nil
}

func (s *server) MemberList(context.Context, *pb.MemberListRequest) (*pb.MemberListResponse, error) {
	return &pb.MemberListResponse{}, nil
}

func register(g *grpc.Server) {
	pb.RegisterClusterServer(g, &server{rev: 1})
}
`,
	After: `package p

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
)

type server struct {
	pb.UnimplementedClusterServer

	rev int64
}

func (s *server) MemberAdd(context.Context, *pb.MemberAddRequest) (*pb.MemberAddResponse, error) {
	return nil, nil
}

func (s *server) MemberRemove(context.Context, *pb.MemberRemoveRequest) (*pb.MemberRemoveResponse, error) {
	return nil, nil
}

func (s *server) MemberUpdate(context.Context, *pb.MemberUpdateRequest) (*pb.MemberUpdateResponse, error) {
	return nil, nil
}

func (s *server) MemberList(context.Context, *pb.MemberListRequest) (*pb.MemberListResponse, error) {
	return &pb.MemberListResponse{}, nil
}

func register(g *grpc.Server) {
	pb.RegisterClusterServer(g, &server{rev: 1})
}
`,
	Why:     "From 3.7 the server interfaces have an unexported method that only the Unimplemented servers have. They also answer for the calls that a newer etcd added, with the code Unimplemented.",
	Since:   "v3.7.0",
	Targets: []atlas.Line{atlas.Line37},
	Safety:  Same,
	Refs: []string{
		"https://github.com/grpc/grpc-go/blob/master/cmd/protoc-gen-go-grpc/README.md",
	},
	Answers: func(b *atlas.Break) bool {
		return onlyIn37(b) && strings.HasSuffix(b.Pkg, "pb") && strings.HasPrefix(b.Symbol, "Register") && strings.HasSuffix(b.Symbol, "Server")
	},
	Run: runServerEmbed,
}

func runServerEmbed(p *Pass) {
	if !p.usesMessages() {
		return
	}
	type key struct {
		typ     *types.TypeName
		service Symbol
	}
	seen := map[key]bool{}
	var visit func(f *File, e ast.Expr, impl *types.Named, service Symbol, to types.Type)
	visit = func(f *File, e ast.Expr, impl *types.Named, service Symbol, to types.Type) {
		if seen[key{impl.Obj(), service}] {
			return
		}
		seen[key{impl.Obj(), service}] = true
		switch in, all := serverIn(impl, service, to); {
		case in == nil:
			embedServer(p, f, e, impl, service)
		case all && in.Obj().Pkg() != p.Pkg:
			embedServer(p, f, e, in, service)
		case all:
			if spec, file := p.typeSpec(in.Obj()); spec != nil {
				visit(file, spec.Name, in, service, to)
			}
		default:
			p.Report(f, e, edit.Manual, impl.Obj().Name()+" does not implement "+short(service)+" in 3.7, and gets methods of it from "+in.Obj().Name(),
				"embed "+service.Pkg[strings.LastIndexByte(service.Pkg, '/')+1:]+".Unimplemented"+service.Name+" by value in "+in.Obj().Name())
		}
	}
	p.implicitConversions(func(f *File, e ast.Expr, to types.Type) {
		service, ok := p.oldService(to)
		if !ok {
			return
		}
		t := p.TypeOf(e)
		impl, ok := types.Unalias(deref2(t)).(*types.Named)
		if !ok || types.IsInterface(impl) {
			return // of an interface type, or nil
		}
		visit(f, e, impl, service, to)
	})
	// Exported types may be registered by another package.
	for _, imp := range p.Pkg.Imports() {
		if !slices.Contains(messagePackages, canonical(imp.Path())) {
			continue
		}
		for _, name := range imp.Scope().Names() {
			tn, ok := imp.Scope().Lookup(name).(*types.TypeName)
			if !ok || !types.IsInterface(tn.Type()) {
				continue
			}
			service, ok := p.oldService(tn.Type())
			if !ok {
				continue
			}
			for _, own := range p.Pkg.Scope().Names() {
				t, ok := p.Pkg.Scope().Lookup(own).(*types.TypeName)
				if !ok || !t.Exported() || t.IsAlias() || seen[key{t, service}] {
					continue
				}
				impl, ok := t.Type().(*types.Named)
				if !ok || impl.TypeParams().Len() > 0 || types.IsInterface(impl) || !types.Implements(types.NewPointer(impl), tn.Type().Underlying().(*types.Interface)) {
					continue
				}
				if spec, f := p.typeSpec(t); spec != nil {
					visit(f, spec.Name, impl, service, tn.Type())
				}
			}
		}
	}
}

// serverIn returns a type that another embeds and that gives it methods of a
// service: all that it has itself, or some. Beside it an embedded
// Unimplemented server would make these methods ambiguous.
func serverIn(impl *types.Named, service Symbol, to types.Type) (in *types.Named, all bool) {
	st, ok := impl.Underlying().(*types.Struct)
	if !ok {
		return nil, false
	}
	for fld := range st.Fields() {
		n, ok := types.Unalias(deref(fld.Type())).(*types.Named)
		if sym, _ := TypeSymbol(fld.Type()); !ok || !fld.Embedded() || sym.Pkg == service.Pkg || types.IsInterface(n) {
			continue
		}
		has, lacks := false, false
		for m := range to.Underlying().(*types.Interface).Methods() {
			obj, _, _ := types.LookupFieldOrMethod(types.NewPointer(n), false, n.Obj().Pkg(), m.Name())
			has, lacks = has || obj != nil && ownMethod(impl, m.Name()) == nil, lacks || obj == nil
		}
		if has {
			return n, !lacks
		}
	}
	return nil, false
}

// oldService returns the server interface of a gRPC service of etcd that asks
// for an Unimplemented server from 3.7 and did not before.
func (p *Pass) oldService(t types.Type) (Symbol, bool) {
	service, ok := TypeSymbol(t)
	if !ok || !strings.HasSuffix(service.Name, "Server") || strings.Contains(service.Name, "_") {
		return Symbol{}, false
	}
	if !slices.Contains(messagePackages, service.Pkg) || asksFor(t, "mustEmbedUnimplemented"+service.Name) {
		return Symbol{}, false
	}
	_, ok = atlas.Lookup(service.Pkg, "Unimplemented"+service.Name, string(p.Target.Line))
	return service, ok
}

// sameRepository guesses by the first elements of two import paths whether
// the packages are in one repository.
func sameRepository(a, b string) bool {
	x, y := strings.SplitN(a, "/", 4), strings.SplitN(b, "/", 4)
	n := min(len(x), len(y), 3)
	return n > 0 && slices.Equal(x[:n], y[:n])
}

// asksFor says whether an interface has a method.
func asksFor(t types.Type, name string) bool {
	iface, ok := t.Underlying().(*types.Interface)
	if !ok {
		return false
	}
	for m := range iface.Methods() {
		if m.Name() == name {
			return true
		}
	}
	return false
}

// deref2 is deref of a type that may be unknown.
func deref2(t types.Type) types.Type {
	if t == nil {
		return types.Typ[types.Invalid]
	}
	return deref(t)
}

// embedServer makes a type embed the Unimplemented server of a service.
func embedServer(p *Pass, f *File, e ast.Expr, impl *types.Named, service Symbol) {
	un := "Unimplemented" + service.Name
	advice := "embed " + service.Pkg[strings.LastIndexByte(service.Pkg, '/')+1:] + "." + un + " by value in it"
	what := impl.Obj().Name() + " does not implement " + short(service) + " in 3.7"
	st, ok := impl.Underlying().(*types.Struct)
	if !ok {
		p.Report(f, e, edit.Manual, what, "make it a struct and "+advice)
		return
	}
	for fld := range st.Fields() {
		if !fld.Embedded() {
			continue
		}
		sym, _ := TypeSymbol(fld.Type())
		_, pointer := types.Unalias(fld.Type()).(*types.Pointer)
		switch {
		case sym == service:
			return // the interface itself brings the method
		case sym == Symbol{service.Pkg, un} && pointer:
			p.Report(f, e, edit.Review, impl.Obj().Name()+" embeds a pointer to "+un+", which panics when it is registered while nil", advice)
			return
		case sym == Symbol{service.Pkg, un}:
			return
		}
	}
	if impl.Obj().Pkg() != p.Pkg {
		if _, _, etcd := atlas.Canonical(impl.Obj().Pkg().Path()); !etcd && !sameRepository(impl.Obj().Pkg().Path(), p.Pkg.Path()) {
			p.Report(f, e, edit.Manual, impl.Obj().Pkg().Name()+"."+what+" unless it embeds "+un, advice)
		}
		return
	}
	spec, file := p.typeSpec(impl.Obj())
	if spec == nil {
		return // declared in a file that was not loaded
	}
	lit, ok := spec.Type.(*ast.StructType)
	if !ok {
		p.Report(f, e, edit.Manual, what, advice)
		return
	}
	for c := range p.Inspector().Root().Preorder((*ast.CompositeLit)(nil)) {
		n := c.Node().(*ast.CompositeLit)
		if len(n.Elts) == 0 {
			continue
		}
		if _, keyed := n.Elts[0].(*ast.KeyValueExpr); keyed {
			continue
		}
		if t, ok := types.Unalias(deref2(p.TypeOf(n))).(*types.Named); ok && t.Obj() == impl.Obj() {
			p.Report(f, e, edit.Manual, what+", and a literal of it has no keys", advice+", and give the literals keys")
			return
		}
	}
	c := p.Change(p.Tier, "%s implements %s by embedding %s", impl.Obj().Name(), short(service), un)
	text := c.home(file, service.Pkg, un)
	open := lit.Fields.Opening + 1
	switch {
	case len(lit.Fields.List) == 0 && file.SameLine(lit.Fields.Opening, lit.Fields.Closing):
		c.Replace(file, open, lit.Fields.Closing, " "+text+" ")
	case file.SameLine(lit.Fields.Opening, lit.Fields.Closing):
		c.Insert(file, open, " "+text+";")
	default:
		nl := file.NL()
		indent := file.Indent(spec.Pos()) + "\t"
		tail := ""
		if len(lit.Fields.List) > 0 {
			tail = nl
			if len(lit.Fields.List[0].Names) == 0 { // beside other embedded types
				tail = ""
			}
		}
		c.Insert(file, open, nl+indent+text+tail)
	}
}

// typeSpec returns the declaration of a type of the package.
func (p *Pass) typeSpec(obj *types.TypeName) (*ast.TypeSpec, *File) {
	for c := range p.Inspector().Root().Preorder((*ast.TypeSpec)(nil)) {
		if s := c.Node().(*ast.TypeSpec); p.Info.Defs[s.Name] == obj {
			return s, p.FileOf(s.Pos())
		}
	}
	return nil, nil
}

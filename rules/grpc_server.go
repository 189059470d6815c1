package rules

import (
	"go/types"
	"slices"
	"strconv"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// grpcServer completes servers of the services that gRPC's own modules define
// for tests and examples, and follows the package of the test service.
//
// Matched: imports of google.golang.org/grpc/test/grpc_testing; types that
// have all methods of a service of such a package.
//
// Not matched: services of the repository. Their generated code is theirs: it
// asks for an embedded server only when it is generated anew.
var grpcServer = &Rule{
	ID:    "grpc-server",
	Title: "embed the unimplemented server in servers of gRPC's test and example services",
	Before: `package p

import (
	"context"

	"google.golang.org/grpc"
	testpb "google.golang.org/grpc/test/grpc_testing"
)

type server struct {
	calls int
}

func (s *server) EmptyCall(context.Context, *testpb.Empty) (*testpb.Empty, error) {
	s.calls++
	return &testpb.Empty{}, nil
}

func (s *server) UnaryCall(context.Context, *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	return nil, nil
}

func (s *server) StreamingOutputCall(*testpb.StreamingOutputCallRequest, testpb.TestService_StreamingOutputCallServer) error {
	return nil
}

func (s *server) StreamingInputCall(testpb.TestService_StreamingInputCallServer) error { return nil }

func (s *server) FullDuplexCall(testpb.TestService_FullDuplexCallServer) error { return nil }

func (s *server) HalfDuplexCall(testpb.TestService_HalfDuplexCallServer) error { return nil }

func register(s *grpc.Server) { testpb.RegisterTestServiceServer(s, &server{}) }
`,
	After: `package p

import (
	"context"

	"google.golang.org/grpc"
	testpb "google.golang.org/grpc/interop/grpc_testing"
)

type server struct {
	testpb.UnimplementedTestServiceServer

	calls int
}

func (s *server) EmptyCall(context.Context, *testpb.Empty) (*testpb.Empty, error) {
	s.calls++
	return &testpb.Empty{}, nil
}

func (s *server) UnaryCall(context.Context, *testpb.SimpleRequest) (*testpb.SimpleResponse, error) {
	return nil, nil
}

func (s *server) StreamingOutputCall(*testpb.StreamingOutputCallRequest, testpb.TestService_StreamingOutputCallServer) error {
	return nil
}

func (s *server) StreamingInputCall(testpb.TestService_StreamingInputCallServer) error { return nil }

func (s *server) FullDuplexCall(testpb.TestService_FullDuplexCallServer) error { return nil }

func (s *server) HalfDuplexCall(testpb.TestService_HalfDuplexCallServer) error { return nil }

func register(s *grpc.Server) { testpb.RegisterTestServiceServer(s, &server{}) }
`,
	Why:    "gRPC generates its own services with protoc-gen-go-grpc since 1.32, which lets a service grow: a server must embed the unimplemented one. The test service moved to package interop/grpc_testing in 1.55.",
	Since:  "v3.5.0",
	Safety: Same,
	Refs: []string{
		"https://github.com/grpc/grpc-go/blob/master/cmd/protoc-gen-go-grpc/README.md",
		"https://github.com/grpc/grpc-go/releases/tag/v1.55.0",
	},
	Run: runGRPCServer,
}

const (
	grpcTesting  = grpcPath + "/test/grpc_testing"
	grpcInterop  = grpcPath + "/interop/grpc_testing"
	grpcExamples = grpcPath + "/examples/"
)

func runGRPCServer(p *Pass) {
	if !p.grpcReaches("v1.55.0") {
		return
	}
	services := map[string]bool{}
	for _, f := range p.Files {
		for _, i := range f.imps {
			if i.path == grpcTesting {
				c := p.Change(edit.Typed, "gRPC's test service is in interop/grpc_testing since gRPC 1.55")
				c.ReplaceNode(f, i.spec.Path, strconv.Quote(grpcInterop))
				i.final = grpcInterop
			}
			if i.path == grpcTesting || i.path == grpcInterop || strings.HasPrefix(i.path, grpcExamples) {
				services[i.path] = true
			}
		}
	}
	if len(services) == 0 || p.Pkg == nil {
		return
	}
	own := p.declaredTypes()
	for _, imp := range p.Pkg.Imports() {
		if !services[imp.Path()] {
			continue
		}
		for _, name := range imp.Scope().Names() {
			tn, ok := imp.Scope().Lookup(name).(*types.TypeName)
			if !ok || !strings.HasSuffix(name, "Server") || imp.Scope().Lookup("Register"+name) == nil {
				continue
			}
			iface, ok := tn.Type().Underlying().(*types.Interface)
			if !ok {
				continue
			}
			for _, t := range own {
				p.embedServer(t, own, imp.Path(), name, iface)
			}
		}
	}
}

func (p *Pass) embedServer(t *declared, own []*declared, pkg, name string, iface *types.Interface) {
	obj, ok := p.Pkg.Scope().Lookup(t.Name).(*types.TypeName)
	if !ok || t.Spec == nil || t.embeds(p, pkg) || slices.ContainsFunc(t.bases(own), func(e *declared) bool { return e.embeds(p, pkg) }) {
		return
	}
	var methods []string
	for m := range iface.Methods() {
		if m.Exported() {
			methods = append(methods, m.Name())
		}
	}
	if !p.hasAll(obj, methods) {
		return
	}
	if e := t.promotes(own, methods...); e != nil {
		if of, ok := p.Pkg.Scope().Lookup(e.Name).(*types.TypeName); !ok || !p.hasAll(of, methods) { // else e embeds it
			p.Report(t.File, t.Spec.Name, edit.Manual, t.Name+" is a "+name+", which has to embed Unimplemented"+name+", and gets methods from "+e.Name, "embed it in "+e.Name)
		}
		return
	}
	if t.Struct == nil || p.unkeyed(t) {
		p.Report(t.File, t.Spec.Name, edit.Manual, t.Name+" is a "+name+", which has to embed Unimplemented"+name, "make it a struct that embeds it, and give its literals field names")
		return
	}
	path := pkg
	if pkg == grpcTesting {
		path = grpcInterop
	}
	c := p.Change(p.Tier, "a %s embeds Unimplemented%s since gRPC 1.32", name, name)
	c.embed(t, path, "Unimplemented"+name)
}

// hasAll says whether a type has methods, its own or those of what it embeds.
func (p *Pass) hasAll(t *types.TypeName, methods []string) bool {
	for _, m := range methods {
		if found, _, _ := types.LookupFieldOrMethod(types.NewPointer(t.Type()), false, p.Pkg, m); found == nil {
			return false
		}
	}
	return true
}

package rules

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// grpcRemoved names every use of a symbol that the gRPC release which goes
// with the target does not have, unless another rule handles it. The list is
// the atlas's: every exported symbol of every minor release was read.
var grpcRemoved = &Rule{
	ID:    "grpc-removed",
	Title: "report symbols that gRPC does not have any more",
	Before: `package p

import (
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
)

type watched struct {
	connectivity.Reporter
	conn *grpc.ClientConn
}
`,
	After: `package p

import (
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
)

type watched struct {
	connectivity.Reporter
	conn *grpc.ClientConn
}
`,
	Why:    "gRPC removes what it calls experimental without a new major version, and etcd requires a recent release. This is about every file of the repository, whether it uses etcd or not.",
	Since:  "v3.4.0",
	Safety: Report,
	Refs:   []string{"https://github.com/grpc/grpc-go/releases"},
	Claims: []string{"google.golang.org/grpc*"},
	Run:    runGRPCRemoved,
}

// grpcAdvice says what to write instead of symbols whose replacement is more
// than another name.
var grpcAdvice = map[string]string{
	"google.golang.org/grpc/transport":                                 "the package is internal since gRPC 1.14; handlers get the stream with grpc.ServerTransportStreamFromContext(ctx), the method with grpc.Method(ctx), and errors as codes: status.Code(err) == codes.Unavailable",
	"google.golang.org/grpc/transport.StreamFromContext":               "use grpc.ServerTransportStreamFromContext(ctx), or grpc.Method(ctx) where only the method is wanted",
	"google.golang.org/grpc/grpclb":                                    `import "google.golang.org/grpc/balancer/grpclb" instead`,
	"google.golang.org/grpc/connectivity.Reporter":                     "use *grpc.ClientConn, or declare the interface where it is used: GetState() connectivity.State and WaitForStateChange(ctx context.Context, s connectivity.State) bool",
	"google.golang.org/grpc.WithWaitForHandshake":                      "drop the option; connections wait for the handshake since gRPC 1.23",
	"google.golang.org/grpc.NewSharedBufferPool":                       "drop it; mem.DefaultBufferPool() of google.golang.org/grpc/mem is what connections share",
	"google.golang.org/grpc.SharedBufferPool":                          "use mem.BufferPool of google.golang.org/grpc/mem",
	"google.golang.org/grpc/metadata.FromOutgoingContextRaw":           "use metadata.FromOutgoingContext(ctx), which merges what was appended",
	"google.golang.org/grpc/stats.InPayload.Data":                      "read the message itself from Payload; its size is in Length",
	"google.golang.org/grpc/stats.OutPayload.Data":                     "read the message itself from Payload; its size is in Length",
	"google.golang.org/grpc/stats.OutgoingTags":                        `read the metadata key "grpc-tags-bin" of metadata.FromOutgoingContext(ctx)`,
	"google.golang.org/grpc/stats.OutgoingTrace":                       `read the metadata key "grpc-trace-bin" of metadata.FromOutgoingContext(ctx)`,
	"google.golang.org/grpc/stats.SetIncomingTags":                     `set the metadata key "grpc-tags-bin" with metadata.NewIncomingContext(ctx, md)`,
	"google.golang.org/grpc/stats.SetIncomingTrace":                    `set the metadata key "grpc-trace-bin" with metadata.NewIncomingContext(ctx, md)`,
	"google.golang.org/grpc/credentials.Invalid":                       "use credentials.InvalidSecurityLevel",
	"google.golang.org/grpc/naming":                                    "write a resolver.Builder of google.golang.org/grpc/resolver, and give it to grpc.WithResolvers; for names in etcd there is go.etcd.io/etcd/client/v3/naming/resolver",
	"google.golang.org/grpc/naming.NewDNSResolver":                     "drop it and dial \"dns:///\" + host with grpc.WithDefaultServiceConfig(`{\"loadBalancingConfig\":[{\"round_robin\":{}}]}`)",
	"google.golang.org/grpc/naming.NewDNSResolverWithFreq":             "drop it and dial \"dns:///\" + host with grpc.WithDefaultServiceConfig(`{\"loadBalancingConfig\":[{\"round_robin\":{}}]}`)",
	"google.golang.org/grpc/balancer.BuildOptions.ChannelzParentID":    "use BuildOptions.ChannelzParent",
	"google.golang.org/grpc/resolver/manual.Resolver.NewServiceConfig": "call UpdateState(resolver.State{ServiceConfig: r.CC().ParseServiceConfig(js)})",
	"google.golang.org/grpc/serviceconfig.Parse":                       "call ParseServiceConfig of the resolver.ClientConn",
}

// xxxAdvice is what to write for the methods and fields that messages had when
// an older protoc-gen-go made them, in terms of google.golang.org/protobuf.
var xxxAdvice = map[string]string{
	"XXX_Size":             "use proto.Size(m)",
	"XXX_Marshal":          "use proto.Marshal(m)",
	"XXX_Unmarshal":        "use proto.Unmarshal(b, m)",
	"XXX_Merge":            "use proto.Merge(dst, src)",
	"XXX_DiscardUnknown":   "use proto.Unmarshal with DiscardUnknown, or m.ProtoReflect().SetUnknown(nil)",
	"XXX_OneofFuncs":       "use m.ProtoReflect().WhichOneof",
	"XXX_OneofWrappers":    "use m.ProtoReflect().WhichOneof",
	"XXX_unrecognized":     "use m.ProtoReflect().GetUnknown() and SetUnknown",
	"XXX_NoUnkeyedLiteral": "drop it",
	"XXX_sizecache":        "drop it",
}

// grpcHandled are the symbols that other rules answer for.
var grpcHandled = func() map[string]bool {
	m := map[string]bool{}
	for _, r := range []*Rule{grpcRename, grpcBalancerName, grpcWithBalancer, grpcConnTimeout, grpcPicker, grpcResolverTarget, grpcManualResolver, grpcBalancerMethods, grpcAttributesPairs, grpcBufferPool} {
		for _, c := range r.Claims {
			m[c] = true
		}
	}
	return m
}()

func runGRPCRemoved(p *Pass) {
	p.grpcReshaped()
	for _, pkg := range p.Packages() {
		if pkg != grpcPath && !strings.HasPrefix(pkg, grpcPath+"/") {
			continue
		}
		seen := map[string]bool{}
		for _, r := range p.RefsTo(pkg) {
			if sym := r.Symbol; !grpcHandled[sym.String()] && !seen[sym.Name] {
				seen[sym.Name] = true
				p.removedSymbol(pkg, sym.Name)
			}
		}
	}
	for _, f := range p.Files {
		for _, i := range f.imps {
			if s := atlas.GRPCOf(i.path, ""); s != nil && p.gone(s) && !(s.Package == namingPath && (f.usesNaming() || p.followsNaming())) {
				p.Report(f, i.spec, edit.Manual, "package "+i.path+" is gone since gRPC "+release(s.Removed), advice(s))
			}
		}
	}
}

// grpcReshaped reports the few symbols that took another form and have no rule
// of their own.
func (p *Pass) grpcReshaped() {
	if p.grpcReaches("v1.63.0") {
		for _, r := range p.Refs(grpcPath, "WithChannelzParentID") {
			if sig := signatureOf(r.Obj); sig == nil || types.IsInterface(sig.Params().At(0).Type()) {
				continue
			}
			p.Report(r.File, r.Ident, edit.Manual, "grpc.WithChannelzParentID takes a channelz.Identifier since gRPC 1.63, which only gRPC itself makes",
				"drop the option, unless the parent comes from balancer.BuildOptions.ChannelzParent")
		}
	}
	for _, r := range p.Refs(grpcPath, "PickFirstBalancerName") {
		if _, ok := r.Obj.(*types.Const); !ok {
			continue
		}
		for c := range r.Cursor.Enclosing((*ast.GenDecl)(nil)) {
			if d, ok := c.Node().(*ast.GenDecl); ok && d.Tok == token.CONST {
				p.Report(r.File, r.Ident, edit.Manual, "grpc.PickFirstBalancerName is a variable in this gRPC, and is used as a constant here", `write "pick_first", which it is`)
			}
		}
	}
}

// gone says whether the gRPC release of the target lacks a symbol.
func (p *Pass) gone(s *atlas.GRPCSymbol) bool { return s.Removed != "" && p.grpcReaches(s.Removed) }

func (p *Pass) removedSymbol(pkg, name string) {
	s := atlas.GRPCOf(pkg, name)
	if s == nil || !p.gone(s) {
		return
	}
	// A type that is gone takes its members along; one finding is enough, unless
	// the member is all that the code names.
	if owner, _, ok := strings.Cut(name, "."); ok {
		if o := atlas.GRPCOf(pkg, owner); o != nil && p.gone(o) && len(p.Refs(pkg, owner)) > 0 {
			return
		}
		// Methods of types that became aliases of internal ones are still there.
		if strings.HasPrefix(s.Kind, "method") && aliased(pkg, owner) {
			return
		}
	}
	for _, r := range p.Refs(pkg, name) {
		if name == "NewSharedBufferPool" && p.inBufferOption(r) {
			continue // rule grpc-buffer-pool replaces it
		}
		if pkg == namingPath && (r.File.usesNaming() || p.followsNaming()) {
			continue
		}
		p.Report(r.File, r.Ident, edit.Manual, strings.TrimPrefix(strings.TrimPrefix(pkg, "google.golang.org/"), "grpc/")+"."+name+" is gone since gRPC "+release(s.Removed), advice(s))
	}
}

// aliased says whether a type of gRPC is an alias now, with all its members.
func aliased(pkg, typ string) bool {
	s := atlas.GRPCOf(pkg, typ)
	return s != nil && s.Removed == "" && slices.ContainsFunc(s.Shapes, func(sh atlas.GRPCShape) bool { return strings.Contains(sh.Sig, "type "+typ+" = ") })
}

func advice(s *atlas.GRPCSymbol) string {
	key := s.Package
	if s.Name != "" {
		key += "." + s.Name
	}
	for _, k := range []string{key, strings.TrimSuffix(key, "."+s.Name)} {
		if a := grpcAdvice[k]; a != "" {
			return a
		}
	}
	if a, ok := xxxAdvice[s.Name[strings.LastIndexByte(s.Name, '.')+1:]]; ok {
		return a
	}
	if s.Replacement != "" {
		return "use " + s.Replacement
	}
	return "nothing takes its place; see the notes of gRPC " + release(s.Removed) + " at https://github.com/grpc/grpc-go/releases/tag/" + s.Removed
}

// release writes a minor release of gRPC as people do: 1.30 for v1.30.0.
func release(v string) string { return strings.TrimSuffix(strings.TrimPrefix(v, "v"), ".0") }

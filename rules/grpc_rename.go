package rules

import (
	"go/ast"
	"go/types"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// grpcRename gives symbols of gRPC the name that they go by now.
//
// Matched: every mention, in any file that imports gRPC. The old names were
// aliases of the new ones for some releases, or took their place one to one.
//
// Not matched: names that changed together with a signature; rules of their
// own have those. A struct that embeds a type and has a field or method of the
// new name is reported.
var grpcRename = &Rule{
	ID:    "grpc-rename",
	Title: "name symbols of gRPC as it names them now",
	Before: `package p

import "google.golang.org/grpc/resolver"

type builder struct{ addrs []resolver.Address }

func (b *builder) Scheme() string { return "fixed" }

func (b *builder) Build(target resolver.Target, cc resolver.ClientConn, opts resolver.BuildOption) (resolver.Resolver, error) {
	cc.UpdateState(resolver.State{Addresses: b.addrs})
	return b, nil
}

func (b *builder) ResolveNow(resolver.ResolveNowOption) {}

func (b *builder) Close() {}

var _ resolver.Builder = &builder{}
`,
	After: `package p

import "google.golang.org/grpc/resolver"

type builder struct{ addrs []resolver.Address }

func (b *builder) Scheme() string { return "fixed" }

func (b *builder) Build(target resolver.Target, cc resolver.ClientConn, opts resolver.BuildOptions) (resolver.Resolver, error) {
	cc.UpdateState(resolver.State{Addresses: b.addrs})
	return b, nil
}

func (b *builder) ResolveNow(resolver.ResolveNowOptions) {}

func (b *builder) Close() {}

var _ resolver.Builder = &builder{}
`,
	Why: "gRPC takes experimental names back without a new major version. metadata.NewContext and FromContext were one pair until 1.3 told outgoing from incoming metadata; " +
		"they stood for NewOutgoingContext and FromIncomingContext from then on. Code that relied on one context for both must copy the metadata over.",
	Since:  "v3.4.0",
	Safety: Same,
	Refs: []string{
		"https://github.com/grpc/grpc-go/releases/tag/v1.6.0",
		"https://github.com/grpc/grpc-go/releases/tag/v1.27.0",
		"https://github.com/grpc/grpc-go/releases/tag/v1.31.0",
	},
	Claims: []string{
		"google.golang.org/grpc/metadata.NewContext",
		"google.golang.org/grpc/metadata.FromContext",
		"google.golang.org/grpc/resolver.BuildOption",
		"google.golang.org/grpc/resolver.ResolveNowOption",
		"google.golang.org/grpc/balancer.PickOptions",
		"google.golang.org/grpc/balancer.V2Picker",
		"google.golang.org/grpc/balancer.V2Balancer",
		"google.golang.org/grpc/balancer/base.NewBalancerBuilderV2",
		"google.golang.org/grpc/balancer/base.NewBalancerBuilderWithConfig",
		"google.golang.org/grpc/balancer/base.V2PickerBuilder",
		"google.golang.org/grpc/balancer.PickResult.Metatada",
	},
	Run: runGRPCRename,
}

// grpcRenames are the names that changed and nothing else.
var grpcRenames = []struct {
	pkg, old, new string
	since         string // gRPC release without the old name
}{
	{grpcPath + "/metadata", "NewContext", "NewOutgoingContext", "v1.6.0"},
	{grpcPath + "/metadata", "FromContext", "FromIncomingContext", "v1.6.0"},
	{grpcResolver, "BuildOption", "BuildOptions", "v1.27.0"},
	{grpcResolver, "ResolveNowOption", "ResolveNowOptions", "v1.27.0"},
	{grpcBalancer, "PickOptions", "PickInfo", "v1.27.0"},
	{grpcBalancer, "V2Picker", "Picker", "v1.31.0"},
	{grpcBalancer, "V2Balancer", "Balancer", "v1.31.0"},
	{grpcBalancerBase, "NewBalancerBuilderV2", "NewBalancerBuilder", "v1.31.0"},
	{grpcBalancerBase, "NewBalancerBuilderWithConfig", "NewBalancerBuilder", "v1.30.0"},
	{grpcBalancerBase, "V2PickerBuilder", "PickerBuilder", "v1.31.0"},
	{grpcBalancer, "PickResult.Metatada", "Metadata", "v1.56.0"},
}

func runGRPCRename(p *Pass) {
	for _, t := range grpcRenames {
		refs := p.Refs(t.pkg, t.old)
		if len(refs) == 0 || !p.grpcReaches(t.since) {
			continue
		}
		for _, r := range refs {
			if p.redeclares(r, t.new) {
				p.Report(r.File, r.Ident, edit.Manual, t.old+" is "+t.new+" in gRPC "+t.since+", and the struct that embeds it has one of that name",
					"leave the field out where it is the same type twice, or give it a name")
				continue
			}
			c := p.Change(r.Tier, "%s is %s in gRPC %s", t.old, t.new, t.since)
			c.ReplaceNode(r.File, r.Ident, t.new)
			c.renameEmbedded(r, t.new)
		}
		if t.old == "FromContext" && len(p.Refs(t.pkg, "NewContext")) > 0 {
			reportOneContext(p, refs)
		}
	}
}

// reportOneContext names functions that read metadata from a context and put
// some into one again: before gRPC 1.3 the incoming metadata went out with it.
func reportOneContext(p *Pass, from []Ref) {
	for _, r := range from {
		_, _, body, at := enclosingBody(r.Cursor)
		if body == nil {
			continue
		}
		for _, n := range p.Refs(grpcPath+"/metadata", "NewContext") {
			if _, _, _, in := enclosingBody(n.Cursor); in == at {
				p.Report(n.File, n.Ident, edit.Review, "metadata read from the incoming context and set on the outgoing one are two things since gRPC 1.3",
					"check that what is sent on is what was meant: md, _ := metadata.FromIncomingContext(ctx); ctx = metadata.NewOutgoingContext(ctx, md.Copy())")
			}
		}
	}
}

// renameEmbedded carries a new type name on to the uses of a field that it
// names by being embedded.
func (c Change) renameEmbedded(r Ref, name string) {
	if c.p.Info == nil {
		return
	}
	field, ok := c.p.Info.Defs[r.Ident].(*types.Var)
	if !ok || !field.IsField() {
		return
	}
	for at := range c.p.Inspector().Root().Preorder((*ast.Ident)(nil)) {
		id := at.Node().(*ast.Ident)
		if c.p.Info.Uses[id] == field {
			c.ReplaceNode(c.p.FileOf(id.Pos()), id, name)
		}
	}
}

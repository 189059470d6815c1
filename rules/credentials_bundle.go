package rules

import (
	"go/ast"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// credentialsBundle takes credential bundles apart.
//
// Matched: NewBundle with a literal Config, where its transport credentials
// are taken at once, and where it has no TLS and so is only used for tokens.
//
// Not matched: bundles that are kept and used for both; they become findings.
var credentialsBundle = &Rule{
	ID:    "credentials-bundle",
	Title: "make transport credentials and token bundles separately",
	Before: `package p

import (
	"crypto/tls"

	"go.etcd.io/etcd/clientv3/credentials"
	"google.golang.org/grpc"
)

func secure(cfg *tls.Config) grpc.DialOption {
	return grpc.WithTransportCredentials(credentials.NewBundle(credentials.Config{TLSConfig: cfg}).TransportCredentials())
}
`,
	After: `package p

import (
	"crypto/tls"

	"go.etcd.io/etcd/client/v3/credentials"
	"google.golang.org/grpc"
)

func secure(cfg *tls.Config) grpc.DialOption {
	return grpc.WithTransportCredentials(credentials.NewTransportCredential(cfg))
}
`,
	Why:     "The bundle of 3.6 has only the credentials of a request. Since 3.5 the client checks the host of each endpoint by itself.",
	Since:   "v3.6.0",
	Targets: []atlas.Line{atlas.Line36, atlas.Line37},
	Safety:  Same,
	Refs:    []string{"https://github.com/etcd-io/etcd/blob/v3.6.0/client/v3/credentials/credentials.go"},
	Claims:  []string{"clientv3/credentials.NewBundle", "clientv3/credentials.Config", "clientv3/credentials.Config.TLSConfig"},
	Run: func(p *Pass) {
		for _, r := range p.Refs("clientv3/credentials", "NewBundle") {
			p.splitBundle(r)
		}
		for _, r := range p.Refs("clientv3/credentials", "Config") {
			p.bundleConfig(r)
		}
	},
}

const bundleAdvice = "`credentials.NewTransportCredential(tlsConfig)` for grpc.WithTransportCredentials, and `credentials.NewPerRPCCredentialBundle()` for tokens"

// bundleConfig reports the configuration of a bundle where it is not an
// argument of NewBundle.
func (p *Pass) bundleConfig(r Ref) {
	_, at := r.Expr()
	if lit := at.Parent(); isNode[*ast.CompositeLit](lit.Node()) && isNode[*ast.CallExpr](lit.Parent().Node()) {
		return // NewBundle reports it where it is not rewritten
	}
	p.Report(r.File, r.Ident, edit.Manual, "credentials.Config is gone from etcd "+string(p.Target.Line), "pass its TLSConfig on: "+bundleAdvice)
}

func isNode[T ast.Node](n ast.Node) bool {
	_, ok := n.(T)
	return ok
}

func (p *Pass) splitBundle(r Ref) {
	f, call := r.File, r.Call()
	fail := func() {
		p.Report(f, r.Ident, edit.Manual, "credentials.NewBundle is gone from etcd "+string(p.Target.Line), bundleAdvice)
	}
	if call == nil || len(call.Args) != 1 {
		fail()
		return
	}
	lit, ok := call.Args[0].(*ast.CompositeLit)
	if !ok || len(lit.Elts) > 1 {
		fail()
		return
	}
	_, at := r.Expr()
	at = at.Parent()
	if sel, ok := at.Parent().Node().(*ast.SelectorExpr); ok && sel.Sel.Name == "TransportCredentials" && len(lit.Elts) == 1 {
		outer, ok := at.Parent().Parent().Node().(*ast.CallExpr)
		if !ok {
			fail()
			return
		}
		value := lit.Elts[0]
		if kv, ok := value.(*ast.KeyValueExpr); ok {
			value = kv.Value
		}
		c := p.Change(r.Tier, "transport credentials are made on their own")
		c.ReplaceNode(f, r.Ident, "NewTransportCredential")
		c.Replace(f, lit.Pos(), value.Pos(), "")
		c.Replace(f, value.End(), lit.End(), "")
		c.Replace(f, call.End(), outer.End(), "")
		return
	}
	if len(lit.Elts) == 0 {
		c := p.Change(r.Tier, "bundles have only the credentials of a request")
		c.ReplaceNode(f, r.Ident, "NewPerRPCCredentialBundle")
		c.ReplaceNode(f, lit, "")
		return
	}
	fail()
}

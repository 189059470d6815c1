package rules

import (
	"go/ast"
	"go/constant"
	"go/token"
	"slices"
	"strconv"

	"golang.org/x/tools/go/ast/inspector"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// grpcWithBalancer chooses the balancer of a connection through its service
// config instead of package grpc's own balancers.
//
// Matched: grpc.WithBalancer(grpc.RoundRobin(nil)).
//
// Not matched: balancers that take a naming.Resolver; what the resolver did
// has to be written as a resolver.Builder. Where it is etcd's own, naming has
// a rule that does both.
var grpcWithBalancer = &Rule{
	ID:    "grpc-with-balancer",
	Title: "choose the balancer of a connection by its service config instead of grpc.WithBalancer",
	Before: `package p

import (
	"google.golang.org/grpc"
)

func dial(addr string) (*grpc.ClientConn, error) {
	return grpc.Dial(addr, grpc.WithInsecure(), grpc.WithBalancer(grpc.RoundRobin(nil)))
}
`,
	After: `package p

import (
	"google.golang.org/grpc"
)

func dial(addr string) (*grpc.ClientConn, error) {
	return grpc.Dial(addr, grpc.WithInsecure(), grpc.WithDefaultServiceConfig(` + "`" + `{"loadBalancingConfig":[{"round_robin":{}}]}` + "`" + `))
}
`,
	Why: "grpc.WithBalancer and grpc.RoundRobin are gone since gRPC 1.30, grpc.WithServiceConfig since 1.60. The default service config names the balancer; " +
		"where the resolver of the target delivers a service config itself, that one wins.",
	Since:  "v3.4.0",
	Safety: Adjusted,
	Refs: []string{
		"https://github.com/grpc/grpc-go/releases/tag/v1.30.0",
		"https://github.com/grpc/grpc-go/releases/tag/v1.60.0",
	},
	Claims: []string{
		"google.golang.org/grpc.WithBalancer",
		"google.golang.org/grpc.RoundRobin",
		"google.golang.org/grpc.WithServiceConfig",
	},
	Run: runGRPCWithBalancer,
}

func runGRPCWithBalancer(p *Pass) {
	if p.grpcReaches("v1.30.0") {
		p.oldBalancers()
	}
	if p.grpcReaches("v1.60.0") {
		for _, r := range p.Refs(grpcPath, "WithServiceConfig") {
			p.Report(r.File, r.Ident, edit.Manual, "grpc.WithServiceConfig, which took a channel of service configs, is gone since gRPC 1.60",
				"pass the config as JSON, grpc.WithDefaultServiceConfig(`{\"loadBalancingConfig\":[{\"round_robin\":{}}]}`); configs that change while the connection lives come from a resolver: cc.UpdateState(resolver.State{ServiceConfig: cc.ParseServiceConfig(js)})")
		}
	}
}

// serviceConfig writes the service config that chooses a balancer as a Go
// string.
func serviceConfig(balancer string) string {
	js := `{"loadBalancingConfig":[{` + strconv.Quote(balancer) + `:{}}]}`
	if strconv.CanBackquote(js) {
		return "`" + js + "`"
	}
	return strconv.Quote(js)
}

// literalString returns the value of a string literal. A named constant is
// not one: its name says more than its value.
func (p *Pass) literalString(e ast.Expr) (string, bool) {
	lit, ok := ast.Unparen(e).(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}

// constString returns the value of a constant string, literal or named; the
// latter only where there are types.
func (p *Pass) constString(e ast.Expr) (string, bool) {
	if p.Info != nil {
		if tv, ok := p.Info.Types[e]; ok && tv.Value != nil && tv.Value.Kind() == constant.String {
			return constant.StringVal(tv.Value), true
		}
	}
	return p.literalString(e)
}

// oldBalancers handles the balancers of package grpc itself.
func (p *Pass) oldBalancers() {
	done := map[*ast.CallExpr]bool{}
	for _, r := range p.Refs(grpcPath, "WithBalancer") {
		call := r.Call()
		if call != nil && len(call.Args) == 1 && p.overNaming(r.File, call.Args[0]) {
			continue // rule naming-resolver rewrites the resolver with it
		}
		var inner *ast.CallExpr
		if call != nil && len(call.Args) == 1 {
			inner, _ = ast.Unparen(call.Args[0]).(*ast.CallExpr)
		}
		if inner != nil && len(inner.Args) == 1 && isNil(inner.Args[0]) && p.isCallTo(grpcPath, "RoundRobin", inner) {
			done[inner] = true
			if _, ec := r.Expr(); p.besideServiceConfig(parent(ec)) {
				p.Report(r.File, r.Ident, edit.Manual, "grpc.WithBalancer is gone since gRPC 1.30, and of two default service configs only the last one counts",
					`drop it and name the balancer in the config that is there: "loadBalancingConfig":[{"round_robin":{}}]`)
				continue
			}
			c := p.Change(r.Tier, "the service config names the balancer; grpc.WithBalancer is gone since gRPC 1.30")
			c.ReplaceNode(r.File, r.Ident, "WithDefaultServiceConfig")
			c.ReplaceNode(r.File, inner, serviceConfig("round_robin"))
			continue
		}
		if inner != nil && p.isCallTo(grpcPath, "RoundRobin", inner) {
			done[inner] = true
		}
		p.Report(r.File, r.Ident, edit.Manual, "grpc.WithBalancer is gone since gRPC 1.30",
			"write what the naming.Resolver did as a resolver.Builder b, and dial with grpc.WithResolvers(b), grpc.WithDefaultServiceConfig(`{\"loadBalancingConfig\":[{\"round_robin\":{}}]}`) and the target b.Scheme() + \":///\" + name; for DNS, the target \"dns:///\" + host is enough")
	}
	for _, r := range p.Refs(grpcPath, "RoundRobin") {
		if call := r.Call(); call != nil && (done[call] || p.overNaming(r.File, call)) {
			continue
		}
		p.Report(r.File, r.Ident, edit.Manual, "grpc.RoundRobin is gone since gRPC 1.30",
			"drop it; the balancer is chosen with grpc.WithDefaultServiceConfig(`{\"loadBalancingConfig\":[{\"round_robin\":{}}]}`), the addresses come from a resolver.Builder given to grpc.WithResolvers")
	}
}

// besideServiceConfig says whether a dial option stands in a list with one that
// gives a default service config.
func (p *Pass) besideServiceConfig(option inspector.Cursor) bool {
	var list []ast.Expr
	switch n := parent(option).Node().(type) {
	case *ast.CompositeLit:
		list = n.Elts
	case *ast.CallExpr:
		list = n.Args
	}
	return slices.ContainsFunc(list, func(e ast.Expr) bool {
		call, ok := ast.Unparen(e).(*ast.CallExpr)
		return ok && p.isCallTo(grpcPath, "WithDefaultServiceConfig", call)
	})
}

// overNaming says whether a balancer is one of grpc.RoundRobin over a resolver
// of etcd's naming, whose rule rewrites or reports it.
func (p *Pass) overNaming(f *File, e ast.Expr) bool {
	if p.Info == nil {
		return f.usesNaming()
	}
	round := func(e ast.Expr) bool {
		call, ok := ast.Unparen(e).(*ast.CallExpr)
		return ok && p.isCallTo(grpcPath, "RoundRobin", call) && len(call.Args) == 1 && isPointerTo("clientv3/naming", "GRPCResolver")(p.TypeOf(call.Args[0]))
	}
	values, _ := p.valuesOf(p.object(e))
	return round(e) || slices.ContainsFunc(values, func(v inspector.Cursor) bool { return round(v.Node().(ast.Expr)) })
}

// isCallTo says whether a call is one of a symbol.
func (p *Pass) isCallTo(pkg, name string, call *ast.CallExpr) bool {
	for _, r := range p.Refs(pkg, name) {
		if r.Call() == call {
			return true
		}
	}
	return false
}

// usesNaming says whether a file imports etcd's gRPC naming, whose rule
// rewrites the balancer together with the resolver.
func (f *File) usesNaming() bool {
	for _, i := range f.imps {
		if i.rel == "clientv3/naming" {
			return true
		}
	}
	return false
}

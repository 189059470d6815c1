package rules

import (
	"go/ast"
	"strconv"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// grpcBalancerName replaces grpc.WithBalancerName, which gRPC v1.46 removed.
//
// Matched: calls anywhere in the repository; the balancer is named by a default
// service config instead. In the dial options of an etcd client round_robin is
// dropped, which is what the client asks for itself.
//
// Not matched: another balancer in etcd dial options. The client's own service
// config decides there; the spot is reported. So is an option beside one that
// gives a default service config.
var grpcBalancerName = &Rule{
	ID:    "grpc-balancer-name",
	Title: "name the balancer in a default service config instead of grpc.WithBalancerName",
	Before: `package p

import (
	"github.com/coreos/etcd/clientv3"
	"google.golang.org/grpc"
)

func connect(endpoints []string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints:   endpoints,
		DialOptions: []grpc.DialOption{grpc.WithBalancerName("round_robin"), grpc.WithUserAgent("p")},
	})
}

func backend(addr string) (*grpc.ClientConn, error) {
	return grpc.Dial(addr, grpc.WithInsecure(), grpc.WithBalancerName("round_robin"))
}
`,
	After: `package p

import (
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
)

func connect(endpoints []string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints:   endpoints,
		DialOptions: []grpc.DialOption{grpc.WithUserAgent("p")},
	})
}

func backend(addr string) (*grpc.ClientConn, error) {
	return grpc.Dial(addr, grpc.WithInsecure(), grpc.WithDefaultServiceConfig(` + "`{\"loadBalancingPolicy\":\"round_robin\"}`" + `))
}
`,
	Why: "gRPC v1.46 removed WithBalancerName. A default service config names the balancer; unlike WithBalancerName it gives way to a service config that the resolver sends. " +
		"The etcd client's resolver always sends round_robin, so the option is dropped there when it says round_robin too.",
	Since:  "v3.5.0",
	Safety: Adjusted,
	Refs:   []string{"https://github.com/grpc/grpc-go/pull/5232", "client/v3/internal/resolver/resolver.go, Build"},
	Claims: []string{grpcPath + ".WithBalancerName"},
	Run:    runGRPCBalancerName,
}

func runGRPCBalancerName(p *Pass) {
	for _, r := range p.Refs(grpcPath, "WithBalancerName") {
		f := r.File
		call := r.Call()
		if call == nil || len(call.Args) != 1 {
			p.Report(f, r.Ident, edit.Manual, "gRPC removed WithBalancerName in v1.46",
				"name the balancer with grpc.WithDefaultServiceConfig(`{\"loadBalancingPolicy\":\"NAME\"}`)")
			continue
		}
		name := p.balancerName(call.Args[0])
		_, ec := r.Expr()
		cc := parent(ec)
		if _, ok := p.etcdOption(cc); ok {
			if name == "round_robin" && !p.local(p.object(call.Args[0])) {
				c := p.Change(r.Tier, "grpc.WithBalancerName(\"round_robin\") is dropped: the etcd client balances so by itself")
				if p.dropOptions(c, []blockOption{{r, cc}}) {
					continue
				}
			}
			if name != "round_robin" {
				p.Report(f, call, edit.Review, "the etcd client always uses round_robin; this balancer no longer takes effect",
					"drop the option; to prefer one member, give the client only its endpoint")
			}
		}
		if p.besideServiceConfig(cc) {
			p.Report(f, r.Ident, edit.Manual, "gRPC removed WithBalancerName in v1.46, and of two default service configs only the last one counts",
				"drop it and name the balancer in the config that is there: \"loadBalancingPolicy\":\"NAME\"")
			continue
		}
		c := p.Change(r.Tier, "gRPC removed WithBalancerName; a default service config names the balancer")
		c.ReplaceNode(f, r.Ident, "WithDefaultServiceConfig")
		if name != "" && p.ownName(call.Args[0]) {
			c.ReplaceNode(f, call.Args[0], "`{\"loadBalancingPolicy\":"+strconv.Quote(name)+"}`")
		} else {
			c.Insert(f, call.Args[0].Pos(), c.Qualified(f, "fmt", "Sprintf")+"(`{\"loadBalancingPolicy\":%q}`, ")
			c.Insert(f, call.Args[0].End(), ")")
		}
	}
}

// ownName says whether a balancer's name may be written out: it is a literal
// or gRPC's. Another constant stays, and with it the import that may register
// the balancer.
func (p *Pass) ownName(e ast.Expr) bool {
	if _, ok := e.(*ast.BasicLit); ok {
		return true
	}
	sel, ok := e.(*ast.SelectorExpr)
	return ok && strings.HasPrefix(p.symbolOf(sel).Pkg+"/", grpcPath+"/")
}

// balancerName returns the value of a balancer's name, "" when it is not known:
// a constant, or roundrobin.Name.
func (p *Pass) balancerName(e ast.Expr) string {
	if s := p.stringOf(e); s != "" {
		return s
	}
	for _, r := range p.Refs(grpcPath+"/balancer/roundrobin", "Name") {
		if x, _ := r.Expr(); x == e {
			return "round_robin"
		}
	}
	return ""
}

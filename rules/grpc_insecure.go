package rules

import (
	"go/ast"

	"golang.org/x/tools/go/ast/inspector"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// grpcInsecure replaces grpc.WithInsecure in the dial options of an etcd
// client.
//
// Matched: calls whose option ends in Config.DialOptions. Where the same Config
// sets TLS, the option is dropped: old gRPC refused the two together, current
// gRPC would take the option and send plain text. An option that another
// connection gets, too, stays and is reported.
//
// Not matched: other gRPC connections; the deprecated function still works.
var grpcInsecure = &Rule{
	ID:    "grpc-insecure",
	Title: "write insecure credentials instead of grpc.WithInsecure in etcd dial options",
	Before: `package p

import (
	"github.com/coreos/etcd/clientv3"
	"google.golang.org/grpc"
)

func connect(endpoints []string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints:   endpoints,
		DialOptions: []grpc.DialOption{grpc.WithInsecure()},
	})
}
`,
	After: `package p

import (
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func connect(endpoints []string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints:   endpoints,
		DialOptions: []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())},
	})
}
`,
	Why: "grpc.WithInsecure is deprecated since gRPC v1.43. The client sets insecure credentials itself when the Config has no TLS, so the option is redundant there and kept as it is meant; " +
		"with TLS in the same Config it is removed, since gRPC would now let it win over TLS in silence.",
	Since:  "v3.5.0",
	Safety: Same,
	Refs:   []string{"https://pkg.go.dev/google.golang.org/grpc#WithInsecure", "client/v3/client.go, dial: options of the Config are appended last"},
	Run:    runGRPCInsecure,
}

func runGRPCInsecure(p *Pass) {
	for _, r := range p.Refs(grpcPath, "WithInsecure") {
		call := r.Call()
		if call == nil || len(call.Args) > 0 {
			continue // handed around as a function: not an option yet
		}
		_, ec := r.Expr()
		cc := parent(ec)
		stored, ok := p.etcdOption(cc)
		if !ok {
			continue
		}
		if p.besideTLS(r.File, stored) {
			c := p.Change(r.Tier, "grpc.WithInsecure is dropped: gRPC would let it win over the TLS of the same Config")
			if p.dropOptions(c, []blockOption{{r, cc}}) {
				continue
			}
			p.Report(r.File, call, edit.Review, "insecure credentials win over the TLS of the same Config: the client would send plain text",
				"give the client dial options without them where it has TLS")
		}
		c := p.Change(r.Tier, "grpc.WithInsecure is deprecated; insecure credentials say the same")
		c.ReplaceNode(r.File, r.Ident, "WithTransportCredentials")
		c.Insert(r.File, call.Rparen, c.Qualified(r.File, grpcPath+"/credentials/insecure", "NewCredentials()"))
	}
}

// besideTLS says whether the Config that stores dial options at a cursor sets
// TLS too.
func (p *Pass) besideTLS(f *File, stored inspector.Cursor) bool {
	switch n := stored.Parent().Node().(type) {
	case *ast.KeyValueExpr:
		lit, ok := stored.Parent().Parent().Node().(*ast.CompositeLit)
		if !ok {
			return false
		}
		kv := Literal{Lit: lit}.Key("TLS")
		if kv == nil {
			return false
		}
		id, isNil := kv.Value.(*ast.Ident)
		return !isNil || id.Name != "nil"
	case *ast.AssignStmt:
		for i, r := range n.Rhs {
			if sel, ok := n.Lhs[i].(*ast.SelectorExpr); ok && r == stored.Node() {
				return p.setElsewhere(p.FileOf(n.Pos()), stored, sel, "TLS")
			}
		}
	}
	return false
}

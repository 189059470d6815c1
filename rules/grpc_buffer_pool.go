package rules

import (
	"go/ast"
	"iter"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// grpcBufferPool gives connections and servers gRPC's own pool of buffers by
// the options that take one now.
//
// Matched: the options over grpc.NewSharedBufferPool, which is what
// mem.DefaultBufferPool is now.
//
// Not matched: pools in variables and of the program's own, since a pool
// returns pointers now.
var grpcBufferPool = &Rule{
	ID:    "grpc-buffer-pool",
	Title: "share buffers through package mem",
	Before: `package p

import (
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/experimental"
)

func dial(endpoints []string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints:   endpoints,
		DialOptions: []grpc.DialOption{experimental.WithRecvBufferPool(grpc.NewSharedBufferPool())},
	})
}
`,
	After: `package p

import (
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/experimental"
	"google.golang.org/grpc/mem"
)

func dial(endpoints []string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints:   endpoints,
		DialOptions: []grpc.DialOption{experimental.WithBufferPool(mem.DefaultBufferPool())},
	})
}
`,
	Why:    "Since gRPC 1.66 buffers come from a pool that all connections share, and the options name another one for what is read and written. Over the default pool they change nothing, and can be dropped.",
	Since:  "v3.4.0",
	Safety: Same,
	Refs:   []string{"https://github.com/grpc/grpc-go/releases/tag/v1.66.0"},
	Claims: []string{
		"google.golang.org/grpc/experimental.WithRecvBufferPool", "google.golang.org/grpc/experimental.RecvBufferPool",
		"google.golang.org/grpc.WithRecvBufferPool", "google.golang.org/grpc.RecvBufferPool",
	},
	Run: runGRPCBufferPool,
}

const grpcExperimental = grpcPath + "/experimental"

func runGRPCBufferPool(p *Pass) {
	for r, s := range p.bufferOptions() {
		p.bufferPool(r, s)
	}
}

// bufferOptions are the mentions of options that gRPC does not have any more.
func (p *Pass) bufferOptions() iter.Seq2[Ref, *atlas.GRPCSymbol] {
	return func(yield func(Ref, *atlas.GRPCSymbol) bool) {
		for _, pkg := range []string{grpcExperimental, grpcPath} {
			for _, name := range []string{"WithRecvBufferPool", "RecvBufferPool"} {
				for _, r := range p.Refs(pkg, name) {
					if s := atlas.GRPCOf(pkg, name); s != nil && p.gone(s) && !yield(r, s) {
						return
					}
				}
			}
		}
	}
}

func (p *Pass) bufferPool(r Ref, s *atlas.GRPCSymbol) {
	now := "BufferPool"
	if r.Name == "WithRecvBufferPool" {
		now = "WithBufferPool"
	}
	f, call := r.File, r.Call()
	if call == nil || len(call.Args) != 1 || !p.isGRPC(f, call.Args[0], "NewSharedBufferPool") {
		p.Report(f, r.Ident, edit.Manual, r.Name+" is gone since gRPC "+release(s.Removed),
			"drop the option, or give experimental."+now+" a pool of package mem: its Get returns a pointer")
		return
	}
	e, _ := r.Expr()
	c := p.Change(r.Tier, "connections share buffers through package mem")
	c.ReplaceNode(f, e, c.Qualified(f, grpcExperimental, now))
	c.ReplaceNode(f, call.Args[0].(*ast.CallExpr).Fun, c.Qualified(f, grpcPath+"/mem", "DefaultBufferPool"))
}

// inBufferOption says whether a mention of NewSharedBufferPool is the argument
// of an option.
func (p *Pass) inBufferOption(r Ref) bool {
	call := r.Call()
	for o := range p.bufferOptions() {
		if option := o.Call(); call != nil && option != nil && len(option.Args) == 1 && option.Args[0] == call {
			return true
		}
	}
	return false
}

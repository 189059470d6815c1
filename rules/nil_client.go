package rules

import "go/ast"

// nilClient replaces a nil client that constructors no longer stand.
//
// Matched: NewKVFromKVClient and its siblings with nil for the client.
var nilClient = &Rule{
	ID:    "nil-client",
	Title: "pass a client instead of nil to clientv3.New…From…Client",
	Before: `package p

import (
	"time"

	"github.com/coreos/etcd/clientv3"
	pb "github.com/coreos/etcd/etcdserver/etcdserverpb"
)

func lease(c pb.LeaseClient) clientv3.Lease {
	return clientv3.NewLeaseFromLeaseClient(c, nil, time.Second)
}
`,
	After: `package p

import (
	"context"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func lease(c pb.LeaseClient) clientv3.Lease {
	return clientv3.NewLeaseFromLeaseClient(c, clientv3.NewCtxClient(context.Background()), time.Second)
}
`,
	Why:    "The constructors for leases and maintenance panic for a nil client in 3.5; from 3.6 on they take it, and what they make panics when it logs. NewCtxClient makes a client that is only a context and a logger that drops everything.",
	Since:  "v3.5.0",
	Safety: Same,
	Refs: []string{
		"https://github.com/etcd-io/etcd/blob/v3.6.16/client/v3/lease.go (NewLeaseFromLeaseClient)",
		"https://github.com/etcd-io/etcd/blob/v3.6.16/client/v3/maintenance.go (NewMaintenanceFromMaintenanceClient)",
		"https://github.com/etcd-io/etcd/blob/v3.6.16/client/v3/client.go (NewCtxClient)",
	},
	Run: func(p *Pass) {
		for _, name := range []string{"NewKVFromKVClient", "NewLeaseFromLeaseClient", "NewWatchFromWatchClient", "NewMaintenanceFromMaintenanceClient", "NewClusterFromClusterClient"} {
			for _, r := range p.Refs("clientv3", name) {
				call := r.Call()
				if call == nil || len(call.Args) < 2 {
					continue // the form of v3.2.11 and older has no client
				}
				if !p.isNilClient(call.Args[1]) {
					continue
				}
				c := p.Change(r.Tier, "clientv3.%s no longer stands a nil client", name)
				c.ReplaceNode(r.File, call.Args[1], c.Qualified(r.File, "go.etcd.io/etcd/client/v3", "NewCtxClient(")+c.Qualified(r.File, "context", "Background()")+")")
			}
		}
	},
}

// isNilClient says whether an expression is nil, or (*clientv3.Client)(nil).
func (p *Pass) isNilClient(e ast.Expr) bool {
	if call, ok := ast.Unparen(e).(*ast.CallExpr); ok && len(call.Args) == 1 && p.namesPointer("clientv3", "Client", ast.Unparen(call.Fun)) {
		e = call.Args[0]
	}
	return isNil(e)
}

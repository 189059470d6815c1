package rules

import (
	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// serializableOrder reports reads that may go back in time.
//
// Matched: clientv3.WithSerializable in code from before v3.3.14, unless the
// package orders its reads with clientv3/ordering, or all its clients are seen
// to have one endpoint and never learn of others.
var serializableOrder = &Rule{
	ID:    "serializable-order",
	Title: "report serializable reads that may go back in revision",
	Before: `package p

import (
	"context"

	"github.com/coreos/etcd/clientv3"
)

func get(ctx context.Context, kv clientv3.KV) (*clientv3.GetResponse, error) {
	return kv.Get(ctx, "k", clientv3.WithSerializable())
}
`,
	After: `package p

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"
)

func get(ctx context.Context, kv clientv3.KV) (*clientv3.GetResponse, error) {
	return kv.Get(ctx, "k", clientv3.WithSerializable())
}
`,
	Why:    "Up to v3.3.13 a client stayed with one member as long as that was healthy. Now it is connected to all, and calls go to them in turn; a serializable read may meet a member that is behind the one before.",
	Since:  "v3.3.14",
	Safety: Report,
	Refs: []string{
		"https://github.com/etcd-io/etcd/blob/v3.3.10/clientv3/health_balancer.go",
		"https://github.com/etcd-io/etcd/blob/v3.6.16/client/v3/internal/resolver/resolver.go (Build)",
	},
	Run: func(p *Pass) {
		refs := p.Refs("clientv3", "WithSerializable")
		if len(refs) == 0 || !p.FromBefore("v3.3.14") || len(p.RefsTo("clientv3/ordering")) > 0 || p.oneEndpoint() {
			return
		}
		for _, r := range refs {
			at, _ := r.Expr()
			if call := r.Call(); call != nil {
				at = call
			}
			p.Report(r.File, at, edit.Review, "calls go to all members in turn now; a serializable read may be answered with an older revision than the one before",
				"if the order of reads matters, wrap the KV: ordering.NewKV(cli.KV, ordering.NewOrderViolationSwitchEndpointClosure(cli))")
		}
	},
}

// oneEndpoint says whether all clients of the package are seen to have a single
// endpoint, and to keep it.
func (p *Pass) oneEndpoint() bool {
	if len(p.Refs("clientv3", "Client.Sync")) > 0 || len(p.Refs("clientv3", "Client.SetEndpoints")) > 0 {
		return false
	}
	configs := p.configs()
	for _, n := range configs {
		values := n.cfg.fields["Endpoints"]
		if len(values) != 1 || !n.cfg.complete || len(n.cfg.fields["AutoSyncInterval"]) > 0 {
			return false
		}
		if lit := p.literal(values[0]); lit == nil || len(lit.Elts) != 1 {
			return false
		}
	}
	return len(configs) > 0
}

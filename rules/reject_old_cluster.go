package rules

import (
	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// rejectOldCluster reports clients that refuse old clusters.
//
// Matched: a Config with RejectOldCluster set, unless to false, in code from an
// older line than the target.
var rejectOldCluster = &Rule{
	ID:    "reject-old-cluster",
	Title: "report clients with RejectOldCluster, which refuses more now",
	Before: `package p

import "github.com/coreos/etcd/clientv3"

func connect(endpoints []string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{Endpoints: endpoints, RejectOldCluster: true})
}
`,
	After: `package p

import clientv3 "go.etcd.io/etcd/client/v3"

func connect(endpoints []string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{Endpoints: endpoints, RejectOldCluster: true})
}
`,
	Why:    "The oldest server that passes rises with the client: 3.4 for 3.5, the line before its own for 3.6 and 3.7. And where one member that answered was enough, one that does not answer now fails New.",
	Since:  "v3.5.0",
	Safety: Report,
	Refs:   []string{"https://github.com/etcd-io/etcd/blob/v3.6.16/client/v3/client.go (checkVersion and minSupportedVersion)"},
	Run: func(p *Pass) {
		oldest := map[atlas.Line]string{atlas.Line35: "3.4", atlas.Line36: "3.5", atlas.Line37: "3.6"}[p.Target.Line]
		for _, r := range p.Refs("clientv3", "Config.RejectOldCluster") {
			u := useOf(r)
			if u.value == nil || isFalse(p, u.value) || !(p.FromBefore("v"+string(p.Target.Line)+".0") || p.before35(r.File)) {
				continue
			}
			message := "with RejectOldCluster clientv3.New fails for servers before " + oldest
			if p.before35(r.File) {
				message += ", and when any of the endpoints does not answer; before, one that did was enough"
			}
			p.Report(r.File, u.expr, edit.Review, message, "upgrade the cluster first, and see that all endpoints are up or handle the error")
		}
	},
}

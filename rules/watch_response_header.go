package rules

import (
	"go/ast"

	"github.com/etcdshift/etcdshift/rules/atlas"
)

// watchResponseHeader follows WatchResponse.Header, which was a message by
// value and is a pointer.
//
// Matched: reads of its fields, its address, its copies, and literals and
// assignments that set it. Reads go through the getters, since the header of a
// zero WatchResponse, which a closed channel gives, is nil. Local variables,
// unexported fields and functions that the header flows through follow.
//
// Not matched: places of other packages, exported API, and writes to fields of
// the header; they become findings.
var watchResponseHeader = &Rule{
	ID:    "watch-response-header",
	Title: "treat WatchResponse.Header as a pointer that may be nil",
	Before: `package p

import (
	"context"

	"github.com/coreos/etcd/clientv3"
	pb "github.com/coreos/etcd/etcdserver/etcdserverpb"
)

func revisions(ctx context.Context, w clientv3.Watcher) (revs []int64) {
	for wr := range w.Watch(ctx, "k") {
		revs = append(revs, wr.Header.Revision)
	}
	return revs
}

func fake(rev int64) clientv3.WatchResponse {
	return clientv3.WatchResponse{Header: pb.ResponseHeader{Revision: rev}}
}
`,
	After: `package p

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func revisions(ctx context.Context, w clientv3.Watcher) (revs []int64) {
	for wr := range w.Watch(ctx, "k") {
		revs = append(revs, wr.Header.GetRevision())
	}
	return revs
}

func fake(rev int64) clientv3.WatchResponse {
	return clientv3.WatchResponse{Header: &pb.ResponseHeader{Revision: rev}}
}
`,
	Why:     "3.7 made WatchResponse.Header a pointer. Reading a field of it compiles as before, but panics for a WatchResponse that no server sent, such as the zero value that a closed channel gives; the getters return zero there, as the field did.",
	Since:   "v3.7.0",
	Targets: []atlas.Line{atlas.Line37},
	Safety:  Same,
	Refs: []string{
		"https://github.com/etcd-io/etcd/blob/main/client/v3/watch.go",
	},
	Claims: []string{"clientv3.WatchResponse.Header"},
	Run:    runWatchResponseHeader,
}

func runWatchResponseHeader(p *Pass) {
	for _, l := range p.Literals("clientv3", "WatchResponse") {
		kv := l.Key("Header")
		if p.Info != nil || kv == nil {
			continue
		}
		if _, ok := kv.Value.(*ast.CompositeLit); ok {
			c := p.Change(l.Tier, "WatchResponse.Header is a pointer")
			c.Insert(l.File, kv.Value.Pos(), "&")
		}
	}
	runGroups(p, header)
}

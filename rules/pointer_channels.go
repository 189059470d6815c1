package rules

import "github.com/etcdshift/etcdshift/rules/atlas"

// pointerChannels follows the channels of Election.Observe and Syncer.SyncBase,
// whose elements were responses by value and are pointers.
//
// Matched: what the channels and their elements flow through in the package:
// variables, unexported fields, parameters and results.
//
// Not matched: what leaves the package. Code that ranges over the channel and
// reads fields stays as it is. Where fields are read, a receive that does not
// ask whether the channel is closed is reported.
var pointerChannels = &Rule{
	ID:    "pointer-channels",
	Title: "take pointers from the channels of Election.Observe and Syncer.SyncBase",
	Before: `package p

import (
	"context"

	"github.com/coreos/etcd/clientv3"
	"github.com/coreos/etcd/clientv3/concurrency"
)

func follow(ctx context.Context, e *concurrency.Election, leader func(string)) {
	var ch <-chan clientv3.GetResponse = e.Observe(ctx)
	for resp := range ch {
		use(&resp, leader)
	}
}

func use(resp *clientv3.GetResponse, leader func(string)) {
	leader(string(resp.Kvs[0].Value))
}
`,
	After: `package p

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
)

func follow(ctx context.Context, e *concurrency.Election, leader func(string)) {
	var ch <-chan *clientv3.GetResponse = e.Observe(ctx)
	for resp := range ch {
		use(resp, leader)
	}
}

func use(resp *clientv3.GetResponse, leader func(string)) {
	leader(string(resp.Kvs[0].Value))
}
`,
	Why:     "A response holds a lock from 3.7 and cannot be sent by value; the channels carry pointers. A receive from the closed channel gives nil in place of an empty response.",
	Since:   "v3.7.0",
	Targets: []atlas.Line{atlas.Line37},
	Safety:  Same,
	Refs: []string{
		"https://github.com/etcd-io/etcd/blob/main/client/v3/concurrency/election.go",
		"https://github.com/etcd-io/etcd/blob/main/client/v3/mirror/syncer.go",
	},
	Claims: []string{"clientv3/concurrency.Election.Observe", "clientv3/mirror.Syncer.SyncBase"},
	Run:    func(p *Pass) { runGroups(p, channel) },
}

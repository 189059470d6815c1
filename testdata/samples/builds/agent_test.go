package builds_test

import (
	"context"
	"testing"

	"example.com/builds"
	"github.com/coreos/etcd/mvcc/mvccpb"
)

func TestAgentReports(t *testing.T) {
	kv := &builds.FakeKV{}
	if err := (&builds.Agent{KV: kv}).Report(context.Background()); err != nil {
		t.Fatal(err)
	}
	var want []*mvccpb.KeyValue
	if len(kv.Puts) == len(want) {
		t.Error("nothing was put")
	}
}

//go:build integration
// +build integration

package builds_test

import (
	"context"
	"testing"

	"example.com/builds"
	"github.com/coreos/etcd/clientv3"
)

func TestAgentReportsToAServer(t *testing.T) {
	cli, err := clientv3.New(clientv3.Config{Endpoints: []string{"127.0.0.1:2379"}})
	if err != nil {
		t.Fatal(err)
	}
	defer cli.Close()
	if err := (&builds.Agent{KV: cli}).Report(context.Background()); err != nil {
		t.Fatal(err)
	}
}

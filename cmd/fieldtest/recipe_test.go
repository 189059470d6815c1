package main

import (
	"testing"

	"github.com/etcdshift/etcdshift/rules/atlas"
)

func TestTheRecipeMovesEveryPathToWhereThePackageIs(t *testing.T) {
	src := []byte(`import (
	"github.com/coreos/etcd/client"
	"go.etcd.io/etcd/clientv3"
	"go.etcd.io/etcd/v3/clientv3/concurrency"
	"github.com/coreos/etcd/etcdserver/api/v3rpc/rpctypes"
	"go.etcd.io/etcd/pkg/transport"
	"go.etcd.io/etcd/pkg/adt"
	"go.etcd.io/etcd/raft/raftpb"
	"go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/unheard/of"
)
`)
	for line, want := range map[atlas.Line]string{
		atlas.Line35: "go.etcd.io/etcd/raft/v3/raftpb",
		atlas.Line37: "go.etcd.io/raft/v3/raftpb",
	} {
		equal(t, string(line), string(replacePaths(src, line)), `import (
	"go.etcd.io/etcd/client/v2"
	"go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/pkg/v3/adt"
	"`+want+`"
	"go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/unheard/of"
)
`)
	}
}

// Every home that the table names is one that the atlas knows.
func TestTheTableOfTheRecipeIsRight(t *testing.T) {
	for _, line := range atlas.Lines() {
		for rel, to := range recipePaths(line) {
			h, ok := atlas.HomeOf(rel, line)
			if !ok || h.Gone {
				continue // a folder of packages, or one that is gone
			}
			if h.Path != to {
				t.Errorf("%s in %s: %s, is %s", rel, line, to, h.Path)
			}
		}
	}
}

func TestTheRecipeForgetsOldEtcdAndGetsTheNewOneWithItsSiblings(t *testing.T) {
	dir := tree(t, `
-- go.mod --
module example.com/m

require go.etcd.io/etcd v3.3.25+incompatible

replace google.golang.org/grpc v1.30.0 => google.golang.org/grpc v1.26.0
-- a.go --
package m

import (
	_ "go.etcd.io/etcd/api/v3/mvccpb"
	_ "go.etcd.io/etcd/client/v2"
)
-- vendor/modules.txt --
`)
	steps, err := recipeSteps(dir, "v3.5.0")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "steps", steps[1:], [][]string{
		{"get", "go.etcd.io/etcd/api/v3@v3.5.0", "go.etcd.io/etcd/client/v2@v2.305.0", "go.etcd.io/etcd/client/v3@v3.5.0"},
		{"mod", "tidy"}, {"mod", "vendor"},
	})
	edits := map[string]bool{}
	for _, e := range steps[0] {
		edits[e] = true
	}
	for _, want := range []string{"-droprequire=go.etcd.io/etcd", "-dropreplace=google.golang.org/grpc", "-dropreplace=google.golang.org/grpc@v1.30.0"} {
		if !edits[want] {
			t.Errorf("no %s in %v", want, steps[0])
		}
	}
}

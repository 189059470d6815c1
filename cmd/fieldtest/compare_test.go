package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/report"
)

// tree writes a txtar archive into a temporary folder.
func tree(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range txtar.Parse([]byte(text)).Files {
		p := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

const before = `
-- go.mod --
module example.com/m

require (
	github.com/coreos/etcd v3.3.13+incompatible
	google.golang.org/grpc v1.26.0
)

replace google.golang.org/grpc => google.golang.org/grpc v1.26.0
-- a.go --
package m

import (
	"github.com/coreos/etcd/clientv3"
	"github.com/coreos/etcd/mvcc/mvccpb"
	"google.golang.org/grpc"
)

func dial(e []string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints:   e,
		DialOptions: []grpc.DialOption{grpc.WithInsecure()},
	})
}

var kv mvccpb.KeyValue
-- moved.go --
package m

import "github.com/coreos/etcd/clientv3"

var _ clientv3.KV
-- README.md --
Needs etcd 3.3.
See coreos/etcd.
`

// The authors named the client v3, left mvccpb behind, renamed a file, and
// went on to put something that has nothing to do with it.
const byAuthors = `
-- go.mod --
module example.com/m

require (
	github.com/coreos/etcd v3.3.13+incompatible
	go.etcd.io/etcd/client/v3 v3.5.0
	google.golang.org/grpc v1.38.0
)
-- a.go --
package m

import (
	"github.com/coreos/etcd/mvcc/mvccpb"
	v3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
)

func dial(e []string) (*v3.Client, error) {
	return v3.New(v3.Config{
		Endpoints:   e,
		DialOptions: []grpc.DialOption{grpc.WithBlock(), grpc.WithInsecure()},
	})
}

var kv mvccpb.KeyValue
-- renamed.go --
package m

import v3 "go.etcd.io/etcd/client/v3"

var _ v3.KV
-- README.md --
Needs etcd 3.5.
See etcd-io/etcd.
`

const byPlan = `
-- go.mod --
module example.com/m

require (
	go.etcd.io/etcd/api/v3 v3.5.35
	go.etcd.io/etcd/client/v3 v3.5.35
	google.golang.org/grpc v1.60.0
)
-- a.go --
package m

import (
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func dial(e []string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints:   e,
		DialOptions: []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())},
	})
}

var kv mvccpb.KeyValue
-- moved.go --
package m

import clientv3 "go.etcd.io/etcd/client/v3"

var _ clientv3.KV
-- README.md --
Needs etcd 3.3.
See coreos/etcd.
`

func TestAPlanIsSetBesideTheAuthorsOwnMigration(t *testing.T) {
	pre := tree(t, before)
	src, err := os.ReadFile(filepath.Join(pre, "a.go"))
	if err != nil {
		t.Fatal(err)
	}
	at := func(s string) edit.Edit {
		i := strings.Index(string(src), s)
		return edit.Edit{File: "a.go", Start: i, End: i + len(s)}
	}
	c, err := compareTrees(trees{pre, tree(t, byAuthors), tree(t, byPlan)}, &report.Run{
		Changes: []edit.Change{
			{Rule: "import-path", Edits: []edit.Edit{at(`"github.com/coreos/etcd/clientv3"`)}},
			{Rule: "import-path", Edits: []edit.Edit{at(`"github.com/coreos/etcd/mvcc/mvccpb"`)}},
			{Rule: "grpc-insecure", Edits: []edit.Edit{at(`grpc.WithInsecure()`)}},
		},
		Findings: []edit.Finding{{Rule: "text-mentions", File: "README.md", Line: 2, EndLine: 2}},
	})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "imports", c.Imports, sides{
		Both: counts{"github.com/coreos/etcd/clientv3 → go.etcd.io/etcd/client/v3": 1}, Named: counts{}, Authors: counts{},
		Plan: counts{"github.com/coreos/etcd/mvcc/mvccpb → go.etcd.io/etcd/api/v3/mvccpb": 1},
	})
	equal(t, "left by the authors", c.LeftByAuthors, []string{"a.go: github.com/coreos/etcd/mvcc/mvccpb"})
	equal(t, "left by the plan", c.LeftByPlan, []string(nil))
	equal(t, "gone", c.Gone, []string{"moved.go"})
	equal(t, "go.mod", c.GoMod, sides{
		Both: counts{
			"go.mod: add require go.etcd.io/etcd/client/v3": 1, "go.mod: set require google.golang.org/grpc": 1, "go.mod: drop replace google.golang.org/grpc": 1,
		},
		Named: counts{}, Authors: counts{},
		Plan: counts{"go.mod: add require go.etcd.io/etcd/api/v3": 1, "go.mod: drop require github.com/coreos/etcd": 1},
	})
	// Local names and files do not count.
	equal(t, "symbols", c.Symbols, sides{
		Both: counts{}, Named: counts{}, Authors: counts{"+grpc.WithBlock": 1},
		Plan: counts{"-grpc.WithInsecure": 1, "+grpc.WithTransportCredentials": 1, "+grpc/credentials/insecure.NewCredentials": 1},
	})
	equal(t, "text", c.Text, sides{Both: counts{}, Named: counts{"README.md:2": 1}, Authors: counts{"README.md:1": 1}, Plan: counts{}})
	equal(t, "rules", c.Rules, []madeToo{{"grpc-insecure", 1, 1}, {"import-path", 2, 2}})
}

func TestWhatTheAuthorsDidIsNamedByAFindingOrNot(t *testing.T) {
	s := classify(counts{"a": 3, "b": 1, "c": 1}, counts{"a": 1, "d": 2}, func(what string) bool { return what == "a" })
	equal(t, "sides", s, sides{Both: counts{"a": 1}, Named: counts{"a": 2}, Authors: counts{"b": 1, "c": 1}, Plan: counts{"d": 2}})
	equal(t, "list", counts{"x": 1, "y": 3, "z": 1}.list(2), []string{"`y` ×3", "`x`", "and 1 more"})
}

func TestMentionsAreThoseOfPackagesAndNotOfVariables(t *testing.T) {
	got := mentions("f.go", []byte(`package p

import (
	etcd "github.com/coreos/etcd/clientv3"
	"google.golang.org/grpc"
	"fmt"
)

func f(grpc struct{ Dial int }) {
	fmt.Println(grpc.Dial, etcd.OpGet("k"))
}

var _ = grpc.Dial
`))
	equal(t, "mentions", got, []mention{{"clientv3.OpGet", 10}, {"grpc.Dial", 13}})
}

func TestInsertedLinesAreTouched(t *testing.T) {
	equal(t, "touched", touched([]byte("a\nb\nc\nd\n"), []byte("a\nB\nc\nx\nd\n")), []span{{2, 2}, {4, 3}})
}

package load

import (
	"context"
	"errors"
	"go/build/constraint"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/gocmd"
)

func tree(t *testing.T, text string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
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

func TestOtherRepositoriesAreLeftAlone(t *testing.T) {
	dir := tree(t, `
-- .git/HEAD --
-- a.go --
package a
-- sub/.git --
gitdir: ../.git/modules/sub
-- sub/go.mod --
module example.com/sub
-- sub/run.sh --
etcd --experimental-compact-hash-check-enabled
-- sub/kv/kv.go --
package kv

import _ "github.com/coreos/etcd/clientv3"
-- clone/.git/HEAD --
-- clone/c.go --
package clone
`)
	tr, err := Scan(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if tr.GoFiles != 1 || len(tr.Modules) != 0 || !slices.Equal(tr.Apart, []string{"sub"}) {
		t.Errorf("%d Go files, %d modules and apart %v, want one file, no module and sub", tr.GoFiles, len(tr.Modules), tr.Apart)
	}
	if texts, err := Texts(t.Context(), tr); err != nil || len(texts) != 0 {
		t.Errorf("texts %v, %v; want none", texts, err)
	}
	if err := os.Remove(filepath.Join(dir, "a.go")); err != nil {
		t.Fatal(err)
	}
	if _, err := Scan(t.Context(), dir); !errors.Is(err, ErrNoGoFiles) || !strings.HasSuffix(err.Error(), "run etcdshift on each: sub") {
		t.Errorf("Go files in other repositories alone: %v", err)
	}
}

func TestScanFindsWhatMatters(t *testing.T) {
	dir := tree(t, `
-- go.mod --
module example.com/a

go 1.21
-- a.go --
package a

import "github.com/coreos/etcd/clientv3"

var _ clientv3.Config
-- new.go --
package a

import _ "go.etcd.io/etcd/client/v3"
-- grpc.go --
package a

import _ "google.golang.org/grpc/metadata"
-- plain.go --
package a
-- comment.go --
package a

// see github.com/coreos/etcd/clientv3
-- broken.go --
package a

import "go.etcd.io/etcd/clientv3

-- vendor/github.com/coreos/etcd/clientv3/c.go --
package clientv3

import _ "github.com/coreos/etcd/mvcc/mvccpb"
-- testdata/t.go --
package t

import _ "github.com/coreos/etcd/clientv3"
-- nested/go.mod --
module example.com/nested

require go.etcd.io/etcd v0.5.0-alpha.5.0.20210512015243-d19fbe541bf9
-- nested/n.go --
package nested
-- other/go.mod --
module example.com/other
-- other/o.go --
package other
`)
	tr, err := Scan(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if tr.GoFiles != 8 || !slices.Equal(tr.Unbuilt, []string{"testdata/t.go"}) {
		t.Errorf("%d Go files and unbuilt %v, want 8 and testdata/t.go", tr.GoFiles, tr.Unbuilt)
	}
	etcd := map[string]bool{}
	for _, m := range tr.Modules {
		etcd[m.Rel] = m.Etcd
	}
	if len(etcd) != 3 || !etcd["."] || !etcd["nested"] || etcd["other"] {
		t.Errorf("modules with etcd: %v, want . and nested of three", etcd)
	}
	got := map[string]Source{}
	for _, m := range tr.Modules {
		for _, s := range m.Files {
			got[s.Name] = *s
		}
	}
	for name, want := range map[string]Source{
		"a.go":       {Etcd: true, Old: true, Mention: true},
		"new.go":     {Etcd: true},
		"grpc.go":    {Beside: true},
		"comment.go": {Mention: true},
	} {
		g := got[name]
		if g.Etcd != want.Etcd || g.Old != want.Old || g.Beside != want.Beside || g.Mention != want.Mention {
			t.Errorf("%s: %+v, want %+v", name, g, want)
		}
	}
	if got["broken.go"].Err == nil {
		t.Error("broken.go does not parse, and nothing says so")
	}
	if _, ok := got["plain.go"]; ok {
		t.Error("plain.go has nothing to do with etcd")
	}
}

func TestMentions(t *testing.T) {
	for _, c := range []struct {
		line string
		want bool
	}{
		{"// see github.com/coreos/etcd/clientv3", true},
		{"// see github.com/coreos/etcd", false},
		{"//go:generate protoc -I$GOPATH/src/github.com/coreos/etcd a.proto", true},
		{"//go:generate protoc -I. -I$GOPATH/src/github.com/coreos/etcd/ a.proto", true},
		{"//go:generate protoc -I$GOPATH/src/github.com/coreos/etcd-operator a.proto", false},
		{"//go:generate moq $GOPATH/pkg/mod/go.etcd.io/etcd@v3.3.10+incompatible/clientv3 KV", true},
		{"//counterfeiter:generate -o f.go github.com/coreos/etcd/clientv3.KV", true},
		{"//go:generate mockgen go.etcd.io/etcd/raft/v3 Node", true},
		{"//go:generate mockgen -source=vendor/go.etcd.io/etcd/server/v3/mvcc/kv.go", true},
		{"//go:generate mockgen go.etcd.io/etcd/client/v3 KV", false},
		{"//go:generate mockgen -source=vendor/go.etcd.io/etcd/client/v3/kv.go", false},
		{"//go:generate mockgen go.etcd.io/bbolt Tx", false},
	} {
		if got := mentions([]byte("package a\n\n" + c.line + "\n")); got != c.want {
			t.Errorf("%s: %v, want %v", c.line, got, c.want)
		}
	}
}

func TestScanRefusesWhatIsNoRepository(t *testing.T) {
	dir := tree(t, "-- readme.txt --\nnothing\n")
	if _, err := Scan(context.Background(), dir); !errors.Is(err, ErrNoGoFiles) {
		t.Errorf("no Go files: %v", err)
	}
	if _, err := Scan(context.Background(), filepath.Join(dir, "readme.txt")); !errors.Is(err, ErrNotDir) {
		t.Errorf("a file: %v", err)
	}
	if _, err := Scan(context.Background(), filepath.Join(dir, "missing")); !errors.Is(err, ErrNoDir) {
		t.Errorf("nothing there: %v", err)
	}
}

func TestModulesComeAfterThoseTheyRequire(t *testing.T) {
	dir := tree(t, `
-- go.mod --
module example.com/app

require example.com/lib v0.0.0

replace example.com/lib => ./z
-- main.go --
package main
-- z/go.mod --
module example.com/lib
-- z/z.go --
package lib

import _ "go.etcd.io/etcd/clientv3"
`)
	tr, err := Scan(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if tr.Modules[0].Path != "example.com/lib" || !tr.Modules[1].Etcd {
		t.Errorf("order %s, %s; the second is built with the first's etcd: %v", tr.Modules[0].Path, tr.Modules[1].Path, tr.Modules[1].Etcd)
	}
}

func TestConfigurationsSatisfyConstraints(t *testing.T) {
	base := Config{GOOS: "linux", GOARCH: "amd64"}
	for expr, want := range map[string]string{
		"integration":                 "linux/amd64 -tags integration",
		"!integration":                "linux/amd64",
		"windows":                     "windows/amd64",
		"windows && e2e":              "windows/amd64 -tags e2e",
		"darwin || freebsd":           "darwin/amd64",
		"arm64":                       "linux/arm64",
		"linux && !amd64":             "linux/arm64",
		"(a && b) || c":               "linux/amd64 -tags c",
		"go1.18 && cgo && unix":       "linux/amd64",
		"ignore":                      "",
		"linux && windows":            "",
		"js && wasm":                  "js/wasm",
		"integration && !integration": "",
	} {
		x, err := constraint.Parse("//go:build " + expr)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if c, ok := solve(base, x); ok {
			got = c.String()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", expr, got, want)
		}
	}
}

func TestConstraintsOfNamesAndComments(t *testing.T) {
	dir := tree(t, `
-- a_windows.go --
package a
-- a_windows_arm64_test.go --
package a
-- windows.go --
package a
-- b.go --
// Copyright

//go:build integration

package a
-- c.go --
/*
//go:build no
*/

// +build x,y z

package a
-- d.go --
package a

//go:build late
`)
	for name, want := range map[string]string{
		"a_windows.go": "windows", "a_windows_arm64_test.go": "windows && arm64", "windows.go": "",
		"b.go": "integration", "c.go": "(x && y) || z", "d.go": "",
	} {
		x, err := constraintOf(filepath.Join(dir, name))
		got := ""
		if x != nil {
			got = x.String()
		}
		if err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
}

// TestTiers loads packages of which as much is known as can be, against the
// real old modules.
func TestTiers(t *testing.T) {
	mod, err := os.ReadFile("../../testdata/modules/old-3.4/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile("../../testdata/modules/old-3.4/go.sum")
	if err != nil {
		t.Fatal(err)
	}
	dir := tree(t, `
-- typed/a.go --
package typed

import "go.etcd.io/etcd/clientv3"

var C *clientv3.Client
-- typed/a_test.go --
package typed

import "testing"

func Test(t *testing.T) { _ = C }
-- user/u.go --
package user

import "example.com/m/typed"

var C = typed.C
-- illtyped/a.go --
package illtyped

import "go.etcd.io/etcd/clientv3"

var C *clientv3.Client = undefined
-- tagged/a.go --
//go:build integration

package tagged

import "go.etcd.io/etcd/clientv3"

var C *clientv3.Client
-- tool/a.go --
//go:build ignore

package main

import "go.etcd.io/etcd/clientv3"

var C *clientv3.Client
-- unparsable/a.go --
package unparsable

import "go.etcd.io/etcd/clientv3"

func {
-- beside/a.go --
package beside

var X = 1
`)
	for name, data := range map[string][]byte{"go.mod": mod, "go.sum": sum} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tr, err := Scan(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	res, err := Load(context.Background(), tr, tr.Modules[0], Options{Go: &gocmd.Runner{}})
	if err != nil {
		t.Fatal(err)
	}
	tiers := map[string]edit.Tier{}
	for _, p := range res.Packages {
		for _, f := range p.Files {
			tiers[f.Name] = p.Tier
		}
		if p.Tier == edit.Typed && len(p.Errors) > 0 {
			t.Errorf("%s: typed, with errors %v", p.ID, p.Errors)
		}
	}
	want := map[string]edit.Tier{
		"typed/a.go": edit.Typed, "typed/a_test.go": edit.Typed, "user/u.go": edit.Typed,
		"illtyped/a.go": edit.IllTyped, "tagged/a.go": edit.Typed, "tool/a.go": edit.Syntax,
	}
	for name, tier := range want {
		if got, ok := tiers[name]; !ok || got != tier {
			t.Errorf("%s: %v (%v), want %v", name, got, ok, tier)
		}
	}
	if len(tiers) != len(want) {
		t.Errorf("loaded %v, want only what matters", tiers)
	}
	if len(res.Configs) != 2 || res.Configs[1].Tags[0] != "integration" {
		t.Errorf("configurations %v, want the host's and one with integration", res.Configs)
	}
	if len(res.Problems) != 1 || res.Problems[0].File != "unparsable/a.go" || res.Problems[0].Line == 0 || !strings.Contains(res.Problems[0].Message, "expected") {
		t.Errorf("problems %+v, want where unparsable/a.go does not parse", res.Problems)
	}
}

func TestReasonIsWhatTheGoCommandSaid(t *testing.T) {
	err := errors.New("list the packages of /src: err: exit status 1: stderr: go: downloading a.example/a v1.0.0\n" +
		"go: a.example/a@v1.0.0 requires\n\tb.example/b@v1.0.0: reading b.example/b: 403 Forbidden\n\nFor more information, see 'go help'.\n")
	if got, want := reason(err), "a.example/a@v1.0.0 requires b.example/b@v1.0.0: reading b.example/b: 403 Forbidden"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

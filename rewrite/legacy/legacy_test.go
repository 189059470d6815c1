package legacy

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"golang.org/x/tools/txtar"
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

func TestLocksOfEveryToolAreRead(t *testing.T) {
	for _, c := range []struct {
		name, files string
		want        lock
	}{
		{"dep", `
-- Gopkg.toml --
-- Gopkg.lock --
[[projects]]
  name = "github.com/coreos/etcd"
  packages = ["clientv3"]
  revision = "33245c6b5b49130ca99280408fadfab01aac0e48"
  version = "v3.3.8"

[[projects]]
  branch = "master"
  name = "golang.org/x/net"
  source = "https://github.com/example/net.git"
  revision = "c95aed5357e77a4bf7d3955c46740000a17adee1"
`, lock{tool: "dep", files: []string{"Gopkg.lock", "Gopkg.toml"}, pins: []pin{
			{"github.com/coreos/etcd", "v3.3.8", "33245c6b5b49130ca99280408fadfab01aac0e48", ""},
			{"golang.org/x/net", "", "c95aed5357e77a4bf7d3955c46740000a17adee1", "github.com/example/net"}}}},
		{"glide", `
-- glide.yaml --
package: example.com/svc
-- glide.lock --
updated: 2018-04-23T17:56:45.384288-04:00
imports:
- name: github.com/coreos/etcd
  version: 694728c496e22dfa5719c78ff23cc982e15bcb2f
  subpackages:
  - clientv3
testImports:
- name: github.com/stretchr/testify
  repo: git@github.com:example/testify
  version: 12b6f73e6084dad08a7c6e575284b177ecafbc71
`, lock{tool: "glide", files: []string{"glide.lock", "glide.yaml"}, path: "example.com/svc", pins: []pin{
			{"github.com/coreos/etcd", "", "694728c496e22dfa5719c78ff23cc982e15bcb2f", ""},
			{"github.com/stretchr/testify", "", "12b6f73e6084dad08a7c6e575284b177ecafbc71", "github.com/example/testify"}}}},
		{"glide without a lock", `
-- glide.yaml --
package: example.com/svc
import:
- package: github.com/coreos/etcd
  version: v3.3.8
  subpackages:
  - clientv3
- package: github.com/stretchr/testify
  version: ^1.2.0
- package: golang.org/x/net
  version: c95aed5357e77a4bf7d3955c46740000a17adee1
  repo: https://github.com/example/net.git
`, lock{tool: "glide", files: []string{"glide.yaml"}, path: "example.com/svc", pins: []pin{
			{"github.com/coreos/etcd", "v3.3.8", "", ""},
			{"golang.org/x/net", "", "c95aed5357e77a4bf7d3955c46740000a17adee1", "github.com/example/net"}}}},
		{"vndr", `
-- vendor.conf --
# client
github.com/coreos/etcd v3.2.1
golang.org/x/net	c95aed5357e7 https://github.com/example/net.git # fork
golang.org/x/sys master
-- vendor/golang.org/x/net/context/context.go --
package context
`, lock{tool: "vndr", files: []string{"vendor.conf"}, pins: []pin{
			{"github.com/coreos/etcd", "v3.2.1", "", ""},
			{"golang.org/x/net", "", "c95aed5357e7", "github.com/example/net"}}}},
		{"trash", `
-- trash.conf --
# package
example.com/svc
github.com/coreos/etcd v3.1.0
`, lock{tool: "trash", files: []string{"trash.conf"}, path: "example.com/svc", pins: []pin{
			{"github.com/coreos/etcd", "v3.1.0", "", ""}}}},
		{"godep", `
-- Godeps/Godeps.json --
{"ImportPath": "example.com/svc", "Deps": [
 {"ImportPath": "github.com/coreos/etcd/clientv3", "Comment": "v3.1.0", "Rev": "8ba2897a21e4fc51b298ca553d251318425f93ae"},
 {"ImportPath": "github.com/x/y", "Comment": "v1.0-3-gabcdef1", "Rev": "abcdef1"}]}
`, lock{tool: "godep", files: []string{"Godeps/Godeps.json"}, path: "example.com/svc", pins: []pin{
			{"github.com/coreos/etcd/clientv3", "v3.1.0", "8ba2897a21e4fc51b298ca553d251318425f93ae", ""}, {"github.com/x/y", "", "abcdef1", ""}}}},
		{"govendor", `
-- vendor/vendor.json --
{"rootPath": "example.com/svc", "package": [{"path": "github.com/coreos/etcd/clientv3", "revision": "abc", "version": "v3", "versionExact": "v3.3.8"}]}
`, lock{tool: "govendor", files: []string{"vendor/vendor.json"}, path: "example.com/svc", pins: []pin{{"github.com/coreos/etcd/clientv3", "v3.3.8", "abc", ""}}}},
		{"gb", `
-- vendor/manifest --
{"version": 0, "dependencies": [{"importpath": "github.com/coreos/etcd", "repository": "https://github.com/coreos/etcd", "revision": "abc", "branch": "master"}]}
`, lock{tool: "gb", files: []string{"vendor/manifest"}, pins: []pin{{path: "github.com/coreos/etcd", revision: "abc"}}}},
		{"bare vendor", `
-- vendor/github.com/coreos/etcd/clientv3/client.go --
package clientv3
`, lock{tool: "vendor", files: []string{"vendor"}}},
		{"GOPATH", `
-- main.go --
package main
`, lock{tool: "GOPATH"}},
	} {
		got, err := readLock(t.Context(), tree(t, c.files))
		if err != nil || !reflect.DeepEqual(*got, c.want) {
			t.Errorf("%s: %+v, %v\nwant %+v", c.name, got, err, c.want)
		}
	}
	if _, err := readLock(t.Context(), tree(t, "-- Gopkg.lock --\n[[projects\n")); err == nil {
		t.Error("a broken lock file is taken for none")
	}
}

func TestSubmodulesOfVendorAreALock(t *testing.T) {
	dir := tree(t, `
-- .gitmodules --
[submodule "etcd"]
	path = vendor/go.etcd.io/etcd
	url = https://github.com/etcd-io/etcd
[submodule "forked"]
	path = vendor/example.com/lib
	url = git@github.com:example/fork.git
[submodule "docs"]
	path = docs/theme
	url = https://github.com/example/theme
-- main.go --
package main
`)
	const etcd, fork = "8a03d2e9614b8192ebaa5a25ef92f6ff62e3593c", "12b6f73e6084dad08a7c6e575284b177ecafbc71"
	for _, args := range [][]string{
		{"init", "-q"},
		{"add", "."},
		{"update-index", "--add", "--cacheinfo", "160000," + etcd + ",vendor/go.etcd.io/etcd", "--cacheinfo", "160000," + fork + ",vendor/example.com/lib", "--cacheinfo", "160000," + fork + ",docs/theme"},
		{"-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qm", "before"},
	} {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", args[0], err, out)
		}
	}
	got, err := readLock(t.Context(), dir)
	want := &lock{tool: "git submodules", pins: []pin{
		{"example.com/lib", "", fork, "github.com/example/fork"}, {"go.etcd.io/etcd", "", etcd, "github.com/etcd-io/etcd"}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v\nwant %+v", got, err, want)
	}
	if v := got.etcdRelease(); v != "v3.4.14" {
		t.Errorf("etcd %q, want that of the tag at the commit", v)
	}
}

func TestModulePathIsWhatPackagesImportEachOtherBy(t *testing.T) {
	for _, c := range []struct{ name, files, self, comment string }{
		{"imports", `
-- main.go --
package main
import ("example.com/new/store"; "github.com/coreos/etcd/clientv3"; "example.com/new/store/kv")
-- store/store.go --
package store
-- store/kv/kv.go --
package kv
`, "example.com/new", ""},
		{"no host", `
-- master/main.go --
package main
import "crontab/common"
-- common/c.go --
package common
`, "crontab", ""},
		{"import comment", `
-- store/s.go --
package store // import "example.com/canon/store"
`, "", "example.com/canon"},
		{"a folder of another project's name", `
-- clientv3/c.go --
package clientv3
-- main.go --
package main
import _ "github.com/coreos/etcd/clientv3"
`, "", ""},
		{"standard library", `
-- http/h.go --
package http
import _ "net/http"
`, "", ""},
	} {
		s, err := readSources(tree(t, c.files))
		if err != nil || s.self != c.self || s.comment != c.comment {
			t.Errorf("%s: self %q, comment %q, %v; want %q and %q", c.name, s.self, s.comment, err, c.self, c.comment)
		}
	}
}

func TestRelativeImportsAreThoseOfAGopath(t *testing.T) {
	src, err := readSources(tree(t, `
-- main.go --
package main
import ("./store"; own "../other/lib")
-- store/store.go --
package store
import (
	. "."
	"../../../../../etc"
)
`))
	if err != nil {
		t.Fatal(err)
	}
	res := &Result{Path: "example.com/new/svc"}
	res.settle(src)
	var got []string
	for _, c := range res.Relative {
		got = append(got, c.Edits[0].String())
	}
	want := []string{
		`main.go[21:30]="\"example.com/new/svc/store\"" (legacy-layout)`,
		`main.go[36:50]="\"example.com/new/other/lib\"" (legacy-layout)`,
		`store/store.go[26:29]="\"example.com/new/svc/store\"" (legacy-layout)`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if !src.imports["example.com/new/other/lib"] || src.imports["example.com/new/svc/store"] {
		t.Errorf("imports %v, want what lies beside the repository alone", src.imports)
	}
	if len(res.Astray) != 1 || res.Astray[0].File != "store/store.go" || res.Astray[0].Line != 4 || res.Astray[0].Col != 2 {
		t.Errorf("findings %v, want one where the import leads out of everything", res.Astray)
	}
}

func TestImportsOfAGbProjectAreBelowSrc(t *testing.T) {
	src, err := readSources(tree(t, `
-- vendor/manifest --
{}
-- src/cmd/hello/main.go --
package main
import ("lib/kv"; "github.com/coreos/etcd/clientv3"; _ "os")
-- src/lib/kv/kv.go --
package kv
-- os/os.go --
package os
`))
	if err != nil {
		t.Fatal(err)
	}
	res := &Result{Path: "example.com/hello"}
	res.settle(src)
	if len(res.Relative) != 1 || res.Relative[0].Edits[0].String() != `src/cmd/hello/main.go[21:29]="\"example.com/hello/src/lib/kv\"" (legacy-layout)` {
		t.Errorf("changes %v, want the import of what is below src alone", res.Relative)
	}
	if src.imports["lib/kv"] || !src.imports["github.com/coreos/etcd/clientv3"] {
		t.Errorf("imports %v, want those of others alone", src.imports)
	}
}

func TestRemotesGiveModulePaths(t *testing.T) {
	for url, want := range map[string]string{
		"https://github.com/a/b.git":       "github.com/a/b",
		"git@github.com:a/b.git":           "github.com/a/b",
		"ssh://git@git.corp.example/a/b":   "git.corp.example/a/b",
		"https://user:pw@example.com/a/b/": "example.com/a/b",
		"/srv/git/b.git":                   "",
		"../b":                             "",
		"file:///srv/b":                    "",
		"":                                 "",
	} {
		if got := remotePath(url); got != want {
			t.Errorf("remotePath(%q) = %q, want %q", url, got, want)
		}
	}
}

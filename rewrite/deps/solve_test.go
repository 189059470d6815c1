package deps_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/etcdshift/etcdshift/rewrite/deps"
	"github.com/etcdshift/etcdshift/rewrite/gocmd"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

func TestSolveChangesNothingTheSecondTime(t *testing.T) {
	t.Parallel()
	for name, more := range map[string]struct{ require, src string }{
		"the client alone": {},
		// Brings an old genproto into go.sum, and nothing of it into the build.
		"an old genproto": {"\nrequire (\n\tgithub.com/go-sql-driver/mysql v1.4.1\n\tgithub.com/go-xorm/xorm v0.7.9\n)\n", "-- x.go --\npackage main\n\nimport (\n\t_ \"github.com/go-sql-driver/mysql\"\n\t_ \"github.com/go-xorm/xorm\"\n)\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src := "-- main.go --\n" + clientMain + "\n" + more.src
			first := newModule(t, "-- go.mod --\nmodule example.com/x\n\ngo 1.13\n"+more.require+src)
			first.req.Line = atlas.Line35
			res := first.solve()
			second := newModule(t, "-- go.mod --\n"+string(res.GoMod)+"-- go.sum --\n"+string(res.GoSum)+src)
			second.req.Line = atlas.Line35
			again := second.solve()
			if len(again.Changes)+len(again.Files()) > 0 {
				t.Errorf("second plan: %v", again.Changes)
			}
		})
	}
}

func TestBuildIsWhatTheGoCommandSelects(t *testing.T) {
	t.Parallel()
	m := newModule(t, gomod(`go 1.16

require (
	example.com/local v0.0.0
	github.com/soheilhy/cmux v0.1.5
	golang.org/x/net v0.30.0
)

replace example.com/local => ./local

exclude golang.org/x/text v0.19.0
`)+"-- local/go.mod --\nmodule example.com/local\n\ngo 1.13\n-- local/local.go --\npackage local\n"+
		"-- use.go --\npackage main\n\nimport (\n\t_ \"example.com/local\"\n\t_ \"github.com/soheilhy/cmux\"\n\t_ \"golang.org/x/net/http2\"\n)\n")
	res := m.solve()
	var selected []string
	for _, b := range res.Build {
		selected = append(selected, b.Path+" "+b.Version)
	}
	want, failed := m.run("list", "-m", "-mod=readonly", "-modfile="+res.ModFile, "-f", "{{if not .Main}}{{.Path}} {{.Version}}{{end}}", "all")
	if got := strings.Join(selected, "\n"); failed || len(selected) < 20 || got != strings.TrimSpace(want) {
		t.Errorf("selected:\n%s\ngo list -m all (failed: %v):\n%s", got, failed, want)
	}
}

func TestSolveWithoutGoModSaysHowToMakeOne(t *testing.T) {
	t.Parallel()
	m := newModule(t, "-- main.go --\n"+clientMain)
	_, err := deps.Solve(t.Context(), m.req)
	if !errors.Is(err, deps.ErrNoModule) || !strings.Contains(err.Error(), "go mod init") {
		t.Errorf("got %v", err)
	}
	m = newModule(t, "-- go.mod --\ngo 1.20\n-- main.go --\n"+clientMain)
	if _, err := deps.Solve(t.Context(), m.req); err == nil || !strings.Contains(err.Error(), "go mod edit -module") {
		t.Errorf("without a module line: %v", err)
	}
}

func TestSourceReleaseReadsEveryKindOfLockFile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, file, content, version, where string }{
		{"tag", "go.mod", "module m\n\nrequire github.com/coreos/etcd v3.3.13+incompatible\n", "v3.3.13", "go.mod:3"},
		{"tag without incompatible", "go.mod", "module m\n\nrequire github.com/coreos/etcd v3.3.13\n", "v3.3.13", "go.mod:3"},
		{"pseudo-version of a tag", "go.mod", "module m\n\nrequire go.etcd.io/etcd v0.0.0-20200520232829-54ba9589114f\n", "v3.4.9", "go.mod:3"},
		{"pseudo-version by date", "go.mod", "module m\n\nrequire go.etcd.io/etcd v0.5.0-alpha.5.0.20200910180754-dd1b699fc489\n", "v3.4.13", "go.mod:3"},
		{"impossible version", "go.mod", "module m\n\nrequire go.etcd.io/etcd v3.4.14+incompatible\n", "v3.4.14", "go.mod:3"},
		{"replaced", "go.mod", "module m\n\nrequire go.etcd.io/etcd v3.4.15+incompatible\n\nreplace go.etcd.io/etcd => go.etcd.io/etcd v0.0.0-20200520232829-54ba9589114f\n", "v3.4.9", "go.mod:5"},
		{"main branch before 3.4", "go.mod", "module m\n\nrequire go.etcd.io/etcd v0.0.0-20190501000000-000000000000\n", "v3.4.0-pre", "go.mod:3"},
		{"commit after a release", "go.mod", "module m\n\nrequire github.com/coreos/etcd v3.2.10-0.20171201000000-000000000000+incompatible\n", "v3.2.10", "go.mod:3"},
		{"between the layouts", "go.mod", "module m\n\nrequire go.etcd.io/etcd/v3 v3.3.0-rc.0.0.20200518175753-732df43cf85b\n", "v3.5.0-pre", "go.mod:3"},
		{"today's", "go.mod", "module m\n\nrequire go.etcd.io/etcd/client/v3 v3.5.4\n", "v3.5.4", "go.mod:3"},
		{"old before today's", "go.mod", "module m\n\nrequire (\n\tgo.etcd.io/etcd/api/v3 v3.5.4\n\tgithub.com/coreos/etcd v3.3.10+incompatible\n)\n", "v3.3.10", "go.mod:5"},
		{"go.sum", "go.sum", "github.com/coreos/etcd v3.3.10+incompatible h1:x\ngithub.com/coreos/etcd v3.3.27+incompatible/go.mod h1:x\n", "v3.3.10", "go.sum:1"},
		{"vendor", "vendor/modules.txt", "# a.b/c v1.0.0\n# github.com/coreos/etcd v3.3.18+incompatible\n## explicit\n", "v3.3.18", "vendor/modules.txt:2"},
		{"dep", "Gopkg.lock", "[[projects]]\n  name = \"github.com/coreos/etcd\"\n  revision = \"0000000000000000000000000000000000000000\"\n  version = \"v3.2.6\"\n", "v3.2.6", "Gopkg.lock:4"},
		{"glide", "glide.lock", "imports:\n- name: github.com/coreos/etcd\n  version: 694728c496e22dfa5719c78ff23cc982e15bcb2f\n  subpackages:\n  - clientv3\n", "v3.2.10", "glide.lock:3"},
		{"godep", "Godeps/Godeps.json", `{"Deps": [{"ImportPath": "github.com/coreos/etcd/client", "Comment": "v3.1.0-rc.1-2-gabc", "Rev": "0000000000000000000000000000000000000000"}]}`, "v3.1.0", "Godeps/Godeps.json:1"},
		{"govendor", "vendor/vendor.json", "{\"package\": [\n{\"path\": \"github.com/coreos/etcd/clientv3\", \"revision\": \"0000000000000000000000000000000000000000\", \"revisionTime\": \"2017-10-10T00:00:00Z\"}]}", "v3.2.9", "vendor/vendor.json:2"},
		{"own version", "vendor/github.com/coreos/etcd/version/version.go", "package version\n\nvar (\n\tVersion = \"3.2.9\"\n)\n", "v3.2.9", "vendor/github.com/coreos/etcd/version/version.go:4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, tt.file), []byte(tt.content))
			v, where, err := deps.SourceRelease(dir)
			if v != tt.version || where != tt.where || err != nil {
				t.Errorf("got %q at %q, %v; want %q at %q", v, where, err, tt.version, tt.where)
			}
		})
	}
	if _, _, err := deps.SourceRelease(t.TempDir()); !errors.Is(err, deps.ErrNoSource) {
		t.Errorf("of an empty folder: %v", err)
	}
}

func TestOldModFileMakesAnUnresolvableModuleReadable(t *testing.T) {
	t.Parallel()
	m := newModule(t, `
-- go.mod --
module example.com/old

go 1.13

require (
	github.com/coreos/etcd v3.3.13+incompatible
	git.example.invalid/private v1.0.0
	example.com/between v1.0.0
)

replace example.com/between => ./between
-- between/go.mod --
module example.com/between

go 1.13

require git.example.invalid/gone v1.0.0
-- main.go --
`+strings.ReplaceAll(legacyMain, "go.etcd.io/etcd/", "github.com/coreos/etcd/"))
	name, err := deps.OldModFile(t.Context(), m.req.Go, m.dir, m.req.Scratch)
	if err != nil {
		t.Fatal(err)
	}
	if out, failed := m.run("vet", "-mod=readonly", "-modfile="+name, "."); failed {
		t.Errorf("the old code does not type-check:\n%s", out)
	}
	m.untouched()
}

func TestOldModFileDoesWithoutWhatADependencyRequires(t *testing.T) {
	t.Parallel()
	m := newModule(t, `
-- go.mod --
module example.com/old

go 1.13

require (
	github.com/coreos/etcd v3.3.13+incompatible
	requires.invalid/dep v1.0.0
)
-- main.go --
`+strings.ReplaceAll(legacyMain, "go.etcd.io/etcd/", "github.com/coreos/etcd/")+`
-- d.go --
package main

import _ "requires.invalid/dep"
`)
	m.req.Go = &gocmd.Runner{Env: proxy(t, archives(map[string]string{"requires.invalid/dep@v1.0.0": `
-- go.mod --
module requires.invalid/dep

go 1.13

require (
	git.example.invalid/private v1.0.0
	go.etcd.io/etcd v3.4.14+incompatible
)
-- dep.go --
package dep
`}), nil)}
	name, err := deps.OldModFile(t.Context(), m.req.Go, m.dir, m.req.Scratch)
	if err != nil {
		t.Fatal(err)
	}
	if out, failed := m.run("vet", "-mod=readonly", "-modfile="+name, "."); failed {
		t.Errorf("the old code does not type-check:\n%s", out)
	}
	m.untouched()
}

func TestSolveOfflineWorksFromTheModuleCache(t *testing.T) {
	t.Parallel()
	m := newModule(t, gomod("go 1.24"))
	m.solve()
	m.req.Go = &gocmd.Runner{Offline: true}
	m.builds(m.solve())
}

func TestSolveKeepsCarriageReturns(t *testing.T) {
	t.Parallel()
	archive := strings.ReplaceAll("module example.com/m\n\ngo 1.24\n", "\n", "\r\n")
	m := newModule(t, "-- main.go --\n"+clientMain)
	write(t, filepath.Join(m.dir, "go.mod"), []byte(archive))
	m.tree = readTree(t, m.dir)
	res := m.solve()
	if n := bytes.Count(res.GoMod, []byte("\n")); n == 0 || bytes.Count(res.GoMod, []byte("\r\n")) != n {
		t.Errorf("%q", res.GoMod)
	}
	m.builds(res)
}

func TestSolveReadsAReadOnlyTree(t *testing.T) {
	t.Parallel()
	m := newModule(t, gomod("go 1.24"))
	for _, name := range []string{"go.mod", "main.go", "."} {
		mode := os.FileMode(0o444)
		if name == "." {
			mode = 0o555
		}
		if err := os.Chmod(filepath.Join(m.dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { os.Chmod(m.dir, 0o755) })
	m.tree = readTree(t, m.dir)
	m.solve()
}

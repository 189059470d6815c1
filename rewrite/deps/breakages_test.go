package deps

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/gocmd"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// unsolved plans and fails the test if there is a plan.
func (m *testModule) unsolved() *Unsolved {
	m.t.Helper()
	res, err := Solve(context.Background(), m.req)
	m.untouched()
	u := (*Unsolved)(nil)
	if !errors.As(err, &u) {
		m.t.Fatalf("Solve: %v, %v; want an Unsolved", res, err)
	}
	if u.Cause == "" || u.Next == "" {
		m.t.Errorf("no cause or no next step: %v", u)
	}
	return u
}

func gomod(text string) string {
	return "-- go.mod --\nmodule example.com/m\n\n" + text + "\n-- main.go --\n" + clientMain
}

func TestSolveDropsAGRPCReplaceBelowTheMinimum(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, replace, before string
		line                  atlas.Line
	}{
		{"does not build", "google.golang.org/grpc => google.golang.org/grpc v1.26.0", "undefined: grpc.WithResolvers", atlas.Line37},
		{"builds", "google.golang.org/grpc => google.golang.org/grpc v1.29.1", "", atlas.Line35},
		{"has a version on the left", "google.golang.org/grpc v1.38.0 => google.golang.org/grpc v1.26.0", "", atlas.Line36},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newModule(t, gomod("go 1.24\n\nrequire go.etcd.io/etcd/client/v3 v3.5.12\n\nreplace "+tt.replace))
			if tt.before != "" {
				m.failsBefore(tt.before, "mod tidy", "vet .")
			}
			m.req.Line = tt.line
			res := m.solve()
			changed(t, res, "drop replace "+tt.replace)
			m.builds(res)
		})
	}
}

func TestSolveKeepsAGRPCReplaceThatIsNewEnough(t *testing.T) {
	t.Parallel()
	m := newModule(t, gomod("go 1.24\n\nreplace google.golang.org/grpc => google.golang.org/grpc v1.85.0 // a reason"))
	res := m.solve()
	has(t, res.GoMod, "replace google.golang.org/grpc => google.golang.org/grpc v1.85.0 // a reason")
	m.builds(res)
}

func TestSolveDropsAnExcludeThatLowersGRPC(t *testing.T) {
	t.Parallel()
	m := newModule(t, gomod("go 1.21\n\nrequire go.etcd.io/etcd/client/v3 v3.5.12\n\nexclude google.golang.org/grpc v1.59.0"))
	m.req.Line, m.req.Version = atlas.Line35, "v3.5.12"
	res := m.solve()
	changed(t, res, "drop exclude google.golang.org/grpc v1.59.0")
	has(t, res.GoMod, "google.golang.org/grpc v1.59.0")
	m.builds(res)
}

func TestSolveDropsTheBoltReplaces(t *testing.T) {
	t.Parallel()
	for _, replace := range []string{
		"github.com/coreos/bbolt => go.etcd.io/bbolt v1.3.5",
		"go.etcd.io/bbolt => github.com/coreos/bbolt v1.3.2",
	} {
		m := newModule(t, gomod("go 1.16\n\nrequire github.com/coreos/bbolt v1.3.5 // indirect\n\nreplace "+replace))
		res := m.solve()
		changed(t, res, "drop replace "+replace)
		lacks(t, res.GoMod, "bbolt")
		m.builds(res)
	}
}

func TestSolveReportsAForkOfEtcd(t *testing.T) {
	t.Parallel()
	m := newModule(t, gomod("go 1.16\n\nrequire github.com/coreos/etcd v3.3.20+incompatible\n\nreplace github.com/coreos/etcd => github.com/ozonru/etcd v3.3.20-grpc1.27-origmodule+incompatible"))
	res := m.solve()
	has(t, res.GoMod, "github.com/ozonru/etcd")
	found := false
	for _, f := range res.Findings {
		found = found || f.Rule == "gomod-etcd-fork" && f.Line == 7 && f.Advice != ""
	}
	if !found {
		t.Errorf("no finding: %v", res.Findings)
	}
	m.builds(res)
}

func TestSolveMendsTheGenprotoSplit(t *testing.T) {
	t.Parallel()
	t.Run("ambiguous", func(t *testing.T) {
		m := newModule(t, gomod("go 1.17\n\nrequire github.com/go-kit/kit v0.12.0\n\nrequire go.etcd.io/etcd/client/v3 v3.6.16")+`
-- g.go --
package main

import _ "github.com/go-kit/kit/sd/etcdv3"
`)
		m.failsBefore("ambiguous import", "mod tidy")
		res := m.solve()
		m.builds(res)
	})
	t.Run("old one that shadows", func(t *testing.T) {
		m := newModule(t, gomod("go 1.26.0\n\nrequire github.com/grpc-ecosystem/grpc-gateway v1.16.0\n\nrequire go.etcd.io/etcd/client/v3 v3.6.16")+`
-- g.go --
package main

import _ "github.com/grpc-ecosystem/grpc-gateway/runtime"
`)
		m.failsBefore("missing method ProtoReflect", "mod tidy", "vet .")
		res := m.solve()
		m.builds(res)
	})
}

func TestSolveSetsOneReleaseForAllEtcdModules(t *testing.T) {
	t.Parallel()
	m := newModule(t, gomod(`go 1.24

require (
	go.etcd.io/etcd/api/v3 v3.6.16
	go.etcd.io/etcd/client/v3 v3.5.21
	go.etcd.io/etcd/client/pkg/v3 v3.6.1 // indirect
)`)+`
-- a.go --
package main

import _ "go.etcd.io/etcd/api/v3/mvccpb"
`)
	m.failsBefore("undefined: rpctypes.ErrGPRCNotSupportedForLearner", "mod tidy", "vet .")
	m.req.Imports = append(m.req.Imports, "go.etcd.io/etcd/api/v3/mvccpb")
	res := m.solve()
	for _, b := range res.Build {
		if isSplit(b.Path) && b.Version != res.Release {
			t.Errorf("%s beside %s", b, res.Release)
		}
	}
	m.builds(res)
}

func TestSolveNamesWhatPushesEtcdBeyondTheRelease(t *testing.T) {
	t.Parallel()
	m := newModule(t, gomod("go 1.26.0\n\nrequire example.com/other v0.0.0\n\nreplace example.com/other => ./other")+`
-- s.go --
package main

import _ "example.com/other"
-- other/go.mod --
module example.com/other

go 1.26.0

require go.etcd.io/etcd/api/v3 v3.7.3
-- other/o.go --
package other

import _ "go.etcd.io/etcd/api/v3/mvccpb"
`)
	u := m.unsolved()
	if u.Needs != "go.etcd.io/etcd/api/v3@v3.7.3" || !strings.Contains(u.Module, "example.com/other") {
		t.Errorf("got %+v", u)
	}
}

func TestSolveKeepsToTheCompatOfGo117(t *testing.T) {
	t.Parallel()
	m := newModule(t, gomod("go 1.17\n\nrequire go.etcd.io/etcd/client/v3 v3.5.7"))
	m.failsBefore("go mod tidy -compat=1.17", "mod tidy")
	m.req.Line, m.req.KeepGo = atlas.Line35, true
	res := m.solve()
	if res.Release != "v3.5.7" {
		t.Errorf("release %s", res.Release)
	}
	has(t, res.GoMod, "\ngo 1.17\n")
	found := false
	for _, f := range res.Findings {
		found = found || f.Rule == "gomod-compat" && f.Line == 3
	}
	if !found {
		t.Errorf("findings: %v", res.Findings)
	}
	m.builds(res)
}

func TestSolveUsesReplacesByPath(t *testing.T) {
	t.Parallel()
	m := newModule(t, gomod("go 1.24\n\nrequire example.com/lib v0.0.0\n\nreplace example.com/lib => ./lib")+`
-- l.go --
package main

import _ "example.com/lib"
-- lib/go.mod --
module example.com/lib

go 1.24
-- lib/l.go --
package lib
`)
	res := m.solve()
	has(t, res.GoMod, "replace example.com/lib => ./lib\n")
	m.builds(res)
}

func TestSolveReadsPlannedGoModOfNestedModulesFromTheOverlay(t *testing.T) {
	t.Parallel()
	m := newModule(t, gomod("go 1.24\n\nrequire example.com/m/lib v0.0.0\n\nreplace example.com/m/lib => ./lib")+`
-- l.go --
package main

import _ "example.com/m/lib"
-- lib/go.mod --
module example.com/m/lib

go 1.13

require go.etcd.io/etcd v0.0.0-20200520232829-54ba9589114f
-- lib/l.go --
package lib

import _ "go.etcd.io/etcd/clientv3"
-- overlay/lib/go.mod --
module example.com/m/lib

go 1.26.0

require go.etcd.io/etcd/client/v3 v3.6.16
-- overlay/lib/l.go --
package lib

import _ "go.etcd.io/etcd/client/v3"
`)
	res := m.solve()
	lacks(t, res.GoMod, "go.etcd.io/etcd v0")
	m.builds(res)
}

func TestSolveTakesWorkspaceMembersFromTheirFolders(t *testing.T) {
	t.Parallel()
	m := newModule(t, `
-- go.work --
go 1.26

use (
	./app
	./lib
)
-- app/go.mod --
module example.com/app

go 1.24

require example.com/lib v1.2.3 // not published
-- app/main.go --
`+clientMain+`
-- app/l.go --
package main

import _ "example.com/lib"
-- lib/go.mod --
module example.com/lib

go 1.24
-- lib/l.go --
package lib
`)
	m.dir = filepath.Join(m.dir, "app")
	m.req.Dir = m.dir
	m.tree = readTree(t, m.dir)
	res := m.solve()
	has(t, res.GoMod, "example.com/lib v1.2.3 // not published\n")
	lacks(t, res.GoMod, "replace")
	m.builds(res)
}

func TestSolveIsNotSwayedByGOFLAGS(t *testing.T) {
	for _, flags := range []string{"-mod=vendor", "-mod=mod", "-mod=readonly"} {
		m := newModule(t, gomod("go 1.24"))
		m.req.Go = &gocmd.Runner{}
		t.Setenv("GOFLAGS", flags)
		res := m.solve()
		m.builds(res)
	}
}

func TestSolveStopsAtAChecksumMismatch(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"v3.6.16", "v3.6.16/go.mod"} {
		sum := "go.etcd.io/etcd/client/v3 " + name + " h1:AAAHxZB9AAAAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaA=\n"
		m := newModule(t, gomod("go 1.24\n\nrequire go.etcd.io/etcd/client/v3 v3.6.16")+"-- go.sum --\n"+sum)
		m.failsBefore("SECURITY ERROR", "mod tidy")
		u := m.unsolved()
		if !strings.Contains(u.Words, "SECURITY ERROR") || !strings.Contains(u.Cause, "is not the one that was recorded") {
			t.Errorf("got %v", u)
		}
	}
}

func TestSolveOfflineSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	m := newModule(t, gomod("go 1.24"))
	m.req.Go = &gocmd.Runner{Offline: true, Env: []string{"GOMODCACHE=" + t.TempDir(), "GOFLAGS=-modcacherw -mod=readonly"}}
	u := m.unsolved()
	if !strings.Contains(u.Error(), "go.etcd.io/etcd/client/v3@v3.6.16") || !strings.Contains(u.Next, "--offline") {
		t.Errorf("got %v", u)
	}
}

func TestSolveOfflineWorksFromTheModuleCache(t *testing.T) {
	t.Parallel()
	m := newModule(t, gomod("go 1.24"))
	m.solve()
	m.req.Go = &gocmd.Runner{Offline: true}
	m.builds(m.solve())
}

func TestSolveStopsWhenTheProxyDoesNotAnswer(t *testing.T) {
	t.Parallel()
	m := newModule(t, gomod("go 1.24"))
	m.req.Go = &gocmd.Runner{Env: []string{"GOPROXY=http://127.0.0.1:9", "GOMODCACHE=" + t.TempDir(), "GOFLAGS=-modcacherw -mod=readonly"}}
	if u := m.unsolved(); !strings.Contains(u.Words, "connection refused") {
		t.Errorf("got %v", u)
	}
}

func TestSolveDoesNotLoseAModuleThatCannotBeReached(t *testing.T) {
	t.Parallel()
	const sum = "git.example.invalid/team/lib v1.2.3 h1:AAAHxZB9AAAAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaA=\ngit.example.invalid/team/lib v1.2.3/go.mod h1:AAAHxZB9AAAAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaA=\n"
	archive := gomod("go 1.24\n\nrequire git.example.invalid/team/lib v1.2.3 // ours\n\nrequire rsc.io/quote v1.5.2 // indirect") + `
-- p/p.go --
package p

import _ "git.example.invalid/team/lib/sub"
-- go.sum --
` + sum
	m := newModule(t, archive)
	m.req.Go = &gocmd.Runner{Env: refusingProxy(t, "git.example.invalid/")}
	m.failsBefore("403 Forbidden", "mod tidy")
	res := m.solve()
	has(t, res.GoMod, "git.example.invalid/team/lib v1.2.3 // ours", "rsc.io/quote v1.5.2 // indirect", "client/v3 v3.6.16")
	lacks(t, res.GoMod, "replace")
	for _, l := range strings.Split(strings.TrimSpace(sum), "\n") {
		if !bytes.Contains(res.GoSum, []byte(l)) {
			t.Errorf("go.sum lacks %q", l)
		}
	}
	found := false
	for _, f := range res.Findings {
		found = found || f.Rule == "gomod-unreachable" && f.Line == 5 && strings.Contains(f.Message, "git.example.invalid/team/lib@v1.2.3")
	}
	if !found || len(res.Unreachable) != 1 {
		t.Errorf("findings %v, unreachable %v", res.Findings, res.Unreachable)
	}
	// What does not need it can be proved.
	un, err := Unprovable(context.Background(), m.req, res)
	if err != nil || len(un) != 1 || un["example.com/m/p"] != "git.example.invalid/team/lib/sub" {
		t.Errorf("unprovable: %v, %v", un, err)
	}
	if out, failed := m.run(res, append([]string{"vet", "-mod=readonly"}, m.flags(res, ".")...)...); failed {
		t.Errorf("%s", out)
	}
}

func TestSolveMendsAnImpossibleRequirementOfAnotherModule(t *testing.T) {
	t.Parallel()
	env := fileProxy(t, map[string]string{"impossible.invalid/dep@v1.0.0": `
-- go.mod --
module impossible.invalid/dep

go 1.16

require go.etcd.io/etcd v3.4.14+incompatible
-- dep.go --
package dep
`})
	const dep = `
-- d.go --
package main

import _ "impossible.invalid/dep"
`
	for name, replace := range map[string]string{
		"hidden by a replace": "\n\nreplace go.etcd.io/etcd => go.etcd.io/etcd v0.5.0-alpha.5.0.20210512015243-d19fbe541bf9",
		"open":                "",
	} {
		t.Run(name, func(t *testing.T) {
			m := newModule(t, gomod("go 1.24\n\nrequire impossible.invalid/dep v1.0.0"+replace)+dep)
			m.req.Go = &gocmd.Runner{Env: env}
			res := m.solve()
			has(t, res.GoMod, "replace go.etcd.io/etcd", "=> go.etcd.io/etcd v0.5.0-alpha.5.0.")
			m.builds(res)
		})
	}
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

func TestGenerationsFindsTwoEtcdInOneProgram(t *testing.T) {
	t.Parallel()
	m := newModule(t, gomod(`go 1.24

require (
	go.etcd.io/etcd v0.0.0-20200520232829-54ba9589114f
	go.etcd.io/etcd/client/v3 v3.6.16
)`)+`
-- old/old.go --
package old

import _ "go.etcd.io/etcd/mvcc/mvccpb"
-- old/old_test.go --
package old

import (
	"testing"

	_ "go.etcd.io/etcd/api/v3/mvccpb"
)

func Test(t *testing.T) {}
`)
	res := m.solve()
	has(t, res.GoMod, "go.etcd.io/etcd v0.0.0-20200520232829-54ba9589114f")
	clashes, err := Generations(context.Background(), m.req, res)
	if err != nil {
		t.Fatal(err)
	}
	if len(clashes) != 1 || clashes[0].Program != "example.com/m/old.test" || clashes[0].Name != "mvcc/mvccpb" || len(clashes[0].Chains) != 2 {
		t.Errorf("got %v", clashes)
	}
}

func TestSolveGoesOnWithoutAPackageThatIsGone(t *testing.T) {
	t.Parallel()
	m := newModule(t, gomod("go 1.16\n\nrequire github.com/prometheus/common v0.7.0")+`
-- log/log.go --
package log

// The package is gone since v0.30.0, and etcd 3.6 requires a newer one.
import (
	"fmt"

	"github.com/prometheus/common/log"
)

func F() { fmt.Println(log.Base()) }
`)
	res := m.solve()
	lacks(t, res.GoMod, "replace", "common/log")
	found := false
	for _, f := range res.Findings {
		found = found || f.Rule == "gomod-missing-package" && f.File == "log/log.go" && f.Line == 7 && f.Col == 2 &&
			strings.Contains(f.Message, "go.etcd.io/etcd/client/v3@v3.6.16 requires") && strings.Contains(f.Message, "v0.7.0 had it")
	}
	if !found || len(res.Missing) != 1 {
		t.Errorf("findings %v, missing %v", res.Findings, res.Missing)
	}
	if out, failed := m.run(res, append([]string{"vet", "-mod=readonly"}, m.flags(res, ".")...)...); failed {
		t.Errorf("%s", out)
	}
}

func TestSolveNamesEachImportOfAPackageThatCannotBeHad(t *testing.T) {
	t.Parallel()
	m := newModule(t, gomod("go 1.16")+`
-- a/a.go --
package a

import _ "git.example.invalid/team/lib/x"
-- b/b.go --
package b

import (
	_ "git.example.invalid/team/lib/x"
)
`)
	res := m.solve()
	for _, at := range []struct {
		file string
		line int
	}{{"a/a.go", 3}, {"b/b.go", 4}} {
		if !slices.ContainsFunc(res.Findings, func(f edit.Finding) bool {
			return f.Rule == "gomod-missing-package" && f.File == at.file && f.Line == at.line &&
				strings.HasPrefix(f.Message, "git.example.invalid/team/lib/x, which no module that can be had from here has: ")
		}) {
			t.Errorf("no finding at %s:%d: %v", at.file, at.line, res.Findings)
		}
	}
}

func TestVendorKeepsAModuleThatCannotBeReached(t *testing.T) {
	t.Parallel()
	m := newModule(t, "-- go.mod --\nmodule example.com/m\n\ngo 1.24\n\nrequire git.example.invalid/team/lib v1.2.3\n\nrequire go.etcd.io/etcd/client/pkg/v3 v3.6.0\n-- main.go --\n"+typesMain+`
-- p/p.go --
package p

import "git.example.invalid/team/lib/sub"

var V = sub.F[int]()
-- vendor/modules.txt --
# git.example.invalid/team/lib v1.2.3
## explicit; go 1.21
git.example.invalid/team/lib/sub
# go.etcd.io/etcd/client/pkg/v3 v3.6.0
## explicit
-- vendor/git.example.invalid/team/lib/LICENSE --
ours
-- vendor/git.example.invalid/team/lib/sub/sub.go --
package sub

func F[T any]() (v T) { return v }
-- go.sum --
git.example.invalid/team/lib v1.2.3 h1:AAAHxZB9AAAAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaA=
git.example.invalid/team/lib v1.2.3/go.mod h1:AAAHxZB9AAAAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaA=
`)
	m.req.Go = &gocmd.Runner{Env: refusingProxy(t, "git.example.invalid/")}
	res := m.solve()
	m.builds(res) // with the vendored copy
	changes, err := Vendor(context.Background(), m.req, res)
	if err != nil {
		t.Fatal(err)
	}
	m.untouched()
	for _, c := range append(changes, res.Files()...) {
		if strings.HasPrefix(c.Path, "vendor/git.example.invalid/") {
			t.Errorf("%s changes", c.Path)
		}
		if c.After != nil {
			write(t, filepath.Join(m.dir, c.Path), c.After)
		}
	}
	if out, failed := m.run(nil, "vet", "-mod=vendor", "./..."); failed {
		t.Errorf("does not build from vendor:\n%s", out)
	}
}

func TestSolveWorkPlansTheWorkspaceOfItsMembers(t *testing.T) {
	t.Parallel()
	m := newModule(t, `
-- go.work --
go 1.21 // ours

toolchain go1.21.5

use (
	./app // the program
	./lib
	./tool
)

replace google.golang.org/grpc => google.golang.org/grpc v1.26.0
-- app/go.mod --
module example.com/app

go 1.21

require go.etcd.io/etcd/client/v3 v3.5.0

replace google.golang.org/grpc => google.golang.org/grpc v1.29.1
-- app/main.go --
`+clientMain+`
-- app/l.go --
package main

import _ "example.com/lib"
-- lib/go.mod --
module example.com/lib

go 1.21

require go.etcd.io/etcd/api/v3 v3.5.0
-- lib/l.go --
package lib

import _ "go.etcd.io/etcd/api/v3/mvccpb"
-- tool/go.mod --
module example.com/tool

go 1.21

replace google.golang.org/grpc => google.golang.org/grpc v1.28.0
-- tool/t.go --
package tool
`)
	overlay := map[string]string{}
	members := map[string]*Result{}
	setOverlay := func() {
		b, err := json.Marshal(map[string]any{"Replace": overlay})
		if err != nil {
			t.Fatal(err)
		}
		m.req.OverlayFile = filepath.Join(m.root, "overlay.json")
		write(t, m.req.OverlayFile, b)
	}
	root := m.dir
	plan := func(name string, imports ...string) {
		m.req.Dir = filepath.Join(root, name)
		m.req.Scratch = filepath.Join(m.root, "scratch", name)
		if err := os.MkdirAll(m.req.Scratch, 0o777); err != nil {
			t.Fatal(err)
		}
		m.req.Imports = imports
		res := m.solve()
		lacks(t, res.GoMod, "replace", "example.com/lib v")
		members[m.req.Dir] = res
		for file, data := range map[string][]byte{"go.mod": res.GoMod, "go.sum": res.GoSum} {
			aside := filepath.Join(m.root, "planned", name, file)
			write(t, aside, data)
			overlay[filepath.Join(m.req.Dir, file)] = aside
		}
		setOverlay()
	}
	solve := func() *WorkResult {
		work, err := SolveWork(context.Background(), WorkRequest{
			Go: m.req.Go, File: filepath.Join(root, "go.work"), Scratch: t.TempDir(), OverlayFile: m.req.OverlayFile, Members: members,
		})
		if err != nil {
			t.Fatal(err)
		}
		m.untouched()
		return work
	}
	plan("lib", "go.etcd.io/etcd/api/v3/mvccpb")
	plan("app", "go.etcd.io/etcd/client/v3")
	// The replace of a member that was left out holds for all of them.
	work := solve()
	if len(work.Findings) != 2 || work.Findings[0].File != "tool/go.mod" || work.Findings[0].Line != 5 {
		t.Errorf("findings: %v", work.Findings)
	}
	plan("tool")
	work = solve()
	if len(work.Findings) > 0 {
		t.Errorf("findings: %v", work.Findings)
	}
	has(t, work.Work, "go 1.26.0 // ours", "./app // the program")
	lacks(t, work.Work, "grpc", "toolchain")
	if len(work.Changes) != 3 || len(work.Files()) == 0 {
		t.Errorf("changes: %v", work.Changes)
	}
	run := m.req.Go.With("GOWORK=" + work.File)
	out, failed, err := run.Combined(context.Background(), filepath.Join(root, "app"), "vet", "-mod=readonly", "-overlay="+m.req.OverlayFile, "./...")
	if failed || err != nil {
		t.Errorf("the planned workspace does not build: %v\n%s", err, out)
	}
}

func TestSolveKeepsTools(t *testing.T) {
	t.Parallel()
	m := newModule(t, gomod(`go 1.24

toolchain go1.24.1

tool rsc.io/quote/buggy

require (
	github.com/golang/mock v1.6.0
	rsc.io/quote v1.5.2
)`)+`
-- tools.go --
//go:build tools

package main

import _ "github.com/golang/mock/mockgen"
`)
	res := m.solve()
	has(t, res.GoMod, "tool rsc.io/quote/buggy", "github.com/golang/mock v1", "rsc.io/quote v1.5.2")
	lacks(t, res.GoMod, "toolchain")
	changed(t, res, "drop toolchain go1.24.1")
	m.builds(res)
}

func TestSolveHoldsBoltWhereAnotherModuleNeedsItsOldPath(t *testing.T) {
	t.Parallel()
	env := fileProxy(t, map[string]string{"bolt.invalid/dep@v1.0.0": `
-- go.mod --
module bolt.invalid/dep

go 1.16

require github.com/coreos/bbolt v1.3.5
-- dep.go --
package dep

import _ "github.com/coreos/bbolt"
`})
	for _, tt := range []struct{ name, text, before string }{
		{"open", "", "module declares its path as: go.etcd.io/bbolt"},
		{"replaced", "\n\nreplace github.com/coreos/bbolt => go.etcd.io/bbolt v1.3.5", ""},
		{"under both paths", "\n\nrequire go.etcd.io/bbolt v1.3.5\n\nreplace github.com/coreos/bbolt => go.etcd.io/bbolt v1.3.5", "used for two different module paths"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newModule(t, gomod("go 1.24\n\nrequire bolt.invalid/dep v1.0.0"+tt.text)+`
-- d.go --
package main

import (
	_ "bolt.invalid/dep"
	_ "go.etcd.io/bbolt"
)
`)
			m.req.Go = &gocmd.Runner{Env: env}
			if tt.before != "" {
				m.failsBefore(tt.before, "mod tidy")
			}
			res := m.solve()
			has(t, res.GoMod, "replace github.com/coreos/bbolt => github.com/coreos/bbolt v1.3.3")
			changed(t, res, "replace github.com/coreos/bbolt => github.com/coreos/bbolt v1.3.3")
			m.builds(res)
		})
	}
}

func TestSolveNamesWhatRaisesTheGoDirectiveThatIsToStay(t *testing.T) {
	t.Parallel()
	m := newModule(t, gomod("go 1.20\n\nrequire golang.org/x/text v0.43.0")+`
-- t.go --
package main

import _ "golang.org/x/text/language"
`)
	m.req.Line, m.req.KeepGo = atlas.Line35, true
	if u := m.unsolved(); u.Module != "golang.org/x/text@v0.43.0" || !strings.Contains(u.Cause, "from 1.20 to 1.2") {
		t.Errorf("got %+v", u)
	}
}

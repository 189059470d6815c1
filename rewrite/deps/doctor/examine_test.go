package doctor

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/etcdshift/etcdshift/rewrite/gocmd"
	"github.com/etcdshift/etcdshift/rewrite/load"
)

// repo writes a repository from txtar.
func repo(t *testing.T, archive string) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		name := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// state is the names and contents of all files of a folder.
func state(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		fmt.Fprintf(&b, "%s %x\n", name, sha256.Sum256(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// examine runs Examine and checks that it left the tree alone.
func examine(t *testing.T, o Options) []Diagnosis {
	t.Helper()
	before := state(t, o.Dir)
	ds, err := Examine(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if state(t, o.Dir) != before {
		t.Error("the repository was changed")
	}
	return ds
}

// show is for failures.
func show(ds []Diagnosis) string {
	var b strings.Builder
	Print(&b, ds)
	return b.String()
}

// find returns the diagnosis with an id, and fails without one.
func find(t *testing.T, ds []Diagnosis, id, severity string) Diagnosis {
	t.Helper()
	for _, d := range ds {
		if d.ID == id {
			if d.Severity != severity {
				t.Errorf("%s is of severity %s, want %s", id, d.Severity, severity)
			}
			if d.Cause == "" || len(d.Fix) == 0 || len(d.Evidence) == 0 || d.Ref == "" {
				t.Errorf("%s is incomplete: %+v", id, d)
			}
			return d
		}
	}
	t.Fatalf("no %s in\n%s", id, show(ds))
	return Diagnosis{}
}

// has checks that a diagnosis names something in its evidence, fix or title.
func has(t *testing.T, d Diagnosis, parts ...string) {
	t.Helper()
	all := show([]Diagnosis{d})
	for _, p := range parts {
		if !strings.Contains(all, p) {
			t.Errorf("%s does not name %q:\n%s", d.ID, p, all)
		}
	}
}

const clientMain = `package main

import clientv3 "go.etcd.io/etcd/client/v3"

func main() { _, _ = clientv3.New(clientv3.Config{}) }
`

func TestExamineFindsThePinOfTheOldClient(t *testing.T) {
	dir := repo(t, `
-- go.mod --
module example.com/pinned

go 1.21

require go.etcd.io/etcd/client/v3 v3.5.12

replace google.golang.org/grpc => google.golang.org/grpc v1.26.0
-- main.go --
`+clientMain)
	d := find(t, examine(t, Options{Dir: dir}), "grpc-too-old", Error)
	has(t, d, "go.mod:7", "v1.26.0", "v1.59.0", "go mod edit -dropreplace=google.golang.org/grpc")
}

func TestExamineFindsAPinThatCompiles(t *testing.T) {
	dir := repo(t, `
-- go.mod --
module example.com/pinned

go 1.21

require go.etcd.io/etcd/client/v3 v3.5.9

replace google.golang.org/grpc => google.golang.org/grpc v1.29.1
-- main.go --
`+clientMain)
	d := find(t, examine(t, Options{Dir: dir}), "grpc-too-old", Warning)
	has(t, d, "v1.41.0", "It compiles, which proves nothing")
}

func TestExamineFindsWhereTidyGoes(t *testing.T) {
	dir := repo(t, `
-- go.mod --
module example.com/low

go 1.21

require (
	go.etcd.io/etcd/client/v3 v3.5.12
	google.golang.org/grpc v1.41.0
)
-- main.go --
package main

import (
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
)

func main() { _, _ = clientv3.New(clientv3.Config{DialOptions: []grpc.DialOption{grpc.WithBlock()}}) }
`)
	d := find(t, examine(t, Options{Dir: dir}), "tidy-moves", Warning)
	has(t, d, "go.mod:7", "google.golang.org/grpc v1.41.0", "tidy takes v1.59.0", "go.etcd.io/etcd/client/v3@v3.5.12")
}

func TestExamineFindsAnExcludeThatLowersTheBuild(t *testing.T) {
	dir := repo(t, `
-- go.mod --
module example.com/excluded

go 1.21

require go.etcd.io/etcd/client/v3 v3.5.12

exclude google.golang.org/grpc v1.59.0
-- main.go --
`+clientMain)
	d := find(t, examine(t, Options{Dir: dir}), "exclude-below", Error)
	has(t, d, "go.mod:7", "go mod edit -dropexclude=google.golang.org/grpc@v1.59.0")
}

func TestExamineFindsMixedReleasesOfEtcd(t *testing.T) {
	dir := repo(t, `
-- go.mod --
module example.com/mixed

go 1.26.0

require (
	go.etcd.io/etcd/api/v3 v3.7.3
	go.etcd.io/etcd/client/v3 v3.6.16
)
-- main.go --
`+clientMain)
	d := find(t, examine(t, Options{Dir: dir}), "etcd-versions-mixed", Error)
	has(t, d, "go.etcd.io/etcd/api/v3 v3.7.3", "go.etcd.io/etcd/client/v3 v3.6.16", "go get go.etcd.io/etcd/client/v3@v3.7.3")
}

func TestExamineFindsTwoGenerationsInOneProgram(t *testing.T) {
	dir := repo(t, `
-- go.mod --
module example.com/twice

go 1.21

require (
	github.com/coreos/etcd v3.3.27+incompatible
	github.com/gogo/protobuf v1.3.2
	go.etcd.io/etcd/client/v3 v3.5.12
)
-- main.go --
package main

import (
	clientv3 "go.etcd.io/etcd/client/v3"

	"example.com/twice/store"
)

func main() { _, _ = clientv3.New(clientv3.Config{}); store.Use() }
-- store/store.go --
package store

import "github.com/coreos/etcd/mvcc/mvccpb"

func Use() { _ = mvccpb.KeyValue{} }
`)
	ds := examine(t, Options{Dir: dir})
	d := find(t, ds, "two-generations", Error)
	has(t, d, "example.com/twice/store", "github.com/coreos/etcd/mvcc/mvccpb", "go.etcd.io/etcd/api/v3/mvccpb")
	d = find(t, ds, "old-paths", Warning)
	has(t, d, "store/store.go:3", "is go.etcd.io/etcd/api/v3/mvccpb in etcd 3.7")
}

func TestExamineExplainsATidyThatFails(t *testing.T) {
	dir := repo(t, `
-- go.mod --
module example.com/old

go 1.21

require github.com/coreos/etcd v3.3.27+incompatible
-- main.go --
package main

import "github.com/coreos/etcd/clientv3"

func main() { _, _ = clientv3.New(clientv3.Config{}) }
`)
	ds := examine(t, Options{Dir: dir})
	d := find(t, ds, "grpc-naming", Error)
	has(t, d, "$ go mod tidy", "github.com/coreos/etcd/clientv3", "etcdshift migrate")
	find(t, ds, "old-paths", Warning)
}

func TestExamineFindsDependenciesThatBringOldEtcdIn(t *testing.T) {
	dir := repo(t, `
-- go.mod --
module example.com/held

go 1.21

require (
	github.com/spf13/viper v1.7.0
	go.etcd.io/etcd/client/v3 v3.5.12
)
-- main.go --
package main

import (
	_ "github.com/spf13/viper/remote"
	_ "go.etcd.io/etcd/client/v3"
)

func main() {}
`)
	ds := examine(t, Options{Dir: dir})
	d := find(t, ds, "grpc-naming", Error)
	has(t, d, "go get github.com/spf13/viper@v1.8.1")
	d = find(t, ds, "old-by-dependency", Warning)
	has(t, d, "github.com/bketelsen/crypt", "github.com/spf13/viper/remote", "github.com/coreos/etcd/client")
}

func TestExamineFindsTheSplitOfGenproto(t *testing.T) {
	dir := repo(t, `
-- go.mod --
module example.com/split

go 1.21

require (
	go.etcd.io/etcd/client/v3 v3.5.9
	google.golang.org/grpc v1.64.0
)
-- main.go --
package main

import (
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
)

func main() { _, _ = clientv3.New(clientv3.Config{DialOptions: []grpc.DialOption{grpc.WithBlock()}}) }
`)
	d := find(t, examine(t, Options{Dir: dir}), "genproto-ambiguous", Error)
	has(t, d, "go get google.golang.org/genproto@v0.0.0-20230530153820-e85fd2cbaebc")
}

func TestExamineFindsDriftAndWorkspaceReplaces(t *testing.T) {
	dir := repo(t, `
-- go.work --
go 1.21

use (
	./app
	./lib
)
-- app/go.mod --
module example.com/app

go 1.21

require go.etcd.io/etcd/client/v3 v3.5.12
-- app/main.go --
`+clientMain+`
-- lib/go.mod --
module example.com/lib

go 1.21

require go.etcd.io/etcd/client/v3 v3.5.10

replace google.golang.org/grpc => google.golang.org/grpc v1.26.0
-- lib/lib.go --
package lib

import _ "go.etcd.io/etcd/client/v3"
-- tool/go.mod --
module example.com/tool

go 1.22
-- tool/tool.go --
package tool
`)
	ds := examine(t, Options{Dir: dir})
	drift := slices.IndexFunc(ds, func(d Diagnosis) bool {
		return d.ID == "version-drift" && strings.Contains(d.Title, "go.etcd.io/etcd/client/v3")
	})
	if drift < 0 {
		t.Fatalf("no drift in\n%s", show(ds))
	}
	has(t, ds[drift], "app/go.mod:5", "lib/go.mod:5", "v3.5.10", "cd lib && go get go.etcd.io/etcd/client/v3@v3.5.12 && go mod tidy")
	has(t, find(t, ds, "work-replace-reaches", Warning), "lib/go.mod:7", "app did not ask for it")
	has(t, find(t, ds, "work-not-listed", Note), "tool/go.mod", "go work use tool")
}

func TestExamineFindsConflictingReplacesOfAWorkspace(t *testing.T) {
	dir := repo(t, `
-- go.work --
go 1.21

use (
	./a
	./b
)
-- a/go.mod --
module example.com/a

go 1.21

replace google.golang.org/grpc => google.golang.org/grpc v1.26.0
-- a/a.go --
package a
-- b/go.mod --
module example.com/b

go 1.22

replace google.golang.org/grpc => google.golang.org/grpc v1.59.0
-- b/b.go --
package b
`)
	ds := examine(t, Options{Dir: dir})
	has(t, find(t, ds, "work-conflicting-replaces", Error), "a/go.mod:5", "b/go.mod:5")
	has(t, find(t, ds, "work-go-line", Error), "go 1.21", "b/go.mod:3", "go work use")
	has(t, find(t, ds, "replace-stale", Note), "go mod edit -dropreplace=google.golang.org/grpc")
}

func TestExamineFindsStaleAndLocalReplaces(t *testing.T) {
	dir := repo(t, `
-- go.mod --
module example.com/stale

go 1.21

require go.etcd.io/etcd/client/v3 v3.5.12

replace (
	github.com/coreos/bbolt => go.etcd.io/bbolt v1.3.3
	google.golang.org/grpc v1.38.0 => google.golang.org/grpc v1.26.0
	example.com/gone => ../not-there
)
-- main.go --
`+clientMain)
	ds := examine(t, Options{Dir: dir})
	var stale []string
	for _, d := range ds {
		if d.ID == "replace-stale" {
			stale = append(stale, d.Fix[0])
		}
	}
	if want := []string{"go mod edit -dropreplace=github.com/coreos/bbolt", "go mod edit -dropreplace=google.golang.org/grpc@v1.38.0"}; !slices.Equal(stale, want) {
		t.Errorf("stale replaces: %q, want %q\n%s", stale, want, show(ds))
	}
	has(t, find(t, ds, "replace-folder", Error), "go.mod:10", "../not-there")
}

func TestExamineFindsAVendorFolderThatDoesNotFit(t *testing.T) {
	dir := repo(t, `
-- go.mod --
module example.com/vendored

go 1.21

require go.etcd.io/etcd/client/v3 v3.5.12
-- main.go --
`+clientMain+`
-- vendor/modules.txt --
# go.etcd.io/etcd/client/v3 v3.5.11
## explicit; go 1.20
go.etcd.io/etcd/client/v3
-- vendor/go.etcd.io/etcd/client/v3/doc.go --
package clientv3
`)
	has(t, find(t, examine(t, Options{Dir: dir}), "inconsistent-vendoring", Error), "go mod vendor", "v3.5.12")
}

func TestExamineFindsGeneratedCodeThatIsNewerThanGRPC(t *testing.T) {
	dir := repo(t, `
-- go.mod --
module example.com/generated

go 1.21

require google.golang.org/grpc v1.26.0
-- api/api.pb.go --
package api

import "google.golang.org/grpc"

const _ = grpc.SupportPackageIsVersion6
`)
	has(t, find(t, examine(t, Options{Dir: dir}), "grpc-generated-code", Error), "api/api.pb.go:5", "v1.27.0")
}

func TestExamineHasNothingToSayOfAHealthyRepository(t *testing.T) {
	dir := repo(t, `
-- go.mod --
module example.com/healthy

go 1.21
-- main.go --
package main

func main() { println("etcd") }
`)
	if ds := examine(t, Options{Dir: dir}); len(ds) > 0 {
		t.Errorf("diagnosed\n%s", show(ds))
	}
}

func TestExamineWarnsOfSettingsThatHideFaults(t *testing.T) {
	dir := repo(t, "-- go.mod --\nmodule example.com/m\n\ngo 1.21\n-- m.go --\npackage m\n")
	run := &gocmd.Runner{Env: []string{"GOFLAGS=-mod=vendor", "GONOSUMDB=*", "GOINSECURE=corp.example.com"}}
	ds := examine(t, Options{Dir: dir, Go: run, Offline: true})
	if got, want := ids(ds), []string{"goflags-mod", "checks-off", "checks-off"}; !slices.Equal(got, want) {
		t.Errorf("diagnosed %v, want %v\n%s", got, want, show(ds))
	}
	run = &gocmd.Runner{Env: []string{"GOPRIVATE=corp.example.com"}}
	if ds := examine(t, Options{Dir: dir, Go: run, Offline: true}); len(ds) > 0 {
		t.Errorf("a private prefix is no fault, yet:\n%s", show(ds))
	}
}

func TestExamineSaysThatGoIsTooOld(t *testing.T) {
	dir := repo(t, "-- go.mod --\nmodule example.com/m\n\ngo 1.999\n-- m.go --\npackage m\n")
	run := &gocmd.Runner{Env: []string{"GOTOOLCHAIN=local"}}
	find(t, examine(t, Options{Dir: dir, Go: run}), "go-too-old", Error)
}

func TestExamineOfCodeWithoutModules(t *testing.T) {
	dir := repo(t, `
-- main.go --
package main

import "github.com/coreos/etcd/clientv3"

func main() { _, _ = clientv3.New(clientv3.Config{}) }
`)
	ds := examine(t, Options{Dir: dir})
	if d := find(t, ds, "no-go-mod", Error); !slices.Equal(d.Fix, []string{migrate}) {
		t.Errorf("fix %q, want a migration, which makes a go.mod for the code as it is", d.Fix)
	}
	has(t, find(t, ds, "old-paths", Warning), "main.go:3", "go.etcd.io/etcd/client/v3")
}

func TestExamineOfNothing(t *testing.T) {
	if ds, err := Examine(t.Context(), Options{Dir: t.TempDir()}); !errors.Is(err, load.ErrNoGoFiles) {
		t.Errorf("%v, %v; want an error where there is nothing to look at", ds, err)
	}
}

// zipped is a module as proxies serve it.
func zipped(t *testing.T, path, version string, files map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	if files["go.mod"] == "" {
		files["go.mod"] = "module " + path + "\n\ngo 1.21\n"
	}
	for name, data := range files {
		w, err := z.Create(path + "@" + version + "/" + name)
		if err == nil {
			_, err = w.Write([]byte(data))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// modProxy serves the module proxy protocol from files: a path of the protocol
// to what is answered.
func modProxy(t *testing.T, files map[string]string, status map[string]int) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b, ok := files[r.URL.Path]; ok {
			w.Write([]byte(b))
			return
		}
		for prefix, code := range status {
			if strings.HasPrefix(r.URL.Path, prefix) {
				http.Error(w, "no", code)
				return
			}
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// private is the setting of a company whose modules, all below
// corp.example.com, come from a proxy of its own: no public checksum database
// knows them, and everything goes through that proxy.
func private(t *testing.T, proxy string) *gocmd.Runner {
	t.Helper()
	// -modcacherw lets the test remove its module cache.
	return &gocmd.Runner{Env: []string{"GOPROXY=" + proxy, "GOPRIVATE=corp.example.com", "GONOPROXY=none", "GOMODCACHE=" + t.TempDir(), "GOFLAGS=-mod=readonly -modcacherw"}}
}

func TestExamineReportsAModuleThatIsNotTheRecordedOne(t *testing.T) {
	proxy := modProxy(t, map[string]string{
		"/corp.example.com/lib/@v/v1.0.0.info": `{"Version":"v1.0.0","Time":"2024-01-01T00:00:00Z"}`,
		"/corp.example.com/lib/@v/v1.0.0.mod":  "module corp.example.com/lib\n\ngo 1.21\n",
		"/corp.example.com/lib/@v/v1.0.0.zip":  zipped(t, "corp.example.com/lib", "v1.0.0", map[string]string{"lib.go": "package lib\n"}),
	}, nil)
	dir := repo(t, `
-- go.mod --
module corp.example.com/app

go 1.21

require corp.example.com/lib v1.0.0
-- go.sum --
corp.example.com/lib v1.0.0 h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
corp.example.com/lib v1.0.0/go.mod h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
-- main.go --
package main

import _ "corp.example.com/lib"

func main() {}
`)
	ds := examine(t, Options{Dir: dir, Go: private(t, proxy)})
	d := find(t, ds, "checksum-mismatch", Error)
	has(t, d, "corp.example.com/lib v1.0.0", "git log -p -S")
	if len(ds) != 1 {
		t.Errorf("more than the mismatch was diagnosed:\n%s", show(ds))
	}
}

func TestExamineTellsNetworkFromRefusalAndAsksForEachModule(t *testing.T) {
	proxy := modProxy(t, map[string]string{
		"/corp.example.com/lib/@v/v1.0.0.info": `{"Version":"v1.0.0","Time":"2024-01-01T00:00:00Z"}`,
		"/corp.example.com/lib/@v/v1.0.0.mod":  "module corp.example.com/lib\n\ngo 1.21\n",
	}, map[string]int{"/corp.example.com/secret/": http.StatusForbidden, "/corp.example.com/moved/": http.StatusGone})
	dir := repo(t, `
-- go.mod --
module corp.example.com/app

go 1.21

require (
	corp.example.com/lib v1.0.0
	corp.example.com/moved v1.0.0
	corp.example.com/secret v1.2.0
)
-- main.go --
package main

import (
	_ "corp.example.com/lib"
	_ "corp.example.com/moved"
	_ "corp.example.com/secret"
)

func main() {}
`)
	ds := examine(t, Options{Dir: dir, Go: private(t, proxy)})
	all := show(ds)
	for _, want := range []string{
		"the module proxy has no corp.example.com/secret v1.2.0 (403 Forbidden)",
		"the module proxy has no corp.example.com/moved v1.0.0 (410 Gone)",
		"go.mod:8", "1 of 3 requirements answer", "does not go on to `direct`", "After 410",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not said:\n%s", want, all)
		}
	}
}

func TestExamineNamesAHostThatCannotBeReached(t *testing.T) {
	s := httptest.NewServer(nil)
	s.Close() // nothing listens there any more
	dir := repo(t, `
-- go.mod --
module corp.example.com/app

go 1.21

require corp.example.com/lib v1.0.0
-- main.go --
package main

import _ "corp.example.com/lib"

func main() {}
`)
	ds := examine(t, Options{Dir: dir, Go: private(t, s.URL)})
	d := find(t, ds, "git-network", Error)
	has(t, d, "connection refused", "corp.example.com/lib v1.0.0", "# 1. network")
}

func TestExamineOrdersNetworkCredentialsPermission(t *testing.T) {
	dir := repo(t, `
-- go.mod --
module corp.example.com/app

go 1.21

require (
	github.com/acme-corp/login v1.0.0
	github.com/acme-corp/secret v1.0.0
	github.com/acme-off/x v1.0.0
)
-- main.go --
package main

import (
	_ "github.com/acme-corp/login"
	_ "github.com/acme-corp/secret"
	_ "github.com/acme-off/x"
)

func main() {}
`)
	ds := examine(t, Options{Dir: dir, Go: &gocmd.Runner{Env: gitHost(t)}})
	want := []string{"git-network", "git-credentials", "git-permission"}
	if got := ids(ds); !slices.Equal(got, want) {
		t.Fatalf("diagnosed %v, want %v\n%s", got, want, show(ds))
	}
	has(t, ds[0], "github.com/acme-off/x", "go.mod:8", "0 of 3 requirements answer")
	has(t, ds[1], "github.com/acme-corp/login", "go.mod:6", "git ls-remote https://github.com/acme-corp/login")
	has(t, ds[2], "github.com/acme-corp/secret", "go.mod:7")
}

func TestExamineOfflineNamesWhatTheCacheLacks(t *testing.T) {
	dir := repo(t, `
-- go.mod --
module corp.example.com/app

go 1.21

require corp.example.com/lib v1.0.0
-- main.go --
package main

import _ "corp.example.com/lib"

func main() {}
`)
	d := find(t, examine(t, Options{Dir: dir, Offline: true}), "proxy-off", Error)
	has(t, d, "go mod download corp.example.com/lib@v1.0.0")
}

func TestExamineFindsProxiesThatListNothingOrTooLittle(t *testing.T) {
	source := `
-- go.mod --
module corp.example.com/app

go 1.21
-- main.go --
//go:build ignore

package main

import _ "go.etcd.io/etcd/client/v3"

func main() {}
`
	proxy := modProxy(t, map[string]string{"/go.etcd.io/etcd/client/v3/@v/list": ""}, nil)
	find(t, examine(t, Options{Dir: repo(t, source), Go: private(t, proxy)}), "proxy-no-versions", Warning)

	proxy = modProxy(t, map[string]string{
		"/go.etcd.io/etcd/client/v3/@v/list":        "v3.5.0\nv3.5.9\n",
		"/go.etcd.io/etcd/client/v3/@v/v3.5.9.info": `{"Version":"v3.5.9","Time":"2023-05-11T00:00:00Z"}`,
		"/go.etcd.io/etcd/client/v3/@v/v3.5.9.mod":  "module go.etcd.io/etcd/client/v3\n\ngo 1.19\n",
	}, nil)
	has(t, find(t, examine(t, Options{Dir: repo(t, source), Go: private(t, proxy)}), "proxy-stale", Note), "the proxy's newest 3.5 is v3.5.9", "the proxy's newest 3.6 is none")
}

func TestExamineSaysOnlyTheGoCommandsWordsOfWhatItDoesNotKnow(t *testing.T) {
	dir := repo(t, `
-- go.mod --
module example.com/odd

go 1.21

require example.com/x v1.0.0 v2.0.0
`)
	d := examine(t, Options{Dir: dir})
	if len(d) == 0 || d[0].ID != "not-recognised" || !strings.Contains(d[0].Cause, "not recognised") {
		t.Errorf("diagnosed\n%s", show(d))
	}
}

func TestExamineStopsWhenAskedTo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Examine(ctx, Options{Dir: t.TempDir()}); err == nil {
		t.Error("no error")
	}
}

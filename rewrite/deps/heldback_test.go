package deps

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/gocmd"
)

func TestSolveRaisesADependencyThatHoldsOldEtcd(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, require, imports, raised string }{
		{"go-kit", "github.com/go-kit/kit v0.10.0", "github.com/go-kit/kit/sd/etcdv3", "github.com/go-kit/kit"},
		{"viper", "github.com/spf13/viper v1.7.0", "github.com/spf13/viper/remote", "github.com/bketelsen/crypt"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newModule(t, `
-- go.mod --
module example.com/c

go 1.16

require (
	`+tt.require+`
	github.com/coreos/etcd v3.3.13+incompatible
)
-- main.go --
`+clientMain+`
-- d.go --
package main

import _ "`+tt.imports+`"
`)
			m.failsBefore("google.golang.org/grpc/naming", "get go.etcd.io/etcd/client/v3@v3.5.12", "mod tidy")
			res := m.solve()
			changed(t, res, "require "+tt.raised)
			m.builds(res)
			clashes, err := Generations(context.Background(), m.req, res)
			if err != nil || len(clashes) > 0 {
				t.Errorf("clashes: %v, %v", clashes, err)
			}
		})
	}
}

func TestSolveNamesADependencyWithoutAWayOut(t *testing.T) {
	t.Parallel()
	m := newModule(t, gomod("go 1.16\n\nrequire stuck.invalid/discovery v1.0.0")+`
-- d.go --
package main

import _ "stuck.invalid/discovery/etcd"
`)
	m.req.Go = &gocmd.Runner{Env: fileProxy(t, map[string]string{"stuck.invalid/discovery@v1.0.0": `
-- go.mod --
module stuck.invalid/discovery

go 1.15

require github.com/coreos/etcd v3.3.22+incompatible
-- etcd/etcd.go --
package etcd

import _ "github.com/coreos/etcd/clientv3/naming"
`})}
	_, err := Solve(context.Background(), m.req)
	m.untouched()
	u := (*Unsolved)(nil)
	if !errors.As(err, &u) {
		t.Fatalf("got %v", err)
	}
	if u.Module != "stuck.invalid/discovery@v1.0.0" || u.Importer != "stuck.invalid/discovery/etcd" ||
		u.Package != "github.com/coreos/etcd/clientv3/naming" || !strings.Contains(u.Words, "grpc/naming") || u.Next == "" {
		t.Errorf("got %+v", u)
	}
}

func TestSolveReportsADependencyThatGoesOnWithOldEtcd(t *testing.T) {
	t.Parallel()
	m := newModule(t, `
-- go.mod --
module example.com/c

go 1.16

require github.com/docker/libkv v0.2.1
-- main.go --
`+clientMain+`
-- d.go --
package main

import _ "github.com/docker/libkv/store/etcd"
`)
	m.failsBefore("google.golang.org/grpc/naming", "get go.etcd.io/etcd/client/v3@v3.6.16", "mod tidy")
	res := m.solve()
	for _, rule := range []string{"gomod-old-etcd", "gomod-tidy"} {
		if !slices.ContainsFunc(res.Findings, func(f edit.Finding) bool {
			return f.Rule == rule && f.Line == 5 && strings.Contains(f.Message, "github.com/docker/libkv")
		}) {
			t.Errorf("no finding %s among %v", rule, res.Findings)
		}
	}
	m.builds(res)
}

// etcdBehindATag is a dependency with a backend in an old etcd that only a
// build tag switches on. Tests of that etcd's client import grpc/naming.
const etcdBehindATag = `
-- go.mod --
module tagged.invalid/store

go 1.15

require github.com/coreos/etcd v3.3.22+incompatible
-- store.go --
package store

import _ "tagged.invalid/store/etcd"
-- etcd/none.go --
package etcd
-- etcd/etcd.go --
// +build with_etcd

package etcd

import _ "github.com/coreos/etcd/clientv3"
`

func TestSolveLeavesAnOldEtcdThatOnlyTidySees(t *testing.T) {
	t.Parallel()
	m := newModule(t, gomod("go 1.15\n\nrequire tagged.invalid/store v1.0.0")+`
-- d.go --
package main

import _ "tagged.invalid/store"
`)
	m.req.Go = &gocmd.Runner{Env: fileProxy(t, map[string]string{"tagged.invalid/store@v1.0.0": etcdBehindATag})}
	m.failsBefore("google.golang.org/grpc/naming", "get go.etcd.io/etcd/client/v3@v3.6.16", "mod tidy")
	res := m.solve()
	has(t, res.GoMod, "tagged.invalid/store v1.0.0", "go.etcd.io/etcd/client/v3 v3.6.16", "github.com/coreos/etcd v3.3.22+incompatible // indirect")
	lacks(t, res.GoMod, "grpc/naming")
	if !slices.ContainsFunc(res.Findings, func(f edit.Finding) bool { return f.Rule == "gomod-tidy" && f.Line == 5 }) {
		t.Errorf("findings %v", res.Findings)
	}
	m.builds(res)
	clashes, err := Generations(context.Background(), m.req, res)
	if err != nil || len(clashes) > 0 {
		t.Errorf("clashes: %v, %v", clashes, err)
	}

	// A second time, nothing changes.
	m = newModule(t, "-- go.mod --\n"+string(res.GoMod)+"-- go.sum --\n"+string(res.GoSum)+"-- main.go --\n"+clientMain+"-- d.go --\npackage main\n\nimport _ \"tagged.invalid/store\"\n")
	m.req.Go = &gocmd.Runner{Env: fileProxy(t, map[string]string{"tagged.invalid/store@v1.0.0": etcdBehindATag})}
	if v, _, err := SourceRelease(m.dir); v != "v3.6.16" || err != nil {
		t.Errorf("source release %s, %v", v, err)
	}
	if again := m.solve(); !bytes.Equal(again.GoMod, res.GoMod) || !bytes.Equal(again.GoSum, res.GoSum) {
		t.Errorf("changed again:\n%s", edit.Diff(again.Files()))
	}
}

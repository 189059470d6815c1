package deps_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/etcdshift/etcdshift/rewrite/deps"
	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/gocmd"
)

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
	m.req.Go = &gocmd.Runner{Env: proxy(t, archives(map[string]string{"tagged.invalid/store@v1.0.0": etcdBehindATag}), nil)}
	res := m.solve()
	has(t, res.GoMod, "tagged.invalid/store v1.0.0", "go.etcd.io/etcd/client/v3 v3.6.16", "github.com/coreos/etcd v3.3.22+incompatible // indirect")
	lacks(t, res.GoMod, "grpc/naming")
	if !slices.ContainsFunc(res.Findings, func(f edit.Finding) bool { return f.Rule == "gomod-tidy" && f.Line == 5 }) {
		t.Errorf("findings %v", res.Findings)
	}
	m.builds(res)
	clashes, err := deps.Generations(t.Context(), m.req, res)
	if err != nil || len(clashes) > 0 {
		t.Errorf("clashes: %v, %v", clashes, err)
	}

	// A second time, nothing changes.
	m = newModule(t, "-- go.mod --\n"+string(res.GoMod)+"-- go.sum --\n"+string(res.GoSum)+"-- main.go --\n"+clientMain+"-- d.go --\npackage main\n\nimport _ \"tagged.invalid/store\"\n")
	m.req.Go = &gocmd.Runner{Env: proxy(t, archives(map[string]string{"tagged.invalid/store@v1.0.0": etcdBehindATag}), nil)}
	if v, _, err := deps.SourceRelease(m.dir); v != "v3.6.16" || err != nil {
		t.Errorf("source release %s, %v", v, err)
	}
	if again := m.solve(); !bytes.Equal(again.GoMod, res.GoMod) || !bytes.Equal(again.GoSum, res.GoSum) {
		t.Errorf("changed again:\n%s", edit.Diff(again.Files()))
	}
}

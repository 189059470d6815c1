package deps

import (
	"context"
	"errors"
	"strings"
	"testing"
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
	_, err := Solve(context.Background(), m.req)
	m.untouched()
	u := (*Unsolved)(nil)
	if !errors.As(err, &u) {
		t.Fatalf("got %v", err)
	}
	if u.Module != "github.com/docker/libkv@v0.2.1" || u.Importer != "github.com/docker/libkv/store/etcd" ||
		u.Package != "github.com/coreos/etcd/client" || !strings.Contains(u.Words, "grpc/naming") || u.Next == "" {
		t.Errorf("got %+v", u)
	}
}

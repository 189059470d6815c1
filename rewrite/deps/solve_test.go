package deps

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/etcdshift/etcdshift/rules/atlas"
)

func TestSolveMovesEachLine(t *testing.T) {
	for _, line := range atlas.Lines() {
		t.Run(string(line), func(t *testing.T) {
			m := newModule(t, `
-- go.mod --
module example.com/legacy

go 1.13

require (
	github.com/coreos/bbolt v1.3.2 // indirect
	github.com/coreos/etcd v3.3.27+incompatible // indirect
	github.com/pkg/errors v0.8.1 // stays
	go.etcd.io/etcd v0.0.0-20200520232829-54ba9589114f
	// grpc must not be updated: etcd breaks
	google.golang.org/grpc v1.26.0 // indirect
)

replace (
	// a reason
	github.com/coreos/bbolt => go.etcd.io/bbolt v1.3.3
	google.golang.org/grpc => google.golang.org/grpc v1.26.0
)

// unrelated
replace github.com/pkg/errors v0.8.0 => github.com/pkg/errors v0.8.1
-- main.go --
`+legacyMain+`
-- e.go --
package main

import _ "github.com/pkg/errors"
-- overlay/main.go --
`+clientMain)
			m.req.Line = line
			res := m.solve()
			if want := atlas.Newest(line); res.Release != want {
				t.Errorf("release %s, want %s", res.Release, want)
			}
			lacks(t, res.GoMod, "coreos/etcd", "go.etcd.io/etcd v0", "coreos/bbolt", "v1.26.0", "must not be updated", "a reason")
			has(t, res.GoMod, "go.etcd.io/etcd/client/v3 "+res.Release+"\n", "// stays", "// unrelated", "replace github.com/pkg/errors v0.8.0 => ")
			changed(t, res, "require go.etcd.io/etcd/client/v3 "+res.Release,
				"drop require go.etcd.io/etcd v0.0.0-20200520232829-54ba9589114f",
				"drop replace google.golang.org/grpc => google.golang.org/grpc v1.26.0",
				"drop replace github.com/coreos/bbolt => go.etcd.io/bbolt v1.3.3",
				"go 1.26")
			m.builds(res)
		})
	}
}

func TestSolveChangesNothingTheSecondTime(t *testing.T) {
	m := newModule(t, "-- go.mod --\nmodule example.com/x\n\ngo 1.24\n-- main.go --\n"+clientMain)
	res := m.solve()
	m = newModule(t, "-- go.mod --\n"+string(res.GoMod)+"-- go.sum --\n"+string(res.GoSum)+"-- main.go --\n"+clientMain)
	again := m.solve()
	if len(again.Changes)+len(again.Files()) > 0 {
		t.Errorf("second plan: %v", again.Changes)
	}
}

func TestSolveWithoutGoModSaysHowToMakeOne(t *testing.T) {
	m := newModule(t, "-- main.go --\n"+clientMain)
	_, err := Solve(context.Background(), m.req)
	if !errors.Is(err, ErrNoModule) || !strings.Contains(err.Error(), "go mod init") {
		t.Errorf("got %v", err)
	}
}

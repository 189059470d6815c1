package deps

import (
	"strings"
	"testing"

	"github.com/etcdshift/etcdshift/rewrite/gocmd"
)

func TestSolveRaisesADependencyThatDoesNotCompile(t *testing.T) {
	t.Parallel()
	const gone = "-- go.mod --\nmodule compile.invalid/dep\n\ngo 1.16\n\nrequire google.golang.org/grpc v1.29.1\n-- dep.go --\npackage dep\n\nimport \"google.golang.org/grpc\"\n\nvar _ = grpc.WithBalancerName\n"
	stuck := strings.ReplaceAll(gone, "compile.invalid/dep", "compile.invalid/stuck")
	env := fileProxy(t, map[string]string{
		"compile.invalid/dep@v1.0.0":   gone,
		"compile.invalid/dep@v1.1.0":   gone,
		"compile.invalid/dep@v1.2.0":   strings.Replace(gone, "grpc.WithBalancerName", "grpc.WithBlock", 1),
		"compile.invalid/dep@v1.3.0":   strings.Replace(gone, "grpc.WithBalancerName", "grpc.WithBlock", 1),
		"compile.invalid/stuck@v1.0.0": stuck,
		"compile.invalid/stuck@v1.1.0": stuck,
	})
	m := newModule(t, gomod("go 1.21\n\nrequire (\n\tcompile.invalid/dep v1.0.0\n\tcompile.invalid/stuck v1.0.0\n)")+`
-- d.go --
package main

import _ "compile.invalid/dep"
-- s/s.go --
package s

import _ "compile.invalid/stuck"
`)
	m.req.Go = &gocmd.Runner{Env: env}
	m.req.Compile = true
	res := m.solve()
	has(t, res.GoMod, "compile.invalid/dep v1.2.0", "compile.invalid/stuck v1.0.0")
	changed(t, res, "require compile.invalid/dep v1.2.0 (was v1.0.0)")
	found := false
	for _, f := range res.Findings {
		found = found || f.Rule == "gomod-dependency" && f.Line == 7 && strings.Contains(f.Message, "undefined: grpc.WithBalancerName")
	}
	if !found {
		t.Errorf("findings: %v", res.Findings)
	}
	if out, failed := m.run(res, append([]string{"vet", "-mod=readonly"}, m.flags(res, ".")...)...); failed {
		t.Errorf("%s", out)
	}
}

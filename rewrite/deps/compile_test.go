package deps_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/etcdshift/etcdshift/rewrite/gocmd"
)

func TestSolveRaisesWhatAnotherRaiseBreaks(t *testing.T) {
	t.Parallel()
	const (
		base = "-- go.mod --\nmodule compile.invalid/base\n\ngo 1.16\n-- base.go --\npackage base\n\nfunc F() {}\n"
		user = "-- go.mod --\nmodule compile.invalid/user\n\ngo 1.16\n\nrequire github.com/coreos/etcd v3.3.27+incompatible\n-- user.go --\npackage user\n\nimport _ \"github.com/coreos/etcd/pkg/types\"\n"
		uses = "-- go.mod --\nmodule compile.invalid/uses\n\ngo 1.16\n\nrequire compile.invalid/base v0.2.0\n-- uses.go --\npackage uses\n\nimport \"compile.invalid/base\"\n\nvar _ = base.F\n"
		cgo  = "-- go.mod --\nmodule compile.invalid/cgo\n\ngo 1.16\n\nrequire compile.invalid/base v0.2.0\n-- cgo.go --\npackage cgo\n\nimport _ \"compile.invalid/base\"\n\nvar _ = wrong\n"
	)
	swap := strings.NewReplacer("base v0.2.0", "base v1.0.0", "F", "G")
	files := map[string]string{
		"compile.invalid/base@v0.2.0": base,
		"compile.invalid/base@v1.0.0": swap.Replace(base),
		"compile.invalid/user@v1.0.0": user,
		"compile.invalid/user@v1.1.0": "-- go.mod --\nmodule compile.invalid/user\n\ngo 1.16\n\nrequire compile.invalid/base v1.0.0\n-- user.go --\npackage user\n\nimport _ \"compile.invalid/base\"\n",
		// More versions than are tried, all for the old base.
		"compile.invalid/uses@v1.20.0": swap.Replace(uses),
		// Never compiled, and no version would.
		"compile.invalid/cgo@v1.0.0": cgo,
		"compile.invalid/cgo@v1.1.0": cgo,
	}
	for i := range 12 {
		files[fmt.Sprintf("compile.invalid/uses@v1.%d.0", i)] = uses
	}
	m := newModule(t, gomod("go 1.16\n\nrequire (\n\tcompile.invalid/cgo v1.0.0\n\tcompile.invalid/user v1.0.0\n\tcompile.invalid/uses v1.0.0\n)")+`
-- p/p.go --
package p

import (
	_ "compile.invalid/cgo"
	_ "compile.invalid/user"
	_ "compile.invalid/uses"
)
`)
	m.req.Go = &gocmd.Runner{Env: proxy(t, archives(files), nil)}
	m.req.Compile = true
	res := m.solve()
	has(t, res.GoMod, "compile.invalid/user v1.1.0", "compile.invalid/uses v1.20.0", "compile.invalid/cgo v1.0.0")
	for _, f := range res.Findings {
		if strings.Contains(f.Message, "compile.invalid/cgo") {
			t.Errorf("what did not compile before is reported: %v", f)
		}
	}
}

package deps_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/etcdshift/etcdshift/rewrite/deps"
	"github.com/etcdshift/etcdshift/rewrite/gocmd"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// checkout makes what a clone of etcd looks like from released modules.
func checkout(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	for module, rel := range map[string]string{
		"go.etcd.io/etcd/api/v3": "api", "go.etcd.io/etcd/client/pkg/v3": "client/pkg", "go.etcd.io/etcd/client/v3": "client/v3",
	} {
		out, err := new(gocmd.Runner).Run(context.Background(), t.TempDir(), "mod", "download", "-json", module+"@"+version)
		if err != nil {
			t.Fatal(err)
		}
		var d struct{ Dir string }
		if err := json.Unmarshal(out, &d); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(filepath.Join(dir, rel), os.DirFS(d.Dir)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestSolveAgainstACheckoutAndBackToARelease(t *testing.T) {
	t.Parallel()
	m := newModule(t, gomod("go 1.24\n\nrequire go.etcd.io/etcd/client/v3 v3.6.0"))
	m.req.Local, m.req.Line = checkout(t, "v3.7.3"), atlas.Line37
	res := m.solve()
	if res.Release != "v3.7.3" {
		t.Errorf("release %s", res.Release)
	}
	for _, p := range []string{"api/v3", "client/pkg/v3", "client/v3"} {
		has(t, res.GoMod, "go.etcd.io/etcd/"+p+" => "+m.req.Local)
		changed(t, res, "replace go.etcd.io/etcd/"+p)
	}
	has(t, res.GoMod, "// temporary: unreleased etcd")
	m.builds(res)

	m = newModule(t, "-- go.mod --\n"+string(res.GoMod)+"-- go.sum --\n"+string(res.GoSum)+"-- main.go --\n"+clientMain)
	m.req.Line = atlas.Line37
	res = m.solve()
	lacks(t, res.GoMod, "replace", "temporary")
	changed(t, res, "drop replace go.etcd.io/etcd/client/v3")
	m.builds(res)
}

func TestSolveAgainstAFolderThatIsNoCheckout(t *testing.T) {
	t.Parallel()
	m := newModule(t, gomod("go 1.24"))
	m.req.Local = t.TempDir()
	_, err := deps.Solve(context.Background(), m.req)
	if none := (*deps.NoRelease)(nil); !errors.As(err, &none) || !strings.Contains(err.Error(), "no checkout of etcd") {
		t.Errorf("got %v", err)
	}
}

func TestSolveTakesAReleaseThatIsNewerThanTheAtlas(t *testing.T) {
	t.Parallel()
	m := newModule(t, gomod("go 1.24"))
	m.req.Version, m.req.Line = "v3.7.0-rc.0", atlas.Line37 // no table has a pre-release
	res := m.solve()
	has(t, res.GoMod, "go.etcd.io/etcd/client/v3 v3.7.0-rc.0", "go.etcd.io/etcd/api/v3 v3.7.0-rc.0")
	m.builds(res)

	m.req.Version = "v3.7.999"
	_, err := deps.Solve(context.Background(), m.req)
	if none := (*deps.NoRelease)(nil); !errors.As(err, &none) || !strings.Contains(err.Error(), "v3.7.3") {
		t.Errorf("got %v", err)
	}
}

func TestStepsGoOneLineAtATime(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		from   string
		target atlas.Line
		want   []atlas.Line
	}{
		{"v3.3.13", atlas.Line37, []atlas.Line{"3.5", "3.6", "3.7"}},
		{"v3.4.9", atlas.Line35, []atlas.Line{"3.5"}},
		{"v3.5.0-pre", atlas.Line36, []atlas.Line{"3.6"}},
		{"v3.5.12", atlas.Line37, []atlas.Line{"3.6", "3.7"}},
		{"v3.6.1", atlas.Line36, []atlas.Line{"3.6"}},
	} {
		if got := deps.Steps(tt.from, tt.target); !slices.Equal(got, tt.want) {
			t.Errorf("from %s to %s: %v, want %v", tt.from, tt.target, got, tt.want)
		}
	}
}

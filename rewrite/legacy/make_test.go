package legacy

import (
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/etcdshift/etcdshift/rewrite/gocmd"
)

// committed makes a git repository of files, committed at a date.
func committed(t *testing.T, date, files string) string {
	t.Helper()
	dir := tree(t, files)
	for _, args := range [][]string{
		{"init", "-q"}, {"add", "."},
		{"-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qm", "before", "--date=" + date},
	} {
		cmd := exec.Command("git", args...)
		cmd.Dir, cmd.Env = dir, append(cmd.Environ(), "GIT_COMMITTER_DATE="+date)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", args[0], err, out)
		}
	}
	return dir
}

// requires makes a go.mod and returns what it requires.
func requires(t *testing.T, dir string) (map[string]string, *Result) {
	t.Helper()
	res, err := Make(t.Context(), Options{Dir: dir, Scratch: t.TempDir(), Go: &gocmd.Runner{}, Module: "example.com/svc"})
	if err != nil {
		t.Fatal(err)
	}
	f, err := modfile.Parse("go.mod", res.GoMod, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, r := range f.Require {
		got[r.Mod.Path] = r.Mod.Version
	}
	return got, res
}

func TestVersionsAreOfTheTimeOfTheLastCommit(t *testing.T) {
	got, _ := requires(t, committed(t, "2018-08-12T12:00:00Z", `
-- main.go --
package main

import (
	_ "github.com/Sirupsen/logrus"
	_ "github.com/coreos/etcd/clientv3"
	_ "golang.org/x/net/context"
)

func main() {}
`))
	for path, want := range map[string]string{
		// The next release goes by another path.
		"github.com/Sirupsen/logrus": "v1.0.6",
		// A module that had no release: a commit of the time.
		"golang.org/x/net": "v0.0.0-2018",
		// What etcd imports, which has no go.mod to say so.
		"google.golang.org/grpc":   "v1.14.0",
		"github.com/gogo/protobuf": "v1.1.1",
	} {
		if v := got[path]; !strings.HasPrefix(v, want) {
			t.Errorf("%s %q, want %s", path, v, want)
		}
	}
	for path, v := range got {
		if at, err := module.PseudoVersionTime(v); err == nil && at.Year() > 2018 {
			t.Errorf("%s %s is from after the last commit", path, v)
		}
	}
}

func TestLockedVersionsAreFoundByTagAndCommit(t *testing.T) {
	got, res := requires(t, committed(t, "2019-06-01T12:00:00Z", `
-- Gopkg.lock --
[[projects]]
  name = "github.com/modern-go/reflect2"
  revision = "4b7aa43c6742a2c18fdef89dd197aaae7dac7ccd"
  version = "1.0.1"

[[projects]]
  branch = "master"
  name = "golang.org/x/time"
  revision = "85acf8d2951cb2a3bde7632f9ff273ef0379bcbd"

[[projects]]
  name = "k8s.io/api"
  revision = "145d52631d00cbfe68490d19ae4f0f501fd31a95"
  version = "kubernetes-1.12.6"

[[projects]]
  name = "github.com/pkg/errors"
  revision = "0000000000000000000000000000000000000000"
-- main.go --
package main

import _ "github.com/pkg/errors"

func main() {}
`))
	for path, want := range map[string]string{
		"github.com/modern-go/reflect2": "v1.0.1",
		"golang.org/x/time":             "v0.0.0-20181108054448-85acf8d2951c",
		"k8s.io/api":                    "v0.15.7", // the first that has a version
		"github.com/pkg/errors":         "v0.8.1",  // of the time
	} {
		if got[path] != want {
			t.Errorf("%s %q, want %s", path, got[path], want)
		}
	}
	if len(res.Notes) != 1 || !strings.Contains(res.Notes[0].Message, "github.com/pkg/errors@0000000") {
		t.Errorf("notes %v, want one that tells what is not as it was locked", res.Notes)
	}
}

func TestEtcdOfGopathIsThatOfTheTime(t *testing.T) {
	got, _ := requires(t, committed(t, "2020-06-01T12:00:00Z", `
-- main.go --
package main

import (
	_ "github.com/urfave/cli"
	_ "github.com/urfave/cli/v2"
	_ "go.etcd.io/etcd/clientv3"
)

func main() {}
`))
	if v, w := got["github.com/urfave/cli"], got["github.com/urfave/cli/v2"]; v != "v1.22.4" || w != "v2.2.0" {
		t.Errorf("cli %s and %s, want both major versions", v, w)
	}
	// A tag that go.mod cannot name, and no list has.
	if v, want := got["go.etcd.io/etcd"], "v0.5.0-alpha.5.0.20200520232829-54ba9589114f"; v != want {
		t.Errorf("etcd %s, want %s", v, want)
	}
}

package atlas

import (
	"go/version"
	"slices"
	"strings"
	"testing"
)

func TestCanonicalNamesAPackageAlikeInEveryLayout(t *testing.T) {
	for _, c := range []struct {
		path, rel string
		layout    Layout
	}{
		{"github.com/coreos/etcd/clientv3", "clientv3", LayoutCoreos},
		{"github.com/etcd-io/etcd/clientv3", "clientv3", LayoutCoreos},
		{"go.etcd.io/etcd/clientv3", "clientv3", LayoutEtcd},
		{"go.etcd.io/etcd/v3/clientv3", "clientv3", LayoutV3},
		{"go.etcd.io/etcd/client/v3", "clientv3", LayoutSplit},
		{"go.etcd.io/etcd/client/v3/concurrency", "clientv3/concurrency", LayoutSplit},
		{"example.com/app/vendor/github.com/coreos/etcd/pkg/transport", "pkg/transport", LayoutCoreos},
		{"vendor/go.etcd.io/etcd/raft/raftpb", "raft/raftpb", LayoutEtcd},
		{"github.com/coreos/etcd/Godeps/_workspace/src/github.com/coreos/etcd/client", "client", LayoutCoreos},
		{"github.com/coreos/etcd", ".", LayoutCoreos},
		{"go.etcd.io/etcd/v3", ".", LayoutV3},
		{"go.etcd.io/etcd/client/v2", "client", LayoutSplit},
		{"go.etcd.io/etcd/client", "client", LayoutEtcd},
		{"go.etcd.io/etcd/pkg/v3/transport", "pkg/transport", LayoutSplit}, // 3.5.0-alpha.0
		{"go.etcd.io/etcd/client/pkg/v3/transport", "pkg/transport", LayoutSplit},
		{"go.etcd.io/etcd/etcdctl/v3/snapshot", "snapshot", LayoutSplit}, // 3.5.0-alpha.0
		{"go.etcd.io/etcd/raft/v3/raftpb", "raft/raftpb", LayoutSplit},
		{"go.etcd.io/raft/v3/raftpb", "raft/raftpb", LayoutSplit},
		{"go.etcd.io/etcd/api/v3/etcdserverpb", "etcdserver/etcdserverpb", LayoutSplit},
		{"go.etcd.io/etcd/server/v3/mvcc", "mvcc", LayoutSplit},
		{"go.etcd.io/etcd/server/v3/storage/mvcc", "mvcc", LayoutSplit},
		{"go.etcd.io/etcd/tests/v3/framework/integration", "integration", LayoutSplit},
		{"go.etcd.io/etcd/server/v3/config", "server/config", LayoutSplit},
		{"go.etcd.io/etcd/server/v3/no/such", "server/no/such", LayoutSplit},
		{"github.com/coreos/etcd/no/such", "no/such", LayoutCoreos},
	} {
		rel, layout, ok := Canonical(c.path)
		if !ok || rel != c.rel || layout != c.layout {
			t.Errorf("Canonical(%s) = %s, %s, %t; want %s, %s", c.path, rel, layout, ok, c.rel, c.layout)
		}
	}
	for _, p := range []string{"go.etcd.io/bbolt", "github.com/coreos/etcdlike/x", "github.com/coreos/etcd-operator/pkg", "go.etcd.io/gofail/runtime", "fmt", ""} {
		if rel, _, ok := Canonical(p); ok {
			t.Errorf("Canonical(%s) = %s; want not an etcd package", p, rel)
		}
	}
}

func TestEveryPackageHasAHomeOrIsGoneInEveryLine(t *testing.T) {
	old := 0
	for _, rel := range Packages() {
		if len(SeenIn(rel)) > 0 {
			old++
		}
		for _, l := range Lines() {
			h, ok := HomeOf(rel, l)
			if !ok {
				t.Errorf("HomeOf(%s, %s) knows nothing", rel, l)
				continue
			}
			if h.Gone != (h.Path == "") || h.Gone != (h.Name == "") || h.Gone != (h.Module == "") {
				t.Errorf("HomeOf(%s, %s) = %+v: neither a home nor gone", rel, l, h)
			}
			if h.Gone {
				continue
			}
			if _, in := under(h.Path, h.Module); !in {
				t.Errorf("HomeOf(%s, %s): %s is not in module %s", rel, l, h.Path, h.Module)
			}
			if !IsEtcdModule(h.Module) {
				t.Errorf("HomeOf(%s, %s): module %s is not one of etcd's", rel, l, h.Module)
			}
			if n, ok := PackageName(h.Path); !ok || n != h.Name {
				t.Errorf("PackageName(%s) = %q; its home says %s", h.Path, n, h.Name)
			}
		}
	}
	// The paths of facts about 2.3 to 3.4 count 146 packages; the three commands
	// with a home of their own come on top.
	if want := 146 + 3; old != want {
		t.Errorf("%d old packages; want %d", old, want)
	}
}

// A repository on a split release must find each of its packages in the target.
func TestEverySplitPathHasAHomeUnderItsOwnName(t *testing.T) {
	for p, s := range split() {
		rel, layout, ok := Canonical(p)
		if !ok || layout != LayoutSplit || rel != s.rel {
			t.Errorf("Canonical(%s) = %s, %s, %t", p, rel, layout, ok)
		}
		if _, ok := HomeOf(rel, Line37); !ok {
			t.Errorf("%s is named %s, which has no home", p, rel)
		}
	}
	for _, c := range []struct {
		path string
		line Line
		want string
	}{
		{"go.etcd.io/etcd/raft/v3", Line36, "go.etcd.io/raft/v3"},
		{"go.etcd.io/etcd/raft/v3", Line35, "go.etcd.io/etcd/raft/v3"},
		{"go.etcd.io/etcd/server/v3/mvcc", Line37, "go.etcd.io/etcd/server/v3/storage/mvcc"},
		{"go.etcd.io/etcd/server/v3/mvcc/backend/testing", Line36, "go.etcd.io/etcd/server/v3/storage/backend/testing"},
		{"go.etcd.io/etcd/server/v3/datadir", Line36, "go.etcd.io/etcd/server/v3/storage/datadir"},
		{"go.etcd.io/etcd/tests/v3/integration", Line36, "go.etcd.io/etcd/tests/v3/framework/integration"},
		{"go.etcd.io/etcd/pkg/v3/grpc_testing", Line36, "go.etcd.io/etcd/pkg/v3/grpctesting"},
		{"go.etcd.io/etcd/pkg/v3/transport", Line35, "go.etcd.io/etcd/client/pkg/v3/transport"},
		{"go.etcd.io/etcd/client/v2", Line37, "go.etcd.io/etcd/client/v2"},
		{"go.etcd.io/etcd/client/v3/kubernetes", Line36, "go.etcd.io/etcd/client/v3/kubernetes"},
	} {
		rel, _, _ := Canonical(c.path)
		if h, _ := HomeOf(rel, c.line); h.Path != c.want {
			t.Errorf("%s in %s: home %s; want %s", c.path, c.line, h.Path, c.want)
		}
	}
}

func TestUnknownPackagesHaveNoHome(t *testing.T) {
	for _, rel := range []string{"no/such", "clientv3/nosuch", "server/no/such", ""} {
		if h, ok := HomeOf(rel, Line36); ok {
			t.Errorf("HomeOf(%q) = %+v", rel, h)
		}
	}
	if _, ok := HomeOf("clientv3", "3.8"); ok {
		t.Error("HomeOf knows a line that is not a target")
	}
}

func TestPackageNameOfOldNewAndForeignPackages(t *testing.T) {
	for p, want := range map[string]string{
		"github.com/coreos/etcd/alarm":                          "alarm",
		"github.com/coreos/etcd/contrib/recipes":                "recipe",
		"go.etcd.io/etcd/client/v3":                             "clientv3",
		"go.etcd.io/etcd/server/v3/etcdserver/api/v3alarm":      "v3alarm",
		"go.etcd.io/etcd/server/v3/storage/backend/testing":     "betesting",
		"google.golang.org/grpc":                                "grpc",
		"google.golang.org/grpc/naming":                         "naming",
		"google.golang.org/grpc/credentials/insecure":           "insecure",
		"google.golang.org/grpc/credentials/tls/certprovider":   "certprovider",
		"google.golang.org/protobuf/proto":                      "proto",
		"google.golang.org/protobuf/encoding/protojson":         "protojson",
		"github.com/golang/protobuf/proto":                      "proto",
		"github.com/gogo/protobuf/proto":                        "proto",
		"go.uber.org/zap":                                       "zap",
		"go.etcd.io/bbolt":                                      "bbolt",
		"example.com/x/vendor/google.golang.org/grpc/grpclb/ok": "",
	} {
		if n, _ := PackageName(p); n != want {
			t.Errorf("PackageName(%s) = %q; want %q", p, n, want)
		}
	}
}

func TestNewestForGoPicksWhatThatGoBuilds(t *testing.T) {
	for _, c := range []struct {
		goVersion string
		want      [3]string
	}{
		{"1.15", [3]string{}},
		{"1.16", [3]string{"v3.5.9"}},
		{"1.17.13", [3]string{"v3.5.9"}},
		{"1.18", [3]string{"v3.5.9"}},
		{"go1.19.13", [3]string{"v3.5.12"}},
		{"1.20", [3]string{"v3.5.12"}},
		{"1.21", [3]string{"v3.5.15"}},
		{"go1.22.12", [3]string{"v3.5.18"}},
		{"1.23", [3]string{"v3.5.22", "v3.6.4"}},
		{"1.24.13", [3]string{"v3.5.27", "v3.6.8"}},
		{"1.25", [3]string{"v3.5.33", "v3.6.14"}},
		{"1.26.8", [3]string{"v3.5.35", "v3.6.16", "v3.7.3"}},
		{"go1.27", [3]string{"v3.5.35", "v3.6.16", "v3.7.3"}},
		{"devel", [3]string{}},
	} {
		for i, l := range Lines() {
			if r, _ := NewestFor(l, c.goVersion); r.Version != c.want[i] {
				t.Errorf("NewestFor(%s, %s) = %q; want %q", l, c.goVersion, r.Version, c.want[i])
			}
		}
	}
	if !CanBuild("1.20", "v3.5.9") || CanBuild("1.20", "v3.5.21") || CanBuild("1.25", "v3.7.0") {
		t.Error("CanBuild and NewestFor disagree")
	}
}

func TestReleasesAreOldestFirstAndComplete(t *testing.T) {
	for _, l := range Lines() {
		rs := Releases(l)
		for i, r := range rs {
			if patch(r.Version) != i {
				t.Fatalf("release %d of %s is %s", i, l, r.Version)
			}
			if r.GRPC == "" || r.Go == "" || r.Date == "" || r.Zap == "" || !version.IsValid("go"+r.EffGo) {
				t.Errorf("%s is incomplete: %+v", r.Version, r)
			}
		}
		if last := rs[len(rs)-1].Version; last != Newest(l) {
			t.Errorf("newest release of %s is %s, the symbols are those of %s", l, last, Newest(l))
		}
	}
}

func TestCompanionsOfARelease(t *testing.T) {
	for _, c := range []struct{ module, release, want string }{
		{"go.etcd.io/etcd/api/v3", "v3.6.4", "v3.6.4"},
		{"go.etcd.io/etcd/server/v3", "v3.7.3", "v3.7.3"},
		{"go.etcd.io/etcd/client/v2", "v3.5.21", "v2.305.21"},
		{"go.etcd.io/etcd/client/v2", "v3.7.3", "v2.305.35"},
		{"go.etcd.io/etcd/raft/v3", "v3.5.30", "v3.5.30"},
		{"go.etcd.io/etcd/raft/v3", "v3.6.16", ""},
		{"go.etcd.io/raft/v3", "v3.6.16", "v3.6.0"},
		{"go.etcd.io/raft/v3", "v3.7.3", "v3.7.0"},
		{"go.etcd.io/raft/v3", "v3.5.35", ""},
		{"go.etcd.io/bbolt", "v3.5.26", "v1.3.12"},
		{"go.etcd.io/bbolt", "v3.7.3", "v1.5.0"},
		{"go.etcd.io/etcd", "v3.5.35", ""},
		{"google.golang.org/grpc", "v3.5.35", ""},
		{"go.etcd.io/etcd/client/v3", "v3.5.99", ""},
	} {
		if got := Companion(c.module, c.release); got != c.want {
			t.Errorf("Companion(%s, %s) = %q; want %q", c.module, c.release, got, c.want)
		}
	}
}

func TestTablesNameTheirModules(t *testing.T) {
	for _, s := range Sources() {
		if s.Module == "" || s.Version == "" || !strings.HasPrefix(s.Sum, "h1:") {
			t.Errorf("incomplete source %+v", s)
		}
	}
	for _, want := range []string{"3.2.9", "3.2.32", "3.3.10", "3.3.27", "3.4.9", "3.4.16", "3.4.31", "3.5.0-pre", "3.5.0-alpha.0", "3.5.35", "3.6.16", "3.7.3"} {
		if !slices.ContainsFunc(Sources(), func(s Source) bool { return s.Release == want }) {
			t.Errorf("no table is made from etcd %s", want)
		}
	}
}

func TestImportPathOfAPackageInEachRelease(t *testing.T) {
	for _, c := range []struct{ rel, release, want string }{
		{"clientv3", "3.3.27", "github.com/coreos/etcd/clientv3"},
		{"clientv3", "3.4.9", "go.etcd.io/etcd/clientv3"},
		{"clientv3", "3.5.0-pre", "go.etcd.io/etcd/v3/clientv3"},
		{"clientv3", "3.5", "go.etcd.io/etcd/client/v3"},
		{"mvcc", "v3.6.16", "go.etcd.io/etcd/server/v3/storage/mvcc"},
		{"pkg/cors", "3.4.9", ""},
		{"pkg/cors", "3.5", ""},
		{"clientv3", "1.0", ""},
	} {
		if got := ImportPath(c.rel, c.release); got != c.want {
			t.Errorf("ImportPath(%s, %s) = %q; want %q", c.rel, c.release, got, c.want)
		}
	}
}

func TestServerOptions(t *testing.T) {
	for _, c := range []struct {
		name      string
		of        func(string) (ServerFlag, bool)
		in35, in7 bool
	}{
		{"enable-v2", FlagOf, true, false},
		{"log-output", FlagOf, false, false},
		{"feature-gates", KeyOf, false, true},
		{"client-transport-security.ca-file", KeyOf, false, false},
		{"client-transport-security.trusted-ca-file", KeyOf, true, true},
		{"experimental-snapshot-catch-up-entries", KeyOf, true, false},
	} {
		f, ok := c.of(c.name)
		if !ok || f.Has(Line35) != c.in35 || f.Has(Line37) != c.in7 {
			t.Errorf("%s: known %v, in 3.5 %v, in 3.7 %v", c.name, ok, f.Has(Line35), f.Has(Line37))
		}
	}
	if _, ok := KeyOf("ca-file"); ok {
		t.Error("ca-file is a key outside a section")
	}
	if g := GateOf("experimental-initial-corrupt-check"); g != "InitialCorruptCheck" {
		t.Errorf("gate %q", g)
	}
}

package batch

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// organisation writes five repositories: a library with etcd types in its
// API, a library that hides them, a user of both, a user of the user, and one
// that has nothing to do with any of it.
func organisation(t *testing.T) string {
	dir := t.TempDir()
	mod := func(name string, requires ...string) string {
		s := "module example.com/" + name + "\n\ngo 1.22\n\nrequire (\n"
		for _, r := range requires {
			s += "\t" + r + "\n"
		}
		return s + ")\n"
	}
	const etcd = "github.com/coreos/etcd v3.3.27+incompatible"
	repository(t, filepath.Join(dir, "open"), "go.mod", mod("open", etcd, "google.golang.org/grpc v1.26.0"), "open.go", `package open

import "github.com/coreos/etcd/clientv3"

// Dial is what others call.
func Dial() (*clientv3.Client, error) { return nil, nil }

type inner struct{ c *clientv3.Client }

// Config has a field that is not etcd's.
type Config struct {
	Name string
	kv   clientv3.KV
}
`)
	repository(t, filepath.Join(dir, "hidden"), "go.mod", mod("hidden", etcd), "hidden.go", `package hidden

import "github.com/coreos/etcd/clientv3"

var c *clientv3.Client

// Get hides where it comes from.
func Get(key string) string { var kv clientv3.KV; _ = kv; return key }
`)
	repository(t, filepath.Join(dir, "service"), "go.mod", mod("service", etcd, "example.com/open v0.1.0", "example.com/hidden v0.1.0"), "main.go", `package main

import (
	"example.com/hidden"
	"example.com/open"
	"github.com/coreos/etcd/etcdserver/api/v3rpc/rpctypes"
)

func main() { _, _ = open.Dial(); hidden.Get("x"); _ = rpctypes.ErrCompacted }
`)
	repository(t, filepath.Join(dir, "tool"), "go.mod", mod("tool", "example.com/open v0.1.0"), "main.go", "package main\n\nimport _ \"example.com/open\"\n\nfunc main() {}\n")
	repository(t, filepath.Join(dir, "alone"), "go.mod", cleanMod, "alone.go", "package alone\n")
	return dir
}

func TestSurveyFindsVersionsTypesInAPIsAndTheOrder(t *testing.T) {
	dir, state := organisation(t), t.TempDir()
	repository(t, filepath.Join(dir, "torn"), "go.mod", "module example.com/torn\n\n<<<<<<< HEAD\nrequire example.com/open v0.1.0\n", "torn.go", "package torn\n")
	rows := runHere(t, state, dir, func(o *RunOptions) { o.Job.Survey = true })
	if m := rows["torn"].Survey.Modules[0]; m.Error != "go.mod:3: unknown directive: <<<<<<<" || !reflect.DeepEqual(m.Requires, []string{"example.com/open"}) {
		t.Errorf("torn: %+v", m)
	}
	var list []*Row
	for _, name := range []string{"alone", "hidden", "open", "service", "tool"} {
		if rows[name] == nil || rows[name].Status != Surveyed {
			t.Fatalf("%s: %+v", name, rows[name])
		}
		list = append(list, rows[name])
	}
	if got := rows["open"].Survey.Modules[0]; !reflect.DeepEqual(got.Exposes, []string{"Dial"}) || got.Versions["google.golang.org/grpc"] != "v1.26.0" || got.Old["clientv3"] != 1 || !got.Library {
		t.Errorf("open: %+v", got)
	}
	if got := rows["hidden"].Survey.Modules[0]; len(got.Exposes) != 0 {
		t.Errorf("hidden exposes %v", got.Exposes)
	}
	if got := rows["service"].Survey.Modules[0]; got.Library || got.Old["etcdserver/api/v3rpc/rpctypes"] != 1 {
		t.Errorf("service: %+v", got)
	}
	waves := map[string]int{}
	for _, n := range NewGraph(list).Nodes {
		waves[n.Name] = n.Wave
	}
	if want := map[string]int{"alone": 1, "hidden": 1, "open": 1, "service": 2, "tool": 2}; !reflect.DeepEqual(waves, want) {
		t.Errorf("waves %v", waves)
	}
	var b bytes.Buffer
	if err := SurveyText(&b, list); err != nil {
		t.Fatal(err)
	}
	if want := "service after hidden, open (etcd types in its API)"; !strings.Contains(b.String(), want) {
		t.Errorf("%q is not in\n%s", want, b.String())
	}
	page, err := os.ReadFile(filepath.Join(state, "results", "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<svg", `class="exposes"`, `class="blocks"`, "<title>service</title>", "v1.26.0"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if out := git(t, filepath.Join(dir, "open"), "status", "--porcelain"); out != "" {
		t.Errorf("the survey changed %s", out)
	}
}

func TestWavesEndThoughRepositoriesRequireEachOther(t *testing.T) {
	row := func(name string, old bool, requires ...string) *Row {
		m := SurveyModule{Path: name, Requires: requires, Library: true}
		if old {
			m.Old = map[string]int{"clientv3": 1}
		}
		return &Row{Name: name, Survey: &Survey{Modules: []SurveyModule{m}}}
	}
	g := NewGraph([]*Row{row("top", false, "a"), row("a", true, "b", "base"), row("b", true, "a"), row("base", true), row("between", false, "base"), row("far", true, "between")})
	got := map[string]int{}
	for _, n := range g.Nodes {
		got[n.Name] = n.Wave
	}
	if want := map[string]int{"base": 1, "a": 2, "b": 2, "top": 3, "between": 2, "far": 2}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if g.draw() == nil {
		t.Error("nothing was drawn")
	}
}

func TestOrderedRunsMigrateLibrariesFirst(t *testing.T) {
	dir, state := t.TempDir(), t.TempDir()
	order := filepath.Join(t.TempDir(), "order")
	lib := "module example.com/lib\n\ngo 1.22\n\nrequire github.com/coreos/etcd v3.3.27+incompatible\n"
	user := "module example.com/user\n\ngo 1.22\n\nrequire example.com/lib v0.1.0\n"
	repository(t, filepath.Join(dir, "a-user"), "go.mod", user, "u.go", "package u\n\nimport _ \"example.com/lib\"\n", "CHANGE", "x\n")
	repository(t, filepath.Join(dir, "z-lib"), "go.mod", lib, "l.go", "package lib\n\nimport _ \"github.com/coreos/etcd/clientv3\"\n", "CHANGE", "x\n")
	rows := runHere(t, state, dir, func(o *RunOptions) {
		o.Ordered = true
		o.Job.Delivery = Delivery{How: Commit, Branch: "moved", Command: []string{"sh", "-c", "echo $ETCDSHIFT_NAME >>" + order}}
	})
	if len(rows) != 2 || rows["a-user"].Status != Proved || rows["z-lib"].Status != Proved {
		t.Fatalf("%+v", rows)
	}
	if data, err := os.ReadFile(order); err != nil || string(data) != "z-lib\na-user\n" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestOrderedRunsPointUsersAtTheMigratedLibrary(t *testing.T) {
	base, state := t.TempDir(), t.TempDir()
	dir := filepath.Join(base, "repos")
	// The go command fetches modules whose path ends in .git by git alone, and
	// git finds this host in a folder.
	home := filepath.Join(base, "home")
	write(t, home, ".gitconfig", "[url \"file://"+base+"/up/\"]\n\tinsteadOf = https://git.test/\n")
	for k, v := range goEnv(t, "GOMODCACHE", "GOCACHE", "GOPATH") {
		t.Setenv(k, v)
	}
	t.Setenv("HOME", home)
	t.Setenv("TZ", "UTC") // as in pseudo-versions
	t.Setenv("GOPRIVATE", "git.test")
	lib := filepath.Join(dir, "z-lib")
	repository(t, lib, "go.mod", "module git.test/lib.git\n\ngo 1.22\n\nrequire github.com/coreos/etcd v3.3.27+incompatible\n", "l.go", `package lib

import "github.com/coreos/etcd/clientv3"

// Dial is what others call.
func Dial() (*clientv3.Client, error) { return clientv3.NewFromURL("localhost:2379") }
`)
	user := filepath.Join(dir, "a-user")
	first := git(t, lib, "rev-parse", "HEAD")
	version := "v0.0.0-" + git(t, lib, "-c", "log.showSignature=false", "log", "-1", "--format=%cd", "--date=format-local:%Y%m%d%H%M%S") + "-" + first[:12]
	repository(t, user, "go.mod", "module git.test/user.git\n\ngo 1.22\n\nrequire (\n\tgit.test/lib.git "+version+"\n\tgithub.com/coreos/etcd v3.3.27+incompatible\n)\n", "u.go", `package user

import (
	"context"

	"git.test/lib.git"
	"github.com/coreos/etcd/clientv3"
)

// Get uses the library's client.
func Get(ctx context.Context) (*clientv3.GetResponse, error) {
	c, err := lib.Dial()
	if err != nil {
		return nil, err
	}
	return c.Get(ctx, "x")
}
`)
	for _, r := range []string{lib, user} {
		up := filepath.Join(base, "up", strings.TrimPrefix(filepath.Base(r), filepath.Base(r)[:2])+".git")
		git(t, base, "clone", "-q", "--bare", r, up)
		git(t, r, "remote", "add", "origin", up)
	}
	rows := runHere(t, state, dir, func(o *RunOptions) {
		o.Ordered = true
		o.Job.Settings = Settings{Target: "3.5", Verify: "build"}
		o.Job.Delivery = Delivery{How: Push, Branch: "moved"}
		o.Job.Limits.Time = 10 * time.Minute
	})
	for name, r := range rows {
		if r.Status != Proved && r.Status != ProvedFindings {
			t.Fatalf("%s: %s: %s\n%v", name, r.Status, r.Reason, r.Findings)
		}
	}
	gomod := git(t, user, "show", "moved:go.mod")
	if want := rows["z-lib"].Delivered.Commit[:12]; !strings.Contains(gomod, want) || strings.Contains(gomod, version) {
		t.Errorf("the user does not require %s:\n%s", want, gomod)
	}
	if out := git(t, user, "diff", "--stat", "main", "moved"); !strings.Contains(out, "go.sum") {
		t.Errorf("changed: %s", out)
	}
}

// goEnv asks the go command for settings, before a test changes its home.
func goEnv(t *testing.T, keys ...string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, k := range keys {
		v, err := exec.CommandContext(t.Context(), "go", "env", k).Output()
		if err != nil {
			t.Fatal(err)
		}
		out[k] = strings.TrimSpace(string(v))
	}
	return out
}

package deps_test

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/etcdshift/etcdshift/rewrite/deps"
	"github.com/etcdshift/etcdshift/rewrite/gocmd"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// testModule is a small module on disk, from a txtar archive.
type testModule struct {
	t    *testing.T
	dir  string // of the module
	req  deps.Request
	tree map[string]string // what the tree held before
}

func newModule(t *testing.T, archive string) *testModule {
	t.Helper()
	root := t.TempDir()
	m := &testModule{t: t, dir: filepath.Join(root, "tree")}
	for _, f := range txtar.Parse([]byte(archive)).Files {
		write(t, filepath.Join(m.dir, f.Name), f.Data)
	}
	m.req = deps.Request{
		Go: &gocmd.Runner{}, Dir: m.dir, Scratch: filepath.Join(root, "scratch"),
		Line: atlas.Line36, Imports: []string{"go.etcd.io/etcd/client/v3"},
	}
	if err := os.MkdirAll(m.req.Scratch, 0o777); err != nil {
		t.Fatal(err)
	}
	m.tree = readTree(t, m.dir)
	return m
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o666); err != nil {
		t.Fatal(err)
	}
}

// readTree returns the bytes and the mode of each file.
func readTree(t *testing.T, dir string) map[string]string {
	t.Helper()
	tree := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if d.IsDir() {
			tree[name+"/"] = info.Mode().String()
			return nil
		}
		b, err := os.ReadFile(name)
		tree[name] = info.Mode().String() + string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// sameTree fails if a tree is not what it was.
func sameTree(t *testing.T, dir string, was map[string]string) {
	t.Helper()
	now := readTree(t, dir)
	for name := range now {
		if was[name] != now[name] {
			t.Errorf("the tree changed: %s", name)
		}
	}
	for name := range was {
		if _, ok := now[name]; !ok {
			t.Errorf("the tree changed: %s is gone", name)
		}
	}
}

func (m *testModule) untouched() { m.t.Helper(); sameTree(m.t, m.dir, m.tree) }

// solve plans and fails the test if there is no plan.
func (m *testModule) solve() *deps.Result {
	m.t.Helper()
	res, err := deps.Solve(context.Background(), m.req)
	m.untouched()
	if err != nil {
		m.t.Fatalf("Solve: %v", err)
	}
	return res
}

// builds proves a plan: go vet compiles all that is imported and type-checks
// the rest, without linking programs.
func (m *testModule) builds(res *deps.Result) {
	m.t.Helper()
	if out, failed := m.run("vet", "-mod=readonly", "-modfile="+res.ModFile, "./..."); failed {
		m.t.Errorf("go vet fails with the plan:\n%s\n%s", out, res.GoMod)
	}
	m.untouched()
}

func (m *testModule) run(args ...string) (out string, failed bool) {
	m.t.Helper()
	out, failed, err := m.req.Go.With("GOWORK=off").Combined(context.Background(), m.dir, args...)
	if err != nil {
		m.t.Fatal(err)
	}
	return out, failed
}

// changed fails if no change begins with each text.
func changed(t *testing.T, res *deps.Result, want ...string) {
	t.Helper()
	var all []string
	for _, c := range res.Changes {
		all = append(all, c.String())
	}
	for _, w := range want {
		found := false
		for _, c := range res.Changes {
			if strings.HasPrefix(c.What, w) && c.Why != "" {
				found = true
			}
		}
		if !found {
			t.Errorf("no change %q with a reason among:\n\t%s", w, strings.Join(all, "\n\t"))
		}
	}
}

func lacks(t *testing.T, mod []byte, texts ...string) {
	t.Helper()
	for _, s := range texts {
		if bytes.Contains(mod, []byte(s)) {
			t.Errorf("go.mod still has %q:\n%s", s, mod)
		}
	}
}

func has(t *testing.T, mod []byte, texts ...string) {
	t.Helper()
	for _, s := range texts {
		if !bytes.Contains(mod, []byte(s)) {
			t.Errorf("go.mod lacks %q:\n%s", s, mod)
		}
	}
}

// clientMain is a program on the client, the smallest that links it.
const clientMain = `package main

import clientv3 "go.etcd.io/etcd/client/v3"

func main() {
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{"localhost:2379"}})
	if err == nil {
		c.Close()
	}
}
`

const legacyMain = `package main

import "go.etcd.io/etcd/clientv3"

func main() {
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{"localhost:2379"}})
	if err == nil {
		c.Close()
	}
}
`

// gomod is a module with a go.mod and the program on the client.
func gomod(text string) string {
	return "-- go.mod --\nmodule example.com/m\n\n" + text + "\n-- main.go --\n" + clientMain
}

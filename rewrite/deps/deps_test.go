package deps

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/etcdshift/etcdshift/rewrite/gocmd"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// A module is a small module on disk, from a txtar archive. Files below
// overlay/ are not part of the tree: they stand for the rewritten sources.
type testModule struct {
	t    *testing.T
	root string // of the archive
	dir  string // of the module
	req  Request
	tree map[string]string // what the tree held before
}

func newModule(t *testing.T, archive string) *testModule {
	t.Helper()
	root := t.TempDir()
	m := &testModule{t: t, root: root, dir: filepath.Join(root, "tree")}
	overlay := map[string]string{}
	for _, f := range txtar.Parse([]byte(archive)).Files {
		name := filepath.Join(m.dir, f.Name)
		if rest, ok := strings.CutPrefix(f.Name, "overlay/"); ok {
			name = filepath.Join(root, f.Name)
			overlay[filepath.Join(m.dir, rest)] = name
		}
		write(t, name, f.Data)
	}
	m.req = Request{
		Go: &gocmd.Runner{}, Dir: m.dir, Scratch: filepath.Join(root, "scratch"),
		Line: atlas.Line36, Imports: []string{"go.etcd.io/etcd/client/v3"},
	}
	if err := os.MkdirAll(m.req.Scratch, 0o777); err != nil {
		t.Fatal(err)
	}
	if len(overlay) > 0 {
		b, err := json.Marshal(map[string]any{"Replace": overlay})
		if err != nil {
			t.Fatal(err)
		}
		m.req.OverlayFile = filepath.Join(root, "overlay.json")
		write(t, m.req.OverlayFile, b)
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

// untouched fails if the tree changed.
func (m *testModule) untouched() {
	m.t.Helper()
	now := readTree(m.t, m.dir)
	if maps.Equal(now, m.tree) {
		return
	}
	for name := range now {
		if m.tree[name] != now[name] {
			m.t.Errorf("the tree changed: %s", name)
		}
	}
	for name := range m.tree {
		if _, ok := now[name]; !ok {
			m.t.Errorf("the tree changed: %s is gone", name)
		}
	}
}

// failsBefore runs go commands in a copy of the tree, as a person would, and
// fails the test unless one of them fails with the text.
func (m *testModule) failsBefore(want string, commands ...string) {
	m.t.Helper()
	dir := m.t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(m.dir)); err != nil {
		m.t.Fatal(err)
	}
	for _, c := range commands {
		out, failed, err := m.req.Go.Combined(context.Background(), dir, strings.Fields(c)...)
		if err != nil {
			m.t.Fatal(err)
		}
		if failed {
			if !strings.Contains(out, want) {
				m.t.Errorf("before: go %s fails without %q:\n%s", c, want, out)
			}
			return
		}
	}
	m.t.Errorf("before: nothing fails of %q", commands)
}

// solve plans and fails the test if there is no plan.
func (m *testModule) solve() *Result {
	m.t.Helper()
	res, err := Solve(context.Background(), m.req)
	m.untouched()
	if err != nil {
		m.t.Fatalf("Solve: %v", err)
	}
	return res
}

// builds proves a plan: go vet compiles all that is imported and type-checks
// the rest, without linking programs.
func (m *testModule) builds(res *Result) {
	m.t.Helper()
	for _, args := range [][]string{
		{"vet", "-mod=readonly"},
	} {
		if out, failed := m.run(res, append(args, m.flags(res, "./...")...)...); failed {
			m.t.Errorf("go %s fails with the plan:\n%s\n%s", args[0], out, res.GoMod)
		}
	}
	m.untouched()
}

func (m *testModule) flags(res *Result, more ...string) []string {
	fl := []string{"-modfile=" + res.ModFile}
	if m.req.OverlayFile != "" {
		fl = append(fl, "-overlay="+m.req.OverlayFile)
	}
	return append(fl, more...)
}

func (m *testModule) run(res *Result, args ...string) (out string, failed bool) {
	m.t.Helper()
	out, failed, err := m.req.Go.With("GOWORK=off").Combined(context.Background(), m.dir, args...)
	if err != nil {
		m.t.Fatal(err)
	}
	return out, failed
}

// changed fails if no change begins with each text.
func changed(t *testing.T, res *Result, want ...string) {
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

// typesMain imports the lightest package of etcd: what is vendored compiles
// anew in each test.
const typesMain = `package main

import _ "go.etcd.io/etcd/client/pkg/v3/types"

func main() {}
`

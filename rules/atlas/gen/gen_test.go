package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/etcdshift/etcdshift/rules/atlas"
)

// Whoever changes a source table has to run go generate ./rules/atlas.
func TestTablesWereWrittenAfterTheirSources(t *testing.T) {
	sums, err := sourceSums(".")
	if err != nil {
		t.Fatal(err)
	}
	have, err := tableLines(filepath.Join("..", "tables", "sources.sum"))
	if err != nil {
		t.Fatal(err)
	}
	written := map[string]string{}
	for _, r := range have {
		written[r[0]] = r[1]
	}
	for _, s := range sums {
		if written[s[0]] != s[1] {
			t.Errorf("%s changed after the tables were written: run go generate ./rules/atlas", s[0])
		}
		delete(written, s[0])
	}
	for n := range written {
		t.Errorf("%s is gone, the tables were made with it: run go generate ./rules/atlas", n)
	}
}

func TestTablesAreOfTheListedModules(t *testing.T) {
	rs, err := readReleases("modules.txt")
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, s := range atlas.Sources() {
		have[s.Release+" "+s.Module+"@"+s.Version] = true
	}
	for _, r := range rs {
		for _, m := range r.modules {
			if k := r.label + " " + m.Path + "@" + m.Version; !have[k] {
				t.Errorf("%s is not what the tables were made from", k)
			}
		}
	}
}

// The table of a small module must be what its real source says.
func TestTableAgreesWithARealModule(t *testing.T) {
	m := &module{Path: "go.etcd.io/etcd/client/pkg/v3", Version: "v3.6.16"}
	if err := download([]*module{m}); err != nil {
		t.Fatal(err)
	}
	for _, s := range atlas.Sources() {
		if s.Module == m.Path && s.Version == m.Version && s.Sum != m.Sum {
			t.Errorf("the tables were made from %s %s, here it is %s", s.Module, s.Sum, m.Sum)
		}
	}
	g := &gen{}
	r := &release{label: "3.6.16", modules: []*module{m}, pkgs: map[string]*pkg{}}
	if err := m.scan(r.pkgs); err != nil {
		t.Fatal(err)
	}
	split := map[string]string{}
	for p := range r.pkgs {
		split[p], _, _ = atlas.Canonical(p)
	}
	rd := newReader(g, r, nil, split)
	symbols := 0
	for p, q := range r.pkgs {
		if q.name == "main" {
			continue
		}
		a, err := rd.api(q)
		if err != nil {
			t.Fatal(err)
		}
		for n, s := range a.syms {
			if _, member, ok := strings.Cut(n, "."); ok && !isExported(member) {
				continue
			}
			symbols++
			if have, ok := atlas.Lookup(split[p], n, "3.6"); !ok || have.Sig != s.sig {
				t.Errorf("%s.%s is %q; the table has %q", p, n, s.sig, have.Sig)
			}
		}
		if have := len(atlas.Symbols(split[p], "3.6")); have == 0 {
			t.Errorf("the table has no symbols of %s", p)
		}
	}
	if symbols < 200 {
		t.Errorf("only %d symbols in %s", symbols, m.Path)
	}
}

func TestWritingIsDeterministic(t *testing.T) {
	var last []byte
	for range 3 {
		g := &gen{out: t.TempDir()}
		if err := g.writeZip("x.gz", "columns", strings.Repeat("a\tb\tc\n", 1000)); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(g.out, "x.gz"))
		if err != nil {
			t.Fatal(err)
		}
		if last != nil && !bytes.Equal(data, last) {
			t.Error("the same rows gave other bytes")
		}
		last = data
	}
	g := &gen{out: t.TempDir()}
	if err := g.write("x.tsv", "columns", [][]string{{"a\tb"}}); err == nil {
		t.Error("a cell with a tab was written")
	}
}

func TestMostSpecificHomeWins(t *testing.T) {
	rules := []homeRule{
		{rel: "pkg", tree: true, home: [3]string{"new/pkg/...", "new/pkg/...", "-"}},
		{rel: "pkg/types", home: [3]string{"client/types", "client/types", "client/types"}},
		{rel: "pkg/mock", tree: true, home: [3]string{"-", "-", "-"}},
	}
	for rel, want := range map[string]string{
		"pkg/wait":       "new/pkg/wait",
		"pkg/types":      "client/types",
		"pkg/types/deep": "new/pkg/types/deep",
		"pkg/mock/a":     "-",
		"pkg":            "new/pkg",
		"pkgs":           "",
	} {
		if home, _, _ := findHome(rules, rel); home[0] != want {
			t.Errorf("home of %s is %q; want %q", rel, home[0], want)
		}
	}
}

func TestPatternsOfTheSourceTables(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"*pb", "etcdserver/etcdserverpb", true},
		{"*pb", "etcdserver/etcdserverpb/gw", false},
		{"A|B", "B", true},
		{"T...", "T", true},
		{"T...", "T.Field", true},
		{"T...", "Tx.Field", false},
		{"*.Marshal", "M.Marshal", true},
		{"*.Marshal", "M.MarshalTo", false},
	} {
		if got := match(c.pattern, c.s); got != c.want {
			t.Errorf("match(%q, %q) = %t", c.pattern, c.s, got)
		}
	}
}

func TestChangesAreJudgedByWhatCallersWrite(t *testing.T) {
	fn := func(key string) *sym { return &sym{name: "F", kind: "func", key: key, byName: key} }
	for _, c := range []struct {
		name     string
		old, new *sym
		want     class
	}{
		{"same", fn("(int) error"), fn("(int) error"), none},
		{"gone", fn("(int)"), nil, manual},
		{"options added", fn("(context.Context)"), fn("(context.Context, ...x.Option)"), compat},
		{"one made many", fn("(string) bool"), fn("(...string) bool"), compat},
		{"argument added", fn("(string)"), fn("(zap.Logger, string)"), manual},
		{"result added", fn("(string)"), fn("(string) error"), manual},
		{"options of other results", fn("() int"), fn("(...x.Option) error"), manual},
		{"test helper", fn("(*testing.T, int)"), fn("(go.etcd.io/etcd/client/pkg/v3/testutil.TB, int)"), compat},
		{"untyped constant", &sym{name: "F", kind: "const", key: "T", byName: "T"}, &sym{name: "F", kind: "const"}, none},
		{"field", &sym{name: "F", kind: "field", key: "int", byName: "int"}, &sym{name: "F", kind: "field", key: "string", byName: "string"}, manual},
		{"field to method", &sym{name: "F", kind: "field", key: "int", byName: "int"}, &sym{name: "F", kind: "method", key: "() int", byName: "() int"}, manual},
		{"method of an interface now", &sym{name: "F", kind: "method", recv: "*", key: "()", byName: "()"}, &sym{name: "F", kind: "imethod", key: "()", byName: "()"}, none},
		{"receiver became a pointer", &sym{name: "F", kind: "method", key: "()", byName: "()"}, &sym{name: "F", kind: "method", recv: "*", key: "()", byName: "()"}, compat},
		{"type became an alias", &sym{name: "F", kind: "type", key: "a.T", byName: "a.T"}, &sym{name: "F", kind: "type", key: "= a.T", byName: "= a.T"}, compat},
		{"same name, alias behind it", &sym{name: "F", kind: "field", key: "a.T", byName: "x.T"}, &sym{name: "F", kind: "field", key: "b.T", byName: "x.T"}, none},
	} {
		a := &api{syms: map[string]*sym{}, opaque: map[string]bool{}}
		if c.new != nil {
			a.syms["F"] = c.new
		}
		if got := compare(c.old, a); got != c.want {
			t.Errorf("%s: %c; want %c", c.name, got, c.want)
		}
	}
}

package verify

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/etcdshift/etcdshift/rewrite/gocmd"
)

func TestOutputOfTheGoCommandIsRead(t *testing.T) {
	out := "go: downloading example.com/d v1.0.0\n# example.com/a\n./a.go:3:23: cannot use \"x\" as int value\n\thave string\n\twant int\na/b.go:4: undefined: y\n" +
		"# [example.com/b]\nvet: b/b_test.go:5:40: undefined: z\n# example.com/c [example.com/c.test]\nc/c.go:1:1: too many errors\nno required module provides package d\n"
	got := parse(out, "build")
	want := []Problem{
		{Tool: "build", Package: "example.com/a", File: "./a.go", Line: 3, Col: 23, Message: "cannot use \"x\" as int value\nhave string\nwant int"},
		{Tool: "build", Package: "example.com/a", File: "a/b.go", Line: 4, Message: "undefined: y"},
		{Tool: "build", Package: "example.com/b", File: "b/b_test.go", Line: 5, Col: 40, Message: "undefined: z"},
		{Tool: "build", Package: "example.com/c", Message: "no required module provides package d"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestDiffLooksPastMovedLines(t *testing.T) {
	a := Problem{Package: "p", File: "a.go", Line: 3, Message: "m"}
	moved := a
	moved.Line = 9
	other := Problem{Package: "p", File: "a.go", Line: 3, Message: "n"}
	old, fresh := Diff([]Problem{a}, []Problem{moved, moved, other})
	if len(old) != 1 || len(fresh) != 2 {
		t.Errorf("old %v, fresh %v: one of two equal complaints was there before", old, fresh)
	}
}

func TestDiffKnowsAFailureOfCgoInADependency(t *testing.T) {
	const said = "fatal error: db.h: No such file or directory\n    4 | // #include \"db.h\""
	before := Problem{Tool: "build", Package: "example.com/db", Message: "/cache/example.com/db@v1.0.0/array.go:4:11: " + said}
	after := Problem{Tool: "build", Package: "example.com/db", Message: "/cache/example.com/db@v1.0.1/table.go:5:11: " + said}
	if _, fresh := Diff([]Problem{before}, []Problem{after}); len(fresh) != 0 {
		t.Errorf("new: %v", fresh)
	}
	after.Message = strings.Replace(after.Message, "db.h", "cache.h", 1)
	if _, fresh := Diff([]Problem{before}, []Problem{after}); len(fresh) != 1 {
		t.Error("another header that is missing is not new")
	}
}

// TestRunListsEveryError checks a module with the real go command.
func TestRunListsEveryError(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range txtar.Parse([]byte(`
-- go.mod --
module example.com/m

go 1.24
-- fine/f.go --
package fine
-- broken/b.go --
package broken

var A int = "a"
-- broken/b_test.go --
package broken

import "testing"

func Test(t *testing.T) { undefinedOne(); undefinedTwo() }
-- user/u.go --
package user

import "example.com/m/broken"

var _ = broken.A
-- vetted/v.go --
package vetted

import "fmt"

func F(s string) { fmt.Printf(s) }
-- main/main.go --
package main

func main() {}
`)).Files {
		p := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	req := Request{Go: &gocmd.Runner{}, Dir: dir, Level: Vet, Configs: []Config{{Name: "host"}}}
	res, err := Run(context.Background(), req)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range res.Problems {
		got = append(got, p.String())
	}
	all := strings.Join(got, "\n")
	for _, want := range []string{"broken/b.go:3:13: cannot use", "broken/b_test.go:5:27: undefined: undefinedOne", "broken/b_test.go:5:43: undefined: undefinedTwo", "vetted/v.go:5:31: non-constant format string"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	if !res.Broken["example.com/m/broken"] || !res.Broken["example.com/m/user"] || res.Broken["example.com/m/fine"] || res.Broken["example.com/m/vetted"] {
		t.Errorf("broken: %v, want broken and its user", res.Broken)
	}
	fixes, err := Fixes(context.Background(), req, "printf", "non-constant format string in call to ")
	if err != nil || len(fixes) != 1 || fixes[0].File != filepath.Join(dir, "vetted", "v.go") || fixes[0].New != `"%s", ` {
		t.Errorf("fixes %+v, %v", fixes, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "main", "main")); err == nil {
		t.Error("a binary was left in the tree")
	}
	for _, name := range []string{"broken", "user", "vetted"} {
		os.RemoveAll(filepath.Join(dir, name))
	}
	if res, err = Run(context.Background(), req); err != nil || len(res.Problems) != 0 {
		t.Errorf("a clean module: %v, %v", res.Problems, err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 3 {
		t.Errorf("the tree has %v, want what was there", entries)
	}
}

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/etcdshift/etcdshift/rewrite/batch"
	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/report"
	"github.com/etcdshift/etcdshift/rewrite/verify"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

func TestResultsAreMadeOnceForAKey(t *testing.T) {
	s := state(t.TempDir())
	made := 0
	get := func(key string) int {
		v, err := remember(s, "r/x", key, func() (int, error) { made++; return made, nil })
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	equal(t, "values", []int{get("a"), get("a"), get("b"), get("b")}, []int{1, 1, 2, 2})
	if _, err := remember(s, "r/x", "c", func() (int, error) { return 0, errors.New("no") }); err == nil {
		t.Error("an error is lost")
	}
	if v, ok, err := recall[int](s, "r/x"); err != nil || !ok || v.Value != 2 {
		t.Errorf("after an error: %v, %v, %v", v, ok, err)
	}
}

// Partial clones lack large files, and git gives a commit out whole or not at
// all.
func TestACommitWithoutWhatTheCloneLacksIsComplete(t *testing.T) {
	ctx := t.Context()
	src := filepath.Join(tree(t, "-- o+n/repo/kept.go --\npackage kept\n-- o+n/repo/large.go --\npackage large\n"), "o+n", "repo")
	run := func(args ...string) string {
		t.Helper()
		out, err := git(ctx, src, "", append(identity[:len(identity):len(identity)], "GIT_COMMITTER_DATE=2018-08-12T12:00:00Z"), args...)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(out)
	}
	run("init", "-q")
	run("add", "-A")
	run("commit", "-q", "-m", "one")
	blob := run("rev-parse", "HEAD:large.go")
	if err := os.Remove(filepath.Join(src, ".git", "objects", blob[:2], blob[2:])); err != nil {
		t.Fatal(err)
	}
	s := state(t.TempDir())
	c, err := prepare(ctx, s, filepath.Dir(filepath.Dir(src)), repository{Repo: "o/n", Commit: run("rev-parse", "HEAD")})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "lacking", c.Lacking, []string{"large.go"})
	dir := filepath.Join(t.TempDir(), "src")
	if err := checkout(ctx, c.Dir, c.Pre, dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "kept.go")); err != nil {
		t.Error(err)
	}
	if out, err := git(ctx, dir, "", nil, "show", "-s", "--format=%cI"); err != nil || !strings.HasPrefix(out, "2018-08-12") {
		t.Errorf("date %s, %v", out, err)
	}
}

func TestModulesAreThoseThatNameEtcd(t *testing.T) {
	got, err := modules(tree(t, `
-- go.mod --
module example.com/root
-- a/a.go --
package a
-- inner/go.mod --
module example.com/inner
-- inner/deep/d.go --
package deep

import _ "go.etcd.io/etcd/client/v3"
-- only/go.mod --
module example.com/only

require github.com/coreos/etcd v3.3.13+incompatible
-- vendor/x/x.go --
package x

import _ "go.etcd.io/etcd/client/v3"
`))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "modules", got, []string{"inner", "only"})
}

func TestACompileErrorIsOpenUnlessAFindingNamesItsLine(t *testing.T) {
	ps := []verify.Problem{
		{Tool: "build", File: "a.go", Line: 12, Message: "named"},
		{Tool: "build", File: "a.go", Line: 14, Message: "open"},
		{Tool: "vet", File: "a.go", Line: 14, Message: "only vet"},
		{Tool: "build", File: "b.go", Line: 1, Message: "open"},
		{Tool: "build", Package: "example.com/dep", Message: "as a whole"},
	}
	got := uncovered(ps, []edit.Finding{
		{File: "a.go", Line: 9, EndLine: 10}, {File: "m/go.mod", Line: 1},
	}, func(file string, line int) int { return line - 2 })
	equal(t, "open", got, []verify.Problem{ps[1], ps[3]})
}

func TestProblemsAreNewWhereverTheyMove(t *testing.T) {
	old := verify.Problem{Package: "p", File: "a.go", Line: 3, Message: "x", Config: "linux/amd64"}
	moved, other := old, old
	moved.Line, moved.Config, moved.Package = 5, "windows/amd64", "q" // which a complaint stood before
	other.Message = "y"
	equal(t, "new", fresh([]verify.Problem{moved, other, other}, []verify.Problem{old}), []verify.Problem{other})
}

func TestThePageTellsEveryKindOfResult(t *testing.T) {
	lost := verify.Problem{Tool: "build", Package: "m", File: "a.go", Line: 3, Message: "undefined: x"}
	manual := edit.Finding{Rule: "client-v2", Severity: edit.Manual, File: "a.go", Line: 3, Message: "client.New | gone"}
	p := &page{targets: atlas.Lines(), revisions: []string{"abc", "def"}, repos: []repoResult{
		{
			repository: repository{Repo: "o/good", Commit: "0123456789abcdef", Date: "2020-01-01", Style: "gomod", Versions: map[string][]string{"go.etcd.io/etcd/client/v3": {"v3.5.0"}}},
			before:     measured{Modules: []string{"."}},
			rows: []rowResult{{
				line: atlas.Line35,
				plan: planResult{
					Revision: "abc", Row: batch.Row{Status: batch.Proved, Release: "v3.5.35", Rules: map[string]int{"import-path": 3}},
					After: measured{Modules: []string{"."}}, Again: "changes nothing", Compared: &comparison{LeftByAuthors: []string{"a.go: old"}},
				},
				recipe: &recipeResult{Failed: "go mod tidy: no | such module"},
			}},
		},
		{
			repository: repository{Repo: "o/bad", Style: "dep"},
			lacking:    []string{"large.go"},
			rows: []rowResult{{
				line: atlas.Line37,
				plan: planResult{
					Revision: "def",
					Row:      batch.Row{Status: batch.Blocked, Reason: "example.com/x: 403\nForbidden", Kinds: []batch.Kind{{Rule: "client-v2", Severity: edit.Manual, Count: 1}}},
					Run:      &report.Run{Findings: []edit.Finding{manual}, Modules: []report.Module{{Dir: ".", Status: report.Unresolved, Error: "403"}}},
					After:    measured{Modules: []string{"."}, Problems: []verify.Problem{lost}}, Open: []verify.Problem{lost}, Again: "not run",
				},
				recipe: &recipeResult{After: measured{Modules: []string{"."}, Problems: []verify.Problem{lost}}},
				new:    []verify.Problem{lost},
			}},
		},
	}}
	got := p.markdown()
	for _, want := range []string{
		"| repositories | 1 | 0 | 1 |",
		"| proved, or no worse than before | 1 | 0 | 0 |",
		"Of revision def: o/bad 3.7.",
		"| o/good | v3.5.35 | proved | 0 | 0 | 0 | 0 | 3 | 0 | 0 | 0 | changes nothing | does not resolve | 0 |",
		"| o/bad | 3.7 | blocked by a dependency | no go.mod | 1 | 1 | 1 | 0 | 1 | 0 | 0 | not run | 1 problem, 1 new | 0 |",
		"| o/bad | 3.7 | blocked by a dependency | example.com/x: 403 Forbidden |",
		"| o/good | v3.5.0 | 0 | 0 | 0 | 1 |",
		"The clone lacks `large.go`.",
		"- `a.go:3`: client.New | gone (client-v2) [3.7]",
		"The plain recipe for 3.5 ends with `go mod tidy: no | such module`",
		"old imports that the authors left: `a.go: old`",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}

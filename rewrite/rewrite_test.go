package rewrite

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/load"
	"github.com/etcdshift/etcdshift/rewrite/report"
	"github.com/etcdshift/etcdshift/rewrite/verify"
)

// A planner that writes the index stands in the way of a git that is at work.
func TestCleanLeavesTheIndexAlone(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a.go")
	if err := os.WriteFile(name, []byte("package a\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}} {
		if out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", args[0], err, out)
		}
	}
	index := func() string {
		b, err := os.ReadFile(filepath.Join(dir, ".git", "index"))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	before := index()
	long := time.Now().Add(-time.Hour)
	if err := os.Chtimes(name, long, long); err != nil { // the file is to be looked at again
		t.Fatal(err)
	}
	var dirty *DirtyError
	if err := Clean(t.Context(), dir); !errors.As(err, &dirty) { // it is added, and not committed
		t.Errorf("error %v", err)
	}
	if index() != before {
		t.Error("git wrote its index anew")
	}
}

func TestJudgeNeverCallsABrokenPackageProved(t *testing.T) {
	problem := func(tool, pkg string) verify.Problem {
		return verify.Problem{Tool: tool, Package: pkg, File: "a.go", Message: "m"}
	}
	broken := func(pkgs ...string) *verify.Result {
		r := &verify.Result{Broken: map[string]bool{}}
		for _, p := range pkgs {
			r.Broken[p] = true
		}
		return r
	}
	unloaded := &verify.Result{Problems: []verify.Problem{{Tool: "build", Message: "go.mod: bad"}}, Broken: map[string]bool{}}
	for _, c := range []struct {
		name          string
		proof         report.Proof
		before, after *verify.Result
		want          report.Status
	}{
		{"vet complains of what it complained of before", report.Proof{Known: []verify.Problem{problem("vet", "p")}}, broken(), broken(), report.Proved},
		{"nothing loaded, before and after", report.Proof{Known: unloaded.Problems}, unloaded, unloaded, report.NoWorse},
		{"broken before and after", report.Proof{Known: []verify.Problem{problem("build", "p")}}, broken("p"), broken("p"), report.NoWorse},
		{"broken before, otherwise broken after", report.Proof{New: []verify.Problem{problem("build", "p")}}, broken("p"), broken("p"), report.Incomplete},
		{"broken by the plan", report.Proof{New: []verify.Problem{problem("build", "p")}}, broken("q"), broken("p"), report.Worse},
		{"a new complaint of vet", report.Proof{New: []verify.Problem{problem("vet", "p")}}, broken(), broken(), report.Worse},
		{"nothing loaded before", report.Proof{New: []verify.Problem{problem("build", "p")}}, unloaded, broken("p"), report.Incomplete},
	} {
		if got := judge(c.proof, c.before, c.after); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestVetBringsToLightWhatItCouldNotSeeBefore(t *testing.T) {
	p := &Plan{}
	p.Writes = []edit.FileChange{{Path: "sub/a.go", Before: []byte("a\nb\n"), After: []byte("new\na\nc\n")}}
	m := &module{Module: &load.Module{Rel: "sub"}}
	unvetted := &verify.Result{Unvetted: true}
	for _, c := range []struct {
		name   string
		pr     verify.Problem
		before *verify.Result
		want   bool
	}{
		{"a line that moved", verify.Problem{Tool: "vet", File: "a.go", Line: 2, Message: "unreachable code"}, unvetted, true},
		{"a line that changed", verify.Problem{Tool: "vet", File: "a.go", Line: 3, Message: "unreachable code"}, unvetted, false},
		{"another file", verify.Problem{Tool: "vet", File: "b.go", Line: 3, Message: "unreachable code"}, unvetted, true},
		{"a package that did not build", verify.Problem{Tool: "vet", Package: "p", File: "b.go", Message: "unreachable code"}, &verify.Result{Broken: map[string]bool{"p": true}}, true},
		{"a package that vet saw", verify.Problem{Tool: "vet", Package: "p", File: "b.go", Message: "unreachable code"}, &verify.Result{}, false},
		{"a message with a lock", verify.Problem{Tool: "vet", File: "b.go", Message: "assignment copies lock value to m"}, unvetted, false},
		{"a compile error", verify.Problem{Tool: "build", File: "b.go", Message: "undefined: x"}, unvetted, false},
	} {
		if got := broughtToLight(p, m, c.pr, c.before); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestAPlanFollowsWhatCameBeforeIt(t *testing.T) {
	const was = "package p\n\nimport (\n\t\"../z\"\n\t\"a\"\n)\n\nvar _, _ = z.X, a.X\n"
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "p.go"), []byte(was), 0o600); err != nil {
		t.Fatal(err)
	}
	at := strings.Index(was, `"../z"`)
	first := edit.Change{Edits: []edit.Edit{{File: "p.go", Start: at, End: at + len(`"../z"`), New: `"example.com/z"`}}}
	copied := strings.Replace(was, `"../z"`, `"example.com/z"`, 1)
	x := strings.LastIndex(copied, "X")
	p := &Plan{sources: &Sources{
		Before:  map[string][]byte{"p.go": []byte(copied)},
		After:   map[string][]byte{},
		Changes: []edit.Change{{Edits: []edit.Edit{{File: "p.go", Start: x, End: x + 1, New: "Y"}}}},
	}}
	p.Root = root
	p.Findings = []edit.Finding{{File: "p.go", Start: x, End: x + 1}, {File: "p.go", Start: at, End: at}}
	if err := p.precede([]edit.Change{first}); err != nil {
		t.Fatal(err)
	}
	const want = "package p\n\nimport (\n\t\"a\"\n\t\"example.com/z\"\n)\n\nvar _, _ = z.X, a.Y\n"
	if len(p.Writes) != 1 || string(p.Writes[0].Before) != was || string(p.Writes[0].After) != want {
		t.Errorf("writes %q, want %q to become %q", p.Writes, was, want)
	}
	x = strings.LastIndex(was, "X")
	if f := p.Findings; f[0].Start != x || f[0].End != x+1 || f[1].Start != at {
		t.Errorf("findings %v, want them at %d and %d", f, x, at)
	}
	if e := p.Changes[1].Edits[0]; len(p.Changes) != 2 || e.Start != x {
		t.Errorf("changes %v, want two, the last at %d", p.Changes, x)
	}
}

func TestAFolderOutsideGitIsCleanInEveryLanguage(t *testing.T) {
	bin := t.TempDir()
	const git = "#!/bin/sh\n[ \"$LC_ALL\" = C ] && echo fatal: not a git repository >&2 || echo fatal: Kein Git-Repository >&2\nexit 128\n"
	if err := os.WriteFile(filepath.Join(bin, "git"), []byte(git), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	t.Setenv("LC_ALL", "de_DE.UTF-8")
	if err := Clean(t.Context(), t.TempDir()); err != nil {
		t.Error(err)
	}
}

func TestTargetsAreUnderstood(t *testing.T) {
	for in, want := range map[string]int{"": 3, "auto": 3, "3.5": 1, "v3.6": 1, "v3.6.16": 1, "3.6.16": 1} {
		lines, _, _, err := targets(in)
		if err != nil || len(lines) != want {
			t.Errorf("targets(%q) = %v, %v; want %d lines", in, lines, err, want)
		}
	}
	for _, in := range []string{"4.0", "3.4", "v3", "latest", "3.60", "v3.6.x"} {
		if _, _, _, err := targets(in); err == nil {
			t.Errorf("targets(%q): no error", in)
		}
	}
}

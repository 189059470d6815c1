package edit

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aymanbagabas/go-udiff"
)

// git runs the real git in dir, without the configuration of the machine.
func git(t *testing.T, dir string, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String()
}

func writeTree(t *testing.T, dir string, changes []FileChange, content func(FileChange) []byte) {
	t.Helper()
	for _, c := range changes {
		name := filepath.Join(dir, filepath.FromSlash(c.Path))
		os.Remove(name)
		if content(c) == nil {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, content(c), c.Perm()); err != nil {
			t.Fatal(err)
		}
	}
}

// checkTree fails unless the tree at dir, apart from .git, holds exactly the
// files of one side of the changes.
func checkTree(t *testing.T, dir string, changes []FileChange, content func(FileChange) []byte) {
	t.Helper()
	want := map[string]FileChange{}
	for _, c := range changes {
		if content(c) != nil {
			want[c.Path] = c
		}
	}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == ".git" {
				return fs.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		c, ok := want[filepath.ToSlash(rel)]
		if !ok {
			t.Errorf("%q should not be there", rel)
			return nil
		}
		delete(want, c.Path)
		got, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if !bytes.Equal(got, content(c)) {
			t.Errorf("%q holds %.200q, want %.200q", rel, got, content(c))
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if (info.Mode()^c.Perm())&0o100 != 0 {
			t.Errorf("%q has mode %v, want %v", rel, info.Mode(), c.Perm())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range want {
		t.Errorf("%q is missing", name)
	}
}

func before(c FileChange) []byte { return c.Before }
func after(c FileChange) []byte  { return c.After }

// checkDiff has git apply the diff of the changes, forward and back, and
// compares the tree with what the changes say; and the lines around the hunks
// with those that git itself writes.
func checkDiff(t *testing.T, changes []FileChange) {
	t.Helper()
	dir := t.TempDir()
	git(t, dir, "", "init", "-q")
	writeTree(t, dir, changes, before)
	git(t, dir, "", "add", "-A")
	git(t, dir, "", "commit", "-q", "--allow-empty", "-m", "before")

	diff := Diff(changes)
	git(t, dir, diff, "apply", "--check", "-")
	if out := git(t, dir, "", "status", "--porcelain"); out != "" {
		t.Fatalf("apply --check touched the tree:\n%s", out)
	}
	git(t, dir, diff, "apply", "-")
	checkTree(t, dir, changes, after)
	if t.Failed() {
		t.Logf("the diff:\n%s", diff)
		return
	}

	git(t, dir, "", "add", "-A")
	theirs := git(t, dir, "", "diff", "--cached", "--binary", "--no-renames", "--abbrev=7")
	if got, want := frame(diff), frame(theirs); got != want {
		t.Errorf("lines around the hunks:\n%s\ngit writes:\n%s", got, want)
	}

	git(t, dir, diff, "apply", "-R", "-")
	checkTree(t, dir, changes, before)
}

// frame returns the lines of a git diff that are not in hunks or binary data.
func frame(diff string) string {
	var b strings.Builder
	inHunk := false
	for line := range strings.Lines(diff) {
		switch {
		case strings.HasPrefix(line, "diff --git "):
			inHunk = false
		case strings.HasPrefix(line, "@@"), strings.HasPrefix(line, "literal "), strings.HasPrefix(line, "delta "):
			inHunk = true
		}
		if !inHunk {
			b.WriteString(line)
		}
	}
	return b.String()
}

func TestGitAppliesEveryKindOfChange(t *testing.T) {
	lines := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "line %d\n", i)
		}
		return b.String()
	}
	edited := strings.NewReplacer("line 3\n", "line three\n", "line 17\n", "", "line 39\n", "line 39\nand more\n").Replace(lines(40))
	all256 := make([]byte, 256)
	for i := range all256 {
		all256[i] = byte(i)
	}
	noise := make([]byte, 5000)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	cases := []struct {
		name   string
		change FileChange
	}{
		{"three hunks", FileChange{Path: "a.go", Before: []byte(lines(40)), After: []byte(edited)}},
		{"every line", FileChange{Path: "a.go", Before: []byte("a\nb\n"), After: []byte("c\nd\ne\n")}},
		{"first line", FileChange{Path: "a.go", Before: []byte("a\nb\n"), After: []byte("x\na\nb\n")}},
		{"last line", FileChange{Path: "a.go", Before: []byte("a\nb\n"), After: []byte("a\nb\nc\n")}},
		{"new file", FileChange{Path: "dir/sub/new.go", After: []byte("package sub\n")}},
		{"new file in mode 0755", FileChange{Path: "run.sh", After: []byte("#!/bin/sh\n"), Mode: 0o755}},
		{"mode 0755 is kept", FileChange{Path: "run.sh", Before: []byte("#!/bin/sh\n"), After: []byte("#!/bin/bash\n"), Mode: 0o755}},
		{"deleted file", FileChange{Path: "dir/gone.go", Before: []byte("package dir\n")}},
		{"deleted file in mode 0755", FileChange{Path: "gone.sh", Before: []byte("#!/bin/sh\n"), Mode: 0o755}},
		{"new empty file", FileChange{Path: "empty", After: []byte{}}},
		{"new empty file with spaces", FileChange{Path: "an empty file", After: []byte{}}},
		{"deleted empty file", FileChange{Path: "empty", Before: []byte{}}},
		{"empty file is filled", FileChange{Path: "a", Before: []byte{}, After: []byte("a\n")}},
		{"file is emptied", FileChange{Path: "a", Before: []byte("a\n"), After: []byte{}}},
		{"newline at the end comes", FileChange{Path: "a", Before: []byte("a\nb"), After: []byte("a\nb\n")}},
		{"newline at the end goes", FileChange{Path: "a", Before: []byte("a\nb\n"), After: []byte("a\nb")}},
		{"no newline at the end stays", FileChange{Path: "a", Before: []byte("a\nb"), After: []byte("x\nb")}},
		{"no newline, line added behind", FileChange{Path: "a", Before: []byte("a\nb"), After: []byte("a\nb\nc")}},
		{"new file without newline", FileChange{Path: "a", After: []byte("a")}},
		{"CRLF", FileChange{Path: "a.go", Before: []byte("package a\r\n\r\nvar x = 1\r\n"), After: []byte("package a\r\n\r\nvar x = 2\r\n")}},
		{"CRLF becomes LF", FileChange{Path: "a.go", Before: []byte("a\r\nb\r\n"), After: []byte("a\nb\n")}},
		{"lone CR", FileChange{Path: "a", Before: []byte("a\rb\rc\nd\n"), After: []byte("a\rB\rc\nd\n")}},
		{"BOM", FileChange{Path: "a.go", Before: []byte("\ufeffpackage a\n\nvar x = 1\n"), After: []byte("\ufeffpackage a\n\nvar x = 2\n")}},
		{"BOM goes", FileChange{Path: "a.go", Before: []byte("\ufeffpackage a\n"), After: []byte("package a\n")}},
		{"not UTF-8", FileChange{Path: "a", Before: []byte("\xff\xfe\xa0\nb\n"), After: []byte("\xff\xfe\xa0\nc\n")}},
		{"trailing blanks", FileChange{Path: "a", Before: []byte("a \nb\n"), After: []byte("a \t\nb\n\n\n")}},
		{"text like a diff", FileChange{Path: "a", Before: []byte("--- a\n+++ b\n@@ -1 +1 @@\n"), After: []byte("-- a\n++ b\ndiff --git a/x b/x\n")}},
		{"path with spaces", FileChange{Path: "my dir/my file.go", Before: []byte("a\n"), After: []byte("b\n")}},
		{"new path with spaces", FileChange{Path: "my dir/my file.go", After: []byte("b\n")}},
		{"path that ends in a space", FileChange{Path: "a b/c ", Before: []byte("a\n"), After: []byte("b\n")}},
		{"path like two", FileChange{Path: "x b/x", Before: []byte("a\n"), After: []byte("b\n")}},
		{"path with quotes", FileChange{Path: `say "hi".txt`, Before: []byte("a\n"), After: []byte("b\n")}},
		{"path with a backslash", FileChange{Path: `a\b`, Before: []byte("a\n")}},
		{"path with control characters", FileChange{Path: "tab\there\nand\x01\x7f", Before: []byte("a\n"), After: []byte("b\n")}},
		{"path beyond ASCII", FileChange{Path: "naïve/日本.go", Before: []byte("a\n"), After: []byte("b\n")}},
		{"new path beyond ASCII", FileChange{Path: "naïve/日 本.go", After: []byte{}}},
		{"binary is changed", FileChange{Path: "a.bin", Before: all256, After: noise}},
		{"binary comes", FileChange{Path: "a.bin", After: noise}},
		{"binary goes", FileChange{Path: "a.bin", Before: noise, Mode: 0o755}},
		{"binary becomes text", FileChange{Path: "a.bin", Before: all256, After: []byte("text\n")}},
		{"binary is emptied", FileChange{Path: "a.bin", Before: all256, After: []byte{}}},
		{"NUL far behind", FileChange{Path: "a", Before: []byte(lines(3000) + "\x00"), After: []byte(lines(3000) + "\x00\n")}},
	}
	var together []FileChange
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) { checkDiff(t, []FileChange{c.change}) })
		moved := c.change
		moved.Path = fmt.Sprintf("%02d/%s", i, moved.Path)
		together = append(together, moved)
	}
	t.Run("all in one diff", func(t *testing.T) { checkDiff(t, together) })
	t.Run("file gives way to a folder", func(t *testing.T) {
		checkDiff(t, []FileChange{
			{Path: "a", Before: []byte("a\n")},
			{Path: "a/b", After: []byte("b\n")},
		})
	})
}

func TestDiffOfNothingIsEmpty(t *testing.T) {
	got := Diff([]FileChange{
		{Path: "a", Before: []byte("same\n"), After: []byte("same\n")},
		{Path: "b", Before: []byte{}, After: []byte{}},
		{Path: "c"},
	})
	if got != "" {
		t.Errorf("got %q", got)
	}
}

func TestDiffIsOrderedByPathAndLeavesItsInput(t *testing.T) {
	changes := []FileChange{
		{Path: "b", After: []byte("b\n")},
		{Path: "a", After: []byte("a\n")},
	}
	diff := Diff(changes)
	if strings.Index(diff, "a/a") > strings.Index(diff, "a/b") {
		t.Errorf("not ordered:\n%s", diff)
	}
	if changes[0].Path != "b" {
		t.Error("the caller's slice was sorted")
	}
}

// A diff as a person sees it: hunk numbers, context and git's header.
func TestDiffReadsLikeGit(t *testing.T) {
	got := Diff([]FileChange{{
		Path:   "cmd/main.go",
		Before: []byte("package main\n\nimport (\n\t\"log\"\n\n\t\"github.com/coreos/etcd/clientv3\"\n)\n\nfunc main() {}\n"),
		After:  []byte("package main\n\nimport (\n\t\"log\"\n\n\tclientv3 \"go.etcd.io/etcd/client/v3\"\n)\n\nfunc main() {}\n"),
	}})
	want := `diff --git a/cmd/main.go b/cmd/main.go
index 6cc81fe..4fa2c63 100644
--- a/cmd/main.go
+++ b/cmd/main.go
@@ -3,7 +3,7 @@
 import (
 	"log"
 
-	"github.com/coreos/etcd/clientv3"
+	clientv3 "go.etcd.io/etcd/client/v3"
 )
 
 func main() {}
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// udiff alone replaces the middle of such a file as one block.
func TestDiffOfManyScatteredLinesTouchesOnlyThose(t *testing.T) {
	var a, b strings.Builder
	const changed = 400
	for i := range 5 * changed {
		// Half of the lines are alike, so that unique ones do not do it alone.
		line := fmt.Sprintf("module%d h1:%d\n", i, i)
		if i%2 == 1 {
			line = "}\n"
		}
		a.WriteString(line)
		if i%10 == 0 {
			line = "// " + line
		}
		b.WriteString(line)
	}
	edits := lineEdits(a.String(), b.String())
	n := 0
	for _, e := range edits {
		n += strings.Count(e.New, "\n")
	}
	if n != changed/2 {
		t.Errorf("%d lines written, want %d", n, changed/2)
	}
}

// The ids in the diff are SHA-1; git looks at them for binary files only.
// Lines that repeat are found by number alone.
func TestHunksAreNumberedByTheLinesOfBothFiles(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	header := regexp.MustCompile(`(?m)^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@\n((?:[-+ ].*\n)*)`)
	for range 200 {
		before := make([]string, 60+rng.IntN(60))
		for i := range before {
			before[i] = string(rune('a'+rng.IntN(3))) + "\n"
		}
		var after []string
		for _, l := range before {
			switch rng.IntN(12) {
			case 0: // goes
			case 1:
				after = append(after, l, "new\n")
			default:
				after = append(after, l)
			}
		}
		diff := Diff([]FileChange{{Path: "a", Before: []byte(strings.Join(before, "")), After: []byte(strings.Join(after, ""))}})
		for _, m := range header.FindAllStringSubmatch(diff, -1) {
			from, _ := strconv.Atoi(m[1])
			to, _ := strconv.Atoi(m[2])
			for line := range strings.Lines(m[3]) {
				if line[0] != '+' {
					if before[from-1] != line[1:] {
						t.Fatalf("line %d of the old file is %q, and not %q:\n%s", from, before[from-1], line[1:], diff)
					}
					from++
				}
				if line[0] != '-' {
					if after[to-1] != line[1:] {
						t.Fatalf("line %d of the new file is %q, and not %q:\n%s", to, after[to-1], line[1:], diff)
					}
					to++
				}
			}
		}
	}
}

func TestTextDiffAppliesInSHA256Repository(t *testing.T) {
	dir := t.TempDir()
	git(t, dir, "", "init", "-q", "--object-format=sha256")
	changes := []FileChange{
		{Path: "a", Before: []byte("a\n"), After: []byte("b\n")},
		{Path: "b", After: []byte("b\n")},
		{Path: "c", Before: []byte("c\n")},
	}
	writeTree(t, dir, changes, before)
	git(t, dir, "", "add", "-A")
	git(t, dir, Diff(changes), "apply", "--index", "-")
	checkTree(t, dir, changes, after)
}

// Random files, made of few different lines so that matches are ambiguous.
func TestGitAppliesRandomChanges(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var changes []FileChange
	for i := range 600 {
		n, alphabet := r.IntN(120), 2+r.IntN(60)
		var a []string
		for range n {
			a = append(a, fmt.Sprintf("%d\n", r.IntN(alphabet)))
		}
		b := slices.Clone(a)
		for range r.IntN(1 + n) {
			switch at := r.IntN(len(b) + 1); {
			case at == len(b) || r.IntN(3) == 0:
				b = slices.Insert(b, at, fmt.Sprintf("%d\n", r.IntN(alphabet)))
			case r.IntN(2) == 0:
				b = slices.Delete(b, at, at+1)
			default:
				b[at] = fmt.Sprintf("%d\n", r.IntN(alphabet))
			}
		}
		side := func(lines []string) []byte {
			s := strings.Join(lines, "")
			if r.IntN(4) == 0 {
				s = strings.TrimSuffix(s, "\n")
			}
			if r.IntN(20) == 0 {
				return nil
			}
			return []byte(s)
		}
		c := FileChange{Path: fmt.Sprintf("f%03d", i), Before: side(a), After: side(b)}
		if c.Before == nil && c.After == nil {
			continue
		}
		changes = append(changes, c)

		got, err := udiff.Apply(string(c.Before), lineEdits(string(c.Before), string(c.After)))
		if err != nil || got != string(c.After) {
			t.Fatalf("%s: edits give %q, %v; want %q", c.Path, got, err, c.After)
		}
	}
	checkDiff(t, changes)
}

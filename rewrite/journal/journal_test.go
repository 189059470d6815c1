//go:build linux || darwin

package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

var meta = Meta{Command: "migrate", Target: "v3.6.12", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}

// snapshot returns what is below dir: mode and content of files, targets of
// links, and folders. Git's folder is left out.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	snap := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == ".git" {
			return fs.SkipDir
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(name)
			if err != nil {
				return err
			}
			snap[rel] = "link to " + to
		case !info.Mode().IsRegular(): // a pipe would wait for a writer
			snap[rel] = info.Mode().String()
		default:
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			snap[rel] = info.Mode().String() + " " + string(data)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

func same(t *testing.T, got, want map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if g, ok := got[name]; !ok {
			t.Errorf("%s is missing", name)
		} else if g != want[name] {
			t.Errorf("%s is %.200q, want %.200q", name, g, want[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[name]; !ok {
			t.Errorf("%s should not be there", name)
		}
	}
}

func write(t *testing.T, name, content string, mode fs.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// sampleTree makes a git repository with every kind of file.
func sampleTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	git(t, dir, "init", "-q")
	fillTree(t, dir)
	return dir
}

func fillTree(t *testing.T, dir string) {
	t.Helper()
	write(t, filepath.Join(dir, "go.mod"), "module m\n", 0o644)
	write(t, filepath.Join(dir, "main.go"), "package main\r\n", 0o664)
	write(t, filepath.Join(dir, "run.sh"), "#!/bin/sh\n", 0o755)
	write(t, filepath.Join(dir, "private"), "secret\n", 0o600)
	write(t, filepath.Join(dir, "untouched.go"), "package main\n", 0o640)
	write(t, filepath.Join(dir, "vendor/a/a.go"), "package a\n", 0o644)
	write(t, filepath.Join(dir, "vendor/a/deep/b.go"), "package b\n", 0o755)
	write(t, filepath.Join(dir, "vendor/c/c.go"), "package c\n", 0o644)
	write(t, filepath.Join(dir, "vendor/c/keep.go"), "package c\n", 0o644)
	write(t, filepath.Join(dir, "becomes"), "a file\n", 0o644)
	write(t, filepath.Join(dir, "folder/of/one"), "one\n", 0o644)
	write(t, filepath.Join(dir, "real/linked.go"), "package linked\n", 0o644)
	if err := os.Chmod(filepath.Join(dir, "vendor/a/deep"), 0o750); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{
		"link.go": "real/linked.go",
		"via":     "real",
	} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
}

// sampleChanges does something to each of them.
func sampleChanges() []edit.FileChange {
	b := func(s string) []byte { return []byte(s) }
	return []edit.FileChange{
		{Path: "go.mod", Before: b("module m\n"), After: b("module m\n\ngo 1.26\n")},
		{Path: "main.go", Before: b("package main\r\n"), After: b("package main // new\r\n")},
		{Path: "run.sh", Before: b("#!/bin/sh\n"), After: b("#!/bin/bash\n")},
		{Path: "private", Before: b("secret\n"), After: b("")},
		{Path: "vendor/a/a.go", Before: b("package a\n")},
		{Path: "vendor/a/deep/b.go", Before: b("package b\n")},
		{Path: "vendor/c/c.go", Before: b("package c\n")},
		{Path: "vendor/d/x/y/new.go", After: b("package y\n")},
		{Path: "vendor/d/tool", After: b("#!/bin/sh\n"), Mode: 0o755},
		{Path: "becomes", Before: b("a file\n")},
		{Path: "becomes/a.go", After: b("package becomes\n")},
		{Path: "folder/of/one", Before: b("one\n")},
		{Path: "folder", After: b("a file now\n")},
		{Path: "link.go", Before: b("package linked\n"), After: b("package relinked\n")},
		{Path: "via/new.go", After: b("package real\n")},
	}
}

func sampleAfter(before map[string]string) map[string]string {
	want := maps.Clone(before)
	dir := before["vendor/c"] // rwxr-xr-x, as the umask of the test makes it
	for _, gone := range []string{"vendor/a", "vendor/a/a.go", "vendor/a/deep", "vendor/a/deep/b.go", "vendor/c/c.go", "folder/of", "folder/of/one"} {
		delete(want, gone)
	}
	maps.Copy(want, map[string]string{
		"go.mod":              "-rw-r--r-- module m\n\ngo 1.26\n",
		"main.go":             "-rw-rw-r-- package main // new\r\n",
		"run.sh":              "-rwxr-xr-x #!/bin/bash\n",
		"private":             "-rw------- ",
		"vendor/d":            dir,
		"vendor/d/x":          dir,
		"vendor/d/x/y":        dir,
		"vendor/d/x/y/new.go": "-rw-r--r-- package y\n",
		"vendor/d/tool":       "-rwxr-xr-x #!/bin/sh\n",
		"becomes":             dir,
		"becomes/a.go":        "-rw-r--r-- package becomes\n",
		"folder":              "-rw-r--r-- a file now\n",
		"real/linked.go":      "-rw-r--r-- package relinked\n",
		"real/new.go":         "-rw-r--r-- package real\n",
	})
	return want
}

func mustApply(t *testing.T, root string, changes []edit.FileChange) {
	t.Helper()
	if err := Apply(root, changes, meta); err != nil {
		t.Fatal(err)
	}
}

func TestMain(m *testing.M) {
	syscall.Umask(0o022)
	if os.Getenv("JOURNAL_CHILD") != "" {
		os.Exit(child())
	}
	os.Exit(m.Run())
}

func TestApplyWritesEveryKindOfChangeAndUndoTakesItBack(t *testing.T) {
	for _, kind := range []string{"git", "no git"} {
		t.Run(kind, func(t *testing.T) {
			dir := t.TempDir()
			if kind == "git" {
				git(t, dir, "init", "-q")
			}
			fillTree(t, dir)
			was := snapshot(t, dir)
			mustApply(t, dir, sampleChanges())
			now := snapshot(t, dir)
			maps.DeleteFunc(now, func(name, _ string) bool { return strings.HasPrefix(name, ".etcdshift") })
			same(t, now, sampleAfter(was))

			sum, err := Undo(dir)
			if err != nil {
				t.Fatal(err)
			}
			same(t, snapshot(t, dir), was) // no journal is left, either
			if sum.Meta != meta {
				t.Errorf("took back %v", sum.Meta)
			}
			if got, want := sum.String(), "took back migrate to v3.6.12 of 2026-01-02 03:04:05: 5 files restored, 5 removed, 5 returned"; got != want {
				t.Errorf("summary: %s\nwant: %s", got, want)
			}
			if kind == "git" {
				if _, err := os.Stat(filepath.Join(dir, ".git", "etcdshift")); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("the journal is left: %v", err)
				}
			}
		})
	}
}

func TestApplyOfNothingLeavesNoTrace(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a"), "a", 0o644)
	was := snapshot(t, dir)
	mustApply(t, dir, nil)
	mustApply(t, dir, []edit.FileChange{{Path: "a", Before: []byte("a"), After: []byte("a")}})
	if out, err := Recover(dir); err != nil || out.Action != Nothing {
		t.Errorf("Recover: %v, %v", out, err)
	}
	if _, err := Undo(dir); !errors.Is(err, ErrNothingToUndo) {
		t.Errorf("Undo: %v", err)
	}
	same(t, snapshot(t, dir), was)
}

// With git, the journal is where git does not show it; without, it hides
// itself from a repository made later.
func TestJournalStaysOutOfGitStatus(t *testing.T) {
	dir := t.TempDir()
	fillTree(t, dir)
	change := []edit.FileChange{{Path: "go.mod", Before: []byte("module m\n"), After: []byte("module n\n")}}
	mustApply(t, dir, change)
	git(t, dir, "init", "-q")
	git(t, dir, "add", "-A")
	if files := git(t, dir, "ls-files"); strings.Contains(files, "etcdshift") {
		t.Errorf("git would commit the journal:\n%s", files)
	}
	git(t, dir, "commit", "-q", "-m", "all")
	change[0].Before, change[0].After = change[0].After, change[0].Before
	mustApply(t, dir, change)
	if got := git(t, dir, "status", "--porcelain"); got != " M go.mod\n" {
		t.Errorf("git status:\n%s", got)
	}
}

func TestJournalOfLinkedWorkTreesAndSubmodulesIsTheirOwn(t *testing.T) {
	dir := t.TempDir()
	main, lib := filepath.Join(dir, "main"), filepath.Join(dir, "lib")
	for _, repo := range []string{main, lib} {
		write(t, filepath.Join(repo, "a"), "a\n", 0o644)
		git(t, repo, "init", "-q")
		git(t, repo, "add", "-A")
		git(t, repo, "commit", "-q", "-m", "a")
	}
	linked := filepath.Join(dir, "linked")
	git(t, main, "worktree", "add", "-q", linked)
	git(t, main, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", lib, "sub")
	for root, journal := range map[string]string{
		main:                       ".git/etcdshift",
		linked:                     ".git/worktrees/linked/etcdshift",
		filepath.Join(main, "sub"): ".git/modules/sub/etcdshift",
	} {
		mustApply(t, root, []edit.FileChange{{Path: "a", Before: []byte("a\n"), After: []byte("b\n")}})
		if _, err := os.Stat(filepath.Join(main, journal, "000001", "manifest")); err != nil {
			t.Error(err)
		}
	}
	for _, root := range []string{main, linked, filepath.Join(main, "sub")} {
		if _, err := Undo(root); err != nil {
			t.Errorf("%s: %v", root, err)
		}
	}
}

// Git is never run, so neither are the programs that a repository configures.
func TestApplyRunsNothingOfTheRepository(t *testing.T) {
	dir := sampleTree(t)
	for _, hook := range []string{"fsmonitor", "pre-commit", "post-index-change", "reference-transaction"} {
		write(t, filepath.Join(dir, ".git/hooks", hook), "#!/bin/sh\ntouch "+filepath.Join(dir, "ran")+"\n", 0o755)
	}
	git(t, dir, "config", "core.fsmonitor", filepath.Join(dir, ".git/hooks/fsmonitor"))
	mustApply(t, dir, sampleChanges())
	if _, err := Undo(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "ran")); err == nil {
		t.Error("a hook ran")
	}
}

func TestApplyRefusesAndWritesNothing(t *testing.T) {
	b := func(s string) []byte { return []byte(s) }
	fine := edit.FileChange{Path: "go.mod", Before: b("module m\n"), After: b("module n\n")}
	outside := filepath.Join(t.TempDir(), "outside")
	write(t, filepath.Join(outside, "file"), "x\n", 0o644)

	cases := []struct {
		name    string
		arrange func(t *testing.T, dir string)
		change  edit.FileChange
		want    error
		path    string
	}{
		{name: "file is not what was read", change: edit.FileChange{Path: "main.go", Before: b("package x\n"), After: b("y\n")}, want: ErrChanged},
		{name: "file was deleted", change: edit.FileChange{Path: "nothing.go", Before: b("x\n"), After: b("y\n")}, want: ErrChanged},
		{name: "file to be deleted was deleted", change: edit.FileChange{Path: "no/thing.go", Before: b("x\n")}, want: ErrChanged},
		{name: "file to be deleted was changed", change: edit.FileChange{Path: "main.go", Before: b("x\n")}, want: ErrChanged},
		{name: "file appeared", change: edit.FileChange{Path: "main.go", After: b("y\n")}, want: ErrChanged},
		{name: "empty file appeared", arrange: func(t *testing.T, dir string) { write(t, filepath.Join(dir, "e"), "", 0o644) },
			change: edit.FileChange{Path: "e", After: b("y\n")}, want: ErrChanged},
		{name: "dot dot", change: edit.FileChange{Path: "../x", After: b("y\n")}, want: ErrEscapes},
		{name: "dot dot inside", change: edit.FileChange{Path: "vendor/../../x", After: b("y\n")}, want: ErrEscapes},
		{name: "absolute", change: edit.FileChange{Path: "/tmp/x", After: b("y\n")}, want: ErrEscapes},
		{name: "not clean", change: edit.FileChange{Path: "vendor/./x", After: b("y\n")}, want: ErrEscapes},
		{name: "the root", change: edit.FileChange{Path: ".", After: b("y\n")}, want: ErrEscapes},
		{name: "no path", change: edit.FileChange{After: b("y\n")}, want: ErrEscapes},
		{name: "git's folder", change: edit.FileChange{Path: ".git/hooks/post-checkout", After: b("y\n")}, want: ErrEscapes},
		{name: "git's folder, misspelt", change: edit.FileChange{Path: "sub/.GIT/config", After: b("y\n")}, want: ErrEscapes},
		{name: "the journal", change: edit.FileChange{Path: ".etcdshift/lock", After: b("y\n")}, want: ErrEscapes},
		{name: "link into git's folder", arrange: func(t *testing.T, dir string) { os.Symlink(".git", filepath.Join(dir, "g")) },
			change: edit.FileChange{Path: "g/config", After: b("y\n")}, want: ErrEscapes},
		{name: "link to a file outside", arrange: func(t *testing.T, dir string) {
			os.Symlink(filepath.Join(outside, "file"), filepath.Join(dir, "out"))
		}, change: edit.FileChange{Path: "out", Before: b("x\n"), After: b("y\n")}, want: ErrEscapes},
		{name: "link to a folder outside", arrange: func(t *testing.T, dir string) { os.Symlink(outside, filepath.Join(dir, "out")) },
			change: edit.FileChange{Path: "out/sub/new", After: b("y\n")}, want: ErrEscapes},
		{name: "link to nowhere", arrange: func(t *testing.T, dir string) { os.Symlink("gone", filepath.Join(dir, "out")) },
			change: edit.FileChange{Path: "out", After: b("y\n")}, want: ErrNotFile},
		{name: "link to itself", arrange: func(t *testing.T, dir string) { os.Symlink("out", filepath.Join(dir, "out")) },
			change: edit.FileChange{Path: "out/x", After: b("y\n")}, want: ErrNotFile},
		{name: "link is deleted", change: edit.FileChange{Path: "link.go", Before: b("package linked\n")}, want: ErrNotFile},
		{name: "folder in the place of a file", change: edit.FileChange{Path: "vendor", After: b("y\n")}, want: ErrNotFile},
		{name: "file in the place of a folder", change: edit.FileChange{Path: "main.go/x", After: b("y\n")}, want: ErrNotFile},
		{name: "pipe", arrange: func(t *testing.T, dir string) { syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644) },
			change: edit.FileChange{Path: "pipe", Before: b(""), After: b("y\n")}, want: ErrNotFile},
		{name: "name that is not UTF-8", change: edit.FileChange{Path: "a\xff", After: b("y\n")}, want: ErrNotFile},
		{name: "read-only file", arrange: func(t *testing.T, dir string) { os.Chmod(filepath.Join(dir, "main.go"), 0o444) },
			change: edit.FileChange{Path: "main.go", Before: b("package main\r\n"), After: b("y\n")}, want: ErrReadOnly},
		{name: "read-only file is deleted", arrange: func(t *testing.T, dir string) { os.Chmod(filepath.Join(dir, "main.go"), 0o555) },
			change: edit.FileChange{Path: "main.go", Before: b("package main\r\n")}, want: ErrReadOnly},
		{name: "read-only folder", arrange: func(t *testing.T, dir string) { chmod(t, filepath.Join(dir, "vendor/c"), 0o555) },
			change: edit.FileChange{Path: "vendor/c/c.go", Before: b("package c\n"), After: b("y\n")}, want: ErrReadOnly, path: "vendor/c"},
		{name: "new folder in a read-only one", arrange: func(t *testing.T, dir string) { chmod(t, filepath.Join(dir, "vendor/c"), 0o555) },
			change: edit.FileChange{Path: "vendor/c/new/new.go", After: b("y\n")}, want: ErrReadOnly, path: "vendor/c"},
		{name: "emptied folder in a read-only one", arrange: func(t *testing.T, dir string) { chmod(t, filepath.Join(dir, "folder"), 0o555) },
			change: edit.FileChange{Path: "folder/of/one", Before: b("one\n")}, want: ErrReadOnly, path: "folder"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := sampleTree(t)
			if c.arrange != nil {
				c.arrange(t, dir)
			}
			was, wasOut := snapshot(t, dir), snapshot(t, outside)
			err := Apply(dir, []edit.FileChange{fine, c.change}, meta)
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			var e *Error
			want := c.path
			if want == "" {
				want = c.change.Path
			}
			if !errors.As(err, &e) || !slices.Equal(e.Paths, []string{want}) {
				t.Errorf("%v names %q, want %q", err, e.Paths, want)
			}
			if !strings.Contains(err.Error(), "nothing was written") {
				t.Errorf("%v does not say what happened to the tree", err)
			}
			same(t, snapshot(t, dir), was)
			same(t, snapshot(t, outside), wasOut)
			if _, err := os.Stat(filepath.Join(dir, ".git/etcdshift")); err == nil {
				t.Error("a journal is left")
			}
		})
	}
}

// chmod changes the mode of a folder until the test ends.
func chmod(t *testing.T, name string, mode fs.FileMode) {
	t.Helper()
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(name, 0o755) })
}

func TestApplyRefusesTwoChangesOfOneFile(t *testing.T) {
	dir := sampleTree(t)
	was := snapshot(t, dir)
	b := func(s string) []byte { return []byte(s) }
	changes := []edit.FileChange{
		{Path: "link.go", Before: b("package linked\n"), After: b("package x\n")},
		{Path: "real/linked.go", Before: b("package linked\n"), After: b("package y\n")},
	}
	err := Apply(dir, changes, meta)
	if err == nil || !strings.Contains(err.Error(), "link.go and real/linked.go") {
		t.Errorf("got %v", err)
	}
	same(t, snapshot(t, dir), was)

	// The same change by two names is one change.
	changes[1].After = changes[0].After
	mustApply(t, dir, changes)
	was["real/linked.go"] = "-rw-r--r-- package x\n"
	same(t, snapshot(t, dir), was)
}

func TestErrorNamesAllFilesThatChanged(t *testing.T) {
	dir := sampleTree(t)
	var changes []edit.FileChange
	for i := range 12 {
		name := fmt.Sprintf("f%02d", i)
		write(t, filepath.Join(dir, name), "new", 0o644)
		changes = append(changes, edit.FileChange{Path: name, Before: []byte("old"), After: []byte("x")})
	}
	err := Apply(dir, changes, meta)
	want := "f00, f01, f02, f03, f04, f05, f06, f07, f08, f09 and 2 more: changed since it was read; nothing was written; run the command again"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	var e *Error
	if !errors.As(err, &e) || len(e.Paths) != 12 {
		t.Errorf("%d paths", len(e.Paths))
	}
}

// The diff of a root below the top of the work tree, with links in it, is one
// that git apply takes, at the top and in the root.
func TestForGitNamesWhatGitApplyWrites(t *testing.T) {
	for _, in := range []string{".", "svc"} {
		dir := t.TempDir()
		git(t, dir, "init", "-q")
		svc := filepath.Join(dir, "svc")
		fillTree(t, svc)
		git(t, dir, "add", "-A")
		changes := sampleChanges()
		changes = append(changes, edit.FileChange{Path: "real/linked.go", Before: []byte("package linked\n"), After: []byte("package relinked\n")})
		forGit, err := ForGit(svc, changes)
		if err != nil {
			t.Fatal(err)
		}
		diff := filepath.Join(t.TempDir(), "diff")
		write(t, diff, edit.Diff(forGit), 0o644)
		was := snapshot(t, svc)
		git(t, filepath.Join(dir, in), "apply", diff)
		want := sampleAfter(was) // but for modes, of which git keeps one bit
		want["main.go"] = strings.Replace(want["main.go"], "-rw-rw-r--", "-rw-r--r--", 1)
		want["private"] = strings.Replace(want["private"], "-rw-------", "-rw-r--r--", 1)
		same(t, snapshot(t, svc), want)
	}
}

func TestRootMayBeALinkOrAFolderOfTheWorkTree(t *testing.T) {
	dir := sampleTree(t)
	write(t, filepath.Join(dir, "svc/a.go"), "a", 0o644)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Join(dir, "svc"), link); err != nil {
		t.Fatal(err)
	}
	was := snapshot(t, dir)
	mustApply(t, link, []edit.FileChange{{Path: "a.go", Before: []byte("a"), After: []byte("b")}})

	// The journal is that of the work tree, and knows which root it was.
	_, err := Undo(dir)
	if !errors.Is(err, ErrNothingToUndo) || !strings.Contains(err.Error(), filepath.Join("svc")) {
		t.Errorf("got %v", err)
	}
	if _, err := Undo(filepath.Join(dir, "svc")); err != nil {
		t.Fatal(err)
	}
	same(t, snapshot(t, dir), was)
}

func TestUndoRefusesWhatChangedSince(t *testing.T) {
	cases := []struct {
		name   string
		change func(dir string) error
		path   string
	}{
		{"edited", func(dir string) error { return os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module x"), 0o644) }, "go.mod"},
		{"edited to the same size", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module n\n\ngo 1.25\n"), 0o644)
		}, "go.mod"},
		{"deleted", func(dir string) error { return os.Remove(filepath.Join(dir, "main.go")) }, "main.go"},
		{"new file edited", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "vendor/d/tool"), []byte("x"), 0o755)
		}, "vendor/d/tool"},
		{"deleted file is there again", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "vendor/c/c.go"), []byte("x"), 0o644)
		}, "vendor/c/c.go"},
		{"file became a link", func(dir string) error {
			name := filepath.Join(dir, "run.sh")
			return errors.Join(os.Rename(name, name+".real"), os.Symlink("run.sh.real", name))
		}, "run.sh"},
		{"folder became a link", func(dir string) error {
			name := filepath.Join(dir, "real")
			return errors.Join(os.Rename(name, filepath.Join(dir, "other")), os.Symlink("other", name))
		}, "link.go"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := sampleTree(t)
			mustApply(t, dir, sampleChanges())
			if err := c.change(dir); err != nil {
				t.Fatal(err)
			}
			was := snapshot(t, dir)
			_, err := Undo(dir)
			var e *Error
			if !errors.Is(err, ErrChanged) || !errors.As(err, &e) || !slices.Contains(e.Paths, c.path) {
				t.Errorf("got %v", err)
			}
			same(t, snapshot(t, dir), was)
		})
	}
}

// A person's own files stay, and so do the folders that they are in.
func TestUndoKeepsWhatIsNotItsOwn(t *testing.T) {
	dir := sampleTree(t)
	was := snapshot(t, dir)
	mustApply(t, dir, sampleChanges())
	write(t, filepath.Join(dir, "vendor/d/mine"), "mine\n", 0o644)
	if _, err := Undo(dir); err != nil {
		t.Fatal(err)
	}
	was["vendor/d"] = was["vendor/c"]
	was["vendor/d/mine"] = "-rw-r--r-- mine\n"
	same(t, snapshot(t, dir), was)
}

// Unless they are in the way: then nothing is taken back.
func TestUndoRefusesWhenAFolderIsInTheWay(t *testing.T) {
	dir := sampleTree(t)
	mustApply(t, dir, sampleChanges())
	write(t, filepath.Join(dir, "becomes/mine"), "mine\n", 0o644)
	was := snapshot(t, dir)
	_, err := Undo(dir)
	var e *Error
	if !errors.Is(err, ErrChanged) || !errors.As(err, &e) || !slices.Equal(e.Paths, []string{"becomes"}) {
		t.Errorf("got %v", err)
	}
	same(t, snapshot(t, dir), was)
	if err := os.Remove(filepath.Join(dir, "becomes/mine")); err != nil {
		t.Fatal(err)
	}
	if _, err := Undo(dir); err != nil {
		t.Error(err)
	}
}

func TestUndoPassesOverFilesTakenBackByHand(t *testing.T) {
	dir := sampleTree(t)
	was := snapshot(t, dir)
	mustApply(t, dir, sampleChanges())
	write(t, filepath.Join(dir, "go.mod"), "module m\n", 0o644)
	sum, err := Undo(dir)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(sum.Restored, "go.mod") {
		t.Error("go.mod was restored")
	}
	same(t, snapshot(t, dir), was)

	change := []edit.FileChange{{Path: "go.mod", Before: []byte("module m\n"), After: []byte("module n\n")}}
	mustApply(t, dir, change)
	write(t, filepath.Join(dir, "go.mod"), "module m\n", 0o644)
	for range 2 {
		if _, err := Undo(dir); !errors.Is(err, ErrNothingToUndo) {
			t.Errorf("got %v", err)
		}
	}
	same(t, snapshot(t, dir), was)
}

// A mode that somebody set after the run is theirs.
func TestUndoKeepsModesSetSince(t *testing.T) {
	dir := sampleTree(t)
	was := snapshot(t, dir)
	mustApply(t, dir, sampleChanges())
	if err := os.Chmod(filepath.Join(dir, "main.go"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Undo(dir); err != nil {
		t.Fatal(err)
	}
	was["main.go"] = "-rw------- package main\r\n"
	same(t, snapshot(t, dir), was)
}

func TestUndoTakesRunsBackOneAfterAnother(t *testing.T) {
	dir := sampleTree(t)
	var snaps []map[string]string
	content := func(i int) []byte { return fmt.Appendf(nil, "module m\n%.*s", i, "12345678") }
	for i := range keepRuns + 2 {
		snaps = append(snaps, snapshot(t, dir))
		mustApply(t, dir, []edit.FileChange{{Path: "go.mod", Before: content(i), After: content(i + 1)}})
	}
	for i := keepRuns + 1; i >= 2; i-- {
		if _, err := Undo(dir); err != nil {
			t.Fatal(err)
		}
		same(t, snapshot(t, dir), snaps[i])
	}
	if _, err := Undo(dir); !errors.Is(err, ErrNothingToUndo) {
		t.Errorf("more than %d runs were kept: %v", keepRuns, err)
	}
}

// The content written on one side of the journal must be the one read on the
// other, so a damaged journal is noticed before the tree is touched.
func TestUndoNoticesADamagedJournal(t *testing.T) {
	dir := sampleTree(t)
	mustApply(t, dir, sampleChanges())
	was := snapshot(t, dir)
	name := filepath.Join(dir, ".git/etcdshift/000001/before")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Undo(dir); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("got %v", err)
	}
	same(t, snapshot(t, dir), was)
	if out, err := Recover(dir); err != nil || out.Action != Nothing {
		t.Errorf("%v, %v", out, err)
	}
}

func TestUmaskHoldsForNewFilesOnly(t *testing.T) {
	dir := sampleTree(t)
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	was := snapshot(t, dir)
	mustApply(t, dir, sampleChanges())
	now := snapshot(t, dir)
	for name, want := range map[string]string{
		"main.go":       "-rw-rw-r-- package main // new\r\n",
		"vendor/d/tool": "-rwx------ #!/bin/sh\n",
		"vendor/d":      "drwx------",
	} {
		if now[name] != want {
			t.Errorf("%s is %q, want %q", name, now[name], want)
		}
	}
	if _, err := Undo(dir); err != nil {
		t.Fatal(err)
	}
	same(t, snapshot(t, dir), was)
}

func TestOwnerIsKept(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("only root can own the tree of somebody else")
		return
	}
	dir := sampleTree(t)
	name := filepath.Join(dir, "main.go")
	if err := os.Chown(name, 12345, 23456); err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if st := info.Sys().(*syscall.Stat_t); st.Uid != 12345 || st.Gid != 23456 {
			t.Errorf("owner is %d:%d", st.Uid, st.Gid)
		}
	}
	mustApply(t, dir, sampleChanges())
	check()
	if _, err := Undo(dir); err != nil {
		t.Fatal(err)
	}
	check()
}

func TestJournalIsPrivate(t *testing.T) {
	dir := sampleTree(t)
	mustApply(t, dir, sampleChanges())
	err := filepath.WalkDir(filepath.Join(dir, ".git/etcdshift"), func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode()&0o077 != 0 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestJournalFolderMayNotBeALink(t *testing.T) {
	dir := t.TempDir()
	fillTree(t, dir)
	outside := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, ".etcdshift")); err != nil {
		t.Fatal(err)
	}
	if err := Apply(dir, sampleChanges(), meta); !errors.Is(err, ErrEscapes) {
		t.Errorf("got %v", err)
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
}

func TestBadRoots(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "", 0o644)
	for _, root := range []string{file, file + "-gone"} {
		if err := Apply(root, sampleChanges(), meta); err == nil {
			t.Errorf("%s: no error", root)
		}
		if _, err := Recover(root); err == nil {
			t.Errorf("%s: no error", root)
		}
		if _, err := Undo(root); err == nil {
			t.Errorf("%s: no error", root)
		}
	}
}

// A folder of the work tree that is gone takes its runs along.
func TestRunsOfARemovedFolderAreForgotten(t *testing.T) {
	dir := sampleTree(t)
	was := snapshot(t, dir)
	mustApply(t, dir, sampleChanges())
	svc := filepath.Join(dir, "svc")
	change := []edit.FileChange{{Path: "a", After: []byte("a")}}
	if err := os.Mkdir(svc, 0o755); err != nil {
		t.Fatal(err)
	}
	mustApply(t, svc, change)
	change[0].Before, change[0].After = []byte("a"), []byte("b")
	step = func(what, path string) error {
		if what == "state committed" || what == "remove" { // nor can it be rolled back
			return errors.New("no")
		}
		return nil
	}
	err := Apply(svc, change, meta)
	step = func(string, string) error { return nil }
	if err == nil || !strings.Contains(err.Error(), "the next command here carries on") {
		t.Fatalf("got %v", err)
	}
	if err := os.RemoveAll(svc); err != nil {
		t.Fatal(err)
	}
	if out, err := Recover(dir); err != nil || out.Action != Nothing {
		t.Errorf("%v, %v", out, err)
	}
	if _, err := Undo(dir); err != nil {
		t.Fatal(err)
	}
	same(t, snapshot(t, dir), was)
}

// Random trees and changes of them, in every order of files and folders.
func TestUndoTakesRandomRunsBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 30 {
		dir := t.TempDir()
		now := map[string]string{} // content by path
		set := func(name, content string) bool {
			// A file cannot be where a folder is, nor the reverse.
			for other := range now {
				if strings.HasPrefix(other, name+"/") || strings.HasPrefix(name, other+"/") {
					return false
				}
			}
			now[name] = content
			return true
		}
		name := func() string {
			parts := make([]string, 1+r.IntN(3))
			for i := range parts {
				parts[i] = string(rune('a' + r.IntN(3)))
			}
			return strings.Join(parts, "/")
		}
		for range r.IntN(8) {
			set(name(), fmt.Sprint(r.IntN(3)))
		}
		for name, content := range now {
			write(t, filepath.Join(dir, name), content, fs.FileMode(0o600+r.IntN(0o200)))
		}
		if r.IntN(2) == 0 { // an empty folder stays
			if err := os.MkdirAll(filepath.Join(dir, "z/z"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		var snaps []map[string]string
		for range 3 {
			s := snapshot(t, dir)
			maps.DeleteFunc(s, func(name, _ string) bool { return strings.HasPrefix(name, ".etcdshift") })
			snaps = append(snaps, s)
			was := maps.Clone(now)
			for range 1 + r.IntN(6) {
				if n := name(); r.IntN(2) == 0 {
					delete(now, n)
				} else {
					set(n, fmt.Sprint(r.IntN(3)))
				}
			}
			var changes []edit.FileChange
			for name, content := range was {
				c := edit.FileChange{Path: name, Before: []byte(content)}
				if content, ok := now[name]; ok {
					c.After = []byte(content)
				}
				changes = append(changes, c)
			}
			for name, content := range now {
				if _, ok := was[name]; !ok {
					changes = append(changes, edit.FileChange{Path: name, After: []byte(content)})
				}
			}
			r.Shuffle(len(changes), func(i, j int) { changes[i], changes[j] = changes[j], changes[i] })
			changes = slices.DeleteFunc(changes, edit.FileChange.Empty)
			if len(changes) == 0 {
				snaps = snaps[:len(snaps)-1]
				continue
			}
			if err := Apply(dir, changes, meta); err != nil {
				t.Fatalf("tree %d: %v", i, err)
			}
			for name, content := range now {
				if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != content {
					t.Fatalf("tree %d: %s: %q, %v", i, name, got, err)
				}
			}
			for name := range was {
				if _, ok := now[name]; ok {
					continue
				}
				if info, err := os.Lstat(filepath.Join(dir, name)); err == nil && !info.IsDir() {
					t.Fatalf("tree %d: %s is left", i, name)
				}
			}
		}
		for _, want := range slices.Backward(snaps) {
			if _, err := Undo(dir); err != nil {
				t.Fatalf("tree %d: %v", i, err)
			}
			s := snapshot(t, dir)
			maps.DeleteFunc(s, func(name, _ string) bool { return strings.HasPrefix(name, ".etcdshift") })
			same(t, s, want)
		}
		if t.Failed() {
			t.Fatalf("tree %d", i)
		}
	}
}

// bigChanges is a vendor refresh: n files edited, n created, n deleted.
func bigChanges(n int) []edit.FileChange {
	var changes []edit.FileChange
	body := bytes.Repeat([]byte("// a line of a source file\n"), 200)
	for i := range n {
		name := fmt.Sprintf("m%d/p%d/f%d.go", i%7, i%101, i)
		old, fresh := append([]byte("package old\n"), body...), append([]byte("package new\n"), body...)
		changes = append(changes,
			edit.FileChange{Path: "vendor/edited/" + name, Before: old, After: fresh},
			edit.FileChange{Path: "vendor/created/" + name, After: fresh},
			edit.FileChange{Path: "vendor/deleted/" + name, Before: old})
	}
	return changes
}

func TestVendorRefreshOfThousandsOfFiles(t *testing.T) {
	dir := t.TempDir()
	git(t, dir, "init", "-q")
	changes := bigChanges(1000)
	for _, c := range changes {
		if c.Before != nil {
			write(t, filepath.Join(dir, filepath.FromSlash(c.Path)), string(c.Before), 0o644)
		}
	}
	was := snapshot(t, dir)
	mustApply(t, dir, changes)
	now := snapshot(t, dir)
	for _, c := range changes {
		if got, want := now[c.Path], "-rw-r--r-- "+string(c.After); c.After != nil && got != want {
			t.Fatalf("%s holds %.50q", c.Path, got)
		} else if c.After == nil && got != "" {
			t.Fatalf("%s is left", c.Path)
		}
	}
	if _, ok := now["vendor/deleted"]; ok {
		t.Error("empty folders are left")
	}
	if _, err := Undo(dir); err != nil {
		t.Fatal(err)
	}
	same(t, snapshot(t, dir), was)
}

func BenchmarkApplyAndUndo(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprint(3*n), func(b *testing.B) {
			dir := b.TempDir()
			changes := bigChanges(n)
			for _, c := range changes {
				if c.Before != nil {
					name := filepath.Join(dir, filepath.FromSlash(c.Path))
					if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, c.Before, 0o644)); err != nil {
						b.Fatal(err)
					}
				}
			}
			for b.Loop() {
				if err := Apply(dir, changes, meta); err != nil {
					b.Fatal(err)
				}
				if _, err := Undo(dir); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

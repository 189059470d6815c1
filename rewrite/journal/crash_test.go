//go:build linux || darwin

package journal

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// child is what the test binary does when a test starts it once more: one
// action in one tree, killed before the step of a given number.
func child() int {
	if n, err := strconv.Atoi(os.Getenv("JOURNAL_KILL_AT")); err == nil {
		var count atomic.Int64
		step = func(what, path string) error {
			if count.Add(1) == int64(n) {
				syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {} // until it arrives
			}
			return nil
		}
	}
	if os.Getenv("JOURNAL_HOLD") != "" {
		// Stop in the middle until the test closes stdin.
		step = func(what, path string) error {
			if what == "state committed" {
				fmt.Println("holding")
				bufio.NewReader(os.Stdin).ReadString('\n')
			}
			return nil
		}
	}
	if limit, err := strconv.ParseUint(os.Getenv("JOURNAL_FSIZE"), 10, 64); err == nil {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
			fmt.Println(err)
			return 2
		}
	}
	dir := os.Getenv("JOURNAL_DIR")
	var err error
	switch os.Getenv("JOURNAL_CHILD") {
	case "apply":
		err = Apply(dir, sampleChanges(), meta)
	case "apply big":
		err = Apply(dir, fillingChanges(), meta)
	case "undo":
		_, err = Undo(dir)
	case "recover":
		_, err = Recover(dir)
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func start(t *testing.T, action, dir string, env ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), append(env, "JOURNAL_CHILD="+action, "JOURNAL_DIR="+dir)...)
	return cmd
}

// runKilled runs the action and kills it before its nth step. It reports
// whether there were that many.
func runKilled(t *testing.T, action, dir string, n int) bool {
	t.Helper()
	out, err := start(t, action, dir, "JOURNAL_KILL_AT="+strconv.Itoa(n)).CombinedOutput()
	if err == nil {
		return false
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() && ws.Signal() == syscall.SIGKILL {
			return true
		}
	}
	t.Fatalf("%s: %v\n%s", action, err, out)
	return false
}

// checkWhole fails unless the tree is one of two, without temporary files,
// and the journal is at rest. It returns which.
func checkWhole(t *testing.T, dir string, one, two map[string]string) int {
	t.Helper()
	if out, err := Recover(dir); err != nil || out.Action != Nothing {
		t.Fatalf("a second Recover found something: %v, %v", out, err)
	}
	now := snapshot(t, dir)
	switch {
	case reflect.DeepEqual(now, one):
		return 1
	case reflect.DeepEqual(now, two):
		return 2
	}
	t.Error("the tree is neither what it was nor what it was to be; differences to the latter:")
	same(t, now, two)
	return 0
}

// Each step of a run is followed by a kill -9 once. The next run finds the
// tree as it was or as it was to be, and can go on.
func TestKilledApplyIsFinishedOrRolledBack(t *testing.T) {
	seen := map[int]int{}
	for n := 1; ; n++ {
		dir := sampleTree(t)
		was := snapshot(t, dir)
		want := sampleAfter(was)
		killed := runKilled(t, "apply", dir, n)
		interrupted := Interrupted(dir)
		out, err := Recover(dir)
		if err != nil {
			t.Fatalf("killed at step %d: %v", n, err)
		}
		if out.Action != Nothing && !errors.Is(interrupted, ErrInterrupted) || Interrupted(dir) != nil {
			t.Errorf("killed at step %d: %v and %v after, the recovery says %q", n, interrupted, Interrupted(dir), out)
		}
		if len(out.Kept) > 0 || out.Action != Nothing && out.Meta != meta {
			t.Errorf("killed at step %d: %v", n, out)
		}
		got := checkWhole(t, dir, was, want)
		seen[got]++
		switch {
		case got == 1 && out.Action == Finished, got == 2 && out.Action == RolledBack:
			t.Errorf("killed at step %d: the outcome says %q, the tree is in state %d", n, out, got)
		case got == 1:
			mustApply(t, dir, sampleChanges())
			same(t, snapshot(t, dir), want)
		}
		if _, err := Undo(dir); err != nil {
			t.Fatalf("killed at step %d: %v", n, err)
		}
		same(t, snapshot(t, dir), was)
		if t.Failed() {
			t.Fatalf("killed at step %d", n)
		}
		if !killed {
			t.Logf("%d steps", n-1)
			break
		}
	}
	if seen[1] < 10 || seen[2] < 10 {
		t.Errorf("rolled back %d times, finished %d times", seen[1], seen[2])
	}
}

func TestKilledUndoIsFinishedOrRolledBack(t *testing.T) {
	seen := map[int]int{}
	for n := 1; ; n++ {
		dir := sampleTree(t)
		was := snapshot(t, dir)
		mustApply(t, dir, sampleChanges())
		applied := snapshot(t, dir)
		killed := runKilled(t, "undo", dir, n)
		out, err := Recover(dir)
		if err != nil {
			t.Fatalf("killed at step %d: %v", n, err)
		}
		if len(out.Kept) > 0 || out.Action != Nothing && !out.Undo {
			t.Errorf("killed at step %d: %v", n, out)
		}
		got := checkWhole(t, dir, was, applied)
		seen[got]++
		_, err = Undo(dir)
		switch {
		case got == 1 && !errors.Is(err, ErrNothingToUndo):
			t.Errorf("undone, and again: %v", err)
		case got == 2 && err != nil:
			t.Error(err)
		}
		same(t, snapshot(t, dir), was)
		if t.Failed() {
			t.Fatalf("killed at step %d", n)
		}
		if !killed {
			t.Logf("%d steps", n-1)
			break
		}
	}
	if seen[1] < 10 || seen[2] < 10 {
		t.Errorf("finished %d times, rolled back %d times", seen[1], seen[2])
	}
}

// The recovery itself is killed at each step, after a kill in each phase.
func TestKilledRecoveryIsCarriedOn(t *testing.T) {
	for _, first := range []int{
		stepNumber(t, "temp", 7),
		stepNumber(t, "state committed", 1),
		stepNumber(t, "state committed", 1) + 1,
		stepNumber(t, "rmdir", 2),
		stepNumber(t, "rename", 4),
		stepNumber(t, "state done", 1),
	} {
		for n := 1; ; n++ {
			dir := sampleTree(t)
			was := snapshot(t, dir)
			want := sampleAfter(was)
			if !runKilled(t, "apply", dir, first) {
				t.Fatalf("there is no step %d", first)
			}
			killed := runKilled(t, "recover", dir, n)
			if _, err := Recover(dir); err != nil {
				t.Fatalf("killed at steps %d and %d: %v", first, n, err)
			}
			checkWhole(t, dir, was, want)
			if t.Failed() {
				t.Fatalf("killed at steps %d and %d", first, n)
			}
			if !killed {
				break
			}
		}
	}
}

// fail makes the nth step of a kind fail, or do something first.
func fail(t *testing.T, what string, nth int, do func() error) {
	t.Helper()
	var count atomic.Int64
	step = func(w, path string) error {
		if w == what && count.Add(1) == int64(nth) {
			return do()
		}
		return nil
	}
	t.Cleanup(func() { step = func(string, string) error { return nil } })
}

// Whatever fails on the way, at any step, the tree is what it was, and the
// next run has nothing to recover.
func TestFailureAtAnyStepChangesNothing(t *testing.T) {
	broken := errors.New("the disk is broken")
	for n := 1; ; n++ {
		dir := sampleTree(t)
		was := snapshot(t, dir)
		var count, last atomic.Int64
		var what string
		step = func(w, path string) error {
			if count.Add(1) == int64(n) {
				what = w
				last.Store(1)
				return broken
			}
			return nil
		}
		err := Apply(dir, sampleChanges(), meta)
		step = func(string, string) error { return nil }
		if last.Load() == 0 {
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d steps", n-1)
			break
		}
		if !errors.Is(err, broken) {
			t.Fatalf("step %d (%s): got %v", n, what, err)
		}
		if what == "state done" { // all is written: the next run ends it
			if out, err := Recover(dir); err != nil || out.Action != Finished {
				t.Errorf("%v, %v", out, err)
			}
			same(t, snapshot(t, dir), sampleAfter(was))
			continue
		}
		if out, err := Recover(dir); err != nil || out.Action != Nothing {
			t.Errorf("step %d (%s): %v, %v", n, what, out, err)
		}
		same(t, snapshot(t, dir), was)
		if t.Failed() {
			t.Fatalf("step %d (%s)", n, what)
		}
	}
}

// A file that somebody saves while the run is renaming is theirs, and the
// run is taken back around it.
func TestApplyNoticesAChangeInTheMiddle(t *testing.T) {
	dir := sampleTree(t)
	was := snapshot(t, dir)
	fail(t, "rename", 4, func() error {
		return os.WriteFile(filepath.Join(dir, "run.sh"), []byte("#!/bin/zsh\n"), 0o755)
	})
	err := Apply(dir, sampleChanges(), meta)
	var e *Error
	if !errors.Is(err, ErrChanged) || !errors.As(err, &e) || len(e.Paths) != 1 || e.Paths[0] != "run.sh" {
		t.Errorf("got %v", err)
	}
	was["run.sh"] = "-rwxr-xr-x #!/bin/zsh\n"
	same(t, snapshot(t, dir), was)
	if out, err := Recover(dir); err != nil || out.Action != Nothing {
		t.Errorf("%v, %v", out, err)
	}
}

// What a person does between a crash and the next run is not overwritten.
func TestRecoverKeepsWhatWasChangedSinceTheCrash(t *testing.T) {
	dir := sampleTree(t)
	was := snapshot(t, dir)
	n := stepNumber(t, "rename", 3)
	if !runKilled(t, "apply", dir, n) {
		t.Fatal("not killed")
	}
	write(t, filepath.Join(dir, "run.sh"), "mine\n", 0o755) // before its rename
	write(t, filepath.Join(dir, "becomes/a.go"), "mine\n", 0o644)
	out, err := Recover(dir)
	if err != nil {
		t.Fatal(err)
	}
	if out.Action != Finished || strings.Join(out.Kept, " ") != "becomes/a.go run.sh" {
		t.Errorf("outcome: %v", out)
	}
	want := sampleAfter(was)
	want["run.sh"], want["becomes/a.go"] = "-rwxr-xr-x mine\n", "-rw-r--r-- mine\n"
	same(t, snapshot(t, dir), want)

	// Undo is in the way of the folder that holds the person's file now.
	if _, err := Undo(dir); !errors.Is(err, ErrChanged) {
		t.Errorf("got %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "becomes/a.go")); err != nil {
		t.Fatal(err)
	}
	if _, err := Undo(dir); err != nil {
		t.Fatal(err)
	}
	was["run.sh"] = "-rwxr-xr-x mine\n"
	same(t, snapshot(t, dir), was)
}

// stepNumber returns the number of the nth step of a kind.
func stepNumber(t *testing.T, what string, nth int) int {
	t.Helper()
	dir := sampleTree(t)
	var mu sync.Mutex // files are prepared at once
	count, at := 0, 0
	defer func() { step = func(string, string) error { return nil } }()
	step = func(w, path string) error {
		mu.Lock()
		defer mu.Unlock()
		count++
		if w == what {
			if nth--; nth == 0 {
				at = count
			}
		}
		return nil
	}
	mustApply(t, dir, sampleChanges())
	return at
}

// The temporary files are visible after a crash; somebody may clean up.
func TestRecoverWithoutTheTemporaryFilesRollsBack(t *testing.T) {
	dir := sampleTree(t)
	git(t, dir, "add", "-A")
	git(t, dir, "commit", "-q", "-m", "all")
	was := snapshot(t, dir)
	if !runKilled(t, "apply", dir, stepNumber(t, "rename", 3)) {
		t.Fatal("not killed")
	}
	if out := git(t, dir, "clean", "-fd"); !strings.Contains(out, ".etcdshift-") {
		t.Fatalf("nothing to clean: %s", out)
	}
	out, err := Recover(dir)
	if err != nil || out.Action != RolledBack {
		t.Fatalf("%v, %v", out, err)
	}
	same(t, snapshot(t, dir), was)
}

// Apply and Undo recover by themselves; a caller that forgot loses nothing.
func TestApplyAndUndoStartWithRecovery(t *testing.T) {
	dir := sampleTree(t)
	was := snapshot(t, dir)
	if !runKilled(t, "apply", dir, stepNumber(t, "temp", 3)) {
		t.Fatal("not killed")
	}
	mustApply(t, dir, sampleChanges())
	same(t, snapshot(t, dir), sampleAfter(was))
	if _, err := Undo(dir); err != nil {
		t.Fatal(err)
	}
	if !runKilled(t, "apply", dir, stepNumber(t, "rename", 3)) {
		t.Fatal("not killed")
	}
	if _, err := Undo(dir); err != nil {
		t.Fatal(err)
	}
	same(t, snapshot(t, dir), was)
}

func TestSecondRunIsLockedOutAndToldByWhom(t *testing.T) {
	dir := sampleTree(t)
	was := snapshot(t, dir)
	cmd := start(t, "apply", dir, "JOURNAL_HOLD=1")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "holding\n" {
		t.Fatalf("%q, %v", line, err)
	}

	holder := fmt.Sprintf("migrate, process %d on ", cmd.Process.Pid)
	_, rerr := Recover(dir)
	_, uerr := Undo(dir)
	aerr := Apply(dir, sampleChanges(), meta)
	for _, err := range []error{rerr, uerr, aerr} {
		if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), holder) {
			t.Errorf("got %v, want the holder %q", err, holder)
		}
	}
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	same(t, snapshot(t, dir), sampleAfter(was))
	if _, err := Undo(dir); err != nil {
		t.Error(err)
	}
}

// Many runs at once: each works or is locked out, and the sum is right.
func TestRunsAtOnceExcludeEachOther(t *testing.T) {
	for _, kind := range []string{"git", "no git"} {
		t.Run(kind, func(t *testing.T) {
			dir := t.TempDir()
			if kind == "git" {
				git(t, dir, "init", "-q")
			}
			fillTree(t, dir)
			was := snapshot(t, dir)
			errs := make(chan error)
			for range 8 {
				go func() {
					for range 20 {
						err := Apply(dir, sampleChanges(), meta)
						if err == nil {
							_, err = Undo(dir)
						}
						var e *Error
						if err != nil && !errors.Is(err, ErrLocked) && !errors.Is(err, ErrChanged) &&
							!errors.Is(err, ErrNotFile) && !errors.Is(err, ErrNothingToUndo) || err != nil && !errors.As(err, &e) {
							errs <- err
							return
						}
					}
					errs <- nil
				}()
			}
			for range 8 {
				if err := <-errs; err != nil {
					t.Error(err)
				}
			}
			// One that could apply may have been locked out of its undo.
			if _, err := Undo(dir); err != nil && !errors.Is(err, ErrNothingToUndo) {
				t.Error(err)
			}
			same(t, snapshot(t, dir), was)
		})
	}
}

// fillingChanges is more than the disks of the tests below hold.
func fillingChanges() []edit.FileChange {
	var changes []edit.FileChange
	for i := range 8 {
		changes = append(changes, edit.FileChange{
			Path:  fmt.Sprintf("new/%d", i),
			After: []byte(strings.Repeat("0123456789abcdef", 16<<10)),
		})
	}
	return append(changes, sampleChanges()...)
}

func TestDiskFullRollsBack(t *testing.T) {
	t.Run("file size limit", func(t *testing.T) {
		dir := sampleTree(t)
		was := snapshot(t, dir)
		out, err := start(t, "apply big", dir, "JOURNAL_FSIZE=65536").CombinedOutput()
		if err == nil || !strings.Contains(string(out), syscall.EFBIG.Error()) || !strings.Contains(string(out), "nothing was written: make room") {
			t.Fatalf("%v\n%s", err, out)
		}
		same(t, snapshot(t, dir), was)
		if out, err := Recover(dir); err != nil || out.Action != Nothing {
			t.Errorf("%v, %v", out, err)
		}
	})
	t.Run("no space", func(t *testing.T) {
		dir := t.TempDir()
		if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", dir).CombinedOutput(); err != nil {
			// It takes root. The limit above fails in the same place.
			t.Logf("cannot mount a small disk: %v: %s", err, out)
			return
		}
		t.Cleanup(func() { exec.Command("umount", dir).Run() })
		fillTree(t, dir)
		was := snapshot(t, dir)
		err := Apply(dir, fillingChanges(), meta)
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "nothing was written: make room") {
			t.Fatalf("got %v", err)
		}
		same(t, snapshot(t, dir), was)
		mustApply(t, dir, sampleChanges()) // the room is free again
		if _, err := Undo(dir); err != nil {
			t.Fatal(err)
		}
		same(t, snapshot(t, dir), was)

		// A disk without room for a byte of journal.
		name := filepath.Join(dir, "ballast")
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = f.Write(make([]byte, 4096))
		}
		f.Close()
		full := snapshot(t, dir)
		if err := Apply(dir, sampleChanges(), meta); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("got %v", err)
		}
		same(t, snapshot(t, dir), full)
	})
}

func TestFormatOfAnotherVersionIsLeftAlone(t *testing.T) {
	dir := sampleTree(t)
	mustApply(t, dir, sampleChanges())
	name := filepath.Join(dir, ".git/etcdshift/000001/manifest")
	if err := os.WriteFile(name, []byte(`{"Version": 2}`), 0o600); err != nil {
		t.Fatal(err)
	}
	was := snapshot(t, dir)
	if _, err := Undo(dir); err == nil || !strings.Contains(err.Error(), "another version") {
		t.Errorf("got %v", err)
	}
	same(t, snapshot(t, dir), was)
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		t.Error("the journal is gone")
	}
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/etcdshift/etcdshift/rewrite/batch"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"etcdshift": main})
}

// samples is the folder of the sample repositories, one for each layout.
var samples string

// TestScripts runs the command line as users do, with the real go command,
// real modules and real git.
func TestScripts(t *testing.T) {
	var err error
	if samples, err = filepath.Abs("../../testdata/samples"); err != nil {
		t.Fatal(err)
	}
	goEnv := map[string]string{}
	for _, k := range []string{"GOMODCACHE", "GOCACHE", "GOPROXY", "GOSUMDB", "GOTOOLCHAIN", "GONOSUMDB", "GOPRIVATE"} {
		out, err := exec.CommandContext(context.Background(), "go", "env", k).Output()
		if err != nil {
			t.Fatal(err)
		}
		goEnv[k] = strings.TrimSpace(string(out))
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			for k, v := range goEnv {
				e.Setenv(k, v)
			}
			home := e.WorkDir + "-home" // beside it: git add must not see what go leaves there
			if err := os.MkdirAll(home, 0o755); err != nil {
				return err
			}
			e.Setenv("HOME", home)
			e.Setenv("GIT_CONFIG_NOSYSTEM", "1")
			bin, err := exec.LookPath("etcdshift")
			if err != nil {
				return err
			}
			e.Setenv("BIN", filepath.Dir(bin)) // a PATH with etcdshift and nothing else
			return os.WriteFile(home+"/.gitconfig", []byte("[user]\n\tname = t\n\temail = t@example.com\n[core]\n\tautocrlf = false\n"), 0o644)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": status, "sample": sample},
	})
}

// sample NAME DATE copies a sample repository into the folder of the script and
// commits it on a day.
func sample(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sample NAME DATE")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.CopyFS(dir, os.DirFS(filepath.Join(samples, args[0]))))
	date := args[1] + "T12:00:00Z"
	for _, a := range [][]string{
		{"init", "-q"}, {"add", "-A", "-f"}, {"-c", "core.hooksPath=/dev/null", "commit", "-q", "-m", args[0], "--date", date},
	} {
		cmd := exec.CommandContext(context.Background(), "git", append([]string{"-C", dir}, a...)...)
		cmd.Env = append(os.Environ(), "HOME="+ts.Getenv("HOME"), "GIT_CONFIG_NOSYSTEM=1", "GIT_COMMITTER_DATE="+date)
		if out, err := cmd.CombinedOutput(); err != nil {
			ts.Fatalf("git %s: %v: %s", a[0], err, out)
		}
	}
}

// status N command args runs a command that must exit with status N.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N command [args]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if x := (*exec.ExitError)(nil); errors.As(err, &x) {
		got = x.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// TestAnInterruptSaysWhatItLeaves cancels a run as a signal does.
func TestAnInterruptSaysWhatItLeaves(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var stdout, stderr strings.Builder
	if got := run(ctx, []string{"migrate", "--allow-dirty", "../../testdata/samples/legacy"}, &stdout, &stderr); got != exitFailed {
		t.Errorf("exit status %d, want %d", got, exitFailed)
	}
	if got, want := stderr.String(), "etcdshift: "+errInterrupted.Error()+"\n"; !strings.HasSuffix(got, want) {
		t.Errorf("stderr %q, want %q at its end", got, want)
	}
}

// TestStatusSaysThatARunHasStopped follows a run that was killed.
func TestStatusSaysThatARunHasStopped(t *testing.T) {
	state := t.TempDir()
	data, err := json.Marshal(batch.Progress{Total: 3, Done: 1, Updated: time.Now().Add(-4500 * time.Millisecond)})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(state, "progress.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr strings.Builder
	if got := run(t.Context(), []string{"batch", "status", "--state", state}, &stdout, &stderr); got != exitDone {
		t.Errorf("exit status %d, want %d; %s", got, exitDone, stderr.String())
	}
	if got := stdout.String(); !strings.Contains(got, "\nno run is going on; the last one stopped at ") {
		t.Errorf("stdout %q does not say that the run stopped", got)
	}
}

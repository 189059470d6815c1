package batch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/etcdshift/etcdshift/rewrite"
	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/report"
)

// The processes of a batch are this test binary in another role.
const (
	roleChild  = "child"
	roleNoPlan = "child-that-plans-nothing"
	roleRun    = "run"
	roleWorker = "worker"
	roleServer = "server"
)

// processSpec says what a process of a test is to do.
type processSpec struct {
	Connection Connection
	List       string
	Job        Job
	Slots      int
	Retry      bool
	Ordered    bool
	Port       int // of a server
	Allow      []string
}

func TestMain(m *testing.M) {
	if len(os.Args) < 2 || strings.HasPrefix(os.Args[1], "-") {
		os.Exit(m.Run())
	}
	var spec processSpec
	if len(os.Args) > 2 {
		data, err := os.ReadFile(os.Args[2])
		if err == nil {
			err = json.Unmarshal(data, &spec)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	var err error
	ctx := context.Background()
	switch os.Args[1] {
	case roleChild:
		err = Child(ctx, os.Stdin, plannerWithFaults)
	case roleNoPlan:
		err = Child(ctx, os.Stdin, func(context.Context, rewrite.Options) (*rewrite.Plan, error) {
			return nil, errors.New("planned again")
		})
	case roleRun:
		err = runRole(ctx, &spec)
	case roleWorker:
		err = workerRole(ctx, &spec)
	case roleServer:
		err = serverRole(&spec)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func childCommand() []string { return []string{os.Args[0], roleChild} }

func runRole(ctx context.Context, spec *processSpec) error {
	entries, err := ReadList(spec.List, nil)
	if err != nil {
		return err
	}
	_, err = Run(ctx, RunOptions{
		Connection: spec.Connection, Entries: entries, Shard: Shard{1, 1}, Job: spec.Job, Slots: spec.Slots, Child: childCommand(),
		Retry: spec.Retry, Ordered: spec.Ordered, Out: filepath.Join(spec.Connection.State, "results"),
	})
	return err
}

func workerRole(ctx context.Context, spec *processSpec) error {
	s, err := Open(ctx, spec.Connection)
	if err != nil {
		return err
	}
	defer s.Close()
	env, err := Environ(ctx)
	if err != nil {
		return err
	}
	w := &Worker{
		Store: s, Slots: spec.Slots, Dir: filepath.Join(spec.Connection.State, "work"), Name: fmt.Sprint("worker ", os.Getpid()),
		Child: childCommand(), Env: env, Allow: spec.Allow,
	}
	return w.Run(ctx)
}

func serverRole(spec *processSpec) error {
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: spec.Port, JetStream: true, SyncAlways: true, StoreDir: spec.Connection.State, NoLog: true, NoSigs: true,
	})
	if err != nil {
		return err
	}
	srv.Start()
	srv.WaitForShutdown()
	return nil
}

// plannerWithFaults plans for real, except where a file in the repository asks
// for what a defect of ours or a hostile tree could do.
func plannerWithFaults(ctx context.Context, opt rewrite.Options) (*rewrite.Plan, error) {
	has := func(name string) bool {
		_, err := os.Stat(filepath.Join(opt.Dir, name))
		return err == nil
	}
	switch {
	case has("HANG"):
		// With a process of its own, which must not stay behind either.
		cmd := exec.CommandContext(ctx, "sleep", "3600")
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		for {
			time.Sleep(time.Hour)
		}
	case has("PANIC"):
		var p *rewrite.Plan
		_ = p.Status // a nil dereference, as a rule's defect would be
	case has("MEMORY"):
		var hold [][]byte
		for {
			hold = append(hold, bytes.Repeat([]byte("x"), 16<<20))
			time.Sleep(5 * time.Millisecond)
			_ = hold
		}
	case has("FILL"):
		for i := 0; ; i++ {
			name := filepath.Join(os.TempDir(), fmt.Sprint(i))
			if err := os.WriteFile(name, bytes.Repeat([]byte("x"), 1<<20), 0o600); err != nil {
				return nil, err
			}
			time.Sleep(5 * time.Millisecond)
		}
	case has("KILLWORKER"):
		if err := syscall.Kill(os.Getppid(), syscall.SIGKILL); err != nil {
			return nil, err
		}
		time.Sleep(time.Minute)
	case has("CHANGE"):
		before, err := os.ReadFile(filepath.Join(opt.Dir, "CHANGE"))
		if err != nil {
			return nil, err
		}
		p := &rewrite.Plan{Run: report.Run{
			Root: opt.Dir, Status: report.Proved, Line: "3.7", Release: "v3.7.3", From: "v3.3.27",
			Changes: []edit.Change{{Rule: "import-path"}},
			Files:   []report.File{{Path: "CHANGE", Added: 1, Removed: 1}},
		}}
		p.Writes = []edit.FileChange{{Path: "CHANGE", Before: before, After: append([]byte("migrated\n"), before...), Mode: 0o644}}
		if has("FINDING") {
			p.Findings = []edit.Finding{{Rule: "dial-block", Severity: edit.Review, File: "CHANGE", Line: 1, Col: 1, Message: "look at this"}}
		}
		return p, nil
	}
	return rewrite.Make(ctx, opt)
}

// process starts this binary in a role.
func process(t *testing.T, role string, spec processSpec) *exec.Cmd {
	t.Helper()
	data, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.CreateTemp(t.TempDir(), role+"-*.json")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
	f.Close()
	cmd := exec.CommandContext(t.Context(), os.Args[0], role, f.Name())
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
		if t.Failed() && out.Len() > 0 {
			t.Logf("%s: %s", role, out.String())
		}
	})
	return cmd
}

// killed kills a process as a power cut would.
func killed(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	_ = cmd.Wait()
}

// git runs git for a test.
func git(t testing.TB, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// write writes files, given as name and content in turn.
func write(t testing.TB, dir string, files ...string) {
	t.Helper()
	for i := 0; i < len(files); i += 2 {
		name := filepath.Join(dir, files[i])
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(files[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// repository makes a git repository of files.
func repository(t testing.TB, dir string, files ...string) {
	t.Helper()
	write(t, dir, files...)
	git(t, dir, "init", "-q", "--template=")
	git(t, dir, "add", "-A", "-f")
	git(t, dir, "commit", "-q", "-m", "one")
}

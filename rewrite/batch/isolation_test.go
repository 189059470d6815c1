package batch

import (
	"bytes"
	"context"
	"fmt"
	"math/rand"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const cleanMod = "module example.com/r\n\ngo 1.22\n"

// fleet is a generated set of repositories, with what each must come to.
type fleet struct {
	dir    string
	want   map[string]Status // by name
	reason map[string]string // part of the reason
	canary string            // must never exist
	dirty  map[string]string // name → content of the file that is not committed
}

// hostile writes into a repository everything by which one can make git run a
// program: it would leave the canary.
func (f *fleet) hostile(t *testing.T, dir string) {
	evil := "touch " + f.canary
	hooks := filepath.Join(dir, ".git", "hooks")
	for _, h := range []string{"post-checkout", "pre-commit", "commit-msg", "post-commit", "reference-transaction", "pre-push", "post-upload-pack", "update", "post-update", "pre-receive", "fsmonitor-watchman", "post-index-change", "pre-auto-gc"} {
		write(t, hooks, h, "#!/bin/sh\n"+evil+"\n")
		if err := os.Chmod(filepath.Join(hooks, h), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	other := filepath.Join(f.dir, "..", "alternate")
	cfg := fmt.Sprintf(`
[core]
	fsmonitor = %[1]q
	sshCommand = %[1]q
	pager = %[1]q
	editor = %[1]q
	askPass = %[1]q
	gitProxy = %[1]q
	alternateRefsCommand = %[1]q
[uploadpack]
	packObjectsHook = %[1]q
[filter "evil"]
	smudge = %[1]q
	clean = %[1]q
	process = %[1]q
	required = true
[diff "evil"]
	textconv = %[1]q
	command = %[1]q
[diff]
	external = %[1]q
[credential]
	helper = "!%[2]s"
[gpg]
	program = %[1]q
[commit]
	gpgSign = true
[gc]
	auto = 1
[url "ext::sh -c %% touch%% %[3]s"]
	insteadOf = "file://"
	insteadOf = "/"
[remote "origin"]
	url = "ext::sh -c touch%% %[3]s"
	uploadpack = %[1]q
`, evil, evil, f.canary)
	name := filepath.Join(dir, ".git", "config")
	old, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, append(old, cfg...), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(other, "objects"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, ".git", "objects", "info"), "alternates", filepath.Join(other, "objects")+"\n")
}

// newFleet generates n repositories: every fault at least once, the slow ones
// seldom.
func newFleet(t *testing.T, n int) *fleet {
	base := t.TempDir()
	f := &fleet{
		dir: filepath.Join(base, "repos"), canary: filepath.Join(base, "CANARY"),
		want: map[string]Status{}, reason: map[string]string{}, dirty: map[string]string{},
	}
	secret := filepath.Join(base, "secret.go")
	if err := os.WriteFile(secret, []byte("package r\n\nimport _ \"github.com/coreos/etcd/clientv3\" // SECRET\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	limit := make(chan bool, 4)
	for i := range n {
		kind := i % 10
		var name string
		var make func(dir string)
		expect := func(k string, s Status, reason string) {
			name = fmt.Sprintf("%s-%03d", k, i)
			f.want[name], f.reason[name] = s, reason
		}
		plain := []string{"go.mod", cleanMod, "r.go", "package r\n", "n", fmt.Sprint(i)}
		switch {
		case i == 10 || i == 110:
			expect("hanging", Failed, "--max-time")
			make = func(d string) { repository(t, d, append(plain, "HANG", "")...) }
		case i == 20:
			expect("greedy", Failed, "--max-memory")
			make = func(d string) { repository(t, d, append(plain, "MEMORY", "")...) }
		case i == 30:
			expect("filling", Failed, "--max-disk")
			make = func(d string) { repository(t, d, append(plain, "FILL", "")...) }
		case i == 40:
			expect("huge", Failed, "--max-disk")
			noise := func() string {
				b := bytes.Buffer{}
				r := rand.New(rand.NewSource(int64(i)))
				for b.Len() < 1<<20 {
					fmt.Fprintf(&b, "%x", r.Int63())
				}
				return b.String()
			}
			make = func(d string) {
				files := plain
				for k := range 40 {
					files = append(files, fmt.Sprintf("data/%d", k), noise()+fmt.Sprint(k))
				}
				repository(t, d, files...)
			}
		case i == 50:
			expect("vast", Failed, "--max-disk")
			make = func(d string) {
				repository(t, d, plain...)
				// A file that is small to fetch and large to check out.
				write(t, d, "zeros", "")
				if err := os.Truncate(filepath.Join(d, "zeros"), 64<<20); err != nil {
					t.Error(err)
				}
				git(t, d, "add", "zeros")
				git(t, d, "commit", "-q", "-m", "two")
			}
		case kind == 1:
			expect("dirty", Nothing, "")
			text := fmt.Sprint("package r // not committed ", i, "\n")
			f.dirty[name] = text
			make = func(d string) {
				repository(t, d, plain...)
				write(t, d, "r.go", text, "new.go", "package r\n")
			}
		case kind == 2:
			expect("empty", NotLoadable, "no Go files")
			make = func(d string) { repository(t, d, "README.md", fmt.Sprint(i)) }
		case kind == 3:
			expect("panicking", Failed, "nil pointer dereference")
			make = func(d string) { repository(t, d, append(plain, "PANIC", "")...) }
		case kind == 4:
			expect("broken", NotLoadable, "HEAD")
			make = func(d string) {
				write(t, d, "go.mod", cleanMod)
				git(t, d, "init", "-q") // no commit
			}
		case kind == 5:
			expect("hostile", Proved, "")
			make = func(d string) {
				write(t, d, ".gitattributes", "* filter=evil diff=evil\n", ".gitmodules", "[submodule \"s\"]\n\tpath = s\n\turl = ext::sh -c touch% "+f.canary+"\n\tupdate = !touch "+f.canary+"\n")
				write(t, d, ".envrc", "export GOFLAGS=-toolexec=touch\\ "+f.canary+"\n", "go.env", "GOFLAGS=-toolexec=/bin/false\n")
				if err := os.Symlink(secret, filepath.Join(d, "leak.go")); err != nil {
					t.Error(err)
				}
				if err := os.Symlink("/", filepath.Join(d, "root")); err != nil {
					t.Error(err)
				}
				repository(t, d, append(plain, "CHANGE", "old\n", "gen.go", "package r\n\n//go:generate touch "+f.canary+"\n")...)
				f.hostile(t, d)
			}
		case kind == 6 || kind == 7:
			expect("changed", Proved, "")
			make = func(d string) { repository(t, d, append(plain, "CHANGE", "old\n")...) }
		case kind == 8:
			expect("findings", ProvedFindings, "")
			make = func(d string) { repository(t, d, append(plain, "CHANGE", "old\n", "FINDING", "")...) }
		default:
			expect("clean", Nothing, "")
			make = func(d string) { repository(t, d, plain...) }
		}
		dir := filepath.Join(f.dir, name)
		wg.Go(func() {
			limit <- true
			defer func() { <-limit }()
			make(dir)
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return f
}

// limits of the fleet: what is cut off is cut off soon, and what is not has
// room on a machine with other things to do.
var fleetLimits = Limits{Time: 15 * time.Second, Memory: 400 << 20, Disk: 16 << 20}

// job is what the fleet is asked for: a branch, and a command whose runs can
// be counted.
func (f *fleet) job(counter string) Job {
	return Job{
		Settings: Settings{Verify: "none", Offline: true}, Limits: fleetLimits,
		Delivery: Delivery{How: Commit, Branch: "moved", Command: []string{"sh", "-c", `echo "$ETCDSHIFT_NAME" >>` + counter}},
	}
}

// check compares the results with what must be.
func (f *fleet) check(t *testing.T, rows []*Row, counter string) {
	t.Helper()
	got := map[string]*Row{}
	for _, r := range rows {
		if got[r.Name] != nil {
			t.Errorf("%s has two rows", r.Name)
		}
		got[r.Name] = r
	}
	ran := map[string]int{}
	if data, err := os.ReadFile(counter); err == nil {
		for _, name := range strings.Fields(string(data)) {
			ran[name]++
		}
	}
	for name, want := range f.want {
		r := got[name]
		if r == nil {
			t.Errorf("%s is lost", name)
			continue
		}
		interrupted := strings.Contains(r.Reason, "its end is not known")
		if r.Status != want && !interrupted {
			t.Errorf("%s: %s (%s), want %s", name, r.Status, r.Reason, want)
		}
		if !strings.Contains(r.Reason, f.reason[name]) {
			t.Errorf("%s: reason %q, want %q in it", name, r.Reason, f.reason[name])
		}
		delivered := want == Proved || want == ProvedFindings
		if n := ran[name]; n > 1 || delivered && !interrupted && n != 1 || !delivered && n != 0 {
			t.Errorf("%s: its command ran %d times", name, n)
		}
		if delivered {
			dir := filepath.Join(f.dir, name)
			out, err := gitOwn(t.Context(), dir, "rev-list", "main..moved")
			if err != nil {
				t.Error(err)
			} else if n := len(strings.Fields(out)); n != 1 {
				t.Errorf("%s: %d commits on the branch, want 1", name, n)
			}
		}
	}
	for name, text := range f.dirty {
		if data, err := os.ReadFile(filepath.Join(f.dir, name, "r.go")); err != nil || string(data) != text {
			t.Errorf("%s: the checkout was touched: %q, %v", name, data, err)
		}
	}
	if _, err := os.Lstat(f.canary); err == nil {
		t.Error("a repository had a program of its own run")
	}
}

func storedRows(t *testing.T, c Connection) []*Row {
	t.Helper()
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	jobs, err := s.Roster(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rows, err := s.Rows(t.Context(), jobs)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// kills is how often each of the two tests below kills something: 20 together.
const (
	killsOfRun     = 8
	killsOfCluster = 12
)

func TestEachRepositoryOfAHostileFleetGetsItsStatusThoughTheRunIsKilled(t *testing.T) {
	f := newFleet(t, 200)
	state := t.TempDir()
	counter := filepath.Join(t.TempDir(), "ran")
	spec := processSpec{
		Connection: Connection{State: state, MaxDeliver: 100}, // the kills here are not the repositories' doing
		List:       f.dir, Job: f.job(counter), Slots: 2,
	}
	for range killsOfRun {
		run := process(t, roleRun, spec)
		time.Sleep(time.Duration(500+rand.Intn(3000)) * time.Millisecond)
		killed(t, run)
	}
	if err := process(t, roleRun, spec).Wait(); err != nil {
		t.Fatal(err)
	}
	rows := storedRows(t, spec.Connection)
	f.check(t, rows, counter)
	for _, name := range []string{rowsFile, "report.html", "report.csv", "report.txt"} {
		if _, err := os.Stat(filepath.Join(state, "results", name)); err != nil {
			t.Error(err)
		}
	}
	for _, r := range rows {
		if strings.Contains(fmt.Sprint(r), "SECRET") {
			t.Errorf("%s: a file outside the repository was read", r.Name)
		}
	}
	left, err := filepath.Glob(filepath.Join(state, "work", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestTwoWorkersShareAServerAndKillingAnyOfThemLosesNothing(t *testing.T) {
	f := newFleet(t, 60)
	counter := filepath.Join(t.TempDir(), "ran")
	port := freePort(t)
	conn := Connection{State: t.TempDir(), URL: fmt.Sprintf("nats://127.0.0.1:%d", port), AckWait: 6 * time.Second, MaxDeliver: 100}
	server := processSpec{Connection: Connection{State: t.TempDir()}, Port: port}
	worker := processSpec{Connection: conn, Slots: 1, Allow: []string{Command}}
	run := processSpec{Connection: conn, List: f.dir, Job: f.job(counter), Slots: 0}

	procs := map[string]*exec.Cmd{}
	start := func(name string) {
		switch name {
		case roleServer:
			procs[name] = process(t, roleServer, server)
			waitForPort(t, port)
		case roleRun:
			procs[name] = process(t, roleRun, run)
		default:
			procs[name] = process(t, roleWorker, worker)
		}
	}
	names := []string{roleServer, roleRun, "worker a", "worker b"}
	for _, n := range names {
		start(n)
	}
	for range killsOfCluster {
		time.Sleep(time.Duration(500+rand.Intn(1500)) * time.Millisecond)
		name := names[rand.Intn(len(names))]
		killed(t, procs[name])
		start(name)
	}
	done := make(chan error, 1)
	go func() { done <- procs[roleRun].Wait() }()
	// A process whose first word to the server fell into a restart ends with
	// an error, as it should; whoever keeps it running starts it again.
	for over := false; !over; {
		select {
		case err := <-done:
			if err == nil {
				over = true
				break
			}
			start(roleRun)
			go func() { done <- procs[roleRun].Wait() }()
		case <-t.Context().Done():
			t.Fatal("not done in time")
		case <-time.After(time.Second):
		}
		for _, n := range names[2:] {
			if err := procs[n].Process.Signal(syscallZero); err != nil || exited(procs[n]) {
				_ = procs[n].Wait()
				start(n)
			}
		}
	}
	rows := storedRows(t, conn)
	f.check(t, rows, counter)
	workers := map[string]bool{}
	for _, r := range rows {
		workers[r.Worker] = true
	}
	if len(workers) < 2 {
		t.Errorf("one worker did all the work: %v", workers)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func waitForPort(t *testing.T, port int) {
	t.Helper()
	for range 200 {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			c.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the server did not start")
}

func TestARepositoryThatKillsItsWorkerEndsAsADeadLetter(t *testing.T) {
	dir := t.TempDir()
	repository(t, filepath.Join(dir, "killer"), "go.mod", cleanMod, "r.go", "package r\n", "KILLWORKER", "")
	repository(t, filepath.Join(dir, "neighbour"), "go.mod", cleanMod, "r.go", "package r\n")
	spec := processSpec{Connection: Connection{State: t.TempDir()}, List: dir, Job: Job{Limits: fleetLimits, Settings: Settings{Verify: "none"}}, Slots: 1}
	for i := range 3 {
		if err := process(t, roleRun, spec).Wait(); err == nil {
			t.Fatalf("run %d survived", i)
		}
	}
	if err := process(t, roleRun, spec).Wait(); err != nil {
		t.Fatal(err)
	}
	for _, r := range storedRows(t, spec.Connection) {
		want := map[string]Status{"killer": Dead, "neighbour": Nothing}[r.Name]
		if r.Status != want {
			t.Errorf("%s: %s (%s), want %s", r.Name, r.Status, r.Reason, want)
		}
	}
}

func TestTwoRunsNeverShareAStateFolder(t *testing.T) {
	c := Connection{State: t.TempDir()}
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.srv.Addr() != nil {
		t.Error("the embedded server listens")
	}
	if _, err := Open(context.Background(), c); err == nil || !strings.Contains(err.Error(), ErrLocked.Error()) {
		t.Errorf("second Open: %v", err)
	}
}

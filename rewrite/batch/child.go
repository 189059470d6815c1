package batch

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/etcdshift/etcdshift/rewrite"
	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/gocmd"
	"github.com/etcdshift/etcdshift/rewrite/journal"
	"github.com/etcdshift/etcdshift/rewrite/report"
	"github.com/etcdshift/etcdshift/rewrite/verify"
	"github.com/etcdshift/etcdshift/rules"
)

// What a child is asked to do.
const (
	actionPlan     = "plan"     // check out, plan, and write the files below
	actionCheckout = "checkout" // check out only
)

// Files that a child leaves in the folder out.
const (
	fileResult = "result.json"
	fileReport = "report.json"
	filePatch  = "patch"
	fileSeries = "series.json"
	fileLog    = "log"
)

// request is what a worker writes to the standard input of a child, on one
// line. The pipe then stays open: its end is the end of the worker.
type request struct {
	Action string `json:"action"`
	Job    *Job   `json:"job"`
	Dir    string `json:"dir"`
}

// outcome is what a child found out.
type outcome struct {
	Run    *report.Run `json:"run,omitempty"`
	Survey *Survey     `json:"survey,omitempty"`
	Commit string      `json:"commit,omitempty"` // that was checked out
	// Status and Reason stand in where there is no run.
	Status Status `json:"status,omitempty"`
	Reason string `json:"reason,omitempty"`
}

func (o *outcome) row(j *Job) *Row {
	if o.Run != nil {
		return rowOf(j, o.Run)
	}
	row := newRow(j)
	row.Status, row.Reason, row.Survey = o.Status, shorten(o.Reason, 4000), o.Survey
	return row
}

// step is a commit to be: a rule's part of the patch.
type step struct {
	Rule  string `json:"rule,omitempty"`
	Title string `json:"title,omitempty"`
	Patch string `json:"patch"`
}

// Planner makes a plan; rewrite.Make is one.
type Planner func(context.Context, rewrite.Options) (*rewrite.Plan, error)

// Child plans one repository in a process of its own, which the worker has
// started and may kill. It is the other side of Worker.Child.
func Child(ctx context.Context, stdin io.Reader, plan Planner) error {
	in := bufio.NewReader(stdin)
	line, err := in.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("batch child: no request: %w", err)
	}
	var req request
	if err := json.Unmarshal(line, &req); err != nil {
		return fmt.Errorf("batch child: %w", err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, in) // whatever ends it ends us
		killGroup()
	}()
	limitFiles(req.Job.Limits.Disk)
	if m := req.Job.Limits.Memory; m > 0 {
		debug.SetMemoryLimit(m / 2) // the compilers need the rest
	}
	o := attemptPlan(ctx, &req, plan)
	o.Commit = req.Job.Commit
	data, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(req.Dir, "out", fileResult), data, 0o600)
}

func attemptPlan(ctx context.Context, req *request, plan Planner) *outcome {
	j := req.Job
	root := filepath.Join(req.Dir, "src")
	if j.Delivery.InPlace && req.Action == actionPlan && !j.Survey {
		root = j.Repo
		if err := rewrite.Clean(ctx, root); err != nil {
			return &outcome{Status: NotLoadable, Reason: err.Error()}
		}
	} else if err := checkout(ctx, j, root); err != nil {
		if tooLarge(err) {
			return &outcome{Status: Failed, Reason: diskReason(j.Limits)}
		}
		return &outcome{Status: NotLoadable, Reason: "checking out: " + err.Error()}
	}
	if req.Action == actionCheckout {
		return &outcome{Status: Nothing}
	}
	dir := filepath.Join(root, filepath.FromSlash(j.Dir))
	if st, err := os.Stat(dir); err != nil || !st.IsDir() || !filepath.IsLocal(filepath.FromSlash("./"+j.Dir)) {
		return &outcome{Status: NotLoadable, Reason: fmt.Sprintf("no folder %s in the repository", j.Dir)}
	}
	if j.Survey {
		s, err := survey(ctx, dir)
		if err != nil {
			return &outcome{Status: NotLoadable, Reason: strings.NewReplacer(dir, j.Name, root, j.Name).Replace(err.Error())}
		}
		return &outcome{Status: Surveyed, Survey: s}
	}
	level := verify.Vet
	if j.Settings.Verify != "" {
		var err error
		if level, err = verify.ParseLevel(j.Settings.Verify); err != nil {
			return &outcome{Status: Failed, Reason: err.Error()}
		}
	}
	if level == verify.Test {
		// The repository's code is about to run: it gets no keys and no home.
		os.Unsetenv("SSH_AUTH_SOCK")
		if err := os.Setenv("HOME", filepath.Join(req.Dir, "tmp")); err != nil {
			return &outcome{Status: Failed, Reason: err.Error()}
		}
	}
	s := j.Settings
	runner := &gocmd.Runner{Offline: s.Offline}
	pointed, err := requireMigrated(ctx, runner, dir, filepath.Join(req.Dir, "tmp"), j.Requires)
	if err != nil {
		return &outcome{Status: Failed, Reason: "requiring the migrated libraries: " + err.Error()}
	}
	p, err := plan(ctx, rewrite.Options{
		Dir: dir, Target: s.Target, From: s.From, KeepGo: s.KeepGo, Verify: level, Rules: s.Rules, Skip: s.Skip, Tags: s.Tags,
		Offline: s.Offline, Go: runner, RemoveLegacy: s.RemoveLegacy,
		Progress: func(format string, a ...any) { fmt.Fprintf(os.Stderr, format+"\n", a...) },
	})
	if err != nil {
		if ctx.Err() != nil {
			return &outcome{Status: Failed, Reason: ctx.Err().Error()}
		}
		return &outcome{Status: NotLoadable, Reason: strings.NewReplacer(dir, j.Name, root, j.Name).Replace(err.Error())}
	}
	if err := pointed.settle(p); err != nil {
		return &outcome{Status: Failed, Reason: err.Error()}
	}
	if err := writePlan(p, req.Dir, root, j); err != nil {
		return &outcome{Status: Failed, Reason: err.Error()}
	}
	return &outcome{Run: slim(&p.Run)}
}

// slim leaves out of a run what a row does not show.
func slim(r *report.Run) *report.Run {
	c := *r
	c.Changes = slices.Clone(r.Changes)
	for i := range c.Changes {
		c.Changes[i].Edits, c.Changes[i].Imports = nil, nil
	}
	return &c
}

func writePlan(p *rewrite.Plan, dir, root string, j *Job) error {
	out := filepath.Join(dir, "out")
	if err := writeReport(filepath.Join(out, fileReport), &p.Run); err != nil {
		return err
	}
	if len(p.Writes) == 0 {
		return nil
	}
	diff, err := p.Diff()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, filePatch), []byte(diff), 0o600); err != nil {
		return err
	}
	var steps []step
	for _, s := range p.Stages() {
		writes, err := journal.ForGit(p.Root, s.Writes)
		if err != nil {
			return err
		}
		st := step{Rule: s.Rule, Title: "go.mod, go.sum and what follows from them", Patch: edit.Diff(writes)}
		if r := rules.Lookup(s.Rule); r != nil {
			st.Title = r.Title
		}
		steps = append(steps, st)
	}
	data, err := json.Marshal(steps)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, fileSeries), data, 0o600); err != nil {
		return err
	}
	if j.Delivery.InPlace && statusOf(&p.Run).delivers(j.Delivery.Unproved) {
		return p.Apply(j.Delivery.Unproved)
	}
	return nil
}

// writeReport writes what "etcdshift check --format json" prints.
func writeReport(name string, r *report.Run) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := report.JSON(f, r); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// maxLog bounds what is kept of a child's output.
const maxLog = 1 << 20

// capped keeps the first bytes that are written to it.
type capped struct {
	bytes.Buffer
	max int
}

func (c *capped) Write(p []byte) (int, error) {
	if n := c.max - c.Len(); n > 0 {
		c.Buffer.Write(p[:min(n, len(p))])
	}
	return len(p), nil
}

// runChild has a job done in a process group of its own, within its limits.
// Whatever happens in there becomes an outcome; the error is for ours.
func (w *Worker) runChild(ctx context.Context, j *Job, dir, action string) (*outcome, error) {
	limits := j.Limits
	if limits.Time <= 0 {
		limits.Time = DefaultLimits.Time
	}
	data, err := json.Marshal(request{Action: action, Job: j, Dir: dir})
	if err != nil {
		return nil, err
	}
	// Not CommandContext: it kills the process alone, and the group is meant.
	cmd := exec.Command(w.Child[0], w.Child[1:]...) //nolint:noctx // killed by its group below
	cmd.Dir = dir
	cmd.Env = append(slices.Clone(w.Env), "TMPDIR="+filepath.Join(dir, "tmp"))
	if j.Settings.Cgo || j.Settings.Verify == verify.Test.String() {
		cmd.Env = append(cmd.Env, "CGO_ENABLED=1")
	} else {
		cmd.Env = append(cmd.Env, "CGO_ENABLED=0")
	}
	log := &capped{max: maxLog}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.WaitDelay = 5 * time.Second
	ownGroup(cmd)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the planner: %w", err)
	}
	group := cmd.Process.Pid
	go func() { _, _ = stdin.Write(append(data, '\n')) }() // an early death is seen below
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	reason := w.watch(ctx, group, dir, limits, done)
	endGroup(group) // and what it left behind
	stdin.Close()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err := os.WriteFile(filepath.Join(dir, "out", fileLog), log.Bytes(), 0o600); err != nil {
		return nil, err
	}
	if reason != "" {
		return &outcome{Status: Failed, Reason: reason}, nil
	}
	result, err := os.ReadFile(filepath.Join(dir, "out", fileResult))
	var o outcome
	if err == nil {
		err = json.Unmarshal(result, &o)
	}
	if err != nil {
		return &outcome{Status: Failed, Reason: "the planner ended without a result: " + lastWords(log.String())}, nil
	}
	return &o, nil
}

// watch waits for a child and kills its group at a limit. It returns the
// limit's name, or "".
func (w *Worker) watch(ctx context.Context, group int, dir string, limits Limits, done <-chan error) string {
	kill := func(reason string) string {
		endGroup(group)
		<-done
		return reason
	}
	timeout := time.NewTimer(limits.Time)
	defer timeout.Stop()
	// Looking must not be the work.
	look := func(over func() bool, t *time.Timer, wait time.Duration) bool {
		begin := time.Now()
		defer func() { t.Reset(max(wait, 30*time.Since(begin))) }()
		return over()
	}
	const memoryWait, diskWait = 250 * time.Millisecond, 2 * time.Second
	memory, disk := time.NewTimer(memoryWait), time.NewTimer(diskWait/4)
	defer memory.Stop()
	defer disk.Stop()
	overMemory := func() bool { return limits.Memory > 0 && groupMemory(group) > limits.Memory }
	overDisk := func() bool { return limits.Disk > 0 && diskUsage(dir) > limits.Disk }
	for {
		select {
		case <-done:
			// The last look: a child can fill the disk and be done in time.
			if overDisk() {
				return diskReason(limits)
			}
			return ""
		case <-ctx.Done():
			return kill("")
		case <-timeout.C:
			return kill(fmt.Sprintf("it took longer than the %v of --max-time", limits.Time))
		case <-memory.C:
			if look(overMemory, memory, memoryWait) {
				return kill(fmt.Sprintf("its processes held more than the %s of --max-memory", size(limits.Memory)))
			}
		case <-disk.C:
			if look(overDisk, disk, diskWait) {
				return kill(diskReason(limits))
			}
		}
	}
}

// tooLarge says whether an error is that of a file above the size limit, in
// the words of the system, of git about itself, or of its parent process.
func tooLarge(err error) bool {
	for _, s := range []string{"file too large", "file size limit", "signal 25"} {
		if strings.Contains(strings.ToLower(err.Error()), s) {
			return true
		}
	}
	return false
}

func diskReason(l Limits) string {
	return fmt.Sprintf("its files took more than the %s of --max-disk", size(l.Disk))
}

// lastWords picks the line of a log that says why: of a panic the first.
func lastWords(log string) string {
	for line := range strings.Lines(log) {
		if strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:") || strings.HasPrefix(line, "runtime:") {
			return strings.TrimSpace(line)
		}
	}
	log = strings.TrimSpace(log)
	if log == "" {
		return "it was killed, or printed nothing"
	}
	return shorten(log[strings.LastIndexByte(log, '\n')+1:], 500)
}

func diskUsage(dir string) int64 {
	var n int64
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // files come and go
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			n += allocated(info)
		}
		return nil
	})
	return n
}

func size(n int64) string {
	switch {
	case n >= 1<<30 && n%(1<<30) == 0:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 1<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}

// removeAll removes a folder whose folders may be read-only.
func removeAll(dir string) error {
	if err := os.RemoveAll(dir); err == nil {
		return nil
	}
	_ = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(p, 0o700)
		}
		return nil
	})
	return os.RemoveAll(dir)
}

// Environ is the environment that children are to have: what the network, git
// and the go command need and nothing else, with the go settings of the user
// spelled out, so that no file can change them. Flags are not passed on:
// -toolexec and the like would run a program for every repository.
func Environ(ctx context.Context) ([]string, error) {
	var env []string
	for _, kv := range os.Environ() {
		k, _, _ := strings.Cut(kv, "=")
		switch {
		case slices.Contains([]string{
			"PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSH_AUTH_SOCK", "XDG_CONFIG_HOME",
			"GIT_SSH_COMMAND", "GIT_ASKPASS", "GIT_SSL_CAINFO", "SYSTEMROOT", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "NETRC", "CC", "CXX",
		}, k), strings.HasSuffix(strings.ToLower(k), "_proxy"):
			env = append(env, kv)
		}
	}
	cmd := exec.CommandContext(ctx, "go", "env", "-json",
		"GOMODCACHE", "GOCACHE", "GOPATH", "GOPROXY", "GOSUMDB", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOTOOLCHAIN", "GOAUTH", "GOVCS")
	cmd.Dir = os.TempDir() // no go.mod there can ask for another toolchain
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, gocmd.ErrNoGo
	}
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	var vars map[string]string
	if err := json.Unmarshal(out, &vars); err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	for k, v := range vars {
		if v != "" {
			env = append(env, k+"="+v)
		}
	}
	slices.Sort(env)
	return append(env, "GOENV=off", "GOFLAGS=-buildvcs=false", "GO111MODULE=on", "GIT_TERMINAL_PROMPT=0", "GIT_LFS_SKIP_SMUDGE=1"), nil
}

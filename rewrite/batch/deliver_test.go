package batch

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/etcdshift/etcdshift/rewrite"
	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// runHere runs a batch in this process.
func runHere(t *testing.T, state, list string, change func(*RunOptions)) map[string]*Row {
	t.Helper()
	entries, err := ReadList(list, nil)
	if err != nil {
		t.Fatal(err)
	}
	opt := RunOptions{
		Connection: Connection{State: state}, Entries: entries, Shard: Shard{1, 1}, Slots: 2, Child: childCommand(),
		Job: Job{Limits: Limits{Time: time.Minute, Memory: 2 << 30, Disk: 64 << 20}, Settings: Settings{Verify: "none"}},
		Out: filepath.Join(state, "results"),
	}
	if change != nil {
		change(&opt)
	}
	rows, err := Run(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*Row{}
	for _, r := range rows {
		out[r.Name] = r
	}
	return out
}

func TestPatchesApplyToTheCheckoutTheyWereMadeFor(t *testing.T) {
	dir, state := t.TempDir(), t.TempDir()
	repo := filepath.Join(dir, "one")
	repository(t, repo, "go.mod", cleanMod, "r.go", "package r\n", "CHANGE", "old\n")
	row := runHere(t, state, dir, nil)["one"]
	if row.Status != Proved || row.Delivered != nil {
		t.Fatalf("%s, delivered %v", row.Status, row.Delivered)
	}
	git(t, repo, "apply", "--check", filepath.Join(state, "results", row.patchFile()))
	if out := git(t, repo, "status", "--porcelain"); out != "" {
		t.Errorf("the checkout changed: %s", out)
	}
	if out := git(t, repo, "for-each-ref"); strings.Count(out, "\n") != 0 {
		t.Errorf("more than one ref: %s", out)
	}
}

func TestAnotherDeliveryReusesThePlan(t *testing.T) {
	dir, state := t.TempDir(), t.TempDir()
	repo := filepath.Join(dir, "one")
	repository(t, repo, "go.mod", cleanMod, "r.go", "package r\n", "CHANGE", "old\n")
	first := runHere(t, state, dir, nil)["one"]
	second := runHere(t, state, dir, func(o *RunOptions) {
		o.Job.Delivery = Delivery{How: Commit, Branch: "moved", Author: "Ada <ada@example.com>", Message: "Go {{.Release}} for {{.Name}}\n\nNeeds a look: {{.Findings}}"}
		o.Child = []string{os.Args[0], roleNoPlan}
	})["one"]
	if second.Plan != first.Plan || second.ID == first.ID {
		t.Errorf("plan %s, then %s; id %s, then %s", first.Plan, second.Plan, first.ID, second.ID)
	}
	if got := git(t, repo, "log", "-1", "--format=%an %ae %s %b", "moved"); got != "Ada ada@example.com Go v3.7.3 for one Needs a look: 0" {
		t.Errorf("commit %q", got)
	}
	if got := git(t, repo, "show", "moved:CHANGE"); got != "migrated\nold" {
		t.Errorf("content %q", got)
	}
	if out := git(t, repo, "status", "--porcelain"); out != "" {
		t.Errorf("the checkout changed: %s", out)
	}
	if head := git(t, repo, "rev-parse", "--abbrev-ref", "HEAD"); head != "main" {
		t.Errorf("HEAD is %s", head)
	}
}

func TestNothingIsPushedWithoutBeingAskedFor(t *testing.T) {
	base, state := t.TempDir(), t.TempDir()
	repo, up := filepath.Join(base, "repos", "one"), filepath.Join(base, "up.git")
	repository(t, repo, "go.mod", cleanMod, "r.go", "package r\n", "CHANGE", "old\n")
	git(t, base, "init", "-q", "--bare", up)
	git(t, repo, "remote", "add", "origin", up)
	git(t, repo, "push", "-q", "origin", "main")
	for _, how := range []string{Patch, Commit, Push} {
		row := runHere(t, state, filepath.Join(base, "repos"), func(o *RunOptions) {
			o.Job.Delivery = Delivery{How: how, Branch: "moved-" + how}
		})["one"]
		if row.Status != Proved {
			t.Fatalf("%s: %s: %s", how, row.Status, row.Reason)
		}
		refs := git(t, up, "for-each-ref", "--format=%(refname)")
		if pushed := strings.Contains(refs, "moved"); pushed != (how == Push) {
			t.Errorf("%s: upstream has %s", how, refs)
		}
	}
}

func TestARepositoryByURLLeavesABundle(t *testing.T) {
	base, state := t.TempDir(), t.TempDir()
	repo, up := filepath.Join(base, "work"), filepath.Join(base, "up.git")
	repository(t, repo, "go.mod", cleanMod, "r.go", "package r\n", "CHANGE", "old\n", "sub/go.mod", "module example.com/r/sub\n\ngo 1.22\n", "sub/CHANGE", "deep\n", "sub/s.go", "package s\n")
	git(t, base, "clone", "-q", "--bare", repo, up)
	write(t, base, "list.yaml", "repositories:\n- repo: file://"+up+"\n  ref: main\n  dirs: [sub]\n")
	rows := runHere(t, state, filepath.Join(base, "list.yaml"), func(o *RunOptions) {
		o.Job.Delivery = Delivery{How: Commit, Branch: "moved"}
	})
	for name, row := range rows {
		if row.Status != Proved || row.Delivered == nil || row.Delivered.Branch != "moved-sub" {
			t.Fatalf("%s: %s: %s, %+v", name, row.Status, row.Reason, row.Delivered)
		}
		git(t, repo, "fetch", "-q", filepath.Join(state, "results", bundleFolder, name+".bundle"), "moved-sub:got")
		if got := git(t, repo, "show", "got:sub/CHANGE"); got != "migrated\ndeep" {
			t.Errorf("content %q", got)
		}
	}
	if len(rows) != 1 {
		t.Errorf("%d rows", len(rows))
	}
}

func TestCommandsSeeTheResultAndRunOnce(t *testing.T) {
	dir, state := t.TempDir(), t.TempDir()
	out := filepath.Join(t.TempDir(), "out")
	repository(t, filepath.Join(dir, "one"), "go.mod", cleanMod, "r.go", "package r\n", "CHANGE", "old\n")
	deliver := func(o *RunOptions) {
		o.Job.Delivery = Delivery{How: Commit, Branch: "moved", Command: []string{"sh", "-c", `echo "$ETCDSHIFT_STATUS $ETCDSHIFT_BRANCH $(git log -1 --format=%s) $(grep -c migrated $ETCDSHIFT_PATCH)" >>` + out + `; test "$GO" = on`}}
	}
	row := runHere(t, state, dir, deliver)["one"]
	if row.Status != Failed || !strings.Contains(row.Reason, "the command failed") {
		t.Fatalf("%s: %s", row.Status, row.Reason)
	}
	t.Setenv("GO", "on")
	if row := runHere(t, state, dir, deliver)["one"]; row.Status != Failed {
		t.Errorf("without --retry: %s", row.Status)
	}
	row = runHere(t, state, dir, func(o *RunOptions) { deliver(o); o.Retry = true })["one"]
	if row.Status != Proved {
		t.Errorf("with --retry: %s: %s", row.Status, row.Reason)
	}
	data, err := os.ReadFile(out)
	if want := strings.Repeat("proved moved Move to etcd v3.7.3 1\n", 2); err != nil || string(data) != want {
		t.Errorf("the command wrote %q, %v", data, err)
	}
}

func TestAWorkerRunsNoCommandThatItWasNotAllowed(t *testing.T) {
	w := &Worker{Allow: []string{Push}}
	j := &Job{Repo: "https://example.com/x/y", Delivery: Delivery{How: Commit, Command: []string{"true"}}}
	if err := w.deliver(t.Context(), j, &Row{}, t.TempDir(), true); err == nil || !strings.Contains(err.Error(), "--allow command") {
		t.Errorf("error %v", err)
	}
}

func TestInPlaceWritesTheCheckoutAndRefusesADirtyOne(t *testing.T) {
	dir, state := t.TempDir(), t.TempDir()
	for _, name := range []string{"tidy", "dirty"} {
		repository(t, filepath.Join(dir, name), "go.mod", cleanMod, "r.go", "package r\n", "CHANGE", "old\n")
	}
	write(t, filepath.Join(dir, "dirty"), "CHANGE", "mine\n")
	rows := runHere(t, state, dir, func(o *RunOptions) { o.Job.Delivery = Delivery{How: Patch, InPlace: true} })
	if r := rows["tidy"]; r.Status != Proved {
		t.Errorf("tidy: %s: %s", r.Status, r.Reason)
	}
	if r := rows["dirty"]; r.Status != NotLoadable || !strings.Contains(r.Reason, "not committed") {
		t.Errorf("dirty: %s: %s", r.Status, r.Reason)
	}
	for name, want := range map[string]string{"tidy": "migrated\nold\n", "dirty": "mine\n"} {
		if got, err := os.ReadFile(filepath.Join(dir, name, "CHANGE")); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestStagesMakeThePlan holds the commits per rule against the plan: applied
// one after the other, they come to the same files.
func TestStagesMakeThePlan(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "go.mod", "module example.com/s\n\ngo 1.22\n\nrequire github.com/coreos/etcd v3.3.27+incompatible\n", "s.go", `package s

import (
	"github.com/coreos/etcd/clientv3"
	"github.com/coreos/etcd/pkg/transport"
)

func New() (*clientv3.Client, error) {
	tls, err := transport.TLSInfo{CAFile: "ca.pem"}.ClientConfig()
	if err != nil {
		return nil, err
	}
	return clientv3.New(clientv3.Config{Endpoints: []string{"a:2379"}, TLS: tls})
}
`)
	p, err := rewrite.Make(context.Background(), rewrite.Options{Dir: dir, Target: "3.5"})
	if err != nil {
		t.Fatal(err)
	}
	now := map[string][]byte{}
	stages := p.Stages()
	for i, s := range stages {
		if len(s.Writes) == 0 || (s.Rule == "") != (i == len(stages)-1) {
			t.Errorf("stage %d: rule %q, %d files", i, s.Rule, len(s.Writes))
		}
		for _, w := range s.Writes {
			if b, ok := now[w.Path]; ok && !bytes.Equal(b, w.Before) {
				t.Errorf("stage %d: %s does not go on where the one before ended", i, w.Path)
			}
			now[w.Path] = w.After
		}
	}
	if len(stages) < 3 {
		t.Errorf("%d stages, want two rules and the module files", len(stages))
	}
	for _, w := range p.Writes {
		if !bytes.Equal(now[w.Path], w.After) {
			t.Errorf("%s differs:\n%s", w.Path, edit.Diff([]edit.FileChange{{Path: w.Path, Before: now[w.Path], After: w.After}}))
		}
	}
}

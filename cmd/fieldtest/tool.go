package main

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
	"strconv"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/batch"
	"github.com/etcdshift/etcdshift/rewrite/report"
)

// tool is the etcdshift that is tried.
type tool struct {
	exe      string
	key      string // of the content of exe: results of another one are not its results
	revision string
}

// buildTool builds etcdshift as it is in the current module.
func buildTool(ctx context.Context, s state) (t tool, err error) {
	t.exe = s.path("bin", "etcdshift")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", t.exe, "github.com/etcdshift/etcdshift/cmd/etcdshift")
	if out, err := cmd.CombinedOutput(); err != nil {
		return t, fmt.Errorf("building etcdshift: %w: %s", err, bytes.TrimSpace(out))
	}
	data, err := os.ReadFile(t.exe)
	if err != nil {
		return t, err
	}
	t.key = keyOf(string(data))
	if t.revision, err = git(ctx, "", "", nil, "rev-parse", "--short=10", "HEAD"); err != nil {
		return t, err
	}
	t.revision = strings.TrimSpace(t.revision)
	// Tracked files alone: what lies beside them is not in the binary.
	changed, err := git(ctx, "", "", nil, "status", "--porcelain", "--untracked-files=no")
	if strings.TrimSpace(changed) != "" {
		t.revision += " and changes"
	}
	return t, err
}

// entry is a repository in the list of a batch.
type entry struct {
	Repo string `json:"repo"`
	Ref  string `json:"ref,omitempty"`
}

// outcome is a row of a batch with what belongs to it.
type outcome struct {
	row   batch.Row
	run   *report.Run // nil if there is no plan
	patch []byte
}

// batchRun has etcdshift plan repositories for a target, and returns what came
// of each by its path. The state of the batch is kept until then, so that a run
// that was interrupted goes on.
func (t tool) batchRun(ctx context.Context, s state, name, target string, jobs int, list []entry, progress io.Writer) (map[string]outcome, error) {
	dir := s.path("batch", t.key+"-"+name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	data, err := json.Marshal(list)
	if err != nil {
		return nil, err
	}
	listFile, out := filepath.Join(dir, "list.json"), filepath.Join(dir, "out")
	if err := os.WriteFile(listFile, data, 0o644); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, t.exe, "batch", "run", "--state", filepath.Join(dir, "state"), "--out", out,
		"--target", target, "--cgo", "--jobs", strconv.Itoa(jobs),
		"--max-time", "6h", // what else this machine has to do is no result
		listFile)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it puts its children down
	cmd.Stderr = progress
	err = cmd.Run()
	const left = 4 // something is left for a person
	if x := (*exec.ExitError)(nil); errors.As(err, &x) && x.ExitCode() == left {
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("etcdshift batch run --target %s: %w", target, err)
	}
	return readOutcomes(out)
}

func readOutcomes(out string) (map[string]outcome, error) {
	f, err := os.Open(filepath.Join(out, "rows.jsonl"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	found := map[string]outcome{}
	for dec := json.NewDecoder(bufio.NewReader(f)); ; {
		var o outcome
		if err := dec.Decode(&o.row); err == io.EOF {
			return found, nil
		} else if err != nil {
			return nil, err
		}
		data, err := os.ReadFile(filepath.Join(out, "reports", o.row.Name+".json"))
		if err == nil {
			err = json.Unmarshal(data, &o.run)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if o.row.Patch != "" {
			if o.patch, err = os.ReadFile(filepath.Join(out, "patches", o.row.Name+".patch")); err != nil {
				return nil, err
			}
		}
		found[o.row.Repo] = o
	}
}

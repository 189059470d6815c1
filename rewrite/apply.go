package rewrite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/journal"
	"github.com/etcdshift/etcdshift/rewrite/report"
)

// ErrUnproved says that a plan would break what builds today.
var ErrUnproved = errors.New("the plan is not proved: something that builds today would not build after it; nothing was written")

// ErrUnresolved says that no versions were found to build the plan with.
var ErrUnresolved = errors.New("the plan has no versions that resolve, as said above; nothing was written")

// DirtyError says that a git tree has changes that are not committed.
type DirtyError struct{ Files []string }

func (e *DirtyError) Error() string {
	shown := e.Files
	more := ""
	if len(shown) > 10 {
		more = fmt.Sprintf("\n\tand %d more", len(shown)-10)
		shown = shown[:10]
	}
	return fmt.Sprintf("the git tree has changes that are not committed:\n\t%s%s\ncommit or stash them, or pass --allow-dirty", strings.Join(shown, "\n\t"), more)
}

// Clean says whether the git tree that holds dir has no uncommitted changes
// of tracked files below dir; a folder outside git is clean. It fails with a
// *DirtyError. git runs without hooks and without a file-system monitor, which
// the repository's configuration could otherwise name, and does not write the
// index anew.
func Clean(ctx context.Context, dir string) error {
	cmd := exec.CommandContext(ctx, "git", "--no-optional-locks", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false",
		"status", "--porcelain", "-z", "--untracked-files=no", "--no-renames", "--ignore-submodules", "--", ".")
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), "LC_ALL=C") // what it says is read below
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) || strings.Contains(stderr.String(), "not a git repository") || strings.Contains(stderr.String(), "must be run in a work tree") {
		return nil // a bare repository has no files either, which the scan says
	}
	if err != nil {
		return fmt.Errorf("git status in %s: %s", dir, strings.TrimSpace(stderr.String()))
	}
	var files []string
	for f := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		if len(f) > 3 {
			files = append(files, f[3:])
		}
	}
	if len(files) > 0 {
		return &DirtyError{files}
	}
	return nil
}

// Diff returns the plan as a diff that git apply takes anywhere in the work
// tree that holds the repository.
func (p *Plan) Diff() (string, error) {
	changes, err := journal.ForGit(p.Root, p.Writes)
	if err != nil {
		return "", err
	}
	return edit.Diff(changes), nil
}

// Refused says why Apply does not write the plan, nil if it does. force also
// writes a plan that would break what builds today.
func (p *Plan) Refused(force bool) error {
	switch {
	case force || len(p.Writes) == 0:
	case p.Status == report.Worse:
		return ErrUnproved
	case p.Status == report.Unresolved:
		return ErrUnresolved
	}
	return nil
}

// Apply writes the plan: all files or none.
func (p *Plan) Apply(force bool) error {
	if err := p.Refused(force); err != nil || len(p.Writes) == 0 {
		return err
	}
	meta := journal.Meta{Command: "migrate", Target: "etcd " + p.Release, Time: time.Now()}
	if p.Status == report.Nothing { // but for the pins
		meta.Command, meta.Target = "migrate --record-pins", ""
	}
	return journal.Apply(p.Root, p.Writes, meta)
}

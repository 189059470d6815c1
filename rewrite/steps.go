package rewrite

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/deps"
	"github.com/etcdshift/etcdshift/rewrite/load"
	"github.com/etcdshift/etcdshift/rewrite/report"
)

// Steps returns the targets of a migration that goes one minor line at a
// time: the lines between the one that the code is on and the target, which is
// the last. Code on the target line already has the target as its one step.
func Steps(ctx context.Context, opt Options) ([]string, error) {
	lines, release, _, err := targets(opt.Target)
	if err != nil {
		return nil, err
	}
	last := lines[0] // the newest, where there is a choice
	from := opt.From
	if from == "" {
		tree, err := load.Scan(ctx, opt.Dir)
		if err != nil {
			return nil, err
		}
		for _, m := range tree.Modules {
			if v, _, err := deps.SourceRelease(m.Dir); err == nil && m.Etcd {
				from = v
				break
			}
		}
	}
	var out []string
	for _, l := range deps.Steps(from, last) {
		out = append(out, string(l))
	}
	if release != "" {
		out[len(out)-1] = release
	}
	return out, nil
}

// Commit commits the files that the plan wrote, and nothing else. The user's
// git configuration holds: this is a commit that they asked for.
func (p *Plan) Commit(ctx context.Context) error {
	if len(p.Writes) == 0 {
		return nil
	}
	git := func(stdin string, args ...string) error {
		cmd := exec.CommandContext(ctx, "git", args...)
		cmd.Dir = p.Root
		cmd.Stdin = strings.NewReader(stdin)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("git %s: %s: %w", args[0], bytes.TrimSpace(out), err)
		}
		return nil
	}
	var names []string
	for _, w := range p.Writes {
		names = append(names, filepath.FromSlash(w.Path))
	}
	slices.Sort(names)
	list := strings.Join(names, "\x00")
	if err := git(list, "add", "-A", "--pathspec-from-file=-", "--pathspec-file-nul"); err != nil {
		return err
	}
	subject := "Migrate to etcd " + p.Release
	if p.Status == report.Nothing {
		subject = "Record the versions of etcd, gRPC and protobuf"
	}
	return git(list, "commit", "-q", "-m", subject, "--pathspec-from-file=-", "--pathspec-file-nul")
}

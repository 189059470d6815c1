package rewrite

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/etcdshift/etcdshift/rewrite/deps"
	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/gocmd"
	"github.com/etcdshift/etcdshift/rewrite/load"
)

// pins reads the versions that a repository builds and deploys with, with
// files of a plan in the place of its own.
func pins(ctx context.Context, opt Options, writes []edit.FileChange) (root string, pins *deps.Pins, err error) {
	tree, err := load.Scan(ctx, opt.Dir)
	if err != nil {
		return "", nil, err
	}
	r := deps.Repository{Root: tree.Root, Planned: map[string][]byte{}}
	for _, m := range tree.Modules {
		if m.Path != "" {
			r.Modules = append(r.Modules, m.Rel)
		}
	}
	for _, w := range writes {
		r.Planned[w.Path] = w.After
		if path.Base(w.Path) == "go.mod" && w.Created() {
			r.Modules = append(r.Modules, path.Dir(w.Path))
		}
	}
	run := opt.Go
	if run == nil {
		run = &gocmd.Runner{Offline: opt.Offline}
	}
	pins, err = r.Pins(ctx, run)
	return tree.Root, pins, err
}

// RecordPins has the plan write the versions that the repository builds and
// deploys with after it to deps.PinsFile in its root.
func (p *Plan) RecordPins(ctx context.Context, opt Options) error {
	root, now, err := pins(ctx, opt, p.Writes)
	if err != nil {
		return err
	}
	before, err := os.ReadFile(filepath.Join(root, deps.PinsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	c := edit.FileChange{Path: deps.PinsFile, Before: before, After: now.Bytes()}
	if c.Empty() {
		return nil
	}
	p.Writes = append(p.Writes, c)
	p.sortWrites()
	p.countFiles()
	return nil
}

// Drift compares a repository with the pins that it recorded.
func Drift(ctx context.Context, opt Options) ([]deps.Drift, error) {
	root, now, err := pins(ctx, opt, nil)
	if err != nil {
		return nil, err
	}
	recorded, err := deps.ReadPins(root)
	if err != nil {
		return nil, err
	}
	return recorded.Compare(now), nil
}

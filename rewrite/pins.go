package rewrite

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/etcdshift/etcdshift/rewrite/deps"
	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/gocmd"
	"github.com/etcdshift/etcdshift/rewrite/journal"
	"github.com/etcdshift/etcdshift/rewrite/load"
)

// currentPins reads the versions that a repository builds and deploys with.
func currentPins(ctx context.Context, opt Options) (root string, pins *deps.Pins, err error) {
	tree, err := load.Scan(ctx, opt.Dir)
	if err != nil {
		return "", nil, err
	}
	var dirs []string
	for _, m := range tree.Modules {
		if m.Path != "" {
			dirs = append(dirs, m.Rel)
		}
	}
	run := opt.Go
	if run == nil {
		run = &gocmd.Runner{Offline: opt.Offline}
	}
	pins, err = deps.CurrentPins(ctx, run, tree.Root, dirs)
	return tree.Root, pins, err
}

// RecordPins writes the versions that a repository builds and deploys with to
// deps.PinsFile in its root.
func RecordPins(ctx context.Context, opt Options) error {
	root, pins, err := currentPins(ctx, opt)
	if err != nil {
		return err
	}
	before, err := os.ReadFile(filepath.Join(root, deps.PinsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	c := edit.FileChange{Path: deps.PinsFile, Before: before, After: pins.Bytes()}
	if c.Empty() {
		return nil
	}
	return journal.Apply(root, []edit.FileChange{c}, journal.Meta{Command: "migrate --record-pins", Time: time.Now()})
}

// Drift compares a repository with the pins that it recorded.
func Drift(ctx context.Context, opt Options) ([]deps.Drift, error) {
	root, now, err := currentPins(ctx, opt)
	if err != nil {
		return nil, err
	}
	recorded, err := deps.ReadPins(root)
	if err != nil {
		return nil, err
	}
	return recorded.Compare(now), nil
}

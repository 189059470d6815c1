package batch

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/etcdshift/etcdshift/rewrite"
	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/gocmd"
)

// required are module files that were pointed at migrated libraries before
// the plan, with what they held before that.
type required struct {
	root   string
	before map[string][]byte // by absolute path; nil for a file that was not there
}

// requireMigrated points the modules below root at the commits of migrated
// libraries: "path@commit". Only modules that require a library already are
// changed. Versions and checksums come from the go command, so that a library
// is checked as any other module is.
func requireMigrated(ctx context.Context, runner *gocmd.Runner, root, scratch string, wants []string) (*required, error) {
	r := &required{root: root, before: map[string][]byte{}}
	if len(wants) == 0 {
		return r, nil
	}
	var mods []string
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != root && (d.Name()[0] == '.' || d.Name() == "vendor" || d.Name() == "node_modules") {
			return fs.SkipDir
		}
		if d.Type().IsRegular() && d.Name() == "go.mod" {
			mods = append(mods, p)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, w := range wants {
		path, _, _ := strings.Cut(w, "@")
		dir, err := os.MkdirTemp(scratch, "require-")
		if err != nil {
			return nil, err
		}
		// A module of ours stands in for the user's, which may not resolve yet.
		if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module etcdshift.invalid/require\n\ngo 1.21\n"), 0o600); err != nil {
			return nil, err
		}
		out, err := runner.Run(ctx, dir, "list", "-mod=mod", "-m", "-f", "{{.Version}}", w)
		if err != nil {
			return nil, err
		}
		version := strings.TrimSpace(string(out))
		if _, err := runner.Run(ctx, dir, "mod", "edit", "-require="+path+"@"+version); err != nil {
			return nil, err
		}
		if _, err := runner.Run(ctx, dir, "mod", "download", path); err != nil {
			return nil, err
		}
		sums, err := os.ReadFile(filepath.Join(dir, "go.sum"))
		if err != nil {
			return nil, fmt.Errorf("go mod download %s left no checksums: %w", w, err)
		}
		for _, m := range mods {
			if err := r.point(m, path, version, sums); err != nil {
				return nil, err
			}
		}
	}
	return r, nil
}

// point raises a requirement of one go.mod that has it.
func (r *required) point(gomod, path, version string, sums []byte) error {
	data, err := os.ReadFile(gomod)
	if err != nil {
		return err
	}
	f, err := modfile.Parse(gomod, data, nil)
	if err != nil || !slices.ContainsFunc(f.Require, func(q *modfile.Require) bool { return q.Mod.Path == path }) {
		return nil // what does not parse is the plan's to report
	}
	if err := f.AddRequire(path, version); err != nil {
		return err
	}
	after, err := f.Format()
	if err != nil {
		return err
	}
	if err := r.put(gomod, after); err != nil {
		return err
	}
	gosum := filepath.Join(filepath.Dir(gomod), "go.sum")
	old, err := os.ReadFile(gosum)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	if len(old) > 0 && old[len(old)-1] != '\n' {
		old = append(old, '\n')
	}
	return r.put(gosum, append(old, sums...))
}

func (r *required) put(name string, data []byte) error {
	if _, seen := r.before[name]; !seen {
		old, err := os.ReadFile(name)
		if err != nil && !os.IsNotExist(err) {
			return err
		}
		r.before[name] = old
	}
	return os.WriteFile(name, data, 0o644)
}

// settle makes the requirements part of a plan that was made on top of them:
// the files of the plan begin where the commit ends.
func (r *required) settle(p *rewrite.Plan) error {
	for name, before := range r.before {
		rel, err := filepath.Rel(p.Root, name)
		if err != nil || !filepath.IsLocal(rel) {
			return fmt.Errorf("%s is not below %s", name, p.Root)
		}
		rel = filepath.ToSlash(rel)
		i := slices.IndexFunc(p.Writes, func(w edit.FileChange) bool { return w.Path == rel })
		if i >= 0 {
			p.Writes[i].Before = before
		} else {
			after, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			p.Writes = append(p.Writes, edit.FileChange{Path: rel, Before: before, After: after, Mode: 0o644})
		}
		if before == nil {
			err = os.Remove(name)
		} else {
			err = os.WriteFile(name, before, 0o644)
		}
		if err != nil {
			return err
		}
	}
	p.Writes = slices.DeleteFunc(p.Writes, func(w edit.FileChange) bool {
		return (w.Before == nil) == (w.After == nil) && bytes.Equal(w.Before, w.After)
	})
	slices.SortFunc(p.Writes, func(a, b edit.FileChange) int { return strings.Compare(a.Path, b.Path) })
	return nil
}

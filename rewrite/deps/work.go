package deps

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
)

// siblings finds the other modules of a workspace that this module requires.
// In the workspace they are built from their folders; tidy, which knows no
// workspace, would take released versions of them, which may still be on the
// old etcd or not exist at all. So each stands in as its folder.
func (s *solver) siblings(ctx context.Context) error {
	file, err := workFile(ctx, s)
	if file == "" || err != nil {
		return err
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	w, err := modfile.ParseWork(file, b, nil)
	if err != nil {
		return err
	}
	required := map[string]bool{}
	for _, r := range s.before.Require {
		required[r.Mod.Path] = true
	}
	member := false
	found := map[string]string{}
	for _, u := range w.Use {
		dir := filepath.FromSlash(u.Path)
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(filepath.Dir(file), dir)
		}
		if sameFolder(dir, s.Dir) {
			member = true
			continue
		}
		_, f, err := readMod(filepath.Join(dir, "go.mod"))
		if err != nil || f.Module == nil {
			continue // "go work" itself will say so
		}
		found[f.Module.Mod.Path] = dir
	}
	if !member {
		return nil // it is built without the workspace
	}
	for path, dir := range found {
		replaced := false
		for _, r := range s.before.Replace {
			replaced = replaced || r.Old.Path == path
		}
		if !replaced {
			s.standIns[path] = dir
			s.sibling[path] = true
		}
	}
	return nil
}

// siblingsOnly reports whether all that stands in for a module is its folder
// in the workspace, so that what it requires is known.
func (s *solver) siblingsOnly() bool { return len(s.standIns) == len(s.sibling) }

// workFile returns the go.work in effect for the module, "" if there is none.
func workFile(ctx context.Context, s *solver) (string, error) {
	if v := os.Getenv("GOWORK"); v == "off" {
		return "", nil
	} else if v != "" {
		return v, nil
	}
	for dir := s.Dir; ; dir = filepath.Dir(dir) {
		name := filepath.Join(dir, "go.work")
		if info, err := os.Stat(name); err == nil && !info.IsDir() {
			return name, nil
		} else if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		if dir == filepath.Dir(dir) {
			return "", nil
		}
	}
}

func sameFolder(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y) || strings.EqualFold(a, b) && a == b
}

package deps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

// minimums asks the go command for the build list of the etcd modules alone:
// the versions that the release itself selects. What is below them was never
// tested with it.
func (s *solver) minimums(ctx context.Context) error {
	needed := map[string]string{}
	for _, path := range s.Imports {
		if m, ok := moduleOf(path); ok {
			if v := s.companion(m); v != "" {
				needed[m] = v
			}
		}
	}
	if len(needed) == 0 {
		return nil
	}
	s.needed = needed
	if s.unknown != nil && s.unknown.dirs != nil {
		if err := s.replaceByCheckout(); err != nil {
			return err
		}
	}
	dir := filepath.Join(s.Scratch, "etcd")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var mods []module.Version
	for {
		f := new(modfile.File)
		f.AddModuleStmt("etcd.alone")
		f.AddGoStmt(s.release.Go)
		for _, m := range sortedKeys(needed) {
			f.AddNewRequire(m, needed[m], false)
		}
		for _, m := range sortedKeys(s.standIns) {
			f.AddReplace(m, "", s.standIns[m], "")
		}
		for _, a := range s.adds {
			to := a.new.Path
			if !filepath.IsAbs(to) {
				to = filepath.Join(s.Dir, filepath.FromSlash(to))
			}
			f.AddReplace(a.old.Path, "", to, "")
		}
		b, err := f.Format()
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "go.mod"), b, 0o666); err != nil {
			return err
		}
		if mods, err = s.modules(ctx, dir, "-mod=mod", "all"); err == nil {
			break
		}
		if stop := s.stop(ctx, words(err)); stop != nil {
			return stop
		}
		// A release can require a module that is not to be had although no
		// package that is imported needs it.
		if ok, serr := s.standIn(ctx, words(err)); serr != nil {
			return serr
		} else if !ok {
			return s.unresolved(ctx, err)
		}
	}
	for _, m := range mods {
		if s.standIns[m.Path] != "" {
			continue
		}
		s.min[m.Path] = m.Version
	}
	return nil
}

// modules lists modules with "go list -m", the main ones left out.
func (s *solver) modules(ctx context.Context, dir string, args ...string) ([]module.Version, error) {
	out, err := s.Go.Run(ctx, dir, append([]string{"list", "-m", "-json=Path,Version,Main"}, args...)...)
	if err != nil {
		return nil, err
	}
	var list []module.Version
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var m struct {
			Path, Version string
			Main          bool
		}
		if err := dec.Decode(&m); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list -m: %w", err)
		}
		if !m.Main {
			list = append(list, module.Version{Path: m.Path, Version: m.Version})
		}
	}
}

package deps

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// earlier is the build as it was before the plan, read through a copy of
// go.mod that may gain what it lacks.
type earlier struct {
	modfile string
	build   map[string]string // module → version; nil if it does not resolve
}

// earlierBuild lists the build before the plan, once.
func (s *solver) earlierBuild(ctx context.Context) (*earlier, error) {
	if s.earlier != nil {
		return s.earlier, nil
	}
	dir := filepath.Join(s.Scratch, "earlier")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	e := &earlier{modfile: filepath.Join(dir, "go.mod")}
	if err := os.WriteFile(e.modfile, s.mod, 0o666); err != nil {
		return nil, err
	}
	if s.sum != nil {
		if err := os.WriteFile(filepath.Join(dir, "go.sum"), s.sum, 0o666); err != nil {
			return nil, err
		}
	}
	if build, err := s.modules(ctx, s.Dir, "-mod=mod", "-modfile="+e.modfile, "all"); err == nil {
		e.build = map[string]string{}
		for _, m := range build {
			e.build[m.Path] = m.Version
		}
	} else if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	s.earlier = e
	return e, nil
}

// moved says whether the plan has another version of a module than the build
// before it had. Of a build that does not resolve, only the modules that etcd
// moves are known to be.
func (e *earlier) moved(m module.Version) bool {
	if e.build == nil {
		return isCore(m.Path) || isSplit(m.Path)
	}
	return m.Path != "" && e.build[m.Path] != m.Version
}

// failedBefore says whether a package failed to compile before the plan, with the
// same words.
func (s *solver) failedBefore(ctx context.Context, f failedPackage) (bool, error) {
	e, err := s.earlierBuild(ctx)
	if err != nil || e.build == nil {
		return false, err
	}
	out, failed, err := s.Go.Combined(ctx, s.Dir, "build", "-o", os.DevNull, "-mod=mod", "-modfile="+e.modfile, f.pkg)
	if err != nil || !failed {
		return false, err
	}
	for _, old := range failedPackages(out) {
		if old == f {
			return true, nil
		}
	}
	return false, nil
}

// epoch is what a version has in common with those that it should be possible
// to exchange it with: the major version, or the minor one below v1.
func epoch(v string) string {
	if m := semver.Major(v); m != "v0" {
		return m
	}
	return semver.MajorMinor(v)
}

// suited puts the candidates for a module in front that require a moved
// module at the epoch that the plan has it at: those before were written for
// another API.
func (s *solver) suited(ctx context.Context, path string, candidates []string, moved []module.Version) []string {
	if len(moved) == 0 || len(candidates) <= 1 {
		return candidates
	}
	requires := s.requiresOf(ctx, path, candidates)
	var first, rest []string
	for _, c := range candidates {
		ok := true
		for _, m := range moved {
			v := requires[c][m.Path]
			ok = ok && (v == "" || epoch(v) == epoch(m.Version))
		}
		if ok {
			first = append(first, c)
		} else {
			rest = append(rest, c)
		}
	}
	return append(first, rest...)
}

// requiresOf reads what versions of a module require: version → module →
// version. One that cannot be had is left out.
func (s *solver) requiresOf(ctx context.Context, path string, versions []string) map[string]map[string]string {
	args := []string{"list", "-m", "-e", "-json=Version,GoMod"}
	for _, v := range versions {
		args = append(args, path+"@"+v)
	}
	out, err := s.Go.Run(ctx, os.TempDir(), args...)
	if err != nil {
		return nil
	}
	all := map[string]map[string]string{}
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var m struct{ Version, GoMod string }
		if dec.Decode(&m) != nil {
			break
		}
		data, err := os.ReadFile(m.GoMod)
		if err != nil {
			continue
		}
		f, err := modfile.ParseLax(m.GoMod, data, nil)
		if err != nil {
			continue
		}
		all[m.Version] = map[string]string{}
		for _, r := range f.Require {
			all[m.Version][r.Mod.Path] = r.Mod.Version
		}
	}
	return all
}

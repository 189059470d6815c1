package deps

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// renamed are modules that the old etcd needs by one path and the new one by
// another.
var renamed = map[string]string{
	coreosBolt:    bbolt,
	coreosSystemd: coreosSystemd + "/v22",
}

// forked says whether a replace gives a renamed module the files of a folder or
// of another project, and not its own by one of the paths that it went by.
func forked(r *modfile.Replace) bool {
	p := r.Old.Path
	own := r.New.Path == p || r.New.Path == renamed[p] || p == coreosBolt && r.New.Path == "github.com/etcd-io/bbolt"
	return renamed[p] != "" && (isLocal(r) || !own)
}

// fork is a replace that gives a renamed module the files of somebody's own
// copy. Such a copy was wanted for what it changed, so it follows to the new
// path where that can be shown to work: the new path is in the build, the go
// command takes the copy for it, it is not behind what the build selects, and
// what imports it compiles. Else the line stays, and a finding names it.
type fork struct {
	*modfile.Replace
	moved  bool
	proved bool   // what imports it compiles
	stays  string // why it is not moved; "" while that is open
}

// moveForks moves the forks that can be. It reports whether the plan was
// changed. version is the build list.
func (s *solver) moveForks(ctx context.Context, version map[string]string) (changed bool, err error) {
	for _, f := range s.forks {
		to := renamed[f.Old.Path]
		if f.moved || f.stays != "" || version[to] == "" {
			continue
		}
		if f.stays, err = s.forkStays(ctx, f, to, version); err != nil || f.stays != "" {
			continue
		}
		f.moved, changed = true, true
		why := fmt.Sprintf("%s goes by the path %s now, and the fork goes with it", f.Old.Path, to)
		s.drop[replaceKey(f.Old)] = why
		s.adds["replace "+to] = modfileReplace{old: module.Version{Path: to}, new: f.New, why: why}
	}
	return changed, err
}

// forkStays says why a fork cannot be moved, "" if nothing speaks against it
// before it is tried.
func (s *solver) forkStays(ctx context.Context, f *fork, to string, version map[string]string) (string, error) {
	if version[f.Old.Path] != "" {
		return f.Old.Path + " itself is still in the build", nil
	}
	if slices.ContainsFunc(s.before.Replace, func(r *modfile.Replace) bool { return r.Old.Path == to }) {
		return to + " has a replace of its own", nil
	}
	if behind := behind(f.New, version[to]); behind != "" {
		return behind, nil
	}
	declared, err := s.declaredPath(ctx, f.New)
	if err != nil {
		return "", err
	}
	if declared != to && declared != f.New.Path {
		return fmt.Sprintf("its go.mod declares the path %s, which the go command does not take for %s", declared, to), nil
	}
	return "", nil
}

// behind says why what a replace puts in a module's place is not known to be
// as new as a version of the module; "" if it is. A fork of a release is
// numbered v1.3.6-acme or v1.3.7-0.DATE-COMMIT.
func behind(fork module.Version, version string) string {
	v := fork.Version
	if module.IsPseudoVersion(v) {
		v, _ = module.PseudoVersionBase(v)
	}
	if v == "" {
		return fmt.Sprintf("nothing says which release it is made of, and the build needs %s", version)
	}
	if released := strings.TrimSuffix(semver.Canonical(v), semver.Prerelease(v)); semver.Compare(released, version) < 0 {
		return fmt.Sprintf("it is made of %s, and the build needs %s", released, version)
	}
	return ""
}

// declaredPath returns the path that the go.mod of a module declares.
func (s *solver) declaredPath(ctx context.Context, m module.Version) (string, error) {
	out, err := s.Go.Run(ctx, os.TempDir(), "mod", "download", "-json", versioned(m))
	var d struct{ GoMod, Error string }
	if json.Unmarshal(out, &d) != nil || d.GoMod == "" {
		if err == nil {
			err = fmt.Errorf("go mod download %s: %s", versioned(m), d.Error)
		}
		return "", s.unresolved(ctx, err)
	}
	b, err := os.ReadFile(d.GoMod)
	return modfile.ModulePath(b), err
}

// forksCompile compiles what imports the forks that were moved, and takes
// those moves back that do not compile. It reports whether the plan was
// changed.
func (s *solver) forksCompile(ctx context.Context) (changed bool, err error) {
	for _, f := range s.forks {
		if !f.moved || f.proved {
			continue
		}
		g, err := loadGraph(ctx, s.Go, s.Dir, s.flags(), "./...")
		if err != nil {
			return false, s.unresolved(ctx, err)
		}
		to := renamed[f.Old.Path]
		args := append([]string{"build", "-o", os.DevNull}, s.flags()...)
		n := len(args)
		in := func(p *pkg) bool { return p.moduleVersion().Path == to }
		for _, p := range g.order {
			if !p.own() && p.ForTest == "" && p.Name != "main" && (in(p) || slices.ContainsFunc(g.imports(p), in)) {
				args = append(args, p.ImportPath)
			}
		}
		f.proved = true
		if len(args) == n {
			s.unmove(f, "no package of "+to+" is in the build")
			changed = true
			continue
		}
		out, failed, err := s.Go.Combined(ctx, s.Dir, args...)
		if err != nil {
			return false, err
		}
		if failed {
			words := firstLine(out)
			if fs := failedPackages(out); len(fs) > 0 {
				words = fmt.Sprintf("%s does not compile with it: %s", fs[0].pkg, fs[0].words)
			}
			s.unmove(f, words)
			changed = true
		}
	}
	return changed, nil
}

// unmove takes the move of a fork back.
func (s *solver) unmove(f *fork, why string) {
	f.moved, f.stays = false, why
	delete(s.adds, "replace "+renamed[f.Old.Path])
	delete(s.drop, replaceKey(f.Old))
}

// unmoveFailed takes back what was moved and not proved yet: tidy fails with
// it.
func (s *solver) unmoveFailed(text string) bool {
	undone := false
	for _, f := range s.forks {
		if f.moved && !f.proved {
			s.unmove(f, firstLine(text))
			undone = true
		}
	}
	return undone
}

// reportForks makes a finding of each fork: what it changed is not known here.
func (s *solver) reportForks() {
	for _, f := range s.forks {
		to := renamed[f.Old.Path]
		what := fmt.Sprintf("%s is replaced by %s, which is not the project's own", f.Old.Path, versioned(f.New))
		if f.moved {
			s.finding("gomod-replace", edit.Review, f.Syntax, what+"; it now stands for "+to,
				"check that what the fork changed is still wanted, or drop it with 'go mod edit -dropreplace="+to+"'")
			continue
		}
		why := f.stays
		if why == "" {
			why = "nothing in the build needs " + to
		}
		s.finding("gomod-replace", edit.Review, f.Syntax, fmt.Sprintf("%s; it is not moved to %s: %s", what, to, why),
			"check that what the fork changed is still wanted, and move it with 'go mod edit -replace' to a version for "+to+", or drop it with 'go mod edit -dropreplace="+versioned(f.Old)+"'")
	}
}

var replacedRE = regexp.MustCompile(`module (\S+)@\S+ found \([^)]*replaced by ([^)]+)\), but does not contain package ([^\s:]+)`)

// forkLacks explains a package that the plan needs and that a replacement
// which was kept does not have.
func (s *solver) forkLacks(text string) error {
	m := replacedRE.FindStringSubmatch(text)
	if m == nil {
		return nil
	}
	for _, r := range s.before.Replace {
		if _, dropped := s.drop[replaceKey(r.Old)]; r.Old.Path != m[1] || dropped || s.min[m[1]] == "" {
			continue
		}
		return &Unsolved{
			Release: s.release.Version, Module: versioned(r.Old), Package: m[3], Needs: m[3], Words: text,
			Cause: fmt.Sprintf("%s is replaced by %s, which has no package %s; etcd %s needs %s %s or newer", m[1], m[2], m[3], s.release.Version, m[1], s.min[m[1]]),
			Next:  fmt.Sprintf("bring the replacement up to %s, or drop it with 'go mod edit -dropreplace=%s'", s.min[m[1]], versioned(r.Old)),
		}
	}
	return nil
}

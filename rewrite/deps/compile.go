package deps

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// maxTrials bounds how many newer versions of one dependency are compiled.
const maxTrials = 10

// trial is a dependency that does not compile with the plan, and the search
// for a version of it that does.
type trial struct {
	module  string
	version string // in the plan before the search
	pkg     string // package that does not compile
	words   string // what the compiler said first
	// candidates are the versions to try, best first; next is the place of the
	// one that comes.
	candidates []string
	next       int
}

// dependenciesCompile compiles the packages of other modules that the plan has
// moved something from under, such as gRPC, and raises the module of one that
// fails to the smallest version that does not. A module without one is put
// back and reported; one that failed before is left, unless it is gRPC or
// protobuf that it was not made for. It reports whether the plan was changed.
func (s *solver) dependenciesCompile(ctx context.Context) (changed bool, err error) {
	g, err := loadGraph(ctx, s.Go, s.Dir, s.flags(), "./...")
	if err != nil {
		return false, s.unresolved(ctx, err)
	}
	e, err := s.earlierBuild(ctx)
	if err != nil {
		return false, err
	}
	touched := map[*pkg]bool{}
	mods := map[string]module.Version{}
	direct := map[string]bool{}            // imports what etcd moves itself
	below := map[string][]module.Version{} // package → moved modules that it imports
	args := append([]string{"build", "-o", os.DevNull}, s.flags()...)
	n := len(args)
	for _, p := range g.order { // dependencies come first
		m := p.moduleVersion()
		touched[p] = e.moved(m) || slices.ContainsFunc(g.imports(p), func(q *pkg) bool { return touched[q] })
		if p.Standard || p.own() || isCore(m.Path) || isSplit(m.Path) || !touched[p] || p.ForTest != "" || p.Name == "main" || p.Error != nil ||
			m.Path == "" || s.standIns[m.Path] != "" || s.missing[m.Path] != "" {
			continue
		}
		direct[p.ImportPath] = slices.ContainsFunc(g.imports(p), func(q *pkg) bool {
			d := q.moduleVersion().Path
			return isCore(d) || isSplit(d)
		})
		for _, q := range g.imports(p) {
			if d := q.moduleVersion(); d.Path != m.Path && e.build != nil && e.build[d.Path] != "" && epoch(e.build[d.Path]) != epoch(d.Version) && !slices.Contains(below[p.ImportPath], d) {
				below[p.ImportPath] = append(below[p.ImportPath], d)
			}
		}
		mods[p.ImportPath] = m
		args = append(args, p.ImportPath)
	}
	if len(args) == n {
		return false, nil
	}
	s.Progress("compiling the dependencies that the plan changes something under")
	out, failed, err := s.Go.Combined(ctx, s.Dir, args...)
	if err != nil || !failed {
		return false, err
	}
	for _, f := range failedPackages(out) {
		m, ok := mods[f.pkg]
		if !ok || s.accepted[m.Path] {
			continue
		}
		t := s.trials[m.Path]
		if t == nil {
			if !direct[f.pkg] {
				if before, err := s.failedBefore(ctx, f); err != nil {
					return false, err
				} else if before {
					s.accepted[m.Path] = true
					continue
				}
			}
			t = &trial{module: m.Path, version: m.Version, pkg: f.pkg, words: f.words}
			t.candidates = s.suited(ctx, m.Path, s.candidates(ctx, m.Path, m.Version), below[f.pkg])
			s.trials[m.Path] = t
		}
		return true, s.tryNext(ctx, t)
	}
	return false, nil
}

// tryNext plans the next version of a dependency, or the one that it had.
func (s *solver) tryNext(ctx context.Context, t *trial) error {
	for t.next < min(len(t.candidates), maxTrials) {
		c := t.candidates[t.next]
		t.next++
		if _, err := s.download(ctx, module.Version{Path: t.module, Version: c}); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			continue
		}
		s.Progress("raising %s to %s, since %s does not compile", t.module, c, t.version)
		s.trying = t.module
		s.set[t.module] = requirement{version: c, why: fmt.Sprintf("%s@%s does not compile with etcd %s (%s); this is the first version that does", t.module, t.version, s.release.Version, t.words)}
		delete(s.drop, requireKey(t.module))
		return nil
	}
	s.giveUp(t)
	return nil
}

// giveUp puts a dependency back and reports it.
func (s *solver) giveUp(t *trial) {
	s.trying = ""
	delete(s.set, t.module)
	s.accepted[t.module] = true
	s.finding("gomod-dependency", edit.Manual, s.lineOfModule(t.module),
		fmt.Sprintf("package %s of %s@%s does not compile with etcd %s: %s", t.pkg, t.module, t.version, s.release.Version, t.words),
		fmt.Sprintf("no newer version was found that does (looked at: %d); move to a successor of %s, or to an older line with --target", t.next, t.module))
}

// otherTrial goes on when tidy cannot live with the version that is tried.
func (s *solver) otherTrial(ctx context.Context) (bool, error) {
	t := s.trials[s.trying]
	if t == nil {
		return false, nil
	}
	return true, s.tryNext(ctx, t)
}

type failedPackage struct{ pkg, words string }

var positionRE = regexp.MustCompile(`^\S+\.go:\d+(?::\d+)?: `)

// failedPackages reads which packages "go build" could not compile, with the
// first complaint about each.
func failedPackages(out string) []failedPackage {
	var fs []failedPackage
	for l := range strings.Lines(out) {
		l = strings.TrimRight(l, "\r\n")
		if p, ok := strings.CutPrefix(l, "# "); ok {
			p, _, _ = strings.Cut(p, " ")
			fs = append(fs, failedPackage{pkg: p})
			continue
		}
		if n := len(fs) - 1; n >= 0 && fs[n].words == "" {
			fs[n].words = positionRE.ReplaceAllString(l, "")
		}
	}
	return fs
}

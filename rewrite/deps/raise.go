package deps

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/mod/module"
)

// raised is a module that was raised, and the chain that made it.
type raised struct {
	module string
	links  []link
	u      *Unsolved
	first  string   // version that was tried first
	lost   []string // packages of the module that the code imports and a version lacked
	failed string   // what failed with the version before
	last   bool     // no other version helps
}

// raise raises a module of the chain, whose last link is what must not be
// imported. With is what the module's own code wants of it besides.
func (s *solver) raise(ctx context.Context, links []link, u *Unsolved, with ...string) (bool, error) {
	var tried []string
	for i := len(links) - 2; i >= 0 && !links[i].own; i-- {
		next := links[i+1]
		// The package through which the module is entered: what it has behind
		// that may be named differently in another version.
		for i > 0 && !links[i-1].own && links[i-1].mod.Path == links[i].mod.Path {
			i--
		}
		l := links[i]
		if isSplit(l.mod.Path) {
			break // etcd itself stays at the release
		}
		if l.mod.Version == "" {
			u.Next = fmt.Sprintf("migrate %s first: it is replaced by a folder", l.mod.Path)
			return false, u
		}
		if s.vain[l.mod.Path] {
			tried = append(tried, versioned(l.mod)+" (newer versions do not resolve)")
			continue
		}
		v, n, err := s.newerWithout(ctx, l, next, with)
		if err != nil {
			return false, err
		}
		if v == "" {
			tried = append(tried, fmt.Sprintf("%s (newer versions looked at: %d)", versioned(l.mod), n))
			continue
		}
		s.Progress("raising %s to %s, which does without %s", l.mod.Path, v, next.pkg)
		s.raised[l.mod.Path] = append(s.raised[l.mod.Path], v)
		s.raises = append(s.raises, raised{module: l.mod.Path, links: links, u: u, first: v, lost: with})
		s.set[l.mod.Path] = requirement{version: v, why: fmt.Sprintf("%s imports %s, which does not go with etcd %s; this is the first version that does not", versioned(l.mod), next.pkg, s.release.Version)}
		delete(s.drop, requireKey(l.mod.Path))
		return true, nil
	}
	if len(tried) > 0 {
		u.Cause += "; no version without it was found for " + strings.Join(tried, ", ")
	}
	last := links[len(links)-2]
	if isSplit(last.mod.Path) {
		u.Next = "choose another release with --target"
		return false, u
	}
	u.Next = fmt.Sprintf("move to a successor of %s, or take the code that needs it out; 'go mod why %s' shows the way to it", moduleName(last), last.pkg)
	return false, u
}

// raiseOther gives the last raise up, which led to another failure, and tries
// the next version, or another module of the chain if the version before led to
// the same: newer ones do not bring a package back. Where none helps and all that
// fails is an import of the module's own code, the first is kept: one import is
// less to mend by hand than a plan that has no versions.
func (s *solver) raiseOther(ctx context.Context, now *Unsolved) (bool, error) {
	i := len(s.raises) - 1
	r := s.raises[i]
	set := s.set[r.module]
	tried := versioned(module.Version{Path: r.module, Version: set.version})
	s.Progress("%s does not help: %s imports %s", tried, now.Importer, now.Package)
	s.raises = s.raises[:i]
	delete(s.set, r.module)
	first := r.u.Cause
	own := s.isOwn(now.Importer) && !oldPackage(now.Package)
	if own && strings.HasPrefix(now.Package, r.module+"/") {
		r.lost = append(r.lost, now.Package)
	}
	failed := now.Importer + " imports " + now.Package
	if failed == r.failed && !strings.HasPrefix(now.Module, r.module+"@") {
		s.vain[r.module] = true
	}
	ok, err := s.raise(ctx, r.links, r.u, r.lost...)
	if u := (*Unsolved)(nil); own && !r.last && errors.As(err, &u) {
		set.version, r.last = r.first, true
		s.set[r.module] = set
		s.raises = append(s.raises, r)
		return true, nil
	}
	if again := s.raises; ok && again[len(again)-1].module == r.module {
		again[len(again)-1].first, again[len(again)-1].failed = r.first, failed
	}
	if ok || !errors.Is(err, r.u) {
		return ok, err
	}
	if r.u.leave != nil {
		r.u.Next = fmt.Sprintf("another version alone does not help: with %s, %s", tried, now.Cause)
		r.u.leave()
		return true, nil
	}
	r.u.Cause = fmt.Sprintf("%s; with %s, %s", first, tried, now.Cause)
	return false, r.u
}

// raisesBuild compiles the dependencies between the module and what was
// raised: a version without the import can have another API than those above
// it were written for. It reports whether the plan was changed.
func (s *solver) raisesBuild(ctx context.Context) (bool, error) {
	if len(s.raises) == 0 {
		return false, nil
	}
	g, err := loadGraph(ctx, s.Go, s.Dir, s.flags(), "./...")
	if err != nil {
		return false, s.unresolved(ctx, err)
	}
	for i, r := range s.raises {
		args := append([]string{"build", "-o", os.DevNull}, s.flags()...)
		n := len(args)
		for _, l := range r.links[:len(r.links)-1] {
			// Raising may have cut the chain, so that the rest is in no build.
			if !l.own && !l.test && g.pkgs[l.pkg] != nil {
				args = append(args, l.pkg)
			}
		}
		if len(args) == n {
			continue
		}
		s.Progress("compiling what imports %s", r.module)
		out, failed, err := s.Go.Combined(ctx, s.Dir, args...)
		if err != nil {
			return false, err
		}
		if !failed || !strings.Contains(out, "\n") {
			continue
		}
		s.raises = slices.Delete(s.raises, i, i+1)
		delete(s.set, r.module)
		r.u.Words = out
		if ok, err := s.raise(ctx, r.links, r.u); r.u.leave == nil || !errors.Is(err, r.u) {
			return ok, err
		}
		r.u.leave()
		return true, nil
	}
	return false, nil
}

package deps

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/mod/module"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// tidy reads more than any build does: files with every constraint, and the
// tests of the packages that the module imports. A dependency with an etcd
// backend behind a build tag can so keep it from resolving anything, by an old
// etcd whose tests need a gRPC of their time. Where no version of that
// dependency helps, a bare package stands in for what is not there any more,
// as long as no package of the build imports it; the plan can then be proved,
// and a finding says what tidy will say.

var notThereRE = regexp.MustCompile(`(?m)^\s*(\S+): module \S+ found .*does not contain package`)

// beside stands in for the package at the end of a failure's import chain. It
// reports whether it did.
func (s *solver) beside(u *Unsolved) (bool, error) {
	n := len(u.Chain)
	if n < 3 || len(s.missing) >= maxMissing {
		return false, nil
	}
	last := u.Chain[n-1]
	m := notThereRE.FindStringSubmatch(u.Words)
	if m == nil || m[1] != last || s.missing[last] != "" || module.CheckPath(last) != nil {
		return false, nil
	}
	if err := s.addMissing(last); err != nil {
		return false, err
	}
	s.besides = append(s.besides, u)
	return true, nil
}

// besideBuild fails if the build needs a package that was stood in for.
func (s *solver) besideBuild(ctx context.Context) error {
	if len(s.besides) == 0 {
		return nil
	}
	g, err := loadGraph(ctx, s.Go, s.Dir, s.flags(), "./...")
	if err != nil {
		return s.unresolved(ctx, err)
	}
	for _, u := range s.besides {
		if g.pkgs[u.Chain[len(u.Chain)-1]] != nil {
			return u
		}
	}
	return nil
}

// reportBesides says what tidy fails with.
func (s *solver) reportBesides(ctx context.Context) error {
	for _, u := range s.besides {
		links, err := s.links(ctx, u.Chain)
		if err != nil {
			return err
		}
		dep := links[0].mod.Path
		for _, l := range links {
			if dep = l.mod.Path; !l.own {
				break
			}
		}
		s.finding("gomod-tidy", edit.Review, s.lineOfModule(dep),
			fmt.Sprintf("go mod tidy fails, although no build needs what it misses: %s", strings.Join(u.Chain, " imports ")),
			fmt.Sprintf("move to a successor of %s, or run 'go mod tidy -e' until there is one", dep))
	}
	return nil
}

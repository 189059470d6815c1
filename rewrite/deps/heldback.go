package deps

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// A link is one step of an import chain: a package, and the module that the
// build takes it from.
type link struct {
	pkg string
	mod module.Version // Version "" for the main module and for folders
	own bool
	// test says that the package's tests make the next step.
	test bool
}

// heldBack mends an import chain that ends in an old etcd package, or in a
// package that its module no longer has: it finds the module in the chain
// whose package makes the step, and raises it to the smallest version that
// does not. When that module has none, the one that imports it is tried, up
// to the main module.
//
// It reports whether the plan was changed; where nothing helps, the error
// says which package of which module is in the way.
func (s *solver) heldBack(ctx context.Context, chain []string, text string) (bool, error) {
	links, err := s.links(ctx, chain)
	if err != nil {
		return false, err
	}
	bad := slices.IndexFunc(links, func(l link) bool { return oldPackage(l.pkg) })
	if bad < 0 {
		bad = len(links) - 1 // a package that is not there
	}
	if bad <= 0 {
		return false, nil
	}
	u := &Unsolved{
		Release: s.release.Version, Chain: chain, Words: text,
		Importer: links[bad-1].pkg, Package: links[bad].pkg, Needs: links[bad].pkg,
	}
	if links[bad-1].own {
		u = s.ownImport(ctx, u)
		if slices.ContainsFunc(s.raises, func(r raised) bool { return !r.last }) {
			return false, u // another raise may do without
		}
		return s.standInFor(u)
	}
	u.Module = versioned(links[bad-1].mod)
	u.Cause = fmt.Sprintf("package %s of %s imports %s", u.Importer, u.Module, u.Package)
	return s.raise(ctx, links[:bad+1], u)
}

// disambiguate mends a package that two modules have, a whole one and one
// that was split off it: the whole one is raised to where it lets go.
func (s *solver) disambiguate(ctx context.Context, text string) (bool, error) {
	for _, m := range twoModulesRE.FindAllStringSubmatch(text, -1) {
		p, a, b := m[1], module.Version{Path: m[2], Version: m[3]}, module.Version{Path: m[4], Version: m[5]}
		if len(a.Path) > len(b.Path) {
			a, b = b, a
		}
		if isSplit(a.Path) || s.set[a.Path].version != "" {
			continue
		}
		rel := strings.TrimPrefix(strings.TrimPrefix(p, a.Path), "/")
		for i, c := range s.candidates(ctx, a.Path, a.Version) {
			if i == maxCandidates {
				break
			}
			dir, err := s.download(ctx, module.Version{Path: a.Path, Version: c})
			if err != nil {
				if ctx.Err() != nil {
					return false, ctx.Err()
				}
				continue
			}
			if _, err := importsOf(dir, rel, false); err == nil {
				continue
			}
			s.set[a.Path] = requirement{version: c, why: fmt.Sprintf("it no longer has %s, which %s has as well", p, versioned(b))}
			delete(s.drop, requireKey(a.Path))
			return true, nil
		}
	}
	return false, nil
}

var twoModulesRE = regexp.MustCompile(`(\S+): ambiguous import: found package \S+ in multiple modules:\s+(\S+) (\S+) \([^)]*\)\s+(\S+) (\S+) \(`)

// leftovers looks for what still imports old etcd in a plan that tidied with
// it. The module's own code keeps the version that it had; a dependency is
// raised, or reported.
func (s *solver) leftovers(ctx context.Context) (changed bool, err error) {
	g, err := loadGraph(ctx, s.Go, s.Dir, s.flags(), "./...")
	if err != nil {
		return false, s.unresolved(ctx, err)
	}
	by := map[*pkg]*pkg{}
	for _, p := range g.order {
		if !p.DepOnly {
			for q, from := range g.reach(p) {
				if old, seen := by[q]; !seen || old != nil && from == nil {
					by[q] = from
				}
			}
		}
	}
	done := map[string]bool{}
	for _, p := range g.order {
		if oldPackage(p.path()) {
			continue
		}
		for _, q := range g.imports(p) {
			if !oldPackage(q.path()) {
				continue
			}
			if p.own() {
				root, _ := oldRootOf(q.path())
				if _, dropped := s.drop[requireKey(root)]; dropped {
					delete(s.drop, requireKey(root))
					changed = true
				}
				continue
			}
			path := p.moduleVersion().Path
			if done[path] || s.set[path].version != "" || s.accepted[path] {
				continue
			}
			done[path] = true
			names := append(chain(by, p), q.path())
			links, err := s.links(ctx, names)
			if err != nil {
				return false, err
			}
			u := &Unsolved{Release: s.release.Version, Module: versioned(p.moduleVersion()), Importer: p.path(), Package: q.path()}
			u.Cause = fmt.Sprintf("package %s of %s imports %s", u.Importer, u.Module, u.Package)
			u.leave = func() {
				s.accepted[path] = true
				s.finding("gomod-old-etcd", edit.Review, s.lineOfModule(path),
					fmt.Sprintf("package %s of %s still imports %s: %s", u.Importer, u.Module, u.Package, strings.Join(names, " imports ")), u.Next)
			}
			if up, err := s.raise(ctx, links, u); up {
				return true, nil
			} else if !errors.Is(err, u) {
				return false, err
			}
			u.leave()
		}
	}
	return changed, nil
}

// lineOfModule returns the line of go.mod that requires a module, if any.
func (s *solver) lineOfModule(path string) *modfile.Line {
	for _, r := range s.before.Require {
		if r.Mod.Path == path {
			return r.Syntax
		}
	}
	return nil
}

func moduleName(l link) string {
	if l.mod.Path != "" {
		return l.mod.Path
	}
	return l.pkg
}

// ownImport explains an import of the module's own code that no version of
// the plan can serve.
func (s *solver) ownImport(ctx context.Context, u *Unsolved) *Unsolved {
	if oldPackage(u.Package) {
		u.Module = ""
		u.Cause = fmt.Sprintf("%s still imports %s, which has no home in etcd %s", u.Importer, u.Package, s.release.Version)
		u.Next = "see the finding at that import; the module resolves when it is gone"
		return u
	}
	// A module that the plan raises can have lost a package.
	by := s.requirers(ctx)
	var m module.Version
	for k := range by {
		if (u.Package == k.Path || strings.HasPrefix(u.Package, k.Path+"/")) &&
			(len(k.Path) > len(m.Path) || k.Path == m.Path && semver.Compare(k.Version, m.Version) > 0) {
			m = k
		}
	}
	if m.Path == "" {
		u.Cause = fmt.Sprintf("%s imports %s, which no module that can be had from here has: %s", u.Importer, u.Package, lineWith(u.Words, u.Package+":"))
		u.Next = "give this machine access to it (network, then credentials, then permission: GOPRIVATE, GOPROXY, git), or take the import out"
		return u
	}
	u.Cause = fmt.Sprintf("%s imports %s, which %s no longer has", u.Importer, u.Package, versioned(m))
	for _, r := range s.before.Require {
		if r.Mod.Path == m.Path && semver.Compare(r.Mod.Version, m.Version) < 0 {
			u.Cause += fmt.Sprintf(" (%s had it)", r.Mod.Version)
			if u.Module = dependent(by[m]); u.Module != "" {
				u.Cause += fmt.Sprintf("; %s requires that version", u.Module)
			}
		}
	}
	u.Next = fmt.Sprintf("take the import of %s out of the code, or choose an older line with --target", u.Package)
	return u
}

// dependent returns the first of those that require a module that is not the
// main module, whose go.mod says what the others made it say.
func dependent(by []string) string {
	for _, m := range by {
		if strings.Contains(m, "@") {
			return m
		}
	}
	return ""
}

// links finds the module of each package of a chain. Tidy prints the chain
// without modules, and "go list -m" of the plan knows them all.
func (s *solver) links(ctx context.Context, chain []string) ([]link, error) {
	mods, err := s.modules(ctx, s.Dir, s.flags("all")...)
	if err != nil {
		// tidy failed: the plan as it was written lacks checksums and more.
		mods, err = s.modules(ctx, s.Dir, append([]string{"-mod=mod"}, append(s.overlayFlags(), "all")...)...)
	}
	if err != nil {
		// The build list may itself be in the way; the chain has names at least.
		mods = nil
	}
	local := map[string]bool{}
	for _, r := range s.before.Replace {
		if isLocal(r) {
			local[r.Old.Path] = true
		}
	}
	var out []link
	for _, p := range chain {
		l := link{pkg: strings.TrimSuffix(p, ".test")}
		if l.test = l.pkg != p; l.test {
			out = out[:len(out)-1] // "p tested by p.test"
		}
		p = l.pkg
		for _, m := range mods {
			if (p == m.Path || strings.HasPrefix(p, m.Path+"/")) && len(m.Path) > len(l.mod.Path) {
				l.mod = m
			}
		}
		if local[l.mod.Path] {
			l.mod.Version = ""
		}
		if own := s.before.Module.Mod.Path; s.isOwn(p) && len(own) > len(l.mod.Path) {
			l.own, l.mod = true, module.Version{Path: own}
		}
		out = append(out, l)
	}
	return out, nil
}

// isOwn says whether a package has the module's path.
func (s *solver) isOwn(pkg string) bool {
	own := s.before.Module.Mod.Path
	return pkg == own || strings.HasPrefix(pkg, own+"/")
}

func (s *solver) overlayFlags() []string {
	fl := []string{"-modfile=" + s.modfile}
	if s.OverlayFile != "" {
		fl = append(fl, "-overlay="+s.OverlayFile)
	}
	return fl
}

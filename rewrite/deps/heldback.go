package deps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// maxCandidates bounds how many newer versions of one module are looked at.
const maxCandidates = 40

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

// raised is a module that was raised, and the chain that made it.
type raised struct {
	module string
	links  []link
	u      *Unsolved
	first  string   // version that was tried first
	lost   []string // packages of the module that the code imports and a version lacked
	last   bool     // no other version helps
}

// raiseOther gives the last raise up, which led to another failure, and tries
// the next version. Where none helps and all that fails is an import of the
// module's own code, the first is kept: one import is less to mend by hand than
// a plan that has no versions.
func (s *solver) raiseOther(ctx context.Context, now *Unsolved) (bool, error) {
	i := len(s.raises) - 1
	r := s.raises[i]
	set := s.set[r.module]
	tried := versioned(module.Version{Path: r.module, Version: set.version})
	s.raises = s.raises[:i]
	delete(s.set, r.module)
	first := r.u.Cause
	own := s.isOwn(now.Importer) && !oldPackage(now.Package)
	if own && strings.HasPrefix(now.Package, r.module+"/") {
		r.lost = append(r.lost, now.Package)
	}
	ok, err := s.raise(ctx, r.links, r.u, r.lost...)
	if u := (*Unsolved)(nil); own && !r.last && errors.As(err, &u) {
		set.version, r.last = r.first, true
		s.set[r.module] = set
		s.raises = append(s.raises, r)
		return true, nil
	}
	if again := s.raises; ok && again[len(again)-1].module == r.module {
		again[len(again)-1].first = r.first
	}
	if !ok && err != nil && r.u.Cause != first {
		r.u.Cause = fmt.Sprintf("%s; with %s, %s", first, tried, now.Cause)
	}
	return ok, err
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
		return s.raise(ctx, r.links, r.u)
	}
	return false, nil
}

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
			u := &Unsolved{Module: versioned(p.moduleVersion()), Importer: p.path(), Package: q.path()}
			up, err := s.raise(ctx, links, u)
			if up {
				return true, nil
			}
			if !errors.As(err, &u) {
				return false, err
			}
			s.accepted[path] = true
			s.finding("gomod-old-etcd", edit.Review, s.lineOfModule(path),
				fmt.Sprintf("package %s of %s still imports %s: %s", u.Importer, u.Module, u.Package, strings.Join(names, " imports ")), u.Next)
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

// newerWithout returns the smallest version of a package's module, above the
// one in the build and those that were tried, in which neither the package
// nor those of the module that it imports import the next one of the chain
// (for old etcd: any of it), and that has the packages of with that are the
// module's. n is how many versions were looked at.
func (s *solver) newerWithout(ctx context.Context, l, next link, with []string) (v string, n int, err error) {
	above := l.mod.Version
	for _, t := range s.raised[l.mod.Path] {
		if semver.Compare(t, above) > 0 {
			above = t
		}
	}
	for _, c := range s.candidates(ctx, l.mod.Path, above) {
		if n++; n > maxCandidates {
			break
		}
		m := module.Version{Path: l.mod.Path, Version: c}
		dir, err := s.download(ctx, m)
		if err != nil {
			if ctx.Err() != nil {
				return "", n, ctx.Err()
			}
			continue // a version that cannot be had is no candidate
		}
		imports, err := importsBehind(dir, l)
		if err != nil {
			continue // the package is gone, or cannot be read
		}
		if slices.ContainsFunc(with, func(p string) bool {
			rel, ok := strings.CutPrefix(p, l.mod.Path+"/")
			_, err := importsOf(dir, rel, false)
			return ok && err != nil
		}) {
			continue
		}
		if !slices.ContainsFunc(imports, func(p string) bool {
			return p == next.pkg || oldPackage(next.pkg) && oldPackage(p)
		}) {
			return c, n, nil
		}
	}
	return "", n, nil
}

// candidates returns the versions of a module above one, oldest first. The
// list of a proxy can be incomplete, so the versions that the build graph
// names are added, and the first patch of each minor version that the list
// leaves out.
func (s *solver) candidates(ctx context.Context, path, above string) []string {
	seen := map[string]bool{}
	out, err := s.Go.Run(ctx, os.TempDir(), "list", "-m", "-versions", "-json=Versions", path)
	if err == nil {
		var m struct{ Versions []string }
		if json.Unmarshal(out, &m) == nil {
			for _, v := range m.Versions {
				seen[v] = true
			}
		}
	}
	for m := range s.requirers(ctx) {
		if m.Path == path {
			seen[m.Version] = true
		}
	}
	for v := range seen {
		for _, gap := range []string{minorAfter(above), minorBefore(v)} {
			if gap != "" && semver.Compare(gap, above) > 0 {
				seen[gap] = true
			}
		}
	}
	if len(seen) == 0 {
		if gap := minorAfter(above); gap != "" {
			seen[gap] = true
		}
	}
	pre := semver.Prerelease(above) != "" // pseudo-versions have one too
	var list []string
	for v := range seen {
		if semver.Compare(v, above) > 0 && (pre || semver.Prerelease(v) == "") {
			list = append(list, v)
		}
	}
	semver.Sort(list)
	return list
}

// minorAfter returns vX.(Y+1).0 for vX.Y.Z, and minorBefore vX.Y.0.
func minorAfter(v string) string {
	mm := semver.MajorMinor(v)
	i := strings.LastIndexByte(mm, '.')
	if i < 0 {
		return ""
	}
	n, err := strconv.Atoi(mm[i+1:])
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s.%d.0%s", mm[:i], n+1, semver.Build(v))
}

func minorBefore(v string) string {
	if mm := semver.MajorMinor(v); mm != "" {
		return mm + ".0" + semver.Build(v)
	}
	return ""
}

// download brings a module version into the module cache and returns where
// its files are. It runs outside of any module, so that no go.sum gets a line
// of a version that is only looked at.
func (s *solver) download(ctx context.Context, m module.Version) (string, error) {
	out, err := s.Go.Run(ctx, os.TempDir(), "mod", "download", "-json", versioned(m))
	var d struct{ Dir, Error string }
	if jerr := json.Unmarshal(out, &d); jerr == nil && d.Error != "" {
		return "", errors.New(d.Error)
	}
	if err != nil {
		return "", err
	}
	return d.Dir, nil
}

// importsBehind returns what a package, and the packages of its module that
// it imports, import from elsewhere.
func importsBehind(dir string, l link) ([]string, error) {
	var out []string
	seen := map[string]bool{l.pkg: true}
	for queue := []string{l.pkg}; len(queue) > 0; queue = queue[1:] {
		p := queue[0]
		imports, err := importsOf(dir, strings.TrimPrefix(strings.TrimPrefix(p, l.mod.Path), "/"), l.test && p == l.pkg)
		if err != nil {
			if p == l.pkg {
				return nil, err
			}
			continue // a module of its own below this one
		}
		for _, i := range imports {
			if seen[i] {
				continue
			}
			seen[i] = true
			if i == l.mod.Path || strings.HasPrefix(i, l.mod.Path+"/") {
				queue = append(queue, i)
			} else {
				out = append(out, i)
			}
		}
	}
	return out, nil
}

// importsOf returns what the Go files of a folder of a module import, with
// those of its tests only if they are asked for. As for tidy, every file
// counts but those that no build has.
func importsOf(dir, rel string, tests bool) ([]string, error) {
	names, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(rel), "*.go"))
	if err != nil {
		return nil, err
	}
	var out []string
	found := false
	for _, name := range names {
		if !tests && strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil || ignored(f) {
			continue
		}
		found = true
		for _, i := range f.Imports {
			if p, err := strconv.Unquote(i.Path.Value); err == nil && !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	if !found {
		return nil, os.ErrNotExist
	}
	return out, nil
}

// ignored reports whether a file has the constraint "ignore".
func ignored(f *ast.File) bool {
	for _, g := range f.Comments {
		if g.Pos() > f.Package {
			break
		}
		for _, c := range g.List {
			if t := strings.TrimSpace(c.Text); t == "//go:build ignore" || t == "// +build ignore" {
				return true
			}
		}
	}
	return false
}

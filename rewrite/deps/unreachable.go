package deps

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/gocmd"
)

// A module that cannot be had from here, such as a private one without
// credentials, keeps tidy from resolving anything at all. An empty module
// stands in for it while the plan is made: a folder in the scratch space,
// with a bare package for each import, put in place by a replace that the
// planned go.mod does not get. What the module itself requires stays unknown,
// so nothing that go.mod or go.sum had before is taken away.

// maxStandIns bounds how many modules are stood in for: beyond it, the network
// is the trouble and not a module.
const maxStandIns = 12

var (
	unreachableRE = regexp.MustCompile(`(?m)(?:^go: |^\t|: |requires\s+)([^\s:@]+)@(v[^\s:]+)(?: \(replaced by [^)]*\))?: (reading |invalid version: |unrecognized import path |git ls-remote |Get "|no matching |unknown revision |module lookup disabled )`)
	noPackageRE   = regexp.MustCompile(`(?m)^(?:go: |\s)*(?:\S+ imports\s+)?([^\s:]+): (?:module |cannot find module |no required module )`)
	dialRE        = regexp.MustCompile(`(?:connection refused|no such host|i/o timeout|network is unreachable|TLS handshake timeout)`)
)

// standIn puts an empty module in the place of one that tidy could not have.
func (s *solver) standIn(ctx context.Context, text string) (bool, error) {
	// Packages that an empty module lacks.
	changed := false
	for _, m := range noPackageRE.FindAllStringSubmatch(text, -1) {
		path := ""
		for p := range s.standIns {
			if (m[1] == p || strings.HasPrefix(m[1], p+"/")) && len(p) > len(path) && !s.sibling[p] {
				path = p
			}
		}
		if path == "" {
			continue
		}
		if err := writePackage(s.standIns[path], strings.TrimPrefix(strings.TrimPrefix(m[1], path), "/"), m[1]); err != nil {
			return false, err
		}
		changed = true
	}
	if changed {
		return true, nil
	}
	for _, m := range unreachableRE.FindAllStringSubmatch(text, -1) {
		path, version := m[1], strings.TrimSuffix(m[2], "/go.mod")
		if s.standIns[path] != "" || s.min[path] != "" || s.needed[path] != "" || len(s.standIns) >= maxStandIns {
			continue
		}
		if isOldRoot(path) {
			ok, err := s.repoint(ctx, module.Version{Path: path, Version: version}, text)
			if ok || err != nil {
				return ok, err
			}
			continue
		}
		dir, vendored, err := makeStandIn(s.Dir, s.Scratch, path, s.directive())
		if err != nil {
			return false, err
		}
		s.standIns[path] = dir
		severity, with := edit.Manual, ""
		if vendored {
			s.vendored = append(s.vendored, path)
			severity, with = edit.Review, " (its copy in vendor is used)"
		}
		s.finding("gomod-unreachable", severity, s.lineOfModule(path),
			fmt.Sprintf("%s@%s cannot be had from here%s, so what it requires is not part of the plan: %s", path, version, with, lineWith(text, path+"@"+version)),
			"give this machine access (network, then credentials, then permission: GOPRIVATE, GOPROXY, git), or run 'go mod tidy' where it has it")
		changed = true
	}
	return changed, nil
}

// makeStandIn makes, in the scratch folder, the module that stands in for one
// that cannot be had: its copy in the tree's vendor folder, which then can be
// compiled, or else a module without packages. lang is the language version
// of one that vendor/modules.txt has none for.
func makeStandIn(tree, scratch, path, lang string) (dir string, vendored bool, err error) {
	dir = filepath.Join(scratch, "standin", filepath.FromSlash(path))
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", false, err
	}
	src := filepath.Join(tree, "vendor", filepath.FromSlash(path))
	own, _ := gocmd.Vendored(tree)
	if _, err := os.Stat(src); err == nil && own {
		vendored = true
		if err := os.CopyFS(dir, os.DirFS(src)); err != nil {
			return "", false, err
		}
		if lang, err = vendoredLanguage(tree, path, lang); err != nil {
			return "", false, err
		}
	}
	mod := fmt.Sprintf("module %s\n\ngo %s\n", modfile.AutoQuote(path), lang)
	return dir, vendored, os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o666)
}

// vendoredLanguage returns the language version that vendor/modules.txt has
// for a module, or lang.
func vendoredLanguage(tree, path, lang string) (string, error) {
	txt, err := os.ReadFile(filepath.Join(tree, "vendor", "modules.txt"))
	if err != nil {
		return "", err
	}
	found := false
	for l := range strings.Lines(string(txt)) {
		f := strings.Fields(l)
		switch {
		case len(f) > 1 && f[0] == "#":
			found = f[1] == path
		case found && len(f) > 0 && f[0] == "##":
			if _, v, ok := strings.Cut(l, "go "); ok {
				lang = strings.TrimSpace(v)
			}
		}
	}
	return lang, nil
}

// lineWith returns the line of a text that mentions a word.
func lineWith(text, word string) string {
	for l := range strings.Lines(text) {
		if strings.Contains(l, word) {
			return strings.TrimPrefix(strings.TrimSpace(l), "go: ")
		}
	}
	return firstLine(text)
}

// writePackage makes a bare package with the name that its import path
// suggests. tidy reads imports only; the name keeps what the compiler says of
// the code around it short.
func writePackage(dir, rel, importPath string) error {
	dir = filepath.Join(dir, filepath.FromSlash(rel))
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "standin.go"), []byte("package "+assumedName(importPath)+"\n"), 0o666)
}

// assumedName guesses a package name from an import path.
func assumedName(importPath string) string {
	prefix, _, ok := module.SplitPathVersion(importPath)
	if !ok {
		prefix = importPath
	}
	name := strings.TrimPrefix(path.Base(prefix), "go-")
	if i := strings.IndexFunc(name, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }); i >= 0 {
		name = name[:i]
	}
	if !token.IsIdentifier(name) {
		return "standin"
	}
	return name
}

// Unproved are the packages that cannot be compiled from here, for they import,
// directly or not, one that only a bare package stands in for.
type Unproved struct {
	// Behind has the packages of the module, with the import path of the bare
	// one.
	Behind map[string]string
	// misled has the packages, of the module or not, that import a bare one
	// themselves: what the compiler says of them is about the stand-in. Those
	// further away it does not compile, or what it says of them is true.
	misled map[string]bool
}

// Misled says whether a complaint about a file of a package is about a bare
// package and not about the code. A file of tests may import more than the
// package that it tests.
func (u Unproved) Misled(pkg, file string) bool {
	return u.misled[pkg] || strings.HasSuffix(file, "_test.go") && u.misled[testsOf(pkg)]
}

func testsOf(pkg string) string { return pkg + ".test" }

// Unprovable finds what keeps the packages of the module from being compiled
// from here. The flags are those of Generations.
func Unprovable(ctx context.Context, req Request, res *Result, flags ...string) (Unproved, error) {
	out := Unproved{Behind: map[string]string{}, misled: map[string]bool{}}
	bare := slices.DeleteFunc(slices.Clone(res.Unreachable), func(m string) bool { return slices.Contains(res.vendored, m) })
	if bare = append(bare, res.Missing...); len(bare) == 0 {
		return out, nil
	}
	run := req.Go
	if run == nil {
		run = new(gocmd.Runner)
	}
	fl := []string{"-mod=readonly", "-modfile=" + res.ModFile}
	if req.OverlayFile != "" {
		fl = append(fl, "-overlay="+req.OverlayFile)
	}
	g, err := loadGraph(ctx, run.With("GOWORK=off"), req.Dir, append(fl, flags...), "./...")
	if err != nil {
		return out, err
	}
	through := map[*pkg]string{}
	for _, p := range g.order { // dependencies come first
		if slices.Contains(bare, p.moduleVersion().Path) {
			through[p] = p.path()
			continue
		}
		name := p.path()
		if p.ForTest != "" && strings.TrimSuffix(name, "_test") == p.ForTest {
			name = testsOf(p.ForTest)
		}
		for _, q := range g.imports(p) {
			if through[q] == "" {
				continue
			}
			if through[p] == "" {
				through[p] = through[q]
			}
			if through[q] == q.path() { // a bare one
				out.misled[name] = true
			}
		}
		if name = strings.TrimSuffix(name, ".test"); p.own() && through[p] != "" && out.Behind[name] == "" {
			out.Behind[name] = through[p]
		}
	}
	return out, nil
}

// proxyDown reports whether the text is about a proxy that does not answer.
// With a module of its own the network may be fine: then the import path or
// the repository is named, and not a proxy's URL.
func (s *solver) proxyDown(ctx context.Context, text string) bool {
	if !dialRE.MatchString(text) {
		return false
	}
	out, err := s.Go.Run(ctx, s.Dir, "env", "GOPROXY")
	if err != nil {
		return false
	}
	for _, p := range strings.FieldsFunc(strings.TrimSpace(string(out)), func(r rune) bool { return r == ',' || r == '|' }) {
		p = strings.TrimSuffix(p, "/")
		if strings.Contains(p, "://") && strings.Contains(text, `"`+p+"/") {
			return true
		}
	}
	return false
}

// repoint mends a requirement of another module for an old etcd that cannot
// be had: since 3.4 its tags are no valid versions of its module path, and
// such requirements resolve only while the root module replaces them.
func (s *solver) repoint(ctx context.Context, m module.Version, text string) (bool, error) {
	asks := strings.TrimPrefix(lineWith(text, " requires"), "go: ")
	asks, _, _ = strings.Cut(asks, " ")
	if asks == "" || strings.Contains(asks, versioned(m)) {
		asks = "a module in the build"
	}
	why := fmt.Sprintf("%s requires %s, which is no valid version", asks, versioned(m))
	for _, r := range s.before.Replace {
		if r.Old.Path == m.Path && (r.Old.Version == "" || r.Old.Version == m.Version) {
			key := replaceKey(r.Old)
			if _, dropped := s.drop[key]; dropped {
				delete(s.drop, key)
				s.kept[key] = why
				return true, nil
			}
			return false, nil
		}
	}
	key := "replace " + versioned(m)
	if _, done := s.adds[key]; done {
		return false, nil
	}
	for _, v := range []string{pseudoOf(m.Path, m.Version), "v0.5.0-alpha.5.0.20210512015243-d19fbe541bf9"} {
		if v == "" {
			continue
		}
		to := module.Version{Path: "go.etcd.io/etcd", Version: v}
		if _, err := s.download(ctx, to); err == nil {
			s.adds[key] = modfileReplace{old: m, new: to, why: why + "; this is the same release under a version that is"}
			return true, nil
		}
	}
	return false, nil
}

// withoutStandIns turns the tidied module files into those for the tree, and
// leaves the former beside them for building what can be built from here.
func (s *solver) withoutStandIns(mod, sum []byte) (planMod, planSum []byte, err error) {
	f, err := parseMod("go.mod", mod)
	if err != nil {
		return nil, nil, err
	}
	for path := range s.missing {
		if err := f.DropRequire(path); err != nil {
			return nil, nil, err
		}
		if err := f.DropReplace(path, ""); err != nil {
			return nil, nil, err
		}
	}
	for path := range s.standIns {
		if err := f.DropReplace(path, ""); err != nil {
			return nil, nil, err
		}
		// The workspace needs no require of its members; tidy wrote one.
		for _, r := range slices.Clone(f.Require) {
			if r.Mod.Path == path && r.Mod.Version == noVersion(path) && s.lineOfModule(path) == nil {
				if err := f.DropRequire(path); err != nil {
					return nil, nil, err
				}
			}
		}
	}
	for _, r := range s.before.Replace {
		if _, dropped := s.drop[replaceKey(r.Old)]; !dropped && s.standIns[r.Old.Path] != "" {
			if err := f.AddReplace(r.Old.Path, r.Old.Version, r.New.Path, r.New.Version); err != nil {
				return nil, nil, err
			}
		}
	}
	have := map[string]bool{}
	for _, r := range f.Require {
		have[r.Mod.Path] = true
	}
	if !s.known() {
		for _, r := range s.before.Require {
			if _, dropped := s.drop[requireKey(r.Mod.Path)]; !dropped && !have[r.Mod.Path] && r.Indirect {
				f.AddNewRequire(r.Mod.Path, r.Mod.Version, true)
			}
		}
	}
	f.Cleanup()
	if planMod, err = f.Format(); err != nil {
		return nil, nil, err
	}
	var keep bytes.Buffer // what tidy took away because of the stand-ins
	for l := range bytes.Lines(s.sum) {
		path, _, _ := strings.Cut(string(l), " ")
		if !s.known() || s.sibling[path] {
			keep.Write(l)
		}
	}
	return planMod, mergeSums(sum, keep.Bytes()), nil
}

// noVersion is a version that cannot exist, for a module that is a folder: the
// one that tidy writes itself.
func noVersion(path string) string {
	_, major, _ := module.SplitPathVersion(path)
	return module.ZeroPseudoVersion(module.PathMajorPrefix(major))
}

// maxMissing bounds how many packages are stood in for.
const maxMissing = 50

// standInFor puts a bare package in the place of one that the module's own
// code imports and that no version of the plan has, and reports each import
// of it: the rest of the plan does not depend on what a person makes of them.
func (s *solver) standInFor(u *Unsolved) (bool, error) {
	if s.missing[u.Package] != "" || len(s.missing) >= maxMissing || module.CheckPath(u.Package) != nil {
		return false, u
	}
	if !s.importFindings(u) {
		return false, u
	}
	return true, s.addMissing(u.Package)
}

// addMissing makes a module of a package that is missing.
func (s *solver) addMissing(pkg string) error {
	dir := filepath.Join(s.Scratch, "missing", filepath.FromSlash(pkg))
	if err := writePackage(dir, "", pkg); err != nil {
		return err
	}
	s.missing[pkg] = dir
	return os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module "+modfile.AutoQuote(pkg)+"\n"), 0o666)
}

// lookupRE matches a package whose module was looked for and not to be had.
var lookupRE = regexp.MustCompile(`(?m)^\s*([^\s:]+): (?:module \S+: (?:reading |git ls-remote |unrecognized import path |Get ")|cannot find module providing package)`)

// standInBehind does so for what a dependency imports, no go.mod requires and
// cannot be had: what imports that cannot be proved from here, the rest can.
func (s *solver) standInBehind(u *Unsolved) (found bool, err error) {
	for _, m := range lookupRE.FindAllStringSubmatch(u.Words, -1) {
		pkg := m[1]
		own := oldPackage(pkg)
		s.ownImports(pkg, func(string, token.Position, token.Position) { own = true })
		if own || s.missing[pkg] != "" || len(s.missing) >= maxMissing || module.CheckPath(pkg) != nil {
			continue
		}
		if err := s.addMissing(pkg); err != nil {
			return false, err
		}
		if !found {
			s.finding("gomod-unreachable", edit.Manual, nil,
				fmt.Sprintf("%s, which a dependency imports and no go.mod requires, cannot be had from here: %s", pkg, lineWith(u.Words, pkg+": ")),
				"give this machine access (network, then credentials, then permission: GOPRIVATE, GOPROXY, git), move to a successor of "+u.Importer+", or take the code that needs it out")
		}
		found = true
	}
	return found, nil
}

// importFindings reports the imports of a package in the module's files.
// Imports of old etcd are the rules' to report; they only have to be there. A
// package that no file of the tree imports, such as one that the rewritten
// sources do, is not stood in for.
func (s *solver) importFindings(u *Unsolved) (found bool) {
	message := strings.TrimPrefix(u.Cause, u.Importer+" imports ")
	s.ownImports(u.Package, func(rel string, start, end token.Position) {
		found = true
		if oldPackage(u.Package) {
			return
		}
		s.findings = append(s.findings, edit.Finding{
			Rule: "gomod-missing-package", Severity: edit.Manual, Tier: edit.Syntax,
			File:  rel,
			Start: start.Offset, End: end.Offset, Line: start.Line, Col: start.Column, EndLine: end.Line,
			Message: cmp.Or(message, "no module that can be had from here has "+u.Package),
			Advice:  cmp.Or(u.Next, "find out what took its place, or where it can be had"),
		})
	})
	return found
}

// ownImports calls f for each import of a package in the module's own files.
func (s *solver) ownImports(pkg string, f func(rel string, start, end token.Position)) {
	filepath.WalkDir(s.Dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // what cannot be read is not built either
		}
		if d.IsDir() {
			if name == s.Dir {
				return nil
			}
			_, err := os.Stat(filepath.Join(name, "go.mod"))
			if base := d.Name(); err == nil || base == "vendor" || base == "testdata" || base[0] == '.' || base[0] == '_' {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, nil, parser.ImportsOnly)
		if file == nil || err != nil {
			return nil
		}
		rel, err := filepath.Rel(s.Dir, name)
		if err != nil {
			return nil
		}
		for _, i := range file.Imports {
			if p, _ := strconv.Unquote(i.Path.Value); p == pkg {
				f(filepath.ToSlash(rel), fset.Position(i.Pos()), fset.Position(i.End()))
			}
		}
		return nil
	})
}

// mergeSums joins two go.sum files in the order of the go command.
func mergeSums(a, b []byte) []byte {
	if len(a)+len(b) == 0 {
		return nil
	}
	seen := map[string]bool{}
	type entry struct {
		path, version, line string
		mod                 bool
	}
	var es []entry
	for _, data := range [][]byte{a, b} {
		for l := range bytes.Lines(data) {
			line := strings.TrimSpace(string(l))
			f := strings.Fields(line)
			if len(f) != 3 || seen[line] {
				continue
			}
			seen[line] = true
			v, mod := strings.CutSuffix(f[1], "/go.mod")
			es = append(es, entry{f[0], v, line, mod})
		}
	}
	slices.SortStableFunc(es, func(a, b entry) int {
		if c := strings.Compare(a.path, b.path); c != 0 {
			return c
		}
		if c := semver.Compare(a.version, b.version); c != 0 {
			return c
		}
		switch {
		case a.mod == b.mod:
			return strings.Compare(a.line, b.line)
		case b.mod:
			return -1
		}
		return 1
	})
	var out bytes.Buffer
	for _, e := range es {
		out.WriteString(e.line + "\n")
	}
	return out.Bytes()
}

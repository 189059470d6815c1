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
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// maxCandidates bounds how many newer versions of one module are looked at.
const maxCandidates = 40

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

package legacy

import (
	"context"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/module"
)

// rounds bounds how far the imports of dependencies are followed.
const rounds = 12

// close finds modules for everything that the code imports, directly or
// through modules without a go.mod: what those need nothing says, and the go
// command would take today's release of it.
func (q *resolver) close(ctx context.Context, imports map[string]bool) error {
	for range rounds {
		open := q.needs(ctx, imports)
		if len(open) == 0 {
			return ctx.Err()
		}
		if err := q.open(ctx, open); err != nil {
			return err
		}
		for _, imp := range open {
			q.asked[imp] = true
			q.fromVendor(imp)
		}
	}
	return nil
}

// needs lists the packages that no module holds so far, and that were not
// asked for before.
func (q *resolver) needs(ctx context.Context, imports map[string]bool) []string {
	var all []module.Version
	for _, mod := range sortedKeys(q.found) {
		all = append(all, q.source(mod))
	}
	q.download(ctx, all...)
	var open []string
	seen := map[string]bool{}
	queue := sortedKeys(imports)
	for len(queue) > 0 {
		imp := queue[0]
		queue = queue[1:]
		if seen[imp] {
			continue
		}
		seen[imp] = true
		mod := q.moduleOf(imp)
		if mod == "" {
			open = append(open, imp)
			continue
		}
		dir := q.dirs[q.source(mod)]
		if dir == "" {
			continue
		}
		folder := filepath.Join(dir, filepath.FromSlash(strings.TrimPrefix(imp, mod)))
		if found, _ := filepath.Glob(filepath.Join(folder, "*.go")); len(found) == 0 {
			open = append(open, imp) // perhaps of a module below it, such as one of another major version
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			continue // it says itself what it needs
		}
		queue = append(queue, importsOf(folder)...)
	}
	open = slices.DeleteFunc(open, func(imp string) bool { return q.asked[imp] })
	slices.Sort(open)
	return open
}

// fromVendor takes the repository's own copy of a package that no module
// holds. The version is one that no proxy has, with the commit of the lock if
// there is one.
func (q *resolver) fromVendor(imp string) {
	if files, _ := filepath.Glob(filepath.Join(q.vendor, filepath.FromSlash(imp), "*.go")); len(files) == 0 || q.covers(imp) {
		return
	}
	root := repoRoot(imp)
	for p := imp; p != "."; p = path.Dir(p) {
		if _, ok := q.pins[p]; ok {
			root = p
			break
		}
	}
	rev := "000000000000"
	if r := q.pins[root].revision; len(r) >= 12 {
		rev = r[:12]
	}
	v := module.Version{Path: root, Version: module.PseudoVersion("v0", "", time.Time{}, rev)}
	q.found[root] = v
	q.dirs[v] = filepath.Join(q.vendor, filepath.FromSlash(root))
	q.vendored = append(q.vendored, v)
}

// source is where the files of a module come from.
func (q *resolver) source(mod string) module.Version {
	if fork, ok := q.forks[mod]; ok {
		return fork
	}
	return q.found[mod]
}

// moduleOf returns the path of the module that holds a package, "" if none
// was found.
func (q *resolver) moduleOf(imp string) string {
	for p := imp; p != "." && p != "/"; p = path.Dir(p) {
		if _, ok := q.found[p]; ok {
			return p
		}
	}
	return ""
}

// covers says whether a module that was found holds a package.
func (q *resolver) covers(imp string) bool { return q.moduleOf(imp) != "" }

// importsOf lists what the files of a folder import from outside the standard
// library, those of its tests left out.
func importsOf(dir string) []string {
	names, _ := filepath.Glob(filepath.Join(dir, "*.go"))
	var out []string
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil || f.Name.Name == "main" {
			continue // a program beside the package is built by name
		}
		for _, spec := range f.Imports {
			if p, err := strconv.Unquote(spec.Path.Value); err == nil && !isStd(p) {
				out = append(out, p)
			}
		}
	}
	return out
}

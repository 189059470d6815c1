package main

import (
	"cmp"
	"context"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/gocmd"
	"github.com/etcdshift/etcdshift/rewrite/report"
	"github.com/etcdshift/etcdshift/rewrite/verify"
)

var etcdPath = regexp.MustCompile(`\b(github\.com/(coreos|etcd-io)|go\.etcd\.io)/(etcd|raft)\b`)

// modules lists the folders of a tree with a go.mod that have to do with etcd:
// it, or a Go file of theirs, names a path of etcd.
func modules(root string) ([]string, error) {
	var dirs []string
	var walk func(dir string) (bool, error)
	walk = func(dir string) (bool, error) { // says whether files that no inner go.mod claims name etcd
		entries, err := os.ReadDir(filepath.Join(root, filepath.FromSlash(dir)))
		if err != nil {
			return false, err
		}
		module, etcd := false, false
		for _, e := range entries {
			name := path.Join(dir, e.Name())
			switch {
			case e.IsDir() && !outside(e.Name()):
				found, err := walk(name)
				if err != nil {
					return false, err
				}
				etcd = etcd || found
			case e.Type().IsRegular() && (e.Name() == "go.mod" || path.Ext(e.Name()) == ".go"):
				module = module || e.Name() == "go.mod"
				data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
				if err != nil {
					return false, err
				}
				etcd = etcd || etcdPath.Match(data)
			}
		}
		if module {
			if etcd {
				dirs = append(dirs, dir)
			}
			return false, nil
		}
		return etcd, nil
	}
	_, err := walk(".")
	return dirs, err
}

// outside names folders whose code is not the repository's, or not code.
func outside(name string) bool {
	return name == "vendor" || name == "testdata" || name == "Godeps" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
}

// measured is what the go command says of a tree.
type measured struct {
	Modules  []string         `json:"modules"` // empty before modules
	Problems []verify.Problem `json:"problems,omitempty"`
}

// measure builds and vets the modules of a tree where it lies, in the
// configuration of this machine: a check of what a plan says of itself, and
// the same for whoever made the tree.
func measure(ctx context.Context, root string) (m measured, err error) {
	if m.Modules, err = modules(root); err != nil {
		return m, err
	}
	for _, dir := range m.Modules {
		abs := filepath.Join(root, filepath.FromSlash(dir))
		req := verify.Request{
			Go: &gocmd.Runner{}, Dir: abs, Level: verify.Vet,
			Configs: []verify.Config{{Name: runtime.GOOS + "/" + runtime.GOARCH}},
		}
		if _, err := os.Stat(filepath.Join(abs, "vendor", "modules.txt")); err == nil {
			req.Mod = "vendor"
		}
		res, err := verify.Run(ctx, req)
		if err != nil {
			return m, err
		}
		for _, p := range res.Problems {
			if p.File != "" && !path.IsAbs(p.File) {
				p.File = path.Join(dir, p.File)
			}
			p.Message = strings.ReplaceAll(p.Message, root, ".")
			m.Problems = append(m.Problems, p)
		}
	}
	return m, nil
}

// planned lists the problems of a plan's own proof by their place in the
// repository.
func planned(run *report.Run, pick func(report.Proof) []verify.Problem) []verify.Problem {
	var out []verify.Problem
	if run == nil {
		return nil
	}
	for _, m := range run.Modules {
		for _, p := range pick(m.Proof) {
			if p.File != "" && !path.IsAbs(p.File) {
				p.File = path.Join(m.Dir, p.File)
			}
			out = append(out, p)
		}
	}
	return out
}

// same identifies a problem in whatever configuration and line. go vet tells
// whose a line is where the package does not compile, and then of lines of others
// that follow it: the file says more.
func same(p verify.Problem) string { return cmp.Or(p.File, p.Package) + "\x00" + p.Message }

// fresh returns the problems that are not among known ones.
func fresh(after []verify.Problem, known ...[]verify.Problem) []verify.Problem {
	seen := map[string]bool{}
	for _, ps := range known {
		for _, p := range ps {
			seen[same(p)] = true
		}
	}
	var out []verify.Problem
	for _, p := range after {
		if k := same(p); !seen[k] {
			seen[k] = true
			out = append(out, p)
		}
	}
	return out
}

// uncovered returns the compile errors that no finding names: on their line,
// or, of a package or a dependency as a whole, in the go.mod of a module.
// oldLine maps lines of the result to those of the file before, which findings
// count.
func uncovered(ps []verify.Problem, findings []edit.Finding, oldLine func(file string, line int) int) []verify.Problem {
	var out []verify.Problem
	for _, p := range ps {
		if p.Tool == "vet" {
			continue
		}
		named := false
		for _, f := range findings {
			if p.File == "" || path.IsAbs(p.File) {
				named = named || path.Base(f.File) == "go.mod"
				continue
			}
			line := oldLine(p.File, p.Line)
			named = named || f.File == p.File && f.Line <= line && line <= max(f.Line, f.EndLine)
		}
		if !named {
			out = append(out, p)
		}
	}
	return out
}

// lineMap maps lines of files of one tree to those of another.
func lineMap(before, after string) func(file string, line int) int {
	return func(file string, line int) int {
		a, err := os.ReadFile(filepath.Join(before, filepath.FromSlash(file)))
		if err != nil {
			return line
		}
		b, err := os.ReadFile(filepath.Join(after, filepath.FromSlash(file)))
		if err != nil {
			return line
		}
		return edit.OldLine(a, b, line)
	}
}

// files lists the files of a tree that pass, slash-separated.
func files(root string, pass func(name string) bool) ([]string, error) {
	var out []string
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != root && outside(d.Name()) && d.Name() != ".github" {
			return fs.SkipDir
		}
		rel, err := filepath.Rel(root, p)
		if rel = filepath.ToSlash(rel); err == nil && d.Type().IsRegular() && pass(rel) {
			out = append(out, rel)
		}
		return err
	})
	return out, err
}

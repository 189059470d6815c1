package load

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/tools/go/packages"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/gocmd"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// Package is a package of the repository that matters, type-checked as far as
// that went.
type Package struct {
	ID     string // as go list names it, with its build configuration
	Path   string
	Name   string
	From   string // etcd release that it was written for, where it is known for it alone
	Config Config
	Fset   *token.FileSet
	Files  []*File
	Types  *types.Package // nil in the syntax tier
	Info   *types.Info    // nil in the syntax tier
	Tier   edit.Tier
	Errors []Problem
}

// Imports lists the import paths of the package's files.
func (p *Package) Imports() []string {
	var out []string
	for _, f := range p.Files {
		for _, s := range f.AST.Imports {
			if path, err := strconv.Unquote(s.Path.Value); err == nil {
				out = append(out, path)
			}
		}
	}
	return out
}

// File is a parsed file of the repository.
type File struct {
	Name string // slash-separated, relative to the root of the tree
	Src  []byte
	AST  *ast.File
}

// Problem is something that keeps a file or package from being understood.
type Problem struct {
	File    string // relative to the root of the tree; "" for a package as a whole
	Line    int
	Col     int
	Message string
}

// Options of Load.
type Options struct {
	Go   *gocmd.Runner
	Tags []string // build tags of --tags
	// OldModFile writes a go.mod aside with which a module that does not
	// resolve can be listed all the same. It is tried when the plain listing
	// leaves etcd imports unresolved; nil for never.
	OldModFile func(ctx context.Context, dir string) (modfile string, err error)
}

// Result is what Load found in a module.
type Result struct {
	Packages []*Package
	Configs  []Config  // build configurations that the packages were loaded in
	Problems []Problem // of files that could not be parsed, and of the listing as a whole
	ModFile  string    // go.mod aside through which the module was listed, "" for its own
}

// Load lists a module's packages and type-checks those that matter: those
// with etcd imports, those that import them, and those that import what changes
// together with etcd, such as gRPC. A
// file that the host's configuration leaves out is loaded in one that takes
// it in; a file that no package holds is parsed alone.
func Load(ctx context.Context, t *Tree, m *Module, opt Options) (*Result, error) {
	l := &loader{tree: t, mod: m, opt: opt, files: map[string]*File{}, problems: map[string]Problem{}}
	l.fset = token.NewFileSet()
	res := &Result{}
	covered := map[string]bool{}
	add := func(ps []*Package) {
		for _, p := range ps {
			for _, f := range p.Files {
				covered[f.Name] = true
			}
			res.Packages = append(res.Packages, p)
		}
	}
	host := HostConfig(opt.Tags)
	res.Configs = []Config{host}
	if m.Path != "" {
		g, err := l.best(ctx, host)
		if err != nil {
			res.Problems = append(res.Problems, Problem{Line: 1, Col: 1, Message: "the packages cannot be listed: " + reason(err)})
		}
		if g != nil {
			res.ModFile = g.modfile
			add(l.check(ctx, g))
			// The other configurations, each with the folders that need it.
			for _, c := range l.otherConfigs(host, covered) {
				og, err := l.list(ctx, c.Config, g.modfile, g.flag, c.patterns)
				if err != nil {
					if ctx.Err() != nil {
						return nil, err
					}
					continue // parsed alone below
				}
				res.Configs = append(res.Configs, c.Config)
				add(l.check(ctx, og))
			}
		}
	}
	add(l.parseAlone(covered))
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, p := range l.problems {
		res.Problems = append(res.Problems, p)
	}
	slices.SortFunc(res.Problems, func(a, b Problem) int { return strings.Compare(a.File+a.Message, b.File+b.Message) })
	return res, nil
}

type loader struct {
	tree *Tree
	mod  *Module
	opt  Options
	fset *token.FileSet

	mu       sync.Mutex
	files    map[string]*File // by absolute path
	problems map[string]Problem
}

// graph is one listing of the module.
type graph struct {
	config  Config
	modfile string
	flag    string // -mod
	roots   []*packages.Package
	missing int // etcd imports of the module's own files that resolve to nothing
}

// best lists the module as it is and, when that leaves etcd imports
// unresolved, through the go.mod of OldModFile. The better listing wins.
func (l *loader) best(ctx context.Context, c Config) (*graph, error) {
	flag := "-mod=readonly"
	if l.tree.VendorOf(l.mod) {
		flag = "-mod=vendor"
	}
	g, err := l.list(ctx, c, "", flag, nil)
	if err == nil && g.missing == 0 {
		return g, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if l.opt.OldModFile == nil {
		return g, err
	}
	mod, oerr := l.opt.OldModFile(ctx, l.mod.Dir)
	if oerr != nil || mod == "" {
		return g, err
	}
	og, oerr := l.list(ctx, c, mod, "-mod=mod", nil)
	if oerr != nil || g != nil && og.missing >= g.missing {
		if g != nil {
			return g, nil
		}
		return nil, errors.Join(err, oerr)
	}
	return og, nil
}

// reason takes what the go command said out of the error of a listing, in one
// line: the first paragraph, without its progress.
func reason(err error) string {
	text := err.Error()
	if _, said, ok := strings.Cut(text, "stderr: "); ok {
		text = said
	}
	var words []string
	for line := range strings.Lines(text) {
		if gocmd.IsProgress(line) {
			continue
		}
		line = strings.TrimPrefix(line, "go: ")
		if strings.TrimSpace(line) == "" && len(words) > 0 {
			break
		}
		words = append(words, strings.Fields(line)...)
	}
	return strings.Join(words, " ")
}

const listMode = packages.NeedName | packages.NeedFiles | packages.NeedImports | packages.NeedDeps |
	packages.NeedModule | packages.NeedForTest

func (l *loader) list(ctx context.Context, c Config, modfile, flag string, patterns []string) (*graph, error) {
	env, err := l.opt.Go.Packages(ctx, l.mod.Dir)
	if err != nil {
		return nil, err
	}
	env = append(env, c.Env()...)
	flags := []string{flag}
	if modfile != "" {
		flags = append(flags, "-modfile="+modfile)
		env = append(env, "GOWORK=off")
	}
	if len(c.Tags) > 0 {
		flags = append(flags, "-tags="+strings.Join(c.Tags, ","))
	}
	if len(patterns) == 0 {
		patterns = []string{"./..."}
	}
	roots, err := packages.Load(&packages.Config{
		Context: ctx, Mode: listMode, Dir: l.mod.Dir, Env: env, BuildFlags: flags, Tests: true,
	}, patterns...)
	if err != nil {
		return nil, fmt.Errorf("list the packages of %s: %w", l.mod.Dir, err)
	}
	g := &graph{config: c, modfile: modfile, flag: flag, roots: roots}
	for _, p := range roots {
		if len(p.GoFiles) == 0 {
			// A listing that failed as a whole comes as one package with an error.
			for _, e := range p.Errors {
				if len(roots) == 1 {
					return nil, fmt.Errorf("list the packages of %s: %s", l.mod.Dir, e.Msg)
				}
			}
		}
	}
	seen := map[string]bool{}
	for _, p := range roots {
		for path, dep := range p.Imports {
			if _, _, ok := atlas.Canonical(path); ok && !seen[path] && len(dep.GoFiles) == 0 {
				seen[path] = true
				g.missing++
			}
		}
		for _, e := range p.Errors {
			for _, r := range atlas.OldRoots() {
				if strings.Contains(e.Msg, r+"/") && !seen[e.Msg] {
					seen[e.Msg] = true
					g.missing++
				}
			}
		}
	}
	return g, nil
}

// own says whether a file is the module's own source.
func (l *loader) own(path string) bool {
	return l.tree.moduleOf(path) == l.mod && !strings.Contains(path[len(l.mod.Dir):], string(filepath.Separator)+"vendor"+string(filepath.Separator))
}

// check type-checks the packages of a listing that matter.
func (l *loader) check(ctx context.Context, g *graph) []*Package {
	matter := map[string]bool{} // absolute paths of files that make a package matter
	beside := map[string]bool{}
	for _, s := range l.mod.Files {
		if s.Etcd {
			matter[s.Path] = true
		} else if s.Beside {
			beside[s.Path] = true
		}
	}
	// Own packages by import path; a test variant stands for the package that
	// it extends, since its files are a superset.
	var own []*packages.Package
	variant := map[string]bool{}
	packages.Visit(g.roots, nil, func(p *packages.Package) {
		if len(p.GoFiles) == 0 || strings.HasSuffix(p.ID, ".test") || !l.own(p.GoFiles[0]) {
			return
		}
		if p.ForTest != "" {
			if p.PkgPath != p.ForTest && p.PkgPath != p.ForTest+"_test" {
				return // recompiled for a test of another package
			}
			variant[p.PkgPath] = true
		}
		own = append(own, p)
	})
	reaches := map[*packages.Package]bool{}
	var reach func(p *packages.Package) bool
	reach = func(p *packages.Package) bool {
		if r, ok := reaches[p]; ok {
			return r
		}
		reaches[p] = false
		r := slices.ContainsFunc(p.GoFiles, func(f string) bool { return matter[f] })
		for _, d := range p.Imports {
			if !r && len(d.GoFiles) > 0 && l.own(d.GoFiles[0]) {
				r = reach(d)
			}
		}
		reaches[p] = r
		return r
	}
	c := &checker{l: l, config: g.config, done: map[*packages.Package]*checked{}, sem: make(chan struct{}, runtime.GOMAXPROCS(0))}
	c.sizes = types.SizesFor("gc", g.config.GOARCH)
	var roots []*packages.Package
	for _, p := range own {
		if p.ForTest == "" && variant[p.PkgPath] {
			continue
		}
		if reach(p) || slices.ContainsFunc(p.GoFiles, func(f string) bool { return beside[f] }) {
			roots = append(roots, p)
		}
	}
	slices.SortFunc(roots, func(a, b *packages.Package) int { return strings.Compare(a.ID, b.ID) })
	out := make([]*Package, len(roots))
	var wg sync.WaitGroup
	for i, p := range roots {
		wg.Go(func() { out[i] = c.root(ctx, p) })
	}
	wg.Wait()
	return slices.DeleteFunc(out, func(p *Package) bool { return p == nil || len(p.Files) == 0 })
}

// checker type-checks packages of one listing, each once.
type checker struct {
	l      *loader
	config Config
	sizes  types.Sizes
	sem    chan struct{} // bounds parsing and checking

	mu   sync.Mutex
	done map[*packages.Package]*checked
}

type checked struct {
	ready chan struct{}
	types *types.Package
	ok    bool // without errors, and its imports too
}

// dep returns the types of a dependency's declarations.
func (c *checker) dep(ctx context.Context, p *packages.Package) *checked {
	c.mu.Lock()
	r, ok := c.done[p]
	if !ok {
		r = &checked{ready: make(chan struct{})}
		c.done[p] = r
	}
	c.mu.Unlock()
	if ok {
		<-r.ready
		return r
	}
	defer close(r.ready)
	if p.PkgPath == "unsafe" {
		r.types, r.ok = types.Unsafe, true
		return r
	}
	r.ok = len(p.Errors) == 0
	files := c.declarations(p, r)
	needed := neededImports(p, files)
	c.imports(ctx, needed)
	c.sem <- struct{}{}
	defer func() { <-c.sem }()
	conf := c.conf(needed, func(error) { r.ok = false })
	conf.IgnoreFuncBodies = true
	r.types, _ = conf.Check(p.PkgPath, c.l.fset, files, nil)
	return r
}

// imports checks imports side by side.
func (c *checker) imports(ctx context.Context, list map[string]*packages.Package) {
	var wg sync.WaitGroup
	for _, d := range list {
		wg.Go(func() { c.dep(ctx, d) })
	}
	wg.Wait()
}

// conf checks with the given imports; any other is empty.
func (c *checker) conf(imports map[string]*packages.Package, report func(error)) *types.Config {
	return &types.Config{
		Importer: importer(func(path string) (*types.Package, error) {
			if path == "unsafe" {
				return types.Unsafe, nil
			}
			d := imports[path]
			if d == nil || len(d.GoFiles) == 0 {
				name, ok := atlas.PackageName(path)
				if !ok {
					return nil, fmt.Errorf("package %s is not there", path)
				}
				return types.NewPackage(path, name), fmt.Errorf("package %s is not there", path)
			}
			c.mu.Lock()
			r := c.done[d]
			c.mu.Unlock()
			<-r.ready
			if r.types == nil {
				return nil, fmt.Errorf("package %s did not load", path)
			}
			return r.types, nil
		}),
		FakeImportC: true,
		Sizes:       c.sizes,
		Error:       report,
	}
}

type importer func(string) (*types.Package, error)

func (f importer) Import(path string) (*types.Package, error) { return f(path) }

// root checks a package of the repository, bodies and all.
func (c *checker) root(ctx context.Context, p *packages.Package) *Package {
	c.imports(ctx, p.Imports)
	c.sem <- struct{}{}
	defer func() { <-c.sem }()
	if ctx.Err() != nil {
		return nil
	}
	out := &Package{
		ID: p.ID, Path: p.PkgPath, Name: p.Name, Config: c.config, Fset: c.l.fset,
		Info: &types.Info{
			Types:      map[ast.Expr]types.TypeAndValue{},
			Defs:       map[*ast.Ident]types.Object{},
			Uses:       map[*ast.Ident]types.Object{},
			Implicits:  map[ast.Node]types.Object{},
			Selections: map[*ast.SelectorExpr]*types.Selection{},
			Scopes:     map[ast.Node]*types.Scope{},
			Instances:  map[*ast.Ident]types.Instance{},
		},
	}
	var asts []*ast.File
	for _, path := range p.GoFiles {
		f := c.l.parse(path)
		if f == nil {
			out.Tier = edit.IllTyped
			continue
		}
		out.Files = append(out.Files, f)
		asts = append(asts, f.AST)
	}
	conf := c.conf(p.Imports, func(err error) {
		out.Tier = edit.IllTyped
		var te types.Error
		if errors.As(err, &te) {
			pos := te.Fset.Position(te.Pos)
			out.Errors = append(out.Errors, Problem{File: c.l.rel(pos.Filename), Line: pos.Line, Col: pos.Column, Message: te.Msg})
		}
	})
	out.Types, _ = conf.Check(p.PkgPath, c.l.fset, asts, out.Info)
	for path, d := range p.Imports {
		if _, _, ok := atlas.Canonical(path); ok && !c.dep(ctx, d).ok {
			out.Tier = max(out.Tier, edit.IllTyped)
		}
	}
	return out
}

func (l *loader) rel(path string) string {
	r, err := filepath.Rel(l.tree.Root, path)
	if err != nil {
		return path
	}
	return filepath.ToSlash(r)
}

// parse parses a file of the repository, once for all packages that hold it.
// A file that does not parse is a problem of its own; nil is returned.
func (l *loader) parse(path string) *File {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f, ok := l.files[path]; ok {
		return f
	}
	l.files[path] = nil
	src, err := os.ReadFile(path)
	if err != nil {
		l.problems[path] = Problem{File: l.rel(path), Message: err.Error()}
		return nil
	}
	f, err := parser.ParseFile(l.fset, path, src, parser.ParseComments)
	if err != nil {
		pr := Problem{File: l.rel(path), Message: err.Error()}
		var list scanner.ErrorList
		if errors.As(err, &list) && len(list) > 0 {
			pr.Line, pr.Col, pr.Message = list[0].Pos.Line, list[0].Pos.Column, list[0].Msg
		}
		l.problems[path] = pr
		return nil
	}
	l.files[path] = &File{Name: l.rel(path), Src: src, AST: f}
	return l.files[path]
}

// parseAlone parses the files with etcd imports that no package holds: those
// of repositories that cannot be listed, and those that are built by name
// alone (//go:build ignore). Files of one folder and package name share a
// package, so that what one declares shadows in the others.
func (l *loader) parseAlone(covered map[string]bool) []*Package {
	groups := map[string]*Package{}
	var keys []string
	for _, s := range l.mod.Files {
		if covered[s.Name] || !s.Etcd && !s.Beside && !s.Mention {
			continue
		}
		f := l.parse(s.Path)
		if f == nil {
			continue
		}
		key := filepath.Dir(s.Path) + " " + f.AST.Name.Name
		p := groups[key]
		if p == nil {
			p = &Package{ID: key, Path: filepath.Dir(s.Name), Name: f.AST.Name.Name, Fset: l.fset, Tier: edit.Syntax}
			groups[key] = p
			keys = append(keys, key)
		}
		p.Files = append(p.Files, f)
	}
	var out []*Package
	for _, k := range keys {
		out = append(out, groups[k])
	}
	return out
}

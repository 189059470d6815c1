// Package load finds out what is in a repository: its modules, the Go files
// that mention etcd, the packages and build configurations that hold them,
// and their types.
//
// Loading is lazy at each step. A byte scan comes first: a repository without
// etcd costs one read of its files. The go command then lists the packages
// (through go/packages; nothing is compiled, cgo does not run), and only those
// that matter are type-checked, from source. Function bodies of dependencies
// are dropped after parsing. Dependencies that do not compile are no obstacle:
// the types of what they declare still resolve.
package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/mod/modfile"
	"golang.org/x/sync/errgroup"

	"github.com/etcdshift/etcdshift/rewrite/gocmd"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// Tree is a repository as a scan sees it.
type Tree struct {
	Root    string // absolute
	Modules []*Module
	GoFiles int      // number of Go files, vendor and testdata left out
	Unbuilt []string // Go files below testdata and the like that mention etcd, relative to Root
	Apart   []string // folders with other git repositories whose Go files mention etcd, relative to Root
	Work    string   // go.work in effect, absolute; "" for none
	Vendor  bool     // the workspace has a vendor folder
}

// Module is a Go module of the repository.
type Module struct {
	Dir    string // absolute
	Rel    string // slash-separated, relative to Root; "." for the root
	Path   string
	Go     string   // go directive, "" when there is none
	Vendor bool     // has a vendor folder of its own
	Etcd   bool     // a file imports etcd, go.mod names an old etcd module, or it is built with one of the tree that does
	Needs  []string // module paths that go.mod requires
	Member bool     // go.work uses it
	Along  bool     // has no etcd, but is built in a workspace with one that has
	Files  []*Source
}

// Source is a Go file that mentions etcd or what changes together with it.
type Source struct {
	Name    string // slash-separated, relative to the root of the tree
	Path    string // absolute
	Etcd    bool   // imports an etcd package
	Old     bool   // imports one by an old path
	Beside  bool   // imports a package whose users change with etcd, such as gRPC
	Mention bool   // a path that moves stands elsewhere in the file
	Err     error  // the import clause does not parse
}

// Errors of Scan.
var (
	ErrNotDir    = errors.New("not a directory")
	ErrNoDir     = errors.New("there is no such folder")
	ErrNoGoFiles = errors.New("no Go files")
	ErrInModule  = errors.New("lies in a module, which is planned as a whole")
)

// Dir returns the absolute path of a folder, without the links in it, which
// would keep the go command's file names from being recognised.
func Dir(path string) (string, error) {
	named, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	dir, err := filepath.EvalSymlinks(named)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s: %w; name that of the repository", named, ErrNoDir)
	}
	if err != nil {
		return "", err
	}
	st, err := os.Stat(dir)
	if err == nil && !st.IsDir() {
		err = fmt.Errorf("%s: %w; name the folder of the repository", dir, ErrNotDir)
	}
	return dir, err
}

// Apart says whether a folder below the root is a git repository of its own: a
// submodule, a linked work tree or a clone. What is in it is not the
// repository's to write: git would not commit it.
func Apart(root, dir string) bool {
	if dir == root {
		return false
	}
	_, err := os.Lstat(filepath.Join(dir, ".git"))
	return err == nil
}

// Scan reads the tree below root. Folders that the go command does not look
// into (.git, _x, node_modules) are left out, and so are other repositories;
// vendor is not the repository's own source.
func Scan(ctx context.Context, root string) (*Tree, error) {
	root, err := Dir(root)
	if err != nil {
		return nil, err
	}
	t := &Tree{Root: root}
	var mods, files []string
	var unbuilt, foreign []string
	apart := "" // the last of the other repositories
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			if p == root {
				return err
			}
			return nil // unreadable folders hold nothing that could be built
		}
		name := d.Name()
		if d.IsDir() {
			if p == root {
				return ctx.Err()
			}
			if name[0] == '.' || name == "node_modules" || name == "vendor" {
				return fs.SkipDir
			}
			if Apart(root, p) {
				apart = p + string(filepath.Separator)
			}
			return nil
		}
		switch {
		case apart != "" && strings.HasPrefix(p, apart):
			if strings.HasSuffix(name, ".go") {
				foreign = append(foreign, p)
			}
		case name == "go.mod":
			mods = append(mods, p)
		case strings.HasSuffix(name, ".go"):
			if ignoredDir(root, p) {
				unbuilt = append(unbuilt, p)
			} else {
				files = append(files, p)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if t.Apart, err = holding(ctx, root, foreign); err != nil {
		return nil, err
	}
	t.GoFiles = len(files)
	switch {
	case len(files) == 0 && len(t.Apart) > 0:
		return nil, fmt.Errorf("%s: %w but those of other git repositories below it; run etcdshift on each: %s", root, ErrNoGoFiles, strings.Join(t.Apart, ", "))
	case len(files) == 0:
		return nil, fmt.Errorf("%s: %w; name the folder of a checkout", root, ErrNoGoFiles)
	}
	for _, p := range mods {
		if ignoredDir(root, p) {
			continue
		}
		m, err := readModule(root, p)
		if err != nil {
			return nil, err
		}
		t.Modules = append(t.Modules, m)
	}
	// Files belong to the module of the nearest folder above them.
	slices.SortFunc(t.Modules, func(a, b *Module) int { return strings.Compare(a.Dir, b.Dir) })
	found, err := readSources(ctx, root, files)
	if err != nil {
		return nil, err
	}
	var loose []*Source
	for _, s := range found {
		m := t.moduleOf(s.Path)
		if m == nil {
			loose = append(loose, s)
			continue
		}
		m.Files = append(m.Files, s)
		m.Etcd = m.Etcd || s.Etcd
	}
	if len(loose) > 0 {
		// Not in any module: a repository from before modules, or a folder of
		// one that lies above it.
		t.Modules = append(t.Modules, &Module{Dir: root, Rel: ".", Files: loose, Etcd: slices.ContainsFunc(loose, func(s *Source) bool { return s.Etcd })})
	}
	if t.Work = findWork(root); t.Work != "" {
		_, t.Vendor = gocmd.Vendored(filepath.Dir(t.Work))
	}
	t.members()
	t.order()
	dead, err := readSources(ctx, root, unbuilt)
	if err != nil {
		return nil, err
	}
	for _, s := range dead {
		if s.Old {
			t.Unbuilt = append(t.Unbuilt, s.Name)
		}
	}
	return t, nil
}

// holding returns the folders of other repositories, relative to the root, of
// whose files some mention old etcd.
func holding(ctx context.Context, root string, files []string) ([]string, error) {
	found, err := readSources(ctx, root, files)
	var out []string
	for _, s := range found {
		if !s.Old {
			continue
		}
		dir := filepath.Dir(s.Path)
		for !Apart(root, dir) {
			dir = filepath.Dir(dir)
		}
		rel, _ := filepath.Rel(root, dir)
		out = append(out, filepath.ToSlash(rel))
	}
	slices.Sort(out)
	return slices.Compact(out), err
}

// members marks the modules that go.work uses. They are built together, with
// or without requiring each other, so etcd in one concerns all: the others are
// proved too.
func (t *Tree) members() {
	data, err := os.ReadFile(t.Work)
	if err != nil {
		return
	}
	w, err := modfile.ParseWork(t.Work, data, nil)
	if err != nil {
		return // the go command will say so
	}
	etcd := false
	for _, u := range w.Use {
		dir := filepath.FromSlash(u.Path)
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(filepath.Dir(t.Work), dir)
		}
		for _, m := range t.Modules {
			if m.Dir == filepath.Clean(dir) {
				m.Member = true
				etcd = etcd || m.Etcd
			}
		}
	}
	for _, m := range t.Modules {
		m.Along = m.Member && etcd && !m.Etcd
	}
}

// order puts modules after those of the tree that they require, whose module
// files must be planned first, and carries Etcd over to those that require
// one: its new requirements become theirs.
func (t *Tree) order() {
	byPath := map[string]*Module{}
	for _, m := range t.Modules {
		if m.Path != "" {
			byPath[m.Path] = m
		}
	}
	var out []*Module
	seen := map[*Module]bool{}
	var visit func(m *Module)
	visit = func(m *Module) {
		if seen[m] {
			return
		}
		seen[m] = true
		for _, n := range m.Needs {
			if d := byPath[n]; d != nil && d != m {
				visit(d)
				if d.Etcd {
					m.Etcd, m.Along = true, false
				}
			}
		}
		out = append(out, m)
	}
	for _, m := range t.Modules {
		visit(m)
	}
	t.Modules = out
}

// ignoredDir says whether a file lies in a folder that the go command leaves
// out of patterns.
func ignoredDir(root, p string) bool {
	rel, _ := filepath.Rel(root, filepath.Dir(p))
	for _, e := range strings.Split(filepath.ToSlash(rel), "/") {
		if e == "testdata" || strings.HasPrefix(e, "_") {
			return true
		}
	}
	return false
}

func findWork(root string) string {
	if w := os.Getenv("GOWORK"); w == "off" {
		return ""
	} else if w != "" {
		return w
	}
	for d := root; ; d = filepath.Dir(d) {
		p := filepath.Join(d, "go.work")
		if st, err := os.Stat(p); err == nil && st.Mode().IsRegular() {
			return p
		}
		if d == filepath.Dir(d) {
			return ""
		}
	}
}

// Whole refuses a tree that is a part of a module alone: nothing there says
// what its files are built with, and it would be taken for a repository from
// before modules and get a go.mod of its own inside the other.
func (t *Tree) Whole() error {
	if len(t.Modules) > 0 && !slices.ContainsFunc(t.Modules, func(m *Module) bool { return m.Path == "" && len(m.Files) > 0 }) {
		return nil
	}
	return InModule(t.Root)
}

// InModule fails with ErrInModule for a folder that belongs to the module of a
// folder above it in the same repository.
func InModule(root string) error {
	for d := root; ; d = filepath.Dir(d) {
		if data, err := os.ReadFile(filepath.Join(d, "go.mod")); err == nil {
			if d == root || ignoredDir(d, filepath.Join(root, "go.mod")) {
				return nil
			}
			return fmt.Errorf("%s: %w (%s); run etcdshift on %s", root, ErrInModule, modfile.ModulePath(data), d)
		}
		// A repository ends where its .git is.
		if _, err := os.Lstat(filepath.Join(d, ".git")); err == nil || d == filepath.Dir(d) {
			return nil
		}
	}
}

func readModule(root, p string) (*Module, error) {
	data, err := os.ReadFile(p)
	if err != nil {
		return nil, err
	}
	m := &Module{Dir: filepath.Dir(p)}
	rel, _ := filepath.Rel(root, m.Dir)
	m.Rel = filepath.ToSlash(rel)
	m.Path = modfile.ModulePath(data)
	// Lax: a go.mod that names unknown directives is the go command's to
	// refuse, not a reason to see nothing.
	if f, err := modfile.ParseLax(p, data, nil); err == nil {
		if f.Go != nil {
			m.Go = f.Go.Version
		}
		for _, r := range f.Require {
			m.Needs = append(m.Needs, r.Mod.Path)
			if _, layout, ok := atlas.Canonical(r.Mod.Path); ok && layout != atlas.LayoutSplit {
				m.Etcd = true
			}
		}
	}
	m.Vendor, _ = gocmd.Vendored(m.Dir)
	return m, nil
}

// VendorOf says whether the builds of a module take its dependencies from a
// vendor folder: that of the workspace, for a member of one.
func (t *Tree) VendorOf(m *Module) bool {
	if m.Member {
		return t.Vendor
	}
	return m.Vendor
}

func (t *Tree) moduleOf(p string) *Module {
	var best *Module
	for _, m := range t.Modules {
		if strings.HasPrefix(p, m.Dir+string(filepath.Separator)) && (best == nil || len(m.Dir) > len(best.Dir)) {
			best = m
		}
	}
	return best
}

// needles say that a file is worth parsing.
var needles = [][]byte{[]byte("etcd"), []byte("google.golang.org/grpc"), []byte("gogo/protobuf"), []byte("prometheus/common/log")}

// readSources reads files and returns those that mention what matters.
func readSources(ctx context.Context, root string, files []string) ([]*Source, error) {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	const batch = 64
	out := make([][]*Source, (len(files)+batch-1)/batch)
	pool := sync.Pool{New: func() any { return new(bytes.Buffer) }}
	for i := range out {
		g.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			buf := pool.Get().(*bytes.Buffer)
			defer pool.Put(buf)
			for _, p := range files[i*batch : min((i+1)*batch, len(files))] {
				buf.Reset()
				f, err := os.Open(p)
				if err != nil {
					if errors.Is(err, fs.ErrNotExist) { // a dangling link
						continue
					}
					return err
				}
				_, err = buf.ReadFrom(f)
				f.Close()
				if err != nil {
					return err
				}
				if s := readSource(root, p, buf.Bytes()); s != nil {
					out[i] = append(out[i], s)
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return slices.Concat(out...), nil
}

// mentions says whether a path that moves stands anywhere in a file, or an old
// module in a directive.
func mentions(data []byte) bool {
	for _, root := range atlas.OldRoots() {
		for at := 0; ; {
			i := bytes.Index(data[at:], []byte(root))
			if i < 0 {
				break
			}
			start := at + i
			at = start + len(root)
			path := data[start:]
			if end := bytes.IndexFunc(path, func(r rune) bool { return strings.ContainsRune(" \t\r\n\"'`),;:#", r) }); end >= 0 {
				path = path[:end]
			}
			switch below := string(path[len(root):]); {
			case strings.HasPrefix(below, "/") && moves(string(path)):
				return true
			case below == "" || below == "/" || strings.HasPrefix(below, "@"):
				if directive.Match(data[bytes.LastIndexByte(data[:start], '\n')+1 : start]) {
					return true
				}
			}
		}
	}
	return false
}

// directive matches the beginning of a line that a tool reads, such as
// //go:generate.
var directive = regexp.MustCompile(`^//[a-z0-9]+:[a-z0-9]`)

// moves says whether a path is of an old layout, or of a package that has moved
// since the modules were split. What follows the package, such as a file, does
// not count.
func moves(path string) bool {
	for path != "" {
		rel, layout, ok := atlas.Canonical(path)
		if !ok || layout != atlas.LayoutSplit {
			return ok
		}
		known := false
		for _, l := range atlas.Lines() {
			home, ok := atlas.HomeOf(rel, l)
			if known = known || ok; ok && home.Path != path {
				return true
			}
		}
		if known {
			return false
		}
		path = path[:max(0, strings.LastIndexAny(path, "/."))]
	}
	return false
}

func readSource(root, p string, data []byte) *Source {
	if !slices.ContainsFunc(needles, func(n []byte) bool { return bytes.Contains(data, n) }) {
		return nil
	}
	rel, _ := filepath.Rel(root, p)
	s := &Source{Name: filepath.ToSlash(rel), Path: p}
	f, err := parser.ParseFile(token.NewFileSet(), p, data, parser.ImportsOnly)
	if err != nil {
		s.Err = err
	}
	if f == nil {
		return s
	}
	for _, spec := range f.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		if _, layout, ok := atlas.Canonical(path); ok {
			s.Etcd = true
			s.Old = s.Old || layout != atlas.LayoutSplit
		}
		if atlas.Beside(path) {
			s.Beside = true
		}
	}
	s.Mention = mentions(data)
	if !s.Etcd && !s.Beside && !s.Mention && s.Err == nil {
		return nil
	}
	return s
}

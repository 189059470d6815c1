package batch

import (
	"cmp"
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/etcdshift/etcdshift/rewrite/load"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// Survey is what a look at a repository found, with nothing planned.
type Survey struct {
	GoFiles int            `json:"goFiles"`
	Modules []SurveyModule `json:"modules"`
}

// SurveyModule is a module as its files and go.mod describe it.
type SurveyModule struct {
	Dir      string            `json:"dir"`
	Path     string            `json:"path"`
	Go       string            `json:"go,omitempty"`
	Vendor   bool              `json:"vendor,omitempty"`
	Versions map[string]string `json:"versions,omitempty"` // of etcd, gRPC and protobuf modules, by module path
	Requires []string          `json:"requires,omitempty"` // module paths that go.mod names and does not call indirect
	Old      map[string]int    `json:"old,omitempty"`      // files per old etcd package
	Exposes  []string          `json:"exposes,omitempty"`  // exported declarations with etcd types: "dir.Name"
	Library  bool              `json:"library,omitempty"`  // has packages that another module can import
	Error    string            `json:"error,omitempty"`    // why the go command refuses its go.mod
}

// trim takes out the long lists, for a row that would not fit.
func (s *Survey) trim() {
	for i := range s.Modules {
		m := &s.Modules[i]
		m.Requires, m.Exposes = m.Requires[:min(len(m.Requires), 200)], m.Exposes[:min(len(m.Exposes), 50)]
	}
}

// UsesOld says whether any module imports old etcd.
func (s *Survey) UsesOld() bool {
	return slices.ContainsFunc(s.Modules, func(m SurveyModule) bool { return len(m.Old) > 0 })
}

// watched are the modules whose versions the matrix shows, beside etcd's.
var watched = []string{
	"google.golang.org/grpc", "google.golang.org/protobuf", "github.com/golang/protobuf", "github.com/gogo/protobuf",
}

// survey looks at the repository in dir. It reads files and runs nothing.
func survey(ctx context.Context, dir string) (*Survey, error) {
	tree, err := load.Scan(ctx, dir)
	if err != nil {
		return nil, err
	}
	s := &Survey{GoFiles: tree.GoFiles}
	for _, m := range tree.Modules {
		sm := SurveyModule{Dir: m.Rel, Path: m.Path, Go: m.Go, Vendor: m.Vendor}
		data, err := os.ReadFile(filepath.Join(m.Dir, "go.mod"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		anyVersion := func(_, version string) (string, error) { return version, nil }
		if _, err := modfile.Parse(path.Join(m.Rel, "go.mod"), data, anyVersion); err != nil {
			sm.Error, _, _ = strings.Cut(err.Error(), "\n")
		}
		if f, err := modfile.ParseLax("go.mod", data, nil); err == nil {
			for _, r := range f.Require {
				if atlas.IsEtcdModule(r.Mod.Path) || slices.Contains(watched, r.Mod.Path) {
					if sm.Versions == nil {
						sm.Versions = map[string]string{}
					}
					sm.Versions[r.Mod.Path] = r.Mod.Version
				}
				if !r.Indirect {
					sm.Requires = append(sm.Requires, r.Mod.Path)
				}
			}
			for _, r := range f.Replace {
				if _, ok := sm.Versions[r.Old.Path]; ok {
					sm.Versions[r.Old.Path] = cmp.Or(r.New.Version, r.New.Path) + " (replaced)"
				}
			}
		}
		for _, src := range m.Files {
			if src.Etcd {
				sm.look(src)
			}
		}
		slices.Sort(sm.Exposes)
		sm.Exposes = slices.Compact(sm.Exposes)
		if sm.Library, err = library(m.Dir); err != nil {
			return nil, err
		}
		s.Modules = append(s.Modules, sm)
	}
	return s, nil
}

// look counts the old packages that a file imports, and finds exported
// declarations in whose signatures they stand.
func (m *SurveyModule) look(src *load.Source) {
	f, err := parser.ParseFile(token.NewFileSet(), src.Path, nil, parser.SkipObjectResolution)
	if f == nil || err != nil && len(f.Decls) == 0 {
		return
	}
	names := map[string]bool{} // local names of old etcd packages
	for _, spec := range f.Imports {
		p, _ := strconv.Unquote(spec.Path.Value)
		rel, layout, ok := atlas.Canonical(p)
		if !ok || layout == atlas.LayoutSplit {
			continue
		}
		if m.Old == nil {
			m.Old = map[string]int{}
		}
		m.Old[cmp.Or(rel, path.Base(p))]++
		name := path.Base(p)
		if n, ok := atlas.PackageName(p); ok {
			name = n
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = true
	}
	dir := path.Dir(src.Name)
	if f.Name.Name == "main" || strings.HasSuffix(src.Name, "_test.go") || slices.Contains(strings.Split(dir, "/"), "internal") {
		return // nobody else can import it
	}
	expose := func(name string, types ...ast.Node) {
		for _, t := range types {
			if mentions(t, names) {
				m.Exposes = append(m.Exposes, strings.TrimPrefix(dir+".", "..")+name)
				return
			}
		}
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if !d.Name.IsExported() {
				continue
			}
			name := d.Name.Name
			if d.Recv != nil && len(d.Recv.List) == 1 {
				recv := receiver(d.Recv.List[0].Type)
				if !ast.IsExported(recv) {
					continue
				}
				name = recv + "." + name
			}
			expose(name, d.Type)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					if s.Name.IsExported() {
						expose(s.Name.Name, exportedPart(s.Type)...)
					}
				case *ast.ValueSpec:
					for i, n := range s.Names {
						if !n.IsExported() {
							continue
						}
						var what []ast.Node
						if s.Type != nil {
							what = append(what, s.Type)
						} else if i < len(s.Values) {
							what = append(what, s.Values[i])
						}
						expose(n.Name, what...)
					}
				}
			}
		}
	}
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// exportedPart leaves the fields of a struct out that nobody else can name.
func exportedPart(t ast.Expr) []ast.Node {
	s, ok := t.(*ast.StructType)
	if !ok {
		return []ast.Node{t}
	}
	var out []ast.Node
	for _, f := range s.Fields.List {
		if len(f.Names) == 0 || slices.ContainsFunc(f.Names, (*ast.Ident).IsExported) {
			out = append(out, f.Type)
		}
	}
	return out
}

func mentions(n ast.Node, names map[string]bool) bool {
	found := false
	ast.Inspect(n, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && names[x.Name] {
				found = true
			}
		}
		_, body := n.(*ast.BlockStmt)
		return !found && !body
	})
	return found
}

// library says whether a module has a package that others can import.
func library(dir string) (bool, error) {
	found := false
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || found {
			return nil
		}
		name := d.Name()
		if d.IsDir() {
			if p != dir {
				if _, err := os.Stat(filepath.Join(p, "go.mod")); err == nil {
					return filepath.SkipDir
				}
				if name[0] == '.' || name[0] == '_' || name == "vendor" || name == "internal" || name == "testdata" || name == "node_modules" {
					return filepath.SkipDir
				}
			}
			return nil
		}
		if !d.Type().IsRegular() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.PackageClauseOnly)
		found = err == nil && f.Name.Name != "main"
		return nil
	})
	return found, err
}

// Graph is which repositories of a survey need which others first.
type Graph struct {
	Nodes []*Node
}

// Node is a repository in the graph.
type Node struct {
	*Row
	Old   bool    // imports old etcd
	Wave  int     // repositories of a wave can be migrated together, after those of earlier waves
	Needs []*Edge // own modules that it requires, of other repositories
	cycle int
}

// Edge is a requirement between two repositories.
type Edge struct {
	To *Node
	// Blocks: the other uses old etcd, and old and new etcd cannot be linked
	// into one program.
	Blocks bool
	// Exposes: its exported API has etcd types, too, so that this one does not
	// even compile with another etcd.
	Exposes bool
}

// NewGraph finds out who requires whom, and the order to migrate in.
func NewGraph(rows []*Row) *Graph {
	g := &Graph{}
	owner := map[string]*Node{}
	for _, r := range rows {
		n := &Node{Row: r}
		g.Nodes = append(g.Nodes, n)
		if r.Survey == nil {
			continue
		}
		n.Old = r.Survey.UsesOld()
		for _, m := range r.Survey.Modules {
			if m.Path != "" && owner[m.Path] == nil {
				owner[m.Path] = n
			}
		}
	}
	for _, n := range g.Nodes {
		if n.Survey == nil {
			continue
		}
		edges := map[*Node]*Edge{}
		for _, m := range n.Survey.Modules {
			for _, req := range m.Requires {
				to := owner[req]
				if to == nil || to == n {
					continue
				}
				e := edges[to]
				if e == nil {
					e = &Edge{To: to}
					edges[to] = e
				}
				for _, tm := range to.Survey.Modules {
					if tm.Path == req {
						e.Blocks = e.Blocks || len(tm.Old) > 0
						e.Exposes = e.Exposes || len(tm.Exposes) > 0
					}
				}
			}
		}
		n.Needs = slices.SortedFunc(maps.Values(edges), func(a, b *Edge) int { return cmp.Compare(a.To.Name, b.To.Name) })
	}
	g.order()
	return g
}

// order numbers the waves. Repositories that require each other, which
// modules allow, are of one wave.
func (g *Graph) order() {
	// Tarjan's algorithm: components come out after those that they need.
	index, low := map[*Node]int{}, map[*Node]int{}
	var stack []*Node
	on := map[*Node]bool{}
	components := 0
	var visit func(n *Node)
	visit = func(n *Node) {
		index[n] = len(index) + 1
		low[n] = index[n]
		stack = append(stack, n)
		on[n] = true
		for _, e := range n.Needs {
			if index[e.To] == 0 {
				visit(e.To)
				low[n] = min(low[n], low[e.To])
			} else if on[e.To] {
				low[n] = min(low[n], index[e.To])
			}
		}
		if low[n] != index[n] {
			return
		}
		components++
		var members []*Node
		for {
			m := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			on[m] = false
			m.cycle = components
			members = append(members, m)
			if m == n {
				break
			}
		}
		wave := 1
		for _, m := range members {
			for _, e := range m.Needs {
				if e.To.cycle == components {
					continue
				}
				w := e.To.Wave
				if e.To.Old {
					w++
				}
				wave = max(wave, w)
			}
		}
		for _, m := range members {
			m.Wave = wave
		}
	}
	for _, n := range g.Nodes {
		if index[n] == 0 {
			visit(n)
		}
	}
}

// InOrder returns the nodes by wave and name.
func (g *Graph) InOrder() []*Node {
	return slices.SortedFunc(slices.Values(g.Nodes), func(a, b *Node) int {
		return cmp.Or(cmp.Compare(a.Wave, b.Wave), cmp.Compare(a.Name, b.Name))
	})
}

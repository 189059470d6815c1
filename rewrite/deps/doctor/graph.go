package doctor

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/etcdshift/etcdshift/rules/atlas"
)

// imported is an import in a source file of the repository.
type imported struct {
	path string
	file string // relative to the repository
	line int
}

// scan notes the imports of a file that have to do with etcd or gRPC, whatever
// its build constraints.
func (u *unit) scan(root, name string) {
	src, err := os.ReadFile(name)
	if err != nil || !bytes.Contains(src, []byte("etcd")) && !bytes.Contains(src, []byte(grpcPath)) {
		return
	}
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, src, parser.ImportsOnly)
	if f == nil || err != nil && len(f.Imports) == 0 {
		return
	}
	rel, err := filepath.Rel(root, name)
	if err != nil {
		return
	}
	for _, i := range f.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			continue
		}
		if _, _, ok := atlas.Canonical(p); ok || p == grpcPath+"/naming" {
			u.imports = append(u.imports, imported{p, filepath.ToSlash(rel), fset.Position(i.Pos()).Line})
		}
	}
}

// old reports whether an import path is of etcd before 3.5.
func old(path string) bool {
	_, layout, ok := atlas.Canonical(path)
	return ok && layout != atlas.LayoutSplit
}

// graph is the requirement graph of a module.
type graph struct {
	main string
	by   map[module.Version][]module.Version // who requires it
}

func parseGraph(out []byte) *graph {
	g := &graph{by: map[module.Version][]module.Version{}}
	for line := range strings.Lines(string(out)) {
		from, to, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			continue
		}
		f, t := parseVersion(from), parseVersion(to)
		if g.main == "" {
			g.main = f.Path // go mod graph starts with the main module
		}
		g.by[t] = append(g.by[t], f)
	}
	return g
}

func parseVersion(s string) module.Version {
	p, v, _ := strings.Cut(s, "@")
	return module.Version{Path: p, Version: v}
}

// chain returns who requires a module version: from the main module on, over
// the fewest modules. It is nil if nothing does. Without direct, a requirement
// of the main module itself is passed over if somebody else has one.
func (g *graph) chain(to module.Version, direct bool) []string {
	if g == nil {
		return nil
	}
	next := map[module.Version]module.Version{to: {}}
	for queue := []module.Version{to}; len(queue) > 0; queue = queue[1:] {
		m := queue[0]
		if m.Path == g.main && m.Version == "" {
			var out []string
			for ; m != (module.Version{}); m = next[m] {
				out = append(out, joinVersion(m.Path, m.Version))
			}
			return out
		}
		for _, f := range g.by[m] {
			if m == to && !direct && f.Path == g.main && f.Version == "" {
				continue
			}
			if _, seen := next[f]; !seen {
				next[f] = m
				queue = append(queue, f)
			}
		}
	}
	if !direct {
		return g.chain(to, true)
	}
	return nil
}

// versionsOf returns the versions of a module that the graph names, highest
// first.
func (g *graph) versionsOf(path string) []module.Version {
	if g == nil {
		return nil
	}
	var out []module.Version
	for m := range g.by {
		if m.Path == path {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b module.Version) int { return semver.Compare(b.Version, a.Version) })
	return out
}

// pkg is a package as "go list -deps -test -json" prints it.
type pkg struct {
	ImportPath, Name string
	DepOnly          bool
	Imports          []string
	ImportMap        map[string]string
	Module           *listed
}

// packages is the import graph of a module, tests included.
type packages struct {
	byPath map[string]*pkg
	order  []*pkg
}

func parsePackages(out []byte) (*packages, error) {
	ps := &packages{byPath: map[string]*pkg{}}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		p := new(pkg)
		if err := dec.Decode(p); errors.Is(err, io.EOF) {
			return ps, nil
		} else if err != nil {
			return nil, err
		}
		ps.byPath[p.ImportPath] = p
		ps.order = append(ps.order, p)
	}
}

// path is the import path without the test variant.
func (p *pkg) path() string {
	path, _, _ := strings.Cut(p.ImportPath, " ")
	return path
}

// reach returns the shortest import chain from the packages of the main module
// to each package.
func (ps *packages) reach() map[*pkg]*pkg {
	by := map[*pkg]*pkg{}
	var queue []*pkg
	for _, p := range ps.order {
		if !p.DepOnly {
			by[p] = nil
			queue = append(queue, p)
		}
	}
	for ; len(queue) > 0; queue = queue[1:] {
		p := queue[0]
		for _, i := range p.Imports {
			if m := p.ImportMap[i]; m != "" {
				i = m
			}
			q := ps.byPath[i]
			if q == nil {
				continue
			}
			if _, seen := by[q]; !seen {
				by[q] = p
				queue = append(queue, q)
			}
		}
	}
	return by
}

func importChain(by map[*pkg]*pkg, to *pkg) []string {
	var out []string
	for p := to; p != nil; p = by[p] {
		if q := p.path(); len(out) == 0 || out[len(out)-1] != q {
			out = append(out, q)
		}
	}
	slices.Reverse(out)
	return out
}

package deps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"github.com/etcdshift/etcdshift/rewrite/gocmd"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// pkg is a package of a build, as "go list -deps -test" prints it.
type pkg struct {
	ImportPath string // with " [p.test]" for a test variant
	Name       string
	Dir        string
	DepOnly    bool
	Standard   bool
	ForTest    string
	Imports    []string
	ImportMap  map[string]string
	Module     *struct {
		Path, Version, Dir string
		Main               bool
		Replace            *struct{ Path, Version string }
	}
	Error *struct{ Err string }
}

// path returns the import path without the test variant.
func (p *pkg) path() string {
	path, _, _ := strings.Cut(p.ImportPath, " ")
	return path
}

func (p *pkg) own() bool { return p.Module != nil && p.Module.Main }

// pkgGraph is the import graph of a build, tests included.
type pkgGraph struct {
	pkgs  map[string]*pkg
	order []*pkg // dependencies first
}

// loadGraph lists what a module's packages and tests link, with the flags of
// the build.
func loadGraph(ctx context.Context, run *gocmd.Runner, dir string, flags []string, patterns ...string) (*pkgGraph, error) {
	args := append([]string{"list", "-e", "-deps", "-test",
		"-json=ImportPath,Name,Dir,DepOnly,Standard,ForTest,Imports,ImportMap,Module,Error"}, flags...)
	out, err := run.Run(ctx, dir, append(args, patterns...)...)
	if err != nil {
		return nil, err
	}
	g := &pkgGraph{pkgs: map[string]*pkg{}}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		p := new(pkg)
		if err := dec.Decode(p); errors.Is(err, io.EOF) {
			return g, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		g.pkgs[p.ImportPath] = p
		g.order = append(g.order, p)
	}
}

// imports returns the packages that p imports.
func (g *pkgGraph) imports(p *pkg) []*pkg {
	var out []*pkg
	for _, i := range p.Imports {
		if m := p.ImportMap[i]; m != "" {
			i = m
		}
		if q := g.pkgs[i]; q != nil {
			out = append(out, q)
		}
	}
	return out
}

// programs returns what the build links: main packages and test binaries.
func (g *pkgGraph) programs() []*pkg {
	var out []*pkg
	for _, p := range g.order {
		if p.Name == "main" && (!p.DepOnly || strings.HasSuffix(p.ImportPath, ".test")) {
			out = append(out, p)
		}
	}
	return out
}

// reach walks the imports of a program and returns, for each package that it
// links, the one that imports it on a shortest chain.
func (g *pkgGraph) reach(from *pkg) map[*pkg]*pkg {
	by := map[*pkg]*pkg{from: nil}
	for queue := []*pkg{from}; len(queue) > 0; queue = queue[1:] {
		for _, q := range g.imports(queue[0]) {
			if _, seen := by[q]; !seen {
				by[q] = queue[0]
				queue = append(queue, q)
			}
		}
	}
	return by
}

// chain returns the import paths from the program to a package.
func chain(by map[*pkg]*pkg, to *pkg) []string {
	var out []string
	for p := to; p != nil; p = by[p] {
		if q := p.path(); len(out) == 0 || out[len(out)-1] != q {
			out = append(out, q)
		}
	}
	slices.Reverse(out)
	return out
}

// A Clash is a program that links the protobuf messages of etcd twice, from
// packages of two generations. It builds, and panics before main.
type Clash struct {
	Program string     // main package, or test binary ("example.com/p.test")
	Name    string     // the messages: "mvcc/mvccpb"
	Chains  [][]string // import chain to each of the packages
}

func (c Clash) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s links %s twice and would panic at start:", c.Program, path.Base(c.Name))
	for _, ch := range c.Chains {
		b.WriteString("\n\t" + strings.Join(ch, "\n\t\timports "))
	}
	return b.String()
}

// Generations looks into every main package and test binary of a plan for
// two generations of etcd. Any Clash means that the plan is not proved,
// whatever the compiler says. The flags, such as -tags, are those of the
// build that the plan is proved with.
func Generations(ctx context.Context, req Request, res *Result, flags ...string) ([]Clash, error) {
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
		return nil, err
	}
	return g.clashes(), nil
}

func (g *pkgGraph) clashes() []Clash {
	var out []Clash
	for _, prog := range g.programs() {
		by := g.reach(prog)
		found := map[string]map[string]*pkg{} // messages → import path → package
		for p := range by {
			rel, _, ok := atlas.Canonical(p.path())
			if !ok || !strings.HasSuffix(rel, "pb") {
				continue
			}
			if rel == "storage/storagepb" {
				rel = "mvcc/mvccpb" // its name in 2.3
			}
			if found[rel] == nil {
				found[rel] = map[string]*pkg{}
			}
			found[rel][p.path()] = p
		}
		for _, rel := range sortedKeys(found) {
			if len(found[rel]) < 2 {
				continue
			}
			c := Clash{Program: prog.path(), Name: rel}
			for _, path := range sortedKeys(found[rel]) {
				c.Chains = append(c.Chains, chain(by, found[rel][path]))
			}
			out = append(out, c)
		}
	}
	return out
}

// moduleVersion returns the module of a package as the build selects it.
func (p *pkg) moduleVersion() module.Version {
	if p.Module == nil {
		return module.Version{}
	}
	return module.Version{Path: p.Module.Path, Version: p.Module.Version}
}

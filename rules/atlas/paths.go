package atlas

import (
	"slices"
	"strings"
	"sync"
)

// Layout is the generation of module layout that an import path belongs to.
type Layout uint8

const (
	LayoutNone   Layout = iota
	LayoutCoreos        // github.com/coreos/etcd, and github.com/etcd-io/etcd
	LayoutEtcd          // go.etcd.io/etcd: 3.3.27 and 3.4
	LayoutV3            // go.etcd.io/etcd/v3: commits between 3.4 and 3.5
	LayoutSplit         // go.etcd.io/etcd/client/v3 and the other modules since 3.5.0-alpha.0
)

var layoutNames = [...]string{"none", "coreos", "etcd", "v3", "split"}

func (l Layout) String() string { return layoutNames[l] }

// Roots of old etcd, as modules and as import path prefixes. go.etcd.io/etcd/v3
// stands before go.etcd.io/etcd, which is a prefix of it.
var oldRoots = []struct {
	path   string
	layout Layout
}{
	{"github.com/coreos/etcd", LayoutCoreos},
	{"github.com/etcd-io/etcd", LayoutCoreos},
	{"go.etcd.io/etcd/v3", LayoutV3},
	{"go.etcd.io/etcd", LayoutEtcd},
}

// OldRoots returns the module roots of etcd before it was split into modules.
func OldRoots() []string {
	var rs []string
	for _, r := range oldRoots {
		rs = append(rs, r.path)
	}
	return rs
}

// splitModules are the modules of split etcd; the atlas may not know all of
// their packages.
var splitModules = []string{
	"go.etcd.io/etcd/api/v3",
	"go.etcd.io/etcd/cache/v3",
	"go.etcd.io/etcd/client/pkg/v3",
	"go.etcd.io/etcd/client/v2",
	"go.etcd.io/etcd/client/v3",
	"go.etcd.io/etcd/etcdctl/v3",
	"go.etcd.io/etcd/etcdutl/v3",
	"go.etcd.io/etcd/pkg/v3",
	"go.etcd.io/etcd/raft/v3",
	"go.etcd.io/etcd/server/v3",
	"go.etcd.io/etcd/tests/v3",
	"go.etcd.io/raft/v3",
}

// SplitModules returns the module paths of etcd since 3.5.0-alpha.0, sorted.
func SplitModules() []string { return slices.Clone(splitModules) }

// IsEtcdModule reports whether path is a module of etcd, old or split. The other
// modules of the project (bbolt, gofail) are not.
func IsEtcdModule(path string) bool {
	for _, r := range oldRoots {
		if path == r.path {
			return true
		}
	}
	return slices.Contains(splitModules, path)
}

// under reports whether path is root or below it, and what is below.
func under(path, root string) (below string, ok bool) {
	if path == root {
		return "", true
	}
	if below, ok := strings.CutPrefix(path, root+"/"); ok {
		return below, true
	}
	return "", false
}

// cutVendor takes what a vendor folder or a godeps workspace puts before an
// import path off.
func cutVendor(path string) string {
	for _, v := range []string{"vendor/", "Godeps/_workspace/src/"} {
		if i := strings.LastIndex(path, "/"+v); i >= 0 {
			path = path[i+1+len(v):]
		}
		path = strings.TrimPrefix(path, v)
	}
	return path
}

// Canonical names the package at an import path by its path below the old module
// root ("clientv3", "pkg/transport", "raft/raftpb"; "." for the root itself),
// whatever the layout. ok is false for what is not a package path of etcd. A name
// is given to packages that no table has, too: HomeOf does not know those.
func Canonical(importPath string) (rel string, layout Layout, ok bool) {
	p := cutVendor(importPath)
	if s, ok := split()[p]; ok {
		return s.rel, LayoutSplit, true
	}
	for _, m := range splitModules {
		if below, ok := under(p, m); ok {
			// As the generator names them: the module without major version.
			rel = strings.TrimPrefix(strings.TrimPrefix(m, "go.etcd.io/etcd/"), "go.etcd.io/")
			rel = rel[:strings.LastIndexByte(rel, '/')]
			if below != "" {
				rel += "/" + below
			}
			return rel, LayoutSplit, true
		}
	}
	for _, r := range oldRoots {
		if below, ok := under(p, r.path); ok {
			if below == "" {
				below = "."
			}
			return below, r.layout, true
		}
	}
	return "", LayoutNone, false
}

// A Home is where a package lives in a target line.
type Home struct {
	Path    string // import path; "" when gone
	Name    string // package name
	Module  string // module that holds it
	Gone    bool   // the line has no such package
	OldName string // package name under the old layout
	Note    string // what else to know: where parts of it went, or why it is gone
}

// Renamed reports whether the identifier that source code uses for the package
// changes with the move.
func (h Home) Renamed() bool { return !h.Gone && h.Name != h.OldName }

type place struct {
	name  string
	seen  []string
	homes [3]Home
}

var places = sync.OnceValue(func() map[string]*place {
	ps := map[string]*place{}
	for _, r := range rows("paths.tsv") {
		p := &place{name: r[1]}
		if r[2] != "" {
			p.seen = strings.Split(r[2], ",")
		}
		for i, c := range r[3:6] {
			h := Home{OldName: r[1], Note: r[6]}
			switch c {
			case "-":
				h.Gone = true
			case "=":
				h = p.homes[i-1]
			default:
				f := strings.Fields(c)
				h.Path, h.Name, h.Module = f[0], f[1], f[2]
			}
			p.homes[i] = h
		}
		ps[r[0]] = p
	}
	return ps
})

type splitPath struct{ rel, name string }

var split = sync.OnceValue(func() map[string]splitPath {
	ss := map[string]splitPath{}
	for _, r := range rows("split.tsv") {
		ss[r[0]] = splitPath{rel: r[1], name: r[2]}
	}
	return ss
})

// HomeOf returns where a package lives in a line. ok is false when no table has
// the package: a path that no release of etcd had, or a private one.
func HomeOf(rel string, line Line) (h Home, ok bool) {
	p, i := places()[rel], line.index()
	if p == nil || i < 0 {
		return Home{}, false
	}
	return p.homes[i], true
}

// OldName returns the name of a package under the old layout, or "".
func OldName(rel string) string {
	if p := places()[rel]; p != nil {
		return p.name
	}
	return ""
}

// SeenIn returns the releases before 3.5.0-alpha.0 that have the package, of
// those that the tables were made from ("3.3.27"), oldest first.
func SeenIn(rel string) []string {
	if p := places()[rel]; p != nil {
		return slices.Clone(p.seen)
	}
	return nil
}

// ImportPath returns the import path of a package in a release: for one before the
// split ("3.3.27") below its old root, for a target line ("3.6") its home. It is
// "" when the release does not have the package, or the atlas not the release.
func ImportPath(rel, release string) string {
	if l, ok := LineOf(release); ok && !strings.Contains(release, "-") {
		h, _ := HomeOf(rel, l)
		return h.Path
	}
	if p := places()[rel]; p == nil || !slices.Contains(p.seen, release) {
		return ""
	}
	for _, s := range sources() {
		if s.Release != release {
			continue
		}
		for _, r := range oldRoots {
			if s.Module == r.path && rel == "." {
				return r.path
			} else if s.Module == r.path {
				return r.path + "/" + rel
			}
		}
	}
	return ""
}

// Packages returns the canonical names of all packages that the atlas knows,
// sorted.
func Packages() []string {
	var rels []string
	for r := range places() {
		rels = append(rels, r)
	}
	slices.Sort(rels)
	return rels
}

var names = sync.OnceValue(func() map[string]string {
	ns := map[string]string{}
	for _, r := range rows("names.tsv") {
		ns[r[0]] = r[1]
	}
	return ns
})

// PackageName returns the name in the package clause of the package at an import
// path: etcd packages of every layout, and the packages of gRPC, protobuf, zap
// and bbolt.
func PackageName(importPath string) (string, bool) {
	p := cutVendor(importPath)
	if s, ok := split()[p]; ok {
		return s.name, true
	}
	if rel, layout, ok := Canonical(p); ok {
		if layout == LayoutSplit {
			return "", false
		}
		pl := places()[rel]
		if pl == nil || len(pl.seen) == 0 {
			return "", false
		}
		return pl.name, true
	}
	n, ok := names()[p]
	return n, ok
}

package legacy

import (
	"go/build"
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

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// sources is what the Go files of a repository say of its imports.
type sources struct {
	imports  map[string]bool // of packages outside the standard library
	relative []relative      // imports by the way from the file's folder, or from src of a gb project
	self     string          // import path of the root, by how packages import each other
	comment  string          // import path of the root, by import comments
	// workspace says that packages import what Godeps/_workspace holds by the
	// path that it has there, as "godep save -r" wrote it.
	workspace bool
}

// relative is an import such as "../conf", which modules refuse, or of a gb
// project such as "conf" for src/conf, where modules do not look.
type relative struct {
	edit      edit.Edit // of the path; what replaces it is not known yet
	line, col int
	path      string
	gb        bool
}

// in returns the path that the import has in a GOPATH, "" for one that leads
// out of it.
func (r relative) in(mod string) string {
	if r.gb {
		return path.Join(mod, "src", r.path)
	}
	p := path.Join(mod, path.Dir(r.edit.File), r.path)
	if !own(p, mod) && (isStd(p) || strings.HasPrefix(p, "../")) {
		return ""
	}
	return p
}

const workspace = "/Godeps/_workspace/src/"

var importComment = regexp.MustCompile(`(?m)^package \w+ // import "([^"]+)"`)

func readSources(root string) (*sources, error) {
	s := &sources{imports: map[string]bool{}}
	dirs := map[string]bool{} // folders with Go files, relative to root
	comments := map[string]string{}
	var all []relative
	_, noGb := os.Stat(filepath.Join(root, "vendor", "manifest"))
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if file != root && (name[0] == '.' || name[0] == '_' || name == "vendor" || name == "testdata" || name == "Godeps" || name == "node_modules") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || !d.Type().IsRegular() {
			return nil
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		dirs[rel] = true
		if m := importComment.FindSubmatch(data); m != nil {
			comments[rel] = string(m[1])
		}
		fset := token.NewFileSet()
		f, _ := parser.ParseFile(fset, file, data, parser.ImportsOnly)
		if f == nil {
			return nil
		}
		for _, spec := range f.Imports {
			p, err := strconv.Unquote(spec.Path.Value)
			at, end := fset.PositionFor(spec.Path.Pos(), false), fset.PositionFor(spec.Path.End(), false)
			r := relative{edit.Edit{File: path.Join(rel, name), Start: at.Offset, End: end.Offset, Rule: Rule}, at.Line, at.Column, p, noGb == nil}
			if err == nil && build.IsLocalImport(p) {
				r.gb = false
				s.relative = append(s.relative, r)
				continue
			}
			all = append(all, r)
			if root, _, ok := strings.Cut(p, workspace); ok {
				s.self, s.workspace = root, true
				continue
			}
			if err == nil && p != "C" && strings.Contains(strings.SplitN(p, "/", 2)[0]+"/", ".") {
				s.imports[p] = true
			} else if err == nil && strings.Contains(p, "/") {
				s.imports[p] = true // perhaps of a GOPATH without a host; see below
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		if r.gb && dirs["src/"+r.path] {
			s.relative = append(s.relative, r)
			delete(s.imports, r.path)
		}
	}
	// The root whose sub-folders the imports name most often.
	votes := map[string]int{}
	for imp := range s.imports {
		for d := range dirs {
			if d != "." && strings.HasSuffix(imp, "/"+d) {
				votes[strings.TrimSuffix(imp, "/"+d)]++
			}
		}
	}
	best := 0
	if s.workspace {
		clear(votes) // that was said
	}
	for cand, n := range votes {
		// Among equals, the shorter path: a deeper folder explains more of it.
		if n > best || n == best && (len(cand) < len(s.self) || len(cand) == len(s.self) && cand < s.self) {
			s.self, best = cand, n
		}
	}
	first, _, _ := strings.Cut(s.self, "/")
	if _, ok := etcdModule(s.self); ok || slices.Contains(std, first) {
		s.self = ""
	}
	for rel, imp := range comments {
		if rel == "." {
			s.comment = imp
		} else if p, ok := strings.CutSuffix(imp, "/"+rel); ok && s.comment == "" {
			s.comment = p
		}
	}
	for imp := range s.imports {
		if isStd(imp) && !own(imp, s.self) {
			delete(s.imports, imp)
		}
	}
	return s, nil
}

// std are the folders of the standard library: a path below a GOPATH may have
// no dot either, but never begins with one of these.
var std = strings.Fields("archive bufio bytes cmp compress container context crypto database debug embed encoding errors expvar flag fmt go hash html image index io iter log maps math mime net os path plugin reflect regexp runtime slices sort strconv strings structs sync syscall testing text time unicode unique unsafe weak")

// isStd says whether a path cannot be a module's: its first element has no
// dot.
func isStd(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	return !strings.Contains(first, ".")
}

// hasGo says whether a folder of vendored packages holds any.
func hasGo(dir string) bool {
	found := false
	filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, ".go") {
			found = true
			return fs.SkipAll
		}
		return nil
	})
	return found
}

// sortedKeys lists the keys of a map, so that nothing varies with its order.
func sortedKeys[V any](m map[string]V) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"sort"
	"strings"
)

// A release is one etcd release: the modules that make it up.
type release struct {
	label   string // "3.4.31"
	modules []*module
	pkgs    map[string]*pkg // by import path; filled by load
}

// line is the target line that a release stands for, or "".
func (r *release) line() string {
	for _, l := range []string{"3.5", "3.6", "3.7"} {
		if p, ok := strings.CutPrefix(r.label, l+"."); ok && !strings.Contains(p, "-") {
			return l
		}
	}
	return ""
}

// A module is one downloaded module version.
type module struct {
	Path, Version, Dir, Sum, Error string
}

// A pkg is one importable package of a module; main packages are kept too, since
// tools files import them for their path.
type pkg struct {
	path, name string
	dir        string
	files      []string // base names, sorted; no tests
	mod        *module
}

func readReleases(file string) ([]*release, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var rs []*release
	var last *release
	for i, l := range strings.Split(string(data), "\n") {
		if l == "" || strings.HasPrefix(l, "#") {
			continue
		}
		label, mv, ok := strings.Cut(l, " ")
		m, v, ok2 := strings.Cut(mv, "@")
		if !ok || !ok2 {
			return nil, fmt.Errorf("%s:%d: want \"label module@version\", have %q", file, i+1, l)
		}
		if last == nil || last.label != label {
			last = &release{label: label}
			rs = append(rs, last)
		}
		last.modules = append(last.modules, &module{Path: m, Version: v})
	}
	return rs, nil
}

// goCommand runs the go command in dir and returns its standard output. The
// environment is the user's: proxies and checksum checks stay as they are.
func goCommand(dir string, args ...string) ([]byte, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return out, nil
}

// scratch makes an empty module to run the go command in.
func scratch(goMod string) (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp("", "atlas")
	if err != nil {
		return "", nil, err
	}
	remove = func() { os.RemoveAll(dir) }
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(goMod), 0o644); err != nil {
		remove()
		return "", nil, err
	}
	return dir, remove, nil
}

// download fetches modules and fills in where they are.
func download(ms []*module) error {
	dir, remove, err := scratch("module atlas.scratch\n\ngo 1.26\n")
	if err != nil {
		return err
	}
	defer remove()
	args := []string{"mod", "download", "-json"}
	for _, m := range ms {
		args = append(args, m.Path+"@"+m.Version)
	}
	out, err := goCommand(dir, args...)
	if err != nil {
		return err
	}
	byName := map[string]module{}
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var m module
		if err := dec.Decode(&m); err != nil {
			return err
		}
		if m.Error != "" {
			return fmt.Errorf("%s@%s: %s", m.Path, m.Version, m.Error)
		}
		byName[m.Path+"@"+m.Version] = m
	}
	for _, m := range ms {
		got, ok := byName[m.Path+"@"+m.Version]
		if !ok {
			return fmt.Errorf("go mod download did not report %s@%s", m.Path, m.Version)
		}
		m.Dir, m.Sum = got.Dir, got.Sum
	}
	return nil
}

// load downloads the releases of modules.txt and scans their packages, once.
func (g *gen) load() error {
	var ms []*module
	for _, r := range g.releases {
		if r.pkgs == nil {
			ms = append(ms, r.modules...)
		}
	}
	if len(ms) == 0 {
		return nil
	}
	if err := download(ms); err != nil {
		return err
	}
	for _, r := range g.releases {
		r.pkgs = map[string]*pkg{}
		for _, m := range r.modules {
			if err := m.scan(r.pkgs); err != nil {
				return err
			}
		}
	}
	return nil
}

// scan adds the module's packages that other modules can import, and its
// commands, to pkgs.
func (m *module) scan(pkgs map[string]*pkg) error {
	return filepath.WalkDir(m.Dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if file == m.Dir {
				return nil
			}
			switch {
			case name == "internal", name == "vendor", name == "testdata", name == "Godeps",
				strings.HasPrefix(name, "."), strings.HasPrefix(name, "_"):
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "_") || strings.HasPrefix(name, ".") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		for _, c := range f.Comments {
			for _, l := range c.List {
				if l.Pos() < f.Package && (constraint.IsGoBuild(l.Text) || constraint.IsPlusBuild(l.Text)) {
					if e, err := constraint.Parse(l.Text); err == nil && e.String() == "ignore" {
						return nil
					}
				}
			}
		}
		if f.Name.Name == "documentation" { // the go command skips these files
			return nil
		}
		rel, err := filepath.Rel(m.Dir, filepath.Dir(file))
		if err != nil {
			return err
		}
		p := path.Join(m.Path, filepath.ToSlash(rel))
		if have := pkgs[p]; have == nil {
			pkgs[p] = &pkg{path: p, name: f.Name.Name, dir: filepath.Dir(file), mod: m, files: []string{name}}
		} else if have.name != f.Name.Name {
			return fmt.Errorf("%s@%s: %s holds packages %s and %s", m.Path, m.Version, p, have.name, f.Name.Name)
		} else {
			have.files = append(have.files, name)
		}
		return nil
	})
}

// sorted returns the keys of a map in order.
func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// writeModules records which module versions, with which content, the tables
// were made from.
func (g *gen) writeModules() error {
	if err := g.load(); err != nil {
		return err
	}
	var rows [][]string
	for _, r := range g.releases {
		for _, m := range r.modules {
			rows = append(rows, []string{r.label, m.Path, m.Version, m.Sum})
		}
	}
	extra, err := g.extraModules()
	if err != nil {
		return err
	}
	for _, m := range extra {
		rows = append(rows, []string{"", m.Path, m.Version, m.Sum})
	}
	return g.write("modules.tsv", "release, module, version, sum as in go.sum", rows)
}

// extraModules downloads the modules of packages.txt.
func (g *gen) extraModules() ([]*module, error) {
	rows, err := g.lines("packages.txt")
	if err != nil {
		return nil, err
	}
	var ms []*module
	for _, r := range rows {
		p, v, ok := strings.Cut(r[0], "@")
		if !ok {
			return nil, fmt.Errorf("packages.txt: want module@version, have %q", r[0])
		}
		ms = append(ms, &module{Path: p, Version: v})
	}
	return ms, download(ms)
}

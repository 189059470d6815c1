package legacy

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/BurntSushi/toml"
	"go.yaml.in/yaml/v3"
	"golang.org/x/mod/semver"

	"github.com/etcdshift/etcdshift/rewrite/deps"
)

// pin is a dependency as a lock file has it.
type pin struct {
	path     string // of a repository, or of a package in it
	version  string // tag, "" for none
	revision string
	source   string // module path of where the tool took it from, if it says so
}

// lock is what the files of a dependency tool say.
type lock struct {
	tool  string
	files []string // relative to the root; the lock first
	path  string   // import path of the repository, "" if the tool does not say
	pins  []pin
}

// readLock reads the files of the tool that a repository used.
func readLock(ctx context.Context, dir string) (*lock, error) {
	ofGit := func(dir string) (*lock, error) { return readSubmodules(ctx, dir) }
	for _, read := range []func(string) (*lock, error){readDep, readGlide, readGodep, readGovendor, readGb, readVndr, ofGit} {
		l, err := read(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return l, err
	}
	if hasGo(filepath.Join(dir, "vendor")) {
		return &lock{tool: "vendor", files: []string{"vendor"}}, nil
	}
	return &lock{tool: "GOPATH"}, nil
}

// etcdRelease returns the release of etcd that a lock pins, "" if it does not
// say.
func (l *lock) etcdRelease() string {
	newest := ""
	for _, p := range l.pins {
		mod, ok := etcdModule(p.path)
		if !ok {
			continue
		}
		if v := deps.ReleaseOf(mod, cmp.Or(p.version, p.revision)); semver.Compare(v, newest) > 0 {
			newest = v
		}
	}
	return newest
}

// present adds the companions of a lock file that are there.
func (l *lock) present(dir string, names ...string) *lock {
	for _, n := range names {
		if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(n))); err == nil {
			l.files = append(l.files, n)
		}
	}
	return l
}

func readDep(dir string) (*lock, error) {
	data, err := os.ReadFile(filepath.Join(dir, "Gopkg.lock"))
	if err != nil {
		return nil, err
	}
	var f struct {
		Projects []struct{ Name, Revision, Version, Source string }
	}
	if err := toml.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("Gopkg.lock: %w", err)
	}
	l := (&lock{tool: "dep", files: []string{"Gopkg.lock"}}).present(dir, "Gopkg.toml")
	for _, p := range f.Projects {
		l.pins = append(l.pins, pin{p.Name, p.Version, p.Revision, remotePath(p.Source)})
	}
	return l, nil
}

func readGlide(dir string) (*lock, error) {
	var f struct {
		Imports     []struct{ Name, Version, Repo string }
		TestImports []struct{ Name, Version, Repo string } `yaml:"testImports"`
	}
	// A library often has no lock.
	var y struct {
		Package string
		Import  []struct{ Package, Version, Repo string }
	}
	manifest, unread := os.ReadFile(filepath.Join(dir, "glide.yaml"))
	if unread == nil {
		if err := yaml.Unmarshal(manifest, &y); err != nil {
			unread = fmt.Errorf("glide.yaml: %w", err)
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "glide.lock"))
	if errors.Is(err, fs.ErrNotExist) {
		if unread != nil {
			return nil, unread
		}
		l := &lock{tool: "glide", files: []string{"glide.yaml"}, path: y.Package}
		for _, p := range y.Import {
			l.pin(p.Package, p.Version, p.Repo)
		}
		return l, nil
	}
	if err != nil {
		return nil, err
	}
	if err := yaml.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("glide.lock: %w", err)
	}
	l := (&lock{tool: "glide", files: []string{"glide.lock"}, path: y.Package}).present(dir, "glide.yaml")
	for _, p := range append(f.Imports, f.TestImports...) {
		l.pins = append(l.pins, pin{path: p.Name, revision: p.Version, source: remotePath(p.Repo)})
	}
	return l, nil
}

func readGodep(dir string) (*lock, error) {
	var f struct {
		ImportPath string
		Deps       []struct{ ImportPath, Comment, Rev string }
	}
	if err := readJSON(dir, "Godeps/Godeps.json", &f); err != nil {
		return nil, err
	}
	l := &lock{tool: "godep", files: []string{"Godeps/Godeps.json"}, path: f.ImportPath}
	for _, d := range f.Deps {
		p := pin{path: d.ImportPath, revision: d.Rev}
		if strings.HasPrefix(d.Comment, "v") && !strings.Contains(d.Comment, "-g") { // not "v1.0-3-gabc": commits after a tag
			p.version = d.Comment
		}
		l.pins = append(l.pins, p)
	}
	return l, nil
}

func readGovendor(dir string) (*lock, error) {
	var f struct {
		RootPath string `json:"rootPath"`
		Package  []struct{ Path, Revision, Version, VersionExact string }
	}
	if err := readJSON(dir, "vendor/vendor.json", &f); err != nil {
		return nil, err
	}
	l := &lock{tool: "govendor", files: []string{"vendor/vendor.json"}, path: f.RootPath}
	for _, p := range f.Package {
		v := p.VersionExact
		if v == "" {
			v = p.Version
		}
		l.pins = append(l.pins, pin{path: p.Path, version: v, revision: p.Revision})
	}
	return l, nil
}

func readGb(dir string) (*lock, error) {
	var f struct {
		Dependencies []struct{ Importpath, Revision string }
	}
	if err := readJSON(dir, "vendor/manifest", &f); err != nil {
		return nil, err
	}
	l := &lock{tool: "gb", files: []string{"vendor/manifest"}}
	for _, d := range f.Dependencies {
		l.pins = append(l.pins, pin{path: d.Importpath, revision: d.Revision})
	}
	return l, nil
}

// readVndr reads the list of vndr, which trash took over: a line for each
// repository with its tag or commit, and where to take it from. A path alone is
// that of the repository itself.
func readVndr(dir string) (*lock, error) {
	l := &lock{tool: "vndr", files: []string{"vendor.conf"}}
	data, err := os.ReadFile(filepath.Join(dir, l.files[0]))
	if errors.Is(err, fs.ErrNotExist) {
		l = &lock{tool: "trash", files: []string{"trash.conf"}}
		data, err = os.ReadFile(filepath.Join(dir, l.files[0]))
	}
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		switch f := strings.Fields(line); len(f) {
		case 0:
		case 1:
			l.path = cmp.Or(l.path, f[0])
		default:
			l.pin(f[0], f[1], append(f, "")[2])
		}
	}
	return l, nil
}

var commit = regexp.MustCompile(`^[0-9a-f]{7,40}$`)

// pin adds what a file names by tag or commit. A branch or a range of versions
// is no pin.
func (l *lock) pin(path, version, url string) {
	p := pin{path: path, source: remotePath(url)}
	switch {
	case commit.MatchString(version):
		p.revision = version
	case semver.IsValid("v" + strings.TrimPrefix(version, "v")):
		p.version = version
	default:
		return
	}
	l.pins = append(l.pins, p)
}

func readJSON(dir, name string, v any) error {
	data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

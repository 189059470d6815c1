package deps

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/etcdshift/etcdshift/rewrite/gocmd"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// PinsFile is where a repository records its pins, in its root.
const PinsFile = ".etcdshift.json"

// ErrNoPins says that a repository has not recorded its pins.
var ErrNoPins = errors.New("no recorded pins (" + PinsFile + "); 'etcdshift migrate --record-pins' writes them")

// Pins are the versions of etcd, gRPC and protobuf that a repository builds
// and deploys with.
type Pins struct {
	Modules []ModulePin `json:"modules"`
	// WorkVendor are the versions in the vendor folder of a workspace, by
	// module path.
	WorkVendor map[string]string `json:"workVendor,omitempty"`
	Images     []ImagePin        `json:"images,omitempty"`
}

// ModulePin is the version of a module in one of the repository's own.
type ModulePin struct {
	Dir    string `json:"dir"`    // of the repository's module, relative to the root
	Module string `json:"module"` // module path
	// GoMod, Build and Vendor are the versions that go.mod requires, the build
	// list selects and vendor/modules.txt has; "" where there is none.
	GoMod  string `json:"goMod,omitempty"`
	Build  string `json:"build,omitempty"`
	Vendor string `json:"vendor,omitempty"`
}

// ImagePin is an etcd image that a deployment file names.
type ImagePin struct {
	File  string `json:"file"` // relative to the root
	Image string `json:"image"`
	Tag   string `json:"tag"`
}

// Drift is a pin that is not what was recorded, or that the repository itself
// does not agree on.
type Drift struct {
	File    string `json:"file"` // relative to the root
	Message string `json:"message"`
}

func (d Drift) String() string { return d.File + ": " + d.Message }

// pinned says whether the version of a module is watched.
func pinned(path string) bool {
	return atlas.IsEtcdModule(path) || path == "google.golang.org/grpc" || path == "google.golang.org/protobuf" ||
		path == "github.com/golang/protobuf" || path == "github.com/gogo/protobuf" || path == "go.etcd.io/bbolt"
}

// image matches the image of an etcd server in a compose file or a Kubernetes
// manifest: a repository named etcd, with a tag.
var image = regexp.MustCompile(`(?m)^\s*(?:-\s*)?image:\s*["']?((?:[\w.-]+(?::\d+)?/)*(?:[\w.-]*-)?etcd):([\w.-]+)`)

// ReadPins reads what the repository recorded.
func ReadPins(root string) (*Pins, error) {
	data, err := os.ReadFile(filepath.Join(root, PinsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoPins
	} else if err != nil {
		return nil, err
	}
	p := new(Pins)
	if err := json.Unmarshal(data, p); err != nil {
		return nil, fmt.Errorf("%s: %w; 'etcdshift migrate --record-pins' writes it anew", PinsFile, err)
	}
	return p, nil
}

// Bytes returns the pins as they are recorded.
func (p *Pins) Bytes() []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.Encode(p) // strings alone cannot fail
	return b.Bytes()
}

// Repository is one as a plan leaves it, or as it is.
type Repository struct {
	Root    string
	Modules []string // folders of its modules, relative to Root
	// Planned are the files that come out otherwise than they are, by name
	// relative to Root; nil for one that goes.
	Planned map[string][]byte
}

// read reads a file, by its name relative to the root.
func (r *Repository) read(name string) ([]byte, error) {
	data, ok := r.Planned[name]
	switch {
	case !ok:
		return os.ReadFile(filepath.Join(r.Root, filepath.FromSlash(name)))
	case data == nil:
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
	}
	return data, nil
}

// Pins reads the pins of a repository.
func (r *Repository) Pins(ctx context.Context, run *gocmd.Runner) (*Pins, error) {
	root := r.Root
	p := &Pins{Modules: []ModulePin{}}
	for _, m := range r.Modules {
		pins, err := r.modulePins(ctx, run, m)
		if err != nil {
			return nil, err
		}
		p.Modules = append(p.Modules, pins...)
	}
	if versions, work, err := r.vendorPins("."); err != nil {
		return nil, err
	} else if work {
		p.WorkVendor = versions
	}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if file != root && (name == ".git" || name == "vendor" || name == "node_modules") {
				return fs.SkipDir
			}
			return nil
		}
		if ext := path.Ext(name); (ext != ".yml" && ext != ".yaml") || !d.Type().IsRegular() {
			return nil
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		data, err := r.read(filepath.ToSlash(rel))
		if err != nil {
			return err
		}
		for _, m := range image.FindAllSubmatch(data, -1) {
			p.Images = append(p.Images, ImagePin{File: filepath.ToSlash(rel), Image: string(m[1]), Tag: string(m[2])})
		}
		return nil
	})
	slices.SortFunc(p.Images, func(a, b ImagePin) int {
		return cmp.Or(strings.Compare(a.File, b.File), strings.Compare(a.Image, b.Image), strings.Compare(a.Tag, b.Tag))
	})
	p.Images = slices.Compact(p.Images)
	return p, err
}

func (r *Repository) modulePins(ctx context.Context, run *gocmd.Runner, rel string) ([]ModulePin, error) {
	dir := filepath.Join(r.Root, filepath.FromSlash(rel))
	data, err := r.read(path.Join(rel, "go.mod"))
	if err != nil {
		return nil, err
	}
	mod, err := modfile.ParseLax(filepath.Join(dir, "go.mod"), data, nil)
	if err != nil {
		return nil, err
	}
	by := map[string]*ModulePin{}
	pin := func(path string) *ModulePin {
		if by[path] == nil {
			by[path] = &ModulePin{Dir: rel, Module: path}
		}
		return by[path]
	}
	for _, req := range mod.Require {
		if pinned(req.Mod.Path) {
			pin(req.Mod.Path).GoMod = req.Mod.Version
		}
	}
	// A go.sum that lacks a line is not what is asked about: list with a copy
	// of the module files, which may gain it.
	scratch, err := os.MkdirTemp("", "etcdshift-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	copied := filepath.Join(scratch, "go.mod")
	if err := os.WriteFile(copied, data, 0o644); err != nil {
		return nil, err
	}
	if sum, err := r.read(path.Join(rel, "go.sum")); err == nil {
		if err := os.WriteFile(filepath.Join(scratch, "go.sum"), sum, 0o644); err != nil {
			return nil, err
		}
	}
	overlay, err := r.overlay(scratch)
	if err != nil {
		return nil, err
	}
	out, err := run.With("GOWORK=off").Run(ctx, dir, "list", "-m", "-mod=mod", "-modfile="+copied, "-overlay="+overlay, "-f", "{{.Path}} {{with .Replace}}{{.Path}}{{with .Version}}@{{.}}{{end}}{{else}}{{.Version}}{{end}}", "all")
	if err != nil {
		return nil, fmt.Errorf("the build list of %s: %w", rel, err)
	}
	for line := range strings.Lines(string(out)) {
		path, version, _ := strings.Cut(strings.TrimSpace(line), " ")
		if pinned(path) {
			pin(path).Build = version
		}
	}
	vendored, work, err := r.vendorPins(rel)
	if err != nil {
		return nil, err
	}
	if !work {
		for path, version := range vendored {
			pin(path).Vendor = version
		}
	}
	var pins []ModulePin
	for _, path := range sortedKeys(by) {
		pins = append(pins, *by[path])
	}
	return pins, nil
}

// overlay has the module files that are planned stand in for those that are
// there: modules of a repository replace each other by their folders.
func (r *Repository) overlay(scratch string) (string, error) {
	replace := map[string]string{}
	for i, name := range sortedKeys(r.Planned) {
		if path.Base(name) == "go.mod" && r.Planned[name] != nil {
			p := filepath.Join(scratch, fmt.Sprintf("%d.mod", i))
			if err := os.WriteFile(p, r.Planned[name], 0o644); err != nil {
				return "", err
			}
			replace[filepath.Join(r.Root, filepath.FromSlash(name))] = p
		}
	}
	data, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(scratch, "overlay.json")
	return file, os.WriteFile(file, data, 0o644)
}

// vendorPins reads the versions in the vendor folder of a directory, if there
// is one, and says whether that is a workspace's.
func (r *Repository) vendorPins(rel string) (versions map[string]string, work bool, err error) {
	data, err := r.read(path.Join(rel, "vendor/modules.txt"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	} else if err != nil {
		return nil, false, err
	}
	versions = map[string]string{}
	for line := range strings.Lines(string(data)) {
		work = work || strings.TrimSpace(line) == "## workspace"
		if f := strings.Fields(line); len(f) >= 3 && f[0] == "#" && f[2] != "=>" && pinned(f[1]) {
			versions[f[1]] = f[2]
		}
	}
	return versions, work, nil
}

// Compare returns where the pins as they are differ from those recorded, and
// where they disagree among themselves.
func (p *Pins) Compare(now *Pins) []Drift {
	var out []Drift
	add := func(file, format string, args ...any) {
		out = append(out, Drift{file, fmt.Sprintf(format, args...)})
	}
	key := func(m ModulePin) string { return m.Dir + " " + m.Module }
	recorded := map[string]ModulePin{}
	for _, m := range p.Modules {
		recorded[key(m)] = m
	}
	builds := map[string]ModulePin{} // the first of the repository's modules that builds with a module
	for _, m := range now.Modules {
		file := path.Join(m.Dir, "go.mod")
		was, ok := recorded[key(m)]
		delete(recorded, key(m))
		switch {
		case !ok:
			add(file, "%s %s is not among the recorded pins", m.Module, cmp.Or(m.Build, m.GoMod))
		case was.GoMod != m.GoMod:
			add(file, "%s is required at %s, recorded is %s", m.Module, none(m.GoMod), none(was.GoMod))
		case was.Build != m.Build:
			add(file, "%s is built at %s, recorded is %s", m.Module, none(m.Build), none(was.Build))
		case was.Vendor != m.Vendor:
			add(path.Join(m.Dir, "vendor/modules.txt"), "%s is vendored at %s, recorded is %s", m.Module, none(m.Vendor), none(was.Vendor))
		}
		if m.GoMod != "" && m.GoMod != m.Build && !strings.Contains(m.Build, "@") {
			add(file, "%s is required at %s, and the build takes %s", m.Module, m.GoMod, none(m.Build))
		}
		if m.Vendor != "" && m.Vendor != m.Build && !strings.Contains(m.Build, "@") {
			add(path.Join(m.Dir, "vendor/modules.txt"), "%s is vendored at %s, and the build list has %s; run go mod vendor", m.Module, m.Vendor, none(m.Build))
		}
		if first, ok := builds[m.Module]; !ok {
			builds[m.Module] = m
		} else if first.Build != m.Build && (first.GoMod != "" || m.GoMod != "") {
			add(file, "%s is built at %s here and at %s in %s", m.Module, none(m.Build), none(first.Build), path.Join(first.Dir, "go.mod"))
		}
	}
	for _, k := range sortedKeys(recorded) {
		m := recorded[k]
		add(path.Join(m.Dir, "go.mod"), "%s is gone, recorded is %s", m.Module, cmp.Or(m.Build, m.GoMod))
	}
	for _, path := range union(p.WorkVendor, now.WorkVendor) {
		if was, is := p.WorkVendor[path], now.WorkVendor[path]; was != is {
			add("vendor/modules.txt", "%s is vendored at %s, recorded is %s", path, none(is), none(was))
		}
	}
	for _, i := range now.Images {
		if !slices.Contains(p.Images, i) {
			add(i.File, "image %s:%s is not among the recorded pins", i.Image, i.Tag)
		}
	}
	for _, i := range p.Images {
		if !slices.Contains(now.Images, i) {
			add(i.File, "image %s:%s is recorded, and not there any more", i.Image, i.Tag)
		}
	}
	return out
}

func none(v string) string { return cmp.Or(v, "no version") }

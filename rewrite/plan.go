// Package rewrite plans the migration of a repository, proves the plan and
// applies it.
//
// Make computes everything beside the tree: it loads what matters, runs the
// rules, settles imports, solves the module files and lets the compiler judge
// the result through -overlay and -modfile. A Plan is a value; only its Apply
// writes.
package rewrite

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/etcdshift/etcdshift/rewrite/deps"
	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/gocmd"
	"github.com/etcdshift/etcdshift/rewrite/load"
	"github.com/etcdshift/etcdshift/rewrite/report"
	"github.com/etcdshift/etcdshift/rewrite/verify"
	"github.com/etcdshift/etcdshift/rules"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// Options of Make. The zero value plans the repository in the current folder
// for the newest line, proved with go build and go vet.
type Options struct {
	Dir     string
	Target  string       // "auto", a line such as "3.6", or a release such as "v3.6.16"; "" is auto
	From    string       // etcd release that the code was written for; "" to find out
	KeepGo  bool         // never raise the go directive
	Verify  verify.Level // None leaves the plan unverified
	Rules   []string     // run only these; nil for all
	Skip    []string     // leave these out
	Tags    []string     // build tags
	Offline bool
	Go      *gocmd.Runner
	// Module is the module path of a repository from before modules; "" to
	// find out. RemoveLegacy deletes the lock files of its old tool.
	Module       string
	RemoveLegacy bool

	guessed bool // go.mod was made here: what it requires says nothing about the code
	// Progress is told what is going on, one line at a time; nil for nobody.
	Progress func(format string, args ...any)
}

// Plan is a migration, computed and not applied.
type Plan struct {
	report.Run
	Writes []edit.FileChange // every file that changes, sorted by path

	sources *Sources
}

// ErrTarget says that --target was not understood.
var ErrTarget = errors.New("must be auto, 3.5, 3.6, 3.7, a release such as v3.6.16, or the folder of a checkout of etcd")

// targets reads Options.Target: the lines to try, best first, and the exact
// release or the checkout of etcd, if one was named.
func targets(s string) (lines []atlas.Line, release, checkout string, err error) {
	number := strings.TrimPrefix(s, "v")
	switch {
	case s == "" || s == "auto":
		lines = atlas.Lines()
		slices.Reverse(lines)
		return lines, "", "", nil
	case slices.Contains(atlas.Lines(), atlas.Line(number)):
		return []atlas.Line{atlas.Line(number)}, "", "", nil
	}
	if l, ok := atlas.LineOf(s); ok && semver.Canonical("v"+number) == "v"+number {
		return []atlas.Line{l}, "v" + number, "", nil
	}
	if st, err := os.Stat(s); err == nil && st.IsDir() {
		l, err := deps.CheckoutLine(s)
		return []atlas.Line{l}, "", s, err
	}
	return nil, "", "", fmt.Errorf("--target %s: %w", s, ErrTarget)
}

// ParseFrom reads a release as people write it into one for Options.From. Rules
// compare releases: one that they cannot read would be older than all.
func ParseFrom(s string) (string, error) {
	v := "v" + strings.TrimPrefix(s, "v")
	if m := semver.Major(v); m != "v2" && m != "v3" {
		return "", fmt.Errorf("--from %s: must be an etcd release such as v3.3.13 or 3.4", s)
	}
	return v, nil
}

const scratchPrefix = "etcdshift-"

// Make plans the migration of a repository.
func Make(ctx context.Context, opt Options) (*Plan, error) {
	if opt.Go == nil {
		opt.Go = &gocmd.Runner{}
	}
	// A runner of the plan's own: one that went before may have raised a go
	// directive, and with it the toolchain that is in use.
	opt.Go = opt.Go.With()
	if opt.Offline {
		opt.Go.Offline = true
	}
	if opt.Progress == nil {
		opt.Progress = func(string, ...any) {}
	}
	lines, release, checkout, err := targets(opt.Target)
	if err != nil {
		return nil, err
	}
	list, err := rules.Select(opt.Rules, opt.Skip)
	if err != nil {
		return nil, err
	}
	tree, err := load.Scan(ctx, opt.Dir)
	if err != nil {
		return nil, err
	}
	if err := tree.Whole(); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(tree.Modules, func(m *load.Module) bool { return m.Etcd }) {
		return &Plan{Run: report.Run{Root: tree.Root, Status: report.Nothing, GoFiles: tree.GoFiles, Unbuilt: tree.Unbuilt, Apart: tree.Apart}}, nil
	}
	if slices.ContainsFunc(tree.Modules, func(m *load.Module) bool { return m.Etcd && m.Path == "" }) {
		return makeLegacy(ctx, opt, tree)
	}
	if i := slices.IndexFunc(tree.Modules, func(m *load.Module) bool { return m.Etcd && m.Path != opt.Module }); i >= 0 && opt.Module != "" {
		m := tree.Modules[i]
		return nil, fmt.Errorf("--module %s: %s has the path %s, and --module is for a repository without go.mod; leave it out", opt.Module, filepath.Join(m.Dir, "go.mod"), m.Path)
	}
	scratch, err := os.MkdirTemp("", scratchPrefix)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	pl := &planner{opt: opt, tree: tree, rules: list, scratch: scratch, checkout: checkout}
	if err := pl.load(ctx); err != nil {
		return nil, err
	}
	var best *Plan
	var steps []string
	for i, line := range lines {
		opt.Progress("planning for etcd %s", line)
		p, err := pl.plan(ctx, line, release)
		var none *deps.NoRelease
		switch {
		case errors.As(err, &none) && i+1 < len(lines):
			steps = append(steps, fmt.Sprintf("%s: %v", line, err))
			continue
		case errors.As(err, &none) && best != nil:
			steps = append(steps, fmt.Sprintf("%s: %v", line, err))
		case err != nil:
			return nil, err
		case best == nil || p.Status.Better(best.Status):
			best = p
		}
		if slices.Contains([]report.Status{report.Nothing, report.Left, report.Proved, report.Unverified}, best.Status) {
			break
		}
		if i+1 < len(lines) {
			steps = append(steps, fmt.Sprintf("%s: %s", line, p.summary()))
		}
	}
	best.Steps = steps
	return best, nil
}

// summary says in one line why a plan is not proved.
func (p *Plan) summary() string {
	for _, m := range p.Modules {
		if m.Error != "" {
			first, _, _ := strings.Cut(m.Error, "\n")
			return first
		}
	}
	for _, m := range p.Modules {
		if len(m.Proof.New) > 0 {
			return fmt.Sprintf("%s left, the first: %s", report.Count(len(m.Proof.New), "problem is", "problems are"), m.Proof.New[0])
		}
	}
	return string(p.Status)
}

// planner holds what does not depend on the target.
type planner struct {
	opt      Options
	tree     *load.Tree
	rules    []*rules.Rule
	scratch  string
	checkout string // of etcd, to plan against; "" for a release
	// workspace runs the go command as the user does, in the workspace if
	// there is one.
	workspace *gocmd.Runner
	from      string
	fromFile  string
	modules   []*module
	texts     []*load.Text
	sources   map[string]*load.Source // by name
	dirs      int
	trees     map[*module]treeResult
	vetted    map[*module][]verify.Problem // with the old etcd
}

// module is a module that is to be migrated.
type module struct {
	*load.Module
	res *load.Result
}

func (pl *planner) dir(name string) (string, error) {
	pl.dirs++
	d := filepath.Join(pl.scratch, fmt.Sprintf("%d-%s", pl.dirs, name))
	return d, os.Mkdir(d, 0o755)
}

// oldModFile writes a go.mod aside with which code for an old etcd resolves.
func (pl *planner) oldModFile(ctx context.Context, dir string) (string, error) {
	d, err := pl.dir("old")
	if err != nil {
		return "", err
	}
	return deps.OldModFile(ctx, pl.opt.Go, dir, d)
}

func (pl *planner) load(ctx context.Context) error {
	// Builds from a vendor folder want no checksums, and have it beside go.work.
	if pl.workspace = pl.opt.Go; pl.tree.Work != "" && !pl.tree.Vendor {
		d, err := pl.dir("work")
		if err != nil {
			return err
		}
		// A go.work that cannot be read is the go command's to refuse.
		if work, err := gocmd.CopyWork(pl.tree.Work, d); err == nil {
			pl.workspace = pl.opt.Go.With("GOWORK=" + work)
		}
	}
	pl.sources = map[string]*load.Source{}
	pl.from = pl.opt.From
	for _, m := range pl.tree.Modules {
		if !m.Etcd && !m.Along {
			continue
		}
		for _, s := range m.Files {
			pl.sources[s.Name] = s
		}
		pl.opt.Progress("loading %s", m.Dir)
		res, err := load.Load(ctx, pl.tree, m, load.Options{
			Go: pl.workspace, Tags: pl.opt.Tags,
			OldModFile: pl.oldModFile,
		})
		if err != nil {
			return err
		}
		pl.modules = append(pl.modules, &module{m, res})
		if v, where, err := deps.SourceRelease(m.Dir); err == nil && m.Etcd && pl.opt.From == "" && !pl.opt.guessed {
			if pl.from == "" {
				pl.from, pl.fromFile = v, path.Join(m.Rel, where)
			}
			split := deps.SplitRelease(m.Dir)
			for _, p := range res.Packages {
				if p.From = v; rules.Moved(p.Imports()) {
					p.From = cmp.Or(split, v)
				}
			}
		}
	}
	pl.trees, pl.vetted = map[*module]treeResult{}, map[*module][]verify.Problem{}
	var err error
	pl.texts, err = load.Texts(ctx, pl.tree)
	return err
}

// plan computes the migration for one target line.
func (pl *planner) plan(ctx context.Context, line atlas.Line, release string) (*Plan, error) {
	p := &Plan{Run: report.Run{
		Root: pl.tree.Root, Line: string(line), From: pl.from, FromFile: pl.fromFile,
		Unbuilt: pl.tree.Unbuilt, Apart: pl.tree.Apart, GoFiles: pl.tree.GoFiles, Status: report.Nothing,
	}}
	target := rules.Target{Line: line, Version: release}
	if r, ok := atlas.FindRelease(release); ok {
		target.GRPC = r.GRPC
	} else if r, ok := atlas.FindRelease(atlas.Newest(line)); ok {
		target.GRPC = r.GRPC
	}
	var packages []*load.Package
	held := pl.v2Modules(line)
	for _, m := range pl.modules {
		if !held[m] {
			packages = append(packages, m.res.Packages...)
		}
		for _, pr := range m.res.Problems {
			p.Findings = append(p.Findings, loadFinding(m, pr))
		}
	}
	if alt, err := pl.opt.Go.ModFile(ctx); err == nil && alt != "" {
		p.Findings = append(p.Findings, edit.Finding{
			Rule: "go-mod", Severity: edit.Review, File: "go.mod", Line: 1, Col: 1,
			Message: fmt.Sprintf("GOFLAGS has -modfile=%s: builds do not use go.mod, which is what is planned", alt),
			Advice:  "carry the changes over to that file, or run 'go env -u GOFLAGS'",
		})
	}
	src, err := Rewrite(target, pl.from, packages, pl.rules, pl.texts...)
	if err != nil {
		return nil, err
	}
	p.sources = src
	p.Findings = append(p.Findings, src.Findings...)
	if err := p.reportV2(target, pl.from, held); err != nil {
		return nil, err
	}
	if err := p.setSources(pl.tree.Root); err != nil {
		return nil, err
	}
	rewritten := src.After
	// Module files, those that others replace by path first.
	ov, err := pl.newOverlay(rewritten)
	if err != nil {
		return nil, err
	}
	solved := map[*module]*deps.Result{}
	for _, m := range pl.modules {
		rm := report.Module{Dir: m.Rel, Path: m.Path, Aside: m.res.ModFile != ""}
		if m.Path == "" {
			rm.Status, rm.Error = report.Unresolved, deps.ErrNoModule.Error()
			p.Modules = append(p.Modules, rm)
			continue
		}
		if m.Along || held[m] {
			if held[m] {
				rm.Status = report.Left
			}
			p.Modules = append(p.Modules, rm)
			continue
		}
		pl.opt.Progress("solving the versions of %s", m.Path)
		d, err := pl.dir("mod")
		if err != nil {
			return nil, err
		}
		overlay, err := ov.file(d)
		if err != nil {
			return nil, err
		}
		req := deps.Request{
			Go: pl.opt.Go, Dir: m.Dir, Scratch: d, OverlayFile: overlay,
			Imports: etcdImports(m, rewritten), Line: line, Version: release, Why: p.Reason, Local: pl.checkout, KeepGo: pl.opt.KeepGo,
			Compile: pl.opt.Verify != verify.None, Progress: pl.opt.Progress,
		}
		res, err := deps.Solve(ctx, req)
		var unsolved *deps.Unsolved
		switch {
		case errors.As(err, &unsolved):
			rm.Status, rm.Error = report.Unresolved, err.Error()
			p.Findings = append(p.Findings, edit.Finding{
				Rule: "go-mod", Severity: edit.Manual, File: path.Join(m.Rel, "go.mod"), Line: 1, Col: 1,
				Message: firstLine(err.Error()), Advice: unsolved.Next,
			})
			p.Modules = append(p.Modules, rm)
			continue
		case err != nil:
			return nil, err
		}
		if res.Unchanged && !p.writes(m.Rel) {
			rm.Status = report.Left
			for _, f := range res.Findings {
				f.File = path.Join(m.Rel, f.File)
				p.Findings = append(p.Findings, f)
			}
			p.Modules = append(p.Modules, rm)
			continue
		}
		solved[m] = res
		if pl.checkout == "" {
			release = res.Release // one release for the whole repository
		}
		p.Release, p.Reason = res.Release, res.Reason
		for _, c := range res.Changes {
			rm.Changes = append(rm.Changes, report.ModChange(c))
		}
		for _, f := range res.Findings {
			f.File = path.Join(m.Rel, f.File)
			p.Findings = append(p.Findings, f)
		}
		files := res.Files()
		if m.Vendor {
			pl.opt.Progress("refreshing the vendor folder of %s", m.Path)
		}
		vendored, err := deps.Vendor(ctx, req, res)
		if err != nil {
			return nil, err
		}
		files = append(files, vendored...)
		for _, f := range files {
			f.Path = path.Join(m.Rel, f.Path)
			p.Writes = append(p.Writes, f)
			if base := path.Base(f.Path); base == "go.mod" || base == "go.sum" {
				if err := ov.set(f.Path, f.After); err != nil {
					return nil, err
				}
			}
		}
		p.Modules = append(p.Modules, rm)
	}
	work, err := pl.solveWork(ctx, p, ov, solved)
	if err != nil {
		return nil, err
	}
	if err := pl.prove(ctx, p, ov, solved, work); err != nil {
		return nil, err
	}
	if err := pl.outerWork(p, solved); err != nil {
		return nil, err
	}
	p.Findings = edit.SortFindings(p.Findings)
	p.sortWrites()
	p.countFiles()
	return p, nil
}

// Before returns a file as the plan found it, nil if it was not there.
func (p *Plan) Before(name string) []byte {
	for _, w := range p.Writes {
		if w.Path == name {
			return w.Before
		}
	}
	data, err := os.ReadFile(filepath.Join(p.Root, filepath.FromSlash(name)))
	if err != nil {
		return nil // a finding can be about what ought to be there
	}
	return data
}

// writes says whether the plan writes a file below a folder.
func (p *Plan) writes(dir string) bool {
	return slices.ContainsFunc(p.Writes, func(w edit.FileChange) bool { return dir == "." || strings.HasPrefix(w.Path, dir+"/") })
}

// countFiles describes the files that the plan writes.
func (p *Plan) countFiles() {
	p.Files = nil
	for _, w := range p.Writes {
		add, del := edit.Stat(w.Before, w.After)
		p.Files = append(p.Files, report.File{Path: w.Path, Added: add, Removed: del, Created: w.Created(), Deleted: w.Deleted()})
	}
}

// setSources puts the sources as they are settled among the files to write.
func (p *Plan) setSources(root string) error {
	p.Changes = p.sources.Changes
	p.Writes = slices.DeleteFunc(p.Writes, func(w edit.FileChange) bool { return p.sources.Before[w.Path] != nil })
	for name, after := range p.sources.After {
		st, err := os.Stat(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		p.Writes = append(p.Writes, edit.FileChange{Path: name, Before: p.sources.Before[name], After: after, Mode: st.Mode()})
	}
	return nil
}

func (p *Plan) sortWrites() {
	slices.SortFunc(p.Writes, func(a, b edit.FileChange) int { return strings.Compare(a.Path, b.Path) })
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

// loadFinding turns what kept code from being understood into a finding.
func loadFinding(m *module, pr load.Problem) edit.Finding {
	f := edit.Finding{
		Rule: "load", Severity: edit.Manual, Tier: edit.Syntax, File: pr.File, Line: pr.Line, Col: pr.Col,
		Message: pr.Message, Advice: "mend the file and run etcdshift again; it was left as it is",
	}
	if f.File == "" {
		f.File, f.Line, f.Col = path.Join(m.Rel, "go.mod"), 1, 1
		f.Severity = edit.Review
		f.Advice = "types could not be used; import paths and names decided"
	}
	return f
}

// etcdImports lists the etcd packages that a module imports after the change,
// by their new paths.
func etcdImports(m *module, rewritten map[string][]byte) []string {
	return slices.DeleteFunc(etcdPaths(m, rewritten), func(p string) bool {
		_, layout, _ := atlas.Canonical(p)
		return layout != atlas.LayoutSplit
	})
}

// etcdPaths lists the etcd packages that a module imports, in the files as
// they are rewritten.
func etcdPaths(m *module, rewritten map[string][]byte) []string {
	seen := map[string]bool{}
	for _, s := range m.Files {
		data, ok := rewritten[s.Name]
		if !ok {
			if !s.Etcd {
				continue
			}
			var err error
			if data, err = os.ReadFile(s.Path); err != nil {
				continue
			}
		}
		f, err := parser.ParseFile(token.NewFileSet(), s.Name, data, parser.ImportsOnly)
		if f == nil || err != nil {
			continue
		}
		for _, spec := range f.Imports {
			p, _ := strconv.Unquote(spec.Path.Value)
			if _, _, ok := atlas.Canonical(p); ok {
				seen[p] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// overlay is the set of files that stand in for those of the tree.
type overlay struct {
	root    string            // of the tree
	dir     string            // the files are here, by their place in the tree
	replace map[string]string // absolute path → file that stands in
}

// overlayName ends the name of the folder of an overlay. go vet prints the
// names that a cached run printed, which may be another plan's; what follows
// this name is the place in the tree whichever run it was.
const overlayName = "-overlay"

func (pl *planner) newOverlay(rewritten map[string][]byte) (*overlay, error) {
	d, err := pl.dir(overlayName[1:])
	if err != nil {
		return nil, err
	}
	o := &overlay{root: pl.tree.Root, dir: d, replace: map[string]string{}}
	for name, data := range rewritten {
		if err := o.set(name, data); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// set puts a file over the one with a name.
func (o *overlay) set(name string, data []byte) error {
	p := filepath.Join(o.dir, filepath.FromSlash(name))
	o.replace[filepath.Join(o.root, filepath.FromSlash(name))] = p
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		return err
	}
	return os.WriteFile(p, data, 0o644)
}

// original names the file of the tree that a file stands in for.
func (o *overlay) original(file string) (string, bool) {
	_, name, ok := strings.Cut(file, overlayName+string(filepath.Separator))
	if !ok || !strings.Contains(file, scratchPrefix) {
		return "", false
	}
	return filepath.Join(o.root, name), true
}

// file writes the overlay for the -overlay flag into a folder.
func (o *overlay) file(dir string) (string, error) {
	p := filepath.Join(dir, "overlay.json")
	return p, o.write(p)
}

func (o *overlay) write(file string) error {
	data, err := json.Marshal(map[string]any{"Replace": o.replace})
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o644)
}

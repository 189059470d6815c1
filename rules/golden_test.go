package rules_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/semver"
	"golang.org/x/tools/txtar"

	"github.com/etcdshift/etcdshift/rewrite"
	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/gocmd"
	"github.com/etcdshift/etcdshift/rewrite/load"
	"github.com/etcdshift/etcdshift/rules"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

var (
	update = flag.Bool("update", false, "rewrite the expectations of the golden cases")
	only   = flag.String("case", "", "run only the golden cases whose path matches this regular expression")
)

// A golden case is testdata/rules/<rule>/<case>.txtar. Its comment says in the
// first line what it is about, then may hold:
//
//	module: old-3.4        module of testdata/modules that the source is for
//	                       (default: told by the imports)
//	from: v3.3.10          etcd release that the source was written for
//	                       (default: that of the module), or unknown
//	targets: 3.6 3.7       lines to move to (default: all)
//	incomplete: 3.7        lines whose result does not compile until a person
//	                       has done what the findings say
//	again: 3.7             lines whose result the rules change a second time
//	tier: syntax           run the rules as if nothing could be typed
//	advice: yes            findings show their advice, too
//	crlf: a.go             files to give Windows line endings
//	bom: a.go              files to give a byte order mark
//
// The sources come first; want/NAME is a changed file, want-3.7/NAME one that
// comes out otherwise for 3.7; findings and findings-3.7 likewise.
type golden struct {
	path    string // of the txtar
	name    string // folder of its package: <rule>_<case>
	ar      *txtar.Archive
	module  string
	from    string
	targets []atlas.Line
	set     map[string][]string // the other keys
	fixed   bool                // made from a rule's Before and After
}

// sourceRelease is the etcd release of each module that sources are for.
var sourceRelease = map[string]string{
	"old-3.2": "v3.2.32", "old-3.3.10": "v3.3.10", "old-3.3": "v3.3.27", "old-3.4": "v3.4.16",
	"old-v3": "v3.5.0-alpha.0", "v3.5": "v3.5.35", "v3.6": "v3.6.16", "beside": "v3.5.35",
	// for TestMechanicalBreaksCompile
	"old-2.3": "v2.3.8", "old-3.1": "v3.1.20", "old-3.2.9": "v3.2.9", "old-3.4.31": "v3.4.31",
}

// moduleFor tells which module a source is for by what it imports.
func moduleFor(src string) string {
	switch {
	case strings.Contains(src, `"github.com/coreos/etcd/`) && strings.Contains(src, `"go.etcd.io/etcd/client/v3"`):
		return "beside"
	case strings.Contains(src, `"go.etcd.io/etcd/v3/`):
		return "old-v3"
	case strings.Contains(src, `"github.com/coreos/etcd/`), strings.Contains(src, `"github.com/etcd-io/etcd/`):
		return "old-3.3"
	case strings.Contains(src, `"go.etcd.io/etcd/client/v3`), strings.Contains(src, `"go.etcd.io/etcd/api/v3`), strings.Contains(src, `"go.etcd.io/etcd/server/v3`),
		strings.Contains(src, `"go.etcd.io/etcd/pkg/v3`), strings.Contains(src, `"go.etcd.io/etcd/client/pkg/v3`), strings.Contains(src, `"go.etcd.io/etcd/raft/v3`), strings.Contains(src, `"go.etcd.io/etcd/tests/v3`):
		return "v3.5"
	case strings.Contains(src, `"go.etcd.io/raft/v3`):
		return "v3.6"
	case strings.Contains(src, `"go.etcd.io/etcd/`):
		return "old-3.4"
	}
	return "old-3.3"
}

func goldenCases(t *testing.T) []*golden {
	var out []*golden
	paths, err := filepath.Glob("../testdata/rules/*/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range paths {
		ar, err := txtar.ParseFile(p)
		if err != nil {
			t.Fatal(err)
		}
		rule := filepath.Base(filepath.Dir(p))
		if rules.Lookup(rule) == nil {
			t.Errorf("%s: no rule is called %s", p, rule)
		}
		g := &golden{path: p, ar: ar, set: map[string][]string{}, name: folder(rule + "_" + strings.TrimSuffix(filepath.Base(p), ".txtar"))}
		for i, line := range strings.Split(string(ar.Comment), "\n") {
			k, v, ok := strings.Cut(line, ":")
			if i == 0 || !ok {
				continue
			}
			g.set[strings.TrimSpace(k)] = strings.Fields(v)
		}
		g.fill()
		out = append(out, g)
	}
	for _, r := range rules.All {
		if r.Before == "" {
			t.Errorf("rule %s has no Before", r.ID)
			continue
		}
		if r.Run == nil {
			continue // made by go vet: cmd/etcdshift has a test
		}
		lines := atlas.Lines()
		newest := slices.DeleteFunc(lines, func(l atlas.Line) bool { return !r.Applies(l) })
		newest = newest[len(newest)-1:]
		g := &golden{
			path: r.ID + " (Before and After)", name: folder("rule_" + r.ID), set: map[string][]string{}, fixed: true, targets: newest,
			ar: &txtar.Archive{Files: []txtar.File{{Name: "rule.go", Data: []byte(r.Before)}}},
		}
		if r.After != r.Before {
			g.ar.Files = append(g.ar.Files, txtar.File{Name: "want/rule.go", Data: []byte(r.After)})
		}
		if r.Safety == rules.Report {
			g.set["incomplete"] = []string{string(newest[0])}
		}
		// What gRPC had for a while only, none of the modules has.
		if slices.ContainsFunc(r.Claims, func(c string) bool {
			i := strings.LastIndexByte(c, '.')
			s := atlas.GRPCOf(c[:i], c[i+1:])
			return s != nil && semver.Compare(s.Added, "v1.26.0") > 0 && s.Removed != ""
		}) {
			g.set["illtyped"] = []string{"yes"}
		}
		// What changed within 3.3 is written for a release before that.
		if semver.Compare(r.Since, "v3.3.10") > 0 && semver.Compare(r.Since, "v3.3.27") <= 0 && moduleFor(r.Before) == "old-3.3" {
			g.set["module"] = []string{"old-3.3.10"}
		}
		g.fill()
		out = append(out, g)
	}
	match := regexp.MustCompile(*only)
	return slices.DeleteFunc(out, func(g *golden) bool { return !match.MatchString(g.path) })
}

// list returns the rules that a case runs: all but the opt-in ones, of which
// only its own takes part.
func (g *golden) list() []*rules.Rule {
	return slices.DeleteFunc(slices.Clone(rules.All), func(r *rules.Rule) bool { return r.OptIn && r.ID != g.rule() })
}

func folder(s string) string { return strings.NewReplacer("-", "_", ".", "_").Replace(s) }

func (g *golden) fill() {
	if m := g.set["module"]; len(m) > 0 {
		g.module = m[0]
	} else {
		var all []byte
		for _, f := range g.ar.Files {
			if !expectation(f.Name) {
				all = append(all, f.Data...)
			}
		}
		g.module = moduleFor(string(all))
	}
	g.from = sourceRelease[g.module]
	if f := g.set["from"]; len(f) > 0 {
		if g.from = f[0]; g.from == "unknown" {
			g.from = ""
		}
	}
	for _, l := range g.set["targets"] {
		g.targets = append(g.targets, atlas.Line(l))
	}
	if len(g.targets) == 0 {
		for _, l := range atlas.Lines() {
			if g.module != "v3.6" || l == "3.7" {
				g.targets = append(g.targets, l)
			}
		}
	}
}

func expectation(name string) bool {
	return strings.HasPrefix(name, "want/") || strings.HasPrefix(name, "want-") || strings.HasPrefix(name, "findings")
}

// sources are the files of the case as a repository would hold them.
func (g *golden) sources() map[string][]byte {
	out := map[string][]byte{}
	for _, f := range g.ar.Files {
		if !expectation(f.Name) {
			out[f.Name] = g.bytes(f.Name, f.Data)
		}
	}
	return out
}

func (g *golden) bytes(name string, data []byte) []byte {
	if slices.Contains(g.set["crlf"], name) {
		data = bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n"))
	}
	if slices.Contains(g.set["bom"], name) {
		data = append([]byte("\ufeff"), data...)
	}
	return data
}

func (g *golden) text(data []byte) []byte {
	return bytes.TrimPrefix(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")), []byte("\ufeff"))
}

// outcome is what the rules made of a case for one target.
type outcome struct {
	after    map[string][]byte // changed files
	findings string
	changes  []edit.Change
	list     []edit.Finding // with files as in a workspace
}

// workspace is a copy of a module of testdata/modules with a folder per case.
type workspace struct {
	dir string
}

func newWorkspace(t *testing.T, module string) workspace {
	w := workspace{t.TempDir()}
	for _, f := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join("../testdata/modules", module, f))
		if err != nil {
			t.Fatal(err)
		}
		w.write(t, f, data)
	}
	return w
}

func (w workspace) write(t *testing.T, name string, data []byte) {
	p := filepath.Join(w.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// load loads every package, by the folder of its case.
func (w workspace) load(t *testing.T) map[string][]*load.Package {
	tree, err := load.Scan(context.Background(), w.dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]*load.Package{}
	res, err := load.Load(context.Background(), tree, tree.Modules[0], load.Options{Go: &gocmd.Runner{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range res.Problems {
		t.Errorf("load: %+v", p)
	}
	for _, p := range res.Packages {
		top, _, _ := strings.Cut(p.Files[0].Name, "/")
		out[top] = append(out[top], p)
	}
	return out
}

func TestGolden(t *testing.T) {
	cases := goldenCases(t)
	byModule := map[string][]*golden{}
	for _, g := range cases {
		byModule[g.module] = append(byModule[g.module], g)
	}
	// Run the rules, one load for each source module.
	results := map[*golden]map[atlas.Line]*outcome{}
	for _, module := range slices.Sorted(maps.Keys(byModule)) {
		w := newWorkspace(t, module)
		for _, g := range byModule[module] {
			for name, data := range g.sources() {
				w.write(t, g.name+"/"+name, data)
			}
		}
		loaded := w.load(t)
		for _, g := range byModule[module] {
			if len(g.set["illtyped"]) == 0 {
				for _, p := range loaded[g.name] {
					for _, e := range p.Errors {
						t.Errorf("%s: the source does not type-check against %s: %s:%d: %s", g.path, module, e.File, e.Line, e.Message)
					}
				}
			}
			results[g] = map[atlas.Line]*outcome{}
			for _, line := range g.targets {
				results[g][line] = runCase(t, g, line, loaded[g.name])
			}
		}
	}
	t.Run("result", func(t *testing.T) {
		for _, g := range cases {
			switch {
			case *update && !g.fixed:
				g.update(t, results[g])
			default:
				g.compare(t, results[g])
			}
		}
	})
	if *only == "" {
		t.Run("each rule acts in a case of its own for each target", func(t *testing.T) { everyTarget(t, cases, results) })
	}
	t.Run("untouched lines stay", func(t *testing.T) {
		for _, g := range cases {
			for line, o := range results[g] {
				untouched(t, g, line, o)
			}
		}
	})
	t.Run("git apply takes the diff", func(t *testing.T) { gitApply(t, cases, results) })
	// Type-check the results and run the rules again, one load for each target.
	for _, line := range atlas.Lines() {
		t.Run("against "+string(line), func(t *testing.T) { compileResults(t, line, cases, results) })
	}
}

// everyTarget checks that the cases of a rule show what it does for each line
// that it applies to. Before and After show one.
func everyTarget(t *testing.T, cases []*golden, results map[*golden]map[atlas.Line]*outcome) {
	acts := map[string]bool{}
	for _, g := range cases {
		for line, o := range results[g] {
			if !g.fixed && o.acts(g.rule()) {
				acts[g.rule()+" "+string(line)] = true
			}
		}
	}
	for _, r := range rules.All {
		for _, line := range atlas.Lines() {
			// A rule without Run is made by go vet: cmd/etcdshift has a test.
			if r.Run != nil && r.Applies(line) && !acts[r.ID+" "+string(line)] {
				t.Errorf("testdata/rules/%s has no case in which the rule does something for %s", r.ID, line)
			}
		}
	}
}

// acts says whether a rule has changed or found something.
func (o *outcome) acts(rule string) bool {
	return strings.Contains(o.findings, " ("+rule+")\n") ||
		slices.ContainsFunc(o.changes, func(c edit.Change) bool { return c.Rule == rule })
}

// withoutTypes parses packages again, as the loader does where nothing can be
// listed.
func withoutTypes(t *testing.T, pkgs []*load.Package) []*load.Package {
	var out []*load.Package
	for _, p := range pkgs {
		q := &load.Package{ID: p.ID, Path: p.Path, Name: p.Name, Fset: token.NewFileSet(), Tier: edit.Syntax}
		for _, f := range p.Files {
			a, err := parser.ParseFile(q.Fset, f.Name, f.Src, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			q.Files = append(q.Files, &load.File{Name: f.Name, Src: f.Src, AST: a})
		}
		out = append(out, q)
	}
	return out
}

func runCase(t *testing.T, g *golden, line atlas.Line, pkgs []*load.Package) *outcome {
	if slices.Contains(g.set["tier"], "syntax") {
		pkgs = withoutTypes(t, pkgs)
	}
	s, err := rewrite.Rewrite(target(line), g.from, pkgs, g.list())
	if err != nil {
		t.Errorf("%s: %s: %v", g.path, line, err)
		return &outcome{}
	}
	o := &outcome{after: map[string][]byte{}, changes: s.Changes}
	for name, data := range s.After {
		o.after[strings.TrimPrefix(name, g.name+"/")] = data
	}
	var b strings.Builder
	for _, f := range s.Findings {
		fmt.Fprintf(&b, "%s:%d:%d: %s: %s (%s)\n", strings.TrimPrefix(f.File, g.name+"/"), f.Line, f.Col, f.Severity, f.Message, f.Rule)
		if len(g.set["advice"]) > 0 {
			fmt.Fprintf(&b, "\t%s\n", f.Advice)
		}
	}
	o.findings, o.list = b.String(), s.Findings
	return o
}

func target(line atlas.Line) rules.Target {
	r, _ := atlas.FindRelease(atlas.Newest(line))
	return rules.Target{Line: line, Version: r.Version, GRPC: r.GRPC}
}

// want returns what a case expects for a target, by file name; findings are
// under "findings".
func (g *golden) want(line atlas.Line) map[string]string {
	out := map[string]string{"findings": ""}
	for _, prefix := range []string{"want", "want-" + string(line)} {
		for _, f := range g.ar.Files {
			if name, ok := strings.CutPrefix(f.Name, prefix+"/"); ok {
				out[name] = string(f.Data)
			}
		}
	}
	for _, name := range []string{"findings", "findings-" + string(line)} {
		for _, f := range g.ar.Files {
			if f.Name == name {
				out["findings"] = string(f.Data)
			}
		}
	}
	return out
}

func (o *outcome) texts(g *golden) map[string]string {
	out := map[string]string{"findings": o.findings}
	for name, data := range o.after {
		out[name] = string(g.text(data))
	}
	return out
}

func (g *golden) compare(t *testing.T, got map[atlas.Line]*outcome) {
	for _, line := range g.targets {
		want, have := g.want(line), got[line].texts(g)
		if g.fixed {
			delete(want, "findings")
			delete(have, "findings")
		}
		for name := range want {
			if _, ok := have[name]; !ok && string(g.sources()[name]) != want[name] {
				t.Errorf("%s: %s: %s is not changed, want:\n%s", g.path, line, name, want[name])
			}
		}
		for name, text := range have {
			if w, ok := want[name]; !ok {
				t.Errorf("%s: %s: %s is changed, want it as it is:\n%s", g.path, line, name, text)
			} else if w != text {
				t.Errorf("%s: %s: %s:\n%s", g.path, line, name, edit.Diff([]edit.FileChange{{Path: name, Before: []byte(w), After: []byte(text)}}))
			}
		}
	}
}

// update rewrites the expectations: those of the first target are the common
// ones, the others are written where they differ.
func (g *golden) update(t *testing.T, got map[atlas.Line]*outcome) {
	var files []txtar.File
	for _, f := range g.ar.Files {
		if !expectation(f.Name) {
			files = append(files, f)
		}
	}
	common := got[g.targets[0]].texts(g)
	for i, line := range g.targets {
		have := got[line].texts(g)
		prefix, suffix := "want/", ""
		if i > 0 {
			prefix, suffix = "want-"+string(line)+"/", "-"+string(line)
			for name := range common {
				if _, ok := have[name]; !ok {
					have[name] = string(g.text(g.sources()[name]))
				}
			}
		}
		for _, name := range slices.Sorted(maps.Keys(have)) {
			if i > 0 && common[name] == have[name] {
				continue
			}
			if name == "findings" {
				if have[name] != "" || i > 0 {
					files = append(files, txtar.File{Name: "findings" + suffix, Data: []byte(have[name])})
				}
				continue
			}
			files = append(files, txtar.File{Name: prefix + name, Data: []byte(have[name])})
		}
	}
	data := txtar.Format(&txtar.Archive{Comment: g.ar.Comment, Files: files})
	if err := os.WriteFile(g.path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// untouched checks that lines without an edit are byte-equal. In files that
// gofmt leaves alone, it may align a neighbour and sort imports.
func untouched(t *testing.T, g *golden, line atlas.Line, o *outcome) {
	touched := map[string]map[int]bool{}
	for _, e := range edit.Edits(o.changes) {
		name := strings.TrimPrefix(e.File, g.name+"/")
		src := g.sources()[name]
		if touched[name] == nil {
			touched[name] = map[int]bool{}
		}
		first := bytes.Count(src[:e.Start], []byte("\n"))
		for l := first; l <= first+bytes.Count(src[e.Start:e.End], []byte("\n")); l++ {
			touched[name][l] = true
		}
	}
	for name, after := range o.after {
		kept := map[string]int{}
		for l := range bytes.Lines(after) {
			kept[strings.Join(strings.Fields(string(l)), " ")]++
		}
		i := 0
		inImports := false
		for l := range bytes.Lines(g.sources()[name]) {
			s := strings.Join(strings.Fields(string(l)), " ")
			inImports = strings.HasPrefix(s, "import") || inImports && !strings.HasPrefix(string(l), ")")
			if !touched[name][i] && !inImports {
				if kept[s] == 0 {
					t.Errorf("%s: %s: %s:%d: no rule touched %q, and it is gone", g.path, line, name, i+1, l)
				}
				kept[s]--
			}
			i++
		}
	}
}

func gitApply(t *testing.T, cases []*golden, results map[*golden]map[atlas.Line]*outcome) {
	for _, line := range atlas.Lines() {
		dir := t.TempDir()
		git := func(args ...string) {
			t.Helper()
			cmd := exec.Command("git", append([]string{"-c", "core.autocrlf=false"}, args...)...)
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("git %v: %v\n%s", args, err, out)
			}
		}
		git("init", "-q")
		var changes []edit.FileChange
		w := workspace{dir}
		for _, g := range cases {
			o := results[g][line]
			if o == nil {
				continue
			}
			for name, data := range g.sources() {
				w.write(t, g.name+"/"+name, data)
				if after, ok := o.after[name]; ok {
					changes = append(changes, edit.FileChange{Path: g.name + "/" + name, Before: data, After: after})
				}
			}
		}
		if len(changes) == 0 {
			continue
		}
		w.write(t, "plan.diff", []byte(edit.Diff(changes)))
		git("apply", "--check", "plan.diff")
		git("apply", "plan.diff")
		for _, c := range changes {
			got, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(c.Path)))
			if err != nil || !bytes.Equal(got, c.After) {
				t.Errorf("%s: git apply made something else of it (%v)", c.Path, err)
			}
		}
	}
}

// compileResults type-checks the results of all cases for a target against
// the real modules, and runs the rules on them again.
func compileResults(t *testing.T, line atlas.Line, cases []*golden, results map[*golden]map[atlas.Line]*outcome) {
	w := newWorkspace(t, "v"+string(line))
	byName := map[string]*golden{}
	for _, g := range cases {
		o := results[g][line]
		if o == nil || slices.Contains(g.set["incomplete"], string(line)) {
			continue
		}
		byName[g.name] = g
		for name, data := range g.sources() {
			if after, ok := o.after[name]; ok {
				data = after
			}
			w.write(t, g.name+"/"+name, data)
		}
	}
	if line == atlas.Line37 {
		defer t.Run("vet", func(t *testing.T) { vetResults(t, w, line, cases, results) })
	}
	if len(byName) == 0 {
		return
	}
	loaded := w.load(t)
	var mu sync.Mutex
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		g := byName[name]
		for _, p := range loaded[name] {
			for _, e := range p.Errors {
				mu.Lock()
				t.Errorf("%s: the result does not compile: %s:%d:%d: %s", g.path, e.File, e.Line, e.Col, e.Message)
				mu.Unlock()
			}
		}
		if slices.Contains(g.set["again"], string(line)) {
			continue
		}
		// A second run starts from the target: that is what go.mod says then.
		s, err := rewrite.Rewrite(target(line), atlas.Newest(line), loaded[name], g.list())
		if err != nil {
			t.Errorf("%s: second run: %v", g.path, err)
			continue
		}
		for _, c := range s.Changes {
			t.Errorf("%s: a second run still changes: %s: %v", g.path, c.Message, c.Edits)
		}
	}
}

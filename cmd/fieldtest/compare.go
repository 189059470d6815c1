package main

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"
	"golang.org/x/mod/modfile"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/report"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// comparison sets a plan beside the authors' own migration. Authors mix a
// migration with other work; what is compared is what can be told from it by
// its own words: imports of etcd, uses of symbols of etcd and gRPC packages,
// lines of go.mod about etcd and what is linked with it, and lines of other
// files that mention etcd.
type comparison struct {
	Imports sides     `json:"imports"`
	GoMod   sides     `json:"goMod"`
	Symbols sides     `json:"symbols"`
	Text    sides     `json:"text"`
	Rules   []madeToo `json:"rules,omitempty"`
	// Left are the imports of old etcd that are still there.
	LeftByAuthors []string `json:"leftByAuthors,omitempty"`
	LeftByPlan    []string `json:"leftByPlan,omitempty"`
	// Gone are files with old etcd that the authors removed or renamed; their
	// imports and lines are not compared.
	Gone []string `json:"gone,omitempty"`
}

// madeToo says how many changes of a rule the authors made too: at least they
// changed the same lines.
type madeToo struct {
	Rule    string `json:"rule"`
	Changes int    `json:"changes"`
	Authors int    `json:"authors"`
}

// trees are the folders of a comparison.
type trees struct{ pre, authors, plan string }

func compareTrees(t trees, run *report.Run) (c comparison, err error) {
	goFiles, err := files(t.pre, func(name string) bool { return path.Ext(name) == ".go" })
	if err != nil {
		return c, err
	}
	byAuthors, byPlan := counts{}, counts{}
	for _, name := range goFiles {
		old := oldImports(t.pre, name)
		if len(old) == 0 {
			continue
		}
		if _, err := os.Stat(filepath.Join(t.authors, filepath.FromSlash(name))); err != nil {
			c.Gone = append(c.Gone, name)
			continue
		}
		c.LeftByAuthors = append(c.LeftByAuthors, moveImports(t.authors, name, old, byAuthors)...)
		c.LeftByPlan = append(c.LeftByPlan, moveImports(t.plan, name, old, byPlan)...)
	}
	c.Imports = classify(byAuthors, byPlan, nil).fold(func(what string) string {
		what, _, _ = strings.Cut(what, "\t")
		return what
	})
	if c.GoMod, err = compareGoMod(t); err != nil {
		return c, err
	}
	if c.Symbols, err = compareSymbols(t, run.Findings); err != nil {
		return c, err
	}
	if c.Text, err = compareText(t, run.Findings); err != nil {
		return c, err
	}
	c.Rules = changedToo(t, run.Changes)
	return c, nil
}

// oldImports lists the imports of a file that are of old etcd.
func oldImports(root, name string) []string {
	var out []string
	for p := range importsOf(filepath.Join(root, filepath.FromSlash(name))) {
		if _, layout, ok := atlas.Canonical(p); ok && layout != atlas.LayoutSplit {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// moveImports adds what became of a file's old imports to made, and returns
// those that are left.
func moveImports(root, name string, old []string, made counts) (left []string) {
	now := importsOf(filepath.Join(root, filepath.FromSlash(name)))
	for _, p := range old {
		if _, ok := now[p]; ok {
			left = append(left, name+": "+p)
			continue
		}
		to := "dropped"
		for q := range now {
			if family(q) == family(p) {
				to = "→ " + q
			}
		}
		made.add(p+" "+to+"\t"+name, 1)
	}
	return left
}

// linked are the modules besides etcd's own whose versions depend on it.
var linked = []string{
	"google.golang.org/grpc", "google.golang.org/protobuf", "github.com/golang/protobuf", "github.com/gogo/protobuf",
	"go.etcd.io/bbolt", "github.com/coreos/bbolt", "github.com/etcd-io/bbolt",
}

func compareGoMod(t trees) (sides, error) {
	names, err := files(t.plan, func(name string) bool { return path.Base(name) == "go.mod" })
	if err != nil {
		return sides{}, err
	}
	byAuthors, byPlan := counts{}, counts{}
	for _, name := range names {
		before := modLines(t.pre, name)
		for root, made := range map[string]counts{t.authors: byAuthors, t.plan: byPlan} {
			after := modLines(root, name)
			for what := range before {
				if _, ok := after[what]; !ok {
					made.add(name+": drop "+what, 1)
				}
			}
			for what, version := range after {
				if old, ok := before[what]; !ok {
					made.add(name+": add "+what, 1)
				} else if old != version {
					made.add(name+": set "+what, 1)
				}
			}
		}
	}
	return classify(byAuthors, byPlan, nil), nil
}

// modLines returns what a go.mod directly requires and replaces of etcd and of
// what is linked with it, with versions.
func modLines(root, name string) map[string]string {
	out := map[string]string{}
	data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		return out
	}
	f, err := modfile.Parse(name, data, nil)
	if err != nil {
		return out
	}
	matters := func(p string) bool { return atlas.IsEtcdModule(p) || slices.Contains(linked, p) }
	for _, r := range f.Require {
		if matters(r.Mod.Path) && !r.Indirect {
			out["require "+r.Mod.Path] = r.Mod.Version
		}
	}
	for _, r := range f.Replace {
		if matters(r.Old.Path) {
			out["replace "+r.Old.Path] = r.New.Path + " " + r.New.Version
		}
	}
	return out
}

// compareSymbols counts uses of symbols over the whole tree, so that code
// which moves from file to file does not show.
func compareSymbols(t trees, findings []edit.Finding) (sides, error) {
	before, places, err := uses(t.pre)
	if err != nil {
		return sides{}, err
	}
	var made [2]counts
	for i, root := range []string{t.authors, t.plan} {
		after, _, err := uses(root)
		if err != nil {
			return sides{}, err
		}
		made[i] = counts{}
		for sym, n := range after {
			made[i].add("+"+sym, max(n-before[sym], 0))
		}
		for sym, n := range before {
			made[i].add("-"+sym, max(n-after[sym], 0))
		}
	}
	return classify(made[0], made[1], func(what string) bool {
		return what[0] == '-' && slices.ContainsFunc(places[what[1:]], func(p place) bool { return names(findings, p) })
	}), nil
}

// place is a line of a file.
type place struct {
	file string
	line int
}

func names(findings []edit.Finding, p place) bool {
	return slices.ContainsFunc(findings, func(f edit.Finding) bool {
		return f.File == p.file && f.Line <= p.line && p.line <= max(f.Line, f.EndLine)
	})
}

// uses counts the symbols of etcd and gRPC in a tree, and says where they are.
func uses(root string) (counts, map[string][]place, error) {
	goFiles, err := files(root, func(name string) bool { return path.Ext(name) == ".go" })
	if err != nil {
		return nil, nil, err
	}
	n, places := counts{}, map[string][]place{}
	for _, name := range goFiles {
		src, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			return nil, nil, err
		}
		for _, m := range mentions(name, src) {
			n.add(m.symbol, 1)
			places[m.symbol] = append(places[m.symbol], place{name, m.line})
		}
	}
	return n, places, nil
}

var aboutEtcd = regexp.MustCompile(`(?i)etcd`)

// compareText compares lines that mention etcd in what is neither Go nor
// written by the go command.
func compareText(t trees, findings []edit.Finding) (sides, error) {
	texts, err := files(t.pre, func(name string) bool {
		switch path.Base(name) {
		case "go.mod", "go.sum", "Gopkg.lock", "glide.lock":
			return false
		}
		return path.Ext(name) != ".go"
	})
	if err != nil {
		return sides{}, err
	}
	byAuthors, byPlan := counts{}, counts{}
	at := map[string]place{}
	for _, name := range texts {
		before, err := os.ReadFile(filepath.Join(t.pre, filepath.FromSlash(name)))
		if err != nil {
			return sides{}, err
		}
		if !aboutEtcd.Match(before) || bytes.IndexByte(before, 0) >= 0 {
			continue
		}
		lines := strings.Split(string(before), "\n")
		for root, made := range map[string]counts{t.authors: byAuthors, t.plan: byPlan} {
			after, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
			if err != nil {
				continue // removed or renamed
			}
			for _, s := range touched(before, after) {
				for l := s.first; l <= s.last; l++ {
					if aboutEtcd.MatchString(lines[l-1]) {
						what := fmt.Sprintf("%s:%d", name, l)
						at[what] = place{name, l}
						made.add(what, 1)
					}
				}
			}
		}
	}
	return classify(byAuthors, byPlan, func(what string) bool { return names(findings, at[what]) }), nil
}

// span is a run of lines, 1-based; of an insertion, the line before which it
// is comes after last.
type span struct{ first, last int }

// touched returns the lines of before that after does not have, and the places
// of insertions.
func touched(before, after []byte) []span {
	var out []span
	text := string(before)
	for _, e := range udiff.Lines(text, string(after)) {
		first := strings.Count(text[:e.Start], "\n") + 1
		n := strings.Count(text[e.Start:e.End], "\n")
		if e.End > e.Start && text[e.End-1] != '\n' {
			n++
		}
		out = append(out, span{first, first + n - 1})
	}
	return out
}

// changedToo counts for each rule the changes whose lines the authors changed,
// too, or before or after which they put something.
func changedToo(t trees, changes []edit.Change) []madeToo {
	byRule := map[string]*madeToo{}
	byFile := map[string][]span{}
	sources := map[string][]byte{}
	for _, c := range changes {
		if len(c.Edits) == 0 {
			continue
		}
		m := byRule[c.Rule]
		if m == nil {
			m = &madeToo{Rule: c.Rule}
			byRule[c.Rule] = m
		}
		m.Changes++
		name := c.Edits[0].File
		if _, ok := sources[name]; !ok {
			sources[name], _ = os.ReadFile(filepath.Join(t.pre, filepath.FromSlash(name)))
			if after, err := os.ReadFile(filepath.Join(t.authors, filepath.FromSlash(name))); err == nil {
				byFile[name] = touched(sources[name], after)
			}
		}
		if slices.ContainsFunc(c.Edits, func(e edit.Edit) bool {
			src := sources[e.File]
			if e.End > len(src) || e.Start > e.End {
				return false
			}
			first := bytes.Count(src[:e.Start], []byte("\n")) + 1
			last := first + bytes.Count(src[e.Start:e.End], []byte("\n"))
			return slices.ContainsFunc(byFile[e.File], func(s span) bool {
				if s.last < s.first { // an insertion
					return s.first >= first && s.first <= last+1
				}
				return s.first <= last && first <= s.last
			})
		}) {
			m.Authors++
		}
	}
	var out []madeToo
	for _, id := range slices.SortedFunc(maps.Keys(byRule), cmp.Compare) {
		out = append(out, *byRule[id])
	}
	return out
}

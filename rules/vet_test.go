package rules_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/etcdshift/etcdshift/rewrite"
	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/gocmd"
	"github.com/etcdshift/etcdshift/rewrite/verify"
	"github.com/etcdshift/etcdshift/rules"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// What go vet says of a result for 3.7 must lie on a line that a finding
// covers: messages that are copied by value are the reason, which only vet
// minds. For the rules that exist for 3.7 alone the same holds for what the
// compiler says.
func TestFindingsCoverWhatVetSays(t *testing.T) {
	cases := goldenCases(t)
	byModule := map[string][]*golden{}
	for _, g := range cases {
		if slices.Contains(g.targets, atlas.Line37) {
			byModule[g.module] = append(byModule[g.module], g)
		}
	}
	type result struct {
		g        *golden
		before   map[string][]byte
		after    map[string][]byte
		findings []edit.Finding
	}
	results := map[string]result{} // by folder
	w := newWorkspace(t, "v3.7")
	for module, gs := range byModule {
		src := newWorkspace(t, module)
		for _, g := range gs {
			for name, data := range g.sources() {
				src.write(t, g.name+"/"+name, data)
			}
		}
		loaded := src.load(t)
		for _, g := range gs {
			s, err := rewrite.Rewrite(target(atlas.Line37), g.from, loaded[g.name], rules.All)
			if err != nil {
				t.Fatalf("%s: %v", g.path, err)
			}
			results[g.name] = result{g, s.Before, s.After, s.Findings}
			for name, data := range g.sources() {
				if after, ok := s.After[g.name+"/"+name]; ok {
					data = after
				}
				w.write(t, g.name+"/"+name, data)
			}
		}
	}
	problems, err := verify.Run(context.Background(), verify.Request{Go: &gocmd.Runner{}, Dir: w.dir, Level: verify.Vet, Configs: []verify.Config{{}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, pr := range problems.Problems {
		folder, _, _ := strings.Cut(pr.File, "/")
		r, ok := results[folder]
		if !ok {
			continue // of a package as a whole: its files say more
		}
		if pr.Tool == "build" && !slices.Equal(rules.Lookup(r.g.rule()).Targets, []atlas.Line{atlas.Line37}) {
			continue
		}
		line := edit.OldLine(r.before[pr.File], r.after[pr.File], pr.Line)
		if r.after[pr.File] == nil {
			line = pr.Line
		}
		if !slices.ContainsFunc(r.findings, func(f edit.Finding) bool {
			return f.File == pr.File && f.Severity == edit.Manual && f.Line <= line && line <= max(f.Line, f.EndLine)
		}) {
			t.Errorf("%s: no finding covers what is left at line %d: %s", r.g.path, line, pr)
		}
	}
}

// rule is the id of the rule that a case is for.
func (g *golden) rule() string {
	if g.fixed {
		id, _, _ := strings.Cut(g.path, " ")
		return id
	}
	return filepath.Base(filepath.Dir(g.path))
}

package rules_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/gocmd"
	"github.com/etcdshift/etcdshift/rewrite/verify"
	"github.com/etcdshift/etcdshift/rules"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// vetResults runs the real go vet over the results of all cases for a target.
// What it says must lie on a line that a finding covers: messages that are
// copied by value are the reason, which only vet minds. For the rules that
// exist for this target alone the same holds for what the compiler says.
func vetResults(t *testing.T, w workspace, line atlas.Line, cases []*golden, results map[*golden]map[atlas.Line]*outcome) {
	byName := map[string]*golden{}
	for _, g := range cases {
		o := results[g][line]
		if o == nil {
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
	if len(byName) == 0 {
		return
	}
	res, err := verify.Run(context.Background(), verify.Request{Go: &gocmd.Runner{}, Dir: w.dir, Level: verify.Vet, Configs: []verify.Config{{}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, pr := range res.Problems {
		folder, name, _ := strings.Cut(pr.File, "/")
		g, ok := byName[folder]
		if !ok {
			continue // of a package as a whole: its files say more
		}
		if pr.Tool == "build" && !slices.Equal(rules.Lookup(g.rule()).Targets, []atlas.Line{line}) {
			continue
		}
		o := results[g][line]
		old := pr.Line
		if after, ok := o.after[name]; ok {
			old = edit.OldLine(g.sources()[name], after, pr.Line)
		}
		if !slices.ContainsFunc(o.list, func(f edit.Finding) bool {
			return f.File == pr.File && f.Severity == edit.Manual && f.Line <= old && old <= max(f.Line, f.EndLine)
		}) {
			t.Errorf("%s: no finding covers what is left at line %d: %s", g.path, old, pr)
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

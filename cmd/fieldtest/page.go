package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/batch"
	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/legacy"
	"github.com/etcdshift/etcdshift/rewrite/report"
	"github.com/etcdshift/etcdshift/rewrite/verify"
	"github.com/etcdshift/etcdshift/rules"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// page is everything that the Markdown page shows.
type page struct {
	targets   []atlas.Line
	revisions []string // of etcdshift, the one of most rows first
	repos     []repoResult
	untried   []string // repositories of the corpus without a result
}

// repoResult is what is stored of a repository.
type repoResult struct {
	repository
	lacking []string
	before  measured
	rows    []rowResult
}

// rowResult is what is stored of a repository and a target.
type rowResult struct {
	line   atlas.Line
	plan   planResult
	recipe *recipeResult    // nil where it was not followed
	new    []verify.Problem // after the plan, and there neither before nor with the versions of old etcd
}

// readPage collects what the state folder has.
func readPage(s state, repos []repository, targets []atlas.Line) (*page, error) {
	p := &page{targets: targets}
	seen := map[string]int{}
	for _, r := range repos {
		c, ok, err := recall[clone](s, r.flat()+"/clone")
		if err != nil {
			return nil, err
		}
		if !ok {
			p.untried = append(p.untried, r.Repo)
			continue
		}
		res := repoResult{repository: r, lacking: c.Value.Lacking}
		before, _, err := recall[measured](s, r.flat()+"/before")
		if err != nil {
			return nil, err
		}
		res.before = before.Value
		for _, t := range targets {
			plan, ok, err := recall[planResult](s, fmt.Sprintf("%s/plan-%s", r.flat(), t))
			if err != nil {
				return nil, err
			}
			if !ok {
				continue
			}
			recipe, followed, err := recall[recipeResult](s, fmt.Sprintf("%s/recipe-%s", r.flat(), t))
			if err != nil {
				return nil, err
			}
			w := rowResult{line: t, plan: plan.Value}
			if followed {
				w.recipe = &recipe.Value
			}
			known := planned(w.plan.Run, func(p report.Proof) []verify.Problem { return slices.Concat(p.Known, p.Before) })
			w.new = fresh(w.plan.After.Problems, res.before.Problems, known)
			w.new = append(w.new, fresh(planned(w.plan.Run, func(p report.Proof) []verify.Problem { return p.New }), w.new)...)
			seen[w.plan.Revision]++
			res.rows = append(res.rows, w)
		}
		if len(res.rows) > 0 {
			p.repos = append(p.repos, res)
		} else {
			p.untried = append(p.untried, r.Repo)
		}
	}
	for rev := range seen {
		p.revisions = append(p.revisions, rev)
	}
	slices.SortFunc(p.revisions, func(a, b string) int { return seen[b] - seen[a] })
	return p, nil
}

// proved says whether a row ended as the goal asks: with no hand edit, and no
// package that fails and did not fail before.
func (w rowResult) proved() bool {
	switch w.plan.Row.Status {
	case batch.Proved, batch.ProvedFindings, batch.Nothing:
		return len(w.new) == 0
	case batch.NoWorse:
		return len(w.new) == 0
	}
	return false
}

// severities counts the findings by severity.
func (w rowResult) severities() (n [3]int) {
	for _, k := range w.plan.Row.Kinds {
		n[k.Severity] += k.Count
	}
	return n
}

// open are the compile errors of the plan that no finding names. A tree that is
// left as it is has none of a plan's, and migrate writes no plan without versions.
func (w rowResult) open() []verify.Problem {
	if w.plan.Run != nil && slices.Contains([]report.Status{report.Left, report.Unresolved}, w.plan.Run.Status) {
		return nil
	}
	return w.plan.Open
}

func (w rowResult) changes() int {
	n := 0
	for _, c := range w.plan.Row.Rules {
		n += c
	}
	return n
}

// cause says in the words of the tool or of the go command why a row is not
// proved.
func (w rowResult) cause() string {
	if reason := w.plan.Row.Reason; reason != "" {
		if lost := w.unlocked(); lost != "" && w.plan.Row.Status == batch.Incomplete {
			return short(reason, 300) + "; " + lost
		}
		return reason
	}
	if w.plan.Run != nil && w.plan.Run.Status == report.Left {
		for _, f := range w.plan.Run.Findings {
			if f.Rule == rules.ClientV2.ID && f.Severity != edit.Note {
				return fmt.Sprintf("a person has to rewrite it first: %s (%d findings)", f.Message, w.severities()[edit.Manual]+w.severities()[edit.Review])
			}
		}
	}
	if w.plan.Run != nil {
		for _, f := range w.plan.Run.Findings {
			if f.Rule == "compile" && strings.HasSuffix(f.File, "go.mod") {
				return f.Message
			}
		}
	}
	if len(w.new) > 0 {
		return w.new[0].String()
	}
	return ""
}

// unlocked tells the versions of the old tool's lock that cannot be had, for
// then the code meets others than those that it was written for.
func (w rowResult) unlocked() string {
	if w.plan.Run != nil {
		for _, f := range w.plan.Run.Findings {
			if f.Rule == legacy.Rule && strings.Contains(f.Message, "locked commits cannot be had") {
				return f.Message
			}
		}
	}
	return ""
}

// cell makes text fit into a table.
func cell(s string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", `\|`)
}

// short cuts long words of others.
func short(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > n {
		return s[:n] + " …"
	}
	return s
}

func code(s string) string { return "`" + strings.ReplaceAll(s, "`", "'") + "`" }

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// problems counts the problems of a tree; a tree from before modules has none
// that the go command could tell.
func (m measured) text() string {
	if len(m.Modules) == 0 {
		return "no go.mod"
	}
	return fmt.Sprint(len(m.Problems))
}

func (r *recipeResult) text(before measured) string {
	switch {
	case r == nil:
		return "not followed"
	case r.Failed != "":
		return "does not resolve"
	case len(r.After.Problems) == 0:
		return "builds and vets"
	}
	return fmt.Sprintf("%s, %d new", count(len(r.After.Problems), "problem"), len(fresh(r.After.Problems, before.Problems)))
}

func (r *recipeResult) good(before measured) bool {
	return r != nil && r.Failed == "" && len(fresh(r.After.Problems, before.Problems)) == 0
}

func platform() string {
	return fmt.Sprintf("%s on %s/%s, %d processors", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
}

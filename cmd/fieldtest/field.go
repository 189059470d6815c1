package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/etcdshift/etcdshift/rewrite/batch"
	"github.com/etcdshift/etcdshift/rewrite/report"
	"github.com/etcdshift/etcdshift/rewrite/verify"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// field is a run over repositories.
type field struct {
	state    state
	tool     tool
	clones   string
	repos    []repository
	targets  []atlas.Line
	jobs     int
	noRecipe bool
}

// planResult is what came of a plan for one target.
type planResult struct {
	Revision string           `json:"revision"` // of etcdshift
	Row      batch.Row        `json:"row"`
	Run      *report.Run      `json:"run,omitempty"`
	Unfit    string           `json:"unfit,omitempty"` // why the patch does not apply
	After    measured         `json:"after"`
	Open     []verify.Problem `json:"open,omitempty"` // compile errors that no finding names
	Again    string           `json:"again"`          // what a second run did
	Compared *comparison      `json:"compared,omitempty"`
}

// Versions of what is done here: a result of another one is made again.
const (
	beforeVersion = "1"
	recipeVersion = "2"
	planVersion   = "1"
)

func (f *field) run(ctx context.Context) error {
	clones := map[string]clone{}
	for _, r := range f.repos {
		c, err := prepare(ctx, f.state, f.clones, r)
		if err != nil {
			return err
		}
		clones[r.Repo] = c
	}
	// What does not depend on etcdshift first: it is done once.
	for _, r := range f.repos {
		if err := f.before(ctx, clones[r.Repo], r); err != nil {
			return err
		}
		for _, t := range f.targets {
			if f.noRecipe {
				break
			}
			if err := f.recipe(ctx, clones[r.Repo], r, t); err != nil {
				return err
			}
		}
	}
	for _, t := range f.targets {
		if err := f.plans(ctx, clones, t); err != nil {
			return err
		}
	}
	return nil
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format(time.TimeOnly)+" "+format+"\n", args...)
}

// before measures a repository as it is.
func (f *field) before(ctx context.Context, c clone, r repository) error {
	_, err := remember(f.state, r.flat()+"/before", keyOf(beforeVersion, c.Pre), func() (m measured, err error) {
		dir, err := os.MkdirTemp("", "field-")
		if err != nil {
			return m, err
		}
		defer os.RemoveAll(dir)
		root := filepath.Join(dir, "src")
		if err := checkout(ctx, c.Dir, c.Pre, root); err != nil {
			return m, err
		}
		m, err = measure(ctx, root)
		say("%s before: %d problems", r.Repo, len(m.Problems))
		return m, err
	})
	return err
}

// recipe follows the plain recipe for one target.
func (f *field) recipe(ctx context.Context, c clone, r repository, line atlas.Line) error {
	name := fmt.Sprintf("%s/recipe-%s", r.flat(), line)
	_, err := remember(f.state, name, keyOf(recipeVersion, c.Pre, atlas.Newest(line)), func() (res recipeResult, err error) {
		dir, err := os.MkdirTemp("", "field-")
		if err != nil {
			return res, err
		}
		defer os.RemoveAll(dir)
		root := filepath.Join(dir, "src")
		if err := checkout(ctx, c.Dir, c.Pre, root); err != nil {
			return res, err
		}
		res, err = cook(ctx, root, r, line)
		say("%s, recipe for %s: %d problems %.80q", r.Repo, line, len(res.After.Problems), res.Failed)
		return res, err
	})
	return err
}

// plans plans the repositories whose stored plan is of another etcdshift, and
// looks at what comes out.
func (f *field) plans(ctx context.Context, clones map[string]clone, line atlas.Line) error {
	key := func(r repository) string {
		return keyOf(planVersion, f.tool.key, clones[r.Repo].Pre, clones[r.Repo].Authors)
	}
	name := func(r repository) string { return fmt.Sprintf("%s/plan-%s", r.flat(), line) }
	var due []repository
	var list []entry
	for _, r := range f.repos {
		v, ok, err := recall[planResult](f.state, name(r))
		if err != nil {
			return err
		}
		if !ok || v.Key != key(r) {
			due = append(due, r)
			list = append(list, entry{Repo: clones[r.Repo].Dir, Ref: clones[r.Repo].Pre})
		}
	}
	if len(due) == 0 {
		return nil
	}
	work := f.state.path("migrated", string(line))
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	defer os.RemoveAll(work)
	first, err := f.tool.batchRun(ctx, f.state, string(line), string(line), f.jobs, list, os.Stderr)
	if err != nil {
		return err
	}
	results := map[string]*planResult{}
	var again []entry
	for _, r := range due {
		c := clones[r.Repo]
		out, ok := first[c.Dir]
		if !ok {
			return fmt.Errorf("the batch has no row of %s", r.Repo)
		}
		dir := filepath.Join(work, r.flat())
		res, err := f.look(ctx, r, c, out, dir, line)
		if err != nil {
			return err
		}
		say("%s for %s: %s, %d problems, %.0f s", r.Repo, line, res.Row.Status, len(res.After.Problems), res.Row.Took.Seconds())
		results[r.Repo] = res
		if res.Unfit == "" && out.patch != nil {
			again = append(again, entry{Repo: dir})
		}
	}
	if err := f.again(ctx, work, line, again, due, results); err != nil {
		return err
	}
	for _, r := range due {
		if err := store(f.state, name(r), stored[planResult]{key(r), *results[r.Repo]}); err != nil {
			return err
		}
	}
	return os.RemoveAll(f.state.path("batch"))
}

// look applies a plan in a checkout, commits it, and measures and compares
// what is there then.
func (f *field) look(ctx context.Context, r repository, c clone, out outcome, dir string, line atlas.Line) (*planResult, error) {
	res := &planResult{Revision: f.tool.revision, Row: out.row, Run: out.run}
	if err := checkout(ctx, c.Dir, c.Pre, dir); err != nil {
		return nil, err
	}
	if out.patch != nil {
		if _, err := git(ctx, dir, string(out.patch), nil, "apply", "--whitespace=nowarn"); err != nil {
			res.Unfit = err.Error()
		} else if err := commitAll(ctx, dir, "migrated"); err != nil {
			return nil, err
		}
	}
	var err error
	if res.After, err = measure(ctx, dir); err != nil || out.run == nil {
		return res, err
	}
	pre, authors := dir+"-pre", dir+"-authors"
	defer os.RemoveAll(pre)
	defer os.RemoveAll(authors)
	if err := checkout(ctx, c.Dir, c.Pre, pre); err != nil {
		return nil, err
	}
	res.Open = uncovered(res.After.Problems, out.run.Findings, lineMap(pre, dir))
	if c.Authors == "" || line != atlas.Line35 {
		return res, nil // all authors of the corpus went to 3.5
	}
	if err := checkout(ctx, c.Dir, c.Authors, authors); err != nil {
		return nil, err
	}
	compared, err := compareTrees(trees{pre, authors, dir}, out.run)
	res.Compared = &compared
	return res, err
}

// again plans the migrated trees once more.
func (f *field) again(ctx context.Context, work string, line atlas.Line, list []entry, due []repository, results map[string]*planResult) error {
	for _, r := range due {
		results[r.Repo].Again = "not run"
	}
	if len(list) == 0 {
		return nil
	}
	second, err := f.tool.batchRun(ctx, f.state, string(line)+"-again", string(line), f.jobs, list, os.Stderr)
	if err != nil {
		return err
	}
	for _, r := range due {
		out, ok := second[filepath.Join(work, r.flat())]
		switch {
		case !ok:
		case out.row.Patch != "":
			results[r.Repo].Again = fmt.Sprintf("changes %d files", out.row.Files)
		case out.row.Status.Retry():
			results[r.Repo].Again = string(out.row.Status) + ": " + out.row.Reason
		default:
			results[r.Repo].Again = "changes nothing"
		}
	}
	return nil
}

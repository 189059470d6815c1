package batch

import (
	"context"
	"slices"
)

// ordered surveys first and then works wave by wave.
func (r *runner) ordered(ctx context.Context, jobs []*Job) error {
	version := Version()
	var looks []*Job
	for _, j := range jobs {
		l := *j
		l.Survey, l.Settings, l.Delivery = true, Settings{}, Delivery{How: Patch}
		l.identify(version)
		looks = append(looks, &l)
	}
	if err := r.all(ctx, looks); err != nil {
		return err
	}
	rows := make([]*Row, len(jobs))
	for i, l := range looks {
		row, err := r.store.Row(ctx, l.ID)
		if err != nil {
			return err
		}
		row.Name = jobs[i].Name
		rows[i] = row
	}
	g := NewGraph(rows)
	last := 1
	for i, n := range g.Nodes {
		jobs[i].Wave = n.Wave
		last = max(last, n.Wave)
	}
	var so []*Job
	for wave := 1; wave <= last; wave++ {
		for i, n := range g.Nodes {
			if n.Wave != wave {
				continue
			}
			if err := r.require(ctx, jobs, g, i); err != nil {
				return err
			}
			jobs[i].identify(version)
			so = append(so, jobs[i])
		}
		if err := r.all(ctx, slices.Clone(so)); err != nil {
			return err
		}
	}
	return nil
}

// require points a user at the migrated libraries of earlier waves: at the
// commits that were pushed, since no others can be required.
func (r *runner) require(ctx context.Context, jobs []*Job, g *Graph, i int) error {
	n := g.Nodes[i]
	if n.Survey == nil {
		return nil
	}
	for _, e := range n.Needs {
		if e.To.Wave >= n.Wave {
			continue
		}
		lib := jobs[slices.Index(g.Nodes, e.To)]
		row, err := r.store.Row(ctx, lib.ID)
		if err != nil {
			return err
		}
		if row == nil || row.Delivered == nil || row.Delivered.How != Push {
			continue
		}
		for _, m := range e.To.Survey.Modules {
			if slices.ContainsFunc(n.Survey.Modules, func(u SurveyModule) bool { return slices.Contains(u.Requires, m.Path) }) {
				jobs[i].Requires = append(jobs[i].Requires, m.Path+"@"+row.Delivered.Commit)
			}
		}
	}
	return nil
}

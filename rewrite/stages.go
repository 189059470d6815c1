package rewrite

import (
	"bytes"
	"slices"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules"
)

// Stage is a step on the way to a plan: what one rule does after those before
// it, or, with no rule, the module files and everything else.
type Stage struct {
	Rule   string
	Writes []edit.FileChange
}

// Stages splits a plan by rule, in the order in which rules are listed, with
// the module files last. Together the stages make exactly the files of the
// plan. They are for reading: only the last is proved.
func (p *Plan) Stages() []Stage {
	switch {
	case len(p.Writes) == 0:
		return nil
	case p.sources == nil:
		return []Stage{{Writes: p.Writes}}
	}
	now := map[string][]byte{} // what the files hold so far
	for name, b := range p.sources.Before {
		now[name] = b
	}
	var out []Stage
	add := func(rule string, after map[string][]byte) {
		st := Stage{Rule: rule}
		for _, w := range p.Writes {
			a, ok := after[w.Path]
			if !ok || bytes.Equal(a, now[w.Path]) {
				continue
			}
			st.Writes = append(st.Writes, edit.FileChange{Path: w.Path, Before: now[w.Path], After: a, Mode: w.Mode})
			now[w.Path] = a
		}
		if len(st.Writes) > 0 {
			out = append(out, st)
		}
	}
	var taken []string
	for _, r := range rules.All {
		if !slices.ContainsFunc(p.Changes, func(c edit.Change) bool { return c.Rule == r.ID }) {
			continue
		}
		taken = append(taken, r.ID)
		part := &Sources{Before: p.sources.Before, After: map[string][]byte{}}
		for _, c := range p.Changes {
			if slices.Contains(taken, c.Rule) {
				part.Changes = append(part.Changes, c)
			}
		}
		if part.settle() != nil {
			continue // its edits need those of a later rule, and come with them
		}
		add(r.ID, part.After)
	}
	rest := Stage{}
	for _, w := range p.Writes {
		if _, source := p.sources.Before[w.Path]; source {
			if b := now[w.Path]; !bytes.Equal(b, w.After) {
				rest.Writes = append(rest.Writes, edit.FileChange{Path: w.Path, Before: b, After: w.After, Mode: w.Mode})
			}
			continue
		}
		rest.Writes = append(rest.Writes, w)
	}
	if len(rest.Writes) > 0 {
		out = append(out, rest)
	}
	return out
}

// CheckTarget says whether a value of Options.Target is understood.
func CheckTarget(target string) error {
	_, _, _, err := targets(target)
	return err
}

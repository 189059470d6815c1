package rewrite

import (
	"path"
	"slices"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/load"
	"github.com/etcdshift/etcdshift/rules"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// v2Modules returns the modules that are left as they are for a line whose
// servers have no v2 API, since they speak nothing else: moving their imports
// to client/v2 would prove a program that no server of the line answers.
//
// A module that is built with one that moves moves too: their types meet. Nor
// is any left when client-v2, which says so, is not among the rules.
func (pl *planner) v2Modules(line atlas.Line) map[*module]bool {
	held := map[*module]bool{}
	if !rules.V2Gone(line) || !slices.ContainsFunc(pl.rules, func(r *rules.Rule) bool { return r.ID == rules.ClientV2.ID }) {
		return held
	}
	needs := func(m, o *module) bool { return slices.Contains(m.Needs, o.Path) }
	for _, m := range pl.modules { // after those that they require
		imports := etcdPaths(m, nil)
		if rules.SpeaksV2Only(imports) || len(imports) == 0 && slices.ContainsFunc(pl.modules, func(o *module) bool { return held[o] && needs(m, o) }) {
			held[m] = true
		}
	}
	for again := true; again; {
		again = false
		for m := range held {
			if slices.ContainsFunc(pl.modules, func(o *module) bool { return o.Etcd && !held[o] && (needs(o, m) || needs(m, o)) }) {
				delete(held, m)
				again = true
			}
		}
	}
	return held
}

// reportV2 says what of the modules that are left has to be rewritten, and how
// to have their imports moved all the same.
func (p *Plan) reportV2(target rules.Target, from string, held map[*module]bool) error {
	var packages []*load.Package
	for m := range held {
		packages = append(packages, m.res.Packages...)
		if !rules.SpeaksV2Only(etcdPaths(m, nil)) {
			continue // goes with one that does
		}
		p.Findings = append(p.Findings, edit.Finding{
			Rule: rules.ClientV2.ID, Severity: edit.Review, File: path.Join(m.Rel, "go.mod"), Line: 1, Col: 1,
			Message: m.Path + " speaks to etcd by the v2 API alone, which no server has from etcd 3.6 on: it is left as it is",
			Advice: "rewrite its calls for client/v3, as the findings say; --target 3.5 moves its imports to client/v2, which 3.5 servers answer " +
				"with --enable-v2, and '--target " + string(target.Line) + " --skip-rules " + rules.ClientV2.ID + "' does so for no server",
		})
	}
	src, err := Rewrite(target, from, packages, []*rules.Rule{rules.ClientV2})
	if err != nil {
		return err
	}
	p.Findings = append(p.Findings, src.Findings...)
	return nil
}

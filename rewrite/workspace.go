package rewrite

import (
	"context"
	"fmt"
	"go/version"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/mod/modfile"

	"github.com/etcdshift/etcdshift/rewrite/deps"
	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/report"
)

// solveWork plans the go.work of a repository after its members, which are
// built with it; nil when there is none in the tree.
func (pl *planner) solveWork(ctx context.Context, p *Plan, ov *overlay, solved map[*module]*deps.Result) (*deps.WorkResult, error) {
	rel, err := filepath.Rel(pl.tree.Root, pl.tree.Work)
	if pl.tree.Work == "" || err != nil || !filepath.IsLocal(rel) || len(solved) == 0 {
		return nil, nil
	}
	d, err := pl.dir("work")
	if err != nil {
		return nil, err
	}
	overlay, err := ov.file(d)
	if err != nil {
		return nil, err
	}
	members := map[string]*deps.Result{}
	for m, res := range solved {
		members[m.Dir] = res
	}
	res, err := deps.SolveWork(ctx, deps.WorkRequest{Go: pl.opt.Go, File: pl.tree.Work, Scratch: d, OverlayFile: overlay, Members: members})
	if err != nil {
		return nil, err
	}
	folder := filepath.ToSlash(filepath.Dir(rel))
	for _, f := range res.Findings {
		f.File = path.Join(folder, f.File)
		p.Findings = append(p.Findings, f)
	}
	for _, c := range res.Changes {
		p.Work = append(p.Work, report.ModChange(c))
	}
	for _, f := range res.Files() {
		f.Path = path.Join(folder, f.Path)
		p.Writes = append(p.Writes, f)
	}
	return res, nil
}

// outerWork looks at a go.work above the tree, which is not the plan's to
// write. The go command refuses a workspace whose go directive is below that of
// a member, so a plan that raises one over it breaks every build there.
func (pl *planner) outerWork(p *Plan, solved map[*module]*deps.Result) error {
	rel, err := filepath.Rel(pl.tree.Root, pl.tree.Work)
	if pl.tree.Work == "" || err == nil && filepath.IsLocal(rel) {
		return nil
	}
	data, err := os.ReadFile(pl.tree.Work)
	if err != nil {
		return nil // the go command refuses it already
	}
	w, err := modfile.ParseWork(pl.tree.Work, data, nil)
	if err != nil {
		return nil // and this one
	}
	listed := "1.18" // what go.work has without the directive
	if w.Go != nil {
		listed = w.Go.Version
	}
	for i, m := range pl.modules {
		res := solved[m]
		if !m.Member || res == nil {
			continue
		}
		f, err := modfile.ParseLax("go.mod", res.GoMod, nil)
		if err != nil {
			return err
		}
		if f.Go == nil || version.Compare("go"+f.Go.Version, "go"+listed) <= 0 || m.Go != "" && version.Compare("go"+m.Go, "go"+listed) > 0 {
			continue
		}
		folder := filepath.Dir(pl.tree.Work)
		p.Modules[i].Status, p.Modules[i].Proof = report.Worse, report.Proof{}
		p.Modules[i].Error = fmt.Sprintf("%s lists go %s and refuses this module with go %s", pl.tree.Work, listed, f.Go.Version)
		p.Findings = append(p.Findings, edit.Finding{
			Rule: "gowork", Severity: edit.Manual, File: path.Join(m.Rel, "go.mod"), Line: 1, Col: 1,
			Message: p.Modules[i].Error + ": no build in that workspace would work",
			Advice:  fmt.Sprintf("run etcdshift on %s, which plans go.work with its modules; or pass --allow-unproved here and run 'go work use' there; GOWORK=off plans without the workspace", folder),
		})
		if p.Status.Better(report.Worse) {
			p.Status = report.Worse
		}
	}
	return nil
}

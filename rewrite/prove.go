package rewrite

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/deps"
	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/report"
	"github.com/etcdshift/etcdshift/rewrite/verify"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// prove lets the compiler judge a plan, module by module, and sets the status
// of the modules and of the plan. Each problem that is left and that no
// finding covers becomes a finding of its own.
func (pl *planner) prove(ctx context.Context, p *Plan, ov *overlay, solved map[*module]*deps.Result, work *deps.WorkResult) error {
	for i, m := range pl.modules {
		rm := &p.Modules[i]
		switch res := solved[m]; {
		case rm.Status == report.Unresolved:
		case m.Along && work == nil:
			rm.Status = report.Nothing
		case rm.Status == report.Left && (work == nil || !m.Member):
		case len(p.Writes) == 0 && p.onlyNotes():
			rm.Status = report.Nothing
		case pl.opt.Verify == verify.None:
			rm.Status = report.Unverified
		default:
			left := rm.Status == report.Left
			if err := pl.proveModule(ctx, p, rm, m, ov, res, work); err != nil {
				return err
			}
			if left && rm.Status.Better(report.Incomplete) {
				rm.Status = report.Left // and its workspace does it no harm
			}
		}
		if p.Status.Better(rm.Status) {
			p.Status = rm.Status
		}
	}
	return nil
}

func (p *Plan) onlyNotes() bool { return p.Left() == 0 }

func (pl *planner) proveModule(ctx context.Context, p *Plan, rm *report.Module, m *module, ov *overlay, res *deps.Result, work *deps.WorkResult) error {
	pl.opt.Progress("proving %s with go build and go vet", m.Path)
	d, err := pl.dir("prove")
	if err != nil {
		return err
	}
	// The main module's own go.mod comes through -modfile, not the overlay.
	overlay, err := ov.file(d)
	if err != nil {
		return err
	}
	req := verify.Request{
		Dir: m.Dir, Overlay: overlay, Original: ov.original, Level: pl.opt.Verify, Configs: configs(m),
	}
	if work != nil && m.Member {
		// -modfile is refused in a workspace; there the overlay has the go.mod
		// of every member.
		req.Go, req.Mod = pl.opt.Go.With("GOWORK="+work.File), "readonly"
		if work.Vendored {
			req.Mod = "vendor"
		}
	} else {
		req.Go, req.Mod, req.ModFile = pl.opt.Go.With("GOWORK=off"), "readonly", res.ModFile
	}
	rm.Proof.Level = pl.opt.Verify.String()
	for _, c := range req.Configs {
		rm.Proof.Configs = append(rm.Proof.Configs, c.Name)
	}
	after, err := verify.Run(ctx, req)
	if err != nil {
		return err
	}
	if fixed, err := pl.takeFixes(ctx, p, req, ov, after); err != nil {
		return err
	} else if fixed {
		if after, err = verify.Run(ctx, req); err != nil {
			return err
		}
	}
	// Where nothing is written, what is wrong was wrong before: no second build.
	before := &verify.Result{Problems: slices.Clone(after.Problems), Broken: maps.Clone(after.Broken), Unvetted: after.Unvetted}
	if err := pl.generations(ctx, m, res, req, after); err != nil {
		return err
	}
	open, err := pl.unprovable(ctx, p, m, res, req, after)
	if err != nil {
		return err
	}
	if len(after.Problems) == 0 {
		if rm.Status = report.Proved; open {
			rm.Status = report.Incomplete
		}
		return nil
	}
	if len(p.Writes) > 0 {
		if before, err = pl.before(ctx, m, after.Problems); err != nil {
			return err
		}
	}
	proof := &rm.Proof
	proof.Before = before.Problems
	proof.Known, proof.New = verify.Diff(before.Problems, after.Problems)
	if len(p.Writes) > 0 && slices.ContainsFunc(proof.New, func(pr verify.Problem) bool { return pr.Tool == "vet" || pr.Tool == "test" }) {
		pinned, err := pl.pinned(ctx, m, before)
		if err != nil {
			return err
		}
		proof.Known, proof.New = verify.Diff(slices.Concat(before.Problems, pinned), after.Problems)
	}
	proof.New = slices.DeleteFunc(proof.New, func(pr verify.Problem) bool {
		known := broughtToLight(p, m, pr, before)
		if known {
			proof.Known = append(proof.Known, pr)
		}
		return known
	})
	if rm.Status = judge(*proof, before, after); open && rm.Status.Better(report.Incomplete) {
		rm.Status = report.Incomplete
	}
	for _, pr := range rm.Proof.New {
		pl.cover(p, m, pr, edit.Manual, "no rule knows this; change it by hand")
	}
	for _, pr := range rm.Proof.Known {
		if pr.Tool == "build" {
			pl.cover(p, m, pr, edit.Note, "this was there before")
		}
	}
	return nil
}

// generations adds a problem for every program that would link two
// generations of etcd's messages: it builds, and panics before main.
func (pl *planner) generations(ctx context.Context, m *module, res *deps.Result, req verify.Request, after *verify.Result) error {
	if res == nil {
		return nil // nothing of it changes
	}
	for _, c := range req.Configs {
		var flags []string
		if len(c.Tags) > 0 {
			flags = append(flags, "-tags="+strings.Join(c.Tags, ","))
		}
		clashes, err := deps.Generations(ctx, deps.Request{Go: pl.opt.Go.With(c.Env...), Dir: m.Dir, OverlayFile: req.Overlay}, res, flags...)
		if err != nil {
			return err
		}
		for _, cl := range clashes {
			after.Problems = append(after.Problems, verify.Problem{Tool: "link", Config: c.Name, Package: strings.TrimSuffix(cl.Program, ".test"), Message: cl.String()})
		}
	}
	return nil
}

// unprovable takes the complaints away that are about a bare package, which
// stands in for one that is not to be had, and says whether there are packages
// that cannot be compiled from here. A finding says so instead.
func (pl *planner) unprovable(ctx context.Context, p *Plan, m *module, res *deps.Result, req verify.Request, after *verify.Result) (bool, error) {
	if res == nil {
		return false, nil
	}
	open := map[string]string{}
	for _, c := range req.Configs {
		var flags []string
		if len(c.Tags) > 0 {
			flags = append(flags, "-tags="+strings.Join(c.Tags, ","))
		}
		found, err := deps.Unprovable(ctx, deps.Request{Go: pl.opt.Go.With(c.Env...), Dir: m.Dir, OverlayFile: req.Overlay}, res, flags...)
		if err != nil {
			return false, err
		}
		maps.Copy(open, found.Behind)
		after.Problems = slices.DeleteFunc(after.Problems, func(pr verify.Problem) bool {
			return pr.Config == c.Name && found.Misled(pr.Package, pr.File)
		})
	}
	if len(open) == 0 {
		return false, nil
	}
	for pkg := range open {
		delete(after.Broken, pkg)
	}
	first := slices.Min(slices.Collect(maps.Keys(open)))
	p.Findings = append(p.Findings, edit.Finding{
		Rule: "compile", Severity: edit.Review, File: path.Join(m.Rel, "go.mod"), Line: 1, Col: 1,
		Message: fmt.Sprintf("%s could not be proved here, the first %s: %s is not to be had", report.Count(len(open), "package", "packages"), first, open[first]),
		Advice:  "build the result where it can be had: go vet ./...",
	})
	return true, nil
}

// takeFixes takes the fixes that go vet suggests for complaints that rules
// name, and says whether there were any.
func (pl *planner) takeFixes(ctx context.Context, p *Plan, req verify.Request, ov *overlay, res *verify.Result) (bool, error) {
	taken := false
	for _, r := range pl.rules {
		if r.Vet == nil || !slices.ContainsFunc(res.Problems, func(pr verify.Problem) bool { return strings.HasPrefix(pr.Message, r.Vet.Complaint) }) {
			continue
		}
		fixes, err := verify.Fixes(ctx, req, r.Vet.Analyzer, r.Vet.Complaint)
		if err != nil {
			return false, err
		}
		for _, f := range fixes {
			name, err := filepath.Rel(pl.tree.Root, f.File)
			if err != nil || !filepath.IsLocal(name) {
				continue
			}
			if ok, err := p.sources.fix(pl.tree.Root, filepath.ToSlash(name), r.ID, f); err != nil {
				return false, err
			} else if ok {
				taken = true
			}
		}
	}
	if !taken {
		return false, nil
	}
	if err := p.sources.settle(); err != nil {
		return false, err
	}
	for name, data := range p.sources.After {
		if err := ov.set(name, data); err != nil {
			return false, err
		}
	}
	if err := ov.write(req.Overlay); err != nil {
		return false, err
	}
	return true, p.setSources(pl.tree.Root)
}

// judge says how a plan with problems left compares with what was before.
func judge(p report.Proof, before, after *verify.Result) report.Status {
	switch {
	case len(p.New) == 0 && len(after.Broken) == 0 && !after.Unloaded():
		return report.Proved // go vet complains of what it complained of before
	case len(p.New) == 0:
		return report.NoWorse
	}
	for _, n := range p.New {
		if !before.Unloaded() && !before.Broken[n.Package] {
			return report.Worse
		}
	}
	return report.Incomplete
}

// treeResult is what is wrong with a tree as it is.
type treeResult struct {
	*verify.Result
	linked bool
}

// before checks the tree as it is, once. Its programs are linked only if that
// may be what is wrong after.
func (pl *planner) before(ctx context.Context, m *module, after []verify.Problem) (*verify.Result, error) {
	link := slices.ContainsFunc(after, func(pr verify.Problem) bool { return pr.Tool == "build" && pr.File == "" })
	if r, ok := pl.trees[m]; ok && (r.linked || !link) {
		return r.Result, nil
	}
	pl.opt.Progress("checking what was broken before in %s", m.Path)
	req := verify.Request{Go: pl.workspace, Dir: m.Dir, Mod: "readonly", Level: pl.opt.Verify, NoLink: !link, Configs: configs(m)}
	if pl.tree.VendorOf(m.Module) {
		req.Mod = "vendor"
	}
	r, err := verify.Run(ctx, req)
	if err != nil {
		return nil, err
	}
	pl.trees[m] = treeResult{r, link}
	return r, nil
}

// pinned returns what go vet says when the module does not build as it is, but
// does with versions that fit its old etcd: problems of the code, which a
// migration only brings to light.
func (pl *planner) pinned(ctx context.Context, m *module, before *verify.Result) ([]verify.Problem, error) {
	if ps, ok := pl.vetted[m]; ok || len(before.Problems) == 0 {
		return ps, nil
	}
	file := m.res.ModFile
	if file == "" {
		var err error
		if file, err = pl.oldModFile(ctx, m.Dir); err != nil || file == "" {
			return nil, err // no versions fit
		}
	}
	pl.opt.Progress("checking what go vet says of %s with its old etcd", m.Path)
	r, err := verify.Run(ctx, verify.Request{
		Go: pl.opt.Go.With("GOWORK=off"), Dir: m.Dir, Mod: "mod", ModFile: file, Level: pl.opt.Verify, NoLink: true, Configs: configs(m),
	})
	if err != nil {
		return nil, err
	}
	pl.vetted[m] = slices.DeleteFunc(r.Problems, func(p verify.Problem) bool { return p.Tool == "build" || r.Broken[p.Package] })
	return pl.vetted[m], nil
}

// broughtToLight says whether go vet could not look at a package as it was and
// complains now of a line that the plan leaves alone: a problem of the code,
// too. Not so of what comes with the move: messages that must not be copied,
// and formats that a raised go directive refuses.
func broughtToLight(p *Plan, m *module, pr verify.Problem, before *verify.Result) bool {
	if pr.Tool != "vet" || pr.File == "" || path.IsAbs(pr.File) || !before.Unvetted && !before.Unloaded() && !before.Broken[pr.Package] {
		return false
	}
	if strings.Contains(pr.Message, "lock") || strings.Contains(pr.Message, "non-constant format") {
		return false
	}
	for _, w := range p.Writes {
		if w.Path == path.Join(m.Rel, pr.File) {
			old, now := bytes.Split(w.Before, []byte("\n")), bytes.Split(w.After, []byte("\n"))
			was := edit.OldLine(w.Before, w.After, pr.Line)
			return 0 < was && was <= len(old) && pr.Line <= len(now) && bytes.Equal(old[was-1], now[pr.Line-1])
		}
	}
	return true
}

func configs(m *module) []verify.Config {
	var out []verify.Config
	for _, c := range m.res.Configs {
		out = append(out, verify.Config{Name: c.String(), Env: c.Env(), Tags: c.Tags})
	}
	return out
}

// cover adds a finding for a problem that none covers yet.
func (pl *planner) cover(p *Plan, m *module, pr verify.Problem, sev edit.Severity, advice string) {
	f := edit.Finding{Rule: "compile", Severity: sev, Line: 1, Col: 1, Message: pr.Message, Advice: advice}
	if pr.Tool == "vet" {
		f.Rule = "vet"
	}
	if pr.File == "" || path.IsAbs(pr.File) {
		f.File = path.Join(m.Rel, "go.mod")
		f.Message = pr.String()
		f.Advice = fmt.Sprintf("a dependency is in the way; 'etcdshift doctor %s' explains what requires it", m.Rel)
		if sev != edit.Manual || !p.coveredInGoMod(f.File, pr) {
			p.Findings = append(p.Findings, f)
		}
		return
	}
	f.File, f.Line, f.Col = path.Join(m.Rel, pr.File), pr.Line, pr.Col
	for _, w := range p.Writes {
		if w.Path == f.File {
			f.Line = edit.OldLine(w.Before, w.After, pr.Line)
		}
	}
	for _, o := range p.Findings {
		if o.File == f.File && o.Severity == edit.Manual && o.Line <= f.Line && f.Line <= max(o.Line, o.EndLine) {
			return
		}
	}
	f.EndLine = f.Line
	p.Findings = append(p.Findings, f)
}

// coveredInGoMod says whether a finding at a line of go.mod is about the
// dependency that a problem is in: old etcd that something still imports, or a
// dependency that the plan tried to raise. That one is for a person then.
func (p *Plan) coveredInGoMod(file string, pr verify.Problem) bool {
	for i := range p.Findings {
		f := &p.Findings[i]
		if f.File != file || f.Rule != "gomod-old-etcd" && f.Rule != "gomod-dependency" {
			continue
		}
		_, layout, etcd := atlas.Canonical(pr.Package)
		if strings.Contains(f.Message, "package "+pr.Package+" ") || etcd && layout != atlas.LayoutSplit && f.Rule == "gomod-old-etcd" {
			f.Severity = edit.Manual
			return true
		}
	}
	return false
}

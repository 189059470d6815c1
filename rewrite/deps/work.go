package deps

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/gocmd"
)

// siblings finds the other modules of the workspace. In the workspace they
// are built from their folders, and need not be required at all; tidy, which
// knows no workspace, would take released versions of them, which may still
// be on the old etcd or not exist. So each stands in as its folder.
func (s *solver) siblings(ctx context.Context) error {
	file, err := workFile(ctx, s)
	if file == "" || err != nil {
		return err
	}
	b, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("GOWORK names %s, which is not there: no go command works with that; unset GOWORK (go env -u GOWORK if it was set with go env -w), or set it to off", file)
	}
	if err != nil {
		return err
	}
	w, err := modfile.ParseWork(file, b, nil)
	if err != nil {
		return err
	}
	member := false
	found := map[string]string{}
	for _, u := range w.Use {
		dir := filepath.FromSlash(u.Path)
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(filepath.Dir(file), dir)
		}
		if sameFolder(dir, s.Dir) {
			member = true
			continue
		}
		_, f, err := readMod(filepath.Join(dir, "go.mod"))
		if err != nil || f.Module == nil {
			continue // "go work" itself will say so
		}
		found[f.Module.Mod.Path] = dir
	}
	if !member {
		return nil // it is built without the workspace
	}
	for path, dir := range found {
		replaced := false
		for _, r := range s.before.Replace {
			replaced = replaced || r.Old.Path == path
		}
		if !replaced {
			s.standIns[path] = dir
			s.sibling[path] = true
		}
	}
	return nil
}

// known reports whether nothing that the module had before can be lost: what
// stands in for a module is its folder in the workspace, or the module is one
// that only the plan brings.
func (s *solver) known() bool {
	for path := range s.standIns {
		if !s.sibling[path] && (s.lineOfModule(path) != nil || mentions(string(s.sum), path)) {
			return false
		}
	}
	return true
}

// workFile returns the go.work in effect for the module, "" if there is none.
func workFile(ctx context.Context, s *solver) (string, error) {
	if v := os.Getenv("GOWORK"); v == "off" {
		return "", nil
	} else if v != "" {
		return v, nil
	}
	for dir := s.Dir; ; dir = filepath.Dir(dir) {
		name := filepath.Join(dir, "go.work")
		if info, err := os.Stat(name); err == nil && !info.IsDir() {
			return name, nil
		} else if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		if dir == filepath.Dir(dir) {
			return "", nil
		}
	}
}

func sameFolder(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y) || strings.EqualFold(a, b) && a == b
}

// WorkRequest says what a workspace is made of.
type WorkRequest struct {
	Go      *gocmd.Runner
	File    string // go.work, absolute; never written
	Scratch string // empty folder for the planned go.work and go.work.sum
	// OverlayFile is JSON for -overlay with the rewritten sources and the
	// planned go.mod and go.sum of the members.
	OverlayFile string
	Members     map[string]*Result // plans by the members' folders, absolute
}

// WorkResult is a plan for the files of a workspace.
type WorkResult struct {
	// File is the planned go.work with absolute folders, in the scratch
	// folder: what to set GOWORK to for building the plan with -overlay.
	File      string
	Work, Sum []byte // planned bytes; Sum is nil when none is needed
	// Vendored says that the planned vendor folder lies beside File, so that a
	// build with -mod=vendor uses it.
	Vendored bool
	Changes  []Change
	Findings []edit.Finding // with File "go.work"

	before, beforeSum []byte
	vendor            []edit.FileChange
}

// Files returns the changes of go.work, go.work.sum and the vendor folder of
// the workspace, with paths relative to where they are.
func (r *WorkResult) Files() []edit.FileChange {
	var out []edit.FileChange
	for _, f := range []edit.FileChange{
		{Path: "go.work", Before: r.before, After: r.Work},
		{Path: "go.work.sum", Before: r.beforeSum, After: r.Sum},
	} {
		if !f.Empty() {
			out = append(out, f)
		}
	}
	return append(out, r.vendor...)
}

// SolveWork plans go.work after the plans of its members: its go directive,
// its replaces, which are judged as those of a go.mod are, and go.work.sum.
// A replace of any member counts for the whole workspace, so the ones of
// members without a plan that stand against it are reported.
func SolveWork(ctx context.Context, req WorkRequest) (*WorkResult, error) {
	res := &WorkResult{}
	var err error
	if res.before, err = os.ReadFile(req.File); err != nil {
		return nil, err
	}
	if res.beforeSum, err = readOptional(req.File + ".sum"); err != nil {
		return nil, err
	}
	w, err := modfile.ParseWork(req.File, res.before, nil)
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(req.File)

	// What the plans of the members agree on judges the replaces.
	judge := &solver{before: &modfile.File{Replace: slices.Clone(w.Replace)}, min: map[string]string{}, drop: map[string]string{}, kept: map[string]string{}, adds: map[string]modfileReplace{}}
	goLine, goBy := "", ""
	var unplanned []memberMod
	type target struct{ old, new, by string }
	var targets []target
	for _, u := range w.Use {
		folder := filepath.FromSlash(u.Path)
		if !filepath.IsAbs(folder) {
			folder = filepath.Join(dir, folder)
		}
		var f *modfile.File
		if r := memberOf(req.Members, folder); r != nil {
			if f, err = parseMod("go.mod", r.GoMod); err != nil {
				return nil, err
			}
			for p, v := range r.solver.min {
				if semver.Compare(v, judge.min[p]) > 0 {
					judge.min[p] = v
				}
			}
			judge.release, judge.unknown = r.solver.release, r.solver.unknown
		} else if _, f, err = readMod(filepath.Join(folder, "go.mod")); err != nil {
			continue // the go command says so better
		} else {
			unplanned = append(unplanned, memberMod{u.Path, f})
		}
		if f.Go != nil && (goLine == "" || compareGo(f.Go.Version, goLine) > 0) {
			goLine, goBy = f.Go.Version, u.Path
		}
		for _, r := range f.Replace {
			to := versioned(r.New)
			if isLocal(r) && !filepath.IsAbs(to) {
				to = filepath.Join(folder, filepath.FromSlash(to))
			}
			targets = append(targets, target{versioned(r.Old), to, u.Path})
		}
	}
	if judge.release.Version != "" {
		judge.judgeReplaces()
		judge.reportForks()
		for _, m := range unplanned {
			other := &solver{before: m.mod, min: judge.min, release: judge.release, unknown: judge.unknown,
				drop: map[string]string{}, kept: map[string]string{}, adds: map[string]modfileReplace{}}
			other.judgeReplaces()
			for _, r := range m.mod.Replace {
				if why, ok := other.drop[replaceKey(r.Old)]; ok {
					res.Findings = append(res.Findings, edit.Finding{
						Rule: "gowork-replace", Severity: edit.Manual, File: path.Join(m.use, "go.mod"),
						Start: r.Syntax.Start.Byte, End: r.Syntax.End.Byte, Line: r.Syntax.Start.Line, Col: r.Syntax.Start.LineRune,
						Message: fmt.Sprintf("%s counts for the whole workspace: %s", lineOf(r), why),
						Advice:  "run 'go mod edit -dropreplace=" + versioned(r.Old) + "' in " + m.use,
					})
				}
			}
		}
	}
	for _, r := range slices.Clone(w.Replace) {
		if why, ok := judge.drop[replaceKey(r.Old)]; ok {
			res.Changes = append(res.Changes, Change{What: "go.work: drop " + lineOf(r), Why: why})
			if err := w.DropReplace(r.Old.Path, r.Old.Version); err != nil {
				return nil, err
			}
		}
	}
	for _, f := range judge.findings {
		f.File = "go.work"
		f.Advice = strings.ReplaceAll(f.Advice, "go mod edit -dropreplace", "go work edit -dropreplace")
		res.Findings = append(res.Findings, f)
	}
	if goLine != "" && (w.Go == nil || compareGo(goLine, w.Go.Version) > 0) {
		was := "none"
		if w.Go != nil {
			was = w.Go.Version
		}
		res.Changes = append(res.Changes, Change{What: fmt.Sprintf("go.work: go %s (was %s)", goLine, was), Why: goBy + " requires it"})
		if err := w.AddGoStmt(goLine); err != nil {
			return nil, err
		}
		if w.Toolchain != nil && compareGo(strings.TrimPrefix(w.Toolchain.Name, "go"), goLine) < 0 {
			res.Changes = append(res.Changes, Change{What: "go.work: drop toolchain " + w.Toolchain.Name, Why: "the go directive is above it"})
			w.DropToolchainStmt()
		}
	}
	slices.SortStableFunc(targets, func(a, b target) int { return strings.Compare(a.old, b.old) })
	for i := 1; i < len(targets); i++ {
		a, b := targets[i-1], targets[i]
		overridden := slices.ContainsFunc(w.Replace, func(r *modfile.Replace) bool { return versioned(r.Old) == a.old })
		if a.old == b.old && a.new != b.new && !overridden {
			res.Findings = append(res.Findings, edit.Finding{
				Rule: "gowork-replace", Severity: edit.Manual, File: "go.work", Line: 1, Col: 1,
				Message: fmt.Sprintf("%s replaces %s by %s, and %s by %s: a workspace cannot have both", a.by, a.old, a.new, b.by, b.new),
				Advice:  fmt.Sprintf("drop one of them, or decide with 'go work edit -replace %s=...'", a.old),
			})
		}
	}

	w.Cleanup()
	res.Work = res.before
	if len(res.Changes) > 0 {
		res.Work = modfile.Format(w.Syntax)
	}
	if res.File, err = gocmd.WriteWork(w, dir, req.Scratch, req.File+".sum"); err != nil {
		return nil, err
	}
	// The versions of a workspace are the highest of its members, and their
	// checksums may be in no go.sum: listing what is built adds them.
	run := req.Go
	if run == nil {
		run = new(gocmd.Runner)
	}
	args := []string{"list", "-mod=readonly", "-deps", "-test", "-f", "{{.ImportPath}}"}
	if req.OverlayFile != "" {
		args = append(args, "-overlay="+req.OverlayFile)
	}
	for _, u := range w.Use {
		args = append(args, filepath.FromSlash(u.Path)+"/...")
	}
	if _, err := run.With("GOWORK="+res.File).Run(ctx, dir, args...); err != nil {
		text := words(err)
		if text == "" {
			return nil, err
		}
		res.Findings = append(res.Findings, edit.Finding{
			Rule: "gowork", Severity: edit.Manual, File: "go.work", Line: 1, Col: 1,
			Message: "the workspace does not resolve with the plan: " + firstLine(text), Advice: "run 'go work sync' after the plan is applied, then 'go build' in each member",
		})
	} else if err := res.refreshVendor(ctx, run, req); err != nil {
		return nil, err
	}
	if res.Sum, err = readOptional(res.File + ".sum"); err != nil {
		return nil, err
	}
	if len(res.Sum) == 0 && res.beforeSum == nil {
		res.Sum = nil
	}
	return res, nil
}

// memberMod is the go.mod of a member, as it is in the tree.
type memberMod struct {
	use string // as go.work names the member
	mod *modfile.File
}

// memberOf returns the plan of a member by its folder.
func memberOf(members map[string]*Result, folder string) *Result {
	if r := members[folder]; r != nil {
		return r
	}
	for _, dir := range slices.Sorted(maps.Keys(members)) {
		if sameFolder(dir, folder) {
			return members[dir]
		}
	}
	return nil
}

package deps

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/gocmd"
)

// result reads the tidied plan and explains how it differs from the tree.
func (s *solver) result(ctx context.Context) (*Result, error) {
	r := &Result{Release: s.release.Version, Reason: s.reason, ModFile: s.modfile, beforeMod: s.mod, beforeSum: s.sum, solver: s, vendored: s.vendored, Build: s.build}
	var err error
	if r.GoMod, err = os.ReadFile(s.modfile); err != nil {
		return nil, err
	}
	if r.GoSum, err = readOptional(filepath.Join(s.Scratch, "go.sum")); err != nil {
		return nil, err
	}
	if len(s.standIns)+len(s.missing) > 0 {
		if r.GoMod, r.GoSum, err = s.withoutStandIns(r.GoMod, r.GoSum); err != nil {
			return nil, err
		}
		r.Missing = sortedKeys(s.missing)
		for _, path := range sortedKeys(s.standIns) {
			if !s.sibling[path] {
				r.Unreachable = append(r.Unreachable, path)
			}
		}
	}
	if bytes.Contains(s.mod, []byte("\r\n")) && !bytes.Contains(r.GoMod, []byte("\r\n")) {
		// The go command writes plain newlines; the file had others.
		r.GoMod = bytes.ReplaceAll(r.GoMod, []byte("\n"), []byte("\r\n"))
	}
	after, err := parseMod("go.mod", r.GoMod)
	if err != nil {
		return nil, err
	}
	r.Changes = s.explain(ctx, after)
	s.reportForks()
	r.wakes = s.explainGo(after)
	if s.compat != "" && after.Go != nil {
		s.finding("gomod-compat", edit.Note, s.before.Go.Syntax,
			fmt.Sprintf("with go %s, tidy also checks what Go 1.16 would select, which is something else", after.Go.Version),
			"run 'go mod tidy -compat="+s.compat+"' from now on, or raise the directive with 'go mod edit -go=1.18'")
	}
	if err := s.reportBesides(ctx); err != nil {
		return nil, err
	}
	r.Findings = edit.SortFindings(s.findings)
	return r, nil
}

// nothingMoves says whether the plan brings no etcd of today: the code imports
// none, and the dependency that imports the old one could not be raised.
func (s *solver) nothingMoves() bool {
	old := false
	for _, m := range s.build {
		if isSplit(m.Path) {
			return false
		}
		old = old || isOldRoot(m.Path)
	}
	return old && len(s.needed) == 0 && len(s.raises) == 0
}

// unchanged is the result of leaving go.mod as it is: what would go from it,
// such as a pin of gRPC, the old etcd still needs.
func (s *solver) unchanged() (*Result, error) {
	r := &Result{
		Release: s.release.Version, Reason: s.reason, ModFile: s.modfile, beforeMod: s.mod, beforeSum: s.sum, solver: s,
		GoMod: s.mod, GoSum: s.sum, Unchanged: true,
	}
	for _, f := range s.findings {
		if f.Rule == "gomod-old-etcd" {
			r.Findings = append(r.Findings, f)
		}
	}
	if err := os.WriteFile(s.modfile, s.mod, 0o666); err != nil {
		return nil, err
	}
	sum := filepath.Join(s.Scratch, "go.sum")
	if s.sum == nil {
		return r, os.RemoveAll(sum)
	}
	return r, os.WriteFile(sum, s.sum, 0o666)
}

// explain lists the lines of go.mod that differ, with the reason of each.
func (s *solver) explain(ctx context.Context, after *modfile.File) []Change {
	var changes, indirect []Change
	add := func(what, why string) { changes = append(changes, Change{What: what, Why: why}) }

	if a := after.Go; a != nil && a.Version != s.goLine() {
		if b := s.goLine(); b == "" {
			add("go "+a.Version, "the module had no go directive")
		} else {
			add(fmt.Sprintf("go %s (was %s)", a.Version, b), s.whyGo(ctx, a.Version))
		}
	}
	if b, a := toolchain(s.before), toolchain(after); b != a {
		if a == "" {
			add("drop toolchain "+b, "the go directive covers it")
		} else {
			add("toolchain "+a, "the go command wrote its own version")
		}
	}

	old := map[string]*modfile.Require{}
	for _, r := range s.before.Require {
		old[r.Mod.Path] = r
	}
	now := map[string]*modfile.Require{}
	for _, r := range after.Require {
		now[r.Mod.Path] = r
	}
	var by map[module.Version][]string
	for _, path := range sortedKeys(now) {
		r, b := now[path], old[path]
		if b != nil && b.Mod.Version == r.Mod.Version {
			if b.Indirect != r.Indirect {
				what := "require " + path + " " + r.Mod.Version
				if r.Indirect {
					indirect = append(indirect, Change{What: what + " // indirect", Why: "the module no longer imports it itself", Indirect: true})
				} else {
					indirect = append(indirect, Change{What: what, Why: "the module imports it itself", Indirect: true})
				}
			}
			continue
		}
		c := Change{What: "require " + path + " " + r.Mod.Version, Indirect: r.Indirect}
		if b != nil {
			c.What += " (was " + b.Mod.Version + ")"
		}
		switch set, ok := s.set[path]; {
		case ok && set.version == r.Mod.Version:
			c.Why = set.why
			c.Indirect = r.Indirect && s.needed[path] == "" && path != genproto
		default:
			if by == nil {
				by = s.requirers(ctx)
			}
			if from := dependent(by[r.Mod]); ok && from != "" {
				s.finding("gomod-pin", edit.Note, s.lineOfModule(path),
					fmt.Sprintf("%s was planned at %s (%s); %s requires %s", path, set.version, set.why, from, r.Mod.Version), "")
			}
			c.Why = "a package of the build is in it"
			if from := dependent(by[r.Mod]); from != "" {
				c.Why = from + " requires it"
			} else if !r.Indirect {
				c.Why = "the code imports a package of it"
			}
		}
		if path == grpcPath && b != nil {
			c.Indirect = false // a pin, often with a reason that is no more
		}
		if c.Indirect {
			indirect = append(indirect, c)
		} else {
			changes = append(changes, c)
		}
	}
	for _, path := range sortedKeys(old) {
		if now[path] != nil {
			continue
		}
		why, ok := s.drop[requireKey(path)]
		c := Change{What: "drop require " + path + " " + old[path].Mod.Version, Why: why, Indirect: old[path].Indirect}
		if !ok {
			c.Why = "no package of it is used any more"
			if old[path].Indirect {
				c.Why = "what requires it asks for this version or a newer one, or nothing uses it"
			}
		}
		c.Indirect = c.Indirect && !ok
		if c.Indirect {
			indirect = append(indirect, c)
		} else {
			changes = append(changes, c)
		}
	}
	for _, path := range sortedKeys(s.needed) {
		if now[path] == nil {
			s.finding("gomod-dropped", edit.Note, s.lineOfModule(path),
				fmt.Sprintf("tidy left %s out: no file that a build can have imports it", path), "")
		}
	}
	gone := map[module.Version]bool{}
	for _, r := range after.Replace {
		gone[r.Old] = true
	}
	for _, r := range s.before.Replace {
		if !gone[r.Old] {
			add("drop "+lineOf(r), s.drop[replaceKey(r.Old)])
		}
	}
	for _, k := range sortedKeys(s.adds) {
		a := s.adds[k]
		add(lineOf(&modfile.Replace{Old: a.old, New: a.new}), a.why)
	}
	for _, e := range s.before.Exclude {
		if why, ok := s.drop[excludeKey(e.Mod)]; ok {
			add("drop exclude "+e.Mod.Path+" "+e.Mod.Version, why)
		}
	}
	for _, r := range s.before.Replace {
		if why := s.kept[replaceKey(r.Old)]; why != "" && gone[r.Old] {
			s.finding("gomod-replace", edit.Note, r.Syntax, lineOf(r)+" stays: "+why, "")
		}
	}
	return append(changes, indirect...)
}

func (s *solver) goLine() string {
	if s.before.Go == nil {
		return ""
	}
	return s.before.Go.Version
}

func toolchain(f *modfile.File) string {
	if f.Toolchain == nil {
		return ""
	}
	return f.Toolchain.Name
}

// whyGo names a module that binds the go directive.
func (s *solver) whyGo(ctx context.Context, v string) string {
	if compareGo(s.release.Go, v) == 0 {
		return fmt.Sprintf("etcd %s requires Go %s", s.release.Version, s.release.Go)
	}
	for m, from := range s.requirers(ctx) {
		if m.Path == "go" && m.Version == v && len(from) > 0 {
			return from[0] + " requires it"
		}
	}
	return "a module of the build requires it"
}

// explainGo reports what a raised go directive changes besides the build. wakes
// says that it brings a vendor folder into use which builds passed over.
func (s *solver) explainGo(after *modfile.File) (wakes bool) {
	if after.Go == nil || s.before.Go == nil {
		return false
	}
	was, now := s.before.Go.Version, after.Go.Version
	own, work := gocmd.Vendored(s.Dir)
	if compareGo(was, "1.14") < 0 && compareGo(now, "1.14") >= 0 && !own && !work && hasVendoredGo(s.Dir) {
		wakes = true
		s.finding("gomod-vendor", edit.Review, s.before.Go.Syntax,
			fmt.Sprintf("with go %s builds take the vendor folder, which was passed over with go %s and has no modules.txt: it is made anew", now, was),
			"or delete the folder, if nobody needs it")
	}
	if compareGo(was, "1.22") < 0 && compareGo(now, "1.22") >= 0 {
		s.finding("gomod-go-directive", edit.Note, s.before.Go.Syntax,
			fmt.Sprintf("the go directive goes from %s to %s: from 1.22 on each iteration of a for loop has its own variables, and GODEBUG defaults follow the directive", was, now),
			"look at closures and goroutines that share a loop variable on purpose; 'go vet' names the ones that did so by mistake")
	}
	return wakes
}

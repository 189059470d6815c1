package deps

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// companions are modules that repositories list only for old etcd: the server
// packages below its client needed them and its releases had no go.mod that
// did. They are dropped when they are marked indirect; tidy brings back what
// something else needs.
var companions = []string{
	coreosBolt,
	coreosSystemd,
	"github.com/coreos/pkg",
	"github.com/tmc/grpc-websocket-proxy",
	"github.com/xiang90/probing",
}

// Keys of lines of go.mod, as a person would name them to "go mod edit".

func requireKey(path string) string { return "require " + path }

func replaceKey(old module.Version) string { return "replace " + versioned(old) }

func excludeKey(v module.Version) string { return "exclude " + versioned(v) }

func versioned(m module.Version) string {
	if m.Version == "" {
		return m.Path
	}
	return m.Path + "@" + m.Version
}

// lineOf prints a replace as it stands in go.mod.
func lineOf(r *modfile.Replace) string {
	return "replace " + strings.ReplaceAll(versioned(r.Old)+" => "+versioned(r.New), "@", " ")
}

// draft makes the first plan: which lines go, which come.
func (s *solver) draft() {
	for _, path := range s.Imports {
		m, ok := moduleOf(path)
		if !ok {
			continue
		}
		if v := s.companion(m); v != "" {
			s.needed[m] = v
		}
	}
	for _, r := range s.before.Require {
		p := r.Mod.Path
		switch {
		case (isOldRoot(p) || slices.Contains(companions, p)) && heldOnly(s.before, r):
			// tidy takes it out if nothing needs it
		case isOldRoot(p):
			s.drop[requireKey(p)] = "the client moved to go.etcd.io/etcd/client/v3"
		case s.needed[p] != "":
			// set below
		case atlas.IsEtcdModule(p):
			// Not imported, but perhaps in the build.
			if v := s.companion(p); v != "" {
				s.set[p] = requirement{version: v, why: "all etcd modules have one release"}
			}
		case r.Indirect && slices.Contains(companions, p) && s.min[p] == "":
			s.drop[requireKey(p)] = "only the old etcd needed it"
		case r.Indirect && isCore(p) && s.min[p] != "" && semver.Compare(r.Mod.Version, s.min[p]) < 0:
			// tidy would raise the line in place and keep its comment, which
			// often explains a pin that is no more.
			s.drop[requireKey(p)] = fmt.Sprintf("etcd %s needs %s", s.release.Version, s.min[p])
		}
	}
	for m, v := range s.needed {
		s.set[m] = requirement{version: v, why: fmt.Sprintf("the code imports it; %s is %s", s.release.Version, s.reason)}
	}
	s.judgeReplaces()
	s.judgeExcludes()
	whole := slices.ContainsFunc(s.before.Require, func(r *modfile.Require) bool {
		return r.Mod.Path == genproto && semver.Compare(r.Mod.Version, genprotoSplit) >= 0
	})
	if !whole && s.min[genproto+"/googleapis/rpc"] != "" && sumHasOldGenproto(s.sum) && s.changes() {
		// tidy would select it; asking at once saves tidying twice. Not so
		// where nothing changes: the file is tidy without it.
		s.raiseGenproto(whyGenproto)
	}
}

// changes says whether the draft differs from go.mod.
func (s *solver) changes() bool {
	if len(s.drop)+len(s.adds) > 0 {
		return true
	}
	have := map[string]string{}
	for _, r := range s.before.Require {
		have[r.Mod.Path] = r.Mod.Version
	}
	for m, r := range s.set {
		if have[m] != r.version {
			return true
		}
	}
	return false
}

// sumHasOldGenproto reports whether a go.sum names a genproto from before its
// packages were split off.
func sumHasOldGenproto(sum []byte) bool {
	for l := range strings.Lines(string(sum)) {
		if rest, ok := strings.CutPrefix(l, genproto+" "); ok {
			v, _, _ := strings.Cut(rest, " ")
			if semver.Compare(strings.TrimSuffix(v, "/go.mod"), genprotoSplit) < 0 {
				return true
			}
		}
	}
	return false
}

// render returns the go.mod of the current plan, before tidy.
func (s *solver) render() ([]byte, error) {
	f, err := parseMod("go.mod", s.mod)
	if err != nil {
		return nil, err
	}
	for _, r := range slices.Clone(f.Require) {
		if _, ok := s.drop[requireKey(r.Mod.Path)]; ok {
			if err := f.DropRequire(r.Mod.Path); err != nil {
				return nil, err
			}
		}
	}
	for _, r := range slices.Clone(f.Replace) {
		if _, ok := s.drop[replaceKey(r.Old)]; ok {
			if err := f.DropReplace(r.Old.Path, r.Old.Version); err != nil {
				return nil, err
			}
		}
	}
	for _, e := range slices.Clone(f.Exclude) {
		if _, ok := s.drop[excludeKey(e.Mod)]; ok {
			if err := f.DropExclude(e.Mod.Path, e.Mod.Version); err != nil {
				return nil, err
			}
		}
	}
	for _, m := range sortedKeys(s.set) {
		if err := f.AddRequire(m, s.set[m].version); err != nil {
			return nil, err
		}
		if s.needed[m] == "" {
			continue
		}
		for _, r := range f.Require {
			if r.Mod.Path == m && r.Indirect {
				setDirect(r)
			}
		}
	}
	for _, k := range sortedKeys(s.adds) {
		a := s.adds[k]
		if err := f.AddReplace(a.old.Path, a.old.Version, a.new.Path, a.new.Version); err != nil {
			return nil, err
		}
		for _, r := range f.Replace {
			if a.comment != "" && r.Old == a.old {
				r.Syntax.Suffix = []modfile.Comment{{Token: "// " + a.comment, Suffix: true}}
			}
		}
	}
	for _, path := range sortedKeys(s.missing) {
		if err := f.AddRequire(path, noVersion(path)); err != nil {
			return nil, err
		}
		if err := f.AddReplace(path, "", s.missing[path], ""); err != nil {
			return nil, err
		}
	}
	for _, path := range sortedKeys(s.standIns) {
		for _, r := range slices.Clone(f.Replace) {
			if r.Old.Path == path && r.Old.Version != "" {
				if err := f.DropReplace(path, r.Old.Version); err != nil {
					return nil, err
				}
			}
		}
		if err := f.AddReplace(path, "", s.standIns[path], ""); err != nil {
			return nil, err
		}
	}
	if raisesGo(s.release, s.directive()) {
		// tidy would raise it as well, but only after it had resolved the
		// whole graph without pruning, which lifts modules that nothing in
		// the build asks for.
		if err := f.AddGoStmt(s.release.EffGo); err != nil {
			return nil, err
		}
	}
	f.Cleanup()
	return f.Format()
}

// setDirect takes the "// indirect" mark off a requirement; tidy does the
// same, but would leave the line in the block of the indirect ones.
func setDirect(r *modfile.Require) {
	r.Indirect = false
	if r.Syntax == nil || len(r.Syntax.Suffix) == 0 {
		return
	}
	c := &r.Syntax.Suffix[0]
	rest := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(strings.TrimPrefix(c.Token, "//")), "indirect"))
	rest = strings.TrimSpace(strings.TrimPrefix(rest, ";"))
	if rest == "" {
		r.Syntax.Suffix = r.Syntax.Suffix[1:]
	} else {
		c.Token = "// " + rest
	}
}

// finding makes a finding at a line of go.mod, or at its head.
func (s *solver) finding(rule string, sev edit.Severity, at *modfile.Line, message, advice string) {
	f := edit.Finding{Rule: rule, Severity: sev, File: "go.mod", Line: 1, Col: 1, Message: message, Advice: advice}
	if at != nil {
		f.Start, f.End = at.Start.Byte, at.End.Byte
		f.Line, f.Col, f.EndLine = at.Start.Line, at.Start.LineRune, at.End.Line
	}
	s.findings = append(s.findings, f)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

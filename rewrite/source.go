package rewrite

import (
	"bytes"
	"cmp"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/load"
	"github.com/etcdshift/etcdshift/rewrite/verify"
	"github.com/etcdshift/etcdshift/rules"
)

// Sources is what the rules make of the repository's own files.
type Sources struct {
	Changes  []edit.Change // those that fit together
	Findings []edit.Finding
	Before   map[string][]byte // of every file that was looked at, by name
	After    map[string][]byte // of those that change
}

// Rewrite runs rules over packages and other files and settles the result: changes are merged,
// imports follow, and a file that gofmt left alone before is formatted again.
func Rewrite(target rules.Target, from string, packages []*load.Package, list []*rules.Rule, texts ...*load.Text) (*Sources, error) {
	s := &Sources{Before: map[string][]byte{}, After: map[string][]byte{}}
	var changes []edit.Change
	known := map[edit.Edit]bool{}
	for _, lp := range packages {
		rp := &rules.Package{Path: lp.Path, Fset: lp.Fset, Types: lp.Types, Info: lp.Info, Tier: lp.Tier}
		for _, f := range lp.Files {
			s.Before[f.Name] = f.Src
			rp.Files = append(rp.Files, &rules.File{Name: f.Name, Src: f.Src, AST: f.AST})
		}
		r := rules.Run(target, cmp.Or(lp.From, from), rp, list)
		changes = append(changes, once(known, r.Changes)...)
		s.Findings = append(s.Findings, r.Findings...)
	}
	for _, t := range texts {
		s.Before[t.Name] = t.Src
		r := rules.RunText(target, t.Name, t.Src, list)
		changes = append(changes, r.Changes...)
		s.Findings = append(s.Findings, r.Findings...)
	}
	var conflicts []edit.Conflict
	s.Changes, conflicts = edit.Merge(changes)
	for i, c := range s.Changes {
		if len(c.Edits) > 0 {
			s.Changes[i].Line = 1 + bytes.Count(s.Before[c.Edits[0].File][:c.Edits[0].Start], []byte("\n"))
		}
	}
	for _, c := range conflicts {
		s.Findings = append(s.Findings, s.conflict(c))
	}
	s.Findings = edit.SortFindings(s.Findings)
	return s, s.settle()
}

// once leaves out the edits that another load of the same files has made: a
// file can be in the packages of several build configurations, and a change
// that reaches over files need not be the same in all of them.
func once(known map[edit.Edit]bool, changes []edit.Change) []edit.Change {
	out := slices.Clone(changes)
	for i, c := range out {
		out[i].Edits = slices.DeleteFunc(slices.Clone(c.Edits), func(e edit.Edit) bool { return known[e] })
	}
	for _, c := range changes {
		for _, e := range c.Edits {
			known[e] = true
		}
	}
	return slices.DeleteFunc(out, func(c edit.Change) bool { return len(c.Edits) == 0 })
}

func (s *Sources) conflict(c edit.Conflict) edit.Finding {
	before := s.Before[c.At.File][:c.At.Start]
	return edit.Finding{
		Rule: c.Lost.Rule, Severity: edit.Manual, Tier: c.Lost.Tier, File: c.At.File, Start: c.At.Start, End: c.At.End,
		Line: 1 + bytes.Count(before, []byte("\n")), Col: c.At.Start - bytes.LastIndexByte(before, '\n'),
		Message: fmt.Sprintf("%s: not done here, since %s rewrites the same code", c.Lost.Message, c.Kept.Rule),
		Advice:  "apply the plan and run etcdshift again",
	}
}

// fix adds the change that go vet suggests, whose offsets count the file as
// planned. It is not taken where the plan has changed the line.
func (s *Sources) fix(root, name, rule string, f verify.Fix) (bool, error) {
	before, ok := s.Before[name]
	if !ok {
		data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			return false, err
		}
		before, s.Before[name] = data, data
	}
	now, ok := s.After[name]
	if !ok {
		now = before
	}
	line := 1 + bytes.Count(now[:f.Start], []byte("\n"))
	old := edit.OldLine(before, now, line)
	text, at := lineAt(now, line)
	oldText, oldAt := lineAt(before, old)
	if !bytes.Equal(text, oldText) {
		return false, nil
	}
	shift := oldAt - at
	s.Changes = append(s.Changes, edit.Change{
		Rule: rule, Message: f.Message, Line: old,
		Edits: []edit.Edit{{File: name, Start: f.Start + shift, End: f.End + shift, New: f.New, Rule: rule}},
	})
	return true, nil
}

// lineAt returns a line, 1-based, and the offset at which it begins.
func lineAt(data []byte, line int) (text []byte, start int) {
	for l := range bytes.Lines(data) {
		if line--; line == 0 {
			return l, start
		}
		start += len(l)
	}
	return nil, start
}

// settle turns changes into the new bytes of files: edits, then imports, then
// gofmt where the file was formatted before.
func (s *Sources) settle() error {
	adds := map[string][]edit.Import{}
	for _, c := range s.Changes {
		for _, i := range c.Imports {
			adds[i.File] = append(adds[i.File], i)
		}
	}
	for name, es := range edit.ByFile(edit.Edits(s.Changes)) {
		src := s.Before[name]
		if !strings.HasSuffix(name, ".go") {
			after, err := edit.Apply(src, es)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			s.After[name] = after
			continue
		}
		es, err := edit.Imports(name, src, es, adds[name], rules.PackageName)
		if err != nil {
			return fmt.Errorf("%s: the rewritten file does not parse, which is a defect of a rule: %w", name, err)
		}
		after, err := edit.Apply(src, es)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		// A file that gofmt leaves alone stays one: imports sorted, columns
		// aligned. Any other keeps its own layout.
		if clean, err := format.Source(src); err == nil && bytes.Equal(clean, src) {
			if after, err = format.Source(after); err != nil {
				return fmt.Errorf("%s: the rewritten file does not parse, which is a defect of a rule: %w", name, err)
			}
		} else {
			after = edit.FormatImports(src, after)
		}
		if !bytes.Equal(after, src) {
			s.After[name] = after
		}
	}
	return nil
}

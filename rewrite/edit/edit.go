// Package edit is the currency between the rules, the dependency solver and
// the plan: byte edits on original files, changes that group them, and
// findings for what is seen and not rewritten.
//
// Offsets always count bytes of the original file. Nothing here reads or
// writes the file system.
package edit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Tier says how much was known about the code when an edit or a finding was
// made.
type Tier uint8

const (
	// Typed means that the package and its dependencies type-checked.
	Typed Tier = iota
	// IllTyped means that errors were found, but the types of the symbols
	// involved resolved.
	IllTyped
	// Syntax means that import paths and names decided, without types.
	Syntax
)

func (t Tier) String() string {
	switch t {
	case Typed:
		return "typed"
	case IllTyped:
		return "ill-typed"
	}
	return "syntax"
}

// MarshalText writes the tier by name, as JSON reports show it.
func (t Tier) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads a tier by name.
func (t *Tier) UnmarshalText(b []byte) error {
	for _, c := range []Tier{Typed, IllTyped, Syntax} {
		if c.String() == string(b) {
			*t = c
			return nil
		}
	}
	return fmt.Errorf("unknown tier %q", b)
}

// Edit replaces the bytes [Start, End) of a file by New.
type Edit struct {
	File  string `json:"file"` // slash-separated, relative to the repository root
	Start int    `json:"start"`
	End   int    `json:"end"`
	New   string `json:"new"`
	Rule  string `json:"rule"` // id of the rule that made it
}

func (e Edit) String() string {
	return fmt.Sprintf("%s[%d:%d]=%q (%s)", e.File, e.Start, e.End, e.New, e.Rule)
}

// Import is an import that a change needs in a file.
type Import struct {
	File string `json:"file"`
	Path string `json:"path"`
	Name string `json:"name"` // local name
}

// Change is the unit that is taken or left whole: the edits of one rewrite,
// with the imports that its new text uses.
type Change struct {
	Rule    string   `json:"rule"`
	Tier    Tier     `json:"tier"`
	Message string   `json:"message"`
	Line    int      `json:"line"` // of the first edit, 1-based, in the original file
	Edits   []Edit   `json:"edits"`
	Imports []Import `json:"imports,omitempty"`
}

// Severity says what a finding asks of a person.
type Severity uint8

const (
	// Note needs no action.
	Note Severity = iota
	// Review compiles, but behaves differently or was decided without types.
	Review
	// Manual does not compile, or cannot work, until a person changes it.
	Manual
)

func (s Severity) String() string { return [...]string{"note", "review", "manual"}[s] }

// MarshalText writes the severity by name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a severity by name.
func (s *Severity) UnmarshalText(b []byte) error {
	for _, c := range []Severity{Note, Review, Manual} {
		if c.String() == string(b) {
			*s = c
			return nil
		}
	}
	return fmt.Errorf("unknown severity %q", b)
}

// Finding is a spot that was seen and not rewritten.
type Finding struct {
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	Tier     Tier     `json:"tier"`
	File     string   `json:"file"`
	Start    int      `json:"start"` // bytes of the original file
	End      int      `json:"end"`
	Line     int      `json:"line"` // 1-based, of the original file; 0 for the file as a whole
	Col      int      `json:"col"`  // 1-based, in bytes
	EndLine  int      `json:"endLine,omitempty"`
	Message  string   `json:"message"`
	Advice   string   `json:"advice,omitempty"` // what to do, and the next command where there is one
}

func (f Finding) String() string {
	s := fmt.Sprintf("%s:%d:%d: %s [%s, %s]", f.File, f.Line, f.Col, f.Message, f.Rule, f.Severity)
	if f.Advice != "" {
		s += "\n\t" + f.Advice
	}
	return s
}

// SortFindings orders findings by file, position, rule and text, and drops
// exact repetitions, such as those of a package and its test variant.
func SortFindings(fs []Finding) []Finding {
	slices.SortFunc(fs, func(a, b Finding) int {
		return cmp.Or(
			strings.Compare(a.File, b.File),
			cmp.Compare(a.Start, b.Start),
			cmp.Compare(a.Line, b.Line),
			strings.Compare(a.Rule, b.Rule),
			strings.Compare(a.Message, b.Message),
			cmp.Compare(a.Tier, b.Tier),
		)
	})
	return slices.CompactFunc(fs, func(a, b Finding) bool {
		a.Tier = b.Tier
		return a == b
	})
}

// Sort orders edits by file, start and end; edits at the same place keep
// their order.
func Sort(edits []Edit) {
	slices.SortStableFunc(edits, func(a, b Edit) int {
		return cmp.Or(
			strings.Compare(a.File, b.File),
			cmp.Compare(a.Start, b.Start),
			cmp.Compare(a.End, b.End),
		)
	})
}

// Apply returns src with the edits of one file applied. They must be sorted
// and must not overlap.
func Apply(src []byte, edits []Edit) ([]byte, error) {
	var out []byte
	last := 0
	for _, e := range edits {
		if e.Start < last || e.End < e.Start || e.End > len(src) {
			return nil, fmt.Errorf("edit %v does not fit (file has %d bytes, last edit ended at %d)", e, len(src), last)
		}
		out = append(out, src[last:e.Start]...)
		out = append(out, e.New...)
		last = e.End
	}
	return append(out, src[last:]...), nil
}

// ByFile groups edits by their file.
func ByFile(edits []Edit) map[string][]Edit {
	m := map[string][]Edit{}
	for _, e := range edits {
		m[e.File] = append(m[e.File], e)
	}
	return m
}

// NewOffset maps an offset of the original file to the edited one. An offset
// inside a replaced range maps to the start of its replacement.
func NewOffset(edits []Edit, off int) int {
	shift := 0
	for _, e := range edits {
		switch {
		case e.End <= off && (e.Start < off || e.End < off || e.Start == e.End):
			shift += len(e.New) - (e.End - e.Start)
		case e.Start < off:
			return e.Start + shift
		}
	}
	return off + shift
}

// Conflict is a change that was left out because it overlaps one taken
// before it.
type Conflict struct {
	Lost, Kept Change
	At         Edit // the edit of Lost that overlaps
}

// Merge takes changes in order and returns those that fit together, and a
// conflict for each that overlaps one already taken. Equal changes, such as
// those found in a package and again in its test variant, count once. Two
// changes may insert at the same offset; two that delete the same bytes
// conflict unless the edit is the same. A change that overlaps itself conflicts
// with itself.
func Merge(changes []Change) (taken []Change, conflicts []Conflict) {
	type owned struct {
		Edit
		by int // index into taken
	}
	byFile := map[string][]owned{} // sorted by Start, then End
	seen := map[string]bool{}
	find := func(es []owned, e Edit) (int, bool) {
		return slices.BinarySearchFunc(es, e, func(o owned, e Edit) int {
			return cmp.Or(cmp.Compare(o.Start, e.Start), cmp.Compare(o.End, e.End))
		})
	}
	overlaps := func(a, b Edit) bool {
		if a.Start == a.End && b.Start == b.End {
			return false // two insertions
		}
		return a.Start < b.End && b.Start < a.End
	}
next:
	for _, c := range changes {
		key := fmt.Sprintf("%s %s %v", c.Rule, c.Message, c.Edits)
		if seen[key] {
			continue
		}
		seen[key] = true
		if e, ok := tangled(c.Edits); ok {
			conflicts = append(conflicts, Conflict{Lost: c, Kept: c, At: e})
			continue
		}
		fresh := make([]Edit, 0, len(c.Edits))
		own := make(map[Edit]bool, len(c.Edits))
		for _, e := range c.Edits {
			if own[e] && e.Start != e.End {
				continue
			}
			own[e] = true
			es := byFile[e.File]
			i, _ := find(es, e)
			same := false
			// Neighbours on both sides can reach into e; ranges taken so far
			// do not overlap each other, so one step back is enough but for
			// insertions, which are passed over.
			for j := i - 1; j >= 0; j-- {
				if overlaps(es[j].Edit, e) {
					conflicts = append(conflicts, Conflict{Lost: c, Kept: taken[es[j].by], At: e})
					continue next
				}
				if es[j].Start != es[j].End {
					break
				}
			}
			for j := i; j < len(es) && es[j].Start <= e.End; j++ {
				o := es[j]
				if o.Start == e.Start && o.End == e.End && o.New == e.New && e.Start != e.End {
					same = true
					break
				}
				if overlaps(o.Edit, e) {
					conflicts = append(conflicts, Conflict{Lost: c, Kept: taken[o.by], At: e})
					continue next
				}
			}
			if !same {
				fresh = append(fresh, e)
			}
		}
		c.Edits = fresh
		taken = append(taken, c)
		for _, e := range fresh {
			es := byFile[e.File]
			i, found := find(es, e)
			for found && i < len(es) && es[i].Start == e.Start && es[i].End == e.End {
				i++
			}
			byFile[e.File] = slices.Insert(es, i, owned{e, len(taken) - 1})
		}
	}
	return taken, conflicts
}

// tangled returns an edit that overlaps another of the same change.
func tangled(edits []Edit) (Edit, bool) {
	es := slices.Clone(edits)
	Sort(es)
	var last Edit // the one that replaces bytes furthest on
	for _, e := range es {
		if e.File == last.File && e.Start < last.End && e != last {
			return e, true
		}
		if e.Start != e.End {
			last = e
		}
	}
	return Edit{}, false
}

// Edits returns the edits of all changes, sorted.
func Edits(changes []Change) []Edit {
	var es []Edit
	for _, c := range changes {
		es = append(es, c.Edits...)
	}
	Sort(es)
	return es
}

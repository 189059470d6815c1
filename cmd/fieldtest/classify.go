package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// counts is a multiset of what somebody did to a tree, in words.
type counts map[string]int

// sides is what the authors and the plan did to the same tree.
type sides struct {
	Both    counts `json:"both,omitempty"`
	Named   counts `json:"named,omitempty"`   // the authors, at a place that a finding of the plan names
	Authors counts `json:"authors,omitempty"` // they alone
	Plan    counts `json:"plan,omitempty"`    // it alone
}

// classify compares what two did. named says of what the authors did alone
// whether a finding names the place; nil for never.
func classify(authors, plan counts, named func(what string) bool) sides {
	s := sides{counts{}, counts{}, counts{}, counts{}}
	for what, n := range authors {
		both := min(n, plan[what])
		s.Both.add(what, both)
		if n > both && named != nil && named(what) {
			s.Named.add(what, n-both)
		} else {
			s.Authors.add(what, n-both)
		}
	}
	for what, n := range plan {
		s.Plan.add(what, n-min(n, authors[what]))
	}
	return s
}

// fold renames and adds up.
func (s sides) fold(name func(string) string) sides {
	fold := func(c counts) counts {
		out := counts{}
		for what, n := range c {
			out.add(name(what), n)
		}
		return out
	}
	return sides{fold(s.Both), fold(s.Named), fold(s.Authors), fold(s.Plan)}
}

func (c counts) add(what string, n int) {
	if n != 0 {
		c[what] += n
	}
}

func (c counts) total() int {
	n := 0
	for _, v := range c {
		n += v
	}
	return n
}

// list names what was done, the most frequent first, and of long lists the
// first few.
func (c counts) list(most int) []string {
	keys := slices.SortedFunc(maps.Keys(c), func(a, b string) int { return cmp.Or(c[b]-c[a], cmp.Compare(a, b)) })
	var out []string
	for i, k := range keys {
		if i == most {
			return append(out, fmt.Sprintf("and %d more", len(keys)-most))
		}
		k = "`" + k + "`"
		if c[keys[i]] > 1 {
			k += fmt.Sprintf(" ×%d", c[keys[i]])
		}
		out = append(out, k)
	}
	return out
}

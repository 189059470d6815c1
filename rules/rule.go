// Package rules holds the rewrites: what in Go source must change when a
// repository moves from an old etcd client to a current one.
//
// A Rule looks at one package at a time, through a Pass, and answers with
// changes (byte edits that belong together) and findings (what it saw and did
// not rewrite). Rules decide by types; where a package could not be typed,
// references are resolved by import path and scope alone and carry the tier
// "syntax". A rule touches no files and no go.mod, and knows no other rule.
//
// Packages are named by their path below the old module root, whatever the
// layout that a file imports them from: "clientv3" stands for
// github.com/coreos/etcd/clientv3, go.etcd.io/etcd/clientv3 and
// go.etcd.io/etcd/client/v3 alike (atlas.Canonical).
package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/etcdshift/etcdshift/rules/atlas"
)

// Safety says how far a rule's rewrites keep what the program does.
type Safety uint8

const (
	// Same keeps behaviour.
	Same Safety = iota
	// Adjusted changes behaviour in a way that the rule's Why names.
	Adjusted
	// Report makes no edits, only findings.
	Report
)

func (s Safety) String() string {
	return [...]string{"keeps behaviour", "changes behaviour as described", "reports only"}[s]
}

// Rule is one kind of change.
type Rule struct {
	ID     string // what users type; the file is named like it, with underscores
	Title  string // one line, imperative
	Before string // a Go file that the rule rewrites, against an old etcd
	After  string // the result, against the newest line of Targets
	Why    string // what is matched, what is not, and which behaviour changes
	Since  string // etcd release that made the change necessary
	// Targets are the lines that the rule applies to; none means all.
	Targets []atlas.Line
	Safety  Safety
	Refs    []string // evidence: source files, pull requests, upgrade guides
	// Claims are the broken symbols that the rule answers for, as
	// "package.Symbol"; a "*" stands for any run of characters.
	Claims []string
	// Answers picks, for rules driven by the atlas, the breaks that the rule
	// answers for among those that no Claims name. Of several such rules the
	// first in All has the break.
	Answers func(*atlas.Break) bool
	// OptIn rules run only when --rules names them.
	OptIn bool
	// Text looks at a file that is not Go.
	Text func(*TextPass)
	// Run looks at a package. A rule without it takes the fix that go vet
	// suggests when it complains of the migrated code as Vet says.
	Run func(*Pass)
	Vet *Vet
}

// Vet names a complaint of go vet.
type Vet struct {
	Analyzer  string // such as "printf"
	Complaint string // how the message begins
}

// Applies says whether the rule has anything to do for a target line.
func (r *Rule) Applies(line atlas.Line) bool {
	return len(r.Targets) == 0 || slices.Contains(r.Targets, line)
}

// ErrUnknown says that no rule has an id.
var ErrUnknown = errors.New("unknown rule")

// Select returns the rules of All that the flags --rules and --skip-rules
// leave: only, if not empty, names the rules to run; skip names rules to
// leave out. An unknown id is an error.
func Select(only, skip []string) ([]*Rule, error) {
	known := map[string]bool{}
	for _, r := range All {
		known[r.ID] = true
	}
	for _, id := range slices.Concat(only, skip) {
		if !known[id] {
			return nil, fmt.Errorf("%w %q; 'etcdshift rules' lists them", ErrUnknown, id)
		}
	}
	var out []*Rule
	for _, r := range All {
		switch {
		case slices.Contains(skip, r.ID):
		case slices.Contains(only, r.ID), len(only) == 0 && !r.OptIn:
			out = append(out, r)
		}
	}
	return out, nil
}

// Lookup returns the rule with an id, or nil.
func Lookup(id string) *Rule {
	for _, r := range All {
		if r.ID == strings.TrimSpace(id) {
			return r
		}
	}
	return nil
}

// Package report holds the model of a run and its views. A view reads the
// model and nothing else, so that text, JSON, SARIF and HTML cannot disagree.
package report

import (
	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/verify"
)

// Status says how far a plan is proved.
type Status string

const (
	// Nothing: there is nothing to do.
	Nothing Status = "nothing to do"
	// Proved: everything builds and vets.
	Proved Status = "proved"
	// Left: a person has to rewrite what it does before there is anything to
	// move; findings say where.
	Left Status = "left as it is"
	// NoWorse: something is still broken, and all of it was broken before.
	NoWorse Status = "no worse than before"
	// Incomplete: packages that were broken before are still broken, in
	// places that findings name.
	Incomplete Status = "incomplete"
	// Worse: a package that was fine before is not any more.
	Worse Status = "not proved"
	// Unresolved: no set of module versions resolves.
	Unresolved Status = "not resolved"
	// Unverified: nobody looked.
	Unverified Status = "not verified"
)

// rank orders statuses from best to worst.
var rank = map[Status]int{Nothing: 0, Left: 1, Proved: 2, NoWorse: 3, Unverified: 4, Incomplete: 5, Worse: 6, Unresolved: 7}

// Better says whether s is a better outcome than o.
func (s Status) Better(o Status) bool { return rank[s] < rank[o] }

// Run is what a run of etcdshift found and planned.
type Run struct {
	Root     string         `json:"root"`
	Status   Status         `json:"status"`
	Line     string         `json:"line,omitempty"`    // target line, such as 3.6
	Release  string         `json:"release,omitempty"` // target release, such as v3.6.16
	Reason   string         `json:"reason,omitempty"`  // why this release
	From     string         `json:"from,omitempty"`    // etcd release that the code was written for
	FromFile string         `json:"fromFile,omitempty"`
	Steps    []string       `json:"steps,omitempty"` // lines that were tried first, and why they were left
	Modules  []Module       `json:"modules,omitempty"`
	Work     []ModChange    `json:"work,omitempty"` // changes of go.work
	Changes  []edit.Change  `json:"changes,omitempty"`
	Findings []edit.Finding `json:"findings,omitempty"`
	Files    []File         `json:"files,omitempty"`
	Unbuilt  []string       `json:"unbuilt,omitempty"` // Go files in testdata and the like that mention old etcd
	Apart    []string       `json:"apart,omitempty"`   // folders of other git repositories that mention old etcd
	GoFiles  int            `json:"goFiles"`           // Go files read
}

// Module is one module of the repository.
type Module struct {
	Dir     string      `json:"dir"` // relative to the root; "." for the root
	Path    string      `json:"path"`
	Status  Status      `json:"status"`
	Changes []ModChange `json:"changes,omitempty"` // of go.mod
	Proof   Proof       `json:"proof"`
	Error   string      `json:"error,omitempty"` // why its versions do not resolve
	Aside   bool        `json:"aside,omitempty"` // old code was listed through a go.mod with pins, since the module's own does not resolve
}

// ModChange is one line of go.mod that changes, and why.
type ModChange struct {
	What     string `json:"what"`
	Why      string `json:"why"`
	Indirect bool   `json:"indirect,omitempty"`
}

// Proof is what the go command said of the plan.
type Proof struct {
	Level   string           `json:"level"`
	Configs []string         `json:"configs,omitempty"`
	Before  []verify.Problem `json:"before,omitempty"` // the baseline; only looked at when something is left
	Known   []verify.Problem `json:"known,omitempty"`  // left, and there before
	New     []verify.Problem `json:"new,omitempty"`    // left, and not there before
}

// File is a file that the plan writes.
type File struct {
	Path    string `json:"path"`
	Added   int    `json:"added"`   // lines
	Removed int    `json:"removed"` // lines
	Created bool   `json:"created,omitempty"`
	Deleted bool   `json:"deleted,omitempty"`
}

// Left counts the findings that ask something of a person.
func (r *Run) Left() int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity != edit.Note {
			n++
		}
	}
	return n
}

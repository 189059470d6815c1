// Package batch migrates many repositories in one run.
//
// A list becomes jobs; jobs go through a work queue to workers; a worker
// plans each repository in a child process of its own, stores what came out,
// delivers it and only then takes the job off the queue. The queue, the rows
// of results and the patches live in NATS JetStream: by default a server
// inside this process, without a listener, whose files are in a locked state
// folder; with an URL, a server or cluster that workers on other machines
// share. The code of a worker is the same for both.
//
// The order of writes is what makes a kill at any moment harmless: patches,
// then the row, then the acknowledgement. A job is identified by what it works
// on (repository, commit, settings, version of the rules), so that listing it
// again finds the row or the queued message and does nothing.
//
// This is the only package that imports NATS.
package batch

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/report"
)

// Job is one repository, or one folder of one, and what to do with it.
type Job struct {
	ID     string `json:"id"`   // of the work and its delivery
	Plan   string `json:"plan"` // of the work alone
	Name   string `json:"name"` // unique in a run; names the files of the result
	Repo   string `json:"repo"` // absolute path or git URL
	Ref    string `json:"ref,omitempty"`
	Commit string `json:"commit,omitempty"` // "" where it could not be found out; "tree:..." outside git
	Dir    string `json:"dir,omitempty"`    // folder in the repository
	Survey bool   `json:"survey,omitempty"` // look, and plan nothing
	// Version of the etcdshift that listed it; another one would plan
	// something else under the same id.
	Version string `json:"version"`

	Settings Settings  `json:"settings"`
	Delivery Delivery  `json:"delivery"`
	Limits   Limits    `json:"limits"`
	Time     time.Time `json:"time"` // of the first listing; the date of commits
	Wave     int       `json:"wave,omitempty"`
	// Requires are modules of other repositories of the run, at the versions
	// that their migration has: "path@version".
	Requires []string `json:"requires,omitempty"`
}

// Settings are the options of a plan.
type Settings struct {
	Target  string   `json:"target,omitempty"`
	From    string   `json:"from,omitempty"`
	KeepGo  bool     `json:"keepGo,omitempty"`
	Verify  string   `json:"verify,omitempty"`
	Rules   []string `json:"rules,omitempty"`
	Skip    []string `json:"skip,omitempty"`
	Tags    []string `json:"tags,omitempty"`
	Offline bool     `json:"offline,omitempty"`
	Cgo     bool     `json:"cgo,omitempty"`

	RemoveLegacy bool `json:"removeLegacy,omitempty"`
}

// Ways to deliver.
const (
	Patch   = "patch"   // store a patch
	Commit  = "commit"  // and a commit on a branch
	Push    = "push"    // and push the branch
	Command = "command" // and run a command with the commit in its environment
)

// Delivery says what is left behind for a repository that changes.
type Delivery struct {
	How     string   `json:"how"`
	Branch  string   `json:"branch,omitempty"`
	PerRule bool     `json:"perRule,omitempty"`
	Message string   `json:"message,omitempty"` // text/template
	Author  string   `json:"author,omitempty"`  // Name <address>
	Command []string `json:"command,omitempty"`
	InPlace bool     `json:"inPlace,omitempty"`
	// Unproved delivers plans, too, that would break what builds today.
	Unproved bool `json:"unproved,omitempty"`
}

// Limits of one repository.
type Limits struct {
	Time   time.Duration `json:"time"`
	Memory int64         `json:"memory"` // bytes that its processes hold together
	Disk   int64         `json:"disk"`   // bytes of its checkout and scratch files
}

// DefaultLimits are generous for a large repository.
var DefaultLimits = Limits{Time: 30 * time.Minute, Memory: 4 << 30, Disk: 8 << 30}

// identify sets the ids of a job. They do not depend on the list that the job
// stands in, nor on where the worker keeps its files.
func (j *Job) identify(version string) {
	work := struct {
		Repo, Commit, Dir string
		Survey            bool
		Settings          Settings
		Requires          []string
		Version           string
	}{j.Repo, j.Commit, j.Dir, j.Survey, j.Settings, j.Requires, version}
	j.Plan, j.Version = contentID(work), version
	j.ID = j.Plan
	if j.Delivery.How != Patch || j.Delivery.InPlace {
		j.ID = contentID(struct {
			Plan     string
			Delivery Delivery
		}{j.Plan, j.Delivery})
	}
}

func contentID(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // structs of strings always marshal
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:12])
}

// Version identifies the rules that a binary holds: the module version, or,
// of a development build, the content of the executable.
var Version = sync.OnceValue(func() string {
	bi, ok := debug.ReadBuildInfo()
	if ok && bi.Main.Version != "" && bi.Main.Version != "(devel)" && !slices.ContainsFunc(bi.Settings, func(s debug.BuildSetting) bool {
		return s.Key == "vcs.modified" && s.Value == "true"
	}) {
		return bi.Main.Version
	}
	exe, err := os.Executable()
	if err == nil {
		if f, err := os.Open(exe); err == nil {
			defer f.Close()
			h := sha256.New()
			if _, err := io.Copy(h, f); err == nil {
				return "devel-" + hex.EncodeToString(h.Sum(nil)[:6])
			}
		}
	}
	return "devel"
})

// Status of a repository in a batch.
type Status string

const (
	Proved         Status = "proved"
	ProvedFindings Status = "proved with findings"
	Nothing        Status = "nothing to do"
	NoWorse        Status = "no worse than before"
	Unverified     Status = "not verified"
	LeftAsIs       Status = "left as it is"
	Incomplete     Status = "incomplete"
	NotProved      Status = "not proved"
	Blocked        Status = "blocked by a dependency"
	NotLoadable    Status = "not loadable"
	Surveyed       Status = "surveyed"
	Failed         Status = "failed"
	Dead           Status = "dead letter"
)

// statuses in the order of reports, best first.
var statuses = []Status{Proved, ProvedFindings, NoWorse, Unverified, Nothing, Surveyed, LeftAsIs, Incomplete, NotProved, Blocked, NotLoadable, Failed, Dead}

// Retry says whether doing it again could end otherwise: the cause may have
// been the network or the machine and not the repository.
func (s Status) Retry() bool { return s == Failed || s == Dead || s == NotLoadable }

// delivers says whether a plan of this status is worth a branch.
func (s Status) delivers(unproved bool) bool {
	switch s {
	case Proved, ProvedFindings, NoWorse, Unverified, Incomplete:
		return true
	case NotProved, Blocked:
		return unproved
	}
	return false
}

// statusOf translates the status of a plan.
func statusOf(r *report.Run) Status {
	switch r.Status {
	case report.Proved:
		if r.Left() > 0 {
			return ProvedFindings
		}
		return Proved
	case report.Nothing:
		return Nothing
	case report.Left:
		return LeftAsIs
	case report.NoWorse:
		return NoWorse
	case report.Incomplete:
		return Incomplete
	case report.Worse:
		return NotProved
	case report.Unresolved:
		return Blocked
	case report.Unverified:
		return Unverified
	}
	return Failed
}

// Row is what became of a job.
type Row struct {
	ID      string         `json:"id"`
	Plan    string         `json:"plan"`
	Name    string         `json:"name"`
	Repo    string         `json:"repo"`
	Ref     string         `json:"ref,omitempty"`
	Commit  string         `json:"commit,omitempty"`
	Dir     string         `json:"dir,omitempty"`
	Status  Status         `json:"status"`
	Reason  string         `json:"reason,omitempty"` // why it is not better
	From    string         `json:"from,omitempty"`
	Release string         `json:"release,omitempty"`
	Rules   map[string]int `json:"rules,omitempty"` // changes per rule
	Modules []Module       `json:"modules,omitempty"`
	Files   int            `json:"files"`
	Added   int            `json:"added"`
	Removed int            `json:"removed"`

	Findings []edit.Finding `json:"findings,omitempty"` // the first of them; Kinds counts all
	Kinds    []Kind         `json:"kinds,omitempty"`

	Patch     string        `json:"patch,omitempty"`  // object in the store
	Report    string        `json:"report,omitempty"` // object in the store: the whole run
	Log       string        `json:"log,omitempty"`    // object in the store
	Delivered *Delivered    `json:"delivered,omitempty"`
	Survey    *Survey       `json:"survey,omitempty"`
	Attempts  int           `json:"attempts"`
	Worker    string        `json:"worker,omitempty"`
	Version   string        `json:"version"`
	Started   time.Time     `json:"started"`
	Took      time.Duration `json:"took"`
}

// Module is a module of a repository in a row.
type Module struct {
	Dir    string `json:"dir"`
	Path   string `json:"path"`
	Status Status `json:"status"`
}

// Kind counts findings of one rule and severity.
type Kind struct {
	Rule     string        `json:"rule"`
	Severity edit.Severity `json:"severity"`
	Count    int           `json:"count"`
}

// Delivered is what was left behind beside the patch.
type Delivered struct {
	How    string `json:"how"`
	Branch string `json:"branch,omitempty"`
	Commit string `json:"commit,omitempty"`
	Bundle string `json:"bundle,omitempty"` // object in the store: the branch as a git bundle
	Output string `json:"output,omitempty"` // last lines of the command or the push
}

// maxFindings bounds the findings in a row; the report of the plan has all.
const maxFindings = 100

// rowOf makes a row of a plan.
func rowOf(j *Job, r *report.Run) *Row {
	row := newRow(j)
	row.Status, row.From, row.Release = statusOf(r), r.From, r.Release
	for _, c := range r.Changes {
		if row.Rules == nil {
			row.Rules = map[string]int{}
		}
		row.Rules[c.Rule]++
	}
	for _, m := range r.Modules {
		s := statusOf(&report.Run{Status: m.Status})
		row.Modules = append(row.Modules, Module{Dir: m.Dir, Path: m.Path, Status: s})
		if row.Reason == "" && m.Error != "" {
			row.Reason = shorten(m.Error, 2000)
		}
	}
	for _, m := range r.Modules {
		if row.Reason == "" && len(m.Proof.New) > 0 {
			row.Reason = shorten(fmt.Sprintf("%s left, the first: %s", report.Count(len(m.Proof.New), "problem is", "problems are"), m.Proof.New[0]), 2000)
		}
	}
	for _, f := range r.Files {
		row.Files++
		row.Added += f.Added
		row.Removed += f.Removed
	}
	count := map[Kind]int{}
	for _, f := range r.Findings {
		count[Kind{Rule: f.Rule, Severity: f.Severity}]++
		if len(row.Findings) < maxFindings && f.Severity != edit.Note {
			f.Message, f.Advice = shorten(f.Message, 1000), shorten(f.Advice, 1000)
			row.Findings = append(row.Findings, f)
		}
	}
	for k, n := range count {
		k.Count = n
		row.Kinds = append(row.Kinds, k)
	}
	slices.SortFunc(row.Kinds, func(a, b Kind) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.Rule, b.Rule))
	})
	return row
}

func newRow(j *Job) *Row {
	return &Row{ID: j.ID, Plan: j.Plan, Name: j.Name, Repo: redact(j.Repo), Ref: j.Ref, Commit: j.Commit, Dir: j.Dir, Version: Version()}
}

func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + " ..."
}

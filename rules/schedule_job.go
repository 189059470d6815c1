package rules

import (
	"go/ast"
	"go/types"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// scheduleJob wraps the functions that a scheduler runs.
//
// Matched: functions that are passed to Scheduler.Schedule.
//
// Not matched: other mentions of the type Job, which was a function and is an
// interface; they become findings.
var scheduleJob = &Rule{
	ID:    "schedule-job",
	Title: "wrap scheduled functions with NewJob",
	Before: `package p

import (
	"context"

	"github.com/coreos/etcd/pkg/schedule"
)

func later(s schedule.Scheduler) {
	s.Schedule(func(ctx context.Context) { println("now") })
}
`,
	After: `package p

import (
	"context"

	"go.etcd.io/etcd/pkg/v3/schedule"
)

func later(s schedule.Scheduler) {
	s.Schedule(schedule.NewJob("job", func(ctx context.Context) { println("now") }))
}
`,
	Why:     "Jobs have a name since 3.6, which is logged when a job panics.",
	Since:   "v3.6.0",
	Targets: []atlas.Line{atlas.Line36, atlas.Line37},
	Safety:  Same,
	Refs:    []string{"https://github.com/etcd-io/etcd/blob/v3.6.0/pkg/schedule/schedule.go"},
	Claims:  []string{"pkg/schedule.Job"},
	Run: func(p *Pass) {
		if p.atTarget() {
			return
		}
		for h := range p.Broken() {
			p.reportBroken(h)
		}
		for _, r := range p.Refs("pkg/schedule", "Scheduler.Schedule") {
			call := r.Call()
			if call == nil {
				p.Report(r.File, r.Ident, edit.Manual, "Schedule takes jobs with a name in etcd "+string(p.Target.Line), `call it with schedule.NewJob("job", f)`)
				continue
			}
			if len(call.Args) != 1 || !isFunction(p, call.Args[0]) {
				continue
			}
			c := p.Change(r.Tier, "scheduled functions are jobs with a name")
			c.Insert(r.File, call.Args[0].Pos(), fromPackage("pkg/schedule", "NewJob")(p, c, Hit{Ref: r}, call)+`("job", `)
			c.Insert(r.File, call.Args[0].End(), ")")
		}
	},
}

func isFunction(p *Pass, e ast.Expr) bool {
	if _, ok := e.(*ast.FuncLit); ok {
		return true
	}
	t := p.TypeOf(e)
	if t == nil || IsType(t, "pkg/schedule", "Job") {
		return false
	}
	_, ok := t.Underlying().(*types.Signature)
	return ok
}

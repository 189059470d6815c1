package rules

import (
	"go/ast"
	"go/types"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// eventSwitch reports type switches that tell clientv3.Event from
// mvccpb.Event, which are one type.
var eventSwitch = &Rule{
	ID:    "event-switch",
	Title: "report type switches over clientv3.Event and mvccpb.Event",
	Before: `package p

import (
	"github.com/coreos/etcd/clientv3"
	"github.com/coreos/etcd/mvcc/mvccpb"
)

func kind(ev interface{}) string {
	switch ev.(type) {
	case *clientv3.Event:
		return "client"
	case *mvccpb.Event:
		return "server"
	}
	return ""
}
`,
	After: `package p

import (
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func kind(ev interface{}) string {
	switch ev.(type) {
	case *clientv3.Event:
		return "client"
	case *mvccpb.Event:
		return "server"
	}
	return ""
}
`,
	Why:     "clientv3.Event is another name of mvccpb.Event from 3.7, so that a switch over both has a duplicate case. Which of the two branches should stay depends on the program.",
	Since:   "v3.7.0",
	Targets: []atlas.Line{atlas.Line37},
	Safety:  Report,
	Refs:    []string{"https://github.com/etcd-io/etcd/blob/main/client/v3/watch.go"},
	Claims:  []string{"clientv3.Event"},
	Run: func(p *Pass) {
		if p.Info == nil || len(p.Refs("clientv3", "Event")) == 0 || len(p.Refs("mvcc/mvccpb", "Event")) == 0 {
			return
		}
		for c := range p.Inspector().Root().Preorder((*ast.TypeSwitchStmt)(nil)) {
			seen := map[string]bool{} // shapes of the type, with the event's name left out
			for _, s := range c.Node().(*ast.TypeSwitchStmt).Body.List {
				for _, e := range s.(*ast.CaseClause).List {
					t := p.TypeOf(e)
					if _, old := oldMessage(deref2(t)); !old || !IsType(t, "clientv3", "Event") && !IsType(t, "mvcc/mvccpb", "Event") {
						continue
					}
					shape := "value"
					if _, ok := types.Unalias(t).(*types.Pointer); ok {
						shape = "pointer"
					}
					if seen[shape] {
						p.Report(p.FileOf(e.Pos()), e, edit.Manual, "clientv3.Event and mvccpb.Event are one type in 3.7: this is a duplicate case",
							"join the two cases")
					}
					seen[shape] = true
				}
			}
		}
	},
}

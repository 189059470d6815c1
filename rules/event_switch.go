package rules

import (
	"fmt"
	"go/ast"
	"go/types"
	"strings"

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
			seen := map[string]bool{} // shapes of the types that have an event
			for _, s := range c.Node().(*ast.TypeSwitchStmt).Body.List {
				for _, e := range s.(*ast.CaseClause).List {
					shape := eventShape(p.TypeOf(e))
					if !strings.Contains(shape, anEvent) {
						continue
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

// anEvent stands for either of the two types in a shape.
const anEvent = "<event>"

// eventShape writes a type as it will be when the two events are one.
func eventShape(t types.Type) string {
	if t == nil {
		return ""
	}
	switch u := types.Unalias(t).(type) {
	case *types.Pointer:
		return "*" + eventShape(u.Elem())
	case *types.Slice:
		return "[]" + eventShape(u.Elem())
	case *types.Array:
		return fmt.Sprintf("[%d]%s", u.Len(), eventShape(u.Elem()))
	case *types.Map:
		return "map[" + eventShape(u.Key()) + "]" + eventShape(u.Elem())
	case *types.Chan:
		return fmt.Sprintf("chan %d (%s)", u.Dir(), eventShape(u.Elem()))
	case *types.Named:
		if IsType(u, "clientv3", "Event") || IsType(u, "mvcc/mvccpb", "Event") {
			return anEvent
		}
	}
	return types.TypeString(t, nil)
}

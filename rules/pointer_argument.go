package rules

import (
	"go/ast"
	"go/types"
)

// pointerArgument passes by address what functions with one parameter took by
// value: the client of ordering.NewOrderViolationSwitchEndpointClosure, and the
// message of rafthttp's SendSnapshot.
//
// Matched: *v, which becomes v, and variables, fields and elements of slices,
// which get an & in front.
//
// Not matched: other values, which have no address, and all but *v where types
// are not known.
var pointerArgument = &Rule{
	ID:    "pointer-argument",
	Title: "pass by address what was passed by value",
	Before: `package p

import (
	"github.com/coreos/etcd/clientv3"
	"github.com/coreos/etcd/clientv3/ordering"
)

func kv(cli *clientv3.Client) clientv3.KV {
	return ordering.NewKV(cli.KV, ordering.NewOrderViolationSwitchEndpointClosure(*cli))
}
`,
	After: `package p

import (
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/ordering"
)

func kv(cli *clientv3.Client) clientv3.KV {
	return ordering.NewKV(cli.KV, ordering.NewOrderViolationSwitchEndpointClosure(cli))
}
`,
	Why:    "The closure switches the endpoints of the client that it is given, and used to switch those of a copy. Messages are not copied from 3.7 on.",
	Since:  "v3.4.28",
	Safety: Adjusted,
	Refs: []string{
		"https://github.com/etcd-io/etcd/blob/v3.5.0/client/v3/ordering/util.go",
		"https://github.com/etcd-io/etcd/blob/v3.7.0/server/etcdserver/api/rafthttp/transport.go",
	},
	Claims: []string{
		"clientv3/ordering.NewOrderViolationSwitchEndpointClosure",
		"etcdserver/api/rafthttp.Transport.SendSnapshot", "etcdserver/api/rafthttp.Transporter.SendSnapshot",
		"rafthttp.Transport.SendSnapshot", "rafthttp.Transporter.SendSnapshot",
	},
	Run: func(p *Pass) {
		for h := range p.Broken() {
			call := h.Call()
			if call == nil || len(call.Args) != 1 {
				p.reportBroken(h)
				continue
			}
			arg := ast.Unparen(call.Args[0])
			t := p.TypeOf(arg)
			if _, ok := orInvalid(t).Underlying().(*types.Pointer); ok {
				continue // as a release between had it
			}
			c := p.Change(h.Tier, "%s takes an address", h.Symbol)
			switch star, ok := arg.(*ast.StarExpr); {
			case ok:
				c.Replace(h.File, star.Star, star.Star+1, "")
			case t != nil && addressable(p, arg):
				c.Insert(h.File, arg.Pos(), "&")
			default:
				p.reportBroken(h)
			}
		}
	},
}

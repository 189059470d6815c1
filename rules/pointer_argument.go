package rules

import (
	"go/ast"
	"go/token"
	"go/types"
)

// pointerArgument passes the client by address to
// ordering.NewOrderViolationSwitchEndpointClosure.
//
// Matched: *cli, which becomes cli, and variables, which get an & in front.
//
// Not matched: other values of type Client; copying a client was never right.
var pointerArgument = &Rule{
	ID:    "pointer-argument",
	Title: "pass clients by address to the ordering package",
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
	Why:    "The closure switches the endpoints of the client that it is given, and used to switch those of a copy.",
	Since:  "v3.4.28",
	Safety: Adjusted,
	Refs:   []string{"https://github.com/etcd-io/etcd/blob/v3.5.0/client/v3/ordering/util.go"},
	Claims: []string{"clientv3/ordering.NewOrderViolationSwitchEndpointClosure"},
	Run: func(p *Pass) {
		for h := range p.Broken() {
			call := h.Call()
			if call == nil || len(call.Args) != 1 {
				p.reportBroken(h)
				continue
			}
			arg := call.Args[0]
			if isPointerTo("clientv3", "Client")(orInvalid(p.TypeOf(arg))) {
				continue // as a release between had it
			}
			c := p.Change(h.Tier, "the client is passed by address")
			switch a := arg.(type) {
			case *ast.StarExpr:
				c.Replace(h.File, a.Pos(), a.X.Pos(), "")
			case *ast.Ident:
				if v, ok := objectOf(p, a).(*types.Var); ok && v != nil {
					c.Insert(h.File, a.Pos(), token.AND.String())
					continue
				}
				p.reportBroken(h)
			case *ast.SelectorExpr:
				c.Insert(h.File, a.Pos(), token.AND.String())
			default:
				p.reportBroken(h)
			}
		}
	},
}

func objectOf(p *Pass, id *ast.Ident) types.Object {
	if p.Info == nil {
		return nil
	}
	return p.Info.ObjectOf(id)
}

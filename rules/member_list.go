package rules

import (
	"go/ast"
	"go/types"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// memberList keeps MemberList answering without a quorum.
//
// Matched: calls of MemberList on etcd's client in code from before 3.5. 3.6
// and 3.7 have an option for the old read; for 3.5 the call is reported. The
// method as a value, which is of another type from 3.6 on, is reported.
//
// Not matched: calls through an interface of the repository's own.
var memberList = &Rule{
	ID:    "member-list",
	Title: "read the member list from the local member, as before 3.5",
	Before: `package p

import (
	"context"

	"github.com/coreos/etcd/clientv3"
)

func members(ctx context.Context, cli *clientv3.Client) (int, error) {
	resp, err := cli.MemberList(ctx)
	if err != nil {
		return 0, err
	}
	return len(resp.Members), nil
}
`,
	After: `package p

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"
)

func members(ctx context.Context, cli *clientv3.Client) (int, error) {
	resp, err := cli.MemberList(ctx, clientv3.WithSerializable())
	if err != nil {
		return 0, err
	}
	return len(resp.Members), nil
}
`,
	Why:    "Up to 3.4 the member that was asked answered from what it knew. From 3.5 on the read is linearizable: it fails without a quorum, just when the list is of use. WithSerializable, from 3.6 on, asks for the old read.",
	Since:  "v3.5.0",
	Safety: Same,
	Refs:   []string{"https://github.com/etcd-io/etcd/blob/v3.6.16/client/v3/cluster.go (MemberList)"},
	Run: func(p *Pass) {
		for _, r := range p.Refs("clientv3", "Cluster.MemberList") {
			call := r.Call()
			if call == nil && r.Selector() != nil {
				p.memberListValue(r)
			}
			if call == nil || len(call.Args) != 1 || !p.before35(r.File) || r.File.preRelease35() || linearizable(r.Obj) {
				continue
			}
			if d, ok := enclosingFunction(r.Cursor).(*ast.FuncDecl); ok && d.Recv != nil && d.Name.Name == "MemberList" {
				continue // a wrapper passes on what its callers ask for
			}
			if p.Target.Line == atlas.Line35 {
				p.Report(r.File, call, edit.Review, "MemberList is linearizable since 3.5: it fails without a quorum, and no longer answers from the member that is asked",
					"if it must work without a quorum, move to 3.6, which has clientv3.WithSerializable() for it")
				continue
			}
			c := p.Change(r.Tier, "MemberList is linearizable since 3.5; WithSerializable asks for the local read that it was")
			c.Insert(r.File, call.Args[0].End(), ", "+c.Qualified(r.File, "go.etcd.io/etcd/client/v3", "WithSerializable()"))
		}
	},
}

// memberListValue reports the method where it is not called.
func (p *Pass) memberListValue(r Ref) {
	fn, ok := r.Obj.(*types.Func)
	if !ok || fn.Signature().Variadic() {
		return
	}
	old := p.before35(r.File) && !r.File.preRelease35() && !linearizable(r.Obj)
	switch e, _ := r.Expr(); {
	case p.Target.Line != atlas.Line35 && !typeIsInferred(r):
		option := ""
		if old {
			option = ", clientv3.WithSerializable()"
		}
		p.Report(r.File, e, edit.Manual, "MemberList takes options since 3.6, so that as a value it is of another type",
			"write func(ctx context.Context) (*clientv3.MemberListResponse, error) { return "+r.File.Text(e)+"(ctx"+option+") }")
	case old:
		p.Report(r.File, e, edit.Review, "MemberList is linearizable since 3.5: it fails without a quorum, and no longer answers from the member that is asked",
			"if it must work without a quorum, give it clientv3.WithSerializable(), which 3.6 has, where it is called")
	}
}

// linearizable says whether the client that a method is of can ask for a
// linearizable list, and so does. Commits between 3.4 and 3.5 do, whatever
// release they count as.
func linearizable(method types.Object) bool {
	if method == nil {
		return false
	}
	for _, pkg := range method.Pkg().Imports() {
		if canonical(pkg.Path()) != "etcdserver/etcdserverpb" {
			continue
		}
		if req := pkg.Scope().Lookup("MemberListRequest"); req != nil {
			o, _, _ := types.LookupFieldOrMethod(req.Type(), true, pkg, "Linearizable")
			return o != nil
		}
	}
	return false
}

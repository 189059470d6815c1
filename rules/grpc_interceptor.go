package rules

import (
	"go/ast"
	"go/types"
	"slices"

	"golang.org/x/tools/go/ast/inspector"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// grpcInterceptor chains interceptors in the dial options of an etcd client.
//
// Matched: grpc.WithUnaryInterceptor and WithStreamInterceptor that end in
// Config.DialOptions.
//
// Not matched: other gRPC connections; options where two interceptors of a kind
// meet, of which only the last one ran; one behind chained ones, which ran before
// them; one that is nil. The last three are reported.
var grpcInterceptor = &Rule{
	ID:    "grpc-interceptor",
	Title: "chain interceptors in etcd dial options, so that the client keeps its own",
	Before: `package p

import (
	"github.com/coreos/etcd/clientv3"
	"google.golang.org/grpc"
)

func connect(endpoints []string, metrics grpc.UnaryClientInterceptor) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints:   endpoints,
		DialOptions: []grpc.DialOption{grpc.WithUnaryInterceptor(metrics)},
	})
}
`,
	After: `package p

import (
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
)

func connect(endpoints []string, metrics grpc.UnaryClientInterceptor) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints:   endpoints,
		DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(metrics)},
	})
}
`,
	Why: "Since v3.3.14 the client retries and refreshes its token in an interceptor. An option of the Config with WithUnaryInterceptor or WithStreamInterceptor replaces it, " +
		"and calls are neither retried nor authenticated again. Chained interceptors run inside the client's, once for each attempt.",
	Since:  "v3.3.14",
	Safety: Adjusted,
	Refs: []string{
		"https://github.com/etcd-io/etcd/blob/v3.6.16/client/v3/client.go (dial: opts = append(opts, c.cfg.DialOptions...))",
		"https://github.com/etcd-io/etcd/blob/v3.6.16/client/v3/retry_interceptor.go",
	},
	Run: func(p *Pass) {
		p.chainInterceptors("WithUnaryInterceptor", "WithChainUnaryInterceptor")
		p.chainInterceptors("WithStreamInterceptor", "WithChainStreamInterceptor")
	},
}

func (p *Pass) chainInterceptors(old, now string) {
	type found struct {
		r  Ref
		c  inspector.Cursor // at the call
		at ast.Node
	}
	var all []found
	count := map[ast.Node]int{}
	for _, r := range p.Refs(grpcPath, old) {
		if r.Call() == nil {
			continue
		}
		_, ec := r.Expr()
		if at, ok := p.etcdOption(parent(ec)); ok {
			all = append(all, found{r, parent(ec), at.Node()})
			count[at.Node()]++
		}
	}
	chained := map[ast.Node][]inspector.Cursor{}
	for _, r := range p.Refs(grpcPath, now) {
		if r.Call() == nil {
			continue
		}
		_, ec := r.Expr()
		if at, ok := p.etcdOption(parent(ec)); ok {
			chained[at.Node()] = append(chained[at.Node()], parent(ec))
		}
	}
	for _, x := range all {
		if slices.ContainsFunc(chained[x.at], func(c inspector.Cursor) bool { return !isBehind(c, x.c) }) {
			p.Report(x.r.File, x.r.Call(), edit.Review, old+" replaces the interceptor in which the etcd client retries, and runs before those of "+now,
				"write grpc."+now+" in its place, and move it in front of the others")
			continue
		}
		if args := x.r.Call().Args; len(args) == 1 && p.mayBeNil(args[0]) {
			p.Report(x.r.File, x.r.Call(), edit.Review, "this interceptor, which may be nil, replaces the one in which the etcd client retries",
				"leave the option out where there is no interceptor; else write grpc."+now+", which panics for nil")
			continue
		}
		if count[x.at] > 1 {
			p.Report(x.r.File, x.r.Call(), edit.Review, "of several "+old+" options only the last one counts, and it replaces the interceptor in which the etcd client retries",
				"pass the one that is meant to run to grpc."+now)
			continue
		}
		c := p.Change(x.r.Tier, "grpc.%s in etcd dial options replaces the client's own interceptor; %s does not", old, now)
		c.ReplaceNode(x.r.File, x.r.Ident, now)
	}
}

// isBehind says whether an option follows another in the same list, or further
// down in the same function.
func isBehind(c, other inspector.Cursor) bool {
	return c.Node().Pos() > other.Node().Pos() && enclosingFunction(c) == enclosingFunction(other)
}

// mayBeNil says whether an expression is nil, or a variable of the function that
// starts as nil and is set under a condition, or never.
func (p *Pass) mayBeNil(e ast.Expr) bool {
	if isNil(e) {
		return true
	}
	v, ok := p.object(e).(*types.Var)
	if !ok || v.IsField() || p.Info == nil {
		return false
	}
	zero := false
	for _, u := range p.uses(v) {
		switch n := u.Parent().Node().(type) {
		case *ast.ValueSpec:
			zero = zero || p.Info.Defs[u.Node().(*ast.Ident)] != nil && len(n.Values) == 0
		case *ast.AssignStmt:
			if as, _ := assignment(u); as != nil && as.End() < e.Pos() && p.Pkg.Scope().Innermost(as.Pos()) == v.Parent() {
				return false
			}
		}
	}
	return zero
}

package rules

import (
	"go/ast"
	"go/token"
	"go/types"
)

const grpcPath = "google.golang.org/grpc"

// grpcConnTimeout replaces grpc.ErrClientConnTimeout, which nothing returns
// any more, by the error that a dial which runs out of time gives.
//
// Matched: comparisons of errors, which become errors.Is, cases of a switch on
// the error, and every other use: what a fake returns must go on matching.
var grpcConnTimeout = &Rule{
	ID:    "grpc-conn-timeout",
	Title: "compare with context.DeadlineExceeded instead of grpc.ErrClientConnTimeout",
	Before: `package p

import (
	"log"

	"github.com/coreos/etcd/clientv3"
	"google.golang.org/grpc"
)

func connect(endpoints []string) *clientv3.Client {
	cli, err := clientv3.New(clientv3.Config{Endpoints: endpoints})
	if err == grpc.ErrClientConnTimeout {
		log.Fatal("etcd did not answer in time")
	}
	return cli
}
`,
	After: `package p

import (
	"context"
	"errors"
	"log"

	clientv3 "go.etcd.io/etcd/client/v3"
)

func connect(endpoints []string) *clientv3.Client {
	cli, err := clientv3.New(clientv3.Config{Endpoints: endpoints})
	if errors.Is(err, context.DeadlineExceeded) {
		log.Fatal("etcd did not answer in time")
	}
	return cli
}
`,
	Why: "clientv3.New returned grpc.ErrClientConnTimeout up to v3.2.9; since then a dial that runs out of time ends in context.DeadlineExceeded. " +
		"The variable is still declared by gRPC, so the comparison compiles and is never true. Whether New waits at all is the business of the rule dial-block.",
	Since:  "v3.2.10",
	Safety: Adjusted,
	Refs:   []string{"clientv3/client.go of v3.2.9, newClient: err := grpc.ErrClientConnTimeout", "https://pkg.go.dev/google.golang.org/grpc#ErrClientConnTimeout"},
	Run:    runGRPCConnTimeout,
}

func runGRPCConnTimeout(p *Pass) {
	for _, r := range p.Refs(grpcPath, "ErrClientConnTimeout") {
		f := r.File
		e, ec := r.Expr()
		c := p.Change(r.Tier, "nothing returns grpc.ErrClientConnTimeout; a dial that runs out of time ends in context.DeadlineExceeded")
		deadline := func() string { return c.Qualified(f, "context", "DeadlineExceeded") }
		switch n := parent(ec).Node().(type) {
		case *ast.BinaryExpr:
			other := n.X
			if ast.Unparen(n.X) == e {
				other = n.Y
			}
			if n.Op != token.EQL && n.Op != token.NEQ || !p.asError(other) {
				break
			}
			is := c.Qualified(f, "errors", "Is") + "("
			if n.Op == token.NEQ {
				is = "!" + is
			}
			if ast.Unparen(n.Y) == e {
				c.Insert(f, n.Pos(), is)
				c.Replace(f, n.X.End(), n.End(), ", "+deadline()+")")
			} else {
				c.Replace(f, n.Pos(), n.Y.Pos(), is)
				c.Insert(f, n.End(), ", "+deadline()+")")
			}
			continue
		case *ast.CaseClause:
			for i, other := range n.List {
				if s, ok := other.(*ast.SelectorExpr); ok && other != e && s.Sel.Name == "DeadlineExceeded" {
					c.remove(f, n.List, indexOf(n.List, e))
					break
				} else if i == len(n.List)-1 {
					c.ReplaceNode(f, e, deadline())
				}
			}
			continue
		}
		c.ReplaceNode(f, e, deadline())
	}
}

// asError says whether an expression can be passed as an error, as far as there
// are types: what recover returns cannot.
func (p *Pass) asError(e ast.Expr) bool {
	t := p.TypeOf(e)
	return t == nil || types.Implements(t, errorType)
}

func indexOf(list []ast.Expr, e ast.Expr) int {
	for i, x := range list {
		if ast.Unparen(x) == e {
			return i
		}
	}
	return -1
}

package rules

import (
	"go/ast"
	"go/types"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

const grpcStatus = grpcPath + "/status"

// grpcStatusWrapped reports errors that are wrapped and then asked for their
// gRPC code.
//
// Matched: status.Code, status.FromError and status.Convert of a variable that
// the same function sets to what fmt.Errorf makes with %w, or to the result of
// a function of the package that returns such an error.
//
// Not matched: errors that come from elsewhere; whether they are wrapped is
// not to be seen, and most are not. Code for etcd 3.5 and newer may have been
// written for the gRPC of today.
var grpcStatusWrapped = &Rule{
	ID:    "grpc-status-wrapped",
	Title: "report wrapped errors whose gRPC code was Unknown and is that of the wrapped error now",
	Before: `package p

import (
	"context"
	"fmt"

	"github.com/coreos/etcd/clientv3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func put(ctx context.Context, cli *clientv3.Client) error {
	if _, err := cli.Put(ctx, "k", "v"); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	return nil
}

func retry(ctx context.Context, cli *clientv3.Client) bool {
	err := put(ctx, cli)
	return status.Code(err) == codes.Unavailable
}
`,
	After: `package p

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func put(ctx context.Context, cli *clientv3.Client) error {
	if _, err := cli.Put(ctx, "k", "v"); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	return nil
}

func retry(ctx context.Context, cli *clientv3.Client) bool {
	err := put(ctx, cli)
	return status.Code(err) == codes.Unavailable
}
`,
	Why:    "Package status looks through wrapped errors since gRPC 1.55. Before, a wrapped error had the code Unknown, and FromError said that it was none of gRPC's. Old etcd needs a gRPC older than that.",
	Since:  "v3.5.10",
	Safety: Report,
	Refs:   []string{"https://github.com/grpc/grpc-go/releases/tag/v1.55.0"},
	Run:    runGRPCStatusWrapped,
}

func runGRPCStatusWrapped(p *Pass) {
	if p.Info == nil || len(p.RefsTo(grpcStatus)) == 0 || !p.FromBefore("v3.5.0") || !p.grpcReaches("v1.55.0") {
		return
	}
	var wrappers map[types.Object]bool
	for _, name := range []string{"Code", "FromError", "Convert"} {
		for _, r := range p.Refs(grpcStatus, name) {
			call := r.Call()
			if call == nil || len(call.Args) != 1 {
				continue
			}
			if wrappers == nil {
				wrappers = p.wrappers()
			}
			if p.isWrapped(r, call.Args[0], wrappers) {
				p.Report(r.File, call, edit.Review, "status."+name+" sees through this wrapped error since gRPC 1.55: the code is that of the wrapped error, and was Unknown",
					"see that what is done for the code is meant for the wrapped error, too; for what was done for codes.Unknown, test errors.As or the error before it is wrapped")
			}
		}
	}
}

// isWrapped says whether an expression is an error that the code around it
// wrapped.
func (p *Pass) isWrapped(r Ref, e ast.Expr, wrappers map[types.Object]bool) bool {
	if call, ok := ast.Unparen(e).(*ast.CallExpr); ok {
		return p.wraps(call, wrappers)
	}
	obj := p.object(e)
	_, _, body, _ := enclosingBody(r.Cursor)
	if obj == nil || body == nil {
		return false
	}
	// The last assignment before the call decides.
	wrapped := false
	ast.Inspect(body, func(n ast.Node) bool {
		if as, ok := n.(*ast.AssignStmt); ok && as.End() <= e.Pos() {
			for i, l := range as.Lhs {
				if p.object(l) != obj {
					continue
				}
				rhs := as.Rhs[min(i, len(as.Rhs)-1)]
				call, ok := ast.Unparen(rhs).(*ast.CallExpr)
				wrapped = ok && p.wraps(call, wrappers)
			}
		}
		return true
	})
	return wrapped
}

// wraps says whether a call makes a wrapped error.
func (p *Pass) wraps(call *ast.CallExpr, wrappers map[types.Object]bool) bool {
	var id *ast.Ident
	switch fun := ast.Unparen(call.Fun).(type) {
	case *ast.Ident:
		id = fun
	case *ast.SelectorExpr:
		id = fun.Sel
	default:
		return false
	}
	fn, _ := p.Info.Uses[id].(*types.Func)
	if fn == nil {
		return false
	}
	if fn.FullName() == "fmt.Errorf" && len(call.Args) > 1 {
		s, ok := p.constString(call.Args[0])
		return ok && strings.Contains(s, "%w")
	}
	return wrappers[fn]
}

// wrappers are the functions of the package that return an error made by
// fmt.Errorf with %w, in a return statement.
func (p *Pass) wrappers() map[types.Object]bool {
	out := map[types.Object]bool{}
	for c := range p.Inspector().Root().Preorder((*ast.FuncDecl)(nil)) {
		d := c.Node().(*ast.FuncDecl)
		if d.Body == nil {
			continue
		}
		for _, ret := range returns(d.Body) {
			for _, e := range ret.Results {
				if call, ok := ast.Unparen(e).(*ast.CallExpr); ok && p.wraps(call, nil) {
					out[p.Info.Defs[d.Name]] = true
				}
			}
		}
	}
	return out
}

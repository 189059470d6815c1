package rules

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// grpcManualResolver carries uses of the manual resolver, which tests use, to
// its API of today.
//
// Matched: r, cleanup := manual.GenerateAndRegisterManualResolver() as a
// statement; reads of the field CC; calls of NewAddress and InitialAddrs.
//
// Not matched: any other form of the first, and assignments to CC.
var grpcManualResolver = &Rule{
	ID:    "grpc-manual-resolver",
	Title: "make manual resolvers with a scheme",
	Before: `package p

import (
	"testing"

	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
)

func TestPick(t *testing.T) {
	r, cleanup := manual.GenerateAndRegisterManualResolver()
	defer cleanup()
	r.InitialState(resolver.State{})
	t.Cleanup(func() { r.CC.ReportError(nil) })
	t.Log(r.Scheme())
}
`,
	After: `package p

import (
	"strconv"
	"testing"
	"time"

	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
)

func TestPick(t *testing.T) {
	r, cleanup := manual.NewBuilderWithScheme(strconv.FormatInt(time.Now().UnixNano(), 36)), func() {}
	resolver.Register(r)
	defer cleanup()
	r.InitialState(resolver.State{})
	t.Cleanup(func() { r.CC().ReportError(nil) })
	t.Log(r.Scheme())
}
`,
	Why:    "GenerateAndRegisterManualResolver is gone since gRPC 1.34 and CC is a method since 1.72. The resolver stays registered under its own scheme after the test, which no other target uses.",
	Since:  "v3.5.0",
	Safety: Same,
	Refs: []string{
		"https://github.com/grpc/grpc-go/releases/tag/v1.34.0",
		"https://github.com/grpc/grpc-go/releases/tag/v1.72.0",
	},
	Claims: []string{
		"google.golang.org/grpc/resolver/manual.GenerateAndRegisterManualResolver",
		"google.golang.org/grpc/resolver/manual.Resolver.CC",
		"google.golang.org/grpc/resolver/manual.Resolver.NewAddress",
		"google.golang.org/grpc/resolver/manual.Resolver.InitialAddrs",
	},
	Run: runGRPCManualResolver,
}

func runGRPCManualResolver(p *Pass) {
	if len(p.RefsTo(grpcManual)) == 0 {
		return
	}
	if p.grpcReaches("v1.34.0") {
		for _, r := range p.Refs(grpcManual, "GenerateAndRegisterManualResolver") {
			p.generateResolver(r)
		}
		for _, m := range []struct{ old, new string }{{"NewAddress", "UpdateState"}, {"InitialAddrs", "InitialState"}} {
			for _, r := range p.Refs(grpcManual, "Resolver."+m.old) {
				call := r.Call()
				if call == nil || len(call.Args) == 0 || m.old == "InitialAddrs" && call.Ellipsis == token.NoPos || m.old == "NewAddress" && len(call.Args) != 1 {
					p.Report(r.File, r.Ident, edit.Manual, m.old+" of the manual resolver is gone since gRPC 1.20", "call "+m.new+"(resolver.State{Addresses: addrs})")
					continue
				}
				c := p.Change(r.Tier, "%s of the manual resolver is %s since gRPC 1.20", m.old, m.new)
				c.ReplaceNode(r.File, r.Ident, m.new)
				c.Insert(r.File, call.Args[0].Pos(), c.Qualified(r.File, grpcResolver, "State")+"{Addresses: ")
				c.Replace(r.File, call.Args[0].End(), call.Rparen, "}")
			}
		}
	}
	if !p.grpcReaches("v1.72.0") {
		return
	}
	for _, r := range p.Refs(grpcManual, "Resolver.CC") {
		if _, ok := r.Obj.(*types.Var); !ok || r.Selector() == nil {
			continue
		}
		_, at := r.Expr()
		if as, ok := at.Parent().Node().(*ast.AssignStmt); ok && slices.Contains(as.Lhs, ast.Expr(r.Selector())) {
			p.Report(r.File, r.Selector(), edit.Manual, "CC of the manual resolver is a method since gRPC 1.72, and is assigned to here", "call Build(target, cc, resolver.BuildOptions{}) of the resolver to set it")
			continue
		}
		c := p.Change(r.Tier, "CC of the manual resolver is a method since gRPC 1.72")
		c.Insert(r.File, r.Ident.End(), "()")
	}
}

func (p *Pass) generateResolver(r Ref) {
	call := r.Call()
	as, ok := parentStmt(r).(*ast.AssignStmt)
	if call == nil || !ok || len(as.Rhs) != 1 || as.Rhs[0] != call || len(as.Lhs) != 2 || isBlank(as.Lhs[0]) {
		p.Report(r.File, r.Ident, edit.Manual, "manual.GenerateAndRegisterManualResolver is gone since gRPC 1.34",
			`make the resolver with r := manual.NewBuilderWithScheme("test") and dial with grpc.WithResolvers(r); nothing has to be cleaned up then`)
		return
	}
	c := p.Change(r.Tier, "manual resolvers are made with a scheme since gRPC 1.34")
	c.Replace(r.File, r.Ident.Pos(), call.End(),
		"NewBuilderWithScheme("+c.Qualified(r.File, "strconv", "FormatInt")+"("+c.Qualified(r.File, "time", "Now")+"().UnixNano(), 36)), func() {}")
	c.Insert(r.File, r.File.lineEnd(as.End()), r.File.NL()+r.File.Indent(as.Pos())+c.Qualified(r.File, grpcResolver, "Register")+"("+r.File.Text(as.Lhs[0])+")")
}

func isBlank(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == "_"
}

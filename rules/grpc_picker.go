package rules

import (
	"go/ast"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// grpcPicker carries custom load balancing to the API of gRPC 1.30.
//
// Matched: Pick methods and literals that take a context and a PickInfo and
// give three results; Build methods of a base.PickerBuilder that take a map of
// addresses; calls of base.NewBalancerBuilder with two arguments; calls of
// UpdateBalancerState.
//
// Not matched: a Pick whose results are named and set without a return that
// lists them, and calls of another picker's Pick whose results are taken
// apart; they become findings.
var grpcPicker = &Rule{
	ID:    "grpc-picker",
	Title: "write pickers and their builders for the balancer API of gRPC 1.30",
	Before: `package p

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/base"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/resolver"
)

func init() {
	balancer.Register(base.NewBalancerBuilder("turn", &builder{}))
}

type builder struct{}

func (*builder) Build(readySCs map[resolver.Address]balancer.SubConn) balancer.Picker {
	if len(readySCs) == 0 {
		return base.NewErrPicker(balancer.ErrNoSubConnAvailable)
	}
	p := &picker{}
	for _, sc := range readySCs {
		p.conns = append(p.conns, sc)
	}
	return p
}

type picker struct {
	conns []balancer.SubConn
	next  uint32
}

func (p *picker) Pick(ctx context.Context, opts balancer.PickInfo) (balancer.SubConn, func(balancer.DoneInfo), error) {
	if md, ok := metadata.FromOutgoingContext(ctx); ok && len(md["fail"]) > 0 {
		return nil, nil, balancer.ErrTransientFailure
	}
	n := atomic.AddUint32(&p.next, 1)
	return p.conns[int(n)%len(p.conns)], nil, nil
}
`,
	After: `package p

import (
	"sync/atomic"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/base"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/resolver"
)

func init() {
	balancer.Register(base.NewBalancerBuilder("turn", &builder{}, base.Config{}))
}

type builder struct{}

func (*builder) Build(info base.PickerBuildInfo) balancer.Picker {
	readySCs := make(map[resolver.Address]balancer.SubConn, len(info.ReadySCs))
	for sc, scInfo := range info.ReadySCs {
		readySCs[scInfo.Address] = sc
	}
	if len(readySCs) == 0 {
		return base.NewErrPicker(balancer.ErrNoSubConnAvailable)
	}
	p := &picker{}
	for _, sc := range readySCs {
		p.conns = append(p.conns, sc)
	}
	return p
}

type picker struct {
	conns []balancer.SubConn
	next  uint32
}

func (p *picker) Pick(opts balancer.PickInfo) (balancer.PickResult, error) {
	ctx := opts.Ctx
	if md, ok := metadata.FromOutgoingContext(ctx); ok && len(md["fail"]) > 0 {
		return balancer.PickResult{}, balancer.ErrTransientFailure
	}
	n := atomic.AddUint32(&p.next, 1)
	return balancer.PickResult{SubConn: p.conns[int(n)%len(p.conns)]}, nil
}
`,
	Why:    "gRPC 1.30 replaced the first balancer API by the second: Pick takes one value and gives one, a builder gets the connections as keys, and base.NewBalancerBuilder takes the Config that NewBalancerBuilderWithConfig took. What is picked stays the same.",
	Since:  "v3.4.0",
	Safety: Same,
	Refs:   []string{"https://github.com/grpc/grpc-go/releases/tag/v1.30.0"},
	Claims: []string{"google.golang.org/grpc/balancer.ClientConn.UpdateBalancerState"},
	Run:    runGRPCPicker,
}

func runGRPCPicker(p *Pass) {
	if !p.grpcReaches("v1.30.0") {
		return
	}
	rewritten := map[*ast.BlockStmt]string{} // bodies of Pick, with the name of their context
	for _, name := range []string{"PickInfo", "PickOptions"} {
		for _, r := range p.Refs(grpcBalancer, name) {
			p.pick(r, rewritten)
		}
	}
	for _, r := range p.Refs(grpcBalancer, "Picker.Pick") {
		p.pickCall(r, rewritten)
	}
	for _, r := range p.Refs(grpcBalancer, "SubConn") {
		p.pickerBuilder(r)
	}
	for _, r := range p.Refs(grpcBalancerBase, "NewBalancerBuilder") {
		call := r.Call()
		switch {
		case call == nil && r.Obj != nil && r.Tier == edit.Typed && !threeArgs(r):
			p.Report(r.File, r.Ident, edit.Manual, "base.NewBalancerBuilder takes a base.Config as its third argument since gRPC 1.30", "pass a function that calls it with base.Config{}")
		case call != nil && len(call.Args) == 2:
			c := p.Change(r.Tier, "base.NewBalancerBuilder takes a base.Config since gRPC 1.30")
			c.Insert(r.File, call.Args[1].End(), ", "+r.qualifier()+"Config{}")
		}
	}
	for _, r := range p.Refs(grpcBalancer, "ClientConn.UpdateBalancerState") {
		call := r.Call()
		if call == nil || len(call.Args) != 2 {
			continue // the method itself, in a fake: grpc-balancer has it
		}
		c := p.Change(r.Tier, "UpdateBalancerState is UpdateState since gRPC 1.30")
		c.ReplaceNode(r.File, r.Ident, "UpdateState")
		c.Insert(r.File, call.Args[0].Pos(), c.Qualified(r.File, grpcBalancer, "State")+"{ConnectivityState: ")
		c.Insert(r.File, call.Args[1].Pos(), "Picker: ")
		c.Insert(r.File, call.Args[1].End(), "}")
	}
}

func threeArgs(r Ref) bool {
	sig := signatureOf(r.Obj)
	return sig == nil || sig.Params().Len() == 3
}

// pick rewrites a function of the form of Pick whose second parameter is r.
func (p *Pass) pick(r Ref, rewritten map[*ast.BlockStmt]string) {
	typ, _, body, _ := enclosingFunc(r.Cursor)
	if typ == nil {
		return
	}
	in, out := params(typ.Params), params(typ.Results)
	e, _ := r.Expr()
	if len(in) != 2 || in[1].Type != e || in[0] == in[1] || len(out) != 3 || out[0] == out[1] || out[1] == out[2] {
		return
	}
	if _, ok := out[1].Type.(*ast.FuncType); !ok {
		return
	}
	conn, ok := out[0].Type.(*ast.SelectorExpr)
	if !ok || conn.Sel.Name != "SubConn" {
		return
	}
	q := r.qualifier()
	f := r.File
	if body != nil {
		for _, o := range out[:2] {
			if n := named(o); n != "" && mentions(body, n) {
				p.Report(f, typ, edit.Manual, "Pick gives one result and an error since gRPC 1.30; here the old three are named and set apart",
					"change the signature to Pick(info balancer.PickInfo) (balancer.PickResult, error), take the context from info.Ctx, and return balancer.PickResult{SubConn: conn, Done: done}")
				return
			}
		}
		for _, ret := range returns(body) {
			if len(ret.Results) == 1 && p.passesOn(ret.Results[0], named(in[0])) {
				continue
			}
			if len(ret.Results) != 3 {
				p.Report(f, ret, edit.Manual, "Pick gives one result and an error since gRPC 1.30",
					"change the signature to Pick(info balancer.PickInfo) (balancer.PickResult, error), take the context from info.Ctx, and return balancer.PickResult{SubConn: conn, Done: done}")
				return
			}
		}
	}
	c := p.Change(r.Tier, "Pick takes a PickInfo and gives a PickResult since gRPC 1.30")
	ctx := named(in[0])
	c.Replace(f, in[0].Pos(), in[1].Pos(), "")
	if body != nil && ctx != "" {
		info := named(in[1])
		used := false
		for _, s := range body.List {
			used = used || p.usesContext(s, in[0].Names[0])
		}
		if used {
			if info == "" {
				info = free(body, "info", "pickInfo", "pick")
				if len(in[1].Names) == 1 {
					c.ReplaceNode(f, in[1].Names[0], info)
				} else {
					c.Insert(f, in[1].Type.Pos(), info+" ")
				}
			}
			c.prepend(f, body, ctx+" := "+info+".Ctx")
		}
		rewritten[body] = ctx
	} else if body != nil {
		rewritten[body] = ""
	}
	// Of named results only the error may be in use; the others go, or all.
	keep := len(out[2].Names) == 1 && body != nil && mentions(body, out[2].Names[0].Name)
	switch {
	case keep:
		c.ReplaceNode(f, out[0].Names[0], "_")
	case len(out[0].Names) == 1:
		c.Replace(f, out[0].Names[0].Pos(), out[0].Type.Pos(), "")
	}
	c.ReplaceNode(f, conn.Sel, "PickResult")
	if keep {
		c.Replace(f, out[0].End(), out[2].Pos(), ", ")
	} else {
		c.Replace(f, out[0].End(), out[2].Type.Pos(), ", ")
	}
	if body == nil {
		return
	}
	for _, ret := range returns(body) {
		if len(ret.Results) != 3 {
			continue
		}
		sc, done, err := ret.Results[0], ret.Results[1], ret.Results[2]
		switch {
		case isNil(sc) && isNil(done):
			c.Replace(f, sc.Pos(), err.Pos(), q+"PickResult{}, ")
		case isNil(done):
			c.Insert(f, sc.Pos(), q+"PickResult{SubConn: ")
			c.Replace(f, sc.End(), err.Pos(), "}, ")
		case isNil(sc):
			c.Replace(f, sc.Pos(), done.Pos(), q+"PickResult{Done: ")
			c.Replace(f, done.End(), err.Pos(), "}, ")
		default:
			c.Insert(f, sc.Pos(), q+"PickResult{SubConn: ")
			c.Insert(f, done.Pos(), "Done: ")
			c.Replace(f, done.End(), err.Pos(), "}, ")
		}
	}
}

// passesOn says whether an expression calls the Pick of another picker with
// the context of the function that it stands in.
func (p *Pass) passesOn(e ast.Expr, ctx string) bool {
	call, ok := ast.Unparen(e).(*ast.CallExpr)
	if !ok || len(call.Args) != 2 || ctx == "" {
		return false
	}
	id, ok := call.Args[0].(*ast.Ident)
	return ok && id.Name == ctx && p.isCallTo(grpcBalancer, "Picker.Pick", call)
}

// usesContext says whether a statement needs the context of a Pick for more
// than to pass it on to another picker.
func (p *Pass) usesContext(s ast.Stmt, ctx *ast.Ident) bool {
	if ret, ok := s.(*ast.ReturnStmt); ok && len(ret.Results) == 1 && p.passesOn(ret.Results[0], ctx.Name) {
		return p.usesDeclared(ret.Results[0].(*ast.CallExpr).Args[1], ctx)
	}
	return p.usesDeclared(s, ctx)
}

// usesDeclared says whether a node uses what an identifier declares; by name alone
// where there are no types.
func (p *Pass) usesDeclared(n ast.Node, decl *ast.Ident) bool {
	if p.Info == nil || p.Info.Defs[decl] == nil {
		return mentions(n, decl.Name)
	}
	found := false
	ast.Inspect(n, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		found = found || ok && p.Info.Uses[id] == p.Info.Defs[decl]
		return !found
	})
	return found
}

// pickCall rewrites a picker that returns what another one picks; any other
// call has to take the result apart in another way.
func (p *Pass) pickCall(r Ref, rewritten map[*ast.BlockStmt]string) {
	call := r.Call()
	if call == nil || len(call.Args) != 2 {
		return
	}
	if _, _, body, _ := enclosingBody(r.Cursor); body != nil {
		if ctx, ok := rewritten[body]; ok && p.passesOn(call, ctx) {
			if _, ok := parentStmt(r).(*ast.ReturnStmt); ok {
				c := p.Change(r.Tier, "Pick takes the context in its PickInfo since gRPC 1.30")
				c.Replace(r.File, call.Args[0].Pos(), call.Args[1].Pos(), "")
				return
			}
		}
	}
	p.Report(r.File, call, edit.Manual, "Pick takes a PickInfo and gives a PickResult since gRPC 1.30",
		"set info.Ctx = ctx, call res, err := "+r.File.Text(call.Fun)+"(info), and use res.SubConn and res.Done")
}

// parentStmt returns the statement that holds a mention directly.
func parentStmt(r Ref) ast.Stmt {
	for c := r.Cursor; c.Node() != nil; c = c.Parent() {
		if s, ok := c.Node().(ast.Stmt); ok {
			return s
		}
	}
	return nil
}

// pickerBuilder rewrites a Build method whose parameter is a map to r.
func (p *Pass) pickerBuilder(r Ref) {
	e, at := r.Expr()
	m, ok := at.Parent().Node().(*ast.MapType)
	if !ok || m.Value != e {
		return
	}
	typ, decl, body, _ := enclosingFunc(r.Cursor)
	if typ == nil || decl == nil || decl.Recv == nil || decl.Name.Name != "Build" || body == nil {
		return
	}
	in, out := params(typ.Params), params(typ.Results)
	if len(in) != 1 || in[0].Type != m || len(out) != 1 {
		return
	}
	f := r.File
	c := p.Change(r.Tier, "a picker is built from a PickerBuildInfo since gRPC 1.30")
	base := c.Import(f, grpcBalancerBase)
	name := named(in[0])
	if name == "" || !mentions(body, name) {
		c.ReplaceNode(f, m, base+".PickerBuildInfo")
		return
	}
	info := free(body, "info", "buildInfo")
	sc, scInfo := "sc", "scInfo"
	if name == sc || name == scInfo {
		sc, scInfo = "conn", "connInfo"
	}
	c.ReplaceNode(f, in[0].Names[0], info)
	c.ReplaceNode(f, m, base+".PickerBuildInfo")
	c.prepend(f, body,
		name+" := make("+f.Text(m)+", len("+info+".ReadySCs))",
		"for "+sc+", "+scInfo+" := range "+info+".ReadySCs {",
		"\t"+name+"["+scInfo+".Address] = "+sc,
		"}")
}

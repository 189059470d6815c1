package rules

import (
	"go/ast"
	"go/token"
	"go/types"
	"strconv"
	"strings"

	"golang.org/x/tools/go/ast/inspector"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

const (
	namingPath     = "google.golang.org/grpc/naming"
	endpointsPath  = "go.etcd.io/etcd/client/v3/naming/endpoints"
	resolverPath   = "go.etcd.io/etcd/client/v3/naming/resolver"
	roundRobinJSON = "`{\"loadBalancingConfig\":[{\"round_robin\":{}}]}`"
)

const balancerAdvice = "`rb, err := resolver.NewBuilder(cli)` (package " + resolverPath + "), then `grpc.Dial(\"etcd:///\"+target, grpc.WithResolvers(rb), grpc.WithDefaultServiceConfig(" + roundRobinJSON + "), …)`"

// namingResolver moves discovery from GRPCResolver to endpoint managers and
// resolver builders.
//
// A GRPCResolver is nothing but the client that it holds. So where one is
// made, passed and kept, the client takes its place; Update becomes a call of
// an endpoint manager, and grpc.RoundRobin a resolver builder with the
// round_robin policy. The keys stay, service/endpoint, and so does the JSON
// behind them, so that old and new programs find each other; options such as
// a lease go along.
//
// Matched: Update with a naming.Update literal whose Op is a constant;
// RoundRobin whose balancer goes into WithBalancer, there or by way of a
// variable of the function, in the options of a Dial, an append or a slice.
// Where a package has nothing else of grpc/naming, its updates become those of
// endpoints wherever they are, and Resolve a function of its own that returns
// a watcher with the methods of old.
//
// Not matched: options that leave the function, and watchers and updates built
// elsewhere in a package with resolvers of its own, or that writes updates as
// JSON; these become findings with the code to write.
var namingResolver = &Rule{
	ID:    "naming-resolver",
	Title: "replace GRPCResolver by endpoint managers and resolver builders",
	Before: `package p

import (
	"context"

	"github.com/coreos/etcd/clientv3"
	etcdnaming "github.com/coreos/etcd/clientv3/naming"
	"google.golang.org/grpc"
	"google.golang.org/grpc/naming"
)

func register(ctx context.Context, cli *clientv3.Client, addr string, lease clientv3.LeaseID) error {
	r := &etcdnaming.GRPCResolver{Client: cli}
	return r.Update(ctx, "my-service", naming.Update{Op: naming.Add, Addr: addr}, clientv3.WithLease(lease))
}

func dial(cli *clientv3.Client) (*grpc.ClientConn, error) {
	r := &etcdnaming.GRPCResolver{Client: cli}
	b := grpc.RoundRobin(r)
	return grpc.Dial("my-service", grpc.WithBalancer(b), grpc.WithBlock())
}
`,
	After: `package p

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/naming/endpoints"
	"go.etcd.io/etcd/client/v3/naming/resolver"
	"google.golang.org/grpc"
)

func register(ctx context.Context, cli *clientv3.Client, addr string, lease clientv3.LeaseID) error {
	em, err := endpoints.NewManager(cli, "my-service")
	if err != nil {
		return err
	}
	return em.AddEndpoint(ctx, "my-service/"+addr, endpoints.Endpoint{Addr: addr}, clientv3.WithLease(lease))
}

func dial(cli *clientv3.Client) (*grpc.ClientConn, error) {
	b, err := resolver.NewBuilder(cli)
	if err != nil {
		return nil, err
	}
	return grpc.Dial("etcd:///my-service", grpc.WithResolvers(b), grpc.WithDefaultServiceConfig(` + roundRobinJSON + `), grpc.WithBlock())
}
`,
	Why:    "grpc/naming and grpc.RoundRobin are gone since gRPC 1.30, and GRPCResolver with them. The new resolver watches the same keys. A watcher reads what there is when it is made, no longer at its first Next. The target of the Dial gets the scheme etcd:///, which picks the resolver.",
	Since:  "v3.4.28",
	Safety: Same,
	Refs: []string{
		"https://github.com/etcd-io/etcd/blob/v3.5.0/client/v3/naming/doc.go",
		"https://github.com/etcd-io/etcd/blob/v3.3.27/clientv3/naming/grpc.go",
		"https://github.com/grpc/grpc-go/releases/tag/v1.30.0",
	},
	Claims: []string{"clientv3/naming.GRPCResolver*"},
	Run:    runNamingResolver,
}

func runNamingResolver(p *Pass) {
	const pkg = "clientv3/naming"
	clients := clientsOf{map[types.Object]string{}, map[string]int{}}
	var rest []Ref
	for _, r := range p.Refs(pkg, "GRPCResolver") {
		if !p.namingVariable(r, clients) {
			rest = append(rest, r)
		}
	}
	inBalancer := map[ast.Expr]bool{}
	for _, r := range p.Refs("google.golang.org/grpc", "RoundRobin") {
		if call := r.Call(); call != nil && len(call.Args) == 1 && isPointerTo(pkg, "GRPCResolver")(p.TypeOf(call.Args[0])) {
			inBalancer[call.Args[0]] = p.namingBalancer(r, call, clients)
		} else if call != nil && p.Info == nil && len(p.RefsTo(pkg)) > 0 {
			p.Report(r.File, r.Ident, edit.Manual, "grpc.RoundRobin is gone, and without types the resolver cannot be followed", balancerAdvice)
		}
	}
	for _, r := range rest {
		_, c := r.Expr()
		if ptr, ok := c.Parent().Parent().Node().(*ast.UnaryExpr); !ok || !inBalancer[ptr] {
			p.namingType(r)
		}
	}
	for _, r := range p.Refs(pkg, "GRPCResolver.Client") {
		if sel := r.Selector(); sel != nil {
			c := p.Change(r.Tier, "a GRPCResolver is its client")
			if name := clients.name(p, sel.X); name != "" {
				c.ReplaceNode(r.File, sel, name)
				continue
			}
			c.Replace(r.File, sel.X.End(), sel.End(), "")
		}
	}
	taken := map[*ast.CompositeLit]bool{}
	for _, r := range p.Refs(pkg, "GRPCResolver.Update") {
		if lit := p.namingUpdate(r, clients); lit != nil {
			taken[lit] = true
		}
	}
	for _, r := range p.Refs(pkg, "GRPCResolver.Resolve") {
		p.namingResolve(r, clients)
	}
	if p.followsNaming() {
		p.followNaming(taken)
	}
}

// clientsOf are the variables of functions that hold a GRPCResolver and go
// away, with the variable of the client that takes their place; and the
// variables that the rewrite has declared in each function.
type clientsOf struct {
	vars     map[types.Object]string
	declared map[string]int
}

// name returns the client that takes the place of an expression, or "".
func (m clientsOf) name(p *Pass, e ast.Expr) string {
	id, ok := e.(*ast.Ident)
	if !ok || p.Info == nil {
		return ""
	}
	return m.vars[p.Info.ObjectOf(id)]
}

// declare returns a name for a new variable of the function around a node.
func (m clientsOf) declare(p *Pass, f *File, c inspector.Cursor, names ...string) string {
	name := f.Free(names...)
	key := name
	if ft := functionAround(c); ft != nil {
		key += p.Fset.Position(ft.Pos()).String()
	}
	if m.declared[key]++; m.declared[key] > 1 {
		name += strconv.Itoa(m.declared[key])
	}
	return name
}

// namingVariable removes r := &naming.GRPCResolver{Client: cli}, or the value,
// where cli can stand for r: r is only used as resolver, and neither is
// assigned again.
func (p *Pass) namingVariable(r Ref, clients clientsOf) bool {
	f := r.File
	e, c := r.Expr()
	lit, ok := c.Parent().Node().(*ast.CompositeLit)
	if !ok || lit.Type != e || p.Info == nil {
		return false
	}
	ptr := c.Parent().Parent()
	if _, ok := ptr.Node().(*ast.UnaryExpr); !ok {
		ptr = c.Parent() // a value, whose methods are those of its address
	}
	client, ok := clientIn(asExpr(ptr.Node())).(*ast.Ident)
	if !ok {
		return false
	}
	assign, ok := ptr.Parent().Node().(*ast.AssignStmt)
	if !ok || assign.Tok != token.DEFINE || len(assign.Lhs) != 1 || !f.aloneOnLines(assign) {
		return false
	}
	if _, at, ok := StatementOf(ptr); !ok || at.Node() != assign {
		return false
	}
	obj, cli := p.Info.Defs[assign.Lhs[0].(*ast.Ident)], p.Info.Uses[client]
	if v, ok := cli.(*types.Var); !ok || obj == nil || v.IsField() || v.Parent() == p.Pkg.Scope() {
		return false
	}
	for use := range p.usesOf(cli) {
		if a, ok := use.Parent().Node().(*ast.AssignStmt); ok && containsExpr(a.Lhs, use.Node()) && a.Pos() > assign.Pos() {
			return false
		}
	}
	for use := range p.usesOf(obj) {
		switch n := use.Parent().Node().(type) {
		case *ast.SelectorExpr:
			if n.Sel.Name != "Update" && n.Sel.Name != "Client" && (n.Sel.Name != "Resolve" || !p.followsNaming()) {
				return false
			}
		case *ast.CallExpr:
			if !p.isGRPC(f, n, "RoundRobin") {
				return false
			}
		default:
			return false
		}
		// The client must mean the same there.
		s := p.Pkg.Scope().Innermost(use.Node().Pos())
		if s == nil {
			return false
		}
		if _, there := s.LookupParent(client.Name, use.Node().Pos()); there != cli {
			return false
		}
	}
	clients.vars[obj] = client.Name
	change := p.Change(r.Tier, "a GRPCResolver is its client")
	change.removeLines(f, assign)
	return true
}

func asExpr(n ast.Node) ast.Expr {
	e, _ := n.(ast.Expr)
	return e
}

func containsExpr(list []ast.Expr, n ast.Node) bool {
	for _, e := range list {
		if e == n {
			return true
		}
	}
	return false
}

// namingType replaces mentions of the type: literals by the client in them,
// *GRPCResolver by *clientv3.Client.
func (p *Pass) namingType(r Ref) {
	e, c := r.Expr()
	parent := c.Parent()
	switch n := parent.Node().(type) {
	case *ast.CompositeLit:
		if n.Type != e || r.Obj == nil { // what becomes of it cannot be told without types
			break
		}
		ptr, ok := parent.Parent().Node().(*ast.UnaryExpr)
		if !ok || ptr.Op != token.AND || len(n.Elts) != 1 {
			break
		}
		client := n.Elts[0]
		if kv, ok := client.(*ast.KeyValueExpr); ok {
			client = kv.Value
		}
		change := p.Change(r.Tier, "a GRPCResolver is its client")
		change.Replace(r.File, ptr.Pos(), client.Pos(), "")
		change.Replace(r.File, client.End(), ptr.End(), "")
		return
	case *ast.StarExpr:
		if r.Obj == nil {
			break
		}
		change := p.Change(r.Tier, "a GRPCResolver is its client")
		change.ReplaceNode(r.File, e, fromPackage("clientv3", "Client")(p, change, Hit{Ref: r}, nil))
		return
	}
	p.Report(r.File, r.Ident, edit.Manual, "naming.GRPCResolver is gone",
		"keep the *clientv3.Client in its place; register with `endpoints.NewManager(cli, target)` and AddEndpoint (package "+endpointsPath+"), dial with `resolver.NewBuilder(cli)` (package "+resolverPath+")")
}

// namingUpdate turns a call of Update into one of an endpoint manager, and
// returns the literal that went into it, if it did.
func (p *Pass) namingUpdate(r Ref, clients clientsOf) *ast.CompositeLit {
	const advice = "`em, err := endpoints.NewManager(cli, target)`, then `em.AddEndpoint(ctx, target+\"/\"+addr, endpoints.Endpoint{Addr: addr, Metadata: m}, opts...)` for naming.Add and `em.DeleteEndpoint(ctx, target+\"/\"+addr, opts...)` for naming.Delete (package " + endpointsPath + ")"
	call, sel := r.Call(), r.Selector()
	if call == nil || sel == nil || len(call.Args) < 3 || !Simple(sel.X) {
		p.Report(r.File, r.Ident, edit.Manual, "GRPCResolver.Update is gone", advice)
		return nil
	}
	f := r.File
	if r.Obj == nil {
		p.Report(f, call, edit.Manual, "GRPCResolver.Update is gone, and without types the resolver cannot be followed", advice)
		return nil
	}
	_, at := r.Expr()
	at = at.Parent() // the call
	u, ok := p.updateLiteral(f, call.Args[2])
	if !ok && (!p.followsNaming() || p.mentions(call.Args[2], namingPath)) {
		p.Report(f, call, edit.Manual, "GRPCResolver.Update is gone, and what this call does is decided by a value that is built elsewhere", advice)
		return nil
	}
	c := p.Change(r.Tier, "register with an endpoint manager")
	client := clients.name(p, sel.X)
	if client == "" {
		client = f.Text(sel.X)
	}
	n := newUpdate{clients: clients, file: f, call: call, at: at, target: f.Text(call.Args[1])}
	if !Simple(call.Args[1]) {
		n.target = n.declare(p, f.Text(call.Args[1]), "target", "service", "etcdTarget")
	}
	var lit *ast.CompositeLit
	method := ""
	if ok {
		lit = call.Args[2].(*ast.CompositeLit)
		method = n.literal(p, c, u)
	} else {
		method = n.value(p, c)
	}
	em := clients.declare(p, f, at, "em", "endpointManager", "etcdEndpoints")
	manager := c.Qualified(f, endpointsPath, "NewManager") + "(" + client + ", " + n.target + ")"
	// The call itself; its context and options stay where they are.
	c.Replace(f, call.Pos(), call.Args[0].Pos(), em+"."+method+"(")
	n.place(p, c, em, manager)
	return lit
}

// newUpdate is a call of GRPCResolver.Update on its way to an endpoint
// manager.
type newUpdate struct {
	clients clientsOf
	file    *File
	call    *ast.CallExpr
	at      inspector.Cursor // at the call
	target  string
	prelude string // statements to go before
}

// declare puts a value that is needed more than once into a variable.
func (n *newUpdate) declare(p *Pass, value string, names ...string) string {
	name := n.clients.declare(p, n.file, n.at, names...)
	n.prelude += name + " := " + value + "\n"
	return name
}

// literal writes the arguments for an update that says itself what it is, and
// returns the method that takes them. The literal stays where it can.
func (n *newUpdate) literal(p *Pass, c Change, u endpointUpdate) (method string) {
	f, call := n.file, n.call
	addr, endpoint := f.Text(u.addr), ""
	if u.add {
		endpoint = c.Qualified(f, endpointsPath, "Endpoint") + "{Addr: " + addr
		if u.meta != nil {
			endpoint += ", Metadata: " + f.Text(u.meta)
		}
		endpoint += "}"
	}
	if !Simple(u.addr) {
		if u.add {
			endpoint = n.declare(p, endpoint, "ep", "endpoint", "etcdEndpoint")
			addr = endpoint + ".Addr"
		} else {
			addr = n.declare(p, addr, "addr", "endpointAddr")
		}
	}
	key := joinStrings(n.target, addr)
	switch {
	case !u.add:
		c.Replace(f, call.Args[1].Pos(), call.Args[2].End(), key)
		return "DeleteEndpoint"
	case u.keyed && Simple(u.addr):
		lit := call.Args[2].(*ast.CompositeLit)
		c.ReplaceNode(f, call.Args[1], key)
		c.ReplaceNode(f, lit.Type, c.Qualified(f, endpointsPath, "Endpoint"))
		removeElement(c, f, lit, u.op)
	default:
		c.Replace(f, call.Args[1].Pos(), call.Args[2].End(), key+", "+endpoint)
	}
	return "AddEndpoint"
}

// value writes the arguments for an update that comes from elsewhere, and
// returns the method that takes them.
func (n *newUpdate) value(p *Pass, c Change) (method string) {
	f, call := n.file, n.call
	e := call.Args[2]
	if star, ok := e.(*ast.StarExpr); ok {
		e = star.X
	}
	value := f.Text(e)
	if !Simple(e) {
		value = n.declare(p, f.Text(call.Args[2]), "update", "endpointUpdate")
	}
	key := joinStrings(n.target, value+".Endpoint.Addr")
	if add, ok := p.settledOp(f, e); ok && add {
		c.Replace(f, call.Args[1].Pos(), call.Args[2].End(), key+", "+value+".Endpoint")
		return "AddEndpoint"
	} else if ok {
		c.Replace(f, call.Args[1].Pos(), call.Args[2].End(), key)
		return "DeleteEndpoint"
	}
	open := "[]*" + c.Qualified(f, endpointsPath, "UpdateWithOpts") + "{{Update: " + c.Qualified(f, endpointsPath, "Update") +
		"{Op: " + value + ".Op, Key: " + key + ", Endpoint: " + value + ".Endpoint}"
	switch opts := call.Args[3:]; {
	case len(opts) == 0:
		c.Replace(f, call.Args[1].Pos(), call.Args[2].End(), open+"}}")
	case call.Ellipsis.IsValid():
		c.Replace(f, call.Args[1].Pos(), opts[0].Pos(), open+", Opts: ")
		c.Replace(f, opts[0].End(), call.Ellipsis+3, "}}")
	default:
		option := fromPackage("clientv3", "OpOption")(p, c, Hit{Ref: Ref{File: f}}, nil)
		c.Replace(f, call.Args[1].Pos(), opts[0].Pos(), open+", Opts: []"+option+"{")
		c.Insert(f, opts[len(opts)-1].End(), "}}}")
	}
	return "Update"
}

// place makes the manager before the statement that the call is in.
func (n *newUpdate) place(p *Pass, c Change, em, manager string) {
	f, call, pre := n.file, n.call, n.prelude
	stmt, _, ok := StatementOf(n.at)
	indent := ""
	if ok {
		indent = f.Indent(stmt.Pos())
	}
	put := func(before, after string) {
		c.Insert(f, stmt.Pos(), f.indented(before, indent))
		if after != "" {
			c.Insert(f, f.after(stmt), f.indented(after, indent))
		}
	}
	switch s := stmt.(type) {
	case *ast.ReturnStmt:
		if len(s.Results) == 1 && s.Results[0] == call {
			name := p.errNameAt(n.at, f)
			put(pre+em+", "+name+" := "+manager+"\nif "+name+" != nil {\n\treturn "+name+"\n}\n", "")
			return
		}
	case *ast.ExprStmt:
		if s.X == call {
			put(pre+"if "+em+", err := "+manager+"; err == nil {\n\t", "\n}")
			return
		}
	case *ast.AssignStmt:
		if len(s.Lhs) == 1 && s.Rhs[0] == call {
			id, ok := s.Lhs[0].(*ast.Ident)
			switch {
			case ok && id.Name == "_":
				put(pre+"if "+em+", err := "+manager+"; err == nil {\n\t", "\n}")
				return
			case ok && s.Tok == token.DEFINE:
				c.Replace(f, s.TokPos, s.TokPos+2, "=")
				put(pre+em+", "+id.Name+" := "+manager+"\nif "+id.Name+" == nil {\n\t", "\n}")
				return
			case ok && s.Tok == token.ASSIGN:
				failed := f.Free("mgrErr", "managerErr")
				put(pre+"if "+em+", "+failed+" := "+manager+"; "+failed+" != nil {\n\t"+id.Name+" = "+failed+"\n} else {\n\t", "\n}")
				return
			}
		}
	}
	switch n.at.Parent().Node().(type) {
	case *ast.DeferStmt, *ast.GoStmt: // the arguments are worked out now
		put(pre, "")
		pre = ""
	}
	// Anywhere else a function literal holds the steps.
	inner := "func() error {\n\t" + strings.ReplaceAll(pre, "\n", "\n\t") + em + ", err := " + manager + "\n\tif err != nil {\n\t\treturn err\n\t}\n\treturn "
	c.Insert(f, call.Pos(), f.indented(inner, indent))
	c.Insert(f, call.End(), f.indented("\n}()", indent))
}

// errNameAt names the error of a new statement before the one around a node.
func (p *Pass) errNameAt(c inspector.Cursor, f *File) string {
	_, at, ok := StatementOf(c)
	if !ok {
		return "err"
	}
	return p.errName(at)
}

// joinStrings writes target + "/" + addr, as one literal where both are.
func joinStrings(target, addr string) string {
	t, errT := strconv.Unquote(target)
	a, errA := strconv.Unquote(addr)
	switch {
	case errT == nil && errA == nil:
		return strconv.Quote(t + "/" + a)
	case errT == nil:
		return strconv.Quote(t+"/") + "+" + addr
	case errA == nil:
		return target + "+" + strconv.Quote("/"+a)
	}
	return target + `+"/"+` + addr
}

// endpointUpdate is what a naming.Update literal says.
type endpointUpdate struct {
	add        bool
	keyed      bool
	op         int // index of the element that says so, -1 for none
	addr, meta ast.Expr
}

// removeElement takes an element out of a composite literal.
func removeElement(c Change, f *File, lit *ast.CompositeLit, i int) {
	switch {
	case i < 0:
	case i+1 < len(lit.Elts):
		c.Replace(f, lit.Elts[i].Pos(), lit.Elts[i+1].Pos(), "")
	case i > 0:
		c.Replace(f, lit.Elts[i-1].End(), lit.Elts[i].End(), "")
	default:
		c.ReplaceNode(f, lit.Elts[i], "")
	}
}

// updateLiteral reads a naming.Update literal.
func (p *Pass) updateLiteral(f *File, e ast.Expr) (u endpointUpdate, ok bool) {
	lit, isLit := e.(*ast.CompositeLit)
	if !isLit {
		return u, false
	}
	u.add, u.op = true, -1 // the zero value of Op
	for i, elt := range lit.Elts {
		name := []string{"Op", "Addr", "Metadata"}[min(i, 2)]
		value := elt
		if kv, isKV := elt.(*ast.KeyValueExpr); isKV {
			id, isID := kv.Key.(*ast.Ident)
			if !isID {
				return u, false
			}
			name, value = id.Name, kv.Value
			u.keyed = true
		}
		switch name {
		case "Op":
			u.op = i
			switch f.operation(value) {
			case "Add":
			case "Delete":
				u.add = false
			default:
				return u, false
			}
		case "Addr":
			u.addr = value
		case "Metadata":
			u.meta = value
		}
	}
	return u, u.addr != nil
}

// operation names the constant of grpc/naming that an expression is.
func (f *File) operation(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.SelectorExpr:
		if q, ok := e.X.(*ast.Ident); ok {
			for _, i := range f.imps {
				if i.name == q.Name && i.path == namingPath {
					return e.Sel.Name
				}
			}
		}
	case *ast.Ident:
		for _, i := range f.imps {
			if i.name == "." && i.path == namingPath {
				return e.Name
			}
		}
	}
	return ""
}

// namingBalancer replaces a round robin balancer over a GRPCResolver. It is
// false where it leaves the resolver in place.
func (p *Pass) namingBalancer(r Ref, call *ast.CallExpr, clients clientsOf) bool {
	f := r.File
	_, at := r.Expr()
	at = at.Parent()
	fail := func(why string) bool {
		p.Report(f, call, edit.Manual, "grpc.RoundRobin is gone; "+why, balancerAdvice)
		if client := clients.name(p, call.Args[0]); client != "" {
			c := p.Change(r.Tier, "a GRPCResolver is its client")
			c.ReplaceNode(f, call.Args[0], client)
		}
		return false
	}
	stmt, stmtAt, ok := StatementOf(at)
	if !ok {
		return fail("a builder cannot be made outside a function, since that may fail")
	}
	// The WithBalancer calls that take the balancer.
	var options []inspector.Cursor
	var assign *ast.AssignStmt
	if with := at.Parent(); p.isGRPC(f, with.Node(), "WithBalancer") {
		options = append(options, with)
	} else {
		assign, _ = stmt.(*ast.AssignStmt)
		if assign == nil || assign.Tok != token.DEFINE || len(assign.Lhs) != 1 || assign.Rhs[0] != call || p.Info == nil {
			return fail("this one does not go into grpc.WithBalancer where it can be followed")
		}
		obj := p.Info.Defs[assign.Lhs[0].(*ast.Ident)]
		for use := range p.usesOf(obj) {
			with := use.Parent()
			if !p.isGRPC(f, with.Node(), "WithBalancer") {
				return fail("this one is used in other places than grpc.WithBalancer")
			}
			options = append(options, with)
		}
		if len(options) == 0 {
			return fail("this one is not used")
		}
	}
	dials := map[*ast.CallExpr]ast.Expr{} // the target of each Dial that gets an option
	for _, o := range options {
		ds, ok := p.dialsOf(f, o)
		if !ok {
			return fail("the options leave the function, and the target of the Dial that gets them must become \"etcd:///\"+target")
		}
		for d, t := range ds {
			dials[d] = t
		}
	}
	name := p.errName(stmtAt)
	handler := p.onError(f, stmtAt, name)
	if handler == "" {
		handler = p.handlerBelow(f, stmtAt, name)
	}
	if handler == "" {
		return fail("what to do when the resolver builder cannot be made is not plain here")
	}
	indent := f.Indent(stmt.Pos())
	c := p.Change(r.Tier, "resolve endpoints with etcd's resolver")
	newBuilder := c.Qualified(f, resolverPath, "NewBuilder")
	e, _ := r.Expr()
	builder := ""
	if assign != nil {
		builder = assign.Lhs[0].(*ast.Ident).Name
		c.Insert(f, assign.Lhs[0].End(), ", "+name)
		c.ReplaceNode(f, e, newBuilder)
		arg := call.Args[0]
		if client := clients.name(p, arg); client != "" {
			c.ReplaceNode(f, arg, client)
		} else if inner := clientIn(arg); inner != nil {
			c.Replace(f, arg.Pos(), inner.Pos(), "")
			c.Replace(f, inner.End(), arg.End(), "")
		}
		c.Insert(f, f.after(stmt), f.indented("\n"+handler, indent))
	} else {
		builder = clients.declare(p, f, at, "rb", "etcdResolver", "etcdResolverBuilder")
		arg := call.Args[0]
		if !Simple(arg) {
			// &naming.GRPCResolver{Client: cli}: the client in it.
			inner := clientIn(arg)
			if inner == nil {
				return fail("the resolver is made in a way that is not understood")
			}
			arg = inner
		}
		text := f.Text(arg)
		if client := clients.name(p, arg); client != "" {
			text = client
		}
		c.Insert(f, stmt.Pos(), f.indented(builder+", "+name+" := "+newBuilder+"("+text+")\n"+handler+"\n", indent))
	}
	for _, o := range options {
		with := o.Node().(*ast.CallExpr)
		q := strings.TrimSuffix(f.Text(with.Fun), "WithBalancer")
		c.ReplaceNode(f, with, q+"WithResolvers("+builder+"), "+q+"WithDefaultServiceConfig("+roundRobinJSON+")")
	}
	for _, target := range dials {
		if lit, ok := target.(*ast.BasicLit); ok && strings.HasPrefix(lit.Value, `"`) {
			if !strings.HasPrefix(lit.Value, `"etcd:///`) {
				c.Insert(f, lit.Pos()+1, "etcd:///")
			}
			continue
		}
		c.Insert(f, target.Pos(), `"etcd:///"+`)
	}
	return true
}

// handlerBelow copies the next `if err != nil` of the list for a function
// whose results do not tell what to do, such as main.
func (p *Pass) handlerBelow(f *File, c inspector.Cursor, name string) string {
	rest := following(c)
	for i, s := range rest {
		if i > 4 {
			break
		}
		if text := p.copyHandler(f, c.Node(), s, name); text != "" {
			// It may use only what is there already.
			ok := true
			ast.Inspect(s, func(n ast.Node) bool {
				if id, isID := n.(*ast.Ident); isID && id.Name != name {
					if obj := p.Info.Uses[id]; obj != nil && obj.Pkg() == p.Pkg && obj.Parent() != p.Pkg.Scope() && obj.Pos() > c.Node().End() && obj.Pos() < s.Pos() {
						ok = false
					}
				}
				return true
			})
			if ok {
				return text
			}
		}
	}
	return ""
}

// clientIn returns the client of a GRPCResolver{…} literal, or of its address.
func clientIn(e ast.Expr) ast.Expr {
	if u, ok := e.(*ast.UnaryExpr); ok {
		e = u.X
	}
	lit, ok := e.(*ast.CompositeLit)
	if !ok || len(lit.Elts) != 1 {
		return nil
	}
	if kv, ok := lit.Elts[0].(*ast.KeyValueExpr); ok {
		return kv.Value
	}
	return lit.Elts[0]
}

// isGRPC says whether a node is a call of a function of google.golang.org/grpc.
func (p *Pass) isGRPC(f *File, n ast.Node, names ...string) bool {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return false
	}
	for _, name := range names {
		for _, r := range p.Refs("google.golang.org/grpc", name) {
			if r.File == f && r.Call() == call {
				return true
			}
		}
	}
	return false
}

// usesOf returns the identifiers that mean an object.
func (p *Pass) usesOf(obj types.Object) map[inspector.Cursor]bool {
	out := map[inspector.Cursor]bool{}
	for c := range p.Inspector().Root().Preorder((*ast.Ident)(nil)) {
		if id := c.Node().(*ast.Ident); obj != nil && p.Info.Uses[id] == obj {
			out[c] = true
		}
	}
	return out
}

// dialsOf returns the Dial calls that a dial option reaches, with their
// targets: the call that it is an argument of, or those that are given the
// slice of the function that it is put in. ok is false when it may get
// elsewhere.
func (p *Pass) dialsOf(f *File, option inspector.Cursor) (map[*ast.CallExpr]ast.Expr, bool) {
	parent := option.Parent()
	if t := p.dialTarget(f, parent.Node()); t != nil {
		return map[*ast.CallExpr]ast.Expr{parent.Node().(*ast.CallExpr): t}, true
	}
	// opts := []grpc.DialOption{…} or opts = append(opts, …)
	switch n := parent.Node().(type) {
	case *ast.CompositeLit:
	case *ast.CallExpr:
		if id, ok := n.Fun.(*ast.Ident); !ok || id.Name != "append" {
			return nil, false
		}
	default:
		return nil, false
	}
	assign, ok := parent.Parent().Node().(*ast.AssignStmt)
	if !ok || len(assign.Lhs) != 1 || p.Info == nil {
		return nil, false
	}
	id, ok := assign.Lhs[0].(*ast.Ident)
	if !ok {
		return nil, false
	}
	obj := p.Info.ObjectOf(id)
	if v, ok := obj.(*types.Var); !ok || v.IsField() || v.Parent() == p.Pkg.Scope() {
		return nil, false
	}
	out := map[*ast.CallExpr]ast.Expr{}
	for use := range p.usesOf(obj) {
		switch n := use.Parent().Node().(type) {
		case *ast.CallExpr:
			if t := p.dialTarget(f, n); t != nil {
				out[n] = t
			} else if fn, ok := n.Fun.(*ast.Ident); !ok || fn.Name != "append" && fn.Name != "len" {
				return nil, false
			}
		case *ast.AssignStmt:
		default:
			return nil, false
		}
	}
	return out, len(out) > 0
}

// dialTarget returns the target of a grpc.Dial or grpc.DialContext call.
func (p *Pass) dialTarget(f *File, n ast.Node) ast.Expr {
	call, ok := n.(*ast.CallExpr)
	switch {
	case !ok:
	case p.isGRPC(f, call, "Dial", "NewClient") && len(call.Args) > 0:
		return call.Args[0]
	case p.isGRPC(f, call, "DialContext") && len(call.Args) > 1:
		return call.Args[1]
	}
	return nil
}

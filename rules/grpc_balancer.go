package rules

import (
	"go/ast"
	"go/types"
	"slices"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// grpcBalancerMethods completes balancers of the repository and what stands
// in for connections in their tests.
//
// Matched: types that declare the methods of a balancer.Balancer, of its
// first version too, and lack some of today's; structs that stand in for a
// balancer.SubConn or balancer.ClientConn and do not embed it, nor a type that
// does.
//
// Not matched: types that get their methods from an embedded balancer; their
// literals without field names. Calls of methods that only the first version
// had, and methods that override those, become findings.
var grpcBalancerMethods = &Rule{
	ID:    "grpc-balancer",
	Title: "complete balancers and their fakes for the interfaces of gRPC today",
	Before: `package p

import (
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
)

type weighted struct {
	cc    balancer.ClientConn
	conns map[string]balancer.SubConn
}

func (w *weighted) HandleResolvedAddrs(addrs []resolver.Address, err error) {
	for _, a := range addrs {
		w.conns[a.Addr], _ = w.cc.NewSubConn([]resolver.Address{a}, balancer.NewSubConnOptions{})
	}
}

func (w *weighted) HandleSubConnStateChange(sc balancer.SubConn, state connectivity.State) {
	if state == connectivity.Idle {
		sc.Connect()
	}
}

func (w *weighted) Close() {}

var _ balancer.Balancer = (*weighted)(nil)

type fakeConn struct {
	connected bool
}

func (f *fakeConn) UpdateAddresses([]resolver.Address) {}
func (f *fakeConn) Connect()                           { f.connected = true }

var _ balancer.SubConn = &fakeConn{}
`,
	After: `package p

import (
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
)

type weighted struct {
	cc    balancer.ClientConn
	conns map[string]balancer.SubConn
}

func (w *weighted) HandleResolvedAddrs(addrs []resolver.Address, err error) {
	for _, a := range addrs {
		w.conns[a.Addr], _ = w.cc.NewSubConn([]resolver.Address{a}, balancer.NewSubConnOptions{})
	}
}

func (w *weighted) HandleSubConnStateChange(sc balancer.SubConn, state connectivity.State) {
	if state == connectivity.Idle {
		sc.Connect()
	}
}

func (w *weighted) Close() {}

// UpdateClientConnState implements balancer.Balancer.
func (w *weighted) UpdateClientConnState(s balancer.ClientConnState) error {
	w.HandleResolvedAddrs(s.ResolverState.Addresses, nil)
	return nil
}

// ResolverError implements balancer.Balancer.
func (w *weighted) ResolverError(err error) { w.HandleResolvedAddrs(nil, err) }

// UpdateSubConnState implements balancer.Balancer.
func (w *weighted) UpdateSubConnState(sc balancer.SubConn, s balancer.SubConnState) {
	w.HandleSubConnStateChange(sc, s.ConnectivityState)
}

// ExitIdle implements balancer.Balancer; connections are not left idle here.
func (w *weighted) ExitIdle() {}

var _ balancer.Balancer = (*weighted)(nil)

type fakeConn struct {
	balancer.SubConn

	connected bool
}

func (f *fakeConn) UpdateAddresses([]resolver.Address) {}
func (f *fakeConn) Connect()                           { f.connected = true }

var _ balancer.SubConn = &fakeConn{}
`,
	Why: "gRPC 1.30 dropped the first balancer interface, later releases added ExitIdle to the second, and balancer.SubConn and balancer.ClientConn can only be implemented by embedding them. " +
		"The new methods of a balancer call its old ones, with the same values in the same order.",
	Since:  "v3.4.0",
	Safety: Same,
	Refs: []string{
		"https://github.com/grpc/grpc-go/releases/tag/v1.30.0",
		"https://github.com/grpc/grpc-go/releases/tag/v1.74.0",
	},
	Claims: []string{
		"google.golang.org/grpc/balancer.Balancer.HandleResolvedAddrs",
		"google.golang.org/grpc/balancer.Balancer.HandleSubConnStateChange",
		"google.golang.org/grpc/balancer.V2Balancer.UpdateResolverState",
	},
	Run: runGRPCBalancer,
}

func runGRPCBalancer(p *Pass) {
	if len(p.RefsTo(grpcBalancer)) == 0 || !p.grpcReaches("v1.30.0") {
		return
	}
	for _, name := range firstBalancer {
		for _, r := range p.Refs(grpcBalancer, "Balancer."+name) {
			p.Report(r.File, r.Ident, edit.Manual, "balancer.Balancer has no "+name+" since gRPC 1.30",
				"pass addresses in b.UpdateClientConnState(balancer.ClientConnState{ResolverState: resolver.State{Addresses: addrs}}), an error of the resolver to b.ResolverError, and states in b.UpdateSubConnState(sc, balancer.SubConnState{ConnectivityState: s})")
		}
	}
	own := p.declaredTypes()
	for _, t := range own {
		p.completeBalancer(t, own)
		for _, fake := range []struct {
			name    string
			methods []string // the first takes addresses
		}{
			{"SubConn", []string{"UpdateAddresses", "Connect"}},
			{"ClientConn", []string{"NewSubConn", "RemoveSubConn", "ResolveNow", "Target"}},
		} {
			if !t.has(fake.methods...) || !p.takesAddresses(t.Methods[fake.methods[0]]) || t.Spec == nil || t.embedsBelow(p, own, grpcBalancer, fake.methods) {
				continue
			}
			if t.Struct == nil || p.unkeyed(t) || t.has(fake.name) || t.field(fake.name) {
				p.Report(t.File, t.Spec.Name, edit.Manual, t.Name+" stands in for a balancer."+fake.name+", which can only be implemented by embedding it",
					"make it a struct with an embedded balancer."+fake.name+" field, give its literals field names, and nothing else of it the name "+fake.name)
				continue
			}
			c := p.Change(p.Tier, "a balancer.%s is implemented by embedding it", fake.name)
			c.embed(t, grpcBalancer, fake.name)
		}
	}
}

// firstBalancer are the methods that only the first version of a balancer has.
var firstBalancer = []string{"HandleResolvedAddrs", "HandleSubConnStateChange"}

// takesAddresses says whether the first parameter of a method is a list of
// addresses: methods of the same names are no rarity.
func (p *Pass) takesAddresses(m method) bool {
	in := params(m.Decl.Type.Params)
	if len(in) == 0 {
		return false
	}
	list, ok := in[0].Type.(*ast.ArrayType)
	return ok && p.names(grpcResolver, "Address", list.Elt)
}

// embedsBelow says whether the struct embeds a type of a package, by way of
// types of its own package or not, or one that is about to: it declares the
// methods.
func (t *declared) embedsBelow(p *Pass, own []*declared, pkg string, methods []string) bool {
	return t.embeds(p, pkg) || slices.ContainsFunc(t.below(own), func(e *declared) bool {
		return e.has(methods...) || e.embeds(p, pkg)
	})
}

func (p *Pass) completeBalancer(t *declared, own []*declared) {
	first := t.has(firstBalancer...) && p.takesAddresses(t.Methods["HandleResolvedAddrs"])
	beside := "UpdateClientConnState"
	if first {
		beside = "HandleResolvedAddrs"
	}
	if t.embeds(p, grpcBalancer) {
		for _, name := range firstBalancer {
			if m, ok := t.Methods[name]; ok && t.embeds(p, grpcBalancer, "Balancer") && !t.has("UpdateClientConnState") {
				p.Report(m.File, m.Decl.Name, edit.Manual, "gRPC calls no "+name+" since 1.30, so that what "+t.Name+" does there is passed over",
					"do it in UpdateClientConnState and UpdateSubConnState")
			}
		}
		return
	}
	if !first {
		if !t.has("UpdateClientConnState", "Close") {
			return
		}
		in := params(t.Methods[beside].Decl.Type.Params)
		if len(in) != 1 || !p.names(grpcBalancer, "ClientConnState", in[0].Type) {
			return
		}
	}
	lacks := func(name string) bool { return !t.has(name) && t.promotes(own, name) == nil && !p.promoted(t, name) }
	recv := t.receiverName(beside)
	not := func(name, other string) string {
		if name == recv {
			return other
		}
		return name
	}
	s, sc, err := not("s", "state"), not("sc", "conn"), not("err", "e")
	var texts []string
	c := p.Change(p.Tier, "%s gets the methods that balancer.Balancer has today", t.Name)
	q := c.Import(t.Methods[beside].File, grpcBalancer) + "."
	if first && lacks("UpdateClientConnState") {
		texts = append(texts, "// UpdateClientConnState implements balancer.Balancer.\nfunc RECV UpdateClientConnState("+s+" "+q+"ClientConnState) error {\n\tR.HandleResolvedAddrs("+s+".ResolverState.Addresses, nil)\n\treturn nil\n}")
	}
	if lacks("ResolverError") {
		if first {
			texts = append(texts, "// ResolverError implements balancer.Balancer.\nfunc RECV ResolverError("+err+" error) { R.HandleResolvedAddrs(nil, "+err+") }")
		} else {
			texts = append(texts, "// ResolverError implements balancer.Balancer.\nfunc RECV ResolverError(error) {}")
		}
	}
	if first && lacks("UpdateSubConnState") {
		texts = append(texts, "// UpdateSubConnState implements balancer.Balancer.\nfunc RECV UpdateSubConnState("+sc+" "+q+"SubConn, "+s+" "+q+"SubConnState) {\n\tR.HandleSubConnStateChange("+sc+", "+s+".ConnectivityState)\n}")
	}
	if lacks("ExitIdle") {
		texts = append(texts, "// ExitIdle implements balancer.Balancer; connections are not left idle here.\nfunc RECV ExitIdle() {}")
	}
	if len(texts) > 0 {
		c.addMethods(t, beside, texts...)
	}
}

// promoted says whether a type gets a method from what it embeds, of any
// package.
func (p *Pass) promoted(t *declared, name string) bool {
	if p.Pkg == nil {
		return false
	}
	obj, ok := p.Pkg.Scope().Lookup(t.Name).(*types.TypeName)
	return ok && p.hasAll(obj, []string{name})
}

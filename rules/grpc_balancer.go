package rules

import "github.com/etcdshift/etcdshift/rewrite/edit"

// grpcBalancerMethods completes balancers of the repository and what stands
// in for connections in their tests.
//
// Matched: types that declare the methods of a balancer.Balancer, of its
// first version too, and lack some of today's; structs that stand in for a
// balancer.SubConn or balancer.ClientConn and do not embed it.
//
// Not matched: types that get their methods from an embedded balancer; their
// literals without field names.
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
	for _, t := range p.declaredTypes() {
		p.completeBalancer(t)
		for _, fake := range []struct {
			name    string
			methods []string
		}{
			{"SubConn", []string{"UpdateAddresses", "Connect"}},
			{"ClientConn", []string{"NewSubConn", "RemoveSubConn", "ResolveNow", "Target"}},
		} {
			if !t.has(fake.methods...) || t.Spec == nil || t.embeds(p, grpcBalancer) {
				continue
			}
			if t.Struct == nil || p.unkeyed(t) {
				p.Report(t.File, t.Spec.Name, edit.Manual, t.Name+" stands in for a balancer."+fake.name+", which can only be implemented by embedding it",
					"make it a struct with an embedded balancer."+fake.name+" field, and give its literals field names")
				continue
			}
			c := p.Change(p.Tier, "a balancer.%s is implemented by embedding it", fake.name)
			c.embed(t, grpcBalancer, fake.name)
		}
	}
}

func (p *Pass) completeBalancer(t *declared) {
	first := t.has("HandleResolvedAddrs", "HandleSubConnStateChange")
	beside := "UpdateClientConnState"
	if first {
		beside = "HandleResolvedAddrs"
	}
	if !first && !t.has("UpdateClientConnState", "Close") || t.embeds(p, grpcBalancer) {
		return
	}
	if !first {
		in := params(t.Methods[beside].Decl.Type.Params)
		if len(in) != 1 || !p.names(grpcBalancer, "ClientConnState", in[0].Type) {
			return
		}
	}
	var texts []string
	c := p.Change(p.Tier, "%s gets the methods that balancer.Balancer has today", t.Name)
	q := c.Import(t.Methods[beside].File, grpcBalancer) + "."
	if first && !t.has("UpdateClientConnState") {
		texts = append(texts, "// UpdateClientConnState implements balancer.Balancer.\nfunc RECV UpdateClientConnState(s "+q+"ClientConnState) error {\n\tR.HandleResolvedAddrs(s.ResolverState.Addresses, nil)\n\treturn nil\n}")
	}
	if !t.has("ResolverError") {
		if first {
			texts = append(texts, "// ResolverError implements balancer.Balancer.\nfunc RECV ResolverError(err error) { R.HandleResolvedAddrs(nil, err) }")
		} else {
			texts = append(texts, "// ResolverError implements balancer.Balancer.\nfunc RECV ResolverError(error) {}")
		}
	}
	if first && !t.has("UpdateSubConnState") {
		texts = append(texts, "// UpdateSubConnState implements balancer.Balancer.\nfunc RECV UpdateSubConnState(sc "+q+"SubConn, s "+q+"SubConnState) {\n\tR.HandleSubConnStateChange(sc, s.ConnectivityState)\n}")
	}
	if !t.has("ExitIdle") {
		texts = append(texts, "// ExitIdle implements balancer.Balancer; connections are not left idle here.\nfunc RECV ExitIdle() {}")
	}
	if len(texts) > 0 {
		c.addMethods(t, beside, texts...)
	}
}

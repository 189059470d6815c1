package rules

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// grpcResolverTarget reads the parts of a dial target from its URL.
//
// Matched: reads and writes of the fields of resolver.Target, literals of it,
// the Type of a resolver.Address where it says Backend, which is what every
// address is now.
//
// Not matched: any other use of an address type, and NewServiceConfig; they
// become findings.
var grpcResolverTarget = &Rule{
	ID:    "grpc-resolver-target",
	Title: "read the parts of a gRPC target from its URL",
	Before: `package p

import (
	"fmt"

	"google.golang.org/grpc/resolver"
)

func prefix(target resolver.Target) (string, error) {
	if target.Scheme != "etcd" {
		return "", fmt.Errorf("scheme %s", target.Scheme)
	}
	return target.Authority + "/" + target.Endpoint, nil
}

func local(name string) (resolver.Target, []resolver.Address) {
	t := resolver.Target{Scheme: "etcd", Authority: "local", Endpoint: name}
	return t, []resolver.Address{{Addr: "127.0.0.1:80", Type: resolver.Backend}}
}
`,
	After: `package p

import (
	"fmt"
	"net/url"

	"google.golang.org/grpc/resolver"
)

func prefix(target resolver.Target) (string, error) {
	if target.URL.Scheme != "etcd" {
		return "", fmt.Errorf("scheme %s", target.URL.Scheme)
	}
	return target.URL.Host + "/" + target.Endpoint(), nil
}

func local(name string) (resolver.Target, []resolver.Address) {
	t := resolver.Target{URL: url.URL{Scheme: "etcd", Host: "local", Path: "/" + name}}
	return t, []resolver.Address{{Addr: "127.0.0.1:80"}}
}
`,
	Why: "Scheme and Authority are gone since gRPC 1.57 and Endpoint is a method since 1.53: targets are parsed as URLs. " +
		"A query or fragment in a target is no part of Endpoint any more, escapes are decoded, and a scheme that is none of a URL (with an underscore or a capital letter) is not found.",
	Since:  "v3.5.0",
	Safety: Adjusted,
	Refs: []string{
		"https://github.com/grpc/grpc-go/releases/tag/v1.53.0",
		"https://github.com/grpc/grpc-go/releases/tag/v1.57.0",
		"https://github.com/grpc/grpc-go/releases/tag/v1.58.0",
	},
	Claims: []string{
		"google.golang.org/grpc/resolver.Target.Scheme",
		"google.golang.org/grpc/resolver.Target.Authority",
		"google.golang.org/grpc/resolver.Target.Endpoint",
		"google.golang.org/grpc/resolver.Address.Type",
		"google.golang.org/grpc/resolver.AddressType",
		"google.golang.org/grpc/resolver.Backend",
		"google.golang.org/grpc/resolver.GRPCLB",
		"google.golang.org/grpc/resolver.ClientConn.NewServiceConfig",
		"google.golang.org/grpc/resolver.UnregisterForTesting",
	},
	Run: runGRPCResolverTarget,
}

func runGRPCResolverTarget(p *Pass) {
	if len(p.RefsTo(grpcResolver)) == 0 || !p.grpcReaches("v1.58.0") {
		return
	}
	for _, l := range p.Literals(grpcResolver, "Target") {
		p.targetLiteral(l)
	}
	for _, field := range []struct{ old, new string }{{"Scheme", "URL.Scheme"}, {"Authority", "URL.Host"}} {
		for _, r := range p.Refs(grpcResolver, "Target."+field.old) {
			if r.Selector() == nil {
				continue // the key of a literal
			}
			path, ok := p.targetURL(r.Selector())
			if !ok {
				p.Report(r.File, r.Ident, edit.Manual, "Target."+field.old+" is Target."+field.new+" since gRPC 1.57, and this type has a URL of its own", "name the target that it embeds: x.Target."+field.new)
				continue
			}
			c := p.Change(r.Tier, "Target.%s is Target.%s since gRPC 1.57", field.old, field.new)
			c.ReplaceNode(r.File, r.Ident, path+field.new)
		}
	}
	for _, r := range p.Refs(grpcResolver, "Target.Endpoint") {
		p.endpoint(r)
	}
	p.addressTypes()
	for _, r := range p.Refs(grpcResolver, "ClientConn.NewServiceConfig") {
		p.Report(r.File, r.Ident, edit.Manual, "NewServiceConfig of resolver.ClientConn is gone since gRPC 1.60",
			"give the config together with the addresses: cc.UpdateState(resolver.State{Addresses: addrs, ServiceConfig: cc.ParseServiceConfig(js)})")
	}
	for _, r := range p.Refs(grpcResolver, "UnregisterForTesting") {
		p.Report(r.File, r.Ident, edit.Manual, "resolver.UnregisterForTesting is gone since gRPC 1.58",
			"drop the call and give the builder to the one connection that needs it: grpc.WithResolvers(b) instead of resolver.Register(b)")
	}
	p.clientConnFakes()
	p.updateStates()
	p.schemes()
}

// updateStates reports where UpdateState of a resolver.ClientConn is used as a
// function, or the connection as an interface, without the error.
func (p *Pass) updateStates() {
	const message, advice = "UpdateState of resolver.ClientConn returns an error since gRPC 1.31", "where it is wanted without a result, write one: UpdateState(resolver.State) error"
	for _, r := range p.Refs(grpcResolver, "ClientConn.UpdateState") {
		sig := signatureOf(r.Obj)
		if sig == nil || sig.Results().Len() > 0 {
			continue
		}
		if e, _ := r.Expr(); r.Call() == nil && !typeIsInferred(r) {
			p.Report(r.File, e, edit.Manual, message, advice)
		}
	}
	if p.Info == nil {
		return
	}
	p.asInterfaces(func(e ast.Expr, to types.Type) {
		if !isNamed(grpcResolver, "ClientConn")(p.TypeOf(e)) || isNamed(grpcResolver, "ClientConn")(to) {
			return
		}
		obj, _, _ := types.LookupFieldOrMethod(to, false, p.Pkg, "UpdateState")
		if sig := signatureOf(obj); sig != nil && sig.Results().Len() == 0 && obj.Pkg() == p.Pkg {
			p.Report(p.FileOf(e.Pos()), e, edit.Manual, message, advice)
		}
	})
}

func (p *Pass) targetLiteral(l Literal) {
	keys := map[string]string{"Scheme": "Scheme", "Authority": "Host", "Endpoint": "Path"}
	elts := l.Lit.Elts
	if len(elts) == 0 {
		return
	}
	if l.Key("URL") != nil { // which code for gRPC from 1.41 on may set beside the others
		var gone []int
		for i, e := range elts {
			if keys[e.(*ast.KeyValueExpr).Key.(*ast.Ident).Name] != "" {
				gone = append(gone, i)
			}
		}
		if len(gone) > 0 {
			p.Change(l.Tier, "a resolver.Target is its URL alone since gRPC 1.57").remove(l.File, elts, gone...)
		}
		return
	}
	c := p.Change(l.Tier, "a resolver.Target is a URL since gRPC 1.57")
	c.Insert(l.File, elts[0].Pos(), "URL: "+c.Qualified(l.File, "net/url", "URL")+"{")
	for i, e := range elts {
		key, value := []string{"Scheme", "Authority", "Endpoint"}[min(i, 2)], e
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			id, ok := kv.Key.(*ast.Ident)
			if !ok {
				return
			}
			key, value = id.Name, kv.Value
			c.ReplaceNode(l.File, id, keys[key])
		} else {
			c.Insert(l.File, e.Pos(), keys[key]+": ")
		}
		if key == "Endpoint" {
			c.slash(l.File, value)
		}
	}
	c.Insert(l.File, elts[len(elts)-1].End(), "}")
}

// slash puts a slash before a string: into a literal, else with a plus.
func (c Change) slash(f *File, e ast.Expr) {
	if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
		c.Insert(f, lit.Pos()+1, "/")
		return
	}
	c.Insert(f, e.Pos(), `"/" + `)
}

func (p *Pass) endpoint(r Ref) {
	sel := r.Selector()
	if sel == nil || r.Call() != nil {
		return
	}
	if _, ok := r.Obj.(*types.Func); ok && p.Tier == edit.Typed {
		return // a method value of a newer gRPC
	}
	if r.Obj == nil && p.Info != nil {
		return
	}
	_, at := r.Expr()
	if as, ok := parent(at).Node().(*ast.AssignStmt); ok {
		for i, l := range as.Lhs {
			if ast.Unparen(l) != sel {
				continue
			}
			if len(as.Rhs) != len(as.Lhs) || as.Tok != token.ASSIGN {
				p.Report(r.File, sel, edit.Manual, "Target.Endpoint is a method since gRPC 1.53, and is assigned to here",
					"set the path of the URL instead: "+r.File.Text(sel.X)+`.URL.Path = "/" + endpoint`)
				return
			}
			path, ok := p.targetURL(sel)
			if !ok {
				p.Report(r.File, sel, edit.Manual, "Target.Endpoint is a method since gRPC 1.53, and is assigned to here, in a type that has a URL of its own",
					`set the path of the URL instead: x.Target.URL.Path = "/" + endpoint`)
				return
			}
			c := p.Change(r.Tier, "the endpoint of a target is the path of its URL since gRPC 1.53")
			c.ReplaceNode(r.File, r.Ident, path+"URL.Path")
			c.slash(r.File, as.Rhs[i])
			return
		}
	}
	if u, ok := at.Parent().Node().(*ast.UnaryExpr); ok && u.Op == token.AND {
		p.Report(r.File, u, edit.Manual, "Target.Endpoint is a method since gRPC 1.53; it has no address", "copy it into a variable first: endpoint := "+r.File.Text(sel.X)+".Endpoint()")
		return
	}
	if s := p.selected(sel); s != nil && len(s.Index()) == 1 && !IsType(s.Recv(), grpcResolver, "Target") {
		p.Report(r.File, sel, edit.Manual, "Target.Endpoint is a method since gRPC 1.53, which a type that is made from Target does not have",
			"convert it: resolver.Target("+r.File.Text(sel.X)+").Endpoint()")
		return
	}
	c := p.Change(r.Tier, "Target.Endpoint is a method since gRPC 1.53")
	c.Insert(r.File, r.Ident.End(), "()")
}

// selected tells what a selector expression selects, nil where there are no
// types.
func (p *Pass) selected(sel *ast.SelectorExpr) *types.Selection {
	if p.Info == nil {
		return nil
	}
	return p.Info.Selections[sel]
}

// targetURL returns what stands before the URL of a target whose field is
// selected: the embedded field, where a type that embeds a target has a URL of its
// own. It is false where that has no name to use.
func (p *Pass) targetURL(sel *ast.SelectorExpr) (path string, ok bool) {
	s := p.selected(sel)
	if s == nil || len(s.Index()) == 1 {
		return "", true
	}
	own, _, _ := types.LookupFieldOrMethod(s.Recv(), true, p.Pkg, "URL")
	if sym, _ := p.symbol(own); own == nil || sym == (Symbol{grpcResolver, "Target.URL"}) {
		return "", true
	}
	embedded, _, _ := types.LookupFieldOrMethod(s.Recv(), true, p.Pkg, "Target")
	v, isVar := embedded.(*types.Var)
	return "Target.", isVar && v.Embedded() && IsType(v.Type(), grpcResolver, "Target")
}

func (p *Pass) addressTypes() {
	gone := map[ast.Node]bool{}
	for _, l := range p.Literals(grpcResolver, "Address") {
		kv := l.Key("Type")
		if kv == nil {
			continue
		}
		for _, r := range p.Refs(grpcResolver, "Backend") {
			if e, _ := r.Expr(); e == kv.Value {
				gone[r.Ident], gone[kv.Key] = true, true
				c := p.Change(l.Tier, "every address is a backend since gRPC 1.58")
				c.remove(l.File, l.Lit.Elts, slices.Index(l.Lit.Elts, ast.Expr(kv)))
			}
		}
	}
	for _, name := range []string{"Address.Type", "AddressType", "Backend", "GRPCLB"} {
		for _, r := range p.Refs(grpcResolver, name) {
			if gone[r.Ident] {
				continue
			}
			p.Report(r.File, r.Ident, edit.Manual, "resolver."+name+" is gone since gRPC 1.58: an address is always that of a backend",
				"drop it; the addresses of a grpclb balancer go into the state, grpclbstate.Set(state, &grpclbstate.State{BalancerAddresses: addrs}), and data of your own into Address.Attributes")
		}
	}
}

// clientConnFakes gives UpdateState of types that stand in for a
// resolver.ClientConn its error.
func (p *Pass) clientConnFakes() {
	if len(p.Refs(grpcResolver, "State")) == 0 {
		return
	}
	for _, t := range p.declaredTypes() {
		m, ok := t.Methods["UpdateState"]
		fake := t.has("ParseServiceConfig") || t.has("NewServiceConfig") || t.has("NewAddress") || t.embeds(p, grpcResolver, "ClientConn")
		if !ok || !fake || len(params(m.Decl.Type.Results)) > 0 || m.Decl.Body == nil {
			continue
		}
		in := params(m.Decl.Type.Params)
		if len(in) != 1 || !p.names(grpcResolver, "State", in[0].Type) {
			continue
		}
		c := p.Change(p.Tier, "UpdateState of resolver.ClientConn returns an error since gRPC 1.31")
		c.Insert(m.File, m.Decl.Type.End(), " error")
		body := m.Decl.Body
		for _, ret := range returns(body) {
			c.Insert(m.File, ret.End(), " nil")
		}
		if len(body.List) == 0 {
			c.Insert(m.File, body.Lbrace+1, " return nil ")
			continue
		}
		switch last := body.List[len(body.List)-1].(type) {
		case *ast.ReturnStmt:
		case *ast.ExprStmt:
			if call, ok := last.X.(*ast.CallExpr); ok && p.isCallTo(grpcResolver, "ClientConn.UpdateState", call) {
				c.Insert(m.File, last.Pos(), "return ")
				break
			}
			c.appendLine(m.File, body, "return nil")
		default:
			c.appendLine(m.File, body, "return nil")
		}
	}
}

// names says whether a type expression is a symbol.
func (p *Pass) names(pkg, name string, e ast.Expr) bool {
	for _, r := range p.Refs(pkg, name) {
		if x, _ := r.Expr(); x == e {
			return true
		}
	}
	return false
}

// appendLine adds a line after the last statement of a body.
func (c Change) appendLine(f *File, b *ast.BlockStmt, line string) {
	last := b.List[len(b.List)-1]
	if f.SameLine(b.Lbrace, b.Rbrace) {
		c.Insert(f, last.End(), "; "+line)
		return
	}
	c.Insert(f, f.lineEnd(last.End()), f.NL()+f.bodyIndent(b)+line)
}

// schemes names builders whose scheme a URL cannot have: dial targets with it
// are not theirs any more.
func (p *Pass) schemes() {
	if len(p.Refs(grpcResolver, "Target")) == 0 {
		return
	}
	for _, t := range p.declaredTypes() {
		m, ok := t.Methods["Scheme"]
		if !ok || !t.has("Build") || m.Decl.Body == nil {
			continue
		}
		in := params(t.Methods["Build"].Decl.Type.Params)
		if len(in) == 0 || !p.names(grpcResolver, "Target", in[0].Type) {
			continue
		}
		for _, ret := range returns(m.Decl.Body) {
			if len(ret.Results) != 1 {
				continue
			}
			s, ok := p.constString(ret.Results[0])
			if ok && (s == "" || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789+.-") != "" || s[0] < 'a') {
				p.Report(m.File, ret.Results[0], edit.Review, "the scheme "+s+" is not one of a URL: since gRPC 1.42 targets with it do not reach this builder",
					"use lower-case letters, digits, +, . and - only, a letter first, here and in every target")
			}
		}
	}
}

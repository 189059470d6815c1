package rules

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"net"
	"strconv"
	"strings"

	"golang.org/x/tools/go/ast/inspector"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// endpointScheme looks at endpoints that New refused and now takes.
//
// Matched: constant strings in Config.Endpoints, appended or set by their index
// too, and in calls of SetEndpoints and NewFromURL. tcp:// is written http://, or
// without a scheme where a client has TLS or may have; other schemes than http,
// https, unix and unixs, and addresses without a port, are reported.
//
// Not matched: endpoints from elsewhere.
var endpointScheme = &Rule{
	ID:    "endpoint-scheme",
	Title: "write endpoints as http://host:port instead of tcp://host:port",
	Before: `package p

import "github.com/coreos/etcd/clientv3"

func connect() (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{Endpoints: []string{"tcp://127.0.0.1:2379"}})
}
`,
	After: `package p

import clientv3 "go.etcd.io/etcd/client/v3"

func connect() (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{Endpoints: []string{"http://127.0.0.1:2379"}})
}
`,
	Why:    "Up to v3.3.13 New failed for an endpoint without a port or with a scheme that it did not know. Now it takes any, and calls hang until their context ends.",
	Since:  "v3.3.14",
	Safety: Adjusted,
	Refs:   []string{"https://github.com/etcd-io/etcd/blob/v3.6.16/client/v3/internal/endpoint/endpoint.go"},
	Run: func(p *Pass) {
		affected := func(f *File) bool { yes, _ := p.before(f, "v3.3.14"); return yes }
		var endpoints []ast.Expr
		tls := map[ast.Expr]bool{} // of any client that has the endpoint
		for _, n := range p.configs() {
			for _, vc := range n.cfg.fields["Endpoints"] {
				if !affected(p.FileOf(vc.Node().Pos())) {
					continue
				}
				for _, e := range p.elements(vc, map[types.Object]bool{}) {
					if _, seen := tls[e]; !seen {
						endpoints = append(endpoints, e)
					}
					tls[e] = tls[e] || len(n.cfg.fields["TLS"]) > 0 || !n.cfg.complete
				}
			}
		}
		for _, r := range p.Refs("clientv3", "Config.Endpoints") {
			_, at := r.Expr()
			if v := elementSet(at); v != nil && affected(r.File) {
				endpoints = append(endpoints, v)
				tls[v] = true // of whichever client
			}
		}
		for _, name := range []string{"Client.SetEndpoints", "NewFromURL"} {
			for _, r := range p.Refs("clientv3", name) {
				if call := r.Call(); call != nil && !call.Ellipsis.IsValid() && affected(r.File) {
					for _, e := range call.Args {
						endpoints = append(endpoints, e)
						tls[e] = name == "Client.SetEndpoints" // as the client was made
					}
				}
			}
		}
		for _, e := range endpoints {
			p.etcdEndpoint(p.FileOf(e.Pos()), e, tls[e])
		}
	},
}

// elements returns what is seen to be put into a slice: the elements of literals,
// those that are appended and those that are set by their index.
func (p *Pass) elements(c inspector.Cursor, seen map[types.Object]bool) []ast.Expr {
	var out []ast.Expr
	find := func(e ast.Expr) {
		if at, ok := c.FindNode(e); ok {
			out = append(out, p.elements(at, seen)...)
		}
	}
	switch e := c.Node().(type) {
	case *ast.ParenExpr:
		find(e.X)
	case *ast.SliceExpr:
		find(e.X)
	case *ast.CompositeLit:
		for _, el := range e.Elts {
			if kv, ok := el.(*ast.KeyValueExpr); ok {
				el = kv.Value
			}
			out = append(out, el)
		}
	case *ast.CallExpr:
		id, ok := ast.Unparen(e.Fun).(*ast.Ident)
		switch {
		case !ok || id.Name != "append" || len(e.Args) == 0:
		case e.Ellipsis.IsValid():
			find(e.Args[0])
			find(e.Args[1])
		default:
			find(e.Args[0])
			out = append(out, e.Args[1:]...)
		}
	case *ast.Ident, *ast.SelectorExpr:
		v, ok := p.object(e.(ast.Expr)).(*types.Var)
		if !ok || seen[v] || v.Pkg() != p.Pkg {
			break
		}
		seen[v] = true
		values, _ := p.valuesOf(v)
		for _, vc := range values {
			out = append(out, p.elements(vc, seen)...)
		}
		for _, u := range p.uses(v) {
			if sel, ok := u.Parent().Node().(*ast.SelectorExpr); ok && sel.Sel == u.Node() {
				u = u.Parent()
			}
			if e := elementSet(u); e != nil {
				out = append(out, e)
			}
		}
	}
	return out
}

// elementSet returns what an element of a slice is set to, nil where none is.
func elementSet(slice inspector.Cursor) ast.Expr {
	x, ok := slice.Parent().Node().(*ast.IndexExpr)
	if !ok || x.X != slice.Node() {
		return nil
	}
	as, i := assignment(slice.Parent())
	if as == nil || len(as.Lhs) != len(as.Rhs) || as.Tok != token.ASSIGN {
		return nil
	}
	return as.Rhs[i]
}

// etcdEndpoint looks at one endpoint. Without a scheme it is TLS that decides.
func (p *Pass) etcdEndpoint(f *File, e ast.Expr, tls bool) {
	lit, isLit := e.(*ast.BasicLit)
	s := ""
	if isLit {
		s, _ = strconv.Unquote(lit.Value)
	} else if tv, ok := p.constant(e); ok && tv.Value.Kind() == constant.String {
		s = constant.StringVal(tv.Value)
	} else {
		return
	}
	scheme, host, ok := strings.Cut(s, "://")
	if !ok {
		scheme, host = "http", s
		if strings.HasPrefix(s, "unix:") || strings.HasPrefix(s, "unixs:") {
			return
		}
	}
	host, _, _ = strings.Cut(host, "/")
	switch scheme {
	case "unix", "unixs":
		return
	case "tcp":
		if isLit && lit.Value == strconv.Quote(s) {
			if tls {
				c := p.Change(edit.Typed, "the client does not know the scheme tcp; without one Config.TLS decides")
				c.Replace(f, lit.Pos()+1, lit.Pos()+token.Pos(1+len("tcp://")), "")
			} else {
				c := p.Change(edit.Typed, "the client does not know the scheme tcp; plain connections are http")
				c.Replace(f, lit.Pos()+1, lit.Pos()+4, "http")
			}
			break
		}
		p.Report(f, e, edit.Review, "the endpoint "+strconv.Quote(s)+" has a scheme that the client does not know; calls would hang", "write http://"+host)
		return
	case "http", "https":
	default:
		p.Report(f, e, edit.Review, "the endpoint "+strconv.Quote(s)+" has a scheme that the client does not know: New failed for it up to v3.3.13, now calls hang", "use http, https, unix or unixs")
		return
	}
	if _, port, err := net.SplitHostPort(host); err != nil || port == "" {
		p.Report(f, e, edit.Review, "the endpoint "+strconv.Quote(s)+" names no port: New failed for it up to v3.3.13, now calls hang", "write host:port, such as "+strconv.Quote("http://127.0.0.1:2379"))
	}
}

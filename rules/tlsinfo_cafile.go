package rules

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"slices"

	"golang.org/x/tools/go/ast/inspector"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// tlsInfoCAFile renames transport.TLSInfo.CAFile.
//
// Matched: the field as a key of a literal and as a selector. Where the value
// serves connections, a CAFile also switched on the check of client
// certificates, which TrustedCAFile alone does not; ClientCertAuth is set
// there. What a value is for is told by following it through the package: to
// the TLS fields of embed.Config, a listener or ServerConfig on one side, to
// ClientConfig on the other.
//
// Not matched: values that set both fields (the two pools were merged).
var tlsInfoCAFile = &Rule{
	ID:    "tlsinfo-cafile",
	Title: "rename transport.TLSInfo.CAFile, keeping client certificates required on servers",
	Before: `package p

import (
	"net"

	"github.com/coreos/etcd/clientv3"
	"github.com/coreos/etcd/pkg/transport"
)

func client(ca string) (*clientv3.Client, error) {
	info := transport.TLSInfo{CAFile: ca}
	tlsConfig, err := info.ClientConfig()
	if err != nil {
		return nil, err
	}
	return clientv3.New(clientv3.Config{Endpoints: []string{"https://127.0.0.1:2379"}, TLS: tlsConfig})
}

func listen(ca string) (net.Listener, error) {
	return transport.NewListener("127.0.0.1:0", "https", &transport.TLSInfo{
		CertFile: "server.crt",
		KeyFile:  "server.key",
		CAFile:   ca,
	})
}
`,
	After: `package p

import (
	"net"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func client(ca string) (*clientv3.Client, error) {
	info := transport.TLSInfo{TrustedCAFile: ca}
	tlsConfig, err := info.ClientConfig()
	if err != nil {
		return nil, err
	}
	return clientv3.New(clientv3.Config{Endpoints: []string{"https://127.0.0.1:2379"}, TLS: tlsConfig})
}

func listen(ca string) (net.Listener, error) {
	return transport.NewListener("127.0.0.1:0", "https", &transport.TLSInfo{
		CertFile:       "server.crt",
		KeyFile:        "server.key",
		TrustedCAFile:  ca,
		ClientCertAuth: ca != "",
	})
}
`,
	Why: "CAFile was removed in 3.4; TrustedCAFile is the pool that stayed. On a server a CAFile alone required client certificates, " +
		"so ClientCertAuth is set as well where the value serves connections. Values whose use cannot be seen are renamed and reported.",
	Since:  "v3.4.0",
	Safety: Same,
	Refs:   []string{"https://github.com/etcd-io/etcd/blob/v3.3.27/pkg/transport/listener.go (TLSInfo.ServerConfig: info.CAFile != \"\" || info.ClientCertAuth)"},
	Claims: []string{"pkg/transport.TLSInfo.CAFile"},
	Run:    runTLSInfoCAFile,
}

func runTLSInfoCAFile(p *Pass) {
	for _, r := range p.Refs("pkg/transport", "TLSInfo.CAFile") {
		if kv, ok := r.Cursor.Parent().Node().(*ast.KeyValueExpr); ok && kv.Key == r.Ident {
			p.caFileKey(r, kv)
		} else {
			p.caFileSelector(r)
		}
	}
	for _, r := range p.untyped("pkg/transport", "CAFile") {
		p.Report(r.File, r.Ident, edit.Review, "CAFile of a value without a type: transport.TLSInfo calls it TrustedCAFile now",
			"if this is a transport.TLSInfo, write TrustedCAFile, and ClientCertAuth: true beside it if it serves connections")
	}
}

func (p *Pass) caFileKey(r Ref, kv *ast.KeyValueExpr) {
	lc := r.Cursor.Parent().Parent()
	lit, ok := lc.Node().(*ast.CompositeLit)
	if !ok {
		return
	}
	l := Literal{File: r.File, Lit: lit, Cursor: lc}
	f := r.File
	if l.Key("TrustedCAFile") != nil {
		p.Report(f, kv, edit.Manual, "CAFile and TrustedCAFile are both set; the two pools were merged, and only TrustedCAFile is left",
			"put the certificates of both files into one and name it TrustedCAFile")
		return
	}
	c := p.Change(r.Tier, "transport.TLSInfo.CAFile is now TrustedCAFile")
	c.ReplaceNode(f, r.Ident, "TrustedCAFile")
	switch p.tlsUse(func(visit func(inspector.Cursor) bool) bool { return p.flow(lc, visit) }) {
	case useServer:
		cond, ok := p.nonEmpty(f, kv.Value)
		auth := l.Key("ClientCertAuth")
		switch {
		case !ok:
			p.reportClientCertAuth(f, kv)
		case cond == "false": // no CA, nothing was required
		case auth == nil:
			c.addField(f, lit, "ClientCertAuth", cond)
		default:
			if tv, ok := p.constant(auth.Value); !ok || tv.Value.Kind() != constant.Bool {
				c.Insert(f, auth.Value.End(), " || "+cond)
			} else if !constant.BoolVal(tv.Value) {
				c.ReplaceNode(f, auth.Value, cond)
			}
		}
	case useUnknown:
		p.reportClientCertAuth(f, kv)
	}
}

func (p *Pass) caFileSelector(r Ref) {
	f, sel := r.File, r.Selector()
	if sel == nil { // promoted through a dot, or a field list: no such code compiles
		return
	}
	_, c := r.Expr()
	as, i := assignment(c)
	ch := func() Change {
		ch := p.Change(r.Tier, "transport.TLSInfo.CAFile is now TrustedCAFile")
		ch.ReplaceNode(f, r.Ident, "TrustedCAFile")
		return ch
	}
	if as == nil {
		ch()
		if u, ok := c.Parent().Node().(*ast.UnaryExpr); ok && u.Op == token.AND && p.caFileUse(sel) != useClient {
			p.reportClientCertAuth(f, sel)
		}
		return
	}
	if p.setElsewhere(f, c, sel, "TrustedCAFile") {
		p.Report(f, sel, edit.Manual, "CAFile and TrustedCAFile are both set; the two pools were merged, and only TrustedCAFile is left",
			"put the certificates of both files into one and name it TrustedCAFile")
		return
	}
	switch p.caFileUse(sel) {
	case useClient:
		ch()
	case useServer:
		cond, ok := "", false
		if len(as.Lhs) == len(as.Rhs) {
			cond, ok = p.nonEmpty(f, as.Rhs[i])
		}
		sc, alone := statement(c.Parent())
		ch := ch()
		if !ok || !alone || sc.Node() != as || p.setElsewhere(f, c, sel, "ClientCertAuth") {
			p.reportClientCertAuth(f, sel)
		} else if cond != "false" {
			ch.Insert(f, f.after(as), f.NL()+f.Indent(as.Pos())+f.Text(sel.X)+".ClientCertAuth = "+cond)
		}
	default:
		ch()
		p.reportClientCertAuth(f, sel)
	}
}

func (p *Pass) reportClientCertAuth(f *File, n ast.Node) {
	p.Report(f, n, edit.Review, "on a server, CAFile required client certificates; TrustedCAFile alone does not",
		"if this transport.TLSInfo serves connections, set ClientCertAuth: true as well")
}

type tlsUse int

const (
	useUnknown tlsUse = iota
	useClient
	useServer
)

// caFileUse tells what the value is for whose field a selector names.
func (p *Pass) caFileUse(sel *ast.SelectorExpr) tlsUse {
	if serverTLS(p.symbolOf(sel.X)) {
		return useServer
	}
	o := p.object(sel.X)
	if o == nil {
		return useUnknown
	}
	return p.tlsUse(func(visit func(inspector.Cursor) bool) bool { return p.flowOf(o, visit) })
}

// tlsUse tells what a TLSInfo is for. A server's wins: a client does not look
// at ClientCertAuth.
func (p *Pass) tlsUse(follow func(visit func(inspector.Cursor) bool) bool) tlsUse {
	use := useUnknown
	follow(func(c inspector.Cursor) bool {
		if s, ok := p.assignedTo(c); ok && serverTLS(s) {
			use = useServer
		}
		e := c.Node()
		switch n := c.Parent().Node().(type) {
		case *ast.SelectorExpr:
			switch s := p.symbolOf(n); {
			case n.X != e || s.Pkg != "pkg/transport":
			case s.Name == "TLSInfo.ServerConfig":
				use = useServer
			case s.Name == "TLSInfo.ClientConfig":
				use = useClient
			}
		case *ast.UnaryExpr, *ast.CallExpr:
			pc := c
			if _, ok := n.(*ast.UnaryExpr); ok {
				pc = c.Parent()
			}
			call, ok := pc.Parent().Node().(*ast.CallExpr)
			if !ok {
				break
			}
			switch s := p.symbolOf(call.Fun); {
			case s.Pkg != "pkg/transport":
			case s.Name == "NewListener", s.Name == "NewTimeoutListener", s.Name == "NewTLSListener", s.Name == "NewListenerWithOpts":
				use = useServer
			case s.Name == "NewTransport", s.Name == "NewTimeoutTransport":
				use = useClient
			}
		}
		return use == useServer
	})
	return use
}

func serverTLS(s Symbol) bool {
	switch s {
	case Symbol{"embed", "Config.ClientTLSInfo"}, Symbol{"embed", "Config.PeerTLSInfo"}, Symbol{"etcdserver", "ServerConfig.PeerTLSInfo"}, Symbol{"etcdserver", "ServerConfig.ClientTLSInfo"}:
		return true
	}
	return false
}

// nonEmpty returns the condition that a string is not empty, as source: "true"
// and "false" for constants. It is not ok for an expression that should not be
// evaluated twice.
func (p *Pass) nonEmpty(f *File, e ast.Expr) (string, bool) {
	if tv, ok := p.constant(e); ok && tv.Value.Kind() == constant.String {
		if constant.StringVal(tv.Value) == "" {
			return "false", true
		}
		return "true", true
	}
	if lit, ok := e.(*ast.BasicLit); ok {
		if lit.Value == `""` || lit.Value == "``" {
			return "false", true
		}
		return "true", true
	}
	if !p.repeatable(e) {
		return "", false
	}
	return f.Text(e) + ` != ""`, true
}

// setElsewhere says whether the struct whose field a selector names has another
// field set: by an assignment in the same function, or in the literal that the
// variable starts from.
func (p *Pass) setElsewhere(f *File, c inspector.Cursor, sel *ast.SelectorExpr, field string) bool {
	base := f.Text(sel.X)
	for fc := range c.Enclosing((*ast.FuncDecl)(nil), (*ast.FuncLit)(nil)) {
		for sc := range fc.Preorder((*ast.SelectorExpr)(nil)) {
			s := sc.Node().(*ast.SelectorExpr)
			if as, _ := assignment(sc); as != nil && s.Sel.Name == field && f.Text(s.X) == base {
				return true
			}
		}
	}
	v, ok := p.object(sel.X).(*types.Var)
	if !ok || v.IsField() {
		return false
	}
	values, _ := p.valuesOf(v)
	return slices.ContainsFunc(values, func(v inspector.Cursor) bool {
		lit := literalOf(v.Node().(ast.Expr))
		return lit != nil && Literal{Lit: lit}.Key(field) != nil
	})
}

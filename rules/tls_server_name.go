package rules

import (
	"go/ast"
	"net/url"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// tlsServerName reports clients whose members must now each have a certificate
// for their own name.
//
// Matched: a Config of code from before 3.5 with endpoints of several hosts in a
// literal and a tls.Config that names no server.
//
// Not matched: endpoints or TLS settings from elsewhere.
var tlsServerName = &Rule{
	ID:    "tls-server-name",
	Title: "report clients that check the name of each member now",
	Before: `package p

import (
	"crypto/tls"

	"github.com/coreos/etcd/clientv3"
)

func connect(cert tls.Certificate) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints: []string{"https://etcd-0:2379", "https://etcd-1:2379"},
		TLS:       &tls.Config{Certificates: []tls.Certificate{cert}},
	})
}
`,
	After: `package p

import (
	"crypto/tls"

	clientv3 "go.etcd.io/etcd/client/v3"
)

func connect(cert tls.Certificate) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints: []string{"https://etcd-0:2379", "https://etcd-1:2379"},
		TLS:       &tls.Config{Certificates: []tls.Certificate{cert}},
	})
}
`,
	Why:    "Up to 3.4 the client checked the certificates of all members against the host of the first endpoint. From 3.5 on each is checked against its own.",
	Since:  "v3.5.0",
	Safety: Report,
	Refs:   []string{"https://github.com/etcd-io/etcd/blob/v3.6.16/client/v3/internal/resolver/resolver.go (updateState)"},
	Run: func(p *Pass) {
		for _, n := range p.configs() {
			eps, tls := n.cfg.fields["Endpoints"], n.cfg.fields["TLS"]
			if len(eps) != 1 || len(tls) != 1 || !p.before35(n.File) {
				continue
			}
			lit := p.literal(tls[0])
			if all := p.literal(eps[0]); all == nil || p.hosts(all.Elts) < 2 || lit == nil {
				continue
			}
			named := func(field string) bool {
				return Literal{Lit: lit}.Key(field) != nil || p.assigns(tls[0].Node().(ast.Expr), field) || p.assignsTLS(field)
			}
			if named("ServerName") || named("InsecureSkipVerify") {
				continue
			}
			p.Report(p.FileOf(lit.Pos()), lit, edit.Review, "each member's certificate is checked against its own host now; up to 3.4 against that of the first endpoint",
				"if the members share a certificate for one name, set ServerName to it")
		}
	},
}

// hosts counts the hosts of endpoints; those without TLS have none, and one that
// is not known here counts for itself.
func (p *Pass) hosts(endpoints []ast.Expr) int {
	n, seen := 0, map[string]bool{}
	for _, e := range endpoints {
		s := p.stringOf(e)
		if s != "" && !strings.Contains(s, "://") {
			s = "https://" + s
		}
		switch u, err := url.Parse(s); {
		case s == "" || err != nil:
			n++
		case u.Scheme == "https" && !seen[u.Hostname()]:
			seen[u.Hostname()] = true
			n++
		}
	}
	return n
}

// assignsTLS says whether a field of the TLS settings of a Config is assigned
// after they were stored there.
func (p *Pass) assignsTLS(field string) bool {
	for _, r := range p.Refs("clientv3", "Config.TLS") {
		_, c := r.Expr()
		if sel, ok := c.Parent().Node().(*ast.SelectorExpr); ok && sel.Sel.Name == field {
			if as, _ := assignment(c.Parent()); as != nil {
				return true
			}
		}
	}
	return false
}

package rules

import (
	"go/ast"
)

// authDialTimeout bounds the login of clients with a user name.
//
// Matched: a Config with Username and Password and, for sure, no DialTimeout.
var authDialTimeout = &Rule{
	ID:    "auth-dial-timeout",
	Title: "give clients with a password a DialTimeout, which bounds their login",
	Before: `package p

import (
	"github.com/coreos/etcd/clientv3"
)

func connect(endpoints []string, user, password string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints: endpoints,
		Username:  user,
		Password:  password,
	})
}
`,
	After: `package p

import (
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

func connect(endpoints []string, user, password string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints:   endpoints,
		Username:    user,
		Password:    password,
		DialTimeout: 5 * time.Second,
	})
}
`,
	Why: "With a user name New fetches a token. Up to v3.3.13 that failed at once when no member could be reached; since then it waits for one as long as DialTimeout says, and forever without it. " +
		"Five seconds is what etcd's own tools wait.",
	Since:  "v3.3.14",
	Safety: Adjusted,
	Refs:   []string{"https://github.com/etcd-io/etcd/blob/v3.6.16/client/v3/client.go (newClient: getToken)"},
	Run: func(p *Pass) {
		done := map[ast.Node]bool{}
		for _, n := range p.configs() {
			if len(n.cfg.literals) != 1 || !n.cfg.unset("DialTimeout") || !p.before35(n.File) || !n.cfg.has(p, "Username") || !n.cfg.has(p, "Password") {
				continue
			}
			lit := n.cfg.literals[0].Node().(*ast.CompositeLit)
			if done[lit] {
				continue
			}
			done[lit] = true
			f := p.FileOf(lit.Pos())
			c := p.Change(n.Tier, "with a password and no DialTimeout clientv3.New waits forever for a member to log in to")
			c.addField(f, lit, "DialTimeout", "5 * "+c.Qualified(f, "time", "Second"))
		}
	},
}

// has says whether a string field is set to something that may not be empty.
func (cc *clientConfig) has(p *Pass, field string) bool {
	for _, v := range cc.fields[field] {
		if !isEmpty(p, v.Node().(ast.Expr)) {
			return true
		}
	}
	return false
}

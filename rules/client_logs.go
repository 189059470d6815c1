package rules

import (
	"go/ast"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// clientLogs reports clients that begin to write to stderr.
//
// Matched: calls of clientv3.New in code from before v3.3.14 whose Config names
// no logger, and programs from before 3.5 that leave gRPC's logger as it is.
// The latter is a matter of the process, so only package main is looked at. And
// calls of KeepAlive whose channel nobody reads.
var clientLogs = &Rule{
	ID:     "client-logs",
	Title:  "report clients that begin to log to stderr",
	Before: clientLogsBefore,
	After: `package p

import (
	clientv3 "go.etcd.io/etcd/client/v3"
)

func connect(endpoints []string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{Endpoints: endpoints})
}
`,
	Why: "Up to v3.3.13 the client was silent. Since then it logs JSON to stderr, with a warning for each retry, unless Config.Logger or LogConfig says otherwise. " +
		"Up to 3.4 importing clientv3 also discarded all of gRPC's logs; from 3.5 on gRPC prints its errors. The rule client-silent adds a logger that drops everything.",
	Since:  "v3.3.14",
	Safety: Report,
	Refs: []string{
		"https://github.com/etcd-io/etcd/blob/v3.6.16/client/v3/client.go (newClient: createDefaultZapLogger)",
		"https://github.com/etcd-io/etcd/blob/v3.4.31/clientv3/logger.go (init)",
	},
	Run: runClientLogs,
}

const clientLogsBefore = `package p

import (
	"github.com/coreos/etcd/clientv3"
)

func connect(endpoints []string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{Endpoints: endpoints})
}
`

func runClientLogs(p *Pass) {
	if p.FromBefore("v3.3.14") { // of code from nowhere nothing is certain, and little is lost
		seen := map[*File]bool{} // one word for a file is enough
		for _, n := range p.configs() {
			if !n.File.test() && !seen[n.File] && len(n.cfg.fields["Logger"]) == 0 && len(n.cfg.fields["LogConfig"]) == 0 {
				seen[n.File] = true
				p.Report(n.File, n.call, edit.Review, "the client was silent up to v3.3.13; now it logs JSON to stderr, a warning for each retry included",
					"set Config.Logger to the program's *zap.Logger, or let `etcdshift migrate --rules client-silent` set zap.NewNop()")
			}
		}
	}
	for _, r := range p.Refs("clientv3", "Lease.KeepAlive") {
		if yes, _ := p.before(r.File, "v3.4.0-0"); yes && ignoresFirst(r) {
			p.Report(r.File, r.Call(), edit.Note, "nobody reads the channel of KeepAlive; from 3.4 on the client logs a warning each time that it is full",
				"read it: go func() { for range ch { } }()")
		}
	}
	if !p.FromBefore("v3.5.0") || len(p.Refs(grpclogPath, "SetLoggerV2"))+len(p.Refs(grpclogPath, "SetLogger"))+len(p.Refs("clientv3", "SetLogger")) > 0 {
		return
	}
	for _, f := range p.Files {
		if f.AST.Name.Name != "main" || f.test() {
			continue
		}
		for _, i := range f.imps {
			if i.rel == "clientv3" {
				p.Report(f, i.spec, edit.Note, "importing clientv3 up to 3.4 discarded all of gRPC's logs; from 3.5 on gRPC prints its errors to stderr",
					"to keep them out: grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))")
				return
			}
		}
	}
}

// ignoresFirst says whether the first result of a call is thrown away.
func ignoresFirst(r Ref) bool {
	if r.Call() == nil {
		return false
	}
	_, ec := r.Expr()
	switch n := parent(parent(ec)).Node().(type) {
	case *ast.ExprStmt:
		return true
	case *ast.AssignStmt:
		id, ok := n.Lhs[0].(*ast.Ident)
		return ok && len(n.Rhs) == 1 && id.Name == "_"
	}
	return false
}

// clientSilent adds a logger that drops everything to clients that log nowhere
// else. It runs only when it is asked for.
var clientSilent = &Rule{
	ID:     "client-silent",
	Title:  "give clients without a logger one that drops everything",
	Before: clientLogsBefore,
	After: `package p

import (
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

func connect(endpoints []string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{Endpoints: endpoints, Logger: zap.NewNop()})
}
`,
	Why:    "Keeps a client of v3.3.13 or older as silent as it was. It is opt-in, since the warnings are worth having where somebody reads them.",
	Since:  "v3.3.14",
	Safety: Same,
	OptIn:  true,
	Refs:   []string{"https://github.com/etcd-io/etcd/blob/v3.6.16/client/v3/config.go (Config.Logger)"},
	Run: func(p *Pass) {
		done := map[ast.Node]bool{}
		for _, n := range p.configs() {
			if len(n.cfg.fields["Logger"]) > 0 || len(n.cfg.fields["LogConfig"]) > 0 {
				continue
			}
			for _, lc := range n.cfg.literals {
				lit := lc.Node().(*ast.CompositeLit)
				if done[lit] {
					continue
				}
				done[lit] = true
				f := p.FileOf(lit.Pos())
				c := p.Change(n.Tier, "the client logs to stderr now; this logger drops everything")
				c.addField(f, lit, "Logger", c.Qualified(f, "go.uber.org/zap", "NewNop()"))
			}
		}
	},
}

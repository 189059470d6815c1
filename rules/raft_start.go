package rules

import (
	"go/ast"
	"go/token"
	"go/types"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// raftStart starts raft nodes in the way of 3.4 and later.
//
// Matched: NewRawNode with peers, whose results are assigned: the peers are
// bootstrapped when the log is empty, as NewRawNode did itself, and when there
// are any: a node that joins has none. And StartNode
// without peers, which now panics: it restarts the node.
//
// Not matched: NewRawNode in other places; and StartNode with peers that may
// be none, as those of a node that joins; these become findings.
var raftStart = &Rule{
	ID:    "raft-start",
	Title: "bootstrap raft nodes, and restart those without peers",
	Before: `package p

import (
	"github.com/coreos/etcd/raft"
)

func raw(cfg *raft.Config, peers []raft.Peer) (*raft.RawNode, error) {
	rn, err := raft.NewRawNode(cfg, peers)
	if err != nil {
		return nil, err
	}
	return rn, nil
}

func join(cfg *raft.Config) raft.Node { return raft.StartNode(cfg, nil) }
`,
	After: `package p

import (
	raft "go.etcd.io/raft/v3"
)

func raw(cfg *raft.Config, peers []raft.Peer) (*raft.RawNode, error) {
	rn, err := raft.NewRawNode(cfg)
	if err == nil {
		if last, lastErr := cfg.Storage.LastIndex(); lastErr == nil && last == 0 && len(peers) > 0 {
			err = rn.Bootstrap(peers)
		}
	}
	if err != nil {
		return nil, err
	}
	return rn, nil
}

func join(cfg *raft.Config) raft.Node { return raft.RestartNode(cfg) }
`,
	Why:    "Raft no longer writes the first configuration by itself: Bootstrap does, and fails for a log that holds something and for no peers. StartNode panics without peers since 3.4.",
	Since:  "v3.4.0",
	Safety: Same,
	Refs: []string{
		"https://github.com/etcd-io/raft/blob/v3.6.0/bootstrap.go",
		"https://github.com/etcd-io/raft/blob/v3.6.0/node.go",
	},
	Claims: []string{"raft.NewRawNode"},
	Run:    runRaftStart,
}

func runRaftStart(p *Pass) {
	for h := range p.Broken() {
		p.newRawNode(h)
	}
	if p.atTarget() {
		return
	}
	for _, r := range p.Refs("raft", "StartNode") {
		p.startNode(r)
	}
}

func (p *Pass) newRawNode(h Hit) {
	f, call := h.File, h.Call()
	if call == nil || len(call.Args) != 2 {
		p.reportBroken(h)
		return
	}
	if none(call.Args[1]) {
		c := p.Change(h.Tier, "NewRawNode takes no peers")
		c.Replace(f, call.Args[0].End(), call.Args[1].End(), "")
		return
	}
	_, at := h.Expr()
	at = at.Parent()
	stmt, stmtAt, ok := StatementOf(at)
	assign, isAssign := stmt.(*ast.AssignStmt)
	if !ok || !isAssign || stmtAt.Node() != stmt || len(assign.Lhs) != 2 || assign.Rhs[0] != call || !Simple(call.Args[0]) || !Simple(call.Args[1]) {
		p.Report(f, call, edit.Manual, "raft.NewRawNode takes no peers in etcd "+string(p.Target.Line),
			"`rn, err := raft.NewRawNode(cfg)`, then, for an empty log, `err = rn.Bootstrap(peers)`")
		return
	}
	node, err := f.Text(assign.Lhs[0]), f.Text(assign.Lhs[1])
	if node == "_" || err == "_" {
		p.Report(f, call, edit.Manual, "raft.NewRawNode takes no peers in etcd "+string(p.Target.Line), "call `rn.Bootstrap(peers)` for an empty log, and look at its error")
		return
	}
	cfg, peers := f.Text(call.Args[0]), f.Text(call.Args[1])
	c := p.Change(h.Tier, "raft nodes are bootstrapped with their peers")
	c.Replace(f, call.Args[0].End(), call.Args[1].End(), "")
	// Without peers Bootstrap fails, where NewRawNode did not.
	last := f.Free("last", "lastIndex", "index")
	c.Insert(f, f.after(stmt), f.indented("\nif "+err+" == nil {\n\tif "+last+", lastErr := "+cfg+".Storage.LastIndex(); lastErr == nil && "+last+" == 0 && len("+peers+") > 0 {\n\t\t"+err+" = "+node+".Bootstrap("+peers+")\n\t}\n}", f.Indent(stmt.Pos())))
}

// none says whether an expression is nil or an empty literal.
func none(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name == "nil"
	case *ast.CompositeLit:
		return len(e.Elts) == 0
	}
	return false
}

func (p *Pass) startNode(r Ref) {
	f, call := r.File, r.Call()
	if call == nil || len(call.Args) != 2 {
		return
	}
	peers := call.Args[1]
	if none(peers) {
		c := p.Change(r.Tier, "a node without peers is restarted")
		c.ReplaceNode(f, r.Ident, "RestartNode")
		c.Replace(f, call.Args[0].End(), peers.End(), "")
		return
	}
	if !p.FromBefore("v3.4.0") || !p.maybeNone(peers) {
		return
	}
	p.Report(f, call, edit.Review, "raft.StartNode panics without peers since etcd 3.4",
		"call `raft.RestartNode(cfg)` where the node joins and has no peers")
}

// maybeNone says whether peers are a variable that the package also sets to
// nothing.
func (p *Pass) maybeNone(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	if !ok || p.Info == nil {
		return false
	}
	obj, ok := p.Info.Uses[id].(*types.Var)
	if !ok {
		return false
	}
	found := false
	for use := range p.usesOf(obj) {
		if a, ok := use.Parent().Node().(*ast.AssignStmt); ok && a.Tok == token.ASSIGN && len(a.Lhs) == len(a.Rhs) {
			for i := range a.Lhs {
				found = found || a.Lhs[i] == use.Node() && none(a.Rhs[i])
			}
		}
	}
	return found
}

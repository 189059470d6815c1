package rules

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ast/inspector"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// walConfState records the configuration with snapshots in the log.
//
// Matched: walpb.Snapshot values whose Index comes from the metadata of a raft
// snapshot, in a literal or an assignment: the ConfState comes from there, too.
//
// Not matched: values that only say where to open a log, which needs none, and
// other indexes; those that may go into SaveSnapshot become findings, since the
// log refuses them.
var walConfState = &Rule{
	ID:    "wal-conf-state",
	Title: "record the configuration with snapshots in the write-ahead log",
	Before: `package p

import (
	"go.etcd.io/etcd/raft/raftpb"
	"go.etcd.io/etcd/wal"
	"go.etcd.io/etcd/wal/walpb"
)

func save(w *wal.WAL, snap raftpb.Snapshot) error {
	return w.SaveSnapshot(walpb.Snapshot{
		Index: snap.Metadata.Index,
		Term:  snap.Metadata.Term,
	})
}
`,
	After: `package p

import (
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

func save(w *wal.WAL, snap *raftpb.Snapshot) error {
	return w.SaveSnapshot(&walpb.Snapshot{
		Index:     proto.Uint64(snap.Metadata.GetIndex()),
		Term:      proto.Uint64(snap.Metadata.GetTerm()),
		ConfState: snap.GetMetadata().GetConfState(),
	})
}
`,
	Why:    "Since 3.5 SaveSnapshot fails for a snapshot without ConfState, unless its index is 0.",
	Since:  "v3.5.0",
	Safety: Same,
	Refs:   []string{"https://github.com/etcd-io/etcd/blob/v3.5.0/server/wal/walpb/record.go"},
	Run:    runWALConfState,
}

func runWALConfState(p *Pass) {
	if p.From != "" && !p.FromBefore("v3.5.0-alpha.0") {
		return
	}
	for _, l := range p.Literals("wal/walpb", "Snapshot") {
		index := l.Key("Index")
		if !l.Keyed() || index == nil || l.Key("ConfState") != nil || p.opensLog(l.Cursor, nil) {
			continue
		}
		f := l.File
		value, ok := p.confStateBeside(f, index.Value)
		if !ok {
			continue
		}
		c := p.Change(l.Tier, "snapshots in the log have their configuration")
		// Not at the end of the last value, where another rule may close a
		// bracket around it.
		first, last := l.Lit.Elts[0], l.Lit.Elts[len(l.Lit.Elts)-1]
		if f.SameLine(last.End(), l.Lit.Rbrace) {
			c.Insert(f, first.Pos(), "ConfState: "+value+", ")
			continue
		}
		start, _ := f.lines(&ast.BasicLit{ValuePos: l.Lit.Rbrace})
		c.replace(f, start, start, f.Indent(last.Pos())+"ConfState: "+value+","+f.NL())
	}
	set := map[ast.Stmt]bool{}
	for _, r := range p.Refs("wal/walpb", "Snapshot.ConfState") {
		if s, _, ok := StatementOf(r.Cursor); ok {
			set[s] = true
		}
	}
	for _, r := range p.Refs("wal/walpb", "Snapshot.Index") {
		sel := r.Selector()
		s, at, ok := StatementOf(r.Cursor)
		n, isAssign := s.(*ast.AssignStmt)
		if !ok || !isAssign || sel == nil || n.Tok != token.ASSIGN || len(n.Lhs) != len(n.Rhs) {
			continue
		}
		i := slices.Index(n.Lhs, ast.Expr(sel))
		if i < 0 || set[n] || len(following(at)) > 0 && set[following(at)[0]] {
			continue
		}
		if id, ok := sel.X.(*ast.Ident); ok && p.Info != nil && p.variableOpensLog(p.Info.Uses[id], nil) {
			continue
		}
		f := r.File
		_, end := f.lines(n)
		value, ok := p.confStateBeside(f, n.Rhs[i])
		if !ok || !f.endsLine(n) {
			continue
		}
		c := p.Change(r.Tier, "snapshots in the log have their configuration")
		c.replace(f, end, end, f.Indent(n.Pos())+f.Text(sel.X)+".ConfState = "+value+f.NL())
	}
}

// confStateBeside returns the configuration that belongs to an index of a raft
// snapshot, and reports other indexes than 0.
func (p *Pass) confStateBeside(f *File, index ast.Expr) (string, bool) {
	meta, ok := strings.CutSuffix(f.Text(index), ".Metadata.Index")
	if sel, isSel := index.(*ast.SelectorExpr); ok && isSel && p.Info != nil {
		ok = IsType(p.TypeOf(sel.X), "raft/raftpb", "SnapshotMetadata")
	}
	if !ok || !Simple(index) {
		if lit, isLit := index.(*ast.BasicLit); !isLit || lit.Value != "0" {
			p.Report(f, index, edit.Review, "SaveSnapshot fails for a snapshot without ConfState since etcd 3.5", "set ConfState to the configuration at that index: `ConfState: &snap.Metadata.ConfState`")
		}
		return "", false
	}
	if p.Target.Line == atlas.Line37 {
		return meta + ".GetMetadata().GetConfState()", true // a pointer there already, which may be nil
	}
	return "&" + meta + ".Metadata.ConfState", true
}

// opensLog says whether a value goes nowhere but into functions that open or
// verify a log, by itself or through variables.
func (p *Pass) opensLog(c inspector.Cursor, seen []types.Object) bool {
	if p.Info == nil {
		return false
	}
	up := parent(c)
	switch n := up.Node().(type) {
	case *ast.UnaryExpr:
		return n.Op == token.AND && p.opensLog(up, seen)
	case *ast.CallExpr:
		i := slices.Index(n.Args, c.Node().(ast.Expr))
		fn := p.callee(ast.Unparen(n.Fun))
		if i < 0 || fn == nil || fn.Pkg() == nil || fn.Signature().Variadic() {
			return false
		}
		if canonical(fn.Pkg().Path()) == "wal" {
			return fn.Signature().Recv() == nil
		}
		return fn.Pkg() == p.Pkg && p.variableOpensLog(fn.Origin().Signature().Params().At(i), seen)
	case *ast.AssignStmt:
		i := slices.Index(n.Rhs, c.Node().(ast.Expr))
		if i < 0 || len(n.Lhs) != len(n.Rhs) {
			return false
		}
		id, ok := n.Lhs[i].(*ast.Ident)
		return ok && p.variableOpensLog(p.Info.ObjectOf(id), seen)
	}
	return false
}

// variableOpensLog is opensLog for what a variable of a function holds.
func (p *Pass) variableOpensLog(obj types.Object, seen []types.Object) bool {
	v, ok := obj.(*types.Var)
	if !ok || v.IsField() || v.Pkg() != p.Pkg || v.Parent() == p.Pkg.Scope() {
		return false
	}
	if slices.Contains(seen, obj) {
		return true
	}
	seen = append(seen, obj)
	for _, c := range p.uses(obj) {
		switch n := parent(c).Node().(type) {
		case *ast.Field, *ast.ValueSpec: // its declaration
			continue
		case *ast.SelectorExpr: // a field
			continue
		case *ast.AssignStmt:
			if slices.Contains(n.Lhs, c.Node().(ast.Expr)) {
				continue
			}
		}
		if !p.opensLog(c, seen) {
			return false
		}
	}
	return true
}

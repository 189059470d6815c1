package rules

import (
	"go/ast"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// walConfState records the configuration with snapshots in the log.
//
// Matched: walpb.Snapshot literals whose Index comes from the metadata of a
// raft snapshot: the ConfState comes from there, too.
//
// Not matched: literals with other indexes; those that go into SaveSnapshot
// become findings, since the log refuses them.
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
		ConfState: snap.Metadata.GetConfState(),
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
		if !l.Keyed() || len(l.Lit.Elts) == 0 || l.Key("ConfState") != nil {
			continue
		}
		index := l.Key("Index")
		if index == nil {
			continue
		}
		f := l.File
		text := f.Text(index.Value)
		meta, ok := strings.CutSuffix(text, ".Metadata.Index")
		if !ok || !Simple(index.Value) {
			if lit, isLit := index.Value.(*ast.BasicLit); isLit && lit.Value == "0" {
				continue
			}
			if call, isCall := l.Cursor.Parent().Node().(*ast.CallExpr); isCall {
				if sel, isSel := call.Fun.(*ast.SelectorExpr); isSel && sel.Sel.Name == "SaveSnapshot" {
					p.Report(f, l.Lit, edit.Review, "SaveSnapshot fails for a snapshot without ConfState since etcd 3.5", "set ConfState to the configuration at that index: `ConfState: &snap.Metadata.ConfState`")
				}
			}
			continue
		}
		c := p.Change(l.Tier, "snapshots in the log have their configuration")
		elt := "ConfState: &" + meta + ".Metadata.ConfState"
		if p.Target.Line == atlas.Line37 {
			elt = "ConfState: " + meta + ".Metadata.GetConfState()" // a pointer there already
		}
		// Not at the end of the last value, where another rule may close a
		// bracket around it.
		first, last := l.Lit.Elts[0], l.Lit.Elts[len(l.Lit.Elts)-1]
		if f.SameLine(last.End(), l.Lit.Rbrace) {
			c.Insert(f, first.Pos(), elt+", ")
			continue
		}
		start, _ := f.lines(&ast.BasicLit{ValuePos: l.Lit.Rbrace})
		c.replace(f, start, start, f.Indent(last.Pos())+elt+","+f.NL())
	}
}

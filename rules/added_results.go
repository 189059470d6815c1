package rules

import (
	"go/ast"
	"slices"
	"strings"

	"github.com/etcdshift/etcdshift/rules/atlas"
)

// addedResults drops results that functions have gained in front of those
// that the code uses.
//
// Matched: calls whose results are assigned, returned or not used at all.
//
// Not matched: calls inside other expressions, and results that were added
// behind the old ones: those are mostly errors, and somebody has to look at
// them.
var addedResults = &Rule{
	ID:    "added-results",
	Title: "drop the results that functions have gained",
	Before: `package p

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.uber.org/zap"
)

func save(ctx context.Context, lg *zap.Logger, cfg clientv3.Config, path string) error {
	return snapshot.NewV3(lg).Save(ctx, cfg, path)
}
`,
	After: `package p

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.uber.org/zap"
)

func save(ctx context.Context, lg *zap.Logger, cfg clientv3.Config, path string) error {
	_, err := snapshot.NewV3(lg).Save(ctx, cfg, path)
	return err
}
`,
	Why:    "The new result is something that old code did without: the version of a saved snapshot, the state of a verified log.",
	Since:  "v3.5.0",
	Safety: Same,
	Refs: []string{
		"https://github.com/etcd-io/etcd/blob/v3.5.0/server/wal/wal.go",
		"https://github.com/etcd-io/etcd/blob/v3.6.0/client/v3/snapshot/v3_snapshot.go",
	},
	Answers: func(b *atlas.Break) bool {
		for _, l := range atlas.Lines() {
			now, ok := parseSignature(b.NewIn(l))
			if !ok {
				continue
			}
			for i := range b.Forms {
				old, ok := parseSignature(b.Forms[i].Sig)
				if c, _ := b.From(b.Forms[i].Releases[0], l); ok && c > atlas.Compat && leading(old, now) > 0 && callable(old, now, sameType) {
					return true
				}
			}
		}
		return false
	},
	Run: func(p *Pass) {
		for h := range p.Broken() {
			old, _ := parseSignature(h.Form.Sig)
			now, ok := parseSignature(h.Break.NewIn(p.Target.Line))
			n := leading(old, now)
			if !ok || n == 0 || !callable(old, now, pointerOf) {
				p.reportBroken(h)
				continue
			}
			c := p.Change(h.Tier, "%s has more results", h.Symbol)
			if !p.dropResults(c, h, n) {
				p.reportBroken(h)
			}
		}
	},
}

func sameType(a, b string) bool { return a == b }

// pointerOf takes a message and a pointer to it for the same: which of them a
// message is, is another rule's.
func pointerOf(a, b string) bool {
	return b == "*"+a || strings.HasPrefix(a, "[]") && b == "[]*"+strings.TrimPrefix(a, "[]")
}

// leading returns how many results stand in front of the old ones in a new
// signature.
func leading(old, now signature) int {
	n := len(now.results) - len(old.results)
	if n <= 0 || len(old.results) == 0 || !slices.Equal(typesOf(old.results), typesOf(now.results[n:])) {
		return 0
	}
	return n
}

// dropResults makes room for n results in front of those that a call's
// context takes. It is false where that takes more than blanks.
func (p *Pass) dropResults(c Change, h Hit, n int) bool {
	call, f := h.Call(), h.File
	if call == nil {
		return false
	}
	_, at := h.Expr()
	for at.Node() != call {
		at = at.Parent()
	}
	blanks := strings.Repeat("_, ", n)
	switch s := at.Parent().Node().(type) {
	case *ast.ExprStmt, *ast.DeferStmt, *ast.GoStmt:
		return true
	case *ast.AssignStmt:
		if len(s.Rhs) != 1 {
			return false
		}
		c.Insert(f, s.Lhs[0].Pos(), blanks)
		return true
	case *ast.ValueSpec:
		if len(s.Values) != 1 || s.Type != nil {
			return false
		}
		c.Insert(f, s.Names[0].Pos(), blanks)
		return true
	case *ast.ReturnStmt:
		_, stmt, ok := StatementOf(at)
		old, _ := parseSignature(h.Form.Sig)
		if len(s.Results) != 1 || !ok || p.Pkg == nil || stmt.Node() != s || len(old.results) != 1 || old.results[0].typ != "error" {
			return false
		}
		name := p.errName(stmt)
		define := " := "
		if scope := p.Pkg.Scope().Innermost(s.Pos()); scope != nil && scope.Lookup(name) != nil {
			define = " = " // a named result, or an err declared before
		}
		c.Replace(f, s.Pos(), call.Pos(), blanks+name+define)
		c.Insert(f, s.End(), f.indented("\nreturn "+name, f.Indent(s.Pos())))
		return true
	}
	return false
}

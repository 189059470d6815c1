package rules

import (
	"go/ast"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// testutilLeaks registers the check for leaked goroutines instead of
// deferring it.
//
// Matched: defer testutil.AfterTest(t). A call that is not deferred checks at
// once, and goes on to.
//
// Not matched: AfterTest as a value.
var testutilLeaks = &Rule{
	ID:    "testutil-leaks",
	Title: "register the check for leaked goroutines",
	Before: `package p

import (
	"testing"

	"github.com/coreos/etcd/pkg/testutil"
)

func TestClose(t *testing.T) {
	defer testutil.AfterTest(t)
}
`,
	After: `package p

import (
	"testing"

	"go.etcd.io/etcd/client/pkg/v3/testutil"
)

func TestClose(t *testing.T) {
	testutil.RegisterLeakDetection(t)
}
`,
	Why:    "RegisterLeakDetection checks when the test cleans up, after all deferred calls. It also looks for goroutines at once, and skips the test when an earlier one has left some.",
	Since:  "v3.5.0",
	Safety: Adjusted,
	Refs:   []string{"https://github.com/etcd-io/etcd/blob/v3.5.0/client/pkg/testutil/leak.go"},
	Claims: []string{"pkg/testutil.AfterTest"},
	Run: func(p *Pass) {
		for _, r := range p.Refs("pkg/testutil", "AfterTest") {
			_, at := r.Expr()
			if p.checkLeaksNow(r) {
				continue
			}
			d, ok := at.Parent().Parent().Node().(*ast.DeferStmt)
			if !ok || r.Call() == nil || d.Call != r.Call() {
				p.Report(r.File, r.Ident, edit.Manual, "testutil.AfterTest is gone", "call `testutil.RegisterLeakDetection(t)` at the start of the test")
				continue
			}
			c := p.Change(r.Tier, "testutil.AfterTest is now RegisterLeakDetection")
			c.Replace(r.File, d.Pos(), d.Call.Pos(), "")
			c.ReplaceNode(r.File, r.Ident, "RegisterLeakDetection")
		}
	},
}

// checkLeaksNow writes what AfterTest does where it is not deferred.
func (p *Pass) checkLeaksNow(r Ref) bool {
	f, call := r.File, r.Call()
	_, at := r.Expr()
	s, ok := at.Parent().Parent().Node().(*ast.ExprStmt)
	if !ok || s.X != call || len(call.Args) != 1 || !Simple(call.Args[0]) {
		return false
	}
	c := p.Change(r.Tier, "testutil.AfterTest is gone; CheckAfterTest checks at once")
	test := f.Text(call.Args[0])
	hold := "300 * " + c.Import(f, "time") + ".Millisecond"
	c.Insert(f, s.Pos(), "if err := ")
	c.ReplaceNode(f, r.Ident, "CheckAfterTest")
	c.ReplaceNode(f, call.Args[0], hold)
	c.Insert(f, s.End(), f.indented("; err != nil {\n\t"+test+".Errorf(\"Test %v\", err)\n}", f.Indent(s.Pos())))
	return true
}

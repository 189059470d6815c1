package rules

import (
	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

const requirePath = "github.com/stretchr/testify/require"

// testutilAssert moves AssertEqual to testify.
//
// Matched: calls with at most one message, or those of a slice. Messages of
// etcd are compared with proto.Equal in 3.7, as message-compare does.
//
// Not matched: several messages, which AssertEqual joined and require formats,
// and AssertEqual as a value.
var testutilAssert = &Rule{
	ID:    "testutil-assert",
	Title: "compare with testify instead of testutil.AssertEqual",
	Before: `package p

import (
	"testing"

	"go.etcd.io/etcd/pkg/testutil"
)

func TestSum(t *testing.T) {
	testutil.AssertEqual(t, 3, 1+2, "sum")
}
`,
	After: `package p

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSum(t *testing.T) {
	require.Equal(t, 3, 1+2, "sum")
}
`,
	Why:     "etcd's tests use testify since 3.6. Both stop the test and compare deeply; AssertEqual also took a nil pointer for equal to nil.",
	Since:   "v3.6.0",
	Targets: []atlas.Line{atlas.Line36, atlas.Line37},
	Safety:  Same,
	Refs:    []string{"https://github.com/etcd-io/etcd/blob/v3.6.0/client/pkg/testutil/assert.go"},
	Claims:  []string{"pkg/testutil.AssertEqual"},
	Run: func(p *Pass) {
		for _, r := range p.Refs("pkg/testutil", "AssertEqual") {
			call := r.Call()
			if call == nil || len(call.Args) > 4 {
				p.Report(r.File, r.Ident, edit.Manual, "testutil.AssertEqual is gone from etcd "+string(p.Target.Line),
					"`require.Equal(t, expected, actual, message)` of "+requirePath)
				continue
			}
			e, _ := r.Expr()
			if p.Target.Line == atlas.Line37 && p.Info != nil && len(call.Args) > 2 && !isNil(call.Args[1]) && !isNil(call.Args[2]) {
				_, ok := comparable(p, call.Args[1])
				_, ok2 := comparable(p, call.Args[2])
				if ok && ok2 && !call.Ellipsis.IsValid() {
					compare(p, call, 1, func(c Change, f *File) {
						c.ReplaceNode(f, e, c.Qualified(f, requirePath, "True"))
						c.Insert(f, call.Args[1].Pos(), c.Qualified(f, googleProto, "Equal")+"(")
						c.Insert(f, call.Args[2].End(), ")")
					})
					continue
				}
				reportCompare(p, call, call.Args[1], call.Args[2])
			}
			c := p.Change(r.Tier, "testutil.AssertEqual is now require.Equal")
			c.ReplaceNode(r.File, e, c.Qualified(r.File, requirePath, "Equal"))
			if call.Ellipsis.IsValid() { // strings, where require takes anything
				c.Insert(r.File, call.Args[3].Pos(), c.Qualified(r.File, "strings", "Join("))
				c.Replace(r.File, call.Args[3].End(), call.Ellipsis+3, `, " ")`)
			}
		}
	},
}

package rules

import (
	"go/ast"
	"go/token"

	"github.com/etcdshift/etcdshift/rules/atlas"
)

// bytesField converts at fields that were strings and hold bytes now.
//
// Matched: values in literals and assignments, and reads.
//
// Not matched: fields whose address is taken, or that are assigned along with
// others; they become findings.
var bytesField = &Rule{
	ID:    "bytes-field",
	Title: "convert strings at fields that hold bytes now",
	Before: `package p

import (
	pb "github.com/coreos/etcd/etcdserver/etcdserverpb"
)

func revoke(key string) string {
	r := &pb.AuthRoleRevokePermissionRequest{Role: "r", Key: key}
	return r.Key
}
`,
	After: `package p

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

func revoke(key string) string {
	r := &pb.AuthRoleRevokePermissionRequest{Role: "r", Key: []byte(key)}
	return string(r.Key)
}
`,
	Why:    "Keys of permissions are bytes since 3.4, as all other keys are.",
	Since:  "v3.4.0",
	Safety: Same,
	Refs:   []string{"https://github.com/etcd-io/etcd/blob/v3.4.0/etcdserver/etcdserverpb/rpc.proto"},
	Answers: func(b *atlas.Break) bool {
		for _, l := range atlas.Lines() {
			for i := range b.Forms {
				if toBytes(&b.Forms[i], b.NewIn(l)) {
					return true
				}
			}
		}
		return false
	},
	Run: func(p *Pass) {
		for h := range p.Broken() {
			if !toBytes(h.Form, h.Break.NewIn(p.Target.Line)) || !p.convertBytes(h) {
				p.reportBroken(h)
			}
		}
	},
}

// toBytes says whether a form gives a string where another gives bytes.
func toBytes(f *atlas.Form, now string) bool {
	old, w := plainSig(f.Sig), plainSig(now)
	return old == "string" && w == "[]byte" || old == "()(string)" && w == "()([]byte)"
}

func (p *Pass) convertBytes(h Hit) bool {
	f := h.File
	e, at := h.Expr()
	wrap := func(e ast.Expr, with string) {
		c := p.Change(h.Tier, "%s holds bytes", h.Symbol)
		c.Insert(f, e.Pos(), with+"(")
		c.Insert(f, e.End(), ")")
	}
	if call := h.Call(); call != nil {
		wrap(call, "string")
		return true
	}
	switch n := at.Parent().Node().(type) {
	case *ast.KeyValueExpr:
		if n.Key == e && h.Selector() == nil { // a field, not the key of a map
			wrap(n.Value, "[]byte")
			return true
		}
	case *ast.AssignStmt:
		for i, l := range n.Lhs {
			if l != e {
				continue
			}
			if len(n.Lhs) != len(n.Rhs) || n.Tok != token.ASSIGN {
				return false
			}
			wrap(n.Rhs[i], "[]byte")
			return true
		}
	case *ast.UnaryExpr:
		return false
	}
	if _, isFunc := parseSignature(h.Form.Sig); isFunc {
		return false
	}
	wrap(e, "string")
	return true
}

package rules

import (
	"go/ast"
	"go/types"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// messageLiteral gives keys to literals of messages that have none.
//
// Matched: literals of messages, and of types made from them, clientv3's and the
// repository's own, whose elements stand without keys.
//
// Not matched, but reported: those that set fields which changed or are gone.
var messageLiteral = &Rule{
	ID:    "message-literal",
	Title: "write the keys in literals of messages",
	Before: `package p

import (
	pb "go.etcd.io/etcd/etcdserver/etcdserverpb"
)

func header(id uint64) *pb.ResponseHeader {
	return &pb.ResponseHeader{id, 1, 2, 3}
}
`,
	After: `package p

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

func header(id uint64) *pb.ResponseHeader {
	return &pb.ResponseHeader{ClusterId: id, MemberId: 1, Revision: 2, RaftTerm: 3}
}
`,
	Why:     "A message of 3.7 has hidden fields in front of its own, so that literals without keys do not compile.",
	Since:   "v3.7.0",
	Targets: []atlas.Line{atlas.Line37},
	Safety:  Same,
	Refs:    []string{"https://protobuf.dev/reference/go/go-generated/#message"},
	Run:     runMessageLiteral,
}

func runMessageLiteral(p *Pass) {
	if !p.usesMessages() {
		return
	}
	for c := range p.Inspector().Root().Preorder((*ast.CompositeLit)(nil)) {
		lit := c.Node().(*ast.CompositeLit)
		if len(lit.Elts) == 0 || (Literal{Lit: lit}).Keyed() {
			continue
		}
		n, ok := p.madeFromMessage(deref2(p.TypeOf(lit)))
		if !ok {
			continue
		}
		sym, _ := TypeSymbol(n)
		st := n.Underlying().(*types.Struct)
		if st.NumFields() < len(lit.Elts) {
			continue
		}
		gone := false
		for i := range lit.Elts {
			_, changed := optionalField(Symbol{sym.Pkg, sym.Name + "." + st.Field(i).Name()})
			gone = gone || changed || strings.HasPrefix(st.Field(i).Name(), "XXX_")
		}
		f := p.FileOf(lit.Pos())
		if gone {
			p.Report(f, lit, edit.Manual, "this literal of "+short(sym)+" has no keys, and its fields are others in 3.7", "write it with keys and run etcdshift again")
			continue
		}
		c := p.Change(p.Tier, "literal of %s with keys", short(sym))
		for i, el := range lit.Elts {
			c.Insert(f, el.Pos(), st.Field(i).Name()+": ")
		}
	}
}

// madeFromMessage returns the message that a type is, or is defined as.
func (p *Pass) madeFromMessage(t types.Type) (*types.Named, bool) {
	if n, ok := oldMessage(t); ok {
		return n, true
	}
	if _, named := types.Unalias(t).(*types.Named); !named {
		return nil, false
	}
	st, ok := t.Underlying().(*types.Struct)
	if !ok || st.NumFields() == 0 {
		return nil, false
	}
	sym, ok := p.symbol(st.Field(0)) // whose fields it has
	if !ok {
		return nil, false
	}
	typ, _, _ := strings.Cut(sym.Name, ".")
	obj := st.Field(0).Pkg().Scope().Lookup(typ)
	if obj == nil {
		return nil, false
	}
	return oldMessage(obj.Type())
}

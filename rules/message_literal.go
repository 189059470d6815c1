package rules

import (
	"go/types"
	"maps"
	"slices"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// messageLiteral gives keys to literals of messages that have none.
//
// Matched: literals of messages, and of the types of clientv3 made from them,
// whose elements stand without keys.
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
	syms := slices.SortedFunc(maps.Keys(p.index.lits), func(a, b Symbol) int { return strings.Compare(a.String(), b.String()) })
	for _, sym := range syms {
		for _, l := range p.index.lits[sym] {
			if l.Keyed() || l.Tier == edit.Syntax {
				continue
			}
			n, ok := oldMessage(deref2(p.TypeOf(l.Lit)))
			if !ok {
				continue
			}
			st := n.Underlying().(*types.Struct)
			if st.NumFields() < len(l.Lit.Elts) {
				continue
			}
			gone := false
			for i := range l.Lit.Elts {
				_, changed := optionalField(Symbol{sym.Pkg, sym.Name + "." + st.Field(i).Name()})
				gone = gone || changed || strings.HasPrefix(st.Field(i).Name(), "XXX_")
			}
			if gone {
				p.Report(l.File, l.Lit, edit.Manual, "this literal of "+short(sym)+" has no keys, and its fields are others in 3.7", "write it with keys and run etcdshift again")
				continue
			}
			c := p.Change(l.Tier, "literal of %s with keys", short(sym))
			for i, el := range l.Lit.Elts {
				c.Insert(l.File, el.Pos(), st.Field(i).Name()+": ")
			}
		}
	}
}

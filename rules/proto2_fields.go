package rules

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
	"sync"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// proto2Fields follows the fields of raftpb, walpb and snappb that hold a
// number, a truth value or an enum: they became pointers, and some names
// changed (NodeID to NodeId).
//
// Matched: reads, which go through the getters; keys of literals, assignments
// and increments, which make a pointer with proto.Uint64 and the like, or with
// the Enum method.
//
// Not matched, but reported: addresses of such fields, assignments from a call
// with several results, and reads in types that the repository makes from a
// message, which have no getters.
var proto2Fields = &Rule{
	ID:    "proto2-fields",
	Title: "read and write optional fields of raftpb, walpb and snappb",
	Before: `package p

import (
	"go.etcd.io/etcd/raft/raftpb"
)

func next(e *raftpb.Entry) *raftpb.Entry {
	if e.Type != raftpb.EntryNormal {
		return nil
	}
	return &raftpb.Entry{Index: e.Index + 1, Term: e.Term, Type: raftpb.EntryConfChange}
}

func change(cc *raftpb.ConfChange, node uint64) {
	cc.Type = raftpb.ConfChangeAddNode
	cc.NodeID = node
}
`,
	After: `package p

import (
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

func next(e *raftpb.Entry) *raftpb.Entry {
	if e.GetType() != raftpb.EntryNormal {
		return nil
	}
	return &raftpb.Entry{Index: proto.Uint64(e.GetIndex() + 1), Term: proto.Uint64(e.GetTerm()), Type: raftpb.EntryConfChange.Enum()}
}

func change(cc *raftpb.ConfChange, node uint64) {
	cc.Type = raftpb.ConfChangeAddNode.Enum()
	cc.NodeId = proto.Uint64(node)
}
`,
	Why:     "raftpb, walpb and snappb are proto2, whose optional fields are pointers in google.golang.org/protobuf. An unset field reads as zero through its getter, as before.",
	Since:   "v3.7.0",
	Targets: []atlas.Line{atlas.Line37},
	Safety:  Same,
	Refs: []string{
		"https://protobuf.dev/reference/go/go-generated/#singular-scalar-proto2",
		"https://github.com/etcd-io/raft/blob/main/raftpb/raft.proto",
	},
	Answers: func(b *atlas.Break) bool {
		if !onlyIn37(b) {
			return false
		}
		_, ok := optionalField(Symbol{b.Pkg, b.Symbol})
		return ok
	},
	Run: runProto2Fields,
}

// optional is a scalar field that became a pointer.
type optional struct {
	name string // in 3.7
	typ  string // its scalar type, or the name of its enum
	enum bool
}

// renamedFields are the fields whose name changed with it.
var renamedFields = map[Symbol]string{
	{"raft/raftpb", "ConfChange.ID"}:           "Id",
	{"raft/raftpb", "ConfChange.NodeID"}:       "NodeId",
	{"raft/raftpb", "ConfChangeSingle.NodeID"}: "NodeId",
}

// optionalFields are those fields, as the atlas tells them: the old
// declaration is a scalar, the new one a pointer to it.
var optionalFields = sync.OnceValue(func() map[Symbol]optional {
	out := map[Symbol]optional{}
	for _, pkg := range messagePackages {
		for _, b := range atlas.BreaksOf(pkg) {
			typ, field, ok := strings.Cut(b.Symbol, ".")
			if !ok || !onlyIn37(&b) {
				continue
			}
			sym := Symbol{pkg, b.Symbol}
			o := optional{name: field}
			now := b.NewIn(atlas.Line37)
			if n, ok := renamedFields[sym]; ok {
				o.name = n
				s, _ := atlas.Lookup(pkg, typ+"."+n, string(atlas.Line37))
				now = s.Sig
			}
			old, ok1 := strings.CutPrefix(b.Old, "field "+field+" ")
			now, ok2 := strings.CutPrefix(now, "field "+o.name+" *")
			if !ok1 || !ok2 || old != now {
				continue
			}
			o.typ = now
			switch now {
			case "bool", "int32", "int64", "uint32", "uint64", "string", "float32", "float64":
			default:
				if s, ok := atlas.Lookup(pkg, now, string(atlas.Line37)); !ok || !strings.HasSuffix(s.Sig, " int32") {
					continue // a message
				}
				o.enum = true
			}
			out[sym] = o
		}
	}
	return out
})

func optionalField(s Symbol) (optional, bool) {
	if !slices.Contains(messagePackages, s.Pkg) {
		return optional{}, false // as most are, without a look into the tables
	}
	o, ok := optionalFields()[s]
	return o, ok
}

func runProto2Fields(p *Pass) {
	if !p.usesMessages() {
		return
	}
	for _, pkg := range messagePackages {
		for _, r := range p.RefsTo(pkg) {
			o, ok := optionalField(r.Symbol)
			if !ok || r.Obj == nil {
				continue
			}
			if _, pointer := r.Obj.Type().Underlying().(*types.Pointer); !pointer {
				optionalUse(p, r, o)
			}
		}
	}
}

func optionalUse(p *Pass, r Ref, o optional) {
	f := r.File
	if kv, ok := r.Cursor.Parent().Node().(*ast.KeyValueExpr); ok && kv.Key == r.Ident {
		c := p.Change(p.Tier, "%s is optional", short(r.Symbol))
		c.rename(f, r.Ident, o.name)
		c.pointTo(f, kv.Value, r, o)
		return
	}
	sel := r.Selector()
	if sel == nil {
		return
	}
	own := ""
	if s := p.selected(sel); s != nil {
		t := deref(s.Recv())
		for _, i := range s.Index()[:len(s.Index())-1] {
			t = deref(t.Underlying().(*types.Struct).Field(i).Type())
		}
		if _, message := oldMessage(t); !message {
			own = types.TypeString(t, types.RelativeTo(p.Pkg))
		}
	}
	cur := r.Cursor.Parent()
	for {
		if _, ok := cur.Parent().Node().(*ast.ParenExpr); !ok {
			break
		}
		cur = cur.Parent()
	}
	switch n := cur.Parent().Node().(type) {
	case *ast.AssignStmt:
		i := -1
		for k, l := range n.Lhs {
			if l == cur.Node() {
				i = k
			}
		}
		switch {
		case i < 0:
			break // on the right
		case len(n.Lhs) != len(n.Rhs):
			p.Report(f, n, edit.Manual, short(r.Symbol)+" is a pointer in 3.7 and set from a call with several results here",
				"take the result in a variable v and set the field to "+pointerAdvice(o, "v"))
			return
		case n.Tok == token.ASSIGN:
			c := p.Change(p.Tier, "%s is optional", short(r.Symbol))
			c.rename(f, r.Ident, o.name)
			c.pointTo(f, n.Rhs[i], r, o)
			return
		default:
			if own != "" {
				p.reportOwn(f, n, r, o, own)
				return
			}
			if !Simple(sel.X) || o.enum {
				p.Report(f, n, edit.Manual, short(r.Symbol)+" is a pointer in 3.7", "write x."+o.name+" = "+pointerAdvice(o, "x.Get"+o.name+"() "+strings.TrimSuffix(n.Tok.String(), "=")+" …"))
				return
			}
			c := p.Change(p.Tier, "%s is optional", short(r.Symbol))
			c.rename(f, r.Ident, o.name)
			c.Replace(f, n.TokPos, n.TokPos+token.Pos(len(n.Tok.String())), "=")
			op, open, end := strings.TrimSuffix(n.Tok.String(), "="), "", ")"
			if _, ok := n.Rhs[0].(*ast.BinaryExpr); ok {
				open, end = "(", "))"
			}
			c.Insert(f, n.Rhs[0].Pos(), c.Qualified(f, googleProto, scalarFunc(o.typ))+"("+f.Text(sel.X)+".Get"+o.name+"() "+op+" "+open)
			c.Insert(f, n.Rhs[0].End(), end)
			return
		}
	case *ast.IncDecStmt:
		if own != "" {
			p.reportOwn(f, n, r, o, own)
			return
		}
		if !Simple(sel.X) {
			p.Report(f, n, edit.Manual, short(r.Symbol)+" is a pointer in 3.7", "write x."+o.name+" = "+pointerAdvice(o, "x.Get"+o.name+"() + 1"))
			return
		}
		c := p.Change(p.Tier, "%s is optional", short(r.Symbol))
		c.rename(f, r.Ident, o.name)
		op := " + 1)"
		if n.Tok == token.DEC {
			op = " - 1)"
		}
		c.Replace(f, n.TokPos, n.TokPos+2, " = "+c.Qualified(f, googleProto, scalarFunc(o.typ))+"("+f.Text(sel.X)+".Get"+o.name+"()"+op)
		return
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			p.Report(f, n, edit.Manual, short(r.Symbol)+" is a pointer in 3.7, and its address is taken here", "use the field itself, which is nil while it is not set")
			return
		}
	}
	if own != "" {
		p.reportOwn(f, sel, r, o, own)
		return
	}
	if !addressable(p, sel.X) && !pointerResult(p, sel.X) {
		p.Report(f, sel, edit.Manual, short(r.Symbol)+" is a pointer in 3.7, and its getter needs a variable", "take the message in a variable first, or write *x."+o.name)
		return
	}
	c := p.Change(p.Tier, "%s is read through its getter", short(r.Symbol))
	c.ReplaceNode(f, r.Ident, "Get"+o.name+"()")
}

// reportOwn reports a read of a field of a type that is made from a message: it
// has the fields, but no getters.
func (p *Pass) reportOwn(f *File, n ast.Node, r Ref, o optional, own string) {
	message := strings.TrimSuffix(short(r.Symbol), "."+r.Ident.Name)
	p.Report(f, n, edit.Manual, short(r.Symbol)+" is a pointer in 3.7, and "+own+" has no getter for it", "convert to the message: (*"+message+")(x).Get"+o.name+"(), of a pointer x")
}

// pointerResult says whether a message by value will be a pointer.
func pointerResult(p *Pass, e ast.Expr) bool { return p.pointers().byPointer(e) }

func (c Change) rename(f *File, id *ast.Ident, name string) {
	if id.Name != name {
		c.ReplaceNode(f, id, name)
	}
}

// pointTo wraps a value into a pointer to it.
func (c Change) pointTo(f *File, v ast.Expr, r Ref, o optional) {
	if !o.enum {
		c.Insert(f, v.Pos(), c.Qualified(f, googleProto, scalarFunc(o.typ))+"(")
		c.Insert(f, v.End(), ")")
		return
	}
	switch {
	case c.p.hasOwnType(v):
		c.Insert(f, v.End(), ".Enum()")
	default: // a constant without a type, an operation
		c.Insert(f, v.Pos(), c.home(f, r.Pkg, o.typ)+"(")
		c.Insert(f, v.End(), ").Enum()")
	}
}

// hasOwnType says whether a method can be called on a value of an enum as it
// stands: it is no operation, and no constant that gets its type where it is
// used.
func (p *Pass) hasOwnType(v ast.Expr) bool {
	switch v := v.(type) {
	case *ast.ParenExpr:
		return p.hasOwnType(v.X)
	case *ast.Ident:
		k, ok := p.Info.Uses[v].(*types.Const)
		return !ok || !isUntyped(k.Type())
	case *ast.SelectorExpr:
		return p.hasOwnType(v.Sel)
	case *ast.CallExpr, *ast.IndexExpr:
		return true
	}
	return false
}

func isUntyped(t types.Type) bool {
	b, ok := t.(*types.Basic)
	return ok && b.Info()&types.IsUntyped != 0
}

func pointerAdvice(o optional, v string) string {
	if o.enum {
		return v + ".Enum()"
	}
	return "proto." + scalarFunc(o.typ) + "(" + v + ")"
}

// scalarFunc names the function of package proto that makes a pointer.
func scalarFunc(typ string) string { return strings.ToUpper(typ[:1]) + typ[1:] }

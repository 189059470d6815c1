package rules

import (
	"go/ast"
	"go/types"
	"reflect"
	"slices"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// messageJSON reports encoding/json on messages whose JSON changes.
//
// Matched: calls that encode or decode a value which holds a message with a
// oneof (the parts of transactions, comparisons, watch requests), or a
// clientv3.WatchResponse, where encoding/json looks for it; calls that encode one
// of the messages of raft and its log whose fields became pointers. The JSON of
// all other messages stays.
var messageJSON = &Rule{
	ID:    "message-json",
	Title: "report JSON of messages that changes",
	Before: `package p

import (
	"encoding/json"

	pb "github.com/coreos/etcd/etcdserver/etcdserverpb"
)

func save(txn *pb.TxnRequest) ([]byte, error) { return json.Marshal(txn) }
`,
	After: `package p

import (
	"encoding/json"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

func save(txn *pb.TxnRequest) ([]byte, error) { return json.Marshal(txn) }
`,
	Why:     `encoding/json wrote the content of a oneof under its protobuf name ({"Request":{"request_put":…}}) and writes it under its Go name from 3.7 ({"Request":{"RequestPut":…}}). A WatchResponse without header has "Header":null in place of {}. A field of raftpb, walpb or snappb that is not set is left out where it was written as zero ("Term":0); what reads it finds zero as before. Stored or exchanged JSON has to be read in both forms.`,
	Since:   "v3.7.0",
	Targets: []atlas.Line{atlas.Line37},
	Safety:  Report,
	Refs:    []string{"https://pkg.go.dev/google.golang.org/protobuf/encoding/protojson"},
	Run: func(p *Pass) {
		if !p.usesMessages() {
			return
		}
		for c := range p.Inspector().Root().Preorder((*ast.CallExpr)(nil)) {
			call := c.Node().(*ast.CallExpr)
			fn := p.callee(ast.Unparen(call.Fun))
			if fn == nil || fn.Pkg() == nil || fn.Pkg().Path() != "encoding/json" ||
				!slices.Contains([]string{"Marshal", "MarshalIndent", "Unmarshal", "Encode", "Decode"}, fn.Name()) {
				continue
			}
			own := "MarshalJSON"
			if fn.Name() == "Unmarshal" || fn.Name() == "Decode" {
				own = "UnmarshalJSON"
			}
			for _, a := range call.Args {
				sym, ok := jsonChanges(p.TypeOf(a), own, map[types.Type]bool{})
				if !ok {
					continue
				}
				p.Report(p.FileOf(call.Pos()), call, edit.Review, "the JSON of "+short(sym)+" changes in 3.7: see `etcdshift rules message-json`",
					"use protojson, whose format is fixed, or read both forms of what was stored")
				break
			}
		}
	},
}

// oneofMessages are the messages with a oneof.
var oneofMessages = []string{"RequestOp", "ResponseOp", "Compare", "WatchRequest"}

// hasOptional says whether a message has fields that became pointers.
func hasOptional(message Symbol) bool {
	if !slices.Contains(messagePackages, message.Pkg) {
		return false
	}
	for s := range optionalFields() {
		if typ, _, _ := strings.Cut(s.Name, "."); s.Pkg == message.Pkg && typ == message.Name {
			return true
		}
	}
	return false
}

// jsonChanges returns a message whose JSON changes that a value of a type
// holds or points to. What is below a type that has the method own is written
// or read by that.
func jsonChanges(t types.Type, own string, seen map[types.Type]bool) (Symbol, bool) {
	if t == nil || seen[t] {
		return Symbol{}, false
	}
	seen[t] = true
	if sym, ok := TypeSymbol(t); ok {
		if own == "MarshalJSON" && hasOptional(sym) {
			_, old := oldMessage(deref(t))
			return sym, old
		}
		if sym.Pkg == "etcdserver/etcdserverpb" && slices.Contains(oneofMessages, sym.Name) {
			_, old := oldMessage(deref(t))
			return sym, old
		}
		if sym == (Symbol{"clientv3", "WatchResponse"}) {
			s, ok := deref(t).Underlying().(*types.Struct)
			if !ok || s.NumFields() == 0 {
				return sym, false
			}
			_, old := oldMessage(s.Field(0).Type())
			return sym, old
		}
	}
	if m, _, _ := types.LookupFieldOrMethod(t, true, nil, own); m != nil {
		return Symbol{}, false
	}
	switch u := t.Underlying().(type) {
	case *types.Pointer:
		return jsonChanges(u.Elem(), own, seen)
	case *types.Slice:
		return jsonChanges(u.Elem(), own, seen)
	case *types.Array:
		return jsonChanges(u.Elem(), own, seen)
	case *types.Map:
		return jsonChanges(u.Elem(), own, seen)
	case *types.Struct:
		for i := range u.NumFields() {
			f := u.Field(i)
			if !f.Exported() && !f.Embedded() || reflect.StructTag(u.Tag(i)).Get("json") == "-" {
				continue
			}
			if sym, ok := jsonChanges(f.Type(), own, seen); ok {
				return sym, true
			}
		}
	}
	return Symbol{}, false
}

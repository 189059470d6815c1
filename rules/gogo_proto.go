package rules

import (
	"go/ast"
	"go/types"
	"slices"
	"strconv"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// gogoCalls gives messages of etcd to google.golang.org/protobuf in place of
// gogo/protobuf.
//
// Matched: calls of gogo's proto functions whose message is statically one of
// etcd's. Where a file uses gogo's proto for nothing else, its import moves;
// where it has messages of its own, both are imported.
//
// Not matched, but reported: writers of text and JSON, whose options differ,
// and messages of etcd that are passed on as gogo's proto.Message, or compared
// and merged with one.
//
// github.com/golang/protobuf takes the new messages as it is and stays.
var gogoCalls = &Rule{
	ID:    "gogo-proto",
	Title: "handle etcd's messages with google.golang.org/protobuf, not gogo/protobuf",
	Before: `package p

import (
	"github.com/coreos/etcd/mvcc/mvccpb"
	"github.com/gogo/protobuf/proto"
)

func decode(data []byte) (*mvccpb.KeyValue, error) {
	kv := &mvccpb.KeyValue{}
	if err := proto.Unmarshal(data, kv); err != nil {
		return nil, err
	}
	return proto.Clone(kv).(*mvccpb.KeyValue), nil
}
`,
	After: `package p

import (
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"
)

func decode(data []byte) (*mvccpb.KeyValue, error) {
	kv := &mvccpb.KeyValue{}
	if err := proto.Unmarshal(data, kv); err != nil {
		return nil, err
	}
	return proto.Clone(kv).(*mvccpb.KeyValue), nil
}
`,
	Why:     "gogo/protobuf compiles with the messages of 3.7 but does not know them: Unmarshal, Clone and text output panic, Equal is always false. The functions of google.golang.org/protobuf/proto have the same names.",
	Since:   "v3.7.0",
	Targets: []atlas.Line{atlas.Line37},
	Safety:  Same,
	Refs: []string{
		"https://pkg.go.dev/google.golang.org/protobuf/proto",
		"https://pkg.go.dev/github.com/gogo/protobuf/proto",
	},
	Run: runGogoCalls,
}

// gogoSame are the functions that have the same name and arguments in both.
var gogoSame = map[string]bool{"Marshal": true, "Unmarshal": true, "Size": true, "Clone": true, "Equal": true, "Merge": true, "Reset": true}

// gogoOther are the functions that have another counterpart.
var gogoOther = []string{"CompactTextString", "MarshalTextString", "UnmarshalMerge", "UnmarshalText"}

// gogoScalars make pointers to scalars, in both.
var gogoScalars = []string{"Bool", "Float32", "Float64", "Int32", "Int64", "String", "Uint32", "Uint64"}

func runGogoCalls(p *Pass) {
	if p.Info == nil || len(p.RefsTo(gogoProto)) == 0 && len(p.RefsTo(gogoJSONPB)) == 0 {
		return
	}
	byFile := map[*File][]Ref{}
	for _, r := range p.RefsTo(gogoProto) {
		byFile[r.File] = append(byFile[r.File], r)
	}
	handled := map[ast.Expr]bool{} // messages whose call was looked at
	for _, f := range p.Files {
		if refs := byFile[f]; len(refs) > 0 {
			gogoFile(p, f, refs, handled)
		}
	}
	for _, r := range p.RefsTo(gogoJSONPB) {
		gogoJSON(p, r, handled)
	}
	p.implicitConversions(func(f *File, e ast.Expr, to types.Type) {
		if handled[ast.Unparen(e)] || !IsType(to, gogoProto, "Message") {
			return
		}
		if n, _, ok := p.protoMessage(e); ok {
			sym, _ := TypeSymbol(n)
			p.Report(f, e, edit.Review, short(sym)+" is passed on as gogo/protobuf's proto.Message, most of whose functions panic with it from 3.7",
				"take the proto.Message of "+googleProto+" there")
		}
	})
}

// gogoFile handles the uses of gogo's proto in a file.
func gogoFile(p *Pass, f *File, refs []Ref, handled map[ast.Expr]bool) {
	var same, other []Ref // calls with an etcd message: of the same name in both, and others
	whole := true         // nothing in the file needs gogo
	for _, r := range refs {
		call := r.Call()
		if gogoMessage(p, call) == nil {
			whole = whole && slices.Contains(gogoScalars, r.Name)
			continue
		}
		for _, a := range call.Args {
			handled[ast.Unparen(a)] = true
		}
		if gogoSame[r.Name] && r.Selector() != nil && staysGogo(p, r, call) {
			whole = false
			p.Report(f, call, edit.Manual, "gogo/protobuf's "+r.Name+" does not know the messages of 3.7, and here goes with gogo's proto.Message",
				"use the proto.Message and the "+r.Name+" of "+googleProto)
			continue
		}
		if gogoSame[r.Name] && r.Selector() != nil {
			same = append(same, r)
			continue
		}
		whole = whole && slices.Contains(gogoOther, r.Name) && r.Selector() != nil
		other = append(other, r)
	}
	imp := f.importOf(gogoProto)
	if whole && len(same) > 0 && imp != nil && imp.name != "." && imp.name != "_" && f.importOf(googleProto) == nil {
		c := p.Change(p.Tier, "%s replaces gogo/protobuf here, which holds messages of etcd only", googleProto)
		c.ReplaceNode(f, imp.spec.Path, strconv.Quote(googleProto))
		imp.final = googleProto
		same = nil
	}
	for _, r := range same {
		c := p.Change(p.Tier, "messages of etcd are for %s", googleProto)
		c.ReplaceNode(f, r.Selector().X, c.Import(f, googleProto))
	}
	for _, r := range other {
		gogoText(p, r, r.Call())
	}
}

// staysGogo says whether a call takes another message beside one of etcd, or
// gives one that is not turned into its own type at once: what
// google.golang.org/protobuf takes and gives does not fit there.
func staysGogo(p *Pass, r Ref, call *ast.CallExpr) bool {
	for _, a := range call.Args {
		if isNil(a) {
			continue
		}
		t := orInvalid(p.TypeOf(a))
		_, pointer := t.Underlying().(*types.Pointer)
		if _, _, ok := p.protoMessage(a); !ok && (pointer || types.IsInterface(t)) {
			return true
		}
	}
	if r.Name != "Clone" {
		return false
	}
	_, c := r.Expr()
	_, ok := parent(parent(c)).Node().(*ast.TypeAssertExpr)
	return !ok
}

// importOf returns the import of a path in a file, nil when there is none or
// more than one.
func (f *File) importOf(path string) *fileImport {
	var out *fileImport
	for _, i := range f.imps {
		if i.path == path {
			if out != nil {
				return nil
			}
			out = i
		}
	}
	return out
}

// gogoMessage returns the argument of a call that is a message of etcd.
func gogoMessage(p *Pass, call *ast.CallExpr) ast.Expr {
	if call == nil {
		return nil
	}
	for _, a := range call.Args {
		if _, pointer, ok := p.protoMessage(a); ok && pointer {
			return a
		}
	}
	return nil
}

// gogoText rewrites or reports the functions that have another name.
func gogoText(p *Pass, r Ref, call *ast.CallExpr) {
	f := r.File
	sel := r.Selector()
	if sel == nil {
		p.Report(f, call, edit.Manual, "gogo/protobuf's "+r.Name+" does not know the messages of 3.7", "use "+googleProto)
		return
	}
	switch r.Name {
	case "UnmarshalMerge":
		c := p.Change(p.Tier, "UnmarshalMerge is an option of %s", googleProto)
		text := c.Import(f, googleProto) + ".UnmarshalOptions{Merge: true}"
		if inCondition(r) {
			text = "(" + text + ")"
		}
		c.ReplaceNode(f, sel, text+".Unmarshal")
	case "MarshalTextString":
		c := p.Change(p.Tier, "text comes from prototext")
		c.ReplaceNode(f, sel, c.Qualified(f, googlePrototext, "Format"))
	case "CompactTextString":
		c := p.Change(p.Tier, "text comes from prototext")
		text := c.Qualified(f, googlePrototext, "MarshalOptions") + "{}"
		if inCondition(r) {
			text = "(" + text + ")"
		}
		c.ReplaceNode(f, sel, text+".Format")
	case "UnmarshalText":
		c := p.Change(p.Tier, "text is read by prototext")
		c.ReplaceNode(f, sel, c.Qualified(f, googlePrototext, "Unmarshal"))
		c.Insert(f, call.Args[0].Pos(), "[]byte(")
		c.Insert(f, call.Args[0].End(), ")")
	default:
		advice := "use " + googleProto
		if r.Name == "MarshalText" || r.Name == "CompactText" {
			advice = "write the result of prototext.Format(m) of " + googlePrototext + " to the writer"
		}
		p.Report(f, sel, edit.Manual, "gogo/protobuf's proto."+r.Name+" panics with messages of 3.7", advice)
	}
}

// gogoJSON rewrites or reports gogo's jsonpb for messages of etcd.
func gogoJSON(p *Pass, r Ref, handled map[ast.Expr]bool) {
	call := r.Call()
	msg := gogoMessage(p, call)
	if msg == nil {
		return
	}
	handled[ast.Unparen(msg)] = true
	f := r.File
	switch r.Name {
	case "UnmarshalString":
		if sel := r.Selector(); sel != nil {
			c := p.Change(p.Tier, "JSON is read by protojson")
			c.ReplaceNode(f, sel, c.Qualified(f, googleProtojson, "Unmarshal"))
			c.Insert(f, call.Args[0].Pos(), "[]byte(")
			c.Insert(f, call.Args[0].End(), ")")
			return
		}
	case "Marshaler.MarshalToString", "Marshaler.Marshal":
		p.Report(f, call, edit.Manual, "gogo/protobuf's jsonpb panics with messages of 3.7",
			"use protojson.MarshalOptions{…}.Marshal(m) of "+googleProtojson+": OrigName is UseProtoNames, EnumsAsInts is UseEnumNumbers, EmitDefaults is EmitUnpopulated")
		return
	}
	p.Report(f, call, edit.Manual, "gogo/protobuf's jsonpb panics with messages of 3.7",
		"read all bytes and use protojson.UnmarshalOptions{…}.Unmarshal(data, m) of "+googleProtojson+": AllowUnknownFields is DiscardUnknown")
}

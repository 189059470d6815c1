package rules

import (
	"go/ast"
	"go/scanner"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// protoMethods replaces the methods that gogo/protobuf generated for messages.
//
// Matched: calls of Marshal, Unmarshal and Size on a message, and pbutil's
// MustMarshal and MustUnmarshal of one. Unmarshal used to merge into the
// message, proto.Unmarshal resets it first: plain proto.Unmarshal is written
// for a variable that is fresh, proto.UnmarshalOptions{Merge: true} for any
// other.
//
// Not matched, but reported: method values, methods reached through an
// embedded message, MarshalTo and the rest of the generated code, and messages
// passed as an interface that asks for such methods.
var protoMethods = &Rule{
	ID:    "proto-methods",
	Title: "call proto.Marshal, Unmarshal and Size in place of methods of messages",
	Before: `package p

import (
	"github.com/coreos/etcd/mvcc/mvccpb"
)

func copyOf(kv *mvccpb.KeyValue) (*mvccpb.KeyValue, int, error) {
	data, err := kv.Marshal()
	if err != nil {
		return nil, 0, err
	}
	var out mvccpb.KeyValue
	if err := out.Unmarshal(data); err != nil {
		return nil, 0, err
	}
	return &out, kv.Size(), nil
}
`,
	After: `package p

import (
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"
)

func copyOf(kv *mvccpb.KeyValue) (*mvccpb.KeyValue, int, error) {
	data, err := proto.Marshal(kv)
	if err != nil {
		return nil, 0, err
	}
	var out mvccpb.KeyValue
	if err := proto.Unmarshal(data, &out); err != nil {
		return nil, 0, err
	}
	return &out, proto.Size(kv), nil
}
`,
	Why:     "Messages of google.golang.org/protobuf have no Marshal, Unmarshal and Size methods; package proto has functions. The wire format is the same.",
	Since:   "v3.7.0",
	Targets: []atlas.Line{atlas.Line37},
	Safety:  Same,
	Refs: []string{
		"https://pkg.go.dev/google.golang.org/protobuf/proto",
	},
	Answers: func(b *atlas.Break) bool {
		_, member, _ := strings.Cut(b.Symbol, ".")
		return onlyIn37(b) && slices.Contains(messagePackages, b.Pkg) &&
			(slices.Contains([]string{"Marshal", "Unmarshal", "Size"}, member) || generatedAdvice(member) != "" || generatedAdvice(b.Symbol) != "")
	},
	Run: runProtoMethods,
}

// generatedAdvice says what to do about generated code that has no counterpart
// to be written in its place; "" for all that stays.
func generatedAdvice(name string) string {
	switch {
	case name == "MarshalTo":
		return "write out, err := proto.MarshalOptions{}.MarshalAppend(buf[:0], m); n is len(out)"
	case name == "MarshalToSizedBuffer":
		return "write proto.MarshalOptions{}.MarshalAppend(buf[:0], m), which fills the buffer from its start"
	case name == "Descriptor":
		return "use m.ProtoReflect().Descriptor()"
	case strings.HasPrefix(name, "ErrIntOverflow"), strings.HasPrefix(name, "ErrInvalidLength"):
		return "test the error of proto.Unmarshal with errors.Is(err, proto.Error)"
	case strings.HasPrefix(name, "XXX_unrecognized"):
		return "use m.ProtoReflect().GetUnknown()"
	case strings.HasPrefix(name, "XXX_"):
		return "use the functions of " + googleProto + ", or m.ProtoReflect()"
	}
	return ""
}

func runProtoMethods(p *Pass) {
	if !p.usesMessages() {
		reportSyntaxMethods(p)
		return
	}
	for _, pkg := range messagePackages {
		for _, r := range p.RefsTo(pkg) {
			if !oldRef(r) {
				continue
			}
			name := r.Name
			if i := strings.IndexByte(name, '.'); i >= 0 {
				name = name[i+1:]
			}
			switch name {
			case "Marshal", "Unmarshal", "Size":
				if _, ok := r.Obj.(*types.Func); ok {
					protoMethod(p, r, name)
				}
			default:
				b := atlas.BreakOf(r.Pkg, r.Name)
				if advice := generatedAdvice(name); advice != "" && b != nil && b.In(p.Target.Line) != atlas.None {
					e, _ := r.Expr()
					p.Report(r.File, e, edit.Manual, short(r.Symbol)+" is gone with gogo/protobuf in 3.7", advice)
				}
			}
		}
	}
	for _, f := range []struct{ old, now string }{{"MustMarshal", "MustMarshalMessage"}, {"MustUnmarshal", "MustUnmarshalMessage"}, {"MaybeUnmarshal", ""}} {
		for _, r := range p.Refs("pkg/pbutil", f.old) {
			pbutil(p, r, f.now)
		}
	}
	reportLostMethods(p)
}

// oldRef says whether a reference is to code that gogo/protobuf generated.
func oldRef(r Ref) bool {
	if r.Obj == nil || r.Obj.Pkg() == nil {
		return false
	}
	for _, imp := range r.Obj.Pkg().Imports() {
		if imp.Path() == "google.golang.org/protobuf/reflect/protoreflect" {
			return false
		}
	}
	return true
}

func protoMethod(p *Pass, r Ref, name string) {
	sel, call := r.Selector(), r.Call()
	if sel == nil {
		return // a declaration
	}
	if call == nil {
		p.Report(r.File, sel, edit.Manual, "method "+short(r.Symbol)+" is gone in 3.7 and used as a value here",
			"write a function that calls proto."+name+" of "+googleProto)
		return
	}
	_, pointer, ok := p.protoMessage(sel.X)
	if !ok {
		if t := p.TypeOf(sel.X); t == nil || types.IsInterface(t) {
			return
		}
		if name == "Size" && p.sizeOfOneof(r, call, sel) {
			return
		}
		p.Report(r.File, call, edit.Manual, "method "+short(r.Symbol)+" is gone in 3.7; it comes from an embedded message here",
			"write proto."+name+" of the embedded message")
		return
	}
	x := sel.X
	addr := ""
	if !pointer && !p.pointers().byPointer(x) {
		if !addressable(p, x) {
			p.Report(r.File, call, edit.Manual, "method "+short(r.Symbol)+" is gone in 3.7", "hold the message in a variable m and write proto."+name+"(&m)")
			return
		}
		addr = "&"
	}
	c := p.Change(p.Tier, "%s of messages is a function of package proto", name)
	pkg := c.Import(r.File, googleProto)
	if name != "Unmarshal" {
		c.Insert(r.File, call.Pos(), pkg+"."+name+"("+addr)
		c.Replace(r.File, x.End(), call.End(), ")")
		return
	}
	// proto.Unmarshal(b, m): the message moves behind the bytes.
	fun := pkg + ".Unmarshal"
	if !p.freshMessage(x) {
		fun = pkg + ".UnmarshalOptions{Merge: true}.Unmarshal"
		if inCondition(r) {
			fun = "(" + pkg + ".UnmarshalOptions{Merge: true}).Unmarshal"
		}
	}
	text := r.File.Text(x)
	if p.pointers().byPointer(x) {
		if u, ok := ast.Unparen(x).(*ast.StarExpr); ok {
			text = r.File.Text(u.X)
		}
	} else if pr, ok := x.(*ast.ParenExpr); ok { // (&m).Unmarshal(b)
		text = r.File.Text(pr.X)
	}
	c.Replace(r.File, call.Pos(), call.Lparen, fun)
	if comma := r.File.trailingComma(call); comma.IsValid() {
		c.Replace(r.File, comma, comma+1, ", "+addr+text+",")
		return
	}
	// The parenthesis is replaced, not preceded: another rule may insert at
	// the end of the argument.
	c.Replace(r.File, call.Rparen, call.Rparen+1, ", "+addr+text+")")
}

// trailingComma returns the position of the comma behind the last argument of
// a call that ends on a line of its own, if there is one.
func (f *File) trailingComma(call *ast.CallExpr) token.Pos {
	if len(call.Args) == 0 {
		return token.NoPos
	}
	end := call.Args[len(call.Args)-1].End()
	var s scanner.Scanner
	src := f.Src[f.Offset(end):f.Offset(call.Rparen)]
	s.Init(token.NewFileSet().AddFile("", 1, len(src)), src, nil, 0)
	for {
		pos, tok, _ := s.Scan()
		switch tok {
		case token.COMMA:
			return end + pos - 1
		case token.EOF:
			return token.NoPos
		}
	}
}

// oneofs are the fields that hold the wrappers of oneofs, by the beginning of
// their names.
var oneofs = map[string]string{
	"Compare_": "TargetUnion", "RequestOp_": "Request", "ResponseOp_": "Response", "WatchRequest_": "RequestUnion",
}

// sizeOfOneof writes the size of a oneof's wrapper as that of a message that
// holds nothing else: it is the same.
func (p *Pass) sizeOfOneof(r Ref, call *ast.CallExpr, sel *ast.SelectorExpr) bool {
	t, ok := types.Unalias(p.TypeOf(sel.X)).(*types.Pointer)
	if !ok {
		return false
	}
	s, ok := TypeSymbol(t)
	for prefix, field := range oneofs {
		if ok && s.Pkg == "etcdserver/etcdserverpb" && strings.HasPrefix(s.Name, prefix) {
			c := p.Change(p.Tier, "%s is gone", short(r.Symbol))
			home, _ := atlas.HomeOf(s.Pkg, p.Target.Line)
			open := c.Qualified(r.File, googleProto, "Size(&") + c.Qualified(r.File, home.Path, strings.TrimSuffix(prefix, "_")) + "{" + field + ": "
			c.Insert(r.File, call.Pos(), open)
			c.Replace(r.File, sel.X.End(), call.End(), "})")
			return true
		}
	}
	return false
}

// inCondition says whether a call stands in the head of an if, for or switch,
// where a composite literal needs parentheses.
func inCondition(r Ref) bool {
	c := r.Cursor
	for {
		up := c.Parent()
		switch n := up.Node().(type) {
		case *ast.IfStmt:
			return n.Body != c.Node() && n.Else != c.Node()
		case *ast.ForStmt:
			return n.Body != c.Node()
		case *ast.SwitchStmt:
			return n.Body != c.Node()
		case *ast.RangeStmt:
			return n.Body != c.Node()
		case *ast.BlockStmt, *ast.File, nil:
			return false
		}
		c = up
	}
}

// freshMessage says whether a message is a local variable that nothing used
// between its declaration and this expression, so that there is nothing to
// merge with.
func (p *Pass) freshMessage(e ast.Expr) bool {
	e = ast.Unparen(e)
	if u, ok := e.(*ast.UnaryExpr); ok && u.Op == token.AND {
		e = ast.Unparen(u.X)
	}
	id, ok := e.(*ast.Ident)
	if !ok {
		return false
	}
	obj, ok := p.Info.Uses[id].(*types.Var)
	if !ok || obj.IsField() || obj.Parent() == nil || obj.Parent() == p.Pkg.Scope() {
		return false
	}
	decl := p.index.declaration(obj)
	if decl == nil || !emptyDeclaration(decl, obj.Name()) {
		return false
	}
	for use, o := range p.Info.Uses {
		if o == obj && use.Pos() < id.Pos() {
			return false
		}
	}
	return !p.loopsBetween(obj, id)
}

// loopsBetween says whether a mention of a variable stands in a loop, or in a
// function literal, that its declaration does not stand in.
func (p *Pass) loopsBetween(obj types.Object, id *ast.Ident) bool {
	for c := range p.index.in.Root().Preorder((*ast.ForStmt)(nil), (*ast.RangeStmt)(nil), (*ast.FuncLit)(nil)) {
		n := c.Node()
		if n.Pos() <= id.Pos() && id.End() <= n.End() && !(n.Pos() <= obj.Pos() && obj.Pos() < n.End()) {
			return true
		}
	}
	return false
}

// declaration returns the statement that declares a local variable.
func (x *index) declaration(obj types.Object) ast.Node {
	for c := range x.in.Root().Preorder((*ast.ValueSpec)(nil), (*ast.AssignStmt)(nil)) {
		switch n := c.Node().(type) {
		case *ast.ValueSpec:
			for _, name := range n.Names {
				if name.Pos() == obj.Pos() {
					return n
				}
			}
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				continue
			}
			for _, l := range n.Lhs {
				if l.Pos() == obj.Pos() {
					return n
				}
			}
		}
	}
	return nil
}

// emptyDeclaration says whether a variable is declared as a zero message, or
// a pointer to one.
func emptyDeclaration(decl ast.Node, name string) bool {
	empty := func(e ast.Expr) bool {
		if u, ok := e.(*ast.UnaryExpr); ok && u.Op == token.AND {
			e = u.X
		}
		switch e := e.(type) {
		case *ast.CompositeLit:
			return len(e.Elts) == 0
		case *ast.CallExpr:
			id, ok := e.Fun.(*ast.Ident)
			return ok && id.Name == "new"
		}
		return false
	}
	switch n := decl.(type) {
	case *ast.ValueSpec:
		return len(n.Values) == 0 || len(n.Values) == 1 && len(n.Names) == 1 && empty(n.Values[0])
	case *ast.AssignStmt:
		for i, l := range n.Lhs {
			if id, ok := l.(*ast.Ident); ok && id.Name == name && len(n.Lhs) == len(n.Rhs) {
				return empty(n.Rhs[i])
			}
		}
	}
	return false
}

// pbutil rewrites pbutil.MustMarshal(m) for messages.
func pbutil(p *Pass, r Ref, now string) {
	e, _ := r.Expr()
	call := r.Call()
	if call == nil || len(call.Args) == 0 {
		return
	}
	if _, _, ok := p.protoMessage(call.Args[0]); !ok {
		return
	}
	if now == "" {
		p.Report(r.File, e, edit.Manual, "pbutil."+r.Name+" does not take messages in 3.7", "write proto.Unmarshal(data, m) == nil with "+googleProto)
		return
	}
	c := p.Change(p.Tier, "pbutil.%s is %s for messages", r.Name, now)
	c.ReplaceNode(r.File, r.Ident, now)
}

// lost are the methods of messages that an interface may ask for.
var lost = []string{"Marshal", "Unmarshal", "Size", "MarshalTo", "MarshalToSizedBuffer", "Descriptor", "XXX_Marshal", "XXX_Unmarshal", "XXX_Size"}

// reportLostMethods reports messages, and structs that embed one, that are used
// as an interface which they satisfy no longer.
func reportLostMethods(p *Pass) {
	report := func(f *File, e ast.Node, from, to types.Type) {
		iface, ok := to.Underlying().(*types.Interface)
		if !ok || from == nil || types.IsInterface(from) {
			return
		}
		if named, ok := types.Unalias(to).(*types.Named); ok && named.Obj().Pkg() != nil && canonical(named.Obj().Pkg().Path()) == "pkg/pbutil" {
			return // see pbutil
		}
		for m := range iface.Methods() {
			if !slices.Contains(lost, m.Name()) {
				continue
			}
			obj, _, _ := types.LookupFieldOrMethod(from, true, p.Pkg, m.Name())
			fn, ok := obj.(*types.Func)
			if !ok || fn.Signature().Recv() == nil {
				continue
			}
			if n, ok := oldMessage(deref(fn.Signature().Recv().Type())); ok && isProto(n) {
				sym, _ := TypeSymbol(n)
				p.Report(f, e, edit.Manual, short(sym)+" has no method "+m.Name()+" in 3.7, which "+types.TypeString(to, types.RelativeTo(p.Pkg))+" asks for",
					"take a proto.Message of "+googleProto+" and call its functions, or wrap the message in a type that has the method")
				return
			}
		}
	}
	p.implicitConversions(func(f *File, e ast.Expr, to types.Type) { report(f, e, p.TypeOf(e), to) })
	for c := range p.Inspector().Root().Preorder((*ast.Ident)(nil)) {
		id := c.Node().(*ast.Ident)
		inst, ok := p.Info.Instances[id]
		obj := p.Info.Uses[id]
		if !ok || obj == nil {
			continue
		}
		var params *types.TypeParamList
		switch t := obj.Type().(type) {
		case *types.Signature:
			params = t.TypeParams()
		case *types.Named:
			params = t.TypeParams()
		}
		for i := range min(params.Len(), inst.TypeArgs.Len()) {
			report(p.FileOf(id.Pos()), id, inst.TypeArgs.At(i), params.At(i).Constraint())
		}
	}
}

// implicitConversions calls f for expressions that become an interface by
// being passed, assigned, returned, sent or put into a literal.
func (p *Pass) implicitConversions(do func(f *File, e ast.Expr, to types.Type)) {
	try := func(e ast.Expr, to types.Type) {
		if to != nil && types.IsInterface(to) {
			if _, tparam := types.Unalias(to).(*types.TypeParam); !tparam {
				do(p.FileOf(e.Pos()), e, to)
			}
		}
	}
	for c := range p.Inspector().Root().Preorder((*ast.CallExpr)(nil), (*ast.AssignStmt)(nil), (*ast.ValueSpec)(nil), (*ast.ReturnStmt)(nil),
		(*ast.SendStmt)(nil), (*ast.CompositeLit)(nil)) {
		switch n := c.Node().(type) {
		case *ast.CallExpr:
			if tv := p.Info.Types[n.Fun]; tv.IsType() {
				if len(n.Args) == 1 {
					try(n.Args[0], tv.Type)
				}
				continue
			}
			t := p.TypeOf(n.Fun)
			if t == nil {
				continue
			}
			sig, ok := t.Underlying().(*types.Signature)
			if !ok {
				continue
			}
			for i, arg := range n.Args {
				k := min(i, sig.Params().Len()-1)
				if k < 0 {
					break
				}
				to := sig.Params().At(k).Type()
				if s, ok := to.(*types.Slice); ok && sig.Variadic() && k == sig.Params().Len()-1 && !n.Ellipsis.IsValid() {
					to = s.Elem()
				}
				try(arg, to)
			}
		case *ast.AssignStmt:
			if len(n.Lhs) == len(n.Rhs) {
				for i := range n.Lhs {
					try(n.Rhs[i], p.TypeOf(n.Lhs[i]))
				}
			}
		case *ast.ValueSpec:
			if n.Type != nil {
				for _, v := range n.Values {
					try(v, p.TypeOf(n.Type))
				}
			}
		case *ast.ReturnStmt:
			var sig *types.Signature
			switch d := funcAround(c).(type) {
			case *ast.FuncDecl:
				if obj, ok := p.Info.Defs[d.Name].(*types.Func); ok {
					sig = obj.Signature()
				}
			case *ast.FuncLit:
				sig, _ = p.TypeOf(d).(*types.Signature)
			}
			if sig != nil && sig.Results().Len() == len(n.Results) {
				for i, r := range n.Results {
					try(r, sig.Results().At(i).Type())
				}
			}
		case *ast.SendStmt:
			if t := p.TypeOf(n.Chan); t != nil {
				if ch, ok := t.Underlying().(*types.Chan); ok {
					try(n.Value, ch.Elem())
				}
			}
		case *ast.CompositeLit:
			t := p.TypeOf(n)
			if t == nil {
				continue
			}
			u := deref(t).Underlying()
			for i, el := range n.Elts {
				kv, keyed := el.(*ast.KeyValueExpr)
				v := el
				if keyed {
					v = kv.Value
				}
				switch u := u.(type) {
				case *types.Slice:
					try(v, u.Elem())
				case *types.Array:
					try(v, u.Elem())
				case *types.Map:
					try(v, u.Elem())
				case *types.Struct:
					switch {
					case keyed:
						if id, ok := kv.Key.(*ast.Ident); ok {
							if fld, ok := p.Info.Uses[id].(*types.Var); ok {
								try(v, fld.Type())
							}
						}
					case i < u.NumFields():
						try(v, u.Field(i).Type())
					}
				}
			}
		}
	}
}

// reportSyntaxMethods reports, without types, what only generated messages
// have, in files that import a package of messages.
func reportSyntaxMethods(p *Pass) {
	for _, pkg := range messagePackages {
		for _, r := range p.RefsTo(pkg) {
			if strings.Contains(r.Name, ".") {
				continue
			}
			if advice := generatedAdvice(r.Name); advice != "" {
				e, _ := r.Expr()
				p.Report(r.File, e, edit.Manual, short(r.Symbol)+" is gone with gogo/protobuf in 3.7", advice)
			}
		}
	}
}

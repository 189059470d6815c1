package rules

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

const grpcAttributes = grpcPath + "/attributes"

// grpcAttributesPairs makes attributes one pair at a time.
//
// Matched: attributes.New and WithValues with listed keys and values.
//
// Not matched: a slice passed with an ellipsis; it becomes a finding. So does a
// value that cannot be compared.
var grpcAttributesPairs = &Rule{
	ID:    "grpc-attributes",
	Title: "make gRPC attributes one pair at a time",
	Before: `package p

import (
	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/resolver"
)

func address(addr, zone string, weight int) resolver.Address {
	return resolver.Address{Addr: addr, Attributes: attributes.New("zone", zone, "weight", weight)}
}

func tag(a *attributes.Attributes) *attributes.Attributes {
	if a == nil {
		a = attributes.New()
	}
	return a.WithValues("tag", true)
}
`,
	After: `package p

import (
	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/resolver"
)

func address(addr, zone string, weight int) resolver.Address {
	return resolver.Address{Addr: addr, Attributes: attributes.New("zone", zone).WithValue("weight", weight)}
}

func tag(a *attributes.Attributes) *attributes.Attributes {
	if a == nil {
		a = (*attributes.Attributes)(nil)
	}
	return a.WithValue("tag", true)
}
`,
	Why: "attributes.New takes one key and one value since gRPC 1.42, and WithValues became WithValue. No attributes at all are nil, which has the same methods. " +
		"Since then the values are compared when a resolver gives an address again, and those that cannot be, such as maps, make the program panic.",
	Since:  "v3.5.0",
	Safety: Same,
	Refs: []string{
		"https://github.com/grpc/grpc-go/releases/tag/v1.42.0",
		"https://github.com/grpc/grpc-go/blob/v1.42.0/attributes/attributes.go (Equal)",
		"https://github.com/grpc/grpc-go/blob/v1.42.0/resolver/map.go (AddressMap.Get)",
	},
	Claims: []string{"google.golang.org/grpc/attributes.Attributes.WithValues"},
	Run:    runGRPCAttributes,
}

func runGRPCAttributes(p *Pass) {
	if len(p.RefsTo(grpcAttributes)) == 0 || !p.grpcReaches("v1.42.0") {
		return
	}
	for _, name := range []string{"New", "Attributes.WithValues"} {
		for _, r := range p.Refs(grpcAttributes, name) {
			call := r.Call()
			if call == nil || call.Ellipsis != token.NoPos || len(call.Args)%2 != 0 {
				if sig := signatureOf(r.Obj); sig != nil && !sig.Variadic() {
					continue // the form of today
				}
				p.Report(r.File, r.Ident, edit.Manual, "gRPC attributes are made one pair at a time since 1.42", "start from a := (*attributes.Attributes)(nil) and set a = a.WithValue(key, value) for each pair")
				continue
			}
			old := signatureOf(r.Obj)
			for i := 1; old != nil && old.Variadic() && i < len(call.Args); i += 2 {
				if t := p.TypeOf(call.Args[i]); t != nil && !types.Comparable(t) && !hasEqual(t) {
					p.Report(r.File, call.Args[i], edit.Review, "gRPC compares the values of attributes since 1.42, and panics for one that cannot be compared: when a resolver gives an address again",
						"give the type of the value a method Equal(o any) bool")
				}
			}
			if name == "New" && len(call.Args) == 2 {
				continue
			}
			c := p.Change(r.Tier, "gRPC attributes are made one pair at a time since 1.42")
			switch {
			case name == "New" && len(call.Args) == 0:
				c.Replace(r.File, call.Pos(), call.Pos(), "(*")
				c.Replace(r.File, r.Ident.Pos(), call.End(), "Attributes)(nil)"+r.File.commentsIn(r.Ident.End(), call.End()))
				continue
			case name == "Attributes.WithValues" && len(call.Args) == 0:
				x := r.Selector().X.End()
				c.Replace(r.File, x, call.End(), r.File.commentsIn(x, call.End()))
				continue
			case name == "Attributes.WithValues":
				c.ReplaceNode(r.File, r.Ident, "WithValue")
			}
			for i := 2; i < len(call.Args); i += 2 {
				c.nextPair(r.File, call.Args[i-1].End(), call.Args[i].Pos())
			}
		}
	}
}

// hasEqual says whether a type has the method that gRPC compares attributes with.
func hasEqual(t types.Type) bool {
	obj, _, _ := types.LookupFieldOrMethod(t, false, nil, "Equal")
	sig := signatureOf(obj)
	if sig == nil || sig.Params().Len() != 1 || sig.Results().Len() != 1 {
		return false
	}
	in, ok := sig.Params().At(0).Type().Underlying().(*types.Interface)
	return ok && in.Empty() && types.Identical(sig.Results().At(0).Type(), types.Typ[types.Bool])
}

// nextPair turns the comma between two pairs into a call of its own. Line
// breaks and comments around it stay.
func (c Change) nextPair(f *File, from, to token.Pos) {
	comma := f.comma(from, to)
	end := comma + 1
	if rest := string(f.Src[f.Offset(end):f.Offset(to)]); strings.TrimSpace(rest) == "" && !strings.Contains(rest, "\n") {
		end = to
	}
	c.Replace(f, comma, end, ").WithValue(")
}

// commentsIn writes the comments between two positions for the line of a node in
// front of them.
func (f *File) commentsIn(from, to token.Pos) string {
	out := ""
	for _, g := range f.AST.Comments {
		for _, c := range g.List {
			if from <= c.Pos() && c.End() <= to {
				text := strings.TrimSuffix(strings.TrimLeft(c.Text, "/*"), "*/")
				out += " /* " + strings.Join(strings.Fields(text), " ") + " */"
			}
		}
	}
	return out
}

// comma returns the comma between two elements of a list, those in comments
// left out.
func (f *File) comma(from, to token.Pos) token.Pos {
	for at := from; at < to; at++ {
		comment := slices.ContainsFunc(f.AST.Comments, func(c *ast.CommentGroup) bool { return c.Pos() <= at && at < c.End() })
		if f.Src[f.Offset(at)] == ',' && !comment {
			return at
		}
	}
	return to
}

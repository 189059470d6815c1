package rules

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/mod/semver"
	"golang.org/x/tools/go/ast/inspector"
)

// Import paths of gRPC that several rules look at.
const (
	grpcBalancer     = grpcPath + "/balancer"
	grpcBalancerBase = grpcPath + "/balancer/base"
	grpcResolver     = grpcPath + "/resolver"
	grpcManual       = grpcPath + "/resolver/manual"
)

// grpcReaches says whether the gRPC release that goes with the target is v or
// newer. An unknown one counts as the newest.
func (p *Pass) grpcReaches(v string) bool {
	return p.Target.GRPC == "" || semver.Compare(p.Target.GRPC, v) >= 0
}

// enclosingFunc returns the function declaration or literal whose signature
// holds a cursor: the one whose parameters or results name what it is at.
func enclosingFunc(c inspector.Cursor) (typ *ast.FuncType, decl *ast.FuncDecl, body *ast.BlockStmt, at inspector.Cursor) {
	for e := range c.Enclosing((*ast.FuncDecl)(nil), (*ast.FuncLit)(nil), (*ast.FuncType)(nil), (*ast.BlockStmt)(nil)) {
		switch n := e.Node().(type) {
		case *ast.BlockStmt:
			return nil, nil, nil, e
		case *ast.FuncType:
			typ = n
		case *ast.FuncDecl:
			return n.Type, n, n.Body, e
		case *ast.FuncLit:
			if typ == n.Type {
				return typ, nil, n.Body, e
			}
			return nil, nil, nil, e
		}
	}
	return typ, nil, nil, c
}

// params lists the parameters of a field list one by one: fields that share a
// type count once for each name.
func params(l *ast.FieldList) []*ast.Field {
	var out []*ast.Field
	if l == nil {
		return nil
	}
	for _, f := range l.List {
		for range max(1, len(f.Names)) {
			out = append(out, f)
		}
	}
	return out
}

// named returns the name of a field that has exactly one, "" when it has none
// or is blank.
func named(f *ast.Field) string {
	if len(f.Names) == 1 && f.Names[0].Name != "_" {
		return f.Names[0].Name
	}
	return ""
}

// mentions says whether a node holds an identifier of a name, other than as
// the selector of something else.
func mentions(n ast.Node, name string) bool {
	found := false
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			found = found || mentions(n.X, name)
			return false
		case *ast.KeyValueExpr:
			// The key may be a field; a map key of that name costs a spare
			// declaration at worst, so only the value counts where it is one.
			if id, ok := n.Key.(*ast.Ident); ok && id.Name == name {
				found = found || mentions(n.Value, name)
				return false
			}
		case *ast.Ident:
			found = found || n.Name == name
		}
		return !found
	})
	return found
}

// free returns the first of the names that nothing in a node uses.
func free(n ast.Node, names ...string) string {
	for _, name := range names {
		if !mentions(n, name) {
			return name
		}
	}
	return names[len(names)-1] + "_"
}

// isNil says whether an expression is the identifier nil.
func isNil(e ast.Expr) bool {
	id, ok := ast.Unparen(e).(*ast.Ident)
	return ok && id.Name == "nil"
}

// bodyIndent returns the indentation of the statements of a body.
func (f *File) bodyIndent(b *ast.BlockStmt) string {
	if len(b.List) > 0 && !f.SameLine(b.Lbrace, b.List[0].Pos()) {
		return f.Indent(b.List[0].Pos())
	}
	return f.Indent(b.Lbrace) + "\t"
}

// prepend inserts lines before the statements of a body.
func (c Change) prepend(f *File, b *ast.BlockStmt, lines ...string) {
	text := ""
	for _, l := range lines {
		text += f.NL() + f.bodyIndent(b) + l
	}
	if len(b.List) > 0 && f.SameLine(b.Lbrace, b.List[0].Pos()) || len(b.List) == 0 && f.SameLine(b.Lbrace, b.Rbrace) {
		text += f.NL() + f.Indent(b.Lbrace)
	}
	c.Insert(f, b.Lbrace+1, text)
}

// returns lists the return statements of a body, those of function literals
// in it left out.
func returns(b *ast.BlockStmt) []*ast.ReturnStmt {
	var out []*ast.ReturnStmt
	ast.Inspect(b, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.ReturnStmt:
			out = append(out, n)
		}
		return true
	})
	return out
}

// lineEnd returns the end of the line that holds a position.
func (f *File) lineEnd(pos token.Pos) token.Pos {
	off := f.Offset(pos)
	for off < len(f.Src) && f.Src[off] != '\n' && f.Src[off] != '\r' {
		off++
	}
	return f.tok.Pos(off)
}

// qualifier returns what stands before the symbol of a mention, with the dot:
// "balancer." for balancer.PickInfo, "" after a dot import.
func (r Ref) qualifier() string {
	if sel := r.Selector(); sel != nil {
		return r.File.Text(sel.X) + "."
	}
	return ""
}

// enclosingBody returns the innermost function whose body holds a cursor.
func enclosingBody(c inspector.Cursor) (typ *ast.FuncType, decl *ast.FuncDecl, body *ast.BlockStmt, at inspector.Cursor) {
	for e := range c.Enclosing((*ast.FuncDecl)(nil), (*ast.FuncLit)(nil)) {
		switch n := e.Node().(type) {
		case *ast.FuncDecl:
			return n.Type, n, n.Body, e
		case *ast.FuncLit:
			return n.Type, nil, n.Body, e
		}
	}
	return nil, nil, nil, c
}

// signatureOf returns the signature of a function, nil for anything else.
func signatureOf(obj types.Object) *types.Signature {
	if obj == nil {
		return nil
	}
	sig, _ := obj.Type().(*types.Signature)
	return sig
}

// namesPointer says whether a type expression is a pointer to a symbol.
func (p *Pass) namesPointer(pkg, name string, e ast.Expr) bool {
	star, ok := e.(*ast.StarExpr)
	return ok && p.names(pkg, name, star.X)
}

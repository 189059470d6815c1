package rules

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ast/inspector"
)

// StatementOf climbs to the statement around a node that stands in a list of
// statements. ok is false outside functions.
func StatementOf(c inspector.Cursor) (stmt ast.Stmt, at inspector.Cursor, ok bool) {
	for c.Node() != nil {
		s, isStmt := c.Node().(ast.Stmt)
		parent := c.Parent()
		if isStmt {
			switch parent.Node().(type) {
			case *ast.BlockStmt, *ast.CaseClause, *ast.CommClause:
				return s, c, true
			}
		}
		if _, isFile := c.Node().(*ast.File); isFile {
			break
		}
		c = parent
	}
	return nil, c, false
}

// following returns the statements after one in its list.
func following(c inspector.Cursor) []ast.Stmt {
	var list []ast.Stmt
	switch n := c.Parent().Node().(type) {
	case *ast.BlockStmt:
		list = n.List
	case *ast.CaseClause:
		list = n.Body
	case *ast.CommClause:
		list = n.Body
	}
	for i, s := range list {
		if s == c.Node() {
			return list[i+1:]
		}
	}
	return nil
}

// functionAround returns the type of the innermost function around a node.
func functionAround(c inspector.Cursor) *ast.FuncType {
	for f := range c.Enclosing((*ast.FuncDecl)(nil), (*ast.FuncLit)(nil)) {
		switch n := f.Node().(type) {
		case *ast.FuncDecl:
			return n.Type
		case *ast.FuncLit:
			return n.Type
		}
	}
	return nil
}

// onError writes the statement that leaves a function when a new call before
// stmt fails: what the code itself does when stmt fails, or a return of zero
// values. name is the error's. It is "" where neither will do.
func (p *Pass) onError(f *File, c inspector.Cursor, name string) string {
	if next := following(c); len(next) > 0 {
		if text := p.copyHandler(f, c.Node(), next[0], name); text != "" {
			return text
		}
	}
	ft := functionAround(c)
	if ft == nil || ft.Results == nil {
		return ""
	}
	var zeros []string
	for _, r := range ft.Results.List {
		for range max(1, len(r.Names)) {
			zeros = append(zeros, zeroOf(p.TypeOf(r.Type)))
		}
	}
	last := len(zeros) - 1
	if t := p.TypeOf(ft.Results.List[len(ft.Results.List)-1].Type); t == nil || t.String() != "error" {
		return ""
	}
	zeros[last] = name
	if slices.Contains(zeros, "") {
		return ""
	}
	return "if " + name + " != nil {\n\treturn " + strings.Join(zeros, ", ") + "\n}"
}

// copyHandler copies an `if err != nil` that follows a statement, if it uses
// nothing that the statement declares but the error.
func (p *Pass) copyHandler(f *File, before ast.Node, next ast.Stmt, name string) string {
	h, ok := next.(*ast.IfStmt)
	if !ok || h.Init != nil || h.Else != nil || p.Info == nil {
		return ""
	}
	cond, ok := h.Cond.(*ast.BinaryExpr)
	if !ok || cond.Op != token.NEQ {
		return ""
	}
	x, ok := cond.X.(*ast.Ident)
	if !ok || p.Info.Uses[x] == nil {
		return ""
	}
	if y, ok := cond.Y.(*ast.Ident); !ok || y.Name != "nil" {
		return ""
	}
	own := true
	ast.Inspect(h.Body, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			obj := p.Info.Uses[id]
			if obj != nil && obj != p.Info.Uses[x] && before.Pos() <= obj.Pos() && obj.Pos() < before.End() {
				own = false
			}
		}
		return true
	})
	if !own || !leaves(h.Body) {
		return ""
	}
	// The new error may be called otherwise.
	text, at := "", h.Pos()
	ast.Inspect(h, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && p.Info.Uses[id] == p.Info.Uses[x] {
			text += string(f.Src[f.Offset(at):f.Offset(id.Pos())]) + name
			at = id.End()
		}
		return true
	})
	text += string(f.Src[f.Offset(at):f.Offset(h.End())])
	return dedent(text, f.Indent(h.Pos()))
}

// leaves says whether a block ends by leaving the function or the loop, as
// far as its last statement tells.
func leaves(b *ast.BlockStmt) bool {
	if len(b.List) == 0 {
		return false
	}
	switch s := b.List[len(b.List)-1].(type) {
	case *ast.ReturnStmt, *ast.BranchStmt:
		return true
	case *ast.ExprStmt:
		call, ok := s.X.(*ast.CallExpr)
		if !ok {
			return false
		}
		switch fn := call.Fun.(type) {
		case *ast.Ident:
			return fn.Name == "panic"
		case *ast.SelectorExpr:
			n := fn.Sel.Name
			return strings.HasPrefix(n, "Fatal") || strings.HasPrefix(n, "Panic") || n == "Exit" || n == "FailNow"
		}
	}
	return false
}

// dedent takes the indentation of its first line off a text.
func dedent(text, indent string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	return strings.ReplaceAll(text, "\n"+indent, "\n")
}

// indented writes lines with the indentation and line ending of a file, all
// but the first.
func (f *File) indented(text, indent string) string {
	return strings.ReplaceAll(text, "\n", f.NL()+indent)
}

// zeroOf writes the zero value of a type, "" when that takes more than a
// word.
func zeroOf(t types.Type) string {
	if t == nil {
		return ""
	}
	switch u := t.Underlying().(type) {
	case *types.Pointer, *types.Slice, *types.Map, *types.Chan, *types.Signature, *types.Interface:
		return "nil"
	case *types.Basic:
		switch info := u.Info(); {
		case info&types.IsString != 0:
			return `""`
		case info&types.IsBoolean != 0:
			return "false"
		case info&types.IsNumeric != 0:
			return "0"
		}
	}
	return ""
}

// errName returns a name for an error that a new statement declares with :=
// before another. It is "err" where that declares a new variable or uses the
// one of the same block, and no later declaration in the block is left
// without a new variable by it.
func (p *Pass) errName(c inspector.Cursor) string {
	const other = "resolveErr"
	pos := c.Node().Pos()
	if p.Pkg == nil {
		return other
	}
	s := p.Pkg.Scope().Innermost(pos)
	if s == nil {
		return other
	}
	at, obj := s.LookupParent("err", pos)
	if obj != nil && at == s {
		return "err"
	}
	if obj != nil && obj.Pkg() == p.Pkg {
		// An outer err: assignments to it below would miss it.
		assigned := false
		for _, stmt := range append([]ast.Stmt{c.Node().(ast.Stmt)}, following(c)...) {
			ast.Inspect(stmt, func(n ast.Node) bool {
				if a, ok := n.(*ast.AssignStmt); ok && a.Tok != token.DEFINE {
					for _, l := range a.Lhs {
						if id, ok := l.(*ast.Ident); ok && id.Name == "err" {
							assigned = true
						}
					}
				}
				if r, ok := n.(*ast.ReturnStmt); ok && len(r.Results) == 0 {
					assigned = true
				}
				return true
			})
		}
		if assigned {
			return other
		}
	}
	for _, stmt := range append([]ast.Stmt{c.Node().(ast.Stmt)}, following(c)...) {
		a, ok := stmt.(*ast.AssignStmt)
		if !ok || a.Tok != token.DEFINE {
			if d, ok := stmt.(*ast.DeclStmt); ok && declaresErr(d) {
				return other
			}
			continue
		}
		hasErr, others := false, 0
		for _, l := range a.Lhs {
			id, ok := l.(*ast.Ident)
			switch {
			case !ok || id.Name == "_":
			case id.Name == "err":
				hasErr = true
			case p.Info.Defs[id] != nil:
				others++
			}
		}
		if hasErr && others == 0 {
			return other
		}
	}
	return "err"
}

func declaresErr(d *ast.DeclStmt) bool {
	found := false
	ast.Inspect(d, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			for _, id := range v.Names {
				found = found || id.Name == "err"
			}
		}
		return true
	})
	return found
}

// Free returns the first of some names that nothing in the file has.
func (f *File) Free(names ...string) string {
	for _, n := range names {
		if !f.taken[n] {
			return n
		}
	}
	return names[len(names)-1] + "2"
}

// aloneOnLines says whether the lines of a statement hold nothing else.
func (f *File) aloneOnLines(n ast.Node) bool {
	start, end := f.lines(n)
	return len(strings.TrimSpace(string(f.Src[start:f.Offset(n.Pos())]))) == 0 &&
		len(strings.TrimSpace(string(f.Src[f.Offset(n.End()):end]))) == 0
}

// lines returns the bytes of the lines that a node stands on, with the last
// line ending.
func (f *File) lines(n ast.Node) (start, end int) {
	start, end = f.Offset(n.Pos()), f.Offset(n.End())
	for start > 0 && f.Src[start-1] != '\n' {
		start--
	}
	for end < len(f.Src) && f.Src[end] != '\n' {
		end++
	}
	return start, min(end+1, len(f.Src))
}

// endsLine says whether nothing but a comment follows a node on its line.
func (f *File) endsLine(n ast.Node) bool {
	_, end := f.lines(n)
	rest := strings.TrimSpace(string(f.Src[f.Offset(n.End()):end]))
	return rest == "" || strings.HasPrefix(rest, "//")
}

// after returns where something can be put after a node: behind the comment
// that ends its line, if there is one.
func (f *File) after(n ast.Node) token.Pos {
	if f.endsLine(n) {
		return f.lineEnd(n.End())
	}
	return n.End()
}

// removeLines removes a statement that is alone on its lines.
func (c Change) removeLines(f *File, n ast.Node) {
	start, end := f.lines(n)
	c.replace(f, start, end, "")
}

// commentBetween says whether a comment stands between two positions.
func (f *File) commentBetween(start, end token.Pos) bool {
	for _, c := range f.AST.Comments {
		if start <= c.Pos() && c.End() <= end {
			return true
		}
	}
	return false
}

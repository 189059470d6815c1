package rules

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/semver"
	"golang.org/x/tools/go/ast/inspector"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// Target is what a repository moves to.
type Target struct {
	Line    atlas.Line
	Version string // exact etcd release, such as v3.6.16; "" when not chosen yet
	GRPC    string // version of google.golang.org/grpc that goes with it
}

// Package is a package as loaded, before it is looked at.
type Package struct {
	Path  string
	Fset  *token.FileSet
	Files []*File
	Types *types.Package // nil in the syntax tier
	Info  *types.Info    // nil in the syntax tier
	Tier  edit.Tier
}

// File is one source file of the repository.
type File struct {
	Name string // slash-separated, relative to the repository root
	Src  []byte
	AST  *ast.File
	tok  *token.File
	imps []*fileImport
	// names taken by anything in the file, for choosing names of imports
	taken map[string]bool
	added []edit.Import // imports that changes have asked for so far
	// imports that were there already, by the changes that asked for them
	reused map[int][]*fileImport
}

// Generated says whether the file's header marks it as generated code.
func (f *File) Generated() bool { return ast.IsGenerated(f.AST) }

// Pass is one rule's view of one package.
type Pass struct {
	Target Target
	From   string // etcd release that the code was written for, "" when unknown
	Pkg    *types.Package
	Info   *types.Info // nil in the syntax tier
	Fset   *token.FileSet
	Files  []*File
	Tier   edit.Tier

	rule     *Rule
	claimant func(*atlas.Break) *Rule
	index    *index
	out      *Result
}

// Result is what the rules found in a package.
type Result struct {
	Changes  []edit.Change
	Findings []edit.Finding
}

// Change collects the edits of one rewrite.
type Change struct {
	p *Pass
	i int // index into p.out.Changes
}

// Symbol names a package-level object, a field or a method:
// {"pkg/transport", "TLSInfo.CAFile"}. Packages outside etcd go by their full
// import path.
type Symbol struct{ Pkg, Name string }

func (s Symbol) String() string { return s.Pkg + "." + s.Name }

// Ref is one mention of a symbol.
type Ref struct {
	Symbol
	File   *File
	Ident  *ast.Ident       // the identifier that names it
	Cursor inspector.Cursor // at Ident
	Obj    types.Object     // nil in the syntax tier
	Tier   edit.Tier
}

// Selector returns the selector expression x.Ident, or nil where the symbol
// is named alone (dot imports, keys of composite literals).
func (r Ref) Selector() *ast.SelectorExpr {
	sel, ok := r.Cursor.Parent().Node().(*ast.SelectorExpr)
	if ok && sel.Sel == r.Ident {
		return sel
	}
	return nil
}

// Expr returns the expression that stands for the symbol: the selector if
// there is one, else the identifier; and the cursor at it.
func (r Ref) Expr() (ast.Expr, inspector.Cursor) {
	if sel := r.Selector(); sel != nil {
		return sel, r.Cursor.Parent()
	}
	return r.Ident, r.Cursor
}

// Call returns the call whose function is the symbol, or nil.
func (r Ref) Call() *ast.CallExpr {
	e, c := r.Expr()
	for {
		p := c.Parent()
		switch n := p.Node().(type) {
		case *ast.ParenExpr:
			e, c = n, p
			continue
		case *ast.CallExpr:
			if n.Fun == e {
				return n
			}
		}
		return nil
	}
}

// Literal is a composite literal of a named struct type.
type Literal struct {
	File   *File
	Lit    *ast.CompositeLit
	Cursor inspector.Cursor
	Tier   edit.Tier
}

// Key returns the element of the literal with a key, or nil.
func (l Literal) Key(name string) *ast.KeyValueExpr {
	for _, e := range l.Lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if id, ok := kv.Key.(*ast.Ident); ok && id.Name == name {
				return kv
			}
		}
	}
	return nil
}

// Keyed says whether the literal has keys, or no elements at all.
func (l Literal) Keyed() bool {
	for _, e := range l.Lit.Elts {
		if _, ok := e.(*ast.KeyValueExpr); !ok {
			return false
		}
	}
	return true
}

// Refs returns the mentions of a symbol, in file order.
func (p *Pass) Refs(pkg, name string) []Ref { return p.index.refs[Symbol{pkg, name}] }

// RefsTo returns the mentions of every symbol of a package.
func (p *Pass) RefsTo(pkg string) []Ref { return p.index.byPkg[pkg] }

// Packages returns the etcd and gRPC packages that the package mentions,
// sorted.
func (p *Pass) Packages() []string {
	var out []string
	for k := range p.index.byPkg {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// Literals returns the composite literals of a struct type.
func (p *Pass) Literals(pkg, typ string) []Literal { return p.index.lits[Symbol{pkg, typ}] }

// Inspector walks the files of the package.
func (p *Pass) Inspector() *inspector.Inspector { return p.index.in }

// FileOf returns the file that holds a position.
func (p *Pass) FileOf(pos token.Pos) *File {
	for _, f := range p.Files {
		if f.AST.FileStart <= pos && pos <= f.AST.FileEnd {
			return f
		}
	}
	return nil
}

// Text returns the source of a node.
func (f *File) Text(n ast.Node) string { return string(f.Src[f.Offset(n.Pos()):f.Offset(n.End())]) }

// Offset returns the byte offset of a position.
func (f *File) Offset(pos token.Pos) int { return f.tok.Offset(pos) }

// NL returns the line ending of the file.
func (f *File) NL() string {
	if i := strings.IndexByte(string(f.Src), '\n'); i > 0 && f.Src[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// Indent returns the white space that begins the line of pos.
func (f *File) Indent(pos token.Pos) string {
	start := f.Offset(f.tok.LineStart(f.tok.Line(pos)))
	end := start
	for end < len(f.Src) && (f.Src[end] == ' ' || f.Src[end] == '\t') {
		end++
	}
	return string(f.Src[start:end])
}

// SameLine says whether two positions are on one line.
func (f *File) SameLine(a, b token.Pos) bool { return f.tok.Line(a) == f.tok.Line(b) }

// TypeOf returns the type of an expression, nil when it is unknown.
func (p *Pass) TypeOf(e ast.Expr) types.Type {
	if p.Info == nil {
		return nil
	}
	t := p.Info.TypeOf(e)
	if t == nil || t == types.Typ[types.Invalid] {
		return nil
	}
	return t
}

// IsType says whether t, or what it points to, is the named type of a
// package.
func IsType(t types.Type, pkg, name string) bool {
	s, ok := TypeSymbol(t)
	return ok && s.Pkg == pkg && s.Name == name
}

// TypeSymbol names a type, or the type that it points to.
func TypeSymbol(t types.Type) (Symbol, bool) {
	if t == nil {
		return Symbol{}, false
	}
	t = types.Unalias(t)
	if ptr, ok := t.(*types.Pointer); ok {
		t = types.Unalias(ptr.Elem())
	}
	n, ok := t.(*types.Named)
	if !ok || n.Obj().Pkg() == nil {
		return Symbol{}, false
	}
	return Symbol{canonical(n.Obj().Pkg().Path()), n.Obj().Name()}, true
}

// canonical names a package: etcd's by their old path, others by their own.
func canonical(path string) string {
	if rel, _, ok := atlas.Canonical(path); ok {
		return rel
	}
	return path
}

// FromBefore says whether the code was written for a release older than v. It
// is false when the release is unknown.
func (p *Pass) FromBefore(v string) bool {
	return p.From != "" && semver.Compare(p.From, v) < 0
}

// Change starts a rewrite. Its message says what it does, in one line.
func (p *Pass) Change(tier edit.Tier, format string, args ...any) Change {
	p.out.Changes = append(p.out.Changes, edit.Change{
		Rule:    p.rule.ID,
		Tier:    max(tier, p.Tier),
		Message: fmt.Sprintf(format, args...),
	})
	return Change{p, len(p.out.Changes) - 1}
}

// Replace replaces the source between two positions. Text that stays should
// be left out of the range, so that other rules can edit it.
func (c Change) Replace(f *File, start, end token.Pos, text string) {
	c.replace(f, f.Offset(start), f.Offset(end), text)
}

// ReplaceNode replaces the source of a node.
func (c Change) ReplaceNode(f *File, n ast.Node, text string) {
	c.Replace(f, n.Pos(), n.End(), text)
}

// Insert inserts text at a position.
func (c Change) Insert(f *File, pos token.Pos, text string) { c.Replace(f, pos, pos, text) }

func (c Change) replace(f *File, start, end int, text string) {
	ch := &c.p.out.Changes[c.i]
	ch.Edits = append(ch.Edits, edit.Edit{File: f.Name, Start: start, End: end, New: text, Rule: ch.Rule})
}

// Import makes a package available in a file and returns its local name: that
// of an import which is there already, or will be after the move, else the
// package's name or, when that is taken in the file, one made from its path.
func (c Change) Import(f *File, path string) string {
	for _, i := range f.imps {
		// Old code has context from where it was before Go 1.7; what is there
		// now are aliases.
		same := i.final == path || path == "context" && i.final == "golang.org/x/net/context"
		if same && i.newName != "_" && i.newName != "." {
			if f.reused == nil {
				f.reused = map[int][]*fileImport{}
			}
			f.reused[c.i] = append(f.reused[c.i], i)
			return i.newName
		}
	}
	return c.newImport(f, path)
}

// newImport adds an import to a file, or takes the one that was added before.
func (c Change) newImport(f *File, path string) string {
	name := ""
	for _, a := range f.added {
		if a.Path == path {
			name = a.Name
		}
	}
	if name == "" {
		name = f.freeName(path)
		f.added = append(f.added, edit.Import{File: f.Name, Path: path, Name: name})
	}
	ch := &c.p.out.Changes[c.i]
	imp := edit.Import{File: f.Name, Path: path, Name: name}
	if !slices.Contains(ch.Imports, imp) {
		ch.Imports = append(ch.Imports, imp)
	}
	return name
}

// unhide imports a package a second time for the edits that use it where a
// variable hides the name it has.
func (f *File) unhide(p *Pass) {
	for _, n := range slices.Sorted(maps.Keys(f.reused)) {
		c := Change{p, n}
		edits := p.out.Changes[n].Edits
		for i, e := range edits {
			if e.File != f.Name {
				continue
			}
			scope := p.Pkg.Scope().Innermost(f.tok.Pos(e.Start))
			if scope == nil {
				continue
			}
			for _, imp := range f.reused[n] {
				_, obj := scope.LookupParent(imp.newName, f.tok.Pos(e.Start))
				if _, pkg := obj.(*types.PkgName); pkg || obj == nil || obj.Pkg() != p.Pkg {
					continue
				}
				selectors := regexp.MustCompile(`\b` + imp.newName + `\.`)
				edits[i].New = selectors.ReplaceAllStringFunc(edits[i].New, func(string) string { return c.newImport(f, imp.final) + "." })
			}
		}
	}
}

// Qualified returns pkg.name for use in a file, importing the package.
func (c Change) Qualified(f *File, path, name string) string {
	return c.Import(f, path) + "." + name
}

// freeName returns the local name for a new import of path.
func (f *File) freeName(path string) string {
	name := packageName(path)
	free := func(n string) bool {
		if f.taken[n] {
			return false
		}
		for _, i := range f.imps {
			if i.name == n || i.newName == n {
				return false
			}
		}
		return !slices.ContainsFunc(f.added, func(a edit.Import) bool { return a.Name == n })
	}
	if free(name) {
		return name
	}
	// A name that a reader still recognises: the element before it, joined.
	elems := strings.Split(path, "/")
	if n := "std" + name; len(elems) == 1 && free(n) {
		return n
	}
	for i := len(elems) - 2; i >= 0; i-- {
		p := strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, strings.TrimPrefix(elems[i], "go."))
		if n := p + name; p != "" && token.IsIdentifier(n) && free(n) {
			return n
		}
	}
	for i := 2; ; i++ {
		if n := name + strconv.Itoa(i); free(n) {
			return n
		}
	}
}

// Report adds a finding at a node.
func (p *Pass) Report(f *File, n ast.Node, sev edit.Severity, message, advice string) {
	pos, end := f.tok.Position(n.Pos()), f.tok.Position(n.End())
	p.out.Findings = append(p.out.Findings, edit.Finding{
		Rule: p.rule.ID, Severity: sev, Tier: p.Tier, File: f.Name,
		Start: pos.Offset, End: end.Offset, Line: pos.Line, Col: pos.Column, EndLine: end.Line,
		Message: message, Advice: advice,
	})
}

// Run runs rules over a package.
func Run(target Target, from string, pkg *Package, list []*Rule) Result {
	var out Result
	for _, f := range pkg.Files {
		f.prepare(pkg, target.Line)
	}
	idx, claimant := newIndex(pkg), claimant(target.Line)
	for _, f := range pkg.Files {
		idx.repoint(f, target.Line)
	}
	for _, r := range list {
		if r.Run == nil || !r.Applies(target.Line) {
			continue
		}
		r.Run(&Pass{
			Target: target, From: from, Pkg: pkg.Types, Info: pkg.Info, Fset: pkg.Fset,
			Files: pkg.Files, Tier: pkg.Tier, rule: r, claimant: claimant, index: idx, out: &out,
		})
	}
	if pkg.Types != nil {
		for _, f := range pkg.Files {
			f.unhide(&Pass{Pkg: pkg.Types, Info: pkg.Info, out: &out})
		}
	}
	out.Changes = slices.DeleteFunc(out.Changes, func(c edit.Change) bool { return len(c.Edits) == 0 })
	slices.SortStableFunc(out.Findings, func(a, b edit.Finding) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Start, b.Start))
	})
	return out
}

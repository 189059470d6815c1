package edit

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
)

// Imports settles the import declarations of a file after its changes: it
// adds the imports that they ask for and removes those whose last use they
// took away. What the file imported without using (blank and dot imports, or
// an import that was unused already) stays.
//
// edits are all edits of the file, sorted; the edits that Imports returns
// replace them. localName gives the name of the package at an import path.
func Imports(name string, src []byte, edits []Edit, adds []Import, localName func(path string) string) ([]Edit, error) {
	fset := token.NewFileSet()
	old, err := parser.ParseFile(fset, name, src, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	changed, err := Apply(src, edits)
	if err != nil {
		return nil, err
	}
	now, err := parser.ParseFile(token.NewFileSet(), name, changed, 0)
	if err != nil {
		return nil, err
	}
	tf := fset.File(old.FileStart)
	usedBefore, usedNow := qualifiers(old), qualifiers(now)

	f := &importFile{name: name, src: src, tf: tf, nl: "\n"}
	if j := bytes.IndexByte(src, '\n'); j > 0 && src[j-1] == '\r' {
		f.nl = "\r\n"
	}
	local := func(s *ast.ImportSpec) (path, name string) {
		path, _ = strconv.Unquote(s.Path.Value)
		if s.Name != nil {
			return path, s.Name.Name
		}
		return path, localName(path)
	}
	for _, d := range old.Decls {
		gd, ok := d.(*ast.GenDecl)
		if !ok || gd.Tok != token.IMPORT {
			continue
		}
		decl := &importDecl{GenDecl: gd}
		for _, s := range gd.Specs {
			spec := s.(*ast.ImportSpec)
			i := &importSpec{ImportSpec: spec, decl: decl}
			_, before := local(spec)
			// Changes keep the order and the number of specs.
			if n := len(f.specs); n < len(now.Imports) {
				i.path, i.name = local(now.Imports[n])
			}
			i.gone = before != "_" && before != "." && before != "C" && usedBefore[before] && !usedNow[i.name]
			f.specs = append(f.specs, i)
		}
	}
	asked := map[Import]bool{}
	var missing []Import
	for _, a := range adds {
		same := func(i *importSpec) bool { return i.path == a.Path && i.name == a.Name }
		if k := slices.IndexFunc(f.specs, same); k >= 0 {
			f.specs[k].gone = false // its use may lie in text that does not parse as one
		} else if key := (Import{Path: a.Path, Name: a.Name}); !asked[key] {
			asked[key] = true
			missing = append(missing, key)
		}
	}
	for _, i := range f.specs {
		if !i.gone {
			i.decl.kept++
		}
	}
	var fresh []Edit
	for _, a := range missing {
		fresh = append(fresh, f.add(a, old.Name.End()))
	}
	for _, r := range f.removals() {
		edits = slices.DeleteFunc(edits, func(e Edit) bool { return r.Start <= e.Start && e.End <= r.End })
		fresh = append(fresh, r)
	}
	edits = append(edits, fresh...)
	Sort(edits)
	return edits, nil
}

// importFile is a file whose imports are settled.
type importFile struct {
	name  string
	src   []byte
	tf    *token.File
	nl    string // line ending
	specs []*importSpec
}

type importDecl struct {
	*ast.GenDecl
	kept int // specs that stay or come
}

type importSpec struct {
	*ast.ImportSpec
	decl       *importDecl
	path, name string // after the changes
	gone       bool
}

func (f *importFile) lineStart(p token.Pos) int { return f.tf.Offset(f.tf.LineStart(f.tf.Line(p))) }

// lineEnd returns the offset after the line break.
func (f *importFile) lineEnd(p token.Pos) int {
	if l := f.tf.Line(p); l < f.tf.LineCount() {
		return f.tf.Offset(f.tf.LineStart(l + 1))
	}
	return len(f.src)
}

// top returns the offset at which the lines of a spec begin, its doc comment
// included.
func (f *importFile) top(i *importSpec) int {
	if i.Doc != nil {
		return f.lineStart(i.Doc.Pos())
	}
	return f.lineStart(i.Pos())
}

// shares says whether a spec shares its line with the parentheses.
func (f *importFile) shares(i *importSpec) bool {
	return i.decl.Lparen.IsValid() && (f.tf.Line(i.decl.Lparen) == f.tf.Line(i.Pos()) || f.tf.Line(i.decl.Rparen) == f.tf.Line(i.End()))
}

// removals deletes the specs that are gone, and whole declarations that are
// left with none.
func (f *importFile) removals() []Edit {
	var out []Edit
	done := map[*importDecl]bool{}
	for _, i := range f.specs {
		if !i.gone || done[i.decl] {
			continue
		}
		e := Edit{File: f.name, Rule: "imports"}
		switch {
		case i.decl.kept == 0:
			done[i.decl] = true
			e.Start, e.End = f.lineStart(i.decl.Pos()), f.lineEnd(i.decl.End())
			if e.Start > 0 && blankBefore(f.src, e.Start) { // one blank line is enough
				e.End = skipBlank(f.src, e.End)
			}
		case !i.decl.Lparen.IsValid():
			e.Start, e.End = f.lineStart(i.decl.Pos()), f.lineEnd(i.decl.End())
		case f.shares(i): // import ("a"; "b")
			e.Start, e.End = f.tf.Offset(i.Pos()), f.tf.Offset(i.End())
		default:
			e.Start, e.End = f.top(i), f.lineEnd(i.End())
		}
		out = append(out, e)
	}
	return out
}

// add inserts an import after the one that shares most of its path, else in
// the group of its kind, standard library or not, else in a new group.
func (f *importFile) add(a Import, packageClause token.Pos) Edit {
	text := strconv.Quote(a.Path)
	if a.Name != lastElem(a.Path) {
		text = a.Name + " " + text
	}
	var best, last *importSpec
	score := 0
	for _, i := range f.specs {
		if i.path == "C" {
			continue // its comment is code
		}
		last = i
		n := shared(i.path, a.Path) * 2
		if std(i.path) == std(a.Path) {
			n++
			if n == 1 && strings.Contains(i.path, "/etcd") {
				n++ // rather beside etcd than among the file's own packages
			}
		}
		if n > 0 && n >= score {
			best, score = i, n
		}
	}
	line := func(at int, text string) Edit { return insert(f.name, at, text, f.src, f.nl) }
	switch {
	case last == nil:
		return line(f.lineEnd(packageClause), f.nl+"import "+text+f.nl)
	case best != nil:
		best.decl.kept++
		switch {
		case !best.decl.Lparen.IsValid():
			return line(f.lineEnd(best.End()), "import "+text+f.nl)
		case f.shares(best):
			at := f.tf.Offset(best.End())
			return Edit{File: f.name, Start: at, End: at, New: "; " + text, Rule: "imports"}
		}
		return line(f.lineEnd(best.End()), "\t"+text+f.nl)
	}
	last.decl.kept++
	switch {
	case !last.decl.Lparen.IsValid():
		return line(f.lineEnd(last.End()), "import "+text+f.nl)
	case std(a.Path):
		for _, i := range f.specs {
			if i.decl == last.decl {
				return line(f.top(i), "\t"+text+f.nl+f.nl)
			}
		}
	}
	return line(f.lineEnd(last.End()), f.nl+"\t"+text+f.nl)
}

// insert makes an insertion of whole lines at the start of a line.
func insert(name string, at int, text string, src []byte, nl string) Edit {
	if at == len(src) && (at == 0 || src[at-1] != '\n') {
		text = nl + text
	}
	return Edit{File: name, Start: at, End: at, New: text, Rule: "imports"}
}

// qualifiers returns the names of a file that only an import or another file
// of the package can declare.
func qualifiers(f *ast.File) map[string]bool {
	m := map[string]bool{}
	unresolved := map[*ast.Ident]bool{}
	for _, id := range f.Unresolved {
		unresolved[id] = true
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if id, ok := sel.X.(*ast.Ident); ok && unresolved[id] {
				m[id.Name] = true
			}
		}
		return true
	})
	return m
}

func lastElem(p string) string { return p[strings.LastIndexByte(p, '/')+1:] }

// std says whether a path is of the standard library: its first element has
// no dot.
func std(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	return !strings.Contains(first, ".")
}

// shared counts the leading elements that two paths have in common.
func shared(a, b string) int {
	x, y := strings.Split(a, "/"), strings.Split(b, "/")
	n := 0
	for n < len(x) && n < len(y) && x[n] == y[n] {
		n++
	}
	return n
}

func blankBefore(src []byte, at int) bool {
	i := strings.LastIndexByte(string(src[:at-1]), '\n')
	return strings.TrimSpace(string(src[i+1:at])) == ""
}

// skipBlank returns the offset after a blank line at an offset.
func skipBlank(src []byte, at int) int {
	i := strings.IndexByte(string(src[at:]), '\n')
	if i >= 0 && strings.TrimSpace(string(src[at:at+i])) == "" {
		return at + i + 1
	}
	return at
}

// FormatImports formats the import declarations of a file that has a layout
// of its own otherwise, if gofmt would have left them alone before.
func FormatImports(before, after []byte) []byte {
	for _, r := range importDecls(before) {
		if text, ok := formatDecl(before[r[0]:r[1]]); !ok || !bytes.Equal(text, before[r[0]:r[1]]) {
			return after
		}
	}
	decls := importDecls(after)
	for _, r := range slices.Backward(decls) {
		if text, ok := formatDecl(after[r[0]:r[1]]); ok {
			after = slices.Concat(after[:r[0]], text, after[r[1]:])
		}
	}
	return after
}

// importDecls returns where the import declarations of a file are.
func importDecls(src []byte) [][2]int {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "", src, parser.ImportsOnly)
	if err != nil {
		return nil
	}
	var out [][2]int
	for _, d := range f.Decls {
		out = append(out, [2]int{fset.Position(d.Pos()).Offset, fset.Position(d.End()).Offset})
	}
	return out
}

func formatDecl(decl []byte) ([]byte, bool) {
	const head = "package p\n\n"
	text, err := format.Source(slices.Concat([]byte(head), decl))
	if err != nil || bytes.Contains(decl, []byte("\r")) {
		return nil, false
	}
	return bytes.TrimSuffix(bytes.TrimPrefix(text, []byte(head)), []byte("\n")), true
}

package edit

import (
	"go/ast"
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
// replace them. rename gives the local name of an import spec after the
// changes, by its offset, where they changed it.
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

	local := func(s *ast.ImportSpec) (path, name string) {
		path, _ = strconv.Unquote(s.Path.Value)
		if s.Name != nil {
			return path, s.Name.Name
		}
		return path, localName(path)
	}
	type entry struct {
		spec       *ast.ImportSpec
		decl       *ast.GenDecl
		path, name string // after the changes
		gone       bool
	}
	var entries []*entry
	i := 0
	for _, d := range old.Decls {
		gd, ok := d.(*ast.GenDecl)
		if !ok || gd.Tok != token.IMPORT {
			continue
		}
		for _, s := range gd.Specs {
			spec := s.(*ast.ImportSpec)
			e := &entry{spec: spec, decl: gd}
			_, before := local(spec)
			// Changes keep the order and the number of specs.
			if i < len(now.Imports) {
				e.path, e.name = local(now.Imports[i])
			}
			i++
			e.gone = before != "_" && before != "." && before != "C" && usedBefore[before] && !usedNow[e.name]
			entries = append(entries, e)
		}
	}
	for _, a := range adds {
		for _, e := range entries {
			if e.path == a.Path && e.name == a.Name {
				e.gone = false // asked for; its use may lie in text that does not parse as one
			}
		}
	}

	nl := "\n"
	if j := strings.IndexByte(string(src), '\n'); j > 0 && src[j-1] == '\r' {
		nl = "\r\n"
	}
	lineStart := func(p token.Pos) int { return tf.Offset(tf.LineStart(tf.Line(p))) }
	lineEnd := func(p token.Pos) int { // after the line break
		if l := tf.Line(p); l < tf.LineCount() {
			return tf.Offset(tf.LineStart(l + 1))
		}
		return len(src)
	}

	// Remove.
	var fresh []Edit
	drop := func(start, end int, rule string) {
		edits = slices.DeleteFunc(edits, func(e Edit) bool { return start <= e.Start && e.End <= end })
		fresh = append(fresh, Edit{File: name, Start: start, End: end, Rule: rule})
	}
	byDecl := map[*ast.GenDecl]int{}
	for _, e := range entries {
		if !e.gone {
			byDecl[e.decl]++
		}
	}
	for _, e := range entries {
		if !e.gone {
			continue
		}
		if byDecl[e.decl] == 0 && len(adds) == 0 {
			if byDecl[e.decl]--; byDecl[e.decl] == -1 { // the whole declaration, once
				start, end := lineStart(e.decl.Pos()), lineEnd(e.decl.End())
				if start > 0 && blankBefore(src, start) && blankAt(src, end) {
					end = skipBlank(src, end)
				}
				drop(start, end, "imports")
			}
			byDecl[e.decl] = -2
			continue
		}
		if byDecl[e.decl] < 0 {
			continue
		}
		start, end := lineStart(e.spec.Pos()), lineEnd(e.spec.End())
		if e.spec.Doc != nil {
			start = lineStart(e.spec.Doc.Pos())
		}
		if !e.decl.Lparen.IsValid() {
			start = lineStart(e.decl.Pos())
		}
		if !e.decl.Lparen.IsValid() || tf.Line(e.decl.Lparen) != tf.Line(e.spec.Pos()) && tf.Line(e.decl.Rparen) != tf.Line(e.spec.End()) {
			drop(start, end, "imports")
		} else { // import ("a"; "b") on one line
			drop(tf.Offset(e.spec.Pos()), tf.Offset(e.spec.End()), "imports")
		}
	}

	// Add.
	seen := map[string]bool{}
	for _, a := range adds {
		key := a.Name + " " + a.Path
		if seen[key] || slices.ContainsFunc(entries, func(e *entry) bool { return e.path == a.Path && e.name == a.Name }) {
			continue
		}
		seen[key] = true
		spec := strconv.Quote(a.Path)
		if a.Name != lastElem(a.Path) {
			spec = a.Name + " " + spec
		}
		// After the import that shares most of the path; else in the group of
		// its kind, standard library or not.
		var best *entry
		score := -1
		for _, e := range entries {
			if e.path == "C" || byDecl[e.decl] == -2 {
				continue
			}
			s := shared(e.path, a.Path) * 2
			if std(e.path) == std(a.Path) {
				s++
			}
			if s > 0 && s >= score {
				best, score = e, s
			}
		}
		switch {
		case best == nil && len(entries) > 0 && byDecl[entries[len(entries)-1].decl] != -2 && entries[len(entries)-1].path != "C":
			// Only imports of the other kind: a group of its own.
			e := entries[len(entries)-1]
			if !e.decl.Lparen.IsValid() {
				fresh = append(fresh, insert(name, lineEnd(e.spec.End()), "import "+spec+nl, src, nl))
			} else if std(a.Path) {
				first := e.decl.Specs[0].(*ast.ImportSpec)
				at := lineStart(first.Pos())
				if first.Doc != nil {
					at = lineStart(first.Doc.Pos())
				}
				fresh = append(fresh, insert(name, at, "\t"+spec+nl+nl, src, nl))
			} else {
				fresh = append(fresh, insert(name, lineEnd(e.spec.End()), nl+"\t"+spec+nl, src, nl))
			}
		case best == nil:
			at := lineEnd(old.Name.End())
			fresh = append(fresh, insert(name, at, nl+"import "+spec+nl, src, nl))
		case best.decl.Lparen.IsValid():
			if tf.Line(best.decl.Rparen) == tf.Line(best.spec.End()) {
				fresh = append(fresh, Edit{File: name, Start: tf.Offset(best.spec.End()), End: tf.Offset(best.spec.End()), New: "; " + spec, Rule: "imports"})
			} else {
				fresh = append(fresh, insert(name, lineEnd(best.spec.End()), "\t"+spec+nl, src, nl))
			}
		default:
			fresh = append(fresh, insert(name, lineEnd(best.spec.End()), "import "+spec+nl, src, nl))
		}
	}
	// An insertion at the end of a removed line goes before the removal's end
	// in order; both are kept apart by offsets.
	edits = append(edits, fresh...)
	Sort(edits)
	return edits, nil
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

func blankAt(src []byte, at int) bool { return skipBlank(src, at) > at }

// skipBlank returns the offset after a blank line at an offset.
func skipBlank(src []byte, at int) int {
	i := strings.IndexByte(string(src[at:]), '\n')
	if i >= 0 && strings.TrimSpace(string(src[at:at+i])) == "" {
		return at + i + 1
	}
	return at
}

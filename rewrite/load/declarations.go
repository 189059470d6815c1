package load

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/tools/go/packages"
)

// declarations parses what other packages see of a dependency: its exported
// declarations and those that they are made of, without comments and bodies.
// Resolution of names is the type checker's.
func (c *checker) declarations(p *packages.Package, r *checked) []*ast.File {
	c.sem <- struct{}{}
	defer func() { <-c.sem }()
	files := c.parseHollow(p, r, false)
	if slices.ContainsFunc(files, uncounted) {
		files = c.parseHollow(p, r, true)
	}
	return files
}

// sources are buffers for files that are read, and hollowed, and forgotten once
// they are parsed.
var sources = sync.Pool{New: func() any { return new([2]bytes.Buffer) }}

func (c *checker) parseHollow(p *packages.Package, r *checked, lengths bool) []*ast.File {
	buf := sources.Get().(*[2]bytes.Buffer)
	defer sources.Put(buf)
	var files []*ast.File
	for _, path := range p.GoFiles {
		var f *ast.File
		src, err := readInto(&buf[0], path)
		if err == nil {
			buf[1].Reset()
			hollow(&buf[1], src, lengths)
			f, err = parser.ParseFile(c.l.fset, path, buf[1].Bytes(), parser.SkipObjectResolution)
			if err != nil {
				f, err = parser.ParseFile(c.l.fset, path, src, parser.SkipObjectResolution)
			}
		}
		if err != nil {
			r.ok = false
		}
		if f == nil {
			continue
		}
		for _, d := range f.Decls {
			trim(d)
		}
		files = append(files, f)
	}
	shake(files)
	return files
}

func readInto(b *bytes.Buffer, path string) ([]byte, error) {
	b.Reset()
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil {
		b.Grow(int(st.Size()) + bytes.MinRead)
	}
	_, err = b.ReadFrom(f)
	return b.Bytes(), err
}

// hollow writes a source without comments, the bodies of functions and the
// elements of tables, line by line as gofmt writes them, since most of the time
// of a parser goes into them. lengths leaves the elements that set the length
// of an array; exported ones stay in any case. What only looks like a comment or
// a function, in a string, leaves a source that does not parse, or one whose
// types are the same. Line numbers go, too: nobody asks where a dependency
// declares something.
func hollow(out *bytes.Buffer, src []byte, lengths bool) {
	for len(src) > 0 {
		line, rest := cutLine(src)
		src = rest
		if bytes.HasPrefix(bytes.TrimLeft(line, "\t"), []byte("//")) {
			continue
		}
		text := bytes.TrimRight(line, "\r\n")
		if !lengths && counted(text) && text[len(text)-1] == '}' {
			out.Write(text[:bytes.IndexByte(text, '{')])
			out.WriteString("{}\n")
			continue
		}
		out.Write(line)
		if !opensBody(text, lengths) {
			continue
		}
		body := rest
		for len(body) > 0 && body[0] != '}' {
			_, body = cutLine(body)
		}
		// Another line that begins so goes on with the type of a parameter.
		if last, _ := cutLine(body); string(bytes.TrimRight(last, "\r\n")) == "}" {
			src = body
		}
	}
}

// counted says whether a line begins an array of unexported name that its
// elements give its length.
func counted(line []byte) bool {
	m := countedRE.FindSubmatch(line)
	return m != nil && string(m[1]) != "struct" && string(m[1]) != "interface"
}

var countedRE = regexp.MustCompile(`^var [a-z_]\w* = &?\[\.\.\.\][\w.*\[\]]*?(\w+)\{`)

// opensBody says whether a line begins what hollow leaves empty: the body of a
// function, or the elements of a variable.
func opensBody(line []byte, lengths bool) bool {
	if !bytes.HasSuffix(line, []byte("{")) {
		return false
	}
	if bytes.HasPrefix(line, []byte("var ")) {
		return !bytes.HasSuffix(line, []byte(" {")) && (!bytes.Contains(line, []byte("[...]")) || !lengths && counted(line))
	}
	return bytes.HasPrefix(line, []byte("func "))
}

// uncounted says whether a file has an array that its elements give its length,
// and none of them.
func uncounted(f *ast.File) bool {
	found := false
	for _, d := range f.Decls {
		ast.Inspect(d, func(n ast.Node) bool {
			if lit, ok := n.(*ast.CompositeLit); ok && len(lit.Elts) == 0 {
				if a, ok := lit.Type.(*ast.ArrayType); ok {
					_, counted := a.Len.(*ast.Ellipsis)
					found = found || counted
				}
			}
			return !found
		})
	}
	return found
}

func cutLine(src []byte) (line, rest []byte) {
	if i := bytes.IndexByte(src, '\n'); i >= 0 {
		return src[:i+1], src[i+1:]
	}
	return src, nil
}

// trim takes out of a declaration what does not bear on types: statements, and
// elements of composite literals, but for those that set the length of an
// array.
func trim(d ast.Decl) {
	if fn, ok := d.(*ast.FuncDecl); ok {
		if fn.Body != nil {
			fn.Body.List = nil // a body must be there for init and for generic functions
		}
		return
	}
	ast.Inspect(d, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GenDecl:
			for _, s := range n.Specs {
				if v, ok := s.(*ast.ValueSpec); ok && n.Tok == token.VAR && v.Type != nil {
					v.Values = nil
				}
			}
		case *ast.BlockStmt:
			n.List = nil
		case *ast.CompositeLit:
			if a, ok := n.Type.(*ast.ArrayType); ok {
				if _, counted := a.Len.(*ast.Ellipsis); counted {
					return true
				}
			}
			if n.Type != nil {
				n.Elts = nil
			}
		}
		return true
	})
}

// neededImports returns those imports of a package that its declarations
// mention, and takes the others out of its files. What only bodies use has no
// part in the types that others see, and following it would take in most of
// what a program links.
func neededImports(p *packages.Package, files []*ast.File) map[string]*packages.Package {
	needed := map[string]*packages.Package{}
	for _, f := range files {
		mentioned := map[string]bool{} // names before a dot
		for _, d := range f.Decls {
			ast.Inspect(d, func(n ast.Node) bool {
				if sel, ok := n.(*ast.SelectorExpr); ok {
					if x, ok := sel.X.(*ast.Ident); ok {
						mentioned[x.Name] = true
					}
				}
				return true
			})
		}
		drop := func(spec ast.Spec) bool {
			is, ok := spec.(*ast.ImportSpec)
			if !ok {
				return false
			}
			path, _ := strconv.Unquote(is.Path.Value)
			d := p.Imports[path]
			if d == nil {
				return false // "C", or not there
			}
			name := d.Name
			if is.Name != nil {
				name = is.Name.Name
			}
			if name != "" && name != "." && !mentioned[name] {
				return true
			}
			needed[path] = d
			return false
		}
		f.Decls = slices.DeleteFunc(f.Decls, func(d ast.Decl) bool {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.IMPORT {
				return false
			}
			g.Specs = slices.DeleteFunc(g.Specs, drop)
			return len(g.Specs) == 0
		})
	}
	return needed
}

// declared is what is kept or dropped as one: a function, a type, what a line
// of var declares, or a const with its parentheses, where a line can repeat the
// one before.
type declared struct {
	node ast.Node
	kept bool
}

// shake takes out of a package what no other package can come to know: the
// unexported declarations that no exported one mentions, of whose imports many
// are imported for them alone. Where a name is that of a parameter or label as
// well, what bears it stays.
func shake(files []*ast.File) {
	var (
		all     = map[ast.Node]*declared{}
		names   = map[string][]*declared{}
		methods = map[string][]*declared{} // by the type that has them
		sealing = unexportedMethods(files)
		todo    []*declared
	)
	keep := func(list []*declared) {
		for _, d := range list {
			if !d.kept {
				d.kept = true
				todo = append(todo, d)
			}
		}
	}
	add := func(node ast.Node, idents ...*ast.Ident) {
		d := &declared{node: node}
		all[node] = d
		for _, id := range idents {
			if id.Name == "_" {
				continue
			}
			names[id.Name] = append(names[id.Name], d)
			if id.IsExported() {
				keep([]*declared{d})
			}
		}
	}
	for _, f := range files {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					if d.Name.Name != "init" {
						add(d, d.Name)
					}
				} else if d.Name.IsExported() || sealing[d.Name.Name] {
					m := &declared{node: d}
					all[d] = m
					of := receiver(d)
					methods[of] = append(methods[of], m)
				}
			case *ast.GenDecl:
				var idents []*ast.Ident
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.TypeSpec:
						add(s, s.Name)
					case *ast.ValueSpec:
						if d.Tok == token.VAR {
							add(s, s.Names...)
						}
						idents = append(idents, s.Names...)
					}
				}
				if d.Tok == token.CONST {
					add(d, idents...)
				}
			}
		}
	}
	for len(todo) > 0 {
		d := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if t, ok := d.node.(*ast.TypeSpec); ok {
			keep(methods[t.Name.Name])
		}
		ast.Inspect(d.node, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Ident:
				keep(names[n.Name])
			case *ast.SelectorExpr:
				if id, ok := n.X.(*ast.Ident); ok {
					keep(names[id.Name])
					return false
				}
			}
			return true
		})
	}
	for _, f := range files {
		f.Decls = slices.DeleteFunc(f.Decls, func(d ast.Decl) bool {
			g, ok := d.(*ast.GenDecl)
			switch {
			case !ok || g.Tok == token.CONST:
				return all[d] == nil || !all[d].kept
			case g.Tok == token.IMPORT:
				return false
			}
			g.Specs = slices.DeleteFunc(g.Specs, func(s ast.Spec) bool { return !all[s].kept })
			return len(g.Specs) == 0
		})
	}
}

// unexportedMethods are the unexported names that interfaces of a package ask
// of what implements them.
func unexportedMethods(files []*ast.File) map[string]bool {
	found := map[string]bool{}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			if t, ok := n.(*ast.InterfaceType); ok {
				for _, m := range t.Methods.List {
					for _, id := range m.Names {
						if !id.IsExported() {
							found[id.Name] = true
						}
					}
				}
			}
			return true
		})
	}
	return found
}

// receiver returns the name of a method's type.
func receiver(d *ast.FuncDecl) string {
	if len(d.Recv.List) == 0 {
		return ""
	}
	x := d.Recv.List[0].Type
	for {
		switch t := x.(type) {
		case *ast.StarExpr:
			x = t.X
		case *ast.ParenExpr:
			x = t.X
		case *ast.IndexExpr:
			x = t.X
		case *ast.IndexListExpr:
			x = t.X
		case *ast.Ident:
			return t.Name
		default:
			return ""
		}
	}
}

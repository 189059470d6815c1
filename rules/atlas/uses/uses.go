// Package uses writes Go code that uses the symbols of etcd as client code does,
// from nothing but their declarations in the atlas: calls with parameters for
// arguments, reads of fields, composite literals, variables of a type. It is for
// tests that migrate such code for every break and compile the result.
package uses

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/printer"
	"go/token"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/etcdshift/etcdshift/rules/atlas"
)

// A Use is a piece of code that uses one symbol.
type Use struct {
	Pkg, Symbol string
	Release     string
	// Decl is a function declaration. Its name says what it is for.
	Decl string
	// Imports are the import paths behind the qualifiers of Decl.
	Imports map[string]string
}

// Of writes a use of a symbol of a package as a source release ("3.3.27", or a
// target line) has it. The error says why there is none: the symbol is not in the
// release, or its declaration speaks of what other packages cannot name.
func Of(pkg, symbol, release string) (Use, error) {
	s, ok := atlas.Lookup(pkg, symbol, release)
	if !ok {
		return Use{}, fmt.Errorf("%s.%s is not in etcd %s", pkg, symbol, release)
	}
	p := atlas.ImportPath(pkg, release)
	name, ok := atlas.PackageName(p)
	if p == "" || !ok || name == "main" {
		return Use{}, fmt.Errorf("%s cannot be imported from etcd %s", pkg, release)
	}
	w := &writer{
		sym: s, release: release, own: name, path: p, quals: atlas.Qualifiers(pkg, release),
		use: Use{Pkg: pkg, Symbol: symbol, Release: release, Imports: map[string]string{}},
	}
	if universe[name] {
		w.own = "etcd" + name
	}
	body, params, err := w.body()
	if err != nil {
		return Use{}, fmt.Errorf("%s.%s of etcd %s: %w", pkg, symbol, release, err)
	}
	if strings.Contains(body, w.own+".") || strings.Contains(params, w.own+".") {
		w.use.Imports[w.own] = w.path
	}
	w.use.Decl = fmt.Sprintf("func use_%s(%s) {\n%s}\n", strings.ReplaceAll(symbol, ".", "__"), params, body)
	return w.use, nil
}

// universe are the names that a package's own would hide.
var universe = map[string]bool{"error": true, "string": true, "int": true, "any": true}

type writer struct {
	sym     atlas.Symbol
	release string
	own     string // how the package is called here
	path    string
	quals   map[string]string
	use     Use
}

// body writes the statements of a use, and the parameters that they need.
func (w *writer) body() (body, params string, err error) {
	q := w.own + "."
	owner, member, isMember := strings.Cut(w.sym.Name, ".")
	if isMember && !ast.IsExported(owner) || !ast.IsExported(member) && isMember || !ast.IsExported(owner) {
		return "", "", fmt.Errorf("unexported")
	}
	kind := w.sym.Kind()
	switch kind {
	case "const", "var":
		return "\t_ = " + q + owner + "\n", "", nil
	case "type":
		return "\t_ = x\n", "x *" + q + owner, nil
	case "field", "embed":
		recv := "x *" + q + owner
		body := "\t_ = x." + member + "\n"
		if kind == "field" && !w.sym.Promoted {
			// A literal, too, with a value of the field's type.
			_, typ, _ := strings.Cut(strings.TrimPrefix(w.sym.Sig, "field "), " ")
			if t, err := w.qualify(typ); err == nil {
				return body + "\t_ = &" + q + owner + "{" + member + ": v}\n", recv + ", v " + t, nil
			}
		}
		return body, recv, nil
	case "func", "method":
		i := strings.Index(w.sym.Sig, w.last()+"(")
		if i < 0 {
			return "", "", fmt.Errorf("no parameters in %q", w.sym.Sig)
		}
		e, err := parser.ParseExpr("func" + w.sym.Sig[i+len(w.last()):])
		if err != nil {
			return "", "", fmt.Errorf("%q: %w", w.sym.Sig, err)
		}
		ft, ok := e.(*ast.FuncType)
		if !ok {
			return "", "", fmt.Errorf("no function in %q", w.sym.Sig)
		}
		results := ft.Results.NumFields()
		ft.Results = nil // they are not named here
		if err := w.fix(&e); err != nil {
			return "", "", err
		}
		var args, ps []string
		for _, f := range ft.Params.List {
			typ, variadic := f.Type, false
			if e, ok := typ.(*ast.Ellipsis); ok {
				typ, variadic = e.Elt, true
			}
			text, err := text(typ)
			if err != nil {
				return "", "", err
			}
			for range max(1, len(f.Names)) {
				a := fmt.Sprintf("a%d", len(args))
				if variadic {
					ps, args = append(ps, a+" ..."+text), append(args, a+"...")
				} else {
					ps, args = append(ps, a+" "+text), append(args, a)
				}
			}
		}
		call := q + owner
		if isMember {
			recv := "x *" + q + owner
			if s, ok := atlas.Lookup(w.use.Pkg, owner, w.release); ok && strings.HasSuffix(s.Sig, " interface") {
				recv = "x " + q + owner
			}
			call, ps = "x."+member, append([]string{recv}, ps...)
		}
		call += "(" + strings.Join(args, ", ") + ")"
		if results == 0 {
			return "\t" + call + "\n", strings.Join(ps, ", "), nil
		}
		rs := make([]string, results)
		for i := range rs {
			rs[i] = fmt.Sprintf("r%d", i)
		}
		names, blanks := strings.Join(rs, ", "), strings.TrimSuffix(strings.Repeat("_, ", results), ", ")
		return "\t" + names + " := " + call + "\n\t" + blanks + " = " + names + "\n", strings.Join(ps, ", "), nil
	}
	return "", "", fmt.Errorf("a %s", kind)
}

// last is the last part of the symbol's name.
func (w *writer) last() string {
	return w.sym.Name[strings.LastIndexByte(w.sym.Name, '.')+1:]
}

// fix qualifies the package's own types in a type as its signatures show it, and
// notes the imports of the others.
func (w *writer) fix(e *ast.Expr) error {
	var fail error
	var fix func(e *ast.Expr)
	fields := func(l *ast.FieldList) {
		if l != nil {
			for _, f := range l.List {
				fix(&f.Type)
			}
		}
	}
	fix = func(e *ast.Expr) {
		switch x := (*e).(type) {
		case *ast.Ident:
			if predeclared[x.Name] {
				return
			}
			if !x.IsExported() {
				fail = fmt.Errorf("%s is unexported", x.Name)
				return
			}
			*e = &ast.SelectorExpr{X: ast.NewIdent(w.own), Sel: ast.NewIdent(x.Name)}
		case *ast.SelectorExpr:
			q := x.X.(*ast.Ident)
			p := w.quals[q.Name]
			switch {
			case p == "":
				fail = fmt.Errorf("%s is not known", q.Name)
			case strings.Contains(p, "/internal/"), strings.HasSuffix(p, "/internal"):
				fail = fmt.Errorf("%s is internal", p)
			case q.Name == w.own && p != w.path:
				// Another package of the same name.
				*e = &ast.SelectorExpr{X: ast.NewIdent("other" + q.Name), Sel: x.Sel}
				w.use.Imports["other"+q.Name] = p
			default:
				w.use.Imports[q.Name] = p
			}
			if !x.Sel.IsExported() {
				fail = fmt.Errorf("%s is unexported", x.Sel.Name)
			}
		case *ast.StarExpr:
			fix(&x.X)
		case *ast.ArrayType:
			fix(&x.Elt)
		case *ast.Ellipsis:
			fix(&x.Elt)
		case *ast.MapType:
			fix(&x.Key)
			fix(&x.Value)
		case *ast.ChanType:
			fix(&x.Value)
		case *ast.FuncType:
			fields(x.Params)
			fields(x.Results)
		case *ast.StructType:
			fields(x.Fields)
		case *ast.InterfaceType:
			fields(x.Methods)
		case *ast.ParenExpr:
			fix(&x.X)
		case *ast.IndexExpr:
			fix(&x.X)
			fix(&x.Index)
		default:
			fail = fmt.Errorf("%T in %s", x, w.sym.Sig)
		}
	}
	fix(e)
	return fail
}

// qualify is fix, on text.
func (w *writer) qualify(typ string) (string, error) {
	e, err := parser.ParseExpr(typ)
	if err != nil {
		return "", fmt.Errorf("%q: %w", typ, err)
	}
	if err := w.fix(&e); err != nil {
		return "", err
	}
	return text(e)
}

func text(e ast.Expr) (string, error) {
	var b strings.Builder
	if err := printer.Fprint(&b, token.NewFileSet(), e); err != nil {
		return "", err
	}
	return strings.Join(strings.Fields(b.String()), " "), nil
}

var predeclared = map[string]bool{
	"any": true, "bool": true, "byte": true, "error": true, "complex64": true, "complex128": true, "float32": true, "float64": true,
	"int": true, "int8": true, "int16": true, "int32": true, "int64": true, "rune": true, "string": true,
	"uint": true, "uint8": true, "uint16": true, "uint32": true, "uint64": true, "uintptr": true,
}

// File writes a source file of uses, those that mean different packages by one
// qualifier left out and returned.
func File(pkg string, us []Use) (src []byte, left []Use, err error) {
	imports := map[string]string{}
	var body bytes.Buffer
	for _, u := range us {
		clash := false
		for q, p := range u.Imports {
			if have, ok := imports[q]; ok && have != p {
				clash = true
			}
		}
		if clash {
			left = append(left, u)
			continue
		}
		maps.Copy(imports, u.Imports)
		body.WriteString("\n" + u.Decl)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "package %s\n\nimport (\n", pkg)
	for _, q := range slices.Sorted(maps.Keys(imports)) {
		if p := imports[q]; q == path.Base(p) {
			fmt.Fprintf(&b, "\t%q\n", p)
		} else {
			fmt.Fprintf(&b, "\t%s %q\n", q, p)
		}
	}
	b.WriteString(")\n")
	b.Write(body.Bytes())
	src, err = format.Source(b.Bytes())
	return src, left, err
}

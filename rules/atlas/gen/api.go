package main

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// A sym is one exported symbol of a package: "New", "Client.Close", "Config.Logger".
type sym struct {
	name, kind string // kind: const, var, func, type, field, embed, method, imethod
	sig        string // as shown: package-qualified, with parameter names
	recv       string // "*" for a method of the pointer
	// key and byName are what compatibility is judged by: parameter names gone,
	// packages by their identity over all layouts. key follows aliases, byName
	// does not; two symbols are alike when either agrees.
	key, byName string
	via         string // promoted from this embedded type
	under       ast.Expr
	full        func() (sig, imports string) // of an interface's method
	doc         string
}

// An api is the exported API of one package of one release.
type api struct {
	syms map[string]*sym
	// opaque types take members from a package that is not etcd's, by alias or by
	// embedding: what they lack cannot be told.
	opaque map[string]bool
}

// A source is a parsed package.
type source struct {
	path  string
	files []*ast.File
	types map[string]*ast.TypeSpec
	in    map[ast.Node]*ast.File // file of each type spec
	meths map[string][]*ast.FuncDecl
	docs  map[string]string // of types
}

// A reader reads the API of the packages of one release.
type reader struct {
	g       *gen
	rel     *release
	places  map[string]*place
	split   map[string]string
	byRel   map[string]*pkg
	sources map[string]*source
	dirs    map[string]string // import path → folder, for any package of the release
	tags    build.Context
	note    func(qualifier, path string) // when set, told of each qualifier that is shown
	module  *module                      // set when the packages are those of one module that is not etcd
}

func newReader(g *gen, r *release, places map[string]*place, split map[string]string) *reader {
	rd := &reader{g: g, rel: r, places: places, split: split, byRel: map[string]*pkg{}, sources: map[string]*source{}, dirs: map[string]string{}}
	rd.tags = build.Default
	rd.tags.GOOS, rd.tags.GOARCH, rd.tags.CgoEnabled, rd.tags.BuildTags = "linux", "amd64", true, nil
	for _, p := range r.pkgs {
		if p.name != "main" {
			rd.byRel[rd.relOf(p.path)] = p
		}
	}
	return rd
}

// relOf names an import path as atlas.Canonical does; "" for what is not etcd's.
func (rd *reader) relOf(p string) string {
	if rel, ok := rd.split[p]; ok {
		return rel
	}
	if strings.HasPrefix(p, "go.etcd.io/raft/") {
		return strings.Replace(strings.TrimPrefix(p, "go.etcd.io/"), "/v3", "", 1)
	}
	for _, root := range append([]string{"github.com/etcd-io/etcd"}, oldRoots...) {
		below, ok := strings.CutPrefix(p, root+"/")
		if !ok {
			continue
		}
		if root == "go.etcd.io/etcd" {
			if mod, rest, ok := splitModule(p); ok {
				return path.Join(mod, rest)
			}
		}
		return below
	}
	return ""
}

// identity names a package alike in all releases: by its first home.
func (rd *reader) identity(p string) string {
	if i := strings.Index(p, "Godeps/_workspace/src/"); i >= 0 { // 2.3 imports its own copies
		p = p[i+len("Godeps/_workspace/src/"):]
	}
	switch p {
	case "golang.org/x/net/context":
		return "context"
	case "github.com/boltdb/bolt", "github.com/coreos/bbolt", "go.etcd.io/bbolt":
		return "go.etcd.io/bbolt"
	}
	rel := rd.relOf(p)
	if rel == "" {
		return p
	}
	if pl := rd.places[rel]; pl != nil {
		for _, h := range pl.home {
			if h != nil {
				return h.path
			}
		}
	}
	return rel
}

// dir finds the folder of an etcd package of the release, internal ones too.
func (rd *reader) dir(p string) string {
	if d, ok := rd.dirs[p]; ok {
		return d
	}
	d := ""
	if rd.module != nil {
		if below := strings.TrimPrefix(p, rd.module.Path); below != p {
			try := filepath.Join(rd.module.Dir, filepath.FromSlash(below))
			if st, err := os.Stat(try); err == nil && st.IsDir() {
				d = try
			}
		}
	} else if rel := rd.relOf(p); rel != "" {
		if q := rd.byRel[rel]; q != nil {
			d = q.dir
		} else {
			for _, m := range rd.rel.modules {
				if below, ok := strings.CutPrefix(p, m.Path+"/"); ok {
					try := filepath.Join(m.Dir, filepath.FromSlash(below))
					if st, err := os.Stat(try); err == nil && st.IsDir() {
						d = try
					}
				}
			}
		}
	}
	rd.dirs[p] = d
	return d
}

// load parses a package; nil when the release does not have it.
func (rd *reader) load(p string) (*source, error) {
	if s, ok := rd.sources[p]; ok {
		return s, nil
	}
	rd.sources[p] = nil
	dir := rd.dir(p)
	if dir == "" {
		return nil, nil
	}
	ents, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	s := &source{path: p, types: map[string]*ast.TypeSpec{}, in: map[ast.Node]*ast.File{}, meths: map[string][]*ast.FuncDecl{}, docs: map[string]string{}}
	fset := token.NewFileSet()
	for _, e := range ents {
		n := e.Name()
		if !strings.HasSuffix(n, ".go") || strings.HasSuffix(n, "_test.go") {
			continue
		}
		if ok, err := rd.tags.MatchFile(dir, n); err != nil || !ok {
			continue
		}
		f, err := parser.ParseFile(fset, filepath.Join(dir, n), nil, parser.SkipObjectResolution|parser.ParseComments)
		if err != nil {
			return nil, err
		}
		if f.Name.Name == "documentation" {
			continue
		}
		s.files = append(s.files, f)
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.GenDecl:
				for _, sp := range d.Specs {
					if ts, ok := sp.(*ast.TypeSpec); ok {
						s.types[ts.Name.Name] = ts
						s.in[ts] = f
						s.docs[ts.Name.Name] = docOf(d.Doc, len(d.Specs) == 1) + ts.Doc.Text()
					}
				}
			case *ast.FuncDecl:
				if d.Recv != nil && len(d.Recv.List) == 1 {
					t, _ := recvType(d)
					s.meths[t] = append(s.meths[t], d)
					s.in[d] = f
				}
			}
		}
	}
	rd.sources[p] = s
	return s, nil
}

func recvType(d *ast.FuncDecl) (name, star string) {
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t, star = x.X, "*"
		case *ast.ParenExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name, star
		default:
			return "", star
		}
	}
}

var versionElem = regexp.MustCompile(`^v[0-9]+$`)

// importOf finds the import path behind a qualifier.
func (rd *reader) importOf(f *ast.File, name string) string {
	var loose string
	for _, im := range f.Imports {
		p := strings.Trim(im.Path.Value, `"`)
		if im.Name != nil {
			if im.Name.Name == name {
				return p
			}
			continue
		}
		if q := rd.byRel[rd.relOf(p)]; q != nil && rd.relOf(p) != "" {
			if q.name == name {
				return p
			}
			continue
		}
		last := path.Base(p)
		if versionElem.MatchString(last) {
			last = path.Base(path.Dir(p))
		}
		last, _, _ = strings.Cut(last, ".")
		if last == name {
			return p
		}
		if strings.Contains(strings.ReplaceAll(p, "-", "_"), name) {
			loose = p
		}
	}
	return loose
}

// A writer renders types: shown (own false: types of the package itself
// unqualified) or as keys.
type writer struct {
	rd     *reader
	src    *source
	file   *ast.File
	key    bool // render for comparison
	follow bool // follow aliases
	own    bool // qualify the package's own types, and note imports
	pkg    string
	// imports notes the qualifiers used, when own.
	imports map[string]string
	params  map[string]string // type parameters
	note    func(qualifier, path string)
	depth   int
}

var universe = map[string]string{
	"any": "any", "bool": "bool", "byte": "uint8", "comparable": "comparable", "complex64": "complex64", "complex128": "complex128",
	"error": "error", "float32": "float32", "float64": "float64", "int": "int", "int8": "int8", "int16": "int16", "int32": "int32",
	"int64": "int64", "rune": "int32", "string": "string", "uint": "uint", "uint8": "uint8", "uint16": "uint16", "uint32": "uint32",
	"uint64": "uint64", "uintptr": "uintptr",
}

func (w *writer) typ(e ast.Expr) string {
	switch e := e.(type) {
	case nil:
		return ""
	case *ast.Ident:
		if p, ok := w.params[e.Name]; ok && w.key {
			return p
		} else if ok {
			return e.Name
		}
		if _, declared := w.src.types[e.Name]; !declared {
			if u, ok := universe[e.Name]; ok {
				if w.key {
					return u
				}
				return e.Name
			}
		}
		if w.key {
			return w.named(w.src, e.Name)
		}
		if w.own {
			w.imports[w.pkg] = w.src.path
			return w.pkg + "." + e.Name
		}
		return e.Name
	case *ast.SelectorExpr:
		q, ok := e.X.(*ast.Ident)
		if !ok {
			return w.typ(e.X) + "." + e.Sel.Name
		}
		p := w.rd.importOf(w.file, q.Name)
		if w.key {
			if src, err := w.rd.load(p); err == nil && src != nil {
				return w.named(src, e.Sel.Name)
			}
			return w.rd.identity(p) + "." + e.Sel.Name
		}
		name := q.Name
		if pk := w.rd.byRel[w.rd.relOf(p)]; pk != nil && w.rd.relOf(p) != "" {
			name = pk.name
		}
		if i := strings.Index(p, "Godeps/_workspace/src/"); i >= 0 {
			p = p[i+len("Godeps/_workspace/src/"):]
		}
		if p == "golang.org/x/net/context" {
			p = "context"
		}
		if w.own {
			w.imports[name] = p
		}
		if w.note != nil {
			w.note(name, p)
		}
		return name + "." + e.Sel.Name
	case *ast.StarExpr:
		return "*" + w.typ(e.X)
	case *ast.ParenExpr:
		return w.typ(e.X)
	case *ast.ArrayType:
		if e.Len == nil {
			return "[]" + w.typ(e.Elt)
		}
		return "[" + w.expr(e.Len) + "]" + w.typ(e.Elt)
	case *ast.Ellipsis:
		return "..." + w.typ(e.Elt)
	case *ast.MapType:
		return "map[" + w.typ(e.Key) + "]" + w.typ(e.Value)
	case *ast.ChanType:
		switch e.Dir {
		case ast.RECV:
			return "<-chan " + w.typ(e.Value)
		case ast.SEND:
			return "chan<- " + w.typ(e.Value)
		}
		return "chan " + w.typ(e.Value)
	case *ast.FuncType:
		return "func" + w.signature(e)
	case *ast.InterfaceType:
		if e.Methods == nil || len(e.Methods.List) == 0 {
			if w.key {
				return "any"
			}
			return "interface{}"
		}
		var ms []string
		for _, m := range e.Methods.List {
			if len(m.Names) == 0 {
				ms = append(ms, w.typ(m.Type))
			}
			for _, n := range m.Names {
				ms = append(ms, n.Name+strings.TrimPrefix(w.typ(m.Type), "func"))
			}
		}
		return "interface{ " + strings.Join(ms, "; ") + " }"
	case *ast.StructType:
		if e.Fields == nil || len(e.Fields.List) == 0 {
			return "struct{}"
		}
		var fs []string
		for _, f := range e.Fields.List {
			if len(f.Names) == 0 {
				fs = append(fs, w.typ(f.Type))
			}
			for _, n := range f.Names {
				fs = append(fs, n.Name+" "+w.typ(f.Type))
			}
		}
		return "struct{ " + strings.Join(fs, "; ") + " }"
	case *ast.IndexExpr:
		return w.typ(e.X) + "[" + w.typ(e.Index) + "]"
	case *ast.IndexListExpr:
		var as []string
		for _, a := range e.Indices {
			as = append(as, w.typ(a))
		}
		return w.typ(e.X) + "[" + strings.Join(as, ", ") + "]"
	case *ast.BinaryExpr:
		return w.typ(e.X) + " | " + w.typ(e.Y)
	case *ast.UnaryExpr:
		return "~" + w.typ(e.X)
	}
	return fmt.Sprintf("%T", e)
}

// expr renders an array length.
func (w *writer) expr(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		return e.Value
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return w.expr(e.X) + "." + e.Sel.Name
	case *ast.Ellipsis:
		return "..."
	}
	return "?"
}

// named is the key of a named type.
func (w *writer) named(src *source, name string) string {
	if ts := src.types[name]; ts != nil && ts.Assign.IsValid() && w.follow && w.depth < 8 {
		in := *w
		in.src, in.file, in.depth, in.params = src, src.in[ts], w.depth+1, nil
		return in.typ(ts.Type)
	}
	return w.rd.identity(src.path) + "." + name
}

// signature renders parameters and results: "(a T) (U, error)".
func (w *writer) signature(t *ast.FuncType) string {
	fields := func(l *ast.FieldList) []string {
		var out []string
		if l == nil {
			return nil
		}
		for _, f := range l.List {
			typ := w.typ(f.Type)
			if len(f.Names) == 0 {
				out = append(out, typ)
			}
			for _, n := range f.Names {
				if w.key {
					out = append(out, typ)
				} else {
					out = append(out, n.Name+" "+typ)
				}
			}
		}
		return out
	}
	s := "(" + strings.Join(fields(t.Params), ", ") + ")"
	rs := fields(t.Results)
	named := t.Results != nil && len(t.Results.List) > 0 && len(t.Results.List[0].Names) > 0
	switch {
	case len(rs) == 0:
	case len(rs) == 1 && (w.key || !named):
		s += " " + rs[0]
	default:
		s += " (" + strings.Join(rs, ", ") + ")"
	}
	return s
}

// texts renders with all three writers: shown, key following aliases, key by name.
func (rd *reader) texts(src *source, f *ast.File, tparams *ast.FieldList, render func(w *writer) string) (sig, key, byName string) {
	params := map[string]string{}
	if tparams != nil {
		for _, l := range tparams.List {
			for _, n := range l.Names {
				params[n.Name] = fmt.Sprintf("$%d", len(params))
			}
		}
	}
	sig = render(&writer{rd: rd, src: src, file: f, params: params, note: rd.note})
	key = render(&writer{rd: rd, src: src, file: f, params: params, key: true, follow: true})
	byName = render(&writer{rd: rd, src: src, file: f, params: params, key: true})
	return
}

// api reads the exported API of a package.
func (rd *reader) api(p *pkg) (*api, error) {
	src, err := rd.load(p.path)
	if err != nil {
		return nil, err
	}
	a := &api{syms: map[string]*sym{}, opaque: map[string]bool{}}
	if src == nil {
		return a, nil
	}
	add := func(s *sym) {
		if _, ok := a.syms[s.name]; !ok {
			a.syms[s.name] = s
		}
	}
	for _, f := range src.files {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv != nil || !d.Name.IsExported() {
					continue
				}
				s := &sym{name: d.Name.Name, kind: "func"}
				s.sig, s.key, s.byName = rd.texts(src, f, d.Type.TypeParams, func(w *writer) string { return w.signature(d.Type) })
				s.sig = "func " + s.name + s.sig
				s.doc = d.Doc.Text()
				add(s)
			case *ast.GenDecl:
				if d.Tok == token.CONST || d.Tok == token.VAR {
					rd.values(src, f, d, add)
				}
			}
		}
	}
	for name, ts := range src.types {
		if !ts.Name.IsExported() {
			continue
		}
		f := src.in[ts]
		s := &sym{name: name, kind: "type", under: ts.Type}
		form := func(w *writer) string {
			eq := ""
			if ts.Assign.IsValid() {
				eq = "= "
			}
			switch ts.Type.(type) {
			case *ast.StructType:
				return eq + "struct"
			case *ast.InterfaceType:
				return eq + "interface"
			}
			return eq + w.typ(ts.Type)
		}
		s.sig, s.key, s.byName = rd.texts(src, f, ts.TypeParams, form)
		s.sig = "type " + name + " " + s.sig
		s.doc = src.docs[name]
		add(s)
		seen := map[string]bool{}
		rd.members(a, src, ts, name, "", 0, seen, add)
	}
	return a, nil
}

// values adds constants and variables. The type of one without an explicit type
// is not known: its key is empty and agrees with any.
func (rd *reader) values(src *source, f *ast.File, d *ast.GenDecl, add func(*sym)) {
	var last ast.Expr
	for _, sp := range d.Specs {
		vs, ok := sp.(*ast.ValueSpec)
		if !ok {
			continue
		}
		t := vs.Type
		if d.Tok == token.CONST {
			if t == nil && len(vs.Values) == 0 {
				t = last
			}
			last = t
		}
		for _, n := range vs.Names {
			if !n.IsExported() {
				continue
			}
			s := &sym{name: n.Name, kind: strings.ToLower(d.Tok.String())}
			if t != nil {
				s.sig, s.key, s.byName = rd.texts(src, f, nil, func(w *writer) string { return w.typ(t) })
				s.sig = " " + s.sig
			}
			s.sig = s.kind + " " + s.name + s.sig
			s.doc = docOf(d.Doc, len(d.Specs) == 1) + vs.Doc.Text() + vs.Comment.Text()
			add(s)
		}
	}
}

// members adds the fields and methods of a type, those that it takes from what it
// embeds included.
func (rd *reader) members(a *api, src *source, ts *ast.TypeSpec, owner, via string, depth int, seen map[string]bool, add func(*sym)) {
	id := src.path + "." + ts.Name.Name
	if seen[id] || depth > 6 {
		return
	}
	seen[id] = true
	f := src.in[ts]
	var later []func()
	embedded := func(e ast.Expr) {
		name := via
		if name == "" {
			w := &writer{rd: rd, src: src, file: f}
			name = strings.TrimPrefix(w.typ(e), "*")
		}
		es, ets := rd.resolve(src, f, e)
		if ets == nil {
			if es == nil && !rd.locks(f, e) {
				a.opaque[owner] = true
			}
			return
		}
		later = append(later, func() { rd.members(a, es, ets, owner, name, depth+1, seen, add) })
	}
	switch t := ts.Type.(type) {
	case *ast.StructType:
		for _, fl := range t.Fields.List {
			names := fl.Names
			kind := "field"
			if len(names) == 0 {
				kind = "embed"
				names = []*ast.Ident{embedName(fl.Type)}
			}
			for _, n := range names {
				if n == nil || !n.IsExported() {
					continue
				}
				s := &sym{name: owner + "." + n.Name, kind: kind, via: via}
				s.sig, s.key, s.byName = rd.texts(src, f, ts.TypeParams, func(w *writer) string { return w.typ(fl.Type) })
				s.sig = "field " + n.Name + " " + s.sig
				if kind == "embed" {
					s.sig = "embed " + strings.TrimPrefix(s.sig, "field "+n.Name+" ")
				}
				s.doc = fl.Doc.Text() + fl.Comment.Text()
				add(s)
			}
			if len(fl.Names) == 0 {
				embedded(fl.Type)
			}
		}
	case *ast.InterfaceType:
		for _, fl := range t.Methods.List {
			ft, ok := fl.Type.(*ast.FuncType)
			if !ok {
				embedded(fl.Type)
				continue
			}
			for _, n := range fl.Names {
				// An interface's unexported method is part of what breaks those who
				// implement it.
				s := &sym{name: owner + "." + n.Name, kind: "imethod", via: via}
				s.sig, s.key, s.byName = rd.texts(src, f, ts.TypeParams, func(w *writer) string { return w.signature(ft) })
				s.sig = "method " + n.Name + s.sig
				s.doc = fl.Doc.Text() + fl.Comment.Text()
				s.full = func() (string, string) {
					w := &writer{rd: rd, src: src, file: f, own: true, pkg: src.files[0].Name.Name, imports: map[string]string{}}
					sig := w.signature(ft)
					var im []string
					for _, q := range sorted(w.imports) {
						im = append(im, q+"="+w.imports[q])
					}
					return sig, strings.Join(im, " ")
				}
				add(s)
			}
		}
	default:
		if ts.Assign.IsValid() {
			// An alias is the other type: its members are the alias's own.
			if es, ets := rd.resolve(src, f, ts.Type); ets != nil {
				rd.members(a, es, ets, owner, via, depth+1, seen, add)
			} else if es == nil {
				a.opaque[owner] = true
			}
		} else {
			// A type defined from another struct has its fields, and from another
			// interface its methods.
			es, ets := rd.resolve(src, f, ts.Type)
			for ets != nil {
				if _, ok := ets.Type.(*ast.StructType); ok {
					rd.fieldsOf(es, ets, owner, add)
					break
				}
				if _, ok := ets.Type.(*ast.InterfaceType); ok {
					rd.members(a, es, ets, owner, via, depth+1, seen, add)
					break
				}
				es, ets = rd.resolve(es, es.in[ets], ets.Type)
			}
		}
	}
	for _, m := range src.meths[ts.Name.Name] {
		if !m.Name.IsExported() {
			continue
		}
		_, star := recvType(m)
		s := &sym{name: owner + "." + m.Name.Name, kind: "method", recv: star, via: via}
		s.sig, s.key, s.byName = rd.texts(src, src.in[m], nil, func(w *writer) string { return w.signature(m.Type) })
		s.sig = "func (" + star + owner + ") " + m.Name.Name + s.sig
		s.doc = m.Doc.Text()
		add(s)
	}
	for _, l := range later {
		l()
	}
}

// fieldsOf adds the fields of a struct to a type that is defined from it, without
// its methods.
func (rd *reader) fieldsOf(src *source, ts *ast.TypeSpec, owner string, add func(*sym)) {
	f := src.in[ts]
	for _, fl := range ts.Type.(*ast.StructType).Fields.List {
		for _, n := range fl.Names {
			if !n.IsExported() {
				continue
			}
			s := &sym{name: owner + "." + n.Name, kind: "field", via: ts.Name.Name}
			s.sig, s.key, s.byName = rd.texts(src, f, nil, func(w *writer) string { return w.typ(fl.Type) })
			s.sig = "field " + n.Name + " " + s.sig
			add(s)
		}
	}
}

// resolve finds the declaration behind a type expression. src is nil for a type
// of a package that is not etcd's.
func (rd *reader) resolve(src *source, f *ast.File, e ast.Expr) (*source, *ast.TypeSpec) {
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.Ident:
			return src, src.types[x.Name]
		case *ast.SelectorExpr:
			q, ok := x.X.(*ast.Ident)
			if !ok {
				return nil, nil
			}
			s, err := rd.load(rd.importOf(f, q.Name))
			if err != nil || s == nil {
				return nil, nil
			}
			return s, s.types[x.Sel.Name]
		default:
			return src, nil
		}
	}
}

// docOf is the doc of a declaration, when it is the doc of its only spec.
func docOf(g *ast.CommentGroup, only bool) string {
	if !only {
		return ""
	}
	return g.Text()
}

// locks reports whether an embedded type is a mutex, whose few methods no symbol
// of etcd was ever promoted under another name for.
func (rd *reader) locks(f *ast.File, e ast.Expr) bool {
	w := &writer{rd: rd, file: f, src: &source{}}
	n := strings.TrimPrefix(w.typ(e), "*")
	return n == "sync.Mutex" || n == "sync.RWMutex"
}

func embedName(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.SelectorExpr:
			return x.Sel
		case *ast.Ident:
			return x
		default:
			return nil
		}
	}
}

package rules

import (
	"go/ast"
	"go/types"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/ast/inspector"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// index finds the mentions of etcd and gRPC symbols in a package once, so that
// a rule which has nothing to do costs a map look-up.
type index struct {
	in    *inspector.Inspector
	refs  map[Symbol][]Ref
	byPkg map[string][]Ref
	lits  map[Symbol][]Literal
	owner map[*types.Package]map[types.Object]string // names of fields and of methods of unnamed types
	uses  map[types.Object][]inspector.Cursor        // of the package's own variables and functions; see Pass.uses
	refOf map[*ast.Ident]Symbol                      // what identifiers name
	litOf map[*ast.CompositeLit]Symbol               // what literals are of

	locals   *locals   // in packages without types
	newCalls []newCall // see Pass.configs

	pointers *pointers // made when a rule first asks
}

// indexed says whether mentions of a package are kept: etcd's own, and those
// of companions whose API changes between the releases that a migration
// crosses. load looks at files that import these (load.Source).
func indexed(path string) bool {
	if _, _, ok := atlas.Canonical(path); ok {
		return true
	}
	return atlas.Beside(path)
}

func newIndex(pkg *Package) *index {
	asts := make([]*ast.File, len(pkg.Files))
	byAST := map[*ast.File]*File{}
	for i, f := range pkg.Files {
		asts[i], byAST[f.AST] = f.AST, f
	}
	x := &index{
		in:    inspector.New(asts),
		refs:  map[Symbol][]Ref{},
		byPkg: map[string][]Ref{},
		lits:  map[Symbol][]Literal{},
		owner: map[*types.Package]map[types.Object]string{},
		refOf: map[*ast.Ident]Symbol{},
		litOf: map[*ast.CompositeLit]Symbol{},
	}
	declared := map[string]bool{} // at package level, in any file
	for _, f := range asts {
		if f.Scope != nil {
			for name := range f.Scope.Objects {
				declared[name] = true
			}
		}
	}
	if pkg.Info == nil {
		x.locals = &locals{pkg, declared, map[*ast.Object]Symbol{}, map[*ast.Object]*types.Var{}}
	}
	for cf := range x.in.Root().Children() {
		f := byAST[cf.Node().(*ast.File)]
		for c := range cf.Preorder((*ast.Ident)(nil), (*ast.CompositeLit)(nil)) {
			switch n := c.Node().(type) {
			case *ast.Ident:
				x.ident(pkg, f, c, n, declared)
			case *ast.CompositeLit:
				x.literal(pkg, f, c, n, declared)
			}
		}
	}
	return x
}

func (x *index) add(r Ref) {
	x.refs[r.Symbol] = append(x.refs[r.Symbol], r)
	x.byPkg[r.Pkg] = append(x.byPkg[r.Pkg], r)
	x.refOf[r.Ident] = r.Symbol
}

func (x *index) ident(pkg *Package, f *File, c inspector.Cursor, id *ast.Ident, declared map[string]bool) {
	if pkg.Info != nil {
		if obj := pkg.Info.Uses[id]; obj != nil {
			if _, ok := obj.(*types.PkgName); !ok {
				if obj.Pkg() != nil && indexed(obj.Pkg().Path()) {
					if name := x.name(obj); name != "" {
						x.add(Ref{Symbol: Symbol{canonical(obj.Pkg().Path()), name}, File: f, Ident: id, Cursor: c, Obj: obj, Tier: pkg.Tier})
					}
				}
				return
			}
		} else if pkg.Info.Defs[id] != nil {
			return
		}
	}
	// Without types: pkg.Name where pkg is an import of the file that nothing
	// shadows.
	sel, ok := c.Parent().Node().(*ast.SelectorExpr)
	if !ok || sel.Sel != id {
		return
	}
	if sym, ok := f.qualified(pkg, sel, declared); ok {
		x.add(Ref{Symbol: sym, File: f, Ident: id, Cursor: c, Tier: edit.Syntax})
		return
	}
	if q, ok := sel.X.(*ast.Ident); ok && x.locals != nil {
		if t, ok := x.locals.typeOf(f, q); ok {
			x.add(Ref{Symbol: x.locals.member(t, id.Name), File: f, Ident: id, Cursor: c, Tier: edit.Syntax})
			return
		}
	}
	if pkg.Info == nil {
		x.memberOf(pkg, f, c, id, sel, declared)
		return
	}
	// A member that the type does not have in the release that was loaded,
	// which may be newer than the one that the code was written for.
	if t := pkg.Info.TypeOf(sel.X); t != nil {
		if n, ok := types.Unalias(deref(t)).(*types.Named); ok && n.Obj().Pkg() != nil && indexed(n.Obj().Pkg().Path()) {
			x.add(Ref{Symbol: Symbol{canonical(n.Obj().Pkg().Path()), n.Obj().Name() + "." + id.Name}, File: f, Ident: id, Cursor: c, Tier: edit.Syntax})
		}
	}
}

// memberOf finds members of the types of gRPC and of client v2 without types:
// of a parameter or a variable that is declared with one, or made by client
// v2's constructor of it.
func (x *index) memberOf(pkg *Package, f *File, c inspector.Cursor, id *ast.Ident, sel *ast.SelectorExpr, declared map[string]bool) {
	q, ok := sel.X.(*ast.Ident)
	if !ok || q.Obj == nil || q.Obj.Kind != ast.Var {
		return
	}
	var t ast.Expr
	switch d := q.Obj.Decl.(type) {
	case *ast.Field:
		t = d.Type
	case *ast.ValueSpec:
		t = d.Type
	case *ast.AssignStmt:
		call, ok := d.Rhs[0].(*ast.CallExpr)
		if v, isVar := d.Lhs[0].(*ast.Ident); ok && isVar && v.Name == q.Name {
			if fun, ok := call.Fun.(*ast.SelectorExpr); ok {
				if made, ok := f.qualified(pkg, fun, declared); ok && made.Pkg == "client" && strings.HasPrefix(made.Name, "New") {
					name := strings.TrimPrefix(made.Name, "New")
					if name == "" {
						name = "Client"
					}
					x.add(Ref{Symbol: Symbol{"client", name + "." + id.Name}, File: f, Ident: id, Cursor: c, Tier: edit.Syntax})
				}
			}
		}
		return
	}
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	ts, ok := t.(*ast.SelectorExpr)
	if !ok {
		return
	}
	if sym, ok := f.qualified(pkg, ts, declared); ok && (sym.Pkg == "client" || sym.Pkg == grpcPath || strings.HasPrefix(sym.Pkg, grpcPath+"/")) {
		x.add(Ref{Symbol: Symbol{sym.Pkg, sym.Name + "." + id.Name}, File: f, Ident: id, Cursor: c, Tier: edit.Syntax})
	}
}

// qualified resolves pkg.Name by the imports of the file, for packages that
// have no types.
func (f *File) qualified(pkg *Package, sel *ast.SelectorExpr, declared map[string]bool) (Symbol, bool) {
	q, ok := sel.X.(*ast.Ident)
	if !ok {
		return Symbol{}, false
	}
	if pkg.Info != nil {
		pn, ok := pkg.Info.Uses[q].(*types.PkgName)
		if !ok || !indexed(pn.Imported().Path()) {
			return Symbol{}, false
		}
		return Symbol{canonical(pn.Imported().Path()), sel.Sel.Name}, true
	}
	if q.Obj != nil || declared[q.Name] {
		return Symbol{}, false
	}
	for _, i := range f.imps {
		if i.name == q.Name && indexed(i.path) {
			return Symbol{canonical(i.path), sel.Sel.Name}, true
		}
	}
	return Symbol{}, false
}

func (x *index) literal(pkg *Package, f *File, c inspector.Cursor, lit *ast.CompositeLit, declared map[string]bool) {
	if pkg.Info != nil {
		if t := pkg.Info.TypeOf(lit); t != nil && t != types.Typ[types.Invalid] {
			if sym, ok := TypeSymbol(t); ok {
				if named := types.Unalias(deref(t)).(*types.Named); indexed(named.Obj().Pkg().Path()) {
					x.lits[sym] = append(x.lits[sym], Literal{f, lit, c, pkg.Tier})
					x.litOf[lit] = sym
				}
			}
			return
		}
	}
	sel, ok := lit.Type.(*ast.SelectorExpr)
	if !ok {
		return
	}
	sym, ok := f.qualified(pkg, sel, declared)
	if !ok {
		return
	}
	x.lits[sym] = append(x.lits[sym], Literal{f, lit, c, edit.Syntax})
	x.litOf[lit] = sym
	for kv := range c.Children() {
		n, ok := kv.Node().(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		if id, ok := n.Key.(*ast.Ident); ok {
			key, _ := kv.FirstChild()
			x.add(Ref{Symbol: Symbol{sym.Pkg, sym.Name + "." + id.Name}, File: f, Ident: id, Cursor: key, Tier: edit.Syntax})
		}
	}
}

func deref(t types.Type) types.Type {
	if p, ok := types.Unalias(t).(*types.Pointer); ok {
		return p.Elem()
	}
	return t
}

// name names an object: Type.Field and Type.Method for members, "" for what
// cannot be named from outside.
func (x *index) name(obj types.Object) string {
	switch obj := obj.(type) {
	case *types.Func:
		if recv := obj.Signature().Recv(); recv != nil {
			if n, ok := types.Unalias(deref(recv.Type())).(*types.Named); ok {
				return n.Obj().Name() + "." + obj.Name()
			}
			return x.members(obj.Pkg())[obj]
		}
	case *types.Var:
		if obj.IsField() {
			return x.members(obj.Pkg())[obj.Origin()]
		}
	}
	if obj.Parent() != obj.Pkg().Scope() {
		return ""
	}
	return obj.Name()
}

// members names the fields of a package's struct types and the methods of its
// interfaces: go/types does not lead from a field back to its type.
func (x *index) members(pkg *types.Package) map[types.Object]string {
	if m, ok := x.owner[pkg]; ok {
		return m
	}
	m := map[types.Object]string{}
	for _, name := range pkg.Scope().Names() {
		tn, ok := pkg.Scope().Lookup(name).(*types.TypeName)
		if !ok || tn.IsAlias() {
			continue
		}
		switch u := tn.Type().Underlying().(type) {
		case *types.Struct:
			for i := range u.NumFields() {
				// A type made from another shares its fields; the first in
				// name order wins unless it is the origin.
				if _, ok := m[u.Field(i)]; !ok {
					m[u.Field(i)] = name + "." + u.Field(i).Name()
				}
			}
		case *types.Interface:
			for i := range u.NumExplicitMethods() {
				if _, ok := m[u.ExplicitMethod(i)]; !ok {
					m[u.ExplicitMethod(i)] = name + "." + u.ExplicitMethod(i).Name()
				}
			}
		}
	}
	x.owner[pkg] = m
	return m
}

// fileImport is an import spec with where it goes.
type fileImport struct {
	spec    *ast.ImportSpec
	path    string
	name    string // local name: package name, alias, "_" or "."
	alias   bool   // the spec names it
	rel     string // etcd package, "" for others
	final   string // import path after the move; path when it stays
	newName string // local name after the move
}

// move sets where an etcd import goes. The name that the file uses stays,
// unless the package is called otherwise in its new home and the file did not
// choose a name itself.
func (i *fileImport) move(f *File, line atlas.Line) {
	rel, _, ok := atlas.Canonical(i.path)
	if !ok {
		return
	}
	i.rel = rel
	home, ok := atlas.HomeOf(rel, line)
	if !ok || home.Gone {
		return
	}
	i.final = home.Path
	if !i.alias && home.Path != i.path && home.Name != i.name && !f.taken[home.Name] {
		i.newName = home.Name
	}
}

// repoint sets where the import of a package goes whose symbols went elsewhere:
// where all that a file uses of it moved to one package, under the names that
// it has there, the import follows them.
func (x *index) repoint(f *File, line atlas.Line) {
	for _, i := range f.imps {
		if i.rel == "" || i.name == "." || i.name == "_" {
			continue
		}
		to := ""
		for _, r := range x.byPkg[i.rel] {
			if r.File != f || strings.Contains(r.Name, ".") {
				continue
			}
			b := atlas.BreakOf(r.Pkg, r.Name)
			if b == nil {
				to = ""
				break
			}
			path, symbol, ok := b.MovedIn(line)
			if !ok || symbol != r.Name || to != "" && path != to {
				to = ""
				break
			}
			to = path
		}
		if to != "" && to != i.final && (i.alias || packageName(to) == i.newName) {
			i.final = to
		}
	}
}

// prepare reads the imports of a file and the names that it uses.
func (f *File) prepare(pkg *Package, line atlas.Line) {
	if f.tok != nil {
		return
	}
	f.tok = pkg.Fset.File(f.AST.FileStart)
	f.taken = map[string]bool{}
	ast.Inspect(f.AST, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			f.taken[id.Name] = true
		}
		return true
	})
	if pkg.Types != nil {
		for _, n := range pkg.Types.Scope().Names() {
			f.taken[n] = true
		}
	}
	for _, spec := range f.AST.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		i := &fileImport{spec: spec, path: p, final: p}
		switch {
		case spec.Name != nil:
			i.name, i.alias = spec.Name.Name, true
		case pkg.Info != nil && pkg.Info.Implicits[spec] != nil:
			i.name = pkg.Info.Implicits[spec].Name()
		default:
			i.name = packageName(p)
		}
		i.newName = i.name
		i.move(f, line)
		f.imps = append(f.imps, i)
	}
}

// PackageName returns the name of the package at an import path, as far as the
// path tells.
func PackageName(p string) string { return packageName(p) }

// packageName returns the name of the package at an import path: the atlas
// knows those that rules use, for others the last element stands.
func packageName(p string) string {
	if n, ok := atlas.PackageName(p); ok {
		return n
	}
	base := path.Base(p)
	if len(base) > 1 && base[0] == 'v' && strings.Trim(base[1:], "0123456789") == "" {
		base = path.Base(path.Dir(p))
	}
	if i := strings.LastIndex(base, ".v"); i > 0 { // gopkg.in/yaml.v2
		base = base[:i]
	}
	base = strings.TrimPrefix(base, "go-")
	return strings.ReplaceAll(base, "-", "_")
}

// Imports lists the import paths of a file, sorted.
func (f *File) Imports() []string {
	var out []string
	for _, i := range f.imps {
		out = append(out, i.path)
	}
	slices.Sort(out)
	return out
}

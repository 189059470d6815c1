package rules

import (
	"go/ast"
	"go/parser"
	"go/types"
	"iter"
	"slices"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/etcdshift/etcdshift/rules/atlas"
)

// Hit is a mention of a symbol that broke between the release that the code
// was written for and the target.
type Hit struct {
	Ref
	Break *atlas.Break
	Form  *atlas.Form // the form that the code uses, as far as that can be told
	Class atlas.Class // what moving from that form to the target asks for
}

// Broken returns the mentions of broken symbols for which the running rule
// answers. Mentions that go on to compile are left out.
func (p *Pass) Broken() iter.Seq[Hit] {
	return func(yield func(Hit) bool) {
		if p.atTarget() {
			return
		}
		for _, pkg := range p.Packages() {
			if len(atlas.BreaksOf(pkg)) == 0 {
				continue
			}
			for _, r := range p.RefsTo(pkg) {
				b := p.breakOf(r)
				if b == nil || !p.answersFor(b) {
					continue
				}
				if h, ok := p.hit(r, b); ok && !yield(h) {
					return
				}
			}
		}
	}
}

// atTarget says whether the code was written for the target line already, with
// nothing left behind.
func (p *Pass) atTarget() bool {
	l, ok := atlas.LineOf(p.From)
	return ok && l == p.Target.Line && !strings.Contains(p.From, "-") && !slices.ContainsFunc(p.Files, (*File).oldLayout)
}

// breakOf returns the break of the symbol that is mentioned, or nil.
func (p *Pass) breakOf(r Ref) *atlas.Break {
	b := atlas.BreakOf(r.Pkg, r.Name)
	if b == nil {
		// A member that comes from an embedded unexported type is known by
		// the exported type that it was selected from.
		if sel := r.Selector(); sel != nil && r.Obj != nil {
			if s, ok := TypeSymbol(p.TypeOf(sel.X)); ok && s.Pkg == r.Pkg {
				b = atlas.BreakOf(r.Pkg, s.Name+"."+sel.Sel.Name)
			}
		}
	}
	if b == nil && r.Obj != nil && strings.Contains(r.Name, ".") && !ast.IsExported(r.Name) {
		b = promotedBreak(r)
	}
	return b
}

func (p *Pass) hit(r Ref, b *atlas.Break) (Hit, bool) {
	f := p.form(b, r.Obj)
	if f == nil {
		return Hit{}, false
	}
	h := Hit{Ref: r, Break: b, Form: f, Class: f.Class[p.lineIndex()]}
	return h, h.Class != atlas.None
}

// promotedBreak finds the break of a member of an unexported type by an
// exported type that embeds it.
func promotedBreak(r Ref) *atlas.Break {
	name := r.Obj.Name()
	bs := atlas.BreaksOf(r.Pkg)
	for i := range bs {
		owner, ok := strings.CutSuffix(bs[i].Symbol, "."+name)
		if !ok {
			continue
		}
		tn, ok := r.Obj.Pkg().Scope().Lookup(owner).(*types.TypeName)
		if !ok {
			continue
		}
		if obj, _, _ := types.LookupFieldOrMethod(types.NewPointer(tn.Type()), true, tn.Pkg(), name); obj == r.Obj {
			return &bs[i]
		}
	}
	return nil
}

func (p *Pass) lineIndex() int { return slices.Index(atlas.Lines(), p.Target.Line) }

// form tells which form of a symbol the code uses: that of its declaration
// where there are types, else that of the source release. Between two
// releases that the atlas has, the one with more to do counts.
func (p *Pass) form(b *atlas.Break, obj types.Object) *atlas.Form {
	var same []*atlas.Form
	if obj != nil {
		decl := declaration(obj)
		for i := range b.Forms {
			if decl != "" && decl == plainSig(b.Forms[i].Sig) {
				same = append(same, &b.Forms[i])
			}
		}
	}
	if same == nil {
		for i := range b.Forms {
			same = append(same, &b.Forms[i])
		}
	}
	if len(same) == 1 {
		return same[0]
	}
	if near := p.nearest(same); near != nil {
		same = near
	}
	line := p.lineIndex()
	return slices.MaxFunc(same, func(a, b *atlas.Form) int { return int(a.Class[line]) - int(b.Class[line]) })
}

// nearest returns the forms of the releases right below and above the source
// release.
func (p *Pass) nearest(forms []*atlas.Form) []*atlas.Form {
	if p.From == "" {
		return nil
	}
	var below, above *atlas.Form
	var lo, hi string
	for _, f := range forms {
		for _, r := range f.Releases {
			v := "v" + r
			switch c := semver.Compare(v, p.From); {
			case c == 0:
				return []*atlas.Form{f}
			case c < 0 && (below == nil || semver.Compare(v, lo) > 0):
				below, lo = f, v
			case c > 0 && (above == nil || semver.Compare(v, hi) < 0):
				above, hi = f, v
			}
		}
	}
	return slices.DeleteFunc([]*atlas.Form{below, above}, func(f *atlas.Form) bool { return f == nil })
}

// declaration writes an object as plainSig writes a signature of the atlas, or
// "" for objects whose form the name alone tells.
func declaration(obj types.Object) string {
	own := func(q *types.Package) string {
		if q == obj.Pkg() {
			return ""
		}
		return q.Name()
	}
	switch obj := obj.(type) {
	case *types.Func:
		sig := obj.Signature()
		return tuple(sig.Params(), sig.Variadic(), own) + tuple(sig.Results(), false, own)
	case *types.Var:
		if obj.IsField() {
			return anyName(types.TypeString(obj.Type(), own))
		}
	}
	return ""
}

func tuple(t *types.Tuple, variadic bool, q types.Qualifier) string {
	var parts []string
	for i := range t.Len() {
		s := types.TypeString(t.At(i).Type(), q)
		if variadic && i == t.Len()-1 {
			s = "..." + strings.TrimPrefix(s, "[]")
		}
		parts = append(parts, anyName(s))
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

func anyName(s string) string { return strings.ReplaceAll(s, "interface{}", "any") }

// plainSig takes the names off a signature of the atlas: types of parameters
// and results for functions and methods, the type for fields.
func plainSig(sig string) string {
	if s, ok := parseSignature(sig); ok {
		return "(" + strings.Join(typesOf(s.params), ", ") + ")(" + strings.Join(typesOf(s.results), ", ") + ")"
	}
	if rest, ok := strings.CutPrefix(sig, "field "); ok {
		_, typ, _ := strings.Cut(rest, " ")
		return anyName(typ)
	}
	return sig
}

// signature is what a function or method takes and gives.
type signature struct {
	params, results []param
}

type param struct {
	name string
	typ  string // "..." in front when variadic
}

func typesOf(ps []param) []string {
	out := make([]string, len(ps))
	for i, p := range ps {
		out[i] = p.typ
	}
	return out
}

// parseSignature reads "func New(cfg Config) (*Client, error)", "func (*T)
// M()" and "method M()"; ok is false for anything else.
func parseSignature(sig string) (s signature, ok bool) {
	rest, isFunc := strings.CutPrefix(sig, "func ")
	if !isFunc {
		if rest, ok = strings.CutPrefix(sig, "method "); !ok {
			return s, false
		}
	}
	if strings.HasPrefix(rest, "(") { // the receiver
		_, rest, _ = strings.Cut(rest, ") ")
	}
	i := strings.IndexByte(rest, '(')
	if i < 0 {
		return s, false
	}
	e, err := parser.ParseExpr("func" + rest[i:])
	if err != nil {
		return s, false
	}
	ft, ok := e.(*ast.FuncType)
	if !ok {
		return s, false
	}
	return signature{fields(ft.Params), fields(ft.Results)}, true
}

func fields(l *ast.FieldList) []param {
	var out []param
	if l == nil {
		return nil
	}
	for _, f := range l.List {
		typ := anyName(types.ExprString(f.Type))
		if len(f.Names) == 0 {
			out = append(out, param{"", typ})
		}
		for _, n := range f.Names {
			out = append(out, param{n.Name, typ})
		}
	}
	return out
}

// widened are parameter types that became wider: whatever was passed still
// can be.
var widened = map[[2]string]bool{
	{"*testing.T", "testutil.TB"}:                    true,
	{"testing.TB", "testutil.TB"}:                    true,
	{"*testing.T", "testing.TB"}:                     true,
	{"*testing.T", "TB"}:                             true,
	{"testing.TB", "TB"}:                             true,
	{"*grpc.Server", "grpc.ServiceRegistrar"}:        true,
	{"*grpc.ClientConn", "grpc.ClientConnInterface"}: true,
	{"raftpb.ConfChange", "raftpb.ConfChangeI"}:      true,
}

// callable says whether calls to a function of one form still compile with
// another, as far as parameters go: same types, or wider ones, and at most an
// added variadic parameter.
func callable(old, now signature, same func(a, b string) bool) bool {
	n := len(now.params)
	if n == len(old.params)+1 && strings.HasPrefix(now.params[n-1].typ, "...") {
		n--
	}
	if n != len(old.params) {
		return false
	}
	for i, o := range old.params {
		w := now.params[i]
		switch {
		case o.typ == w.typ, widened[[2]string{o.typ, w.typ}], same(o.typ, w.typ), unnameable(o.typ):
		case strings.TrimPrefix(w.typ, "...") == o.typ: // one argument fits
		default:
			return false
		}
	}
	return true
}

// sameResults says whether results are used as before: as many of them, and
// of the same types. Types that no other package can name count as the
// exported ones that took their place.
func sameResults(old, now signature, same func(a, b string) bool) bool {
	if len(old.results) != len(now.results) {
		return false
	}
	for i, o := range old.results {
		w := now.results[i].typ
		if o.typ != w && !unnameable(o.typ) && !same(o.typ, w) {
			return false
		}
	}
	return true
}

// unnameable says whether a type of a signature is one that other packages
// cannot name.
func unnameable(typ string) bool {
	base := strings.TrimLeft(typ, "*.[]")
	return !strings.ContainsAny(base, ".[]({ ") && !ast.IsExported(base) && types.Universe.Lookup(base) == nil
}

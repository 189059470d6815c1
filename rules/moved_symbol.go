package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"strconv"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// movedSymbol follows symbols into another package.
//
// Matched: symbols of package level that the atlas found under the same or
// another name in a different package of the target. Members move with their
// type and are touched only where they are called otherwise there.
//
// Not matched: what is taken or given changed as well; the mention moves and
// a finding says what else to do.
var movedSymbol = &Rule{
	ID:    "moved-symbol",
	Title: "follow symbols into the package that has them in the target",
	Before: `package p

import (
	"github.com/coreos/etcd/etcdserver"
)

var cfg etcdserver.ServerConfig

func configure(name string) {
	cfg = etcdserver.ServerConfig{Name: name, SnapCount: 1000}
}

func stopped(err error) bool { return err == etcdserver.ErrStopped }
`,
	After: `package p

import (
	"go.etcd.io/etcd/server/v3/config"
	"go.etcd.io/etcd/server/v3/etcdserver/errors"
)

var cfg config.ServerConfig

func configure(name string) {
	cfg = config.ServerConfig{Name: name, SnapshotCount: 1000}
}

func stopped(err error) bool { return err == errors.ErrStopped }
`,
	Why:    "Packages of the server were split: configuration, errors, quotas and storage have packages of their own. The symbols are the same.",
	Since:  "v3.5.0",
	Safety: Same,
	Refs: []string{
		"https://github.com/etcd-io/etcd/blob/main/CHANGELOG/CHANGELOG-3.5.md",
		"https://github.com/etcd-io/etcd/blob/main/CHANGELOG/CHANGELOG-3.6.md",
	},
	Answers: func(b *atlas.Break) bool { return goes(b, true) },
	Run:     func(p *Pass) { p.follow() },
}

// renamedSymbol follows symbols that are called otherwise in the same package.
//
// Matched: package level symbols, fields and methods with another name in the
// target. A field that became a method is called.
//
// Not matched: assignments to a field that became a method, and symbols whose
// parameters changed too; they become findings.
var renamedSymbol = &Rule{
	ID:    "renamed-symbol",
	Title: "use the new names of renamed symbols",
	Before: `package p

import (
	"flag"

	"github.com/coreos/etcd/pkg/flags"
)

func states() *flags.StringsFlag {
	return flags.NewStringsFlag("new", "existing")
}

func register(fs *flag.FlagSet) []string {
	s := states()
	fs.Var(s, "initial-cluster-state", "")
	return s.Values
}
`,
	After: `package p

import (
	"flag"

	"go.etcd.io/etcd/pkg/v3/flags"
)

func states() *flags.SelectiveStringValue {
	return flags.NewSelectiveStringValue("new", "existing")
}

func register(fs *flag.FlagSet) []string {
	s := states()
	fs.Var(s, "initial-cluster-state", "")
	return s.Valids()
}
`,
	Why:    "The symbols do what they did under a new name. Valids of a SelectiveStringValue is sorted, Values of a StringsFlag was not.",
	Since:  "v3.4.0",
	Safety: Same,
	Refs: []string{
		"https://github.com/etcd-io/etcd/blob/main/CHANGELOG/CHANGELOG-3.4.md",
		"https://github.com/etcd-io/etcd/blob/main/CHANGELOG/CHANGELOG-3.6.md",
	},
	Answers: func(b *atlas.Break) bool { return goes(b, false) },
	Run:     func(p *Pass) { p.follow() },
}

// goes says whether a break is a move: to another package, or to another name
// in its own.
func goes(b *atlas.Break, away bool) bool {
	for _, l := range atlas.Lines() {
		if path, _, ok := b.MovedIn(l); ok {
			home, _ := atlas.HomeOf(b.Pkg, l)
			if (path != home.Path) == away {
				return true
			}
		}
	}
	return false
}

// follow rewrites the mentions of symbols that moved or were renamed.
func (p *Pass) follow() {
	dotted := map[*File]map[string]int{} // mentions through dot imports that go away
	defer func() { p.reportDotImports(dotted) }()
	for h := range p.Broken() {
		path, symbol, ok := h.Break.MovedIn(p.Target.Line)
		if !ok {
			p.reportBroken(h)
			continue
		}
		now, _ := movedDeclaration(path, symbol, p.Target.Line)
		name := symbol[strings.LastIndexByte(symbol, '.')+1:]
		home, _ := atlas.HomeOf(h.Pkg, p.Target.Line)
		suffix := ""
		switch {
		case strings.HasPrefix(h.Form.Sig, "field ") && strings.HasPrefix(now.Sig, "func "):
			if p.sets(h.Ref) {
				p.Report(h.File, h.Ident, edit.Manual, h.Symbol.String()+" is the method "+symbol+" in etcd "+string(p.Target.Line)+" and cannot be set", h.Break.Advice)
				continue
			}
			suffix = "()"
		case p.gainsResults(h, now.Sig), p.gainsArguments(h, now.Sig), p.losesTest(h, now.Sig), p.becomesDuration(h, now.Sig):
		case !p.compatible(h, now.Sig):
			p.Report(h.File, h.Ident, edit.Manual, h.Symbol.String()+" is "+path+"."+symbol+" in etcd "+string(p.Target.Line)+", with another signature", "now `"+now.Sig+"`")
		}
		member := strings.Contains(h.Break.Symbol, ".")
		if (path == home.Path || member) && name == h.Ident.Name && suffix == "" {
			continue
		}
		if p.redeclares(h.Ref, name) {
			p.Report(h.File, h.Ident, edit.Manual, h.Symbol.String()+" is now called "+name+", and the struct that embeds it has one of that name", "leave the field out where it is the same type twice, or give it a name")
			continue
		}
		if path == home.Path && !member && h.Selector() == nil && p.taken(h.Ident.Pos(), name) {
			p.Report(h.File, h.Ident, edit.Manual, h.Symbol.String()+" is now called "+name+", which means something else here", "import the package under a name, not with a dot")
			continue
		}
		c := p.Change(h.Tier, "%s is now %s", h.Symbol, strings.TrimPrefix(path+"."+symbol, home.Path+"."))
		c.followEmbedded(h.Ident, name)
		if path == home.Path || member {
			c.ReplaceNode(h.File, h.Ident, name+suffix)
			continue
		}
		if h.Selector() == nil {
			if dotted[h.File] == nil {
				dotted[h.File] = map[string]int{}
			}
			dotted[h.File][h.Pkg]++
		}
		e, _ := h.Expr()
		if text := c.Qualified(h.File, path, name); text != h.File.Text(e) {
			c.ReplaceNode(h.File, e, text)
		}
	}
}

// reportDotImports reports dot imports of which nothing is left.
func (p *Pass) reportDotImports(moved map[*File]map[string]int) {
	for f, pkgs := range moved {
		for _, spec := range f.AST.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			rel, _, ok := atlas.Canonical(path)
			if !ok || spec.Name == nil || spec.Name.Name != "." || pkgs[rel] == 0 {
				continue
			}
			left := -pkgs[rel]
			for _, r := range p.RefsTo(rel) {
				if r.File == f && r.Selector() == nil && !strings.Contains(r.Name, ".") {
					left++
				}
			}
			if left <= 0 {
				p.Report(f, spec, edit.Manual, "nothing of this dot import is left in etcd "+string(p.Target.Line), "remove the import")
			}
		}
	}
}

// gainsResults drops the results that a symbol gains in front where it goes.
func (p *Pass) gainsResults(h Hit, now string) bool {
	o, isFunc := parseSignature(h.Form.Sig)
	w, stillFunc := parseSignature(now)
	same := func(a, b string) bool { return p.renamedTo(h.Pkg, a) == b }
	n := leading(o, w)
	if !isFunc || !stillFunc || n == 0 || !callable(o, w, same) {
		return false
	}
	c := p.Change(h.Tier, "%s has more results", h.Symbol)
	return p.dropResults(c, h, n)
}

// gainsArguments passes what a function takes in addition where it goes.
func (p *Pass) gainsArguments(h Hit, now string) bool {
	o, isFunc := parseSignature(h.Form.Sig)
	w, stillFunc := parseSignature(now)
	same := func(a, b string) bool { return p.renamedTo(h.Pkg, a) == b }
	call := h.Call()
	if !isFunc || !stillFunc || call == nil || spreads(p, call, len(o.params)) || !sameResults(o, w, same) {
		return false
	}
	adds, ok := added(h.Pkg, o, w, func(typ string) string { return p.renamedTo(h.Pkg, typ) })
	if !ok || len(adds) == 0 {
		return false
	}
	return p.addArguments(p.Change(h.Tier, "%s takes more arguments", h.Symbol), h, adds)
}

// losesTest drops the test from a call of what no longer takes it.
func (p *Pass) losesTest(h Hit, now string) bool {
	o, isFunc := parseSignature(h.Form.Sig)
	w, stillFunc := parseSignature(now)
	call := h.Call()
	if !isFunc || !stillFunc || call == nil || len(o.params) != 1 || len(call.Args) != 1 || len(w.params) != 0 || !Simple(call.Args[0]) {
		return false
	}
	if t := o.params[0].typ; t != "*testing.T" && t != "testing.TB" {
		return false
	}
	c := p.Change(h.Tier, "%s takes no test", h.Symbol)
	c.ReplaceNode(h.File, call.Args[0], "")
	return true
}

// becomesDuration follows the one number of hours that became a duration.
func (p *Pass) becomesDuration(h Hit, now string) bool {
	if plainSig(h.Form.Sig) != "int" || plainSig(now) != "time.Duration" {
		return false
	}
	var value ast.Expr
	sev := edit.Review
	_, at := h.Expr()
	switch n := at.Parent().Node().(type) {
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			sev = edit.Manual
		}
	case *ast.KeyValueExpr:
		if n.Key == at.Node() {
			value = n.Value
		}
	case *ast.AssignStmt:
		if len(n.Lhs) == 1 && n.Lhs[0] == at.Node() && n.Tok == token.ASSIGN {
			value = n.Rhs[0]
		}
	}
	if value == nil {
		p.Report(h.File, h.Ident, sev, h.Symbol.String()+" was a number of hours and is a time.Duration in etcd "+string(p.Target.Line), "use its Hours()")
		return true
	}
	c := p.Change(h.Tier, "%s was a number of hours and is a time.Duration", h.Symbol)
	q := c.Import(h.File, "time")
	if _, lit := value.(*ast.BasicLit); lit {
		c.Insert(h.File, value.End(), " * "+q+".Hour")
		return true
	}
	c.Insert(h.File, value.Pos(), q+".Duration(")
	c.Insert(h.File, value.End(), ") * "+q+".Hour")
	return true
}

// movedDeclaration looks up what a symbol moved to.
func movedDeclaration(path, symbol string, line atlas.Line) (atlas.Symbol, bool) {
	rel, _, _ := atlas.Canonical(path)
	return atlas.Lookup(rel, symbol, string(line))
}

// assigned says whether a mention is the target of an assignment, the key of
// a literal, or has its address taken.
func assigned(r Ref) bool {
	e, c := r.Expr()
	switch n := c.Parent().Node().(type) {
	case *ast.AssignStmt:
		for _, l := range n.Lhs {
			if l == e {
				return true
			}
		}
	case *ast.KeyValueExpr:
		return n.Key == e
	case *ast.UnaryExpr, *ast.IncDecStmt:
		return true
	}
	return false
}

// sets says whether a mention of a field sets it, or elements of it, which a
// method's result would not keep.
func (p *Pass) sets(r Ref) bool {
	if assigned(r) {
		return true
	}
	_, c := r.Expr()
	for {
		up := c.Parent()
		switch n := up.Node().(type) {
		case *ast.ParenExpr:
		case *ast.IndexExpr:
			if n.X != c.Node() {
				return false
			}
			if lhs(up) {
				return true
			}
		case *ast.SliceExpr:
			if n.X != c.Node() {
				return false
			}
		case *ast.CallExpr:
			id, ok := ast.Unparen(n.Fun).(*ast.Ident)
			return ok && id.Name == "copy" && n.Args[0] == c.Node()
		default:
			return false
		}
		c = up
	}
}

// taken says whether a name is one of the package's own at a position.
func (p *Pass) taken(pos token.Pos, name string) bool {
	if p.Pkg == nil {
		return false
	}
	scope := p.Pkg.Scope().Innermost(pos)
	if scope == nil {
		return false
	}
	_, obj := scope.LookupParent(name, pos)
	return obj != nil && obj.Pkg() == p.Pkg
}

// compatible says whether a mention compiles with another declaration of the
// symbol.
func (p *Pass) compatible(h Hit, now string) bool {
	o, isFunc := parseSignature(h.Form.Sig)
	n, stillFunc := parseSignature(now)
	if !isFunc && !stillFunc {
		return true
	}
	same := func(a, b string) bool { return p.renamedTo(h.Pkg, a) == b }
	if call := h.Call(); call != nil && isFunc && stillFunc {
		p.given(h.Pkg, call, &o, n)
	}
	return isFunc && stillFunc && callable(o, n, same) && sameResults(o, n, same)
}

// given puts the types of parameters of now into old where the argument of a call
// is of the type: code that passes a *EtcdServer for an interface goes on to
// compile with a function that takes the *EtcdServer itself.
func (p *Pass) given(pkg string, call *ast.CallExpr, old *signature, now signature) {
	nameless := false
	name := func(q *types.Package) string {
		rel, _, etcd := atlas.Canonical(q.Path())
		switch first, _, _ := strings.Cut(q.Path(), "/"); {
		case etcd && rel == pkg:
			return ""
		case etcd:
			return p.renamedPackage(q.Name())
		case strings.Contains(first, "."):
			nameless = true // another module's, of whatever version
		}
		return q.Name()
	}
	for i, a := range call.Args {
		if i >= len(old.params) || i >= len(now.params) || strings.HasPrefix(old.params[i].typ, "...") {
			return
		}
		t := p.TypeOf(a)
		if t == nil {
			continue
		}
		nameless = false
		if text := anyName(types.TypeString(t, name)); !nameless && text == now.params[i].typ {
			old.params[i].typ = text
		}
	}
}

// renamedTo returns a type of a signature as signatures of the target have it:
// with the new names of the package's own types, and of packages.
func (p *Pass) renamedTo(pkg, typ string) string {
	base, variadic := strings.CutPrefix(typ, "...")
	e, err := parser.ParseExpr(base)
	if err != nil {
		return typ
	}
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if q, ok := n.X.(*ast.Ident); ok {
				q.Name = p.renamedPackage(q.Name)
			}
			return false
		case *ast.Ident:
			b := atlas.BreakOf(pkg, n.Name)
			if b == nil {
				return false
			}
			if path, symbol, ok := b.MovedIn(p.Target.Line); ok {
				n.Name = symbol
				if home, _ := atlas.HomeOf(pkg, p.Target.Line); home.Path != path {
					n.Name = packageName(path) + "." + symbol
				}
			}
		}
		return true
	})
	out := anyName(types.ExprString(e))
	if variadic {
		out = "..." + out
	}
	return out
}

// renamedPackage returns the name of a package in the target, by its old name.
func (p *Pass) renamedPackage(name string) string {
	for _, rel := range atlas.Packages() {
		if home, _ := atlas.HomeOf(rel, p.Target.Line); home.OldName == name && home.Renamed() {
			return home.Name
		}
	}
	return name
}

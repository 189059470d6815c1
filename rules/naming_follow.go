package rules

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ast/inspector"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// followed are the symbols of grpc/naming that have a like in etcd's package
// endpoints: an update there has the address and its metadata in a field
// Endpoint, and is the same else.
var followed = []string{
	"Update", "Update.Op", "Update.Addr", "Update.Metadata", "Operation", "Add", "Delete",
	"Watcher", "Watcher.Next", "Watcher.Close",
}

// followsNaming says whether the updates of a package go over to those of
// endpoints as a whole: they are GRPCResolver's, and nothing else of
// grpc/naming is there. Where updates are written as JSON they stay, since
// the new ones are written in another way.
func (p *Pass) followsNaming() bool {
	if p.Info == nil || len(p.Refs("clientv3/naming", "GRPCResolver")) == 0 {
		return false
	}
	for _, r := range p.RefsTo(namingPath) {
		if !slices.Contains(followed, r.Name) {
			return false
		}
	}
	for _, l := range p.Literals(namingPath, "Update") {
		if !plainUpdate(l.Lit) {
			return false
		}
	}
	for c := range p.Inspector().Root().Preorder((*ast.CallExpr)(nil)) {
		call := c.Node().(*ast.CallExpr)
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			continue
		}
		if fn := p.Info.Uses[sel.Sel]; fn == nil || fn.Pkg() == nil || fn.Pkg().Path() != "encoding/json" {
			continue
		}
		for _, a := range call.Args {
			if t := p.TypeOf(a); t != nil && strings.Contains(types.TypeString(t, nil), namingPath+".Update") {
				return false
			}
		}
	}
	return true
}

// plainUpdate says whether address and metadata stand side by side in a
// literal, where one Endpoint can hold them.
func plainUpdate(lit *ast.CompositeLit) bool {
	addr, meta := -1, -1
	for i, e := range lit.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			return true // all of them, in the order of the fields
		}
		switch id, _ := kv.Key.(*ast.Ident); {
		case id == nil:
			return false
		case id.Name == "Addr":
			addr = i
		case id.Name == "Metadata":
			meta = i
		}
	}
	return addr < 0 || meta < 0 || meta == addr+1 || addr == meta+1
}

// followNaming rewrites the updates of a package to those of endpoints, but
// for the literals that calls of Update took.
func (p *Pass) followNaming(taken map[*ast.CompositeLit]bool) {
	inTaken := func(c inspector.Cursor) bool {
		for l := range c.Enclosing((*ast.CompositeLit)(nil)) {
			if taken[l.Node().(*ast.CompositeLit)] {
				return true
			}
		}
		return false
	}
	for _, l := range p.Literals(namingPath, "Update") {
		if !inTaken(l.Cursor) && len(l.Lit.Elts) > 0 {
			p.endpointLiteral(l)
		}
	}
	watcher := ""
	for _, r := range p.RefsTo(namingPath) {
		e, at := r.Expr()
		if inTaken(at) {
			continue
		}
		switch r.Name {
		case "Update", "Operation", "Add", "Delete":
			c := p.Change(r.Tier, "updates are those of etcd's endpoints")
			c.ReplaceNode(r.File, e, c.Qualified(r.File, endpointsPath, r.Name))
		case "Update.Addr", "Update.Metadata":
			if r.Selector() != nil {
				c := p.Change(r.Tier, "an update has an endpoint")
				c.Insert(r.File, r.Ident.Pos(), "Endpoint.")
			}
		case "Watcher":
			c := p.Change(r.Tier, "watchers are the package's own")
			if watcher == "" {
				watcher = p.declareWatcher(c, r.File, len(p.Refs("clientv3/naming", "GRPCResolver.Resolve")) > 0)
			}
			c.ReplaceNode(r.File, e, watcher)
		}
	}
	for _, r := range p.Refs("clientv3/naming", "GRPCResolver.Resolve") {
		if watcher == "" {
			watcher = p.declareWatcher(p.Change(r.Tier, "watchers are the package's own"), r.File, true)
		}
	}
}

// endpointLiteral puts the address and the metadata of an update into an
// endpoint.
func (p *Pass) endpointLiteral(l Literal) {
	c := p.Change(l.Tier, "an update has an endpoint")
	endpoint := "Endpoint: " + c.Qualified(l.File, endpointsPath, "Endpoint") + "{"
	if !l.Keyed() {
		for i, key := range []string{"Op: ", endpoint + "Addr: ", "Metadata: "} {
			c.Insert(l.File, l.Lit.Elts[i].Pos(), key)
		}
		c.Insert(l.File, l.Lit.Elts[2].End(), "}")
		return
	}
	var first, last ast.Expr
	for _, name := range []string{"Addr", "Metadata"} {
		kv := l.Key(name)
		if kv == nil {
			continue
		}
		if first == nil || kv.Pos() < first.Pos() {
			first = kv
		}
		if last == nil || kv.End() > last.End() {
			last = kv
		}
	}
	if first != nil {
		c.Insert(l.File, first.Pos(), endpoint)
		c.Insert(l.File, last.End(), "}")
	}
}

// resolve replaces GRPCResolver.Resolve by a function that followNaming
// declares.
func (p *Pass) namingResolve(r Ref, clients clientsOf) {
	call, sel := r.Call(), r.Selector()
	if call == nil || sel == nil || len(call.Args) != 1 || !p.followsNaming() {
		p.Report(r.File, r.Ident, edit.Manual, "GRPCResolver.Resolve and the watcher that it returns are gone",
			"watch the endpoints instead: `em, err := endpoints.NewManager(cli, target)`, `wch, err := em.NewWatchChannel(ctx)`, then `for ups := range wch { for _, u := range ups { … u.Op, u.Endpoint.Addr … } }` (package "+endpointsPath+")")
		return
	}
	c := p.Change(r.Tier, "watch endpoints")
	if client := clients.name(p, sel.X); client != "" {
		c.Replace(r.File, call.Pos(), call.Args[0].Pos(), p.declared("watchEndpoints")+"("+client+", ")
		return
	}
	c.Insert(r.File, call.Pos(), p.declared("watchEndpoints")+"(")
	c.Replace(r.File, sel.X.End(), call.Args[0].Pos(), ", ")
}

// declared is the name of something that followNaming declares in the package.
func (p *Pass) declared(name string) string {
	taken := func(n string) bool {
		return p.Pkg.Scope().Lookup(n) != nil || slices.ContainsFunc(p.Files, func(f *File) bool { return f.taken[n] })
	}
	for taken(name) {
		name += "2"
	}
	return name
}

// declareWatcher writes what a naming.Watcher was at the end of a file, and
// returns its name. What Resolve returned told of a deletion what had been
// there, and gave an empty list first where there was nothing; endpoints
// channels do neither.
func (p *Pass) declareWatcher(c Change, f *File, resolves bool) string {
	name := p.declared("endpointWatcher")
	var b strings.Builder
	text := func(s string) {
		b.WriteString(strings.NewReplacer(
			"endpointWatcher", name,
			"endpointChannel", p.declared("endpointChannel"),
			"watchEndpoints", p.declared("watchEndpoints"),
			"endpoints.", c.Import(f, endpointsPath)+".",
		).Replace(s))
	}
	text(`
// endpointWatcher tells of the endpoints of a target as they come and go.
type endpointWatcher interface {
	Next() ([]*endpoints.Update, error)
	Close()
}
`)
	if resolves {
		client := fromPackage("clientv3", "Client")(p, c, Hit{Ref: Ref{File: f}}, nil)
		text(strings.NewReplacer("context.", c.Import(f, "context")+".", "errors.", c.Import(f, "errors")+".", "*clientv3.Client", "*"+client).Replace(`
// endpointChannel is the endpointWatcher of a target in etcd.
type endpointChannel struct {
	updates endpoints.WatchChannel
	known   map[string]endpoints.Endpoint // by key, which is all that a deletion has
	started bool
	cancel  context.CancelFunc
}

func watchEndpoints(client *clientv3.Client, target string) (endpointWatcher, error) {
	em, err := endpoints.NewManager(client, target)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	updates, err := em.NewWatchChannel(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	return &endpointChannel{updates: updates, known: map[string]endpoints.Endpoint{}, cancel: cancel}, nil
}

// Next returns what there is, possibly nothing, and from then on waits for
// what changes.
func (w *endpointChannel) Next() ([]*endpoints.Update, error) {
	var updates []*endpoints.Update
	ok := true
	if w.started {
		updates, ok = <-w.updates
	} else {
		w.started = true
		select {
		case updates, ok = <-w.updates:
		default:
		}
	}
	if !ok {
		return nil, errors.New("the watch of the endpoints ended")
	}
	for _, u := range updates {
		if u.Op == endpoints.Delete {
			u.Endpoint = w.known[u.Key]
			delete(w.known, u.Key)
		} else {
			w.known[u.Key] = u.Endpoint
		}
	}
	return updates, nil
}

func (w *endpointChannel) Close() { w.cancel() }
`))
	}
	c.replace(f, len(f.Src), len(f.Src), f.indented(b.String(), ""))
	return name
}

// mentions says whether an expression mentions a package.
func (p *Pass) mentions(e ast.Expr, pkg string) bool {
	for _, r := range p.RefsTo(pkg) {
		if e.Pos() <= r.Ident.Pos() && r.Ident.End() <= e.End() {
			return true
		}
	}
	return false
}

// settledOp returns what the update in a variable says to do, where it is set
// once and for all: by the literal that it is declared with.
func (p *Pass) settledOp(f *File, e ast.Expr) (add, ok bool) {
	id, isID := e.(*ast.Ident)
	if !isID {
		return false, false
	}
	v, isVar := p.Info.Uses[id].(*types.Var)
	if !isVar || v.IsField() || v.Parent() == p.Pkg.Scope() {
		return false, false
	}
	var def *ast.AssignStmt
	for c := range p.Inspector().Root().Preorder((*ast.AssignStmt)(nil)) {
		if a := c.Node().(*ast.AssignStmt); a.Tok == token.DEFINE && len(a.Lhs) == 1 {
			if l, ok := a.Lhs[0].(*ast.Ident); ok && p.Info.Defs[l] == v {
				def = a
			}
		}
	}
	if def == nil {
		return false, false
	}
	lit, isLit := def.Rhs[0].(*ast.CompositeLit)
	if !isLit {
		return false, false
	}
	for use := range p.usesOf(v) {
		switch n := use.Parent().Node().(type) {
		case *ast.UnaryExpr:
			return false, false // by its address, anything
		case *ast.AssignStmt:
			if containsExpr(n.Lhs, use.Node()) {
				return false, false
			}
		case *ast.SelectorExpr:
			if a, ok := use.Parent().Parent().Node().(*ast.AssignStmt); ok && n.Sel.Name == "Op" && containsExpr(a.Lhs, n) {
				return false, false
			}
		}
	}
	op := ast.Expr(nil)
	for i, elt := range lit.Elts {
		kv, keyed := elt.(*ast.KeyValueExpr)
		if keyed && f.Text(kv.Key) == "Op" {
			op = kv.Value
		} else if !keyed && i == 0 {
			op = elt
		}
	}
	if op == nil {
		return true, true // the zero value
	}
	val := p.Info.Types[op].Value
	if val == nil {
		return false, false
	}
	n, exact := constant.Int64Val(val)
	return n == 0, exact && n <= 1
}

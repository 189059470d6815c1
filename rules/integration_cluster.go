package rules

import (
	"go/ast"
	"go/token"
	"go/types"
	"strconv"
	"strings"

	"golang.org/x/tools/go/ast/inspector"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// integrationCluster prepares tests for the clusters of etcd's integration
// package.
//
// Matched: NewClusterV3 in a function that has a test, and from 3.6 on the other
// constructors, which became one with it. BeforeTestExternal runs
// before it, once in each test: without it, the cluster fails the test. It is
// the variant for code outside etcd, which neither skips short tests nor looks
// for leaks. Where nil stands for the test, as for a cluster that a package's
// tests share, etcd's own stand-in for a test takes its place. From 3.6 on the
// cluster is made by NewCluster, and the fields of its configuration that only
// switched on what is always on now are dropped.
//
// Not matched: clusters without a test at package level, and helpers that a
// test calls twice; they become findings.
var integrationCluster = &Rule{
	ID:    "integration-cluster",
	Title: "prepare tests for integration clusters",
	Before: `package p

import (
	"testing"

	"go.etcd.io/etcd/integration"
)

func TestGet(t *testing.T) {
	clus := integration.NewClusterV3(t, &integration.ClusterConfig{Size: 1, UseGRPC: true})
	defer clus.Terminate(t)
	_ = clus.RandClient()
}
`,
	After: `package p

import (
	"testing"

	"go.etcd.io/etcd/tests/v3/framework/integration"
)

func TestGet(t *testing.T) {
	integration.BeforeTestExternal(t)
	clus := integration.NewCluster(t, &integration.ClusterConfig{Size: 1})
	defer clus.Terminate(t)
	_ = clus.RandClient()
}
`,
	Why:    "Clusters listen on sockets in the working directory, so from 3.5 on a test has to prepare one that is cleaned up. BeforeTestExternal changes the working directory for the time of the test.",
	Since:  "v3.5.0",
	Safety: Adjusted,
	Refs: []string{
		"https://github.com/etcd-io/etcd/blob/v3.5.0/tests/integration/testing.go",
		"https://github.com/etcd-io/etcd/blob/v3.6.0/tests/framework/integration/testing.go",
	},
	Claims: []string{
		"integration.NewClusterV3", "integration.NewCluster", "integration.NewClusterByConfig",
		"integration.ClusterConfig.UseGRPC", "integration.ClusterConfig.SkipCreatingClient",
		"integration.ClusterConfig.UseV3", "integration.ClusterConfig.DiscoveryURL",
		"integration.UrlScheme", "integration.UrlSchemeTLS",
	},
	Run: runIntegrationCluster,
}

func runIntegrationCluster(p *Pass) {
	const pkg = "integration"
	prepared := map[ast.Node]string{} // functions that call BeforeTest, or will → the test; "" if unknown
	for _, name := range []string{"BeforeTest", "BeforeTestExternal"} {
		for _, r := range p.Refs(pkg, name) {
			if fn := enclosingFunction(r.Cursor); fn != nil {
				prepared[fn] = ""
			}
		}
	}
	for _, r := range p.Refs(pkg, "NewClusterV3") {
		p.prepareTest(r, prepared)
	}
	for h := range p.Broken() {
		switch h.Break.Symbol {
		case "NewCluster", "NewClusterByConfig":
			if p.Target.Line != atlas.Line35 {
				p.launchedCluster(h, prepared)
			}
		case "ClusterConfig.UseGRPC", "ClusterConfig.SkipCreatingClient", "ClusterConfig.UseV3":
			p.dropField(h.Ref, "integration clusters always have gRPC and clients in etcd "+string(p.Target.Line))
		case "ClusterConfig.DiscoveryURL":
			p.Report(h.File, h.Ident, edit.Manual, "integration clusters are not made by discovery in etcd "+string(p.Target.Line), p.advice(h.Break))
		}
	}
	for _, x := range [][2]string{{"UrlScheme", `"unix"`}, {"UrlSchemeTLS", `"unixs"`}} {
		for _, r := range p.Refs(pkg, x[0]) {
			e, _ := r.Expr()
			c := p.Change(r.Tier, "integration.%s is gone", x[0])
			c.ReplaceNode(r.File, e, x[1])
		}
	}
}

func enclosingFunction(c inspector.Cursor) ast.Node {
	for f := range c.Enclosing((*ast.FuncDecl)(nil), (*ast.FuncLit)(nil)) {
		return f.Node()
	}
	return nil
}

func (p *Pass) prepareTest(r Ref, prepared map[ast.Node]string) {
	f, call := r.File, r.Call()
	rename := func(c Change) {
		if p.Target.Line != atlas.Line35 && r.Ident.Name != "NewCluster" {
			c.ReplaceNode(f, r.Ident, "NewCluster")
		}
	}
	_, at := r.Expr()
	stmt, _, inFunc := StatementOf(at)
	test := ""
	if call != nil && len(call.Args) == 2 {
		if id, ok := call.Args[0].(*ast.Ident); ok {
			test = id.Name
		} else if sel, ok := call.Args[0].(*ast.SelectorExpr); ok && Simple(sel) {
			test = f.Text(sel)
		} else if sel := testOfSuite(call.Args[0]); sel != nil {
			test = f.Text(call.Args[0])
		}
	}
	if !inFunc || test == "" {
		if p.Target.Line != atlas.Line35 {
			c := p.Change(r.Tier, "clusters are made by NewCluster")
			rename(c)
		}
		p.Report(f, r.Ident, edit.Manual, "a cluster without a test fails from etcd 3.5 on",
			"make it in a test, after `integration.BeforeTestExternal(t)`; or in TestMain, where a test can be stood in for: `tb, done := testutil.NewTestingTBProthesis(\"name\")`, `integration.BeforeTestExternal(tb)`, make the cluster with tb, and `done()` after m.Run() (testutil of "+testutilPath+")")
		return
	}
	c := p.Change(r.Tier, "integration clusters need a prepared test")
	rename(c)
	for fn := range at.Enclosing((*ast.FuncDecl)(nil), (*ast.FuncLit)(nil)) {
		if tb, ok := prepared[fn.Node()]; ok {
			if test == "nil" && tb != "" {
				c.ReplaceNode(f, call.Args[0], tb)
			}
			return
		}
	}
	fn := enclosingFunction(at)
	before := stmt
	// Statements inside the function may nest: the call stands before the one
	// of the function's own list, so that a loop prepares once.
	body := bodyOf(fn)
	for _, s := range body.List {
		if s.Pos() <= stmt.Pos() && stmt.End() <= s.End() {
			before = s
		}
	}
	var stand string
	if test == "nil" {
		test, stand = p.standInTest(c, r, body)
		c.ReplaceNode(f, call.Args[0], test)
	} else if !usableAt(p, call.Args[0], before) {
		before = stmt
	}
	prepared[fn] = test
	q := strings.TrimSuffix(f.Text(mustExpr(r)), r.Ident.Name)
	c.Insert(f, before.Pos(), f.indented(stand+q+"BeforeTestExternal("+test+")\n", f.Indent(before.Pos())))
	p.reviewHelper(r, fn)
}

// testOfSuite returns s.T of s.T(), the test of a testify suite; nil for
// anything else.
func testOfSuite(e ast.Expr) *ast.SelectorExpr {
	call, ok := e.(*ast.CallExpr)
	if !ok || len(call.Args) > 0 {
		return nil
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != "T" || !Simple(sel) {
		return nil
	}
	return sel
}

// testutilPath is etcd's testutil for code outside etcd.
const testutilPath = "go.etcd.io/etcd/client/pkg/v3/testutil"

// standInTest writes the statements that make a stand-in for a test, for a
// cluster that had none, and ends it after the last cluster of the function
// ends. Where the cluster outlives the function, so does the stand-in.
func (p *Pass) standInTest(c Change, r Ref, body *ast.BlockStmt) (test, text string) {
	f := r.File
	test = f.Free("tb", "testTB", "standInTB")
	done := f.Free("done", "endTB", "cleanUpTB")
	ends := ""
	var last *ast.ExprStmt
	for _, s := range body.List {
		switch s := s.(type) {
		case *ast.DeferStmt:
			if p.terminates(f, s.Call) && ends == "" {
				ends = "defer " + done + "()\n"
			}
		case *ast.ExprStmt:
			if call, ok := s.X.(*ast.CallExpr); ok && p.terminates(f, call) {
				last = s
			}
		}
	}
	advice := "tests that open files by relative names need absolute ones, or clusters of their own"
	switch {
	case last != nil:
		ends = ""
		c.Insert(f, last.End(), f.NL()+f.Indent(last.Pos())+done+"()")
	case ends == "":
		done = "_"
		advice += "; the second result of NewTestingTBProthesis is a function that ends it: call it after m.Run(), or the directory stays behind"
	}
	p.Report(f, r.Ident, edit.Review, "the cluster of several tests changes the working directory of the test binary from etcd 3.5 on", advice)
	return test, test + ", " + done + " := " + c.Qualified(f, testutilPath, "NewTestingTBProthesis") + "(" + strconv.Quote(f.AST.Name.Name) + ")\n" + ends
}

// terminates says whether a call ends a cluster that has no test.
func (p *Pass) terminates(f *File, call *ast.CallExpr) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "Terminate" && len(call.Args) == 1 && f.Text(call.Args[0]) == "nil" &&
		(p.Info == nil || IsType(p.TypeOf(sel.X), "integration", "ClusterV3") || IsType(p.TypeOf(sel.X), "integration", "cluster"))
}

// launchedCluster follows the clusters of the v2 API: from 3.6 there is one
// kind of cluster, and it is launched when it is made.
func (p *Pass) launchedCluster(h Hit, prepared map[ast.Node]string) {
	f, call := h.File, h.Call()
	if call == nil || len(call.Args) != 2 {
		p.reportBroken(h)
		return
	}
	_, at := h.Expr()
	for at.Node() != call {
		at = at.Parent()
	}
	// The variable that holds it is launched in a statement of its own.
	assign, ok := at.Parent().Node().(*ast.AssignStmt)
	if !ok || assign.Tok != token.DEFINE || len(assign.Lhs) != 1 || p.Info == nil {
		p.reportBroken(h)
		return
	}
	obj := p.Info.Defs[assign.Lhs[0].(*ast.Ident)]
	var launch []ast.Stmt
	for use := range p.usesOf(obj) {
		sel, ok := use.Parent().Node().(*ast.SelectorExpr)
		if !ok || sel.Sel.Name != "Launch" {
			continue
		}
		stmt, _, ok := StatementOf(use)
		if _, isExpr := stmt.(*ast.ExprStmt); !ok || !isExpr || !f.aloneOnLines(stmt) {
			p.reportBroken(h)
			return
		}
		launch = append(launch, stmt)
	}
	c := p.Change(h.Tier, "clusters are launched when they are made")
	if h.Break.Symbol == "NewCluster" {
		config := strings.TrimSuffix(f.Text(mustExpr(h.Ref)), h.Ident.Name) + "ClusterConfig"
		c.Insert(f, call.Args[1].Pos(), "&"+config+"{Size: ")
		c.Insert(f, call.Args[1].End(), "}")
	}
	for _, s := range launch {
		c.removeLines(f, s)
	}
	p.prepareTest(h.Ref, prepared)
}

// sizedCluster writes the configuration that NewCluster takes from 3.6 on
// instead of a size.
func (p *Pass) sizedCluster(r Ref, prepared map[ast.Node]string) {
	call := r.Call()
	if call == nil || len(call.Args) != 2 {
		return
	}
	if b, ok := p.TypeOf(call.Args[1]).(*types.Basic); !ok || b.Info()&types.IsInteger == 0 {
		return // takes a configuration already
	}
	q := strings.TrimSuffix(r.File.Text(mustExpr(r)), r.Ident.Name)
	c := p.Change(r.Tier, "integration.NewCluster takes a configuration")
	c.Insert(r.File, call.Args[1].Pos(), "&"+q+"ClusterConfig{Size: ")
	c.Insert(r.File, call.Args[1].End(), "}")
	p.prepareTest(r, prepared)
}

func mustExpr(r Ref) ast.Expr {
	e, _ := r.Expr()
	return e
}

func bodyOf(fn ast.Node) *ast.BlockStmt {
	switch fn := fn.(type) {
	case *ast.FuncDecl:
		return fn.Body
	case *ast.FuncLit:
		return fn.Body
	}
	return nil
}

// usableAt says whether an expression means the same before a statement.
func usableAt(p *Pass, e ast.Expr, s ast.Stmt) bool {
	if sel := testOfSuite(e); sel != nil {
		e = sel
	}
	id, ok := e.(*ast.Ident)
	if !ok {
		sel, isSel := e.(*ast.SelectorExpr)
		if !isSel {
			return false
		}
		return usableAt(p, sel.X, s)
	}
	if p.Info == nil {
		return id.Obj == nil || id.Obj.Pos() < s.Pos()
	}
	obj := p.Info.Uses[id]
	return obj != nil && obj.Pos() < s.Pos()
}

// reviewHelper reports helpers that one test calls more than once: a second
// BeforeTestExternal fails the test.
func (p *Pass) reviewHelper(r Ref, fn ast.Node) {
	decl, ok := fn.(*ast.FuncDecl)
	if !ok || p.Info == nil || strings.HasPrefix(decl.Name.Name, "Test") || strings.HasPrefix(decl.Name.Name, "Benchmark") {
		return
	}
	obj := p.Info.Defs[decl.Name]
	calls := map[ast.Node]int{}
	twice := false
	for use := range p.usesOf(obj) {
		caller := enclosingFunction(use)
		if calls[caller]++; calls[caller] > 1 {
			twice = true
		}
		for l := range use.Enclosing((*ast.ForStmt)(nil), (*ast.RangeStmt)(nil)) {
			if enclosingFunction(l) == caller {
				twice = true
			}
		}
	}
	if twice {
		p.Report(r.File, r.Ident, edit.Review, decl.Name.Name+" is called more than once in a test, and the second BeforeTestExternal fails it",
			"call `integration.BeforeTestExternal(t)` once at the start of each test instead of in "+decl.Name.Name)
	}
}

// dropField removes a field that is gone from literals, and assignments to
// it; reads are reported.
func (p *Pass) dropField(r Ref, why string) {
	_, at := r.Expr()
	switch n := at.Parent().Node().(type) {
	case *ast.KeyValueExpr:
		lit, ok := at.Parent().Parent().Node().(*ast.CompositeLit)
		if !ok || !dropped(n.Value) {
			break
		}
		for i, e := range lit.Elts {
			if e == n {
				c := p.Change(r.Tier, "%s: %s is dropped", why, r.Name)
				c.dropElement(r.File, lit, i)
				return
			}
		}
	case *ast.AssignStmt:
		if n.Tok == token.ASSIGN && len(n.Lhs) == 1 && n.Lhs[0] == mustExpr(r) && dropped(n.Rhs[0]) && r.File.aloneOnLines(n) {
			if _, s, ok := StatementOf(at); ok && s.Node() == n {
				c := p.Change(r.Tier, "%s: %s is dropped", why, r.Name)
				c.removeLines(r.File, n)
				return
			}
		}
	}
	p.Report(r.File, r.Ident, edit.Manual, why, "remove "+r.Name)
}

// dropped says whether a value can be dropped without losing an effect.
func dropped(e ast.Expr) bool { return Simple(e) }

// dropElement takes an element out of a composite literal, with its line
// where it has one of its own.
func (c Change) dropElement(f *File, lit *ast.CompositeLit, i int) {
	elt := lit.Elts[i]
	prev := lit.Lbrace
	if i > 0 {
		prev = lit.Elts[i-1].End()
	}
	next := lit.Rbrace
	if i+1 < len(lit.Elts) {
		next = lit.Elts[i+1].Pos()
	}
	if !f.SameLine(prev, elt.Pos()) && !f.SameLine(elt.End(), next) {
		start, end := f.lines(elt)
		c.replace(f, start, end, "")
		return
	}
	removeElement(c, f, lit, i)
}

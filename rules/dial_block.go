package rules

import (
	"go/ast"
	"go/token"
	"go/types"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/tools/go/ast/inspector"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// dialBlock keeps clientv3.New waiting for etcd where the code counts on it.
//
// Up to v3.3.13 New waited up to DialTimeout for a connection, and failed
// without one; with no DialTimeout it did not wait. Since v3.3.14 it waits only
// with grpc.WithBlock among the dial options, and from 3.7 not even then.
//
// Matched: calls of New whose error is used, and whose Config is seen to set
// DialTimeout. 3.5 and 3.6 get grpc.WithBlock, 3.7 gets a probe that asks each
// endpoint for its status, after which the options that no longer block are
// dropped.
//
// Not matched: an error that is thrown away; a Config without DialTimeout.
// Where the Config or the release that the code was written for cannot be
// seen, the call is reported; where the call cannot be seen, the option that no
// longer blocks.
var dialBlock = &Rule{
	ID:    "dial-block",
	Title: "let clientv3.New wait for etcd where its error says whether etcd is up",
	Before: `package p

import (
	"time"

	"github.com/coreos/etcd/clientv3"
	"google.golang.org/grpc"
)

func connect(endpoints []string) (*clientv3.Client, error) {
	cli, err := clientv3.New(clientv3.Config{
		Endpoints:   endpoints,
		DialTimeout: 5 * time.Second,
		DialOptions: []grpc.DialOption{grpc.WithBlock()},
	})
	if err != nil {
		return nil, err
	}
	return cli, nil
}
`,
	After: `package p

import (
	"context"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

func connect(endpoints []string) (*clientv3.Client, error) {
	cli, err := clientv3.New(clientv3.Config{
		Endpoints:   endpoints,
		DialTimeout: 5 * time.Second,
	})
	if err == nil {
		// New does not wait for etcd; ask whether one endpoint answers.
		for _, ep := range cli.Endpoints() {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			_, err = cli.Status(ctx, ep)
			cancel()
			if err == nil {
				break
			}
		}
		if err != nil {
			cli.Close()
		}
	}
	if err != nil {
		return nil, err
	}
	return cli, nil
}
`,
	Why: "Up to v3.3.13 New waited up to DialTimeout for a connection and failed without one; since v3.3.14 it returns at once, unless grpc.WithBlock is among the dial options. " +
		"For 3.5 and 3.6 the option is added where DialTimeout is set. From 3.7 New uses grpc.NewClient, which ignores it, so the endpoints are asked for their status instead. " +
		"The error of a dial that runs out of time is context.DeadlineExceeded now, not the last error of the connection. DialTimeout stays as it is.",
	Since:  "v3.3.14",
	Safety: Adjusted,
	Refs: []string{
		"clientv3/client.go of v3.3.10, newClient: \"wait for a connection\"",
		"client/v3/client.go of v3.5.35 and v3.6.16, dial: grpc.DialContext; of v3.7.3: grpc.NewClient",
		"https://github.com/etcd-io/etcd/pull/21832",
	},
	Run: runDialBlock,
}

func runDialBlock(p *Pass) {
	done := map[ast.Node]bool{} // literals and statements that have the option
	met := map[ast.Node]bool{}  // blocking options of the calls
	for _, r := range p.Refs("clientv3", "New") {
		e, ec := r.Expr()
		call := r.Call()
		if call == nil {
			if p.FromBefore("v3.3.14") {
				p.Report(r.File, e, edit.Review, "clientv3.New, used as a value, no longer waits for a connection",
					"where it is called with a DialTimeout, "+blockAdvice(p.Target.Line))
			}
			continue
		}
		if len(call.Args) != 1 {
			continue
		}
		d := &dial{p: p, f: r.File, ref: r, call: call, cursor: parent(ec), done: done}
		arg, _ := d.cursor.FindNode(call.Args[0])
		d.cfg = p.clientConfig(arg)
		d.blocking = p.blockOptions(d.cfg)
		for _, o := range d.blocking {
			met[o.cursor.Node()] = true
		}
		if d.result(); !d.errIgnored {
			d.run()
		}
	}
	if p.Target.Line == atlas.Line37 && (p.From == "" || p.FromBefore("v3.7.0")) {
		p.blockingElsewhere(met)
	}
}

// blockingElsewhere reports blocking options of a Config that goes into a call
// which is not seen.
func (p *Pass) blockingElsewhere(met map[ast.Node]bool) {
	for _, name := range blockingOptions {
		for _, r := range p.Refs(grpcPath, name) {
			_, ec := r.Expr()
			if call := r.Call(); call == nil || met[call] {
				continue
			}
			if _, ok := p.etcdOption(parent(ec)); ok {
				p.Report(r.File, r.Call(), edit.Review, noBlock, blockAdvice(p.Target.Line))
			}
		}
	}
}

// blockingOptions make New wait; the second implies the first.
var blockingOptions = []string{"WithBlock", "WithReturnConnectionError"}

const noBlock = "grpc.WithBlock has no effect from 3.7 on: clientv3.New does not wait for a connection"

func blockAdvice(line atlas.Line) string {
	if line == atlas.Line37 {
		return "ask an endpoint after New: ctx, cancel := context.WithTimeout(context.Background(), dialTimeout); _, err = cli.Status(ctx, endpoints[0]); and close the client on error"
	}
	return "add grpc.WithBlock() to its DialOptions"
}

// dial is one call of clientv3.New.
type dial struct {
	p      *Pass
	f      *File
	ref    Ref
	call   *ast.CallExpr
	cursor inspector.Cursor // at call
	cfg    *clientConfig
	// blocking are the dial options that made New wait.
	blocking []blockOption
	done     map[ast.Node]bool

	errIgnored bool
	// Where the results go, when it is two variables of one statement.
	assign   *ast.AssignStmt
	cli, err ast.Expr
}

type blockOption struct {
	ref    Ref
	cursor inspector.Cursor // at the call that makes the option
}

// result looks at what becomes of the results.
func (d *dial) result() {
	switch n := parent(d.cursor).Node().(type) {
	case *ast.AssignStmt:
		if len(n.Lhs) == 2 && len(n.Rhs) == 1 {
			d.assign, d.cli, d.err = n, n.Lhs[0], n.Lhs[1]
		}
	case *ast.ValueSpec:
		if len(n.Names) == 2 && len(n.Values) == 1 {
			d.cli, d.err = n.Names[0], n.Names[1]
		}
	case *ast.ExprStmt:
		d.errIgnored = true
	}
	if id, ok := d.err.(*ast.Ident); ok && id.Name == "_" {
		d.errIgnored = true
	}
}

// blockOptions returns the options among those of a Config that made New wait.
func (p *Pass) blockOptions(cfg *clientConfig) []blockOption {
	stored := map[ast.Node]bool{}
	for _, c := range cfg.fields["DialOptions"] {
		stored[c.Node()] = true
	}
	var out []blockOption
	for _, name := range blockingOptions {
		for _, r := range p.Refs(grpcPath, name) {
			if r.Call() == nil {
				continue
			}
			_, ec := r.Expr()
			cc := parent(ec)
			if p.flow(cc, func(c inspector.Cursor) bool { return stored[c.Node()] }) {
				out = append(out, blockOption{r, cc})
			}
		}
	}
	return out
}

func (d *dial) run() {
	p := d.p
	timeout := d.cfg.timeout(p)
	sometimes := timeout == positive && !d.cfg.always("DialTimeout", d.cursor)
	waited := p.FromBefore("v3.3.14") && timeout != zero
	blocks := slices.ContainsFunc(d.blocking, d.unconditional)
	switch {
	case p.From == "" && timeout != zero && !blocks && d.oldLayout():
		d.report("whether clientv3.New waited for a connection depends on the etcd release that this was written for, which is not known: up to v3.3.13 it did",
			"name the release with --from; if it is older than v3.3.14 and DialTimeout is not zero, "+blockAdvice(p.Target.Line))
	case p.Target.Line != atlas.Line37:
		switch {
		case !waited || blocks:
		case sometimes:
			d.blockWhereSet()
		case timeout == unknown:
			d.guarded()
		default:
			d.block()
		}
	case p.From != "" && !p.FromBefore("v3.7.0"):
	case waited, blocks:
		if sometimes {
			timeout = unknown // zero where it is not set
		}
		d.probe(timeout)
	case len(d.blocking) > 0:
		d.reportBlocking()
	}
}

// unconditional says whether an option is made on every way to the call, as
// far as the blocks around it tell.
func (d *dial) unconditional(o blockOption) bool {
	around := map[ast.Node]bool{}
	for c := range d.cursor.Enclosing((*ast.BlockStmt)(nil), (*ast.CaseClause)(nil), (*ast.CommClause)(nil)) {
		around[c.Node()] = true
	}
	for c := range o.cursor.Enclosing((*ast.BlockStmt)(nil), (*ast.CaseClause)(nil), (*ast.CommClause)(nil)) {
		switch c.Parent().Node().(type) {
		case *ast.FuncDecl, *ast.FuncLit:
			continue
		}
		if !around[c.Node()] {
			return false
		}
	}
	return true
}

func (d *dial) oldLayout() bool {
	for _, i := range d.f.imps {
		if i.rel == "clientv3" {
			return !strings.HasPrefix(i.path, "go.etcd.io/etcd/client/")
		}
	}
	return false
}

func (d *dial) report(message, advice string) {
	d.p.Report(d.f, d.call, edit.Review, message, advice)
}

func (d *dial) reportUnknown() {
	if d.cfg.complete && len(d.cfg.fields["DialTimeout"]) > 0 {
		d.report("clientv3.New waited up to DialTimeout for a connection, unless that was zero, and no longer does; the value of DialTimeout is only known at run time",
			"if it is not zero, "+blockAdvice(d.p.Target.Line))
		return
	}
	d.report("clientv3.New waited up to DialTimeout for a connection, if that was set, and no longer does; it is not seen here what its Config holds",
		"if the error is to tell whether etcd is up and DialTimeout is not zero, "+blockAdvice(d.p.Target.Line))
}

func (d *dial) reportBlocking() {
	d.report(noBlock, blockAdvice(d.p.Target.Line))
}

// note says what is left of DialTimeout.
func (d *dial) note(message string) {
	for _, c := range d.cfg.fields["DialTimeout"] {
		if kv, ok := c.Parent().Node().(*ast.KeyValueExpr); ok && !d.done[kv] {
			d.done[kv] = true
			d.p.Report(d.p.FileOf(kv.Pos()), kv, edit.Note, message, "")
		}
	}
}

// block adds grpc.WithBlock to the dial options, wherever they are set.
func (d *dial) block() {
	p := d.p
	if len(d.cfg.literals) == 0 {
		d.blockVariable()
		return
	}
	for _, lc := range d.cfg.literals {
		d.blockLiteral(lc)
	}
	for _, vc := range d.cfg.fields["DialOptions"] {
		as, ok := vc.Parent().Node().(*ast.AssignStmt)
		if !ok || d.done[as] {
			continue
		}
		d.done[as] = true
		if f := p.FileOf(as.Pos()); !f.extends(as) { // which keeps what the literal has
			p.Change(d.ref.Tier, blockMessage).appendOption(f, vc.Node().(ast.Expr))
		}
	}
	d.note("DialTimeout is still a field; it bounds clientv3.New again, by way of grpc.WithBlock")
}

// extends says whether an assignment appends to what it sets.
func (f *File) extends(as *ast.AssignStmt) bool {
	call, ok := as.Rhs[0].(*ast.CallExpr)
	return ok && len(as.Lhs) == 1 && len(call.Args) > 0 && f.Text(call.Fun) == "append" && f.Text(call.Args[0]) == f.Text(as.Lhs[0])
}

const blockMessage = "clientv3.New no longer waits for a connection; grpc.WithBlock lets it wait up to DialTimeout"

// blockLiteral adds grpc.WithBlock to the dial options of a literal.
func (d *dial) blockLiteral(lc inspector.Cursor) {
	p, lit := d.p, lc.Node().(*ast.CompositeLit)
	if d.done[lit] {
		return
	}
	d.done[lit] = true
	f := p.FileOf(lit.Pos())
	c := p.Change(d.ref.Tier, blockMessage)
	if kv := (Literal{Lit: lit}).Key("DialOptions"); kv != nil {
		c.appendOption(f, kv.Value)
	} else if !d.setBeside(lc) {
		g := c.Import(f, grpcPath)
		c.addField(f, lit, "DialOptions", "[]"+g+".DialOption{"+g+".WithBlock()}")
	}
}

// blockWhereSet adds the option where DialTimeout is set, for a Config that
// has none elsewhere: with grpc.WithBlock and no DialTimeout New waits forever.
func (d *dial) blockWhereSet() {
	for _, v := range d.cfg.fields["DialOptions"] {
		if _, ok := v.Parent().Node().(*ast.AssignStmt); ok { // it may drop the option again
			d.reportUnknown()
			return
		}
	}
	values := d.cfg.fields["DialTimeout"]
	for _, v := range values {
		if as, ok := v.Parent().Node().(*ast.AssignStmt); ok && !d.separate(v, as) {
			d.reportUnknown()
			return
		}
	}
	for _, v := range values {
		switch n := v.Parent().Node().(type) {
		case *ast.KeyValueExpr:
			d.blockLiteral(v.Parent().Parent())
		case *ast.AssignStmt:
			d.blockBehind(n)
		}
	}
	d.note("DialTimeout is still a field; it bounds clientv3.New again, by way of grpc.WithBlock")
}

// setBeside says whether the dial options are set anew in the block in which a
// literal stands: what the literal says of them does not count then.
func (d *dial) setBeside(lc inspector.Cursor) bool {
	at, ok := statement(lc)
	return ok && slices.ContainsFunc(d.cfg.fields["DialOptions"], func(v inspector.Cursor) bool {
		as, isAssign := v.Parent().Node().(*ast.AssignStmt)
		sc, ok := statement(v)
		if !isAssign || !ok || sc.Node() != as || sc.Parent() != at.Parent() || len(as.Lhs) != 1 {
			return false
		}
		f := d.p.FileOf(as.Pos())
		call, isCall := as.Rhs[0].(*ast.CallExpr)
		return !isCall || len(call.Args) == 0 || f.Text(call.Args[0]) != f.Text(as.Lhs[0])
	})
}

// appendOption adds grpc.WithBlock to a slice of dial options.
func (c Change) appendOption(f *File, v ast.Expr) {
	block := c.Import(f, grpcPath) + ".WithBlock()"
	lit, ok := v.(*ast.CompositeLit)
	switch {
	case isNil(v):
		c.ReplaceNode(f, v, "[]"+c.Qualified(f, grpcPath, "DialOption")+"{"+block+"}")
	case ok && len(lit.Elts) == 0:
		c.Insert(f, lit.Rbrace, block)
	case ok && f.SameLine(lit.Elts[len(lit.Elts)-1].End(), lit.Rbrace):
		c.Insert(f, lit.Elts[len(lit.Elts)-1].End(), ", "+block)
	case ok:
		at := f.tok.LineStart(f.tok.Line(lit.Rbrace))
		c.Insert(f, at, f.Indent(lit.Elts[len(lit.Elts)-1].Pos())+block+","+f.NL())
	default:
		c.Insert(f, v.Pos(), "append(")
		c.Insert(f, v.End(), ", "+block+")")
	}
}

// blockVariable adds the option behind the statement that sets DialTimeout,
// for a Config that starts as its zero value.
func (d *dial) blockVariable() {
	values := d.cfg.fields["DialTimeout"]
	if len(values) != 1 || len(d.cfg.fields["DialOptions"]) > 0 {
		d.reportUnknown()
		return
	}
	as, ok := values[0].Parent().Node().(*ast.AssignStmt)
	if !ok || len(as.Lhs) != 1 {
		d.reportUnknown()
		return
	}
	if d.separate(values[0], as) {
		d.blockBehind(as)
		return
	}
	d.reportUnknown()
}

// separate says whether the assignment of a value to a field is a statement of
// its own.
func (d *dial) separate(v inspector.Cursor, as *ast.AssignStmt) bool {
	if len(as.Lhs) != 1 {
		return false
	}
	_, ok := as.Lhs[0].(*ast.SelectorExpr)
	sc, alone := statement(v.Parent())
	return ok && alone && sc.Node() == as
}

// blockBehind adds the option behind a statement that sets DialTimeout.
func (d *dial) blockBehind(as *ast.AssignStmt) {
	if d.done[as] {
		return
	}
	d.done[as] = true
	f := d.p.FileOf(as.Pos())
	c := d.p.Change(d.ref.Tier, blockMessage)
	opts := f.Text(as.Lhs[0].(*ast.SelectorExpr).X) + ".DialOptions"
	c.Insert(f, f.after(as), f.NL()+f.Indent(as.Pos())+opts+" = append("+opts+", "+c.Qualified(f, grpcPath, "WithBlock()")+")")
}

// guarded adds the option under a condition, where DialTimeout is only known at
// run time: behind the statement that makes the Config.
func (d *dial) guarded() {
	p := d.p
	if !d.cfg.complete || len(d.cfg.literals) != 1 || len(d.cfg.fields["DialTimeout"]) != 1 || len(d.cfg.fields["DialOptions"]) > 1 {
		d.reportUnknown()
		return
	}
	lc := d.cfg.literals[0]
	kv := Literal{Lit: lc.Node().(*ast.CompositeLit)}.Key("DialTimeout")
	if kv == nil {
		d.reportUnknown()
		return
	}
	at := parent(lc)
	if u, ok := at.Node().(*ast.UnaryExpr); ok && u.Op == token.AND {
		at = parent(at)
	}
	as, ok := at.Node().(*ast.AssignStmt)
	sc, alone := statement(at)
	if !ok || !alone || sc.Node() != as || len(as.Lhs) != 1 || !d.p.repeatable(as.Lhs[0]) {
		if d.done[lc.Node()] || d.guardedInline(lc, kv) {
			return
		}
		d.reportUnknown()
		return
	}
	if d.done[as] {
		return
	}
	f := p.FileOf(as.Pos())
	v, nl, in := f.operand(as.Lhs[0]), f.NL(), f.Indent(as.Pos())
	behind, ok := d.behindOptions(as, sc, v)
	if !ok {
		d.reportUnknown()
		return
	}
	d.done[as] = true
	c := p.Change(d.ref.Tier, "clientv3.New no longer waits for a connection; grpc.WithBlock lets it wait up to DialTimeout, if that is set")
	c.Insert(f, f.after(behind), nl+in+"if "+v+".DialTimeout > 0 {"+nl+in+"\t"+v+".DialOptions = append("+v+".DialOptions, "+c.Qualified(f, grpcPath, "WithBlock()")+")"+nl+in+"}")
	d.note("DialTimeout is still a field; it bounds clientv3.New again, by way of grpc.WithBlock")
}

// behindOptions returns the statement behind which the dial options of a Config
// are complete: the one that makes it, or one beside that, which sets them anew.
func (d *dial) behindOptions(as *ast.AssignStmt, sc inspector.Cursor, cfg string) (ast.Stmt, bool) {
	for _, v := range d.cfg.fields["DialOptions"] {
		set, ok := v.Parent().Node().(*ast.AssignStmt)
		if !ok || d.p.FileOf(set.Pos()).extends(set) {
			continue
		}
		at, _ := statement(v)
		if !d.separate(v, set) || at.Parent() != sc.Parent() || set.Pos() < as.Pos() || d.p.FileOf(set.Pos()).Text(set.Lhs[0]) != cfg+".DialOptions" {
			return nil, false
		}
		return set, true
	}
	return as, true
}

// operand returns the source of an expression for a selector to follow.
func (f *File) operand(e ast.Expr) string {
	if _, ok := e.(*ast.StarExpr); ok {
		return "(" + f.Text(e) + ")"
	}
	return f.Text(e)
}

// guardedInline does so for a literal within a statement: the options are made
// in front of that.
func (d *dial) guardedInline(lc inspector.Cursor, kv *ast.KeyValueExpr) bool {
	p := d.p
	sc, ok := statement(lc)
	if !ok || !p.repeatable(kv.Value) || !p.sameBefore(sc, kv.Value) {
		return false
	}
	for _, v := range d.cfg.fields["DialOptions"] {
		if as, ok := v.Parent().Node().(*ast.AssignStmt); ok && !p.FileOf(as.Pos()).extends(as) {
			return false // sets them anew
		}
	}
	for fc := range lc.Enclosing((*ast.FuncDecl)(nil)) {
		for range fc.Preorder((*ast.LabeledStmt)(nil)) {
			return false // goto may not jump over a variable
		}
	}
	f, lit := p.FileOf(lc.Node().Pos()), lc.Node().(*ast.CompositeLit)
	block := sc.Parent().Node()
	name := "dialOptions"
	if f.taken[name] || d.done[block] { // taken, or made in this block already
		return false
	}
	d.done[lit], d.done[block] = true, true
	c := p.Change(d.ref.Tier, "clientv3.New no longer waits for a connection; grpc.WithBlock lets it wait up to DialTimeout, if that is set")
	g, nl, in := c.Import(f, grpcPath), f.NL(), f.Indent(sc.Node().Pos())
	c.Insert(f, sc.Node().Pos(), "var "+name+" []"+g+".DialOption"+nl+in+"if "+f.Text(kv.Value)+" > 0 {"+nl+in+"\t"+name+" = append("+name+", "+g+".WithBlock())"+nl+in+"}"+nl+in)
	if opts := (Literal{Lit: lit}).Key("DialOptions"); opts != nil && isNil(opts.Value) {
		c.ReplaceNode(f, opts.Value, name)
	} else if opts != nil {
		c.Insert(f, opts.Value.Pos(), "append(")
		c.Insert(f, opts.Value.End(), ", "+name+"...)")
	} else {
		c.addField(f, lit, "DialOptions", name)
	}
	d.note("DialTimeout is still a field; it bounds clientv3.New again, by way of grpc.WithBlock")
	return true
}

// sameBefore says whether an expression within a statement means the same in
// front of it: neither the statement nor one in its head declares or sets what
// it looks at.
func (p *Pass) sameBefore(sc inspector.Cursor, e ast.Expr) bool {
	st := sc.Node()
	looks := map[types.Object]bool{}
	same := true
	ast.Inspect(e, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			if o := p.object(id); o != nil {
				looks[o] = true
				same = same && (o.Pos() < st.Pos() || st.End() <= o.Pos())
			}
		}
		return true
	})
	for ac := range sc.Preorder((*ast.AssignStmt)(nil)) {
		if as := ac.Node().(*ast.AssignStmt); as.End() < e.Pos() {
			for _, l := range as.Lhs {
				same = same && !looks[p.object(l)]
			}
		}
	}
	return same
}

// probe asks the endpoints for their status behind New, for 3.7.
func (d *dial) probe(timeout amount) {
	bound, guard := d.timeoutText(timeout)
	if bound == "" || timeout == zero || !d.insertProbe(bound, guard) {
		switch {
		case len(d.blocking) > 0:
			d.reportBlocking()
		case timeout == positive:
			d.report("clientv3.New no longer waits up to DialTimeout for a connection", "if the error is to tell whether etcd is up, "+blockAdvice(d.p.Target.Line))
		default:
			d.reportUnknown()
		}
		return
	}
	d.note("DialTimeout is still a field; it bounds fetching a token and the first keep-alive, and no longer clientv3.New")
}

// timeoutText returns DialTimeout as source that can stand beside the call, and
// whether it has to be compared with zero first.
func (d *dial) timeoutText(timeout amount) (text string, guard bool) {
	arg := ast.Unparen(d.call.Args[0])
	if lit := literalOf(arg); lit != nil {
		kv := Literal{Lit: lit}.Key("DialTimeout")
		if kv == nil || !d.p.repeatable(kv.Value) {
			return "", false
		}
		return d.f.Text(kv.Value), timeout == unknown
	}
	if s, ok := arg.(*ast.StarExpr); ok {
		arg = ast.Unparen(s.X)
	}
	switch arg.(type) {
	case *ast.Ident, *ast.SelectorExpr:
		if d.p.repeatable(arg) {
			return d.f.Text(arg) + ".DialTimeout", timeout == unknown
		}
	}
	// A Config that a function makes: the value itself, if it means the same
	// here.
	if values := d.cfg.fields["DialTimeout"]; timeout == positive && len(values) == 1 {
		if e := values[0].Node().(ast.Expr); d.portable(e) {
			return d.p.FileOf(e.Pos()).Text(e), false
		}
	}
	return "", false
}

// portable says whether an expression means the same in the file of the call:
// numbers, units of package time, and constants of the package.
func (d *dial) portable(e ast.Expr) bool {
	if d.p.Info == nil {
		return false
	}
	switch e := e.(type) {
	case *ast.BasicLit:
		return true
	case *ast.BinaryExpr:
		return d.portable(e.X) && d.portable(e.Y)
	case *ast.Ident:
		o := d.p.object(e)
		return o != nil && o.Parent() == d.p.Pkg.Scope()
	case *ast.SelectorExpr:
		q, ok := e.X.(*ast.Ident)
		return ok && q.Name == "time" && slices.ContainsFunc(d.f.imps, func(i *fileImport) bool { return i.path == "time" && i.name == "time" })
	}
	return false
}

func (d *dial) insertProbe(bound string, guard bool) bool {
	p, f := d.p, d.f
	sc, ok := statement(d.cursor)
	if !ok {
		return false
	}
	nl, in := f.NL(), f.Indent(sc.Node().Pos())
	const message = "clientv3.New does not wait for etcd in 3.7; its endpoints are asked for their status instead"
	switch st := sc.Node().(type) {
	case *ast.ReturnStmt:
		op := p.assignmentOf(sc)
		if len(st.Results) != 1 || st.Results[0] != d.call || op == "" || mentionsName(bound, "cli", "err") {
			return false
		}
		c := p.Change(d.ref.Tier, message)
		c.Replace(f, st.Pos(), d.call.Pos(), "cli, err "+op+" ")
		c.Insert(f, st.End(), d.probeText(c, "cli", "err", bound, guard, true, in)+nl+in+"return cli, err")
		d.dropBlocking(c)
		return true
	case *ast.IfStmt: // if cli, err = clientv3.New(cfg); err != nil {
		if st.Init != d.assign || d.assign == nil || d.assign.Tok != token.ASSIGN || !d.nameable() {
			return false
		}
		c := p.Change(d.ref.Tier, message)
		c.Replace(f, st.Pos(), st.Init.Pos(), "")
		c.Replace(f, st.Init.End(), st.Cond.Pos(), d.probeText(c, f.Text(d.cli), f.Text(d.err), bound, guard, true, in)+nl+in+"if ")
		d.dropBlocking(c)
		return true
	default:
		if d.cli == nil || !d.nameable() {
			return false
		}
		if as, ok := st.(*ast.AssignStmt); ok && as != d.assign {
			return false
		}
		if _, ok := st.(*ast.DeclStmt); !ok && d.assign != st {
			return false
		}
		reset := d.assign != nil && d.assign.Tok == token.ASSIGN
		if !reset && mentionsName(bound, f.Text(d.cli), f.Text(d.err)) {
			return false // which is another variable in front of the statement
		}
		c := p.Change(d.ref.Tier, message)
		c.Insert(f, f.after(sc.Node()), d.probeText(c, f.Text(d.cli), f.Text(d.err), bound, guard, reset, in))
		d.dropBlocking(c)
		return true
	}
}

// mentionsName says whether an expression has one of some names in it.
func mentionsName(text string, names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool {
		return regexp.MustCompile(`\b` + regexp.QuoteMeta(n) + `\b`).MatchString(text)
	})
}

// nameable says whether the client and the error have names to use, and are
// not held in an interface, which may lack the methods.
func (d *dial) nameable() bool {
	if t := d.p.TypeOf(d.cli); t != nil && !IsType(t, "clientv3", "Client") {
		return false
	}
	id, ok := d.cli.(*ast.Ident)
	return (!ok || id.Name != "_") && d.p.repeatable(d.cli) && d.p.repeatable(d.err)
}

// assignmentOf returns what puts the results of New into variables cli and err
// in front of a return: they may be declared in its block already. It is ""
// where that would be another thing.
func (p *Pass) assignmentOf(sc inspector.Cursor) string {
	typ, _, body, _ := enclosingBody(sc)
	if p.Info == nil || typ == nil {
		return ""
	}
	s := p.Info.Scopes[sc.Parent().Node()]
	if sc.Parent().Node() == body {
		s = p.Info.Scopes[typ] // parameters and results share the scope of the block
	}
	if s == nil {
		return ""
	}
	captured := false // by a function that may look at it after the return
	ast.Inspect(body, func(n ast.Node) bool {
		_, lit := n.(*ast.FuncLit)
		captured = captured || lit
		return true
	})
	fits := func(name string, want func(types.Type) bool) bool {
		o := s.Lookup(name)
		v, ok := o.(*types.Var)
		return o == nil || ok && v.Pos() < sc.Node().Pos() && want(v.Type()) && (!captured || isResult(p, typ, v))
	}
	isError := func(t types.Type) bool { return types.Identical(t, types.Universe.Lookup("error").Type()) }
	switch {
	case !fits("cli", isPointerTo("clientv3", "Client")) || !fits("err", isError):
		return ""
	case s.Lookup("cli") != nil && s.Lookup("err") != nil:
		return "="
	}
	return ":="
}

// isResult says whether a variable is a result of a function that has a name.
func isResult(p *Pass, typ *ast.FuncType, v *types.Var) bool {
	return typ.Results != nil && slices.ContainsFunc(typ.Results.List, func(f *ast.Field) bool {
		return slices.ContainsFunc(f.Names, func(id *ast.Ident) bool { return p.Info.Defs[id] == v })
	})
}

// probeNames are the names that a probe declares.
var probeNames = regexp.MustCompile(`\b(ctx|cancel|ep)\b`)

func (d *dial) probeText(c Change, cli, err, bound string, guard, reset bool, in string) string {
	ctx := c.Import(d.f, "context")
	recv := cli
	if strings.HasPrefix(cli, "*") {
		recv = "(" + cli + ")"
	}
	cond := err + " == nil"
	if guard {
		cond += " && " + bound + " > 0"
	}
	lines := []string{
		"if " + cond + " {",
		"\t// New does not wait for etcd; ask whether one endpoint answers.",
		"\tfor _, ep := range " + recv + ".Endpoints() {",
		"\t\tctx, cancel := " + ctx + ".WithTimeout(" + ctx + ".Background(), " + bound + ")",
		"\t\t_, " + err + " = " + recv + ".Status(ctx, ep)",
		"\t\tcancel()",
		"\t\tif " + err + " == nil {",
		"\t\t\tbreak",
		"\t\t}",
		"\t}",
		"\tif " + err + " != nil {",
		"\t\t" + recv + ".Close()",
	}
	if reset { // as New leaves it when it fails
		lines = append(lines, "\t\t"+cli+" = nil")
	}
	lines = append(lines, "\t}", "}")
	nl := d.f.NL()
	text := strings.Join(lines, nl+in)
	if probeNames.MatchString(cli + " " + err + " " + bound) { // a client in a struct called ctx
		text = strings.NewReplacer("ctx, cancel :=", "probe, cancelProbe :=", "(ctx, ep)", "(probe, member)", "_, ep :=", "_, member :=", "\tcancel()", "\tcancelProbe()").Replace(text)
	}
	return nl + in + text
}

// dropBlocking removes the options that have no effect in 3.7.
func (d *dial) dropBlocking(c Change) {
	opts := d.blocking
	if len(opts) > 0 {
		for _, r := range d.p.Refs(grpcPath, "FailOnNonTempDialError") { // means nothing without WithBlock
			_, ec := r.Expr()
			if at, ok := d.p.etcdOption(parent(ec)); ok && slices.ContainsFunc(d.cfg.fields["DialOptions"], func(v inspector.Cursor) bool { return v.Node() == at.Node() }) {
				opts = append(opts, blockOption{r, parent(ec)})
			}
		}
	}
	d.p.dropOptions(c, opts)
}

// dropOptions removes dial options from the lists that they are in, and lists
// that hold nothing else with what sets them. Options that other connections
// get, too, stay. It says whether it could remove all.
func (p *Pass) dropOptions(c Change, opts []blockOption) (all bool) {
	all = true
	lists := map[ast.Node]bool{}
	for _, o := range opts {
		list, _, ok := listOf(o.cursor)
		lc := o.cursor.Parent()
		if !ok || p.handedOn(o.cursor) {
			all = false
			continue
		}
		if lists[lc.Node()] {
			continue
		}
		lists[lc.Node()] = true
		f := o.ref.File
		var gone []int
		for i, e := range list {
			if slices.ContainsFunc(opts, func(o blockOption) bool { return o.cursor.Node() == e }) {
				gone = append(gone, i)
			}
		}
		call, isAppend := lc.Node().(*ast.CallExpr)
		kv, inKey := lc.Parent().Node().(*ast.KeyValueExpr)
		switch {
		case !isAppend && inKey && len(gone) == len(list): // DialOptions: []grpc.DialOption{grpc.WithBlock()}
			if lit, ok := lc.Parent().Parent().Node().(*ast.CompositeLit); ok {
				c.remove(f, lit.Elts, slices.Index(lit.Elts, ast.Expr(kv)))
			}
		case isAppend && len(gone) == len(list)-1: // append(opts, grpc.WithBlock())
			if as, ok := lc.Parent().Node().(*ast.AssignStmt); ok && len(as.Lhs) == 1 && f.Text(as.Lhs[0]) == f.Text(call.Args[0]) {
				if sc, ok := statement(lc.Parent()); ok && sc.Node() == as {
					c.removeStmt(f, p.onlyIn(sc))
					break
				}
			}
			c.Replace(f, call.Pos(), call.Args[0].Pos(), "")
			c.Replace(f, call.Args[0].End(), call.End(), "")
		case isAppend && len(list) == 3 && f.SameLine(list[1].Pos(), list[2].End()):
			// Where the other one goes by another rule, one of the two is
			// told: go vet does not like append without values.
			if gone[0] == 1 {
				c.Replace(f, list[1].Pos(), list[2].Pos(), "")
			} else {
				c.Replace(f, list[1].End(), list[2].End(), "")
			}
		default:
			c.remove(f, list, gone...)
		}
	}
	return all
}

// onlyIn returns the if statement that a statement is all of, where that can go
// with it: its condition only looks at fields, at parameters and at variables that
// are used elsewhere, too. Else it returns the statement.
func (p *Pass) onlyIn(sc inspector.Cursor) ast.Node {
	n, ok := sc.Parent().Parent().Node().(*ast.IfStmt)
	if !ok || n.Init != nil || n.Else != nil || len(n.Body.List) != 1 || n.Body != sc.Parent().Node() || p.Info == nil {
		return sc.Node()
	}
	if _, ok := sc.Parent().Parent().Parent().Node().(*ast.IfStmt); ok {
		return sc.Node() // else if
	}
	cond := n.Cond
	if u, ok := cond.(*ast.UnaryExpr); ok && u.Op == token.NOT {
		cond = u.X
	}
	free := p.repeatable(cond)
	ast.Inspect(cond, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			free = free && !p.onlyUse(id)
		}
		return true
	})
	if !free {
		return sc.Node()
	}
	return n
}

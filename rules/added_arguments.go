package rules

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"

	"github.com/etcdshift/etcdshift/rules/atlas"
)

// addedArguments passes arguments for parameters that functions have gained.
//
// Matched: calls of functions and methods that in the target take what they
// took before and something more, where it is known what to pass. The atlas
// tells which functions these are and where the parameter is: the rule knows
// only what stands in for each kind. A *zap.Logger in scope is passed as
// logger, or the one that the method's receiver logs with; else a logger that
// drops everything, since most of these functions panic for nil. A
// context.Context in scope is passed as context, but not to what releases a
// lock.
//
// Not matched: functions used as values, calls that pass the results of
// another call on, and calls whose results changed as well; these become
// findings.
var addedArguments = &Rule{
	ID:    "added-arguments",
	Title: "pass the arguments that functions have gained",
	Before: `package p

import (
	"github.com/coreos/etcd/pkg/fileutil"
	"github.com/coreos/etcd/pkg/osutil"
	"github.com/coreos/etcd/pkg/transport"
	"go.uber.org/zap"
)

func certificate(dir string) (transport.TLSInfo, error) {
	osutil.HandleInterrupts()
	return transport.SelfCert(dir, []string{"localhost"})
}

func touch(lg *zap.Logger, dir string) error {
	return fileutil.TouchDirAll(dir)
}
`,
	After: `package p

import (
	"go.etcd.io/etcd/client/pkg/v3/fileutil"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/pkg/v3/osutil"
	"go.uber.org/zap"
)

func certificate(dir string) (transport.TLSInfo, error) {
	osutil.HandleInterrupts(zap.NewNop())
	return transport.SelfCert(zap.NewNop(), dir, []string{"localhost"}, 1)
}

func touch(lg *zap.Logger, dir string) error {
	return fileutil.TouchDirAll(lg, dir)
}
`,
	Why:    "etcd logs with zap since 3.4, and functions that log take the logger. What is passed keeps what the functions did before: a certificate of SelfCert is good for a year, and a member is written to both stores.",
	Since:  "v3.4.0",
	Safety: Same,
	Refs: []string{
		"https://github.com/etcd-io/etcd/blob/v3.5.0/client/pkg/transport/listener.go",
		"https://github.com/etcd-io/etcd/blob/v3.5.0/server/wal/wal.go",
		"https://github.com/etcd-io/etcd/blob/main/CHANGELOG/CHANGELOG-3.5.md",
	},
	Answers: func(b *atlas.Break) bool {
		for _, l := range atlas.Lines() {
			for i := range b.Forms {
				if c, _ := b.From(b.Forms[i].Releases[0], l); c == atlas.None {
					continue
				}
				if adds, ok := additions(b, &b.Forms[i], l); ok && len(adds) > 0 {
					return true
				}
			}
		}
		return false
	},
	Run: runAddedArguments,
}

// addition is a parameter that a function has gained.
type addition struct {
	at   int // index of the old parameter before which it stands
	fill filler
}

// filler writes the argument for a new parameter of a call, "" where there is
// none to pass.
type filler func(p *Pass, c Change, h Hit, call *ast.CallExpr) string

// fillers are the arguments that are known, by the parameter's name and type,
// and by the package where a name alone would say too little.
var fillers = []struct {
	pkg, name, typ string
	fill           filler
}{
	{typ: "*zap.Logger", fill: logger},
	{pkg: "proxy/grpcproxy", typ: "context.Context", fill: clientContext},
	{pkg: "clientv3/concurrency", typ: "context.Context", fill: background}, // what is held is released when ctx is done, too
	{typ: "context.Context", fill: contextArgument},
	{typ: "testing.TB", fill: testArgument},
	{pkg: "clientv3", name: "c", typ: "*Client", fill: contextClient},
	{pkg: "pkg/transport", name: "selfSignedCertValidity", fill: literally("1")},
	{pkg: "pkg/srv", name: "serviceName", fill: literally(`""`)},
	{pkg: "client", name: "serviceName", fill: literally(`""`)},
	{pkg: "pkg/report", name: "benchmarkOp", fill: literally(`""`)},
	{pkg: "pkg/report", name: "generatePerfReport", fill: literally("false")},
	{pkg: "pkg/expect", name: "serverProcessConfigName", fill: literally(`""`)},
	{pkg: "etcdserver/api/v3rpc", name: "interceptor", fill: literally("nil")},
	{pkg: "raft/tracker", name: "maxBytes", fill: literally("0")}, // no limit
	{pkg: "etcdmain", name: "args", fill: qualified("os", "Args")},
	{name: "shouldApplyV3", fill: fromPackage("etcdserver/api/membership", "ApplyBoth")},
	{name: "trace", typ: "*traceutil.Trace", fill: func(p *Pass, c Change, h Hit, call *ast.CallExpr) string {
		return fromPackage("pkg/traceutil", "TODO")(p, c, h, call) + "()"
	}},
	{name: "mode", typ: "ReadTxMode", fill: fromPackage("mvcc", "ConcurrentReadTxMode")},
}

// additions returns the parameters that a function gains from a form to a
// line, if all others stay and it is known what to pass.
func additions(b *atlas.Break, form *atlas.Form, line atlas.Line) ([]addition, bool) {
	old, ok := parseSignature(form.Sig)
	if !ok {
		return nil, false
	}
	now, ok := parseSignature(b.NewIn(line))
	if !ok {
		return nil, false
	}
	return added(b.Pkg, old, now, func(typ string) string { return typ })
}

// added is additions by signature; rename writes an old type as the new
// signature has it.
func added(pkg string, old, now signature, rename func(typ string) string) ([]addition, bool) {
	var out []addition
	k := 0
	for i, n := range now.params {
		if k < len(old.params) {
			o := rename(old.params[k].typ)
			if o == n.typ || widened[[2]string{o, n.typ}] || n.typ == "*"+o { // pointers to messages are another rule's
				k++
				continue
			}
		}
		if i == len(now.params)-1 && strings.HasPrefix(n.typ, "...") {
			continue // may be left out
		}
		fill := fillerFor(pkg, n)
		if fill == nil {
			return nil, false
		}
		out = append(out, addition{k, fill})
	}
	return out, k == len(old.params)
}

func fillerFor(pkg string, n param) filler {
	for _, f := range fillers {
		if (f.pkg == "" || f.pkg == pkg) && (f.name == "" || f.name == n.name) && (f.typ == "" || f.typ == n.typ) {
			return f.fill
		}
	}
	return nil
}

func runAddedArguments(p *Pass) {
	for h := range p.Broken() {
		adds, ok := additions(h.Break, h.Form, p.Target.Line)
		call := h.Call()
		if ok && len(adds) == 0 && p.hasMoreResults(h) {
			continue // the arguments came in another release
		}
		if !ok || len(adds) == 0 || call == nil || declarationUnknown(h) && p.From == "" {
			p.reportBroken(h)
			continue
		}
		old, _ := parseSignature(h.Form.Sig)
		if spreads(p, call, len(old.params)) {
			p.reportBroken(h)
			continue
		}
		now, _ := parseSignature(h.Break.NewIn(p.Target.Line))
		c := p.Change(h.Tier, "%s takes more arguments", h.Symbol)
		if !p.addArguments(c, h, adds) {
			p.reportBroken(h)
			continue
		}
		if n := leading(old, now); !sameResults(old, now, pointerOf) && (n == 0 || !p.dropResults(c, h, n)) {
			p.reportBroken(h) // the arguments are still added
		}
	}
}

// hasMoreResults drops the results that a function has gained in front.
func (p *Pass) hasMoreResults(h Hit) bool {
	old, _ := parseSignature(h.Form.Sig)
	now, _ := parseSignature(h.Break.NewIn(p.Target.Line))
	n := leading(old, now)
	return n > 0 && h.Call() != nil && p.dropResults(p.Change(h.Tier, "%s has more results", h.Symbol), h, n)
}

// addArguments writes the arguments for new parameters into a call. Those
// before the same argument are one insertion. It is false where there is
// nothing to pass.
func (p *Pass) addArguments(c Change, h Hit, adds []addition) bool {
	call := h.Call()
	args := make([]string, len(adds))
	for i, a := range adds {
		if args[i] = a.fill(p, c, h, call); args[i] == "" {
			return false
		}
	}
	for i := 0; i < len(adds); {
		at, first := adds[i].at, i
		for i < len(adds) && adds[i].at == at {
			i++
		}
		if p.methodExpr(call.Fun) {
			at++ // behind the receiver
		}
		insertArguments(c, h.File, call, at, strings.Join(args[first:i], ", "))
	}
	return true
}

// spreads says whether the arguments of a call do not stand for one parameter
// each.
func spreads(p *Pass, call *ast.CallExpr, params int) bool {
	if len(call.Args) != 1 || params < 2 {
		return false
	}
	_, tuple := p.TypeOf(call.Args[0]).(*types.Tuple)
	return tuple
}

// insertArguments writes arguments before the one with an index.
func insertArguments(c Change, f *File, call *ast.CallExpr, at int, text string) {
	switch {
	case at < len(call.Args):
		c.Insert(f, call.Args[at].Pos(), text+", ")
	case len(call.Args) > 0:
		c.Insert(f, call.Args[len(call.Args)-1].End(), ", "+text)
	default:
		c.Insert(f, call.Rparen, text)
	}
}

func logger(p *Pass, c Change, h Hit, call *ast.CallExpr) string {
	if name := p.InScope(call.Pos(), isPointerTo("go.uber.org/zap", "Logger")); name != "" {
		return name
	}
	if field := p.receiverField(h.Cursor, isPointerTo("go.uber.org/zap", "Logger")); field != "" {
		return field
	}
	return c.Qualified(h.File, "go.uber.org/zap", "NewNop()")
}

func contextArgument(p *Pass, c Change, h Hit, call *ast.CallExpr) string {
	return p.contextAt(c, h.File, call.Pos())
}

func background(p *Pass, c Change, h Hit, call *ast.CallExpr) string {
	return c.Qualified(h.File, "context", "Background()")
}

// testArgument passes the test that a call is made in.
func testArgument(p *Pass, c Change, h Hit, call *ast.CallExpr) string {
	isT, isB, isTB := isPointerTo("testing", "T"), isPointerTo("testing", "B"), isNamed("testing", "TB")
	return p.InScope(call.Pos(), func(t types.Type) bool { return isT(t) || isB(t) || isTB(t) })
}

// contextAt returns a context for use at a position: one in scope, or the
// background.
func (p *Pass) contextAt(c Change, f *File, pos token.Pos) string {
	if name := p.InScope(pos, isNamed("context", "Context")); name != "" {
		return name
	}
	return c.Qualified(f, "context", "Background()")
}

// clientContext takes the context of the client that the call is given: what
// the function starts lives as long as the client, as before.
func clientContext(p *Pass, c Change, h Hit, call *ast.CallExpr) string {
	for _, a := range call.Args {
		if Simple(a) && isPointerTo("clientv3", "Client")(p.TypeOf(a)) {
			return h.File.Text(a) + ".Ctx()"
		}
	}
	return contextArgument(p, c, h, call)
}

// contextClient makes the client that carries call options and a logger. Nil
// would compile and panic.
func contextClient(p *Pass, c Change, h Hit, call *ast.CallExpr) string {
	ctx := p.contextAt(c, h.File, call.Pos())
	return fromPackage("clientv3", "NewCtxClient")(p, c, h, call) + "(" + ctx + ")"
}

func literally(text string) filler {
	return func(*Pass, Change, Hit, *ast.CallExpr) string { return text }
}

func qualified(path, name string) filler {
	return func(p *Pass, c Change, h Hit, _ *ast.CallExpr) string { return c.Qualified(h.File, path, name) }
}

// fromPackage names a symbol of an etcd package in the target.
func fromPackage(pkg, name string) filler {
	return func(p *Pass, c Change, h Hit, call *ast.CallExpr) string {
		home, _ := atlas.HomeOf(pkg, p.Target.Line)
		return c.Qualified(h.File, home.Path, name)
	}
}

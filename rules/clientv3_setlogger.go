package rules

import (
	"go/ast"
	"go/types"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

const grpclogPath = grpcPath + "/grpclog"

// clientv3SetLogger replaces the package logger of clientv3 by gRPC's own.
//
// Matched: SetLogger (also in its form of v3.2.9 and older, which took a logger
// with Print methods), NewLogger, the type Logger and its Print methods.
//
// Not matched: GetLogger and Logger.Lvl, for which nothing takes the place.
var clientv3SetLogger = &Rule{
	ID:    "clientv3-setlogger",
	Title: "set gRPC's logger with grpclog.SetLoggerV2 instead of clientv3.SetLogger",
	Before: `package p

import (
	"os"

	"github.com/coreos/etcd/clientv3"
	"google.golang.org/grpc/grpclog"
)

func init() {
	clientv3.SetLogger(grpclog.NewLoggerV2(os.Stderr, os.Stderr, os.Stderr))
}
`,
	After: `package p

import (
	"os"

	"google.golang.org/grpc/grpclog"
)

func init() {
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(os.Stderr, os.Stderr, os.Stderr))
}
`,
	Why: "In 3.5 clientv3.SetLogger became a deprecated name for grpclog.SetLoggerV2, and the logger's other functions went. " +
		"The client's own messages no longer go through that logger: they go to Config.Logger, a *zap.Logger.",
	Since:  "v3.5.0",
	Safety: Same,
	Refs: []string{
		"https://github.com/etcd-io/etcd/blob/v3.2.9/clientv3/logger.go",
		"https://github.com/etcd-io/etcd/blob/v3.3.10/clientv3/logger.go",
		"https://github.com/etcd-io/etcd/blob/v3.4.31/clientv3/logger.go",
		"https://github.com/etcd-io/etcd/blob/v3.6.16/client/v3/logger.go",
	},
	Claims: []string{"clientv3.SetLogger", "clientv3.GetLogger", "clientv3.NewLogger", "clientv3.Logger", "clientv3.Logger.*"},
	Run:    runClientv3SetLogger,
}

func runClientv3SetLogger(p *Pass) {
	for _, r := range p.Refs("clientv3", "SetLogger") {
		p.setLogger(r)
	}
	for _, r := range p.Refs("clientv3", "Logger") {
		e, _ := r.Expr()
		if r.Obj != nil && !hasMethod(r.Obj.Type(), "V") {
			p.Report(r.File, e, edit.Manual, "clientv3.Logger is gone; it was a logger with Print methods (etcd up to v3.2.9)",
				"write grpclog.LoggerV2, or an interface of your own for the methods that are used")
			continue
		}
		c := p.Change(r.Tier, "clientv3.Logger is gone; it is gRPC's LoggerV2")
		c.ReplaceNode(r.File, e, c.Qualified(r.File, grpclogPath, "LoggerV2"))
		c.followEmbedded(r.Ident, "LoggerV2")
	}
	levels := p.Refs("clientv3", "Logger.Lvl")
	for _, r := range levels {
		p.Report(r.File, r.Ident, edit.Manual, "Logger.Lvl is gone with clientv3.Logger",
			"ask the logger with V(level) before logging, or use the zap logger of the client: cli.GetLogger()")
	}
	for _, r := range p.Refs("clientv3", "NewLogger") {
		e, _ := r.Expr()
		call := r.Call()
		if call == nil || len(call.Args) != 1 || len(levels) > 0 {
			p.Report(r.File, e, edit.Manual, "clientv3.NewLogger is gone", "use the grpclog.LoggerV2 that it was made from")
			continue
		}
		c := p.Change(r.Tier, "clientv3.NewLogger is gone; the logger that it wraps does")
		c.Replace(r.File, call.Pos(), call.Args[0].Pos(), "")
		c.Replace(r.File, call.Args[0].End(), call.End(), "")
	}
	for _, m := range [][2]string{{"Print", "Info"}, {"Printf", "Infof"}, {"Println", "Infoln"}} {
		for _, r := range p.Refs("clientv3", "Logger."+m[0]) {
			c := p.Change(r.Tier, "Logger.%s is gone; gRPC's logger calls it %s", m[0], m[1])
			c.ReplaceNode(r.File, r.Ident, m[1])
		}
	}
	for _, r := range p.Refs("clientv3", "GetLogger") {
		e, _ := r.Expr()
		p.Report(r.File, e, edit.Manual, "clientv3.GetLogger is gone; there is no logger of the package",
			"with a client at hand, cli.GetLogger() is its *zap.Logger; else keep the logger that was given to grpclog.SetLoggerV2 in a variable")
	}
}

func (p *Pass) setLogger(r Ref) {
	e, _ := r.Expr()
	call := r.Call()
	if call == nil || len(call.Args) != 1 {
		p.Report(r.File, e, edit.Review, "clientv3.SetLogger only sets gRPC's logger now", "use grpclog.SetLoggerV2")
		return
	}
	arg := call.Args[0]
	t := p.TypeOf(arg)
	if t != nil && !hasMethod(t, "V") {
		var w ast.Expr
		text := ""
		switch lit, ok := arg.(*ast.CallExpr); {
		case ok && len(lit.Args) == 3 && p.isFunc(lit.Fun, "log", "New"):
			w = lit.Args[0]
			text = r.File.Text(w)
		case t.String() == "*log.Logger" && p.repeatable(arg):
			text = r.File.Text(arg) + ".Writer()"
		default:
			p.Report(r.File, call, edit.Manual, "clientv3.SetLogger took a logger with Print methods; gRPC's logger has Info, Warning and Error",
				"give grpclog.SetLoggerV2 a grpclog.LoggerV2, such as grpclog.NewLoggerV2(w, io.Discard, io.Discard)")
			return
		}
		c := p.Change(r.Tier, "clientv3.SetLogger took a logger with Print methods; grpclog.SetLoggerV2 takes writers by level")
		v2 := c.Import(r.File, grpclogPath)
		// The first writer gets what is worse, too.
		none := text
		if w == nil || !p.isDiscard(w) {
			none = c.Import(r.File, "io") + ".Discard"
		}
		c.ReplaceNode(r.File, call, v2+".SetLoggerV2("+v2+".NewLoggerV2("+text+", "+none+", "+none+"))")
		return
	}
	c := p.Change(r.Tier, "clientv3.SetLogger only sets gRPC's logger now")
	c.ReplaceNode(r.File, e, c.Qualified(r.File, grpclogPath, "SetLoggerV2"))
	if p.Info == nil {
		p.Report(r.File, call, edit.Review, "the logger has no type here: up to v3.2.9 clientv3.SetLogger took one with Print methods",
			"check that the argument is a grpclog.LoggerV2")
	}
}

// isDiscard says whether an expression is the writer that drops everything.
func (p *Pass) isDiscard(w ast.Expr) bool {
	v, ok := p.object(w).(*types.Var)
	return ok && v.Name() == "Discard" && v.Pkg() != nil && (v.Pkg().Path() == "io" || v.Pkg().Path() == "io/ioutil")
}

// hasMethod says whether a type has a method, itself or behind a pointer.
func hasMethod(t types.Type, name string) bool {
	o, _, _ := types.LookupFieldOrMethod(t, true, nil, name)
	_, ok := o.(*types.Func)
	return ok
}

// isFunc says whether an expression names a function of a package.
func (p *Pass) isFunc(e ast.Expr, pkg, name string) bool {
	fn, ok := p.object(e).(*types.Func)
	return ok && fn.Pkg() != nil && fn.Pkg().Path() == pkg && fn.Name() == name
}

package rules

import (
	"go/ast"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// replacedSymbol writes what takes the place of symbols that are gone from
// etcd, where that is one expression of the standard library, gRPC, zap or
// another package of etcd.
//
// Matched: mentions for symbols that stand for a value or a type, calls for
// functions whose arguments go elsewhere, and ServerStats.Initialize right
// after the literal that it completes, both of which a constructor does now.
//
// Not matched: such functions as values, and keys of a trace that are no
// argument; they become findings.
var replacedSymbol = &Rule{
	ID:    "replaced-symbol",
	Title: "write what took the place of small helpers",
	Before: `package p

import (
	"crypto/tls"

	"github.com/coreos/etcd/pkg/logutil"
	"github.com/coreos/etcd/pkg/osutil"
	"google.golang.org/grpc/grpclog"
)

func quiet() { grpclog.SetLoggerV2(logutil.NewDiscardLogger()) }

func clear(cfg *tls.Config) error { return osutil.Unsetenv("ETCD_NAME") }
`,
	After: `package p

import (
	"crypto/tls"
	"io"
	"os"

	"google.golang.org/grpc/grpclog"
)

func quiet() { grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard)) }

func clear(cfg *tls.Config) error { return os.Unsetenv("ETCD_NAME") }
`,
	Why:    "etcd dropped helpers that the standard library or a library has by now. The replacements do the same.",
	Since:  "v3.5.0",
	Safety: Same,
	Refs: []string{
		"https://github.com/etcd-io/etcd/blob/v3.4.16/pkg/logutil/zap_grpc.go",
		"https://github.com/etcd-io/etcd/blob/v3.5.0/pkg/osutil/osutil.go",
	},
	Claims: append(claimsOf(replacements), serverStatsInitialize.String()),
	Run:    runReplacedSymbol,
}

// replacement is what to write for a symbol: packages in braces are imported,
// etcd's by their old path; $0 is the mention itself, $1 and on are the
// arguments of a call, each at most once and in order.
type replacement struct {
	pkg, name string
	text      string
	call      bool
}

var replacements = []replacement{
	{"pkg/osutil", "Unsetenv", "{os}.Unsetenv", false},
	{"pkg/fileutil", "F_OFD_GETLK", "{golang.org/x/sys/unix}.F_OFD_GETLK", false},
	{"pkg/fileutil", "F_OFD_SETLK", "{golang.org/x/sys/unix}.F_OFD_SETLK", false},
	{"pkg/fileutil", "F_OFD_SETLKW", "{golang.org/x/sys/unix}.F_OFD_SETLKW", false},
	{"pkg/transport", "ShallowCopyTLSConfig", "$1.Clone()", true},
	{"pkg/logutil", "Logger", "{google.golang.org/grpc/grpclog}.LoggerV2", false},
	{"pkg/logutil", "NewLogger", "$1", true},
	{"pkg/logutil", "NewDiscardLogger", "{google.golang.org/grpc/grpclog}.NewLoggerV2({io}.Discard, {io}.Discard, {io}.Discard)", true},
	{"pkg/logutil", "NewGRPCLoggerV2FromZapCore", "{go.uber.org/zap/zapgrpc}.NewLogger({go.uber.org/zap}.New($1, {go.uber.org/zap}.AddCaller(), {go.uber.org/zap}.AddCallerSkip(1), {go.uber.org/zap}.ErrorOutput($2)))", true},
	{"pkg/traceutil", "TraceKey", "$0{}", false},
	{"pkg/traceutil", "StartTimeKey", "$0{}", false},
	{"version", "V3_4", "{github.com/coreos/go-semver/semver}.Version{Major: 3, Minor: 4}", false},
	{"version", "V3_5", "{github.com/coreos/go-semver/semver}.Version{Major: 3, Minor: 5}", false},
}

func claimsOf(rs []replacement) []string {
	var out []string
	for _, r := range rs {
		out = append(out, r.pkg+"."+r.name)
	}
	return out
}

func runReplacedSymbol(p *Pass) {
	table := map[Symbol]replacement{}
	for _, r := range replacements {
		table[Symbol{r.pkg, r.name}] = r
	}
	for h := range p.Broken() {
		sym := Symbol{h.Pkg, h.Break.Symbol}
		if sym == serverStatsInitialize {
			if !p.newServerStats(h) {
				p.Report(h.File, h.Ident, edit.Manual, h.Symbol.String()+" is gone from etcd "+string(p.Target.Line),
					"make the value with v2stats.NewServerStats(name, id), which initializes it")
			}
			continue
		}
		r := table[sym]
		if !r.call {
			e, at := h.Expr()
			rest, value := strings.CutPrefix(r.text, "$0")
			if _, arg := at.Parent().Node().(*ast.CallExpr); value && !arg {
				p.reportBroken(h) // no constant any more
				continue
			}
			c := p.Change(h.Tier, "%s is replaced", h.Symbol)
			if value {
				c.Insert(h.File, e.End(), rest)
			} else {
				c.followEmbedded(h.Ident, r.text[strings.LastIndexByte(r.text, '.')+1:])
				c.ReplaceNode(h.File, e, c.expand(h.File, r.text, p.Target.Line))
			}
			continue
		}
		call := h.Call()
		if call == nil || call.Ellipsis.IsValid() || h.File.commentBetween(call.Pos(), call.End()) {
			p.reportBroken(h)
			continue
		}
		c := p.Change(h.Tier, "%s is replaced", h.Symbol)
		c.rebuild(h.File, call, r.text, p.Target.Line)
	}
}

// expand writes the packages in braces as the file names them.
func (c Change) expand(f *File, text string, line atlas.Line) string {
	out := ""
	for {
		before, rest, ok := strings.Cut(text, "{")
		path, after, closed := strings.Cut(rest, "}")
		if !ok || !closed {
			return out + text
		}
		if strings.HasPrefix(after, ".") && path != "" {
			if h, ok := atlas.HomeOf(path, line); ok && !h.Gone {
				path = h.Path
			}
			out += before + c.Import(f, path)
		} else {
			out += before + "{" + path + "}"
		}
		text = after
	}
}

// rebuild writes a template around the arguments of a call, which stay where
// they are.
func (c Change) rebuild(f *File, call *ast.CallExpr, text string, line atlas.Line) {
	pos := call.Pos()
	for i, a := range call.Args {
		before, after, ok := strings.Cut(text, "$"+string(rune('1'+i)))
		if !ok {
			break
		}
		before = c.expand(f, before, line)
		switch a.(type) {
		case *ast.UnaryExpr, *ast.StarExpr, *ast.BinaryExpr:
			if strings.HasPrefix(after, ".") {
				before, after = before+"(", ")"+after
			}
		}
		c.Replace(f, pos, a.Pos(), before)
		pos, text = a.End(), after
	}
	c.Replace(f, pos, call.End(), c.expand(f, text, line))
}

var serverStatsInitialize = Symbol{"etcdserver/stats", "ServerStats.Initialize"}

// newServerStats writes `s := &stats.ServerStats{…}` and the s.Initialize()
// after it as a call of the constructor.
func (p *Pass) newServerStats(h Hit) bool {
	f, call := h.File, h.Call()
	if call == nil {
		return false
	}
	_, at := h.Expr()
	stmt, c, ok := StatementOf(at)
	if x, isExpr := stmt.(*ast.ExprStmt); !ok || !isExpr || x.X != call {
		return false
	}
	prev, ok := c.PrevSibling()
	if !ok {
		return false
	}
	set, ok := prev.Node().(*ast.AssignStmt)
	if !ok || len(set.Lhs) != 1 || len(set.Rhs) != 1 || !Simple(set.Lhs[0]) || f.Text(set.Lhs[0]) != f.Text(h.Selector().X) {
		return false
	}
	addr, ok := set.Rhs[0].(*ast.UnaryExpr)
	if !ok {
		return false
	}
	lit, ok := addr.X.(*ast.CompositeLit)
	if !ok || f.commentBetween(lit.Pos(), lit.End()) {
		return false
	}
	typ, ok := lit.Type.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	args := map[string]string{"Name": `""`, "ID": `""`}
	for _, e := range lit.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok || args[f.Text(kv.Key)] == "" || !Simple(kv.Value) {
			return false
		}
		args[f.Text(kv.Key)] = f.Text(kv.Value)
	}
	ch := p.Change(h.Tier, "%s is what NewServerStats does", h.Symbol)
	ch.Replace(f, addr.Pos(), lit.Pos(), "")
	ch.ReplaceNode(f, typ.Sel, "NewServerStats")
	ch.Replace(f, typ.End(), lit.End(), "("+args["Name"]+", "+args["ID"]+")")
	ch.removeStmt(f, stmt)
	return true
}

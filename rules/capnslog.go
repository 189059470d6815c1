package rules

import (
	"go/ast"
	"go/constant"
	"go/types"
	"strconv"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

const capnslogPath = "github.com/coreos/pkg/capnslog"

// capnslogRepo follows the end of capnslog in etcd.
//
// Matched: statements that set levels of the loggers that etcd registered,
// which go: MustRepoLogger panics for a name that nobody registers.
//
// Not matched: other uses of those loggers; they become findings. A name that
// is only known at run time is not seen, and one that the package registers
// loggers for itself is its own.
var capnslogRepo = &Rule{
	ID:    "capnslog",
	Title: "drop what sets levels of etcd's loggers of capnslog",
	Before: `package p

import (
	"github.com/coreos/etcd/clientv3"
	"github.com/coreos/pkg/capnslog"
)

func open(cfg clientv3.Config) (*clientv3.Client, error) {
	capnslog.MustRepoLogger("github.com/coreos/etcd").SetRepoLogLevel(capnslog.ERROR)
	return clientv3.New(cfg)
}
`,
	After: `package p

import (
	clientv3 "go.etcd.io/etcd/client/v3"
)

func open(cfg clientv3.Config) (*clientv3.Client, error) {
	return clientv3.New(cfg)
}
`,
	Why: "etcd logs with zap alone since 3.5 and registers no logger of capnslog any more: GetRepoLogger fails for its name, and MustRepoLogger panics. " +
		"The level is that of the *zap.Logger that a client or a server is given.",
	Since:  "v3.5.0",
	Safety: Adjusted,
	Refs:   []string{"https://github.com/etcd-io/etcd/blob/main/CHANGELOG/CHANGELOG-3.5.md", "https://github.com/coreos/pkg/blob/main/capnslog/pkg_logger.go"},
	Run:    runCapnslog,
}

func runCapnslog(p *Pass) {
	own := map[string]bool{}
	for _, r := range p.Refs(capnslogPath, "NewPackageLogger") {
		if call := r.Call(); call != nil && len(call.Args) == 2 {
			own[p.stringOf(call.Args[0])] = true
		}
	}
	for _, name := range []string{"MustRepoLogger", "GetRepoLogger"} {
		for _, r := range p.Refs(capnslogPath, name) {
			f, call := r.File, r.Call()
			if call == nil || len(call.Args) != 1 {
				continue
			}
			repo := p.stringOf(call.Args[0])
			if own[repo] || !strings.HasPrefix(repo, "github.com/coreos/etcd") && !strings.HasPrefix(repo, "go.etcd.io/etcd") {
				continue
			}
			_, at := r.Expr()
			if stmt, _, ok := StatementOf(at); ok && name == "MustRepoLogger" && p.setsLevel(stmt, call) && f.endsLine(stmt) {
				p.Change(r.Tier, "etcd registers no logger of capnslog any more").removeLines(f, stmt)
				continue
			}
			what := "fails"
			if name == "MustRepoLogger" {
				what = "panics"
			}
			p.Report(f, call, edit.Manual, "etcd registers no logger of capnslog since 3.5: "+name+" "+what,
				"drop it; set the level of the *zap.Logger that etcd is given")
		}
	}
}

// setsLevel says whether a statement is a call of a method of what a call
// gives, with nothing in its arguments that would be missed.
func (p *Pass) setsLevel(stmt ast.Stmt, of *ast.CallExpr) bool {
	x, ok := stmt.(*ast.ExprStmt)
	if !ok || p.Info == nil {
		return false
	}
	call, ok := x.X.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || sel.X != ast.Expr(of) {
		return false
	}
	plain := true
	for _, a := range call.Args {
		ast.Inspect(a, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				plain = false
			case *ast.Ident:
				if v, ok := p.Info.Uses[n].(*types.Var); ok && !v.IsField() && v.Parent() != v.Pkg().Scope() {
					plain = false
				}
			}
			return true
		})
	}
	return plain
}

// stringOf returns the value of a constant string, "" when it is not known.
func (p *Pass) stringOf(e ast.Expr) string {
	if tv, ok := p.constant(e); ok && tv.Value.Kind() == constant.String {
		return constant.StringVal(tv.Value)
	}
	if lit, ok := e.(*ast.BasicLit); ok {
		s, _ := strconv.Unquote(lit.Value)
		return s
	}
	return ""
}

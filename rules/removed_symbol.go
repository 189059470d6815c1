package rules

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ast/inspector"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// changedSymbol reports what is still there in another form.
//
// Matched: calls whose parameters or results changed, fields and types of
// another kind, and functions used as values whose type changed. Calls that
// go on to compile are not reported.
var changedSymbol = &Rule{
	ID:    "changed-symbol",
	Title: "report uses of symbols whose declaration changed",
	Before: `package p

import (
	"github.com/coreos/etcd/pkg/srv"
	"github.com/coreos/etcd/pkg/types"
)

func peers(name, domain string, urls types.URLs) ([]string, error) {
	return srv.GetCluster("etcd-server", name, domain, urls)
}
`,
	After: `package p

import (
	"go.etcd.io/etcd/client/pkg/v3/srv"
	"go.etcd.io/etcd/client/pkg/v3/types"
)

func peers(name, domain string, urls types.URLs) ([]string, error) {
	return srv.GetCluster("etcd-server", name, domain, urls)
}
`,
	Why:    "What the new parameter, result or field should be depends on the program. The finding has the new declaration.",
	Since:  "v3.4.0",
	Safety: Report,
	Refs: []string{
		"https://github.com/etcd-io/etcd/tree/main/CHANGELOG",
	},
	Answers: func(b *atlas.Break) bool {
		for _, l := range atlas.Lines() {
			if b.In(l) != atlas.None && b.NewIn(l) != "" {
				return true
			}
		}
		return false
	},
	Run: func(p *Pass) {
		for h := range p.Broken() {
			p.reportBroken(h)
		}
	},
}

// removedSymbol reports what is gone.
//
// Matched: symbols that no package of the target has. Packages that are gone
// as a whole are reported once, at the import, by import-path.
var removedSymbol = &Rule{
	ID:    "removed-symbol",
	Title: "report uses of symbols that are gone",
	Before: `package p

import (
	"github.com/coreos/etcd/pkg/netutil"
)

func cut(port int) error { return netutil.DropPort(port) }
`,
	After: `package p

import (
	"go.etcd.io/etcd/pkg/v3/netutil"
)

func cut(port int) error { return netutil.DropPort(port) }
`,
	Why:    "Nothing in the target does what these symbols did, or several things do and a person has to choose. The finding names the nearest.",
	Since:  "v3.4.0",
	Safety: Report,
	Refs: []string{
		"https://github.com/etcd-io/etcd/tree/main/CHANGELOG",
	},
	Answers: func(*atlas.Break) bool { return true },
	Run: func(p *Pass) {
		for h := range p.Broken() {
			p.reportBroken(h)
		}
	},
}

// reportBroken reports a mention that nothing rewrites.
func (p *Pass) reportBroken(h Hit) {
	line := string(p.Target.Line)
	home, _ := atlas.HomeOf(h.Pkg, p.Target.Line)
	if home.Gone {
		return // import-path reports the package
	}
	unsure := ""
	if p.From == "" && len(h.Break.Forms) > 1 && declarationUnknown(h) {
		unsure = " (which release the code was written for is not known; --from tells)"
	}
	now := h.Break.NewIn(p.Target.Line)
	if now == "" {
		p.Report(h.File, h.Ident, edit.Manual, h.Symbol.String()+" is gone from etcd "+line+unsure, p.advice(h.Break))
		return
	}
	if p.pointersFollow(h, now) {
		return // message-pointers rewrites or reports what it takes
	}
	_, isFunc := parseSignature(h.Form.Sig)
	sev := edit.Manual
	switch {
	case strings.HasPrefix(now, "field ") && p.renamedTo(h.Pkg, plainSig(h.Form.Sig)) == plainSig(now):
		return // the type of the field moved, and is what it was
	case h.Class == atlas.Compat && (!isFunc || h.Call() != nil):
		return
	case isFunc && h.Call() != nil && p.compatible(h, now):
		return
	case isFunc && h.Call() != nil && p.resultOnlyCalled(h, now):
		return
	case isFunc && h.Call() == nil && typeIsInferred(h.Ref):
		sev = edit.Review
	case isFunc && h.Call() == nil:
	case h.Class == atlas.Compat:
		return
	}
	p.Report(h.File, h.Ident, sev, h.Symbol.String()+" has another form in etcd "+line+unsure, "now `"+now+"`"+sentence(p.advice(h.Break), now))
}

// resultOnlyCalled says whether a call's one result, of an interface of etcd, is
// another one in the target that has all methods which are called of it here.
func (p *Pass) resultOnlyCalled(h Hit, now string) bool {
	o, _ := parseSignature(h.Form.Sig)
	w, ok := parseSignature(now)
	same := func(a, b string) bool { return p.renamedTo(h.Pkg, a) == b }
	old, known := TypeSymbol(p.TypeOf(h.Call()))
	if !ok || !known || len(o.results) != 1 || len(w.results) != 1 || !callable(o, w, same) || !types.IsInterface(p.TypeOf(h.Call())) {
		return false
	}
	q, name, _ := strings.Cut(w.results[0].typ, ".")
	home, _ := atlas.HomeOf(old.Pkg, p.Target.Line)
	if home.Gone || home.Name != q {
		return false
	}
	methods := atlas.Methods(old.Pkg, name, string(p.Target.Line))
	called := func(c inspector.Cursor) bool {
		sel, ok := c.Parent().Node().(*ast.SelectorExpr)
		return ok && sel.X == c.Node() && slices.ContainsFunc(methods, func(m atlas.Method) bool { return m.Name == sel.Sel.Name })
	}
	_, at := h.Expr()
	call := parent(at)
	if called(call) {
		return true
	}
	as, ok := call.Parent().Node().(*ast.AssignStmt)
	if !ok || as.Tok != token.DEFINE || len(as.Lhs) != 1 {
		return false
	}
	v, ok := p.object(as.Lhs[0]).(*types.Var)
	return ok && !slices.ContainsFunc(p.uses(v), func(c inspector.Cursor) bool { return c.Node() != as.Lhs[0] && !called(c) })
}

// sentence goes on with an advice, without what it says of the new form again.
func sentence(advice, now string) string {
	advice = strings.TrimSuffix(strings.TrimSuffix(advice, "is now `"+now+"`"), ": ")
	if advice == "" {
		return ""
	}
	return ": " + advice
}

// typeIsInferred says whether a function is used as a value whose type is not
// written down there.
func typeIsInferred(r Ref) bool {
	_, c := r.Expr()
	switch n := c.Parent().Node().(type) {
	case *ast.AssignStmt:
		return n.Tok == token.DEFINE
	case *ast.ValueSpec:
		return n.Type == nil
	}
	return false
}

func declarationUnknown(h Hit) bool { return h.Obj == nil }

// advice takes from a break's advice what concerns the target line.
func (p *Pass) advice(b *atlas.Break) string {
	best := ""
	for part := range strings.SplitSeq(b.Advice, "; ") {
		for _, l := range atlas.Lines() {
			if rest, ok := strings.CutPrefix(part, string(l)+": "); ok && l <= p.Target.Line {
				best = rest
			}
		}
	}
	if best == "" {
		return b.Advice
	}
	return best
}

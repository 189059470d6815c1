package rules

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"

	"golang.org/x/tools/go/ast/inspector"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// clientErrors looks at errors of the client that mean something else now.
//
// Matched: comparisons with clientv3.ErrNoAddrAvilable, which become a look at
// the code; with ErrNoAvailableEndpoints and grpc.ErrClientConnClosing; with
// the code Unavailable for errors that have another code since 3.6; and
// functions that tell WatchResponse.Canceled from Err; and calls on a client
// right after its Close.
//
// Not matched: errors that came through unchanged: those of rpctypes, and those
// of a context.
var clientErrors = &Rule{
	ID:    "client-errors",
	Title: "follow errors of the client that mean something else now",
	Before: `package p

import "github.com/coreos/etcd/clientv3"

func retry(err error) bool { return err == clientv3.ErrNoAvailableEndpoints }
`,
	After: `package p

import clientv3 "go.etcd.io/etcd/client/v3"

func retry(err error) bool { return err == clientv3.ErrNoAvailableEndpoints }
`,
	Why: "ErrNoAvailableEndpoints is for an empty Config.Endpoints only; up to v3.2.9 it was also returned when no member could be reached. ErrNoAddrAvilable is gone with the balancer that returned it. " +
		"After Close calls return grpc.ErrClientConnClosing as before, but only after some 2.5 seconds of retries, and no longer for a failed precondition. " +
		"Errors for what the cluster cannot do yet have the code FailedPrecondition since 3.6. A watch whose stream dies ends in a response with Canceled set; up to v3.3.13 only Err told.",
	Since:  "v3.2.10",
	Safety: Adjusted,
	Refs: []string{
		"https://github.com/etcd-io/etcd/blob/v3.2.9/clientv3/client.go (toErr)",
		"https://github.com/etcd-io/etcd/blob/v3.3.10/clientv3/client.go (toErr)",
		"https://github.com/etcd-io/etcd/blob/v3.6.16/client/v3/retry_interceptor.go",
		"https://github.com/etcd-io/etcd/blob/v3.6.16/client/v3/watch.go",
		"https://github.com/etcd-io/etcd/blob/v3.6.16/api/v3rpc/rpctypes/error.go",
	},
	Claims: []string{"clientv3.ErrNoAddrAvilable"},
	Run:    runClientErrors,
}

func runClientErrors(p *Pass) {
	for _, r := range p.Refs("clientv3", "ErrNoAddrAvilable") {
		p.noAddress(r)
	}
	for _, r := range p.Refs("clientv3", "ErrNoAvailableEndpoints") {
		if yes, unsure := p.before(r.File, "v3.2.10"); yes && unsure == "" && compared(r) {
			e, _ := r.Expr()
			p.Report(r.File, e, edit.Review, "ErrNoAvailableEndpoints is returned for an empty list of endpoints only; up to v3.2.9 also when no member could be reached",
				"for that, look at the code: status.Code(err) == codes.Unavailable, or a context that ends: errors.Is(err, context.DeadlineExceeded)")
		}
	}
	for _, r := range p.Refs(grpcPath, "ErrClientConnClosing") {
		yes, unsure := p.before(r.File, "v3.3.14")
		if !yes || !compared(r) || len(p.Refs("clientv3", "Client")) == 0 && len(p.Refs("clientv3", "New")) == 0 {
			continue
		}
		e, _ := r.Expr()
		p.Report(r.File, e, edit.Review, "calls on a closed client return grpc.ErrClientConnClosing only after some 2.5 s of retries, and a failed precondition no longer ends in it"+unsure,
			"clientv3.IsConnCanceled(err) says whether the client is closed or the context cancelled; do not take this error as a sign to reconnect")
	}
	if p.Target.Line != atlas.Line35 && (p.From == "" || p.FromBefore("v3.6.0")) {
		p.unavailableCodes()
	}
	if p.FromBefore("v3.3.14") {
		p.canceledWatch()
		p.afterClose()
	}
}

// noAddress turns a comparison with an error of the old balancer into one of
// the code that it had.
func (p *Pass) noAddress(r Ref) {
	f := r.File
	e, ec := r.Expr()
	n, ok := parent(ec).Node().(*ast.BinaryExpr)
	if !ok || n.Op != token.EQL && n.Op != token.NEQ {
		p.Report(f, e, edit.Manual, "clientv3.ErrNoAddrAvilable is gone with the balancer that returned it", "look at the code: status.Code(err) == codes.Unavailable")
		return
	}
	c := p.Change(r.Tier, "clientv3.ErrNoAddrAvilable is gone; an error of its code says that no member can be reached")
	code := c.Qualified(f, grpcPath+"/status", "Code") + "("
	unavailable := c.Qualified(f, grpcPath+"/codes", "Unavailable")
	other := n.X
	if ast.Unparen(n.X) == e {
		other = n.Y
	}
	c.Insert(f, other.Pos(), code)
	c.Insert(f, other.End(), ")")
	c.ReplaceNode(f, e, unavailable)
}

// compared says whether an error is on one side of a comparison, a case of a
// switch or an argument of errors.Is.
func compared(r Ref) bool {
	e, ec := r.Expr()
	switch n := parent(ec).Node().(type) {
	case *ast.BinaryExpr:
		return n.Op == token.EQL || n.Op == token.NEQ
	case *ast.CaseClause:
		return true
	case *ast.CallExpr:
		sel, ok := n.Fun.(*ast.SelectorExpr)
		return ok && sel.Sel.Name == "Is" && len(n.Args) == 2 && n.Args[1] == e
	}
	return false
}

// unavailableCodes reports looks at the code of errors that changed it in 3.6.
func (p *Pass) unavailableCodes() {
	const message = "errors for what the cluster cannot do yet (not capable, not supported for a learner, version unavailable) have the code FailedPrecondition since 3.6; it was Unavailable"
	const advice = "compare with codes.FailedPrecondition as well, or with the error itself"
	for _, r := range p.RefsTo("etcdserver/api/v3rpc/rpctypes") {
		name := strings.TrimPrefix(strings.TrimPrefix(r.Symbol.Name, "Err"), "GRPC")
		if name != "NotCapable" && name != "ClusterVersionUnavailable" && !strings.HasSuffix(name, "NotSupportedForLearner") {
			continue
		}
		e, ec := r.Expr()
		switch n := ec.Parent().Node().(type) {
		case *ast.SelectorExpr: // rpctypes.ErrNotCapable.(EtcdError).Code()
			if n.X == e && n.Sel.Name == "Code" {
				p.Report(r.File, n, edit.Review, message, advice)
			}
		case *ast.CallExpr:
			if fn, ok := n.Fun.(*ast.SelectorExpr); ok && (fn.Sel.Name == "Code" || fn.Sel.Name == "Convert" || fn.Sel.Name == "FromError") {
				p.Report(r.File, n, edit.Review, message, advice)
			}
		}
	}
	for _, r := range p.Refs("etcdserver/api/v3rpc/rpctypes", "EtcdError.Code") {
		call := r.Call()
		if call == nil {
			continue
		}
		_, ec := r.Expr()
		pc := parent(parent(ec))
		n, ok := pc.Node().(*ast.BinaryExpr)
		if ok && (p.isUnavailable(n.X) || p.isUnavailable(n.Y)) {
			p.Report(r.File, n, edit.Review, message, advice)
		}
	}
}

func (p *Pass) isUnavailable(e ast.Expr) bool {
	return p.symbolOf(e) == Symbol{grpcPath + "/codes", "Unavailable"}
}

// canceledWatch reports functions that tell WatchResponse.Canceled from Err; and calls on a client
// right after its Close.
func (p *Pass) canceledWatch() {
	function := func(c inspector.Cursor) ast.Node {
		for fc := range c.Enclosing((*ast.FuncDecl)(nil)) {
			return fc.Node()
		}
		return nil
	}
	errs := map[ast.Node]bool{}
	for _, r := range p.Refs("clientv3", "WatchResponse.Err") {
		errs[function(r.Cursor)] = true
	}
	seen := map[ast.Node]bool{}
	for _, r := range p.Refs("clientv3", "WatchResponse.Canceled") {
		fn := function(r.Cursor)
		if e, ec := r.Expr(); fn != nil && errs[fn] && !seen[fn] && r.Selector() != nil {
			if as, _ := assignment(ec); as == nil {
				seen[fn] = true
				p.Report(r.File, e, edit.Review, "a watch whose stream dies ends in a response with Canceled set; up to v3.3.13 Canceled was false there and only Err told",
					"look at Err first; Canceled with CompactRevision tells a compaction")
			}
		}
	}
}

// localMethods are the methods of a client that ask no member.
var localMethods = []string{"ActiveConnection", "Close", "Ctx", "Endpoints", "GetLogger", "SetEndpoints"}

// afterClose reports calls on a client behind its Close in the same block.
func (p *Pass) afterClose() {
	for _, r := range p.Refs("clientv3", "Client.Close") {
		sel := r.Selector()
		if sel == nil || r.Call() == nil {
			continue
		}
		_, ec := r.Expr()
		sc, ok := statement(ec)
		if !ok {
			continue
		}
		if _, ok := sc.Node().(*ast.ExprStmt); !ok {
			continue
		}
		name := r.File.Text(sel.X)
		for next, ok := sc.NextSibling(); ok; next, ok = next.NextSibling() {
			var use ast.Node
			for c := range next.Preorder((*ast.SelectorExpr)(nil), (*ast.AssignStmt)(nil)) {
				switch n := c.Node().(type) {
				case *ast.AssignStmt:
					if slices.ContainsFunc(n.Lhs, func(l ast.Expr) bool { return r.File.Text(l) == name }) {
						ok = false // another client from here on
					}
				case *ast.SelectorExpr:
					if call, is := c.Parent().Node().(*ast.CallExpr); ok && use == nil && is && call.Fun == n && !slices.Contains(localMethods, n.Sel.Name) && r.File.Text(n.X) == name {
						use = call
					}
				}
			}
			if use != nil {
				p.Report(r.File, use, edit.Review, "calls on a closed client fail only after some 2.5 s of retries; up to v3.3.13 they failed at once", "bound the call with a context, or do not call")
				break
			}
			if !ok {
				break
			}
		}
	}
}

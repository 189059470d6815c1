package rules

import (
	"go/ast"
	"go/types"
	"slices"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// forgottenImport reports errors of an old etcd in code whose client moved
// before. Such a repository builds and believes that it has migrated:
// err == rpctypes.ErrCompacted compiles with any rpctypes, and is never true
// with that of another etcd than the client's.
//
// Matched: error variables and error types of rpctypes of an old layout, where
// the package or what it imports has client/v3, and no old client that could
// give these errors. import-path moves the imports.
//
// Not matched: errors that are returned, which is as good as ever over gRPC;
// those of other packages, such as raft or client v2, which these give
// themselves; and what else was left behind. Other types do not fit together,
// so the compiler has told of them.
var forgottenImport = &Rule{
	ID:    "forgotten-import",
	Title: "report errors of an old etcd beside a client that has moved, which were never met",
	Before: `package p

import (
	"context"

	"github.com/coreos/etcd/etcdserver/api/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func compacted(ctx context.Context, cli *clientv3.Client) bool {
	_, err := cli.Get(ctx, "k", clientv3.WithRev(1))
	return err == rpctypes.ErrCompacted
}
`,
	After: `package p

import (
	"context"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func compacted(ctx context.Context, cli *clientv3.Client) bool {
	_, err := cli.Get(ctx, "k", clientv3.WithRev(1))
	return err == rpctypes.ErrCompacted
}
`,
	Why: "Errors of one etcd are never equal to those of another, which no compiler says. " +
		"When the last import moves, comparisons that were never true since the client moved are true again, and code runs that did not.",
	Since:  "v3.5.0",
	Safety: Report,
	Refs:   []string{"https://github.com/etcd-io/etcd/blob/main/api/v3rpc/rpctypes/error.go"},
	Run:    runForgottenImport,
}

var errorType = types.Universe.Lookup("error").Type().Underlying().(*types.Interface)

func runForgottenImport(p *Pass) {
	if !p.reaches(func(rel string, split bool) bool { return rel == "clientv3" && split }) ||
		p.reaches(func(rel string, split bool) bool { return rel == "clientv3" && !split }) {
		return
	}
	for _, r := range p.RefsTo("etcdserver/api/v3rpc/rpctypes") {
		if path := p.oldPathOf(r); path != "" && p.isError(r) {
			at, c := r.Expr()
			if _, ok := c.Parent().Node().(*ast.ReturnStmt); ok {
				continue // made here, not met
			}
			p.Report(r.File, at, edit.Review, "errors of client/v3 are never this one, which is of "+path+"; after the move they can be",
				"look at what is done then: it was not since the client moved")
		}
	}
}

// isError says whether a symbol is an error or a type of errors. Without types,
// the name tells.
func (p *Pass) isError(r Ref) bool {
	if r.Obj == nil {
		return strings.HasPrefix(r.Name, "Err") || r.Name == "EtcdError"
	}
	switch o := r.Obj.(type) {
	case *types.Var:
		return !o.IsField() && o.Exported() && types.Implements(o.Type(), errorType)
	case *types.TypeName:
		return types.Implements(o.Type(), errorType)
	}
	return false
}

// oldPathOf returns the import path of a mentioned symbol's package if it is of
// a layout before 3.5.
func (p *Pass) oldPathOf(r Ref) string {
	path := ""
	if r.Obj != nil && r.Obj.Pkg() != nil {
		path = r.Obj.Pkg().Path()
	} else {
		for _, i := range r.File.imps {
			if i.rel == r.Pkg {
				path = i.path
			}
		}
	}
	if _, layout, ok := atlas.Canonical(path); !ok || layout == atlas.LayoutSplit {
		return ""
	}
	return path
}

// reaches says whether the package or one that it imports is an etcd package
// that is asked for, or imports one. Of what is not loaded, the imports are not
// known.
func (p *Pass) reaches(want func(rel string, split bool) bool) bool {
	is := func(path string) bool {
		rel, layout, ok := atlas.Canonical(path)
		return ok && want(rel, layout == atlas.LayoutSplit)
	}
	for _, f := range p.Files {
		if slices.ContainsFunc(f.imps, func(i *fileImport) bool { return is(i.path) }) {
			return true
		}
	}
	seen := map[*types.Package]bool{}
	var visit func(*types.Package) bool
	visit = func(t *types.Package) bool {
		if t == nil || seen[t] {
			return false
		}
		seen[t] = true
		return is(t.Path()) || slices.ContainsFunc(t.Imports(), visit)
	}
	return visit(p.Pkg)
}

// Moved says whether code that imports these packages has moved to a client or
// server of 3.5 or later: such an import is there, and of old layouts only
// packages that do nothing by themselves, messages and helpers.
func Moved(imports []string) bool {
	moved := false
	for _, i := range imports {
		rel, layout, ok := atlas.Canonical(i)
		if !ok {
			continue
		}
		home, _ := atlas.HomeOf(rel, atlas.Line35)
		helper := slices.Contains([]string{"go.etcd.io/etcd/api/v3", "go.etcd.io/etcd/client/pkg/v3", "go.etcd.io/etcd/pkg/v3"}, home.Module)
		switch {
		case helper:
		case layout != atlas.LayoutSplit:
			return false
		default:
			moved = true
		}
	}
	return moved
}

package rules

import (
	"go/ast"
	"path"
	"strconv"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// importPath moves import paths.
//
// Matched: every import of a package below an old module root, and of a
// package of 3.5 or 3.6 that moved again. The local name stays: an alias, a
// dot or a blank import as it is, a package name by an explicit name where
// the new path does not end in it. Where the package itself is called
// otherwise in its new home and the file did not name it, the selectors
// follow, unless the new name is taken in the file.
//
// Not matched: packages without a home in the target; they become findings.
var importPath = &Rule{
	ID:    "import-path",
	Title: "move imports of etcd packages to the modules of the target",
	Before: `package p

import (
	"context"

	"github.com/coreos/etcd/clientv3"
	"github.com/coreos/etcd/compactor"
	"github.com/coreos/etcd/mvcc/mvccpb"
)

var _ compactor.Compactable

func get(cli *clientv3.Client) ([]*mvccpb.KeyValue, error) {
	resp, err := cli.Get(context.Background(), "k")
	if err != nil {
		return nil, err
	}
	return resp.Kvs, nil
}
`,
	After: `package p

import (
	"context"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3compactor"
)

var _ v3compactor.Compactable

func get(cli *clientv3.Client) ([]*mvccpb.KeyValue, error) {
	resp, err := cli.Get(context.Background(), "k")
	if err != nil {
		return nil, err
	}
	return resp.Kvs, nil
}
`,
	Why:    "etcd was split into modules in 3.5. The packages kept their API but for the symbols that other rules handle; only the paths differ.",
	Since:  "v3.5.0",
	Safety: Same,
	Refs: []string{
		"https://github.com/etcd-io/etcd/blob/main/CHANGELOG/CHANGELOG-3.5.md",
	},
	Answers: func(b *atlas.Break) bool {
		for _, l := range atlas.Lines() {
			if h, ok := atlas.HomeOf(b.Pkg, l); !ok || !h.Gone {
				return false
			}
		}
		return true
	},
	Run: runImportPath,
}

func runImportPath(p *Pass) {
	for _, f := range p.Files {
		for _, i := range f.imps {
			if i.rel == "" {
				continue
			}
			if i.final == i.path {
				reportHomeless(p, f, i)
				continue
			}
			text := strconv.Quote(i.final)
			if !i.alias && (i.newName != path.Base(i.final)) {
				text = i.newName + " " + text
			}
			c := p.Change(edit.Typed, "%s is now %s", i.path, i.final)
			c.ReplaceNode(f, i.spec.Path, text)
			if i.newName != i.name {
				renameQualifier(p, c, f, i)
			}
		}
	}
}

// renameQualifier carries a changed package name through the selectors of a
// file.
func renameQualifier(p *Pass, c Change, f *File, i *fileImport) {
	ast.Inspect(f.AST, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if q, ok := sel.X.(*ast.Ident); ok && q.Name == i.name && p.importOf(f, q) == i {
			c.ReplaceNode(f, q, i.newName)
		}
		return true
	})
}

// importOf returns the import that an identifier names, nil for any other.
func (p *Pass) importOf(f *File, id *ast.Ident) *fileImport {
	if p.Info != nil {
		obj := p.Info.Uses[id]
		if obj == nil {
			return nil
		}
		for _, i := range f.imps {
			if p.Info.Implicits[i.spec] == obj || i.spec.Name != nil && p.Info.Defs[i.spec.Name] == obj {
				return i
			}
		}
		return nil
	}
	if id.Obj != nil {
		return nil
	}
	for _, i := range f.imps {
		if i.name == id.Name {
			return i
		}
	}
	return nil
}

func reportHomeless(p *Pass, f *File, i *fileImport) {
	_, layout, _ := atlas.Canonical(i.path)
	home, ok := atlas.HomeOf(i.rel, p.Target.Line)
	switch {
	case ok && !home.Gone, !ok && layout == atlas.LayoutSplit:
		return // at home already, or too new for the atlas
	case ok:
		p.Report(f, i.spec, edit.Manual, "package "+i.path+" has no home in etcd "+string(p.Target.Line), home.Note)
	default:
		p.Report(f, i.spec, edit.Manual, "package "+i.path+" is not known to any etcd release that was looked at", "check the import path")
	}
}

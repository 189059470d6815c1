package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/etcdshift/etcdshift/rules/atlas"
)

// importsOf returns the imports of a Go file by path, with their local names;
// none of a file that does not parse.
func importsOf(file string) map[string]string {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		return nil
	}
	return importNames(f)
}

func importNames(f *ast.File) map[string]string {
	out := map[string]string{}
	for _, spec := range f.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		name, ok := atlas.PackageName(p)
		if !ok {
			name = path.Base(p)
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		out[p] = name
	}
	return out
}

// family names a package of etcd or gRPC, whatever its path: "" for others.
func family(importPath string) string {
	if rel, _, ok := atlas.Canonical(importPath); ok {
		return rel
	}
	if rel, ok := strings.CutPrefix(importPath, "google.golang.org/"); ok && (rel == "grpc" || strings.HasPrefix(rel, "grpc/")) {
		return rel
	}
	return ""
}

// mention is a use of a package's symbol.
type mention struct {
	symbol string // "clientv3.New": by family, so that local names do not count
	line   int
}

// mentions lists the uses of symbols of etcd and gRPC in a Go file.
func mentions(file string, src []byte) []mention {
	fset := token.NewFileSet()
	f, _ := parser.ParseFile(fset, file, src, 0)
	if f == nil {
		return nil
	}
	families := map[string]string{} // by local name
	for p, name := range importNames(f) {
		if fam := family(p); fam != "" && name != "_" && name != "." {
			families[name] = fam
		}
	}
	if len(families) == 0 {
		return nil
	}
	packages := map[*ast.Ident]bool{} // names that no declaration of the file explains
	for _, id := range f.Unresolved {
		packages[id] = true
	}
	var out []mention
	ast.Inspect(f, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if id, ok := sel.X.(*ast.Ident); ok && packages[id] && families[id.Name] != "" {
			out = append(out, mention{families[id.Name] + "." + sel.Sel.Name, fset.Position(sel.Pos()).Line})
		}
		return true
	})
	slices.SortFunc(out, func(a, b mention) int { return a.line - b.line })
	return out
}

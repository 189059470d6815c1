package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// serverFlagFiles hold the definitions of the etcd server's flags.
var serverFlagFiles = []string{"etcdmain/config.go", "embed/config.go"}

// writeFlags writes which release's server has which command-line flag. A
// flag that a release only accepts and ignores does not count.
func (g *gen) writeFlags() error {
	if err := g.load(); err != nil {
		return err
	}
	in := map[string][]string{}
	for _, r := range g.releases {
		seen := map[string]bool{}
		for _, m := range r.modules {
			for _, f := range serverFlagFiles {
				file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(m.Dir, filepath.FromSlash(f)), nil, 0)
				if err != nil {
					continue // of another module, or of a release before embed
				}
				for _, name := range definedFlags(file) {
					seen[name] = true
				}
			}
		}
		for name := range seen {
			in[name] = append(in[name], r.label)
		}
	}
	var rows [][]string
	for _, name := range sorted(in) {
		rows = append(rows, []string{name, strings.Join(in[name], ",")})
	}
	return g.write("flags.tsv", "flag of the etcd server, releases that have it", rows)
}

// definedFlags lists the flags that a file defines on a flag set.
func definedFlags(file *ast.File) []string {
	var out []string
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) < 2 {
			return true
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		set, ok := sel.X.(*ast.Ident)
		if !ok || set.Name != "fs" {
			return true
		}
		if u, ok := call.Args[0].(*ast.UnaryExpr); ok {
			if lit, ok := u.X.(*ast.CompositeLit); ok {
				if t, ok := lit.Type.(*ast.SelectorExpr); ok && slices.Contains([]string{"IgnoredFlag", "DeprecatedFlag"}, t.Sel.Name) {
					return true
				}
			}
		}
		for _, a := range call.Args[:2] { // fs.Bool("name", …), fs.BoolVar(&v, "name", …)
			if lit, ok := a.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if name, err := strconv.Unquote(lit.Value); err == nil && name != "" {
					out = append(out, name)
				}
				break
			}
		}
		return true
	})
	return out
}

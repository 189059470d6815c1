package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// serverFlagFiles hold the definitions of the etcd server's flags and of the
// keys of its configuration file, and which feature gates took the place of
// flags.
var serverFlagFiles = []string{"etcdmain/config.go", "embed/config.go", "features/etcd_features.go"}

// writeFlags writes which release's server has which command-line flag and
// which key of the configuration file. A flag that a release only accepts and
// ignores does not count.
func (g *gen) writeFlags() error {
	if err := g.load(); err != nil {
		return err
	}
	flags, keys, gates := map[string][]string{}, map[string][]string{}, map[string]string{}
	for _, r := range g.releases {
		inFlags, inKeys := map[string]bool{}, map[string]bool{}
		for _, m := range r.modules {
			for _, f := range serverFlagFiles {
				file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(m.Dir, filepath.FromSlash(f)), nil, 0)
				if err != nil {
					continue // of another module, or of a release before embed
				}
				for _, name := range definedFlags(file) {
					inFlags[name] = true
				}
				for _, name := range configKeys(file) {
					inKeys[name] = true
				}
				maps.Copy(gates, featureGates(file))
			}
		}
		for name := range inFlags {
			flags[name] = append(flags[name], r.label)
		}
		for name := range inKeys {
			keys[name] = append(keys[name], r.label)
		}
	}
	releases := func(in map[string][]string) (rows [][]string) {
		for _, name := range sorted(in) {
			rows = append(rows, []string{name, strings.Join(in[name], ",")})
		}
		return rows
	}
	if err := g.write("flags.tsv", "flag of the etcd server, releases that have it", releases(flags)); err != nil {
		return err
	}
	if err := g.write("keys.tsv", "key of the etcd server's configuration file, releases that have it", releases(keys)); err != nil {
		return err
	}
	var rows [][]string
	for _, name := range sorted(gates) {
		rows = append(rows, []string{name, gates[name]})
	}
	return g.write("gates.tsv", "flag of the etcd server, feature gate that took its place", rows)
}

// configKeys lists the keys of a configuration file that the structs of a file
// stand for; those below a section as section.key.
func configKeys(file *ast.File) []string {
	structs := map[string]*ast.StructType{}
	ast.Inspect(file, func(n ast.Node) bool {
		if t, ok := n.(*ast.TypeSpec); ok {
			if s, ok := t.Type.(*ast.StructType); ok {
				structs[t.Name.Name] = s
			}
		}
		return true
	})
	section := map[string]bool{}
	var out []string
	fields := func(s *ast.StructType, visit func(key, typ string)) {
		for _, f := range s.Fields.List {
			if f.Tag == nil {
				continue
			}
			tag, _ := strconv.Unquote(f.Tag.Value)
			key, _, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
			if key == "" || key == "-" {
				continue
			}
			typ := ""
			if id, ok := f.Type.(*ast.Ident); ok {
				typ = id.Name
			}
			visit(key, typ)
		}
	}
	for _, s := range structs {
		fields(s, func(key, typ string) {
			if sub := structs[typ]; sub != nil {
				section[typ] = true
				fields(sub, func(inner, _ string) { out = append(out, key+"."+inner) })
			}
		})
	}
	for name, s := range structs {
		if !section[name] {
			fields(s, func(key, _ string) { out = append(out, key) })
		}
	}
	return out
}

// featureGates reads which feature gate took the place of which flag.
func featureGates(file *ast.File) map[string]string {
	names, out := map[string]string{}, map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		switch v := spec.Values[0].(type) {
		case *ast.BasicLit: // InitialCorruptCheck featuregate.Feature = "InitialCorruptCheck"
			names[spec.Names[0].Name], _ = strconv.Unquote(v.Value)
		case *ast.CompositeLit:
			if spec.Names[0].Name != "ExperimentalFlagToFeatureMap" {
				break
			}
			for _, e := range v.Elts {
				if kv, ok := e.(*ast.KeyValueExpr); ok {
					flag, _ := strconv.Unquote(kv.Key.(*ast.BasicLit).Value)
					out[flag] = names[kv.Value.(*ast.Ident).Name]
				}
			}
		}
		return true
	})
	return out
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

package rules_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"golang.org/x/mod/semver"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// Whatever gRPC removed up to the release of a target must be rewritten or
// reported where a program names it, even where nothing has a type.
func TestEveryRemovedGRPCSymbolIsAnswered(t *testing.T) {
	for _, line := range atlas.Lines() {
		target := target(line)
		var src strings.Builder
		var names []string // of the symbol on each line, from 1
		at := func(name, format string, args ...any) {
			names = append(names, name)
			fmt.Fprintf(&src, format+"\n", args...)
		}
		at("", "package p")
		byPkg := map[string]string{}
		var removed []atlas.GRPCSymbol
		for _, s := range atlas.GRPC() {
			if s.Removed == "" || semver.Compare(s.Removed, target.GRPC) > 0 {
				continue
			}
			if s.Name == "" {
				at(s.Package, "import _ %q", s.Package)
				continue
			}
			if strings.Contains(s.Name, ".") {
				continue // a member, which nothing but a type leads to
			}
			removed = append(removed, s)
			if byPkg[s.Package] == "" {
				byPkg[s.Package] = fmt.Sprintf("pkg%d", len(byPkg))
				at("", "import %s %q", byPkg[s.Package], s.Package)
			}
		}
		for _, s := range removed {
			// As a value, as a type: the syntax tier does not ask.
			at(s.Package+"."+s.Name, "var _ = %s.%s", byPkg[s.Package], s.Name)
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, "p.go", src.String(), parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		res := rules.Run(target, "v3.3.10", &rules.Package{
			Path: "p", Fset: fset, Tier: edit.Syntax,
			Files: []*rules.File{{Name: "p.go", Src: []byte(src.String()), AST: f}},
		}, rules.All)
		answered := map[int]bool{}
		for _, f := range res.Findings {
			answered[f.Line] = true
			if f.Advice == "" {
				t.Errorf("%s: %s has no advice", line, f.Message)
			}
		}
		rewritten := 0
		for _, c := range res.Changes {
			for _, e := range c.Edits {
				l := 1 + strings.Count(src.String()[:e.Start], "\n")
				if !answered[l] {
					rewritten++
				}
				answered[l] = true
			}
		}
		for i, name := range names {
			if name != "" && !answered[i+1] {
				t.Errorf("%s: nothing is said of %s", line, name)
			}
		}
		t.Logf("to gRPC %s of %s: %d symbols and packages removed, %d of them renamed in place, the others reported", target.GRPC, line, len(removed), rewritten)
	}
}

package rules

import (
	"go/ast"
	"go/token"
	"regexp"
	"strconv"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// stringPath follows the paths of old packages in strings.
//
// Matched: names of functions and packages that goleak is to ignore, which are
// compared with those of running goroutines.
//
// Not matched: any other string that has a path of old etcd, such as one that
// is given to a loader of packages or compared with runtime.Caller: it becomes
// a finding. Links are neither.
var stringPath = &Rule{
	ID:    "string-path",
	Title: "follow import paths in strings that name functions, and report others",
	Before: `package p

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/coreos/etcd/clientv3.(*lessor).deadlineLoop"))
}
`,
	After: `package p

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("go.etcd.io/etcd/client/v3.(*lessor).deadlineLoop"))
}
`,
	Why:    "A string with the path of a package goes on to compile, and names nothing any more.",
	Since:  "v3.5.0",
	Safety: Same,
	Refs:   []string{"https://pkg.go.dev/go.uber.org/goleak#IgnoreTopFunction"},
	Run:    runStringPath,
}

func runStringPath(p *Pass) {
	for _, f := range p.Files {
		goleak := map[ast.Node]bool{}
		ast.Inspect(f.AST, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ImportSpec:
				return false
			case *ast.CallExpr:
				if sel, ok := n.Fun.(*ast.SelectorExpr); ok && strings.HasPrefix(sel.Sel.Name, "Ignore") {
					if q, ok := sel.X.(*ast.Ident); ok {
						if i := p.importOf(f, q); i != nil && i.path == "go.uber.org/goleak" {
							for _, a := range n.Args {
								goleak[a] = true
							}
						}
					}
				}
			case *ast.BasicLit:
				if n.Kind == token.STRING {
					p.pathInString(f, n, goleak[n])
				}
			}
			return true
		})
	}
}

// oldStream is a method of the client's watch streams by its name up to 3.5.
var oldStream = regexp.MustCompile(`^(?:github\.com/(?:coreos|etcd-io)|go\.etcd\.io)/etcd/(?:(?:v3/)?clientv3|client/v3)\.\(\*(watchGrpcStream)\)`)

func (p *Pass) pathInString(f *File, lit *ast.BasicLit, names bool) {
	if !strings.Contains(lit.Value, "etcd") {
		return
	}
	text, err := strconv.Unquote(lit.Value)
	if err != nil {
		return
	}
	fits := text == lit.Value[1:len(lit.Value)-1] // offsets in the text are those in the file
	if m := oldStream.FindStringSubmatchIndex(text); m != nil && names && fits && p.Target.Line != atlas.Line35 {
		c := p.Change(edit.Typed, "the client's watchGrpcStream is called watchGRPCStream from 3.6 on")
		c.Replace(f, f.inLiteral(lit, m[2]), f.inLiteral(lit, m[3]), "watchGRPCStream")
	}
	for _, m := range pathMentions(text, p.Target.Line) {
		at := lit
		if fits && strings.Contains(text, "\n") { // its line is not that of the string
			at = &ast.BasicLit{ValuePos: f.inLiteral(lit, m.Start), Value: m.Path}
		}
		switch {
		case linked(text[:m.Start]):
		case m.New == "":
			p.Report(f, at, edit.Review, "this string has the path of "+m.Path+", which has no home in etcd "+string(p.Target.Line), "see what reads it")
		case names && fits:
			c := p.Change(edit.Typed, "%s is now %s", m.Path, m.New)
			c.Replace(f, f.inLiteral(lit, m.Start), f.inLiteral(lit, m.End), m.New)
		default:
			p.Report(f, at, edit.Review, "this string has the path of "+m.Path+", which is now "+m.New, "change it if what reads it looks for the package or its functions")
		}
	}
}

// inLiteral returns the position of a byte of a literal without escapes. The
// text of a raw string lacks the carriage returns of the file.
func (f *File) inLiteral(lit *ast.BasicLit, offset int) token.Pos {
	pos := lit.Pos() + 1 + token.Pos(offset)
	if f.NL() == "\r\n" {
		pos += token.Pos(strings.Count(lit.Value[:1+offset], "\n"))
	}
	return pos
}

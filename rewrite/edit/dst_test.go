package edit

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/scanner"
	"go/token"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dave/dst"
	"github.com/dave/dst/dstutil"
)

// useContext is a rewrite like the real ones: calls of client.Get with one
// argument get a context in front, calls of client.Debug go, and a field
// Legacy leaves its struct and its literals.
func useContext(t *Tree) error {
	isCall := func(n dst.Node, name string) *dst.CallExpr {
		call, ok := n.(*dst.CallExpr)
		if !ok {
			return nil
		}
		if sel, ok := call.Fun.(*dst.SelectorExpr); !ok || sel.Sel.Name != name {
			return nil
		}
		return call
	}
	dstutil.Apply(t.File, func(c *dstutil.Cursor) bool {
		switch n := c.Node().(type) {
		case *dst.CallExpr:
			if isCall(n, "Get") != nil && len(n.Args) == 1 {
				n.Args = slices.Insert(n.Args, 0, dst.Expr(dst.NewIdent("ctx")))
			}
		case *dst.ExprStmt:
			if isCall(n.X, "Debug") != nil {
				c.Delete()
			}
		case *dst.Field:
			if len(n.Names) == 1 && n.Names[0].Name == "Legacy" {
				c.Delete()
			}
		case *dst.KeyValueExpr:
			if id, ok := n.Key.(*dst.Ident); ok && id.Name == "Legacy" {
				c.Delete()
			}
		}
		return true
	}, nil)
	return nil
}

func TestRestructureKeepsWhatItDoesNotTouch(t *testing.T) {
	cases := []struct{ name, src, want string }{
		{"clean file", `package p

func f() {
	v := client.Get("a")
	client.Debug()
	g(v)
}
`, `package p

func f() {
	v := client.Get(ctx, "a")
	g(v)
}
`},
		{"neighbours that are not gofmt'd", `package p

import ( "fmt"
  "os" )

var x   =  1


var y=2

func f( ){
  v := client.Get("a")
      g( v )   // aligned by hand
  h(  )
}
func g(a,b int)  { }
`, `package p

import ( "fmt"
  "os" )

var x   =  1


var y=2

func f( ){
	v := client.Get(ctx, "a")
      g( v )   // aligned by hand
  h(  )
}
func g(a,b int)  { }
`},
		{"clean line between lines that are not", `package p

func f() {
   a( )
	v := client.Get("a")
   b( )
}
`, `package p

func f() {
   a( )
	v := client.Get(ctx, "a")
   b( )
}
`},
		{"line goes between lines that are not gofmt'd", `package p

func f() {
   a( )
   client.Debug( 1 )
   b( )
}
`, `package p

func f() {
   a( )
   b( )
}
`},
		{"comments inside", `package p

// f does it.
func f() { // here
	// get it
	v := client.Get( /* key */ "a" /* end */) // got it
	/* before */
	g(v) // after

	// gone with its statement
	client.Debug() // gone, too

	// stays
	h() /* stays */
}

// the end
`, `package p

// f does it.
func f() { // here
	// get it
	v := client.Get( /* key */ ctx, "a" /* end */) // got it
	/* before */
	g(v) // after

	// stays
	h() /* stays */
}

// the end
`},
		{"field goes and its neighbours are aligned anew", `package p

type T struct {
	A      int // a
	Legacy int
	B      string // b
}

var t = T{
	A:      1,
	Legacy: 2, // why
	B:      "x",
}
`, `package p

type T struct {
	A int    // a
	B string // b
}

var t = T{
	A: 1,
	B: "x",
}
`},
		{"field goes from between fields that are not aligned", `package p

type T struct {
	A int // a
	Legacy int
	B string // b
}
`, `package p

type T struct {
	A int // a
	B string // b
}
`},
		{"literal on one line", `package p

var t = T{A: 1, Legacy: 2, B: "x"}
`, `package p

var t = T{A: 1, B: "x"}
`},
		{"no newline at the end", `package p

func f() {
	client.Debug()
	client.Get("a")
}`, `package p

func f() {
	client.Get(ctx, "a")
}`},
		{"the last line is touched and has no newline", `package p

var v = client.Get("a")`, `package p

var v = client.Get(ctx, "a")`},
		{"raw string with blank lines", "package p\n\nvar s = `\n  a\n\n\n\n b  `\n\nvar v = client.Get(`\n  x\n`)\n",
			"package p\n\nvar s = `\n  a\n\n\n\n b  `\n\nvar v = client.Get(ctx, `\n  x\n`)\n"},
		{"cgo, build constraint, directives", `//go:build cgo && linux

package p

/*
#include <stdio.h>
   int   x;
*/
import "C"

//go:noinline
func f() { client.Get("a") }

//go:generate stringer -type=T

//line other.go:10
func g() {
}
`, `//go:build cgo && linux

package p

/*
#include <stdio.h>
   int   x;
*/
import "C"

//go:noinline
func f() { client.Get(ctx, "a") }

//go:generate stringer -type=T

//line other.go:10
func g() {
}
`},
		{"imports that do not look used", `package p

import (
	"fmt"
	json "github.com/json-iterator/go"
	"gopkg.in/cheggaaa/pb.v1"
	. "strings"
	_ "net/http/pprof"
	"net/url"
	urlpkg "net/url"
)

func f() { client.Get("a") }
`, `package p

import (
	"fmt"
	json "github.com/json-iterator/go"
	"gopkg.in/cheggaaa/pb.v1"
	. "strings"
	_ "net/http/pprof"
	"net/url"
	urlpkg "net/url"
)

func f() { client.Get(ctx, "a") }
`},
		{"imports that are not sorted", `package p

import (
	"os"
	"fmt"
)

func f() { client.Get("a") }
`, `package p

import (
	"os"
	"fmt"
)

func f() { client.Get(ctx, "a") }
`},
		{"doc comments from before gofmt changed them", `package p

//go:noinline
// f gets:
//   a key
//     and its value
//
// - or not
func f() {
	client.Get("a")
}
`, `package p

//go:noinline
// f gets:
//   a key
//     and its value
//
// - or not
func f() {
	client.Get(ctx, "a")
}
`},
		{"blanks at the ends of lines, and in empty ones", "package p\n\nfunc f() { \n\ta()\t\n  \n\tclient.Get(1)\n\t\n\tb()\n}\n",
			"package p\n\nfunc f() { \n\ta()\t\n  \n\tclient.Get(ctx, 1)\n\t\n\tb()\n}\n"},
		{"generics", `package p

func F[K comparable, V any](m map[K]V) *T[K, V] { client.Get("a"); return nil }
`, `package p

func F[K comparable, V any](m map[K]V) *T[K, V] { client.Get(ctx, "a"); return nil }
`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, v := range []struct {
				name string
				of   func(string) string
			}{
				{"LF", func(s string) string { return s }},
				{"CRLF", func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }},
				{"BOM", func(s string) string { return "\ufeff" + s }},
				{"BOM and CRLF", func(s string) string { return "\ufeff" + strings.ReplaceAll(s, "\n", "\r\n") }},
			} {
				checkRestructure(t, v.name, v.of(c.src), v.of(c.want), useContext)
			}
		})
	}
}

func checkRestructure(t *testing.T, name, src, want string, rewrite func(*Tree) error) {
	t.Helper()
	edits, err := Restructure("p.go", []byte(src), rewrite)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	got, err := Apply([]byte(src), edits)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if string(got) != want {
		t.Errorf("%s: got:\n%q\nwant:\n%q", name, got, want)
	}
	for _, e := range edits {
		if e.File != "p.go" || e.Start == e.End && e.New == "" {
			t.Errorf("%s: edit %v", name, e)
		}
	}
	again, err := Restructure("p.go", got, rewrite)
	if err != nil || len(again) > 0 {
		t.Errorf("%s: a second run makes %v, %v", name, again, err)
	}
}

// A file may mix line ends; new lines are like the one they are at.
func TestRestructureFollowsMixedLineEnds(t *testing.T) {
	src := "package p\r\n\r\nfunc f() {\r\n\ta()\r\n}\r\n\nfunc g() {\n\ta()\n}\n"
	want := "package p\r\n\r\nfunc f() {\r\n\ta()\r\n\tb()\r\n}\r\n\nfunc g() {\n\ta()\n\tb()\n}\n"
	addB := func(t *Tree) error {
		for _, d := range t.File.Decls {
			body := d.(*dst.FuncDecl).Body
			if len(body.List) == 1 {
				body.List = append(body.List, &dst.ExprStmt{X: &dst.CallExpr{Fun: dst.NewIdent("b")}})
			}
		}
		return nil
	}
	checkRestructure(t, "mixed", src, want, addB)
}

func TestRestructureAppendsBehindAFileWithoutNewline(t *testing.T) {
	add := func(t *Tree) error {
		if len(t.File.Decls) == 1 {
			f := &dst.FuncDecl{Name: dst.NewIdent("g"), Type: &dst.FuncType{}, Body: &dst.BlockStmt{}}
			f.Decs.Before = dst.EmptyLine
			t.File.Decls = append(t.File.Decls, f)
		}
		return nil
	}
	checkRestructure(t, "LF", "package p\n\nvar  x = 1", "package p\n\nvar  x = 1\n\nfunc g() {}", add)
	checkRestructure(t, "CRLF", "package p\r\n\r\nvar x = 1", "package p\r\n\r\nvar x = 1\r\n\r\nfunc g() {}", add)
}

// The edits are small, so that those of other rules on the same lines fit.
func TestRestructureEditsAreNoWiderThanTheRewrite(t *testing.T) {
	src := "package p\n\nvar value, err = client.Get(\"a\")\n"
	edits, err := Restructure("p.go", []byte(src), useContext)
	if err != nil {
		t.Fatal(err)
	}
	want := []Edit{{File: "p.go", Start: strings.Index(src, `"a"`), End: strings.Index(src, `"a"`), New: "ctx, "}}
	if !slices.Equal(edits, want) {
		t.Errorf("got %v, want %v", edits, want)
	}
}

func TestRestructureWithoutChangeMakesNoEdits(t *testing.T) {
	for _, src := range []string{
		"package p\n",
		"\ufeffpackage   p\r\n\r\n\r\nvar x=1\r\n",
		"package p; var x = 1",
	} {
		edits, err := Restructure("p.go", []byte(src), func(*Tree) error { return nil })
		if err != nil || len(edits) > 0 {
			t.Errorf("%q: %v, %v", src, edits, err)
		}
	}
}

// What go/ast finds in the original bytes, BOM and CRs included, dst changes.
func TestAtFindsTheNodeOfAnOffset(t *testing.T) {
	src := "\ufeffpackage p\r\n\r\nimport (\r\n\"os\"\r\n\"fmt\"\r\n)\r\n\r\nfunc f( ) {\r\n\tif (x) { g( 1 ) }\r\n\tg(2)\r\n\tg(3)\r\n}\r\n"
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "p.go", src, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var second *ast.CallExpr
	ast.Inspect(file, func(n ast.Node) bool {
		if c, ok := n.(*ast.CallExpr); ok && c.Args[0].(*ast.BasicLit).Value == "2" {
			second = c
		}
		return true
	})
	start, end := fset.Position(second.Pos()).Offset, fset.Position(second.End()).Offset
	edits, err := Restructure("p.go", []byte(src), func(t *Tree) error {
		if _, ok := At[*dst.Ident](t, start, end); ok {
			return errors.New("a call is no identifier")
		}
		if _, ok := At[*dst.ExprStmt](t, start, end); !ok {
			return errors.New("the statement is not found")
		}
		call, ok := At[*dst.CallExpr](t, start, end)
		if !ok {
			return fmt.Errorf("no call at %d", start)
		}
		call.Args = append(call.Args, dst.NewIdent("x"))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Apply([]byte(src), edits)
	if want := strings.Replace(src, "g(2)", "g(2, x)", 1); err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestRestructureRefuses(t *testing.T) {
	big := "package p\n\n/*" + strings.Repeat("x", maxRestructure) + "*/\n"
	call := useContext
	failed := errors.New("no")
	cases := []struct {
		name, src string
		rewrite   func(*Tree) error
		want      error
	}{
		{"a file that is too large", big, call, ErrTooLarge},
		{"a line directive that dst would disable", "package p\n\nfunc f() {\n\tclient.Get(1)\n//line other.go:2\n\tg()\n}\n", call, ErrUnfaithful},
		{"lines that gofmt would join", "package p\n\nvar v = client.\nGet(\"a\") ; var w = 1\n", call, ErrConflict},
		{"what the rewrite refuses", "package p\n", func(*Tree) error { return failed }, failed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			edits, err := Restructure("p.go", []byte(c.src), c.rewrite)
			if !errors.Is(err, c.want) || len(edits) > 0 {
				t.Errorf("got %v, %v; want %v", edits, err, c.want)
			}
			if c.want != failed && !strings.HasPrefix(err.Error(), "p.go: ") {
				t.Errorf("%v does not name the file", err)
			}
		})
	}
	t.Run("a file that does not parse", func(t *testing.T) {
		_, err := Restructure("p.go", []byte("package p\n\nfunc {\n"), call)
		if err == nil || !strings.HasPrefix(err.Error(), "p.go:3:6: ") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a tree that cannot be", func(t *testing.T) {
		_, err := Restructure("p.go", []byte("package p\n\nfunc f() { g(1) }\n"), func(t *Tree) error {
			body := t.File.Decls[0].(*dst.FuncDecl).Body
			body.List = append(body.List, body.List[0])
			return nil
		})
		if err == nil || !strings.HasPrefix(err.Error(), "p.go: dst: ") {
			t.Errorf("got %v", err)
		}
	})
}

// Real files, laid out by somebody without gofmt, restructured at random:
// the outcome is that of the rewrite, and all else keeps its bytes.
func TestRestructureOfRealFilesLeavesTheOtherLines(t *testing.T) {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, dir := range []string{"net/url", "net/mail", "text/template", "encoding/csv"} {
		list, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "src", dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, list...)
	}
	r := rand.New(rand.NewPCG(5, 6))
	restructured, refused, skipped := 0, 0, 0
	for _, file := range files {
		clean, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		src := ruffle(t, r, clean)
		if src == nil {
			skipped++
			continue
		}
		seed := r.Uint64()
		drop := func(t *Tree) error {
			r := rand.New(rand.NewPCG(seed, 0))
			dstutil.Apply(t.File, func(c *dstutil.Cursor) bool {
				if _, ok := c.Node().(*dst.ExprStmt); ok && c.Index() >= 0 && r.IntN(8) == 0 {
					c.Delete()
					return false
				}
				return true
			}, nil)
			return nil
		}
		edits, err := Restructure("p.go", src, drop)
		if errors.Is(err, ErrConflict) || errors.Is(err, ErrUnfaithful) {
			refused++
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if len(edits) == 0 {
			continue
		}
		restructured++
		got, err := Apply(src, edits)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		// Only statements were dropped: each line that is left was there
		// before, or differs from one that was in its layout.
		was := map[string]bool{}
		for l := range strings.Lines(string(src)) {
			was[l] = true
		}
		fresh := 0
		for l := range strings.Lines(string(got)) {
			if !was[l] {
				fresh++
			}
		}
		if fresh > 3*len(edits) {
			t.Errorf("%s: %d new lines for %d edits", file, fresh, len(edits))
		}
		if bytes.Count(got, []byte("\n")) != bytes.Count(got, []byte("\r\n")) {
			t.Errorf("%s: line ends are mixed", file)
		}
	}
	t.Logf("%d restructured, %d refused, %d not to be laid out anew", restructured, refused, skipped)
	if restructured < 15 || refused > restructured/10 {
		t.Error("too few were restructured")
	}
}

// ruffle lays a file out anew: CRLF, a BOM, and blanks where gofmt wants
// none, such that the file still means the same to gofmt.
func ruffle(t *testing.T, r *rand.Rand, src []byte) []byte {
	fset := token.NewFileSet()
	file := fset.AddFile("", -1, len(src))
	var s scanner.Scanner
	s.Init(file, src, nil, 0)
	var b strings.Builder
	last := 0
	for line := 0; ; {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			break
		}
		at := file.Offset(pos)
		b.Write(src[last:at])
		last = at
		// In front of a token, other than the line feed that stands for one.
		if l := file.Line(pos); lit != "\n" && r.IntN(20) == 0 {
			b.WriteString("   "[:1+r.IntN(3)])
		} else if l != line && r.IntN(20) == 0 {
			b.WriteString("\t")
		}
		line = file.Line(pos)
	}
	b.Write(src[last:])
	want, err1 := format.Source(src)
	got, err2 := format.Source([]byte(b.String()))
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		return nil
	}
	return []byte("\ufeff" + strings.ReplaceAll(b.String(), "\n", "\r\n"))
}

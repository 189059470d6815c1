package edit

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"reflect"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/dave/dst"
	"github.com/dave/dst/decorator"
)

// Why a file cannot be restructured. The rule that wanted to should leave it
// alone and report that.
var (
	// ErrTooLarge means that dst would take too long and too much memory.
	ErrTooLarge = errors.New("too large to restructure")
	// ErrUnfaithful means that dst prints the file, unchanged, in another way
	// than gofmt does, so its output cannot be trusted.
	ErrUnfaithful = errors.New("not printed faithfully by dst")
	// ErrConflict means that what was rewritten meets lines that gofmt would
	// lay out differently, and cannot be told from them.
	ErrConflict = errors.New("cannot be restructured without reformatting its neighbours")
)

// maxRestructure bounds what is given to dst, which takes 1.5 s and 185 MB
// for each megabyte of source.
const maxRestructure = 2 << 20

// Tree is a file as dst sees it, to be changed in place.
type Tree struct {
	File *dst.File

	nodes map[[2]int][]dst.Node // by offsets in the original file
}

// At returns the node of type N that the source between two offsets of the
// original file parses to: go/ast finds, with types, what dst then changes.
// Imports and parentheses are not found.
func At[N dst.Node](t *Tree, start, end int) (N, bool) {
	for _, n := range t.nodes[[2]int{start, end}] {
		if n, ok := n.(N); ok {
			return n, true
		}
	}
	var none N
	return none, false
}

// Restructure lets rewrite change the syntax tree of a file, and returns the
// edits of the original bytes that this amounts to. It is for rewrites that
// move statements or parts of them about; what replaces a name or a literal
// is better off with an Edit of its own.
//
// dst ends in gofmt, and drops BOM and CRs. So the edits are the difference
// between what it prints before and after the rewrite, carried over to the
// original: lines that the rewrite did not touch keep their bytes, whatever
// gofmt thinks of them. Lines that it touched come out as gofmt has them,
// with the line ends of their neighbours. The edits belong together; the
// caller puts them into one Change and sets their Rule.
//
// dst is used without its import management, which removes imports that are
// used under another name than their path's. And it is best to change nodes
// rather than to replace them, as comments hang on nodes (Decorations).
func Restructure(file string, src []byte, rewrite func(*Tree) error) (edits []Edit, err error) {
	defer func() {
		// dst panics on trees that cannot be, such as a node used twice.
		if p := recover(); p != nil {
			edits, err = nil, fmt.Errorf("%s: dst: %v", file, p)
		}
	}()
	if len(src) > maxRestructure {
		return nil, fmt.Errorf("%s: %w: %d bytes", file, ErrTooLarge, len(src))
	}
	orig := newPlainText(src)
	// dst gets what gofmt makes of the file: on that it loses nothing, whereas
	// it drops an empty line with blanks in it, for one.
	formatted, err := format.Source([]byte(orig.text))
	if err != nil {
		return nil, fmt.Errorf("%s:%w", file, err) // begins with line:col
	}
	d := decorator.NewDecorator(nil)
	f, err := d.ParseFile(file, formatted, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err // begins with file:line:col
	}
	base, err := printTree(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %v", file, ErrUnfaithful, err)
	}
	if base != string(formatted) {
		return nil, fmt.Errorf("%s: %w", file, ErrUnfaithful)
	}
	t, err := newTree(orig, d, f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if err := rewrite(t); err != nil {
		return nil, err
	}
	after, err := printTree(f)
	if err != nil {
		return nil, fmt.Errorf("%s: the rewritten file: %w", file, err)
	}
	if after == base {
		return nil, nil
	}

	edits, ok := carryOver(orig.text, base, after)
	if ok {
		// The proof: apart from layout, the outcome is what was wanted.
		merged, err1 := Apply([]byte(orig.text), edits)
		got, err2 := format.Source(merged)
		want, err3 := format.Source([]byte(after))
		ok = errors.Join(err1, err2, err3) == nil && bytes.Equal(got, want)
	}
	if !ok {
		return nil, fmt.Errorf("%s: %w; run gofmt on it first", file, ErrConflict)
	}
	for i := range edits {
		e := &edits[i]
		e.File = file
		e.Start, e.End, e.New = orig.offset(e.Start), orig.offset(e.End), orig.lineEnds(e.Start, e.New)
	}
	return edits, nil
}

// newTree finds out which nodes of f, which is decorated from a formatted
// copy, stand for which source of the original.
func newTree(orig *plainText, d *decorator.Decorator, f *dst.File) (*Tree, error) {
	fset := token.NewFileSet()
	of, err := parser.ParseFile(fset, "", orig.text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	tok := fset.File(of.FileStart)
	theirs, ours := sameNodes(of), sameNodes(d.Ast.Nodes[f].(*ast.File))
	if len(theirs) != len(ours) {
		return nil, ErrUnfaithful
	}
	t := &Tree{File: f, nodes: map[[2]int][]dst.Node{}}
	for i, n := range theirs {
		if reflect.TypeOf(n) != reflect.TypeOf(ours[i]) {
			return nil, ErrUnfaithful
		}
		if to := d.Dst.Nodes[ours[i]]; to != nil && n.Pos().IsValid() && n.End().IsValid() {
			at := [2]int{orig.offset(tok.Offset(n.Pos())), orig.offset(tok.Offset(n.End()))}
			t.nodes[at] = append(t.nodes[at], to)
		}
	}
	return t, nil
}

// sameNodes lists the nodes that gofmt leaves alone, in order. It sorts
// imports, and drops some parentheses and semicolons.
func sameNodes(f *ast.File) []ast.Node {
	var nodes []ast.Node
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case nil, *ast.CommentGroup, *ast.ImportSpec:
			return false
		case *ast.ParenExpr, *ast.EmptyStmt:
			return true
		default:
			nodes = append(nodes, n)
		}
		return true
	})
	return nodes
}

func printTree(f *dst.File) (string, error) {
	var b strings.Builder
	err := decorator.NewRestorer().Fprint(&b, f)
	return b.String(), err
}

// carryOver turns the difference between base and after into edits of orig,
// which differs from base in layout only. It works in lines, and takes those
// with the same text but for blanks as the same line. It reports false if it
// cannot tell which lines of orig the difference is about.
func carryOver(orig, base, after string) ([]Edit, bool) {
	o, b, a := splitLines(orig), splitLines(base), splitLines(after)
	ok, bk, ak := withoutBlanks(o), withoutBlanks(b), withoutBlanks(a)

	toOrig := make([]int, len(b)) // line of base → line of orig, or -1
	bi, oi := 0, 0
	pair := func(end int) {
		for ; bi < end; bi, oi = bi+1, oi+1 {
			toOrig[bi] = oi
		}
	}
	for _, d := range lineDiffs(bk, ok) {
		pair(d.Start)
		for ; bi < d.End; bi++ {
			toOrig[bi] = -1
		}
		oi = d.ReplEnd
	}
	pair(len(b))

	// Where the line i of base begins, and the one before it ends, in orig.
	begin := func(i int) int {
		switch {
		case i < len(b) && toOrig[i] >= 0:
			return toOrig[i]
		case i == 0:
			return 0
		case toOrig[i-1] >= 0:
			return toOrig[i-1] + 1
		}
		return -1 // amid lines that gofmt lays out in another way
	}
	end := func(i int) int {
		switch {
		case i > 0 && toOrig[i-1] >= 0:
			return toOrig[i-1] + 1
		case i == len(b):
			return len(o)
		case toOrig[i] >= 0:
			return toOrig[i]
		}
		return -1
	}

	offset := lineOffsets(o)
	var edits []Edit
	replace := func(from, to int, text string) {
		if to == len(o) && !strings.HasSuffix(orig, "\n") {
			text = strings.TrimSuffix(text, "\n")
			if from == to { // behind the line that has no end
				text = "\n" + text
			}
		}
		if e, ok := trim(orig, Edit{Start: offset[from], End: offset[to], New: text}); ok {
			edits = append(edits, e)
		}
	}
	bi, ai := 0, 0
	layout := func(end int) {
		for ; bi < end; bi, ai = bi+1, ai+1 {
			// Only the layout of the line changes. If it is gofmt's, that goes
			// along; one that is not stays.
			if i := toOrig[bi]; b[bi] != a[ai] && i >= 0 && o[i] == b[bi] {
				replace(i, i+1, a[ai])
			}
		}
	}
	for _, d := range lineDiffs(bk, ak) {
		layout(d.Start)
		from, to := begin(d.Start), end(d.End)
		if d.Start == d.End {
			from = to
		}
		if from < 0 || to < from {
			return nil, false
		}
		replace(from, to, strings.Join(a[d.ReplStart:d.ReplEnd], ""))
		bi, ai = d.End, d.ReplEnd
	}
	layout(len(b))
	return edits, true
}

func splitLines(s string) []string {
	lines := strings.SplitAfter(s, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

func withoutBlanks(lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = strings.Map(func(r rune) rune {
			if r == ' ' || r == '\t' || r == '\n' {
				return -1
			}
			return r
		}, l)
	}
	return out
}

// trim takes what stays the same out of both ends of an edit, without
// cutting a word in two. It reports false if nothing is left.
func trim(src string, e Edit) (Edit, bool) {
	old := src[e.Start:e.End]
	if old == e.New {
		return e, false
	}
	word := func(c byte) bool {
		return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= utf8.RuneSelf
	}
	inWord := func(s string, i int) bool { return i > 0 && i < len(s) && word(s[i-1]) && word(s[i]) }

	n := 0
	for n < min(len(old), len(e.New)) && old[n] == e.New[n] {
		n++
	}
	for inWord(old, n) || inWord(e.New, n) {
		n--
	}
	old, e.New, e.Start = old[n:], e.New[n:], e.Start+n

	n = 0
	for n < min(len(old), len(e.New)) && old[len(old)-1-n] == e.New[len(e.New)-1-n] {
		n++
	}
	for inWord(old, len(old)-n) || inWord(e.New, len(e.New)-n) {
		n--
	}
	e.New, e.End = e.New[:len(e.New)-n], e.End-n
	return e, true
}

// plainText is a file without its BOM and the CRs at its line ends, and the
// way back to the offsets of the file.
type plainText struct {
	text string
	src  []byte
	bom  int
	crlf []int // offsets in text of the line feeds that had a CR
}

func newPlainText(src []byte) *plainText {
	p := &plainText{src: src}
	rest, ok := bytes.CutPrefix(src, []byte("\ufeff"))
	if ok {
		p.bom = len(src) - len(rest)
	}
	var b strings.Builder
	b.Grow(len(rest))
	for i, c := range rest {
		if c == '\r' && i+1 < len(rest) && rest[i+1] == '\n' {
			p.crlf = append(p.crlf, b.Len())
			continue
		}
		b.WriteByte(c)
	}
	p.text = b.String()
	return p
}

// offset maps an offset of the text to the file. That of a line feed becomes
// that of its CR.
func (p *plainText) offset(off int) int { return off + p.bom + sort.SearchInts(p.crlf, off) }

// lineEnds gives new text at an offset of the text the line ends that are in
// use there: those of the line that it begins in, or of the last line.
func (p *plainText) lineEnds(off int, text string) string {
	nl := strings.IndexByte(p.text[off:], '\n')
	if nl >= 0 {
		nl += off
	} else {
		nl = strings.LastIndexByte(p.text, '\n')
	}
	if i := sort.SearchInts(p.crlf, nl); i < len(p.crlf) && p.crlf[i] == nl {
		return strings.ReplaceAll(text, "\n", "\r\n")
	}
	return text
}

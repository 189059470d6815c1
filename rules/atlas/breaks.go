package atlas

import (
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/mod/semver"
)

// Class says what a break asks of the code that uses the symbol.
type Class uint8

const (
	None   Class = iota // it did not break
	Compat              // ordinary use still compiles; only unusual use does not
	Mech                // a rule can rewrite it
	Manual              // a person has to decide
)

var classNames = [...]string{"none", "compat", "mech", "manual"}

func (c Class) String() string { return classNames[c] }

func parseClasses(s string) (cs [3]Class) {
	for i := range cs {
		cs[i] = Class(strings.IndexByte("-CMX", s[i]))
	}
	return cs
}

// A Form is one shape that a symbol had: the same signature in several releases,
// parameter names aside.
type Form struct {
	Sig      string
	Releases []string // of SourceReleases
	Class    [3]Class // what moving from this form to each line asks for
}

// A Break is an exported symbol that a target lacks, or has in another form than
// a release before it.
type Break struct {
	Pkg    string // canonical package
	Symbol string // "New", "Config.Endpoints"
	Scope  string // who uses the package: client, server or other
	Old    string // the last form before it broke
	Lines  []string
	Forms  []Form    // all forms, oldest first
	New    [3]string // declaration in 3.5, 3.6, 3.7; "" when gone
	Class  [3]Class  // the worst over all forms that can move to the line
	// MovedTo is where the symbol went in each line, as import path and symbol:
	// "go.etcd.io/etcd/server/v3/config.ServerConfig"; "" when it did not move.
	MovedTo [3]string
	// Advice is what to do, concretely.
	Advice string
}

// In returns the class of the break in a line.
func (b *Break) In(line Line) Class {
	if i := line.index(); i >= 0 {
		return b.Class[i]
	}
	return None
}

// From returns the class of the break for code written for a release ("v3.4.13")
// that moves to a line. Of a release that the atlas did not read, the nearest
// older and newer ones decide together: a form may have changed at any patch. ok
// is false when neither has the symbol.
func (b *Break) From(release string, line Line) (c Class, ok bool) {
	i := line.index()
	if i < 0 {
		return None, false
	}
	older, newer := around(release)
	for _, f := range b.Forms {
		if slices.Contains(f.Releases, older) || slices.Contains(f.Releases, newer) {
			c, ok = max(c, f.Class[i]), true
		}
	}
	return c, ok
}

// around returns the releases that the atlas read next to a release, itself when
// it is one of them. Releases older than all are taken for the oldest, newer ones
// for the newest.
func around(release string) (older, newer string) {
	v := "v" + strings.TrimSuffix(strings.TrimPrefix(release, "v"), "+incompatible")
	if !semver.IsValid(v) {
		return "", ""
	}
	for _, l := range labels() {
		if semver.Prerelease("v"+l) != "" && semver.Prerelease(v) == "" {
			continue
		}
		switch c := semver.Compare("v"+l, v); {
		case c == 0:
			return l, l
		case c < 0 && (older == "" || semver.Compare("v"+older, "v"+l) < 0):
			older = l
		case c > 0 && (newer == "" || semver.Compare("v"+newer, "v"+l) > 0):
			newer = l
		}
	}
	// A neighbour in another minor release says nothing where one of the same is.
	same := func(l string) bool { return semver.MajorMinor("v"+l) == semver.MajorMinor(v) }
	switch {
	case older == "" || same(newer) && !same(older):
		older = newer
	case newer == "" || same(older) && !same(newer):
		newer = older
	}
	return older, newer
}

// NewIn returns the declaration of the symbol in a line, or "".
func (b *Break) NewIn(line Line) string {
	if i := line.index(); i >= 0 {
		return b.New[i]
	}
	return ""
}

// MovedIn returns where the symbol went in a line: import path and name.
func (b *Break) MovedIn(line Line) (path, symbol string, ok bool) {
	i := line.index()
	if i < 0 || b.MovedTo[i] == "" {
		return "", "", false
	}
	s := b.MovedTo[i]
	slash := strings.LastIndexByte(s, '/')
	dot := slash + 1 + strings.IndexByte(s[slash+1:], '.')
	return s[:dot], s[dot+1:], true
}

// breakTable holds the rows of the table by package, and the texts of the advice:
// the rows of a package are decoded when it is asked for.
var breakTable = sync.OnceValue(func() (t struct {
	pkgs   []string // sorted
	rows   map[string]func() []Break
	advice []string
}) {
	head, parts := "", strings.Split(unzip("breaks.tsv.gz"), "\n>")
	head, parts = parts[0], parts[1:]
	t.advice = []string{""}
	for l := range strings.SplitSeq(head, "\n") {
		if f := strings.SplitN(l, "\t", 3); f[0] == "advice" {
			t.advice = append(t.advice, f[2])
		}
	}
	t.rows = map[string]func() []Break{}
	for _, part := range parts {
		first, rows, _ := strings.Cut(part, "\n")
		pkg, scope, _ := strings.Cut(first, "\t")
		t.pkgs = append(t.pkgs, pkg)
		t.rows[pkg] = sync.OnceValue(func() []Break { return parseBreaks(pkg, scope, rows, t.advice) })
	}
	return t
})

func parseBreaks(pkg, scope, rows string, advice []string) []Break {
	var bs []Break
	for l := range strings.SplitSeq(strings.TrimSuffix(rows, "\n"), "\n") {
		f := strings.Split(l, "\t")
		n, err := strconv.Atoi(f[2])
		if err != nil {
			panic("atlas: advice " + strconv.Quote(f[2])) // the tables are generated
		}
		b := Break{Pkg: pkg, Symbol: f[0], Scope: scope, Class: parseClasses(f[1]), Advice: advice[n]}
		var all uint32
		last := ""
		for i := 9; i+2 < len(f); i += 3 {
			m := parseMask(f[i])
			all |= m
			form := Form{Sig: f[i+2], Releases: maskLabels(m), Class: parseClasses(f[i+1])}
			b.Forms = append(b.Forms, form)
			last = form.Sig
			if form.Class != [3]Class{} {
				b.Old = form.Sig
			}
		}
		b.Lines = maskLabels(all)
		for t := range b.New {
			switch n := f[3+t]; n {
			case "~":
				b.New[t] = last
			case "=":
				b.New[t] = b.New[t-1]
			default:
				b.New[t] = n
			}
			switch m := f[6+t]; m {
			case "=":
				b.MovedTo[t] = b.MovedTo[t-1]
			default:
				b.MovedTo[t] = m
			}
		}
		if s, see := strings.CutSuffix(b.Advice, "see the new signature"); see || b.Advice == "" {
			b.Advice = s + b.plain()
		}
		bs = append(bs, b)
	}
	return bs
}

// plain says what the tables alone tell of a break that nobody wrote advice for.
func (b *Break) plain() string {
	var parts []string
	for t, l := range Lines() {
		if b.Class[t] == None {
			continue
		}
		s := ""
		switch {
		case b.MovedTo[t] != "":
			s = "is now " + b.MovedTo[t]
		case b.New[t] == "":
			s = "is gone, nothing of that name takes its place"
			if h, _ := HomeOf(b.Pkg, l); h.Gone {
				s = "is gone with its package"
				if h.Note != "" {
					s += ": " + h.Note
				}
			}
		default:
			s = "is now `" + b.New[t] + "`"
			if d, ok := DiffCalls(b.old(t), b.New[t]); ok && d.steps() != "" {
				s = d.steps() + ": " + s
			}
		}
		if n := len(parts); n > 0 && strings.HasSuffix(parts[n-1], ": "+s) {
			continue
		}
		parts = append(parts, string(l)+": "+s)
	}
	return strings.Join(parts, "; ")
}

// old is the last form that does not fit a line.
func (b *Break) old(line int) string {
	for i := len(b.Forms) - 1; i >= 0; i-- {
		if b.Forms[i].Class[line] != None {
			return b.Forms[i].Sig
		}
	}
	return b.Old
}

var allBreaks = sync.OnceValue(func() []Break {
	var bs []Break
	t := breakTable()
	for _, p := range t.pkgs {
		bs = append(bs, t.rows[p]()...)
	}
	return bs
})

// Breaks returns all breaks, sorted by package and symbol. The slice is shared:
// callers do not change it.
func Breaks() []Break { return allBreaks() }

// BreaksOf returns the breaks of a package, sorted by symbol. The slice is shared:
// callers do not change it.
func BreaksOf(pkg string) []Break {
	if rows := breakTable().rows[pkg]; rows != nil {
		return rows()
	}
	return nil
}

// BreakOf returns the break of a symbol, or nil.
func BreakOf(pkg, symbol string) *Break {
	bs := BreaksOf(pkg)
	i := sort.Search(len(bs), func(i int) bool { return bs[i].Symbol >= symbol })
	if i < len(bs) && bs[i].Symbol == symbol {
		return &bs[i]
	}
	return nil
}

// String names the break as rules do: "pkg/transport.TLSInfo.CAFile".
func (b *Break) String() string {
	return b.Pkg + "." + b.Symbol + " (" + b.Class[0].String() + " " + b.Class[1].String() + " " + b.Class[2].String() + ", releases " + strconv.Itoa(len(b.Lines)) + ")"
}

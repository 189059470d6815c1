package doctor

import (
	"fmt"
	"io"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"

	"golang.org/x/mod/module"
)

// known is a text that the go command, the compiler or a starting program
// prints, and what it means.
type known struct {
	id       string
	title    string
	severity string
	like     []string // patterns, see compile
	// mind completes the facts of a match, or refuses it.
	mind  func(f facts) bool
	cause string   // a template, see fill
	fix   []string // templates; a line with an unknown fact is left out
	ref   string
}

// facts are the named groups of a match, and what is derived from them.
type facts map[string]string

// macros are the parts that patterns are made of. Paths and versions end
// before punctuation that a sentence adds.
var macros = strings.NewReplacer(
	" ?", `\s*`,
	" ", `\s+`,
	`<SRC>`, `(?P<file>[^\s"'()]+\.go):(?P<line>\d+)(?::\d+)?:?`,
	`<PKG>`, `[\w.~!…-]+(?:/[\w.~!+-]+)+`,
	`<PATH>`, `[\w.~!…-]+(?:/[\w.~!+-]+)*`,
	`<VER>`, `v\d[\w.+-]*\w`,
	// an address that only the go command asks
	`<FETCH>`, `https?://[^"\s]+(?:/@v/[^"\s]+|/v\d[^"\s/]*\.(?:zip|mod|info)|/@latest|\?go-get=1|/sumdb/[^"\s]+)`,
	// git, as the go command runs it, with what it printed before the matter
	`<GIT>`, `(?:(?:(?P<module>[\w.~!-]+(?:/[\w.~!+-]+)+)@(?P<version>[\w.+-]+)|(?P<asked>[\w.~-]+(?:/[\w.~+-]+)+)):\s+)?(?:invalid\s+version:\s+)?(?:reading\s+(?P<gomod>[\w.~/+-]+?)/go\.mod\s+at\s+revision\s+(?P<rev>\S+):\s+)?(?:invalid\s+version:\s+)?git\s+(?:ls-remote|fetch|init|clone)[^\n]*?(?:\s+(?P<remote>(?:https?|ssh)://\S+))?\s+in\s+\S+:\s+exit\s+status\s+128:\s+(?:[^\n]*\n){0,2}?`,
)

// compile makes a regexp of a pattern: a space stands for any white space, so
// that a text is found whether or not it was broken into lines; <SRC>, <PKG>,
// <PATH> and <VER> stand for themselves, and a leading ^ for the start of a line.
func compile(pattern string) *regexp.Regexp {
	return regexp.MustCompile(`(?m)` + macros.Replace(pattern))
}

type compiled struct {
	*known
	res  []*regexp.Regexp
	must []string // of each pattern, a text without which it cannot match
	// blames says that the cause or the fix depends on who asked for what
	// failed, so that two who did are two diagnoses.
	blames bool
}

// literal returns the longest text that every match of a pattern contains. In a
// log of many megabytes it is searched for first.
func literal(re *regexp.Regexp) string {
	tree, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return ""
	}
	var best string
	var walk func(*syntax.Regexp)
	walk = func(t *syntax.Regexp) {
		switch t.Op {
		case syntax.OpLiteral:
			if s := string(t.Rune); t.Flags&syntax.FoldCase == 0 && len(s) > len(best) {
				best = s
			}
		case syntax.OpConcat, syntax.OpCapture:
			for _, sub := range t.Sub {
				walk(sub)
			}
		}
	}
	walk(tree)
	return best
}

var compileAll = sync.OnceValue(func() []compiled {
	var cs []compiled
	for i := range texts {
		c := compiled{known: &texts[i]}
		c.blames = regexp.MustCompile(`\{(?:who|raise|own)\b`).MatchString(c.cause + strings.Join(c.fix, " "))
		for _, l := range c.like {
			re := compile(l)
			c.res = append(c.res, re)
			c.must = append(c.must, literal(re))
		}
		cs = append(cs, c)
	}
	return cs
})

// Explain reads what a failed go command, or a program that it built, printed,
// and returns a diagnosis for each known text. Unknown text gives none.
func Explain(log io.Reader) ([]Diagnosis, error) {
	b, err := io.ReadAll(log)
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	lines := split(decode(b))
	ds := explain(read(lines))
	// Of several readings the one whose facts are whole is right: a line that
	// is broken in the middle of a name loses facts, and so do two lines that
	// are joined wrongly.
	if other := explain(unfold(lines)); worth(other) > worth(ds) {
		ds = other
	}
	if p, likely := unwrap(lines); p != nil && (likely || len(ds) == 0) {
		if other := explain(p); worth(other) > worth(ds) {
			ds = other
		}
	}
	return sorted(ds), nil
}

// worth is the mean number of facts of the evidence.
func worth(ds []Diagnosis) float64 {
	n, sum := 0, 0
	for _, d := range ds {
		for _, e := range d.Evidence {
			n++
			sum += 1 + len(e.Chain)
			for _, s := range []string{e.Module, e.Version, e.File} {
				if s != "" {
					sum++
				}
			}
			if strings.Contains(e.Module, "/") {
				sum++
			}
		}
	}
	if n == 0 {
		return 0
	}
	return float64(sum) / float64(n)
}

// found is a diagnosis at a place of the log.
type found struct {
	d   Diagnosis
	off int
	by  string // who is to blame, where the log says so
}

// vague says that no module, file or symbol is named.
func (f found) vague() bool {
	return !slices.ContainsFunc(f.d.Evidence, func(e Evidence) bool { return e.Module != "" || e.File != "" })
}

// add adds a diagnosis to those of the same text, or makes it one of them when
// it says the same: another symbol of the same fault, or a line that repeats it
// without naming who is to blame.
func add(ds []found, n found) []found {
	for i := range ds {
		have := &ds[i]
		vague := have.vague() || n.vague()
		if have.d.ID != n.d.ID || have.d.Title != n.d.Title && !vague || have.by != n.by && have.by != "" && n.by != "" {
			continue
		}
		if have.vague() && !n.vague() {
			// The new one says more: it takes the place of the other.
			n.d.Evidence = append(have.d.Evidence, n.d.Evidence...)
			n.off = min(have.off, n.off)
			*have = n
			return ds
		}
		if n.vague() && !have.vague() {
			have.off = min(have.off, n.off)
			have.d.Evidence = append(have.d.Evidence, n.d.Evidence...)
			return ds
		}
		if have.by == "" && n.by != "" {
			have.d.Cause, have.by = n.d.Cause, n.by
		}
		have.off = min(have.off, n.off)
		have.d.Evidence = append(have.d.Evidence, n.d.Evidence...)
		at := 0
		for _, line := range n.d.Fix {
			if j := slices.Index(have.d.Fix, line); j >= 0 {
				at = max(at, j+1)
				continue
			}
			have.d.Fix = slices.Insert(have.d.Fix, at, line)
			at++
		}
		return ds
	}
	return append(ds, n)
}

// explain matches all texts against a page. A text that stands earlier in the
// table owns what it matched.
func explain(p *page) []Diagnosis {
	var ds []found
	var taken [][2]int
	for _, k := range compileAll() {
		for i, re := range k.res {
			for _, loc := range p.matches(re, k.must[i]) {
				if slices.ContainsFunc(taken, func(t [2]int) bool { return loc[0] < t[1] && t[0] < loc[1] }) {
					continue
				}
				f := facts{}
				for i, name := range re.SubexpNames() {
					if name != "" && loc[2*i] >= 0 {
						f[name] = strings.TrimRight(strings.Join(strings.Fields(p.text[loc[2*i]:loc[2*i+1]]), " "), ".,;:")
					}
				}
				chain := f.derive(p.text[:loc[0]])
				if k.mind != nil && !k.mind(f) {
					continue
				}
				taken = append(taken, [2]int{loc[0], loc[1]})
				d := k.diagnose(f)
				d.Evidence = []Evidence{p.evidence(f, chain, loc[0], loc[1])}
				n := found{d: d, off: loc[0]}
				if k.blames {
					n.by = f["puller"] + f["own"]
				}
				ds = add(ds, n)
			}
		}
	}
	slices.SortStableFunc(ds, func(a, b found) int { return a.off - b.off })
	var out []Diagnosis
	for _, x := range ds {
		slices.SortStableFunc(x.d.Evidence, func(a, b Evidence) int { return a.LogLine - b.LogLine })
		x.d.Evidence = trim(x.d.Evidence)
		out = append(out, x.d)
	}
	return out
}

// reachOf is how far from its literal a match may start or end. The longest
// texts, a list of what vendor/ lacks, are cut there, which no fact depends on.
const reachOf = 4 << 10

// matches returns what FindAllStringSubmatchIndex would, by looking only where
// the pattern's literal is.
func (p *page) matches(re *regexp.Regexp, must string) [][]int {
	var all [][]int
	for at := 0; at < len(p.text); {
		i := strings.Index(p.text[at:], must)
		if i < 0 {
			break
		}
		// A window starts and ends with lines, or ^ and $ would match inside
		// one, and takes in the windows that it touches.
		from := at
		if f := at + i - reachOf; f > at {
			from = p.start[p.line(f)]
		}
		to := at + i
		for {
			end := min(len(p.text), to+len(must)+reachOf)
			j := strings.LastIndex(p.text[to+len(must):end], must)
			if j < 0 {
				to = end
				break
			}
			to += len(must) + j
		}
		if l := p.line(to); l+1 < len(p.start) && to > p.start[l] {
			to = p.start[l+1]
		}
		for _, loc := range re.FindAllStringSubmatchIndex(p.text[from:to], -1) {
			for j := range loc {
				if loc[j] >= 0 {
					loc[j] += from
				}
			}
			all = append(all, loc)
		}
		at = to
	}
	return all
}

// trim drops repetitions: a build prints an error once for each package that
// meets it. What is said of one module is put together.
func trim(es []Evidence) []Evidence {
	most, mostLines := 8, 4
	if len(es) > 0 && !slices.ContainsFunc(es, func(e Evidence) bool {
		return e.Module == "" || e.File != "" || e.Module != es[0].Module || e.Version != es[0].Version
	}) {
		most = 3 // all of one module: more tells no more
	}
	seen := map[string]bool{}
	var out []Evidence
	more := map[int]int{} // lines left out, by index of out
next:
	for _, e := range es {
		key := fmt.Sprint(e.File, e.Line, e.Chain, e.Text)
		if seen[key] {
			continue
		}
		seen[key] = true
		for i := range out {
			o := &out[i]
			if e.Module == "" || len(e.Text) == 0 || e.File != "" || o.File != "" || e.Module != o.Module || e.Version != o.Version || !slices.Equal(e.Chain, o.Chain) {
				continue
			}
			if len(o.Text) < mostLines {
				o.Text = append(o.Text, e.Text...)
			} else {
				more[i]++
			}
			continue next
		}
		e.Text = slices.Clone(e.Text)
		out = append(out, e)
	}
	for i, n := range more {
		out[i].Text = append(out[i].Text, fmt.Sprintf("and %d more like these", n))
	}
	if len(out) > most {
		out = append(out[:most:most], Evidence{Text: []string{fmt.Sprintf("and %d more like these", len(out)-most)}})
	}
	return out
}

func (k *known) diagnose(f facts) Diagnosis {
	d := Diagnosis{ID: k.id, Severity: k.severity, Ref: k.ref}
	d.Title, _ = f.fill(k.title)
	d.Cause, _ = f.fill(k.cause)
	d.Title, d.Cause = smooth(d.Title), smooth(d.Cause)
	for _, line := range k.fix {
		if s, ok := f.fill(line); ok {
			d.Fix = append(d.Fix, s)
		}
	}
	return d
}

// smooth closes the gaps that facts without a value leave.
func smooth(s string) string {
	return strings.NewReplacer(" :", ":", " ,", ",", " ;", ";", " )", ")", " .", ".").Replace(strings.Join(strings.Fields(s), " "))
}

var hole = regexp.MustCompile(`\{(\w+)(?:\|([^{}]*))?\}`)

// fill puts facts into a template: {name}, or {name|text if unknown}. ok says
// that nothing was missing.
func (f facts) fill(template string) (s string, ok bool) {
	ok = true
	s = hole.ReplaceAllStringFunc(template, func(h string) string {
		m := hole.FindStringSubmatch(h)
		if v := f[m[1]]; v != "" {
			return v
		}
		if !strings.Contains(h, "|") {
			ok = false
		}
		return m[2]
	})
	return s, ok
}

// evidence cuts the matched lines out of the page, with the lines of the chain
// before them.
func (p *page) evidence(f facts, chain []string, from, to int) Evidence {
	e := Evidence{Module: f["module"], Version: f["version"], Chain: chain, File: f["file"]}
	fmt.Sscan(f["line"], &e.Line)
	first, last := p.line(from), p.line(max(from, to-1))
	e.LogLine = p.orig[first]
	for _, l := range p.lines[first : last+1] {
		if l != "" {
			e.Text = append(e.Text, l)
		}
	}
	const most = 12
	if len(e.Text) > most {
		e.Text = append(e.Text[:most:most], "...")
	}
	return e
}

// derive completes the facts of a match with what the text before it says: the
// import or requirement chain that ends there, the module that a file is of.
func (f facts) derive(before string) (chain []string) {
	// A chain of a few hundred links is longer than any seen.
	if len(before) > 32<<10 {
		before = before[len(before)-32<<10:]
	}
	chain = chainBefore(before)
	if len(chain) > 0 {
		for _, last := range []string{f["pkg"], joinVersion(f["module"], f["version"])} {
			if last != "" {
				if chain[len(chain)-1] != last {
					chain = append(chain, last)
				}
				break
			}
		}
		if i := slices.IndexFunc(chain, isOld); i > 0 {
			f["puller"] = chain[i-1]
		} else if i == 0 {
			f["own"] = "yes"
		}
		f["root"] = chain[0]
	}
	if file := f["file"]; file != "" {
		f["file"] = strings.ReplaceAll(file, `\`, "/")
		if m := moduleOf(f["file"]); m.Path != "" && f["module"] == "" {
			f["module"], f["version"] = m.Path, m.Version
		}
	}
	return chain
}

func joinVersion(path, version string) string {
	if path == "" || version == "" {
		return path
	}
	return path + "@" + version
}

var (
	link = regexp.MustCompile(`(\S+)\s+(?:imports|tested by|requires)\s*$`)
	// tail is what a line may hold before the text that was matched: the
	// package or module that the message is about.
	tail = regexp.MustCompile(`(?:^|\s)[^\s]+:\s*$`)
)

// chainBefore reads "a imports\n b tested by\n c imports\n" backwards from the
// end of a text.
func chainBefore(before string) []string {
	var chain []string
	before = strings.TrimRight(before, " \n")
	if loc := tail.FindStringIndex(before); loc != nil && link.MatchString(before[:loc[0]]) {
		before = before[:loc[0]]
	}
	for {
		// The last link is in the last lines: a window keeps this linear.
		cut := max(0, len(before)-600)
		loc := link.FindStringSubmatchIndex(before[cut:])
		if loc == nil {
			break
		}
		chain = append(chain, before[cut+loc[2]:cut+loc[3]])
		before = before[:cut+loc[0]]
	}
	slices.Reverse(chain)
	return chain
}

var (
	host      = regexp.MustCompile(`^[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}$`)
	versionAt = regexp.MustCompile(`^([^@]+)@(v[0-9][^/]*)/`)
)

// moduleOf returns the module that a file of the module cache is of.
func moduleOf(file string) module.Version {
	_, rest, ok := strings.Cut(file, "pkg/mod/")
	if !ok {
		// A module cache elsewhere, or -trimpath: the path starts at the first
		// element that can be a host name.
		elems := strings.Split(file, "/")
		i := slices.IndexFunc(elems, host.MatchString)
		if i < 0 {
			return module.Version{}
		}
		rest = strings.Join(elems[i:], "/")
	}
	m := versionAt.FindStringSubmatch(rest)
	if m == nil {
		return module.Version{}
	}
	path, err := module.UnescapePath(m[1])
	if err != nil {
		path = m[1]
	}
	version, err := module.UnescapeVersion(m[2])
	if err != nil {
		version = m[2]
	}
	return module.Version{Path: path, Version: version}
}

// isOld says whether a package path, or a file of the module cache, is of etcd
// 3.4 or before.
func isOld(path string) bool {
	for _, root := range []string{"github.com/coreos/etcd", "go.etcd.io/etcd"} {
		i := strings.Index(path, root)
		if i < 0 {
			continue
		}
		rest := path[i+len(root):]
		if rest != "" && rest[0] != '/' && rest[0] != '@' && rest[0] != '.' {
			continue // github.com/coreos/etcd-operator
		}
		return root == "github.com/coreos/etcd" || !isNew(path)
	}
	return false
}

var newModules = regexp.MustCompile(`go\.etcd\.io/etcd/(?:api|client|client/pkg|client/internal|pkg|raft|server|tests|etcdctl|etcdutl|cache)/v[23](?:$|[/@. ])`)

// isNew says the same of the modules from 3.5 on.
func isNew(path string) bool { return newModules.MatchString(path) }

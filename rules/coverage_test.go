package rules_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/etcdshift/etcdshift/rewrite"
	"github.com/etcdshift/etcdshift/rewrite/load"
	"github.com/etcdshift/etcdshift/rules"
	"github.com/etcdshift/etcdshift/rules/atlas"
	"github.com/etcdshift/etcdshift/rules/atlas/uses"
)

// coverageFile records what the last run of TestMechanicalBreaksCompile with
// -update found.
const coverageFile = "../docs/coverage.md"

// A row is a symbol and a line to which a rule can rewrite some form of it.
type row struct {
	line atlas.Line
	b    *atlas.Break
	// tried has the outcomes of the ways to use the symbol, for each source
	// module that has such a form: "" when the use compiles with the target,
	// else why it does not.
	tried map[string]map[string]string
	// unwritten says why no code could use the symbol, by source module.
	unwritten map[string]string
}

// outcome of a way to use the symbol in a source module.
func (r *row) set(way, module, reason string) {
	if r.tried[way] == nil {
		r.tried[way] = map[string]string{}
	}
	r.tried[way][module] = reason
}

// ways counts the ways to use the symbol, and those that compile from every
// source.
func (r *row) ways() (all, compile int) {
	for _, outcomes := range r.tried {
		all++
		if !slices.ContainsFunc(slices.Collect(maps.Values(outcomes)), func(reason string) bool { return reason != "" }) {
			compile++
		}
	}
	return all, compile
}

func (r *row) covered() bool {
	all, compile := r.ways()
	return all > 0 && all == compile
}

func (r *row) inPart() bool {
	all, compile := r.ways()
	return compile > 0 && compile < all
}

// reason says why a row is not covered: the sources that say the same go
// together.
func (r *row) reason() string {
	if len(r.tried) == 0 && len(r.unwritten) == 0 {
		var in []string
		for _, f := range r.b.Forms {
			if f.Class[slices.Index(atlas.Lines(), r.line)] == atlas.Mech {
				in = append(in, f.Releases...)
			}
		}
		return "only in " + strings.Join(in, ", ") + ", for which there is no module here"
	}
	var out []string
	for _, way := range slices.Sorted(maps.Keys(r.tried)) {
		for _, reason := range together(r.tried[way]) {
			if way != "" {
				reason = way + ": " + reason
			}
			out = append(out, reason)
		}
	}
	if len(r.tried) == 0 {
		out = together(r.unwritten)
	}
	return strings.Join(out, "; ")
}

// together lists reasons, each with the modules that it holds for.
func together(why map[string]string) []string {
	by := map[string][]string{}
	for module, reason := range why {
		if reason != "" {
			by[reason] = append(by[reason], module)
		}
	}
	var out []string
	for _, reason := range slices.Sorted(maps.Keys(by)) {
		slices.Sort(by[reason])
		out = append(out, reason+" ("+strings.Join(by[reason], ", ")+")")
	}
	return out
}

// mechanical returns the rows of the atlas that rules can rewrite.
func mechanical() []*row {
	var out []*row
	bs := atlas.Breaks()
	for i := range bs {
		for n, line := range atlas.Lines() {
			if slices.ContainsFunc(bs[i].Forms, func(f atlas.Form) bool { return f.Class[n] == atlas.Mech }) {
				out = append(out, &row{line: line, b: &bs[i], tried: map[string]map[string]string{}, unwritten: map[string]string{}})
			}
		}
	}
	return out
}

// attempt is a file that uses one symbol, as one source module has it.
type attempt struct {
	name string // of the file: <folder of its package>/<file>
	way  string // "read" or "set" for fields
	rows []*row // for each line that the form can be rewritten for
}

// For every break that is called mechanical, code that uses the symbol is
// written from nothing but its old declaration, migrated by the rules, and
// type-checked with the modules of the target. What does not compile is listed
// with the reason; the number of what does must not fall.
func TestMechanicalBreaksCompile(t *testing.T) {
	rows := mechanical()
	attempts := map[string][]*attempt{} // by source module
	before := map[string]map[string][]byte{}
	for _, module := range slices.Sorted(maps.Keys(sourceRelease)) {
		if module == "beside" {
			continue // a package or two of the old etcd resolve there, not all
		}
		attempts[module], before[module] = writeUses(t, module, rows)
	}
	after := map[atlas.Line]workspace{}
	for _, line := range atlas.Lines() {
		after[line] = newWorkspace(t, "v"+string(line))
	}
	findings := map[string][]string{} // by line and file
	for module, as := range attempts {
		w := newWorkspace(t, module)
		for name, src := range before[module] {
			w.write(t, name, src)
		}
		loaded := w.load(t)
		broken := firstErrors(t, loaded)
		for _, line := range atlas.Lines() {
			var pkgs []*load.Package
			for _, ps := range loaded {
				pkgs = append(pkgs, ps...)
			}
			s, err := rewrite.Rewrite(target(line), sourceRelease[module], pkgs, rules.All)
			if err != nil {
				t.Fatalf("%s to %s: %v", module, line, err)
			}
			for _, f := range s.Findings {
				findings[string(line)+" "+f.File] = append(findings[string(line)+" "+f.File], f.Rule)
			}
			for _, a := range as {
				for _, r := range a.rows {
					if r.line != line {
						continue
					}
					if e := broken[a.name]; e != "" {
						r.set(a.way, module, "does not compile with the source release: "+e)
						continue
					}
					src, ok := s.After[a.name]
					if !ok {
						src = before[module][a.name]
					}
					after[line].write(t, a.name, src)
				}
			}
		}
	}
	for _, line := range atlas.Lines() {
		broken := firstErrors(t, after[line].load(t))
		for module, as := range attempts {
			for _, a := range as {
				for _, r := range a.rows {
					if r.line != line || r.tried[a.way][module] != "" {
						continue
					}
					e := broken[a.name]
					if e != "" {
						fs := findings[string(line)+" "+a.name]
						if len(fs) == 0 {
							t.Errorf("%s to %s: no finding tells of %s.%s: %s", module, line, r.b.Pkg, r.b.Symbol, e)
						}
						slices.Sort(fs)
						e += ", as " + strings.Join(slices.Compact(fs), " and ") + " tells"
					}
					r.set(a.way, module, e)
				}
			}
		}
	}
	report, covered := coverageReport(rows)
	t.Logf("%d of %d covered", covered, len(rows))
	if *update {
		if err := os.WriteFile(coverageFile, report, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	recorded, err := os.ReadFile(coverageFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(recorded, report) {
		was := recordedCoverage(t, recorded)
		if covered < was {
			t.Errorf("%d rows are covered, and %s records %d", covered, coverageFile, was)
		} else {
			t.Errorf("%s is out of date: go test ./rules -run TestMechanicalBreaksCompile -update", coverageFile)
		}
	}
}

// writeUses writes a file for each row that a source module has a form of
// which can be rewritten: a folder for each package of etcd.
func writeUses(t *testing.T, module string, rows []*row) ([]*attempt, map[string][]byte) {
	release := releaseOf(t, module)
	var out []*attempt
	files := map[string][]byte{}
	known := map[*atlas.Break][]*attempt{}
	for _, r := range rows {
		if c, ok := r.b.From(release, r.line); !ok || c != atlas.Mech {
			continue
		}
		if _, ok := atlas.Lookup(r.b.Pkg, r.b.Symbol, release); !ok {
			continue
		}
		if as := known[r.b]; as != nil {
			for _, a := range as {
				a.rows = append(a.rows, r)
			}
			continue
		}
		u, err := uses.Of(r.b.Pkg, r.b.Symbol, release)
		if err != nil {
			_, reason, _ := strings.Cut(err.Error(), ": ")
			r.unwritten[module] = "no other package can write a use: " + reason
			continue
		}
		forms := ways(u)
		for _, way := range slices.Sorted(maps.Keys(forms)) {
			u := forms[way]
			src, left, err := uses.File("p", []uses.Use{u})
			if err != nil || len(left) > 0 {
				t.Fatalf("%s.%s of %s: %v", r.b.Pkg, r.b.Symbol, release, err)
			}
			a := &attempt{way: way, rows: []*row{r}}
			a.name = folder(module+"_"+strings.ReplaceAll(r.b.Pkg, "/", "_")) + "/u" + strconv.Itoa(len(out)) + ".go"
			known[r.b], files[a.name] = append(known[r.b], a), src
			out = append(out, a)
		}
	}
	return out, files
}

// ways takes the use of a field apart, and gives code that may need one a test.
func ways(u uses.Use) map[string]uses.Use {
	if b := atlas.BreakOf(u.Pkg, u.Symbol); slices.ContainsFunc(atlas.Lines(), func(l atlas.Line) bool { return takesTest(b, l) }) {
		u.Imports = maps.Clone(u.Imports)
		u.Imports["testing"] = "testing"
		u.Decl = strings.NewReplacer("(", "(t *testing.T, ", ", )", ")").Replace(u.Decl[:strings.IndexByte(u.Decl, '\n')]) + u.Decl[strings.IndexByte(u.Decl, '\n'):]
	}
	lines := strings.SplitAfter(u.Decl, "\n")
	if len(lines) != 5 || !strings.HasPrefix(lines[2], "\t_ = &") {
		return map[string]uses.Use{"": u}
	}
	read, set := u, u
	read.Decl = lines[0] + lines[1] + lines[3]
	field := strings.TrimPrefix(strings.TrimSpace(lines[1]), "_ = ")
	set.Decl = strings.Replace(lines[0], "func use_", "func set_", 1) + lines[2] + "\t" + field + " = v\n" + lines[3]
	return map[string]uses.Use{"read": read, "set": set}
}

// takesTest says whether a function takes a test in a line that it did not take
// before.
func takesTest(b *atlas.Break, line atlas.Line) bool {
	now := b.NewIn(line)
	if p, symbol, ok := b.MovedIn(line); ok {
		rel, _, _ := atlas.Canonical(p)
		s, _ := atlas.Lookup(rel, symbol, string(line))
		now = s.Sig
	}
	return strings.Contains(now, "testing.TB") && !strings.Contains(b.Old, "testing.T")
}

// releaseOf names the release of a source module as the atlas does.
func releaseOf(t *testing.T, module string) string {
	v := strings.TrimPrefix(sourceRelease[module], "v")
	if module == "old-v3" {
		v = "3.5.0-pre" // the layout between 3.4 and 3.5
	}
	for _, r := range atlas.SourceReleases() {
		if l, ok := atlas.LineOf(v); r == v || ok && r == string(l) && "v"+v == atlas.Newest(l) {
			return r
		}
	}
	t.Fatalf("the atlas has no release for %s", module)
	return ""
}

// firstErrors returns the first error of each file that does not type-check.
func firstErrors(t *testing.T, loaded map[string][]*load.Package) map[string]string {
	out := map[string]string{}
	for _, ps := range loaded {
		for _, p := range ps {
			for _, e := range p.Errors {
				if e.File == "" {
					t.Errorf("%s: %s", p.Path, e.Message)
				}
				if out[e.File] == "" {
					out[e.File] = strings.Join(strings.Fields(e.Message), " ")
				}
			}
		}
	}
	return out
}

func coverageReport(rows []*row) (report []byte, covered int) {
	var b bytes.Buffer
	b.WriteString(`# What the rules cover

Made by ` + "`go test ./rules -run TestMechanicalBreaksCompile -update`" + `; the test fails
when this file is out of date.

A row is a symbol of etcd and a line that it broke in, where the atlas says that
a rule can rewrite the code. For each row, code that uses the symbol is made from
its old declaration, for every old module of testdata/modules that has it; the
rules migrate it, and the result is type-checked with the real modules of the
target. A row is covered when all of these compile. Fields are read, and set in literals and
assignments; a row of which only one compiles is covered in part.

| target | rows | covered | in part | left |
|---|---|---|---|---|
`)
	parts := 0
	for _, line := range atlas.Lines() {
		n, c, part := 0, 0, 0
		for _, r := range rows {
			switch {
			case r.line != line:
				continue
			case r.covered():
				c++
			case r.inPart():
				part++
			}
			n++
		}
		covered, parts = covered+c, parts+part
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d |\n", line, n, c, part, n-c-part)
	}
	fmt.Fprintf(&b, "| all | %d | %d | %d | %d |\n\n## Not covered, or in part\n\n", len(rows), covered, parts, len(rows)-covered-parts)
	b.WriteString("| target | symbol | rule | reason |\n|---|---|---|---|\n")
	for _, r := range rows {
		if !r.covered() {
			fmt.Fprintf(&b, "| %s | %s.%s | %s | %s |\n", r.line, r.b.Pkg, r.b.Symbol, rules.Claimants(r.b)[0].ID, strings.ReplaceAll(r.reason(), "|", "\\|"))
		}
	}
	return b.Bytes(), covered
}

// recordedCoverage reads the number of covered rows from a report.
func recordedCoverage(t *testing.T, report []byte) int {
	for l := range strings.Lines(string(report)) {
		if rest, ok := strings.CutPrefix(l, "| all | "); ok {
			n, err := strconv.Atoi(strings.Split(rest, " | ")[1])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("%s records no number", coverageFile)
	return 0
}

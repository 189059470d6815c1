package deps_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/etcdshift/etcdshift/rewrite"
	"github.com/etcdshift/etcdshift/rewrite/deps/doctor"
	"github.com/etcdshift/etcdshift/rewrite/gocmd"
	"github.com/etcdshift/etcdshift/rewrite/report"
	"github.com/etcdshift/etcdshift/rewrite/verify"
)

var only = flag.String("case", "", "run only the cases of testdata/gomod whose name matches this regular expression")

// breakages are the ways in which go.mod breaks between an old etcd client and
// a current one. Each has cases in testdata/gomod, named by its letter.
var breakages = map[string]string{
	"a": "a replace or exclude that is left over from the old client",
	"b": "bbolt, by its old path and by its new one",
	"c": "a dependency that still needs the old client",
	"d": "the split of google.golang.org/genproto",
	"e": "two generations of etcd's messages in one program",
	"f": "tidy or get that settle on something else than was asked for",
	"g": "the go directive, and a Go that is too old",
	"h": "a vendor folder",
	"i": "several modules, with go.work and without",
	"j": "GOFLAGS and other settings",
	"k": "checksums and files that cannot be read",
	"l": "no network",
	"m": "a module or a version that is not to be had",
}

// A breakage is testdata/gomod/<letter>-<name>.txtar, a small repository. Its
// comment says in the first line what it is about, then line by line what is
// tried and what has to come of it:
//
//	breakage: a            its letter
//	passes: go mod tidy    a command that passes before, in the order of lines
//	fails: go vet .        a command that fails before
//	says: TEXT             what the command above prints; may be repeated
//	diagnosis: ID...       what doctor says of all that these commands print
//	env: NAME=VALUE        a setting in force all along; $WORK is the case's
//	                       own folder
//	prepare: go mod tidy   a command that is run in the repository first, to make
//	                       what is too long to write down
//	refuses: PATH STATUS TEXT
//	                       the proxy answers with this for modules below a path,
//	                       or for one of a module's files
//	target: 3.7            line or release to move to (default: 3.6), or several
//	go: keep               the go directive is to stay
//	status: not proved     how the plan is judged (default: proved)
//	release: v3.6.8        that was chosen
//	change: TEXT           a change of a module file begins so, and has a reason
//	has: TEXT              go.mod has this after; "has: lib/go.mod: TEXT" for
//	                       another file, "has: lib/go.mod" if it is only there
//	lacks: TEXT            likewise
//	finding: RULE FILE:LINE TEXT
//	cause: TEXT            why no versions resolve, or what is left that breaks
//	doctor: ID...          what doctor says of the repository as it is
//	after: go run .        a command that passes after (default: go vet ./... of
//	                       a plan that is proved)
//
// The files below proxy/PATH@VERSION/ are modules that the proxy has beside
// the real ones, those below work/ lie beside the repository.
type breakage struct {
	name     string
	ar       *txtar.Archive
	keys     map[string][]string
	commands []command
}

type command struct {
	line  string
	fails bool
	says  []string
}

var keys = []string{"breakage", "diagnosis", "env", "prepare", "refuses", "target", "go", "status", "release", "change", "has", "lacks", "finding", "cause", "doctor", "after"}

func readBreakages(t *testing.T) []*breakage {
	t.Helper()
	files, err := filepath.Glob("../../testdata/gomod/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var out []*breakage
	for _, file := range files {
		ar, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b := &breakage{name: strings.TrimSuffix(filepath.Base(file), ".txtar"), ar: ar, keys: map[string][]string{}}
		for i, l := range strings.Split(strings.TrimSpace(string(ar.Comment)), "\n") {
			k, v, ok := strings.Cut(l, ": ")
			v = strings.TrimSpace(v)
			switch n := len(b.commands); {
			case i == 0 || strings.TrimSpace(l) == "":
			case !ok:
				t.Fatalf("%s: %q is not understood", file, l)
			case k == "passes" || k == "fails":
				b.commands = append(b.commands, command{line: v, fails: k == "fails"})
			case k == "says" && n > 0:
				b.commands[n-1].says = append(b.commands[n-1].says, v)
			case slices.Contains(keys, k):
				b.keys[k] = append(b.keys[k], v)
			default:
				t.Fatalf("%s: %q is not understood", file, l)
			}
		}
		out = append(out, b)
	}
	return out
}

func (b *breakage) get(key, otherwise string) string {
	if v := b.keys[key]; len(v) > 0 {
		return strings.Join(v, " ")
	}
	return otherwise
}

func TestEachBreakageHasACaseThatFailsBefore(t *testing.T) {
	t.Parallel()
	failing := map[string]bool{}
	for _, b := range readBreakages(t) {
		letter := b.get("breakage", "")
		if breakages[letter] == "" || !strings.HasPrefix(b.name, letter+"-") {
			t.Errorf("%s: breakage %q", b.name, letter)
		}
		if len(b.commands) == 0 {
			t.Errorf("%s: nothing is shown of the repository as it is", b.name)
		}
		for _, c := range b.commands {
			if len(c.says) == 0 && c.fails {
				t.Errorf("%s: with which words does %q fail?", b.name, c.line)
			}
			failing[letter] = failing[letter] || c.fails
		}
	}
	for letter, what := range breakages {
		if !failing[letter] {
			t.Errorf("(%s) %s: no case fails before", letter, what)
		}
	}
}

func TestBreakagesAreMendedOrDiagnosed(t *testing.T) {
	match := regexp.MustCompile(*only)
	for _, b := range readBreakages(t) {
		if !match.MatchString(b.name) {
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			if len(b.keys["env"]) == 0 {
				t.Parallel() // the environment is one for all
			}
			tr := newTrial(t, b)
			for _, c := range b.keys["prepare"] {
				if out, err := tr.command(tr.repo, c); err != nil {
					t.Fatalf("%s: %v\n%s", c, err, out)
				}
			}
			tr.diagnose(tr.before())
			for _, target := range strings.Fields(b.get("target", "3.6")) {
				t.Run(target, func(t *testing.T) { tr.plan(t, target) })
			}
		})
	}
}

// trial is a case on disk.
type trial struct {
	*breakage
	t    *testing.T
	work string   // folder of the case
	repo string   // the repository in it
	env  []string // of the case's proxy
	set  []string // of its keys
}

func newTrial(t *testing.T, b *breakage) *trial {
	tr := &trial{breakage: b, t: t, work: t.TempDir()}
	tr.repo = filepath.Join(tr.work, "repo")
	modules := map[string]*txtar.Archive{}
	for _, f := range b.ar.Files {
		if rest, ok := strings.CutPrefix(f.Name, "proxy/"); ok {
			at := strings.IndexByte(rest, '@')
			end := at + strings.IndexByte(rest[at:], '/')
			if modules[rest[:end]] == nil {
				modules[rest[:end]] = new(txtar.Archive)
			}
			modules[rest[:end]].Files = append(modules[rest[:end]].Files, txtar.File{Name: rest[end+1:], Data: f.Data})
			continue
		}
		name := path.Join("repo", f.Name)
		if rest, ok := strings.CutPrefix(f.Name, "work/"); ok {
			name = rest
		}
		write(t, filepath.Join(tr.work, name), f.Data)
	}
	var refused []refusal
	for _, r := range b.keys["refuses"] {
		path, rest, _ := strings.Cut(r, " ")
		status, text, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(status)
		if err != nil {
			t.Fatal(err)
		}
		refused = append(refused, refusal{path, n, text})
	}
	if len(modules)+len(refused) > 0 {
		tr.env = proxy(t, modules, refused)
	}
	for _, v := range b.keys["env"] {
		name, value, _ := strings.Cut(strings.ReplaceAll(v, "$WORK", tr.work), "=")
		t.Setenv(name, value)
		tr.set = append(tr.set, name+"="+value)
	}
	return tr
}

// copy makes a copy of the repository.
func (tr *trial) copy(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(tr.repo)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// plan plans and applies the migration to a target, and compares what comes of
// it with what the case wants.
func (tr *trial) plan(t *testing.T, target string) {
	dir := tr.copy(t)
	before := readTree(t, dir)
	p, err := rewrite.Make(t.Context(), rewrite.Options{
		Dir: dir, Target: target, KeepGo: tr.get("go", "") == "keep", Verify: verify.Vet, Go: &gocmd.Runner{Env: tr.env},
	})
	sameTree(t, dir, before)
	if err != nil {
		if cause := tr.get("cause", ""); cause == "" || !strings.Contains(err.Error(), cause) {
			t.Errorf("no plan: %v", err)
		}
		return
	}
	if want := report.Status(tr.get("status", string(report.Proved))); p.Status != want {
		t.Errorf("status %s, want %s", p.Status, want)
	}
	if want := tr.get("release", ""); want != "" && p.Release != want {
		t.Errorf("release %s, want %s", p.Release, want)
	}
	tr.says(t, p)
	err = p.Apply(false)
	if p.Status == report.Worse || p.Status == report.Unresolved {
		if err == nil && len(p.Writes) > 0 {
			t.Error("the plan is applied although it is not proved")
		}
		sameTree(t, dir, before)
	} else if err != nil {
		t.Error(err)
	} else {
		tr.after(t, dir, p)
	}
	if t.Failed() {
		t.Log(show(p))
	}
}

// before runs the commands that show the breakage in a copy of the
// repository, as a person would, and returns what they print.
func (tr *trial) before() string {
	dir := tr.copy(tr.t)
	said := ""
	for _, c := range tr.commands {
		out, err := tr.command(dir, c.line)
		if c.fails != (err != nil) {
			tr.t.Fatalf("before: %s: %v\n%s", c.line, err, out)
		}
		said += out
		for _, s := range c.says {
			// The protobuf runtime may put another space, as it says, into its words.
			if !strings.Contains(strings.ReplaceAll(out, "\u00a0", " "), s) {
				tr.t.Errorf("before: %s does not say %q:\n%s", c.line, s, out)
			}
		}
	}
	return said
}

// command runs a line "[NAME=VALUE...] [cd FOLDER &&] go ARGUMENTS".
func (tr *trial) command(dir, line string) (string, error) {
	if folder, rest, ok := strings.Cut(line, " && "); ok {
		dir, line = filepath.Join(dir, strings.TrimPrefix(folder, "cd ")), rest
	}
	env := append(os.Environ(), "GOFLAGS=", "GOWORK=", "GOTOOLCHAIN=local", "PWD="+dir)
	env = append(append(env, tr.env...), tr.set...)
	args := strings.Fields(line)
	for strings.Contains(args[0], "=") {
		env, args = append(env, args[0]), args[1:]
	}
	cmd := exec.CommandContext(tr.t.Context(), args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// diagnose asks doctor about what the failing commands printed, and about the
// repository.
func (tr *trial) diagnose(said string) {
	got := func(ds []doctor.Diagnosis, err error) (ids []string, text string) {
		if err != nil {
			tr.t.Fatal(err)
		}
		var b strings.Builder
		doctor.Print(&b, ds)
		for _, d := range ds {
			ids = append(ids, d.ID)
		}
		return ids, b.String()
	}
	if said != "" {
		ids, text := got(doctor.Explain(strings.NewReader(said)))
		want := strings.Fields(tr.get("diagnosis", ""))
		slices.Sort(ids)
		slices.Sort(want)
		if !slices.Equal(ids, want) {
			tr.t.Errorf("doctor --log diagnoses %v, want %v, of\n%s\n%s", ids, want, said, text)
		}
	}
	if want := tr.get("doctor", ""); want != "" {
		ids, text := got(doctor.Examine(tr.t.Context(), doctor.Options{Dir: tr.repo, Go: &gocmd.Runner{Env: tr.env}}))
		for _, id := range strings.Fields(want) {
			if !slices.Contains(ids, id) {
				tr.t.Errorf("doctor does not diagnose %s:\n%s", id, text)
			}
		}
	}
}

// says compares what a plan says with what the case wants.
func (tr *trial) says(t *testing.T, p *rewrite.Plan) {
	var changes []report.ModChange
	var errs strings.Builder
	for _, m := range p.Modules {
		changes = append(changes, m.Changes...)
		errs.WriteString(m.Error + "\n")
		for _, pr := range m.Proof.New {
			errs.WriteString(pr.String() + "\n")
		}
	}
	changes = append(changes, p.Work...)
	for _, want := range tr.keys["change"] {
		if !slices.ContainsFunc(changes, func(c report.ModChange) bool { return strings.HasPrefix(c.What, want) && c.Why != "" }) {
			t.Errorf("no change %q with a reason", want)
		}
	}
	for _, want := range tr.keys["finding"] {
		rule, rest, _ := strings.Cut(want, " ")
		at, text, _ := strings.Cut(rest, " ")
		found := false
		for _, f := range p.Findings {
			found = found || f.Rule == rule && fmt.Sprintf("%s:%d", f.File, f.Line) == at && strings.Contains(f.Message, text)
		}
		if !found {
			t.Errorf("no finding %q", want)
		}
	}
	for _, want := range tr.keys["cause"] {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("%q is not the cause", want)
		}
	}
}

// after looks at the files of the applied plan and runs the commands that have
// to pass with it.
func (tr *trial) after(t *testing.T, dir string, p *rewrite.Plan) {
	for _, key := range []string{"has", "lacks"} {
		for _, want := range tr.keys[key] {
			file, text := "go.mod", want
			if m := fileRE.FindStringSubmatch(want); m != nil {
				file, text = m[1], m[2]
			}
			data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(file)))
			has := err == nil && bytes.Contains(data, []byte(text))
			if has != (key == "has") {
				t.Errorf("%s %s\n%s", key, want, data)
			}
		}
	}
	commands := tr.keys["after"]
	if len(commands) == 0 && p.Status == report.Proved {
		commands = []string{"go vet ./..."}
	}
	for _, c := range commands {
		if out, err := tr.command(dir, c); err != nil {
			t.Errorf("after: %s: %v\n%s", c, err, out)
		}
	}
}

var fileRE = regexp.MustCompile(`^(\S*go\.(?:mod|sum|work)|\S*go\.work\.sum|vendor/\S+|\S*/vendor/\S+)(?:: (.*))?$`)

// show prints a plan as a person sees it.
func show(p *rewrite.Plan) string {
	var b strings.Builder
	report.Text(&b, &p.Run, false)
	for _, w := range p.Writes {
		if base := path.Base(w.Path); base == "go.mod" || base == "go.work" {
			fmt.Fprintf(&b, "-- %s --\n%s", w.Path, w.After)
		}
	}
	return b.String()
}

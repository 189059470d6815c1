// Package verify proves a plan with the compiler: go build and go vet of a
// module, tests included, through -overlay and -modfile, with nothing in the
// tree touched.
//
// What was broken before is a baseline: problems are compared by package, file
// and message, not by line, since lines move.
package verify

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/gocmd"
)

// Level is how much is checked.
type Level uint8

const (
	None  Level = iota // nothing
	Build              // go build ./...
	Vet                // and go vet ./..., which compiles the tests
	Test               // and go test ./..., which runs the repository's code
)

var levels = []string{"none", "build", "vet", "test"}

func (l Level) String() string { return levels[l] }

// ParseLevel reads the value of --verify.
func ParseLevel(s string) (Level, error) {
	if i := slices.Index(levels, s); i >= 0 {
		return Level(i), nil
	}
	return 0, fmt.Errorf("--verify %s: must be one of %s", s, strings.Join(levels, ", "))
}

// Config is a build configuration to check in.
type Config struct {
	Name string
	Env  []string // GOOS, GOARCH
	Tags []string
}

// Request says what to check.
type Request struct {
	Go      *gocmd.Runner
	Dir     string // module root, absolute
	Mod     string // value of -mod: "readonly", "vendor" or "mod"
	ModFile string // go.mod of the plan; "" for the module's own
	Overlay string // JSON file for -overlay; "" for none
	// Original names the file of the tree, absolute, that a file of the
	// overlay stands in for: the go command prints the name of the latter.
	Original func(file string) (string, bool)
	Level    Level
	NoLink   bool // leave go build out, which links every program; go vet compiles all
	Configs  []Config
}

// flags are those of every go command of a check.
func (r Request) flags(c Config) []string {
	flags := []string{"-mod=" + cmp.Or(r.Mod, "readonly")}
	if r.ModFile != "" {
		flags = append(flags, "-modfile="+r.ModFile)
	}
	if r.Overlay != "" {
		flags = append(flags, "-overlay="+r.Overlay)
	}
	if len(c.Tags) > 0 {
		flags = append(flags, "-tags="+strings.Join(c.Tags, ","))
	}
	return flags
}

func (r Request) original(file string) (string, bool) {
	if r.Original == nil {
		return "", false
	}
	return r.Original(file)
}

// Result is what a check found.
type Result struct {
	Problems []Problem
	// Broken are the packages that do not compile, themselves or because of a
	// dependency, by import path.
	Broken map[string]bool
	// Unvetted says that go vet stopped before it looked at any package, such
	// as for a line that go.sum lacks.
	Unvetted bool
}

// Unloaded says that the module did not load at all: the go command named no
// package and no file.
func (r *Result) Unloaded() bool {
	return slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Package == "" && p.File == "" })
}

// Problem is one thing that the go command complained about.
type Problem struct {
	Tool    string `json:"tool"`    // build, vet or test
	Config  string `json:"config"`  // build configuration
	Package string `json:"package"` // import path without the test variant
	File    string `json:"file"`    // relative to the module's folder, absolute outside; "" for a package as a whole
	Line    int    `json:"line,omitempty"`
	Col     int    `json:"col,omitempty"`
	Message string `json:"message"`
}

func (p Problem) String() string {
	if p.File == "" {
		return cmp.Or(p.Package, p.Tool) + ": " + p.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Col, p.Message)
}

// key identifies a problem across an edit: lines move, messages stay. A
// dependency may be of another version, and cgo names the file that it came to
// first.
func (p Problem) key() string {
	message := p.Message
	if m := outside.FindStringSubmatch(message); m != nil {
		message = version.ReplaceAllString(m[1], "") + m[2]
	}
	return strings.Join([]string{p.Package, p.File, message, p.Config}, "\x00")
}

var (
	// outside is what the go command says of a file by its full name: the
	// folder, and the first line of the complaint.
	outside = regexp.MustCompile(`(?s)^((?:/|[A-Za-z]:\\)[^:]*[/\\])[^/\\:]+:\d+(?::\d+)?:([^\n]*)`)
	version = regexp.MustCompile(`@v[^/\\]+`)
)

// Run checks a module. An error means that the check could not be made.
func Run(ctx context.Context, req Request) (*Result, error) {
	res := &Result{Broken: map[string]bool{}}
	scratch, err := os.MkdirTemp("", "etcdshift-vet-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	run, tool, err := oldVet(ctx, req, scratch)
	if err != nil {
		return nil, err
	}
	steps := [][]string{{"build", "-o", os.DevNull}, append([]string{"vet"}, tool...), {"test"}}
	if tool != nil {
		steps[2] = append(steps[2], "-vet=off") // which it was, by that tool
	}
	for _, c := range req.Configs {
		r := run.With(c.Env...)
		flags := req.flags(c)
		var found []Problem
		for i, s := range steps[:req.Level] {
			if i == 0 && req.NoLink && req.Level > Build {
				continue
			}
			out, failed, err := r.Combined(ctx, req.Dir, slices.Concat(s, flags, []string{"./..."})...)
			if err != nil {
				return nil, fmt.Errorf("go %s: %w", s[0], err)
			}
			if !failed {
				continue
			}
			ps := parse(out, s[0])
			if len(ps) == 0 {
				ps = []Problem{{Tool: s[0], Message: strings.TrimSpace(out)}}
			}
			if s[0] == "vet" && slices.ContainsFunc(ps, func(p Problem) bool { return p.Package == "" }) {
				res.Unvetted = true
			}
			found = append(found, ps...)
		}
		if len(found) == 0 {
			continue
		}
		// The compiler stops at ten errors and vet at the first; now that
		// something is wrong, ask for all there is, tests included.
		all, broken, err := compile(ctx, r, req.Dir, flags)
		if err != nil {
			return nil, err
		}
		for p := range broken {
			res.Broken[p] = true
		}
		found = append(all, found...)
		for i := range found {
			found[i].Config = c.Name
			found[i].locate(req)
		}
		res.Problems = append(res.Problems, found...)
	}
	res.Problems = unique(res.Problems)
	return res, nil
}

// compile compiles the packages of a module and their tests and returns every
// error of the compiler, and the packages that have no object file.
func compile(ctx context.Context, r *gocmd.Runner, dir string, flags []string) ([]Problem, map[string]bool, error) {
	args := slices.Concat([]string{"list", "-e", "-export", "-test", "-gcflags=-e", "-json=ImportPath,ForTest,Export,Error,DepsErrors,Name,GoFiles"}, flags, []string{"./..."})
	out, _, err := r.Combined(ctx, dir, args...)
	if err != nil {
		return nil, nil, fmt.Errorf("go list -export: %w", err)
	}
	var ps []Problem
	broken := map[string]bool{}
	type pkgError struct {
		ImportStack []string
		Pos, Err    string
	}
	dec := json.NewDecoder(strings.NewReader(out))
	for dec.More() {
		var p struct {
			ImportPath, ForTest, Export, Name string
			GoFiles                           []string
			Error                             *pkgError
			DepsErrors                        []*pkgError
		}
		if dec.Decode(&p) != nil {
			break // what follows is not for us: messages of the go command
		}
		path, _, _ := strings.Cut(p.ImportPath, " ")
		path = strings.TrimSuffix(strings.TrimSuffix(path, ".test"), "_test")
		if p.Export == "" && (p.Error != nil || len(p.DepsErrors) > 0) {
			broken[path] = true
		}
		if p.Error == nil || strings.HasSuffix(p.ImportPath, ".test") {
			continue
		}
		if strings.HasPrefix(p.Error.Err, "# ") {
			ps = append(ps, parse(p.Error.Err, "build")...)
			continue
		}
		pr := Problem{Tool: "build", Package: path, Message: p.Error.Err}
		if m := at.FindStringSubmatch(p.Error.Pos + ": "); m != nil {
			pr.File = m[1]
			pr.Line, _ = strconv.Atoi(m[2])
			pr.Col, _ = strconv.Atoi(m[3])
		}
		ps = append(ps, pr)
	}
	return ps, broken, nil
}

// locate names the problem's file by its place in the module, slash-separated.
func (p *Problem) locate(req Request) {
	if p.File == "" {
		return
	}
	file := filepath.FromSlash(p.File)
	if !filepath.IsAbs(file) {
		file = filepath.Join(req.Dir, file)
	}
	if orig, ok := req.original(file); ok {
		file = orig
	}
	if rel, err := filepath.Rel(req.Dir, file); err == nil && filepath.IsLocal(rel) {
		file = rel
	}
	p.File = filepath.ToSlash(file)
}

// unique drops what vet repeats of build, and what a package and its test
// variant both say.
func unique(ps []Problem) []Problem {
	seen := map[string]bool{}
	return slices.DeleteFunc(ps, func(p Problem) bool {
		k := fmt.Sprint(p.File, "\x00", p.Line, "\x00", p.Message, "\x00", p.Config)
		if p.File == "" {
			k += p.Package
		}
		dup := seen[k]
		seen[k] = true
		return dup
	})
}

var (
	header = regexp.MustCompile(`^# (\[)?([^\s\]]+)`)
	at     = regexp.MustCompile(`^(?:vet: )?(\S[^:]*\.\w+):(\d+)(?::(\d+))?: (.*)$`)
	failed = regexp.MustCompile(`^(?:FAIL|---\s*FAIL|panic):?\s+(.*)$`)
)

// parse reads the output of go build, go vet and go test.
func parse(out, tool string) []Problem {
	var ps []Problem
	pkg := ""
	cont := false
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\r\n")
		if m := header.FindStringSubmatch(line); m != nil {
			pkg, cont = strings.TrimSuffix(m[2], "_test"), false // "p", "p [p.test]", "p_test [p.test]", "[p]"
			continue
		}
		if m := at.FindStringSubmatch(line); m != nil {
			if strings.HasSuffix(m[4], "too many errors") {
				continue
			}
			n, _ := strconv.Atoi(m[2])
			col, _ := strconv.Atoi(m[3])
			ps = append(ps, Problem{Tool: tool, Package: pkg, File: m[1], Line: n, Col: col, Message: m[4]})
			cont = true
			continue
		}
		switch {
		case strings.TrimSpace(line) == "":
			cont = false
		case cont && (line[0] == '\t' || line[0] == ' '):
			ps[len(ps)-1].Message += "\n" + strings.TrimSpace(line)
		case strings.HasSuffix(line, "too many errors"), strings.HasPrefix(line, "note: module requires Go"), gocmd.IsProgress(line):
		case tool == "test" && failed.MatchString(line):
			ps = append(ps, Problem{Tool: tool, Message: line})
		case tool != "test":
			ps = append(ps, Problem{Tool: tool, Package: pkg, Message: strings.TrimPrefix(line, "vet: ")})
			cont = true
		}
	}
	return ps
}

// Diff splits the problems of a plan into those that were there before and
// those that are new.
func Diff(before, after []Problem) (old, fresh []Problem) {
	left := map[string]int{}
	for _, p := range before {
		left[p.key()]++
	}
	for _, p := range after {
		if left[p.key()] > 0 {
			left[p.key()]--
			old = append(old, p)
		} else {
			fresh = append(fresh, p)
		}
	}
	return old, fresh
}

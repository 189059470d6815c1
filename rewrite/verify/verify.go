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
	Level   Level
	Configs []Config
}

// Problem is one thing that the go command complained about.
type Problem struct {
	Tool    string `json:"tool"`    // build, vet or test
	Config  string `json:"config"`  // build configuration
	Package string `json:"package"` // import path without the test variant
	File    string `json:"file"`    // relative to the module's folder; "" for a package as a whole
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

// key identifies a problem across an edit: lines move, messages stay.
func (p Problem) key() string {
	return strings.Join([]string{p.Package, p.File, p.Message, p.Config}, "\x00")
}

// Run checks a module and returns what is wrong with it, nothing when it
// builds. An error means that the check could not be made.
func Run(ctx context.Context, req Request) ([]Problem, error) {
	var all []Problem
	for _, c := range req.Configs {
		r := req.Go
		if len(c.Env) > 0 {
			r = r.With(c.Env...)
		}
		flags := []string{"-mod=" + cmp.Or(req.Mod, "readonly")}
		if req.ModFile != "" {
			flags = append(flags, "-modfile="+req.ModFile)
		}
		if req.Overlay != "" {
			flags = append(flags, "-overlay="+req.Overlay)
		}
		if len(c.Tags) > 0 {
			flags = append(flags, "-tags="+strings.Join(c.Tags, ","))
		}
		steps := [][]string{{"build", "-o", os.DevNull}, {"vet"}, {"test"}}
		for _, s := range steps[:req.Level] {
			args := append(append(slices.Clone(s), flags...), "./...")
			out, failed, err := r.Combined(ctx, req.Dir, args...)
			if err != nil {
				return nil, fmt.Errorf("go %s: %w", s[0], err)
			}
			if !failed {
				continue
			}
			ps := parse(out, s[0], c.Name)
			if len(ps) == 0 {
				ps = []Problem{{Tool: s[0], Config: c.Name, Message: strings.TrimSpace(out)}}
			}
			if s[0] == "build" && strings.Contains(out, "too many errors") {
				// The compiler stops at ten errors a package; ask again for all.
				args = slices.Insert(args, len(s), "-gcflags=-e")
				if out, failed, err := r.Combined(ctx, req.Dir, args...); err == nil && failed {
					ps = parse(out, s[0], c.Name)
				}
			}
			all = append(all, ps...)
		}
	}
	return unique(all), nil
}

// unique drops what vet repeats of build, and what a package and its test
// variant both say.
func unique(ps []Problem) []Problem {
	seen := map[string]bool{}
	return slices.DeleteFunc(ps, func(p Problem) bool {
		k := fmt.Sprint(p.File, "\x00", p.Line, "\x00", p.Col, "\x00", p.Message, "\x00", p.Config)
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
func parse(out, tool, config string) []Problem {
	var ps []Problem
	pkg := ""
	cont := false
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\r\n")
		if m := header.FindStringSubmatch(line); m != nil {
			pkg, cont = strings.TrimSuffix(m[2], "_test"), false
			continue
		}
		if m := at.FindStringSubmatch(line); m != nil {
			if strings.HasSuffix(m[4], "too many errors") {
				continue
			}
			n, _ := strconv.Atoi(m[2])
			col, _ := strconv.Atoi(m[3])
			ps = append(ps, Problem{Tool: tool, Config: config, Package: pkg, File: filepath.ToSlash(filepath.Clean(m[1])), Line: n, Col: col, Message: m[4]})
			cont = true
			continue
		}
		switch {
		case strings.TrimSpace(line) == "":
			cont = false
		case cont && (line[0] == '\t' || line[0] == ' '):
			ps[len(ps)-1].Message += "\n" + strings.TrimSpace(line)
		case strings.HasSuffix(line, "too many errors"), strings.HasPrefix(line, "note: module requires Go"):
		case tool == "test" && failed.MatchString(line):
			ps = append(ps, Problem{Tool: tool, Config: config, Message: line})
		case tool != "test":
			ps = append(ps, Problem{Tool: tool, Config: config, Package: pkg, Message: strings.TrimPrefix(line, "vet: ")})
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

// Packages counts the packages that have problems.
func Packages(ps []Problem) int {
	seen := map[string]bool{}
	for _, p := range ps {
		seen[p.Package] = true
	}
	return len(seen)
}

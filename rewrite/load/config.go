package load

import (
	"bufio"
	"go/build/constraint"
	"math/bits"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Config is a build configuration.
type Config struct {
	GOOS   string   `json:"goos"`
	GOARCH string   `json:"goarch"`
	Tags   []string `json:"tags,omitempty"` // sorted
}

// HostConfig is the configuration of this machine with build tags.
func HostConfig(tags []string) Config {
	tags = slices.Clone(tags)
	slices.Sort(tags)
	goos, goarch := runtime.GOOS, runtime.GOARCH
	if v := os.Getenv("GOOS"); v != "" {
		goos = v
	}
	if v := os.Getenv("GOARCH"); v != "" {
		goarch = v
	}
	return Config{goos, goarch, slices.Compact(tags)}
}

// Env returns the environment that sets the configuration.
func (c Config) Env() []string { return []string{"GOOS=" + c.GOOS, "GOARCH=" + c.GOARCH} }

func (c Config) String() string {
	s := c.GOOS + "/" + c.GOARCH
	if len(c.Tags) > 0 {
		s += " -tags " + strings.Join(c.Tags, ",")
	}
	return s
}

var knownOS = strings.Fields("linux darwin windows freebsd netbsd openbsd dragonfly solaris illumos aix android ios js wasip1 plan9")

var knownArch = strings.Fields("amd64 arm64 386 arm ppc64le s390x riscv64 mips64 mips64le mips mipsle ppc64 loong64 wasm")

// unix as go/build has it.
var unixOS = strings.Fields("linux darwin freebsd netbsd openbsd dragonfly solaris illumos aix android ios")

// constraintOf returns what must hold for a file to be built: its //go:build
// or +build lines and the suffixes of its name. nil means nothing.
func constraintOf(path string) (constraint.Expr, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var expr constraint.Expr
	and := func(x constraint.Expr) {
		if expr == nil {
			expr = x
		} else {
			expr = &constraint.AndExpr{X: expr, Y: x}
		}
	}
	var plus []constraint.Expr
	goBuild := false
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	block := false
	for sc.Scan() {
		line := strings.TrimSpace(strings.TrimPrefix(sc.Text(), "\ufeff"))
		switch {
		case block:
			block = !strings.Contains(line, "*/")
			continue
		case line == "":
			continue
		case strings.HasPrefix(line, "/*"):
			block = !strings.Contains(line, "*/")
			continue
		case !strings.HasPrefix(line, "//"):
		case constraint.IsGoBuild(line):
			x, err := constraint.Parse(line)
			if err != nil {
				return nil, err
			}
			goBuild = true
			and(x)
			continue
		case constraint.IsPlusBuild(line):
			if x, err := constraint.Parse(line); err == nil {
				plus = append(plus, x)
			}
			continue
		default:
			continue
		}
		break // the package clause
	}
	if !goBuild {
		for _, x := range plus {
			and(x)
		}
	}
	name := strings.TrimSuffix(filepath.Base(path), ".go")
	name = strings.TrimSuffix(name, "_test")
	parts := strings.Split(name, "_")
	if n := len(parts); n >= 2 { // the first part is never a constraint
		last := parts[n-1]
		switch {
		case n >= 3 && slices.Contains(knownArch, last) && slices.Contains(knownOS, parts[n-2]):
			and(&constraint.TagExpr{Tag: parts[n-2]})
			and(&constraint.TagExpr{Tag: last})
		case slices.Contains(knownOS, last), slices.Contains(knownArch, last):
			and(&constraint.TagExpr{Tag: last})
		}
	}
	return expr, sc.Err()
}

// holds evaluates a constraint in a configuration.
func (c Config) holds(x constraint.Expr, extra map[string]bool) bool {
	return x.Eval(func(tag string) bool {
		switch {
		case tag == c.GOOS, tag == c.GOARCH, tag == "gc", slices.Contains(c.Tags, tag), extra[tag]:
			return true
		case tag == "unix":
			return slices.Contains(unixOS, c.GOOS)
		case tag == "linux":
			return c.GOOS == "android"
		case tag == "darwin":
			return c.GOOS == "ios"
		case tag == "cgo":
			return true
		}
		return strings.HasPrefix(tag, "go1.") // the newest release satisfies them
	})
}

// solve returns a configuration near base in which a constraint holds: with
// as few more tags as possible, on the same system if it can be.
func solve(base Config, x constraint.Expr) (Config, bool) {
	var tags []string
	var walk func(constraint.Expr)
	walk = func(x constraint.Expr) {
		switch x := x.(type) {
		case *constraint.AndExpr:
			walk(x.X)
			walk(x.Y)
		case *constraint.OrExpr:
			walk(x.X)
			walk(x.Y)
		case *constraint.NotExpr:
			walk(x.X)
		case *constraint.TagExpr:
			t := x.Tag
			special := slices.Contains(knownOS, t) || slices.Contains(knownArch, t) || t == "unix" || t == "cgo" || t == "gc" || strings.HasPrefix(t, "go1.") ||
				t == "ignore" // by convention never set: the file is run by name
			if !special && !slices.Contains(tags, t) && !slices.Contains(base.Tags, t) {
				tags = append(tags, t)
			}
		}
	}
	walk(x)
	if len(tags) > 8 {
		return Config{}, false
	}
	systems := append([]string{base.GOOS}, knownOS...)
	arches := append([]string{base.GOARCH}, knownArch...)
	for _, goos := range systems {
		for _, goarch := range arches {
			if goos != base.GOOS && goarch != base.GOARCH && goos != "js" && goos != "wasip1" {
				continue
			}
			best, found := 0, -1
			for set := range 1 << len(tags) {
				extra := map[string]bool{}
				for i, t := range tags {
					extra[t] = set>>i&1 == 1
				}
				c := Config{goos, goarch, base.Tags}
				if c.holds(x, extra) && (found < 0 || bits.OnesCount(uint(set)) < best) {
					best, found = bits.OnesCount(uint(set)), set
				}
			}
			if found >= 0 {
				c := Config{goos, goarch, slices.Clone(base.Tags)}
				for i, t := range tags {
					if found>>i&1 == 1 {
						c.Tags = append(c.Tags, t)
					}
				}
				slices.Sort(c.Tags)
				return c, true
			}
		}
	}
	return Config{}, false
}

// configFor is a configuration and the folders to list in it.
type configFor struct {
	Config
	patterns []string
}

// otherConfigs finds configurations for the files with etcd imports that the
// ones loaded so far leave out.
func (l *loader) otherConfigs(base Config, covered map[string]bool) []configFor {
	byKey := map[string]*configFor{}
	var order []string
	for _, s := range l.mod.Files {
		if covered[s.Name] || !s.Etcd && !s.Beside || s.Err != nil {
			continue
		}
		x, err := constraintOf(s.Path)
		if err != nil || x == nil {
			continue
		}
		c, ok := solve(base, x)
		if !ok {
			continue
		}
		key := c.String()
		if byKey[key] == nil {
			byKey[key] = &configFor{Config: c}
			order = append(order, key)
		}
		rel, _ := filepath.Rel(l.mod.Dir, filepath.Dir(s.Path))
		pat := "./" + filepath.ToSlash(rel)
		if !slices.Contains(byKey[key].patterns, pat) {
			byKey[key].patterns = append(byKey[key].patterns, pat)
		}
	}
	var out []configFor
	for _, k := range order {
		out = append(out, *byKey[k])
	}
	return out
}

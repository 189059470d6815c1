// Package deps plans the module files of a migration: go.mod, go.sum and
// vendor, set to one etcd release, tidied by the go command beside the tree.
//
// Solve edits a copy of go.mod in a scratch folder and runs "go mod tidy"
// with -modfile (the copy) and -overlay (the rewritten sources), so the tree
// is read and never written. Where tidy fails for one of the known reasons,
// the plan is changed by the known remedy and tidied again; every remedy is a
// Change with its reason. A failure that has no remedy is an *Unsolved, with
// the go command's own words.
//
// Nothing here weakens the checksum database or edits go.sum: what go.sum
// says against a download stops the plan.
package deps

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/gocmd"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// Request says what the rewritten module needs.
type Request struct {
	Go          *gocmd.Runner
	Dir         string     // module root, absolute; never written
	Scratch     string     // empty folder for the planned go.mod and go.sum
	OverlayFile string     // JSON for -overlay with the rewritten sources; "" for none
	Imports     []string   // etcd packages that the rewritten module imports, in any build configuration
	Line        atlas.Line // target line
	Version     string     // exact release; "" to choose
	Why         string     // why that release; "" is that it was asked for
	Local       string     // checkout of etcd to plan against instead of a release; Line says which API it has
	KeepGo      bool       // never raise the go directive
	// Compile compiles the dependencies that the plan moves gRPC, protobuf or
	// etcd under, and raises those that no longer do. It takes time that a
	// proof of the plan saves again.
	Compile bool
	// Progress is told what takes long, one line at a time; nil for nobody.
	Progress func(format string, args ...any)
}

// Change is one line of go.mod that changes, and why.
type Change struct {
	What     string // "require go.etcd.io/etcd/client/v3 v3.6.16"
	Why      string
	Indirect bool // follows from another change; views may fold it
}

func (c Change) String() string { return c.What + ": " + c.Why }

// Result is a plan for the module files.
type Result struct {
	Release string // etcd release chosen
	Reason  string // why this one, and what the next newer would have required
	// ModFile, in Request.Scratch, is what to build the plan with: the planned
	// go.mod, with go.sum beside it, and replaces for the modules that are
	// members of the workspace or cannot be had from here.
	ModFile      string
	GoMod, GoSum []byte   // planned bytes; GoSum is nil when the module needs none
	Missing      []string // packages that the module's own code imports and no version of the plan has
	Unreachable  []string // modules that could not be had; packages that import them cannot be proved
	// Unchanged says that nothing of etcd is the module's own to move: what
	// imports the old one is a dependency, and no version of it does not.
	Unchanged bool
	Changes   []Change
	Findings  []edit.Finding
	Build     []module.Version // build list of the plan, without the main module
	beforeMod []byte
	beforeSum []byte
	wakes     bool     // builds will use a vendor folder that the go command did not make
	vendored  []string // those of Unreachable that are compiled from the vendor folder
	solver    *solver
}

// Files returns the changes of go.mod and go.sum, with paths relative to the
// module root.
func (r *Result) Files() []edit.FileChange {
	var out []edit.FileChange
	for _, f := range []edit.FileChange{
		{Path: "go.mod", Before: r.beforeMod, After: r.GoMod},
		{Path: "go.sum", Before: r.beforeSum, After: r.GoSum},
	} {
		if !f.Empty() {
			out = append(out, f)
		}
	}
	return out
}

// ErrNoModule says that a folder has no go.mod.
var ErrNoModule = errors.New("no go.mod; run 'go mod init <module path>' and 'go mod tidy' first")

// Unsolved is the error when no set of versions resolves.
type Unsolved struct {
	Release  string   // etcd release that was planned
	Module   string   // module that is in the way, "path@version"; "" if the go command named none
	Needs    string   // what it asks for, a module or a package
	Chain    []string // import or requirement chain from the main module to it
	Importer string   // package that imports what cannot be had, and
	Package  string   // the package that it imports; "" if it is not about one
	Words    string   // what the go command printed
	Cause    string   // the reason in one sentence
	Next     string   // what to do, with the next command

	// leave makes a finding of it: there are versions with this left as it is.
	leave func()
}

func (u *Unsolved) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "no set of versions resolves with etcd %s", u.Release)
	if u.Cause != "" {
		b.WriteString(": " + u.Cause)
	}
	if len(u.Chain) > 0 {
		b.WriteString("\n\t" + strings.Join(u.Chain, "\n\timports "))
	}
	if u.Words != "" {
		b.WriteString("\nthe go command says:\n\t" + strings.ReplaceAll(strings.TrimSpace(u.Words), "\n", "\n\t"))
	}
	if u.Next != "" {
		b.WriteString("\n" + u.Next)
	}
	return b.String()
}

// Solve plans go.mod and go.sum for a request. It fails with *Unsolved when
// no set of versions resolves, with *NoRelease when the target line has none
// that fits, and with ErrNoModule when there is no go.mod.
func Solve(ctx context.Context, req Request) (*Result, error) {
	s, err := newSolver(ctx, req)
	if err != nil {
		return nil, err
	}
	if err := s.choose(ctx); err != nil {
		return nil, err
	}
	if err := s.minimums(ctx); err != nil {
		return nil, err
	}
	if err := s.siblings(ctx); err != nil {
		return nil, err
	}
	s.draft()
	if err := s.settle(ctx); err != nil {
		return nil, err
	}
	if s.nothingMoves() {
		return s.unchanged()
	}
	return s.result(ctx)
}

// solver is the state of one Solve.
type solver struct {
	Request
	before  *modfile.File // as in the tree; not changed
	mod     []byte        // bytes of go.mod
	sum     []byte        // bytes of go.sum; nil if there is none
	modfile string        // planned go.mod

	release atlas.Release
	unknown *unknownRelease // nil for a release of the atlas
	reason  string
	needed  map[string]string // etcd module → version, for the imports
	min     map[string]string // module → version that the etcd release itself selects

	drop     map[string]string         // "kind path@version" of a line to take out → why
	set      map[string]requirement    // module → requirement to write
	adds     map[string]modfileReplace // module → replace to write
	kept     map[string]string         // "replace …" that stays → why
	forks    []*fork
	raised   map[string][]string // module → versions that were tried for it
	raises   []raised
	vain     map[string]bool   // modules that raising does not help
	trials   map[string]*trial // by module
	earlier  *earlier
	trying   string            // module whose newer version was planned last, to make it compile
	accepted map[string]bool   // modules that keep an old etcd, for want of a better version
	standIns map[string]string // module → folder that stands in for it while the plan is made
	vendored []string          // those that are the module's own vendored copy
	sibling  map[string]bool   // those that are members of the workspace
	missing  map[string]string // package that no module has any more → folder that stands in for it
	besides  []*Unsolved       // failures of tidy about packages that no build needs
	compat   string            // -compat for tidy
	graph    *moduleGraph      // of the plan as it was last written; nil if not asked for
	build    []module.Version  // what the plan selects, as of the last tidy
	findings []edit.Finding
}

type requirement struct {
	version string
	why     string
	// hint takes the place of this module's line, so that the diff shows the
	// new etcd where the old one stood.
	hint string
}

type modfileReplace struct {
	old, new module.Version
	why      string
	comment  string
}

func newSolver(ctx context.Context, req Request) (*solver, error) {
	s := &solver{
		Request: req,
		modfile: filepath.Join(req.Scratch, "go.mod"),
		needed:  map[string]string{}, min: map[string]string{},
		drop: map[string]string{}, set: map[string]requirement{}, adds: map[string]modfileReplace{},
		kept: map[string]string{}, raised: map[string][]string{}, vain: map[string]bool{}, accepted: map[string]bool{},
		standIns: map[string]string{}, sibling: map[string]bool{}, missing: map[string]string{}, trials: map[string]*trial{},
	}
	if s.Go == nil {
		s.Go = new(gocmd.Runner)
	}
	if s.Progress == nil {
		s.Progress = func(string, ...any) {}
	}
	// A workspace refuses -modfile, and tidy works on one module anyway.
	s.Go = s.Go.With("GOWORK=off")
	var err error
	if s.mod, s.before, err = readMod(filepath.Join(req.Dir, "go.mod")); err != nil {
		return nil, err
	}
	if s.before.Module == nil {
		return nil, fmt.Errorf("%s: no module line; run 'go mod edit -module <module path>'", filepath.Join(req.Dir, "go.mod"))
	}
	if s.sum, err = readOptional(filepath.Join(req.Dir, "go.sum")); err != nil {
		return nil, err
	}
	return s, nil
}

// readMod reads and parses a go.mod.
func readMod(name string) ([]byte, *modfile.File, error) {
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("%s: %w", filepath.Dir(name), ErrNoModule)
	}
	if err != nil {
		return nil, nil, err
	}
	f, err := parseMod(name, b)
	return b, f, err
}

// parseMod parses a go.mod as the go command does: a version may be a branch
// name, or lack the +incompatible that the go command would add.
func parseMod(name string, b []byte) (*modfile.File, error) {
	return modfile.Parse(name, b, func(path, version string) (string, error) {
		_, major, _ := module.SplitPathVersion(path)
		if major == "" && module.CheckPathMajor(version, major) != nil && module.CanonicalVersion(version) != "" {
			return version + "+incompatible", nil
		}
		return version, nil
	})
}

// readOptional reads a file; nil if there is none.
func readOptional(name string) ([]byte, error) {
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && b == nil {
		b = []byte{}
	}
	return b, err
}

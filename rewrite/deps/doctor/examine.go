package doctor

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/etcdshift/etcdshift/rewrite/gocmd"
	"github.com/etcdshift/etcdshift/rewrite/load"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

const (
	grpcPath   = "google.golang.org/grpc"
	clientV3   = "go.etcd.io/etcd/client/v3"
	genproto   = "google.golang.org/genproto"
	bbolt      = "go.etcd.io/bbolt"
	coreosBolt = "github.com/coreos/bbolt"
)

// Options are what Examine looks at.
type Options struct {
	Dir       string        // root of the repository
	Go        *gocmd.Runner // nil for the go command of the environment
	Endpoints []string      // etcd members to ask for their version
	TLS       *tls.Config   // for https endpoints; nil for the system's roots
	Offline   bool          // use the module cache alone
}

// Examine reads a repository and diagnoses its etcd and gRPC dependencies. It
// changes nothing in it: the go command works on copies of the module files.
// Network is used as the go command's settings say, and for the endpoints.
func Examine(ctx context.Context, o Options) ([]Diagnosis, error) {
	dir, err := load.Dir(o.Dir)
	if err != nil {
		return nil, err
	}
	run := o.Go
	if run == nil {
		run = new(gocmd.Runner)
	}
	if o.Offline && !run.Offline {
		run = &gocmd.Runner{Env: run.Env, Offline: true, Trace: run.Trace}
	}
	scratch, err := os.MkdirTemp("", "etcdshift-doctor-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	e := &examination{ctx: ctx, dir: dir, run: run.With("GOWORK=off"), work: run, scratch: scratch}
	if _, err := e.run.Version(ctx, scratch); err != nil {
		return nil, err
	}
	if err := e.find(); err != nil && (len(o.Endpoints) == 0 || !errors.Is(err, load.ErrNoGoFiles)) {
		return nil, err
	}
	e.settings()
	for _, u := range e.units {
		e.unit(u)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	e.workspace()
	e.drift()
	if !o.Offline {
		e.proxy()
	}
	e.endpoints(o)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return sorted(e.ds), nil
}

// examination is the state of one Examine.
type examination struct {
	ctx     context.Context
	dir     string
	run     *gocmd.Runner // outside any workspace
	work    *gocmd.Runner // as the user works
	scratch string
	units   []*unit
	ds      []Diagnosis
}

// unit is a module of the repository.
type unit struct {
	rel     string // of the module root, slash-separated; "." for the repository's
	dir     string
	file    *modfile.File // nil if it cannot be read
	scratch string        // folder of the copies
	imports []imported    // of old etcd, of etcd modules and of removed gRPC packages, in its sources
	build   map[string]*listed
	tidied  map[string]string // versions that go mod tidy takes
	graph   *graph
}

// why returns who asks for a module version. The copy that was listed requires
// what it selected, so the main module counts only for what its go.mod says.
func (u *unit) why(m module.Version) []string {
	direct := u.file != nil && slices.ContainsFunc(u.file.Require, func(r *modfile.Require) bool { return r.Mod == m })
	return u.graph.chain(m, direct)
}

// listed is a module as "go list -m -json" prints it.
type listed struct {
	Path, Version, GoVersion, Dir string
	Main, Indirect                bool
	Replace                       *listed
}

// effective is the version whose code is built.
func (l *listed) effective() string {
	if l == nil {
		return ""
	}
	if l.Replace != nil {
		return l.Replace.Version
	}
	return l.Version
}

// gomod names the go.mod of a unit relative to the repository.
func (u *unit) gomod() string { return relFile(u.rel, "go.mod") }

func relFile(rel, name string) string {
	if rel == "." {
		return name
	}
	return rel + "/" + name
}

// in prefixes a command with the folder that it is for.
func (u *unit) in(command string) string {
	if u.rel == "." {
		return command
	}
	return "cd " + gocmd.Quote(u.rel) + " && " + command
}

func (e *examination) say(d Diagnosis) {
	for i := range e.ds {
		have := &e.ds[i]
		if have.ID != d.ID || have.Title != d.Title || have.Cause != d.Cause {
			continue
		}
		have.Evidence = trim(append(have.Evidence, d.Evidence...))
		for _, f := range d.Fix {
			if !slices.Contains(have.Fix, f) {
				have.Fix = append(have.Fix, f)
			}
		}
		return
	}
	e.ds = append(e.ds, d)
}

// skip are folders that hold no code of the repository's own.
func skip(name string) bool {
	return name != "." && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")) ||
		name == "vendor" || name == "testdata" || name == "node_modules" || name == "Godeps"
}

// find finds the modules of the repository, and what their sources import.
func (e *examination) find() error {
	var sources []string
	err := filepath.WalkDir(e.dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != e.dir && skip(d.Name()) {
				return filepath.SkipDir
			}
			return e.ctx.Err()
		}
		switch {
		case d.Name() == "go.mod":
			rel, err := filepath.Rel(e.dir, filepath.Dir(name))
			if err != nil {
				return err
			}
			e.units = append(e.units, &unit{rel: filepath.ToSlash(rel), dir: filepath.Dir(name)})
		case strings.HasSuffix(name, ".go") && d.Type().IsRegular():
			sources = append(sources, name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(e.units, func(a, b *unit) int { return strings.Compare(a.rel, b.rel) })
	if len(e.units) == 0 {
		// Advice to make a go.mod would be wrong here.
		if err := load.InModule(e.dir); err != nil {
			return err
		}
		if len(sources) == 0 {
			return fmt.Errorf("%s: %w; name the folder of a checkout", e.dir, load.ErrNoGoFiles)
		}
		none := &unit{rel: ".", dir: e.dir}
		for _, s := range sources {
			none.scan(e.dir, s)
		}
		e.oldPaths(none)
		// That of a migration has versions of the code's own time; tidy would
		// take those of today.
		fix := []string{migrate}
		if len(e.ds) == 0 {
			fix = []string{"go mod init MODULE", "go mod tidy"}
		}
		e.say(Diagnosis{
			ID: "no-go-mod", Severity: Error, Title: "there is no go.mod in this repository",
			Evidence: []Evidence{{File: "go.mod", Text: []string{"not found here or below"}}},
			Cause:    "the code is from before modules: today's go command builds it only in GOPATH mode, and the etcd modules from 3.5 on are to be had as modules only",
			Fix:      fix,
			Ref:      modRef + "#go-mod-init",
		})
		return nil
	}
	for _, s := range sources {
		var owner *unit
		for _, u := range e.units {
			if (owner == nil || len(u.dir) > len(owner.dir)) && strings.HasPrefix(s, u.dir+string(filepath.Separator)) {
				owner = u
			}
		}
		if owner != nil {
			owner.scan(e.dir, s)
		}
	}
	return nil
}

// unit examines one module.
func (e *examination) unit(u *unit) {
	e.oldPaths(u)
	if err := e.copies(u); err != nil {
		e.say(Diagnosis{
			ID: "unreadable", Severity: Error, Title: u.gomod() + " cannot be read",
			Evidence: []Evidence{{File: u.gomod(), Text: []string{err.Error()}}},
			Cause:    "the file cannot be read or copied", Fix: []string{"ls -l " + u.gomod()},
		})
		return
	}
	mod, err := os.ReadFile(filepath.Join(u.dir, "go.mod"))
	if err == nil {
		u.file, err = modfile.Parse(u.gomod(), mod, nil)
	}
	if err != nil {
		// What the go command says of it is what people know.
		if u.file, err = modfile.ParseLax(u.gomod(), mod, nil); err != nil {
			u.file = nil
		}
	}
	listed := e.list(u)
	tidied := e.tidy(u)
	if !listed && !tidied {
		e.reach(u)
	}
	if u.file != nil {
		e.replaces(u)
		e.excludes(u)
	}
	if u.build != nil {
		e.versions(u)
		e.packages(u)
	}
	e.vendor(u)
}

// copies makes the copies of a unit's go.mod and go.sum that the go command
// works on: one to list with, one to tidy.
func (e *examination) copies(u *unit) error {
	var err error
	if u.scratch, err = os.MkdirTemp(e.scratch, "module-"); err != nil {
		return err
	}
	for _, to := range []string{"list", "tidy"} {
		if err := os.Mkdir(filepath.Join(u.scratch, to), 0o777); err != nil {
			return err
		}
		for _, name := range []string{"go.mod", "go.sum"} {
			b, err := os.ReadFile(filepath.Join(u.dir, name))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err == nil {
				err = os.WriteFile(filepath.Join(u.scratch, to, name), b, 0o666)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (u *unit) modfile(which string) string {
	return "-modfile=" + filepath.Join(u.scratch, which, "go.mod")
}

// try runs the go command for a unit, and diagnoses what it says when it
// fails. asUser is the command as the user would give it.
func (e *examination) try(u *unit, asUser string, args ...string) ([]byte, bool) {
	out, err := e.run.Run(e.ctx, u.dir, args...)
	if err == nil {
		return out, true
	}
	e.failed(u, asUser, err)
	return out, false
}

// failed diagnoses a failed run.
func (e *examination) failed(u *unit, asUser string, err error) {
	text := err.Error()
	if x := (*gocmd.Error)(nil); errors.As(err, &x) && strings.TrimSpace(x.Stderr) != "" {
		text = x.Stderr
	}
	// The copies are not what the user knows.
	for _, which := range []string{"list", "tidy"} {
		text = strings.ReplaceAll(text, filepath.Join(u.scratch, which)+string(filepath.Separator), "")
	}
	text = strings.ReplaceAll(text, e.dir+string(filepath.Separator), "")
	ds, rerr := Explain(strings.NewReader(text))
	if rerr != nil || len(ds) == 0 {
		lines := strings.Split(strings.TrimSpace(text), "\n")
		lines = slices.DeleteFunc(lines, gocmd.IsProgress)
		if len(lines) > 20 {
			lines = append(lines[:20:20], "...")
		}
		ds = []Diagnosis{{
			ID: "not-recognised", Severity: Error, Title: asUser + " fails in " + u.rel,
			Evidence: []Evidence{{File: u.gomod(), Text: lines}},
			Cause:    "not recognised: these are the go command's own words",
			Fix:      []string{u.in(asUser)},
		}}
	}
	for _, d := range ds {
		for i := range d.Evidence {
			ev := &d.Evidence[i]
			ev.LogLine = 0
			if i == 0 {
				ev.Text = append([]string{"$ " + u.in(asUser)}, ev.Text...)
			}
		}
		e.say(d)
	}
}

// list fills u.build with the build list. -mod=mod lets the go command
// complete the copies.
func (e *examination) list(u *unit) bool {
	out, ok := e.try(u, "go list -m all", "list", "-m", "-json", "-mod=mod", u.modfile("list"), "all")
	if !ok {
		return false
	}
	u.build = map[string]*listed{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		l := new(listed)
		if err := dec.Decode(l); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			u.build = nil
			return false
		}
		u.build[l.Path] = l
	}
	if out, err := e.run.Run(e.ctx, u.dir, "mod", "graph", u.modfile("list")); err == nil {
		u.graph = parseGraph(out)
	}
	return true
}

// related reports whether a module belongs to what etcd brings into a build.
func related(path string) bool {
	if atlas.IsEtcdModule(path) || strings.HasPrefix(path, "go.etcd.io/") || strings.HasPrefix(path, genproto) {
		return true
	}
	switch path {
	case grpcPath, coreosBolt, "google.golang.org/protobuf", "github.com/golang/protobuf", "github.com/gogo/protobuf",
		"github.com/coreos/go-systemd", "github.com/coreos/go-systemd/v22", "github.com/coreos/pkg", "github.com/coreos/go-semver",
		"github.com/grpc-ecosystem/grpc-gateway", "github.com/ugorji/go", "github.com/ugorji/go/codec", "go.uber.org/zap":
		return true
	}
	return false
}

// tidy runs go mod tidy on the second copy and says where it goes elsewhere
// than go.mod says.
func (e *examination) tidy(u *unit) bool {
	if _, ok := e.try(u, "go mod tidy", "mod", "tidy", u.modfile("tidy")); !ok {
		return false
	}
	b, err := os.ReadFile(filepath.Join(u.scratch, "tidy", "go.mod"))
	if err != nil || u.file == nil {
		return true
	}
	after, err := modfile.Parse("go.mod", b, nil)
	if err != nil {
		return true
	}
	e.moved(u, after)
	return true
}

// moved compares go.mod with what tidy made of it.
func (e *examination) moved(u *unit, after *modfile.File) {
	var moves []Evidence
	other := 0
	now := map[string]*modfile.Require{}
	u.tidied = map[string]string{}
	for _, r := range after.Require {
		u.tidied[r.Mod.Path] = r.Mod.Version
		now[r.Mod.Path] = r
	}
	for _, r := range u.file.Require {
		n := now[r.Mod.Path]
		delete(now, r.Mod.Path)
		var says string
		switch {
		case n == nil:
			says = "tidy drops it"
		case n.Mod.Version != r.Mod.Version:
			says = "tidy takes " + n.Mod.Version
		default:
			continue
		}
		if !related(r.Mod.Path) || n == nil && r.Indirect {
			other++
			continue
		}
		ev := Evidence{Module: r.Mod.Path, Version: r.Mod.Version, File: u.gomod(), Line: r.Syntax.Start.Line, Text: []string{says}}
		if n != nil {
			ev.Chain = u.why(n.Mod)
		}
		moves = append(moves, ev)
	}
	for _, n := range now {
		if related(n.Mod.Path) && !n.Indirect {
			moves = append(moves, Evidence{Module: n.Mod.Path, Version: n.Mod.Version, File: u.gomod(), Text: []string{"tidy adds it"}, Chain: u.why(n.Mod)})
		} else {
			other++
		}
	}
	slices.SortFunc(moves, func(a, b Evidence) int { return strings.Compare(a.Module, b.Module) })
	if u.file.Go != nil && after.Go != nil && u.file.Go.Version != after.Go.Version {
		moves = append(moves, Evidence{File: u.gomod(), Line: u.file.Go.Syntax.Start.Line, Text: []string{"go " + u.file.Go.Version + ": tidy writes go " + after.Go.Version}})
	} else if u.file.Go == nil && after.Go != nil {
		other++
	}
	switch {
	case len(moves) > 0:
		e.say(Diagnosis{
			ID: "tidy-moves", Severity: Warning, Title: "go mod tidy goes elsewhere than " + u.gomod() + " says",
			Evidence: moves,
			Cause:    "go.mod names versions that the build list does not have, or lacks modules that the code imports: another module asks for a higher version, or nothing imports what is required. Whoever tidies next gets the other versions without having asked for them",
			Fix:      []string{u.in("go mod tidy -diff"), u.in("go mod tidy"), u.in("go build ./... && go vet ./...")},
			Ref:      modRef + "#go-mod-tidy",
		})
	case other > 0:
		e.say(Diagnosis{
			ID: "not-tidy", Severity: Note, Title: u.gomod() + " is not tidy",
			Evidence: []Evidence{{File: u.gomod(), Text: []string{fmt.Sprintf("%d requirements differ, none of them of etcd or gRPC", other)}}},
			Cause:    "requirements were added or left by hand, or by an older go command",
			Fix:      []string{u.in("go mod tidy -diff"), u.in("go mod tidy")},
			Ref:      modRef + "#go-mod-tidy",
		})
	}
}

// reach asks for each requirement of a unit by itself when all of them
// together could not be had: one that cannot be reached stops the rest and
// hides other faults.
func (e *examination) reach(u *unit) {
	if u.file == nil || !slices.ContainsFunc(e.ds, func(d Diagnosis) bool { return slices.Contains(unreachable, d.ID) }) {
		return
	}
	args := []string{"list", "-m", "-e", "-json=Path,Version,Error", "-mod=mod"}
	line := map[module.Version]int{}
	replaced := map[string]bool{}
	for _, r := range u.file.Replace {
		replaced[r.Old.Path] = true
	}
	for _, r := range u.file.Require {
		if !replaced[r.Mod.Path] {
			args = append(args, r.Mod.String())
			line[r.Mod] = r.Syntax.Start.Line
		}
	}
	if len(line) < 2 {
		return
	}
	empty := filepath.Join(u.scratch, "empty")
	if os.Mkdir(empty, 0o777) != nil || os.WriteFile(filepath.Join(empty, "go.mod"), []byte("module empty\n\ngo 1.21\n"), 0o666) != nil {
		return
	}
	out, _ := e.run.Run(e.ctx, empty, args...)
	answered := 0
	var failed []struct {
		mod module.Version
		err string
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var m struct {
			Path, Version string
			Error         *struct{ Err string }
		}
		if dec.Decode(&m) != nil {
			break
		}
		if m.Error == nil {
			answered++
			continue
		}
		failed = append(failed, struct {
			mod module.Version
			err string
		}{module.Version{Path: m.Path, Version: m.Version}, m.Error.Err})
	}
	for _, f := range failed {
		ds, err := Explain(strings.NewReader(f.err))
		if err != nil {
			continue
		}
		for _, d := range ds {
			if !slices.Contains(unreachable, d.ID) {
				continue
			}
			for i := range d.Evidence {
				d.Evidence[i].LogLine = 0
				d.Evidence[i].File, d.Evidence[i].Line = u.gomod(), line[f.mod]
				d.Evidence[i].Text = append(d.Evidence[i].Text, fmt.Sprintf("%d of %d requirements answer", answered, answered+len(failed)))
			}
			e.say(d)
		}
	}
	// Network before credentials before permission: who has no network need
	// not look at the others yet.
	slices.SortStableFunc(e.ds, func(a, b Diagnosis) int {
		i, j := slices.Index(unreachable, a.ID), slices.Index(unreachable, b.ID)
		if i < 0 || j < 0 {
			return 0
		}
		return i - j
	})
}

// unreachable are the diagnoses of modules that cannot be had, in the order in
// which they are to be looked at.
var unreachable = []string{"git-network", "tls", "proxy-off", "git-unreachable", "git-credentials", "git-permission", "unrecognized-import-path", "proxy-refuses", "checksum-database-unreachable"}

// vendor asks the go command whether vendor/ fits go.mod.
func (e *examination) vendor(u *unit) {
	if own, _ := gocmd.Vendored(u.dir); !own {
		return
	}
	if u.file != nil && (u.file.Go == nil || semver.Compare("v"+u.file.Go.Version, "v1.14") < 0) {
		e.say(Diagnosis{
			ID: "vendor-unused", Severity: Note, Title: relFile(u.rel, "vendor") + " is not used",
			Evidence: []Evidence{{File: relFile(u.rel, "vendor/modules.txt")}, {File: u.gomod(), Text: []string{"go " + goLine(u.file)}}},
			Cause:    "below `go 1.14` the go command uses vendor/ only with -mod=vendor. A migration that raises the go line makes it count, whatever is in it",
			Fix:      []string{u.in("go mod vendor")},
			Ref:      modRef + "#vendoring",
		})
		return
	}
	e.try(u, "go build ./...", "list", "-e", "-mod=vendor", "./...")
}

func goLine(f *modfile.File) string {
	if f.Go == nil {
		return "(none)"
	}
	return f.Go.Version
}

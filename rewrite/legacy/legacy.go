// Package legacy makes a go.mod for a repository from before modules: one
// that lived in a GOPATH, with dep, glide, godep, govendor, gb, vndr or trash,
// or with a bare vendor folder.
//
// The module path is what the repository's own packages import each other by;
// versions are the locked ones, tags where the lock has them and commits
// where the go command can turn them into a pseudo-version. What is not
// locked, or cannot be had as it was locked, comes from the time of the
// repository's last commit: today's release of an unrelated library has
// another API. Nothing is written into the tree.
package legacy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/gocmd"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// Options of Make.
type Options struct {
	Dir     string // root of the repository, absolute
	Scratch string // empty folder
	Go      *gocmd.Runner
	Module  string // module path of --module; "" to find out
	// EtcdRelease is the release of etcd that the code was written for, when
	// known.
	EtcdRelease string
}

// Result is the go.mod of a repository that has none.
type Result struct {
	Tool       string   // "dep", "glide", "godep", "govendor", "gb", "vndr", "trash", "git submodules", "vendor" or "GOPATH"
	Files      []string // the tool's own files, relative to Dir
	Path       string   // module path
	PathFrom   string   // what says so
	GoMod      []byte
	Submodules bool // the vendor folder consists of git submodules
	Workspace  bool // packages import the copies in Godeps/_workspace as such
	// EtcdRelease is the one that the code was written for, "" if nothing
	// tells.
	EtcdRelease string
	// Vendored are modules that cannot be had, and of which the repository's
	// vendor folder has a copy.
	Vendored []module.Version
	Notes    []Note // where a version is not the locked one, and why
	// Relative are the imports by the way from a file's folder, which modules
	// refuse, made those of the module; Astray are those that lead nowhere.
	Relative []edit.Change
	Astray   []edit.Finding
}

// Rule is what changes and findings here go by.
const Rule = "legacy-layout"

// Note is something to know of the versions in a go.mod.
type Note struct{ Message, Advice string }

// ErrNoPath says that nothing tells the module path.
var ErrNoPath = errors.New("nothing tells the module path of a repository without go.mod: no package imports another by its full path, and there is no remote; pass --module")

// Make finds the module path and the versions of a repository and writes a
// go.mod for its old code.
func Make(ctx context.Context, opt Options) (*Result, error) {
	src, err := readSources(opt.Dir)
	if err != nil {
		return nil, err
	}
	l, err := readLock(ctx, opt.Dir)
	if err != nil {
		return nil, err
	}
	res := &Result{Tool: l.tool, Files: l.files, Submodules: l.tool == submodules, Workspace: src.workspace}
	res.Path, res.PathFrom, err = modulePath(ctx, opt, src, l)
	if err != nil {
		return nil, err
	}
	res.settle(src)
	q := newResolver(opt.Go, opt.Scratch)
	q.vendor = filepath.Join(opt.Dir, "vendor")
	if err := os.WriteFile(filepath.Join(opt.Scratch, "go.mod"), []byte("module "+res.Path+"\n\ngo 1.13\n"), 0o666); err != nil {
		return nil, err
	}
	if opt.EtcdRelease == "" {
		opt.EtcdRelease = l.etcdRelease()
	}
	res.EtcdRelease = opt.EtcdRelease
	last := lastCommit(ctx, opt.Dir, ".")
	if q.date = last; len(l.files) > 0 {
		if t := lastCommit(ctx, opt.Dir, l.files[0]); t.Before(last) {
			q.date = t
		}
	}
	if src.workspace {
		l.pins = nil // the copies are there, at these
	}
	if err := q.locked(ctx, l.pins, opt.EtcdRelease, src.imports); err != nil {
		return nil, err
	}
	// Whatever the code imports and no lock names.
	q.date = last
	need := map[string]bool{}
	for imp := range src.imports {
		if !own(imp, res.Path) {
			need[imp] = true
		}
	}
	if err := q.close(ctx, need); err != nil {
		return nil, err
	}
	f := new(modfile.File)
	if err := f.AddModuleStmt(res.Path); err != nil {
		return nil, err
	}
	// The oldest directive that today's go command treats as it treated code
	// from before modules.
	if err := f.AddGoStmt("1.13"); err != nil {
		return nil, err
	}
	var versions []module.Version
	for _, v := range q.found {
		versions = append(versions, v)
	}
	module.Sort(versions)
	var requires []*modfile.Require
	for _, v := range versions {
		requires = append(requires, &modfile.Require{Mod: v})
	}
	f.SetRequire(requires)
	for _, mod := range sortedKeys(q.forks) {
		if err := f.AddReplace(mod, "", q.forks[mod].Path, q.forks[mod].Version); err != nil {
			return nil, err
		}
	}
	f.Cleanup()
	res.Vendored = q.vendored
	res.Notes = q.notes()
	res.GoMod, err = f.Format()
	return res, err
}

// settle turns relative imports into paths: those of the repository's own
// packages, or of what lay beside it in the GOPATH.
func (res *Result) settle(src *sources) {
	for _, r := range src.relative {
		p := r.in(res.Path)
		if p == "" {
			res.Astray = append(res.Astray, edit.Finding{
				Rule: Rule, Severity: edit.Manual, Tier: edit.Syntax, File: r.edit.File, Start: r.edit.Start, End: r.edit.End, Line: r.line, EndLine: r.line, Col: r.col,
				Message: fmt.Sprintf("modules refuse relative imports, and %s leads out of the repository", r.path),
				Advice:  "import the package by its full path, or bring its folder into the repository; --module sets the path that the repository had in its GOPATH",
			})
			continue
		}
		if !own(p, res.Path) {
			src.imports[p] = true
		}
		why := "modules refuse relative imports"
		if r.gb {
			why = "gb looks for packages below src, and modules do not"
		}
		r.edit.New = strconv.Quote(p)
		res.Relative = append(res.Relative, edit.Change{
			Rule: Rule, Tier: edit.Syntax, Line: r.line, Edits: []edit.Edit{r.edit},
			Message: fmt.Sprintf("%s: %s is %s", why, r.path, p),
		})
	}
}

// notes tells how the versions differ from what was locked.
func (q *resolver) notes() []Note {
	var out []Note
	day := q.date.Format(time.DateOnly)
	if len(q.unlocked) > 0 {
		out = append(out, Note{
			fmt.Sprintf("%d locked commits cannot be had from here, and versions of the time of the lock stand in for them: %s", len(q.unlocked), strings.Join(q.unlocked, ", ")),
			"where they can be had, go get module@commit takes the locked one",
		})
	}
	if len(q.younger) > 0 {
		out = append(out, Note{
			fmt.Sprintf("%d modules have no known version from before %s: %s", len(q.younger), day, strings.Join(q.younger, ", ")),
			"look at these first if something of the old code does not compile",
		})
	}
	for _, m := range q.missing {
		out = append(out, Note{m, "give this machine access to it, or take its import out"})
	}
	return out
}

// own says whether an import path is of the module itself.
func own(imp, mod string) bool { return imp == mod || strings.HasPrefix(imp, mod+"/") }

// lastCommit returns the time of the last commit that changed a file or
// folder, now when git does not tell.
func lastCommit(ctx context.Context, dir, name string) time.Time {
	out := git(ctx, dir, "log", "-1", "--format=%cI", "--", name)
	if t, err := time.Parse(time.RFC3339, strings.TrimSpace(out)); err == nil {
		return t
	}
	return time.Now()
}

// modulePath tells the module path, best evidence first: what the user says,
// how the packages import each other, import comments, the tool's own file,
// the remote.
func modulePath(ctx context.Context, opt Options, src *sources, l *lock) (string, string, error) {
	check := func(p, from string) (string, string, error) {
		if err := module.CheckImportPath(p); err != nil {
			return "", "", fmt.Errorf("module path from %s: %w; pass --module", from, err)
		}
		return p, from, nil
	}
	switch {
	case opt.Module != "":
		return check(opt.Module, "--module")
	case src.self != "":
		return check(src.self, "how its packages import each other")
	case src.comment != "":
		return check(src.comment, "an import comment")
	case l.path != "":
		return check(l.path, l.files[0])
	}
	if p := remotePath(strings.TrimSpace(git(ctx, opt.Dir, "config", "--get", "remote.origin.url"))); p != "" {
		return check(p, "the git remote")
	}
	return "", "", ErrNoPath
}

// remotePath turns the URL of a remote into a module path: "" for local ones.
func remotePath(url string) string {
	url = strings.TrimSuffix(strings.TrimSuffix(url, "/"), ".git")
	if _, rest, ok := strings.Cut(url, "://"); ok {
		url = rest
		if _, host, ok := strings.Cut(url, "@"); ok {
			url = host
		}
	} else if userHost, p, ok := strings.Cut(url, ":"); ok && !strings.HasPrefix(url, "/") { // git@host:path
		_, host, found := strings.Cut(userHost, "@")
		if !found {
			host = userHost
		}
		url = host + "/" + p
	}
	host, _, _ := strings.Cut(url, "/")
	if !strings.Contains(host, ".") || strings.HasPrefix(url, ".") {
		return ""
	}
	return url
}

// repoRoot guesses the module that holds a package, for the hosts whose
// layout is known; others keep the whole path, which open shortens.
func repoRoot(imp string) string {
	e := strings.Split(imp, "/")
	n := len(e)
	switch {
	case slices.Contains([]string{"github.com", "bitbucket.org", "gitlab.com", "golang.org", "honnef.co"}, e[0]):
		n = 3
	case e[0] == "gopkg.in":
		n = 2
		if len(e) > 2 && !strings.Contains(e[1], ".v") {
			n = 3
		}
	case e[0] == "google.golang.org", e[0] == "cloud.google.com", e[0] == "go.uber.org", e[0] == "k8s.io", e[0] == "sigs.k8s.io", e[0] == "go.etcd.io":
		n = 2
	}
	if n < len(e) && majorVersion.MatchString(e[n]) {
		n++
	}
	if n > len(e) {
		n = len(e)
	}
	return strings.Join(e[:n], "/")
}

var majorVersion = regexp.MustCompile(`^v([2-9]|[1-9][0-9]+)$`)

// etcdModule names the module of an etcd package of an old layout.
func etcdModule(imp string) (string, bool) {
	if _, layout, ok := atlas.Canonical(imp); ok && layout != atlas.LayoutSplit {
		for _, r := range atlas.OldRoots() {
			if own(imp, r) && (r != "go.etcd.io/etcd" || !own(imp, "go.etcd.io/etcd/v3")) {
				return r, true
			}
		}
	}
	return "", false
}

func parent(p string) string {
	if d := path.Dir(p); d != "." && strings.Contains(d, "/") {
		return d
	}
	return ""
}

package deps

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/etcdshift/etcdshift/rules/atlas"
)

// ErrNoSource says that nothing in a module tells which etcd its code was
// written for.
var ErrNoSource = errors.New("no file says which etcd release the code was written for")

// SourceRelease returns the etcd release that the code of a module was
// written for, such as "v3.3.13", and the file and line that says so. It asks
// go.mod, vendor/modules.txt, go.sum, the lock files of dep, glide, godep and
// govendor, and last the version that a vendored etcd names itself.
//
// A pseudo-version is the release that it is the tag of, or else the newest
// release at its date, of the line that it can belong to. Commits of the main
// branch before 3.4.0, which had no release, are "v3.4.0-pre" from the day
// that the client's balancer was rewritten, and those with the module path
// go.etcd.io/etcd/v3 are "v3.5.0-pre".
func SourceRelease(dir string) (version, where string, err error) {
	for _, read := range []func(string) (string, string, error){
		sourceGoMod, sourceModulesTxt, sourceGoSum,
		sourceGopkgLock, sourceGlideLock, sourceGodeps, sourceGovendor, sourceVendored,
	} {
		v, at, err := read(dir)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", "", err
		}
		if v != "" {
			return v, at, nil
		}
	}
	return "", "", fmt.Errorf("%s: %w", dir, ErrNoSource)
}

// newestSource keeps the etcd that decides: an old one before a new one, and
// of several the newest, as the code has to compile with that.
type newestSource struct {
	version, where string
	split          bool
}

func (n *newestSource) add(path, version, where string) {
	v := ReleaseOf(path, version)
	if v == "" {
		return
	}
	split := !isOldRoot(path)
	if n.version == "" || n.split && !split || n.split == split && semver.Compare(v, n.version) > 0 {
		*n = newestSource{v, where, split}
	}
}

// SplitRelease returns the etcd release of the modules of 3.5 and later that a
// go.mod requires, "" for none: what code that has moved already was written
// for, whatever was left behind.
func SplitRelease(dir string) string {
	v, _, _ := requiredSource(dir, func(path string) bool { return isSource(path) && !isOldRoot(path) })
	return v
}

func sourceGoMod(dir string) (string, string, error) { return requiredSource(dir, isSource) }

func requiredSource(dir string, of func(path string) bool) (string, string, error) {
	_, f, err := readMod(filepath.Join(dir, "go.mod"))
	if errors.Is(err, ErrNoModule) {
		return "", "", nil
	}
	if err != nil {
		return "", "", err
	}
	var n newestSource
	for _, r := range f.Require {
		if !of(r.Mod.Path) || isOldRoot(r.Mod.Path) && heldOnly(f, r) {
			continue
		}
		path, v, line := r.Mod.Path, r.Mod.Version, r.Syntax.Start.Line
		for _, rep := range f.Replace {
			if rep.Old.Path == r.Mod.Path && (rep.Old.Version == "" || rep.Old.Version == v) && atlas.IsEtcdModule(rep.New.Path) {
				path, v, line = rep.New.Path, rep.New.Version, rep.Syntax.Start.Line
			}
		}
		n.add(path, v, fmt.Sprintf("go.mod:%d", line))
	}
	return n.version, n.where, nil
}

// heldOnly reports whether an indirect requirement is what dependencies hold,
// of an old etcd or of what went with it, beside code that requires a new one
// itself: it says nothing about the code.
func heldOnly(f *modfile.File, r *modfile.Require) bool {
	return r.Indirect && slices.ContainsFunc(f.Require, func(o *modfile.Require) bool { return isSplit(o.Mod.Path) && !o.Indirect })
}

// isSource reports whether a module's version is an etcd release.
func isSource(path string) bool {
	return isOldRoot(path) || isSplit(path) && path != "go.etcd.io/etcd/client/v2"
}

func sourceModulesTxt(dir string) (string, string, error) {
	return sourceLines(dir, "vendor/modules.txt", func(l string, n *newestSource, where string) {
		// # path version [=> path version]
		f := strings.Fields(strings.TrimPrefix(l, "# "))
		if !strings.HasPrefix(l, "# ") || len(f) < 2 || !isSource(f[0]) {
			return
		}
		if len(f) == 5 && f[2] == "=>" && atlas.IsEtcdModule(f[3]) {
			n.add(f[3], f[4], where)
			return
		}
		n.add(f[0], f[1], where)
	})
}

func sourceGoSum(dir string) (string, string, error) {
	return sourceLines(dir, "go.sum", func(l string, n *newestSource, where string) {
		f := strings.Fields(l)
		// A line for go.mod alone is of a version that was looked at, not used.
		if len(f) == 3 && isSource(f[0]) && !strings.HasSuffix(f[1], "/go.mod") {
			n.add(f[0], f[1], where)
		}
	})
}

func sourceLines(dir, name string, line func(l string, n *newestSource, where string)) (string, string, error) {
	b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		return "", "", err
	}
	var n newestSource
	i := 0
	for l := range strings.Lines(string(b)) {
		i++
		line(strings.TrimRight(l, "\r\n"), &n, fmt.Sprintf("%s:%d", name, i))
	}
	return n.version, n.where, nil
}

var tomlKey = regexp.MustCompile(`^\s*(name|version|revision|branch)\s*=\s*"([^"]*)"`)

// sourceGopkgLock reads dep's lock file: a [[projects]] table for each.
func sourceGopkgLock(dir string) (string, string, error) {
	var name string
	return sourceLines(dir, "Gopkg.lock", func(l string, n *newestSource, where string) {
		if strings.HasPrefix(l, "[") {
			name = ""
		}
		switch m := tomlKey.FindStringSubmatch(l); {
		case m == nil:
		case m[1] == "name":
			name = m[2]
		case isOldRoot(name) && (m[1] == "version" || m[1] == "revision"):
			n.add(name, m[2], where)
		}
	})
}

var yamlKey = regexp.MustCompile(`^(- )?\s*(name|version): *['"]?([^'"\s]*)`)

// sourceGlideLock reads glide's lock file; a version there is a commit.
func sourceGlideLock(dir string) (string, string, error) {
	var name string
	return sourceLines(dir, "glide.lock", func(l string, n *newestSource, where string) {
		m := yamlKey.FindStringSubmatch(l)
		switch {
		case m == nil:
		case m[1] != "" && m[2] == "name":
			name = m[3]
		case m[2] == "version" && isOldRoot(name):
			n.add(name, m[3], where)
		}
	})
}

func sourceGodeps(dir string) (string, string, error) {
	var f struct {
		Deps []struct{ ImportPath, Comment, Rev string }
	}
	return sourceJSON(dir, "Godeps/Godeps.json", &f, func(n *newestSource, line func(string) string) {
		for _, d := range f.Deps {
			if root, ok := oldRootOf(d.ImportPath); ok {
				n.add(root, d.Rev, line(d.Rev))
				// "git describe": the last tag, and how far behind it is.
				tag, _, _ := strings.Cut(d.Comment, "-")
				n.add(root, tag, line(d.Rev))
			}
		}
	})
}

func sourceGovendor(dir string) (string, string, error) {
	var f struct {
		Package []struct{ Path, Version, VersionExact, Revision, RevisionTime string }
	}
	return sourceJSON(dir, "vendor/vendor.json", &f, func(n *newestSource, line func(string) string) {
		for _, p := range f.Package {
			root, ok := oldRootOf(p.Path)
			if !ok {
				continue
			}
			before := n.version
			n.add(root, p.VersionExact, line(p.Path))
			n.add(root, p.Revision, line(p.Path))
			if t := strings.NewReplacer("-", "", "T", "", ":", "", "Z", "").Replace(p.RevisionTime); n.version == before && len(t) == 14 {
				n.add(root, "v0.0.0-"+t+"-"+fmt.Sprintf("%.12s", p.Revision), line(p.Path))
			}
		}
	})
}

func sourceJSON(dir, name string, into any, read func(n *newestSource, line func(string) string)) (string, string, error) {
	b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		return "", "", err
	}
	if json.Unmarshal(b, into) != nil {
		return "", "", nil // another file may know
	}
	var n newestSource
	read(&n, func(text string) string {
		i := bytes.Index(b, []byte(`"`+text+`"`))
		if i < 0 {
			return name
		}
		return fmt.Sprintf("%s:%d", name, 1+bytes.Count(b[:i], []byte("\n")))
	})
	return n.version, n.where, nil
}

var ownVersion = regexp.MustCompile(`\bVersion\s*=\s*"(\d+\.\d+\.\d+)([^"]*)"`)

// sourceVendored reads what a vendored etcd calls itself. "3.3.0+git" is a
// commit after 3.3.0.
func sourceVendored(dir string) (string, string, error) {
	for _, root := range atlas.OldRoots() {
		for _, vendor := range []string{"vendor", "Godeps/_workspace/src"} {
			name := vendor + "/" + root + "/version/version.go"
			f, err := os.Open(filepath.Join(dir, filepath.FromSlash(name)))
			if err != nil {
				continue
			}
			defer f.Close()
			i := 0
			for s := bufio.NewScanner(f); s.Scan(); {
				i++
				if m := ownVersion.FindStringSubmatch(s.Text()); m != nil {
					return "v" + m[1], fmt.Sprintf("%s:%d", name, i), nil
				}
			}
		}
	}
	return "", "", nil
}

// oldRootOf returns the old etcd root of an import path.
func oldRootOf(importPath string) (string, bool) {
	for _, r := range atlas.OldRoots() {
		if importPath == r || strings.HasPrefix(importPath, r+"/") {
			return r, true
		}
	}
	return "", false
}

// A tag is a release of old etcd.
type tag struct{ version, commit, time string }

//go:embed tags.tsv
var tagsTSV string

// tags returns the releases before etcd's modules were split, oldest first.
var tags = sync.OnceValue(func() []tag {
	var ts []tag
	for l := range strings.Lines(tagsTSV) {
		if f := strings.Split(strings.TrimSpace(l), "\t"); len(f) == 3 {
			ts = append(ts, tag{f[0], f[1], f[2]})
		}
	}
	slices.SortFunc(ts, func(a, b tag) int { return semver.Compare(a.version, b.version) })
	return ts
})

// newBalancer is when the rewritten balancer came to the main branch: from
// then on New no longer waited for a connection.
const newBalancer = "20180615000000"

// ReleaseOf maps the version of an etcd module, or a commit, to a release;
// "" if it tells nothing.
func ReleaseOf(path, version string) string {
	v := strings.TrimSuffix(version, "+incompatible")
	if !semver.IsValid(v) {
		if semver.IsValid("v" + v) {
			return "v" + v
		}
		return releaseOfCommit(v)
	}
	if !module.IsPseudoVersion(v) {
		return v
	}
	rev, err := module.PseudoVersionRev(v)
	if err != nil {
		return ""
	}
	if tagged := releaseOfCommit(rev); tagged != "" {
		return tagged
	}
	switch {
	case path == "go.etcd.io/etcd/v3":
		return "v3.5.0-pre"
	case !isOldRoot(path):
		return semver.Canonical(v)
	}
	t, err := module.PseudoVersionTime(v)
	if err != nil {
		return ""
	}
	at := t.UTC().Format("20060102150405")
	base, _ := module.PseudoVersionBase(v)
	line := ""
	if semver.Compare(base, "v2.0.0") >= 0 {
		line = semver.MajorMinor(base)
	}
	first := tags()[slices.IndexFunc(tags(), func(t tag) bool { return t.version == "v3.4.0" })]
	switch {
	case line != "":
	case at >= first.time:
		line = "v3.4" // the main branch had another module path from 3.4.8 on
	case at >= newBalancer:
		return "v3.4.0-pre"
	}
	found := ""
	for _, t := range tags() {
		if t.time <= at && (line == "" || semver.MajorMinor(t.version) == line) && (semver.Prerelease(t.version) == "" || line != "") {
			found = t.version
		}
	}
	return found
}

// releaseOfCommit returns the release that a commit is the tag of.
func releaseOfCommit(rev string) string {
	if len(rev) < 12 {
		return ""
	}
	for _, t := range tags() {
		if t.commit == rev[:12] {
			return t.version
		}
	}
	return ""
}

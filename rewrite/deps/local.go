package deps

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/etcdshift/etcdshift/rules/atlas"
)

// A release that the atlas does not know: one that came out after it, or a
// checkout of etcd that is no release at all.
type unknownRelease struct {
	versions map[string]string // etcd module → version
	dirs     map[string]string // etcd module → folder of the checkout; nil for a release
}

// temporary marks the replaces that a plan against a checkout makes. A later
// plan for a release knows them by it and drops them.
const temporary = "temporary: unreleased etcd"

// companion returns the version of a module that goes with the release.
func (s *solver) companion(path string) string {
	if s.unknown == nil {
		return atlas.Companion(path, s.release.Version)
	}
	return s.unknown.versions[path]
}

// chooseCheckout takes the release from a checkout of etcd.
func (s *solver) chooseCheckout(ctx context.Context, goInUse string) error {
	u := &unknownRelease{versions: map[string]string{}, dirs: map[string]string{}}
	mods := map[string]*modfile.File{}
	for _, rel := range []string{"api", "cache", "client/pkg", "client/v2", "client/v3", "etcdctl", "etcdutl", "pkg", "raft", "server", "tests"} {
		dir := filepath.Join(s.Local, filepath.FromSlash(rel))
		_, f, err := readMod(filepath.Join(dir, "go.mod"))
		if err != nil || f.Module == nil || !atlas.IsEtcdModule(f.Module.Mod.Path) {
			continue // older and newer layouts lack some
		}
		u.dirs[f.Module.Mod.Path], mods[f.Module.Mod.Path] = dir, f
	}
	client := mods["go.etcd.io/etcd/client/v3"]
	if client == nil {
		return &NoRelease{s.Line, s.Local + " has no client/v3/go.mod, so it is no checkout of etcd 3.5 or newer",
			"give the folder of a clone of https://github.com/etcd-io/etcd"}
	}
	version, err := checkoutVersion(s.Local)
	if err != nil {
		return err
	}
	for m := range mods {
		u.versions[m] = version
	}
	// The modules ask for each other, and for those beside etcd, by version.
	for _, f := range mods {
		for _, r := range f.Require {
			p := r.Mod.Path
			if (atlas.IsEtcdModule(p) || p == bbolt) && !isOldRoot(p) && semver.Compare(r.Mod.Version, u.versions[p]) > 0 {
				u.versions[p] = r.Mod.Version
			}
		}
	}
	s.unknown = u
	s.release = releaseOfMod(version, client)
	s.reason = "the checkout in " + s.Local
	return s.fits(goInUse)
}

var versionRE = regexp.MustCompile(`(?m)^\s*Version\s*=\s*"([^"]+)"`)

// checkoutVersion returns what a checkout calls itself.
func checkoutVersion(dir string) (string, error) {
	name := filepath.Join(dir, "api", "version", "version.go")
	b, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	m := versionRE.FindSubmatch(b)
	if m == nil || !semver.IsValid("v"+string(m[1])) {
		return "", fmt.Errorf("%s: no version of etcd in it", name)
	}
	return "v" + string(m[1]), nil
}

// chooseUnknown takes a release that came out after the atlas was made.
func (s *solver) chooseUnknown(ctx context.Context, goInUse string) error {
	m := module.Version{Path: "go.etcd.io/etcd/client/v3", Version: s.Version}
	out, err := s.Go.Run(ctx, os.TempDir(), "mod", "download", "-json", versioned(m))
	var d struct{ GoMod, Error string }
	if json.Unmarshal(out, &d) != nil || d.GoMod == "" {
		if err != nil && d.Error == "" {
			d.Error = words(err)
		}
		return &NoRelease{s.Line, fmt.Sprintf("%s is not known, and %s cannot be had: %s", s.Version, versioned(m), strings.TrimSpace(d.Error)),
			"the newest release known is " + atlas.Newest(s.Line)}
	}
	_, f, err := readMod(d.GoMod)
	if err != nil {
		return err
	}
	u := &unknownRelease{versions: map[string]string{}}
	for _, p := range atlas.SplitModules() {
		u.versions[p] = s.Version
	}
	newest := atlas.Newest(s.Line)
	for _, p := range []string{"go.etcd.io/etcd/client/v2", "go.etcd.io/etcd/raft/v3", "go.etcd.io/raft/v3", bbolt} {
		v := atlas.Companion(p, newest)
		if v == newest {
			v = s.Version // it has the release's number
		}
		if strings.HasPrefix(v, "v2.305.") && s.Line == atlas.Line35 {
			v = "v2.305" + strings.TrimPrefix(s.Version, "v3.5")
		}
		u.versions[p] = v
	}
	s.unknown = u
	s.release = releaseOfMod(s.Version, f)
	s.reason = "asked for"
	return s.fits(goInUse)
}

// releaseOfMod makes a release of what its client's go.mod says.
func releaseOfMod(version string, client *modfile.File) atlas.Release {
	r := atlas.Release{Version: version}
	if client.Go != nil {
		r.Go, r.EffGo = client.Go.Version, client.Go.Version
	}
	for _, q := range client.Require {
		if q.Mod.Path == grpcPath {
			r.GRPC, r.EffGRPC = q.Mod.Version, q.Mod.Version
		}
	}
	return r
}

// fits checks a release that the atlas does not know as Choose does the others.
func (s *solver) fits(goInUse string) error {
	switch {
	case compareGo(s.release.EffGo, goInUse) > 0:
		return &NoRelease{s.Line, fmt.Sprintf("%s requires Go %s, and the Go in use is %s", s.release.Version, s.release.EffGo, goInUse),
			fmt.Sprintf("install Go %s or newer, or set GOTOOLCHAIN=auto", s.release.EffGo)}
	case s.KeepGo && raisesGo(s.release, s.directive()):
		return &NoRelease{s.Line, fmt.Sprintf("%s would raise the go directive from %s to %s", s.release.Version, s.directive(), s.release.EffGo),
			"leave out '--go keep'"}
	}
	return nil
}

// replaceByCheckout plans a replace for each module of the checkout that the
// imports need, and for those that these need.
func (s *solver) replaceByCheckout() error {
	todo := sortedKeys(s.needed)
	seen := map[string]bool{}
	for len(todo) > 0 {
		m := todo[0]
		todo = todo[1:]
		dir := s.unknown.dirs[m]
		if dir == "" || seen[m] {
			continue
		}
		seen[m] = true
		if rel, err := filepath.Rel(s.Dir, dir); err == nil && !filepath.IsAbs(s.Local) {
			dir = filepath.ToSlash(rel)
			if !strings.HasPrefix(dir, "../") {
				dir = "./" + dir
			}
		}
		s.adds["replace "+m] = modfileReplace{
			old: module.Version{Path: m}, new: module.Version{Path: dir},
			why: "etcd comes from " + s.Local + " until a release is chosen with --target", comment: temporary,
		}
		_, f, err := readMod(filepath.Join(s.unknown.dirs[m], "go.mod"))
		if err != nil {
			return err
		}
		for _, r := range f.Require {
			todo = append(todo, r.Mod.Path)
		}
	}
	return nil
}

// isTemporary reports whether a replace is one of a plan against a checkout.
func isTemporary(r *modfile.Replace) bool {
	for _, c := range r.Syntax.Suffix {
		if strings.Contains(c.Token, temporary) {
			return true
		}
	}
	return false
}

// Steps returns the lines that a migration from a release to a target line
// goes through when it is made one line at a time, the target last.
func Steps(from string, target atlas.Line) []atlas.Line {
	var steps []atlas.Line
	for _, l := range atlas.Lines() {
		after := semver.Compare(semver.MajorMinor(from), "v"+string(l)) < 0
		if l == target {
			return append(steps, l)
		}
		if after {
			steps = append(steps, l)
		}
	}
	return steps
}

package deps

import (
	"context"
	"errors"
	"fmt"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/etcdshift/etcdshift/rewrite/gocmd"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// maxRounds bounds the search: each round adds one remedy, and no repository
// seen needed more than a few.
const maxRounds = 64

// settle tidies the plan, mends what is known to go wrong, and checks that
// the outcome is what was planned, until nothing is left to change.
func (s *solver) settle(ctx context.Context) error {
	var last error
	for range maxRounds {
		err := s.tidy(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			mended, rerr := s.remedy(ctx, err)
			if u := (*Unsolved)(nil); errors.As(rerr, &u) && len(s.raises) > 0 && u.Importer != "" {
				// What was raised may have brought this.
				mended, rerr = s.raiseOther(ctx, u)
			}
			if u := (*Unsolved)(nil); s.trying != "" && (rerr == nil && !mended || errors.As(rerr, &u)) {
				mended, rerr = s.otherTrial(ctx)
			}
			if u := (*Unsolved)(nil); errors.As(rerr, &u) {
				ok, err := s.beside(u)
				if !ok && err == nil {
					ok, err = s.standInBehind(u)
				}
				if ok || err != nil {
					mended, rerr = ok, err
				}
			}
			if rerr != nil {
				return rerr
			}
			if !mended {
				return s.unresolved(ctx, err)
			}
			last = err
			continue
		}
		if err := s.besideBuild(ctx); err != nil {
			return err
		}
		changed, err := s.keptPlan(ctx)
		if err == nil && !changed {
			changed, err = s.raisesBuild(ctx)
		}
		if err == nil && !changed {
			changed, err = s.forksCompile(ctx)
		}
		if err == nil && !changed && s.Compile {
			changed, err = s.dependenciesCompile(ctx)
		}
		if err != nil {
			return err
		}
		if !changed {
			return nil
		}
	}
	if last != nil {
		return s.unresolved(ctx, last)
	}
	return &Unsolved{Release: s.release.Version, Cause: fmt.Sprintf("the plan did not settle in %d rounds", maxRounds),
		Next: "run 'etcdshift doctor' and report the go.mod"}
}

// tidy writes the current plan to the scratch folder and tidies it there.
func (s *solver) tidy(ctx context.Context) error {
	b, err := s.render()
	if err != nil {
		return err
	}
	s.graph = nil
	if err := os.WriteFile(s.modfile, b, 0o666); err != nil {
		return err
	}
	sum := filepath.Join(s.Scratch, "go.sum")
	if s.sum != nil {
		err = os.WriteFile(sum, s.sum, 0o666)
	} else if err = os.Remove(sum); errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return err
	}
	args := []string{"mod", "tidy", "-modfile=" + s.modfile}
	if s.OverlayFile != "" {
		args = append(args, "-overlay="+s.OverlayFile)
	}
	if s.compat != "" {
		args = append(args, "-compat="+s.compat)
	}
	_, err = s.Go.Run(ctx, s.Dir, args...)
	return err
}

// flags are the flags of a go command that reads the plan.
func (s *solver) flags(more ...string) []string {
	fl := []string{"-mod=readonly", "-modfile=" + s.modfile}
	if s.OverlayFile != "" {
		fl = append(fl, "-overlay="+s.OverlayFile)
	}
	return append(fl, more...)
}

// words returns what the go command printed, without its progress.
func words(err error) string {
	x := (*gocmd.Error)(nil)
	if !errors.As(err, &x) {
		return ""
	}
	var b strings.Builder
	for line := range strings.Lines(x.Stderr) {
		if !gocmd.IsProgress(line) {
			b.WriteString(line)
		}
	}
	return b.String()
}

var (
	ambiguousRE = regexp.MustCompile(`ambiguous import: found package (google\.golang\.org/genproto\S*) in multiple modules`)
	compatRE    = regexp.MustCompile(`go mod tidy -compat=(1\.\d+)`)
	upgradeRE   = regexp.MustCompile(`toolchain upgrade needed to resolve (\S+)`)
	raiseRE     = regexp.MustCompile(`requires go >= (\S+) \(running go`)
)

// remedy changes the plan by the known cure of a failed tidy. It reports
// whether there was one.
func (s *solver) remedy(ctx context.Context, failed error) (bool, error) {
	text := words(failed)
	if m := upgradeRE.FindStringSubmatch(text); m != nil {
		// tidy looked for a package in the newest version of its module, which
		// the Go in use is too old for. None of the build has it.
		importer := ""
		s.ownImports(m[1], func(rel string, _, _ token.Position) {
			importer = path.Join(s.before.Module.Mod.Path, path.Dir(rel))
		})
		if importer != "" {
			return s.heldBack(ctx, []string{importer, m[1]}, text)
		}
	}
	if stop := s.stop(ctx, text); stop != nil {
		return false, stop
	}
	if ambiguousRE.MatchString(text) && s.raiseGenproto("two modules have the packages of googleapis; from this version on they are in one") {
		return true, nil
	}
	if ok, err := s.disambiguate(ctx, text); ok || err != nil {
		return ok, err
	}
	if m := compatRE.FindStringSubmatch(text); m != nil && s.compat == "" {
		s.compat = m[1]
		return true, nil
	}
	if s.unmoveFailed(text) {
		return true, nil
	}
	if err := s.forkLacks(text); err != nil {
		return false, err
	}
	if s.ownPath(text) || s.restore(text) {
		return true, nil
	}
	if ok, err := s.standIn(ctx, text); ok || err != nil {
		return ok, err
	}
	if chain, _ := chainOf(text); len(chain) > 1 {
		return s.heldBack(ctx, chain, text)
	}
	return false, nil
}

const whyGenproto = "an older one shadows google.golang.org/genproto/googleapis/rpc, which grpc needs"

// raiseGenproto requires a genproto without the packages that were split off.
func (s *solver) raiseGenproto(why string) bool {
	if _, ok := s.set[genproto]; ok {
		return false
	}
	s.set[genproto] = requirement{version: genprotoWhole, why: why}
	delete(s.drop, requireKey(genproto))
	return true
}

// lastOwnPath are modules that changed their path and the last versions that
// go by the old one. A newer one that something requires does not resolve.
var lastOwnPath = map[string]string{
	coreosBolt:                   lastBolt,
	coreosSystemd:                "v0.0.0-20191104093116-d3cd4ed1dbcf",
	"github.com/Sirupsen/logrus": "v1.0.6",
}

// LastOwnPath returns the last version of a module that goes by a path which
// it gave up; "" if it is not known to have done so.
func LastOwnPath(path string) string { return lastOwnPath[path] }

// ownPath holds a module at the last version with its own path, where another
// one requires a newer one, or where a replace gives it the files of a module
// that the build has under its new path as well.
func (s *solver) ownPath(text string) bool {
	if !strings.Contains(text, "module declares its path as") && !strings.Contains(text, "used for two different module paths") {
		return false
	}
	for _, path := range sortedKeys(lastOwnPath) {
		v := lastOwnPath[path]
		if _, done := s.adds["replace "+path]; done || !mentions(text, path) {
			continue
		}
		if key := requireKey(path); s.requiresAfter(path, v) && s.drop[key] == "" {
			s.drop[key] = fmt.Sprintf("a version after %s has another module path", v)
			return true // tidy requires it again if the code imports it
		}
		s.adds["replace "+path] = modfileReplace{
			old: module.Version{Path: path}, new: module.Version{Path: path, Version: v},
			why: "a module of the build requires it, and newer versions have another module path",
		}
		for _, r := range s.before.Replace {
			if r.Old.Path == path {
				s.drop[replaceKey(r.Old)] = fmt.Sprintf("a module of the build requires %s, and %s cannot stand for it", path, versioned(r.New))
			}
		}
		return true
	}
	return false
}

// requiresAfter says whether go.mod requires a module after a version.
func (s *solver) requiresAfter(path, version string) bool {
	return slices.ContainsFunc(s.before.Require, func(r *modfile.Require) bool {
		return r.Mod.Path == path && semver.Compare(r.Mod.Version, version) > 0
	})
}

// restore puts back a replace that was dropped and turns out to be needed:
// tidy fails and names its module.
func (s *solver) restore(text string) bool {
	for _, r := range s.before.Replace {
		key := replaceKey(r.Old)
		if _, dropped := s.drop[key]; !dropped || !mentions(text, r.Old.Path) {
			continue
		}
		if s.min[r.Old.Path] != "" || atlas.IsEtcdModule(r.Old.Path) && !isOldRoot(r.Old.Path) {
			continue // etcd itself needs it gone
		}
		delete(s.drop, key)
		s.kept[key] = "another module in the build needs it: " + firstLine(text)
		return true
	}
	return false
}

// mentions reports whether a text names a module, and not merely one whose
// path begins alike.
func mentions(text, path string) bool {
	for i := 0; ; {
		j := strings.Index(text[i:], path)
		if j < 0 {
			return false
		}
		i += j + len(path)
		if i == len(text) || strings.IndexByte("@ :\n\t)\",", text[i]) >= 0 {
			return true
		}
	}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return strings.TrimPrefix(line, "go: ")
}

// stop recognises the failures that no other set of versions would mend.
func (s *solver) stop(ctx context.Context, text string) error {
	u := &Unsolved{Release: s.release.Version, Words: text}
	switch {
	case strings.Contains(text, "SECURITY ERROR") || strings.Contains(text, "checksum mismatch"):
		u.Cause = "a downloaded module is not the one that was recorded before"
		u.Next = "do not delete the line from go.sum before you know why: compare with a second machine or the public checksum database, then run 'go clean -modcache' if the local copy is the wrong one"
	case raiseRE.MatchString(text):
		m := raiseRE.FindStringSubmatch(text)
		u.Cause = "a module needs a newer Go"
		u.Next = "install Go " + m[1] + " or newer, or set GOTOOLCHAIN=auto"
	case strings.Contains(text, "module lookup disabled by GOPROXY=off"):
		u.Cause = "a module is not in the module cache, and no network was allowed"
		u.Next = "run once without --offline (or 'go mod download' of the module named above)"
	case s.proxyDown(ctx, text):
		u.Cause = "the module proxy does not answer"
		u.Next = "check the network and 'go env GOPROXY', or plan from the module cache with --offline"
	default:
		return nil
	}
	return u
}

// unresolved explains a failure of the go command that has no remedy.
func (s *solver) unresolved(ctx context.Context, err error) error {
	text := words(err)
	if text == "" {
		return err
	}
	if stop := s.stop(ctx, text); stop != nil {
		return stop
	}
	u := &Unsolved{Release: s.release.Version, Words: text, Next: "run 'etcdshift doctor' for the cause"}
	u.Chain, u.Needs = chainOf(text)
	if m := unreachableRE.FindStringSubmatch(text); m != nil {
		u.Needs = m[1] + "@" + strings.TrimSuffix(m[2], "/go.mod")
		u.Cause = u.Needs + " cannot be had from here"
	}
	return u
}

var importsRE = regexp.MustCompile(`^(?:go: )?\t*(\S+) (?:imports|tested by)$`)

// chainOf reads the import chain from tidy's message.
func chainOf(text string) (chain []string, last string) {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if m := importsRE.FindStringSubmatch(line); m != nil {
			if strings.HasPrefix(line, "go: ") {
				chain = nil
			}
			chain = append(chain, m[1])
			continue
		}
		if len(chain) > 0 {
			last, _, _ = strings.Cut(strings.TrimSpace(line), ":")
			return append(chain, last), last
		}
	}
	return nil, ""
}

// keptPlan looks at what tidy made of the plan. It reports whether the plan
// was changed and has to be tidied again.
func (s *solver) keptPlan(ctx context.Context) (changed bool, err error) {
	g, err := s.moduleGraph(ctx)
	if err != nil {
		return false, s.unresolved(ctx, err)
	}
	build := g.build
	s.build = build
	if s.KeepGo {
		if err := s.keptGo(ctx); err != nil {
			return false, err
		}
	}
	version := map[string]string{}
	for _, m := range build {
		version[m.Path] = m.Version
	}
	for _, m := range build {
		want := s.companion(m.Path)
		if want == "" || want == m.Version || !isSplit(m.Path) {
			continue
		}
		if semver.Compare(m.Version, want) < 0 {
			if _, ok := s.set[m.Path]; !ok {
				s.set[m.Path] = requirement{version: want, why: "all etcd modules have one release"}
				changed = true
			}
			continue
		}
		return false, s.pushed(ctx, m, want)
	}
	if changed {
		return true, nil
	}
	// A build below what etcd asks for is the work of an exclude.
	for _, e := range s.before.Exclude {
		p := e.Mod.Path
		if _, ok := s.drop[excludeKey(e.Mod)]; ok || s.min[p] == "" || version[p] == "" {
			continue
		}
		if semver.Compare(version[p], s.min[p]) < 0 {
			s.drop[excludeKey(e.Mod)] = fmt.Sprintf("with it the build selects %s, below the %s that etcd %s needs", version[p], s.min[p], s.release.Version)
			changed = true
		}
	}
	if changed {
		return true, nil
	}
	for _, m := range build {
		if isOldRoot(m.Path) {
			if changed, err := s.leftovers(ctx); changed || err != nil {
				return changed, err
			}
			break
		}
	}
	// tidy can settle on an old genproto without the modules that were split
	// off, and only the compiler would notice.
	if v := version[genproto]; v != "" && semver.Compare(v, genprotoSplit) < 0 && s.min[genproto+"/googleapis/rpc"] != "" {
		if s.raiseGenproto(whyGenproto) {
			return true, nil
		}
	}
	if changed, err := s.holdOtelgrpc(ctx, version); changed || err != nil {
		return changed, err
	}
	return s.moveForks(ctx, version)
}

// keptGo fails if the go directive had to be raised although it was to stay.
func (s *solver) keptGo(ctx context.Context) error {
	_, f, err := readMod(s.modfile)
	if err != nil {
		return err
	}
	if f.Go == nil || compareGo(f.Go.Version, s.directive()) <= 0 {
		return nil
	}
	u := &Unsolved{Release: s.release.Version, Needs: "go " + f.Go.Version, Next: "leave out '--go keep', or lower the module that asks for it"}
	u.Cause = fmt.Sprintf("the go directive would go from %s to %s", s.directive(), f.Go.Version)
	if u.Module = dependent(s.requirers(ctx)[module.Version{Path: "go", Version: f.Go.Version}]); u.Module != "" {
		u.Cause += ", which " + u.Module + " requires"
	}
	return u
}

// pushed explains an etcd module that the build selects above the release.
func (s *solver) pushed(ctx context.Context, m module.Version, want string) error {
	u := &Unsolved{Release: s.release.Version, Needs: versioned(m), Cause: fmt.Sprintf("%s is selected, above %s", versioned(m), want)}
	if u.Module = dependent(s.requirers(ctx)[m]); u.Module != "" {
		u.Cause = fmt.Sprintf("%s requires %s, above %s", u.Module, versioned(m), want)
	}
	u.Next = fmt.Sprintf("choose a release at least as new with --target %s, or lower the module that asks for it", m.Version)
	return u
}

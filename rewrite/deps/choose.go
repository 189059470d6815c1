package deps

import (
	"cmp"
	"context"
	"fmt"
	"go/version"
	"slices"
	"strings"

	"github.com/etcdshift/etcdshift/rules/atlas"
)

// NoRelease is the error when the target line has no release that fits.
type NoRelease struct {
	Line   atlas.Line
	Reason string
	Next   string
}

func (e *NoRelease) Error() string {
	return fmt.Sprintf("no etcd release of line %s fits: %s\n%s", e.Line, e.Reason, e.Next)
}

// choose sets the release: the one asked for, or the newest of the line that
// the Go in use can build and, with KeepGo, that leaves the go directive alone.
func (s *solver) choose(ctx context.Context) error {
	goInUse, err := s.Go.Version(ctx, s.Dir)
	if err != nil {
		return err
	}
	goInUse = strings.TrimPrefix(goInUse, "go")
	if s.Local != "" {
		return s.chooseCheckout(ctx, goInUse)
	}
	if _, known := atlas.FindRelease(s.Version); s.Version != "" && !known {
		return s.chooseUnknown(ctx, goInUse)
	}
	s.release, s.reason, err = Choose(s.Line, s.Version, goInUse, s.directive(), s.KeepGo)
	if s.Version != "" && s.Why != "" {
		s.reason = s.Why
	}
	return err
}

// directive returns the go directive of the module; the go command reads an
// absent one as 1.16.
func (s *solver) directive() string {
	if s.before.Go != nil {
		return s.before.Go.Version
	}
	return "1.16"
}

// Choose picks a release of a line for a Go version and a go directive, both
// without "go" in front, and says why. exact, if not empty, is the release
// asked for: it is checked against the same limits.
func Choose(line atlas.Line, exact, goInUse, directive string, keepGo bool) (atlas.Release, string, error) {
	all := atlas.Releases(line)
	if len(all) == 0 {
		return atlas.Release{}, "", &NoRelease{line, "the line is not known", "choose --target 3.5, 3.6 or 3.7"}
	}
	// refusal says what a release would require beyond what there is.
	refusal := func(i int) string {
		if !atlas.CanBuild(goInUse, all[i].Version) {
			return fmt.Sprintf("requires Go %s, and the Go in use is %s", all[i].EffGo, goInUse)
		}
		if keepGo && !keepsDirective(all, all[i], directive) {
			return fmt.Sprintf("would raise the go directive from %s to %s", directive, all[i].Go)
		}
		return ""
	}

	if exact != "" {
		i := slices.IndexFunc(all, func(r atlas.Release) bool { return r.Version == exact })
		if i < 0 {
			return atlas.Release{}, "", &NoRelease{line, exact + " is not a known release of it",
				fmt.Sprintf("the newest known is %s", all[len(all)-1].Version)}
		}
		if why := refusal(i); why != "" {
			return atlas.Release{}, "", &NoRelease{line, exact + " " + why, next(why, all[i].Go)}
		}
		return all[i], "asked for", nil
	}
	for i := len(all) - 1; i >= 0; i-- {
		if refusal(i) != "" {
			continue
		}
		if i == len(all)-1 {
			return all[i], fmt.Sprintf("the newest of line %s", line), nil
		}
		why := refusal(i + 1)
		return all[i], fmt.Sprintf("the newest of line %s that fits: %s %s", line, all[i+1].Version, why), nil
	}
	why := refusal(0)
	return atlas.Release{}, "", &NoRelease{line, "the first, " + all[0].Version + ", " + why, next(why, all[0].Go)}
}

func next(why, goVersion string) string {
	if strings.HasPrefix(why, "would raise") {
		return "leave out '--go keep', or choose an older line with --target"
	}
	return fmt.Sprintf("install Go %s or newer (or set GOTOOLCHAIN=auto), or choose an older line with --target", goVersion)
}

// keepsDirective reports whether a release leaves a go directive as it is.
// A directive older than any that the line declares is kept by the releases
// with the oldest one: below 1.21 the go command does not raise it.
func keepsDirective(all []atlas.Release, r atlas.Release, directive string) bool {
	if compareGo(r.Go, directive) <= 0 {
		return true
	}
	oldest := slices.MinFunc(all, func(a, b atlas.Release) int { return compareGo(a.Go, b.Go) })
	return compareGo(directive, oldest.Go) < 0 && compareGo(oldest.Go, "1.21") < 0 && compareGo(r.Go, oldest.Go) == 0
}

// raisesGo reports whether a release makes the go command raise a directive:
// those below 1.21 are advice to it.
func raisesGo(r atlas.Release, directive string) bool {
	return version.Compare("go"+r.EffGo, "go1.21") >= 0 && version.Compare("go"+r.EffGo, "go"+directive) > 0
}

// compareGo compares Go versions as the go command does, but that 1.26 and
// 1.26.0, which differ for it as a release candidate and a release, are the
// same for a choice.
func compareGo(a, b string) int {
	return version.Compare(normalGo(a), normalGo(b))
}

func normalGo(v string) string {
	v = "go" + strings.TrimPrefix(v, "go")
	if version.Lang(v) == v {
		return cmp.Or(v, "go1.0") + ".0"
	}
	return v
}

package legacy

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/etcdshift/etcdshift/rewrite/gocmd"
)

// resolver turns what a lock says into module versions, by asking the go
// command in a scratch module.
type resolver struct {
	run   *gocmd.Runner
	dir   string
	date  time.Time
	found map[string]module.Version // by module path
	notes []string
}

// info is what go list -m says of a module.
type info struct {
	Path, Version string
	Versions      []string
	Time          *time.Time
	Error         *struct{ Err string }
}

// query asks for several modules at once. A module that cannot be had has an
// Error; the answers are in the order of the queries.
func (q *resolver) query(ctx context.Context, flags []string, queries []string) ([]info, error) {
	if len(queries) == 0 {
		return nil, nil
	}
	out, err := q.run.Run(ctx, q.dir, slices.Concat([]string{"list", "-m", "-e", "-mod=mod", "-json"}, flags, queries)...)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(out))
	var infos []info
	for dec.More() {
		var i info
		if err := dec.Decode(&i); err != nil {
			return nil, fmt.Errorf("go list -m: %w", err)
		}
		infos = append(infos, i)
	}
	if len(infos) != len(queries) {
		return nil, fmt.Errorf("go list -m answered %d of %d queries", len(infos), len(queries))
	}
	return infos, nil
}

// covers says whether a module that was found holds a package.
func (q *resolver) covers(imp string) bool {
	for p := imp; p != "." && p != "/"; p = path.Dir(p) {
		if _, ok := q.found[p]; ok {
			return true
		}
	}
	return false
}

// locked finds the versions of what a lock pins: the tag, else the commit,
// else a release of the time.
func (q *resolver) locked(ctx context.Context, pins []pin, etcdRelease string, imports map[string]bool) error {
	type wanted struct {
		pin
		mod string
	}
	byMod := map[string]wanted{}
	for _, p := range pins {
		mod := repoRoot(p.path)
		if m, ok := etcdModule(p.path); ok {
			mod = m
			if etcdRelease != "" && p.version == "" {
				p.version = etcdRelease
			}
		}
		if old, ok := byMod[mod]; !ok || old.version == "" {
			byMod[mod] = wanted{p, mod}
		}
	}
	var queries, mods []string
	for _, mod := range sortedKeys(byMod) {
		w := byMod[mod]
		v := w.version
		if !semver.IsValid(v) {
			if v = w.revision; v == "" {
				continue
			}
		}
		mods, queries = append(mods, mod), append(queries, mod+"@"+v)
	}
	infos, err := q.query(ctx, nil, queries)
	if err != nil {
		return err
	}
	var again, againMods []string
	var dated []string
	for i, in := range infos {
		w := byMod[mods[i]]
		switch {
		case in.Error == nil:
			q.found[mods[i]] = module.Version{Path: in.Path, Version: in.Version}
		case semver.IsValid(w.version) && w.revision != "":
			againMods, again = append(againMods, mods[i]), append(again, mods[i]+"@"+w.revision)
		default:
			dated = append(dated, mods[i])
		}
	}
	infos, err = q.query(ctx, nil, again)
	if err != nil {
		return err
	}
	for i, in := range infos {
		if in.Error == nil {
			q.found[againMods[i]] = module.Version{Path: in.Path, Version: in.Version}
		} else {
			dated = append(dated, againMods[i])
		}
	}
	need := map[string][]string{}
	for _, imp := range sortedKeys(imports) {
		for _, mod := range dated {
			if own(imp, mod) {
				need[mod] = append(need[mod], imp)
			}
		}
	}
	for _, mod := range dated {
		w := byMod[mod]
		q.notes = append(q.notes, fmt.Sprintf("%s was locked at %s, which cannot be had", mod, strings.Join(strings.Fields(w.version+" "+w.revision), " ")))
	}
	return q.byDate(ctx, dated, need)
}

// open finds modules for packages that no lock names.
func (q *resolver) open(ctx context.Context, imps []string) error {
	todo := map[string][]string{} // candidate module path → packages
	for _, imp := range imps {
		mod := repoRoot(imp)
		if m, ok := etcdModule(imp); ok {
			mod = m
		}
		todo[mod] = append(todo[mod], imp)
	}
	// A candidate that is no module is tried again one element shorter.
	for round := 0; len(todo) > 0 && round < 6; round++ {
		mods := sortedKeys(todo)
		infos, err := q.query(ctx, []string{"-versions"}, mods)
		if err != nil {
			return err
		}
		latest, err := q.query(ctx, nil, suffixed(mods, "@latest"))
		if err != nil {
			return err
		}
		next := map[string][]string{}
		var dated []string
		for i, in := range infos {
			if len(in.Versions) > 0 || latest[i].Error == nil {
				dated = append(dated, mods[i])
			} else if p := parent(mods[i]); p != "" {
				if !q.covers(p) {
					next[p] = append(next[p], todo[mods[i]]...)
				}
			} else {
				q.notes = append(q.notes, fmt.Sprintf("no module holds %s", todo[mods[i]][0]))
			}
		}
		if err := q.byDate(ctx, dated, todo); err != nil {
			return err
		}
		todo = next
	}
	return nil
}

func suffixed(list []string, s string) []string {
	out := slices.Clone(list)
	for i := range out {
		out[i] += s
	}
	return out
}

// byDate finds for each module the newest release that was there at the time
// of the repository's last commit, else the oldest there is.
// need lists the packages of each that the code imports.
func (q *resolver) byDate(ctx context.Context, mods []string, need map[string][]string) error {
	infos, err := q.query(ctx, []string{"-versions"}, mods)
	if err != nil {
		return err
	}
	type search struct {
		mod      string
		versions []string // releases, ascending
		lo, hi   int      // the answer is in versions[lo:hi], or lo when empty
	}
	var open []*search
	var plain []string
	for i, in := range infos {
		vs := slices.DeleteFunc(in.Versions, func(v string) bool { return semver.Prerelease(v) != "" })
		if len(vs) == 0 {
			plain = append(plain, mods[i])
			continue
		}
		open = append(open, &search{mods[i], vs, 0, len(vs)})
	}
	// All searches go on in step, so that each round is one go command.
	for {
		var queries []string
		var asked []*search
		for _, s := range open {
			if s.hi-s.lo > 1 {
				asked = append(asked, s)
				queries = append(queries, s.mod+"@"+s.versions[(s.lo+s.hi)/2])
			}
		}
		if len(queries) == 0 {
			break
		}
		infos, err := q.query(ctx, nil, queries)
		if err != nil {
			return err
		}
		for i, s := range asked {
			mid := (s.lo + s.hi) / 2
			if in := infos[i]; in.Error == nil && in.Time != nil && in.Time.After(q.date) {
				s.hi = mid
			} else {
				s.lo = mid
			}
		}
	}
	for _, s := range open {
		v, err := q.fitting(ctx, s.mod, s.versions, s.lo, need[s.mod])
		if err != nil {
			return err
		}
		q.found[s.mod] = module.Version{Path: s.mod, Version: v}
	}
	// Modules without releases have the one pseudo-version that is offered.
	infos, err = q.query(ctx, nil, suffixed(plain, "@latest"))
	if err != nil {
		return err
	}
	for i, in := range infos {
		if in.Error != nil {
			q.notes = append(q.notes, fmt.Sprintf("%s cannot be had: %s", plain[i], firstLine(in.Error.Err)))
			continue
		}
		q.found[plain[i]] = module.Version{Path: in.Path, Version: in.Version}
		if in.Time != nil && in.Time.After(q.date) {
			q.notes = append(q.notes, fmt.Sprintf("%s has no release from before %s; took %s", plain[i], q.date.Format(time.DateOnly), in.Version))
		}
	}
	return nil
}

// tries bounds how many releases of a module are downloaded in search of one
// that has the packages that the code imports.
const tries = 12

// fitting returns the release of a module that was there at the time, or the
// nearest to it that has the packages that are needed. at is the place of the
// first choice among the listed versions.
func (q *resolver) fitting(ctx context.Context, mod string, versions []string, at int, need []string) (string, error) {
	candidates := []string{versions[at]}
	for d := 1; d < len(versions) && len(candidates) < tries; d++ {
		if at+d < len(versions) {
			candidates = append(candidates, versions[at+d])
		}
		if at-d >= 0 {
			candidates = append(candidates, versions[at-d])
		}
	}
	if at == 0 {
		// A proxy's list can be partial, and its oldest may be from later.
		more, err := q.unlisted(ctx, mod, versions[0])
		if err != nil {
			return "", err
		}
		candidates = append(more, candidates...)
	}
	if len(need) == 0 {
		return candidates[0], nil
	}
	for _, v := range candidates[:min(len(candidates), tries)] {
		if q.holds(ctx, mod, v, need) {
			return v, nil
		}
	}
	return candidates[0], nil
}

// holds says whether a release has packages, given by import path.
func (q *resolver) holds(ctx context.Context, mod, version string, need []string) bool {
	out, err := q.run.Run(ctx, q.dir, "mod", "download", "-json", mod+"@"+version)
	var d struct{ Dir string }
	if err != nil || json.Unmarshal(out, &d) != nil || d.Dir == "" {
		return false
	}
	for _, imp := range need {
		found, _ := filepath.Glob(filepath.Join(d.Dir, filepath.FromSlash(strings.TrimPrefix(imp, mod)), "*.go"))
		if len(found) == 0 {
			return false
		}
	}
	return true
}

// unlisted looks for releases before the oldest that a proxy lists, if that
// is from later than the repository: by distance from its time, those before
// it first. There are none when the list is whole.
func (q *resolver) unlisted(ctx context.Context, mod, oldest string) ([]string, error) {
	infos, err := q.query(ctx, nil, []string{mod + "@" + oldest})
	if err != nil || infos[0].Error != nil || infos[0].Time == nil || !infos[0].Time.After(q.date) {
		return nil, err
	}
	var major, minor, patch int
	if n, _ := fmt.Sscanf(semver.Canonical(oldest), "v%d.%d.%d", &major, &minor, &patch); n != 3 {
		return nil, nil
	}
	var queries []string
	for p := patch - 1; p >= 0; p-- {
		queries = append(queries, fmt.Sprintf("%s@v%d.%d.%d", mod, major, minor, p))
	}
	for m := minor - 1; m >= max(minor-3, 0); m-- {
		for p := 19; p >= 0; p-- {
			queries = append(queries, fmt.Sprintf("%s@v%d.%d.%d", mod, major, m, p))
		}
	}
	if infos, err = q.query(ctx, nil, queries); err != nil {
		return nil, err
	}
	infos = slices.DeleteFunc(infos, func(in info) bool { return in.Error != nil || in.Time == nil })
	slices.SortFunc(infos, func(a, b info) int {
		if x, y := a.Time.After(q.date), b.Time.After(q.date); x != y {
			if x {
				return 1
			}
			return -1
		}
		return cmp.Or(cmp.Compare(a.Time.Sub(q.date).Abs(), b.Time.Sub(q.date).Abs()), semver.Compare(b.Version, a.Version))
	})
	var out []string
	for _, in := range infos {
		out = append(out, in.Version)
	}
	return out, nil
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

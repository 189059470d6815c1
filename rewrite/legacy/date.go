package legacy

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/etcdshift/etcdshift/rewrite/deps"
)

//go:generate go run ./gen

// commitsTSV has commits of modules by their pseudo-versions; see gen.
//
//go:embed commits.tsv
var commitsTSV string

// commits returns the known pseudo-versions of a module, oldest first.
var commits = sync.OnceValue(func() map[string][]string {
	by := map[string][]string{}
	for line := range strings.Lines(commitsTSV) {
		if mod, v, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			by[mod] = append(by[mod], v)
		}
	}
	return by
})

// search looks for the newest release of a module that was there at a time.
type search struct {
	mod      string
	releases []string // ascending
	lo, hi   int      // the answer is in releases[lo:hi]

	candidates []string
	first      *info // the candidate that is taken
	done       bool
	words      string // why one cannot be had
}

// byDate finds for each module the version that was there at the time of the
// repository's last commit, else the nearest to it, that has the packages of
// need.
func (q *resolver) byDate(ctx context.Context, mods []string, need map[string][]string) error {
	infos, err := q.query(ctx, []string{"-versions"}, mods)
	if err != nil {
		return err
	}
	var open []*search
	for i, in := range infos {
		if v := q.etcdAt(ctx, mods[i]); v != "" {
			q.found[mods[i]] = module.Version{Path: mods[i], Version: v}
			continue
		}
		vs := slices.DeleteFunc(in.Versions, func(v string) bool { return semver.Prerelease(v) != "" })
		open = append(open, &search{mod: mods[i], releases: vs, lo: -1, hi: len(vs)})
	}
	// All searches go on in step, so that each round is one go command.
	for {
		var queries []string
		var asked []*search
		for _, s := range open {
			if s.hi-s.lo > 1 {
				asked = append(asked, s)
				queries = append(queries, s.mod+"@"+s.releases[(s.lo+s.hi)/2])
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
			switch in := infos[i]; {
			case in.Moved, in.Error == nil && in.Time != nil && in.Time.After(q.date):
				s.hi = mid
			case in.Error != nil: // listed, and cannot be had
				s.releases = slices.Delete(s.releases, mid, mid+1)
				s.hi--
			default:
				s.lo = mid
			}
		}
	}
	if err := q.later(ctx, open); err != nil {
		return err
	}
	if err := q.fitting(ctx, slices.Clone(open), need); err != nil {
		return err
	}
	for _, s := range open {
		switch in := s.first; {
		case in == nil:
			q.missing = append(q.missing, fmt.Sprintf("%s cannot be had: %s", s.mod, firstLine(s.words)))
		case in.Time != nil && in.Time.After(q.date):
			q.younger = append(q.younger, s.mod+"@"+in.Version)
		}
	}
	return nil
}

// ahead is how many releases above the one that was found are looked at again:
// releases of old lines are made, and tags moved, long after newer ones.
const ahead = 6

// later goes on from where each search ended to a newer release of the time,
// if there is one close by.
func (q *resolver) later(ctx context.Context, open []*search) error {
	var queries []string
	type place struct {
		s  *search
		at int
	}
	var places []place
	for _, s := range open {
		for at := s.lo + 1; at < min(s.lo+1+ahead, len(s.releases)); at++ {
			places = append(places, place{s, at})
			queries = append(queries, s.mod+"@"+s.releases[at])
		}
	}
	infos, err := q.query(ctx, nil, queries)
	if err != nil {
		return err
	}
	for i, p := range places {
		if in := infos[i]; in.Error == nil && in.Time != nil && !in.Time.After(q.date) {
			p.s.lo = p.at
		}
	}
	return nil
}

// etcdAt returns the version of an old etcd module at the time of the
// repository's last commit, if that is a release: the newest have tags that
// are no versions of its path, and no list names those.
func (q *resolver) etcdAt(ctx context.Context, mod string) string {
	if m, ok := etcdModule(mod); !ok || m != mod {
		return ""
	}
	v := deps.ReleaseOf(mod, module.PseudoVersion("v0", "", q.date, "000000000000"))
	if v == "" {
		return ""
	}
	infos, err := q.query(ctx, nil, []string{mod + "@" + deps.Requirable(mod, v)})
	if err != nil || infos[0].Error != nil {
		return ""
	}
	return infos[0].Version
}

// tries bounds how many versions of a module are downloaded in search of one
// that has the packages that the code imports.
const tries = 12

// fitting sets the versions of modules: of each the first candidate that can be
// had and has the packages that are needed, else the first that can be had.
func (q *resolver) fitting(ctx context.Context, open []*search, need map[string][]string) error {
	for _, s := range open {
		list, err := q.candidates(ctx, s)
		if err != nil {
			return err
		}
		s.candidates = list[:min(len(list), tries)]
	}
	for round := 0; ; round++ {
		open = slices.DeleteFunc(open, func(s *search) bool { return s.done || round == len(s.candidates) })
		if len(open) == 0 {
			break
		}
		var queries []string
		for _, s := range open {
			queries = append(queries, s.mod+"@"+s.candidates[round])
		}
		infos, err := q.query(ctx, nil, queries)
		if err != nil {
			return err
		}
		var looked []module.Version
		for i, s := range open {
			if in := infos[i]; in.Error == nil && len(need[s.mod]) > 0 {
				looked = append(looked, module.Version{Path: in.Path, Version: in.Version})
			}
		}
		q.download(ctx, looked...)
		for i, s := range open {
			in := infos[i]
			if in.Error != nil {
				s.words = in.Error.Err
				continue
			}
			v := module.Version{Path: in.Path, Version: in.Version}
			s.done = q.holds(v, need[s.mod])
			if s.first == nil || s.done {
				s.first = &in
				q.found[s.mod] = v
			}
		}
	}
	return nil
}

// candidates lists versions of a module, best first: the release of the time
// and those around it; where there was none, commits of before, then what
// came after.
func (q *resolver) candidates(ctx context.Context, s *search) ([]string, error) {
	var before, after []string // commits, nearest first
	for _, v := range commits()[s.mod] {
		switch t, err := module.PseudoVersionTime(v); {
		case err != nil || !strings.HasPrefix(v, "v0.0.0-"): // after a release, which is in the list
		case t.After(q.date):
			after = append(after, v)
		default:
			before = append([]string{v}, before...)
		}
	}
	var out []string
	at := s.lo
	if at < 0 {
		out = before
		if len(out) == 0 && len(s.releases) > 0 {
			// A proxy's list can be partial, and its oldest may be from later.
			more, err := q.unlisted(ctx, s.mod, s.releases[0])
			if err != nil {
				return nil, err
			}
			out = more
		}
		out = append(out, after...)
		at = 0
	}
	for d := 0; d < max(len(s.releases), 1); d++ {
		if at+d < len(s.releases) {
			out = append(out, s.releases[at+d])
		}
		if d > 0 && at-d >= 0 {
			out = append(out, s.releases[at-d])
		}
	}
	if v := deps.LastOwnPath(s.mod); v != "" {
		out = append(out, v)
	}
	if len(s.releases) == 0 {
		out = append(out, "latest")
	}
	return out, nil
}

// holds says whether a downloaded module has packages, given by import path.
func (q *resolver) holds(v module.Version, need []string) bool {
	dir := q.dirs[v]
	return len(need) == 0 || dir != "" && !slices.ContainsFunc(need, func(imp string) bool {
		found, _ := filepath.Glob(filepath.Join(dir, filepath.FromSlash(strings.TrimPrefix(imp, v.Path)), "*.go"))
		return len(found) == 0
	})
}

// download brings modules into the module cache and notes their folders.
func (q *resolver) download(ctx context.Context, versions ...module.Version) {
	args := []string{"mod", "download", "-json"}
	n := len(args)
	for _, v := range versions {
		if _, done := q.dirs[v]; !done {
			q.dirs[v] = ""
			args = append(args, v.Path+"@"+v.Version)
		}
	}
	if len(args) == n {
		return
	}
	out, _ := q.run.Run(ctx, q.dir, args...) // one that fails says so in its own object
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for dec.More() {
		var d struct{ Path, Version, Dir string }
		if dec.Decode(&d) != nil {
			break
		}
		q.dirs[module.Version{Path: d.Path, Version: d.Version}] = d.Dir
	}
}

// unlisted looks for releases before the oldest that a proxy lists, if that
// is from later than the repository: by distance from its time, those before
// it first. There are none when the list is whole.
func (q *resolver) unlisted(ctx context.Context, mod, oldest string) ([]string, error) {
	var major, minor, patch int
	if n, _ := fmt.Sscanf(semver.Canonical(oldest), "v%d.%d.%d", &major, &minor, &patch); n != 3 {
		return nil, nil
	}
	var queries []string
	for p := patch - 1; p >= 0; p-- {
		queries = append(queries, fmt.Sprintf("%s@v%d.%d.%d", mod, major, minor, p))
	}
	for m := minor - 1; m >= max(minor-3, 0); m-- {
		for p := 9; p >= 0; p-- {
			queries = append(queries, fmt.Sprintf("%s@v%d.%d.%d", mod, major, m, p))
		}
	}
	infos, err := q.query(ctx, nil, queries)
	if err != nil {
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

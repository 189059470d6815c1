package legacy

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/etcdshift/etcdshift/rewrite/deps"
	"github.com/etcdshift/etcdshift/rewrite/gocmd"
)

// resolver turns what a lock says into module versions, by asking the go
// command in a scratch module.
type resolver struct {
	run    *gocmd.Runner
	dir    string
	date   time.Time                 // of what is looked for: the lock, or the code
	vendor string                    // folder of vendored packages, there or not
	pins   map[string]pin            // by module path
	found  map[string]module.Version // by module path
	forks  map[string]module.Version // what a lock has instead of a module
	dirs   map[module.Version]string // of downloaded modules; "" for one that cannot be had
	asked  map[string]bool           // packages that modules were looked for

	vendored []module.Version // taken from the vendor folder
	unlocked []string         // modules that cannot be had as they were locked
	younger  []string         // modules with no known version of the time
	missing  []string         // what cannot be had at all, and why
}

func newResolver(run *gocmd.Runner, dir string) *resolver {
	return &resolver{
		run: run.With("GOWORK=off"), dir: dir,
		pins: map[string]pin{}, found: map[string]module.Version{}, forks: map[string]module.Version{},
		dirs: map[module.Version]string{}, asked: map[string]bool{},
	}
}

// info is what go list -m says of a module.
type info struct {
	Path, Version string
	Versions      []string
	Time          *time.Time
	GoMod         string
	Error         *moduleError
	Moved         bool // it calls itself something else by now
}

type moduleError struct{ Err string }

// query asks for several modules at once. A module that cannot be had, or not
// by this path, has an Error; the answers are in the order of the queries.
func (q *resolver) query(ctx context.Context, flags []string, queries []string) ([]info, error) {
	infos, err := q.ask(ctx, flags, queries)
	for i, in := range infos {
		if in.Error != nil || in.GoMod == "" {
			continue
		}
		if data, err := os.ReadFile(in.GoMod); err == nil {
			if p := modfile.ModulePath(data); p != "" && p != in.Path {
				infos[i].Moved = true
				infos[i].Error = &moduleError{fmt.Sprintf("%s@%s declares its path as %s", in.Path, in.Version, p)}
			}
		}
	}
	return infos, err
}

// ask is query for modules that may call themselves anything.
func (q *resolver) ask(ctx context.Context, flags []string, queries []string) ([]info, error) {
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

// open finds modules for packages that no lock names.
func (q *resolver) open(ctx context.Context, imps []string) error {
	todo := map[string][]string{} // candidate module path → packages
	why := map[string]string{}    // package → what the go command says of its first candidate
	for _, imp := range imps {
		mod := repoRoot(imp)
		if m, ok := etcdModule(imp); ok {
			mod = m
		}
		if _, ok := q.found[mod]; ok {
			mod = imp // it is not in that one
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
			if len(in.Versions) > 0 || latest[i].Error == nil || deps.LastOwnPath(mods[i]) != "" || len(commits()[mods[i]]) > 0 {
				dated = append(dated, mods[i])
				continue
			}
			for _, imp := range todo[mods[i]] {
				why[imp] = cmp.Or(why[imp], firstLine(latest[i].Error.Err))
			}
			if p := parent(mods[i]); p != "" {
				if !q.covers(p) {
					next[p] = append(next[p], todo[mods[i]]...)
				}
			} else {
				imp := todo[mods[i]][0]
				q.missing = append(q.missing, fmt.Sprintf("no module holds %s: %s", imp, why[imp]))
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

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

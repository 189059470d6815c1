package legacy

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/etcdshift/etcdshift/rewrite/deps"
)

// locked finds the versions of what a lock pins: the tag, else the commit,
// else a version of the time.
func (q *resolver) locked(ctx context.Context, pins []pin, etcdRelease string, imports map[string]bool) error {
	byMod := q.pins
	for _, p := range pins {
		mod := repoRoot(p.path)
		if m, ok := etcdModule(p.path); ok {
			mod = m
			if v := cmp.Or(p.version, etcdRelease); v != "" {
				p.version = deps.Requirable(m, v)
			}
		}
		if old, ok := byMod[mod]; !ok || old.version == "" {
			byMod[mod] = p
		}
	}
	left := sortedKeys(byMod)
	for round := 0; ; round++ {
		var queries, asked []string
		for _, mod := range left {
			if _, ok := q.found[mod]; !ok {
				if names := byMod[mod].names(mod); round < len(names) {
					asked, queries = append(asked, mod), append(queries, mod+"@"+names[round])
				}
			}
		}
		if len(queries) == 0 {
			break
		}
		infos, err := q.query(ctx, nil, queries)
		if err != nil {
			return err
		}
		for i, in := range infos {
			if in.Error == nil {
				q.found[asked[i]] = module.Version{Path: in.Path, Version: in.Version}
			}
		}
	}
	if err := q.kubernetes(ctx); err != nil {
		return err
	}
	left = slices.DeleteFunc(left, func(mod string) bool {
		_, ok := q.found[mod]
		return ok || byMod[mod].version+byMod[mod].revision == ""
	})
	// A fork has commits that the module itself has not.
	var forks, forkMods []string
	for _, mod := range left {
		if p := byMod[mod]; p.source != "" && p.source != mod && p.revision != "" {
			forkMods, forks = append(forkMods, mod), append(forks, p.source+"@"+p.revision)
		}
	}
	infos, err := q.ask(ctx, nil, forks)
	if err != nil {
		return err
	}
	for i, in := range infos {
		if in.Error == nil {
			q.forks[forkMods[i]] = module.Version{Path: in.Path, Version: in.Version}
		}
	}
	need := map[string][]string{}
	for _, mod := range left {
		if _, ok := q.forks[mod]; !ok {
			q.unlocked = append(q.unlocked, mod+"@"+cmp.Or(byMod[mod].revision, byMod[mod].version))
		}
		for _, imp := range sortedKeys(imports) {
			if own(imp, mod) {
				need[mod] = append(need[mod], imp)
			}
		}
	}
	return q.byDate(ctx, left, need)
}

// names lists what a pinned version can be asked for by, best first.
func (p pin) names(mod string) []string {
	var out []string
	switch v := p.version; {
	case semver.IsValid(v):
		out = append(out, v)
	case semver.IsValid("v" + v): // a tag that the go command does not see may have one beside it that it does
		out = append(out, "v"+v)
	case kubernetesTag(v) != "":
		out = append(out, kubernetesTag(v))
	}
	if len(p.revision) >= 12 {
		for _, v := range commits()[mod] {
			if strings.HasSuffix(v, "-"+p.revision[:12]) {
				out = append(out, v)
			}
		}
	}
	if p.revision != "" {
		out = append(out, p.revision)
	}
	return out
}

// kubernetesTag returns the version of the libraries of a Kubernetes release,
// "v0.17.3" for the tag "kubernetes-1.17.3"; "" for other tags.
func kubernetesTag(tag string) string {
	rest, ok := strings.CutPrefix(tag, "kubernetes-1.")
	if v := "v0." + rest; ok && semver.IsValid(v) {
		return v
	}
	return ""
}

// kubernetesFirst are the first releases of the libraries of Kubernetes that
// go.mod can name, oldest first; until 0.18 their API stayed much the same.
var kubernetesFirst = []string{"v0.15.7", "v0.15.12", "v0.16.4", "v0.16.8", "v0.17.0", "v0.17.4"}

// kubernetes takes the nearest release for the libraries of Kubernetes that
// are locked at one from before their tags were versions: the same for all,
// as they only go together.
func (q *resolver) kubernetes(ctx context.Context) error {
	byMod := q.pins
	var mods []string
	for _, mod := range sortedKeys(byMod) {
		if _, ok := q.found[mod]; !ok && kubernetesTag(byMod[mod].version) != "" {
			mods = append(mods, mod)
		}
	}
	if len(mods) == 0 {
		return nil
	}
	for _, v := range kubernetesFirst {
		if semver.Compare(v, kubernetesTag(byMod[mods[0]].version)) < 0 {
			continue
		}
		infos, err := q.query(ctx, nil, suffixed(mods, "@"+v))
		if err != nil {
			return err
		}
		if slices.ContainsFunc(infos, func(in info) bool { return in.Error != nil }) {
			continue
		}
		for _, in := range infos {
			q.found[in.Path] = module.Version{Path: in.Path, Version: in.Version}
			q.unlocked = append(q.unlocked, fmt.Sprintf("%s@%s (took %s)", in.Path, byMod[in.Path].version, v))
		}
		return nil
	}
	return nil
}

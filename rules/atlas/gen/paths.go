package main

import (
	"fmt"
	"path"
	"sort"
	"strings"
)

var targetLines = []string{"3.5", "3.6", "3.7"}

// oldRoots are the module roots of one-module etcd that the tables are made from.
var oldRoots = []string{"github.com/coreos/etcd", "go.etcd.io/etcd/v3", "go.etcd.io/etcd"}

// A homeRule is a line of homes.tsv.
type homeRule struct {
	rel  string
	tree bool
	home [3]string
	note string
}

func (g *gen) homeRules() ([]homeRule, error) {
	rows, err := g.lines("homes.tsv")
	if err != nil {
		return nil, err
	}
	var rules []homeRule
	for _, r := range rows {
		if len(r) < 4 {
			return nil, fmt.Errorf("homes.tsv: %q: want rel, three homes and a note", strings.Join(r, " "))
		}
		h := homeRule{}
		h.rel, h.tree = strings.CutSuffix(r[0], "/...")
		for i, c := range r[1:4] {
			if c == "=" && i > 0 {
				c = h.home[i-1]
			}
			h.home[i] = c
		}
		if len(r) > 4 {
			h.note = r[4]
		}
		rules = append(rules, h)
	}
	return rules, nil
}

// find returns the homes of rel by the most specific rule: an exact line before
// a tree, a longer tree before a shorter one.
func findHome(rules []homeRule, rel string) (home [3]string, note string, rule int) {
	rule = -1
	best := -1
	for i, r := range rules {
		n := len(r.rel) * 2
		switch {
		case !r.tree && r.rel == rel:
			n++
		case r.tree && (r.rel == rel || strings.HasPrefix(rel, r.rel+"/")):
		default:
			continue
		}
		if n > best {
			best, rule = n, i
		}
	}
	if rule < 0 {
		return
	}
	r := rules[rule]
	home, note = r.home, r.note
	if r.tree {
		below := strings.TrimPrefix(strings.TrimPrefix(rel, r.rel), "/")
		for i, h := range home {
			if h != "-" {
				home[i] = path.Join(strings.TrimSuffix(h, "/..."), below)
			}
		}
	}
	return home, note, rule
}

// A place is one package of etcd under its canonical name, with its homes.
type place struct {
	rel, name string   // name in the old layout, or in the first split release
	seen      []string // labels of the old releases that have it
	home      [3]*pkg  // nil: gone
	note      string
}

// atlasPaths works out the canonical package names, their homes, and the
// canonical name behind each import path of the split layout.
func (g *gen) atlasPaths() (places map[string]*place, split map[string]string, err error) {
	if err := g.load(); err != nil {
		return nil, nil, err
	}
	rules, err := g.homeRules()
	if err != nil {
		return nil, nil, err
	}
	used := make([]bool, len(rules))
	var targets [3]*release
	for _, r := range g.releases {
		for i, l := range targetLines {
			if r.line() == l {
				targets[i] = r
			}
		}
	}
	for i, t := range targets {
		if t == nil {
			return nil, nil, fmt.Errorf("modules.txt has no release of %s", targetLines[i])
		}
	}
	// client v2 ends with 2.305: what the newest release has stays the home.
	lookup := func(line int, p string) *pkg {
		for i := line; i >= 0; i-- {
			if q := targets[i].pkgs[p]; q != nil && (i == line || q.mod.Path == "go.etcd.io/etcd/client/v2") {
				return q
			}
		}
		return nil
	}

	places = map[string]*place{}
	for _, r := range g.releases {
		for _, p := range sorted(r.pkgs) {
			rel, ok := oldRel(r.pkgs[p])
			if !ok {
				continue
			}
			if r.pkgs[p].name == "main" {
				// Commands are known only where homes.tsv gives them a home.
				if _, _, i := findHome(rules, rel); i < 0 || rules[i].tree {
					continue
				}
			}
			pl := places[rel]
			if pl == nil {
				pl = &place{rel: rel}
				places[rel] = pl
			}
			pl.name = r.pkgs[p].name
			pl.seen = append(pl.seen, r.label)
		}
	}
	for _, rel := range sorted(places) {
		pl := places[rel]
		home, note, i := findHome(rules, rel)
		if i < 0 {
			return nil, nil, fmt.Errorf("%s of etcd %s has no line in homes.tsv", rel, strings.Join(pl.seen, ", "))
		}
		used[i] = true
		pl.note = note
		for l, h := range home {
			if h == "-" {
				continue
			}
			if pl.home[l] = lookup(l, h); pl.home[l] == nil {
				return nil, nil, fmt.Errorf("homes.tsv: home of %s in %s: the modules have no package %s", rel, targetLines[l], h)
			}
		}
	}

	// The names behind the split layout: the home of an old package carries its
	// name; where several old packages went to one home, the newest.
	split = map[string]string{}
	rank := func(pl *place) string {
		last := -1
		for i, r := range g.releases {
			if len(pl.seen) > 0 && r.label == pl.seen[len(pl.seen)-1] {
				last = i
			}
		}
		return fmt.Sprintf("%03d %03d", last, len(pl.seen))
	}
	for l := range targetLines {
		claimed := map[string]*place{}
		for _, rel := range sorted(places) {
			pl := places[rel]
			if pl.home[l] == nil {
				continue
			}
			p := pl.home[l].path
			if have := claimed[p]; have == nil || rank(pl) > rank(have) {
				claimed[p] = pl
			}
		}
		for p, pl := range claimed {
			if _, ok := split[p]; !ok {
				split[p] = pl.rel
			}
		}
	}
	inTarget := func(p string) bool {
		for l := range targetLines {
			if lookup(l, p) != nil {
				return true
			}
		}
		return false
	}
	for _, r := range g.releases {
		for _, p := range sorted(r.pkgs) {
			q := r.pkgs[p]
			if _, old := oldRel(q); old || q.name == "main" {
				continue
			}
			if _, ok := split[p]; ok {
				continue
			}
			mod, below, _ := splitModule(p)
			if !inTarget(p) {
				// A package of a pre-release that has moved since: its name in old
				// etcd tells which.
				for _, c := range []string{path.Join(mod, below), below} {
					if places[c] != nil && places[c].name == q.name {
						split[p] = c
						break
					}
				}
				if _, ok := split[p]; ok {
					continue
				}
			}
			rel := path.Join(mod, below)
			if pl := places[rel]; pl != nil {
				split[p] = rel // the same new package, in a line where it has moved
				continue
			}
			home, note, i := findHome(rules, rel)
			pl := &place{rel: rel, name: q.name, note: note}
			if i >= 0 && rules[i].rel == rel && !rules[i].tree {
				used[i] = true
				for l, h := range home {
					if h == "-" {
						continue
					}
					if pl.home[l] = lookup(l, h); pl.home[l] == nil {
						return nil, nil, fmt.Errorf("homes.tsv: home of %s in %s: the modules have no package %s", rel, targetLines[l], h)
					}
					if _, ok := split[pl.home[l].path]; !ok {
						split[pl.home[l].path] = rel
					}
				}
			} else {
				pl.note = ""
				for l := range targetLines {
					pl.home[l] = lookup(l, p)
				}
			}
			places[rel] = pl
			split[p] = rel
		}
	}
	for i, r := range rules {
		if !used[i] {
			return nil, nil, fmt.Errorf("homes.tsv: no package of the modules matches %s", r.rel)
		}
	}
	return places, split, nil
}

// oldRel is the path of a package below the old module root.
func oldRel(p *pkg) (string, bool) {
	for _, root := range oldRoots {
		if p.mod.Path == root {
			if p.path == root {
				return ".", true
			}
			return strings.TrimPrefix(p.path, root+"/"), true
		}
	}
	return "", false
}

// splitModule cuts an import path of the split layout: the module without
// go.etcd.io/etcd and the major version, and the path below the module.
func splitModule(p string) (mod, below string, ok bool) {
	s := strings.TrimPrefix(strings.TrimPrefix(p, "go.etcd.io/etcd/"), "go.etcd.io/")
	elems := strings.Split(s, "/")
	for i, e := range elems {
		if e == "v2" || e == "v3" {
			return strings.Join(elems[:i], "/"), strings.Join(elems[i+1:], "/"), true
		}
	}
	return "", s, false
}

func (g *gen) writePaths() error {
	places, split, err := g.atlasPaths()
	if err != nil {
		return err
	}
	var rows [][]string
	for _, rel := range sorted(places) {
		pl := places[rel]
		row := []string{rel, pl.name, strings.Join(pl.seen, ",")}
		for l, h := range pl.home {
			switch {
			case h == nil:
				row = append(row, "-")
			case l > 0 && pl.home[l-1] != nil && pl.home[l-1].path == h.path && pl.home[l-1].name == h.name:
				row = append(row, "=")
			default:
				row = append(row, h.path+" "+h.name+" "+h.mod.Path)
			}
		}
		rows = append(rows, append(row, pl.note))
	}
	if err := g.write("paths.tsv", "path below the old root, package name, old releases that have it; home, name and module in 3.5, 3.6, 3.7 (= as to the left, - gone); note", rows); err != nil {
		return err
	}
	rows = nil
	names := map[string]string{}
	for _, r := range g.releases {
		for p, q := range r.pkgs {
			names[p] = q.name
		}
	}
	for _, p := range sorted(split) {
		rows = append(rows, []string{p, split[p], names[p]})
	}
	if err := g.write("split.tsv", "import path of the split layout, path below the old root, package name", rows); err != nil {
		return err
	}
	return g.writeNames()
}

// writeNames writes the package names of the modules of packages.txt.
func (g *gen) writeNames() error {
	ms, err := g.extraModules()
	if err != nil {
		return err
	}
	names := map[string]string{}
	for _, m := range ms {
		pkgs := map[string]*pkg{}
		if err := m.scan(pkgs); err != nil {
			return err
		}
		for p, q := range pkgs {
			if names[p] == "" && q.name != "main" {
				names[p] = q.name
			}
		}
	}
	var rows [][]string
	for _, p := range sorted(names) {
		rows = append(rows, []string{p, names[p]})
	}
	sort.SliceStable(rows, func(i, j int) bool { return rows[i][0] < rows[j][0] })
	return g.write("names.tsv", "import path, package name", rows)
}

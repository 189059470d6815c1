package deps

import (
	"context"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// moduleGraph is what the modules of the plan require.
type moduleGraph struct {
	build []module.Version            // selected versions by path, the main module left out
	by    map[module.Version][]string // module → those that require it
}

// moduleGraph returns the graph of the plan as it was last written. "go list -m
// all" would say what is selected too, in a second run of the go command.
func (s *solver) moduleGraph(ctx context.Context) (*moduleGraph, error) {
	if s.graph != nil {
		return s.graph, nil
	}
	out, err := s.Go.Run(ctx, s.Dir, append([]string{"mod", "graph"}, s.overlayFlags()...)...)
	if err != nil {
		return nil, err
	}
	g := &moduleGraph{by: map[module.Version][]string{}}
	selected := map[string]string{}
	for line := range strings.Lines(string(out)) {
		from, to, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			continue
		}
		p, v, _ := strings.Cut(to, "@")
		k := module.Version{Path: p, Version: v}
		if !slices.Contains(g.by[k], from) {
			g.by[k] = append(g.by[k], from)
		}
		if p != "go" && p != "toolchain" && (selected[p] == "" || semver.Compare(v, selected[p]) > 0) {
			selected[p] = v
		}
	}
	delete(selected, s.before.Module.Mod.Path)
	for _, p := range sortedKeys(selected) {
		g.build = append(g.build, module.Version{Path: p, Version: selected[p]})
	}
	s.graph = g
	return g, nil
}

// requirers returns who requires each module version in the plan's graph; nil
// if there is no telling.
func (s *solver) requirers(ctx context.Context) map[module.Version][]string {
	g, err := s.moduleGraph(ctx)
	if err != nil {
		return nil
	}
	return g.by
}

package deps

import (
	"slices"
	"strings"

	"github.com/etcdshift/etcdshift/rules/atlas"
)

// isOldRoot reports whether a module path is an etcd from before its modules
// were split.
func isOldRoot(path string) bool { return slices.Contains(atlas.OldRoots(), path) }

// isSplit reports whether a module is one of those that share etcd's release.
// raft, on its own since 3.6, is not.
func isSplit(path string) bool {
	return strings.HasPrefix(path, "go.etcd.io/etcd/") && atlas.IsEtcdModule(path) && !isOldRoot(path)
}

// moduleOf returns the module of today's etcd that has an import path.
func moduleOf(importPath string) (string, bool) {
	best := ""
	for _, m := range append(atlas.SplitModules(), bbolt) {
		if (importPath == m || strings.HasPrefix(importPath, m+"/")) && len(m) > len(best) {
			best = m
		}
	}
	return best, best != ""
}

// oldPackage reports whether an import path is a package of an old etcd.
func oldPackage(importPath string) bool {
	_, layout, ok := atlas.Canonical(importPath)
	return ok && layout != atlas.LayoutSplit
}

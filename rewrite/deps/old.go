package deps

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"

	"github.com/etcdshift/etcdshift/rewrite/gocmd"
)

// The pins that old etcd resolves and compiles with.
const (
	oldGRPC  = "v1.26.0" // the one version that every line from 3.2 to 3.4 compiles with
	lastGRPC = "v1.29.1" // the last with grpc/naming and the old balancer
	lastBolt = "v1.3.3"  // the last that calls itself github.com/coreos/bbolt
)

// OldModFile writes into scratch a go.mod, with go.sum beside it, with which
// a module on old etcd lists and type-checks again although its own go.mod no
// longer resolves: a copy with the versions of gRPC and bbolt that old etcd
// was made for. It is for reading the code with -modfile, never for the tree.
func OldModFile(ctx context.Context, run *gocmd.Runner, dir, scratch string) (string, error) {
	b, f, err := readMod(filepath.Join(dir, "go.mod"))
	if err != nil {
		return "", err
	}
	if f, err = parseMod("go.mod", b); err != nil {
		return "", err
	}
	replaced := map[string]bool{}
	for _, r := range f.Replace {
		replaced[r.Old.Path] = true
	}
	required := map[string]string{}
	for _, r := range f.Require {
		required[r.Mod.Path] = r.Mod.Version
	}

	// A require alone does not hold: what else asks for gRPC would raise it.
	grpc := oldGRPC
	if v := required[grpcPath]; semver.Compare(v, oldGRPC) > 0 && semver.Compare(v, lastGRPC) <= 0 {
		grpc = v
	}
	for _, r := range f.Replace {
		if r.Old.Path == grpcPath && r.New.Path == grpcPath && semver.Compare(r.New.Version, lastGRPC) > 0 {
			if err := f.DropReplace(r.Old.Path, r.Old.Version); err != nil {
				return "", err
			}
			replaced[grpcPath] = false
		}
	}
	// Split etcd has no use for it, and old etcd beside that is but a package or two.
	if !replaced[grpcPath] && required["go.etcd.io/etcd/client/v3"] == "" {
		if err := f.AddReplace(grpcPath, "", grpcPath, grpc); err != nil {
			return "", err
		}
	}
	if !replaced[coreosBolt] {
		if semver.Compare(required[coreosBolt], lastBolt) <= 0 {
			// No replace is needed for the versions with the old path, and one
			// to a version of go.etcd.io/bbolt that is also required fails.
			if err := f.AddRequire(coreosBolt, lastBolt); err != nil {
				return "", err
			}
		} else if err := f.AddReplace(coreosBolt, "", coreosBolt, lastBolt); err != nil {
			return "", err
		}
	}
	fixInvalid(f)
	f.Cleanup()
	sum, err := readOptional(filepath.Join(dir, "go.sum"))
	if err != nil {
		return "", err
	}
	if sum != nil {
		if err := os.WriteFile(filepath.Join(scratch, "go.sum"), sum, 0o666); err != nil {
			return "", err
		}
	}
	if run == nil {
		run = new(gocmd.Runner)
	}
	run = run.With("GOWORK=off")
	name := filepath.Join(scratch, "go.mod")
	standIns := map[string]bool{}
	for {
		f.Cleanup()
		out, err := f.Format()
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(name, out, 0o666); err != nil {
			return "", err
		}
		// Fills the copies, so that the next command can read them as they are.
		_, err = run.Run(ctx, dir, "list", "-mod=mod", "-modfile="+name, "-e", "-deps", "-test", "-f", "{{.ImportPath}}", "./...")
		if err == nil {
			return name, nil
		}
		// One module that cannot be had keeps the go command from reading any:
		// with an empty one in its place, only its packages are missing.
		text, changed := words(err), false
		for _, m := range unreachableRE.FindAllStringSubmatch(text, -1) {
			path, version := m[1], strings.TrimSuffix(m[2], "/go.mod")
			if standIns[path] || len(standIns) == maxStandIns {
				continue
			}
			standIns[path], changed = true, true
			if v := pseudoOf(path, version); v != "" && isOldRoot(path) {
				if err := f.AddReplace(path, version, "go.etcd.io/etcd", v); err != nil {
					return "", err
				}
				continue
			}
			d, _, err := makeStandIn(dir, scratch, path, "1.16")
			if err != nil {
				return "", err
			}
			for _, r := range slices.Clone(f.Replace) {
				if r.Old.Path == path {
					if err := f.DropReplace(path, r.Old.Version); err != nil {
						return "", err
					}
				}
			}
			if err := f.AddReplace(path, "", d, ""); err != nil {
				return "", err
			}
		}
		if !changed {
			return "", err
		}
	}
}

// fixInvalid puts a resolvable version where a requirement names a release of
// etcd as go.mod cannot: from 3.4 on its module path has no versions above 1,
// and only a replace, or nothing, stood for them.
func fixInvalid(f *modfile.File) {
	for _, r := range f.Require {
		replaced := slices.ContainsFunc(f.Replace, func(p *modfile.Replace) bool {
			return p.Old.Path == r.Mod.Path && (p.Old.Version == "" || p.Old.Version == r.Mod.Version)
		})
		if replaced || !isOldRoot(r.Mod.Path) || semver.Compare(r.Mod.Version, "v3.4.0") < 0 {
			continue
		}
		if v := pseudoOf(r.Mod.Path, r.Mod.Version); v != "" {
			f.AddReplace(r.Mod.Path, r.Mod.Version, "go.etcd.io/etcd", v)
		}
	}
}

// pseudoOf returns the pseudo-version of a release of etcd 3.4 that cannot be
// required by its tag.
func pseudoOf(path, version string) string {
	v := ReleaseOf(path, version)
	for _, t := range tags() {
		if t.version == v && semver.MajorMinor(v) == "v3.4" {
			return "v0.5.0-alpha.5.0." + t.time + "-" + t.commit
		}
	}
	return ""
}

// Requirable returns the version by which go.mod can require a release of an
// old etcd module.
func Requirable(path, release string) string {
	if path == "go.etcd.io/etcd" {
		return cmp.Or(pseudoOf(path, release), release)
	}
	return release
}

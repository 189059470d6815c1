package deps

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/gocmd"
)

// hasVendoredGo reports whether a module has a vendor folder of Go packages,
// of any tool's making: folders named by hosts.
func hasVendoredGo(dir string) bool {
	entries, err := os.ReadDir(filepath.Join(dir, "vendor"))
	return err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.IsDir() && strings.Contains(e.Name(), ".") })
}

// VendorDir makes the vendor folder of a plan beside the tree and returns
// where. A build uses it with -mod=vendor once it stands in the tree.
func VendorDir(ctx context.Context, req Request, res *Result) (string, error) {
	run := req.Go
	if run == nil {
		run = new(gocmd.Runner)
	}
	out := filepath.Join(req.Scratch, "vendor")
	if err := os.RemoveAll(out); err != nil {
		return "", err
	}
	args := []string{"mod", "vendor", "-modfile=" + res.ModFile, "-o=" + out}
	if req.OverlayFile != "" {
		args = append(args, "-overlay="+req.OverlayFile)
	}
	if _, err := run.With("GOWORK=off").Run(ctx, req.Dir, args...); err != nil {
		return "", err
	}
	return out, res.vendorAsPlanned(out)
}

// vendorAsPlanned takes what stood in for modules and packages out of a
// vendor folder: modules.txt has to agree with the planned go.mod.
func (r *Result) vendorAsPlanned(dir string) error {
	if len(r.Unreachable)+len(r.Missing) == 0 {
		return nil
	}
	name := filepath.Join(dir, "modules.txt")
	txt, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	planned, err := parseMod("go.mod", r.GoMod)
	if err != nil {
		return err
	}
	listed := map[string]bool{}
	for l := range strings.Lines(string(txt)) {
		if f := strings.Fields(l); len(f) > 2 && f[0] == "#" {
			listed[f[1]+" "+f[2]] = true
		}
	}
	// Requires that tidy let go with the stand-ins are in go.mod all the same.
	var kept []string
	for _, q := range planned.Require {
		if m := q.Mod.Path + " " + q.Mod.Version; !listed[m] {
			kept = append(kept, "# "+m+"\n## explicit\n")
		}
	}
	slices.Sort(kept)
	var out strings.Builder
	missing := false
	for l := range strings.Lines(string(txt)) {
		f := strings.Fields(l)
		if len(f) > 1 && f[0] == "#" {
			for len(kept) > 0 && kept[0] < l {
				out.WriteString(kept[0])
				kept = kept[1:]
			}
			missing = slices.Contains(r.Missing, f[1])
			if slices.Contains(r.Unreachable, f[1]) {
				if f[2] == "=>" {
					continue // the list of replaces at the end
				}
				l = strings.Join(f[:3], " ") + "\n"
			}
		}
		if !missing {
			out.WriteString(l)
		}
	}
	out.WriteString(strings.Join(kept, ""))
	for _, m := range r.Missing {
		if err := os.RemoveAll(filepath.Join(dir, filepath.FromSlash(m))); err != nil {
			return err
		}
	}
	return os.WriteFile(name, []byte(out.String()), 0o666)
}

// Vendor makes the vendor folder of a plan beside the tree and returns how
// the module's own differs from it, with paths relative to the module root.
// There are no changes when the module has no vendor folder that builds use.
func Vendor(ctx context.Context, req Request, res *Result) ([]edit.FileChange, error) {
	if own, _ := gocmd.Vendored(req.Dir); !own && !res.wakes {
		return nil, nil
	}
	made, err := VendorDir(ctx, req, res)
	if err != nil {
		return nil, err
	}
	return vendorChanges(req.Dir, made)
}

// vendorChanges returns how the vendor folder of a directory differs from one
// that was made beside the tree. Files beside the folders of modules are of
// no module, such as the lock files of govendor and gb, and stay.
func vendorChanges(dir, made string) ([]edit.FileChange, error) {
	before, err := list(filepath.Join(dir, "vendor"))
	if err != nil {
		return nil, err
	}
	after, err := list(made)
	if err != nil {
		return nil, err
	}
	var changes []edit.FileChange
	for _, name := range union(before, after) {
		c := edit.FileChange{Path: path.Join("vendor", name), Mode: before[name]}
		if c.Before, err = readListed(filepath.Join(dir, "vendor"), name, before); err != nil {
			return nil, err
		}
		if c.After, err = readListed(made, name, after); err != nil {
			return nil, err
		}
		if c.Deleted() && !strings.Contains(name, "/") && name != "modules.txt" {
			continue
		}
		if c.Before == nil {
			c.Mode = after[name]
		}
		// Files that only differ in how their lines end came from a checkout,
		// and "go mod vendor" in it would not see them as changed either.
		if !c.Empty() && !bytes.Equal(bytes.ReplaceAll(c.Before, []byte("\r\n"), []byte("\n")), c.After) || c.Created() || c.Deleted() {
			changes = append(changes, c)
		}
	}
	return changes, nil
}

// list returns the regular files below a folder, slash-separated, with their
// permissions. "go mod vendor" makes no others; links are left alone.
func list(dir string) (map[string]fs.FileMode, error) {
	files := map[string]fs.FileMode{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && name == dir {
			return nil // no package of another module: nothing to vendor
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		files[filepath.ToSlash(strings.TrimPrefix(name, dir+string(filepath.Separator)))] = info.Mode().Perm()
		return nil
	})
	return files, err
}

func readListed(dir, name string, listed map[string]fs.FileMode) ([]byte, error) {
	if _, ok := listed[name]; !ok {
		return nil, nil
	}
	return readOptional(filepath.Join(dir, filepath.FromSlash(name)))
}

func union[V any](a, b map[string]V) []string {
	keys := sortedKeys(a)
	for k := range b {
		if _, ok := a[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

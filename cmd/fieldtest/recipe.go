package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/etcdshift/etcdshift/rewrite/gocmd"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// recipeResult is what came of the plain recipe.
type recipeResult struct {
	Failed string   `json:"failed,omitempty"` // the go command's words where it came to no end
	After  measured `json:"after"`
}

// recipePaths is the table of the recipe: what is below an old root, and where
// it is from 3.5 on. Of two that fit, the longer one counts. It is as good as
// such tables get: every package that people import is in it, by the place
// that it has in the target.
func recipePaths(line atlas.Line) map[string]string {
	t := map[string]string{
		"client":                        "go.etcd.io/etcd/client/v2",
		"clientv3":                      "go.etcd.io/etcd/client/v3",
		"auth/authpb":                   "go.etcd.io/etcd/api/v3/authpb",
		"mvcc/mvccpb":                   "go.etcd.io/etcd/api/v3/mvccpb",
		"etcdserver/etcdserverpb":       "go.etcd.io/etcd/api/v3/etcdserverpb",
		"etcdserver/api/v3rpc/rpctypes": "go.etcd.io/etcd/api/v3/v3rpc/rpctypes",
		"version":                       "go.etcd.io/etcd/api/v3/version",
		"pkg":                           "go.etcd.io/etcd/pkg/v3",
		"embed":                         "go.etcd.io/etcd/server/v3/embed",
		"etcdserver":                    "go.etcd.io/etcd/server/v3/etcdserver",
		"mvcc":                          "go.etcd.io/etcd/server/v3/mvcc",
		"wal":                           "go.etcd.io/etcd/server/v3/wal",
		"lease":                         "go.etcd.io/etcd/server/v3/lease",
		"proxy/grpcproxy":               "go.etcd.io/etcd/server/v3/proxy/grpcproxy",
		"proxy/tcpproxy":                "go.etcd.io/etcd/server/v3/proxy/tcpproxy",
		"auth":                          "go.etcd.io/etcd/server/v3/auth",
		"raft":                          "go.etcd.io/etcd/raft/v3",
		"integration":                   "go.etcd.io/etcd/tests/v3/integration",
	}
	for _, p := range []string{"fileutil", "logutil", "pathutil", "srv", "systemd", "testutil", "tlsutil", "transport", "types"} {
		t["pkg/"+p] = "go.etcd.io/etcd/client/pkg/v3/" + p
	}
	if line != atlas.Line35 {
		t["raft"] = "go.etcd.io/raft/v3"
		t["mvcc"] = "go.etcd.io/etcd/server/v3/storage/mvcc"
		t["wal"] = "go.etcd.io/etcd/server/v3/storage/wal"
		t["integration"] = "go.etcd.io/etcd/tests/v3/framework/integration"
	}
	return t
}

var quotedOld = regexp.MustCompile(`"(?:github\.com/(?:coreos|etcd-io)/etcd|go\.etcd\.io/etcd/v3|go\.etcd\.io/etcd)/([^"\s]+)"`)

// replacePaths is the script of the recipe.
func replacePaths(src []byte, line atlas.Line) []byte {
	table := recipePaths(line)
	return quotedOld.ReplaceAllFunc(src, func(q []byte) []byte {
		if _, layout, _ := atlas.Canonical(strings.Trim(string(q), `"`)); layout == atlas.LayoutSplit {
			return q // moved already
		}
		below := string(quotedOld.FindSubmatch(q)[1])
		for dir := below; dir != "."; dir = path.Dir(dir) {
			if to, ok := table[dir]; ok {
				return []byte(`"` + to + strings.TrimPrefix(below, dir) + `"`)
			}
		}
		return q
	})
}

// cook follows the recipe in a work tree: replace the paths, forget what
// go.mod says of old etcd and of the gRPC that it needed, get the client, tidy,
// and vendor where there is a vendor folder.
func cook(ctx context.Context, root string, r repository, line atlas.Line) (res recipeResult, err error) {
	old, err := replaceTree(root, line)
	if err != nil {
		return res, err
	}
	run := (&gocmd.Runner{}).With("GOWORK=off")
	goRun := func(dir string, args ...string) (bool, error) {
		_, err := run.Run(ctx, filepath.Join(root, filepath.FromSlash(dir)), args...)
		if x := (*gocmd.Error)(nil); errors.As(err, &x) && ctx.Err() == nil {
			res.Failed = strings.ReplaceAll(x.Error(), root, ".")
			return false, nil
		}
		return err == nil, err
	}
	if len(old) == 0 {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			return res, errors.New("the recipe finds no old etcd in any module")
		}
		if ok, err := goRun(".", "mod", "init", "github.com/"+r.Repo); !ok {
			return res, err
		}
		old = []string{"."}
	}
	release := atlas.Newest(line)
	for _, dir := range old {
		steps, err := recipeSteps(filepath.Join(root, filepath.FromSlash(dir)), release)
		if err != nil {
			return res, err
		}
		for _, s := range steps {
			if ok, err := goRun(dir, s...); !ok {
				return res, err
			}
		}
	}
	res.After, err = measure(ctx, root)
	return res, err
}

// replaceTree runs the script over a tree and returns the modules with old
// etcd.
func replaceTree(root string, line atlas.Line) (old []string, err error) {
	if old, err = modules(root); err != nil {
		return nil, err
	}
	names, err := files(root, func(name string) bool { return path.Ext(name) == ".go" })
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		p := filepath.Join(root, filepath.FromSlash(name))
		src, err := os.ReadFile(p)
		if err != nil {
			return nil, err
		}
		if after := replacePaths(src, line); string(after) != string(src) {
			if err := os.WriteFile(p, after, 0o644); err != nil {
				return nil, err
			}
		}
	}
	return old, nil
}

// recipeSteps are the go commands of the recipe for one module.
func recipeSteps(dir, release string) ([][]string, error) {
	edits := []string{"mod", "edit", "-dropreplace=google.golang.org/grpc"}
	for _, r := range atlas.OldRoots() {
		edits = append(edits, "-droprequire="+r, "-dropreplace="+r)
	}
	data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return nil, err
	}
	f, err := modfile.Parse("go.mod", data, nil)
	if err != nil {
		return nil, err
	}
	for _, r := range f.Replace { // -dropreplace takes the version that a replacement is for
		if r.Old.Version != "" && (r.Old.Path == "google.golang.org/grpc" || slices.Contains(atlas.OldRoots(), r.Old.Path)) {
			edits = append(edits, "-dropreplace="+r.Old.Path+"@"+r.Old.Version)
		}
	}
	steps := [][]string{edits, append([]string{"get"}, gets(dir, release)...), {"mod", "tidy"}}
	if _, err := os.Stat(filepath.Join(dir, "vendor")); err == nil {
		steps = append(steps, []string{"mod", "vendor"})
	}
	return steps, nil
}

// gets are the modules of etcd to get: the client, and those of its release
// that the sources import now.
func gets(dir, release string) []string {
	found := map[string]bool{"go.etcd.io/etcd/client/v3": true}
	names, _ := files(dir, func(name string) bool { return path.Ext(name) == ".go" })
	for _, name := range names {
		for p := range importsOf(filepath.Join(dir, filepath.FromSlash(name))) {
			for _, m := range atlas.SplitModules() {
				if strings.HasPrefix(p+"/", m+"/") {
					found[m] = true
				}
			}
		}
	}
	var out []string
	for m := range found {
		out = append(out, m+"@"+cmp.Or(atlas.Companion(m, release), "latest"))
	}
	slices.Sort(out)
	return out
}

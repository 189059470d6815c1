package deps

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
	"golang.org/x/tools/txtar"

	"github.com/etcdshift/etcdshift/rewrite/gocmd"
)

// fileProxy makes a module proxy of files from archives named "path@version",
// and returns the environment that asks it before the real one. Its modules
// are private ones: the checksum database knows the real modules only. Each
// test has its own paths, below a domain that cannot exist, and they leave the
// module cache again: one of its own would mean to compile gRPC anew.
func fileProxy(t *testing.T, modules map[string]string) []string {
	t.Helper()
	root := t.TempDir()
	var private []string
	lists := map[string]string{}
	for name, archive := range modules {
		path, version, _ := strings.Cut(name, "@")
		m := module.Version{Path: path, Version: version}
		src := t.TempDir()
		var mod []byte
		for _, f := range txtar.Parse([]byte(archive)).Files {
			write(t, filepath.Join(src, f.Name), f.Data)
			if f.Name == "go.mod" {
				mod = f.Data
			}
		}
		esc, err := module.EscapePath(path)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(root, esc, "@v")
		write(t, filepath.Join(dir, version+".mod"), mod)
		write(t, filepath.Join(dir, version+".info"), fmt.Appendf(nil, `{"Version":%q,"Time":"2021-01-01T00:00:00Z"}`, version))
		z, err := os.Create(filepath.Join(dir, version+".zip"))
		if err != nil {
			t.Fatal(err)
		}
		if err := zip.CreateFromDir(z, m, src); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		lists[dir] += version + "\n"
		private = append(private, path)
	}
	cache := goEnv(t, "GOMODCACHE")
	forget := func() {
		for _, p := range private {
			if !strings.Contains(p, ".invalid/") {
				t.Fatalf("%s could be a real module", p)
			}
			dirs, _ := filepath.Glob(filepath.Join(cache, filepath.FromSlash(p)) + "@*")
			for _, dir := range append(dirs, filepath.Join(cache, "cache", "download", filepath.FromSlash(p))) {
				filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
					if err == nil && d.IsDir() {
						os.Chmod(name, 0o777)
					}
					return nil
				})
				os.RemoveAll(dir)
			}
		}
	}
	forget()
	t.Cleanup(forget)
	for dir, list := range lists {
		write(t, filepath.Join(dir, "list"), []byte(list))
	}
	return []string{
		"GOPROXY=file://" + filepath.ToSlash(root) + "," + goEnv(t, "GOPROXY"),
		"GOPRIVATE=" + strings.Join(private, ","), "GONOPROXY=none",
	}
}

// refusingProxy is a proxy that answers 403 for the modules below a path and
// sends everything else to the real one.
func refusingProxy(t *testing.T, path string) []string {
	t.Helper()
	real := ""
	for _, p := range strings.FieldsFunc(goEnv(t, "GOPROXY"), func(r rune) bool { return r == ',' || r == '|' }) {
		if strings.HasPrefix(p, "http") && real == "" {
			real = strings.TrimSuffix(p, "/")
		}
	}
	if real == "" {
		t.Fatal("GOPROXY names no proxy to pass the other modules on to")
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(strings.TrimPrefix(r.URL.Path, "/"), path) {
			http.Error(w, "This module version is not available.", http.StatusForbidden)
			return
		}
		http.Redirect(w, r, real+r.URL.Path, http.StatusFound)
	}))
	t.Cleanup(srv.Close)
	return []string{"GOPROXY=" + srv.URL, "GOPRIVATE=" + path, "GONOPROXY=none"}
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := new(gocmd.Runner).Run(context.Background(), t.TempDir(), "env", name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

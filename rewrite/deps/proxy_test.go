package deps_test

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

// proxy starts a module proxy on the loopback and returns the environment
// that uses it. It has the modules of the archives, named "path@version",
// refuses some, and sends everything else to the real proxy. Its own modules are private ones: the checksum database
// knows the real modules only. Each test has its own paths, below a domain
// that cannot exist, and they leave the module cache again: a cache of its own
// would mean to compile gRPC anew.
func proxy(t *testing.T, modules map[string]*txtar.Archive, refused []refusal) []string {
	t.Helper()
	root := t.TempDir()
	var private, own []string
	lists := map[string]string{}
	for name, ar := range modules {
		path, version, _ := strings.Cut(name, "@")
		esc, err := module.EscapePath(path)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(root, esc, "@v")
		addModule(t, dir, module.Version{Path: path, Version: version}, ar)
		lists[dir] += version + "\n"
		own = append(own, path)
	}
	forget(t, own)
	t.Cleanup(func() { forget(t, own) })
	for dir, list := range lists {
		write(t, filepath.Join(dir, "list"), []byte(list))
	}
	private = append(private, own...)
	for _, r := range refused {
		if !strings.Contains(r.path, "@") { // one file is no private module
			private = append(private, r.path)
		}
	}
	real := realProxy(t)
	files := http.FileServer(http.Dir(root))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, no := range refused {
			if strings.HasPrefix(r.URL.Path+"/", "/"+no.path+"/") {
				http.Error(w, no.text, no.status)
				return
			}
		}
		for _, path := range own {
			if strings.HasPrefix(r.URL.Path, "/"+path+"/@") {
				files.ServeHTTP(w, r)
				return
			}
		}
		http.Redirect(w, r, real+r.URL.Path, http.StatusFound)
	}))
	t.Cleanup(srv.Close)
	return []string{"GOPROXY=" + srv.URL, "GOPRIVATE=" + strings.Join(private, ","), "GONOPROXY=none"}
}

// archives parses the modules of a proxy.
func archives(texts map[string]string) map[string]*txtar.Archive {
	out := map[string]*txtar.Archive{}
	for name, text := range texts {
		out[name] = txtar.Parse([]byte(text))
	}
	return out
}

// refusal is what the proxy answers for a module, those below a path, or a
// file of a module.
type refusal struct {
	path   string
	status int
	text   string
}

// addModule puts the files of a module where a proxy has them.
func addModule(t *testing.T, dir string, m module.Version, ar *txtar.Archive) {
	t.Helper()
	src := t.TempDir()
	for _, f := range ar.Files {
		write(t, filepath.Join(src, f.Name), f.Data)
		if f.Name == "go.mod" {
			write(t, filepath.Join(dir, m.Version+".mod"), f.Data)
		}
	}
	write(t, filepath.Join(dir, m.Version+".info"), fmt.Appendf(nil, `{"Version":%q,"Time":"2021-01-01T00:00:00Z"}`, m.Version))
	z, err := os.Create(filepath.Join(dir, m.Version+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	if err := zip.CreateFromDir(z, m, src); err != nil {
		t.Fatal(err)
	}
}

// forget takes modules out of the module cache.
func forget(t *testing.T, paths []string) {
	t.Helper()
	cache := goEnv(t, "GOMODCACHE")
	for _, p := range paths {
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

// realProxy returns the address of the proxy that has the real modules.
func realProxy(t *testing.T) string {
	t.Helper()
	for _, p := range strings.FieldsFunc(goEnv(t, "GOPROXY"), func(r rune) bool { return r == ',' || r == '|' }) {
		if strings.HasPrefix(p, "http") {
			return strings.TrimSuffix(p, "/")
		}
	}
	t.Fatal("GOPROXY names no proxy to pass the other modules on to")
	return ""
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := new(gocmd.Runner).Run(context.Background(), t.TempDir(), "env", name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

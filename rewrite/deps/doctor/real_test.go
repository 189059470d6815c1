package doctor

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// goSays runs the go command as a user would, in dir, and returns what it
// printed. It has to fail.
func goSays(t *testing.T, dir string, env []string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "GOFLAGS=", "GOWORK=", "GOTOOLCHAIN=local"), env...)
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatalf("go %s passed:\n%s", strings.Join(args, " "), out)
	}
	return string(out)
}

// corp is a company's proxy with one module, and what it answers for others.
func corp(t *testing.T) []string {
	t.Helper()
	proxy := modProxy(t, map[string]string{
		"/corp.example.com/lib/@v/v1.0.0.info": `{"Version":"v1.0.0","Time":"2024-01-01T00:00:00Z"}`,
		"/corp.example.com/lib/@v/v1.0.0.mod":  "module corp.example.com/lib\n\ngo 1.21\n",
		"/corp.example.com/lib/@v/v1.0.0.zip":  zipped(t, "corp.example.com/lib", "v1.0.0", map[string]string{"lib.go": "package lib\n"}),
		"/corp.example.com/lib/@v/list":        "v1.0.0\n",
		"/corp.example.com/was/@v/v1.0.0.info": `{"Version":"v1.0.0","Time":"2024-01-01T00:00:00Z"}`,
		"/corp.example.com/was/@v/v1.0.0.mod":  "module corp.example.com/is\n",
		"/corp.example.com/was/@v/v1.0.0.zip":  zipped(t, "corp.example.com/was", "v1.0.0", map[string]string{"was.go": "package was\n", "go.mod": "module corp.example.com/is\n"}),
	}, map[string]int{"/corp.example.com/forbidden": 403, "/corp.example.com/gone": 410})
	return []string{"GOPROXY=" + proxy, "GOPRIVATE=corp.example.com", "GONOPROXY=none", "GOMODCACHE=" + t.TempDir(), "GOFLAGS=-modcacherw"}
}

// gitHost is what git reaches in place of https://github.com/acme-corp/; it answers
// each repository with a status.
func gitHost(t *testing.T) []string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/login"):
			w.Header().Set("WWW-Authenticate", `Basic realm="corp"`)
			w.WriteHeader(http.StatusUnauthorized)
		case strings.HasPrefix(r.URL.Path, "/secret"):
			w.WriteHeader(http.StatusForbidden)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	off := httptest.NewServer(nil)
	off.Close()
	return []string{
		"GOPROXY=direct", "GOPRIVATE=github.com/acme-corp,github.com/acme-off,corp.invalid", "GOMODCACHE=" + t.TempDir(), "GOFLAGS=-modcacherw",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_COUNT=2",
		"GIT_CONFIG_KEY_0=url." + s.URL + "/.insteadOf", "GIT_CONFIG_VALUE_0=https://github.com/acme-corp/",
		"GIT_CONFIG_KEY_1=url." + off.URL + "/.insteadOf", "GIT_CONFIG_VALUE_1=https://github.com/acme-off/",
	}
}

func TestExplainRecognisesWhatTheGoCommandPrints(t *testing.T) {
	const app = "-- go.mod --\nmodule corp.example.com/app\n\ngo 1.21\n\nrequire corp.example.com/lib v1.0.0\n"
	const uses = "-- main.go --\npackage main\n\nimport _ \"corp.example.com/lib\"\n\nfunc main() {}\n"
	const sum = "-- go.sum --\ncorp.example.com/lib v1.0.0 h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\ncorp.example.com/lib v1.0.0/go.mod h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	requires := func(m string) string {
		p, _, _ := strings.Cut(m, " ")
		return "-- go.mod --\nmodule corp.example.com/app\n\ngo 1.21\n\nrequire " + m + "\n-- main.go --\npackage main\n\nimport _ \"" + p + "\"\n\nfunc main() {}\n"
	}
	refused := httptest.NewServer(nil)
	refused.Close()
	work := "-- go.work --\ngo 1.21\n\nuse (\n\t./a\n\t./b\n)\n-- a/go.mod --\nmodule example.com/a\n\ngo 1.21\n-- a/a.go --\npackage a\n-- b/go.mod --\nmodule example.com/b\n\ngo 1.21\n-- b/b.go --\npackage b\n-- c/go.mod --\nmodule example.com/c\n\ngo 1.21\n-- c/c.go --\npackage c\n"
	for _, c := range []struct {
		name, files, sub string
		env              []string
		args             []string
		want             []string
	}{
		{"checksum", app + sum + uses, "", corp(t), []string{"build", "./..."}, []string{"checksum-mismatch"}},
		{"malformed", app + "-- go.sum --\na b c d e f g\n" + uses, "", corp(t), []string{"build", "./..."}, []string{"go-sum-malformed"}},
		{"no sum", app + uses, "", corp(t), []string{"build", "./..."}, []string{"go-sum-missing"}},
		{"merge", "-- go.mod --\nmodule example.com/m\n\n<<<<<<< HEAD\ngo 1.21\n", "", nil, []string{"build"}, []string{"go-mod-merge"}},
		{"403", requires("corp.example.com/forbidden v1.0.0"), "", corp(t), []string{"mod", "tidy"}, []string{"proxy-refuses"}},
		{"410", requires("corp.example.com/gone v1.0.0"), "", corp(t), []string{"mod", "tidy"}, []string{"proxy-refuses"}},
		{"404", requires("corp.example.com/lib v1.9.0"), "", corp(t), []string{"build", "-mod=mod"}, []string{"proxy-refuses"}},
		{"404 in a chain", requires("corp.example.com/lib v1.9.0"), "", corp(t), []string{"list", "-m", "all"}, []string{"proxy-refuses", "go-sum-missing"}},
		{"moved", requires("corp.example.com/was v1.0.0"), "", corp(t), []string{"mod", "tidy"}, []string{"module-path-mismatch"}},
		{"missing package", "-- go.mod --\nmodule corp.example.com/app\n\ngo 1.21\n\nrequire corp.example.com/lib v1.0.0\n-- main.go --\npackage main\n\nimport _ \"corp.example.com/lib/sub\"\n\nfunc main() {}\n", "", corp(t), []string{"mod", "tidy"}, []string{"package-not-in-module"}},
		{"not required", "-- go.mod --\nmodule corp.example.com/app\n\ngo 1.21\n-- main.go --\npackage main\n\nimport _ \"corp.example.com/lib\"\n\nfunc main() {}\n", "", corp(t), []string{"build"}, []string{"no-required-module"}},
		{"old etcd not required", "-- go.mod --\nmodule corp.example.com/app\n\ngo 1.21\n-- main.go --\npackage main\n\nimport _ \"github.com/coreos/etcd/clientv3\"\n\nfunc main() {}\n", "", corp(t), []string{"build"}, []string{"etcd-package-gone"}},
		{"naming not required", "-- go.mod --\nmodule corp.example.com/app\n\ngo 1.21\n-- main.go --\npackage main\n\nimport _ \"google.golang.org/grpc/naming\"\n\nfunc main() {}\n", "", corp(t), []string{"build"}, []string{"grpc-naming"}},
		{"off", app + uses, "", append(corp(t), "GOPROXY=off"), []string{"mod", "tidy"}, []string{"proxy-off"}},
		{"off with list", app + uses, "", append(corp(t), "GOPROXY=off"), []string{"list", "-m", "-mod=mod", "all"}, []string{"proxy-off"}},
		{"refused", app + uses, "", append(corp(t), "GOPROXY="+refused.URL), []string{"mod", "tidy"}, []string{"git-network"}},
		{"vanity host", requires("corp.invalid/lib v1.0.0"), "", append(corp(t), "GOPROXY=direct", "GOPRIVATE=corp.invalid", "GONOPROXY="), []string{"mod", "tidy"}, []string{"git-network"}},
		{"git refused", requires("github.com/acme-off/x v1.0.0"), "", gitHost(t), []string{"mod", "tidy"}, []string{"git-network"}},
		{"git login", requires("github.com/acme-corp/login v1.0.0"), "", gitHost(t), []string{"mod", "tidy"}, []string{"git-credentials"}},
		{"git forbidden", requires("github.com/acme-corp/secret v1.0.0"), "", gitHost(t), []string{"mod", "tidy"}, []string{"git-permission"}},
		{"git not found", requires("github.com/acme-corp/nothing v1.0.0"), "", gitHost(t), []string{"mod", "tidy"}, []string{"git-permission"}},
		{"git by no protocol", requires("corp.invalid/x.git v1.0.0"), "", gitHost(t), []string{"mod", "tidy"}, []string{"git-unreachable"}},
		{"too new", "-- go.mod --\nmodule example.com/m\n\ngo 1.999\n-- m.go --\npackage m\n", "", nil, []string{"build"}, []string{"go-too-old"}},
		{"vendor", app + uses + "-- vendor/modules.txt --\n# corp.example.com/lib v0.9.0\n## explicit\ncorp.example.com/lib\n-- vendor/corp.example.com/lib/lib.go --\npackage lib\n", "", corp(t), []string{"build"}, []string{"inconsistent-vendoring"}},
		{"vendor lacks", app + "-- main.go --\npackage main\n\nimport _ \"corp.example.com/lib/sub\"\n\nfunc main() {}\n-- vendor/modules.txt --\n# corp.example.com/lib v1.0.0\n## explicit\ncorp.example.com/lib\n-- vendor/corp.example.com/lib/lib.go --\npackage lib\n", "", corp(t), []string{"build"}, []string{"vendor-lacks-package"}},
		{"vendor all", app + uses + "-- vendor/modules.txt --\n# corp.example.com/lib v1.0.0\n## explicit\ncorp.example.com/lib\n-- vendor/corp.example.com/lib/lib.go --\npackage lib\n", "", corp(t), []string{"list", "-m", "all"}, []string{"vendor-query"}},
		{"vendor versions", app + uses + "-- vendor/modules.txt --\n# corp.example.com/lib v1.0.0\n## explicit\ncorp.example.com/lib\n-- vendor/corp.example.com/lib/lib.go --\npackage lib\n", "", corp(t), []string{"list", "-m", "-versions", "corp.example.com/lib"}, []string{"vendor-query"}},
		{"work vendor", work, "a", nil, []string{"mod", "vendor"}, []string{"work-vendor"}},
		{"work mod", work, "a", nil, []string{"build", "-mod=mod"}, []string{"work-mod-flag"}},
		{"work not listed", work, "c", nil, []string{"build", "./..."}, []string{"work-not-listed"}},
		{"work not listed, list", work, "c", nil, []string{"list", "."}, []string{"work-not-listed"}},
		{"work replaces", strings.ReplaceAll(strings.ReplaceAll(work, "example.com/a\n\ngo 1.21\n", "example.com/a\n\ngo 1.21\n\nreplace google.golang.org/grpc => google.golang.org/grpc v1.26.0\n"), "example.com/b\n\ngo 1.21\n", "example.com/b\n\ngo 1.21\n\nreplace google.golang.org/grpc => google.golang.org/grpc v1.59.0\n"), "a", nil, []string{"build"}, []string{"work-conflicting-replaces"}},
		{"work go", strings.Replace(work, "example.com/a\n\ngo 1.21\n", "example.com/a\n\ngo 1.22\n", 1), "a", nil, []string{"build"}, []string{"work-go-line"}},
		{"no go.mod", "-- m.go --\npackage m\n", "", nil, []string{"build", "./..."}, []string{"no-go-mod"}},
		{"no go.mod, list", "-- m.go --\npackage m\n", "", nil, []string{"list", "-m", "all"}, []string{"no-go-mod"}},
		{"GOPATH", "-- m.go --\npackage m\n\nimport _ \"go.etcd.io/etcd/client/v3\"\n", "", []string{"GO111MODULE=off"}, []string{"build"}, []string{"gopath-mode"}},
		{"GOFLAGS", "-- go.mod --\nmodule m\n", "", []string{"GOFLAGS=-foo"}, []string{"build"}, []string{"goflags"}},
		{"GOFLAGS mod", "-- go.mod --\nmodule m\n-- m.go --\npackage m\n", "", []string{"GOFLAGS=-mod=bogus"}, []string{"build"}, []string{"goflags"}},
		{"modfile", "-- go.mod --\nmodule m\n-- m.go --\npackage m\n", "", []string{"GOFLAGS=-modfile=alt.mod"}, []string{"build"}, []string{"modfile-missing"}},
		{"major", "-- go.mod --\nmodule m\n\nrequire go.etcd.io/etcd v3.4.13\n-- m.go --\npackage m\n", "", nil, []string{"build"}, []string{"etcd-v3-suffix"}},
		{"major of another", "-- go.mod --\nmodule m\n\nrequire go.etcd.io/etcd/client/v2 v3.5.0\n-- m.go --\npackage m\n", "", nil, []string{"build"}, []string{"version-major"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := repo(t, c.files)
			says := goSays(t, filepath.Join(dir, c.sub), c.env, c.args...)
			ds, err := Explain(strings.NewReader(says))
			if err != nil {
				t.Fatal(err)
			}
			if got := ids(ds); !slices.Equal(got, c.want) {
				t.Errorf("diagnosed %v, want %v, of\n%s\n%s", got, c.want, says, show(ds))
			}
			for _, d := range ds {
				if hole.MatchString(d.Title + d.Cause + strings.Join(d.Fix, " ")) {
					t.Errorf("unfilled place in\n%s", show(ds))
				}
			}
		})
	}
}

// The same of real modules: what etcd and gRPC make the compiler and the
// program say.
func TestExplainRecognisesWhatRealModulesMakeItPrint(t *testing.T) {
	dir := func(files string) string { return repo(t, files) }
	for _, c := range []struct {
		name, dir string
		before    []string
		args      []string
		want      []string
	}{
		{"client with the old pin", dir("-- go.mod --\nmodule m\n\ngo 1.21\n\nrequire go.etcd.io/etcd/client/v3 v3.5.12\n\nreplace google.golang.org/grpc => google.golang.org/grpc v1.26.0\n-- main.go --\n" + clientMain),
			[]string{"mod", "tidy"}, []string{"build", "./..."}, []string{"grpc-too-old"}},
		{"newer client with the old pin", dir("-- go.mod --\nmodule m\n\ngo 1.26.0\n\nrequire go.etcd.io/etcd/client/v3 v3.6.16\n\nreplace google.golang.org/grpc => google.golang.org/grpc v1.26.0\n-- main.go --\n" + clientMain),
			nil, []string{"mod", "tidy"}, []string{"grpc-replaced"}},
		{"old client without the pin", dir("-- go.mod --\nmodule m\n\ngo 1.21\n\nrequire (\n\tgithub.com/coreos/etcd v3.3.27+incompatible\n\tgoogle.golang.org/grpc v1.29.1\n)\n-- main.go --\npackage main\n\nimport _ \"github.com/coreos/etcd/clientv3\"\n\nfunc main() {}\n"),
			nil, []string{"build", "-mod=mod", "./..."}, []string{"etcd-grpc-too-new"}},
		{"old client, tidied", dir("-- go.mod --\nmodule m\n\ngo 1.21\n\nrequire github.com/coreos/etcd v3.3.27+incompatible\n-- main.go --\npackage main\n\nimport _ \"github.com/coreos/etcd/clientv3\"\n\nfunc main() {}\n"),
			nil, []string{"mod", "tidy"}, []string{"grpc-naming"}},
		{"moved bbolt", dir("-- go.mod --\nmodule m\n\ngo 1.21\n\nrequire github.com/coreos/bbolt v1.3.5\n-- main.go --\npackage main\n\nimport _ \"github.com/coreos/bbolt\"\n\nfunc main() {}\n"),
			nil, []string{"mod", "tidy"}, []string{"bbolt-path"}},
		{"bbolt by two paths", dir("-- go.mod --\nmodule m\n\ngo 1.21\n\nrequire (\n\tgithub.com/coreos/bbolt v1.3.2\n\tgo.etcd.io/bbolt v1.3.5\n)\n\nreplace github.com/coreos/bbolt => go.etcd.io/bbolt v1.3.5\n-- main.go --\npackage main\n\nimport (\n\t_ \"github.com/coreos/bbolt\"\n\t_ \"go.etcd.io/bbolt\"\n)\n\nfunc main() {}\n"),
			nil, []string{"mod", "tidy"}, []string{"bbolt-two-paths"}},
		{"a package that moved", dir("-- go.mod --\nmodule m\n\ngo 1.26.0\n\nrequire go.etcd.io/etcd/pkg/v3 v3.6.16\n-- main.go --\npackage main\n\nimport _ \"go.etcd.io/etcd/pkg/v3/transport\"\n\nfunc main() {}\n"),
			nil, []string{"mod", "tidy"}, []string{"etcd-package-gone"}},
		{"genproto", dir("-- go.mod --\nmodule m\n\ngo 1.21\n\nrequire (\n\tgo.etcd.io/etcd/client/v3 v3.5.9\n\tgoogle.golang.org/grpc v1.64.0\n)\n-- main.go --\n" + clientMain),
			nil, []string{"mod", "tidy"}, []string{"genproto-ambiguous"}},
		{"two generations", dir("-- go.mod --\nmodule m\n\ngo 1.21\n\nrequire (\n\tgithub.com/coreos/etcd v3.3.27+incompatible\n\tgithub.com/gogo/protobuf v1.3.2\n\tgo.etcd.io/etcd/api/v3 v3.5.12\n)\n-- main.go --\npackage main\n\nimport (\n\t_ \"github.com/coreos/etcd/mvcc/mvccpb\"\n\t_ \"go.etcd.io/etcd/api/v3/mvccpb\"\n)\n\nfunc main() {}\n"),
			[]string{"mod", "tidy"}, []string{"run", "."}, []string{"two-generations"}},
		{"half moved", dir("-- go.mod --\nmodule m\n\ngo 1.21\n\nrequire (\n\tgithub.com/coreos/etcd v3.3.27+incompatible\n\tgithub.com/gogo/protobuf v1.3.2\n\tgo.etcd.io/etcd/api/v3 v3.5.12\n)\n-- main.go --\npackage main\n\nimport (\n\told \"github.com/coreos/etcd/mvcc/mvccpb\"\n\t\"go.etcd.io/etcd/api/v3/mvccpb\"\n)\n\nfunc take(*mvccpb.KeyValue) {}\n\nfunc main() { take(&old.KeyValue{}) }\n"),
			[]string{"mod", "tidy"}, []string{"build", "./..."}, []string{"mismatched-etcd-types"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.before != nil {
				cmd := exec.CommandContext(t.Context(), "go", c.before...)
				cmd.Dir, cmd.Env = c.dir, append(os.Environ(), "GOFLAGS=", "GOWORK=")
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("go %v: %v\n%s", c.before, err, out)
				}
			}
			says := goSays(t, c.dir, nil, c.args...)
			ds, err := Explain(strings.NewReader(says))
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if !slices.Contains(ids(ds), want) {
					t.Errorf("diagnosed %v, want %v, of\n%s", ids(ds), c.want, says)
				}
			}
		})
	}
}

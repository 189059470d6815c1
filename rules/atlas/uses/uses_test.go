package uses

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/etcdshift/etcdshift/rules/atlas"
)

// Code that no other package can write has no use; everything else must have one,
// or the migration of it is never tried.
func TestEveryBreakHasAUseOrAReason(t *testing.T) {
	for _, release := range []string{"3.2.9", "3.3.10", "3.3.27", "3.4.9", "3.4.31", "3.5.0-pre", "3.5", "3.6"} {
		n, none := 0, map[string]int{}
		by := map[string][]Use{}
		for i := range atlas.Breaks() {
			b := &atlas.Breaks()[i]
			if _, ok := atlas.Lookup(b.Pkg, b.Symbol, release); !ok || b.Scope == "other" {
				continue
			}
			u, err := Of(b.Pkg, b.Symbol, release)
			if err != nil {
				reason := err.Error()[strings.LastIndex(err.Error(), ": ")+2:]
				none[reason]++
				if !strings.Contains(reason, "unexported") && !strings.Contains(reason, "cannot be imported") {
					t.Errorf("%v", err)
				}
				continue
			}
			n++
			by[u.Pkg] = append(by[u.Pkg], u)
		}
		for pkg, us := range by {
			src, left, err := File("uses", us)
			if err != nil {
				t.Errorf("%s of %s: %v", pkg, release, err)
				continue
			}
			if _, err := parser.ParseFile(token.NewFileSet(), "uses.go", src, 0); err != nil {
				t.Errorf("%s of %s: %v", pkg, release, err)
			}
			n -= len(left)
		}
		t.Logf("%s: %d uses, none for %v", release, n, none)
	}
}

func TestUseOfEachKindOfSymbol(t *testing.T) {
	for _, c := range []struct{ pkg, symbol, release, want string }{
		{"pkg/transport", "TLSInfo.CAFile", "3.3.27", "func use_TLSInfo__CAFile(x *transport.TLSInfo, v string) {\n\t_ = x.CAFile\n\t_ = &transport.TLSInfo{CAFile: v}\n}\n"},
		{"pkg/transport", "SelfCert", "3.4.31", "func use_SelfCert(a0 *zap.Logger, a1 string, a2 []string, a3 ...x509.ExtKeyUsage) {\n\tr0, r1 := transport.SelfCert(a0, a1, a2, a3...)\n\t_, _ = r0, r1\n}\n"},
		{"clientv3", "KV.Get", "3.4.31", "func use_KV__Get(x clientv3.KV, a0 context.Context, a1 string, a2 ...clientv3.OpOption) {\n\tr0, r1 := x.Get(a0, a1, a2...)\n\t_, _ = r0, r1\n}\n"},
		{"clientv3", "Cmp", "3.6", "func use_Cmp(x *clientv3.Cmp) {\n\t_ = x\n}\n"},
		{"error", "EcodeKeyNotFound", "3.3.27", "func use_EcodeKeyNotFound() {\n\t_ = etcderror.EcodeKeyNotFound\n}\n"},
	} {
		u, err := Of(c.pkg, c.symbol, c.release)
		if err != nil || u.Decl != c.want {
			t.Errorf("%s.%s of %s: %v\n%s", c.pkg, c.symbol, c.release, err, u.Decl)
		}
	}
	if _, err := Of("clientv3", "NoSuch", "3.6"); err == nil {
		t.Error("a symbol that is not there has a use")
	}
	if _, err := Of("client", "Client.Do", "3.4.31"); err == nil {
		t.Error("a method with an unexported parameter has a use")
	}
}

// module makes a module that requires one etcd module, and returns its folder and
// a way to run the go command there.
func module(t *testing.T, require string) (dir string, run func(args ...string) (string, error)) {
	dir = t.TempDir()
	run = func(args ...string) (string, error) {
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, args := range [][]string{{"mod", "init", "example.com/uses"}, {"get", require}} {
		if out, err := run(args...); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	return dir, run
}

// What is written for a release must compile with its real module.
func TestUsesCompileWithARealModule(t *testing.T) {
	dir, run := module(t, "go.etcd.io/etcd/client/pkg/v3@v3.6.16")
	n := 0
	for _, pkg := range []string{"pkg/types", "pkg/transport", "pkg/fileutil"} {
		var us []Use
		for _, s := range atlas.Symbols(pkg, "3.6") {
			if u, err := Of(pkg, s.Name, "3.6"); err == nil {
				us = append(us, u)
			}
		}
		src, left, err := File("uses", us)
		if err != nil || len(left) > 0 {
			t.Fatalf("%s: %v, %d left", pkg, err, len(left))
		}
		write(t, filepath.Join(dir, filepath.Base(pkg), "uses.go"), src)
		n += len(us)
	}
	if n < 80 {
		t.Errorf("only %d uses", n)
	}
	if out, err := run("build", "./..."); err != nil {
		t.Error(out)
	}
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// Code that uses a symbol, with nothing but its import path moved, compiles with
// the new module exactly when the atlas knows no break of it. The same over all
// modules takes minutes; this one has a bit of everything.
func TestCompilerAndAtlasAgreeOnWhatBroke(t *testing.T) {
	const line = atlas.Line37
	dir, run := module(t, "go.etcd.io/etcd/client/pkg/v3@"+atlas.Newest(line))
	symbols := map[string]string{} // "file:line" → package and symbol
	total := 0
	for _, release := range []string{"3.2.9", "3.3.27", "3.4.31", "3.5"} {
		for _, pkg := range []string{"pkg/fileutil", "pkg/logutil", "pkg/pathutil", "pkg/srv", "pkg/systemd", "pkg/testutil", "pkg/tlsutil", "pkg/transport", "pkg/types"} {
			home, _ := atlas.HomeOf(pkg, line)
			var us []Use
			for _, s := range atlas.Symbols(pkg, release) {
				u, err := Of(pkg, s.Name, release)
				if err != nil {
					continue
				}
				known := true
				for q, p := range u.Imports {
					if rel, _, ok := atlas.Canonical(p); ok && rel == pkg {
						u.Imports[q] = home.Path
					} else if strings.Contains(p, ".") && p != "go.uber.org/zap" && p != "go.uber.org/zap/zapcore" {
						known = false // of a module that this one does not need
					}
				}
				if known {
					us = append(us, u)
				}
			}
			if len(us) == 0 {
				continue
			}
			src, left, err := File("uses", us)
			if err != nil || len(left) > 0 {
				t.Fatalf("%s of %s: %v, %d left", pkg, release, err, len(left))
			}
			name := strings.NewReplacer("/", "_", ".", "_").Replace(pkg+"_"+release) + "/uses.go"
			write(t, filepath.Join(dir, name), src)
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, name, src, 0)
			if err != nil {
				t.Fatal(err)
			}
			i := 0
			for _, d := range f.Decls {
				if fd, ok := d.(*ast.FuncDecl); ok {
					for l := fset.Position(fd.Pos()).Line; l <= fset.Position(fd.End()).Line; l++ {
						symbols[fmt.Sprintf("%s:%d", name, l)] = release + " " + pkg + " " + us[i].Symbol
					}
					i++
				}
			}
			total += len(us)
		}
	}
	out, err := run("build", "-gcflags=-e", "./...")
	if err == nil {
		t.Fatal("nothing broke")
	}
	broken := map[string]string{}
	for l := range strings.Lines(out) {
		if at := strings.SplitN(strings.TrimPrefix(l, "./"), ":", 4); len(at) == 4 && symbols[at[0]+":"+at[1]] != "" {
			broken[symbols[at[0]+":"+at[1]]] = at[3]
		}
	}
	n := 0
	seen := map[string]bool{}
	for _, s := range symbols {
		if seen[s] {
			continue
		}
		seen[s] = true
		f := strings.Fields(s)
		class, b := atlas.None, atlas.BreakOf(f[1], f[2])
		if b != nil {
			class, _ = b.From(f[0], line)
		}
		msg, fails := broken[s]
		if fails {
			n++
		}
		switch {
		case fails && class <= atlas.Compat:
			t.Errorf("%s does not compile, the atlas calls it %s: %s", s, class, msg)
		case !fails && class > atlas.Compat:
			t.Errorf("%s compiles, the atlas calls it %s", s, class)
		}
	}
	t.Logf("%d uses, %d broke", total, n)
	if total < 600 || n < 50 {
		t.Errorf("%d uses, %d broke: too few to tell", total, n)
	}
}

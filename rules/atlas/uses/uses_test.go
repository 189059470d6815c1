package uses

import (
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
		{"pkg/transport", "TLSInfo.CAFile", "3.3.27", "func use_TLSInfo_CAFile(x *transport.TLSInfo, v string) {\n\t_ = x.CAFile\n\t_ = &transport.TLSInfo{CAFile: v}\n}\n"},
		{"pkg/transport", "SelfCert", "3.4.31", "func use_SelfCert(a0 *zap.Logger, a1 string, a2 []string, a3 ...x509.ExtKeyUsage) {\n\t_, _ = transport.SelfCert(a0, a1, a2, a3...)\n}\n"},
		{"clientv3", "KV.Get", "3.4.31", "func use_KV_Get(x clientv3.KV, a0 context.Context, a1 string, a2 ...clientv3.OpOption) {\n\t_, _ = x.Get(a0, a1, a2...)\n}\n"},
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

// What is written for a release must compile with its real module.
func TestUsesCompileWithARealModule(t *testing.T) {
	dir := t.TempDir()
	run := func(args ...string) {
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	run("mod", "init", "example.com/uses")
	run("get", "go.etcd.io/etcd/client/pkg/v3@v3.6.16")
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
		d := filepath.Join(dir, filepath.Base(pkg))
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(d, "uses.go"), src, 0o644); err != nil {
			t.Fatal(err)
		}
		n += len(us)
	}
	if n < 80 {
		t.Errorf("only %d uses", n)
	}
	run("build", "./...")
}

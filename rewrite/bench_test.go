package rewrite_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/etcdshift/etcdshift/rewrite"
	"github.com/etcdshift/etcdshift/rewrite/report"
	"github.com/etcdshift/etcdshift/rewrite/verify"
)

// BenchmarkNothingToDo plans a repository of 10,000 Go files that has nothing
// to do with etcd.
func BenchmarkNothingToDo(b *testing.B) {
	dir := b.TempDir()
	write := func(name, text string) {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	write("go.mod", "module example.com/big\n\ngo 1.21\n")
	body := ""
	for i := range 60 {
		body += fmt.Sprintf("\n// F%d adds.\nfunc F%d(a, b int) int {\n\tif a > b {\n\t\treturn a - b\n\t}\n\treturn fmt.Sprint(a, b) != \"\"\n}\n", i, i)
	}
	for i := range 10000 {
		write(fmt.Sprintf("p%d/q%d/f%d.go", i%100, i%1000, i), fmt.Sprintf("package q%d\n\nimport \"fmt\"\n%s", i%1000, body))
	}
	for b.Loop() {
		p, err := rewrite.Make(context.Background(), rewrite.Options{Dir: dir})
		if err != nil || p.Status != report.Nothing {
			b.Fatal(p, err)
		}
	}
}

// benchRepositories runs a benchmark over what is planned and vetted: the
// sample service alone, and with sixty packages around it that have nothing to
// do with etcd, as a repository of ordinary size has.
func benchRepositories(b *testing.B, run func(b *testing.B, dir string)) {
	for _, more := range []int{0, 60} {
		b.Run(fmt.Sprintf("beside-%d", more), func(b *testing.B) {
			dir := b.TempDir()
			if err := os.CopyFS(dir, os.DirFS("../testdata/samples/legacy")); err != nil {
				b.Fatal(err)
			}
			for i := range more {
				pkg := filepath.Join(dir, fmt.Sprintf("p%d", i))
				if err := os.Mkdir(pkg, 0o777); err != nil {
					b.Fatal(err)
				}
				for j := range 4 {
					src := fmt.Sprintf("package p%d\n\nimport (\n\t\"encoding/json\"\n\t\"net/http\"\n)\n", i)
					for k := range 20 {
						src += fmt.Sprintf("\nfunc F%d_%d(w http.ResponseWriter, v interface{}) error {\n\tw.Header().Set(\"Content-Type\", \"application/json\")\n\treturn json.NewEncoder(w).Encode(v)\n}\n", j, k)
					}
					if err := os.WriteFile(filepath.Join(pkg, fmt.Sprintf("f%d.go", j)), []byte(src), 0o666); err != nil {
						b.Fatal(err)
					}
				}
			}
			run(b, dir)
		})
	}
}

// BenchmarkPlan plans without proof. BenchmarkGoVet vets the same with versions
// that build: with an empty build cache, as on a machine that has just cloned
// it; with the dependencies in the cache and every package of the repository
// changed, as after a migration; and with all of it in the cache, where vet
// reads back what it printed before. A plan keeps nothing between runs, and
// asks the go command to tidy each time.
func BenchmarkPlan(b *testing.B) {
	benchRepositories(b, func(b *testing.B, dir string) {
		for b.Loop() {
			_, err := rewrite.Make(context.Background(), rewrite.Options{Dir: dir, Target: "3.6", Verify: verify.None})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkGoVet(b *testing.B) { benchRepositories(b, benchmarkGoVet) }

func benchmarkGoVet(b *testing.B, dir string) {
	run := func(b *testing.B, cache string, args ...string) {
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod")
		if cache != "" {
			cmd.Env = append(cmd.Env, "GOCACHE="+cache)
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("go %v: %v\n%s", args, err, out)
		}
	}
	run(b, "", "mod", "edit", "-require=google.golang.org/grpc@v1.26.0")
	b.Run("cold", func(b *testing.B) {
		for b.Loop() {
			run(b, b.TempDir(), "vet", "./...")
		}
	})
	b.Run("changed", func(b *testing.B) {
		run(b, "", "vet", "./...")
		for b.Loop() {
			now := time.Now().UnixNano() // unlike what any run has cached
			err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
				if err != nil || filepath.Ext(p) != ".go" {
					return err
				}
				f, err := os.OpenFile(p, os.O_APPEND|os.O_WRONLY, 0)
				if err != nil {
					return err
				}
				defer f.Close()
				_, err = fmt.Fprintf(f, "\n// Run %d.\n", now)
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
			run(b, "", "vet", "./...")
		}
	})
	b.Run("warm", func(b *testing.B) {
		run(b, "", "vet", "./...")
		for b.Loop() {
			run(b, "", "vet", "./...")
		}
	})
}

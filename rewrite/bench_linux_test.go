package rewrite_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/etcdshift/etcdshift/rewrite"
	"github.com/etcdshift/etcdshift/rewrite/report"
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

var repository = flag.String("repository", "", "compare on a copy of this folder, a module that go vet passes, instead of the sample service")

// benchRepositories runs a benchmark over what is planned and vetted: the
// sample service alone, and with sixty packages around it that have nothing to
// do with etcd, as a repository of ordinary size has; or what -repository names.
func benchRepositories(b *testing.B, run func(b *testing.B, dir string)) {
	if *repository != "" {
		dir := b.TempDir()
		if err := os.CopyFS(dir, os.DirFS(*repository)); err != nil {
			b.Fatal(err)
		}
		run(b, dir)
		return
	}
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
// asks the go command to tidy each time. Both are whole processes, with what
// they start; peak-MiB is what all of those take at one time, in a run after
// those that are timed.
func BenchmarkPlan(b *testing.B) {
	command := filepath.Join(b.TempDir(), "etcdshift")
	if out, err := exec.Command("go", "build", "-o", command, "../cmd/etcdshift").CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, out)
	}
	benchRepositories(b, func(b *testing.B, dir string) {
		benchCommand(b, func() *exec.Cmd {
			return exec.Command(command, "check", "--target", "3.6", "--verify", "none", dir)
		})
	})
}

func BenchmarkGoVet(b *testing.B) {
	benchRepositories(b, func(b *testing.B, dir string) {
		vet := func(cache string) *exec.Cmd {
			cmd := exec.Command("go", "vet", "./...")
			cmd.Dir = dir
			cmd.Env = os.Environ()
			if *repository == "" {
				cmd.Env = append(cmd.Env, "GOFLAGS=-mod=mod")
			}
			if cache != "" {
				cmd.Env = append(cmd.Env, "GOCACHE="+cache)
			}
			return cmd
		}
		prepare := []*exec.Cmd{vet("")}
		if *repository == "" {
			edit := exec.Command("go", "mod", "edit", "-require=google.golang.org/grpc@v1.26.0")
			edit.Dir = dir
			prepare = slices.Insert(prepare, 0, edit)
		}
		for _, cmd := range prepare {
			if out, err := cmd.CombinedOutput(); err != nil {
				b.Fatalf("%v: %v\n%s", cmd, err, out)
			}
		}
		b.Run("cold", func(b *testing.B) {
			benchCommand(b, func() *exec.Cmd { return vet(b.TempDir()) })
		})
		b.Run("changed", func(b *testing.B) {
			benchCommand(b, func() *exec.Cmd {
				change(b, dir)
				return vet("")
			})
		})
		b.Run("warm", func(b *testing.B) {
			benchCommand(b, func() *exec.Cmd { return vet("") })
		})
	})
}

// change makes every Go file below a folder unlike what any run has cached.
func change(b *testing.B, dir string) {
	now := time.Now().UnixNano()
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
}

// benchCommand times a command, and then looks at the memory of one more run.
func benchCommand(b *testing.B, command func() *exec.Cmd) {
	check := func(cmd *exec.Cmd, out []byte) {
		if code := cmd.ProcessState.ExitCode(); code != 0 && code != 3 && code != 4 {
			b.Fatalf("%v: exit %d\n%s", cmd, code, out)
		}
	}
	for b.Loop() {
		cmd := command()
		out, _ := cmd.CombinedOutput()
		check(cmd, out)
	}
	cmd := command()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	var peak int64
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for running := true; running; {
		select {
		case <-done:
			running = false
		case <-time.After(10 * time.Millisecond):
			peak = max(peak, memory(cmd.Process.Pid))
		}
	}
	check(cmd, nil)
	b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
}

// memory adds up what a process and those that it started take, in bytes. One
// that ended meanwhile takes nothing.
func memory(pid int) int64 {
	parents := map[int]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, s := range stats {
		text, _ := os.ReadFile(s)
		var child, parent int
		// The name between may hold anything, its end is the last parenthesis.
		fmt.Sscan(string(text), &child)
		fmt.Sscanf(string(text[bytes.LastIndexByte(text, ')')+1:]), " %1s %d", new(string), &parent)
		parents[child] = parent
	}
	var sum int64
	for p := range parents {
		at := p
		for at != pid && at > 1 {
			at = parents[at]
		}
		if at != pid {
			continue
		}
		rollup, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p))
		for line := range strings.Lines(string(rollup)) {
			var kib int64
			if n, _ := fmt.Sscanf(line, "Pss: %d kB", &kib); n == 1 {
				sum += kib << 10
			}
		}
	}
	return sum
}

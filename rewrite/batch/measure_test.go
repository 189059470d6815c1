package batch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/etcdshift/etcdshift/rewrite/report"
)

// stubbed runs n jobs through the engine with nothing done for them, and
// returns the heap that the coordinator holds when all have a row.
func stubbed(tb testing.TB, n, slots int) (took time.Duration, heap uint64) {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())
	defer cancel()
	s, err := Open(ctx, Connection{State: tb.TempDir()})
	if err != nil {
		tb.Fatal(err)
	}
	defer s.Close()
	jobs := make([]*Job, n)
	for i := range jobs {
		j := &Job{Name: fmt.Sprint("r", i), Repo: fmt.Sprint("/r/", i), Commit: strings.Repeat("a", 40), Delivery: Delivery{How: Patch}, Limits: DefaultLimits}
		j.identify(Version())
		jobs[i] = j
	}
	w := &Worker{Store: s, Slots: slots, Dir: filepath.Join(tb.TempDir(), "work"), Idle: true,
		run: func(context.Context, *Job, string, string) (*outcome, error) {
			return &outcome{Run: &report.Run{Status: report.Nothing}}, nil
		}}
	begin := time.Now()
	var last time.Time
	seen := 0
	w.Progress = func(*Row) { seen++; last = time.Now() }
	if err := s.PutRoster(ctx, jobs); err != nil {
		tb.Fatal(err)
	}
	if _, _, err := s.Enqueue(ctx, jobs); err != nil {
		tb.Fatal(err)
	}
	if err := w.Run(ctx); err != nil {
		tb.Fatal(err)
	}
	if seen != n {
		tb.Fatalf("%d of %d rows", seen, n)
	}
	jobs = nil
	runtime.GC()
	runtime.GC() // what the first one finalized
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return last.Sub(begin), m.HeapInuse
}

// TestTheCoordinatorHoldsNoMoreForMoreRepositories compares heaps: ten times
// the repositories may not cost more than the noise of a server in process.
func TestTheCoordinatorHoldsNoMoreForMoreRepositories(t *testing.T) {
	_, small := stubbed(t, 100, 2)
	_, large := stubbed(t, 1000, 2)
	const noise = 8 << 20
	if large > small+noise {
		t.Errorf("%d bytes in use after 100 repositories, %d after 1000", small, large)
	}
}

// BenchmarkEngine measures what queue, rows and acknowledgements cost for a
// repository, every write synced to the disk.
func BenchmarkEngine(b *testing.B) {
	for _, slots := range []int{1, 2} {
		b.Run(fmt.Sprintf("workers=%d", slots), func(b *testing.B) {
			const n = 1000
			var total time.Duration
			for b.Loop() {
				took, _ := stubbed(b, n, slots)
				total += took
			}
			b.ReportMetric(total.Seconds()*1000/float64(n*b.N), "ms/repository")
		})
	}
}

// BenchmarkBatch runs 1,000 small repositories for real: checked out, looked
// at in a process of their own, and reported. They have no etcd, so that what
// is measured is the batch and not the go command.
func BenchmarkBatch(b *testing.B) {
	dir := b.TempDir()
	first := filepath.Join(dir, "r0")
	repository(b, first, "go.mod", cleanMod, "r.go", "package r\n")
	for i := 1; i < 1000; i++ {
		if err := os.CopyFS(filepath.Join(dir, fmt.Sprint("r", i)), os.DirFS(first)); err != nil {
			b.Fatal(err)
		}
	}
	entries, err := ReadList(dir, nil)
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{100, 1000} {
		for _, slots := range []int{1, 2} {
			b.Run(fmt.Sprintf("repositories=%d/workers=%d", n, slots), func(b *testing.B) {
				for b.Loop() {
					begin := time.Now()
					rows, err := Run(b.Context(), RunOptions{
						Connection: Connection{State: b.TempDir()}, Entries: entries[:n], Shard: Shard{1, 1}, Slots: slots, Child: childCommand(),
						Job: Job{Limits: DefaultLimits, Settings: Settings{Verify: "none"}},
					})
					if err != nil || len(rows) != n {
						b.Fatalf("%d rows, %v", len(rows), err)
					}
					b.ReportMetric(float64(n)/time.Since(begin).Minutes(), "repositories/min")
				}
				b.ReportMetric(resident(b), "MiB-resident")
			})
		}
	}
}

// resident is the resident memory of this process, in MiB.
func resident(b *testing.B) float64 {
	b.Helper()
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, err := strconv.Atoi(strings.Fields(string(data))[1])
	if err != nil {
		b.Fatal(err)
	}
	return float64(pages*os.Getpagesize()) / (1 << 20)
}

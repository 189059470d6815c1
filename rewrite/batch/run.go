package batch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// RunOptions of Run.
type RunOptions struct {
	Connection
	Entries  []Entry
	Shard    Shard
	Job      Job // settings, delivery and limits of every job
	Slots    int // jobs at a time in this process; 0 leaves all to other workers
	Child    []string
	Retry    bool // also those that failed before
	Ordered  bool // libraries before their users
	Out      string
	Progress func(*Row)
	// Tick is called a few times a second.
	Tick func(Progress)
}

// Progress of a run.
type Progress struct {
	Total   int       `json:"total"`
	Done    int       `json:"done"`
	Reused  int       `json:"reused"` // done by an earlier run
	Running int       `json:"running"`
	Started time.Time `json:"started"`
	Updated time.Time `json:"updated"`
	Over    bool      `json:"over"`
	PID     int       `json:"pid"`
}

// progressFile tells other processes how far a run is: the embedded queue has
// no listener that they could ask.
const progressFile = "progress.json"

// Run lists, queues and works until every job has a row. It returns the rows
// in the order of the list.
func Run(ctx context.Context, opt RunOptions) ([]*Row, error) {
	if opt.Job.Delivery.How == "" {
		opt.Job.Delivery.How = Patch
	}
	if _, err := parseMessage(opt.Job.Delivery.Message); err != nil {
		return nil, err
	}
	if opt.Job.Delivery.InPlace && opt.URL != "" {
		return nil, errors.New("--in-place works on this machine's checkouts and cannot be left to the workers of a cluster")
	}
	s, err := Open(ctx, opt.Connection)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	opt.Job.Time = time.Now().UTC().Truncate(time.Second)
	jobs, err := jobsOf(ctx, opt.Entries, opt.Shard, opt.Job)
	if err != nil {
		return nil, err
	}
	r := &runner{RunOptions: opt, store: s, begin: time.Now()}
	if opt.Ordered && !opt.Job.Survey {
		err = r.ordered(ctx, jobs)
	} else {
		err = r.all(ctx, jobs)
	}
	if err != nil {
		return nil, err
	}
	rows, err := s.Rows(ctx, jobs)
	if err != nil {
		return nil, err
	}
	r.tell(Progress{Total: len(jobs), Done: len(jobs), Over: true})
	if opt.Out != "" {
		err = s.Export(ctx, opt.Out, rows)
	}
	return rows, err
}

type runner struct {
	RunOptions
	store *Store
	begin time.Time
}

func (r *runner) tell(p Progress) {
	p.Started, p.Updated, p.PID = r.begin, time.Now(), os.Getpid()
	if r.Tick != nil {
		r.Tick(p)
	}
	if r.State == "" {
		return
	}
	data, err := json.Marshal(p)
	if err == nil {
		_ = replaceFile(filepath.Join(r.State, progressFile), data) // the next one tells as well
	}
}

// replaceFile writes a file so that readers see the old or the new one.
func replaceFile(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err := f.Write(data); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// all queues jobs and waits until each has a row.
func (r *runner) all(ctx context.Context, jobs []*Job) error {
	s := r.store
	// A job that was listed before keeps its date, and so its commit.
	if old, err := s.Roster(ctx); err == nil {
		times := map[string]time.Time{}
		for _, j := range old {
			times[j.ID] = j.Time
		}
		for _, j := range jobs {
			if t, ok := times[j.ID]; ok {
				j.Time = t
			}
		}
	}
	if err := s.PutRoster(ctx, jobs); err != nil {
		return err
	}
	if s.srv != nil {
		// What an interrupted run of another list left is not asked for now.
		if err := s.clearQueue(ctx); err != nil {
			return err
		}
	}
	if r.Retry {
		for _, j := range jobs {
			row, err := s.Row(ctx, j.ID)
			if err != nil {
				return err
			}
			if row != nil && row.Status.Retry() {
				if err := s.Forget(ctx, j); err != nil {
					return err
				}
			}
		}
	}
	_, reused, err := s.Enqueue(ctx, jobs)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if r.Slots == 0 {
			return
		}
		env, err := Environ(ctx)
		if err == nil {
			host, _ := os.Hostname()
			w := &Worker{
				Store: s, Slots: r.Slots, Dir: filepath.Join(r.State, "work"), Name: fmt.Sprintf("%s/%d", host, os.Getpid()),
				Child: r.Child, Allow: []string{Push, Command}, Env: env, Progress: r.Progress,
			}
			err = w.Run(ctx)
		}
		if err != nil {
			cancel(err)
		}
	}()
	err = r.wait(ctx, jobs, reused)
	if err != nil && context.Cause(ctx) != nil {
		err = context.Cause(ctx)
	}
	cancel(nil)
	<-ended
	return err
}

// wait polls until every job has a row. A job that is neither queued nor has
// a row is queued again.
func (r *runner) wait(ctx context.Context, jobs []*Job, reused int) error {
	t := time.NewTicker(250 * time.Millisecond)
	defer t.Stop()
	left := jobs
	for {
		waiting, running, err := r.store.Pending(ctx)
		if err == nil {
			r.tell(Progress{Total: len(jobs), Done: max(reused, len(jobs)-waiting-running), Reused: reused, Running: running})
			if waiting+running == 0 {
				var missing []*Job
				for _, j := range left {
					row, err := r.store.Row(ctx, j.ID)
					if row == nil || err != nil {
						missing = append(missing, j)
					}
				}
				if left = missing; len(left) == 0 {
					return nil
				}
				_, _, _ = r.store.Enqueue(ctx, left) // the next round sees
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
	}
}

// clearQueue takes everything off the queue.
func (s *Store) clearQueue(ctx context.Context) error {
	st, err := s.js.Stream(ctx, "ETCDSHIFT_"+s.Name)
	if err != nil {
		return err
	}
	return st.Purge(ctx)
}

// Rows returns the rows that the jobs have, in their order; a job without one
// is left out.
func (s *Store) Rows(ctx context.Context, jobs []*Job) ([]*Row, error) {
	var out []*Row
	for _, j := range jobs {
		row, err := s.Row(ctx, j.ID)
		if err != nil {
			return nil, err
		}
		if row != nil {
			row.Name = j.Name // ids do not depend on it
			out = append(out, row)
		}
	}
	return out, nil
}

// save writes an object to a file.
func (s *Store) save(ctx context.Context, object, file string) error {
	in, err := s.File(ctx, object)
	if err != nil {
		return err
	}
	defer in.Close()
	data, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	return replaceFile(file, data)
}

// Folders of an export.
const (
	patchFolder  = "patches"
	reportFolder = "reports"
	bundleFolder = "bundles"
	logFolder    = "logs"
)

// Export writes patches, bundles, logs and every view of the rows to a
// folder.
func (s *Store) Export(ctx context.Context, dir string, rows []*Row) error {
	for _, f := range []string{patchFolder, reportFolder, bundleFolder, logFolder} {
		if err := os.MkdirAll(filepath.Join(dir, f), 0o755); err != nil {
			return err
		}
	}
	for _, r := range rows {
		files := map[string]string{}
		if r.Patch != "" {
			files[r.patchFile()] = r.Patch
		}
		if r.Report != "" {
			files[reportFolder+"/"+r.Name+".json"] = r.Report
		}
		if r.Log != "" {
			files[logFolder+"/"+r.Name+".txt"] = r.Log
		}
		if r.Delivered != nil && r.Delivered.Bundle != "" {
			files[bundleFolder+"/"+r.Name+".bundle"] = r.Delivered.Bundle
		}
		for file, object := range files {
			if err := s.save(ctx, object, filepath.Join(dir, filepath.FromSlash(file))); err != nil {
				return fmt.Errorf("%s of %s: %w", object, r.Name, err)
			}
		}
	}
	return WriteReports(dir, rows, Hours{})
}

func (r *Row) patchFile() string { return patchFolder + "/" + r.Name + ".patch" }

// DefaultSlots is how many repositories fit at a time: one per processor, and
// no more than the memory has room for at a quarter of the limit each, which
// is what a plan of a usual repository takes.
func DefaultSlots(l Limits) int {
	n := runtime.NumCPU()
	if free := availableMemory(); free > 0 && l.Memory > 0 {
		n = min(n, int(free/max(l.Memory/4, 1)))
	}
	return max(n, 1)
}

// availableMemory reads what the kernel says is to be had; 0 if it does not.
func availableMemory() int64 {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "MemAvailable:" {
			kb, _ := strconv.ParseInt(f[1], 10, 64)
			return kb << 10
		}
	}
	return 0
}

package batch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Worker takes jobs off a queue.
type Worker struct {
	Store *Store
	Slots int    // jobs at a time
	Dir   string // for checkouts and scratch files; emptied by each worker when it is done
	Name  string // in rows
	// Child is the command that plans one repository; it calls Child.
	Child []string
	// Allow lists the ways to deliver that this worker carries out beyond
	// patches and commits. Whoever may write to the queue must not thereby
	// run commands here.
	Allow []string
	// Env is the environment of children; see Environ.
	Env []string
	// Progress is told of each row, one call at a time; nil for nobody.
	Progress func(*Row)
	// Idle ends the worker when the queue is empty.
	Idle bool

	mu sync.Mutex
	// run stands in for runChild in measurements of the engine alone.
	run func(ctx context.Context, j *Job, dir, action string) (*outcome, error)
}

// errVersion says that jobs were listed by another version of etcdshift.
var errVersion = errors.New("the queue was filled by another etcdshift")

// Run works until ctx is done or, with Idle, the queue is empty. What it has
// in hand when ctx ends goes back to the queue and does not count as an
// attempt.
func (w *Worker) Run(ctx context.Context) error {
	dir, release, err := claim(w.Dir)
	if err != nil {
		return err
	}
	defer release()
	var wg sync.WaitGroup
	errs := make([]error, max(w.Slots, 1))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for i := range errs {
		wg.Go(func() {
			errs[i] = w.slot(ctx, filepath.Join(dir, fmt.Sprint(i)))
			if errs[i] != nil {
				cancel()
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// slot works on one job at a time.
func (w *Worker) slot(ctx context.Context, dir string) error {
	down := time.Time{}
	for ctx.Err() == nil {
		msg, err := w.Store.cons.Next(jetstream.FetchMaxWait(2 * time.Second))
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = msg.Nak() // or it comes back after the wait
			}
			return nil
		case errors.Is(err, nats.ErrTimeout), errors.Is(err, jetstream.ErrNoMessages):
			down = time.Time{}
			if w.Idle {
				if waiting, running, err := w.Store.Pending(ctx); err == nil && waiting+running == 0 {
					return nil
				}
			}
			continue
		case err != nil:
			// The server restarts, or the network is away: jobs are not lost.
			if down.IsZero() {
				down = time.Now()
			}
			if time.Since(down) > 10*time.Minute || w.Store.nc.IsClosed() {
				return fmt.Errorf("the queue cannot be reached any more: %w", err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
			continue
		}
		down = time.Time{}
		if err := w.handle(ctx, msg, dir); errors.Is(err, errVersion) {
			return err
		} else if err != nil && ctx.Err() == nil {
			// Storing failed. The job stays on the queue and comes back.
			fmt.Fprintf(os.Stderr, "etcdshift: %v\n", err)
			_ = msg.NakWithDelay(5 * time.Second)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}
	return nil
}

// handle does one job: files, then the row, then the acknowledgement.
func (w *Worker) handle(ctx context.Context, msg jetstream.Msg, dir string) error {
	var j Job
	if err := json.Unmarshal(msg.Data(), &j); err != nil || j.ID == "" {
		return msg.TermWithReason("not a job")
	}
	if j.Version != Version() {
		_ = msg.Nak() // or it comes back after the wait
		return fmt.Errorf("%w: jobs are of version %s and this is %s; install that one", errVersion, j.Version, Version())
	}
	row, err := w.Store.Row(ctx, j.ID)
	if err != nil {
		return err
	}
	if row != nil { // the row was stored, and the acknowledgement got lost
		return w.ack(ctx, msg)
	}
	n, err := w.Store.attempt(ctx, msg, j.ID)
	if err != nil {
		return err
	}
	if n > w.Store.MaxDeliver {
		row := newRow(&j)
		row.Status, row.Attempts, row.Started = Dead, n-1, time.Now()
		row.Reason = fmt.Sprintf("%d attempts ended without a result: the worker was killed each time; see its machine's log, then 'etcdshift batch run --retry'", n-1)
		return w.finish(ctx, msg, row)
	}
	stop := w.heartbeat(ctx, msg)
	defer stop()
	row, err = w.do(ctx, &j, dir)
	if ctx.Err() != nil {
		back, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		err := w.Store.unattempt(back, j.ID, n)
		return errors.Join(err, msg.Nak())
	}
	if err != nil {
		return err
	}
	row.Attempts, row.Worker = n, w.Name
	return w.finish(ctx, msg, row)
}

func (w *Worker) finish(ctx context.Context, msg jetstream.Msg, row *Row) error {
	if err := w.Store.putRow(ctx, row); err != nil {
		return fmt.Errorf("storing the result of %s: %w", row.Name, err)
	}
	if err := w.ack(ctx, msg); err != nil {
		return err
	}
	w.Store.attempted(row.ID)
	if w.Progress != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.Progress(row)
	}
	return nil
}

// ack takes a job off the queue. Its row is stored, so that nothing hangs on
// the acknowledgement: if it gets lost, the job comes back and finds the row.
func (w *Worker) ack(ctx context.Context, msg jetstream.Msg) error {
	return persist(ctx, msg.Ack)
}

// heartbeat tells the queue, until stopped, that the job is in good hands.
func (w *Worker) heartbeat(ctx context.Context, msg jetstream.Msg) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		t := time.NewTicker(w.Store.AckWait / 3)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				_ = msg.InProgress() // the next one tells as well
			}
		}
	}()
	return cancel
}

// do plans a job and delivers it. The error is for what is not the fault of
// the repository; everything else becomes a row.
func (w *Worker) do(ctx context.Context, j *Job, dir string) (*Row, error) {
	if err := removeAll(dir); err != nil {
		return nil, err
	}
	for _, d := range []string{dir, filepath.Join(dir, "tmp"), filepath.Join(dir, "out")} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return nil, err
		}
	}
	defer removeAll(dir)
	begin := time.Now()
	row, fresh, err := w.plan(ctx, j, dir)
	if err != nil {
		return nil, err
	}
	row.Started, row.Took = begin, time.Since(begin)
	if j.ID == j.Plan {
		return row, nil
	}
	if fresh { // so that another delivery need not plan again
		planned := *row
		planned.ID = j.Plan
		if !planned.Status.Retry() {
			if err := w.Store.putRow(ctx, &planned); err != nil {
				return nil, err
			}
		}
	}
	row.ID = j.ID
	if row.Patch != "" && row.Status.delivers(j.Delivery.Unproved) {
		if err := w.deliver(ctx, j, row, dir, fresh); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if away(err) { // not the repository's doing: the job goes back
				return nil, err
			}
			row.Reason = shorten(fmt.Sprintf("%s, but it was not delivered: %v", row.Status, err), 2000)
			row.Status = Failed
		}
	}
	row.Took = time.Since(begin)
	return row, nil
}

// plan returns the row of a plan: one of an earlier run, or a fresh one, whose
// checkout is then in dir.
func (w *Worker) plan(ctx context.Context, j *Job, dir string) (row *Row, fresh bool, err error) {
	if j.ID != j.Plan && !j.Delivery.InPlace {
		row, err := w.Store.Row(ctx, j.Plan)
		if err != nil {
			return nil, false, err
		}
		if row != nil && !row.Status.Retry() {
			row.Name, row.Delivered = j.Name, nil
			return row, false, nil
		}
	}
	run := w.runChild
	if w.run != nil {
		run = w.run
	}
	o, err := run(ctx, j, dir, actionPlan)
	if err != nil {
		return nil, false, err
	}
	if o.Commit != "" {
		j.Commit = o.Commit
	}
	row = o.row(j)
	out := filepath.Join(dir, "out")
	put := func(file, object string) (string, error) {
		st, err := os.Lstat(filepath.Join(out, file))
		if err != nil || !st.Mode().IsRegular() || st.Size() == 0 {
			return "", nil
		}
		return object, w.Store.putFile(ctx, object, filepath.Join(out, file))
	}
	if row.Patch, err = put(filePatch, "patch/"+j.Plan); err != nil {
		return nil, false, err
	}
	if row.Report, err = put(fileReport, "report/"+j.Plan); err != nil {
		return nil, false, err
	}
	if _, err = put(fileSeries, "series/"+j.Plan); err != nil {
		return nil, false, err
	}
	if row.Patch != "" || row.Status.Retry() {
		if row.Log, err = put(fileLog, "log/"+j.Plan); err != nil {
			return nil, false, err
		}
	}
	return row, true, nil
}

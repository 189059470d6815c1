package batch

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// Rate is how many repositories a minute are done, and Left how long the rest
// takes at that rate; both are 0 before anything is known.
func (p Progress) Rate() (perMinute float64, left time.Duration) {
	fresh := p.Done - p.Reused
	took := p.Updated.Sub(p.Started)
	if fresh <= 0 || took <= 0 {
		return 0, 0
	}
	perMinute = float64(fresh) / took.Minutes()
	return perMinute, time.Duration(float64(took) / float64(fresh) * float64(p.Total-p.Done))
}

func (p Progress) String() string {
	s := fmt.Sprintf("%d of %d", p.Done, p.Total)
	if p.Reused > 0 {
		s += fmt.Sprintf(" (%d done before)", p.Reused)
	}
	if rate, left := p.Rate(); rate > 0 {
		s += fmt.Sprintf(", %.1f a minute", rate)
		if p.Done < p.Total {
			s += fmt.Sprintf(", about %v left", max(left.Round(time.Second), time.Second))
		}
	}
	return s
}

// Display shows progress: a bar on a terminal, and otherwise a line when
// something has changed, every few seconds at most.
type Display struct {
	w    io.Writer
	mu   sync.Mutex
	last Progress
	said time.Time
	text string
	bars *mpb.Progress
	bar  *mpb.Bar
}

// lineEvery is the least time between plain lines.
const lineEvery = 5 * time.Second

// NewDisplay makes a display on w.
func NewDisplay(w io.Writer) *Display {
	d := &Display{w: w}
	if f, ok := w.(*os.File); ok && terminal(f) {
		d.bars = mpb.New(mpb.WithOutput(w), mpb.WithWidth(40))
	}
	return d
}

func terminal(f *os.File) bool {
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb" && os.Getenv("TERM") != ""
}

// Row says what became of a repository.
func (d *Display) Row(r *Row) {
	line := fmt.Sprintf("%s: %s", r.Name, r.Status)
	if r.Status.Retry() || r.Status == Blocked {
		why, _, _ := strings.Cut(r.Reason, "\n") // of git, what follows is general advice
		line += ": " + shorten(why, 200)
	}
	if d.bars != nil {
		fmt.Fprintln(d.bars, line)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintln(d.w, line)
}

// Update shows a progress.
func (d *Display) Update(p Progress) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = p
	if d.bars != nil {
		if d.bar == nil {
			d.bar = d.bars.AddBar(int64(p.Total), mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
				d.mu.Lock()
				defer d.mu.Unlock()
				return d.last.String()
			})))
		}
		d.bar.SetTotal(int64(p.Total), false)
		d.bar.SetCurrent(int64(p.Done))
		if p.Over {
			d.bar.SetTotal(int64(p.Total), true)
		}
		return
	}
	text := fmt.Sprintf("%d of %d", p.Done, p.Total)
	if text != d.text && (p.Over || time.Since(d.said) >= lineEvery) {
		fmt.Fprintln(d.w, p)
		d.said, d.text = time.Now(), text
	}
}

// Close leaves the terminal in order.
func (d *Display) Close() {
	if d.bars != nil {
		if d.bar != nil {
			d.bar.Abort(false)
		}
		d.bars.Wait()
	}
}

// ReadProgress reads how far the run of a state folder is, or, with an URL,
// asks the queue.
func ReadProgress(ctx context.Context, c Connection) (Progress, error) {
	if c.URL == "" && c.Context == "" {
		var p Progress
		data, err := os.ReadFile(filepath.Join(c.State, progressFile))
		if os.IsNotExist(err) {
			return p, fmt.Errorf("no batch was run with the state folder %s; name it with --state, or a server with --nats", c.State)
		}
		if err != nil {
			return p, err
		}
		return p, json.Unmarshal(data, &p)
	}
	s, err := Open(ctx, c)
	if err != nil {
		return Progress{}, err
	}
	defer s.Close()
	jobs, err := s.Roster(ctx)
	if err != nil {
		return Progress{}, err
	}
	waiting, running, err := s.Pending(ctx)
	if err != nil {
		return Progress{}, err
	}
	p := Progress{Total: len(jobs), Done: max(0, len(jobs)-waiting-running), Running: running, Updated: time.Now(), Over: waiting+running == 0}
	if len(jobs) > 0 {
		p.Started = jobs[0].Time
	}
	return p, nil
}

// Alive says whether the run that wrote a progress still does.
func (p Progress) Alive() bool { return !p.Over && time.Since(p.Updated) < 5*time.Second }

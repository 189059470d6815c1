package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/etcdshift/etcdshift/rewrite"
	"github.com/etcdshift/etcdshift/rewrite/batch"
)

func batchCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "batch",
		Short: "Migrate many repositories in one run",
		Long: `batch plans many repositories, each in a process of its own, and leaves
patches, commits, pushed branches or whatever a command makes of them. A run
that was interrupted, in whatever way, goes on where it was. See docs/batch.md.`,
		SuggestFor: []string{"run", "survey", "status", "report", "worker"},
		Args:       unknown,
		RunE:       help,
	}
	c.AddCommand(batchRunCommand(), batchSurveyCommand(), batchWorkerCommand(), batchStatusCommand(), batchReportCommand(), batchChildCommand())
	for _, sub := range c.Commands() {
		args := sub.Args
		sub.Args = func(c *cobra.Command, a []string) error {
			if err := args(c, a); err != nil {
				return usageError{err}
			}
			return nil
		}
	}
	return c
}

// storeFlags say where the queue and the results are.
type storeFlags struct{ batch.Connection }

func (f *storeFlags) register(c *cobra.Command) {
	fs := c.Flags()
	fs.StringVar(&f.State, "state", "etcdshift-batch", "`folder` of the embedded queue, the checkouts and the results")
	fs.StringVar(&f.URL, "nats", "", "`URL` of a NATS server or cluster with JetStream, instead of the embedded one")
	fs.StringVar(&f.Context, "nats-context", "", "context `file` of the nats command, with the URL and the credentials")
	fs.StringVar(&f.Creds, "nats-creds", "", "credentials `file`")
	fs.StringVar(&f.NKey, "nats-nkey", "", "nkey seed `file`")
	fs.StringVar(&f.CA, "nats-ca", "", "certificate authority `file`")
	fs.StringVar(&f.Cert, "nats-cert", "", "client certificate `file`")
	fs.StringVar(&f.Key, "nats-key", "", "client key `file`")
	fs.StringVar(&f.Name, "name", "default", "name of the batch, for several on one server")
	fs.IntVar(&f.Replicas, "nats-replicas", 1, "copies that a cluster keeps of the queue and the results")
	fs.DurationVar(&f.AckWait, "ack-wait", 0, "time without a sign of life after which a job goes to another worker (default 45s)")
	fs.IntVar(&f.MaxDeliver, "max-deliver", 0, "attempts at a repository before it is given up as a dead letter (default 3)")
}

// workFlags say how this process works on jobs.
type workFlags struct {
	slots uint
	given func() bool
}

func (f *workFlags) register(c *cobra.Command) {
	c.Flags().UintVarP(&f.slots, "jobs", "j", 0, "repositories at a time; 0 leaves all work to other workers (default by processors and memory)")
	f.given = func() bool { return c.Flags().Changed("jobs") }
}

func (f *workFlags) number(l batch.Limits) int {
	if !f.given() {
		return batch.DefaultSlots(l)
	}
	return int(f.slots)
}

// limitFlags bound what one repository may take.
type limitFlags struct {
	time         time.Duration
	memory, disk string
}

func (f *limitFlags) register(c *cobra.Command) {
	fs := c.Flags()
	fs.DurationVar(&f.time, "max-time", batch.DefaultLimits.Time, "time for one repository")
	fs.StringVar(&f.memory, "max-memory", "4GiB", "memory for the processes of one repository together")
	fs.StringVar(&f.disk, "max-disk", "8GiB", "disk space for the checkout and the scratch files of one repository")
}

func (f *limitFlags) limits() (l batch.Limits, err error) {
	l.Time = f.time
	if l.Memory, err = parseSize("max-memory", f.memory); err != nil {
		return l, err
	}
	l.Disk, err = parseSize("max-disk", f.disk)
	return l, err
}

func parseSize(flag, s string) (int64, error) {
	for _, u := range []struct {
		suffix string
		shift  uint
	}{{"GiB", 30}, {"MiB", 20}, {"KiB", 10}, {"", 0}} {
		if n, ok := strings.CutSuffix(s, u.suffix); ok {
			v, err := strconv.ParseInt(strings.TrimSpace(n), 10, 64)
			if err != nil || v <= 0 || v > math.MaxInt64>>u.shift {
				break
			}
			return v << u.shift, nil
		}
	}
	return 0, usageError{fmt.Errorf("--%s %s: must be a size such as 512MiB or 4GiB", flag, s)}
}

func child() ([]string, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return []string{exe, "batch", "child"}, nil
}

func batchRunCommand() *cobra.Command {
	var store storeFlags
	var work workFlags
	var limits limitFlags
	var plan planFlags
	var d batch.Delivery
	var shard, command, out string
	var ordered, retry, cgo bool
	c := &cobra.Command{
		Use:   "run [flags] LIST",
		Short: "Plan the repositories of a list and deliver the results",
		Long: `run plans every repository of LIST: a file with one path or git URL per line,
or YAML or JSON with repo, ref, target and dirs; a folder of checkouts; or -
for standard input.

What is delivered is a patch, unless --deliver asks for more. The user's own
checkouts stay as they are, unless --in-place is given. Nothing is pushed and
no command is run without being asked for.

Exit status: 0 every repository is done and nothing is left; 4 something is
left for a person, or repositories failed; 1 the run could not be made.`,
		Example: `  etcdshift batch run repos.txt
  etcdshift batch run --deliver commit --per-rule ~/src/ourorg
  etcdshift batch run --deliver push --command 'gh pr create --fill' repos.yaml`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := plan.options(c, nil); err != nil {
				return err
			}
			switch d.How {
			case batch.Patch, batch.Commit, batch.Push:
			default:
				return usageError{fmt.Errorf("--deliver %s: must be patch, commit or push", d.How)}
			}
			if err := d.Check(c.Context()); err != nil {
				return usageError{err}
			}
			if command != "" {
				d.Command = []string{"sh", "-c", command}
				if d.How == batch.Patch {
					d.How = batch.Commit
				}
			}
			if d.InPlace && (d.How != batch.Patch || d.PerRule) {
				return usageError{errors.New("--in-place changes the files of the checkout; it goes with --deliver patch alone")}
			}
			if d.How == batch.Patch && !d.InPlace {
				d = batch.Delivery{How: batch.Patch, Unproved: d.Unproved}
			} else if d.Author == "" {
				d.Author = gitIdentity(c.Context())
			}
			l, err := limits.limits()
			if err != nil {
				return err
			}
			job := batch.Job{Delivery: d, Limits: l, Settings: batch.Settings{
				Target: plan.target, From: plan.from, KeepGo: plan.goPolicy == "keep", Verify: plan.verify,
				Rules: plan.rules, Skip: plan.skip, Tags: plan.tags, Offline: plan.offline, Cgo: cgo,
				RemoveLegacy: plan.removeLegacy,
			}}
			if out == "" {
				out = filepath.Join(store.State, "results")
			}
			rows, err := runBatch(c, args[0], shard, batch.RunOptions{
				Connection: store.Connection, Job: job, Slots: work.number(l), Retry: retry, Ordered: ordered, Out: out,
			})
			if err != nil {
				return err
			}
			if err := batch.Summarize(rows, nil).Text(c.OutOrStdout()); err != nil {
				return err
			}
			fmt.Fprintf(c.ErrOrStderr(), "results: %s\n", filepath.Join(out, "report.html"))
			for _, r := range rows {
				if r.Left() {
					return exit(exitLeft)
				}
			}
			return nil
		},
	}
	store.register(c)
	work.register(c)
	limits.register(c)
	plan.register(c)
	fs := c.Flags()
	fs.StringVar(&d.How, "deliver", batch.Patch, "what to leave: patch, commit (on a branch), or push")
	fs.StringVar(&d.Branch, "branch", "etcdshift", "branch of commits")
	fs.BoolVar(&d.PerRule, "per-rule", false, "one commit per rule and one for go.mod")
	fs.StringVar(&d.Message, "commit-message", "", "`template` of commit messages, in the language of text/template")
	fs.StringVar(&d.Author, "author", "", "author of commits, 'Name <address>' (default: git's user.name and user.email)")
	fs.StringVar(&command, "command", "", "shell `command` to run after delivery, in a checkout of the branch; ETCDSHIFT_* variables describe the result")
	fs.BoolVar(&d.InPlace, "in-place", false, "write into the checkouts of the list themselves")
	fs.BoolVar(&d.Unproved, "allow-unproved", false, "deliver also what would break a package that builds today")
	fs.BoolVar(&cgo, "cgo", false, "let the C compiler run on the code of the repositories")
	fs.BoolVar(&retry, "retry", false, "try what failed before again")
	fs.BoolVar(&ordered, "ordered", false, "survey first, and migrate libraries before their users")
	fs.StringVar(&shard, "shard", "", "the part `i/n` of the list; job/n takes i from the index of a Kubernetes job")
	fs.StringVar(&out, "out", "", "`folder` for patches and reports (default: results in the state folder)")
	return c
}

// runBatch reads the list and runs it with progress on standard error.
func runBatch(c *cobra.Command, list, shard string, opt batch.RunOptions) ([]*batch.Row, error) {
	var err error
	if opt.Shard, err = batch.ParseShard(shard, os.Getenv); err != nil {
		return nil, usageError{err}
	}
	if opt.Entries, err = batch.ReadList(list, c.InOrStdin()); err != nil {
		return nil, err
	}
	if opt.Child, err = child(); err != nil {
		return nil, err
	}
	display := batch.NewDisplay(c.ErrOrStderr())
	defer display.Close()
	opt.Progress, opt.Tick = display.Row, display.Update
	return batch.Run(c.Context(), opt)
}

// gitIdentity is who the user says to be to git; "" if nobody.
func gitIdentity(ctx context.Context) string {
	get := func(key string) string {
		cmd := exec.CommandContext(ctx, "git", "config", "--global", "--get", key)
		out, err := cmd.Output()
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(out))
	}
	name, mail := get("user.name"), get("user.email")
	if name == "" || mail == "" {
		return ""
	}
	return name + " <" + mail + ">"
}

func batchSurveyCommand() *cobra.Command {
	var store storeFlags
	var work workFlags
	var limits limitFlags
	var shard, out, format string
	var retry bool
	c := &cobra.Command{
		Use:   "survey [flags] LIST",
		Short: "Show who uses which etcd, gRPC and protobuf, and in which order to migrate",
		Long: `survey looks at every repository of LIST and changes nothing: versions, old
packages, which of the list's own modules need which others, and the order in
which to migrate them. The page that it writes draws the graph.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			l, err := limits.limits()
			if err != nil {
				return err
			}
			if _, ok := batch.Views[format]; !ok {
				return errFormat(format)
			}
			if out == "" {
				out = filepath.Join(store.State, "survey")
			}
			rows, err := runBatch(c, args[0], shard, batch.RunOptions{
				Connection: store.Connection, Job: batch.Job{Survey: true, Limits: l}, Slots: work.number(l), Retry: retry, Out: out,
			})
			if err != nil {
				return err
			}
			if format == "text" {
				err = batch.SurveyText(c.OutOrStdout(), rows)
			} else {
				err = view(c, format, rows, nil)
			}
			fmt.Fprintf(c.ErrOrStderr(), "results: %s\n", filepath.Join(out, "report.html"))
			return err
		},
	}
	store.register(c)
	work.register(c)
	limits.register(c)
	c.Flags().StringVar(&shard, "shard", "", "the part `i/n` of the list; job/n takes i from the index of a Kubernetes job")
	c.Flags().StringVar(&out, "out", "", "`folder` for the reports (default: survey in the state folder)")
	c.Flags().StringVar(&format, "format", "text", "output: text, csv, jsonl or html")
	c.Flags().BoolVar(&retry, "retry", false, "try what failed before again")
	return c
}

func errFormat(format string) error {
	return usageError{fmt.Errorf("--format %s: must be text, csv, jsonl or html", format)}
}

func view(c *cobra.Command, format string, rows []*batch.Row, hours batch.Hours) error {
	write, ok := batch.Views[format]
	if !ok {
		return errFormat(format)
	}
	return write(batch.Summarize(rows, hours), c.OutOrStdout())
}

func batchWorkerCommand() *cobra.Command {
	var store storeFlags
	var work workFlags
	var allow []string
	var idle bool
	c := &cobra.Command{
		Use:   "worker [flags]",
		Short: "Work on the queue of a NATS server, from any machine",
		Long: `worker takes jobs off the queue that 'batch run --nats' fills, until it is
interrupted. It plans and makes patches and commits; pushing and running
commands is only done with --allow, since whoever can write to the queue
could ask for it.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if store.URL == "" && store.Context == "" {
				return usageError{errors.New("worker needs --nats or --nats-context: the embedded queue belongs to one process")}
			}
			for _, a := range allow {
				if a != batch.Push && a != batch.Command {
					return usageError{fmt.Errorf("--allow %s: must be push or command", a)}
				}
			}
			s, err := batch.Open(c.Context(), store.Connection)
			if err != nil {
				return err
			}
			defer s.Close()
			argv, err := child()
			if err != nil {
				return err
			}
			env, err := batch.Environ(c.Context())
			if err != nil {
				return err
			}
			host, err := os.Hostname()
			if err != nil {
				host = "worker"
			}
			w := &batch.Worker{
				Store: s, Slots: max(work.number(batch.DefaultLimits), 1), Dir: filepath.Join(store.State, "work"),
				Name: fmt.Sprintf("%s/%d", host, os.Getpid()), Child: argv, Allow: allow, Env: env, Idle: idle,
				Progress: batch.NewDisplay(c.ErrOrStderr()).Row,
			}
			return w.Run(c.Context())
		},
	}
	store.register(c)
	work.register(c)
	c.Flags().StringSliceVar(&allow, "allow", nil, "deliveries to carry out beyond patches and commits: push, command")
	c.Flags().BoolVar(&idle, "exit-when-empty", false, "end when the queue is empty")
	return c
}

func batchStatusCommand() *cobra.Command {
	var store storeFlags
	var once bool
	c := &cobra.Command{
		Use:   "status [flags]",
		Short: "Follow a run from another terminal",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := batch.ReadProgress(c.Context(), store.Connection)
			if err != nil {
				return err
			}
			remote := store.URL != "" || store.Context != ""
			going := func(p batch.Progress) bool { return !p.Over && (remote || p.Alive()) }
			if once || !going(p) {
				fmt.Fprintln(c.OutOrStdout(), p)
			} else if p, err = follow(c, store.Connection, p, going); err != nil {
				return err
			}
			if !p.Over && !going(p) {
				fmt.Fprintf(c.OutOrStdout(), "no run is going on; the last one stopped at %s; 'etcdshift batch run LIST' goes on\n", p.Updated.Format(time.DateTime))
			}
			return nil
		},
	}
	store.register(c)
	c.Flags().BoolVar(&once, "once", false, "print where the run is and end")
	return c
}

// follow shows the progress of a run for as long as it is going on, or until
// it is interrupted, and returns the last.
func follow(c *cobra.Command, conn batch.Connection, p batch.Progress, going func(batch.Progress) bool) (batch.Progress, error) {
	d := batch.NewDisplay(c.OutOrStdout())
	defer d.Close()
	t := time.NewTicker(500 * time.Millisecond)
	defer t.Stop()
	for {
		d.Update(p)
		if !going(p) {
			return p, nil
		}
		select {
		case <-c.Context().Done():
			return p, nil
		case <-t.C:
		}
		var err error
		if p, err = batch.ReadProgress(c.Context(), conn); err != nil {
			return p, err
		}
	}
}

func batchReportCommand() *cobra.Command {
	var store storeFlags
	var format, out string
	var hours []string
	c := &cobra.Command{
		Use:   "report [flags] [part ...]",
		Short: "Print the results of a run, or of several parts together",
		Long: `report prints the results of the last run in the state folder or on the server.
With parts (folders of results, such as those of shards) it prints all of them
as one.`,
		Example: `  etcdshift batch report --format html > report.html
  etcdshift batch report --format csv shard-1 shard-2 shard-3`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			h, err := batch.ParseHours(hours)
			if err != nil {
				return usageError{err}
			}
			rows, err := storedRows(c.Context(), store.Connection, args, out)
			if err != nil {
				return err
			}
			if out != "" {
				if err := batch.WriteReports(out, rows, h); err != nil {
					return err
				}
			}
			return view(c, format, rows, h)
		},
	}
	store.register(c)
	c.Flags().StringVar(&format, "format", "text", "output: text, csv, jsonl or html")
	c.Flags().StringVar(&out, "out", "", "also write every format, and the patches, into this `folder`")
	c.Flags().StringSliceVar(&hours, "hours", nil, "estimate of work: `rule=hours`, manual=hours or review=hours")
	return c
}

// storedRows reads rows from parts, or from the store, or, while a run has
// the store, from its last export.
func storedRows(ctx context.Context, conn batch.Connection, parts []string, out string) ([]*batch.Row, error) {
	if len(parts) > 0 {
		if out != "" {
			if err := batch.MergeFiles(out, parts); err != nil {
				return nil, err
			}
		}
		return batch.ReadRows(parts)
	}
	if conn.URL == "" && conn.Context == "" {
		if _, err := os.Stat(conn.State); err != nil {
			return nil, fmt.Errorf("no batch was run with the state folder %s; name it with --state, or a server with --nats", conn.State)
		}
	}
	s, err := batch.Open(ctx, conn)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	jobs, err := s.Roster(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := s.Rows(ctx, jobs)
	if err == nil && out != "" {
		err = s.Export(ctx, out, rows)
	}
	return rows, err
}

// batchChildCommand plans one repository for a worker. It is not for people.
func batchChildCommand() *cobra.Command {
	return &cobra.Command{
		Use: "child", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return batch.Child(c.Context(), c.InOrStdin(), rewrite.Make)
		},
	}
}

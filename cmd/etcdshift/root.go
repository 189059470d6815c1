package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/module"

	"github.com/etcdshift/etcdshift/rewrite"
	"github.com/etcdshift/etcdshift/rewrite/batch"
	"github.com/etcdshift/etcdshift/rewrite/deps"
	"github.com/etcdshift/etcdshift/rewrite/gocmd"
	"github.com/etcdshift/etcdshift/rewrite/report"
	"github.com/etcdshift/etcdshift/rewrite/verify"
	"github.com/etcdshift/etcdshift/rules"
)

// run runs etcdshift and returns its exit code. stdout carries the result,
// stderr the progress.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cmd := newRoot()
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	at, err := cmd.ExecuteContextC(ctx)
	if ctx.Err() != nil && err != nil && !errors.As(err, new(exit)) {
		err = errInterrupted
	}
	return code(err, at.CommandPath(), stderr)
}

// unknown is the error of a group of commands for a name that is none of them.
// cobra itself prints the help of a group for it, and calls that a success.
func unknown(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	msg := fmt.Sprintf("unknown command %q for %q", args[0], c.CommandPath())
	c.SuggestionsMinimumDistance = 2
	if s := c.SuggestionsFor(args[0]); len(s) > 0 {
		msg += "; did you mean " + c.CommandPath() + " " + strings.Join(s, " or ") + "?"
	}
	return usageError{errors.New(msg)}
}

// helpCommand is cobra's, but that it calls a name which is no command an error.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [command]",
		Short: "Help about any command",
		RunE: func(c *cobra.Command, args []string) error {
			of, rest, err := c.Root().Find(args)
			if err == nil {
				err = unknown(of, rest)
			}
			if err != nil {
				return err
			}
			return of.Help()
		},
	}
}

// help is what a group of commands does by itself.
func help(c *cobra.Command, _ []string) error { return c.Help() }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "etcdshift",
		Short: "Move a Go repository to a current etcd client",
		Long: `etcdshift moves a Go repository from any old etcd client
(github.com/coreos/etcd, go.etcd.io/etcd, go.etcd.io/etcd/v3) to
go.etcd.io/etcd/client/v3: source, go.mod, go.sum and vendor together, proved
by go build and go vet before a byte of the tree changes.

Exit status: 0 done or nothing to do; 1 could not do it; 2 usage; 3 changes
are needed (diff, check); 4 applied or planned, with findings left for a
person.`,
		Version:       "asked for below", // cobra has no --version without one
		Args:          unknown,
		RunE:          help,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	// Of a development build it is a digest of the executable, which takes time.
	cobra.AddTemplateFunc("version", batch.Version)
	root.SetVersionTemplate("etcdshift {{version}}\n")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		if c.HasSubCommands() && c.Flags().NArg() > 0 { // the flag is of a command that is not known
			return unknown(c, c.Flags().Args())
		}
		return usageError{err}
	})
	root.SetHelpCommand(helpCommand())
	root.AddCommand(migrateCommand(), diffCommand(), checkCommand(), undoCommand(), doctorCommand(), batchCommand(), rulesCommand())
	for _, c := range root.Commands() {
		if c.Args == nil {
			c.Args = cobra.MaximumNArgs(1)
		}
		args := c.Args
		c.Args = func(c *cobra.Command, a []string) error {
			if err := args(c, a); err != nil {
				return usageError{err}
			}
			return nil
		}
	}
	return root
}

// planFlags are the flags of every command that plans.
type planFlags struct {
	target, goPolicy, verify, format, from, module string
	rules, skip, tags                              []string
	offline, verbose, removeLegacy                 bool
}

func (f *planFlags) register(c *cobra.Command) {
	fs := c.Flags()
	fs.StringVar(&f.target, "target", "auto", "etcd to move to: auto, 3.5, 3.6, 3.7, a release such as v3.6.16, or the folder of a checkout of etcd")
	fs.StringVar(&f.from, "from", "", "etcd release that the code was written for (default: read from go.mod or the lock file)")
	fs.StringVar(&f.goPolicy, "go", "raise", "go directive: raise (as the release needs) or keep")
	fs.StringVar(&f.verify, "verify", "vet", "proof: none, build, vet, or test (runs the repository's tests)")
	fs.StringSliceVar(&f.rules, "rules", nil, "run only these rules")
	fs.StringSliceVar(&f.skip, "skip-rules", nil, "leave these rules out")
	fs.StringSliceVar(&f.tags, "tags", nil, "build tags")
	fs.BoolVar(&f.offline, "offline", false, "plan from the module cache alone")
	fs.BoolVar(&f.removeLegacy, "remove-legacy", false, "delete the lock files of dep, glide, godep, govendor, gb, vndr or trash")
}

// registerOne adds the flags that mean something for one repository alone.
func (f *planFlags) registerOne(c *cobra.Command) {
	fs := c.Flags()
	fs.StringVar(&f.module, "module", "", "module path of a repository without go.mod (default: told by its packages, its dependency tool or its remote)")
	fs.BoolVarP(&f.verbose, "verbose", "v", false, "print each go command that is run, and how long it took")
}

// registerFormat adds --format, for commands whose result is a report.
func (f *planFlags) registerFormat(c *cobra.Command) {
	c.Flags().StringVar(&f.format, "format", "text", "output: text, json or sarif")
}

// print writes the report of a plan to standard output.
func (f *planFlags) print(c *cobra.Command, p *rewrite.Plan, applied bool) error {
	switch f.format { // one that options took
	case "json":
		return report.JSON(c.OutOrStdout(), &p.Run)
	case "sarif":
		titles := map[string]string{}
		for _, r := range rules.All {
			titles[r.ID] = r.Title
		}
		return report.SARIF(c.OutOrStdout(), &p.Run, titles, p.Before)
	}
	return report.Text(c.OutOrStdout(), &p.Run, applied)
}

// printDrift writes what moved, and fails when something did.
func (f *planFlags) printDrift(c *cobra.Command, drift []deps.Drift) error {
	switch f.format {
	case "text":
		for _, d := range drift {
			fmt.Fprintln(c.OutOrStdout(), d)
		}
	case "json":
		enc := json.NewEncoder(c.OutOrStdout())
		enc.SetIndent("", "  ")
		if drift == nil {
			drift = []deps.Drift{}
		}
		if err := enc.Encode(drift); err != nil {
			return err
		}
	default:
		return usageError{fmt.Errorf("--format %s: with --pins it must be text or json", f.format)}
	}
	if len(drift) > 0 {
		return exit(exitNeeded)
	}
	return nil
}

// options turns flags and arguments into the options of a plan. A flag that is
// wrong is found here, before anything is read, let alone written.
func (f *planFlags) options(c *cobra.Command, args []string) (rewrite.Options, error) {
	level, err := verify.ParseLevel(f.verify)
	if err != nil {
		return rewrite.Options{}, usageError{err}
	}
	if f.goPolicy != "raise" && f.goPolicy != "keep" {
		return rewrite.Options{}, usageError{fmt.Errorf("--go %s: must be raise or keep", f.goPolicy)}
	}
	switch f.format {
	case "", "text", "json", "sarif": // "" where there is no --format
	default:
		return rewrite.Options{}, usageError{fmt.Errorf("--format %s: must be text, json or sarif", f.format)}
	}
	if f.from != "" {
		if f.from, err = rewrite.ParseFrom(f.from); err != nil {
			return rewrite.Options{}, usageError{err}
		}
	}
	if f.module != "" {
		if err := module.CheckImportPath(f.module); err != nil {
			return rewrite.Options{}, usageError{fmt.Errorf("--module: %w; it is the path that packages of the repository are imported by, such as example.com/name", err)}
		}
	}
	if err := rewrite.CheckTarget(f.target); err != nil {
		return rewrite.Options{}, err
	}
	if _, err := rules.Select(f.rules, f.skip); err != nil {
		return rewrite.Options{}, err
	}
	run := &gocmd.Runner{}
	if f.verbose {
		var mu sync.Mutex // modules are looked at side by side
		run.Trace = func(dir string, args []string, d time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintf(c.ErrOrStderr(), "%6.2fs %s: go %s\n", d.Seconds(), dir, strings.Join(args, " "))
		}
	}
	return rewrite.Options{
		Go: run, Dir: dirOf(args), Target: f.target, From: f.from, KeepGo: f.goPolicy == "keep", Verify: level,
		Rules: f.rules, Skip: f.skip, Tags: f.tags, Offline: f.offline, Module: f.module, RemoveLegacy: f.removeLegacy,
		Progress: func(format string, a ...any) { fmt.Fprintf(c.ErrOrStderr(), format+"\n", a...) },
	}, nil
}

func dirOf(args []string) string {
	if len(args) > 0 {
		return args[0]
	}
	return "."
}

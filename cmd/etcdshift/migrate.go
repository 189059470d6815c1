package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/etcdshift/etcdshift/rewrite"
	"github.com/etcdshift/etcdshift/rewrite/journal"
	"github.com/etcdshift/etcdshift/rewrite/load"
	"github.com/etcdshift/etcdshift/rewrite/report"
)

func migrateCommand() *cobra.Command {
	var f planFlags
	var allowDirty, allowUnproved, recordPins, step, commit bool
	c := &cobra.Command{
		Use:   "migrate [flags] [dir]",
		Short: "Plan, prove and apply the migration of a repository",
		Example: `  etcdshift migrate                     # this folder, to the newest etcd that it builds with
  etcdshift migrate --target 3.5 ./svc`,
		RunE: func(c *cobra.Command, args []string) error {
			opt, err := f.options(c, args)
			if err != nil {
				return err
			}
			if commit && !step {
				return usageError{errors.New("--commit goes with --step")}
			}
			if err := recoverTree(c, opt.Dir); err != nil {
				return err
			}
			if !allowDirty {
				if err := rewrite.Clean(c.Context(), opt.Dir); err != nil {
					return err
				}
			}
			targets := []string{opt.Target}
			if step {
				if targets, err = rewrite.Steps(c.Context(), opt); err != nil {
					return err
				}
			}
			left := 0
			for i, t := range targets {
				opt.Target = t
				p, err := rewrite.Make(c.Context(), opt)
				if err != nil {
					return err
				}
				if recordPins && i+1 == len(targets) && p.Refused(allowUnproved) == nil {
					if err := p.RecordPins(c.Context(), opt); err != nil {
						return err
					}
				}
				applyErr := p.Apply(allowUnproved)
				err = f.print(c, p, applyErr == nil)
				switch {
				case err != nil && applyErr == nil && len(p.Writes) > 0:
					return fmt.Errorf("%s is migrated, but the report of it is lost: %w; see 'git diff', or take it back with '%s'", p.Root, err, report.Undo(p.Root))
				case err != nil:
					return err
				case applyErr != nil:
					return applyErr
				}
				left += p.Left()
				if commit {
					if err := p.Commit(c.Context()); err != nil {
						return err
					}
				}
			}
			if left > 0 {
				return exit(exitLeft)
			}
			return nil
		},
	}
	f.register(c)
	f.registerOne(c)
	f.registerFormat(c)
	c.Flags().BoolVar(&allowDirty, "allow-dirty", false, "write even if the git tree has uncommitted changes")
	c.Flags().BoolVar(&allowUnproved, "allow-unproved", false, "write even what would break a package that builds today")
	c.Flags().BoolVar(&step, "step", false, "go one minor release line at a time, each proved and applied before the next")
	c.Flags().BoolVar(&commit, "commit", false, "with --step: commit each step")
	c.Flags().BoolVar(&recordPins, "record-pins", false, "record the versions of etcd, gRPC and protobuf for check --pins")
	return c
}

func diffCommand() *cobra.Command {
	var f planFlags
	c := &cobra.Command{
		Use:   "diff [flags] [dir]",
		Short: "Print the migration as a diff for git apply; write nothing",
		RunE: func(c *cobra.Command, args []string) error {
			opt, err := f.options(c, args)
			if err != nil {
				return err
			}
			p, err := look(c, opt)
			if err != nil {
				return err
			}
			d, err := p.Diff()
			if err != nil {
				return err
			}
			if _, err := fmt.Fprint(c.OutOrStdout(), d); err != nil {
				return err
			}
			report.Findings(c.ErrOrStderr(), &p.Run)
			fmt.Fprintln(c.ErrOrStderr(), p.Headline())
			return needed(p)
		},
	}
	f.register(c)
	f.registerOne(c)
	return c
}

func checkCommand() *cobra.Command {
	var f planFlags
	var pins bool
	c := &cobra.Command{
		Use:   "check [flags] [dir]",
		Short: "Print what a migration would have to do; write nothing",
		RunE: func(c *cobra.Command, args []string) error {
			opt, err := f.options(c, args)
			if err != nil {
				return err
			}
			if pins {
				drift, err := rewrite.Drift(c.Context(), opt)
				if err != nil {
					return err
				}
				return f.printDrift(c, drift)
			}
			p, err := look(c, opt)
			if err != nil {
				return err
			}
			if err := f.print(c, p, false); err != nil {
				return err
			}
			return needed(p)
		},
	}
	f.register(c)
	f.registerOne(c)
	f.registerFormat(c)
	c.Flags().BoolVar(&pins, "pins", false, "check that etcd, gRPC and protobuf are what 'migrate --record-pins' recorded, in go.mod, the build list, vendor and etcd image tags")
	return c
}

// look plans for a command that writes nothing: what a killed run left it
// cannot mend, and a plan of it would be wrong.
func look(c *cobra.Command, opt rewrite.Options) (*rewrite.Plan, error) {
	if _, err := load.Dir(opt.Dir); err != nil {
		return nil, err
	}
	if err := journal.Interrupted(opt.Dir); err != nil {
		return nil, err
	}
	return rewrite.Make(c.Context(), opt)
}

// needed is the exit status of a command that only looks.
func needed(p *rewrite.Plan) error {
	switch {
	case len(p.Writes) > 0:
		return exit(exitNeeded)
	case p.Left() > 0:
		return exit(exitLeft)
	}
	return nil
}

func undoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "undo [dir]",
		Short: "Take the last migrate back, byte for byte",
		RunE: func(c *cobra.Command, args []string) error {
			if err := recoverTree(c, dirOf(args)); err != nil {
				return err
			}
			s, err := journal.Undo(dirOf(args))
			if err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), s)
			return nil
		},
	}
}

// recoverTree finishes or rolls back what a killed run left.
func recoverTree(c *cobra.Command, dir string) error {
	if _, err := load.Dir(dir); err != nil {
		return err
	}
	o, err := journal.Recover(dir)
	if err != nil {
		return err
	}
	if o.Action != journal.Nothing {
		fmt.Fprintln(c.ErrOrStderr(), o)
	}
	return nil
}

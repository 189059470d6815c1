package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/etcdshift/etcdshift/rules"
)

func rulesCommand() *cobra.Command {
	markdown := false
	cmd := &cobra.Command{
		Use:   "rules [rule]",
		Short: "List the rules, or explain one",
		RunE: func(c *cobra.Command, args []string) error {
			if markdown {
				rules.Markdown(c.OutOrStdout())
				return nil
			}
			if len(args) == 0 {
				rules.List(c.OutOrStdout())
				return nil
			}
			r := rules.Lookup(args[0])
			if r == nil {
				return fmt.Errorf("%w %q; 'etcdshift rules' lists them", rules.ErrUnknown, args[0])
			}
			rules.Explain(c.OutOrStdout(), r)
			return nil
		},
	}
	cmd.Flags().BoolVar(&markdown, "markdown", false, "explain all rules, as docs/rules.md does")
	return cmd
}

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/etcdshift/etcdshift/rules"
)

func rulesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rules [rule]",
		Short: "List the rules, or explain one",
		RunE: func(c *cobra.Command, args []string) error {
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
}

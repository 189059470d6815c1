package rules

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/aymanbagabas/go-udiff"

	"github.com/etcdshift/etcdshift/rules/atlas"
)

// List writes the rules, a line each.
func List(w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range All {
		fmt.Fprintf(tw, "%s\t%s\t%s\n", r.ID, targetsOf(r), r.Title)
	}
	tw.Flush()
}

func targetsOf(r *Rule) string {
	var out []string
	for _, l := range atlas.Lines() {
		if r.Applies(l) {
			out = append(out, string(l))
		}
	}
	s := strings.Join(out, ",")
	if r.OptIn {
		s += " (opt-in)"
	}
	return s
}

// Markdown writes docs/rules.md: every rule, explained.
func Markdown(w io.Writer) {
	fmt.Fprint(w, "# The rules\n\nMade by `etcdshift rules --markdown`. `etcdshift rules <rule>` explains one,\n`--rules` and `--skip-rules` choose among them. They run in this order.\n\n| rule | targets | what it does |\n|---|---|---|\n")
	for _, r := range All {
		fmt.Fprintf(w, "| [%s](#%s) | %s | %s |\n", r.ID, r.ID, targetsOf(r), strings.ReplaceAll(r.Title, "|", "\\|"))
	}
	for _, r := range All {
		fmt.Fprintln(w)
		Explain(w, r)
	}
}

// Explain writes all there is to say of a rule, as Markdown.
func Explain(w io.Writer, r *Rule) {
	fmt.Fprintf(w, "## %s\n\n%s. Targets: %s. Since %s; %s.\n\n%s\n", r.ID, upper(r.Title), targetsOf(r), r.Since, r.Safety, r.Why)
	if r.Before != "" {
		d := udiff.Unified("before.go", "after.go", r.Before, r.After)
		fmt.Fprintf(w, "\n```diff\n%s```\n", d)
	}
	switch n := answered(r); {
	case n > 0:
		fmt.Fprintf(w, "\nAnswers for %d symbols that broke, which the tables of etcd's releases tell.\n", n)
	case len(r.Claims) > 0:
		fmt.Fprintf(w, "\nAnswers for: `%s`.\n", strings.Join(r.Claims, "`, `"))
	}
	for _, ref := range r.Refs {
		fmt.Fprintf(w, "\nEvidence: %s\n", ref)
	}
}

// answered counts the breaks that a rule picks by their form.
func answered(r *Rule) int {
	if r.Answers == nil {
		return 0
	}
	n := 0
	bs := atlas.Breaks()
	for i := range bs {
		if r.Answers(&bs[i]) && slices.Contains(Claimants(&bs[i]), r) {
			n++
		}
	}
	return n
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

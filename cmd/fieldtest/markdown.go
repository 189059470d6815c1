package main

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/report"
	"github.com/etcdshift/etcdshift/rewrite/verify"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// markdown writes the page: what all comes to, a row for each migration, what
// is not proved and why, the authors' own migrations, and a section for each
// repository.
func (p *page) markdown() string {
	b := &strings.Builder{}
	p.head(b)
	p.totals(b)
	p.migrations(b)
	p.misses(b)
	p.authors(b)
	for _, r := range p.repos {
		r.section(b)
	}
	return anywhere(b.String())
}

var (
	fromProxy  = regexp.MustCompile(`reading https?://[^/\s]+/`)
	moduleFile = regexp.MustCompile(`[^\s` + "`" + `(]*/pkg/mod/`)
)

// anywhere takes out of what the go command says where this machine gets its
// modules from and keeps them.
func anywhere(page string) string {
	return moduleFile.ReplaceAllString(fromProxy.ReplaceAllString(page, "reading "), "")
}

func (p *page) head(b *strings.Builder) {
	fmt.Fprintf(b, `# Field results

%d public repositories, each at the commit before its authors migrated, planned with `+"`etcdshift batch run`"+` for each
target and nothing done by hand. Made with %s, by

    go run ./cmd/fieldtest -corpus corpus.json -clones DIR

from local clones; [its documentation](../cmd/fieldtest/main.go) tells the form of both.
`, len(p.repos), platform())
	fmt.Fprintf(b, "etcdshift is revision %s.", cmp.Or(strings.Join(p.revisions[:min(1, len(p.revisions))], ""), "unknown"))
	for _, rev := range p.revisions[min(1, len(p.revisions)):] {
		var rows []string
		for _, r := range p.repos {
			for _, w := range r.rows {
				if w.plan.Revision == rev {
					rows = append(rows, fmt.Sprintf("%s %s", r.Repo, w.line))
				}
			}
		}
		fmt.Fprintf(b, " Of revision %s: %s.", rev, strings.Join(rows, ", "))
	}
	if len(p.untried) > 0 {
		fmt.Fprintf(b, "\nOf the corpus, %d were not tried with it: %s.", len(p.untried), strings.Join(p.untried, ", "))
	}
	b.WriteString(`

Problems are what go build and go vet say in a checkout that the patch was applied to, tests included, in every module
that has to do with etcd; a module that does not resolve counts as one. *Before* is the same for the tree as it was.
*New* are those of after that were there neither before nor with the versions that the old etcd needs, and those that
the plan itself found new in another build configuration. *Open* are compile errors on a line that no finding names;
migrate does not write a plan without versions, so that one has none.
The *plain recipe* replaces import paths by a table of all moved packages, drops what go.mod says of old etcd and the
replacement of gRPC, gets etcd's modules at the release, tidies and vendors.
`)
}

func (p *page) totals(b *strings.Builder) {
	fmt.Fprintf(b, "\n## In sum\n\n| |%s\n|---|%s\n", columns(p.targets, func(t atlas.Line) string { return "etcd " + string(t) }), strings.Repeat("---|", len(p.targets)))
	line := func(what string, n func(repoResult, rowResult) int) {
		fmt.Fprintf(b, "| %s |%s\n", what, columns(p.targets, func(t atlas.Line) string {
			sum := 0
			for _, r := range p.repos {
				for _, w := range r.rows {
					if w.line == t {
						sum += n(r, w)
					}
				}
			}
			return fmt.Sprint(sum)
		}))
	}
	is := func(ok bool) int {
		if ok {
			return 1
		}
		return 0
	}
	line("repositories", func(repoResult, rowResult) int { return 1 })
	line("builds and vets before", func(r repoResult, _ rowResult) int {
		return is(len(r.before.Modules) > 0 && len(r.before.Problems) == 0)
	})
	line("proved, or no worse than before", func(_ repoResult, w rowResult) int { return is(w.proved()) })
	line("no problem left", func(_ repoResult, w rowResult) int {
		return is(w.proved() && len(w.plan.After.Modules) > 0 && len(w.plan.After.Problems) == 0)
	})
	line("the plain recipe breaks nothing", func(r repoResult, w rowResult) int { return is(w.recipe.good(r.before)) })
	line("no finding asks anything of a person", func(_ repoResult, w rowResult) int {
		n := w.severities()
		return is(w.proved() && n[edit.Manual]+n[edit.Review] == 0)
	})
	line("a second run changes nothing", func(_ repoResult, w rowResult) int { return is(w.plan.Again == "changes nothing") })
	line("open compile errors", func(_ repoResult, w rowResult) int { return len(w.open()) })
}

func columns(targets []atlas.Line, text func(atlas.Line) string) string {
	var b strings.Builder
	for _, t := range targets {
		fmt.Fprintf(&b, " %s |", text(t))
	}
	return b.String()
}

func (p *page) migrations(b *strings.Builder) {
	b.WriteString(`
## Each migration

| repository | etcd | status | before | after | new | open | changes | manual | review | note | second run | plain recipe | seconds |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
`)
	for _, r := range p.repos {
		for _, w := range r.rows {
			n := w.severities()
			fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %d | %d | %d | %d | %d | %d | %s | %s | %.0f |\n",
				r.Repo, cmp.Or(w.plan.Row.Release, string(w.line)), w.plan.Row.Status, r.before.text(), w.plan.After.text(),
				len(w.new), len(w.open()), w.changes(), n[edit.Manual], n[edit.Review], n[edit.Note],
				cell(short(w.plan.Again, 40)), w.recipe.text(r.before), w.plan.Row.Took.Seconds())
		}
	}
}

// misses lists what is not proved, with the cause in the words of the tool or
// of the go command.
func (p *page) misses(b *strings.Builder) {
	var rows []string
	for _, r := range p.repos {
		last := ""
		for _, w := range r.rows {
			if w.proved() {
				continue
			}
			cause := cell(short(w.cause(), 600))
			if cause == last {
				cause = "the same"
			} else {
				last = cause
			}
			rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s |\n", r.Repo, w.line, w.plan.Row.Status, cause))
		}
	}
	if len(rows) > 0 {
		fmt.Fprintf(b, "\n## Not proved, and why\n\n| repository | etcd | status | cause |\n|---|---|---|---|\n%s", strings.Join(rows, ""))
	}
}

// authors compares with the authors' own migrations.
func (p *page) authors(b *strings.Builder) {
	b.WriteString(`
## The authors' own migrations

All of them went to a release of 3.5, so the plan is the one for 3.5. Authors mix a migration with other work; compared
is what can be told from it by its own words: imports of old etcd, file by file; uses of symbols of etcd and gRPC
packages over the whole tree; what go.mod directly requires and replaces of etcd, gRPC, bbolt and protobuf, whatever the
version; and lines that mention etcd in files other than Go's. *Both* did it; *named* did the authors, at a place that a
finding of the plan names; *authors* and *plan* did it alone. Files that the authors removed or renamed are not in the
first and the last. *Forgotten* are imports of old etcd that the authors left in place.

| repository | their release | imports: both | authors | plan | forgotten | symbols: both | named | authors | plan | go.mod: both | authors | plan | other lines: both | named | authors | plan |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
`)
	for _, r := range p.repos {
		c := r.compared()
		if c == nil {
			continue
		}
		fmt.Fprintf(b, "| %s | %s | %d | %d | %d | %d | %d | %d | %d | %d | %d | %d | %d | %d | %d | %d | %d |\n",
			r.Repo, r.theirs(),
			c.Imports.Both.total(), c.Imports.Authors.total(), c.Imports.Plan.total(), len(c.LeftByAuthors),
			c.Symbols.Both.total(), c.Symbols.Named.total(), c.Symbols.Authors.total(), c.Symbols.Plan.total(),
			c.GoMod.Both.total(), c.GoMod.Authors.total(), c.GoMod.Plan.total(),
			c.Text.Both.total(), c.Text.Named.total(), c.Text.Authors.total(), c.Text.Plan.total())
	}
}

// theirs is the release of the client that the authors moved to.
func (r repoResult) theirs() string {
	for _, m := range []string{"go.etcd.io/etcd/client/v3", "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/client/v2"} {
		if v := r.Versions[m]; len(v) > 0 {
			return v[0]
		}
	}
	return ""
}

func (r repoResult) compared() *comparison {
	for _, w := range r.rows {
		if w.plan.Compared != nil {
			return w.plan.Compared
		}
	}
	return nil
}

// most bounds lists in a section.
const most = 12

func (r repoResult) section(b *strings.Builder) {
	fmt.Fprintf(b, "\n## %s\n\nCommit %.10s of %s, layout: %s.", r.Repo, r.Commit, r.Date, r.Style)
	if n := len(r.lacking); n > 0 {
		fmt.Fprintf(b, " The clone lacks %s.", strings.Join(codes(r.lacking), ", "))
	}
	b.WriteString("\n")
	r.rules(b)
	r.findings(b)
	for _, w := range r.rows {
		w.troubles(b, r.before)
	}
	if c := r.compared(); c != nil {
		c.section(b)
	}
}

func codes(list []string) []string {
	var out []string
	for _, s := range list {
		out = append(out, code(s))
	}
	return out
}

// byTarget is a table of counts with a column for each target.
func (r repoResult) byTarget(b *strings.Builder, title string, n func(rowResult) map[string]int) {
	rows := map[string][]int{}
	for i, w := range r.rows {
		for k, v := range n(w) {
			if rows[k] == nil {
				rows[k] = make([]int, len(r.rows))
			}
			rows[k][i] = v
		}
	}
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(b, "\n| %s |", title)
	for _, w := range r.rows {
		fmt.Fprintf(b, " %s |", w.line)
	}
	fmt.Fprintf(b, "\n|---|%s\n", strings.Repeat("---|", len(r.rows)))
	for _, k := range slices.Sorted(maps.Keys(rows)) {
		fmt.Fprintf(b, "| %s |", k)
		for _, v := range rows[k] {
			if v == 0 {
				b.WriteString(" |")
			} else {
				fmt.Fprintf(b, " %d |", v)
			}
		}
		b.WriteString("\n")
	}
}

// rules counts changes.
func (r repoResult) rules(b *strings.Builder) {
	r.byTarget(b, "changes", func(w rowResult) map[string]int { return w.plan.Row.Rules })
}

// findings counts findings and tells those that need a person.
func (r repoResult) findings(b *strings.Builder) {
	r.byTarget(b, "findings", func(w rowResult) map[string]int {
		n := map[string]int{}
		for _, k := range w.plan.Row.Kinds {
			n[k.Severity.String()+": "+k.Rule] += k.Count
		}
		return n
	})
	type told struct{ place, text string }
	targets := map[told][]string{}
	var order []told
	for _, w := range r.rows {
		if w.plan.Run == nil {
			continue
		}
		for _, f := range w.plan.Run.Findings {
			if f.Severity != edit.Manual {
				continue
			}
			t := told{fmt.Sprintf("%s:%d", f.File, f.Line), fmt.Sprintf("%s (%s)", short(f.Message, 300), f.Rule)}
			if targets[t] == nil {
				order = append(order, t)
			}
			if !slices.Contains(targets[t], string(w.line)) {
				targets[t] = append(targets[t], string(w.line))
			}
		}
	}
	if len(order) == 0 {
		return
	}
	b.WriteString("\nFor a person to change:\n\n")
	for _, t := range order {
		fmt.Fprintf(b, "- %s: %s [%s]\n", code(t.place), t.text, strings.Join(targets[t], ", "))
	}
}

// troubles tells what is left that was not there before, and why the recipe
// fails.
func (w rowResult) troubles(b *strings.Builder, before measured) {
	list := func(title string, ps []verify.Problem) {
		if len(ps) == 0 {
			return
		}
		fmt.Fprintf(b, "\n%s for %s:\n\n", title, w.line)
		for i, p := range ps {
			if i == most {
				fmt.Fprintf(b, "- and %d more\n", len(ps)-most)
				break
			}
			fmt.Fprintf(b, "- %s\n", code(short(p.String(), 300)))
		}
	}
	if w.plan.Unfit != "" {
		fmt.Fprintf(b, "\nThe patch for %s does not apply: %s\n", w.line, code(short(w.plan.Unfit, 300)))
	}
	if w.plan.Run != nil {
		for _, m := range w.plan.Run.Modules {
			if m.Status == report.Unresolved {
				fmt.Fprintf(b, "\n%s does not resolve for %s: %s\n", code(m.Dir), w.line, code(short(m.Error, 600)))
			}
		}
	}
	list("New problems", w.new)
	list("Open compile errors", w.open())
	switch {
	case w.recipe == nil:
	case w.recipe.Failed != "":
		fmt.Fprintf(b, "\nThe plain recipe for %s ends with %s\n", w.line, code(short(w.recipe.Failed, 300)))
	case !w.recipe.good(before):
		ps := fresh(w.recipe.After.Problems, before.Problems)
		fmt.Fprintf(b, "\nThe plain recipe for %s leaves %s, the first %s\n", w.line, count(len(ps), "new problem"), code(short(ps[0].String(), 300)))
	}
}

// section tells the differences to the authors' migration by name.
func (c *comparison) section(b *strings.Builder) {
	b.WriteString("\nBeside the authors' migration:\n\n")
	say := func(title string, list []string) {
		if len(list) > 0 {
			fmt.Fprintf(b, "- %s: %s\n", title, strings.Join(list, ", "))
		}
	}
	say("imports, both", c.Imports.Both.list(most))
	say("imports, authors alone", c.Imports.Authors.list(most))
	say("imports, plan alone", c.Imports.Plan.list(most))
	say("old imports that the authors left", bounded(c.LeftByAuthors))
	say("old imports that the plan leaves", bounded(c.LeftByPlan))
	say("files with old etcd that the authors removed or renamed", bounded(c.Gone))
	say("symbols, both", c.Symbols.Both.list(most))
	say("symbols, authors alone, named by a finding", c.Symbols.Named.list(most))
	say("symbols, authors alone", c.Symbols.Authors.list(most))
	say("symbols, plan alone", c.Symbols.Plan.list(most))
	say("go.mod, both", c.GoMod.Both.list(most))
	say("go.mod, authors alone", c.GoMod.Authors.list(most))
	say("go.mod, plan alone", c.GoMod.Plan.list(most))
	say("other lines, both", c.Text.Both.list(most))
	say("other lines, authors alone, named by a finding", c.Text.Named.list(most))
	say("other lines, authors alone", c.Text.Authors.list(most))
	say("other lines, plan alone", c.Text.Plan.list(most))
	var too []string
	for _, m := range c.Rules {
		too = append(too, fmt.Sprintf("%s %d of %d", m.Rule, m.Authors, m.Changes))
	}
	say("changes of the plan at lines that the authors changed, too", too)
}

// bounded shows the first of a long list.
func bounded(list []string) []string {
	if len(list) > most {
		return append(codes(list[:most]), fmt.Sprintf("and %d more", len(list)-most))
	}
	return codes(list)
}

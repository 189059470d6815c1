// Fieldtest migrates real repositories from local clones and writes what
// happened as a Markdown table: docs/field-results.md is made by it.
//
//	go run ./cmd/fieldtest -corpus corpus.json -clones DIR [-only REGEXP] > docs/field-results.md
//
// The corpus is a JSON list of objects with "repo" (owner/name) and
// "pre_commit". A clone is looked for as DIR/owner+name/repo, DIR/owner+name
// and DIR/owner/name. Each repository is checked out into a temporary folder
// for each target, migrated, and migrated again.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/etcdshift/etcdshift/rewrite"
	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/report"
	"github.com/etcdshift/etcdshift/rewrite/verify"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

type repository struct {
	Repo   string `json:"repo"`
	Commit string `json:"pre_commit"`
}

// row is one migration.
type row struct {
	repo    string
	commit  string
	line    atlas.Line
	plan    *rewrite.Plan
	err     error
	again   string // what a second run did
	seconds float64
}

func main() {
	corpus := flag.String("corpus", "", "JSON list of repositories")
	clones := flag.String("clones", "", "folder with a clone of each")
	only := flag.String("only", "", "regular expression that names the repositories to take")
	targets := flag.String("targets", "3.5,3.6,3.7", "lines to migrate to")
	flag.Parse()
	if err := run(context.Background(), *corpus, *clones, *only, strings.Split(*targets, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "fieldtest:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, corpus, clones, only string, targets []string) error {
	data, err := os.ReadFile(corpus)
	if err != nil {
		return err
	}
	var repos []repository
	if err := json.Unmarshal(data, &repos); err != nil {
		return fmt.Errorf("%s: %w", corpus, err)
	}
	match, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	var rows []row
	for _, r := range repos {
		if !match.MatchString(r.Repo) {
			continue
		}
		for _, t := range targets {
			w := migrate(ctx, clones, r, atlas.Line(t))
			fmt.Fprintf(os.Stderr, "%s %s: %s (%.0f s)\n", r.Repo, t, w.status(), w.seconds)
			rows = append(rows, w)
		}
	}
	write(rows)
	return nil
}

// clone finds the clone of a repository.
func clone(clones, repo string) (string, error) {
	flat := strings.ReplaceAll(repo, "/", "+")
	for _, p := range []string{filepath.Join(clones, flat, "repo", ".git"), filepath.Join(clones, flat, "repo"), filepath.Join(clones, flat), filepath.Join(clones, filepath.FromSlash(repo))} {
		if _, err := os.Stat(p); err == nil {
			return p, nil
		}
	}
	return "", fmt.Errorf("no clone of %s below %s", repo, clones)
}

func migrate(ctx context.Context, clones string, r repository, line atlas.Line) (w row) {
	w = row{repo: r.Repo, commit: r.Commit, line: line}
	src, err := clone(clones, r.Repo)
	if err != nil {
		w.err = err
		return w
	}
	dir, err := os.MkdirTemp("", "field-")
	if err != nil {
		w.err = err
		return w
	}
	defer os.RemoveAll(dir)
	for _, args := range [][]string{
		{"clone", "-q", "--no-checkout", src, dir},
		{"-C", dir, "-c", "advice.detachedHead=false", "checkout", "-q", r.Commit},
	} {
		if out, err := exec.CommandContext(ctx, "git", args...).CombinedOutput(); err != nil {
			w.err = fmt.Errorf("git %s: %s", args[0], strings.TrimSpace(string(out)))
			return w
		}
	}
	opt := rewrite.Options{Dir: dir, Target: string(line), Verify: verify.Vet}
	begin := time.Now()
	w.plan, w.err = rewrite.Make(ctx, opt)
	w.seconds = time.Since(begin).Seconds()
	if w.err != nil {
		return w
	}
	if err := w.plan.Apply(false); err != nil {
		w.again = "not applied"
		return w
	}
	again, err := rewrite.Make(ctx, opt)
	switch {
	case err != nil:
		w.again = err.Error()
	case len(again.Writes) > 0:
		w.again = fmt.Sprintf("changes %d files", len(again.Writes))
	default:
		w.again = "changes nothing"
	}
	return w
}

func (w row) status() string {
	if w.err != nil {
		first, _, _ := strings.Cut(w.err.Error(), "\n")
		return "error: " + first
	}
	return string(w.plan.Status)
}

func write(rows []row) {
	fmt.Printf(`# Field results

Made by cmd/fieldtest with %s on %s/%s, %d processors. Each row is one
migration of a public repository at the commit before its authors migrated;
no hand edits. "Before" and "after" count what go build and go vet complain of
(a module that does not resolve counts as one); "new" are those of after that
are not due to the code as it was.

| repository | target | status | before | after | new | edits | for a person | second run | seconds |
|---|---|---|---|---|---|---|---|---|---|
`, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	for _, w := range rows {
		if w.plan == nil {
			fmt.Printf("| %s | %s | %s | | | | | | | %.0f |\n", w.repo, w.line, w.status(), w.seconds)
			continue
		}
		var before, after, fresh int
		for _, m := range w.plan.Modules {
			before += len(m.Proof.Before)
			after += len(m.Proof.Known) + len(m.Proof.New)
			fresh += len(m.Proof.New)
		}
		beforeText := fmt.Sprint(before)
		if w.plan.Status == report.Proved && after == 0 {
			beforeText = "not looked at"
		}
		edits := 0
		for _, c := range w.plan.Changes {
			edits += len(c.Edits)
		}
		fmt.Printf("| %s | %s | %s | %s | %d | %d | %d in %d files | %d | %s | %.0f |\n",
			w.repo, cmp.Or(w.plan.Release, string(w.line)), w.status(), beforeText, after, fresh, edits, len(w.plan.Files), w.plan.Left(), w.again, w.seconds)
	}
	for _, w := range rows {
		fmt.Printf("\n## %s at %.10s to %s\n\n", w.repo, w.commit, w.line)
		if w.err != nil {
			fmt.Printf("```\n%s\n```\n", w.err)
			continue
		}
		details(w.plan)
	}
}

// details lists edits by rule, and what is left.
func details(p *rewrite.Plan) {
	byRule := map[string]int{}
	for _, c := range p.Changes {
		byRule[c.Rule] += len(c.Edits)
	}
	var parts []string
	for _, id := range slices.Sorted(maps.Keys(byRule)) {
		parts = append(parts, fmt.Sprintf("%s %d", id, byRule[id]))
	}
	fmt.Printf("Edits by rule: %s.\n", cmp.Or(strings.Join(parts, ", "), "none"))
	for _, m := range p.Modules {
		if m.Error != "" {
			fmt.Printf("\n```\n%s\n```\n", m.Error)
		}
	}
	for _, f := range p.Findings {
		if f.Severity == edit.Note {
			continue
		}
		fmt.Printf("- %s: `%s:%d`: %s (%s)\n", f.Severity, f.File, f.Line, strings.ReplaceAll(f.Message, "\n", " "), f.Rule)
	}
}

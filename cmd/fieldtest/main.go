// Fieldtest migrates real repositories from local clones and writes what
// happened as a Markdown page: docs/field-results.md is made by it.
//
//	go run ./cmd/fieldtest -corpus corpus.json -clones DIR -state DIR -o docs/field-results.md
//
// The corpus is a JSON list of objects with "repo" (owner/name), "pre_commit"
// and, where the authors migrated by themselves, "human_migration_commit". A
// clone is looked for as DIR/owner+name/repo, DIR/owner+name and
// DIR/owner/name.
//
// For each target, "etcdshift batch run" plans all repositories; each patch is
// applied to a checkout, which is then built, vetted and planned once more.
// The tree as it was and what the plain recipe makes of it (recipe.go) are
// built and vetted, too, and the authors' own migration is compared
// (compare.go). Every child has the short environment that a batch gives to
// its own, and the Go at hand; C code is compiled, as it would be at home.
//
// Results are kept in the state folder with what they depend on, and only what
// is due is done; -only chooses the repositories to look after, and -render
// writes the page from what is there.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"github.com/etcdshift/etcdshift/rewrite/batch"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	flag.StringVar(&o.corpus, "corpus", "", "JSON list of repositories")
	flag.StringVar(&o.clones, "clones", "", "folder with a clone of each")
	flag.StringVar(&o.state, "state", "fieldtest-state", "folder for results")
	flag.StringVar(&o.out, "o", "docs/field-results.md", "page to write")
	flag.StringVar(&o.only, "only", "", "regular expression that names the repositories to look after")
	flag.BoolVar(&o.render, "render", false, "only write the page")
	flag.BoolVar(&o.noRecipe, "no-recipe", false, "do without the plain recipe, which takes as long as the plans")
	flag.IntVar(&o.jobs, "jobs", 1, "repositories to plan at a time; more than one makes the seconds mean less")
	targets := flag.String("targets", "3.5,3.6,3.7", "lines to migrate to")
	flag.Parse()
	for t := range strings.SplitSeq(*targets, ",") {
		o.targets = append(o.targets, atlas.Line(t))
	}
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "fieldtest:", err)
		os.Exit(1)
	}
}

type options struct {
	corpus, clones, state, out, only string
	targets                          []atlas.Line
	jobs                             int
	render, noRecipe                 bool
}

func run(ctx context.Context, o options) error {
	repos, err := readCorpus(o.corpus)
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(o.state)
	if err != nil {
		return err
	}
	s := state(dir)
	if !o.render {
		only, err := regexp.Compile(o.only)
		if err != nil {
			return err
		}
		f := &field{state: s, clones: o.clones, targets: o.targets, jobs: o.jobs, noRecipe: o.noRecipe}
		for _, r := range repos {
			if only.MatchString(r.Repo) {
				f.repos = append(f.repos, r)
			}
		}
		if f.tool, err = buildTool(ctx, s); err != nil {
			return err
		}
		if err := isolate(ctx); err != nil {
			return err
		}
		if err := f.run(ctx); err != nil {
			return err
		}
	}
	page, err := readPage(s, repos, o.targets)
	if err != nil {
		return err
	}
	return os.WriteFile(o.out, []byte(page.markdown()), 0o644)
}

// isolate gives this process, and so everything that it starts, the
// environment of a batch's children.
func isolate(ctx context.Context) error {
	env, err := batch.Environ(ctx)
	if err != nil {
		return err
	}
	tmp := os.Getenv("TMPDIR")
	os.Clearenv()
	for _, kv := range append(env, "GOTOOLCHAIN=local", "TMPDIR="+tmp) {
		if k, v, _ := strings.Cut(kv, "="); v != "" {
			if err := os.Setenv(k, v); err != nil {
				return err
			}
		}
	}
	return nil
}

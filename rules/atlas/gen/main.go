// Gen makes the tables of package atlas from the real etcd modules.
//
// It runs by "go generate ./rules/atlas": it reads the source tables beside it
// (which modules, and the little that cannot be computed), downloads the modules
// with the go command, and writes ../tables. What a source table says is checked
// against the modules; a home or a symbol that does not exist is an error. The
// same modules give the same bytes.
package main

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	src := flag.String("src", "gen", "folder of the source tables")
	out := flag.String("out", "tables", "folder to write the tables to")
	only := flag.String("only", "", "comma-separated steps to run instead of all: modules, paths, releases, symbols, qualifiers, interfaces, breaks, nocopy, grpc, flags")
	flag.Parse()
	if err := run(*src, *out, *only); err != nil {
		fmt.Fprintln(os.Stderr, "atlas:", err)
		os.Exit(1)
	}
}

// A step writes some of the tables.
type step struct {
	name string
	run  func(g *gen) error
}

var steps = []step{
	{"modules", (*gen).writeModules},
	{"paths", (*gen).writePaths},
	{"releases", (*gen).writeReleases},
	{"symbols", (*gen).writeSymbols},
	{"qualifiers", (*gen).writeQualifiers},
	{"interfaces", (*gen).writeInterfaces},
	{"breaks", (*gen).writeBreaks},
	{"nocopy", (*gen).writeNoCopy},
	{"grpc", (*gen).writeGRPC},
	{"flags", (*gen).writeFlags},
}

// gen is one run of the generator.
type gen struct {
	src, out string
	releases []*release // etcd releases in the order of modules.txt
}

func run(src, out, only string) error {
	want := map[string]bool{}
	for _, s := range strings.Split(only, ",") {
		if s != "" {
			want[s] = true
		}
	}
	g := &gen{src: src, out: out}
	var err error
	if g.releases, err = readReleases(filepath.Join(src, "modules.txt")); err != nil {
		return err
	}
	for _, s := range steps {
		if len(want) > 0 && !want[s.name] {
			continue
		}
		if err := s.run(g); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		delete(want, s.name)
	}
	for s := range want {
		return fmt.Errorf("no step %q", s)
	}
	if only != "" {
		return nil // the rest may be stale
	}
	sums, err := sourceSums(src)
	if err != nil {
		return err
	}
	return g.write("sources.sum", "source table, SHA-256", sums)
}

// sourceSums hashes the source tables, for a test to see that the tables were
// written after the last change of them.
func sourceSums(src string) ([][]string, error) {
	ents, err := os.ReadDir(src)
	if err != nil {
		return nil, err
	}
	var sums [][]string
	for _, e := range ents {
		if n := e.Name(); strings.HasSuffix(n, ".tsv") || strings.HasSuffix(n, ".txt") {
			data, err := os.ReadFile(filepath.Join(src, n))
			if err != nil {
				return nil, err
			}
			sums = append(sums, []string{n, fmt.Sprintf("%x", sha256.Sum256(data))})
		}
	}
	return sums, nil
}

// lines reads a source table: its lines without blank ones and # comments, each
// split at tabs.
func (g *gen) lines(name string) ([][]string, error) {
	return tableLines(filepath.Join(g.src, name))
}

func tableLines(file string) ([][]string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var rows [][]string
	for _, l := range strings.Split(string(data), "\n") {
		if strings.TrimSpace(l) == "" || strings.HasPrefix(l, "#") {
			continue
		}
		rows = append(rows, strings.Split(l, "\t"))
	}
	return rows, nil
}

const generated = "# Written by go generate ./rules/atlas; DO NOT EDIT.\n"

// write writes a table of tab-separated rows under a line that names the columns.
func (g *gen) write(name, columns string, rows [][]string) error {
	var b strings.Builder
	b.WriteString(generated)
	b.WriteString("# " + columns + "\n")
	for _, r := range rows {
		for i, c := range r {
			if strings.ContainsAny(c, "\t\n") {
				return fmt.Errorf("%s: %q holds a tab or a line break", name, c)
			}
			if i > 0 {
				b.WriteByte('\t')
			}
			b.WriteString(c)
		}
		b.WriteByte('\n')
	}
	return os.WriteFile(filepath.Join(g.out, name), []byte(b.String()), 0o644)
}

package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/gocmd"
)

// JSON writes the whole model.
func JSON(w io.Writer, r *Run) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}

// Headline says in one line how a run ended.
func (r *Run) Headline() string {
	if r.Status == Nothing {
		s := fmt.Sprintf("nothing to do: %s with an old etcd import", Count(r.GoFiles, "Go file, not one", "Go files, none"))
		for _, f := range r.Files { // the pins
			s += "; " + f.Path
		}
		return s
	}
	s := fmt.Sprintf("etcd %s: %s; %s in %s", cmp.Or(r.Release, r.Line), r.Status, Count(r.edits(), "edit", "edits"), Count(len(r.Files), "file", "files"))
	if n := r.Left(); n > 0 {
		s += fmt.Sprintf("; %s for a person", Count(n, "finding", "findings"))
	}
	return s
}

// Count writes a number with what it counts.
func Count(n int, one, many string) string {
	return fmt.Sprintf("%d %s", n, plural(n, one, many))
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func (r *Run) edits() int {
	n := 0
	for _, c := range r.Changes {
		n += len(c.Edits)
	}
	return n
}

// Text writes the report for people.
func Text(w io.Writer, r *Run, applied bool) error {
	var b strings.Builder
	if r.Status == Nothing {
		b.WriteString(r.Headline() + written(r, applied) + "\n")
		notes(&b, r)
		_, err := io.WriteString(w, b.String())
		return err
	}
	if r.From != "" {
		fmt.Fprintf(&b, "from etcd %s", r.From)
		if r.FromFile != "" {
			fmt.Fprintf(&b, " (%s)", r.FromFile)
		}
		fmt.Fprintf(&b, " to %s", cmp.Or(r.Release, r.Line))
	} else {
		fmt.Fprintf(&b, "to etcd %s", cmp.Or(r.Release, r.Line))
	}
	if r.Reason != "" {
		b.WriteString(": " + r.Reason)
	}
	b.WriteString("\n")
	how := "stepped down from"
	if slices.ContainsFunc(r.Steps, func(s string) bool { return strings.HasPrefix(s, r.Line+":") }) {
		how = "not proved for" // nor is it for any other: this is the plan that came furthest
	}
	for _, s := range r.Steps {
		fmt.Fprintf(&b, "  %s %s\n", how, s)
	}
	if len(r.Changes) > 0 {
		b.WriteString("\nsource\n")
		byRule := map[string][2]int{}
		for _, c := range r.Changes {
			n := byRule[c.Rule]
			byRule[c.Rule] = [2]int{n[0] + 1, n[1] + len(c.Edits)}
		}
		for _, id := range slices.Sorted(maps.Keys(byRule)) {
			fmt.Fprintf(&b, "  %-28s %4d %s\n", id, byRule[id][0], plural(byRule[id][0], "change", "changes"))
		}
	}
	for _, m := range r.Modules {
		if len(m.Changes) > 0 {
			name := "go.mod"
			if m.Dir != "." {
				name = m.Dir + "/go.mod"
			}
			modChanges(&b, name, m.Changes)
		}
		if m.Error != "" {
			fmt.Fprintf(&b, "\n%s\n  %s\n", m.Path, strings.ReplaceAll(m.Error, "\n", "\n  "))
		}
		proof(&b, m)
	}
	if len(r.Work) > 0 {
		modChanges(&b, "go.work", r.Work)
	}
	findings(&b, r)
	notes(&b, r)
	b.WriteString("\n" + r.Headline() + written(r, applied) + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// written says what became of the files of a run.
func written(r *Run, applied bool) string {
	switch {
	case len(r.Files) == 0:
		return ""
	case applied:
		return fmt.Sprintf("; written (%s takes it back)", Undo(r.Root))
	}
	return "; nothing written"
}

// Undo is the command that takes back what was written, for the folder that
// the run was started in.
func Undo(root string) string {
	wd, err := os.Getwd()
	if err == nil {
		wd, err = filepath.EvalSymlinks(wd)
	}
	if err == nil && wd == root {
		return "etcdshift undo"
	}
	if rel, err := filepath.Rel(wd, root); err == nil && filepath.IsLocal(rel) {
		root = rel
	}
	return "etcdshift undo " + gocmd.Quote(root)
}

// modChanges writes the changes of a module file; what follows from others is
// counted.
func modChanges(b *strings.Builder, name string, changes []ModChange) {
	fmt.Fprintf(b, "\n%s\n", name)
	folded := 0
	for _, c := range changes {
		if c.Indirect {
			folded++
			continue
		}
		fmt.Fprintf(b, "  %s: %s\n", c.What, c.Why)
	}
	if folded > 0 {
		fmt.Fprintf(b, "  and %s from these\n", Count(folded, "line that follows", "lines that follow"))
	}
}

func proof(b *strings.Builder, m Module) {
	if m.Proof.Level == "" {
		return
	}
	p := m.Proof
	switch m.Status {
	case Proved:
		passed := map[string]string{"build": "go build passes", "vet": "go build and go vet pass", "test": "go build, go vet and go test pass"}[p.Level]
		fmt.Fprintf(b, "\n%s: %s in %s\n", m.Path, passed, strings.Join(p.Configs, "; "))
		if n := len(p.Known); n > 0 {
			fmt.Fprintf(b, "  but for %s of go vet, not new, the first: %s\n", Count(n, "complaint", "complaints"), p.Known[0])
		}
	default:
		fmt.Fprintf(b, "\n%s: %s before, %d after, %d of them new, in %s\n", m.Path, Count(len(p.Before), "problem", "problems"), len(p.Known)+len(p.New), len(p.New), strings.Join(p.Configs, "; "))
		for _, pr := range p.New {
			fmt.Fprintf(b, "  %s\n", strings.ReplaceAll(pr.String(), "\n", "\n    "))
		}
	}
}

// Findings writes what is left for a person.
func Findings(w io.Writer, r *Run) {
	var b strings.Builder
	findings(&b, r)
	io.WriteString(w, b.String())
}

// findings writes what is left by severity. Findings that say the same stand
// together, with what to do about each place, or once for all of them.
func findings(b *strings.Builder, r *Run) {
	type kind struct{ rule, message string }
	indent := func(s, by string) string { return strings.ReplaceAll(s, "\n", "\n"+by) }
	for _, sev := range []edit.Severity{edit.Manual, edit.Review, edit.Note} {
		title := [...]string{"good to know", "to review: compiles, and may behave differently", "left for a person"}[sev]
		groups := map[kind][]edit.Finding{}
		var order []kind
		for _, f := range r.Findings {
			if f.Severity != sev {
				continue
			}
			k := kind{f.Rule, f.Message}
			if groups[k] == nil {
				order = append(order, k)
			}
			groups[k] = append(groups[k], f)
		}
		if len(order) > 0 {
			fmt.Fprintf(b, "\n%s\n", title)
		}
		for _, k := range order {
			fs := groups[k]
			message := fmt.Sprintf("%s (%s)", indent(k.message, "    "), k.rule)
			if len(fs) == 1 {
				fmt.Fprintf(b, "  %s: %s\n", place(fs[0]), message)
				if fs[0].Advice != "" {
					fmt.Fprintf(b, "    %s\n", indent(fs[0].Advice, "    "))
				}
				continue
			}
			fmt.Fprintf(b, "  %d times: %s\n", len(fs), message)
			same := !slices.ContainsFunc(fs, func(f edit.Finding) bool { return f.Advice != fs[0].Advice })
			if same && fs[0].Advice != "" {
				fmt.Fprintf(b, "    %s\n", indent(fs[0].Advice, "    "))
			}
			for _, f := range fs {
				if same || f.Advice == "" {
					fmt.Fprintf(b, "    %s\n", place(f))
				} else {
					fmt.Fprintf(b, "    %s: %s\n", place(f), indent(f.Advice, "      "))
				}
			}
		}
	}
}

func place(f edit.Finding) string { return fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Col) }

func notes(b *strings.Builder, r *Run) {
	if n := len(r.Unbuilt); n > 0 {
		fmt.Fprintf(b, "\n%s old etcd, left as found below testdata or _ folders, the first: %s\n", Count(n, "Go file mentions", "Go files mention"), r.Unbuilt[0])
	}
	if n := len(r.Apart); n > 0 {
		fmt.Fprintf(b, "\n%s old etcd, left as found; migrate each in its own place, the first: %s\n", Count(n, "git repository below this one mentions", "git repositories below this one mention"), r.Apart[0])
	}
}

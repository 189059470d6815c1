// Package doctor says why the etcd and gRPC dependencies of a repository do
// not resolve, build or start: the evidence, the cause, and the commands that
// mend it.
//
// Explain reads what a failed go command printed, in the state in which people
// paste it. It knows a table of texts (texts.go) and says nothing about any
// other: a guess costs its reader more than silence does.
//
// Examine reads a repository and asks the go command about it. It changes
// nothing: what has to be tried is tried on copies of the module files.
//
// No advice given here weakens the checksum or TLS checks of the go command.
package doctor

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Severities of a diagnosis.
const (
	Error   = "error"   // it does not resolve, build or start
	Warning = "warning" // it works, and will break or mislead
	Note    = "note"    // worth knowing
)

// Diagnosis is one thing that is wrong.
type Diagnosis struct {
	ID       string     `json:"id"`
	Title    string     `json:"title"`
	Severity string     `json:"severity"`
	Evidence []Evidence `json:"evidence,omitempty"`
	Cause    string     `json:"cause"`
	Fix      []string   `json:"fix,omitempty"` // commands, in order; a line that starts with "# " is a remark
	Ref      string     `json:"ref,omitempty"` // public issue or documentation
}

// Evidence is what a diagnosis rests on.
type Evidence struct {
	Module  string   `json:"module,omitempty"`
	Version string   `json:"version,omitempty"`
	Chain   []string `json:"chain,omitempty"` // who imports or requires whom, the first the nearest to the main module
	File    string   `json:"file,omitempty"`  // slash-separated; a log's is as the log names it
	Line    int      `json:"line,omitempty"`
	Text    []string `json:"text,omitempty"`    // the lines that say so
	LogLine int      `json:"logLine,omitempty"` // where Text starts in the log, 1-based
}

// sorted puts the gravest first and keeps the order of finding among equals.
func sorted(ds []Diagnosis) []Diagnosis {
	rank := map[string]int{Error: 0, Warning: 1, Note: 2}
	slices.SortStableFunc(ds, func(a, b Diagnosis) int { return cmp.Compare(rank[a.Severity], rank[b.Severity]) })
	return ds
}

// Print writes diagnoses as text.
func Print(w io.Writer, ds []Diagnosis) error {
	var b strings.Builder
	for i, d := range ds {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s: %s [%s]\n", d.Severity, d.Title, d.ID)
		for _, e := range d.Evidence {
			e.print(&b)
		}
		fmt.Fprintf(&b, "  cause: %s\n", d.Cause)
		for i, f := range d.Fix {
			if i == 0 {
				b.WriteString("  mend:\n")
			}
			fmt.Fprintf(&b, "    %s\n", f)
		}
		if d.Ref != "" {
			fmt.Fprintf(&b, "  see: %s\n", d.Ref)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (e Evidence) print(b *strings.Builder) {
	var head []string
	if e.File != "" {
		if e.Line > 0 {
			head = append(head, fmt.Sprintf("%s:%d", e.File, e.Line))
		} else {
			head = append(head, e.File)
		}
	}
	if e.Module != "" {
		head = append(head, strings.TrimRight(e.Module+" "+e.Version, " "))
	}
	if e.LogLine > 0 {
		head = append(head, fmt.Sprintf("log line %d", e.LogLine))
	}
	if len(head) > 0 {
		fmt.Fprintf(b, "  %s\n", strings.Join(head, ", "))
	}
	for i, c := range e.Chain {
		fmt.Fprintf(b, "    %s%s\n", strings.Repeat(" ", i), c)
	}
	for _, t := range e.Text {
		fmt.Fprintf(b, "  | %s\n", t)
	}
}

package report

import (
	"bytes"
	"cmp"
	"io"
	"net/url"
	"unicode/utf16"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// SARIF writes the changes, with their edits as fixes, and the findings in
// the format that code hosts show beside a pull request. titles says what a
// rule does, by its id, and text returns a file as the run found it: a column
// there counts UTF-16 code units, where ours count bytes.
func SARIF(w io.Writer, r *Run, titles map[string]string, text func(file string) []byte) error {
	rep := sarif.NewReport()
	run := sarif.NewRunWithInformationURI("etcdshift", "https://github.com/etcdshift/etcdshift").WithColumnKind("utf16CodeUnits")
	add := func(rule, level, message, file string, line, col int) *sarif.Result {
		run.AddRule(rule).WithDescription(cmp.Or(titles[rule], rule))
		region := sarif.NewRegion().WithStartLine(max(line, 1))
		if col > 0 {
			region.WithStartColumn(column(text(file), line, col))
		}
		res := run.CreateResultForRule(rule).WithLevel(level).WithMessage(sarif.NewTextMessage(message))
		res.AddLocation(sarif.NewLocationWithPhysicalLocation(
			sarif.NewPhysicalLocation().WithArtifactLocation(artifact(file)).WithRegion(region)))
		return res
	}
	for _, c := range r.Changes {
		if len(c.Edits) == 0 {
			continue
		}
		res := add(c.Rule, "note", c.Message, c.Edits[0].File, c.Line, 0)
		fix := sarif.NewFix().WithDescription(sarif.NewTextMessage(c.Message))
		byFile := edit.ByFile(c.Edits)
		for _, e := range c.Edits {
			es := byFile[e.File]
			if len(es) == 0 {
				continue // done with the file
			}
			delete(byFile, e.File)
			change := sarif.NewArtifactChange().WithArtifactLocation(artifact(e.File))
			data := text(e.File)
			for _, e := range es {
				line, col := position(data, e.Start)
				endLine, endCol := position(data, e.End)
				change.AddReplacement(sarif.NewReplacement().
					WithDeletedRegion(sarif.NewRegion().WithStartLine(line).WithStartColumn(col).WithEndLine(endLine).WithEndColumn(endCol)).
					WithInsertedContent(sarif.NewArtifactContent().WithText(e.New)))
			}
			fix.AddArtifactChange(change)
		}
		res.WithFixes([]*sarif.Fix{fix})
	}
	for _, f := range r.Findings {
		level := map[edit.Severity]string{edit.Note: "note", edit.Review: "warning", edit.Manual: "error"}[f.Severity]
		message := f.Message
		if f.Advice != "" {
			message += "\n" + f.Advice
		}
		add(f.Rule, level, message, f.File, f.Line, f.Col)
	}
	rep.AddRun(run)
	return rep.PrettyWrite(w)
}

// column turns a column that counts bytes into one of the format.
func column(data []byte, line, col int) int {
	for range line - 1 {
		_, data, _ = bytes.Cut(data, []byte("\n"))
	}
	if data, _, _ = bytes.Cut(data, []byte("\n")); col-1 > len(data) {
		return col
	}
	return units(data[:col-1]) + 1
}

// position returns the line and the column of an offset.
func position(data []byte, offset int) (line, col int) {
	data = data[:min(offset, len(data))]
	return bytes.Count(data, []byte("\n")) + 1, units(data[bytes.LastIndexByte(data, '\n')+1:]) + 1
}

// units counts UTF-16 code units of the beginning of a line. A byte order mark
// does not count.
func units(b []byte) int {
	return len(utf16.Encode([]rune(string(bytes.TrimPrefix(b, []byte("\ufeff"))))))
}

func artifact(file string) *sarif.ArtifactLocation {
	return sarif.NewSimpleArtifactLocation((&url.URL{Path: file}).EscapedPath())
}

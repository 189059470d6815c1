package report

import (
	"cmp"
	"io"
	"net/url"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// SARIF writes the changes, with their edits as fixes, and the findings in
// the format that code hosts show beside a pull request. titles says what a
// rule does, by its id.
func SARIF(w io.Writer, r *Run, titles map[string]string) error {
	rep := sarif.NewReport()
	run := sarif.NewRunWithInformationURI("etcdshift", "https://github.com/etcdshift/etcdshift")
	add := func(rule, level, message, file string, line, col int) *sarif.Result {
		run.AddRule(rule).WithDescription(cmp.Or(titles[rule], rule))
		region := sarif.NewRegion().WithStartLine(max(line, 1))
		if col > 0 {
			region.WithStartColumn(col)
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
			for _, e := range es {
				change.AddReplacement(sarif.NewReplacement().
					WithDeletedRegion(sarif.NewRegion().WithByteOffset(e.Start).WithByteLength(e.End - e.Start)).
					WithInsertedContent(sarif.NewArtifactContent().WithText(e.New)))
			}
			fix.AddArtifactChange(change)
		}
		res.WithFixes([]*sarif.Fix{fix})
	}
	for _, f := range r.Findings {
		level := map[edit.Severity]string{edit.Note: "note", edit.Review: "warning", edit.Manual: "error"}[f.Severity]
		text := f.Message
		if f.Advice != "" {
			text += "\n" + f.Advice
		}
		add(f.Rule, level, text, f.File, f.Line, f.Col)
	}
	rep.AddRun(run)
	return rep.PrettyWrite(w)
}

func artifact(file string) *sarif.ArtifactLocation {
	return sarif.NewSimpleArtifactLocation((&url.URL{Path: file}).EscapedPath())
}

package rules

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// TextPass is a rule's view of a file that is not Go: a build file, a script,
// a deployment, prose.
type TextPass struct {
	Target Target
	Name   string // slash-separated, relative to the repository root
	Src    string

	rule *Rule
	out  *Result
}

// Replace replaces bytes of the file.
func (p *TextPass) Replace(start, end int, text, message string) {
	p.out.Changes = append(p.out.Changes, edit.Change{
		Rule: p.rule.ID, Tier: edit.Syntax, Message: message,
		Edits: []edit.Edit{{File: p.Name, Start: start, End: end, New: text, Rule: p.rule.ID}},
	})
}

// Report adds a finding at bytes of the file.
func (p *TextPass) Report(start, end int, sev edit.Severity, message, advice string) {
	line := 1 + strings.Count(p.Src[:start], "\n")
	p.out.Findings = append(p.out.Findings, edit.Finding{
		Rule: p.rule.ID, Severity: sev, Tier: edit.Syntax, File: p.Name, Start: start, End: end,
		Line: line, Col: start - strings.LastIndexByte(p.Src[:start], '\n'), EndLine: line, Message: message, Advice: advice,
	})
}

// RunText runs the rules for text over a file.
func RunText(target Target, name string, src []byte, list []*Rule) Result {
	var out Result
	for _, r := range list {
		if r.Text != nil && r.Applies(target.Line) {
			r.Text(&TextPass{Target: target, Name: name, Src: string(src), rule: r, out: &out})
		}
	}
	return out
}

// prose says whether a file is read by people alone.
func prose(name string) bool {
	return slices.Contains([]string{".md", ".txt", ".rst", ".adoc"}, path.Ext(name))
}

// textLine is a line of a text, without its end.
type textLine struct {
	text  string
	start int
}

func splitLines(text string) []textLine {
	var out []textLine
	at := 0
	for l := range strings.SplitAfterSeq(text, "\n") {
		out = append(out, textLine{strings.TrimRight(l, "\r\n"), at})
		at += len(l)
	}
	return out
}

// commands joins the lines of a text that a backslash at the end makes one.
func commands(text string) []textLine {
	var out []textLine
	for _, l := range splitLines(text) {
		if n := len(out) - 1; n >= 0 && strings.HasSuffix(strings.TrimRight(out[n].text, " \t"), `\`) {
			out[n].text = text[out[n].start : l.start+len(l.text)]
			continue
		}
		out = append(out, l)
	}
	return out
}

// movable returns the mentions of packages that a rule may move: not those in
// links, nor those with a version, which is of another module then.
func (p *TextPass) movable(text string) []pathMention {
	return slices.DeleteFunc(pathMentions(text, p.Target.Line), func(m pathMention) bool {
		return linked(text[:m.Start]) || strings.HasPrefix(text[m.End:], "@")
	})
}

// within says whether one of the lines has a mention.
func (m pathMention) within(ls []textLine) bool {
	return slices.ContainsFunc(ls, func(l textLine) bool { return l.start <= m.Start && m.End <= l.start+len(l.text) })
}

// aLink ends inside a link.
var aLink = regexp.MustCompile("://[^\"'`<>()\\[\\]|,;]*$")

// inLink says whether what follows is within a link.
func inLink(before string) bool {
	return aLink.MatchString(before[strings.LastIndexAny(before, " \t\r\n")+1:])
}

// linked says whether what follows is the rest of a link.
func linked(before string) bool {
	return inLink(before) ||
		slices.ContainsFunc([]string{"godoc.org/", "pkg.go.dev/", "goreportcard.com/report/"}, func(s string) bool { return strings.HasSuffix(before, s) })
}

package rules

import (
	"fmt"
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

// textPath moves import paths in files that are not Go.
//
// Matched: paths of old etcd packages that have a home in the target, wherever
// they stand: mockgen calls in a Makefile, depguard lists, mocks.json, scripts,
// documentation.
//
// Not matched: paths of modules alone, links into the repository, and labels
// of Bazel, which gazelle writes.
var textPath = &Rule{
	ID:     "text-path",
	Title:  "move import paths in files that are not Go",
	Before: "mocks:\n\tmockgen -package mocks go.etcd.io/etcd/clientv3 KV > mocks/kv.go\n",
	After:  "mocks:\n\tmockgen -package mocks go.etcd.io/etcd/client/v3 KV > mocks/kv.go\n",
	Why:    "Nothing compiles these files, so nothing proves the change: it is made only when asked for. text-mentions names the files.",
	Since:  "v3.5.0",
	Safety: Same,
	Refs:   []string{"https://github.com/etcd-io/etcd/blob/main/CHANGELOG/CHANGELOG-3.5.md"},
	OptIn:  true,
	Text: func(p *TextPass) {
		for _, m := range pathMentions(p.Src, p.Target.Line) {
			if m.New != "" && !strings.HasSuffix(p.Src[:m.Start], "://") {
				p.Replace(m.Start, m.End, m.New, m.Path+" is now "+m.New)
			}
		}
	},
}

var bazelLabel = regexp.MustCompile(`@(com_github_coreos_etcd|com_github_etcd_io_etcd|io_etcd_go_etcd(?:_v3)?)//[\w/.:-]*`)

// textMentions names the files that are not Go and mention packages of old
// etcd.
var textMentions = &Rule{
	ID:     "text-mentions",
	Title:  "name files that are not Go and mention packages of old etcd",
	Before: "deps = [\"@com_github_coreos_etcd//clientv3:go_default_library\"]\n",
	After:  "deps = [\"@com_github_coreos_etcd//clientv3:go_default_library\"]\n",
	Why:    "Generator calls, linter lists and Bazel labels go on naming packages that are no longer there. One finding for a file, at its first mention.",
	Since:  "v3.5.0",
	Safety: Report,
	Refs:   []string{"https://github.com/etcd-io/etcd/blob/main/CHANGELOG/CHANGELOG-3.5.md"},
	Text: func(p *TextPass) {
		if all := bazelLabel.FindAllStringIndex(p.Src, -1); len(all) > 0 {
			p.Report(all[0][0], all[0][1], edit.Review, fmt.Sprintf("%d Bazel labels of old etcd, the first %s", len(all), p.Src[all[0][0]:all[0][1]]),
				"bazel run //:gazelle -- update-repos -from_file=go.mod (or use the go_deps extension), then bazel run //:gazelle")
		}
		ms := pathMentions(p.Src, p.Target.Line)
		ms = slices.DeleteFunc(ms, func(m pathMention) bool { return strings.HasSuffix(p.Src[:m.Start], "://") })
		if len(ms) == 0 {
			return
		}
		sev := edit.Review
		if prose(p.Name) {
			sev = edit.Note
		}
		p.Report(ms[0].Start, ms[0].End, sev, fmt.Sprintf("%d mentions of packages of old etcd, the first %s", len(ms), ms[0].Path),
			"'etcdshift migrate --rules text-path' moves them; nothing proves that change")
	},
}

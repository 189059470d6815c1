package rules

import (
	"fmt"
	"path"
	"slices"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// textMentions names the files that are not Go and mention packages of old
// etcd: one finding for a file, at its first mention.
//
// Not matched: what other rules tell of: commands of generators and of the go
// command, .proto files, labels of Bazel.
var textMentions = &Rule{
	ID:     "text-mentions",
	Title:  "name files that are not Go and mention packages of old etcd",
	Before: "deny:\n  - pkg: go.etcd.io/etcd/clientv3/concurrency\n",
	After:  "deny:\n  - pkg: go.etcd.io/etcd/clientv3/concurrency\n",
	Why:    "Lists of linters, settings of tools, scripts and documents go on naming packages that are no longer there. A list that forbids the old package is fine as it is; one that allows it is not.",
	Since:  "v3.5.0",
	Safety: Report,
	Refs:   []string{"https://github.com/etcd-io/etcd/blob/main/CHANGELOG/CHANGELOG-3.5.md"},
	Text: func(p *TextPass) {
		if path.Ext(p.Name) == ".proto" || generatorSettings(p.Name) {
			return
		}
		ms := append(p.movable(p.Src), protoMentions(p.Src, p.Target.Line)...)
		told := slices.Concat(p.generatorCommands(), p.goCommands())
		ms = slices.DeleteFunc(ms, func(m pathMention) bool { return m.within(told) })
		if len(ms) == 0 {
			return
		}
		sev := edit.Review
		if prose(p.Name) {
			sev = edit.Note
		}
		p.Report(ms[0].Start, ms[0].End, sev, mentionsOf("packages of old etcd", len(ms), ms[0].Path),
			"'etcdshift migrate --rules text-path' moves them; nothing proves that change")
	},
}

func mentionsOf(what string, n int, first string) string {
	if n == 1 {
		return fmt.Sprintf("1 mention of %s: %s", what, first)
	}
	return fmt.Sprintf("%d mentions of %s, the first %s", n, what, first)
}

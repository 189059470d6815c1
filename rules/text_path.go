package rules

import (
	"regexp"
	"strings"
)

// textPath moves import paths in files that are not Go.
//
// Matched: paths of old etcd packages that have a home in the target, wherever
// they stand: depguard lists, scripts, documentation, imports and options of
// .proto files, and the mappings that protoc and buf are given.
//
// Not matched: what generator-path has, paths of modules alone, packages with a
// version, what sed and the like look for, links into the repository, and labels
// of Bazel, which gazelle writes.
var textPath = &Rule{
	ID:     "text-path",
	Title:  "move import paths in files that are not Go",
	Before: "import \"etcd/mvcc/mvccpb/kv.proto\"; // go.etcd.io/etcd/mvcc/mvccpb\n",
	After:  "import \"etcd/api/mvccpb/kv.proto\"; // go.etcd.io/etcd/api/v3/mvccpb\n",
	Why:    "Nothing compiles these files, so nothing proves the change: it is made only when asked for. text-mentions and proto-import name the files.",
	Since:  "v3.5.0",
	Safety: Same,
	Refs:   []string{"https://github.com/etcd-io/etcd/blob/main/CHANGELOG/CHANGELOG-3.5.md"},
	OptIn:  true,
	Text: func(p *TextPass) {
		done := p.generatorCommands()
		for _, m := range append(p.movable(p.Src), protoMentions(p.Src, p.Target.Line)...) {
			if m.New != "" && !m.within(done) && !lookedFor(p.Src[:m.Start]) {
				p.Replace(m.Start, m.End, m.New, m.Path+" is now "+m.New)
			}
		}
	},
}

// substitution ends in the part of s#old#new# that is looked for, with the sign
// that separates the parts.
var substitution = regexp.MustCompile("(?:^|[\\s\"'`;{(])s([#|,@!%~+:])[^\\n]*$")

// lookedFor says whether what follows is in the part of a substitution that is
// looked for: what it finds is not what is written now.
func lookedFor(before string) bool {
	line := before[strings.LastIndexByte(before, '\n')+1:]
	at := -1
	for from := 0; ; {
		m := substitution.FindStringSubmatchIndex(line[from:])
		if m == nil {
			break
		}
		at = from + m[2]
		from = at + 1
		// The next one on the line begins behind the three signs of this.
		if parts := strings.SplitN(line[from:], line[at:at+1], 3); len(parts) == 3 {
			from += len(parts[0]) + len(parts[1]) + 2
		}
	}
	return at >= 0 && !strings.Contains(line[at+1:], line[at:at+1])
}

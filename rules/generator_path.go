package rules

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// generatorPath moves the paths of old packages in commands that make mocks,
// where these are not in Go files, and in the settings of such generators.
//
// Matched: the paths of packages in commands of mockgen, mockery, moq,
// counterfeiter and minimock in Makefiles, scripts and CI files, and in
// .mockery.yaml and mocks.json.
//
// Not matched: prose, and files of a version of the old module in the module
// cache, which become a finding.
var generatorPath = &Rule{
	ID:     "generator-path",
	Title:  "move import paths in commands that make mocks",
	Before: "mocks:\n\tmockgen -package mocks go.etcd.io/etcd/clientv3 KV > mocks/kv.go\n",
	After:  "mocks:\n\tmockgen -package mocks go.etcd.io/etcd/client/v3 KV > mocks/kv.go\n",
	Why:    "The command reads the package that it names, which is not in the build any more. It is the same as a go:generate line, in another file.",
	Since:  "v3.5.0",
	Safety: Same,
	Refs:   []string{"https://github.com/etcd-io/etcd/blob/main/CHANGELOG/CHANGELOG-3.5.md"},
	Text: func(p *TextPass) {
		for _, l := range p.generatorCommands() {
			for _, word := range strings.Fields(l.text) {
				if oldInCache(word) {
					at := l.start + strings.Index(l.text, word)
					p.Report(at, at+len(word), edit.Review, "this command reads from a version of the old etcd module in the module cache",
						"name the folder of the module that has the file: 'go list -m -f {{.Dir}} go.etcd.io/etcd/client/v3' prints the one of the client")
				}
			}
			for _, m := range p.movable(l.text) {
				if writtenTo(l.text[:m.Start]) {
					continue
				}
				if m.New == "" {
					p.Report(l.start+m.Start, l.start+m.End, edit.Review, "package "+m.Path+" of this command has no home in etcd "+string(p.Target.Line), "take it out of the command, or make mocks of an interface of your own")
					continue
				}
				p.Replace(l.start+m.Start, l.start+m.End, m.New, m.Path+" is now "+m.New)
			}
		}
	},
}

var generators = regexp.MustCompile(`(?:^|[\s/(@])(?:mockgen|mockery|moq|counterfeiter|minimock)(?:@[\w.-]+)?\s`)

var (
	// outputOf ends inside the file or folder that a generator writes to.
	outputOf = regexp.MustCompile(`(?:\s--?(?:destination|o|out|output)(?:=|\s+)|>\s*)\S*$`)
	// folderOf ends inside a folder that is made, or that the settings of
	// mockery name: where mocks go or, below vendor, what they are made from.
	folderOf = regexp.MustCompile(`(?:\bmkdir\s[^&|;\n]*|(?:^|\n)[ -]*["']?(?:dir|output)["']?:[^\n]*)$`)
)

// writtenTo says whether what follows is the rest of a place that is written
// to: the repository's own, whatever it is called.
func writtenTo(before string) bool {
	return outputOf.MatchString(before) || folderOf.MatchString(before) && !strings.HasSuffix(before, "vendor/")
}

// generatorCommands returns the commands of a file that make mocks, and all of
// a file of settings for them.
func (p *TextPass) generatorCommands() []textLine {
	if generatorSettings(p.Name) {
		return []textLine{{p.Src, 0}}
	}
	if prose(p.Name) {
		return nil
	}
	return slices.DeleteFunc(commands(p.Src), func(l textLine) bool { return !generators.MatchString(l.text) })
}

func generatorSettings(name string) bool {
	return slices.Contains([]string{".mockery.yaml", ".mockery.yml", "mockery.yaml", "mockery.yml", "mocks.json"}, path.Base(name))
}

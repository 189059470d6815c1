package rules

import (
	"cmp"
	"slices"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// goGeneratePath moves the paths of old packages in directives: the commands
// of //go:generate, such as mockgen and mockery, //go:linkname, and those of
// other tools, such as //counterfeiter:generate.
//
// Matched: an old import path anywhere in such a line, below a vendor folder
// too, with a file name after it or not.
//
// Not matched: the root of the old module alone, as in -I flags of protoc, and
// a version of it in the module cache, which become findings, and other comments; comment-path has those.
var goGeneratePath = &Rule{
	ID:    "go-generate-path",
	Title: "move import paths in //go:generate and //go:linkname lines",
	Before: `package p

//go:generate mockgen -destination mock_kv_test.go -package p github.com/coreos/etcd/clientv3 KV,Lease

import "github.com/coreos/etcd/clientv3"

type store struct{ kv clientv3.KV }
`,
	After: `package p

//go:generate mockgen -destination mock_kv_test.go -package p go.etcd.io/etcd/client/v3 KV,Lease

import clientv3 "go.etcd.io/etcd/client/v3"

type store struct{ kv clientv3.KV }
`,
	Why:    "go generate reads these lines; with the old path the next run fails, or brings the old package back into go.mod. What was generated before is not generated anew: run go generate after the migration.",
	Since:  "v3.5.0",
	Safety: Same,
	Refs:   []string{"https://github.com/etcd-io/etcd/blob/main/CHANGELOG/CHANGELOG-3.5.md"},
	Run:    runGoGeneratePath,
}

func runGoGeneratePath(p *Pass) {
	for _, f := range p.Files {
		for c, directive := range f.comments {
			if !directive || !strings.Contains(c.Text, "etcd") {
				continue
			}
			for _, word := range strings.Fields(c.Text) {
				if oldInCache(word) {
					p.Report(f, c, edit.Review, "this directive reads from a version of the old etcd module in the module cache", "name the folder of the module that has the file: 'go list -m -f {{.Dir}} go.etcd.io/etcd/client/v3' prints the one of the client")
				}
				if oldRootAtEnd(word) {
					p.Report(f, c, edit.Review, "this directive reads from the folder of the old etcd module", "name the folder of the module that has what is read there: 'go list -m -f {{.Dir}} go.etcd.io/etcd/api/v3' prints the one of the .proto files")
				}
			}
			for _, m := range pathMentions(c.Text, p.Target.Line) {
				if writtenTo(c.Text[:m.Start]) {
					continue
				}
				if strings.HasPrefix(c.Text[m.End:], "@") {
					p.Report(f, c, edit.Review, "this directive has a version of the old etcd module", "name "+cmp.Or(m.New, "what took its place")+" without a version, so that go.mod's counts")
					continue
				}
				if m.New == "" {
					p.Report(f, c, edit.Review, "package "+m.Path+" of this directive has no home in etcd "+string(p.Target.Line), "take it out of the directive, or generate from an interface of your own")
					continue
				}
				ch := p.Change(edit.Typed, "%s is now %s", m.Path, m.New)
				ch.replace(f, f.Offset(c.Pos())+m.Start, f.Offset(c.Pos())+m.End, m.New)
				if strings.HasPrefix(c.Text, "//go:linkname") {
					p.Report(f, c, edit.Review, "go:linkname reaches into "+m.New+", whose unexported names follow no rule",
						"check that the name is still declared there; a wrong one fails at link time or not at all")
				}
			}
		}
	}
}

// oldInCache says whether a word is a file of a version of an old module.
func oldInCache(word string) bool {
	return slices.ContainsFunc(atlas.OldRoots(), func(r string) bool { return strings.Contains(word, r+"@v") })
}

// oldRootAtEnd says whether a word ends in the path of an old module, as flags
// that name a folder of GOPATH do.
func oldRootAtEnd(word string) bool {
	word = strings.TrimRight(word, `"'/`)
	for _, r := range atlas.OldRoots() {
		if before, ok := strings.CutSuffix(word, r); ok && (before == "" || strings.HasSuffix(before, "/") || strings.HasSuffix(before, "=")) {
			return true
		}
	}
	return false
}

package rules

import (
	"go/ast"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// commentPath moves the paths of old packages in comments, and the links to
// their documentation and their repository. It runs only when asked for.
//
// Matched: import paths of packages that have a home in the target, links to
// godoc.org, pkg.go.dev and github.com/coreos/etcd.
//
// Not matched: directives, which go-generate-path has, the preamble of cgo,
// and import comments.
var commentPath = &Rule{
	ID:    "comment-path",
	Title: "move import paths and links in comments",
	Before: `package p

// get reads with github.com/coreos/etcd/clientv3; see
// https://godoc.org/github.com/coreos/etcd/clientv3#OpOption and
// https://github.com/coreos/etcd/issues/8000.
func get() {}
`,
	After: `package p

// get reads with go.etcd.io/etcd/client/v3; see
// https://pkg.go.dev/go.etcd.io/etcd/client/v3#OpOption and
// https://github.com/etcd-io/etcd/issues/8000.
func get() {}
`,
	Why:    "Comments are prose: what they say of the old package may not hold for the new one, so nobody but the reader can tell whether the path should follow.",
	Since:  "v3.5.0",
	Safety: Same,
	Refs:   []string{"https://github.com/etcd-io/etcd/blob/main/CHANGELOG/CHANGELOG-3.5.md"},
	OptIn:  true,
	Run:    runCommentPath,
}

func runCommentPath(p *Pass) {
	for _, f := range p.Files {
		for c, directive := range f.comments {
			if directive || !strings.Contains(c.Text, "etcd") || f.isCode(c) {
				continue
			}
			at, comment := f.Offset(c.Pos()), f.commentSource(c)
			for _, m := range pathMentions(comment, p.Target.Line) {
				start, text := m.Start, m.New
				switch before := comment[:m.Start]; {
				case text == "", strings.HasPrefix(comment[m.End:], "@"): // a version of the old module
					continue
				case strings.HasSuffix(before, "://godoc.org/"):
					start -= len("godoc.org/")
					text = "pkg.go.dev/" + text
				case strings.HasSuffix(before, "://pkg.go.dev/"):
				case inLink(before):
					continue // into the repository, below, or to somebody else
				}
				ch := p.Change(edit.Typed, "%s is now %s", m.Path, m.New)
				ch.replace(f, at+start, at+m.End, text)
			}
			const old = "://github.com/coreos/etcd"
			for i := strings.Index(comment, old); i >= 0; {
				end := i + len(old)
				if end == len(comment) || !isPathByte(comment[end]) || comment[end] == '/' || comment[end] == '.' {
					ch := p.Change(edit.Typed, "the repository is github.com/etcd-io/etcd")
					ch.replace(f, at+i+len("://github.com/"), at+i+len("://github.com/coreos"), "etcd-io")
				}
				next := strings.Index(comment[end:], old)
				if next < 0 {
					break
				}
				i = end + next
			}
		}
	}
}

// commentSource returns a comment as it stands in the file: in c.Text carriage
// returns are gone.
func (f *File) commentSource(c *ast.Comment) string {
	rest := string(f.Src[f.Offset(c.Pos()):])
	if strings.HasPrefix(c.Text, "/*") {
		return rest[:strings.Index(rest, "*/")+len("*/")]
	}
	return rest[:len(c.Text)]
}

// isCode says whether a comment is read by a tool: C code before import "C",
// or an import comment after the package clause.
func (f *File) isCode(c *ast.Comment) bool {
	if f.SameLine(c.Pos(), f.AST.Name.Pos()) {
		return true
	}
	for _, d := range f.AST.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range g.Specs {
			if spec, ok := s.(*ast.ImportSpec); ok && spec.Path.Value == `"C"` {
				for _, doc := range []*ast.CommentGroup{g.Doc, spec.Doc} {
					if doc != nil && doc.Pos() <= c.Pos() && c.End() <= doc.End() {
						return true
					}
				}
			}
		}
	}
	return false
}

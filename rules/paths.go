package rules

import (
	"go/ast"
	"regexp"
	"strings"

	"github.com/etcdshift/etcdshift/rules/atlas"
)

// pathMention is an import path of old etcd in text that is not code: a
// directive or a comment.
type pathMention struct {
	Start, End int    // in the text
	Path       string // as it stands there
	Rel        string // the package
	New        string // where it is now, "" when it has no home
}

// pathMentions finds the import paths of old etcd in a text. Of a longer path
// the package counts: github.com/coreos/etcd/clientv3/op.go mentions clientv3.
func pathMentions(text string, line atlas.Line) []pathMention {
	var out []pathMention
	for at := 0; at < len(text); {
		start, root := -1, ""
		for _, r := range atlas.OldRoots() {
			if i := strings.Index(text[at:], r); i >= 0 && (start < 0 || at+i < start || at+i == start && len(r) > len(root)) {
				start, root = at+i, r
			}
		}
		if start < 0 {
			return out
		}
		end := start + len(root)
		at = end
		if start > 0 && isPathByte(text[start-1]) && text[start-1] != '/' && !mapped(text[:start]) || end == len(text) || text[end] != '/' {
			continue
		}
		for end < len(text) && isPathByte(text[end]) {
			end++
		}
		// The longest part of it that names a package. A path that is at home
		// already is none of ours.
		p, split := text[start:end], false
		for {
			p = strings.TrimRight(p, "./-")
			if len(p) <= len(root) {
				break
			}
			if rel, layout, ok := atlas.Canonical(p); ok {
				if split && layout != atlas.LayoutSplit {
					break // what is left of a module's path
				}
				split = layout == atlas.LayoutSplit
				if home, ok := atlas.HomeOf(rel, line); ok {
					m := pathMention{Start: start, End: start + len(p), Path: p, Rel: rel}
					if !home.Gone && home.Path != p {
						m.New = home.Path
					}
					if home.Gone || m.New != "" {
						out = append(out, m)
					}
					break
				}
			}
			// Without its last element, or what a dot cuts off: a file or, in a
			// linkname, a symbol.
			i := strings.LastIndexAny(p, "/.")
			if i <= len(root) {
				break
			}
			p = p[:i]
		}
		at = end
	}
	return out
}

// mapped says whether what follows is the file of a mapping of protoc's, as in
// --go_opt=Mpath/file.proto=package.
func mapped(before string) bool {
	n := len(before) - 1
	return before[n] == 'M' && (n == 0 || !isPathByte(before[n-1]))
}

func isPathByte(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || strings.IndexByte("/._-~", b) >= 0
}

// isDirective matches directives as go/ast has them: //go:generate,
// //counterfeiter:generate.
var isDirective = regexp.MustCompile(`^//(?:[a-z0-9]+:[a-z0-9]|line |export |extern )`)

// toLinters matches directives that end in prose.
var toLinters = regexp.MustCompile(`^//(?:nolint|lint):`)

// comments yields the comments of a file, and whether each is a directive to a
// tool that reads all of it.
func (f *File) comments(yield func(c *ast.Comment, directive bool) bool) {
	for _, g := range f.AST.Comments {
		for _, c := range g.List {
			if !yield(c, isDirective.MatchString(c.Text) && !toLinters.MatchString(c.Text)) {
				return
			}
		}
	}
}

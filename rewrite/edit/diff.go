package edit

import (
	"bytes"
	"cmp"
	"compress/zlib"
	"crypto/sha1"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"
	"github.com/aymanbagabas/go-udiff/lcs"
)

// FileChange is a file of the tree before and after.
type FileChange struct {
	Path   string      // slash-separated, relative to the root of the tree
	Before []byte      // what the file holds; nil if it does not exist
	After  []byte      // what it will hold; nil if it will not exist
	Mode   fs.FileMode // permissions, which a change never alters; 0 stands for 0644
}

// Created reports whether the change makes a file that was not there.
func (c FileChange) Created() bool { return c.Before == nil && c.After != nil }

// Deleted reports whether the change takes a file away.
func (c FileChange) Deleted() bool { return c.Before != nil && c.After == nil }

// Empty reports whether nothing changes.
func (c FileChange) Empty() bool {
	return (c.Before == nil) == (c.After == nil) && bytes.Equal(c.Before, c.After)
}

// Perm returns the permissions of the file.
func (c FileChange) Perm() fs.FileMode { return cmp.Or(c.Mode.Perm(), 0o644) }

// contextLines is how many unchanged lines git shows around a change.
const contextLines = 3

// Diff returns the changes as one diff in git's format, ordered by path, for
// people to read and for "git apply" to take. Files that are not text become
// git binary patches, which carry both contents and so revert as well (in a
// repository with SHA-256 ids, git takes the rest of the diff only).
//
// git reads the paths of a diff from the top of the work tree, even when it
// runs in a folder below, and does not follow links; journal.ForGit makes the
// paths such.
func Diff(changes []FileChange) string {
	sorted := slices.Clone(changes)
	slices.SortStableFunc(sorted, func(a, b FileChange) int { return strings.Compare(a.Path, b.Path) })
	var b strings.Builder
	for _, c := range sorted {
		if !c.Empty() {
			writeDiff(&b, c)
		}
	}
	return b.String()
}

func writeDiff(b *strings.Builder, c FileChange) {
	from, to := gitPath("a/"+c.Path), gitPath("b/"+c.Path)
	mode := "100644"
	if c.Perm()&0o100 != 0 { // the only permission that git keeps
		mode = "100755"
	}
	fmt.Fprintf(b, "diff --git %s %s\n", from, to)

	oldID, newID := blobID(c.Before), blobID(c.After)
	binary := isBinary(c.Before) || isBinary(c.After)
	if !binary { // git insists on whole ids for binary patches only
		oldID, newID = oldID[:7], newID[:7]
	}
	switch {
	case c.Created():
		fmt.Fprintf(b, "new file mode %s\nindex %s..%s\n", mode, oldID, newID)
	case c.Deleted():
		fmt.Fprintf(b, "deleted file mode %s\nindex %s..%s\n", mode, oldID, newID)
	default:
		fmt.Fprintf(b, "index %s..%s %s\n", oldID, newID, mode)
	}
	if binary {
		b.WriteString("GIT binary patch\n")
		writeLiteral(b, c.After)
		writeLiteral(b, c.Before)
		return
	}

	// The tab ends a name that has spaces, as in git.
	if strings.Contains(c.Path, " ") {
		from, to = from+"\t", to+"\t"
	}
	if c.Created() {
		from = "/dev/null"
	}
	if c.Deleted() {
		to = "/dev/null"
	}
	before := string(c.Before)
	u, err := udiff.ToUnifiedDiff(from, to, before, lineEdits(before, string(c.After)), contextLines)
	if err != nil { // the edits do not fit: the whole file always does
		whole := []udiff.Edit{{Start: 0, End: len(before), New: string(c.After)}}
		u, _ = udiff.ToUnifiedDiff(from, to, before, whole, contextLines)
	}
	number(u.Hunks)
	b.WriteString(u.String()) // empty if no lines change: an empty file comes or goes
}

// number says where hunks begin in the new file. udiff leaves the unchanged
// lines between two changes of one hunk out of its count, and git looks for the
// place of the next hunk by that: where lines repeat, it finds another.
func number(hunks []*udiff.Hunk) {
	shift := 0
	for _, h := range hunks {
		h.ToLine = h.FromLine + shift
		for _, l := range h.Lines {
			switch l.Kind {
			case udiff.Insert:
				shift++
			case udiff.Delete:
				shift--
			}
		}
	}
}

// lineEdits returns edits of whole lines that turn before into after.
func lineEdits(before, after string) []udiff.Edit {
	a, b := strings.SplitAfter(before, "\n"), strings.SplitAfter(after, "\n")
	offset := lineOffsets(a)
	var edits []udiff.Edit
	for _, d := range lineDiffs(a, b) {
		e := udiff.Edit{Start: offset[d.Start], End: offset[d.End], New: strings.Join(b[d.ReplStart:d.ReplEnd], "")}
		// SplitAfter ends in an empty piece, which can make an edit of nothing.
		if e.Start != e.End || e.New != "" {
			edits = append(edits, e)
		}
	}
	return edits
}

// lineOffsets returns where each line begins, and where the last one ends.
func lineOffsets(lines []string) []int {
	offset := make([]int, len(lines)+1)
	for i, l := range lines {
		offset[i+1] = offset[i] + len(l)
	}
	return offset
}

// lineDiffs returns the runs of lines in which a and b differ.
//
// udiff alone gives up after a hundred changed lines and replaces what is
// between; a go.sum changes more than that. So the lines that occur once on
// both sides are matched first (patience diff), and udiff gets the gaps.
func lineDiffs(a, b []string) []lcs.Diff {
	var diffs []lcs.Diff
	gap := func(ai, aj, bi, bj int) {
		for _, d := range lcs.DiffLines(a[ai:aj], b[bi:bj]) {
			diffs = append(diffs, lcs.Diff{Start: ai + d.Start, End: ai + d.End, ReplStart: bi + d.ReplStart, ReplEnd: bi + d.ReplEnd})
		}
	}
	ai, bi := 0, 0
	for _, m := range anchors(a, b) {
		gap(ai, m.a, bi, m.b)
		ai, bi = m.a+1, m.b+1
	}
	gap(ai, len(a), bi, len(b))
	return diffs
}

// match says that line a of one side is line b of the other.
type match struct{ a, b int }

// anchors returns the longest rising run of lines that occur once in a and
// once in b.
func anchors(a, b []string) []match {
	type seen struct{ na, nb, a, b int }
	lines := make(map[string]*seen, len(a))
	for i, l := range a {
		s := lines[l]
		if s == nil {
			s = new(seen)
			lines[l] = s
		}
		s.na++
		s.a = i
	}
	for i, l := range b {
		if s := lines[l]; s != nil {
			s.nb++
			s.b = i
		}
	}
	// Patience sorting: tails[n] ends the run of length n+1 with the lowest b.
	var all []match
	var tails, prev []int // indexes into all
	for i, l := range a {
		s := lines[l]
		if s.na != 1 || s.nb != 1 {
			continue
		}
		n, _ := slices.BinarySearchFunc(tails, s.b, func(t, b int) int { return cmp.Compare(all[t].b, b) })
		p := -1
		if n > 0 {
			p = tails[n-1]
		}
		all, prev = append(all, match{i, s.b}), append(prev, p)
		if n == len(tails) {
			tails = append(tails, 0)
		}
		tails[n] = len(all) - 1
	}
	if len(tails) == 0 {
		return nil
	}
	run := make([]match, 0, len(tails))
	for i := tails[len(tails)-1]; i >= 0; i = prev[i] {
		run = append(run, all[i])
	}
	slices.Reverse(run)
	return run
}

// isBinary tells text from the rest as git does: by a NUL near the start.
func isBinary(content []byte) bool {
	return bytes.IndexByte(content[:min(len(content), 8000)], 0) >= 0
}

// blobID returns the name that git gives to content; all zeros for no file.
func blobID(content []byte) string {
	if content == nil {
		return strings.Repeat("0", 2*sha1.Size)
	}
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", len(content))
	h.Write(content)
	return fmt.Sprintf("%x", h.Sum(nil))
}

// base85 is the alphabet of git's binary patches, which is not that of
// encoding/ascii85.
const base85 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"

// writeLiteral writes one half of a binary patch: the compressed content in
// lines of at most 52 bytes, each behind a letter that gives its length.
func writeLiteral(b *strings.Builder, content []byte) {
	fmt.Fprintf(b, "literal %d\n", len(content))
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	z.Write(content) // a bytes.Buffer does not fail
	z.Close()
	for line := range slices.Chunk(packed.Bytes(), 52) {
		if n := len(line); n <= 26 {
			b.WriteByte(byte('A' + n - 1))
		} else {
			b.WriteByte(byte('a' + n - 27))
		}
		for word := range slices.Chunk(line, 4) {
			var quad [4]byte
			copy(quad[:], word)
			v := uint32(quad[0])<<24 | uint32(quad[1])<<16 | uint32(quad[2])<<8 | uint32(quad[3])
			var digits [5]byte
			for i := 4; i >= 0; i-- {
				digits[i] = base85[v%85]
				v /= 85
			}
			b.Write(digits[:])
		}
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
}

// gitPath quotes a path as git does by default: in double quotes with C
// escapes if it has control characters, quotes, backslashes or bytes beyond
// ASCII.
func gitPath(path string) string {
	var q strings.Builder
	quoted := false
	for i := range len(path) {
		c := path[i]
		switch {
		case c == '"' || c == '\\':
			q.WriteByte('\\')
			q.WriteByte(c)
		case '\a' <= c && c <= '\r':
			q.WriteByte('\\')
			q.WriteByte("abtnvfr"[c-'\a'])
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(&q, `\%03o`, c)
		default:
			q.WriteByte(c)
			continue
		}
		quoted = true
	}
	if !quoted {
		return path
	}
	return `"` + q.String() + `"`
}

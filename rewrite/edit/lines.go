package edit

import (
	"strings"

	"github.com/aymanbagabas/go-udiff"
)

// hunk is a run of lines that differs: lines [oldStart, oldEnd) of the file
// before became [newStart, newEnd) of the file after, 0-based.
type hunk struct{ oldStart, oldEnd, newStart, newEnd int }

// hunks compares two files line by line.
func hunks(before, after []byte) []hunk {
	a, b := string(before), string(after)
	var out []hunk
	shift := 0 // lines of after less lines of before, so far
	for _, e := range udiff.Lines(a, b) {
		start := strings.Count(a[:e.Start], "\n")
		removed, added := lines(a[e.Start:e.End]), lines(e.New)
		out = append(out, hunk{start, start + removed, start + shift, start + shift + added})
		shift += added - removed
	}
	return out
}

// lines counts lines, the last with or without its line break.
func lines(s string) int {
	n := strings.Count(s, "\n")
	if s != "" && !strings.HasSuffix(s, "\n") {
		n++
	}
	return n
}

// Stat counts the lines that a change adds and removes.
func Stat(before, after []byte) (added, removed int) {
	for _, h := range hunks(before, after) {
		added += h.newEnd - h.newStart
		removed += h.oldEnd - h.oldStart
	}
	return added, removed
}

// OldLine returns the line of the file before that a line of the file after
// comes from, both 1-based; for a line that is new, the first of those that
// it replaces.
func OldLine(before, after []byte, line int) int {
	l, shift := line-1, 0
	for _, h := range hunks(before, after) {
		if l < h.newStart {
			break
		}
		if l < h.newEnd {
			return min(h.oldStart+(l-h.newStart), max(h.oldEnd-1, h.oldStart)) + 1
		}
		shift = (h.newEnd - h.newStart) - (h.oldEnd - h.oldStart) + shift
	}
	return line - shift
}

// NewLine returns the line of the file after that a line of the file before
// became, both 1-based; for a line that is gone, the first of those that
// replace it.
func NewLine(before, after []byte, line int) int {
	l, shift := line-1, 0
	for _, h := range hunks(before, after) {
		if l < h.oldStart {
			break
		}
		if l < h.oldEnd {
			return min(h.newStart+(l-h.oldStart), max(h.newEnd-1, h.newStart)) + 1
		}
		shift += (h.newEnd - h.newStart) - (h.oldEnd - h.oldStart)
	}
	return line + shift
}

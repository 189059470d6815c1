package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"
)

// What can be in the way of a run. Each arrives in an *Error that names the
// files; errors.Is tells which.
var (
	// ErrChanged means that a file is not what the run expects to find.
	ErrChanged = errors.New("changed since it was read")
	// ErrEscapes means that a path leads out of the tree, or into git's own
	// folder.
	ErrEscapes = errors.New("leads out of the tree")
	// ErrReadOnly means that a file or its folder must not be written.
	ErrReadOnly = errors.New("is read-only")
	// ErrNotFile means that something other than a file is in the way.
	ErrNotFile = errors.New("is not a regular file")
	// ErrLocked means that another run is at work in the same tree.
	ErrLocked = errors.New("another etcdshift is at work here")
	// ErrInterrupted means that a tree may be half written.
	ErrInterrupted = errors.New("a run was stopped in the middle of writing")
	// ErrNothingToUndo means that no run is left to take back.
	ErrNothingToUndo = errors.New("nothing to undo")
)

// Error is one of the errors above and the paths that it is about.
type Error struct {
	Err    error    // one of the errors above
	Paths  []string // slash-separated and relative to the root, for files of the tree
	Reason string   // more about it; may be empty
	Next   string   // what to do about it
}

func (e *Error) Unwrap() error { return e.Err }

// shownPaths is how many paths an error spells out.
const shownPaths = 10

func (e *Error) Error() string {
	var b strings.Builder
	if n := len(e.Paths); n > 0 {
		b.WriteString(strings.Join(e.Paths[:min(n, shownPaths)], ", "))
		if n > shownPaths {
			fmt.Fprintf(&b, " and %d more", n-shownPaths)
		}
		b.WriteString(": ")
	}
	b.WriteString(e.Err.Error())
	if e.Reason != "" {
		b.WriteString(" (" + e.Reason + ")")
	}
	if e.Next != "" {
		b.WriteString("; " + e.Next)
	}
	return b.String()
}

// obstacles collects what is in the way of a run, so that one error can name
// all files of the kind that comes first.
type obstacles []*Error

func (o *obstacles) add(err error, path, reason string) {
	*o = append(*o, &Error{Err: err, Paths: []string{path}, Reason: reason})
}

// first returns an error with the paths of all obstacles that are like the
// first one, or nil if there are none.
func (o obstacles) first(next string) error {
	if len(o) == 0 {
		return nil
	}
	e := &Error{Err: o[0].Err, Reason: o[0].Reason, Next: next}
	for _, x := range o {
		if x.Err == e.Err && x.Reason == e.Reason {
			e.Paths = append(e.Paths, x.Paths...)
		}
	}
	slices.Sort(e.Paths)
	e.Paths = slices.Compact(e.Paths)
	return e
}

// refused reports whether the system did not let us write, as opposed to a
// write that failed.
func refused(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}

// missing reports whether err says that a file is not there, be it for want
// of a folder above it.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

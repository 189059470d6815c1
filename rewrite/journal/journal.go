// Package journal applies a set of file changes to a tree, all of them or
// none, and takes them back.
//
// Apply first checks that every file is what the changes expect. It then
// writes the old contents into a journal and the new ones into temporary
// files next to their targets, flushes all that to the disk, and only then
// commits: the temporary files are renamed into place. A run that is killed
// before the commit is rolled back by the next one, and finished if it was
// killed after; Recover does that, and every command starts with it. Undo is
// a run of the same kind, in the other direction, from the contents in the
// journal.
//
// The journal is in the folder etcdshift of git's own folder, where neither
// git nor the go command sees it, or in .etcdshift below the root if there is
// no git work tree. It is locked during a run. It goes away with the last run
// that could be undone.
//
// What is kept: modes, the owner (as far as the process may set it), and
// symbolic links, which are written through to their targets inside the
// tree. Files are replaced rather than overwritten, so that nobody can see
// half of one; therefore a second hard link to a file keeps the old content,
// and extended attributes are lost. Folders that the changes leave empty are
// removed, as the go command does with those of vendor.
package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/gocmd"
)

// Meta describes a run, for messages about it.
type Meta struct {
	Command string    // "migrate"
	Target  string    // the etcd release that the run moved to
	Time    time.Time // when it was applied
}

func (m Meta) String() string {
	s := m.Command
	if m.Target != "" {
		s += " to " + m.Target
	}
	if !m.Time.IsZero() {
		s += " of " + m.Time.Format(time.DateTime)
	}
	return s
}

// Action is what Recover did.
type Action uint8

const (
	// Nothing was left of earlier runs.
	Nothing Action = iota
	// Finished means that a run was past its commit, and was carried on.
	Finished
	// RolledBack means that a run was before its commit, or could not be
	// finished; the tree is what it was before that run.
	RolledBack
)

// Outcome is what Recover found and did.
type Outcome struct {
	Action Action
	Meta   Meta     // of the run that had been killed
	Undo   bool     // whether that was taking back the run that Meta is about
	Files  int      // how many files it was about
	Kept   []string // files that somebody changed in the meantime; they were left as they are
}

func (o Outcome) String() string {
	if o.Action == Nothing {
		return "nothing to recover"
	}
	did := "finished"
	if o.Action == RolledBack {
		did = "rolled back"
	}
	what := o.Meta.String()
	if o.Undo {
		what = "undo of " + what
	}
	s := fmt.Sprintf("%s: was interrupted, and has been %s (%d files)", what, did, o.Files)
	if len(o.Kept) > 0 {
		s += "; left as they are, since they were changed in the meantime: " + strings.Join(o.Kept, ", ")
	}
	return s
}

// Summary is what Undo did.
type Summary struct {
	Meta     Meta     // of the run that was taken back
	Restored []string // files that hold their old content again
	Removed  []string // files that the run had created
	Returned []string // files that the run had deleted
}

func (s Summary) String() string {
	return fmt.Sprintf("took back %s: %d files restored, %d removed, %d returned",
		s.Meta, len(s.Restored), len(s.Removed), len(s.Returned))
}

// Apply writes all changes below root, or none. It refuses, with an *Error,
// if a file does not hold what its change has as Before, if a path leads out
// of the tree or to something that is not a file, if a file or folder is
// read-only, and if another run is at work.
func Apply(root string, changes []edit.FileChange, meta Meta) error {
	p, err := find(root)
	if err != nil {
		return err
	}
	// Most of what can be in the way is found before the journal is touched.
	targets, err := resolveAll(p.root, changes)
	if err != nil {
		return err
	}
	if len(targets) == 0 {
		return nil
	}
	unlock, err := p.lock(meta.Command)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := p.recover(); err != nil {
		return err
	}

	slices.SortFunc(targets, func(a, b target) int { return strings.Compare(a.real, b.real) })
	m, err := plan(p.root, targets)
	if err != nil {
		return err
	}
	m.Meta = meta
	reader := func(b []byte) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
	err = p.run(m,
		func(i int) (io.ReadCloser, error) { return reader(targets[i].Before) },
		func(i int) (io.ReadCloser, error) { return reader(targets[i].After) })
	if err != nil {
		return err
	}
	return p.prune()
}

// plan checks the targets against the tree and works out the files and
// folders of the run.
func plan(root string, targets []target) (manifest, error) {
	var m manifest
	var bad obstacles
	files := make([]file, 0, len(targets))
	for _, t := range targets {
		f := file{Path: t.Path, Real: t.real, Before: describe(t.Before), After: describe(t.After), Mode: t.Perm()}
		switch {
		case t.info == nil && t.Before != nil:
			bad.add(ErrChanged, t.Path, "it is gone")
		case t.info != nil && t.info.IsDir() && t.Before == nil: // checked below
		case t.info != nil && !t.info.Mode().IsRegular():
			bad.add(ErrNotFile, t.Path, "")
		case t.info != nil && t.Before == nil:
			bad.add(ErrChanged, t.Path, "there is a file by now")
		case t.info != nil:
			if data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(t.real))); err != nil {
				bad.add(ErrNotFile, t.Path, err.Error())
			} else if !bytes.Equal(data, t.Before) {
				bad.add(ErrChanged, t.Path, "")
			}
			f.Mode = modeOf(t.info)
		}
		files = append(files, f)
	}
	m.Files = files
	setOffsets(m.Files)
	if err := bad.first("nothing was written; run the command again"); err != nil {
		return m, err
	}
	tree, err := os.OpenRoot(root)
	if err != nil {
		return m, err
	}
	defer tree.Close()
	m.Rmdirs, err = emptied(tree, m.Files)
	if err != nil {
		return m, err
	}
	return m, m.check(root, tree)
}

func describe(b []byte) *content {
	if b == nil {
		return nil
	}
	sum := sha256.Sum256(b)
	return &content{Size: int64(len(b)), SHA256: hex.EncodeToString(sum[:])}
}

func setOffsets(files []file) {
	var at int64
	for i := range files {
		if f := &files[i]; f.Before != nil {
			f.Offset = at
			at += f.Before.Size
		}
	}
}

// modeOf returns the mode bits that chmod sets.
func modeOf(info fs.FileInfo) fs.FileMode {
	return info.Mode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
}

// emptied returns the folders that hold nothing once the files are deleted,
// deepest first.
func emptied(tree *os.Root, files []file) ([]folder, error) {
	gone, needed := map[string]bool{}, map[string]bool{}
	var dirs []string
	for _, f := range files {
		if f.After == nil {
			gone[f.Real] = true
			dirs = append(dirs, path.Dir(f.Real))
			continue
		}
		for dir := path.Dir(f.Real); dir != "." && !needed[dir]; dir = path.Dir(dir) {
			needed[dir] = true
		}
	}
	slices.SortFunc(dirs, func(a, b string) int { return len(b) - len(a) })
	var out []folder
	for _, dir := range slices.Compact(dirs) {
		// A folder can go once the last of those in it goes, so each of them
		// tries all above.
		for ; dir != "." && !needed[dir] && !gone[dir]; dir = path.Dir(dir) {
			names, err := readDir(tree, dir)
			if err != nil {
				return nil, err
			}
			if slices.ContainsFunc(names, func(name string) bool { return !gone[path.Join(dir, name)] }) {
				break
			}
			info, err := tree.Lstat(dir)
			if err != nil {
				return nil, err
			}
			gone[dir] = true
			out = append(out, folder{Path: dir, Mode: modeOf(info), Exact: true})
		}
	}
	slices.SortFunc(out, func(a, b folder) int { return strings.Compare(b.Path, a.Path) })
	return out, nil
}

// check works out which folders the run has to make, and refuses what the
// file system would refuse halfway: files in the place of folders and the
// reverse, and whatever must not be written.
func (m *manifest) check(root string, tree *os.Root) error {
	var bad obstacles
	gone := map[string]bool{}
	for _, f := range m.Files {
		if f.After == nil {
			gone[f.Real] = true
		}
	}
	for _, d := range m.Rmdirs {
		gone[d.Path] = true
	}
	known := map[string]bool{}
	for _, d := range m.Mkdirs {
		known[d.Path] = true
	}
	writable := map[string]bool{} // folders looked at
	checkFolder := func(dir string) {
		if writable[dir] {
			return
		}
		writable[dir] = true
		info, err := tree.Stat(dir)
		if err != nil {
			bad.add(ErrReadOnly, dir, err.Error())
			return
		}
		checkWritable(&bad, root, dir, info, "the folder")
	}
	for _, f := range m.Files {
		info, err := tree.Lstat(f.Real)
		exists := err == nil && !info.IsDir()
		switch {
		case exists:
			checkWritable(&bad, root, f.Real, info, "the file")
		case err == nil && f.Before == nil && !gone[f.Real]:
			bad.add(ErrNotFile, f.Path, "a folder is there")
			continue
		}
		// Up to the folder that is there, and will be.
		dir := path.Dir(f.Real)
		for ; dir != "."; dir = path.Dir(dir) {
			info, err := tree.Lstat(dir)
			if err == nil && info.IsDir() {
				break
			}
			if err == nil && !gone[dir] {
				bad.add(ErrNotFile, f.Path, dir+" is a file, not a folder")
				break
			}
			if !known[dir] {
				known[dir] = true
				m.Mkdirs = append(m.Mkdirs, folder{Path: dir, Mode: 0o777})
			}
		}
		checkFolder(dir)
	}
	for _, d := range m.Rmdirs {
		checkFolder(path.Dir(d.Path))
	}
	slices.SortFunc(m.Mkdirs, func(a, b folder) int { return strings.Compare(a.Path, b.Path) })
	return bad.first("nothing was written; make it writable, or leave it out, and run the command again")
}

// checkWritable looks at the mode and not only at what the system allows: it
// allows root to write everything, but a file without any write permission is
// marked as not to be written.
func checkWritable(bad *obstacles, root, name string, info fs.FileInfo, what string) {
	if info.Mode()&0o222 == 0 {
		bad.add(ErrReadOnly, name, what+" has no write permission")
	} else if err := accessible(filepath.Join(root, filepath.FromSlash(name))); err != nil {
		bad.add(ErrReadOnly, name, what+": "+err.Error())
	}
}

// run carries out a new run: all of it, or nothing of it.
func (p place) run(m manifest, before, after func(i int) (io.ReadCloser, error)) error {
	e, err := p.create(m)
	if err != nil {
		return explain(err)
	}
	defer e.close()
	err = e.prepare(before, after)
	if err == nil {
		err = e.setState(committed)
	}
	if err != nil {
		// The state on disk tells, should the flush of a commit have failed.
		if s, serr := p.state(e.name); serr == nil && s != preparing {
			return p.takeBack(e, err)
		}
		if rerr := e.abandon(); rerr != nil {
			return errors.Join(explain(err), leftover(rerr))
		}
		return explain(err)
	}
	err = e.forward(func(f *file) error { return &Error{Err: ErrChanged, Paths: []string{f.Path}} })
	if err != nil {
		return p.takeBack(e, err)
	}
	if err := p.finish(e); err != nil {
		return leftover(err)
	}
	return nil
}

// abandon ends a run that was not committed.
func (e *entry) abandon() error {
	if err := e.removeTemps(); err != nil {
		return err
	}
	return e.remove()
}

// takeBack restores the tree after a committed run failed because of cause,
// which it returns.
func (p place) takeBack(e *entry, cause error) error {
	err := e.setState(undone)
	if err == nil {
		err = e.back()
	}
	if err == nil {
		err = e.remove()
	}
	if err != nil {
		return errors.Join(explain(cause), leftover(err))
	}
	return explain(cause)
}

// finish marks a run as done. A run that took back another one goes away
// together with that.
func (p place) finish(e *entry) error {
	if e.Undoes == "" {
		return e.setState(done)
	}
	if err := e.setState(over); err != nil {
		return err
	}
	other := &entry{dir: filepath.Join(p.dir, e.Undoes)}
	return errors.Join(other.remove(), e.remove())
}

// explain adds what to do to an error of the file system.
func explain(err error) error {
	var known *Error
	switch {
	case errors.As(err, &known):
		known.Next = "nothing was written; run the command again"
		return known
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EFBIG), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w; nothing was written: make room and run the command again", err)
	case refused(err):
		return &Error{Err: ErrReadOnly, Reason: err.Error(), Next: "nothing was written; make it writable and run the command again"}
	}
	return fmt.Errorf("%w; nothing was written", err)
}

// leftover explains that a run ended halfway, which the journal knows.
func leftover(err error) error {
	return fmt.Errorf("the run was left unfinished, and the next command here carries on with it: %w", err)
}

// prune drops the oldest runs beyond those that can be undone.
func (p place) prune() error {
	names, _, err := p.entries()
	if err != nil {
		return err
	}
	for _, name := range names[:max(0, len(names)-keepRuns)] {
		old := &entry{dir: filepath.Join(p.dir, name)}
		if err := old.remove(); err != nil {
			return leftover(err)
		}
	}
	return nil
}

// Interrupted is an error if a killed Apply or Undo has left the tree half
// written, or one is at work in it. The tree is not touched.
func Interrupted(root string) error {
	p, err := find(root)
	if err != nil {
		return err
	}
	names, _, err := p.entries()
	if err != nil {
		return err
	}
	for _, name := range names {
		s, err := p.state(name)
		if err != nil {
			return p.wrap(err)
		}
		if s == done {
			continue
		}
		unlock, err := p.lock("look")
		if err != nil {
			return err
		}
		unlock()
		return &Error{Err: ErrInterrupted, Paths: []string{root}, Next: "'etcdshift migrate " + gocmd.Quote(root) + "' first finishes it or rolls it back"}
	}
	return nil
}

// Recover finishes or rolls back what a killed Apply or Undo left. It is
// quick and touches nothing if there is nothing left.
func Recover(root string) (Outcome, error) {
	p, err := find(root)
	if err != nil {
		return Outcome{}, err
	}
	names, gone, err := p.entries()
	if err != nil {
		return Outcome{}, err
	}
	busy := len(gone) > 0
	for _, name := range names {
		s, err := p.state(name)
		if err != nil {
			return Outcome{}, p.wrap(err)
		}
		busy = busy || s != done
	}
	if !busy {
		return Outcome{}, nil
	}
	unlock, err := p.lock("recovery")
	if err != nil {
		return Outcome{}, err
	}
	defer unlock()
	return p.recover()
}

// recover does the work of Recover, under the lock.
func (p place) recover() (Outcome, error) {
	var out Outcome
	names, gone, err := p.entries()
	if err != nil {
		return out, err
	}
	for _, name := range gone {
		if err := os.RemoveAll(filepath.Join(p.dir, name)); err != nil {
			return out, p.wrap(err)
		}
	}
	for _, name := range names {
		o, err := p.recoverEntry(name)
		if err != nil {
			return out, err
		}
		if o.Action != Nothing { // there is one at most, since runs start with this
			out = o
		}
	}
	return out, nil
}

func (p place) recoverEntry(name string) (Outcome, error) {
	s, err := p.state(name)
	if err != nil {
		return Outcome{}, p.wrap(err)
	}
	if s == done {
		return Outcome{}, nil
	}
	e, err := p.load(name)
	if err != nil {
		return Outcome{}, err
	}
	if e == nil { // killed before it had any effect
		e = &entry{dir: filepath.Join(p.dir, name)}
		return Outcome{}, e.remove()
	}
	if err := e.open(p); missing(err) { // somebody removed the whole tree
		return Outcome{}, e.remove()
	} else if err != nil {
		return Outcome{}, p.wrap(err)
	}
	defer e.close()
	out := Outcome{Meta: e.Meta, Undo: e.Undoes != "", Files: len(e.Files)}
	switch s {
	case over:
		out.Action = Finished
		return out, p.finish(e)
	case preparing:
		out.Action = RolledBack
		return out, e.abandon()
	case committed:
		err := e.forward(func(*file) error { return nil })
		if err == nil {
			if out.Kept = e.kept(); out.Kept != nil {
				err = e.save() // undo must leave those files alone, too
			}
		}
		if err == nil {
			out.Action = Finished
			return out, p.finish(e)
		}
		if uerr := e.setState(undone); uerr != nil {
			return out, leftover(errors.Join(err, uerr))
		}
	case undone:
	default:
		return out, p.wrap(fmt.Errorf("%s is in state %q, which this version of etcdshift does not know", name, s))
	}
	if err := e.back(); err != nil {
		return out, leftover(err)
	}
	out.Action, out.Kept = RolledBack, e.kept()
	return out, e.remove()
}

// kept returns the files that somebody changed in the middle of the run.
func (e *entry) kept() []string {
	var paths []string
	for _, f := range e.Files {
		if f.Kept {
			paths = append(paths, f.Path)
		}
	}
	return paths
}

// Undo takes the last run at root back: contents, files created and deleted,
// and the folders that came or went with them. It refuses if a file was
// changed since; one that holds its old content already is passed over. A
// second Undo takes back the run before that, for the last five runs of the
// work tree.
func Undo(root string) (Summary, error) {
	p, err := find(root)
	if err != nil {
		return Summary{}, err
	}
	if names, gone, err := p.entries(); err != nil {
		return Summary{}, err
	} else if len(names)+len(gone) == 0 {
		return Summary{}, &Error{Err: ErrNothingToUndo, Reason: "no run is on record for " + root + ", or all were taken back"}
	}
	unlock, err := p.lock("undo")
	if err != nil {
		return Summary{}, err
	}
	defer unlock()
	if _, err := p.recover(); err != nil {
		return Summary{}, err
	}
	last, err := p.last()
	if err != nil {
		return Summary{}, err
	}
	defer last.close()

	m, sources, err := last.reverse(p.root)
	if err != nil {
		return Summary{}, err
	}
	if len(m.Files) == 0 {
		if err := last.remove(); err != nil {
			return Summary{}, p.wrap(err)
		}
		return Summary{}, &Error{Err: ErrNothingToUndo, Reason: "the files are already what they were before " + last.Meta.String()}
	}
	err = p.run(m,
		func(i int) (io.ReadCloser, error) { return last.tree.Open(m.Files[i].Real) },
		func(i int) (io.ReadCloser, error) { return last.old(sources[i]) })
	if err != nil {
		return Summary{}, err
	}
	sum := Summary{Meta: last.Meta}
	for _, f := range m.Files {
		switch {
		case f.After == nil:
			sum.Removed = append(sum.Removed, f.Path)
		case f.Before == nil:
			sum.Returned = append(sum.Returned, f.Path)
		default:
			sum.Restored = append(sum.Restored, f.Path)
		}
	}
	return sum, nil
}

// last opens the newest run at the root.
func (p place) last() (*entry, error) {
	names, _, err := p.entries()
	if err != nil {
		return nil, err
	}
	var elsewhere []string
	for _, name := range slices.Backward(names) {
		e, err := p.load(name)
		if err != nil {
			return nil, err
		}
		if e == nil {
			continue
		}
		if e.Root == p.rel() {
			return e, e.open(p)
		}
		elsewhere = append(elsewhere, filepath.Join(p.base, filepath.FromSlash(e.Root)))
	}
	nothing := &Error{Err: ErrNothingToUndo}
	if len(elsewhere) > 0 {
		nothing.Reason = "the last run in this work tree was in " + elsewhere[0]
		nothing.Next = "run etcdshift undo " + gocmd.Quote(elsewhere[0])
	}
	return nil, nothing
}

// reverse returns the run that takes e back, and for each of its files the
// one of e that has the content.
func (e *entry) reverse(root string) (manifest, []*file, error) {
	m := manifest{Meta: e.Meta, Undoes: e.name}
	var sources []*file
	var bad obstacles
	r := resolver{root: root, folders: map[string]resolved{}}
	for i := range e.Files {
		f := &e.Files[i]
		if f.Kept {
			continue
		}
		s, err := e.now(f)
		if err != nil {
			return m, nil, err
		}
		// A folder on the way may have become a link.
		if to := r.folder(path.Dir(f.Real)); to.bar != nil || to.real != path.Dir(f.Real) {
			s = isOther
		}
		if s == isBefore {
			continue
		}
		if s == isOther {
			bad.add(ErrChanged, f.Path, "after "+e.Meta.String())
			continue
		}
		back := file{Path: f.Path, Real: f.Real, Before: f.After, After: f.Before, Mode: f.Mode, Exact: true}
		if back.Before != nil {
			info, err := e.tree.Lstat(f.Real)
			if err != nil {
				return m, nil, err
			}
			back.Mode = modeOf(info)
		}
		m.Files = append(m.Files, back)
		sources = append(sources, f)
	}
	if err := bad.first("nothing was written; put back what was changed, or take the run back with git"); err != nil {
		return m, nil, err
	}
	setOffsets(m.Files)
	for _, d := range slices.Backward(e.Mkdirs) {
		if info, err := e.tree.Lstat(d.Path); err == nil && info.IsDir() {
			m.Rmdirs = append(m.Rmdirs, folder{Path: d.Path, Mode: modeOf(info), Exact: true})
		}
	}
	for _, d := range slices.Backward(e.Rmdirs) {
		if !e.isFolder(d.Path) {
			m.Mkdirs = append(m.Mkdirs, d)
		}
	}
	return m, sources, m.check(root, e.tree)
}

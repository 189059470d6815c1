package journal

import (
	"bufio"
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"
)

// state says how far a run came.
type state string

const (
	preparing state = ""          // the tree is as it was, apart from temporary files
	committed state = "committed" // to be finished, whatever happens
	undone    state = "undone"    // to be taken back, since it could not be finished
	done      state = "done"
	over      state = "over" // done, and about to go together with the run that it took back
)

// content is what a file holds on one side of a run.
type content struct {
	Size   int64
	SHA256 string
}

// file is one file of a run.
type file struct {
	Path   string      // as the change named it
	Real   string      // where that leads, relative to the root
	Temp   string      `json:",omitempty"` // holds the new content until it is renamed to Real
	Before *content    `json:",omitempty"` // nil if there was no file
	After  *content    `json:",omitempty"` // nil if there will be none
	Offset int64       // of the old content in the file "before"
	Mode   fs.FileMode // of the file; of a new one, before the umask
	Exact  bool        // whether Mode holds for a new file whatever the umask
	Kept   bool        `json:",omitempty"` // somebody changed it during the run: not ours any more
}

// folder is a folder that comes or goes with the files in it.
type folder struct {
	Path  string
	Mode  fs.FileMode
	Exact bool // as in file
}

// manifest is all that is needed to finish a run or to take it back, but for
// the old contents, which are in the file "before" next to it.
type manifest struct {
	Version int
	Meta    Meta
	Root    string   // within the work tree
	Undoes  string   // name of the entry that this one takes back
	Files   []file   // ordered by Real
	Mkdirs  []folder // parents first
	Rmdirs  []folder // deepest first
}

// formatVersion changes when older programs could not read the journal.
const formatVersion = 1

// entry is one run in the journal: a folder with the files "manifest",
// "before" and "state".
type entry struct {
	manifest
	name string
	dir  string
	tree *os.Root
}

// step is told about each step before it is taken. Tests die there, or make
// the step fail.
var step = func(what, path string) error { return nil }

const (
	goneSuffix = ".gone" // of entries that are being removed
	keepRuns   = 5       // how many finished runs stay to be undone
)

// entries lists the names in the journal, oldest first.
func (p place) entries() (names, gone []string, err error) {
	list, err := os.ReadDir(p.dir)
	if err != nil && !missing(err) {
		return nil, nil, p.wrap(err)
	}
	for _, e := range list {
		switch {
		case !e.IsDir():
		case strings.HasSuffix(e.Name(), goneSuffix):
			gone = append(gone, e.Name())
		default:
			names = append(names, e.Name())
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
	})
	return names, gone, nil
}

func (p place) state(name string) (state, error) {
	data, err := os.ReadFile(filepath.Join(p.dir, name, "state"))
	if missing(err) {
		return preparing, nil
	}
	return state(data), err
}

// load reads the manifest of an entry. It returns nil if the run was killed
// before it had written what it was about to do.
func (p place) load(name string) (*entry, error) {
	e := &entry{name: name, dir: filepath.Join(p.dir, name)}
	data, err := os.ReadFile(filepath.Join(e.dir, "manifest"))
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, p.wrap(err)
	}
	if err := json.Unmarshal(data, &e.manifest); err != nil {
		return nil, p.wrap(fmt.Errorf("%s: %w", name, err))
	}
	if e.Version != formatVersion {
		return nil, p.wrap(fmt.Errorf("%s was written by another version of etcdshift; use that one", name))
	}
	return e, nil
}

// open opens the tree that the run was in.
func (e *entry) open(p place) (err error) {
	e.tree, err = os.OpenRoot(filepath.Join(p.base, filepath.FromSlash(e.Root)))
	return err
}

func (e *entry) close() {
	if e != nil && e.tree != nil {
		e.tree.Close()
	}
}

// create makes a new entry. All fields of the manifest but the temporary
// names must be set.
func (p place) create(m manifest) (*entry, error) {
	names, _, err := p.entries()
	if err != nil {
		return nil, err
	}
	next := 1
	for _, name := range names {
		if n, err := strconv.Atoi(name); err == nil {
			next = max(next, n+1)
		}
	}
	m.Version, m.Root = formatVersion, p.rel()
	e := &entry{manifest: m, name: fmt.Sprintf("%06d", next)}
	e.dir = filepath.Join(p.dir, e.name)
	if err := e.open(p); err != nil {
		return nil, err
	}
	err = step("mkdir", e.dir)
	if err == nil {
		err = os.Mkdir(e.dir, 0o700)
	}
	if err == nil {
		e.nameTemps()
		err = e.save()
	}
	if err == nil {
		err = syncFolder(os.Open(p.dir))
	}
	if err != nil {
		return nil, errors.Join(p.wrap(err), e.remove())
	}
	return e, nil
}

func (e *entry) save() error {
	data, err := json.Marshal(e.manifest)
	if err != nil {
		return err
	}
	if err := step("manifest", e.dir); err != nil {
		return err
	}
	return writeDurable(filepath.Join(e.dir, "manifest"), data)
}

func (e *entry) setState(s state) error {
	if err := step("state "+string(s), e.dir); err != nil {
		return err
	}
	return writeDurable(filepath.Join(e.dir, "state"), []byte(s))
}

// remove takes the entry out of the journal at one stroke.
func (e *entry) remove() error {
	e.close()
	if err := step("remove", e.dir); err != nil {
		return err
	}
	gone := e.dir + goneSuffix
	if err := os.Rename(e.dir, gone); err != nil {
		if missing(err) {
			return nil
		}
		return err
	}
	if err := step("clean", gone); err != nil {
		return err
	}
	return os.RemoveAll(gone)
}

// nameTemps chooses the temporary files: in the folder that the file will be
// in or, before that exists, in the one where it will be made, so that the
// rename stays within one file system and no folder has to be made early.
func (e *entry) nameTemps() {
	token := rand.Text()[:8]
	near := map[string]string{}
	var existing func(dir string) string
	existing = func(dir string) string {
		if dir == "." {
			return dir
		}
		if d, ok := near[dir]; ok {
			return d
		}
		d := dir
		if info, err := e.tree.Lstat(dir); err != nil || !info.IsDir() {
			d = existing(path.Dir(dir))
		}
		near[dir] = d
		return d
	}
	for i := range e.Files {
		if f := &e.Files[i]; f.After != nil {
			// The leading dot keeps the go command away.
			f.Temp = path.Join(existing(path.Dir(f.Real)), fmt.Sprintf(".etcdshift-%s-%d", token, i))
		}
	}
}

// prepare writes the old contents into the journal and the new ones into
// temporary files, and makes both durable. before and after give the
// contents by index into Files.
func (e *entry) prepare(before, after func(i int) (io.ReadCloser, error)) error {
	if err := e.writeBefore(before); err != nil {
		return err
	}
	var g errgroup.Group
	g.SetLimit(16) // file systems flush several files at the cost of one
	for i := range e.Files {
		f := &e.Files[i]
		if f.After == nil {
			continue
		}
		g.Go(func() error {
			if err := step("temp", f.Path); err != nil {
				return err
			}
			r, err := after(i)
			if err != nil {
				return err
			}
			defer r.Close()
			return e.writeTemp(f, f.After, r)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := step("sync", ""); err != nil {
		return err
	}
	return e.syncFolders(func(f *file) string { return f.Temp })
}

// writeBefore writes one file with all old contents: one flush instead of
// thousands. It fails with ErrChanged if a file is not what it should be.
func (e *entry) writeBefore(before func(i int) (io.ReadCloser, error)) error {
	if err := step("before", e.dir); err != nil {
		return err
	}
	out, err := os.OpenFile(filepath.Join(e.dir, "before"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	buf := bufio.NewWriterSize(out, 1<<20)
	for i := range e.Files {
		f := &e.Files[i]
		if f.Before == nil {
			continue
		}
		r, err := before(i)
		if err != nil {
			return err
		}
		same, err := copyChecked(buf, r, f.Before)
		r.Close()
		if err != nil {
			return err
		}
		if !same {
			return &Error{Err: ErrChanged, Paths: []string{f.Path}}
		}
	}
	return errors.Join(buf.Flush(), out.Sync(), out.Close())
}

// old returns the old content of a file from the journal.
func (e *entry) old(f *file) (io.ReadCloser, error) {
	in, err := os.Open(filepath.Join(e.dir, "before"))
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(in, f.Offset, f.Before.Size), in}, nil
}

// writeTemp writes content into the temporary file of f, with the mode and
// owner that the file has or will have.
func (e *entry) writeTemp(f *file, c *content, r io.Reader) (err error) {
	out, err := e.tree.OpenFile(f.Temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, f.Mode.Perm())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	same, err := copyChecked(out, r, c)
	if err != nil {
		return err
	}
	if !same {
		return fmt.Errorf("%s: the journal in %s is damaged", f.Path, e.dir)
	}
	if info, err := e.tree.Lstat(f.Real); err == nil && info.Mode().IsRegular() {
		// The owner first: a change of owner clears setuid.
		if err := keepOwner(out, info); err != nil {
			return err
		}
	}
	if f.Exact || f.Before != nil {
		if err := out.Chmod(f.Mode); err != nil {
			return err
		}
	}
	return out.Sync()
}

// copyChecked copies content and reports whether it was what it should be.
func copyChecked(w io.Writer, r io.Reader, want *content) (same bool, err error) {
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, h), r)
	return n == want.Size && hex.EncodeToString(h.Sum(nil)) == want.SHA256, err
}

// side is which of its two contents a file has at the moment.
type side int

const (
	isOther side = iota
	isBefore
	isAfter
)

// now looks at what a file holds. A folder in its place counts as no file:
// either it goes in this run, or the file went and the folder is new.
func (e *entry) now(f *file) (side, error) {
	info, err := e.tree.Lstat(f.Real)
	switch {
	case missing(err) || err == nil && info.IsDir():
		if f.Before == nil {
			return isBefore, nil
		}
		if f.After == nil {
			return isAfter, nil
		}
		return isOther, nil
	case err != nil:
		return isOther, err
	case !info.Mode().IsRegular():
		return isOther, nil
	}
	fits := func(c *content) bool { return c != nil && c.Size == info.Size() }
	if !fits(f.Before) && !fits(f.After) {
		return isOther, nil
	}
	in, err := e.tree.Open(f.Real)
	if err != nil {
		return isOther, err
	}
	defer in.Close()
	h := sha256.New()
	if _, err := io.Copy(h, in); err != nil {
		return isOther, err
	}
	switch sum := hex.EncodeToString(h.Sum(nil)); {
	case fits(f.Before) && f.Before.SHA256 == sum:
		return isBefore, nil
	case fits(f.After) && f.After.SHA256 == sum:
		return isAfter, nil
	}
	return isOther, nil
}

// forward finishes a committed run. It can be killed at any point and called
// again. changed is asked about files that somebody changed in the meantime;
// if it returns nil, they are left alone.
func (e *entry) forward(changed func(*file) error) error {
	each := func(what string, which func(*file) bool, act func(*file) error) error {
		for i := range e.Files {
			f := &e.Files[i]
			if f.Kept || !which(f) {
				continue
			}
			switch s, err := e.now(f); {
			case err != nil:
				return err
			case s == isAfter:
				continue
			case s == isOther:
				if err := changed(f); err != nil {
					return err
				}
				f.Kept = true
				continue
			}
			if err := step(what, f.Path); err != nil {
				return err
			}
			if err := act(f); err != nil {
				return err
			}
		}
		return nil
	}
	gone := func(f *file) bool { return f.After == nil }
	stays := func(f *file) bool { return f.After != nil }

	if err := each("delete", gone, func(f *file) error { return e.tree.Remove(f.Real) }); err != nil {
		return err
	}
	if err := e.rmdirs(e.Rmdirs); err != nil {
		return err
	}
	if err := e.mkdirs(e.Mkdirs); err != nil {
		return err
	}
	err := each("rename", stays, func(f *file) error {
		if e.isFolder(f.Real) { // somebody put something into what should have gone
			f.Kept = true
			return changed(f)
		}
		return e.tree.Rename(f.Temp, f.Real)
	})
	if err != nil {
		return err
	}
	if err := e.removeTemps(); err != nil { // of files that were left alone
		return err
	}
	if err := step("sync", ""); err != nil {
		return err
	}
	return e.syncFolders(func(f *file) string { return f.Real })
}

// back restores what was there before a committed run. Like forward, it can
// be called again. Files that somebody changed in the meantime are left
// alone and marked.
func (e *entry) back() error {
	if err := e.removeTemps(); err != nil {
		return err
	}
	var restore []*file
	for i := range e.Files {
		f := &e.Files[i]
		f.Kept = false
		s, err := e.now(f)
		switch {
		case err != nil:
			return err
		case s == isBefore:
		case s == isOther:
			f.Kept = true
		case f.Before != nil:
			restore = append(restore, f)
		default:
			if err := step("uncreate", f.Path); err != nil {
				return err
			}
			if err := e.tree.Remove(f.Real); err != nil && !missing(err) {
				return err
			}
		}
	}
	made := slices.Clone(e.Mkdirs)
	slices.Reverse(made)
	if err := e.rmdirs(made); err != nil {
		return err
	}
	went := slices.Clone(e.Rmdirs)
	slices.Reverse(went)
	if err := e.mkdirs(went); err != nil {
		return err
	}
	for _, f := range restore {
		if e.isFolder(f.Real) { // as in forward
			f.Kept = true
			continue
		}
		if err := step("restore", f.Path); err != nil {
			return err
		}
		if f.Temp == "" { // it was deleted
			f.Temp = path.Join(path.Dir(f.Real), ".etcdshift-"+e.name+"-back")
			if err := e.tree.Remove(f.Temp); err != nil && !missing(err) {
				return err
			}
		}
		r, err := e.old(f)
		if err != nil {
			return err
		}
		err = e.writeTemp(f, f.Before, r)
		r.Close()
		if err != nil {
			return err
		}
		if err := step("restore rename", f.Path); err != nil {
			return err
		}
		if err := e.tree.Rename(f.Temp, f.Real); err != nil {
			return err
		}
	}
	if err := step("sync", ""); err != nil {
		return err
	}
	return e.syncFolders(func(f *file) string { return f.Real })
}

func (e *entry) isFolder(name string) bool {
	info, err := e.tree.Lstat(name)
	return err == nil && info.IsDir()
}

func (e *entry) removeTemps() error {
	for i := range e.Files {
		f := &e.Files[i]
		if f.Temp == "" {
			continue
		}
		if _, err := e.tree.Lstat(f.Temp); missing(err) {
			continue
		}
		if err := step("untemp", f.Temp); err != nil {
			return err
		}
		if err := e.tree.Remove(f.Temp); err != nil && !missing(err) {
			return err
		}
	}
	return nil
}

// mkdirs makes the folders that are missing, and leaves those that are there.
func (e *entry) mkdirs(folders []folder) error {
	for _, d := range folders {
		if e.isFolder(d.Path) {
			continue
		}
		if err := step("mkdir", d.Path); err != nil {
			return err
		}
		if err := e.tree.Mkdir(d.Path, d.Mode.Perm()); err != nil {
			return err
		}
		if d.Exact {
			if err := e.tree.Chmod(d.Path, d.Mode); err != nil {
				return err
			}
		}
	}
	return nil
}

// rmdirs removes the folders that are empty, and leaves the others, which
// somebody has put something into.
func (e *entry) rmdirs(folders []folder) error {
	for _, d := range folders {
		if !e.isFolder(d.Path) {
			continue
		}
		left, err := readDir(e.tree, d.Path)
		if err != nil {
			return err
		}
		if len(left) > 0 {
			continue
		}
		if err := step("rmdir", d.Path); err != nil {
			return err
		}
		if err := e.tree.Remove(d.Path); err != nil {
			return err
		}
	}
	return nil
}

func readDir(tree *os.Root, name string) ([]string, error) {
	d, err := tree.Open(name)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}

// syncFolders flushes the folders of the files that name gives, and those
// around folders that came or went, each once.
func (e *entry) syncFolders(name func(*file) string) error {
	dirs := map[string]bool{}
	for i := range e.Files {
		if n := name(&e.Files[i]); n != "" {
			dirs[path.Dir(n)] = true
		}
	}
	for _, d := range slices.Concat(e.Mkdirs, e.Rmdirs) {
		dirs[path.Dir(d.Path)] = true
	}
	var g errgroup.Group
	g.SetLimit(16)
	for dir := range dirs {
		g.Go(func() error { return syncFolder(e.tree.Open(dir)) })
	}
	return g.Wait()
}

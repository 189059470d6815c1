package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// place says where the journal of a root is.
type place struct {
	root string // the root, without symbolic links
	base string // the work tree that the root is in, or the root itself
	dir  string // the journal's folder
	git  bool   // whether that is in git's folder
}

// find locates the journal of root; the folder need not exist.
func find(root string) (place, error) {
	p, err := locate(root)
	if err != nil {
		return p, err
	}
	// A tree from elsewhere must not choose where we write.
	if info, err := os.Lstat(p.dir); err == nil && !info.IsDir() {
		return p, &Error{Err: ErrEscapes, Paths: []string{p.dir}, Reason: "the journal is to be a folder", Next: "remove it and run the command again"}
	}
	return p, nil
}

func locate(root string) (place, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return place{}, err
	}
	real, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return place{}, err
	}
	if info, err := os.Stat(real); err != nil {
		return place{}, err
	} else if !info.IsDir() {
		return place{}, fmt.Errorf("%s: not a folder", root)
	}
	for base := real; ; base = filepath.Dir(base) {
		if gitDir, ok := gitDir(base); ok {
			return place{root: real, base: base, dir: filepath.Join(gitDir, "etcdshift"), git: true}, nil
		}
		if filepath.Dir(base) == base {
			return place{root: real, base: real, dir: filepath.Join(real, ".etcdshift")}, nil
		}
	}
}

// gitDir returns git's folder of the work tree at dir: .git, or the folder
// that a .git file names, as in linked work trees and submodules. git itself
// is not asked, since it would run what the repository configures.
func gitDir(dir string) (string, bool) {
	name := filepath.Join(dir, ".git")
	if data, err := os.ReadFile(name); err == nil {
		to, ok := strings.CutPrefix(strings.TrimRight(string(data), "\r\n"), "gitdir: ")
		if !ok {
			return "", false
		}
		if name = filepath.FromSlash(to); !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
	}
	if _, err := os.Lstat(filepath.Join(name, "HEAD")); err != nil {
		return "", false
	}
	return name, true
}

// rel returns the root within the work tree.
func (p place) rel() string {
	rel, err := filepath.Rel(p.base, p.root)
	if err != nil { // base is a prefix of root
		return "."
	}
	return filepath.ToSlash(rel)
}

// holder is who holds the lock, for the error that others get.
type holder struct {
	Command string
	PID     int
	Host    string
	Since   time.Time
}

func (h holder) String() string {
	return fmt.Sprintf("%s, process %d on %s, since %s", h.Command, h.PID, h.Host, h.Since.Format(time.DateTime))
}

// lock makes the journal's folder and takes its lock, without waiting.
func (p place) lock(command string) (unlock func(), err error) {
	name := filepath.Join(p.dir, "lock")
	for range 100 {
		if err := os.MkdirAll(p.dir, 0o700); err != nil {
			return nil, p.wrap(err)
		}
		l := flock.New(name)
		ok, err := l.TryLock()
		switch {
		case missing(err):
			continue // the last holder has just removed the folder
		case err != nil:
			return nil, p.wrap(err)
		case !ok:
			return nil, p.locked()
		}
		// The last holder may have removed the file between open and lock.
		mine, err1 := l.Stat()
		there, err2 := os.Stat(name)
		if err1 != nil || err2 != nil || !os.SameFile(mine, there) {
			l.Unlock()
			continue
		}
		host, _ := os.Hostname()
		data, err := json.Marshal(holder{command, os.Getpid(), host, time.Now()})
		if err == nil {
			err = os.WriteFile(filepath.Join(p.dir, "holder"), data, 0o600)
		}
		if err == nil && !p.git {
			// The tree may become a git repository one day.
			err = os.WriteFile(filepath.Join(p.dir, ".gitignore"), []byte("*\n"), 0o600)
		}
		unlock := func() {
			os.Remove(filepath.Join(p.dir, "holder"))
			p.tidy()
			l.Unlock()
		}
		if err != nil {
			unlock()
			return nil, p.wrap(err)
		}
		return unlock, nil
	}
	return nil, p.locked()
}

// tidy removes the journal's folder if no entry is left in it. Only the
// holder of the lock may do so.
func (p place) tidy() {
	left, err := os.ReadDir(p.dir)
	if err != nil {
		return
	}
	for _, e := range left {
		if e.IsDir() {
			return
		}
	}
	for _, e := range left {
		os.Remove(filepath.Join(p.dir, e.Name()))
	}
	os.Remove(p.dir)
}

func (p place) locked() error {
	e := &Error{Err: ErrLocked, Next: "wait until it is done and run the command again"}
	var h holder
	if data, err := os.ReadFile(filepath.Join(p.dir, "holder")); err == nil && json.Unmarshal(data, &h) == nil {
		e.Reason = h.String()
	}
	return e
}

// wrap explains that the journal cannot be written.
func (p place) wrap(err error) error {
	if refused(err) {
		return &Error{Err: ErrReadOnly, Paths: []string{p.dir}, Reason: "the journal is kept there; " + err.Error(),
			Next: "make it writable and run the command again"}
	}
	return fmt.Errorf("journal in %s: %w", p.dir, err)
}

// writeDurable puts a file into the journal such that it is there whole or
// not at all, whatever happens.
func writeDurable(name string, data []byte) error {
	f, err := os.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(name+".new", name); err != nil {
		return err
	}
	return syncFolder(os.Open(filepath.Dir(name)))
}

// syncFolder makes the names in a folder durable. Where the system has no
// way to do that, there is nothing to be done about it.
func syncFolder(f *os.File, err error) error {
	if missing(err) || errors.Is(err, fs.ErrPermission) {
		return nil // gone, or may be written but not read
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !cannotSync(err) {
		return err
	}
	return nil
}

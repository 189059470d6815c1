package journal

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// ForGit returns the changes with the paths that "git apply" has to see in
// their diff: from the top of the work tree, which root may be a folder of,
// and of the files themselves where symbolic links lead to them. A file that
// two paths lead to comes once. Errors are those of Apply.
func ForGit(root string, changes []edit.FileChange) ([]edit.FileChange, error) {
	p, err := find(root)
	if err != nil {
		return nil, err
	}
	targets, err := resolveAll(p.root, changes)
	if err != nil {
		return nil, err
	}
	var out []edit.FileChange
	for _, t := range targets {
		c := t.FileChange
		c.Path = path.Join(p.rel(), t.real)
		out = append(out, c)
	}
	return out, nil
}

// target is a change and the file that its path leads to.
type target struct {
	edit.FileChange
	real string      // slash-separated, relative to the root, free of links
	info fs.FileInfo // of the file; nil if there is none
}

// resolveAll finds the files that the changes are about, leaves out changes
// of nothing, and refuses paths that lead out of the tree.
func resolveAll(root string, changes []edit.FileChange) ([]target, error) {
	var bad obstacles
	var out []target
	byReal := map[string]int{}
	r := resolver{root: root, folders: map[string]resolved{}}
	for _, c := range changes {
		t, bar := r.resolve(c)
		if bar != nil {
			bad = append(bad, bar)
			continue
		}
		if c.Empty() {
			continue
		}
		if i, ok := byReal[t.real]; ok {
			if o := out[i]; o.Created() != c.Created() || o.Deleted() != c.Deleted() ||
				string(o.Before) != string(c.Before) || string(o.After) != string(c.After) {
				return nil, fmt.Errorf("%s and %s are one file, with two different changes", o.Path, c.Path)
			}
			continue
		}
		byReal[t.real] = len(out)
		out = append(out, t)
	}
	return out, bad.first("nothing was written")
}

// resolver follows links, and remembers where folders lead.
type resolver struct {
	root    string
	folders map[string]resolved
}

type resolved struct {
	real string
	bar  *Error
}

func (r *resolver) resolve(c edit.FileChange) (target, *Error) {
	bar := func(err error, reason string) (target, *Error) {
		return target{}, &Error{Err: err, Paths: []string{c.Path}, Reason: reason}
	}
	if c.Path != path.Clean(c.Path) || c.Path == "." || !filepath.IsLocal(filepath.FromSlash(c.Path)) {
		return bar(ErrEscapes, "")
	}
	dir := r.folder(path.Dir(c.Path))
	if dir.bar != nil {
		return bar(dir.bar.Err, dir.bar.Reason)
	}
	t := target{FileChange: c, real: path.Join(dir.real, path.Base(c.Path))}
	info, err := os.Lstat(filepath.Join(r.root, filepath.FromSlash(t.real)))
	switch {
	case missing(err):
	case err != nil:
		return bar(ErrNotFile, err.Error())
	case info.Mode()&fs.ModeSymlink != 0:
		if c.Deleted() {
			return bar(ErrNotFile, "it is a symbolic link; remove it by hand")
		}
		real, e := r.follow(t.real)
		if e != nil {
			return bar(e.Err, e.Reason)
		}
		t.real = real
		if info, err = os.Lstat(filepath.Join(r.root, filepath.FromSlash(real))); err != nil {
			return bar(ErrNotFile, err.Error())
		}
		t.info = info
	default:
		t.info = info
	}
	if !utf8.ValidString(c.Path) || !utf8.ValidString(t.real) {
		return bar(ErrNotFile, "its name is not UTF-8, which the journal could not keep")
	}
	if ours(t.real) {
		return bar(ErrEscapes, "it is in a folder of git or etcdshift")
	}
	return t, nil
}

// folder finds where a folder leads; what does not exist leads nowhere else.
func (r *resolver) folder(dir string) resolved {
	if dir == "." {
		return resolved{real: "."}
	}
	if to, ok := r.folders[dir]; ok {
		return to
	}
	to := r.folder(path.Dir(dir))
	if to.bar == nil {
		to.real = path.Join(to.real, path.Base(dir))
		info, err := os.Lstat(filepath.Join(r.root, filepath.FromSlash(to.real)))
		if err == nil && info.Mode()&fs.ModeSymlink != 0 {
			to.real, to.bar = r.follow(to.real)
		}
	}
	r.folders[dir] = to
	return to
}

// follow returns where a link leads, if that is in the tree.
func (r *resolver) follow(link string) (string, *Error) {
	to, err := filepath.EvalSymlinks(filepath.Join(r.root, filepath.FromSlash(link)))
	if err != nil {
		return "", &Error{Err: ErrNotFile, Reason: "it is a symbolic link that leads nowhere"}
	}
	rel, err := filepath.Rel(r.root, to)
	if err != nil || !filepath.IsLocal(rel) {
		return "", &Error{Err: ErrEscapes, Reason: "by a symbolic link"}
	}
	return filepath.ToSlash(rel), nil
}

// ours reports whether a path is in a folder that no change is meant for:
// to write into git's could make it run a hook.
func ours(real string) bool {
	return slices.ContainsFunc(strings.Split(real, "/"), func(name string) bool {
		return strings.EqualFold(name, ".git") || strings.EqualFold(name, ".etcdshift")
	})
}

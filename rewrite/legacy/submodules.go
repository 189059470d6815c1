package legacy

import (
	"context"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
)

// submodules is the tool of a lock that git itself keeps.
const submodules = "git submodules"

// readSubmodules reads vendored repositories that are git submodules: their
// place below vendor is the import path, and the commit of the superproject
// pins them, checked out or not.
func readSubmodules(ctx context.Context, dir string) (*lock, error) {
	l := &lock{tool: submodules}
	out := git(ctx, dir, "ls-tree", "-r", "-z", "HEAD", "vendor/")
	for entry := range strings.SplitSeq(out, "\x00") {
		info, name, _ := strings.Cut(entry, "\t")
		if f := strings.Fields(info); len(f) == 3 && f[0] == "160000" {
			l.pins = append(l.pins, pin{path: strings.TrimPrefix(name, "vendor/"), revision: f[2]})
		}
	}
	if len(l.pins) == 0 {
		return nil, fs.ErrNotExist
	}
	from := submoduleSources(ctx, dir)
	for i := range l.pins {
		l.pins[i].source = from["vendor/"+l.pins[i].path]
	}
	return l, nil
}

// submoduleSources returns where submodules come from, by their folder.
func submoduleSources(ctx context.Context, dir string) map[string]string {
	paths, urls := map[string]string{}, map[string]string{}
	out := git(ctx, dir, "config", "-z", "-f", filepath.Join(dir, ".gitmodules"), "--get-regexp", `^submodule\..*\.(path|url)$`)
	for entry := range strings.SplitSeq(out, "\x00") {
		key, value, _ := strings.Cut(entry, "\n")
		if name, ok := strings.CutSuffix(key, ".path"); ok {
			paths[name] = value
		} else if name, ok := strings.CutSuffix(key, ".url"); ok {
			urls[name] = value
		}
	}
	from := map[string]string{}
	for name, p := range paths {
		from[p] = remotePath(urls[name])
	}
	return from
}

// git runs git without what a repository's configuration could make it run,
// and returns what it prints; "" if it fails.
func git(ctx context.Context, dir string, args ...string) string {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"}, args...)...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	return string(out)
}

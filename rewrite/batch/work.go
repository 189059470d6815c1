package batch

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
)

// claim makes a folder below dir that is this process's alone, and removes
// those of processes that are gone. A folder is claimed as long as the lock
// beside it is held, which a killed process cannot go on doing.
func claim(dir string) (_ string, release func(), err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return "", nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, err
	}
	old, err := filepath.Glob(filepath.Join(dir, "w-*.lock"))
	if err != nil {
		return "", nil, err
	}
	for _, name := range old {
		l := flock.New(name)
		if ok, err := l.TryLock(); err == nil && ok {
			if err := removeAll(strings.TrimSuffix(name, ".lock")); err == nil {
				os.Remove(name)
			}
			_ = l.Unlock()
		}
	}
	mine, err := os.MkdirTemp(dir, fmt.Sprintf("w-%d-", os.Getpid()))
	if err != nil {
		return "", nil, err
	}
	l := flock.New(mine + ".lock")
	if ok, err := l.TryLock(); err != nil || !ok {
		return "", nil, fmt.Errorf("locking %s.lock: %v", mine, err)
	}
	return mine, func() {
		_ = removeAll(mine) // else the next one does
		os.Remove(mine + ".lock")
		_ = l.Unlock()
	}, nil
}

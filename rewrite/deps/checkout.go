package deps

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/semver"

	"github.com/etcdshift/etcdshift/rules/atlas"
)

// CheckoutLine returns the release line whose API a checkout of etcd has: its
// own, or the newest that the atlas knows when it is ahead of that.
func CheckoutLine(dir string) (atlas.Line, error) {
	if _, err := os.Stat(filepath.Join(dir, "client", "v3", "go.mod")); err != nil {
		return "", fmt.Errorf("%s is no checkout of etcd 3.5 or newer: %w", dir, err)
	}
	v, err := checkoutVersion(dir)
	if err != nil {
		return "", err
	}
	lines := atlas.Lines()
	for _, l := range lines {
		if semver.MajorMinor(v) == "v"+string(l) {
			return l, nil
		}
	}
	if newest := lines[len(lines)-1]; semver.Compare(v, "v"+string(newest)) > 0 {
		return newest, nil
	}
	return "", fmt.Errorf("%s is etcd %s, older than any target", dir, v)
}

//go:build !unix

package journal

import (
	"io/fs"
	"os"
)

func accessible(string) error { return nil }

func keepOwner(*os.File, fs.FileInfo) error { return nil }

// Windows has no way to flush a folder.
func cannotSync(error) bool { return true }

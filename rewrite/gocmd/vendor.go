package gocmd

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
)

// Vendored says whose the vendor folder of a directory is, if the go command
// made it: that of the module there, or that of the workspace. A module that
// is a member of a vendored workspace is not built from a folder of its own.
func Vendored(dir string) (module, workspace bool) {
	f, err := os.Open(filepath.Join(dir, "vendor", "modules.txt"))
	if err != nil {
		return false, false
	}
	defer f.Close()
	first, _ := bufio.NewReader(f).ReadString('\n')
	workspace = strings.TrimSpace(first) == "## workspace"
	return !workspace, workspace
}

//go:build !unix

package batch

import (
	"io/fs"
	"os"
	"os/exec"
)

func ownGroup(*exec.Cmd) {}

func endGroup(pid int) {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill()
	}
}

func killGroup() { os.Exit(1) }

func limitFiles(int64) {}

func groupMemory(int) int64 { return 0 }

func allocated(info fs.FileInfo) int64 { return info.Size() }

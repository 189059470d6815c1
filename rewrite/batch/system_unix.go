//go:build unix

package batch

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

// ownGroup puts a command at the head of a process group.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

// endGroup kills a process group.
func endGroup(group int) { _ = syscall.Kill(-group, syscall.SIGKILL) }

// killGroup kills the process group of this process, if it leads one.
func killGroup() {
	if syscall.Getpgrp() == os.Getpid() {
		_ = syscall.Kill(0, syscall.SIGKILL)
	}
	os.Exit(1)
}

// limitFiles bounds the size of a file that this process and those that it
// starts can write.
func limitFiles(n int64) {
	if n <= 0 {
		return
	}
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_FSIZE, &l) == nil && uint64(n) < uint64(l.Max) {
		l.Cur = uint64(n)
		l.Max = uint64(n)
		_ = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &l) // the watch on the disk is the other guard
	}
}

// groupMemory adds up the resident memory of a process group. Where there is
// no /proc it is 0, and the memory limit of the planner itself is what there
// is.
func groupMemory(group int) int64 {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0
	}
	var pages int64
	for _, name := range stats {
		data, err := os.ReadFile(name)
		if err != nil {
			continue // it is gone
		}
		// pid (name) state ppid pgrp ... rss is the 24th field.
		f := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
		if len(f) < 22 || string(f[2]) != strconv.Itoa(group) {
			continue
		}
		n, _ := strconv.ParseInt(string(f[21]), 10, 64)
		pages += n
	}
	return pages * int64(os.Getpagesize())
}

// allocated is what a file takes on the disk, which for one with holes is
// less than its size.
func allocated(info fs.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int64(st.Blocks) * 512
	}
	return info.Size()
}

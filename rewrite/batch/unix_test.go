package batch

import (
	"os/exec"
	"strings"
	"syscall"

	"os"
	"strconv"
)

// syscallZero asks whether a process is there.
const syscallZero = syscall.Signal(0)

// exited says whether a process has ended and waits to be collected.
func exited(cmd *exec.Cmd) bool {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/stat")
	return err == nil && strings.Contains(string(data), ") Z ")
}

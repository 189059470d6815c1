// Package gocmd runs the go command beside a repository, never inside it:
// module files through -modfile, sources through -overlay, and the user's
// GOFLAGS stripped of what would send a write into the tree or run a program
// of the repository's choice.
package gocmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// ErrNoGo says that there is no go command.
var ErrNoGo = errors.New("the go command was not found in PATH; install Go from https://go.dev/dl or add its bin folder to PATH")

// Runner runs the go command. The zero value uses the process environment.
type Runner struct {
	Env     []string                                      // additional variables, "K=V"; they win over the process environment
	Offline bool                                          // use the module cache alone
	Trace   func(dir string, a []string, d time.Duration) // called after each run

	parent  *Runner // whose GOFLAGS are the same; nil for none
	noWork  bool    // differs from its parent by GOWORK=off alone
	once    sync.Once
	flags   string // GOFLAGS to set
	modfile string // of the -modfile in the user's
	err     error

	mu    sync.Mutex
	inUse map[string]toolchain // by folder
}

// toolchain is the Go that is in use in a folder.
type toolchain struct {
	root, version string
	work          string // go.work that could have chosen it
}

// Error is a failed run of the go command, with what it printed.
type Error struct {
	Dir    string
	Args   []string
	Stderr string
	Err    error
}

func (e *Error) Error() string {
	msg := strings.TrimSpace(e.Stderr)
	if msg == "" {
		msg = e.Err.Error()
	}
	return fmt.Sprintf("go %s: %s", strings.Join(e.Args, " "), msg)
}

// IsProgress says whether a line that the go command printed tells what it does,
// and not what is wrong.
func IsProgress(line string) bool { return progressRE.MatchString(line) }

var progressRE = regexp.MustCompile(`^go: (downloading|finding|found|extracting) `)

func (e *Error) Unwrap() error { return e.Err }

// stripped are the flags of GOFLAGS that are never passed on: the first three
// because every run here sets its own, the last because it runs a program.
var stripped = []string{"mod", "modfile", "overlay", "toolexec"}

// cleanFlags returns GOFLAGS without the stripped flags. It is never empty:
// an empty value would let the one of `go env -w` back in.
func cleanFlags(goflags string) string {
	var keep []string
	for _, f := range strings.Fields(goflags) {
		name, _, _ := strings.Cut(strings.TrimLeft(f, "-"), "=")
		if !slices.Contains(stripped, name) {
			keep = append(keep, f)
		}
	}
	return strings.Join(append(keep, "-mod=readonly"), " ")
}

func (r *Runner) init(ctx context.Context) error {
	r.once.Do(func() {
		if r.parent != nil {
			r.err = r.parent.init(ctx)
			r.flags, r.modfile = r.parent.flags, r.parent.modfile
			return
		}
		path, err := exec.LookPath("go")
		if err != nil {
			r.err = ErrNoGo
			return
		}
		cmd := exec.CommandContext(ctx, path, "env", "GOFLAGS")
		cmd.Env = append(os.Environ(), r.Env...)
		cmd.Dir = os.TempDir() // no go.mod there can ask for another toolchain
		out, err := cmd.Output()
		if err != nil {
			// An unparsable GOFLAGS is the user's to mend.
			var stderr string
			if x := (*exec.ExitError)(nil); errors.As(err, &x) {
				stderr = string(x.Stderr)
			}
			r.err = &Error{Args: []string{"env", "GOFLAGS"}, Stderr: stderr, Err: err}
			return
		}
		r.flags = cleanFlags(string(out))
		for _, f := range strings.Fields(string(out)) {
			if v, ok := strings.CutPrefix(strings.TrimLeft(f, "-"), "modfile="); ok {
				r.modfile = v
			}
		}
	})
	return r.err
}

// ModFile returns the file that the user's GOFLAGS put in the place of go.mod,
// which runs do not; "" for none.
func (r *Runner) ModFile(ctx context.Context) (string, error) {
	err := r.init(ctx)
	return r.modfile, err
}

// Packages returns the environment for go/packages, which starts the go command
// itself. It asks that for its version in a way that no choice of a toolchain
// applies to, so the one in use in the folder comes first in PATH.
func (r *Runner) Packages(ctx context.Context, dir string) ([]string, error) {
	t, err := r.toolchain(ctx, dir)
	if err != nil {
		return nil, err
	}
	env, err := r.environ(ctx)
	if err != nil {
		return nil, err
	}
	path := ""
	for _, v := range env {
		if p, ok := strings.CutPrefix(v, "PATH="); ok {
			path = p
		}
	}
	return append(env, "PATH="+filepath.Join(t.root, "bin")+string(os.PathListSeparator)+path), nil
}

// environ returns the environment of a run.
func (r *Runner) environ(ctx context.Context) ([]string, error) {
	if err := r.init(ctx); err != nil {
		return nil, err
	}
	return r.variables("GOFLAGS=" + r.flags), nil
}

// variables returns the environment with the runner's variables and further ones,
// which Env wins over.
func (r *Runner) variables(more ...string) []string {
	env := append(append(os.Environ(), "GO111MODULE=on"), more...)
	if r.Offline {
		env = append(env, "GOPROXY=off")
	}
	return append(env, r.Env...)
}

// With returns a runner with further environment variables.
func (r *Runner) With(env ...string) *Runner {
	n := &Runner{Env: append(slices.Clone(r.Env), env...), Offline: r.Offline, Trace: r.Trace}
	if !slices.ContainsFunc(env, func(v string) bool { return strings.HasPrefix(v, "GOFLAGS=") || strings.HasPrefix(v, "GOENV=") }) {
		n.parent = r
		n.noWork = len(env) == 1 && env[0] == "GOWORK=off"
	}
	return n
}

// Run runs the go command in dir and returns its standard output. A failure
// is an *Error.
func (r *Runner) Run(ctx context.Context, dir string, args ...string) ([]byte, error) {
	var stdout bytes.Buffer
	stderr, err := r.start(ctx, dir, &stdout, args)
	if err != nil {
		return stdout.Bytes(), &Error{Dir: dir, Args: args, Stderr: stderr, Err: err}
	}
	return stdout.Bytes(), nil
}

// Combined runs the go command and returns all that it printed; failed says
// that it exited with another status than zero. err is for runs that could
// not be made at all.
func (r *Runner) Combined(ctx context.Context, dir string, args ...string) (out string, failed bool, err error) {
	var stdout bytes.Buffer
	stderr, err := r.start(ctx, dir, &stdout, args)
	out = stdout.String() + stderr
	if x := (*exec.ExitError)(nil); errors.As(err, &x) && ctx.Err() == nil {
		return out, true, nil
	}
	return out, false, err
}

func (r *Runner) start(ctx context.Context, dir string, stdout *bytes.Buffer, args []string) (string, error) {
	env, err := r.environ(ctx)
	if err != nil {
		return "", err
	}
	return r.startWith(ctx, env, dir, stdout, args)
}

func (r *Runner) startWith(ctx context.Context, env []string, dir string, stdout *bytes.Buffer, args []string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(env, "PWD="+dir)
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = stdout, &stderr
	cmd.WaitDelay = 5 * time.Second
	begin := time.Now()
	err := cmd.Run()
	if r.Trace != nil {
		r.Trace(dir, args, time.Since(begin))
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return stderr.String(), err
}

// Version returns the version of the Go in use in dir, such as "go1.26.8".
func (r *Runner) Version(ctx context.Context, dir string) (string, error) {
	t, err := r.toolchain(ctx, dir)
	return t.version, err
}

// toolchain asks for the Go in use in a folder, once.
func (r *Runner) toolchain(ctx context.Context, dir string) (toolchain, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t, ok := r.inUse[dir]; ok {
		return t, nil
	}
	if r.noWork {
		// Without a go.work it is the same Go with and without GOWORK=off.
		if t, ok := r.parent.known(dir); ok && (t.work == "" || t.work == "off") {
			return t, nil
		}
	}
	// No flag has a say in it, so it need not wait until they are known.
	var wg sync.WaitGroup
	var flags error
	wg.Go(func() { flags = r.init(ctx) })
	var stdout bytes.Buffer
	args := []string{"env", "GOROOT", "GOVERSION", "GOWORK"}
	stderr, err := r.startWith(ctx, r.variables(), dir, &stdout, args)
	wg.Wait()
	if flags != nil {
		return toolchain{}, flags
	}
	if err != nil {
		return toolchain{}, &Error{Dir: dir, Args: args, Stderr: stderr, Err: err}
	}
	lines := append(strings.Split(stdout.String(), "\n"), "", "", "")
	t := toolchain{strings.TrimSpace(lines[0]), strings.TrimSpace(lines[1]), strings.TrimSpace(lines[2])}
	if r.inUse == nil {
		r.inUse = map[string]toolchain{}
	}
	r.inUse[dir] = t
	return t, nil
}

// known returns the Go in use in a folder if it was asked for before.
func (r *Runner) known(dir string) (toolchain, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t, ok := r.inUse[dir]
	return t, ok
}

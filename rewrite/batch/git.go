package batch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Git runs here in two ways. In repositories that we made, with no
// configuration but ours: filters, templates and aliases of the user have no
// business there. Over the network, with the user's own configuration, since
// that is where credentials and URL rewrites are. A repository that others
// made is never the current one of a git command, except to take a branch in
// (publish), and its hooks and the commands that its configuration can name
// are off in every case.

// gitSafe are the settings that win over any configuration file.
var gitSafe = []string{
	"core.hooksPath=/dev/null",
	"core.fsmonitor=false",
	"core.alternateRefsCommand=true", // a command, run for repositories with alternates
	"core.attributesFile=/dev/null",
	"core.autocrlf=false",
	"core.protectHFS=true",
	"core.protectNTFS=true",
	"protocol.allow=never", // ext:: and remote helpers run commands
	"protocol.https.allow=always",
	"protocol.http.allow=always",
	"protocol.ssh.allow=always",
	"protocol.git.allow=always",
	"protocol.file.allow=always",
	"submodule.recurse=false",
	"fetch.recurseSubmodules=false",
	"gc.auto=0",
	"maintenance.auto=false",
	"commit.gpgSign=false",
	"push.gpgSign=false",
	"advice.detachedHead=false",
}

// gitOwn runs git in a repository of ours; gitUser runs it with the user's
// configuration too.
func gitOwn(ctx context.Context, dir string, args ...string) (string, error) {
	return runGit(ctx, dir, gitOwnEnv, args, "")
}

func gitUser(ctx context.Context, dir string, args ...string) (string, error) {
	var env []string
	if os.Getenv("GIT_SSH_COMMAND") == "" {
		env = []string{"GIT_SSH_COMMAND=ssh -o BatchMode=yes"} // fails instead of asking
	}
	return runGit(ctx, dir, env, args, "")
}

// gitOwnEnv keeps the user's and the system's configuration out.
var gitOwnEnv = []string{"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1"}

func runGit(ctx context.Context, dir string, env, args []string, stdin string) (string, error) {
	var a []string
	for _, c := range gitSafe {
		a = append(a, "-c", c)
	}
	cmd := exec.CommandContext(ctx, "git", append(a, args...)...)
	cmd.Dir = dir
	for _, kv := range os.Environ() {
		// What the environment says about a repository is about another one.
		if k, _, _ := strings.Cut(kv, "="); !strings.HasPrefix(k, "GIT_") || k == "GIT_SSH_COMMAND" || k == "GIT_ASKPASS" || k == "GIT_SSL_CAINFO" {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, "GIT_TERMINAL_PROMPT=0", "GIT_LFS_SKIP_SMUDGE=1", "LC_ALL=C")
	cmd.Env = append(cmd.Env, env...)
	cmd.WaitDelay = 5 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("git was not found in PATH; install it")
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil:
		msg := strings.TrimSpace(stderr.String())
		if msg == "" {
			msg = err.Error()
		}
		return "", fmt.Errorf("git %s: %s", args[0], secrets.ReplaceAllString(shorten(msg, 1500), "://xxxxx@"))
	}
	return stdout.String(), nil
}

// secrets in URLs that git prints.
var secrets = regexp.MustCompile(`://[^/@\s]+@`)

// local says whether a repository is a folder of this machine.
func local(repo string) bool { return filepath.IsAbs(repo) }

// isGit says whether a folder is a git repository, bare or with a work tree.
func isGit(dir string) bool {
	if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
		return true
	}
	_, head := os.Lstat(filepath.Join(dir, "HEAD"))
	_, objects := os.Lstat(filepath.Join(dir, "objects"))
	return head == nil && objects == nil
}

// remote is the URL by which git fetches a repository.
func remote(repo string) string {
	if local(repo) {
		return (&url.URL{Scheme: "file", Path: repo}).String()
	}
	return repo
}

var commitID = regexp.MustCompile(`^[0-9a-f]{40}([0-9a-f]{24})?$`)

// resolve finds the commit that a ref of a repository names.
func resolve(ctx context.Context, repo, ref string) (string, error) {
	if commitID.MatchString(ref) {
		return ref, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	want := ref
	if want == "" {
		want = "HEAD"
	}
	out, err := gitUser(ctx, os.TempDir(), "ls-remote", "--", remote(repo), want, want+"^{}")
	if err != nil {
		return "", err
	}
	best := ""
	for line := range strings.Lines(out) {
		id, name, _ := strings.Cut(strings.TrimSpace(line), "\t")
		switch name {
		case want, "refs/heads/" + want, "refs/tags/" + want + "^{}":
			return id, nil
		case "refs/tags/" + want:
			best = id
		}
	}
	if best == "" {
		return "", fmt.Errorf("%s has no %s", redact(repo), want)
	}
	return best, nil
}

// checkout puts the files of a job into dir, which is to be a git repository
// of our own in every case: its diffs are from its top, and nothing above it
// is looked at.
func checkout(ctx context.Context, j *Job, dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if _, err := gitOwn(ctx, dir, "init", "-q", "--template="); err != nil {
		return err
	}
	if local(j.Repo) && !isGit(j.Repo) {
		return copyTree(ctx, j.Repo, dir)
	}
	want := j.Commit
	if want == "" { // nobody answered when it was listed
		var err error
		if want, err = resolve(ctx, j.Repo, j.Ref); err != nil {
			return err
		}
		j.Commit = want
	}
	_, err := gitUser(ctx, dir, "fetch", "-q", "--depth=1", "--no-tags", "--", remote(j.Repo), want)
	if err != nil {
		ref := j.Ref
		if ref == "" {
			ref = "HEAD"
		}
		// Servers may hand out tips of branches alone.
		if _, err2 := gitUser(ctx, dir, "fetch", "-q", "--depth=1", "--no-tags", "--", remote(j.Repo), ref); err2 != nil {
			return err
		}
		got, err2 := gitOwn(ctx, dir, "rev-parse", "FETCH_HEAD")
		if err2 != nil || strings.TrimSpace(got) != want {
			return fmt.Errorf("%s has moved on from commit %s since it was listed; run the batch again", ref, want)
		}
	}
	if _, err := gitOwn(ctx, dir, "checkout", "-q", "--detach", "--force", want, "--"); err != nil {
		return err
	}
	return fence(dir)
}

// fence takes away symbolic links that lead out of the tree. Reading through
// them would carry files of this machine into a patch.
func fence(root string) error {
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		return err
	}
	return filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == ".git" {
			return fs.SkipDir
		}
		if d.Type()&fs.ModeSymlink == 0 {
			return nil
		}
		to, err := filepath.EvalSymlinks(p)
		if err == nil && (to == real || strings.HasPrefix(to, real+string(filepath.Separator))) && !strings.HasPrefix(to, filepath.Join(real, ".git")+string(filepath.Separator)) {
			return nil
		}
		return os.Remove(p)
	})
}

// copyTree copies the regular files of a folder that is not under git, and
// the links between them.
func copyTree(ctx context.Context, from, to string) error {
	err := filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		dst := filepath.Join(to, rel)
		switch {
		case rel == ".":
			return nil
		case d.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case d.IsDir():
			return os.Mkdir(dst, 0o755)
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(p)
			if err != nil || filepath.IsAbs(target) {
				return err
			}
			return os.Symlink(target, dst)
		case !d.Type().IsRegular():
			return nil // pipes, devices, sockets
		}
		return copyFile(p, dst)
	})
	if err != nil {
		return err
	}
	return fence(to)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, st.Mode().Perm()|0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

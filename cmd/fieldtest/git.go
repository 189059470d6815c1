package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// git runs git in a folder with a standard input and further variables.
func git(ctx context.Context, dir, stdin string, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C")
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// checkout makes a work tree of a commit in a folder that is not there yet.
func checkout(ctx context.Context, repo, commit, dir string) error {
	if _, err := git(ctx, "", "", nil, "clone", "-q", "--no-checkout", repo, dir); err != nil {
		return err
	}
	_, err := git(ctx, dir, "", nil, "checkout", "-q", "--detach", commit)
	return err
}

// commitAll commits everything that is in a work tree.
func commitAll(ctx context.Context, dir, message string) error {
	if _, err := git(ctx, dir, "", nil, "add", "-A", "-f"); err != nil {
		return err
	}
	_, err := git(ctx, dir, "", identity, "commit", "-q", "--no-verify", "-m", message)
	return err
}

var identity = []string{
	"GIT_AUTHOR_NAME=fieldtest", "GIT_AUTHOR_EMAIL=fieldtest@example.com",
	"GIT_COMMITTER_NAME=fieldtest", "GIT_COMMITTER_EMAIL=fieldtest@example.com",
}

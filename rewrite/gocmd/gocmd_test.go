package gocmd

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFlagsThatWouldTouchTheTreeAreDropped(t *testing.T) {
	for in, want := range map[string]string{
		"":                                  "-mod=readonly",
		"-mod=vendor":                       "-mod=readonly",
		"-tags=a -mod=mod -buildvcs=false":  "-tags=a -buildvcs=false -mod=readonly",
		"--modfile=x -overlay=y -trimpath":  "-trimpath -mod=readonly",
		"-toolexec=/tmp/evil -mod=readonly": "-mod=readonly",
	} {
		if got := cleanFlags(in); got != want {
			t.Errorf("cleanFlags(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestErrorsCarryTheGoCommandsWords(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("bogus\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := new(Runner).Run(context.Background(), dir, "list", "-mod=readonly", "./...")
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(e.Error(), "unknown directive: bogus") || e.Dir != dir {
		t.Errorf("got %v", err)
	}
	out, failed, err := new(Runner).Combined(context.Background(), dir, "vet", "./...")
	if err != nil || !failed || !strings.Contains(out, "unknown directive: bogus") {
		t.Errorf("Combined: %q, %v, %v; want what go vet printed", out, failed, err)
	}
}

func TestToolexecOfTheEnvironmentIsNotRun(t *testing.T) {
	dir := t.TempDir()
	mark := filepath.Join(dir, "ran")
	script := filepath.Join(dir, "exec.sh")
	if err := os.WriteFile(script, []byte("#!/bin/sh\ntouch "+mark+"\nexec \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"go.mod": "module example.com/a\n\ngo 1.21\n", "a.go": "package a\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("GOFLAGS", "-toolexec="+script)
	if _, err := new(Runner).Run(context.Background(), dir, "build", "./..."); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("the program of GOFLAGS=-toolexec was run")
	}
}

func TestMissingGoCommandIsSaid(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := new(Runner).Run(context.Background(), t.TempDir(), "version"); !errors.Is(err, ErrNoGo) {
		t.Errorf("got %v", err)
	}
}

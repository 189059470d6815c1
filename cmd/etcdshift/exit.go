package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/etcdshift/etcdshift/rewrite"
	"github.com/etcdshift/etcdshift/rewrite/load"
	"github.com/etcdshift/etcdshift/rules"
)

// Exit codes.
const (
	exitDone   = 0 // done, or nothing to do
	exitFailed = 1 // could not do it
	exitUsage  = 2 // the command line was wrong
	exitNeeded = 3 // diff, check: changes are needed
	exitLeft   = 4 // applied or planned, and findings are left for a person
)

// errInterrupted stands for whatever a signal made fail: a plan is written as a
// whole and then said to be, and a batch keeps what is done.
var errInterrupted = errors.New("interrupted; nothing is written but what was said to be; run the same command again")

// usageError is a command line that was not understood.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// exit is an exit code without a message.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// code prints the error of a command and returns the exit code for it.
func code(err error, command string, stderr io.Writer) int {
	var e exit
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &e):
		return int(e)
	}
	fmt.Fprintf(stderr, "etcdshift: %v\n", err)
	var u usageError
	if errors.As(err, &u) || errors.Is(err, rewrite.ErrTarget) || errors.Is(err, rules.ErrUnknown) || errors.Is(err, load.ErrNotDir) || errors.Is(err, load.ErrNoDir) || errors.Is(err, load.ErrInModule) {
		fmt.Fprintf(stderr, "run '%s --help' for usage\n", command)
		return exitUsage
	}
	return exitFailed
}

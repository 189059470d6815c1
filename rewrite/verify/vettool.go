//go:build ignore

// Vettool stands between a go command that does not tell its vet tool of an
// overlay and that tool: it puts the files of the overlay into what vet is
// asked to look at. overlay.go builds it.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	args := os.Args[1:]
	if n := len(args) - 1; n >= 0 && strings.HasSuffix(args[n], ".cfg") {
		name, err := replaced(args[n], os.Getenv("ETCDSHIFT_OVERLAY"))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		args[n] = name
	}
	cmd := exec.Command(os.Getenv("ETCDSHIFT_VET"), args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	if exit, ok := err.(*exec.ExitError); ok {
		os.Exit(exit.ExitCode())
	} else if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// replaced writes a configuration of vet with the files of an overlay in the
// place of those that they stand for.
func replaced(name, overlay string) (string, error) {
	var o struct{ Replace map[string]string }
	if err := read(overlay, &o); err != nil {
		return "", err
	}
	var cfg map[string]interface{}
	if err := read(name, &cfg); err != nil {
		return "", err
	}
	for _, key := range []string{"GoFiles", "NonGoFiles", "IgnoredFiles"} {
		files, _ := cfg[key].([]interface{})
		for i, f := range files {
			if to := o.Replace[filepath.Clean(f.(string))]; to != "" {
				files[i] = to
			}
		}
	}
	data, err := json.Marshal(cfg)
	if err != nil {
		return "", err
	}
	name = strings.TrimSuffix(name, ".cfg") + "-overlay.cfg"
	return name, os.WriteFile(name, data, 0o666)
}

func read(name string, into interface{}) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

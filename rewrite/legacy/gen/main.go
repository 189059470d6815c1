// Gen makes commits.tsv: pseudo-versions of modules, as the go.mod files of
// well-known modules have required them over the years.
//
// A module without releases has no list of versions, only its newest commit
// can be asked for, and not every proxy takes the hash of a commit. The time is
// part of a pseudo-version, so that the commit of a day, or the one that a lock
// file names, can be looked up here.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// graphs are modules whose requirements reach far, into the past and wide: all
// that follows from them is read.
var graphs = strings.Fields(`
cloud.google.com/go@v0.110.0
github.com/containerd/containerd@v1.6.36
github.com/influxdata/influxdb@v1.9.3
github.com/prometheus/prometheus@v0.35.0
github.com/spf13/viper@v1.8.1
go.etcd.io/etcd/server/v3@v3.5.35
google.golang.org/grpc@v1.83.2
`)

// mods are modules of which only the own go.mod is read, replaces included:
// programs of the first years of modules, pinned to what they had vendored.
var mods = strings.Fields(`
github.com/containerd/containerd@v1.5.0
github.com/coredns/coredns@v1.5.0
github.com/go-kit/kit@v0.9.0
github.com/go-kit/kit@v0.10.0
github.com/hashicorp/consul@v1.5.0
github.com/hashicorp/consul@v1.7.0
github.com/hashicorp/nomad@v0.10.0
github.com/hashicorp/terraform@v0.12.0
github.com/hashicorp/vault@v1.1.2
github.com/jaegertracing/jaeger@v1.18.0
github.com/jetstack/cert-manager@v0.10.0
github.com/micro/go-micro@v1.18.0
github.com/micro/go-micro/v2@v2.9.1
github.com/moby/buildkit@v0.7.0
github.com/operator-framework/operator-sdk@v0.10.0
github.com/thanos-io/thanos@v0.10.0
go.etcd.io/etcd@v0.5.0-alpha.5.0.20200520232829-54ba9589114f
go.etcd.io/etcd@v0.5.0-alpha.5.0.20210512015243-d19fbe541bf9
gocloud.dev@v0.15.0
k8s.io/kubernetes@v1.15.0
k8s.io/kubernetes@v1.16.0
k8s.io/kubernetes@v1.17.0
k8s.io/kubernetes@v1.18.0
k8s.io/kubernetes@v1.19.0
k8s.io/kubernetes@v1.20.0
k8s.io/kubernetes@v1.21.0
sigs.k8s.io/controller-runtime@v0.1.10
sigs.k8s.io/controller-runtime@v0.2.0
sigs.k8s.io/controller-runtime@v0.4.0
`)

func main() {
	out := flag.String("o", "commits.tsv", "file to write")
	flag.Parse()
	if err := run(*out); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// commits is a set of pseudo-versions.
type commits map[module.Version]bool

func (c commits) add(path, version string) {
	if module.IsPseudoVersion(version) && !strings.HasSuffix(version, "-000000000000") {
		c[module.Version{Path: path, Version: version}] = true
	}
}

func run(out string) error {
	found := commits{}
	for _, m := range graphs {
		if err := found.graph(m); err != nil {
			return fmt.Errorf("%s: %w", m, err)
		}
	}
	for _, m := range mods {
		if err := found.mod(m); err != nil {
			return fmt.Errorf("%s: %w", m, err)
		}
	}
	var all []module.Version
	for v := range found {
		all = append(all, v)
	}
	slices.SortFunc(all, func(a, b module.Version) int {
		if c := strings.Compare(a.Path, b.Path); c != 0 {
			return c
		}
		return semver.Compare(a.Version, b.Version)
	})
	var b bytes.Buffer
	for _, v := range all {
		fmt.Fprintf(&b, "%s\t%s\n", v.Path, v.Version)
	}
	return os.WriteFile(out, b.Bytes(), 0o644)
}

// mod adds what a go.mod names.
func (c commits) mod(m string) error {
	data, err := goCommand("module gen\n\ngo 1.13\n", "list", "-m", "-mod=mod", "-json", m)
	if err != nil {
		return err
	}
	var info struct{ GoMod string }
	if err := json.Unmarshal(data, &info); err != nil {
		return err
	}
	if data, err = os.ReadFile(info.GoMod); err != nil {
		return err
	}
	f, err := modfile.ParseLax(info.GoMod, data, nil)
	if err != nil {
		return err
	}
	for _, r := range f.Require {
		c.add(r.Mod.Path, r.Mod.Version)
	}
	if f, err = modfile.Parse(info.GoMod, data, nil); err != nil {
		return err
	}
	for _, r := range f.Replace {
		c.add(r.New.Path, r.New.Version)
	}
	return nil
}

// graph adds the commits that a module requires, directly or not. What a
// module before go 1.17 requires is read whole.
func (c commits) graph(m string) error {
	path, version, _ := strings.Cut(m, "@")
	out, err := goCommand(fmt.Sprintf("module gen\n\ngo 1.13\n\nrequire %s %s\n", path, version), "mod", "graph")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(out)) {
		_, to, _ := strings.Cut(strings.TrimSpace(line), " ")
		path, version, _ := strings.Cut(to, "@")
		c.add(path, version)
	}
	return nil
}

// goCommand runs the go command in a module of its own.
func goCommand(mod string, args ...string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "gen")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o644); err != nil {
		return nil, err
	}
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	return cmd.Output()
}

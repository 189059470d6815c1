package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/version"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

const clientModule = "go.etcd.io/etcd/client/v3"

// A releaseRow is one release of client/v3 and what it needs.
type releaseRow struct {
	version, date, goLine, toolchain string
	require                          map[string]string // what the client's own go.mod lists
	effGo                            string            // highest go directive of the build list of a module that requires only the client
	eff                              map[string]string // and the versions selected in it
	companion                        map[string]string // module → version that the server of the release requires
}

// listed is what "go list -m -json" tells of a module.
type listed struct {
	Path, Version, GoMod, GoVersion string
	Time                            time.Time
	Main                            bool
}

// releaseVersions returns every release up to the newest of each line in
// modules.txt. The proxy's own list is not complete, so that the versions are
// counted and each is asked for by name.
func (g *gen) releaseVersions() ([]string, error) {
	var vs []string
	for _, r := range g.releases {
		l := r.line()
		if l == "" {
			continue
		}
		n, err := strconv.Atoi(strings.TrimPrefix(r.label, l+"."))
		if err != nil {
			return nil, err
		}
		for i := 0; i <= n; i++ {
			vs = append(vs, fmt.Sprintf("v%s.%d", l, i))
		}
	}
	return vs, nil
}

// exists reports a module version that cannot be had.
func exists(dir, mod, ver string) error {
	_, err := goCommand(dir, "list", "-m", mod+"@"+ver)
	return err
}

// goMod reads a released go.mod.
func goMod(dir, mod, ver string) (listed, *modfile.File, error) {
	out, err := goCommand(dir, "list", "-m", "-json", mod+"@"+ver)
	if err != nil {
		return listed{}, nil, err
	}
	var l listed
	if err := json.Unmarshal(out, &l); err != nil {
		return l, nil, err
	}
	data, err := os.ReadFile(l.GoMod)
	if err != nil {
		return l, nil, fmt.Errorf("go.mod of %s@%s: %w", mod, ver, err)
	}
	f, err := modfile.ParseLax(l.GoMod, data, nil)
	return l, f, err
}

func (g *gen) writeReleases() error {
	versions, err := g.releaseVersions()
	if err != nil {
		return err
	}
	dir, remove, err := scratch("module atlas.scratch\n\ngo 1.26\n")
	if err != nil {
		return err
	}
	defer remove()
	var rows []releaseRow
	for _, v := range versions {
		r := releaseRow{version: v, require: map[string]string{}, eff: map[string]string{}, companion: map[string]string{}}
		l, f, err := goMod(dir, clientModule, v)
		if err != nil {
			return err
		}
		r.date = l.Time.UTC().Format("2006-01-02")
		r.goLine = f.Go.Version
		if f.Toolchain != nil {
			r.toolchain = f.Toolchain.Name
		}
		for _, q := range f.Require {
			r.require[q.Mod.Path] = q.Mod.Version
		}
		if err := r.effective(); err != nil {
			return err
		}
		_, f, err = goMod(dir, "go.etcd.io/etcd/server/v3", v)
		if err == nil {
			for _, q := range f.Require {
				switch q.Mod.Path {
				case "go.etcd.io/bbolt", "go.etcd.io/raft/v3", "go.etcd.io/etcd/raft/v3":
					r.companion[q.Mod.Path] = q.Mod.Version
				}
			}
		}
		rows = append(rows, r)
	}
	if err := fillServers(dir, rows); err != nil {
		return err
	}
	// client/v2 is released with 3.5 only: later lines take the newest one of
	// their day that the same Go builds.
	for i := range rows {
		r := &rows[i]
		if n, ok := strings.CutPrefix(r.version, "v3.5."); ok {
			r.companion["go.etcd.io/etcd/client/v2"] = "v2.305." + n
			continue
		}
		for _, q := range rows {
			if n, ok := strings.CutPrefix(q.version, "v3.5."); ok && q.date <= r.date && version.Compare("go"+q.effGo, "go"+r.effGo) <= 0 {
				r.companion["go.etcd.io/etcd/client/v2"] = "v2.305." + n
			}
		}
	}
	checked := map[string]bool{}
	for _, r := range rows {
		if v := r.companion["go.etcd.io/etcd/client/v2"]; !checked[v] {
			checked[v] = true
			if err := exists(dir, "go.etcd.io/etcd/client/v2", v); err != nil {
				return err
			}
		}
	}
	shown := []string{"google.golang.org/grpc", "google.golang.org/protobuf", "github.com/golang/protobuf", "github.com/gogo/protobuf", "go.uber.org/zap"}
	var out [][]string
	for _, r := range rows {
		row := []string{r.version, r.date, r.goLine, r.toolchain}
		for _, m := range shown {
			row = append(row, r.require[m])
		}
		row = append(row, r.effGo)
		for _, m := range shown {
			row = append(row, r.eff[m])
		}
		var comp []string
		for _, m := range sorted(r.companion) {
			comp = append(comp, m+"@"+r.companion[m])
		}
		out = append(out, append(row, strings.Join(comp, " ")))
	}
	if err := g.write("releases.tsv", "client/v3 release, date, go, toolchain, its grpc, protobuf, golang/protobuf, gogo/protobuf, zap; go, grpc, protobuf, golang/protobuf, gogo/protobuf, zap of the whole build list; companions", out); err != nil {
		return err
	}
	old, err := g.lines("oldgo.tsv")
	if err != nil {
		return err
	}
	for _, o := range old {
		found := false
		for _, r := range rows {
			found = found || len(o) == 2 && r.version == o[1]
		}
		if !found {
			return fmt.Errorf("oldgo.tsv: %s: no such release", strings.Join(o, " "))
		}
	}
	return g.write("oldgo.tsv", "Go below 1.21, newest client/v3 that it was seen to build", old)
}

// fillServers fills in what a server module that the proxy does not serve would
// have said, where the releases before and after it agree. raft shares the
// release's version in 3.5; that it exists is checked.
func fillServers(dir string, rows []releaseRow) error {
	const bbolt, raft = "go.etcd.io/bbolt", "go.etcd.io/etcd/raft/v3"
	for i := range rows {
		r := rows[i]
		if len(r.companion) > 0 {
			continue
		}
		before, after := i-1, i+1
		for after < len(rows) && len(rows[after].companion) == 0 {
			after++
		}
		minor := semver.MajorMinor(r.version)
		if before < 0 || after == len(rows) || semver.MajorMinor(rows[before].version) != minor || semver.MajorMinor(rows[after].version) != minor ||
			rows[before].companion[bbolt] != rows[after].companion[bbolt] || minor != "v3.5" {
			return fmt.Errorf("go.etcd.io/etcd/server/v3@%s cannot be had, and its neighbours do not tell what it requires", r.version)
		}
		if err := exists(dir, raft, r.version); err != nil {
			return err
		}
		r.companion[bbolt] = rows[before].companion[bbolt]
		r.companion[raft] = r.version
	}
	return nil
}

// effective works out the build list of a module that requires only the client.
func (r *releaseRow) effective() error {
	dir, remove, err := scratch("module atlas.scratch\n\ngo 1.17\n\nrequire " + clientModule + " " + r.version + "\n")
	if err != nil {
		return err
	}
	defer remove()
	out, err := goCommand(dir, "list", "-m", "-json", "all")
	if err != nil {
		return err
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var l listed
		if err := dec.Decode(&l); err != nil {
			return err
		}
		if l.Main {
			continue
		}
		r.eff[l.Path] = l.Version
		if l.GoVersion != "" && (r.effGo == "" || version.Compare("go"+l.GoVersion, "go"+r.effGo) > 0) {
			r.effGo = l.GoVersion
		}
	}
	if !semver.IsValid(r.eff[clientModule]) {
		return fmt.Errorf("%s@%s is not in its own build list", clientModule, r.version)
	}
	return nil
}

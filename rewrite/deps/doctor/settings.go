package doctor

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"
)

// settings judges what the user has told the go command by the environment or
// by go env -w: what hides faults, or makes them. The runner's own environment
// does not show it, as it takes the user's GOFLAGS apart.
func (e *examination) settings() {
	cmd := exec.CommandContext(e.ctx, "go", "env", "-json", "GOFLAGS", "GOSUMDB", "GONOSUMDB", "GOINSECURE", "GO111MODULE")
	cmd.Dir = e.scratch
	cmd.Env = append(os.Environ(), e.work.Env...)
	out, err := cmd.Output()
	env := map[string]string{}
	if err != nil || json.Unmarshal(out, &env) != nil {
		return // the first run of the go command has failed for the same reason
	}
	set := func(name string) Evidence { return Evidence{Text: []string{name + "=" + env[name]}} }
	unset := func(name string) []string {
		return []string{"go env -u " + name, "# if it comes from the environment:", "unset " + name}
	}
	if env["GOSUMDB"] == "off" {
		e.say(Diagnosis{
			ID: "checks-off", Severity: Warning, Title: "downloaded modules are not checked",
			Evidence: []Evidence{set("GOSUMDB")},
			Cause:    "no new line of go.sum is compared with the checksum database, so the first download of a version is believed, whatever it is. Private modules need GOPRIVATE, not this",
			Fix:      unset("GOSUMDB"), Ref: modRef + "#checksum-database",
		})
	}
	for _, public := range []string{clientV3, grpcPath} {
		if module.MatchPrefixPatterns(env["GONOSUMDB"], public) {
			e.say(Diagnosis{
				ID: "checks-off", Severity: Warning, Title: "public modules are exempt from the checksum database",
				Evidence: []Evidence{set("GONOSUMDB")},
				Cause:    "the patterns, which GOPRIVATE sets as well, take in " + public + "; they should name the company's own prefixes and nothing else",
				Fix:      []string{"go env -w GOPRIVATE=PREFIX", "go env -u GONOSUMDB"}, Ref: modRef + "#private-modules",
			})
			break
		}
	}
	if env["GOINSECURE"] != "" {
		e.say(Diagnosis{
			ID: "checks-off", Severity: Warning, Title: "modules may be fetched without TLS",
			Evidence: []Evidence{set("GOINSECURE")},
			Cause:    "for these paths the go command goes back to plain HTTP and takes any certificate; install the host's root certificate instead",
			Fix:      unset("GOINSECURE"), Ref: modRef + "#private-modules",
		})
	}
	if env["GO111MODULE"] == "off" {
		e.say(Diagnosis{
			ID: "gopath-mode", Severity: Error, Title: "the go command works without modules",
			Evidence: []Evidence{set("GO111MODULE")},
			Cause:    "with GO111MODULE=off packages are looked for in GOPATH, and the modules of etcd are not there",
			Fix:      unset("GO111MODULE"), Ref: modRef + "#mod-commands",
		})
	}
	for _, f := range strings.Fields(env["GOFLAGS"]) {
		switch name, value, _ := strings.Cut(strings.TrimLeft(f, "-"), "="); {
		case name == "mod" && value == "mod":
			e.say(Diagnosis{
				ID: "goflags-mod", Severity: Warning, Title: "every build may change go.mod",
				Evidence: []Evidence{set("GOFLAGS")},
				Cause:    "with -mod=mod a build adds and raises requirements in silence, gRPC and the go line among them, and no vendor/ is used",
				Fix:      unset("GOFLAGS"), Ref: modRef + "#build-commands",
			})
		case name == "mod" && value == "vendor" && !e.vendored():
			e.say(Diagnosis{
				ID: "goflags-mod", Severity: Error, Title: "-mod=vendor is set, and there is no vendor/",
				Evidence: []Evidence{set("GOFLAGS")},
				Cause:    "every build looks for its packages in vendor/ and nowhere else",
				Fix:      append([]string{"go mod vendor", "# or:"}, unset("GOFLAGS")...), Ref: modRef + "#vendoring",
			})
		case name == "modfile":
			e.say(Diagnosis{
				ID: "goflags-modfile", Severity: Note, Title: "builds do not use go.mod",
				Evidence: []Evidence{set("GOFLAGS")},
				Cause:    "-modfile names another file in its place; what is diagnosed here is go.mod",
				Fix:      unset("GOFLAGS"), Ref: modRef + "#build-commands",
			})
		}
	}
}

// vendored says whether there is a vendor folder in the repository, of a
// module or of the workspace.
func (e *examination) vendored() bool {
	dirs := []string{e.dir}
	for _, u := range e.units {
		dirs = append(dirs, u.dir)
	}
	return slices.ContainsFunc(dirs, func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, "vendor"))
		return err == nil
	})
}

package atlas

import (
	"slices"
	"strings"
	"sync"

	"golang.org/x/mod/semver"
)

// A ServerFlag is a command-line flag of the etcd server, or a key of its
// configuration file.
type ServerFlag struct {
	Name string   // of a key below a section, section.key
	In   []string // releases that have it, of those that the tables were made from, oldest first
}

func serverFlags(table string) map[string]ServerFlag {
	fs := map[string]ServerFlag{}
	for _, r := range rows(table) {
		fs[r[0]] = ServerFlag{Name: r[0], In: strings.Split(r[1], ",")}
	}
	return fs
}

var (
	commandLine = sync.OnceValue(func() map[string]ServerFlag { return serverFlags("flags.tsv") })
	configFile  = sync.OnceValue(func() map[string]ServerFlag { return serverFlags("keys.tsv") })
)

// FlagOf returns what is known of a flag of the etcd server.
func FlagOf(name string) (ServerFlag, bool) {
	f, ok := commandLine()[name]
	return f, ok
}

// KeyOf returns what is known of a key of the etcd server's configuration
// file.
func KeyOf(name string) (ServerFlag, bool) {
	f, ok := configFile()[name]
	return f, ok
}

var gates = sync.OnceValue(func() map[string]string {
	m := map[string]string{}
	for _, r := range rows("gates.tsv") {
		m[r[0]] = r[1]
	}
	return m
})

// GateOf returns the feature gate that took the place of a flag or key, "" for
// none.
func GateOf(name string) string { return gates()[name] }

// Has says whether the server of a line's newest release has the flag.
func (f ServerFlag) Has(line Line) bool {
	return slices.Contains(f.In, strings.TrimPrefix(Newest(line), "v"))
}

// Last returns the newest release that has the flag.
func (f ServerFlag) Last() string {
	last := f.In[0]
	for _, r := range f.In {
		if semver.Compare("v"+r, "v"+last) > 0 {
			last = r
		}
	}
	return last
}

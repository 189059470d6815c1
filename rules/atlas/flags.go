package atlas

import (
	"slices"
	"strings"
	"sync"

	"golang.org/x/mod/semver"
)

// A ServerFlag is a command-line flag of the etcd server. The keys of its
// configuration file have the same names.
type ServerFlag struct {
	Name string
	In   []string // releases that have it, of those that the tables were made from, oldest first
}

var serverFlags = sync.OnceValue(func() map[string]ServerFlag {
	fs := map[string]ServerFlag{}
	for _, r := range rows("flags.tsv") {
		fs[r[0]] = ServerFlag{Name: r[0], In: strings.Split(r[1], ",")}
	}
	return fs
})

// FlagOf returns what is known of a flag of the etcd server.
func FlagOf(name string) (ServerFlag, bool) {
	f, ok := serverFlags()[name]
	return f, ok
}

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

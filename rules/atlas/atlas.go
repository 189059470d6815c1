// Package atlas holds what etcdshift knows of etcd and gRPC releases: where the
// packages of old etcd went, what each release needs, what its symbols look like
// and what broke between an old release and a target.
//
// The tables are written by the generator in gen from the real modules and are
// part of the binary; nothing here reads a file or the network. Each table is
// decoded when it is first asked for, and only that one.
//
// A package is named by its path below the old module root, whatever the layout:
// github.com/coreos/etcd/clientv3, go.etcd.io/etcd/clientv3,
// go.etcd.io/etcd/v3/clientv3 and go.etcd.io/etcd/client/v3 are all "clientv3".
// Packages that came with the split modules are named by their module and path
// without "/v3": go.etcd.io/etcd/server/v3/config is "server/config".
package atlas

//go:generate go run ./gen

import (
	"embed"
	"strings"
	"sync"
)

// The tables, as written by the generator.
//
//go:embed tables
var tables embed.FS

// rows decodes a tab-separated table, without its heading.
func rows(name string) [][]string {
	data, err := tables.ReadFile("tables/" + name)
	if err != nil {
		panic(err) // the file is part of the binary
	}
	var rs [][]string
	for l := range strings.Lines(string(data)) {
		if l[0] == '#' {
			continue
		}
		rs = append(rs, strings.Split(strings.TrimSuffix(l, "\n"), "\t"))
	}
	return rs
}

// A Line is a minor release line of etcd that code can be moved to.
type Line string

// The target lines.
const (
	Line35 Line = "3.5"
	Line36 Line = "3.6"
	Line37 Line = "3.7"
)

// Lines returns the target lines, oldest first.
func Lines() []Line { return []Line{Line35, Line36, Line37} }

// index is the line's place in Lines, or -1.
func (l Line) index() int {
	switch l {
	case Line35:
		return 0
	case Line36:
		return 1
	case Line37:
		return 2
	}
	return -1
}

// LineOf returns the target line of a release such as "v3.6.16" or "3.6.16".
func LineOf(release string) (Line, bool) {
	r := strings.TrimPrefix(release, "v")
	for _, l := range Lines() {
		if r == string(l) || strings.HasPrefix(r, string(l)+".") {
			return l, true
		}
	}
	return "", false
}

// A Source is a module version that the tables were made from.
type Source struct {
	Release string // the etcd release it stands for ("3.4.31"), or "" for the modules beside etcd
	Module  string
	Version string
	Sum     string // as in go.sum
}

// Sources returns the modules that the tables were made from.
func Sources() []Source { return sources() }

var sources = sync.OnceValue(func() []Source {
	var ss []Source
	for _, r := range rows("modules.tsv") {
		ss = append(ss, Source{Release: r[0], Module: r[1], Version: r[2], Sum: r[3]})
	}
	return ss
})

// Newest is the release of a line that the symbol tables describe ("v3.6.16").
func Newest(line Line) string {
	for _, s := range sources() {
		if l, ok := LineOf(s.Release); ok && l == line && !strings.Contains(s.Release, "-") {
			return "v" + s.Release
		}
	}
	return ""
}

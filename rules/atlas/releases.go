package atlas

import (
	"go/version"
	"strings"
	"sync"
)

// A Release is one release of go.etcd.io/etcd/client/v3 and what it needs. Fields
// are "" where its go.mod names no version. The Eff fields hold for the whole
// build list of a module that requires only this release: what a go.mod ends
// with at least.
type Release struct {
	Version   string // "v3.5.35"
	Date      string // "2026-10-22"
	Go        string // go directive
	Toolchain string // toolchain directive: a suggestion, not a need

	GRPC           string // google.golang.org/grpc
	Protobuf       string // google.golang.org/protobuf
	GolangProtobuf string // github.com/golang/protobuf
	Gogo           string // github.com/gogo/protobuf
	Zap            string // go.uber.org/zap

	EffGo             string
	EffGRPC           string
	EffProtobuf       string
	EffGolangProtobuf string
	EffGogo           string
	EffZap            string

	companions map[string]string
}

// Line returns the release's line.
func (r Release) Line() Line { l, _ := LineOf(r.Version); return l }

var releases = sync.OnceValue(func() []Release {
	var rs []Release
	for _, r := range rows("releases.tsv") {
		rel := Release{
			Version: r[0], Date: r[1], Go: r[2], Toolchain: r[3],
			GRPC: r[4], Protobuf: r[5], GolangProtobuf: r[6], Gogo: r[7], Zap: r[8],
			EffGo: r[9], EffGRPC: r[10], EffProtobuf: r[11], EffGolangProtobuf: r[12], EffGogo: r[13], EffZap: r[14],
			companions: map[string]string{},
		}
		for _, c := range strings.Fields(r[15]) {
			m, v, _ := strings.Cut(c, "@")
			rel.companions[m] = v
		}
		rs = append(rs, rel)
	}
	return rs
})

// Releases returns the releases of a line, oldest first, without pre-releases.
func Releases(line Line) []Release {
	var rs []Release
	for _, r := range releases() {
		if r.Line() == line {
			rs = append(rs, r)
		}
	}
	return rs
}

// FindRelease returns the release with a version such as "v3.5.35".
func FindRelease(v string) (Release, bool) {
	for _, r := range releases() {
		if r.Version == v {
			return r, true
		}
	}
	return Release{}, false
}

var oldGo = sync.OnceValue(func() map[string]string {
	m := map[string]string{}
	for _, r := range rows("oldgo.tsv") {
		m["go"+r[0]] = r[1]
	}
	return m
})

// NewestFor returns the newest release of a line that a Go version can build
// ("1.21", "go1.21.13"). A version without a patch number stands for all its
// patches. From Go 1.21 on the go directives of the build list decide. For older
// ones, which take them as advice, the releases that they were seen to build do.
func NewestFor(line Line, goVersion string) (Release, bool) {
	v := goVersion
	if !strings.HasPrefix(v, "go") {
		v = "go" + v
	}
	if !version.IsValid(v) {
		return Release{}, false
	}
	var limit string
	if version.Compare(v, "go1.21") < 0 {
		if limit = oldGo()[version.Lang(v)]; limit == "" {
			return Release{}, false
		}
	}
	rs := Releases(line)
	for i := len(rs) - 1; i >= 0; i-- {
		if limit != "" && rs[i].Version == limit || limit == "" && builds(v, rs[i]) {
			return rs[i], true
		}
	}
	return Release{}, false
}

// builds reports whether Go v (1.21 or later) takes the release's go directives.
func builds(v string, r Release) bool {
	need := "go" + r.EffGo
	if version.Lang(v) == v {
		need = version.Lang(need)
	}
	return version.Compare(v, need) >= 0
}

// CanBuild reports whether a Go version can build a release, by the same measure
// as NewestFor.
func CanBuild(goVersion, release string) bool {
	r, ok := FindRelease(release)
	if !ok {
		return false
	}
	newest, ok := NewestFor(r.Line(), goVersion)
	if !ok {
		return false
	}
	return patch(r.Version) <= patch(newest.Version)
}

func patch(v string) int {
	n := 0
	for _, c := range v[strings.LastIndexByte(v, '.')+1:] {
		n = n*10 + int(c-'0')
	}
	return n
}

// Companion returns the version of another module that goes with a release of
// client/v3: client/v2 is released as v2.305.x only, raft and bbolt have versions
// of their own, and all other etcd modules share the release. It is "" for a
// module that does not belong to the release (go.etcd.io/etcd/raft/v3 from 3.6
// on), for an old root, and for a module that is not etcd's.
func Companion(module, release string) string {
	r, ok := FindRelease(release)
	if !ok {
		return ""
	}
	switch module {
	case "go.etcd.io/etcd/client/v2", "go.etcd.io/etcd/raft/v3", "go.etcd.io/raft/v3", "go.etcd.io/bbolt":
		return r.companions[module]
	}
	for _, root := range oldRoots {
		if module == root.path {
			return ""
		}
	}
	if IsEtcdModule(module) {
		return release
	}
	return ""
}

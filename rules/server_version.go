package rules

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// serverVersion names etcd servers that are older than the client will be.
//
// Matched: tags of etcd images in Dockerfiles, compose files, manifests, CI
// files and scripts, releases that are downloaded, and variables that name an
// etcd version. One finding for a version and file.
//
// Not matched: prose, and tags that are no version.
var serverVersion = &Rule{
	ID:     "server-version",
	Title:  "name etcd servers that are older than the client",
	Before: "services:\n  etcd:\n    image: quay.io/coreos/etcd:v3.3.9\n",
	After:  "services:\n  etcd:\n    image: quay.io/coreos/etcd:v3.3.9\n",
	Why:    "Tests that run against an old server do not show what the client meets later, and servers of 3.3 and before are not what a client of today is tested with. The version of a server is nobody's to change but its owner's.",
	Since:  "v3.5.0",
	Safety: Report,
	Refs:   []string{"https://etcd.io/docs/v3.6/upgrades/"},
	Text:   runServerVersion,
}

var (
	etcdImage = regexp.MustCompile(`(?:^|[\s"'=(])((?:[\w.-]+(?::\d+)?/)*(?:[\w.-]*-)?etcd):v?(\d+\.\d+(?:\.\d+)?)([\w.-]*)`)
	// versionNamed is a version of etcd by a variable or a download.
	versionNamed = regexp.MustCompile(`(?:\b(?:ETCD_VER(?:SION)?|etcd_version)["']?(?:\s*:?[:=]\s*| +)["']?v?|/etcd/releases/download/v|\betcd-v)(\d+\.\d+\.\d+)\b`)
)

func runServerVersion(p *TextPass) {
	if prose(p.Name) {
		return
	}
	type place struct{ start, end, n int }
	found := map[string]*place{}
	add := func(version string, start, end int) {
		if f := found[version]; f != nil {
			f.n++
			return
		}
		found[version] = &place{start, end, 1}
	}
	commented := func(at int) bool {
		return strings.HasPrefix(strings.TrimSpace(p.Src[strings.LastIndexByte(p.Src[:at], '\n')+1:]), "#")
	}
	for _, m := range etcdImage.FindAllStringSubmatchIndex(p.Src, -1) {
		if !commented(m[2]) && path.Base(p.Src[m[2]:m[3]]) != "etcd-operator" {
			add(p.Src[m[4]:m[5]], m[2], m[7])
		}
	}
	for _, m := range versionNamed.FindAllStringSubmatchIndex(p.Src, -1) {
		if !commented(m[2]) {
			add(p.Src[m[2]:m[3]], m[2], m[3])
		}
	}
	var versions []string
	for v := range found {
		versions = append(versions, v)
	}
	slices.SortFunc(versions, func(a, b string) int { return found[a].start - found[b].start })
	for _, v := range versions {
		if semver.Compare(semver.MajorMinor("v"+v), "v"+string(p.Target.Line)) >= 0 {
			continue
		}
		sev := edit.Note
		if semver.Compare("v"+v, "v3.4") < 0 {
			sev = edit.Review
		}
		f := found[v]
		message := fmt.Sprintf("an etcd %s server, older than the client of %s", v, p.Target.Line)
		if f.n > 1 {
			message += fmt.Sprintf("; %d times in this file", f.n)
		}
		p.Report(f.start, f.end, sev, message, "test with the server that the client will meet; a cluster upgrades one minor release at a time")
	}
}

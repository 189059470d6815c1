package doctor

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/module"

	"github.com/etcdshift/etcdshift/rules/atlas"
)

// raises names, for modules that are known to import an old etcd, the first
// version that does not; an empty one means that none is known.
var raises = []struct{ prefix, module, version string }{
	{"github.com/spf13/viper", "github.com/spf13/viper", "v1.8.1"},
	{"github.com/bketelsen/crypt", "github.com/spf13/viper", "v1.8.1"},
	{"github.com/xordataexchange/crypt", "github.com/spf13/viper", "v1.8.1"},
	{"github.com/go-kit/kit", "github.com/go-kit/kit", "v0.12.0"},
	{"k8s.io/apiserver", "k8s.io/apiserver", "v0.22.0"},
	{"github.com/micro/go-micro", "", ""},
	{"github.com/docker/libkv", "", ""},
	{"github.com/abronan/valkeyrie", "github.com/abronan/valkeyrie", "v0.2.0"},
}

// raise says who pulls an old etcd in, and the version of it that no longer
// does.
func (f facts) raise() bool {
	puller := f["puller"]
	switch {
	case f["own"] != "":
		f["who"] = f["root"]
		return true
	case puller == "":
		f["who"] = "Some package of the build"
		return true
	}
	f["who"] = puller
	for _, r := range raises {
		if puller == r.prefix || strings.HasPrefix(puller, r.prefix+"/") {
			if r.module != "" {
				f["raise"], f["settle"] = r.module+"@"+r.version, tidy
			}
			break
		}
	}
	return true
}

// privatePrefix guesses the pattern that GOPRIVATE would need for a module: the
// owner on a shared host, the host otherwise.
func privatePrefix(modpath string) string {
	elems := strings.Split(modpath, "/")
	switch elems[0] {
	case "":
		return ""
	case "github.com", "gitlab.com", "bitbucket.org", "codeberg.org", "gitee.com", "git.sr.ht":
		if len(elems) > 1 {
			return elems[0] + "/" + elems[1]
		}
	}
	return elems[0]
}

var tookRE = regexp.MustCompile(` after \d+ ms`)

// network completes the facts of an address that did not answer, or a
// repository that did not open.
func network(f facts) bool {
	// How long it took is no part of the cause, and would tell two of one
	// host apart.
	if why := f["why"]; why != "" {
		f["why"] = tookRE.ReplaceAllString(why, "")
	}
	if f["url"] == "" {
		f["url"] = f["url2"]
	}
	if f["module"] == "" {
		f["module"], f["version"] = f["gomod"], f["rev"]
	}
	if f["module"] == "" {
		f["module"] = f["asked"]
	}
	if u, err := url.Parse(f["url"]); err == nil && u.Host != "" {
		f["host"] = u.Host
		if m := proxyModule(u.Path); m.Path != "" {
			if f["module"] == "" {
				f["module"], f["version"] = m.Path, m.Version
			}
		} else if u.RawQuery == "" && len(u.Path) > 1 {
			f["repo"] = u.Host + strings.TrimSuffix(u.Path, "/")
		}
	}
	// What git was asked for is what the user knows; the address that it names
	// can come from a setting.
	if u, err := url.Parse(f["remote"]); err == nil && u.Host != "" {
		f["repo"] = u.Host + strings.TrimSuffix(u.Path, "/")
	} else if m := f["module"]; m != "" && (f["repo"] == "" || privatePrefix(m) != strings.Split(m, "/")[0]) {
		f["repo"] = repoOf(m)
	}
	if f["module"] == "" {
		f["module"] = f["repo"]
	}
	if f["module"] != "" {
		f["prefix"] = privatePrefix(f["module"])
	}
	f["site"], _, _ = strings.Cut(f["repo"], "/")
	if f["host"] == "" {
		f["host"] = f["site"]
	}
	return true
}

// repoOf returns the repository of a module on a host that is known for one
// repository each host/owner/name, and the path itself otherwise.
func repoOf(modpath string) string {
	elems := strings.Split(modpath, "/")
	if privatePrefix(modpath) != elems[0] && len(elems) > 3 {
		return strings.Join(elems[:3], "/")
	}
	return modpath
}

// proxyModule reads the module and version from the path of a request of the
// module proxy protocol: a proxy can live below any path.
func proxyModule(p string) module.Version {
	p = strings.TrimPrefix(p, "/")
	before, after, ok := strings.Cut(p, "/@v/")
	if !ok {
		before, ok = strings.CutSuffix(p, "/@latest")
		if !ok {
			return module.Version{}
		}
	}
	version := strings.TrimSuffix(after, path.Ext(after))
	if after == "list" {
		version = ""
	}
	elems := strings.Split(before, "/")
	for i, e := range elems {
		if host.MatchString(e) {
			before = strings.Join(elems[i:], "/")
			break
		}
	}
	if s, err := module.UnescapePath(before); err == nil {
		before = s
	}
	if s, err := module.UnescapeVersion(version); err == nil {
		version = s
	}
	return module.Version{Path: before, Version: version}
}

// proxy completes the facts of a request that a module proxy answered with an
// error.
func proxy(f facts) bool {
	raw := f["url"]
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	m := proxyModule(u.Path)
	if m.Path == "" {
		return false
	}
	f["module"], f["version"] = m.Path, m.Version
	f["prefix"], f["repo"] = privatePrefix(m.Path), repoOf(m.Path)
	if i := strings.Index(raw, "/@"); i >= 0 && u.Scheme != "file" {
		f["list"] = raw[:i] + "/@v/list"
	}
	code, _ := strconv.Atoi(strings.Fields(f["status"] + " 0")[0])
	switch code {
	case 401, 407:
		f["meaning"] = "the proxy wants a login: its address or a .netrc entry for its host has to carry one"
	case 403:
		f["meaning"] = "the proxy forbids the module, or has it not and says so in this way. The go command takes 403 for a final answer and does not go on to `direct`, as it would after 404 and 410; a list of proxies separated by | instead of commas does go on"
	case 404, 410:
		f["meaning"] = "the proxy has no such version: it was never published or is misspelt, it is private, or the proxy could not fetch it. After " + strconv.Itoa(code) + " the go command tries the next proxy of GOPROXY; this was the last"
	case 400:
		f["meaning"] = "the proxy takes the path or the version for malformed: versions start with v, and a path has a host"
	case 429:
		f["meaning"] = "the proxy was asked too often; it works again later"
	default:
		if code >= 500 {
			f["meaning"] = "the proxy itself failed, or could not get the module from its origin"
		} else {
			f["meaning"] = "the proxy did not answer as the protocol wants"
		}
	}
	return true
}

// goTooOld completes the facts of a Go that is too old.
func goTooOld(f facts) bool {
	what := f["what"]
	if p, v, ok := strings.Cut(what, "@"); ok {
		f["module"], f["version"] = p, v
	}
	if what == "" && f["module"] != "" {
		f["what"] = strings.TrimSpace(f["module"] + " " + f["version"])
	}
	// Below 1.21 the text does not name the Go in use.
	if f["running"] != "" && isNew(f["module"]) {
		f["get"] = releaseFor(f["module"], f["version"], f["running"])
	}
	return true
}

// releaseFor names the newest version of a module of etcd that a Go builds: of
// the same line if there is one, else of the newest line that has one.
func releaseFor(modpath, version, running string) string {
	lines := atlas.Lines()
	slices.Reverse(lines)
	if l, ok := atlas.LineOf(version); ok {
		lines = slices.Insert(lines, 0, l)
	}
	for _, l := range lines {
		if r, ok := atlas.NewestFor(l, running); ok {
			if v := atlas.Companion(modpath, r.Version); v != "" {
				return modpath + "@" + v
			}
		}
	}
	return ""
}

// goAfter returns the Go minor version after one.
func goAfter(v string) string {
	n, err := strconv.Atoi(strings.TrimPrefix(v, "1."))
	if err != nil {
		return ""
	}
	return "1." + strconv.Itoa(n+1)
}

// home says where a package of etcd is now.
func home(f facts) bool {
	rel, layout, ok := atlas.Canonical(f["pkg"])
	if !ok {
		return true
	}
	lines := atlas.Lines()
	slices.Reverse(lines)
	if l, ok := atlas.LineOf(f["version"]); ok && layout == atlas.LayoutSplit {
		lines = slices.Insert(lines, 0, l)
	}
	known := false
	for _, l := range lines {
		h, ok := atlas.HomeOf(rel, l)
		known = known || ok
		if !ok || h.Gone {
			continue
		}
		switch {
		case layout == atlas.LayoutSplit && h.Path == f["pkg"]:
			f["gone"] = "etcd " + string(l) + " has the package in " + h.Module + "; the version that the build has does not"
		case layout == atlas.LayoutSplit:
			f["gone"] = "there is no such package; in etcd " + string(l) + " it is " + h.Path
		default:
			f["gone"] = "the path is of etcd before 3.5; in etcd " + string(l) + " the package is " + h.Path
		}
		f["get"] = h.Module + "@" + atlas.Companion(h.Module, atlas.Newest(l))
		return true
	}
	if known {
		f["gone"] = "no etcd from 3.5 on has the package"
	}
	if layout == atlas.LayoutSplit {
		// pkg/v3/transport is named by where it was once looked for: the
		// package below pkg went to client/pkg/v3.
		for _, l := range lines {
			if h, ok := atlas.HomeOf(strings.TrimPrefix(rel, "client/"), l); ok && !h.Gone && h.Path != f["pkg"] {
				f["gone"] = "there is no such package; in etcd " + string(l) + " it is " + h.Path
				f["get"] = h.Module + "@" + atlas.Companion(h.Module, atlas.Newest(l))
				return true
			}
		}
	}
	return true
}

// etcdMessages says whether a package holds protobuf messages of etcd.
func etcdMessages(path string) bool {
	rel, _, ok := atlas.Canonical(path)
	return ok && strings.HasSuffix(rel, "pb")
}

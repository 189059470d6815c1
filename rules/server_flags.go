package rules

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// serverFlags names flags of the etcd server that the target's server refuses.
//
// Matched: flags in scripts, units, compose files and manifests, on a line
// that names etcd or beside others that only an etcd server has. Which server
// has which flag is in the atlas.
//
// Not matched: flags of other programs with the same names, and flags that the
// target's server accepts and ignores.
var serverFlags = &Rule{
	ID:     "server-flags",
	Title:  "name flags of etcd servers that the target's server refuses",
	Before: "command: etcd --initial-cluster a=http://a:2380 --enable-v2 --log-output stdout\n",
	After:  "command: etcd --initial-cluster a=http://a:2380 --enable-v2 --log-output stdout\n",
	Why:    "A client of a new etcd often comes with its server. A server that does not know a flag does not start.",
	Since:  "v3.5.0",
	Safety: Report,
	Refs: []string{
		"https://github.com/etcd-io/etcd/blob/v3.4.31/etcdmain/config.go",
		"https://github.com/etcd-io/etcd/blob/v3.5.35/server/etcdmain/config.go",
		"https://github.com/etcd-io/etcd/blob/v3.6.16/server/embed/config.go",
		"https://github.com/etcd-io/etcd/blob/v3.7.3/server/embed/config.go",
	},
	Text: runServerFlags,
}

var (
	flagRE    = regexp.MustCompile(`(?:^|[\s"'=\[,])(--?)([a-zA-Z][\w-]*)`)
	etcdOnly  = regexp.MustCompile(`--?(?:initial-cluster|listen-client-urls|listen-peer-urls|advertise-client-urls|initial-advertise-peer-urls)\b`)
	etcdWord  = regexp.MustCompile(`\betcd\b`)
	flagReach = 12 // lines around a flag in which one that only etcd has counts
)

// flagAdvice is what to do about flags that have no namesake.
var flagAdvice = map[string]string{
	"ca-file":                  "--trusted-ca-file, with --client-cert-auth",
	"peer-ca-file":             "--peer-trusted-ca-file, with --peer-client-cert-auth",
	"debug":                    "--log-level=debug",
	"log-output":               "--log-outputs",
	"log-package-levels":       "--log-level",
	"enable-v2":                "drop it: the server has no v2 API any more; move clients to v3 first",
	"experimental-enable-v2v3": "drop it: the server has no v2 API any more; move clients to v3 first",
	"proxy":                    "drop it: the v2 proxy is gone; 'etcd grpc-proxy' serves v3",
}

func runServerFlags(p *TextPass) {
	if prose(p.Name) || !etcdWord.MatchString(p.Src) {
		return
	}
	lines := strings.SplitAfter(p.Src, "\n")
	at := 0
	for i, line := range lines {
		start := at
		at += len(line)
		for _, m := range flagRE.FindAllStringSubmatchIndex(line, -1) {
			name := line[m[4]:m[5]]
			flag, ok := atlas.FlagOf(name)
			if !ok || flag.Has(p.Target.Line) || !etcdNear(lines, i) {
				continue
			}
			advice := "drop it"
			stable := strings.TrimPrefix(name, "experimental-")
			switch f, ok := atlas.FlagOf(stable); {
			case flagAdvice[name] != "":
				advice = flagAdvice[name]
			case stable != name && ok && f.Has(p.Target.Line):
				advice = "--" + stable
			}
			p.Report(start+m[2], start+m[5], edit.Review,
				fmt.Sprintf("the etcd %s server does not know --%s; v%s was the last that did", p.Target.Line, name, flag.Last()), advice)
		}
	}
}

// etcdNear says whether the flags around a line are an etcd server's.
func etcdNear(lines []string, i int) bool {
	for j := max(0, i-flagReach); j < min(len(lines), i+flagReach+1); j++ {
		if etcdOnly.MatchString(lines[j]) {
			return true
		}
	}
	return false
}

package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// serverFlags names options of the etcd server that the target's server
// refuses or ignores.
//
// Matched: flags in scripts, units, compose files and manifests, the variables
// that stand for them, what installers hand on (extraArgs), and keys of etcd's
// configuration file, alone or in a manifest: where etcd is run by name, or
// beside options that only its server has. Which server has which is in the
// atlas.
//
// Not matched: options of other programs with the same names, those that the
// target's server accepts and ignores, and what is commented out.
var serverFlags = &Rule{
	ID:     "server-flags",
	Title:  "name options of etcd servers that the target's server refuses or ignores",
	Before: "command: etcd --initial-cluster a=http://a:2380 --enable-v2 --log-output stdout\n",
	After:  "command: etcd --initial-cluster a=http://a:2380 --enable-v2 --log-output stdout\n",
	Why: "A client of a new etcd often comes with its server. A server does not start with a flag that it does not know. " +
		"A variable or a key of its configuration file that it does not know, it ignores.",
	Since:  "v3.5.0",
	Safety: Report,
	Refs: []string{
		"https://github.com/etcd-io/etcd/blob/v3.4.31/etcdmain/config.go",
		"https://github.com/etcd-io/etcd/blob/v3.5.35/server/etcdmain/config.go",
		"https://github.com/etcd-io/etcd/blob/v3.6.16/server/embed/config.go",
		"https://github.com/etcd-io/etcd/blob/v3.7.3/server/embed/config.go",
		"pkg/flags/flag.go, verifyEnv: a variable that no flag has is warned of",
	},
	Text: func(p *TextPass) {
		if prose(p.Name) {
			return
		}
		for _, s := range serverSettings(p.Src) {
			if message := s.refused(p.Target.Line); message != "" {
				n, advice := s.successor(p.Target.Line)
				if n != nil {
					advice = n.advice(s) + "; 'etcdshift migrate --rules " + serverFlagsRename.ID + "' writes it"
				}
				p.Report(s.start-s.dashes, s.end, s.severity(), message, advice)
			}
		}
	},
}

// refused says what a line's server makes of a setting that it does not know,
// "" for one that it does.
func (s *setting) refused(line atlas.Line) string {
	if s.name == "logger" && s.value == "capnslog" {
		return fmt.Sprintf("the etcd %s server does not start with the logger capnslog; v3.4 was the last that had it", line)
	}
	f, ok := s.kind.known(s.name)
	if !ok || f.Has(line) {
		return ""
	}
	name := s.kind.text(s.name)
	switch s.kind {
	case variableSetting:
		return fmt.Sprintf("the etcd %s server ignores %s; v%s was the last that read it", line, name, f.Last())
	case keySetting:
		return fmt.Sprintf("the etcd %s server ignores the key %s of its configuration file; v%s was the last that read it", line, name, f.Last())
	}
	return fmt.Sprintf("the etcd %s server does not know %s; v%s was the last that did", line, name, f.Last())
}

// severity is less for what is ignored and says nothing that matters.
func (s *setting) severity() edit.Severity {
	if s.kind != flagSetting && slices.Contains([]string{"", "false", "off"}, s.value) {
		return edit.Note
	}
	return edit.Review
}

// successor returns what is written in place of a setting that a line's server
// does not know, or else what to do about it.
func (s *setting) successor(line atlas.Line) (*successor, string) {
	free := func(name string) bool { return s.group.lookup(name) == nil }
	name := func(n string) string { return s.kind.text(n) }
	on := s.value == "true" || s.kind == flagSetting && s.value == ""
	section, base := "", s.name
	if i := strings.IndexByte(s.name, '.'); i >= 0 {
		section, base = s.name[:i+1], s.name[i+1:]
	}
	stable := strings.TrimPrefix(s.name, "experimental-")
	if s.kind == keySetting && s.name == "experimental-snapshot-catch-up-entries" {
		stable = "snapshot-catchup-entries"
	}
	switch base {
	case "logger":
		return &successor{name: "logger", value: "zap"}, ""
	case "log-output":
		if !free("log-outputs") {
			return nil, "drop it: " + name("log-outputs") + " stands beside it"
		}
		if s.kind == keySetting && s.value != "" && !strings.HasPrefix(s.value, "[") {
			return &successor{name: "log-outputs", value: "[" + s.value + "]", list: true}, ""
		}
		return &successor{name: "log-outputs"}, ""
	case "log-package-levels":
		return nil, "drop it: " + name("log-level") + " is for all packages"
	case "debug":
		switch {
		case s.value == "false":
			return nil, "drop it"
		case on && free("log-level"):
			return &successor{name: "log-level", value: "debug"}, ""
		}
		return nil, name("log-level") + " debug"
	case "ca-file", "peer-ca-file":
		prefix := section + strings.TrimSuffix(base, "ca-file")
		auth := s.group.lookup(prefix + "client-cert-auth")
		if free(prefix+"trusted-ca-file") && auth != nil && (auth.value == "true" || auth.kind == flagSetting && auth.value == "") {
			return &successor{name: prefix + "trusted-ca-file"}, ""
		}
		return nil, name(prefix+"trusted-ca-file") + " in its place, and " + name(prefix+"client-cert-auth") + " true: it asked clients for certificates, which that does not alone"
	case "enable-v2", "experimental-enable-v2v3":
		if s.value == "false" {
			return nil, "drop it: no server has the v2 API any more"
		}
		return nil, "drop it: the server has no v2 API any more; move clients and their data to v3 first"
	case "proxy":
		if s.value == "off" {
			return nil, "drop it"
		}
		return nil, "drop it: the v2 proxy is gone; 'etcd grpc-proxy' serves v3"
	case "discovery", "discovery-proxy":
		return nil, "discover by etcd's v3 API: " + name("discovery-token") + " and " + name("discovery-endpoints")
	}
	if gate := atlas.GateOf(s.name); gate != "" {
		for _, o := range s.group.settings {
			if o.name == "feature-gates" || o != s && atlas.GateOf(o.name) != "" {
				return nil, "one list for all: " + name("feature-gates") + " with " + gate + "=" + orTrue(s.value)
			}
		}
		if on || s.value == "false" {
			return &successor{name: "feature-gates", value: gate + "=" + orTrue(s.value)}, ""
		}
		return nil, name("feature-gates") + " with " + gate + "=true"
	}
	if f, ok := s.kind.known(stable); ok && stable != s.name && f.Has(line) {
		if !free(stable) {
			return nil, "drop it: " + name(stable) + " stands beside it"
		}
		return &successor{name: stable}, ""
	}
	if s.name == "experimental-peer-skip-client-san-verification" {
		return nil, "skip-client-san-verification below peer-transport-security"
	}
	return nil, "drop it"
}

func orTrue(s string) string {
	if s == "" {
		return "true"
	}
	return s
}

// A successor is the option that took the place of a setting.
type successor struct {
	name  string
	value string // "" keeps what is there
	list  bool   // value is a list of what is there
}

func (n *successor) advice(s *setting) string {
	text := s.kind.text(n.name)
	switch {
	case n.value == "":
		return text
	case s.kind == keySetting:
		return text + ": " + n.value
	}
	return text + "=" + n.value
}

package rules

// serverFlagsRename renames options of etcd servers.
//
// Matched: what server-flags finds, where another option took its place that
// means the same with the value that is there: experimental-x by x or, where
// it became one, by a feature gate; log-output by log-outputs, a list in the
// configuration file; debug by log-level debug; ca-file by trusted-ca-file
// beside client-cert-auth.
//
// Not matched: what has to be dropped, or thought about. It is reported.
var serverFlagsRename = &Rule{
	ID:     "server-flags-rename",
	Title:  "rename options of etcd servers",
	Before: "command: etcd --initial-cluster a=http://a:2380 --debug --log-output stdout --experimental-initial-corrupt-check\n",
	After:  "command: etcd --initial-cluster a=http://a:2380 --log-level=debug --log-outputs stdout --feature-gates=InitialCorruptCheck=true\n",
	Why:    "Nothing starts a server to prove the change, and the file may be for a server that stays old: it is made only when asked for. server-flags names the options.",
	Since:  "v3.5.0",
	Safety: Same,
	Refs: []string{
		"https://github.com/etcd-io/etcd/blob/v3.6.16/server/features/etcd_features.go",
		"https://github.com/etcd-io/etcd/blob/v3.4.31/etcdmain/help.go",
	},
	OptIn: true,
	Text: func(p *TextPass) {
		if prose(p.Name) {
			return
		}
		for _, s := range serverSettings(p.Src) {
			message := s.refused(p.Target.Line)
			if message == "" {
				continue
			}
			n, advice := s.successor(p.Target.Line)
			if n == nil {
				p.Report(s.start-s.dashes, s.end, s.severity(), message, advice)
				continue
			}
			p.rename(s, n)
		}
	},
}

func (p *TextPass) rename(s *setting, n *successor) {
	name, message := s.kind.text(n.name), s.kind.text(s.name)+" is now "+s.kind.text(n.name)
	if s.kind == flagSetting {
		name = n.name // the dashes stay
	}
	switch {
	case n.value == "":
		p.Replace(s.start, s.end, name, message)
	case s.vstart == s.vend && s.kind == flagSetting:
		p.Replace(s.start, s.vend, name+"="+n.value, message)
	default:
		value, old := n.value, p.Src[s.vstart:s.vend]
		switch {
		case n.list:
			value = "[" + old + "]"
		case old != "" && (old[0] == '"' || old[0] == '\''):
			value = old[:1] + value + old[:1]
		case s.kind == keySetting && p.Src[s.start-1] == '"': // JSON
			value = `"` + value + `"`
		}
		p.Replace(s.start, s.vend, name+p.Src[s.end:s.vstart]+value, message)
	}
}

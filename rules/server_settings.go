package rules

import (
	"regexp"
	"slices"
	"strings"

	"github.com/etcdshift/etcdshift/rules/atlas"
)

// A setting is a flag, an environment variable or a key of a configuration
// file that sets an option of an etcd server.
type setting struct {
	kind       settingKind
	name       string // of the flag or key: "enable-v2", "client-transport-security.ca-file"
	start, end int    // of the flag without its dashes, the variable, the key
	dashes     int
	value      string // as far as the line says, without quotes; "" for none
	// vstart and vend are the bytes of the value; both are end for a flag or key
	// without one.
	vstart, vend int
	group        *settingGroup
}

type settingKind uint8

const (
	flagSetting settingKind = iota
	variableSetting
	keySetting
)

// settingGroup is what is set of one server.
type settingGroup struct {
	settings []*setting
	named    bool // etcd is named nearby
	server   bool // the server is etcd's: it is run by name, or has options that no other has
}

// text writes a setting's name as its kind spells it.
func (k settingKind) text(name string) string {
	switch k {
	case flagSetting:
		return "--" + name
	case variableSetting:
		return "ETCD_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	}
	return name[strings.IndexByte(name, '.')+1:]
}

// known returns what the atlas tells of a setting.
func (k settingKind) known(name string) (atlas.ServerFlag, bool) {
	if k == keySetting {
		return atlas.KeyOf(name)
	}
	return atlas.FlagOf(name) // variables are named by flags
}

// lookup returns the setting of the same server with a name, or nil.
func (g *settingGroup) lookup(name string) *setting {
	for _, s := range g.settings {
		if s.name == name {
			return s
		}
	}
	return nil
}

// etcdOnly are the options that no other program has.
var etcdOnly = strings.Fields("initial-cluster initial-cluster-state initial-cluster-token listen-client-urls listen-peer-urls advertise-client-urls initial-advertise-peer-urls")

// unmistakable says that a name is one of etcd's servers wherever it stands.
func unmistakable(name string) bool {
	return strings.HasPrefix(name, "experimental-") || name == "log-package-levels"
}

// common are the options that anybody's program may have, and variables that
// clients of etcd are told of.
var common = strings.Fields("addr bind-addr ca-file debug discovery discovery-proxy log-output logger peer-addr proxy")

func (s *setting) ofServer() bool {
	return s.group.server || !slices.Contains(common, s.name) && (s.kind == variableSetting || s.group.named)
}

func (g *settingGroup) add(s *setting) {
	s.group = g
	g.settings = append(g.settings, s)
	g.server = g.server || slices.Contains(etcdOnly, s.name) && s.kind != keySetting || unmistakable(s.name)
}

// serverSettings returns the settings of etcd servers in a text, in order.
func serverSettings(text string) []*setting {
	ls := splitLines(text)
	all := slices.Concat(flagSettings(text, ls), variableSettings(ls), keySettings(ls))
	all = slices.DeleteFunc(all, func(s *setting) bool { return !s.ofServer() })
	slices.SortStableFunc(all, func(a, b *setting) int { return a.start - b.start })
	return all
}

var (
	flagRE = regexp.MustCompile(`(?:^|[\s"'=\[,])(--?)([a-zA-Z][\w-]*)(=("[^"]*"|'[^']*'|[^\s"',\]\\]*))?`)
	// etcdCommand ends in etcd as a program or an image: "/usr/bin/etcd",
	// "quay.io/coreos/etcd:v3.3.9", a list's item.
	etcdCommand = regexp.MustCompile(`(?:^|^\s*@|[\s/"'\[,=(])etcd(?::[\w.-]+)?["']?(?:[\s,\])]|$)`)
	// runItem is etcd as the first item of a command.
	runItem = regexp.MustCompile(`^[\s\[-]*["']?[\w./-]*\betcd["']?,?\s*$`)
	// anotherCommand begins one on the same line, or in a container.
	anotherCommand = regexp.MustCompile(`(?:&&|\|\||[;&|]|\s--)\s`)
	// ofAnother is a tool of etcd's that has flags of the same names, or one
	// that etcd is given to by name, such as a release of helm.
	ofAnother = regexp.MustCompile(`\b(?:etcd(?:ctl|utl)|helm|kubectl|systemctl|journalctl|brew|apt|apt-get|apk|yum|dnf|snap|pgrep|pkill|killall|grep)\b|` +
		`\b(?:docker|podman|nerdctl)\S*\s(?:.*\s)?(?:build|cp|inspect|kill|logs|pull|push|rm|restart|start|stop|tag|up)\s`)
	// listed ends where a line begins with its flag: indentation, a list's dash,
	// quotes.
	listed = regexp.MustCompile(`^[\s"'\[,-]*$`)
)

// commandKeys are the keys of a container that hold its command.
var commandKeys = []string{"command", "args", "entrypoint"}

// flagReach is how many lines may lie between flags of one command, such as
// comments and flags with values of their own.
const flagReach = 6

// flagSettings finds flags. Flags on lines that follow each other are of one
// command until a line begins another.
func flagSettings(text string, ls []textLine) []*setting {
	var out []*setting
	var g *settingGroup
	last := -1 // line of the last flag, or of the name of the program
	for i, l := range ls {
		if strings.HasPrefix(strings.TrimSpace(l.text), "#") {
			continue
		}
		ms := flagRE.FindAllStringSubmatchIndex(l.text, -1)
		head := l.text
		if len(ms) > 0 {
			head = l.text[:ms[0][2]]
		}
		continued := i > 0 && strings.HasSuffix(strings.TrimRight(ls[i-1].text, " "), `\`)
		if i-last > flagReach || !continued && !listed.MatchString(head) && len(ms) > 0 {
			g = &settingGroup{}
		}
		if k := keyRE.FindStringSubmatch(l.text); k != nil && len(ms) == 0 && !slices.Contains(commandKeys, k[3]) && (k[2] != "" || strings.TrimSpace(k[4]) == "" || k[3] == "image") {
			g = nil // of another container or service
		}
		another := ofAnother.MatchString(lastCommand(head))
		if another && len(ms) == 0 {
			g = nil // its flags may stand on the lines that follow
		}
		if named := etcdCommand.MatchString(head) && !(i > 0 && isValue(ls[i-1].text, l.text)); named && !another {
			if g == nil || len(ms) == 0 && !continued {
				g = &settingGroup{} // the name alone: a list's item, or an image
			}
			g.named, last = true, i
			g.server = g.server || len(ms) > 0 && endsInEtcd(lastCommand(head)) || runItem.MatchString(l.text)
		}
		if g == nil {
			g = &settingGroup{}
		}
		from := 0
		for _, m := range ms {
			between := l.text[from:m[2]]
			if from > 0 && (anotherCommand.MatchString(between) || runsEtcd(between) && !another) {
				g = &settingGroup{server: runsEtcd(between)}
				another = ofAnother.MatchString(lastCommand(between))
			}
			from, last = m[5], i
			name := l.text[m[4]:m[5]]
			if _, ok := atlas.FlagOf(name); !ok || another || ofAnother.MatchString(lastCommand(between)) {
				continue
			}
			s := &setting{kind: flagSetting, name: name, start: l.start + m[4], end: l.start + m[5], dashes: m[3] - m[2]}
			s.vstart, s.vend = s.end, s.end
			if m[6] >= 0 {
				s.vstart, s.vend = l.start+m[8], l.start+m[9]
				s.value = unquote(l.text[m[8]:m[9]])
			} else if v := loggerValue.FindStringIndex(text[s.end:]); name == "logger" && v != nil {
				s.vstart, s.vend = s.end+v[1]-len("capnslog"), s.end+v[1]
				s.value = "capnslog"
			}
			g.add(s)
			out = append(out, s)
		}
	}
	return out
}

// loggerValue is the one value of a flag that matters, where it is an argument
// of its own, on the line or the next.
var loggerValue = regexp.MustCompile(`^["']?[ \t,\\]+(?:\r?\n[ \t-]*)?["']?capnslog\b|^["']?,?\r?\n[ \t-]*["']?capnslog\b`)

// isValue says whether an item of a list is the value of the flag on the line
// before it.
func isValue(before, item string) bool {
	m := flagRE.FindStringSubmatchIndex(before)
	return m != nil && m[6] < 0 && listed.MatchString(before[:m[2]]) && strings.Trim(before[m[5]:], "\"', \t") == "" &&
		strings.IndexAny(strings.TrimSpace(item), "-\"'") == 0
}

// lastCommand returns the last of the commands on a line.
func lastCommand(text string) string {
	if at := anotherCommand.FindAllStringIndex(text, -1); len(at) > 0 {
		return text[at[len(at)-1][1]:]
	}
	return text
}

// runsEtcd says whether what stands between two flags runs etcd: more than the
// value of the first of them.
func runsEtcd(between string) bool {
	between = strings.Trim(between, "\"', \t")
	return len(strings.Fields(between)) > 1 && endsInEtcd(between)
}

// endsInEtcd says whether the last word before flags is etcd, as a program or
// an image. Variables that hold flags may follow it.
func endsInEtcd(text string) bool {
	words := strings.Fields(strings.TrimRight(text, "\"'[, \t"))
	for i, w := range slices.Backward(words) {
		if etcdCommand.MatchString(w) {
			return true
		}
		if i == 0 || !strings.HasPrefix(strings.TrimLeft(w, `"'`), "$") {
			break
		}
	}
	return false
}

func unquote(s string) string { return strings.Trim(strings.TrimSpace(s), `"'`) }

var (
	variableRE = regexp.MustCompile(`(?:^|[^\w$.{-])(ETCD_[A-Z0-9_]+)\b["']?(?:\s*[=:]\s*|\s+)?("[^"\n]*"|'[^'\n]*'|[^\s"',}\]\\]*)`)
	valueRE    = regexp.MustCompile(`^\s*value:\s*("[^"\n]*"|'[^'\n]*'|\S*)`)
	assigns    = regexp.MustCompile(`^\s*(?:export\s+)?\w+=`)
)

// variableReach is how many lines may lie between variables of one server. A
// file that holds nothing but variables is of one server as a whole.
const variableReach = 12

func variableSettings(ls []textLine) []*setting {
	reach := variableReach
	if !slices.ContainsFunc(ls, func(l textLine) bool {
		t := strings.TrimSpace(l.text)
		return t != "" && t[0] != '#' && t[0] != '[' && !assigns.MatchString(t)
	}) {
		reach = len(ls)
	}
	var out []*setting
	var g *settingGroup
	last, indent := 0, 0 // of the last variable
	for i, l := range ls {
		if strings.HasPrefix(strings.TrimSpace(l.text), "#") {
			continue
		}
		if k := keyRE.FindStringSubmatch(l.text); k != nil && len(k[1]) < indent {
			g = nil // of another container or service
		}
		for _, m := range variableRE.FindAllStringSubmatchIndex(l.text, -1) {
			if strings.HasSuffix(l.text[:m[2]], "$(") {
				continue // read by make
			}
			name := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(l.text[m[2]:m[3]], "ETCD_"), "_", "-"))
			if _, ok := atlas.FlagOf(name); !ok {
				continue
			}
			s := &setting{kind: variableSetting, name: name, start: l.start + m[2], end: l.start + m[3], vstart: l.start + m[4], vend: l.start + m[5]}
			s.value = unquote(l.text[m[4]:m[5]])
			if m[4] == m[5] && i+1 < len(ls) { // name: ETCD_X, value: on the next line
				if v := valueRE.FindStringSubmatchIndex(ls[i+1].text); v != nil {
					s.vstart, s.vend = ls[i+1].start+v[2], ls[i+1].start+v[3]
					s.value = unquote(ls[i+1].text[v[2]:v[3]])
				}
			}
			if g == nil || i-last > reach {
				g = &settingGroup{}
			}
			last, indent = i, len(l.text)-len(strings.TrimLeft(l.text, " "))
			g.add(s)
			out = append(out, s)
		}
	}
	return out
}

var (
	keyRE = regexp.MustCompile(`^(\s*)(- +)?["']?([A-Za-z][\w.-]*)["']?\s*:(?:\s+|$)(.*)$`)
	// extraArgs are the mappings and lists by which installers hand flags to
	// etcd.
	extraArgs  = regexp.MustCompile(`^(?:extra-?_?args|etcd-args?)$`)
	listedArg  = regexp.MustCompile(`^(\s*)- +["']?([a-z][a-z0-9-]*)=([^"'\s]*)`)
	namedArg   = regexp.MustCompile(`^(\s*)- +name:\s*["']?([a-z][a-z0-9-]*)["']?\s*$`)
	isTemplate = regexp.MustCompile(`^\s*\{\{`)
)

// keyBlock is a mapping of a YAML or JSON file.
type keyBlock struct {
	indent int
	parent *keyBlock
	under  string // key of the parent that it stands below
	last   string // its last key so far
	group  *settingGroup
}

// keySettings finds the keys of configuration files of etcd, by lines: such a
// file is often a template, or stands in a manifest as text. What makes a
// mapping one is that it has several of the keys that only etcd has.
func keySettings(ls []textLine) []*setting {
	var out []*setting
	var b *keyBlock
	for i, l := range ls {
		line := l.text
		if t := strings.TrimSpace(line); t == "" || t[0] == '#' || isTemplate.MatchString(line) {
			continue
		}
		if strings.HasPrefix(line, "---") {
			b = nil
			continue
		}
		if m := listedArg.FindStringSubmatchIndex(line); m != nil {
			for b != nil && b.indent > m[3] {
				b = b.parent
			}
			if b != nil && b.ofEtcd(b.last) {
				out = append(out, b.flag(line[m[4]:m[5]], l.start+m[4], line[m[6]:m[7]], l.start+m[6])...)
			}
			continue
		}
		if m := namedArg.FindStringSubmatchIndex(line); m != nil && i+1 < len(ls) {
			for b != nil && b.indent > m[3] {
				b = b.parent
			}
			if v := valueRE.FindStringSubmatchIndex(ls[i+1].text); v != nil && b != nil && b.ofEtcd(b.last) {
				out = append(out, b.flag(line[m[4]:m[5]], l.start+m[4], ls[i+1].text[v[2]:v[3]], ls[i+1].start+v[2])...)
				continue
			}
		}
		m := keyRE.FindStringSubmatchIndex(line)
		if m == nil {
			continue
		}
		indent, item := m[3], m[4] >= 0
		if item {
			indent = m[5]
		}
		for b != nil && (b.indent > indent || item && b.indent == indent) {
			b = b.parent
		}
		if b == nil || b.indent < indent {
			n := &keyBlock{indent: indent, parent: b, group: &settingGroup{}}
			if b != nil {
				n.under = b.last
			}
			b = n
		}
		key := line[m[6]:m[7]]
		b.last = key
		value, vstart := line[m[8]:m[9]], l.start+m[8]
		if j := strings.Index(value, " #"); j >= 0 {
			value = value[:j]
		}
		value = strings.TrimRight(value, ", \t")
		if b.ofEtcd(b.under) {
			out = append(out, b.flag(key, l.start+m[6], value, vstart)...)
			continue
		}
		name, g := key, b.group
		if b.parent != nil && strings.HasSuffix(b.under, "-transport-security") {
			name, g = b.under+"."+key, b.parent.group
		}
		if _, ok := atlas.KeyOf(name); !ok {
			continue
		}
		s := &setting{kind: keySetting, name: name, start: l.start + m[6], end: l.start + m[7], value: unquote(value), vstart: vstart, vend: vstart + len(value)}
		g.add(s)
		out = append(out, s)
		n := 0
		for _, o := range etcdOnly {
			if g.lookup(o) != nil {
				n++
			}
		}
		g.server = n >= 2
	}
	return out
}

// ofEtcd says whether a key of the block hands flags to etcd.
func (b *keyBlock) ofEtcd(key string) bool {
	k := strings.ToLower(key)
	if !extraArgs.MatchString(k) {
		return false
	}
	if strings.HasPrefix(k, "etcd") {
		return true
	}
	for ; b != nil; b = b.parent {
		if b.under == "etcd" || b.last == "etcd" {
			return true
		}
	}
	return false
}

// flag is a flag that an installer hands on.
func (b *keyBlock) flag(name string, at int, value string, vat int) []*setting {
	if _, ok := atlas.FlagOf(name); !ok {
		return nil
	}
	s := &setting{kind: flagSetting, name: name, start: at, end: at + len(name), value: unquote(value), vstart: vat, vend: vat + len(value)}
	b.group.add(s)
	b.group.server = true
	return []*setting{s}
}

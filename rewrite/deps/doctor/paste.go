package doctor

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// page is a pasted log, cleaned of what terminals, CI systems and chat windows
// put around the lines of the go command.
type page struct {
	text  string   // the cleaned lines, joined by newlines
	lines []string // the same, apart
	orig  []int    // line number in the log, 1-based, of each
	start []int    // offset in text of each
}

// line returns the index of the line at an offset of text.
func (p *page) line(off int) int {
	lo, hi := 0, len(p.start)
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; p.start[mid] <= off {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// decode returns the log as UTF-8. Output that Windows PowerShell redirected
// to a file is UTF-16.
func decode(b []byte) string {
	// The protobuf runtime puts such a space, or none, into what it says, so
	// that nobody relies on its words.
	return strings.ReplaceAll(decodeUTF(b), "\u00a0", " ")
}

func decodeUTF(b []byte) string {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		order = binary.LittleEndian
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		order = binary.BigEndian
	default:
		return strings.ToValidUTF8(strings.TrimPrefix(string(b), "\ufeff"), "\ufffd")
	}
	b = b[2:]
	u := make([]uint16, 0, len(b)/2)
	for ; len(b) >= 2; b = b[2:] {
		u = append(u, order.Uint16(b))
	}
	return string(utf16.Decode(u))
}

var (
	escape = regexp.MustCompile(`\x1b\[[0-9:;<=>?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]|\x0e|\x0f|.\x08`)

	// around is what stands before a line of the go command. It is taken off
	// again and again, since a CI system shows the log of a container that
	// shows a time stamp.
	around = regexp.MustCompile(`^(?:` + strings.Join([]string{
		`\[?\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\]?(?:\s|$)`,
		`\[?\d\d:\d\d:\d\d(?:[.,]\d+)?Z?\]?(?:\s|$)`,
		`(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +\d+ \d\d:\d\d:\d\d \S+ [\w./-]+(?:\[\d+\])?:(?:\s|$)`, // syslog
		`#\d+ (?:\d+\.\d+(?:\s|$))?`, // docker buildx
		`\[[\w. /-]+\]\s*\|\s?`,      // act
		`[\w.-]+\s*\|(?:\s|$)`,       // docker compose
		`\| ?`,                       // a table
		`(?:> ?)+`,                   // mail and Markdown
		"```\\w*$",                   // Markdown
		`\[(?:INFO|WARN|WARNING|ERROR|DEBUG|stderr|stdout)\]:?(?:\s|$)`, // build systems
		`(?:##\[\w+\]|::(?:error|warning|group)[^:]*::)`,                // Azure, GitHub
		`PS [A-Za-z]:\\[^>]*>\s?`,                                       // PowerShell
		`go : `,                                                         // the same, of an error stream
		`[\w.-]+@[\w.-]+[:\s][^$#%]{0,80}[$#%] `,                        // user@host:dir$
		`(?:\([\w.-]+\) )?[$%➜❯»+] +`,                                   // bare prompts and set -x
		`\d+/\d+ \| `,                                                   // a step of many
	}, "|") + `)`)

	gitlab = regexp.MustCompile(`section_(?:start|end):\d+:[\w.-]+(?:\[[^\]]*\])?\r`)
	ghlog  = regexp.MustCompile(`^[^\t]{1,120}\t[^\t]{1,120}\t(\d{4}-\d\d-\d\dT)`) // gh run view --log: job, step

	// frame is what PowerShell puts after the first line of an error stream.
	frame = regexp.MustCompile(`^(?:At line:\d+ char:\d+|\+ ~+|\+ go .*|\+ (?:CategoryInfo|FullyQualifiedErrorId)\s*:.*)$`)
)

// clean takes one line out of its surroundings.
func clean(line string) string {
	line = strings.TrimSpace(ghlog.ReplaceAllString(line, "$1"))
	if frame.MatchString(line) {
		return ""
	}
	for range 8 {
		loc := around.FindStringIndex(line)
		if loc == nil || loc[1] == 0 {
			break
		}
		line = strings.TrimSpace(line[loc[1]:])
	}
	return line
}

// unquote takes the text out of a line that is a JSON object, or a field of one,
// as `go test -json`, `go list -json`, containers and structured loggers write.
func unquote(line string) string {
	t := strings.TrimSpace(line)
	if m := jsonField.FindStringSubmatch(t); m != nil {
		if s, err := strconv.Unquote(m[1]); err == nil {
			return s
		}
	}
	if !strings.HasPrefix(t, "{") || !strings.Contains(t, `":`) {
		return line
	}
	var object map[string]any
	if json.Unmarshal([]byte(t), &object) != nil {
		return line
	}
	var values []string
	for _, k := range slices.Sorted(maps.Keys(object)) {
		if s, ok := object[k].(string); ok {
			values = append(values, s)
		}
	}
	return strings.Join(values, "\n")
}

// jsonField is a line of an indented object, such as go list -json prints.
var jsonField = regexp.MustCompile(`^"\w+": ("(?:[^"\\]|\\.)*"),?$`)

var entities = strings.NewReplacer("&quot;", `"`, "&#34;", `"`, "&#39;", "'", "&gt;", ">", "&lt;", "<", "&amp;", "&")

// split returns the lines of a log without colours and carriage returns; what
// a progress line was overwritten with is what stays of it.
func split(log string) []string {
	if strings.ContainsAny(log, "\x1b\x08\x0e\x0f") {
		log = escape.ReplaceAllString(log, "")
	}
	log = entities.Replace(log)
	lines := strings.Split(strings.ReplaceAll(strings.TrimRight(log, "\r"), "\r\n", "\n"), "\n")
	for i, l := range lines {
		l = gitlab.ReplaceAllString(l, "")
		if j := strings.LastIndexByte(l, '\r'); j >= 0 {
			l = l[j+1:]
		}
		lines[i] = l
	}
	return lines
}

func newPage(lines []string, orig []int) *page {
	p := &page{}
	var b strings.Builder
	for i, l := range lines {
		for _, part := range strings.Split(unquote(l), "\n") {
			part = clean(part)
			p.start = append(p.start, b.Len())
			p.lines = append(p.lines, part)
			p.orig = append(p.orig, orig[i])
			b.WriteString(part)
			b.WriteByte('\n')
		}
	}
	p.text = b.String()
	return p
}

// read cleans the lines of a log.
func read(lines []string) *page {
	orig := make([]int, len(lines))
	for i := range orig {
		orig[i] = i + 1
	}
	return newPage(lines, orig)
}

// unfold cleans a log in which long lines go on, indented, in the next. The go
// command indents lines too, but nothing is lost when those are joined by a
// space.
func unfold(lines []string) *page {
	var joined []string
	var orig []int
	for i, l := range lines {
		if t := strings.TrimSpace(l); t != "" && len(joined) > 0 && strings.TrimSpace(joined[len(joined)-1]) != "" && (l[0] == ' ' || l[0] == '\t') {
			joined[len(joined)-1] += " " + t
			continue
		}
		joined, orig = append(joined, l), append(orig, i+1)
	}
	return newPage(joined, orig)
}

// unwrap cleans a log whose lines a terminal broke at its right margin, in the
// middle of words: a line as wide as the widest goes on in the next. It is
// likely that this was done if several are, or if that is a width of terminals.
func unwrap(lines []string) (p *page, likely bool) {
	width := 0
	for _, l := range lines {
		width = max(width, utf8.RuneCountInString(l))
	}
	if width < 40 {
		return nil, false
	}
	widest := 0
	var joined []string
	var orig []int
	open := false
	for i, l := range lines {
		// A terminal leaves no tab, and what begins with "go: " goes on nothing.
		if open && !strings.HasPrefix(l, "\t") && !strings.HasPrefix(l, "go: ") {
			joined[len(joined)-1] += l
		} else {
			joined, orig = append(joined, l), append(orig, i+1)
		}
		if open = utf8.RuneCountInString(l) == width; open {
			widest++
		}
	}
	return newPage(joined, orig), widest > 1 || slices.Contains([]int{80, 100, 120, 132, 160, 200}, width)
}

package doctor

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/tools/txtar"
)

// sample is a file of testdata/texts.txtar.
type sample struct {
	name, log string
	want      []string
	say       map[string]string
}

func samples(t *testing.T) []sample {
	t.Helper()
	a, err := txtar.ParseFile("testdata/texts.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var ss []sample
	for _, f := range a.Files {
		head, log, ok := strings.Cut(string(f.Data), "\n\n")
		if !ok {
			t.Fatalf("%s: no empty line between what is wanted and the log", f.Name)
		}
		s := sample{name: f.Name, log: log, say: map[string]string{}}
		for _, l := range strings.Split(head, "\n") {
			k, v, ok := strings.Cut(l, ": ")
			switch {
			case !ok || !slices.Contains([]string{"want", "module", "chain", "fix", "cause"}, k):
				t.Fatalf("%s: %q is not understood", f.Name, l)
			case k == "want":
				s.want = strings.Fields(v)
			default:
				s.say[k] = v
			}
		}
		ss = append(ss, s)
	}
	return ss
}

func ids(ds []Diagnosis) []string {
	var s []string
	for _, d := range ds {
		s = append(s, d.ID)
	}
	return s
}

// check compares what was diagnosed with what the sample wants.
func (s sample) check(ds []Diagnosis) error {
	if got := ids(ds); !slices.Equal(got, s.want) {
		return fmt.Errorf("diagnosed %v, want %v", got, s.want)
	}
	d := ds[0]
	e := d.Evidence[0]
	if want, got := s.say["module"], strings.TrimSpace(e.Module+" "+e.Version); want != "" && got != want {
		return fmt.Errorf("module %q, want %q", got, want)
	}
	if want, got := s.say["chain"], strings.Join(e.Chain, " > "); want != "" && got != want {
		return fmt.Errorf("chain\n%s, want\n%s", got, want)
	}
	if want, got := s.say["fix"], strings.Join(d.Fix, "\n"); !strings.Contains(got, want) {
		return fmt.Errorf("fix\n%s\nlacks %q", got, want)
	}
	if want := s.say["cause"]; !strings.Contains(d.Cause, want) {
		return fmt.Errorf("cause %q lacks %q", d.Cause, want)
	}
	for _, d := range ds {
		all := d.Title + d.Cause + strings.Join(d.Fix, " ")
		if hole.MatchString(all) || strings.Contains(all, "  ") {
			return fmt.Errorf("%s: unfilled or empty place in %q", d.ID, all)
		}
		if len(d.Evidence) == 0 || d.Cause == "" || len(d.Fix) == 0 || d.Ref == "" {
			return fmt.Errorf("%s: incomplete: %+v", d.ID, d)
		}
	}
	return nil
}

func TestExplainRecognisesEachText(t *testing.T) {
	for _, s := range samples(t) {
		t.Run(s.name, func(t *testing.T) {
			ds, err := Explain(strings.NewReader(s.log))
			if err == nil {
				err = s.check(ds)
			}
			if err != nil {
				var b strings.Builder
				Print(&b, ds)
				t.Errorf("%v\n%s", err, b.String())
			}
		})
	}
}

// lines makes a disguise of a change of each line.
func lines(change func(i int, l string) string) func(string) string {
	return func(log string) string {
		ls := strings.Split(strings.TrimSuffix(log, "\n"), "\n")
		for i, l := range ls {
			ls[i] = change(i, l)
		}
		return strings.Join(ls, "\n") + "\n"
	}
}

// disguises are the states in which logs are pasted.
var disguises = map[string]func(string) string{
	"windows": lines(func(_ int, l string) string { return l + "\r" }),
	"coloured": lines(func(_ int, l string) string {
		return "\x1b[0;31m" + strings.ReplaceAll(l, ":", "\x1b[1m:\x1b[22m") + "\x1b[0m"
	}),
	"github": lines(func(i int, l string) string { return fmt.Sprintf("2024-05-01T12:34:%02d.1234567Z %s", i%60, l) }),
	"github-cli": lines(func(i int, l string) string {
		return fmt.Sprintf("build\tRun go build ./...\t2024-05-01T12:34:%02d.1234567Z %s", i%60, l)
	}),
	"azure":     lines(func(i int, l string) string { return fmt.Sprintf("2024-05-01T12:34:56.1234567Z ##[error]%s", l) }),
	"annotated": lines(func(_ int, l string) string { return "::error::" + l }),
	"docker":    lines(func(i int, l string) string { return fmt.Sprintf("#18 %d.958 %s", i, l) }),
	"compose":   lines(func(_ int, l string) string { return "builder-1  | " + l }),
	"act":       lines(func(_ int, l string) string { return "[CI/build]   | " + l }),
	"jenkins":   lines(func(_ int, l string) string { return "[2024-05-01T12:34:56.123Z] " + l }),
	"maven":     lines(func(_ int, l string) string { return "[ERROR] " + l }),
	"syslog":    lines(func(_ int, l string) string { return "Jun  4 11:59:06 ci-7 buildkite-agent[812]: " + l }),
	"clock":     lines(func(_ int, l string) string { return "11:59:06 " + l }),
	"quoted":    lines(func(_ int, l string) string { return "> " + l }),
	"fenced":    func(l string) string { return "I get this, what now?\n```console\n" + l + "```\n" },
	"indented":  lines(func(_ int, l string) string { return "        " + l }),
	"html": func(l string) string {
		return strings.NewReplacer("&", "&amp;", `"`, "&quot;", ">", "&gt;", "<", "&lt;").Replace(l)
	},
	"json": func(l string) string {
		return `{"Time":"2024-05-01T12:34:56Z","Action":"output","Output":"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(l) + "\"}\n"
	},
	"gitlab": func(l string) string {
		return "section_start:1560896352:build[collapsed=true]\r\x1b[0K" + strings.ReplaceAll(l, "\n", "\x1b[0;m\n") + "section_end:1560896353:build\r\x1b[0K\n"
	},
	"progress": lines(func(_ int, l string) string { return "downloading 12%\rdownloading 90%\r" + l }),
	"powershell": func(l string) string {
		first, rest, _ := strings.Cut(l, "\n")
		return "PS C:\\src\\svc> go build ./...\ngo : " + first + "\nAt line:1 char:1\n+ go build ./... 2> log.txt\n+ ~~~~~~~~~~~~~~~~~~~~~~~~~\n    + CategoryInfo          : NotSpecified: (verifying:String) [], RemoteException\n    + FullyQualifiedErrorId : NativeCommandError\n \n" + rest
	},
	"utf16": func(l string) string {
		b := []byte{0xff, 0xfe}
		for _, u := range utf16.Encode([]rune(strings.ReplaceAll(l, "\n", "\r\n"))) {
			b = binary.LittleEndian.AppendUint16(b, u)
		}
		return string(b)
	},
	"bom":           func(l string) string { return "\ufeff" + l },
	"wrapped-words": lines(func(_ int, l string) string { return wrapWords(l, 72) }),
	"wrapped-hard":  lines(func(_ int, l string) string { return wrapHard(l, 80) }),
}

// wrapWords breaks a line at spaces, as chats and mails do.
func wrapWords(l string, width int) string {
	var b strings.Builder
	n := 0
	for i, w := range strings.Split(l, " ") {
		if i > 0 {
			if n+len(w) > width {
				b.WriteString("\n        ")
				n = 0
			} else {
				b.WriteByte(' ')
			}
		}
		b.WriteString(w)
		n += len(w) + 1
	}
	return b.String()
}

// wrapHard breaks a line anywhere, as terminals do.
func wrapHard(l string, width int) string {
	var b strings.Builder
	for r := []rune(strings.ReplaceAll(l, "\t", "        ")); len(r) > 0; {
		n := min(width, len(r))
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(string(r[:n]))
		r = r[n:]
	}
	return b.String()
}

func TestExplainReadsLogsAsPeoplePasteThem(t *testing.T) {
	ss := samples(t)
	for name, disguise := range disguises {
		t.Run(name, func(t *testing.T) {
			for _, s := range ss {
				log := disguise(s.log)
				ds, err := Explain(strings.NewReader(log))
				if err != nil {
					t.Fatal(err)
				}
				if err := s.check(ds); err != nil {
					t.Errorf("%s: %v\nin\n%s", s.name, err, log)
				}
			}
		})
	}
}

func TestEachPatternHasASample(t *testing.T) {
	ss := samples(t)
	for _, k := range compileAll() {
		for i, re := range k.res {
			if !slices.ContainsFunc(ss, func(s sample) bool {
				return slices.Contains(s.want, k.id) && re.MatchString(read(s.log).text)
			}) {
				t.Errorf("%s: no sample is matched by\n\t%s", k.id, k.like[i])
			}
		}
	}
}

package doctor

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
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
	"golist": func(l string) string {
		return "{\n\t\"Path\": \"x\",\n\t\"Error\": {\n\t\t\"Err\": " + strconv.Quote(l) + "\n\t}\n}\n"
	},
	"gitlab": func(l string) string {
		return "section_start:1560896352:build[collapsed=true]\r\x1b[0K" + strings.ReplaceAll(l, "\n", "\x1b[0;m\n") + "section_end:1560896353:build\r\x1b[0K\n"
	},
	"progress": func(l string) string { return "downloading 12%\rdownloading 90%\r" + l },
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
	"protobuf":      func(l string) string { return strings.ReplaceAll(l, "panic: proto: ", "panic: proto:\u00a0") },
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

func TestEachPatternHasALiteralToSearchFor(t *testing.T) {
	for _, k := range compileAll() {
		for i, must := range k.must {
			if len(must) < 4 {
				t.Errorf("%s: %q is all that is certain of\n\t%s", k.id, must, k.like[i])
			}
		}
	}
}

func TestExplainFindsATextInABigLog(t *testing.T) {
	var log strings.Builder
	boring := strings.Repeat("2024-05-01T12:34:56Z go: downloading example.com/module v1.0.0\n", 2000)
	want := map[string]bool{}
	for i, s := range samples(t) {
		if i%30 == 0 {
			log.WriteString(boring + s.log)
			for _, id := range s.want {
				want[id] = true
			}
		}
	}
	log.WriteString(boring)
	ds, err := Explain(strings.NewReader(log.String()))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range ds {
		if !want[d.ID] {
			t.Errorf("%s comes from nowhere", d.ID)
		}
		delete(want, d.ID)
	}
	for id := range want {
		t.Errorf("%s is not found", id)
	}
}

func TestEachPatternHasASample(t *testing.T) {
	ss := samples(t)
	for _, k := range compileAll() {
		for i, re := range k.res {
			if !slices.ContainsFunc(ss, func(s sample) bool {
				return slices.Contains(s.want, k.id) && re.MatchString(read(split(s.log)).text)
			}) {
				t.Errorf("%s: no sample is matched by\n\t%s", k.id, k.like[i])
			}
		}
	}
}

// unknown are texts that resemble known ones. Explain must have nothing to say.
var unknown = []string{
	"",
	"\n\n\r\n",
	"ok  \texample.com/svc\t0.012s\nPASS\n",
	"go: finding module for package google.golang.org/grpc/naming\ngo: downloading google.golang.org/grpc v1.85.0\n",
	"go: downloading go.etcd.io/etcd/client/v3 v3.5.13\ngo: added go.etcd.io/etcd/client/v3 v3.5.13\n",
	"go: upgraded google.golang.org/grpc v1.38.0 => v1.41.0\n",
	"go: downgraded github.com/acme/lib v1.2.0 => v1.1.0\n",
	"lb.go:3:4: undefined: resolver.BuildOptionFunc\nlb.go:3:4: undefined: balancer.PickOptionsV2\n",
	"lb.go:3:4: undefined: resolver.Endpoint\nlb.go:3:4: undefined: manual.NewBuilder\n", // the repository's own resolver
	"lb.go:3:4: undefined: grpc.Dial\nlb.go:3:4: undefined: grpc.CallOption\n",           // always was there
	"lb.go:3:4: undefined: Endpoint\nlb.go:3:4: undefined: grpc.Addresses\n",
	"main.go:9:2: undefined: clientv3.SetLogger\n",
	"main.go:9:2: undefined: rpctypes.ErrNoSuch\n", // the repository's own mistake
	"main.go:9:2: undefined: pb.NewKVClientX\n",    // the repository's own pb
	"api.pb.go:9:2: undefined: grpc.SupportPackageIsVersion99\n",
	"panic: proto: duplicate enum registered: tld.acme.TorrentState\n\ngoroutine 1 [running]:\n",
	"panic: proto: message acme.v1.User is already registered\n",
	"panic: proto: file \"user.proto\" is already registered\n",
	"panic: proto: file \"a.proto\" is already registered\n\tpreviously from: \"example.com/a\"\n\tcurrently from:  \"example.com/b\"\n",
	"lock.go:3:4: cannot use c (variable of type *clientv3.Client) as *clientv3.Config value in argument to f\n",
	"panic: mvccpb.Event_EventType is not what it was\n",
	"panic: codecgen version mismatch: current: 8, need 10. Re-generate file: /src/svc/response.generated.go\n",
	"main.go:3:4: cannot use cli (variable of type *foo.Client) as *bar.Client value in argument to f\n",
	"main.go:3:4: cannot use cli (variable of type *\"go.etcd.io/etcd/client/v3\".Client) as io.Closer value in argument to f: missing method Close\n",
	"svc.tar.gz: checksum mismatch\n",
	"verifying the download ... checksum mismatch, retrying\n",
	"error: module requires Node >= 18 (running 16.2.0)\n",
	"python: requires python >= 3.9 (running 3.8)\n",
	"rpc error: code = Unavailable desc = connection error: desc = \"transport: Error while dialing dial tcp 127.0.0.1:2379: connect: connection refused\"\n",
	"Get \"http://127.0.0.1:2379/health\": dial tcp 127.0.0.1:2379: connect: connection refused\n",
	"Get \"https://etcd.example.com:2379/version\": x509: certificate signed by unknown authority\n",
	"Error response from daemon: pull access denied: repository not found\n",
	"fatal: Authentication failed for 'https://git.corp.example.com/team/lib/'\n", // some git, not the go command's
	"git@github.com: Permission denied (publickey).\n",
	"fatal: unable to access 'https://github.com/acme/private/': Could not resolve host: github.com\n",
	"curl: (22) The requested URL returned error: 404 Not Found\nreading https://example.com/page: 404 Not Found\n",
	"reading the manual: 403 Forbidden\n",
	"module foo found (bar), but does not contain what you want\n",
	"the package was found in multiple modules of the space station\n",
	"inconsistent vendoring machine\n",
	"{\"level\":\"warn\",\"msg\":\"etcdserver: request timed out\"}\n",
	"context deadline exceeded\n",
	"npm ERR! 404 Not Found - GET https://registry.example.com/@v/left-pad\n",
	"unknown directive: upstream in /etc/nginx/nginx.conf:3\n",
	"/etc/app.conf:3: unknown directive: toolchain\n",
	"--- FAIL: TestX (0.00s)\n    x_test.go:10: the function can be called only once\n",
}

func TestUnknownTextGivesNoDiagnosis(t *testing.T) {
	for _, log := range unknown {
		ds, err := Explain(strings.NewReader(log))
		if err != nil {
			t.Fatal(err)
		}
		if len(ds) > 0 {
			t.Errorf("%q is taken for %v", log, ids(ds))
		}
	}
	// All together they must not make a known text either.
	all := strings.Join(unknown, "")
	if ds, _ := Explain(strings.NewReader(all)); len(ds) > 0 {
		t.Errorf("together they are taken for %v: %q", ids(ds), ds[0].Evidence[0].Text)
	}
}

func TestExplainSeparatesTheTextsOfOneLog(t *testing.T) {
	var log strings.Builder
	want := map[string]bool{}
	for _, s := range samples(t) {
		log.WriteString(s.log + "\n")
		for _, id := range s.want {
			want[id] = true
		}
	}
	ds, err := Explain(strings.NewReader(log.String()))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, d := range ds {
		got[d.ID] = true
	}
	for id := range want {
		if !got[id] {
			t.Errorf("%s is lost among the others", id)
		}
	}
	for id := range got {
		if !want[id] {
			t.Errorf("%s comes from nowhere", id)
		}
	}
}

func TestEvidencePointsAtTheLineOfTheLog(t *testing.T) {
	log := "one\ntwo\n2024-05-01T12:34:56Z lb.go:31:35: undefined: grpc.RoundRobin\n"
	ds, err := Explain(strings.NewReader(log))
	if err != nil || len(ds) != 1 {
		t.Fatal(ds, err)
	}
	e := ds[0].Evidence[0]
	if e.LogLine != 3 || e.File != "lb.go" || e.Line != 31 || !slices.Equal(e.Text, []string{"lb.go:31:35: undefined: grpc.RoundRobin"}) {
		t.Errorf("evidence is %+v", e)
	}
}

func TestNoAdviceWeakensChecks(t *testing.T) {
	for _, k := range texts {
		for _, f := range k.fix {
			for _, bad := range []string{"GOSUMDB=off", "GONOSUMDB", "GONOSUMCHECK", "GOINSECURE", "-insecure", "rm go.sum", "GOFLAGS=-mod=mod", "sslVerify", "GOPROXY=direct go mod tidy -e"} {
				if strings.Contains(f, bad) {
					t.Errorf("%s advises %q", k.id, f)
				}
			}
		}
	}
}

func FuzzExplain(f *testing.F) {
	a, err := txtar.ParseFile("testdata/texts.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range a.Files {
		_, log, _ := strings.Cut(string(file.Data), "\n\n")
		f.Add([]byte(log))
	}
	f.Fuzz(func(t *testing.T, log []byte) {
		ds, err := Explain(strings.NewReader(string(log)))
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range ds {
			if d.ID == "" || d.Title == "" || d.Cause == "" || len(d.Evidence) == 0 {
				t.Errorf("incomplete: %+v", d)
			}
		}
	})
}

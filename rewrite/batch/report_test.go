package batch

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

func sampleRows() []*Row {
	return []*Row{
		{ID: "a", Name: "alpha", Repo: "https://example.com/alpha", Status: Proved, From: "v3.3.10", Release: "v3.7.3", Files: 2, Added: 5, Removed: 3,
			Rules: map[string]int{"import-path": 3}, Patch: "patch/a", Took: time.Second},
		{ID: "b", Name: "beta", Repo: "https://example.com/beta", Status: ProvedFindings, Release: "v3.7.3", Files: 1, Patch: "patch/b",
			Rules:    map[string]int{"import-path": 1, "dial-block": 2},
			Findings: []edit.Finding{{Rule: "dial-block", Severity: edit.Review, File: "x.go", Line: 3, Col: 1, Message: "<script>alert(1)</script>"}},
			Kinds:    []Kind{{Rule: "naming-resolver", Severity: edit.Manual, Count: 4}, {Rule: "dial-block", Severity: edit.Review, Count: 3}}},
		{ID: "c", Name: "gamma", Repo: "=cmd()", Status: Blocked, Reason: "example.com/x@v1 imports old etcd"},
		{ID: "d", Name: "delta", Repo: "/src/delta", Status: Failed, Reason: "it took longer"},
	}
}

func TestReportsAgreeInEveryFormat(t *testing.T) {
	s := Summarize(sampleRows(), Hours{"dial-block": 0.1})
	out := map[string]string{}
	for format, write := range Views {
		var b bytes.Buffer
		if err := write(s, &b); err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		out[format] = b.String()
	}
	for format, text := range out {
		for _, want := range []string{"alpha", "beta", "gamma", "delta", "blocked by a dependency", "example.com/x@v1 imports old etcd", "it took longer"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q", format, want)
			}
		}
	}
	lines, err := csv.NewReader(strings.NewReader(out["csv"])).ReadAll()
	if err != nil || len(lines) != 5 {
		t.Fatalf("csv: %d lines, %v", len(lines), err)
	}
	if strings.Contains(out["csv"], "\n=") || strings.Contains(out["csv"], ",=") {
		t.Error("csv: a cell begins like a formula")
	}
	// 4 manual at half an hour, 3 at the given tenth.
	if got := s.Hours; got < 2.29 || got > 2.31 {
		t.Errorf("%v hours, want 2.3", got)
	}
	if !strings.Contains(out["text"], "1 to try again") || strings.Contains(out["text"], "2 to try again") {
		t.Errorf("text: the retry list is wrong:\n%s", out["text"])
	}
	page := out["html"]
	for _, want := range []string{`href="patches/alpha.patch"`, "&lt;script&gt;", "naming-resolver", "default-src 'none'"} {
		if !strings.Contains(page, want) {
			t.Errorf("html lacks %q", want)
		}
	}
	if m := regexp.MustCompile(`(?i)<script|src=|@import|<link|href="(?:https?:)?//`).FindString(page); m != "" {
		t.Errorf("html needs something outside of it: %s", m)
	}
}

func TestPartsMergeIntoOneReport(t *testing.T) {
	rows := sampleRows()
	base := t.TempDir()
	a, b := filepath.Join(base, "a"), filepath.Join(base, "b")
	write(t, base, "a/patches/alpha.patch", "A", "b/patches/beta.patch", "B")
	if err := WriteReports(a, rows[:2], nil); err != nil {
		t.Fatal(err)
	}
	newer := *rows[1]
	newer.Started, newer.Status = time.Now(), NotProved
	if err := WriteReports(b, []*Row{rows[2], rows[3], &newer}, nil); err != nil {
		t.Fatal(err)
	}
	got, err := ReadRows([]string{a, filepath.Join(b, rowsFile)})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 4 || got[1].Name != "beta" || got[1].Status != NotProved {
		data, _ := json.Marshal(got)
		t.Errorf("%s", data)
	}
	out := filepath.Join(base, "out")
	if err := MergeFiles(out, []string{a, b}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"alpha": "A", "beta": "B"} {
		if data, err := os.ReadFile(filepath.Join(out, "patches", name+".patch")); err != nil || string(data) != want {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	if _, err := ReadRows([]string{base}); err == nil {
		t.Error("a folder without results was read")
	}
}

func TestProgressTellsWhyInOneLine(t *testing.T) {
	var b bytes.Buffer
	NewDisplay(&b).Row(&Row{Name: "x", Status: NotLoadable, Reason: "git ls-remote: fatal: 'x.git' does not appear to be a git repository\n\nPlease make sure you have the correct access rights"})
	if got, want := b.String(), "x: not loadable: git ls-remote: fatal: 'x.git' does not appear to be a git repository\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestProgressTellsRateAndTimeLeft(t *testing.T) {
	begin := time.Now()
	p := Progress{Total: 100, Done: 40, Reused: 10, Started: begin, Updated: begin.Add(time.Minute)}
	if got := p.String(); got != "40 of 100 (10 done before), 30.0 a minute, about 2m0s left" {
		t.Error(got)
	}
	var b bytes.Buffer
	d := NewDisplay(&b)
	d.Update(p)
	d.Update(p)
	p.Done, p.Over = 100, true
	d.Update(p)
	d.Close()
	if n := strings.Count(b.String(), "\n"); n != 2 {
		t.Errorf("%d lines:\n%s", n, b.String())
	}
}

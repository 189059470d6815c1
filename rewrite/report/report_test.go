package report_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/report"
	"github.com/etcdshift/etcdshift/rewrite/verify"
)

func sample() *report.Run {
	return &report.Run{
		Root: "/r", Status: report.Incomplete, Line: "3.6", Release: "v3.6.16", From: "v3.3.13", FromFile: "go.mod:7", GoFiles: 3,
		Steps: []string{"3.7: one problem is left"},
		Modules: []report.Module{{
			Dir: ".", Path: "example.com/m", Status: report.Incomplete,
			Changes: []report.ModChange{{What: "require a v1", Why: "the code imports it"}, {What: "require b v2", Why: "a does", Indirect: true}},
			Proof:   report.Proof{Level: "vet", Configs: []string{"linux/amd64"}, New: []verify.Problem{{Tool: "build", Package: "example.com/m", File: "a b.go", Line: 4, Col: 2, Message: "undefined: x"}}},
		}},
		Changes: []edit.Change{{Rule: "import-path", Message: "moved", Line: 3, Edits: []edit.Edit{
			{File: "a b.go", Start: 20, End: 30, New: "x", Rule: "import-path"}, {File: "c.go", Start: 1, End: 1, New: "y", Rule: "import-path"}}}},
		Findings: []edit.Finding{
			{Rule: "compile", Severity: edit.Manual, File: "a b.go", Line: 4, Col: 2, Message: "undefined: x", Advice: "write y"},
			{Rule: "dial", Severity: edit.Review, Tier: edit.Syntax, File: "c.go", Line: 9, Col: 1, Message: "waits no longer"},
			{Rule: "go-mod", Severity: edit.Note, File: "go.mod", Message: "for your information"},
		},
		Files: []report.File{{Path: "a b.go", Added: 1, Removed: 1}},
	}
}

func TestSARIFIsValid(t *testing.T) {
	var b bytes.Buffer
	if err := report.SARIF(&b, sample(), map[string]string{"import-path": "move imports"}, func(string) []byte { return nil }); err != nil {
		t.Fatal(err)
	}
	rep, err := sarif.FromBytes(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := rep.Validate(); err != nil {
		t.Errorf("does not fit the schema: %v\n%s", err, b.String())
	}
	res := rep.Runs[0].Results
	if len(res) != 4 || len(res[0].Fixes[0].ArtifactChanges) != 2 || *res[1].Locations[0].PhysicalLocation.ArtifactLocation.URI != "a%20b.go" {
		t.Errorf("want one fix over two files and three findings, with escaped names:\n%s", b.String())
	}
}

func TestSARIFCountsColumnsInUTF16(t *testing.T) {
	const file = "\ufeffpackage p\r\n\r\nvar _ = f(\"ü𝄞\", x)\r\n"
	at := strings.Index(file, "x)")
	col := at - strings.LastIndex(file[:at], "\n")
	r := &report.Run{
		Changes:  []edit.Change{{Rule: "import-path", Line: 3, Edits: []edit.Edit{{File: "p.go", Start: at, End: at + 1, New: "y"}, {File: "p.go", Start: 3, End: 10, New: "PACKAGE"}}}},
		Findings: []edit.Finding{{Rule: "dial", File: "p.go", Line: 3, Col: col, Message: "m"}, {Rule: "dial", File: "p.go", Line: 1, Col: 4, Message: "m"}, {Rule: "dial", File: "gone.go", Line: 7, Col: 5, Message: "m"}},
	}
	var b bytes.Buffer
	if err := report.SARIF(&b, r, nil, func(name string) []byte { return map[string][]byte{"p.go": []byte(file)}[name] }); err != nil {
		t.Fatal(err)
	}
	rep, err := sarif.FromBytes(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, res := range rep.Runs[0].Results {
		for _, f := range res.Fixes {
			for _, rp := range f.ArtifactChanges[0].Replacements {
				d := rp.DeletedRegion
				got = append(got, *d.StartLine, *d.StartColumn, *d.EndLine, *d.EndColumn)
			}
		}
		if g := res.Locations[0].PhysicalLocation.Region; g.StartColumn != nil {
			got = append(got, *g.StartLine, *g.StartColumn)
		}
	}
	if want := []int{3, 18, 3, 19, 1, 1, 1, 8, 3, 18, 1, 1, 7, 5}; !reflect.DeepEqual(got, want) {
		t.Errorf("lines and columns %v, want %v\n%s", got, want, b.String())
	}
}

func TestJSONComesBackWhole(t *testing.T) {
	var b bytes.Buffer
	if err := report.JSON(&b, sample()); err != nil {
		t.Fatal(err)
	}
	var back report.Run
	if err := json.Unmarshal(b.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(&back, sample()) {
		t.Errorf("JSON lost something:\n%+v\nwant\n%+v", &back, sample())
	}
}

func TestTextSaysWhatIsLeft(t *testing.T) {
	var b bytes.Buffer
	if err := report.Text(&b, sample(), false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"from etcd v3.3.13 (go.mod:7) to v3.6.16",
		"stepped down from 3.7: one problem is left",
		"require a v1: the code imports it",
		"and 1 line that follows from these",
		"a b.go:4:2: undefined: x (compile)\n    write y",
		"c.go:9:1: waits no longer (dial)",
		"etcd v3.6.16: incomplete; 2 edits in 1 file; 2 findings for a person; nothing written",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

// A plan for the newest line did not step down from it: no line is proved.
func TestTextDoesNotStepDownFromTheLineOfThePlan(t *testing.T) {
	r := sample()
	r.Line, r.Release = "3.7", "v3.7.3"
	var b bytes.Buffer
	if err := report.Text(&b, r, false); err != nil {
		t.Fatal(err)
	}
	if s := b.String(); !strings.Contains(s, "not proved for 3.7: one problem is left") || strings.Contains(s, "stepped down") {
		t.Errorf("a plan for 3.7 says\n%s", s)
	}
}

func TestTextSaysOnceWhatIsSaidOfManyPlaces(t *testing.T) {
	r := &report.Run{Status: report.Proved, Line: "3.6", Findings: []edit.Finding{
		{Rule: "client-v2", Severity: edit.Review, File: "a.go", Line: 4, Col: 2, Message: "uses the v2 API", Advice: "Get"},
		{Rule: "dial-block", Severity: edit.Review, File: "a.go", Line: 5, Col: 2, Message: "does not wait", Advice: "probe"},
		{Rule: "client-v2", Severity: edit.Review, File: "b.go", Line: 6, Col: 2, Message: "uses the v2 API", Advice: "Put"},
		{Rule: "dial-block", Severity: edit.Review, File: "b.go", Line: 7, Col: 2, Message: "does not wait", Advice: "probe"},
		{Rule: "dial-block", Severity: edit.Note, File: "b.go", Line: 8, Col: 2, Message: "does not wait", Advice: "probe"},
	}}
	var b bytes.Buffer
	report.Findings(&b, r)
	want := `
to review: compiles, and may behave differently
  2 times: uses the v2 API (client-v2)
    a.go:4:2: Get
    b.go:6:2: Put
  2 times: does not wait (dial-block)
    probe
    a.go:5:2
    b.go:7:2

good to know
  b.go:8:2: does not wait (dial-block)
    probe
`
	if b.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", b.String(), want)
	}
}

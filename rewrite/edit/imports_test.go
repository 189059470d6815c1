package edit

import (
	"path"
	"strings"
	"testing"
)

func TestImportsFollowTheirUses(t *testing.T) {
	for _, c := range []struct {
		name, src string
		replace   [2]string // once
		adds      []Import
		want      string
	}{
		{"the last use went", "package p\n\nimport (\n\t\"a.b/x\" // gone\n\t\"a.b/y\"\n)\n\nvar _ = x.A\nvar _ = y.B\n", [2]string{"x.A", "1"}, nil,
			"package p\n\nimport (\n\t\"a.b/y\"\n)\n\nvar _ = 1\nvar _ = y.B\n"},
		{"the whole declaration went", "package p\n\nimport \"a.b/x\"\n\nvar _ = x.A\n", [2]string{"x.A", "1"}, nil,
			"package p\n\nvar _ = 1\n"},
		{"unused, blank and dot imports stay", "package p\n\nimport (\n\t_ \"a.b/x\"\n\t. \"a.b/y\"\n\t\"a.b/z\"\n)\n\nvar _ = A\n", [2]string{"= A", "= 1"}, nil,
			"package p\n\nimport (\n\t_ \"a.b/x\"\n\t. \"a.b/y\"\n\t\"a.b/z\"\n)\n\nvar _ = 1\n"},
		{"a local of the name is no use", "package p\n\nimport \"a.b/x\"\n\nfunc f() { _ = x.A; { x := 1; _ = x } }\n", [2]string{"x.A", "1"}, nil,
			"package p\n\nfunc f() { _ = 1; { x := 1; _ = x } }\n"},
		{"beside its kin", "package p\n\nimport (\n\t\"fmt\"\n\n\t\"a.b/x/y\"\n\t\"c.d/z\"\n)\n\nvar _ = fmt.Sprint(y.A, z.B)\n", [2]string{"y.A", "q.A"}, []Import{{Path: "a.b/x/q", Name: "q"}},
			"package p\n\nimport (\n\t\"fmt\"\n\n\t\"a.b/x/q\"\n\t\"c.d/z\"\n)\n\nvar _ = fmt.Sprint(q.A, z.B)\n"},
		{"beside etcd", "package p\n\nimport (\n\t\"fmt\"\n\n\tclientv3 \"c.d/etcd/client\"\n\n\t\"a.b/own\"\n)\n\nvar _ = fmt.Sprint(clientv3.A, own.B)\n", [2]string{"own.B", "own.B, q.C"}, []Import{{Path: "e.f/q", Name: "q"}},
			"package p\n\nimport (\n\t\"fmt\"\n\n\tclientv3 \"c.d/etcd/client\"\n\t\"e.f/q\"\n\n\t\"a.b/own\"\n)\n\nvar _ = fmt.Sprint(clientv3.A, own.B, q.C)\n"},
		{"a group of its own", "package p\n\nimport (\n\t\"a.b/x\"\n)\n\nvar _ = x.A\n", [2]string{"x.A", "errors.New(x.A)"}, []Import{{Path: "errors", Name: "errors"}},
			"package p\n\nimport (\n\t\"errors\"\n\n\t\"a.b/x\"\n)\n\nvar _ = errors.New(x.A)\n"},
		{"in place of the only one", "package p\n\nimport \"a.b/x\"\n\nvar _ = x.A\n", [2]string{"x.A", "y.A"}, []Import{{Path: "a.b/y", Name: "y"}},
			"package p\n\nimport \"a.b/y\"\n\nvar _ = y.A\n"},
		{"the first", "package p\n\nvar _ = 1\n", [2]string{"1", "y.A"}, []Import{{Path: "a.b/v2", Name: "y"}},
			"package p\n\nimport y \"a.b/v2\"\n\nvar _ = y.A\n"},
		{"not into cgo's", "package p\n\n// #include <a.h>\nimport \"C\"\n\nvar _ = 1\n", [2]string{"1", "y.A"}, []Import{{Path: "a.b/y", Name: "y"}},
			"package p\n\nimport \"a.b/y\"\n\n// #include <a.h>\nimport \"C\"\n\nvar _ = y.A\n"},
		{"on one line", "package p\n\nimport (\"a.b/x\"; \"a.b/y\")\n\nvar _ = x.A + y.A\n", [2]string{"x.A", "z.A + x.A"}, []Import{{Path: "a.b/z", Name: "z"}},
			"package p\n\nimport (\"a.b/x\"; \"a.b/y\"; \"a.b/z\")\n\nvar _ = z.A + x.A + y.A\n"},
		{"twice asked for", "package p\n\nimport \"a.b/x\"\n\nvar _ = x.A\n", [2]string{"x.A", "x.A + y.A"}, []Import{{Path: "a.b/y", Name: "y"}, {File: "f", Path: "a.b/y", Name: "y"}},
			"package p\n\nimport \"a.b/x\"\nimport \"a.b/y\"\n\nvar _ = x.A + y.A\n"},
	} {
		for _, nl := range []string{"\n", "\r\n"} {
			src := strings.ReplaceAll(c.src, "\n", nl)
			at := strings.Index(src, c.replace[0])
			es := []Edit{{File: "f.go", Start: at, End: at + len(c.replace[0]), New: c.replace[1]}}
			es, err := Imports("f.go", []byte(src), es, c.adds, path.Base)
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
				continue
			}
			got, err := Apply([]byte(src), es)
			if err != nil || string(got) != strings.ReplaceAll(c.want, "\n", nl) {
				t.Errorf("%s (%q): %v\n%s\nwant\n%s", c.name, nl, err, got, c.want)
			}
		}
	}
}

func TestImportsStaySortedInAFileWithALayoutOfItsOwn(t *testing.T) {
	const sorted = "package p\n\nimport (\n\t\"b.example/b\"\n\t\"c.example/c\"\n)\n\nvar   x = b.B"
	after := strings.Replace(sorted, "\"b.example/b\"", "b \"z.example/b\"", 1)
	want := "package p\n\nimport (\n\t\"c.example/c\"\n\tb \"z.example/b\"\n)\n\nvar   x = b.B"
	if got := FormatImports([]byte(sorted), []byte(after)); string(got) != want {
		t.Errorf("got\n%s", got)
	}
	unsorted := strings.Replace(sorted, "\"b.example/b\"", "\"d.example/b\"", 1)
	if got := FormatImports([]byte(unsorted), []byte(after)); string(got) != after {
		t.Errorf("imports that were not sorted before:\n%s", got)
	}
}

package deps_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/etcdshift/etcdshift/rewrite/deps"
	"github.com/etcdshift/etcdshift/rewrite/gocmd"
)

func TestPinsNoticeWhatMoves(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		p := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	mod := "module example.com/a\n\ngo 1.21\n\nrequire google.golang.org/protobuf v1.33.0\n"
	write("go.mod", mod)
	write("go.sum", "google.golang.org/protobuf v1.33.0/go.mod h1:c6P6GXX6sHbq/GpV6MGZEdwhWPcYBgnhAHhKbcUYpos=\n")
	write("a.go", "package a\n\nimport _ \"google.golang.org/protobuf/proto\"\n")
	write("deploy/compose.yaml", "services:\n  etcd:\n    image: quay.io/coreos/etcd:v3.5.9\n  app:\n    image: example.com/app:1\n")
	now := func(modules ...string) *deps.Pins {
		t.Helper()
		p, err := (&deps.Repository{Root: root, Modules: append([]string{"."}, modules...)}).Pins(context.Background(), &gocmd.Runner{})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if _, err := deps.ReadPins(root); err != deps.ErrNoPins {
		t.Fatalf("ReadPins without a file: %v", err)
	}
	write(deps.PinsFile, string(now().Bytes()))
	recorded, err := deps.ReadPins(root)
	if err != nil {
		t.Fatal(err)
	}
	expect := func(now *deps.Pins, want ...string) {
		t.Helper()
		var got []string
		for _, d := range recorded.Compare(now) {
			got = append(got, d.String())
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("drift:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
		}
	}
	expect(now())
	write("deploy/compose.yaml", "services:\n  etcd:\n    image: quay.io/coreos/etcd:v3.6.1\n")
	expect(now(), "deploy/compose.yaml: image quay.io/coreos/etcd:v3.5.9 is recorded, and not there any more",
		"deploy/compose.yaml: image quay.io/coreos/etcd:v3.6.1 is not among the recorded pins")
	write("deploy/compose.yaml", "services:\n  etcd:\n    image: quay.io/coreos/etcd:v3.5.9\n")
	write("vendor/modules.txt", "# google.golang.org/protobuf v1.32.0\n## explicit\n")
	expect(now(), "vendor/modules.txt: google.golang.org/protobuf is vendored at v1.32.0, recorded is no version",
		"vendor/modules.txt: google.golang.org/protobuf is vendored at v1.32.0, and the build list has v1.33.0; run go mod vendor")
	write("vendor/modules.txt", "## workspace\n# google.golang.org/protobuf v1.32.0\n## explicit\n# google.golang.org/protobuf => ../protobuf\n")
	expect(now(), "vendor/modules.txt: google.golang.org/protobuf is vendored at v1.32.0, recorded is no version")
	os.RemoveAll(filepath.Join(root, "vendor"))
	write("b/go.mod", "module example.com/b\n\ngo 1.21\n\nrequire google.golang.org/protobuf v1.32.0\n")
	expect(now("b"), "b/go.mod: github.com/golang/protobuf v1.5.0 is not among the recorded pins",
		"b/go.mod: google.golang.org/protobuf v1.32.0 is not among the recorded pins",
		"b/go.mod: google.golang.org/protobuf is built at v1.32.0 here and at v1.33.0 in go.mod")
}

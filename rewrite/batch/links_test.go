package batch

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestNothingElseLinksNATS keeps a migration of one repository free of the
// server: everything but this package and the command line does without.
func TestNothingElseLinksNATS(t *testing.T) {
	const module = "github.com/etcdshift/etcdshift/"
	cmd := exec.CommandContext(t.Context(), "go", "list", "-test", "-f", "{{.ImportPath}}\t{{join .Deps \" \"}}", "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	linked := false
	for line := range strings.Lines(string(out)) {
		name, deps, _ := strings.Cut(line, "\t")
		name, _, _ = strings.Cut(name, " ")
		name = strings.TrimSuffix(strings.TrimSuffix(name, ".test"), "_test")
		nats := slices.ContainsFunc(strings.Fields(deps), func(d string) bool { return strings.HasPrefix(d, "github.com/nats-io/") })
		switch name {
		case module + "rewrite/batch":
			linked = linked || nats
		case module + "cmd/etcdshift", module + "cmd/fieldtest": // run batches
		default:
			if nats {
				t.Errorf("%s links NATS", name)
			}
		}
	}
	if !linked {
		t.Error("not even this package links NATS: the test sees nothing")
	}
}

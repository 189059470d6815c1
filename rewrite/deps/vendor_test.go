package deps

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// A second run would otherwise take what the first says that it leaves.
func TestFilesOfOtherToolsInVendorStay(t *testing.T) {
	dir, made := t.TempDir(), t.TempDir()
	for _, name := range []string{
		dir + "/vendor/vendor.json", dir + "/vendor/manifest", dir + "/vendor/modules.txt", dir + "/vendor/example.com/old/o.go",
		made + "/example.com/new/n.go",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	changes, err := vendorChanges(dir, made)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range changes {
		got = append(got, c.Path)
	}
	if want := []string{"vendor/example.com/new/n.go", "vendor/example.com/old/o.go", "vendor/modules.txt"}; !slices.Equal(got, want) {
		t.Errorf("changes %q, want %q", got, want)
	}
}

package verify

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/etcdshift/etcdshift/rewrite/gocmd"
)

func TestVetOfAnOlderGoSeesTheOverlay(t *testing.T) {
	t.Parallel()
	for _, toolchain := range []string{"go1.19.13", "go1.21.13", "go1.23.12", "go1.24.13"} {
		t.Run(toolchain, func(t *testing.T) {
			t.Parallel()
			dir, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			aside := t.TempDir()
			replace := map[string]string{}
			for name, data := range map[string]string{
				"go.mod": "module example.com/m\n\ngo 1.16\n",
				"a.go":   "package m\n\nimport _ \"gone.invalid/x\"\n",
			} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			over := func(name, data string) {
				to := filepath.Join(aside, name)
				if err := os.WriteFile(to, []byte(data), 0o666); err != nil {
					t.Fatal(err)
				}
				replace[filepath.Join(dir, name)] = to
			}
			over("a.go", "package m\n\nimport \"fmt\"\n\nfunc F() { fmt.Printf(\"%d\", \"x\") }\n")
			over("a_test.go", "package m\n\nimport \"testing\"\n\nfunc Test(t *testing.T) { t.Logf(\"%d\", \"y\"); F() }\n")
			data, err := json.Marshal(map[string]any{"Replace": replace})
			if err != nil {
				t.Fatal(err)
			}
			overlay := filepath.Join(aside, "overlay.json")
			if err := os.WriteFile(overlay, data, 0o666); err != nil {
				t.Fatal(err)
			}
			res, err := Run(t.Context(), Request{
				Go: &gocmd.Runner{Env: []string{"GOTOOLCHAIN=" + toolchain}}, Dir: dir, Overlay: overlay, Level: Vet, Configs: []Config{{}},
				Original: func(file string) (string, bool) {
					return filepath.Join(dir, filepath.Base(file)), filepath.Dir(file) == aside
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]bool{}
			for _, p := range res.Problems {
				got[fmt.Sprintf("%s %s:%d", p.Tool, p.File, p.Line)] = true
			}
			if len(got) != 2 || !got["vet a.go:5"] || !got["vet a_test.go:5"] {
				t.Errorf("problems %v", res.Problems)
			}
			if entries, _ := os.ReadDir(dir); len(entries) != 2 {
				t.Errorf("the tree has %v", entries)
			}
		})
	}
}

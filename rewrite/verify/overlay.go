package verify

import (
	"context"
	_ "embed"
	"fmt"
	goversion "go/version"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/gocmd"
)

//go:embed vettool.go
var vettool []byte

// vetKnowsOverlays is the first Go whose vet looks at the files of an overlay.
// Those before look at the ones of the tree, of which the go command told it
// what the others import.
const vetKnowsOverlays = "go1.24"

// oldVet makes go vet of an older Go look at the files of an overlay: through
// a vet tool that is built for it in a scratch folder. It returns the runner
// and the flags for that; with neither changed where nothing is needed.
func oldVet(ctx context.Context, req Request, scratch string) (run *gocmd.Runner, flags []string, err error) {
	if req.Overlay == "" {
		return req.Go, nil, nil
	}
	v, err := req.Go.Version(ctx, req.Dir)
	if err != nil || goversion.Compare(v, vetKnowsOverlays) >= 0 {
		return req.Go, nil, err
	}
	bin := filepath.Join(scratch, "vettool")
	if runtime.GOOS == "windows" {
		bin += ".exe"
	}
	for name, data := range map[string][]byte{"vettool.go": vettool, "go.mod": []byte("module vettool\n\ngo 1.16\n")} {
		if err := os.WriteFile(filepath.Join(scratch, name), data, 0o666); err != nil {
			return nil, nil, err
		}
	}
	// In the folder of the module, for its choice of a toolchain.
	vet, err := req.Go.Run(ctx, req.Dir, "tool", "-n", "vet")
	if err != nil {
		return nil, nil, fmt.Errorf("go tool -n vet: %w", err)
	}
	if _, err := req.Go.With("GOWORK=off").Run(ctx, scratch, "build", "-o", bin, "vettool.go"); err != nil {
		return nil, nil, fmt.Errorf("a vet tool for %s: %w", v, err)
	}
	return req.Go.With("ETCDSHIFT_OVERLAY="+req.Overlay, "ETCDSHIFT_VET="+strings.TrimSpace(string(vet))), []string{"-vettool=" + bin}, nil
}

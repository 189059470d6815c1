package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Fix is an edit that go vet suggests for one of its complaints.
type Fix struct {
	Message    string
	File       string // absolute, in the tree
	Start, End int    // bytes of the file as planned
	New        string
}

// Fixes returns the edits that go vet's analyzer suggests for complaints that
// begin with a text.
func Fixes(ctx context.Context, req Request, analyzer, complaint string) ([]Fix, error) {
	var out []Fix
	for _, c := range req.Configs {
		text, _, err := req.Go.With(c.Env...).Combined(ctx, req.Dir, slices.Concat([]string{"vet", "-json", "-" + analyzer}, req.flags(c), []string{"./..."})...)
		if err != nil {
			return nil, fmt.Errorf("go vet -json: %w", err)
		}
		var b strings.Builder
		for line := range strings.Lines(text) {
			if !strings.HasPrefix(line, "#") { // package headers stand between the objects
				b.WriteString(line)
			}
		}
		dec := json.NewDecoder(strings.NewReader(b.String()))
		for dec.More() {
			var byPackage map[string]map[string]json.RawMessage
			if dec.Decode(&byPackage) != nil {
				break
			}
			for _, analyzers := range byPackage {
				var found []struct {
					Message string `json:"message"`
					Fixes   []struct {
						Edits []struct {
							Filename   string `json:"filename"`
							Start, End int
							New        string
						} `json:"edits"`
					} `json:"suggested_fixes"`
				}
				if json.Unmarshal(analyzers[analyzer], &found) != nil {
					continue // {"error": …} for a package that does not type-check
				}
				for _, d := range found {
					if !strings.HasPrefix(d.Message, complaint) || len(d.Fixes) != 1 {
						continue
					}
					for _, e := range d.Fixes[0].Edits {
						f := Fix{Message: d.Message, File: filepath.Clean(e.Filename), Start: e.Start, End: e.End, New: e.New}
						if orig, ok := req.original(f.File); ok {
							f.File = orig
						}
						if !slices.Contains(out, f) {
							out = append(out, f)
						}
					}
				}
			}
		}
	}
	return out, nil
}

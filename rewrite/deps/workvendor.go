package deps

import (
	"context"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/gocmd"
)

// refreshVendor makes the vendor folder of a workspace that has one, beside
// the planned go.work, where builds of the plan find it.
func (r *WorkResult) refreshVendor(ctx context.Context, run *gocmd.Runner, req WorkRequest) error {
	dir := filepath.Dir(req.File)
	if _, work := gocmd.Vendored(dir); !work {
		return nil
	}
	args := []string{"work", "vendor"}
	if req.OverlayFile != "" {
		args = append(args, "-overlay="+req.OverlayFile)
	}
	if _, err := run.With("GOWORK="+r.File).Run(ctx, dir, args...); err != nil {
		text := words(err)
		if text == "" {
			return err
		}
		r.Findings = append(r.Findings, edit.Finding{
			Rule: "gowork-vendor", Severity: edit.Manual, File: "go.work", Line: 1, Col: 1,
			Message: "the vendor folder of the workspace does not fit the plan, and cannot be made anew here: " + firstLine(text),
			Advice:  "run 'go work vendor' after the plan is applied",
		})
		return nil
	}
	r.Vendored = true
	var err error
	if r.vendor, err = vendorChanges(dir, filepath.Join(filepath.Dir(r.File), "vendor")); err != nil {
		return err
	}
	for i, c := range r.vendor {
		if c.Path == "vendor/modules.txt" && c.After != nil {
			if r.vendor[i].After, err = r.foldersInTree(c.After, dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// foldersInTree rewrites the folders that modules.txt names, which are those
// of replaces, from how they are seen from the planned go.work to how they
// will be from the one of the tree: the go command compares the names.
func (r *WorkResult) foldersInTree(txt []byte, dir string) ([]byte, error) {
	w, err := modfile.ParseWork("go.work", r.Work, nil)
	if err != nil {
		return nil, err
	}
	var out strings.Builder
	for l := range strings.Lines(string(txt)) {
		left, to, ok := strings.Cut(strings.TrimRight(l, "\n"), " => ")
		if ok && strings.HasPrefix(left, "# ") && modfile.IsDirectoryPath(to) {
			l = left + " => " + folderInTree(w, strings.Fields(left)[1:], to, filepath.Dir(r.File), dir) + "\n"
		}
		out.WriteString(l)
	}
	return []byte(out.String()), nil
}

// folderInTree names a folder for modules.txt: as go.work does if the replace
// is there, and else relative to it.
func folderInTree(w *modfile.WorkFile, old []string, to, from, dir string) string {
	for _, r := range w.Replace {
		if r.Old.Path == old[0] && isLocal(r) && (r.Old.Version == "" || len(old) > 1 && r.Old.Version == old[1]) {
			return r.New.Path
		}
	}
	abs := filepath.FromSlash(to)
	if !filepath.IsAbs(abs) {
		abs = filepath.Join(from, abs)
	}
	rel, err := filepath.Rel(dir, abs)
	if err != nil {
		return to
	}
	if rel = filepath.ToSlash(rel); !modfile.IsDirectoryPath(rel) {
		rel = "./" + rel
	}
	return rel
}

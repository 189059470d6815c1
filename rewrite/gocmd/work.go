package gocmd

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/mod/modfile"
)

// CopyWork writes a copy of a go.work, with its go.work.sum, into a folder and
// returns where. Set GOWORK to it: in a workspace the go command writes
// checksums that it lacks beside go.work, even with -mod=readonly.
func CopyWork(file, dir string) (string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	w, err := modfile.ParseWork(file, b, nil)
	if err != nil {
		return "", err
	}
	return WriteWork(w, filepath.Dir(file), dir, file+".sum")
}

// WriteWork writes a go.work that is made for one folder into another, with
// folders in full, and beside it the checksums of a file that may be missing.
func WriteWork(w *modfile.WorkFile, from, dir, sum string) (string, error) {
	for _, u := range slices.Clone(w.Use) {
		if p := filepath.FromSlash(u.Path); !filepath.IsAbs(p) {
			if err := w.DropUse(u.Path); err != nil {
				return "", err
			}
			if err := w.AddUse(filepath.ToSlash(filepath.Join(from, p)), u.ModulePath); err != nil {
				return "", err
			}
		}
	}
	for _, r := range slices.Clone(w.Replace) {
		if p := filepath.FromSlash(r.New.Path); r.New.Version == "" && !filepath.IsAbs(p) {
			if err := w.AddReplace(r.Old.Path, r.Old.Version, filepath.ToSlash(filepath.Join(from, p)), ""); err != nil {
				return "", err
			}
		}
	}
	w.Cleanup()
	name := filepath.Join(dir, "go.work")
	if err := os.WriteFile(name, modfile.Format(w.Syntax), 0o666); err != nil {
		return "", err
	}
	b, err := os.ReadFile(sum)
	if errors.Is(err, fs.ErrNotExist) {
		return name, nil
	}
	if err == nil {
		err = os.WriteFile(name+".sum", b, 0o666)
	}
	return name, err
}

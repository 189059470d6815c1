package load

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Text is a file of the repository that is not Go and mentions etcd.
type Text struct {
	Name string // slash-separated, relative to the root of the tree
	Src  []byte
}

// maxText bounds the files that are read: what is larger is data.
const maxText = 1 << 20

// textNames and textExts tell build files, scripts, configuration and prose
// from data.
var (
	textNames = strings.Fields("Makefile makefile GNUmakefile Dockerfile Containerfile Jenkinsfile Vagrantfile Procfile BUILD WORKSPACE Tiltfile Earthfile justfile")
	textExts  = strings.Fields(".mk .sh .bash .yml .yaml .json .toml .md .txt .rst .adoc .proto .bzl .bazel .service .conf .cfg .env .tf .hcl .cue .dockerfile .tmpl .in")
)

// Texts reads the files that are not Go and mention etcd. Vendored files,
// generated lists such as go.sum, and git's own are left out.
func Texts(ctx context.Context, t *Tree) ([]*Text, error) {
	var out []*Text
	err := filepath.WalkDir(t.Root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || ctx.Err() != nil {
			return ctx.Err() // unreadable folders hold nothing to report on
		}
		name := d.Name()
		if d.IsDir() {
			if p != t.Root && slices.Contains([]string{".git", ".etcdshift", "vendor", "node_modules", "testdata", "Godeps"}, name) {
				return fs.SkipDir
			}
			return nil
		}
		base, _, _ := strings.Cut(name, ".")
		if !d.Type().IsRegular() || !slices.Contains(textNames, base) && !slices.Contains(textExts, strings.ToLower(filepath.Ext(name))) || strings.HasSuffix(name, ".lock") {
			return nil
		}
		if info, err := d.Info(); err != nil || info.Size() > maxText {
			return nil
		}
		src, err := os.ReadFile(p)
		if err != nil || !bytes.Contains(src, []byte("etcd")) || bytes.IndexByte(src, 0) >= 0 {
			return nil
		}
		rel, err := filepath.Rel(t.Root, p)
		if err != nil {
			return err
		}
		out = append(out, &Text{Name: filepath.ToSlash(rel), Src: src})
		return nil
	})
	return out, err
}

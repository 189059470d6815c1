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
	textExts  = strings.Fields(".mk .sh .bash .ps1 .bat .cmd .py .star .yml .yaml .json .jsonnet .libsonnet .toml .ini .md .txt .rst .adoc .proto .bzl .bazel .service .container .conf .cfg .env .tf .hcl .cue .nix .dockerfile .tmpl .tpl .j2 .in")
)

// textNeedles say that a text has something of etcd; its configuration file
// need not name it.
var textNeedles = [][]byte{[]byte("etcd"), []byte("ETCD_"), []byte("initial-cluster"), []byte("-client-urls")}

// textual says whether a file may be text that names etcd, by its name or, for
// one without an extension, by what it holds: scripts often have none.
func textual(name string, head func() []byte) bool {
	base, _, _ := strings.Cut(name, ".")
	ext := strings.ToLower(filepath.Ext(name))
	switch {
	case strings.HasSuffix(name, ".lock"):
		return false
	case slices.Contains(textNames, base), slices.Contains(textExts, ext), strings.HasPrefix(name, ".env"):
		return true
	case ext == "":
		return name == "etcd" || bytes.HasPrefix(head(), []byte("#!"))
	}
	return false
}

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
			if Apart(t.Root, p) || p != t.Root && slices.Contains([]string{".git", ".etcdshift", "vendor", "node_modules", "testdata", "Godeps"}, name) {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		if info, err := d.Info(); err != nil || info.Size() > maxText {
			return nil
		}
		var src []byte
		read := func() []byte {
			if src == nil {
				src, _ = os.ReadFile(p) // what cannot be read has nothing to report on
			}
			return src
		}
		if !textual(name, read) || !slices.ContainsFunc(textNeedles, func(n []byte) bool { return bytes.Contains(read(), n) }) || bytes.IndexByte(src, 0) >= 0 {
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

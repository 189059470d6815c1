package load

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestTextsAreFilesThatPeopleWriteAndThatHaveSomethingOfEtcd(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"Makefile":               "run: ; etcd\n",
		"Dockerfile.dev":         "FROM quay.io/coreos/etcd\n",
		"hack/start":             "#!/bin/sh\netcd\n",
		"hack/data":              "etcd\n",
		"deploy/etcd.service":    "ExecStart=/usr/bin/etcd\n",
		"deploy/.env.example":    "ETCD_NAME=a\n",
		"deploy/default/etcd":    "ETCD_NAME=a\n",
		"deploy/conf.yaml.j2":    "initial-cluster: {{ x }}\n",
		"deploy/other.yaml":      "a: b\n",
		"proto/a.proto":          "import \"etcd/mvcc/mvccpb/kv.proto\";\n",
		"vendor/a/Makefile":      "etcd\n",
		"node_modules/a/x.json":  "etcd\n",
		"Gopkg.lock":             "etcd\n",
		"image.png":              "etcd\n",
		"binary.conf":            "etcd\x00\n",
		"testdata/manifest.yaml": "etcd\n",
		"a.go":                   "package etcd\n",
	} {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	texts, err := Texts(context.Background(), &Tree{Root: dir})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range texts {
		got = append(got, x.Name)
	}
	want := []string{"Dockerfile.dev", "Makefile", "deploy/.env.example", "deploy/conf.yaml.j2", "deploy/default/etcd", "deploy/etcd.service", "hack/start", "proto/a.proto"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

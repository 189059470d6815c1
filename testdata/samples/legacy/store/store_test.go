package store

import (
	"context"
	"io/ioutil"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/coreos/etcd/embed"
)

func start(t *testing.T) string {
	dir, err := ioutil.TempDir("", "etcd")
	if err != nil {
		t.Fatal(err)
	}
	cfg := embed.NewConfig()
	cfg.Dir = dir
	cfg.SnapCount = 1000
	u := func(s string) []url.URL {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return []url.URL{*u}
	}
	cfg.LCUrls, cfg.ACUrls = u("http://127.0.0.1:23799"), u("http://127.0.0.1:23799")
	cfg.LPUrls, cfg.APUrls = u("http://127.0.0.1:23801"), u("http://127.0.0.1:23801")
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		e.Close()
		os.RemoveAll(dir)
	})
	select {
	case <-e.Server.ReadyNotify():
	case <-time.After(20 * time.Second):
		t.Fatal("etcd did not start")
	}
	return "127.0.0.1:23799"
}

func TestPutAndList(t *testing.T) {
	s, err := Open(Options{Endpoints: []string{start(t)}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := context.Background()
	if err := s.Put(ctx, Job{ID: "a", Spec: "@daily"}, 60); err != nil {
		t.Fatal(err)
	}
	jobs, err := s.List(ctx)
	if err != nil || len(jobs) != 1 || jobs[0].ID != "a" {
		t.Fatalf("List = %v, %v", jobs, err)
	}
	ran := false
	if err := s.Exclusive(ctx, "a", func() error { ran = true; return nil }); err != nil || !ran {
		t.Fatalf("Exclusive: %v, ran %v", err, ran)
	}
}

func TestOpenSaysWhenEtcdIsDown(t *testing.T) {
	if _, err := Open(Options{Endpoints: []string{"127.0.0.1:1"}}); err == nil {
		t.Fatal("Open of a dead endpoint did not fail")
	}
}

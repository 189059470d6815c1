//go:build ignore
// +build ignore

// Seed puts a first key: go run seed.go.
package main

import (
	"context"
	"log"

	"github.com/coreos/etcd/clientv3"
)

func main() {
	cli, err := clientv3.New(clientv3.Config{Endpoints: []string{"127.0.0.1:2379"}})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := cli.Put(context.Background(), "/seed", ""); err != nil {
		log.Fatal(err)
	}
}

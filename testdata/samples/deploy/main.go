// Deploy is a program that comes with what runs it.
package main

import (
	"log"
	"os"

	"github.com/coreos/etcd/clientv3"
)

//go:generate mockgen -package main -destination kv_mock.go github.com/coreos/etcd/clientv3 KV

func main() {
	cli, err := clientv3.New(clientv3.Config{Endpoints: os.Args[1:]})
	if err != nil {
		log.Fatal(err)
	}
	cli.Close()
}

// Hello greets.
package main

import (
	"context"
	"log"
	"os"

	"example.com/hello/greet"
	"github.com/coreos/etcd/clientv3"
)

func main() {
	cli, err := clientv3.New(clientv3.Config{Endpoints: os.Args[1:2]})
	if err != nil {
		log.Fatal(err)
	}
	if err := greet.To(context.Background(), cli, os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

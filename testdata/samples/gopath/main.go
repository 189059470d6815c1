// Jobs prints a job that is kept in etcd.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/coreos/etcd/clientv3"
	"github.com/example/jobs/store"
)

func main() {
	cli, err := clientv3.New(clientv3.Config{Endpoints: os.Args[1:2]})
	if err != nil {
		log.Fatal(err)
	}
	defer cli.Close()
	job, err := store.Get(context.Background(), cli, os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(job)
}

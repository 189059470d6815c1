// Wait prints a job once somebody has put it into etcd.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"../../store"
	"github.com/coreos/etcd/clientv3"
)

func main() {
	cli, err := clientv3.New(clientv3.Config{Endpoints: os.Args[1:2]})
	if err != nil {
		log.Fatal(err)
	}
	defer cli.Close()
	<-cli.Watch(context.Background(), "jobs/"+os.Args[2])
	job, err := store.Get(context.Background(), cli, os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(job)
}

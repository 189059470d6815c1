// Jobd prints jobs as they come and go.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"strings"

	"example.com/jobs/store"
)

func main() {
	endpoints := flag.String("endpoints", "127.0.0.1:2379", "etcd endpoints, comma-separated")
	flag.Parse()
	s, err := store.Open(store.Options{Endpoints: strings.Split(*endpoints, ",")})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	jobs, err := s.List(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for _, j := range jobs {
		fmt.Println(j.ID, j.Spec)
	}
	log.Fatal(s.Watch(context.Background(), 0, func(id string, gone bool) { fmt.Println(id, gone) }))
}

// Command etcd is one member, configured by a file. It ends with its input.
package main

import (
	"fmt"
	"io"
	"os"

	"go.etcd.io/etcd/server/v3/embed"
)

func main() {
	cfg, err := embed.ConfigFromFile(os.Args[1])
	if err == nil {
		var e *embed.Etcd
		if e, err = embed.StartEtcd(cfg); err == nil {
			<-e.Server.ReadyNotify()
			fmt.Println("ready")
			io.Copy(io.Discard, os.Stdin)
			e.Close()
			return
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

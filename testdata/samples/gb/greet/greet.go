// Package greet keeps greetings.
package greet

import (
	"context"

	"github.com/coreos/etcd/clientv3"
)

// To keeps a greeting for a name.
func To(ctx context.Context, kv clientv3.KV, name string) error {
	_, err := kv.Put(ctx, "/greetings/"+name, "hello")
	return err
}

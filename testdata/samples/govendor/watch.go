// Package watch tells of what is put.
package watch

import (
	"context"

	"github.com/coreos/etcd/clientv3"
	"github.com/coreos/etcd/mvcc/mvccpb"
)

// Puts calls f for every key below a prefix that is put.
func Puts(ctx context.Context, w clientv3.Watcher, prefix string, f func(*mvccpb.KeyValue)) {
	for res := range w.Watch(ctx, prefix, clientv3.WithPrefix()) {
		for _, e := range res.Events {
			if e.Type == mvccpb.PUT {
				f(e.Kv)
			}
		}
	}
}

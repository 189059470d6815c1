// Package lease keeps a key alive.
package lease

import (
	"context"

	"github.com/coreos/etcd/clientv3"
)

// Keep puts a key that goes away with this process.
func Keep(ctx context.Context, cli *clientv3.Client, key string) (<-chan *clientv3.LeaseKeepAliveResponse, error) {
	l, err := cli.Grant(ctx, 5)
	if err != nil {
		return nil, err
	}
	if _, err := cli.Put(ctx, key, "", clientv3.WithLease(l.ID)); err != nil {
		return nil, err
	}
	return cli.KeepAlive(ctx, l.ID)
}

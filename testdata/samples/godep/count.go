// Package count counts keys.
package count

import (
	"context"

	"github.com/coreos/etcd/clientv3"
)

// Below returns how many keys have a prefix.
func Below(ctx context.Context, kv clientv3.KV, prefix string) (int64, error) {
	res, err := kv.Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil {
		return 0, err
	}
	return res.Count, nil
}

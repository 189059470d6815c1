// Package draft does not compile, whatever etcd is.
package draft

import (
	"context"

	"github.com/coreos/etcd/clientv3"
)

// Save saves what was never declared.
func Save(ctx context.Context, kv clientv3.KV) error {
	_, err := kv.Put(ctx, "/draft", draftText)
	return err
}

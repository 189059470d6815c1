// Package store reads jobs.
package store

import (
	"context"

	"github.com/coreos/etcd/clientv3"
	"github.com/coreos/etcd/etcdserver/api/v3rpc/rpctypes"
	"github.com/pkg/errors"
)

// Get returns a job.
func Get(ctx context.Context, kv clientv3.KV, id string) (string, error) {
	res, err := kv.Get(ctx, "/jobs/"+id)
	if err == rpctypes.ErrPermissionDenied {
		return "", errors.Wrap(err, "ask for the role of a reader")
	}
	if err != nil || len(res.Kvs) == 0 {
		return "", errors.Wrapf(err, "job %s", id)
	}
	return string(res.Kvs[0].Value), nil
}

// Package m keeps what the golden cases import required: a client that has
// moved, and old packages beside it.
package m

import (
	_ "github.com/coreos/etcd/clientv3"
	_ "github.com/coreos/etcd/etcdserver/api/v3rpc/rpctypes"
	_ "go.etcd.io/etcd/client/v3"
)

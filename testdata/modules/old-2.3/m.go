// Package m names the packages that uses of etcd's symbols are written for, so
// that go.mod and go.sum hold what they need.
package m

import (
	_ "github.com/coreos/etcd/client"
	_ "github.com/coreos/etcd/clientv3"
	_ "github.com/coreos/etcd/clientv3/concurrency"
	_ "github.com/coreos/etcd/clientv3/mirror"
	_ "github.com/coreos/etcd/etcdmain"
	_ "github.com/coreos/etcd/etcdserver"
	_ "github.com/coreos/etcd/etcdserver/etcdserverpb"
	_ "github.com/coreos/etcd/integration"
	_ "github.com/coreos/etcd/lease/leasepb"
	_ "github.com/coreos/etcd/pkg/adt"
	_ "github.com/coreos/etcd/pkg/fileutil"
	_ "github.com/coreos/etcd/pkg/flags"
	_ "github.com/coreos/etcd/pkg/netutil"
	_ "github.com/coreos/etcd/pkg/osutil"
	_ "github.com/coreos/etcd/pkg/schedule"
	_ "github.com/coreos/etcd/pkg/testutil"
	_ "github.com/coreos/etcd/pkg/transport"
	_ "github.com/coreos/etcd/pkg/types"
	_ "github.com/coreos/etcd/raft"
	_ "github.com/coreos/etcd/raft/raftpb"
	_ "github.com/coreos/etcd/snap"
	_ "github.com/coreos/etcd/snap/snappb"
	_ "github.com/coreos/etcd/storage/storagepb"
	_ "github.com/coreos/etcd/wal"
	_ "github.com/coreos/etcd/wal/walpb"
)

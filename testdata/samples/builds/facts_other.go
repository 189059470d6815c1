//go:build !windows
// +build !windows

package builds

import (
	"context"

	"github.com/coreos/etcd/clientv3"
)

func facts(context.Context, clientv3.KV) map[string]string {
	return map[string]string{"/os": "unix"}
}

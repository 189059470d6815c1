// Package session is whole; only its module does not resolve: go.sum is
// missing, and old etcd asks for modules that moved.
package session

import (
	"github.com/coreos/etcd/clientv3"
	"github.com/coreos/etcd/clientv3/concurrency"
)

// Open opens a session.
func Open(cli *clientv3.Client) (*concurrency.Session, error) {
	return concurrency.NewSession(cli)
}

// Package half does not parse.
package half

import "github.com/coreos/etcd/clientv3"

func Close(cli *clientv3.Client) error {
	return cli.
}

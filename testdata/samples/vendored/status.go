// Package status asks members how they are.
package status // import "example.com/status"

import (
	"context"

	"github.com/coreos/etcd/clientv3"
)

// Sizes returns the size of the database of each endpoint.
func Sizes(ctx context.Context, cli *clientv3.Client) (map[string]int64, error) {
	sizes := map[string]int64{}
	for _, e := range cli.Endpoints() {
		res, err := cli.Status(ctx, e)
		if err != nil {
			return nil, err
		}
		sizes[e] = res.DbSize
	}
	return sizes, nil
}

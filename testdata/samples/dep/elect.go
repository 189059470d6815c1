// Package elect campaigns for the place of a leader.
package elect

import (
	"context"

	"github.com/coreos/etcd/clientv3"
	"github.com/coreos/etcd/clientv3/concurrency"
)

// Campaign returns when this process leads.
func Campaign(ctx context.Context, cli *clientv3.Client, name string) (*concurrency.Election, error) {
	s, err := concurrency.NewSession(cli, concurrency.WithTTL(5))
	if err != nil {
		return nil, err
	}
	e := concurrency.NewElection(s, "/elections/jobs")
	return e, e.Campaign(ctx, name)
}

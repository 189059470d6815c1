// Package builds is spread over build configurations.
package builds

import (
	"context"

	"github.com/coreos/etcd/clientv3"
)

// Agent keeps facts about a host.
type Agent struct{ KV clientv3.KV }

// Report puts the facts.
func (a *Agent) Report(ctx context.Context) error {
	for k, v := range facts(ctx, a.KV) {
		if _, err := a.KV.Put(ctx, k, v); err != nil {
			return err
		}
	}
	return nil
}

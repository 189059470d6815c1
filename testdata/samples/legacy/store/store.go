// Package store keeps jobs in etcd.
package store

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/coreos/etcd/clientv3"
	"github.com/coreos/etcd/clientv3/concurrency"
	"github.com/coreos/etcd/etcdserver/api/v3rpc/rpctypes"
	"github.com/coreos/etcd/mvcc/mvccpb"
	"github.com/coreos/etcd/pkg/transport"
	"google.golang.org/grpc"
)

// ErrDown says that etcd cannot be reached.
var ErrDown = errors.New("etcd is down")

// Options of Open.
type Options struct {
	Endpoints []string
	CA        string
	Cert, Key string
}

// Store keeps jobs.
type Store struct {
	cli    *clientv3.Client
	prefix string
}

// Job is a unit of work.
type Job struct {
	ID   string `json:"id"`
	Spec string `json:"spec"`
}

// Open connects to etcd and fails when it is down.
func Open(opt Options) (*Store, error) {
	var cfg *tls.Config
	if opt.CA != "" {
		info := transport.TLSInfo{
			CertFile: opt.Cert,
			KeyFile:  opt.Key,
			CAFile:   opt.CA,
		}
		var err error
		if cfg, err = info.ClientConfig(); err != nil {
			return nil, err
		}
	}
	cli, err := clientv3.New(clientv3.Config{
		Endpoints:   opt.Endpoints,
		DialTimeout: 5 * time.Second,
		TLS:         cfg,
	})
	if err == grpc.ErrClientConnTimeout {
		return nil, ErrDown
	}
	if err != nil {
		return nil, fmt.Errorf("connect: %v", err)
	}
	return &Store{cli: cli, prefix: "/jobs"}, nil
}

// Close ends the connection.
func (s *Store) Close() error { return s.cli.Close() }

// Put stores a job under a lease.
func (s *Store) Put(ctx context.Context, j Job, ttl int64) error {
	lease, err := s.cli.Grant(ctx, ttl)
	if err != nil {
		return err
	}
	data, err := json.Marshal(j)
	if err != nil {
		return err
	}
	_, err = s.cli.Put(ctx, path.Join(s.prefix, j.ID), string(data), clientv3.WithLease(lease.ID))
	return err
}

// List returns the jobs, in order of their keys.
func (s *Store) List(ctx context.Context) ([]Job, error) {
	resp, err := s.cli.Get(ctx, s.prefix, clientv3.WithPrefix(), clientv3.WithSort(clientv3.SortByKey, clientv3.SortAscend))
	if err != nil {
		return nil, err
	}
	jobs := make([]Job, 0, len(resp.Kvs))
	for _, kv := range resp.Kvs {
		j, err := decode(kv)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, j)
	}
	return jobs, nil
}

func decode(kv *mvccpb.KeyValue) (Job, error) {
	var j Job
	err := json.Unmarshal(kv.Value, &j)
	return j, err
}

// Watch calls f for each job that comes or goes.
func (s *Store) Watch(ctx context.Context, from int64, f func(id string, gone bool)) error {
	for resp := range s.cli.Watch(ctx, s.prefix, clientv3.WithPrefix(), clientv3.WithRev(from)) {
		if resp.Err() == rpctypes.ErrCompacted {
			return fmt.Errorf("watch from %d: compacted at %d", from, resp.CompactRevision)
		}
		for _, ev := range resp.Events {
			f(path.Base(string(ev.Kv.Key)), ev.Type == mvccpb.DELETE)
		}
	}
	return ctx.Err()
}

// Exclusive runs f while it holds the lock of a job.
func (s *Store) Exclusive(ctx context.Context, id string, f func() error) error {
	session, err := concurrency.NewSession(s.cli, concurrency.WithTTL(10))
	if err != nil {
		return err
	}
	defer session.Close()
	mu := concurrency.NewMutex(session, path.Join(s.prefix, "lock", id))
	if err := mu.Lock(ctx); err != nil {
		return err
	}
	defer mu.Unlock(context.Background())
	return f()
}

// Package clientv3 stands in for the code that somebody vendored by hand.
package clientv3

// Client is a client.
type Client struct{}

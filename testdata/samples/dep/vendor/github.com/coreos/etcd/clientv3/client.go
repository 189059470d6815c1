// Package clientv3 stands in for the code that dep vendored.
package clientv3

// Client is a client.
type Client struct{}

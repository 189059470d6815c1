// Package clientv3 stands in for the code that was vendored.
package clientv3

// KV keeps keys.
type KV interface{}

package atlas

import "strings"

// beside are packages, with all below them, whose users change when etcd
// moves: gRPC, protobuf and the libraries that bring etcd along.
var beside = []string{
	"google.golang.org/grpc",
	"github.com/gogo/protobuf",
	"github.com/golang/protobuf",
	"github.com/prometheus/common/log",
	"github.com/coreos/pkg/capnslog",

	"github.com/spf13/viper",
	"github.com/xordataexchange/crypt",
	"github.com/bketelsen/crypt",
	"github.com/sagikazarmark/crypt",
	"github.com/go-kit/kit/sd/etcd",
	"github.com/go-kit/kit/sd/etcdv3",
	"github.com/docker/libkv/store/etcd",
	"github.com/abronan/libkv/store/etcd",
	"github.com/rpcxio/libkv/store/etcd",
	"github.com/abronan/valkeyrie/store/etcd",
	"github.com/kvtools/valkeyrie/store/etcd",
	"github.com/micro/go-micro/registry/etcd",
	"github.com/micro/go-micro/v2/registry/etcd",
	"github.com/micro/go-plugins/registry/etcd",
	"github.com/micro/go-plugins/registry/etcdv3",
	"github.com/asim/go-micro/plugins/registry/etcd/v3",
	"github.com/casbin/etcd-watcher",
	"github.com/smallnest/rpcx/client",
	"github.com/smallnest/rpcx/serverplugin",
	"github.com/go-kratos/etcd",
	"github.com/kelseyhightower/confd/backends/etcd",
	"github.com/kelseyhightower/confd/backends/etcdv3",
}

// Beside reports whether code that uses a package may have to change when etcd
// moves, though the package is not etcd's.
func Beside(importPath string) bool {
	p := cutVendor(importPath)
	for _, b := range beside {
		if rest, ok := strings.CutPrefix(p, b); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

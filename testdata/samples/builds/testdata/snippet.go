package snippet

import _ "github.com/coreos/etcd/clientv3"

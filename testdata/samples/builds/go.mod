module example.com/builds

go 1.13

require github.com/coreos/etcd v3.3.13+incompatible

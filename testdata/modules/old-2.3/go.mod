module example.com/m

go 1.26.0

require github.com/coreos/etcd v2.3.8+incompatible

require (
	github.com/gogo/protobuf v1.2.1 // indirect
	github.com/golang/protobuf v1.3.2 // indirect
	github.com/matttproud/golang_protobuf_extensions v1.0.1 // indirect
)

replace google.golang.org/grpc => google.golang.org/grpc v1.26.0

replace github.com/coreos/bbolt => go.etcd.io/bbolt v1.3.3

package rules

import (
	"go/ast"
	"go/types"
	"strings"

	"golang.org/x/tools/go/ast/inspector"

	"github.com/etcdshift/etcdshift/rules/atlas"
)

// Up to 3.6 etcd's messages are made by gogo/protobuf: plain structs with
// Marshal, Unmarshal and Size methods. From 3.7 they are those of
// google.golang.org/protobuf: no such methods, and a lock in every message, so
// that a copy of one fails go vet.

const (
	googleProto     = "google.golang.org/protobuf/proto"
	googlePrototext = "google.golang.org/protobuf/encoding/prototext"
	googleProtojson = "google.golang.org/protobuf/encoding/protojson"
	gogoProto       = "github.com/gogo/protobuf/proto"
	gogoJSONPB      = "github.com/gogo/protobuf/jsonpb"
)

// messagePackages are the packages of generated messages.
var messagePackages = []string{
	"auth/authpb",
	"etcdserver/api/membership/membershippb",
	"etcdserver/api/snap/snappb",
	"etcdserver/api/v3election/v3electionpb",
	"etcdserver/api/v3lock/v3lockpb",
	"etcdserver/etcdserverpb",
	"lease/leasepb",
	"mvcc/mvccpb",
	"raft/raftpb",
	"snap/snappb",
	"storage/storagepb",
	"wal/walpb",
}

// onlyIn37 says whether a symbol broke in 3.7 and in no line before.
func onlyIn37(b *atlas.Break) bool {
	return b.In(atlas.Line35) == atlas.None && b.In(atlas.Line36) == atlas.None && b.In(atlas.Line37) != atlas.None
}

// oldMessage says whether a named type is a message as gogo/protobuf makes
// it, or a type of clientv3 that is defined as one.
func oldMessage(t types.Type) (*types.Named, bool) {
	if t == nil {
		return nil, false
	}
	n, ok := types.Unalias(t).(*types.Named)
	if !ok || n.Obj().Pkg() == nil {
		return nil, false
	}
	rel, _, ok := atlas.Canonical(n.Obj().Pkg().Path())
	if !ok {
		return nil, false
	}
	s, ok := n.Underlying().(*types.Struct)
	if !ok {
		return nil, false
	}
	if isProto(n) {
		return n, ownMethod(n, "ProtoReflect") == nil
	}
	if rel != "clientv3" || s.NumFields() > 0 && s.Field(0).Name() == "state" {
		return nil, false // no message, or one of 3.7
	}
	return n, clientMessages[n.Obj().Name()]
}

// isProto says whether a type has the methods of a message of its own.
func isProto(n *types.Named) bool {
	return ownMethod(n, "ProtoMessage") != nil
}

// ownMethod returns the method that a named type declares itself, promoted ones
// left out.
func ownMethod(n *types.Named, name string) *types.Func {
	for m := range n.Methods() {
		if m.Name() == name {
			return m
		}
	}
	return nil
}

// clientMessages are the types of clientv3 that are defined as a message.
// They share its fields, the lock of 3.7 among them, but not its methods.
var clientMessages = map[string]bool{
	"AlarmMember": true, "AlarmResponse": true,
	"AuthDisableResponse": true, "AuthEnableResponse": true, "AuthRoleAddResponse": true,
	"AuthRoleDeleteResponse": true, "AuthRoleGetResponse": true, "AuthRoleGrantPermissionResponse": true,
	"AuthRoleListResponse": true, "AuthRoleRevokePermissionResponse": true, "AuthStatusResponse": true,
	"AuthUserAddResponse": true, "AuthUserChangePasswordResponse": true, "AuthUserDeleteResponse": true,
	"AuthUserGetResponse": true, "AuthUserGrantRoleResponse": true, "AuthUserListResponse": true,
	"AuthUserRevokeRoleResponse": true, "AuthenticateResponse": true,
	"CompactResponse": true, "DefragmentResponse": true, "DeleteResponse": true, "DowngradeResponse": true,
	"Event": true, "GetResponse": true, "HashKVResponse": true, "LeaseRevokeResponse": true,
	"Member": true, "MemberAddResponse": true, "MemberListResponse": true, "MemberPromoteResponse": true,
	"MemberRemoveResponse": true, "MemberUpdateResponse": true, "MoveLeaderResponse": true,
	"Permission": true, "PutResponse": true, "StatusResponse": true, "TxnResponse": true,
	"UserAddOptions": true,
}

// protoMessage returns the old message that an expression is, or points to:
// one with methods, not a type of clientv3.
func (p *Pass) protoMessage(e ast.Expr) (n *types.Named, pointer, ok bool) {
	t := p.TypeOf(e)
	if t == nil {
		return nil, false, false
	}
	if ptr, isPtr := types.Unalias(t).(*types.Pointer); isPtr {
		t, pointer = ptr.Elem(), true
	}
	n, ok = oldMessage(t)
	return n, pointer, ok && isProto(n)
}

// usesMessages is the fast path of the rules on messages: whether types are
// known and the package mentions etcd at all.
func (p *Pass) usesMessages() bool {
	if p.Info == nil {
		return false
	}
	for pkg := range p.index.byPkg {
		if first, _, _ := strings.Cut(pkg, "/"); !strings.Contains(first, ".") {
			return true // etcd's packages go by their path below the module root
		}
	}
	return false
}

// funcAround returns the innermost function around a cursor: *ast.FuncDecl
// or *ast.FuncLit, nil at package level.
func funcAround(c inspector.Cursor) ast.Node {
	for a := range c.Enclosing((*ast.FuncDecl)(nil), (*ast.FuncLit)(nil)) {
		if a != c {
			return a.Node()
		}
	}
	return nil
}

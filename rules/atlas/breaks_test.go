package atlas

import (
	"slices"
	"sort"
	"strings"
	"testing"
)

func TestBreaksAreSortedAndFound(t *testing.T) {
	bs := Breaks()
	if !sort.SliceIsSorted(bs, func(i, j int) bool {
		if bs[i].Pkg != bs[j].Pkg {
			return bs[i].Pkg < bs[j].Pkg
		}
		return bs[i].Symbol < bs[j].Symbol
	}) {
		t.Fatal("breaks are not sorted")
	}
	for i := range bs {
		if got := BreakOf(bs[i].Pkg, bs[i].Symbol); got == nil || got.String() != bs[i].String() {
			t.Fatalf("BreakOf does not find %s", &bs[i])
		}
	}
	if BreakOf("clientv3", "New") != nil || BreakOf("nosuch", "New") != nil {
		t.Error("BreakOf finds what did not break")
	}
}

// Whoever reads a break must learn where it stands and what to do.
func TestEveryBreakTellsWhatToDo(t *testing.T) {
	for i := range Breaks() {
		b := &Breaks()[i]
		if b.Class == [3]Class{} || len(b.Forms) == 0 || len(b.Lines) == 0 || b.Old == "" || b.Advice == "" {
			t.Errorf("incomplete: %s", b)
		}
		if _, ok := HomeOf(b.Pkg, Line35); !ok {
			t.Errorf("%s: package without a home", b)
		}
		if !slices.Contains([]string{"client", "server", "other"}, b.Scope) {
			t.Errorf("%s: scope %q", b, b.Scope)
		}
		for i, l := range Lines() {
			if b.Class[i] == Compat && b.New[i] == "" && b.MovedTo[i] == "" {
				t.Errorf("%s: gone in %s, and said to compile", b, l)
			}
		}
	}
}

// What the table says of a target must be what the target's symbols say.
func TestBreaksAgreeWithTheSymbolsOfTheTargets(t *testing.T) {
	for i := range Breaks() {
		b := &Breaks()[i]
		for _, l := range Lines() {
			if s, _ := Lookup(b.Pkg, b.Symbol, string(l)); s.Sig != b.NewIn(l) && !sharedHome(b.Pkg) {
				t.Errorf("%s: new in %s %q; the symbol table has %q", b, l, b.NewIn(l), s.Sig)
			}
			path, symbol, ok := b.MovedIn(l)
			if !ok {
				continue
			}
			rel, _, _ := Canonical(path)
			if s, ok := Lookup(rel, symbol, string(l)); !ok || s.Sig == "" {
				t.Errorf("%s: moved to %s.%s, which %s does not have", b, path, symbol, l)
			}
		}
	}
}

// sharedHome reports a package whose home has another canonical name: several
// old packages went there, or an older module is its home.
func sharedHome(rel string) bool {
	for _, l := range Lines() {
		h, _ := HomeOf(rel, l)
		if r, _, _ := Canonical(h.Path); !h.Gone && r != rel {
			return true
		}
	}
	return rel == "client"
}

func TestBreakKnowsTheFormOfEachRelease(t *testing.T) {
	b := BreakOf("pkg/transport", "SelfCert")
	if b == nil {
		t.Fatal("SelfCert did not break")
	}
	if len(b.Forms) < 3 || !strings.Contains(b.NewIn(Line36), "lg *zap.Logger, dirpath string, hosts []string, selfSignedCertValidity uint") {
		t.Errorf("SelfCert: %+v", b)
	}
	if c, ok := b.From("3.5.35", Line36); !ok || c != None {
		t.Errorf("SelfCert of 3.5.35 in 3.6: %s, %t", c, ok)
	}
	if c, ok := b.From("3.3.10", Line35); !ok || c == None {
		t.Errorf("SelfCert of 3.3.10 in 3.5: %s, %t", c, ok)
	}
	// 3.4.13 was not read: 3.4.9 and 3.4.16 have the same form.
	if c, ok := b.From("v3.4.13", Line35); !ok || c == None {
		t.Errorf("SelfCert of 3.4.13 in 3.5: %s, %t", c, ok)
	}
	if c, ok := b.From("v3.5.21", Line37); !ok || c != None {
		t.Errorf("SelfCert of 3.5.21 in 3.7: %s, %t", c, ok)
	}
	if _, ok := BreakOf("clientv3/balancer", "Config").From("v3.2.9", Line35); ok {
		t.Error("3.2.9 has a balancer package")
	}

	b = BreakOf("etcdserver", "ServerConfig.SnapCount")
	if path, sym, ok := b.MovedIn(Line37); !ok || path != "go.etcd.io/etcd/server/v3/config" || sym != "ServerConfig.SnapshotCount" {
		t.Errorf("SnapCount moved to %s %s", path, sym)
	}
}

func TestReleasesAroundAVersion(t *testing.T) {
	for _, c := range []struct{ version, older, newer string }{
		{"v3.4.31", "3.4.31", "3.4.31"},
		{"3.3.13+incompatible", "3.3.10", "3.3.27"},
		{"v3.4.45", "3.4.31", "3.4.31"},
		{"v3.4.1", "3.4.9", "3.4.9"},
		{"v3.0.17", "2.3.8", "3.1.20"},
		{"v2.1.0", "2.3.8", "2.3.8"},
		{"v3.5.0", "3.5.35", "3.5.35"},
		{"v3.6.2", "3.6.16", "3.6.16"},
		{"v3.8.0", "3.7.3", "3.7.3"},
		{"", "", ""},
		{"latest", "", ""},
	} {
		if older, newer := around(c.version); older != c.older || newer != c.newer {
			t.Errorf("around(%s) = %s, %s; want %s, %s", c.version, older, newer, c.older, c.newer)
		}
	}
}

func TestSymbolsOfARelease(t *testing.T) {
	for _, c := range []struct{ pkg, name, release, sig, kind string }{
		{"clientv3", "New", "3.2.9", "func New(cfg Config) (*Client, error)", "func"},
		{"clientv3", "Config.Logger", "3.7", "field Logger *zap.Logger", "field"},
		{"clientv3", "KV.GetStream", "v3.7.3", "method GetStream(ctx context.Context, key string, opts ...OpOption) (GetStreamChan, error)", "method"},
		{"clientv3", "Client.KV", "3.4.31", "embed KV", "embed"},
		{"pkg/transport", "TLSInfo.CAFile", "3.3.10", "field CAFile string", "field"},
		{"clientv3", "Cmp", "3.6", "type Cmp etcdserverpb.Compare", "type"},
		{"mvcc/mvccpb", "PUT", "3.3.27", "const PUT Event_EventType", "const"},
		{"server/config", "ServerConfig", "3.5", "type ServerConfig struct", "type"},
		{"integration", "Cluster.TakeClient", "3.6", "func (*Cluster) TakeClient(idx int)", "method"},
	} {
		s, ok := Lookup(c.pkg, c.name, c.release)
		if !ok || s.Sig != c.sig || s.Kind() != c.kind {
			t.Errorf("Lookup(%s, %s, %s) = %q (%s), %t; want %q (%s)", c.pkg, c.name, c.release, s.Sig, s.Kind(), ok, c.sig, c.kind)
		}
	}
	if _, ok := Lookup("pkg/transport", "TLSInfo.CAFile", "3.5"); ok {
		t.Error("3.5 has TLSInfo.CAFile")
	}
	if _, ok := Lookup("pkg/transport", "TLSInfo.CA", "3.3.10"); ok {
		t.Error("a prefix of a name is found")
	}
	if n := len(Symbols("clientv3", "3.6")); n < 300 {
		t.Errorf("clientv3 of 3.6 has %d symbols", n)
	}
}

func TestMethodsToWriteForFakes(t *testing.T) {
	names := func(ms []Method) string {
		var ns []string
		for _, m := range ms {
			ns = append(ns, m.Name)
		}
		return strings.Join(ns, " ")
	}
	for _, c := range []struct{ pkg, iface, from, to, added, changed string }{
		{"clientv3", "KV", "3.4.31", "3.6", "", ""},
		{"clientv3", "KV", "3.4.31", "3.7", "GetStream", ""},
		{"clientv3", "KV", "v3.4.13", "v3.7.1", "GetStream", ""},
		{"clientv3", "Lease", "3.2.32", "3.5", "Leases", ""},
		{"clientv3", "Cluster", "3.3.27", "3.6", "MemberAddAsLearner MemberPromote", "MemberList"},
		{"clientv3", "Maintenance", "3.4.31", "3.6", "Downgrade SnapshotWithVersion", ""},
		{"clientv3", "Auth", "3.4.31", "3.5", "AuthStatus", ""},
		{"etcdserver/etcdserverpb", "KVServer", "3.4.31", "3.7", "RangeStream mustEmbedUnimplementedKVServer", ""},
	} {
		added, changed := MethodsToWrite(c.pkg, c.iface, c.from, c.to)
		if names(added) != c.added || names(changed) != c.changed {
			t.Errorf("%s.%s from %s to %s: added %q, changed %q", c.pkg, c.iface, c.from, c.to, names(added), names(changed))
		}
	}
	ms := Methods("clientv3", "Cluster", "3.6")
	i := slices.IndexFunc(ms, func(m Method) bool { return m.Name == "MemberList" })
	if i < 0 || ms[i].Sig != "(ctx context.Context, opts ...clientv3.OpOption) (*clientv3.MemberListResponse, error)" ||
		ms[i].Imports["clientv3"] != "go.etcd.io/etcd/client/v3" || ms[i].Imports["context"] != "context" {
		t.Errorf("MemberList of 3.6: %+v", ms)
	}
}

func TestMessagesMustNotBeCopiedIn37(t *testing.T) {
	for _, c := range []struct {
		pkg, typ, release string
		want              bool
	}{
		{"mvcc/mvccpb", "KeyValue", "3.6", false},
		{"mvcc/mvccpb", "KeyValue", "3.7", true},
		{"clientv3", "GetResponse", "3.7", true},
		{"clientv3", "GetResponse", "3.5", false},
		{"clientv3", "Event", "3.7", true},
		{"clientv3", "WatchResponse", "3.7", false}, // its Header is a pointer
		{"clientv3", "Config", "3.7", false},
		{"raft/raftpb", "Entry", "3.7", true},
		{"raft", "MemoryStorage", "3.4.31", true},
	} {
		if got := MustNotCopy(c.pkg, c.typ, c.release); got != c.want {
			t.Errorf("MustNotCopy(%s, %s, %s) = %t", c.pkg, c.typ, c.release, got)
		}
	}
}

func TestMessagesOfEachRelease(t *testing.T) {
	for _, c := range []struct {
		pkg, typ, release string
		want              bool
	}{
		{"mvcc/mvccpb", "KeyValue", "3.2.9", true},
		{"etcdserver/etcdserverpb", "RangeRequest", "3.7", true},
		{"raft/raftpb", "Entry", "3.6", true},
		{"clientv3", "GetResponse", "3.7", false},
		{"clientv3", "Config", "3.7", false},
	} {
		if got := IsMessage(c.pkg, c.typ, c.release); got != c.want {
			t.Errorf("IsMessage(%s, %s, %s) = %t", c.pkg, c.typ, c.release, got)
		}
	}
}

package rules

import (
	"slices"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// etcdThrough reports the use of libraries that bring etcd along, where their
// move to etcd's modules changes what their users write, or where they never
// moved.
var etcdThrough = &Rule{
	ID:    "etcd-through",
	Title: "report libraries that use etcd by an API or a module of the past",
	Before: `package p

import (
	"github.com/docker/libkv"
	"github.com/docker/libkv/store"
	"github.com/docker/libkv/store/etcd"
)

func open(addrs []string) (store.Store, error) {
	etcd.Register()
	return libkv.NewStore(store.ETCD, addrs, nil)
}
`,
	After: `package p

import (
	"github.com/docker/libkv"
	"github.com/docker/libkv/store"
	"github.com/docker/libkv/store/etcd"
)

func open(addrs []string) (store.Store, error) {
	etcd.Register()
	return libkv.NewStore(store.ETCD, addrs, nil)
}
`,
	Why: "A library that requires the old etcd module cannot be linked beside the new one: both register the same messages, and the program panics at start. " +
		"Those that moved did so with a new major version or under another path.",
	Since:  "v3.5.0",
	Safety: Report,
	Refs: []string{
		"https://github.com/sagikazarmark/crypt",
		"https://github.com/kvtools/valkeyrie",
		"https://github.com/rpcxio/rpcx-etcd",
	},
	Run: runEtcdThrough,
}

// through is what is known of a library.
type through struct {
	paths   []string // packages, with all below them
	symbols []string // that the finding is about; none for the import
	only    []atlas.Line
	before  string // etcd release that the code must be older than, "" for any
	sev     edit.Severity
	message string
	advice  string
}

var (
	linesWithoutV2 = []atlas.Line{atlas.Line36, atlas.Line37}
	throughs       = []through{
		{
			paths: []string{"github.com/xordataexchange/crypt"}, sev: edit.Manual,
			message: "this crypt requires the old etcd module, and has no release that does not",
			advice:  "import github.com/sagikazarmark/crypt instead, with config.NewEtcdV3ConfigManager(machines, keystore) for config.NewEtcdConfigManager, and config.NewStandardEtcdV3ConfigManager(machines) for the one without encryption; then put the values into the v3 store",
		},
		{
			paths: []string{"github.com/sagikazarmark/crypt/config", "github.com/bketelsen/crypt/config"}, only: linesWithoutV2, sev: edit.Review,
			symbols: []string{"NewEtcdConfigManager", "NewStandardEtcdConfigManager", "NewStandardEtcdConfigManagerFromConfig"},
			message: "this config manager reads by the v2 API, which no server has from etcd 3.6 on",
			advice:  "import github.com/sagikazarmark/crypt/config, use config.NewEtcdV3ConfigManager(machines, keystore) or config.NewStandardEtcdV3ConfigManager(machines), and put the values into the v3 store",
		},
		{
			paths: []string{"github.com/go-kit/kit/sd/etcd"}, only: linesWithoutV2, sev: edit.Review,
			message: "go-kit's sd/etcd discovers by the v2 API, which no server has from etcd 3.6 on",
			advice:  "use github.com/go-kit/kit/sd/etcdv3, with the same NewInstancer and NewRegistrar; services register under Service{Key: key, Value: value, TTL: etcdv3.NewTTLOption(heartbeat, ttl)}",
		},
		{
			paths: []string{"github.com/go-kit/kit/sd/etcdv3"}, symbols: []string{"NewClient"}, before: "v3.4.0", sev: edit.Review,
			message: "etcdv3.NewClient gave an error when no etcd answered within DialTimeout; from go-kit 0.11 on it does not wait",
			advice:  "call client.GetEntries(prefix) once where the error of NewClient is used as \"etcd is up\"; before etcd 3.7, ClientOptions{DialOptions: []grpc.DialOption{grpc.WithBlock()}} waits as well",
		},
		{
			paths: []string{"github.com/docker/libkv/store/etcd", "github.com/abronan/libkv/store/etcd", "github.com/abronan/valkeyrie/store/etcd"}, sev: edit.Manual,
			message: "this store requires the old etcd module, and has no release that does not",
			advice:  "use github.com/kvtools/etcdv3: kv, err := etcdv3.New(ctx, addrs, &etcdv3.Config{ConnectionTimeout: 10 * time.Second}) with the interface store.Store of github.com/kvtools/valkeyrie/store, whose methods take a context first; data of the v2 API has to be written anew",
		},
		{
			paths: []string{"github.com/micro/go-micro/registry/etcd", "github.com/micro/go-micro/v2/registry/etcd", "github.com/micro/go-plugins/registry/etcd", "github.com/micro/go-plugins/registry/etcdv3"}, sev: edit.Manual,
			message: "this registry requires the old etcd module, and go-micro has no release of this major version that does not",
			advice:  "move to go-micro.dev/v4 and import github.com/go-micro/plugins/v4/registry/etcd, with etcd.NewRegistry(registry.Addrs(addrs...)) as before",
		},
		{
			paths: []string{"github.com/casbin/etcd-watcher"}, sev: edit.Manual,
			message: "this watcher requires the old etcd module",
			advice:  "import github.com/casbin/etcd-watcher/v2, which needs casbin v2: etcdwatcher.NewWatcher(endpoints, keyName)",
		},
		{
			paths: []string{"github.com/smallnest/rpcx/client"}, sev: edit.Manual,
			symbols: []string{"NewEtcdDiscovery", "NewEtcdDiscoveryTemplate", "NewEtcdDiscoveryStore", "NewEtcdV3Discovery", "NewEtcdV3DiscoveryTemplate", "NewEtcdV3DiscoveryStore"},
			message: "rpcx has its etcd discovery in a module of its own since 1.6; releases before that require the old etcd module",
			advice:  "import github.com/rpcxio/rpcx-etcd/client and call NewEtcdV3Discovery(basePath, servicePath, etcdAddrs, allowKeyNotFound, options), which gives an error, too",
		},
		{
			paths: []string{"github.com/smallnest/rpcx/serverplugin"}, sev: edit.Manual,
			symbols: []string{"EtcdRegisterPlugin", "EtcdV3RegisterPlugin"},
			message: "rpcx has its etcd registration in a module of its own since 1.6; releases before that require the old etcd module",
			advice:  "import github.com/rpcxio/rpcx-etcd/serverplugin and use EtcdV3RegisterPlugin of it, with the same fields",
		},
		{
			paths: []string{"github.com/go-kratos/etcd"}, sev: edit.Review,
			message: "this module was made for a pre-release of etcd 3.5 and moved into the kratos repository",
			advice:  "import github.com/go-kratos/kratos/contrib/registry/etcd/v2, with etcd.New(client), or github.com/go-kratos/kratos/contrib/config/etcd/v2 for configuration",
		},
		{
			paths: []string{"github.com/kelseyhightower/confd/backends/etcd", "github.com/kelseyhightower/confd/backends/etcdv3"}, sev: edit.Manual,
			message: "confd requires the old etcd module, and has no release that does not",
			advice:  "run confd as a program of its own with -backend etcdv3, or watch the keys with client/v3: cli.Watch(ctx, prefix, clientv3.WithPrefix())",
		},
	}
)

func runEtcdThrough(p *Pass) {
	for _, f := range p.Files {
		for _, i := range f.imps {
			// What a library says of itself is not to be reported.
			if !atlas.Beside(i.path) || p.Pkg != nil && sameRepository(i.path, p.Pkg.Path()) {
				continue
			}
			for _, t := range throughs {
				if !t.names(i.path) || len(t.only) > 0 && !slices.Contains(t.only, p.Target.Line) || t.before != "" && p.From != "" && !p.FromBefore(t.before) {
					continue
				}
				if len(t.symbols) == 0 {
					p.Report(f, i.spec, t.sev, i.path+": "+t.message, t.advice)
					continue
				}
				for _, s := range t.symbols {
					for _, r := range p.Refs(i.path, s) {
						if r.File == f {
							p.Report(f, r.Ident, t.sev, t.message, t.advice)
						}
					}
				}
			}
		}
	}
}

// names says whether a package is one of the library's. A major version that
// follows the path is another library.
func (t through) names(path string) bool {
	for _, b := range t.paths {
		rest, ok := strings.CutPrefix(path, b)
		if !ok {
			continue
		}
		if rest == "" {
			return true
		}
		if rest[0] == '/' && !(b == "github.com/casbin/etcd-watcher" && strings.HasPrefix(rest, "/v")) {
			return true
		}
	}
	return false
}

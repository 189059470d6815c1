package doctor

import "strings"

// The pieces of advice that many texts share.
const (
	migrate  = "etcdshift migrate"
	tidy     = "go mod tidy"
	unpin    = "go mod edit -dropreplace=google.golang.org/grpc"
	whoGRPC  = "go list -m google.golang.org/grpc"
	stay     = "# to stay on the old client for now:"
	pinGRPC  = "go mod edit -replace=google.golang.org/grpc=google.golang.org/grpc@v1.26.0"
	pinBbolt = "go mod edit -replace=github.com/coreos/bbolt=go.etcd.io/bbolt@v1.3.3"

	modRef = "https://go.dev/ref/mod"
)

// texts are all that Explain knows. Order matters: the first that matches a
// stretch of the log owns it, so what is special comes before what is general.
//
// Each entry comes from a text that a go command printed (see the tests), with
// the versions, paths and names in it left open.
var texts = []known{
	// ---- security first: nothing below may explain these away

	{
		id: "checksum-database", severity: Error,
		title: "{module|a module} {version|} is not what the checksum database knows",
		like: []string{
			`(?P<module><PATH>)@(?P<version><VER>): verifying (?:module|go\.mod): checksum mismatch downloaded: (?P<got>h1:\S+) (?P<db>[\w.-]+): (?P<want>h1:\S+)`,
			`verifying (?P<module><PATH>)@(?P<version><VER>)(?:/go\.mod)?: checksum mismatch downloaded: (?P<got>h1:\S+) (?P<db>[a-z0-9-]+\.[\w.-]*): (?P<want>h1:\S+) SECURITY ERROR This download does NOT match the one reported by the checksum server`,
			`This download does NOT match the one reported by the checksum server`,
			`verifying (?:module|go\.mod): checksum mismatch`,
		},
		cause: "what was downloaded differs from what everybody else got: {db|it} has another sum for this version. A proxy that rewrites or re-packs modules does this, and so does an attack",
		fix: []string{
			"go env GOPROXY",
			"# compare with a download from the origin, which the checksum database checks as well",
			"GOPROXY=direct GOFLAGS=-modcacherw go mod download -json {module}@{version}",
			"# tell the people who run the proxy; a proxy that strips files or line ends changes the sum",
			"go clean -modcache",
		},
		ref: modRef + "#checksum-database",
	},
	{
		id: "checksum-mismatch", severity: Error,
		title: "{module|a module} {version|} is not what go.sum recorded",
		like: []string{
			`verifying (?P<module><PATH>)@(?P<version><VER>)(?:/go\.mod)?: checksum mismatch downloaded: (?P<got>h1:\S+) (?:[^\s:]*go\.(?:work\.)?sum): (?P<want>h1:\S+)`,
			`verifying (?P<module><PATH>)@(?P<version><VER>)(?:/go\.mod)?: checksum mismatch`,
			`checksum mismatch downloaded: (?P<got>h1:\S+) (?:[^\s:]*go\.(?:work\.)?sum): (?P<want>h1:\S+)`,
			`This download does NOT match an earlier download recorded in go\.sum`,
		},
		cause: "the module that was downloaded differs from the one that go.sum recorded: its tag was moved after the first download, the download was altered on the way or in a proxy, or go.sum was merged or edited wrongly. go mod tidy does not repair this, and switching the check off would only build what nobody has looked at",
		fix: []string{
			"# find out who is right: what do the history of go.sum and the checksum database say?",
			"git log -p -S '{module} {version}' -- go.sum",
			"cd $(mktemp -d) && go mod init try && go mod download -json {module}@{version}",
			"# the same sum as go.sum: a cache or a proxy holds something else; drop it and download again",
			"go clean -modcache",
			"# another sum than go.sum: the record is wrong or the tag was moved; choose another version, or have the new sum reviewed like a change of code",
			"go get {module}@{other|VERSION}",
		},
		ref: modRef + "#verify-checksums",
	},
	{
		id: "checksum-database-unreachable", severity: Error,
		title: "the checksum database does not answer for {module}",
		like: []string{
			`(?P<module><PATH>)@(?P<version><VER>): verifying (?:module|go\.mod): (?:<PATH>@<VER>(?:/go\.mod)?: )?reading (?P<url>https?://[^\s"]+/lookup/\S+): (?P<status>\d\d\d) `,
			`verifying (?:(?:module|go\.mod): )?(?P<module><PATH>)@(?P<version><VER>)(?:/go\.mod)?: (?:<PATH>@<VER>(?:/go\.mod)?: )?(?:initializing sumdb\.Client: )?(?:checking tree#\d+: )?(?:reading|Get) "?(?P<url>https?://[^\s"]+)`,
		},
		cause: "go.sum has no line for this module yet, and the checksum database that should confirm it was not reachable or does not know it. It never knows private modules: those belong into GOPRIVATE, and only those",
		fix: []string{
			"go env GOPROXY GOSUMDB GOPRIVATE",
			"# a private module: name its prefix, nothing wider",
			"go env -w GOPRIVATE={prefix|PREFIX}",
			"# a public one: a proxy can pass the checksum database on; ask its operators, or open the way to it",
		},
		mind: func(f facts) bool { f["prefix"] = privatePrefix(f["module"]); return true },
		ref:  modRef + "#private-modules",
	},
	{
		id: "go-sum-malformed", severity: Error,
		title: "go.sum has a line that is no entry",
		like:  []string{`malformed go\.sum: (?P<file>\S+go\.sum):(?P<line>\d+): wrong number of fields (?P<n>\d+)`},
		cause: "a line of go.sum does not have three fields: what a merge leaves behind. Take the markers out by hand, keep the lines of both sides, and let go mod tidy drop what is not needed; a tidy over the markers would forget which sums were recorded",
		fix: []string{
			"git diff -- go.sum",
			"# remove the merge markers, keep the entries of both sides",
			tidy,
		},
		ref: modRef + "#go-sum-files",
	},
	{
		id: "go-mod-merge", severity: Error,
		title: "go.mod holds the markers of a merge",
		like:  []string{`(?P<file>\S*go\.(?:mod|work)):(?P<line>\d+): unknown directive: (?:<<<<<<<|=======|>>>>>>>|\|\|\|\|\|\|\|)`},
		cause: "the file is, or was committed, in the middle of a merge; the go command cannot read it",
		ref:   modRef + "#go-mod-file-lexical",
		fix: []string{
			"git diff -- {file}",
			"# keep the higher version of each requirement of the two sides, remove the markers",
			tidy,
		},
	},

	// ---- packages that left gRPC, and who still asks for them

	{
		id: "grpc-replaced", severity: Error,
		title: "a pin holds gRPC at {have|a version} that lacks packages of today",
		like: []string{
			`(?P<pkg>google\.golang\.org/grpc/<PATH>): module google\.golang\.org/grpc@\S+ found \((?:(?P<found><VER>), )?replaced by (?P<by><PATH>)@(?P<have><VER>)\), but does not contain package`,
			`module google\.golang\.org/grpc@\S+ found \((?:(?P<found>[\w.+-]+), )?replaced by (?P<by>[^\s@)]+)@(?P<have>[\w.+-]+)\), but does not contain package (?P<pkg>google\.golang\.org/grpc/<PATH>)`,
			`does not contain package (?P<pkg>google\.golang\.org/grpc/(?:credentials/insecure|serviceconfig|resolver/manual|credentials))(?:\s|$)`,
		},
		mind: func(f facts) bool {
			f["module"], f["version"] = "google.golang.org/grpc", f["have"]
			f["short"] = strings.TrimPrefix(f["pkg"], "google.golang.org/")
			return f["short"] != "grpc/naming"
		},
		cause: "go.mod holds gRPC at {have|an old version}, by a replace as a rule: a pin that the etcd clients up to 3.4 needed. The packages of today, client/v3 among them, import {pkg}, which came later",
		fix:   []string{unpin, tidy, "# if an old etcd client is still imported, this moves the code and the pin together:", migrate},
		ref:   "https://github.com/etcd-io/etcd/issues/12124",
	},
	{
		id: "grpc-naming", severity: Error,
		title: "google.golang.org/grpc/naming is gone, and old etcd imports it",
		like: []string{
			`(?P<pkg>google\.golang\.org/grpc/naming): module google\.golang\.org/grpc@\S+ found \((?P<found><VER>)(?:, replaced by \S+@(?P<have><VER>))?\), but does not contain package google\.golang\.org/grpc/naming`,
			`module google\.golang\.org/grpc@\S+ found(?: \((?P<found><VER>)(?:, replaced by \S+@(?P<have><VER>))?\))?, but does not contain package (?P<pkg>google\.golang\.org/grpc/naming)\b`,
			`(?:<SRC> )?(?:cannot find package|no required module provides package|cannot find module providing package) "?(?P<pkg>google\.golang\.org/grpc/naming)\b`,
		},
		mind: func(f facts) bool {
			f["pkg"], f["module"] = "google.golang.org/grpc/naming", "google.golang.org/grpc"
			if f["found"] != "" {
				f["version"] = f["found"]
			}
			return f.raise()
		},
		cause: "gRPC 1.30 removed the package, and the build has gRPC {found|from 1.30 on}. {who} imports an etcd client of 3.4 or before; its tests, which go mod tidy resolves as well, need grpc/naming. A replace of gRPC by 1.26 makes this error go and brings the next, with all that needs a newer gRPC",
		fix:   []string{"go get {raise}", "{settle}", migrate, "# who imports it:", "go mod why -m google.golang.org/grpc"},
		ref:   "https://github.com/etcd-io/etcd/issues/12124",
	},

	// ---- gRPC too new or too old for what is compiled

	{
		id: "etcd-grpc-too-new", severity: Error,
		title: "gRPC is too new for {module|the etcd client} {version|}",
		like: []string{
			`(?:<SRC> )?undefined: (?P<sym>(?:grpc|balancer|base|resolver|manual|credentials|grpccredentials|metadata|connectivity|serviceconfig|encoding|grpclog|stats)\.\w+)(?:\s|$)`,
			`<SRC> (?P<name>\w+) not declared by package (?P<in>grpc|balancer|base|resolver|manual|credentials|metadata)`,
			`(?:<SRC> )?(?:invalid operation: )?(?:target|\w+)\.(?P<field>Authority|Scheme) undefined \(type (?:"google\.golang\.org/grpc/)?resolver"?\.Target has no field or method (?:Authority|Scheme)`,
			`\btarget\.(?P<field>Authority) undefined(?:\s|$)`,
			`(?:<SRC> )?cannot use [^\n]*\*?errPicker[^\n]* (?:\*errPicker )?does not implement (?:"google\.golang\.org/grpc/)?(?:balancer"?\.)?Picker \(wrong type for (?P<picker>method Pick)\b`,
			`(?:<SRC> )?cannot use [^\n]*\*errPicker[^\n]* as (?:"google\.golang\.org/grpc/balancer"\.|balancer\.)?(?P<picker>Picker) value in return statement`,
		},
		mind:  tooNew,
		cause: "{what} with {removed}; {user} was written for gRPC before that, and the build list has a newer one: some other module asks for it, or, as etcd 3.3 has no go.mod, nothing asks for an old one",
		fix:   []string{migrate, stay, pinGRPC, tidy},
		ref:   "https://github.com/etcd-io/etcd/issues/11563",
	},
	{
		id: "grpc-generated-code", severity: Error,
		title: "generated code needs gRPC {needs} or newer",
		like: []string{
			`<SRC> (?:invalid operation: )?undefined: (?P<sym>grpc\.(?:SupportPackageIsVersion\d+|ClientConnInterface|ServiceRegistrar|StaticMethod))\b`,
			`<SRC> (?P<sym>SupportPackageIsVersion\d+|ClientConnInterface) not declared by package grpc`,
			`^undefined: (?P<sym>grpc\.(?:SupportPackageIsVersion\d+|ClientConnInterface))\b`,
		},
		mind:  generated,
		cause: "the code was made by a newer protoc-gen-go than the gRPC of this build: {sym} came with gRPC {needs}. gRPC is held back by a replace, an exclude or a requirement, most often {by|the pin that an etcd client of 3.4 or before needs (at most 1.29)}",
		fix: []string{
			whoGRPC,
			"# with an old etcd client in the build: move it, and the pin goes with it",
			migrate,
			"# without: drop the pin",
			unpin,
			"go get google.golang.org/grpc@{needs}",
			tidy,
		},
		ref: "https://github.com/etcd-io/etcd/issues/11915",
	},
	{
		id: "protobuf-generated-code", severity: Error,
		title: "generated code needs a newer github.com/golang/protobuf",
		like: []string{
			`(?:<SRC> )?undefined: (?P<sym>proto\.(?:ProtoPackageIsVersion[34]|GoGoProtoPackageIsVersion3|InternalMessageInfo|RegisterMapType))(?:\s|$)`,
			`<SRC> (?P<sym>ProtoPackageIsVersion[34]) not declared by package proto`,
		},
		mind: func(f facts) bool {
			f["module"], f["version"] = "", ""
			f["lib"], f["at"] = "github.com/golang/protobuf", "v1.5.4"
			if strings.HasPrefix(f["sym"], "proto.GoGo") {
				f["lib"], f["at"] = "github.com/gogo/protobuf", "v1.3.2"
			}
			return true
		},
		cause: "{sym} is not in the {lib} of this build: the code was generated by a newer one. A replace holds it back, or, without modules, an old copy in GOPATH or vendor/",
		fix:   []string{"go list -m {lib}", "go mod edit -dropreplace={lib}", "go get {lib}@{at}", tidy},
		ref:   "https://github.com/etcd-io/etcd/issues/10288",
	},
	{
		id: "etcd-versions-mixed", severity: Error,
		title: "the etcd modules of this build are of different releases",
		like: []string{
			`(?:<SRC> )?(?:cannot use [^\n]*|… )?\s*\*?(?P<retry>retry\w+Client)\)? does not implement (?:"[^"]*etcdserverpb"|etcdserverpb|pb)\.\w+Client \(missing method (?P<sym>\w+)\)`,
			`(?:<SRC> )?undefined: (?P<sym>(?:rpctypes|etcdserverpb|pb|mvccpb|authpb|version)\.\w+)(?:\s|$)`,
		},
		mind: func(f facts) bool {
			// Without a file only names that etcd alone has are believed.
			return isNew(f["file"]) || f["retry"] != "" && f["module"] == "" && !isOld(f["file"]) ||
				f["file"] == "" && strings.HasPrefix(f["sym"], "rpctypes.ErrG")
		},
		cause: "{module|an etcd module} {version|} needs {sym} of go.etcd.io/etcd/api/v3, which the build has in another release. All modules of etcd (api, client, client/pkg, pkg, server, raft up to 3.5) are made to go together, release by release; client/v2 v2.305.x goes with v3.5.x",
		fix:   []string{"go list -m all", "go get go.etcd.io/etcd/api/v3@{version|VERSION} go.etcd.io/etcd/client/pkg/v3@{version|VERSION} go.etcd.io/etcd/client/v3@{version|VERSION}", tidy},
		ref:   modRef + "#minimal-version-selection",
	},
	{
		id: "grpc-too-old", severity: Error,
		title: "gRPC is too old for {module|the etcd client} {version|}",
		like: []string{
			`(?:<SRC> )?undefined: (?P<sym>(?:grpc|balancer|base|resolver|manual|credentials|grpccredentials|metadata|connectivity|serviceconfig|encoding|grpclog|stats)\.\w+)(?:\s|$)`,
			`<SRC> (?P<name>\w+) not declared by package (?P<in>grpc|balancer|base|resolver|manual|credentials|metadata)`,
			`(?:<SRC> )?invalid operation: cannot call (?P<cc>r\.CC)\b`,
			`(?:<SRC> )?\w+\.(?P<done>BytesSent) undefined \(type balancer\.DoneInfo has no field or method BytesSent`,
			`(?:<SRC> )?target\.(?P<field>URL) undefined \(type (?:"google\.golang\.org/grpc/)?resolver"?\.Target has no field or method URL`,
		},
		mind:  tooOld,
		cause: "{user} needs {sym}, which gRPC has from {added|a newer version} on. The module asks for a gRPC that is new enough, so only a replace or an exclude can hold it below: most often the pin of the old etcd client. go mod tidy does not see this",
		fix:   []string{whoGRPC, unpin, "# and an exclude, if there is one:", "go mod edit -json", tidy},
		ref:   "https://github.com/etcd-io/etcd/issues/12124",
	},
	{
		id: "client-naming-grpc", severity: Error,
		title: "client/v3/naming/resolver of {module|this client} {version|} is older than gRPC 1.53",
		like:  []string{`(?:<SRC> )?cannot use target\.Endpoint \(value of type func\(\) string\) as string value`},
		cause: "Target.Endpoint was a field up to gRPC 1.52 and is a method since; client/v3 up to 3.5.9 reads the field, 3.5.10 and later do not",
		fix:   []string{"go get go.etcd.io/etcd/client/v3@v3.5.12 go.etcd.io/etcd/api/v3@v3.5.12 go.etcd.io/etcd/client/pkg/v3@v3.5.12", tidy},
		ref:   "https://github.com/etcd-io/etcd/issues/14923",
	},

	// ---- two generations of etcd

	{
		id: "two-generations", severity: Error,
		title: "two generations of etcd are linked into one program",
		like: []string{
			`panic: proto: duplicate (?P<kind>enum|message|proto type) registered: (?P<name>(?:mvccpb|authpb|etcdserverpb|membershippb|leasepb|walpb|snappb|lockpb|electionpb|v3lockpb|v3electionpb)\.\w+)`,
			`(?:panic: |WARNING: )?proto: (?P<kind>message|enum|file|extension) "?(?P<name>(?:mvccpb|authpb|etcdserverpb|membershippb|leasepb|walpb|snappb)\.\w+)"? is already registered`,
			`(?:panic: |WARNING: )?proto: file "(?P<name>[^"\n]+)" is already registered previously from: "(?P<one>[^"\n]+)" currently from: "(?P<two>[^"\n]+)"`,
			`(?:panic: |WARNING: )?proto: file "[^"\n]+" has a name conflict over (?P<name>(?:mvccpb|authpb|etcdserverpb|membershippb|leasepb|walpb|snappb)\.\w+)`,
			`(?:panic: |WARNING: )?proto: file "(?P<name>(?:[\w/]+/)?(?:kv|raft_internal|etcdserver|membership|v3lock|v3election)\.proto)" is already registered`,
		},
		mind: func(f facts) bool {
			return f["one"] == "" || etcdMessages(f["one"]) && etcdMessages(f["two"])
		},
		cause: "{name|a message of etcd} is registered twice: github.com/coreos/etcd, go.etcd.io/etcd and go.etcd.io/etcd/api/v3 hold the same protobuf messages, and a program can hold one of them only. It builds, and panics before main. Either some package of the program still imports the old paths, or a dependency does; GOLANG_PROTOBUF_REGISTRATION_CONFLICT does not help below 3.7 and hides the fault from there on",
		fix: []string{
			"# who links them:",
			"etcdshift doctor",
			"go list -deps -f '{{.ImportPath}}' . | grep -E '(mvccpb|authpb|etcdserverpb)$'",
			migrate,
		},
		ref: "https://protobuf.dev/reference/go/faq#namespace-conflict",
	},
	{
		id: "proto-file-name", severity: Error,
		title: "a .proto file has the name of one of etcd's",
		like: []string{
			`(?:panic: |WARNING: )?proto: file "(?P<name>[^"\n]+)" is already registered previously from: "(?P<one>[^"\n]+)" currently from: "(?P<two>[^"\n]+)"`,
		},
		mind:  func(f facts) bool { return etcdMessages(f["one"]) != etcdMessages(f["two"]) },
		cause: "files are registered by the path that protoc was given, and {one} and {two} both call theirs {name}. Only one program-wide is allowed",
		fix:   []string{"# generate the code that is not etcd's again, from a folder above, so that the path is longer:", "protoc --proto_path=.. ...", "go list -deps -f '{{.ImportPath}}' . | grep -E 'pb$'"},
		ref:   "https://protobuf.dev/reference/go/faq#namespace-conflict",
	},
	{
		id: "two-generations-warning", severity: Warning,
		title: "two generations of etcd are linked into one program",
		like:  []string{`proto: duplicate proto type registered: (?P<name>(?:mvccpb|authpb|etcdserverpb|membershippb|leasepb|walpb|snappb)\.\w+)`},
		cause: "{name} is registered by two packages: an old etcd and another are in one program. This line is only a warning, the panic on the first enum follows",
		fix:   []string{"etcdshift doctor", migrate},
		ref:   "https://protobuf.dev/reference/go/faq#namespace-conflict",
	},
	{
		id: "raftpb-twice", severity: Error,
		title: "two raft libraries register the same protobuf names",
		like: []string{
			`panic: proto: duplicate enum registered: (?P<name>raftpb\.\w+)`,
			`panic: proto: (?:message|enum) (?P<name>raftpb\.\w+) is already registered`,
			`panic: proto: file "raft\.proto" (?:is already registered|has a name conflict over (?P<name>raftpb\.\w+))`,
		},
		cause: "{name|raftpb} is registered twice: by etcd's raft, which lived in github.com/coreos/etcd/raft, go.etcd.io/etcd/raft and go.etcd.io/raft in turn, and by a second copy or another raft library with a package of that name. A program can hold one",
		fix:   []string{"go list -deps -f '{{.ImportPath}}' . | grep raftpb", migrate},
		ref:   "https://github.com/etcd-io/etcd/issues/11766",
	},
	{
		id: "codecgen-mismatch", severity: Error,
		title: "the v2 client of an old etcd does not go with this ugorji/go/codec",
		like: []string{
			`panic: codecgen version mismatch: current: (?P<have>\d+), need (?P<need>\d+)\. Re-generate file: (?P<file>\S*keys\.generated\.go)`,
			`(?P<file>\S*keys\.generated\.go):(?P<line>\d+)(?::\d+)?: [rz]\.\w+ undefined \(type codec\.\w+ has no field or method`,
		},
		mind:  func(f facts) bool { return f.raise() },
		cause: "{module|etcd} {version|} holds code that was generated for another version of codec than the build has. It is the v2 client that a dependency imports, viper's remote backends for one; releases from 3.3.13 on have no generated code there",
		fix: []string{
			"go mod why github.com/coreos/etcd/client",
			"go get {raise}",
			"# spf13/viper: go get github.com/spf13/viper@v1.8.1",
			tidy,
		},
		ref: "https://github.com/etcd-io/etcd/issues/10325",
	},
	{
		id: "context-types", severity: Error,
		title: "the context of the standard library and that of golang.org/x/net are taken for different types",
		like:  []string{`have \w+\("context"\.Context[^\n]* want \w+\("(?P<other>(?:[\w.~/-]+/vendor/)?golang\.org/x/net/context)"\.Context`},
		cause: "{other} of this build is from before the two became one (Go 1.9, 2017), or is a copy that etcd brought in a vendor folder of its own; the client is compiled against the other. It happens in GOPATH, glide, dep and godep, never with modules",
		fix:   []string{"go version", "go mod init MODULE", tidy, "# and then:", migrate},
		ref:   "https://github.com/etcd-io/etcd/issues/9135",
	},
	{
		id: "mismatched-etcd-types", severity: Error,
		title: "a value of one etcd generation is used where the other is wanted",
		like: []string{
			`(?:<SRC> )?cannot use [^\n]*?\((?:[\w -]*?of (?:[a-z]+ )?type |type )[^"\n]*"(?P<from>(?:github\.com/coreos/etcd|go\.etcd\.io/etcd)[^"\n]*)"\.(?P<type>\w+)\) as (?:type )?[^"\n]*?"(?P<to>(?:github\.com/coreos/etcd|go\.etcd\.io/etcd)[^"\n]*)"\.\w+`,
			`<SRC> cannot use [^\n]*?"(?P<from>(?:github\.com/coreos/etcd|go\.etcd\.io/etcd)/vendor/[^"\n]*)"\.(?P<type>\w+)`,
		},
		mind: func(f facts) bool {
			if f["to"] == "" {
				f["to"] = strings.TrimSpace(f["from"][strings.LastIndex(f["from"], "/vendor/")+len("/vendor/"):])
			}
			return f["from"] != f["to"]
		},
		cause: "\"{from}\".{type} and \"{to}\".{type} are different types to the compiler, though the code is the same: the repository, or a dependency that takes the value, is half way between two etcd paths. All code of a program that hands the client around has to name one path",
		fix:   []string{migrate, "# a dependency that takes the old type has to be raised; who imports which:", "go mod why {from}", "go mod why {to}"},
		ref:   "https://github.com/etcd-io/etcd/issues/11154",
	},

	{
		id: "mismatched-etcd-types", severity: Error,
		title: "a value of one etcd generation is used where the other is wanted",
		like: []string{
			`(?:<SRC> )?cannot use [^\n]*?\((?:[\w -]*?of (?:[a-z]+ )?type |type )\*?(?P<from>(?:clientv3|concurrency|etcdserverpb|mvccpb)\.\w+)\) as (?:type )?\*?(?P<to>(?:clientv3|concurrency|etcdserverpb|mvccpb)\.\w+)`,
		},
		mind:  func(f facts) bool { return f["from"] == f["to"] },
		cause: "{from} and {from} are different types to the compiler: two packages of that name are imported by two paths of etcd. The repository, or a dependency that takes the value, is half way between them",
		fix:   []string{"git grep -n 'etcd/.*client' -- '*.go'", migrate},
		ref:   "https://github.com/etcd-io/etcd/issues/11154",
	},

	// ---- paths and versions of the etcd modules

	{
		id: "bbolt-path", severity: Error,
		title: "github.com/coreos/bbolt has moved to go.etcd.io/bbolt",
		like: []string{
			`(?:(?P<module>github\.com/coreos/bbolt)@(?P<version><VER>): )?parsing go\.mod: module declares its path as: go\.etcd\.io/bbolt but was required as: github\.com/coreos/bbolt`,
			`(?P<module>github\.com/(?:coreos|etcd-io)/bbolt)@(?P<version><VER>): parsing go\.mod: unexpected module path "go\.etcd\.io/bbolt"`,
			`(?:(?P<module>github\.com/etcd-io/bbolt)@(?P<version><VER>): )?parsing go\.mod: module declares its path as: go\.etcd\.io/bbolt but was required as: github\.com/etcd-io/bbolt`,
			`module declares its path as: go\.etcd\.io/bbolt\b`,
		},
		mind:  func(f facts) bool { return f.raise() },
		cause: "bbolt declares itself go.etcd.io/bbolt from v1.3.4 on, and the build asks for {version|such a version} by its former path. Only etcd 3.3 and before import it there: {who}",
		fix:   []string{migrate, stay, pinBbolt, "# or, without a replace:", "go get github.com/coreos/bbolt@v1.3.3"},
		ref:   "https://github.com/etcd-io/etcd/issues/11749",
	},
	{
		id: "bbolt-two-paths", severity: Error,
		title: "a replace gives one bbolt two paths",
		like:  []string{`go\.etcd\.io/bbolt@(?P<version><VER>) used for two different module paths \((?P<one><PATH>) and (?P<two><PATH>)\)`},
		mind:  func(f facts) bool { f["module"] = "go.etcd.io/bbolt"; return true },
		cause: "go.mod replaces github.com/coreos/bbolt by go.etcd.io/bbolt {version}, and the build list holds that very version under its own path too, which the go command refuses. The replace was for etcd 3.3; with a newer etcd nothing needs it",
		fix:   []string{"go mod edit -dropreplace=github.com/coreos/bbolt", tidy, "# if etcd 3.3 is still imported:", migrate},
		ref:   "https://github.com/etcd-io/etcd/issues/11749",
	},
	{
		id: "two-module-paths", severity: Error,
		title: "a replace gives {module} two paths",
		like:  []string{`(?P<module><PATH>)@(?P<version><VER>) used for two different module paths \((?P<one><PATH>) and (?P<two><PATH>)\)`},
		mind: func(f facts) bool {
			f["drop"] = f["one"]
			if f["one"] == f["module"] {
				f["drop"] = f["two"]
			}
			return true
		},
		cause: "go.mod replaces {drop} by {module} {version}, and the build list holds that version under its own path too",
		fix:   []string{"go mod edit -dropreplace={drop}", tidy},
		ref:   modRef + "#go-mod-file-replace",
	},
	{
		id: "etcd-v3-suffix", severity: Error,
		title: "{module} has no version {version|3.x} that the go command accepts",
		like: []string{
			`(?P<module>go\.etcd\.io/etcd)@(?P<version><VER>): (?:invalid version: )?reading \S+: \d\d\d [\w ]+ server response: (?:not found: )?\S+ invalid version: module contains a go\.mod file`,
			`(?P<module>go\.etcd\.io/etcd)@(?P<version><VER>): invalid version: module contains a go\.mod file, so (?:major version must be compatible: should be v0 or v1, not v\d|module path must match major version \("[^"]*"\))`,
			`(?:(?P<file>\S*go\.(?:mod|work)):(?P<line>\d+): )?require (?P<module>go\.etcd\.io/etcd): version "(?P<version><VER>)" invalid: (?:module contains a go\.mod file, so )?(?:major version must be compatible: )?should be v0 or v1, not v\d`,
			`require (?P<module>go\.etcd\.io/etcd): version "(?P<version><VER>)" invalid: module contains a go\.mod file`,
			`(?P<module>go\.etcd\.io/etcd)@(?P<version><VER>): invalid version: \+incompatible suffix not allowed: module contains a go\.mod file`,
		},
		cause: "etcd 3.4 has a go.mod without the /v3 that its tags call for, so v3.4.x is no version of go.etcd.io/etcd. 3.4 can be had by a pseudo-version of the commit only; from 3.5 on the modules are go.etcd.io/etcd/client/v3 and its like, with proper versions. A replace in the main module can hide this requirement of a dependency",
		fix: []string{
			migrate,
			"# to stay on 3.4 for now, by the commit of v3.4.16:",
			"go get go.etcd.io/etcd@v0.5.0-alpha.5.0.20210512015243-d19fbe541bf9",
			"# if a dependency asks for it, raise that, or keep a replace until you can:",
			"go mod graph | grep 'go.etcd.io/etcd@{version|v3}'",
		},
		ref: "https://github.com/etcd-io/etcd/issues/11820",
	},
	{
		id: "version-major", severity: Error,
		title: "{module|a version} {version|} does not fit the module's path",
		like: []string{
			`(?P<module><PATH>)@(?P<version><VER>): invalid version: module contains a go\.mod file, so (?:major version must be compatible: should be v[\dor v]+, not v\d+|module path must match major version \("(?P<want>[^"]*)"\))`,
			`require (?P<module><PATH>): version "(?P<version><VER>)" invalid: (?:module contains a go\.mod file, so )?(?:major version must be compatible: )?should be v[\dor v]+, not v\d+`,
			`(?P<module><PATH>)@(?P<version><VER>): invalid version: module path includes a major version suffix, so major version must match`,
			`module contains a go\.mod file, so major version must be compatible: should be v[\dor v]+, not (?P<not>v\d+)`,
			`invalid: should be v0 or v1, not (?P<not>v\d+)`,
		},
		mind: func(f facts) bool {
			if strings.HasPrefix(f["module"], "go.etcd.io/etcd/client/v2") {
				f["hint"] = "; the releases of client/v2 are numbered v2.305.x"
				f["use"] = "v2.305.35"
			}
			if f["not"] == "v3" {
				f["move"] = migrate
				f["hint"] = ". Of etcd it is 3.4, which has a go.mod without the /v3; from 3.5 on the modules are go.etcd.io/etcd/client/v3 and its like"
			}
			return true
		},
		cause: "a module path that ends in /vN has versions vN.x.y, and one without has v0 and v1{hint|}",
		fix:   []string{"{move}", "go list -m -versions {module}", "go get {module}@{use}", "go get {want}@{version}", "# who asks for it:", "go mod graph | grep '{module|PATH}@{version|VERSION}'"},
		ref:   modRef + "#major-version-suffixes",
	},
	{
		id: "version-without-v", severity: Error,
		title: "{version} is no version: versions start with v",
		like: []string{
			`(?P<module>go\.etcd\.io/etcd(?:/<PATH>)?)@(?P<version>\d+\.\d+\.\d+[\w.+-]*): (?:(?:invalid version: )?reading \S+: \d\d\d|invalid version|unknown revision)`,
			`(?P<module>google\.golang\.org/grpc)@(?P<version>\d+\.\d+\.\d+[\w.+-]*): (?:(?:invalid version: )?reading \S+: \d\d\d|invalid version|unknown revision)`,
		},
		cause: "the go command took {version} for the name of a branch or commit",
		fix:   []string{"go get {module}@v{version}"},
		ref:   modRef + "#versions",
	},
	{
		id: "etcd-unknown-revision", severity: Error,
		title: "{module|a module of etcd} {version|} was never released",
		like: []string{
			`(?P<module>go\.etcd\.io/etcd/<PATH>)@(?P<version><VER>): (?:reading \S+ at revision \S+: |invalid version: )?unknown revision (?P<rev>[\w./-]+)`,
			`reading go\.etcd\.io/etcd/\S+ at revision (?P<rev>\S+): unknown revision`,
			`unknown revision (?P<rev>(?:api|pkg|raft|server|client(?:/pkg)?)/v3\.5\.0-pre)\b`,
			`(?P<module>go\.etcd\.io/etcd(?:/<PATH>)?)@(?P<version>[\w.+-]+): (?:reading \S+ at revision \S+: |invalid version: )?unknown revision (?P<rev>[\w./-]+)`,
		},
		cause: "a commit from the time when 3.5 was made names sibling modules by versions that were placeholders (v3.5.0-pre, v3.0.0-0001…) and never tagged. What asks for it: {chainText|a requirement on a branch or a commit of etcd}",
		mind: func(f facts) bool {
			return strings.Contains(f["version"]+f["rev"], "-pre") || strings.Contains(f["version"], "-00010101000000-")
		},
		fix: []string{"go mod graph | grep '{module}@'", "go get go.etcd.io/etcd/client/v3@v3.5.12 go.etcd.io/etcd/api/v3@v3.5.12 go.etcd.io/etcd/client/pkg/v3@v3.5.12", tidy, "# or, if old code asks for it:", migrate},
		ref: "https://github.com/etcd-io/etcd/issues/12484",
	},
	{
		id: "go-systemd-latest", severity: Error,
		title: "github.com/coreos/go-systemd has no version for its old path",
		like: []string{
			`(?P<pkg>github\.com/coreos/go-systemd(?:/<PATH>)?): no matching versions for query "(?:latest|upgrade)"`,
			`<SRC> no matching versions for query "(?:latest|upgrade)"`,
			`github\.com/coreos/go-systemd@(?P<version><VER>)?[^\n]*: parsing go\.mod: module declares its path as: github\.com/coreos/go-systemd/v22 but was required as: github\.com/coreos/go-systemd`,
		},
		mind: func(f facts) bool {
			f["module"] = "github.com/coreos/go-systemd"
			// Without a name the line is about the import that it points at.
			if f["file"] != "" && !strings.Contains(f["file"], "zap_journal.go") && !strings.Contains(f["file"], "capnslog/") {
				return false
			}
			return f.raise()
		},
		cause: "etcd 3.3 and before, and github.com/coreos/pkg/capnslog, import go-systemd by the path it had before v22, and the versions of that path are hidden from \"latest\" by the newer go.mod. {who}",
		fix:   []string{migrate, stay, "go get github.com/coreos/go-systemd@v0.0.0-20191104093116-d3cd4ed1dbcf"},
		ref:   "https://github.com/coreos/go-systemd/issues/321",
	},
	{
		id: "module-path-mismatch", severity: Error,
		title: "{was} has moved to {declared}",
		like:  []string{`(?:(?P<module><PATH>)@(?P<version><VER>): )?parsing go\.mod: module declares its path as: (?P<declared><PATH>) but was required as: (?P<was><PATH>)`},
		cause: "the module at {was} calls itself {declared} since some version. What requires {was} has to import the new path, or stay at a version before the change",
		fix:   []string{"go mod why -m {was}", "# the version before the move, for now:", "go list -m -versions {was}", "go get {was}@VERSION"},
		ref:   modRef + "#go-mod-file-module",
	},
	{
		id: "vendor-lacks-package", severity: Error,
		title: "vendor/ has no {pkg}",
		like:  []string{`(?:<SRC> )?cannot find module providing package (?P<pkg><PATH>): import lookup disabled by -mod=vendor`},
		cause: "the package is imported, and vendor/ was made before that. -mod=vendor, which is in force because vendor/ exists or GOFLAGS says so, never looks elsewhere",
		fix:   []string{tidy, "go mod vendor"},
		ref:   modRef + "#vendoring",
	},
	{
		id: "etcd-package-gone", severity: Error,
		title: "{pkg} is not in {module}",
		like: []string{
			`(?P<pkg>(?:go\.etcd\.io/etcd|github\.com/coreos/etcd)(?:/<PATH>)?): module (?P<module><PATH>)@\S+ found(?: \((?P<version><VER>)[^)\n]*\))?, but does not contain package (?:<PATH>)`,
			`module (?P<module>(?:go\.etcd\.io/etcd|github\.com/coreos/etcd)(?:/<PATH>)?)@(?:\S+) found(?: \((?P<version><VER>)[^)\n]*\))?, but does not contain package (?P<pkg><PATH>)`,
			`(?:<SRC> )?no required module provides package (?P<pkg>(?:go\.etcd\.io/etcd|github\.com/coreos/etcd)(?:/<PATH>)?)(?:[:;]|\s*$)`,
			`(?:<SRC> )?cannot find module providing package (?P<pkg>(?:go\.etcd\.io/etcd|github\.com/coreos/etcd)(?:/<PATH>)?)(?:[:;](?P<more> module lookup disabled)?|\s*$)`,
		},
		mind:  func(f facts) bool { return f["more"] == "" && home(f) },
		cause: "{gone|the package is not there in the version that the build has}",
		fix:   []string{migrate, "go get {get}", tidy},
		ref:   "https://etcd.io/docs/v3.5/upgrades/",
	},
	{
		id: "grpc-testing-moved", severity: Error,
		title: "gRPC's test packages have moved, and an older etcd imports them",
		like: []string{
			`(?P<pkg>google\.golang\.org/grpc/test/grpc_testing): module google\.golang\.org/grpc@\S+ found(?: \((?P<version><VER>)[^)\n]*\))?, but does not contain package <PATH>`,
		},
		mind:  func(f facts) bool { f["module"] = grpcPath; return true },
		cause: "gRPC 1.55 moved test/grpc_testing to interop/grpc_testing; go.etcd.io/etcd/pkg/v3 up to 3.5.9 imports the former. go.etcd.io/etcd/v3, the module of the whole, which brings it in, is not meant to be required: it has no packages to import",
		fix:   []string{"go mod edit -droprequire=go.etcd.io/etcd/v3", "go get go.etcd.io/etcd/pkg/v3@v3.5.12", tidy},
		ref:   "https://github.com/etcd-io/etcd/issues/15877",
	},
	{
		id: "package-not-in-module", severity: Error,
		title: "{module} {version|} has no package {pkg}",
		like: []string{
			`(?P<pkg><PKG>): module (?P<module><PATH>)@\S+ found(?: \((?P<version><VER>)[^)\n]*\))?, but does not contain package <PATH>`,
			`module (?P<module><PATH>)@\S+ found(?: \((?P<version><VER>)[^)\n]*\))?, but does not contain package (?P<pkg><PATH>)`,
		},
		mind:  func(f facts) bool { return f.raise() },
		cause: "the newest version that the go command found does not hold the package: it was removed or moved, or a replace points at a version without it. {who} asks for it",
		fix:   []string{"go get {raise}", "go list -m {module}", "go mod why {pkg}", "# raise the module that imports it, or pin {module} to a version that has it"},
		ref:   modRef + "#resolve-pkg-mod",
	},

	{
		id: "package-needs-newer", severity: Error,
		title: "{pkg} came with a newer {module} than is required",
		like:  []string{`package (?P<pkg><PATH>) provided by (?P<module><PATH>) at latest version (?P<latest><VER>) but not at required version (?P<version><VER>)`},
		cause: "go.mod requires {module} {version}, which does not have the package yet; {latest} has it",
		fix:   []string{"go get {module}@{latest}", "# with etcd all its modules at one release:", "etcdshift migrate --target {latest}", tidy},
		ref:   modRef + "#resolve-pkg-mod",
	},

	// ---- genproto

	{
		id: "genproto-ambiguous", severity: Error,
		title: "genproto is in the build whole and in parts",
		like: []string{
			`ambiguous import: found package (?P<pkg>google\.golang\.org/genproto/<PATH>) in multiple modules: (?P<module>google\.golang\.org/genproto) (?P<version><VER>) \([^)\n]*\) (?P<part>google\.golang\.org/genproto/<PATH>) (?P<partVersion><VER>)`,
			`ambiguous import: (?:found package |… )?(?P<pkg>(?:google\.golang\.org/)?genproto/googleapis/<PATH>)`,
		},
		cause: "google.golang.org/genproto was split in May 2023: up to v0.0.0-20230525154841 it holds the googleapis/api and googleapis/rpc packages, later they are modules of their own. The build has {version|an older genproto} and one of the parts, so both hold the package",
		fix:   []string{"go get google.golang.org/genproto@v0.0.0-20230530153820-e85fd2cbaebc", tidy},
		ref:   "https://github.com/googleapis/go-genproto/issues/1015",
	},
	{
		id: "genproto-too-old", severity: Error,
		title: "genproto is older than the protobuf of gRPC",
		like: []string{
			`(?:<SRC> )?cannot use [^\n]*google\.golang\.org/genproto/googleapis/[^\n]* \(?missing method ProtoReflect\)?`,
			`<SRC> cannot use [^\n]*(?:status|spb)\.Status[^\n]*proto(?:reflect\.Proto|iface\.|"?\.)Message[^\n]* \(?missing method ProtoReflect\)?`,
		},
		cause: "the build has a google.golang.org/genproto from before 2020, which grpc-gateway v1 and the like ask for, and none of the modules that it was split into; gRPC needs messages of the newer kind. go mod tidy is content with it",
		fix:   []string{"go mod edit -require=google.golang.org/genproto@v0.0.0-20230530153820-e85fd2cbaebc", tidy},
		ref:   "https://github.com/googleapis/go-genproto/issues/1015",
	},
	{
		id: "otelgrpc-too-new", severity: Error,
		title: "otelgrpc is newer than the server of etcd 3.5",
		like:  []string{`(?:<SRC> )?undefined: otelgrpc\.(?:Unary|Stream)ServerInterceptor`},
		cause: "otelgrpc v0.61.0 took out the interceptors that the server packages of etcd 3.5 pass to gRPC, and another module of the build requires such a version. etcd 3.6 does without them",
		fix:   []string{"go mod edit -replace=go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc=go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc@v0.60.0", tidy, "# or move to etcd 3.6:", "etcdshift migrate --target 3.6"},
		ref:   "https://github.com/open-telemetry/opentelemetry-go-contrib/releases",
	},
	{
		id: "etcd-ambiguous", severity: Error,
		title: "the whole of etcd and one of its parts are in the build",
		like:  []string{`ambiguous import: found package (?P<pkg>go\.etcd\.io/etcd/<PATH>) in multiple modules: (?P<module>go\.etcd\.io/etcd(?:/v3)?) (?P<version><VER>)(?: \([^)\n]*\))? (?P<other>go\.etcd\.io/etcd/<PATH>) (?P<otherVersion><VER>)`},
		cause: "{module} {version} is from the time when etcd was being split and holds the folder that is the module {other} since; both have {pkg}. go get {module}@latest does not help: the newest version of that path is 3.3",
		fix:   []string{"go mod graph | grep ' {module}@'", migrate, "# when nothing imports the whole any more:", "go get {module}@none", tidy},
		ref:   modRef + "#resolve-pkg-mod",
	},
	{
		id: "ambiguous-import", severity: Error,
		title: "{pkg} is in two modules of the build",
		like:  []string{`ambiguous import: found package (?P<pkg><PATH>) in multiple modules: (?P<module><PATH>) (?P<version><VER>)(?: \([^)\n]*\))? (?P<other><PATH>) (?P<otherVersion><VER>)`, `ambiguous import: found package (?P<pkg><PATH>) in multiple (?:modules|directories)`},
		mind: func(f facts) bool {
			// The shorter path is the module that the longer was cut out of.
			if f["other"] != "" && len(f["other"]) < len(f["module"]) {
				f["module"], f["other"] = f["other"], f["module"]
				f["version"], f["otherVersion"] = f["otherVersion"], f["version"]
			}
			return true
		},
		cause: "{module|one module} {version|} holds the package, and so does {other|another} {otherVersion|}: a part of a module became a module of its own, and the whole is in the build in a version from before",
		fix:   []string{"go get {module}@latest", "go mod why -m {module}", "go mod why -m {other}", tidy},
		ref:   modRef + "#resolve-pkg-mod",
	},

	// ---- the go directive and the toolchain

	{
		id: "go-too-old", severity: Error,
		title: "{what} needs Go {needs}, and Go {running|in use} is older",
		like: []string{
			`(?P<what><PATH>(?:@<VER>)?) requires go >= (?P<needs>[\d.]+(?:rc\d+)?) \(running go (?P<running>[\d.]+(?:rc\d+)?)`,
			`module (?P<what>\S+) listed in go\.work file requires go >= (?P<needs>[\d.]+) \(running go (?P<running>[\d.]+)`,
		},
		mind:  goTooOld,
		cause: "the go directive of {what} binds from Go 1.21 on; the Go in use is {running} and may not fetch a newer one{local|}",
		fix:   goFix,
		ref:   "https://go.dev/doc/toolchain",
	},
	{
		id: "go-too-old", severity: Error,
		title: "the code needs Go {needs}",
		like: []string{
			`(?:<SRC> [^\n]*\n(?:[^\n]*\n){0,12}?)note: module requires Go (?P<needs>[\d.]+)`,
			`(?P<pkg><PATH>): cannot compile Go (?P<needs>[\d.]+) code`,
			`^note: module requires Go (?P<needs>[\d.]+)`,
		},
		mind:  goTooOld,
		cause: "{what|a module of the build} says go {needs}; a Go before 1.21 reads that as advice, tries, and fails in code that it does not know",
		fix:   goFix,
		ref:   "https://go.dev/doc/toolchain",
	},
	{
		id: "go-too-old", severity: Error,
		title: "the go command is too old to read this go.mod",
		like: []string{
			`(?P<file>\S*go\.(?:mod|work)):(?P<line>\d+): invalid go version '(?P<needs>\d+\.\d+\.\d+)': must match format 1\.23(?:\s|$)`,
			`(?P<file>\S*go\.(?:mod|work)):(?P<line>\d+): unknown directive: (?P<directive>toolchain|godebug|tool|ignore)(?:\s|$)`,
			`<SRC> undefined: (?P<sym>atomic\.(?:Int64|Int32|Uint64|Uint32|Bool|Pointer)|any)(?:\s|$)`,
			`<SRC> package (?P<pkg>slices|maps|cmp|log/slog|math/rand/v2|iter|unique|crypto/\S+) is not in (?:GOROOT|std)`,
		},
		mind:  goTooOld,
		cause: "{what|the module} was written for a newer Go{than|} than the one in use",
		fix:   append([]string{"go version"}, goFix...),
		ref:   "https://go.dev/doc/toolchain",
	},
	{
		id: "toolchain-not-available", severity: Error,
		title: "Go {needs|as new as is asked for} could not be had",
		like: []string{
			`download go(?P<needs>[\d.]+(?:rc\d+)?) for \S+: toolchain not available`,
			`toolchain upgrade needed to resolve (?P<what><PATH>)`,
		},
		mind:  goTooOld,
		cause: "{what|a module of the build, or a toolchain line,} asks for a newer Go, and the go command may not, or cannot, get it: GOTOOLCHAIN is local, or the proxy does not serve toolchains. A go line like 1.21 without a patch number asks for a toolchain go1.21, which does not exist; 1.21.0 does",
		fix:   goFix,
		ref:   "https://go.dev/doc/toolchain",
	},
	{
		id: "tidy-compat", severity: Error,
		title: "go mod tidy wants a build list that Go 1.16 would choose too",
		like: []string{
			`(?P<pkg><PATH>) loaded from (?P<module><PATH>)@(?P<version><VER>), but go (?P<compat>1\.\d+) would select (?P<other><VER>)`,
			`(?P<pkg><PATH>) failed to load from any module, but go (?P<compat>1\.\d+) would load it from (?P<module><PATH>)@(?P<version><VER>)`,
			`If reproducibility with go (?P<compat>1\.\d+) is not needed: go mod tidy -compat=(?P<go>1\.\d+)`,
		},
		mind:  func(f facts) bool { f["go"] = goAfter(f["compat"]); return true },
		cause: "a module with `go {go|1.17}` is checked against the choice of Go {compat}, which reads more requirements and would choose otherwise. Nobody with such an old Go builds this, most likely",
		fix:   []string{"go mod tidy -go=1.18", "# or, to keep the go line, each time:", "go mod tidy -compat={go|1.17}"},
		ref:   modRef + "#go-mod-tidy",
	},
	{
		id: "go-directive-raised", severity: Note,
		title: "the go line of go.mod went from {from} to {to}",
		like:  []string{`go: upgraded go (?P<from>[\d.]+) => (?P<to>[\d.]+)`},
		cause: "a module that was added says go {to}, and a main module may not say less. client/v3 asks for Go 1.21 from 3.5.13, 1.23 from 3.5.19 and 3.6.0, 1.24 from 3.5.23 and 3.6.5, 1.25 from 3.5.28 and 3.6.9, 1.26 from 3.5.34, 3.6.15 and 3.7.0 on",
		fix:   []string{"# to stay at {from}:", "etcdshift migrate --go keep"},
		ref:   "https://go.dev/doc/toolchain",
	},
	{
		id: "get-downgraded", severity: Warning,
		title: "go get lowered {module} from {from} to {version}",
		like:  []string{`go: downgraded (?P<module>go\.etcd\.io/etcd/<PATH>|google\.golang\.org/(?:grpc|protobuf|genproto)) (?P<from><VER>) => (?P<version><VER>)`},
		cause: "a version was asked for that {module} {from} does not go with, so the go command went back to a version that does. go get says so in this one line and succeeds",
		fix:   []string{"go get {module}@{from}", tidy},
		ref:   modRef + "#go-get",
	},

	// ---- vendor, workspaces, GOFLAGS

	{
		id: "inconsistent-vendoring", severity: Error,
		title: "vendor/ does not fit go.mod",
		like: []string{
			`inconsistent vendoring in [^\n]*:(?: (?P<module><PATH>)@(?P<version><VER>): [^\n]*)?(?:\n[^\n]+)*`,
			`(?P<module><PATH>)@(?P<version><VER>): is (?:explicitly required|replaced) in go\.mod, but not marked [^\n]*`,
			`(?P<module><PATH>)@(?P<version><VER>): is marked as (?:explicit|replaced) in vendor/modules\.txt[^\n]*`,
			`(?P<module><PATH>): is (?:explicitly required|replaced) in go\.mod, but not marked [^\n]*`,
			`(?P<module><PATH>): is marked as (?:explicit|replaced) in vendor/modules\.txt[^\n]*`,
		},
		cause: "go.mod was changed after vendor/ was made (or vendor/ is not made by go mod vendor at all); from `go 1.14` on in go.mod, the go command uses vendor/ by itself and checks it",
		fix:   []string{tidy, "go mod vendor", "# in a workspace:", "go work sync && go work vendor"},
		ref:   modRef + "#vendoring",
	},
	{
		id: "vendor-query", severity: Error,
		title: "the question cannot be answered from vendor/",
		like:  []string{`can't (?:compute 'all' using|determine available (?:versions|upgrades) using|match module patterns using|resolve module using|query module using) the vendor directory`},
		cause: "-mod=vendor is in force, by vendor/ or by GOFLAGS, and vendor/ does not hold what go list -m wants to know",
		fix:   []string{"go list -mod=mod -m all", "go env GOFLAGS"},
		ref:   modRef + "#vendoring",
	},
	{
		id: "work-vendor", severity: Error,
		title: "go mod vendor does not work in a workspace",
		like:  []string{`'go mod vendor' cannot be run in workspace mode`},
		cause: "a go.work is in force; it has one vendor/ for all its modules, beside it",
		fix:   []string{"go work vendor", "# or, for this module alone:", "GOWORK=off go mod vendor"},
		ref:   modRef + "#workspaces",
	},
	{
		id: "work-mod-flag", severity: Error,
		title: "-mod={flag} cannot be used in a workspace",
		like:  []string{`-mod may only be set to readonly(?: or vendor)? when in workspace mode, but it is set to "(?P<flag>\w+)"`},
		cause: "a go.work is in force, and -mod={flag} is set on the command line or in GOFLAGS; in a workspace no build may change go.mod",
		fix:   []string{"go env GOFLAGS GOWORK", "GOWORK=off go build -mod={flag} ./...", "go work sync"},
		ref:   modRef + "#workspaces",
	},
	{
		id: "work-conflicting-replaces", severity: Error,
		title: "two modules of the workspace replace {module} differently",
		like: []string{
			`conflicting replacements for (?P<module><PATH>)(?:@<VER>)?: (?P<one>\S+) (?P<two>\S+)(?: use "go work edit)?`,
			`conflicting replacements found for (?P<module><PATH>)\S* in workspace modules defined by (?P<one>\S+) and (?P<two>\S+)`,
		},
		cause: "a replace of one member counts for the whole workspace: {one} and {two} cannot both hold. If one of them is the gRPC pin of an old etcd client, the other members suffer from it even without this error",
		fix:   []string{migrate, "# or decide it for the workspace:", "go work edit -replace={module}={two}"},
		ref:   modRef + "#go-work-file-replace",
	},
	{
		id: "work-go-line", severity: Error,
		title: "go.work says a lower Go than its module {module}",
		like:  []string{`module (?P<module>\S+) listed in go\.work file requires go >= (?P<needs>[\d.]+), but go\.work (?:lists|implicitly requires) go (?P<have>[\d.]+)`},
		cause: "the go line of {module} is {needs}, that of go.work {have}; a newer client has raised the former",
		fix:   []string{"go work use"},
		ref:   modRef + "#go-work-file-go",
	},
	{
		id: "work-not-listed", severity: Error,
		title: "this module is not part of the workspace around it",
		like: []string{
			`pattern \S+: directory prefix (?P<dir>\S+) does not contain modules listed in go\.work`,
			`directory (?P<dir>\S+) is (?:contained in a module that is not one of the workspace modules listed in go\.work|outside main module or its selected dependencies|outside modules listed in go\.work)`,
			`current directory (?:is contained in|outside) [^\n]*not one of the workspace modules listed in go\.work`,
		},
		cause: "a go.work above this directory is in force, and does not list the module here",
		fix:   []string{"go env GOWORK", "go work use {dir|.}", "# or leave the workspace out:", "GOWORK=off go build ./..."},
		ref:   modRef + "#workspaces",
	},
	{
		id: "no-go-mod", severity: Error,
		title: "there is no go.mod here",
		like: []string{
			`go\.mod file not found in current directory or any parent directory`,
			`cannot find main module, but found (?P<what>\S+) in (?P<dir>\S+)`,
			`pattern \S+: directory prefix (?P<dir>\S+) does not contain main module or its selected dependencies`,
			`directory (?P<dir>\S+) outside main module or its selected dependencies`,
		},
		cause: "the go command was started outside any module, or asked for a folder outside the one it is in: the root of a repository with several modules, a folder beside go.work, code from before modules",
		fix:   []string{"git ls-files 'go.mod' '*/go.mod' 'go.work'", "# several modules: run in each; none:", "go mod init MODULE && go mod tidy"},
		ref:   modRef + "#go-mod-init",
	},
	{
		id: "gopath-mode", severity: Error,
		title: "the go command works without modules",
		like: []string{
			`cannot find package "(?P<pkg><PATH>)" in any of: (?P<goroot>\S+) \(from \$GOROOT\)`,
			`cannot find package "(?P<pkg><PATH>)" in any of:`,
			`package (?P<pkg>[a-z0-9-]+(?:\.[a-z0-9-]+)+/\S+) is not in (?:GOROOT|std)\b`,
		},
		cause: "GO111MODULE=off is set, or the Go is older than 1.11, or there is no go.mod: packages are looked for in GOROOT and GOPATH. {pkg} has to come from a module",
		fix:   []string{"go version && go env GO111MODULE", "go env -u GO111MODULE", tidy},
		ref:   modRef + "#mod-commands",
	},
	{
		id: "goflags", severity: Error,
		title: "GOFLAGS holds what this go command does not take",
		like: []string{
			`parsing \$GOFLAGS: (?:unknown flag (?P<flag>-[\w-]+)|[^\n]+)`,
			`-mod=(?P<flag>\w+) not supported \(can be '', 'mod', 'readonly', or 'vendor'\)`,
		},
		cause: "GOFLAGS comes from the environment or from `go env -w`; {flag|a flag} in it is unknown to this Go (-buildvcs, for one, needs Go 1.18)",
		fix:   []string{"go env GOFLAGS", "# set by go env -w:", "go env -u GOFLAGS", "# set by the environment:", "unset GOFLAGS"},
		ref:   "https://pkg.go.dev/cmd/go#hdr-Environment_variables",
	},
	{
		id: "modfile-missing", severity: Error,
		title: "the go.mod that -modfile names is not there",
		like:  []string{`go: open (?P<file>\S+\.mod): no such file or directory`, `go: open (?P<file>\S+\.mod): The system cannot find the file specified`},
		cause: "-modfile={file} is set on the command line or in GOFLAGS, and there is no such file",
		fix:   []string{"go env GOFLAGS"},
		ref:   "https://pkg.go.dev/cmd/go#hdr-Compile_packages_and_dependencies",
	},

	// ---- the network, credentials, permission

	{
		id: "git-network", severity: Error,
		title: "the host of {module|a module} cannot be reached",
		like: []string{
			`<GIT>fatal: unable to access '(?P<url>[^']+)': (?P<why>Could not resolve host: \S+|Failed to connect[^\n]*|Couldn't connect[^\n]*|[^\n]*[Tt]imed out[^\n]*)`,
			`<GIT>ssh: (?P<why>Could not resolve hostname \S+|connect to host \S+ port \d+: [^\n]*)`,
			`unrecognized import path "(?P<module><PATH>)": https fetch: Get "(?P<url>[^"]+)": (?P<why>dial tcp[^\n]*|[^\n]*i/o timeout|[^\n]*connection refused|EOF|proxyconnect[^\n]*)`,
			`(?:(?P<module><PATH>)@(?P<version><VER>): )?Get "(?P<url><FETCH>)": (?P<why>dial tcp[^\n]*|net/http: [^\n]*|[^\n]*i/o timeout|[^\n]*connection re(?:fused|set by peer)|EOF|proxyconnect[^\n]*|context deadline exceeded[^\n]*)`,
		},
		mind:  network,
		cause: "{why}: {host|the host} did not answer, so neither credentials nor permissions have been looked at yet. One module that cannot be reached stops go mod tidy and go get for all",
		fix: []string{
			"# 1. network: name service, VPN, firewall, HTTPS_PROXY",
			"curl -sSI https://{host|HOST}",
			"go env GOPROXY GOPRIVATE",
			"# 2. is {module|it} private? then it must not be asked of a public proxy",
			"go env -w GOPRIVATE={prefix|PREFIX}",
			"# 3. once the host answers: credentials, then permission",
			"git ls-remote https://{repo}",
			"# with all versions in the module cache the rest goes on without network:",
			"GOPROXY=off go build ./...",
		},
		ref: modRef + "#private-modules",
	},
	{
		id: "tls", severity: Error,
		title: "the certificate of {host|a host} was not accepted",
		like: []string{
			`unrecognized import path "(?P<module><PATH>)": https fetch: Get "(?P<url>[^"]+)": (?P<why>(?:tls: failed to verify certificate: )?x509: [^\n]*)`,
			`(?:(?P<module><PATH>)@(?P<version><VER>): )?Get "(?P<url><FETCH>)": (?:tls: [^\n:]*: )?(?P<why>(?:tls: failed to verify certificate: )?x509: [^\n]*)`,
			`<GIT>fatal: unable to access '(?P<url>https://[^']+)': (?P<why>SSL certificate problem: [^\n]*|server certificate verification failed[^\n]*)`,
		},
		mind:  network,
		cause: "{why}: a company's proxy that opens TLS, or a host with a private certificate authority. Its root certificate has to be installed; GOINSECURE would hand the build to anybody on the way",
		fix:   []string{"# have the root certificate put into the system's store, or, on Linux:", "export SSL_CERT_FILE=/path/to/roots.pem", "git config --global http.sslCAInfo /path/to/roots.pem"},
		ref:   modRef + "#private-modules",
	},
	{
		id: "git-credentials", severity: Error,
		title: "git has no credentials for {module|a module}",
		like: []string{
			`<GIT>fatal: (?P<why>could not read (?:Username|Password) for '(?P<url>[^']+)'[^\n]*)`,
			`<GIT>(?:\S+: )?(?P<why>Permission denied \(publickey[^\n)]*\)|Host key verification failed)`,
			`<GIT>fatal: (?P<why>Authentication failed for '(?P<url>[^']+)')`,
			`fatal: (?P<why>could not read (?:Username|Password) (?:for '(?P<url>[^']+)':|…) terminal prompts disabled)`,
		},
		mind:  network,
		cause: "{why}: the host answers, so the network is right; git, which the go command runs without a terminal, was not given what it needs to log in. A public module does not need any: a misspelt path looks the same to a host that asks for a login before it says \"not found\"",
		fix: []string{
			"# 2. credentials: for https a .netrc or a credential helper, or ssh instead",
			"git ls-remote https://{repo|HOST/REPOSITORY}",
			"git config --global url.\"git@{site|HOST}:\".insteadOf \"https://{site|HOST}/\"",
			"go env -w GOPRIVATE={prefix|PREFIX}",
			"# 3. then permission: can that account read the repository?",
		},
		ref: modRef + "#private-module-proxy-auth",
	},
	{
		id: "git-permission", severity: Error,
		title: "{module|the repository} is not there, or not for this account",
		like: []string{
			`<GIT>(?:remote: |ERROR: |fatal: )+(?P<why>Repository not found\.?|repository '(?P<url>[^']+)' not found|The project you were looking for could not be found[^\n]*|Write access to repository not granted|You do not have permission[^\n]*)(?: (?:remote: |fatal: )[^\n]*)*`,
			`<GIT>fatal: unable to access '(?P<url>[^']+)': (?P<why>The requested URL returned error: (?:403|404))`,
		},
		mind:  network,
		cause: "{why}: network and login are right, and the host does not show the repository to this account. Hosts say \"not found\" of what one may not see",
		fix: []string{
			"# 3. permission: ask for read access, or look at the path's spelling",
			"git ls-remote https://{repo|HOST/REPOSITORY}",
			"# a CI job has a token of its own, which often reads the job's repository alone",
		},
		ref: modRef + "#private-modules",
	},
	{
		id: "proxy-refuses", severity: Error,
		title: "the module proxy has no {module} {version|} ({status})",
		like: []string{
			`(?:(?P<at><PATH>)@(?P<atv>[\w.+-]+): )?reading (?P<url>\S+?/@(?:v/\S+|latest)): (?P<status>(?:4\d\d|5\d\d)(?: [A-Z][\w-]*(?: [A-Z][\w-]*)*)?)`,
			`unexpected status \((?P<url>https?://\S+?/@(?:v/\S+|latest))\): (?P<status>\d\d\d(?: [A-Z]\w*)*)`,
		},
		mind:  proxy,
		cause: "{meaning}",
		fix: []string{
			"# 1. network: is this the proxy that is meant?",
			"go env GOPROXY GOPRIVATE GONOPROXY",
			"# what does it have of the module?",
			"curl -sS {list}",
			"# 2. private? then go to the repository itself, with credentials",
			"go env -w GOPRIVATE={prefix}",
			"git ls-remote https://{repo}",
			"# 3. public? does the version exist?",
			"go list -m -versions {module}",
		},
		ref: modRef + "#goproxy-protocol",
	},
	{
		id: "unrecognized-import-path", severity: Error,
		title: "nothing says where the code of {module} is",
		like: []string{
			`unrecognized import path "(?P<module><PATH>)": (?P<why>reading (?P<url>https?://[^\s:]+): \d\d\d[^\n]*|parse (?P<url2>https?://\S+): no go-import meta tags[^\n]*|[^\n]*no go-import meta tags[^\n]*|import path does not begin with hostname)`,
		},
		mind:  network,
		cause: "the first element of the path is asked where the repository is, and gave no answer that the go command understands ({why}): the path is misspelt, the host is private and asks for a login, or it is not there any more",
		fix:   []string{"curl -sS 'https://{module}?go-get=1'", "go env -w GOPRIVATE={prefix|PREFIX}", "go mod why -m {module}"},
		ref:   modRef + "#vcs-find",
	},
	{
		id: "git-unreachable", severity: Error,
		title: "git can reach {module} neither by https nor by ssh",
		like:  []string{`(?P<module><PKG>)(?:@(?P<version>[\w.+-]+))?: no secure protocol found for repository`},
		mind:  network,
		cause: "the go command tried each protocol and does not say why none worked: the host is not reachable, git has no credentials for it, or the account may not read the repository. git itself says which",
		fix: []string{
			"# 1. network",
			"curl -sSI https://{host|HOST}",
			"# 2. credentials, 3. permission: git names the one that is missing",
			"git ls-remote https://{repo}",
			"go env -w GOPRIVATE={prefix}",
		},
		ref: modRef + "#private-modules",
	},
	{
		id: "git-shallow", severity: Error,
		title: "git could not complete a shallow copy",
		like:  []string{`(?:(?P<module><PATH>)@(?P<version><VER>): )?(?:invalid version: )?git fetch --unshallow[^\n]* in \S+: exit status 128: fatal: (?P<why>git fetch-pack: expected shallow list)`},
		cause: "the git of this machine is too old (before 2.0) for what the go command asks of it, and no proxy was asked first",
		fix:   []string{"git version", "go env GOPROXY", "# use a proxy, or a newer git"},
		ref:   "https://github.com/etcd-io/etcd/issues/13121",
	},
	{
		id: "zero-version", severity: Error,
		title: "{module} is required at a version that is a placeholder",
		like:  []string{`(?P<module><PATH>)@(?P<version>v\d+\.0\.0-00010101000000-000000000000): (?:invalid version: )?unknown revision`},
		cause: "v0.0.0-0001... is what the go command writes for a requirement that a replace of the main module fulfils. The replace is gone, or the go.mod that has it is not the main module's: replaces of dependencies do not count",
		fix:   []string{"go mod graph | grep '{module}@'", "go get {module}@latest", tidy},
		ref:   modRef + "#go-mod-file-replace",
	},
	{
		id: "unknown-revision", severity: Error,
		title: "{module} has no {rev}",
		like: []string{
			`(?P<module><PATH>)@(?P<version>[\w.+-]+): (?:reading \S+ at revision \S+: |invalid version: )?unknown revision (?P<rev>[\w./-]+)`,
		},
		cause: "the repository of {module} answers, and has neither tag nor commit {rev}: it was removed, force-pushed away, never published, or is misspelt",
		fix:   []string{"go list -m -versions {module}", "go mod graph | grep '{module}@{version}'"},
		ref:   modRef + "#version-queries",
	},
	{
		id: "proxy-off", severity: Error,
		title: "{module|a module} is not in the module cache, and GOPROXY=off",
		like: []string{
			`(?P<module><PATH>)@(?P<version><VER>): module lookup disabled by GOPROXY=off`,
			`(?P<module>[\w~-]+\.[\w.~-]+(?:/[\w.~!+-]+)+): module lookup disabled by GOPROXY=off`,
			`module lookup disabled by GOPROXY=off`,
		},
		cause: "offline, everything that the module cache holds in the wanted version goes on working; latest, version prefixes like v3.5 and version lists do not. {module|A module} {version|} is not there",
		fix:   []string{"# where there is a network:", "go mod download {at}", "# or in one go, for a machine without:", "go mod download && tar -C \"$(go env GOMODCACHE)\" -cf modcache.tar cache/download", "# ... and there:", "GOPROXY=file:///DIR/cache/download go build ./..."},
		mind:  func(f facts) bool { f["at"] = joinVersion(f["module"], f["version"]); return true },
		ref:   modRef + "#module-cache",
	},

	// ---- what follows from something else

	{
		id: "no-required-module", severity: Error,
		title: "no requirement of go.mod provides {pkg}",
		like: []string{
			`(?:<SRC> )?no required module provides package (?P<pkg><PATH>)(?: \(imported by \S+\))?; to add it: (?:cd \S+ )?go get <PATH>`,
			`(?:<SRC> )?no required module provides package (?P<pkg><PATH>)`,
		},
		mind:  func(f facts) bool { f["noVersion"] = ""; return !isOld(f["pkg"]) },
		cause: "the package is imported and go.mod does not name its module, or names, by a replace, a version that does not have it. A bare `go get {pkg}` takes the newest release, which may raise the go line; go mod tidy does the same. In a workspace a replace of another member can be the reason",
		fix:   []string{migrate, tidy, "go list -m -f '{{.Path}} {{.Replace}}' all | grep -v '<nil>'"},
		ref:   modRef + "#resolve-pkg-mod",
	},
	{
		id: "go-sum-missing", severity: Warning,
		title: "go.sum has no entry yet for what {pkg|the build} needs",
		like: []string{
			`(?:<SRC> )?missing go\.sum entry (?:for module providing|needed to verify) package (?P<pkg><PATH>)(?: \(imported by [^)]*\))?`,
			`(?:(?P<module><PATH>)@(?P<version><VER>): )?missing go\.sum entry for go\.mod file`,
			`missing go\.sum entry(?: for module)?`,
		},
		cause: "go.mod was changed and go mod tidy was not run, or failed: then its error is the one to read. go build never adds to go.sum",
		fix:   []string{tidy, "# and, with vendor/:", "go mod vendor"},
		ref:   modRef + "#go-sum-files",
	},
	{
		id: "updates-needed", severity: Warning,
		title: "go.mod is not tidy",
		like:  []string{`updates to go\.(?:mod|work) needed(?:, disabled by -mod=(?P<flag>\w+))?`, `go: updates to go\.(?:mod|work) needed; to update it: go (?:mod tidy|work sync)`},
		cause: "the requirements of go.mod do not say what the build list is; -mod=readonly, the default, leaves it at that",
		fix:   []string{"go mod tidy -diff", tidy},
		ref:   modRef + "#build-commands",
	},

	// ---- tests

	{
		id: "integration-before-test", severity: Error,
		title: "the integration cluster of etcd needs BeforeTest",
		like: []string{
			`the function can be called only in the test context\. Was integration\.BeforeTest\(\) called \?`,
			`Working directory '[^'\n]*' expected to be in temp-dir \('[^'\n]*'\)\. ?Have you executed integration\.(?:BeforeTest|RegisterLeakDetection)\(t\) \?`,
			`already in test context\. BeforeTest was likely already called`,
			`(?:<SRC> )?undefined: (?P<sym>integration\.(?:NewClusterV3|NewCluster|ClusterConfig|BeforeTest|BeforeTestExternal))(?:\s|$)`,
		},
		mind: func(f facts) bool {
			if f["sym"] != "" {
				f["more"] = ". In 3.6 the package is go.etcd.io/etcd/tests/v3/framework/integration, and NewClusterV3 is NewCluster there"
			}
			return true
		},
		cause: "from 3.5 on, integration.NewClusterV3 (3.6: framework/integration.NewCluster) works only after integration.BeforeTest(t), once a test, which changes to a temporary directory and watches for leaked goroutines; code outside etcd calls BeforeTestExternal(t), which does not{more|}",
		fix:   []string{migrate, "# by hand: integration.BeforeTestExternal(t) as the first line of the test"},
		ref:   "https://github.com/etcd-io/etcd/issues/13051",
	},
}

// goFix mends a Go that is too old for a release.
var goFix = []string{
	"# a release that this Go builds:",
	"go get {get}",
	"etcdshift migrate --go keep",
	"# or a newer Go:",
	"GOTOOLCHAIN=auto go version",
	"go get go@{needs} toolchain@none",
}

package rules_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/etcdshift/etcdshift/rewrite"
	"github.com/etcdshift/etcdshift/rewrite/load"
	"github.com/etcdshift/etcdshift/rules"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

func TestTextRules(t *testing.T) {
	for _, c := range []struct {
		name, rule, file, before, after string
		line                            atlas.Line
		findings                        []string
	}{
		{name: "links and module paths stay", rule: "text-path", file: "README.md", line: atlas.Line36,
			before: "see https://github.com/coreos/etcd/clientv3 and github.com/coreos/etcd\n", after: "see https://github.com/coreos/etcd/clientv3 and github.com/coreos/etcd\n"},
		{name: "documentation", rule: "text-path", file: "README.md", line: atlas.Line36,
			before: "uses `github.com/coreos/etcd/clientv3`, go.etcd.io/etcd/clientv3@v3.3.10, https://godoc.org/github.com/coreos/etcd/clientv3\n",
			after:  "uses `go.etcd.io/etcd/client/v3`, go.etcd.io/etcd/clientv3@v3.3.10, https://godoc.org/github.com/coreos/etcd/clientv3\n"},
		{name: "other links stay, too", rule: "text-path", file: "README.md", line: atlas.Line36,
			before: "<https://sourcegraph.com/github.com/coreos/etcd/clientv3> (github.com/coreos/etcd/clientv3)\n",
			after:  "<https://sourcegraph.com/github.com/coreos/etcd/clientv3> (go.etcd.io/etcd/client/v3)\n"},
		{name: "packages of 3.5 that moved again", rule: "text-path", file: "README.md", line: atlas.Line36,
			before: "go.etcd.io/etcd/raft/v3/raftpb go.etcd.io/etcd/server/v3/mvcc go.etcd.io/etcd/client/pkg/v3 go.etcd.io/etcd/client/v3/kv.go go.etcd.io/etcd/server/v3/storage/mvcc\n",
			after:  "go.etcd.io/raft/v3/raftpb go.etcd.io/etcd/server/v3/storage/mvcc go.etcd.io/etcd/client/pkg/v3 go.etcd.io/etcd/client/v3/kv.go go.etcd.io/etcd/server/v3/storage/mvcc\n"},
		{name: "mappings of protoc", rule: "text-path", file: "Makefile", line: atlas.Line36,
			before: "\tprotoc --go_out=Metcd/mvcc/mvccpb/kv.proto=github.com/coreos/etcd/mvcc/mvccpb,Mgithub.com/coreos/etcd/auth/authpb/auth.proto=github.com/coreos/etcd/auth/authpb:. a.proto\n",
			after:  "\tprotoc --go_out=Metcd/api/mvccpb/kv.proto=go.etcd.io/etcd/api/v3/mvccpb,Mgo.etcd.io/etcd/api/v3/authpb/auth.proto=go.etcd.io/etcd/api/v3/authpb:. a.proto\n"},
		{name: "mappings of buf", rule: "text-mentions", file: "buf.gen.yaml", line: atlas.Line36,
			before:   "plugins:\n  - name: go\n    opt:\n      - Metcd/mvcc/mvccpb/kv.proto=go.etcd.io/etcd/mvcc/mvccpb\n",
			findings: []string{"buf.gen.yaml:4:36: review: 2 mentions of packages of old etcd, the first go.etcd.io/etcd/mvcc/mvccpb"}},
		{name: "protos", rule: "text-path", file: "a.proto", line: atlas.Line36,
			before: "import \"etcd/mvcc/mvccpb/kv.proto\";\nimport \"etcd/etcdserver/etcdserverpb/rpc.proto\";\nimport \"github.com/coreos/etcd/auth/authpb/auth.proto\";\nimport \"etcd/lease/leasepb/lease.proto\";\nimport \"etcd/api/mvccpb/kv.proto\";\nimport \"my/etcd/mvcc/mvccpb/kv.proto\";\noption go_package = \"github.com/coreos/etcd/mvcc/mvccpb\";\n",
			after:  "import \"etcd/api/mvccpb/kv.proto\";\nimport \"etcd/api/etcdserverpb/rpc.proto\";\nimport \"go.etcd.io/etcd/api/v3/authpb/auth.proto\";\nimport \"etcd/server/lease/leasepb/lease.proto\";\nimport \"etcd/api/mvccpb/kv.proto\";\nimport \"my/etcd/mvcc/mvccpb/kv.proto\";\noption go_package = \"go.etcd.io/etcd/api/v3/mvccpb\";\n"},
		{name: "protos are named", rule: "proto-import", file: "a.proto", line: atlas.Line37,
			before: "import \"etcd/mvcc/mvccpb/kv.proto\";\n// see etcd/mvcc/mvccpb/kv.proto\nimport \"etcd/raft/raftpb/raft.proto\";\noption go_package = \"github.com/coreos/etcd/mvcc/mvccpb\";\n",
			findings: []string{
				"a.proto:1:9: review: this imports etcd/mvcc/mvccpb/kv.proto, which is now etcd/api/mvccpb/kv.proto",
				"a.proto:3:9: review: this imports etcd/raft/raftpb/raft.proto, which is now raft/raftpb/raft.proto",
				"a.proto:4:22: review: github.com/coreos/etcd/mvcc/mvccpb is now go.etcd.io/etcd/api/v3/mvccpb"}},
		{name: "folders of protoc", rule: "proto-import", file: "gen.sh", line: atlas.Line36,
			before: "protoc -I. -I$GOPATH/src/github.com/coreos/etcd \\\n  --proto_path=$(go env GOMODCACHE)/github.com/coreos/etcd@v3.3.10+incompatible -I vendor/go.etcd.io/bbolt a.proto\n",
			findings: []string{
				"gen.sh:1:14: review: protoc looks into the folder of the old etcd module",
				"gen.sh:2:16: review: protoc looks into the folder of the old etcd module"}},
		{name: "mentions", rule: "text-mentions", file: ".golangci.yml", line: atlas.Line36,
			before:   "deny:\n  - github.com/coreos/etcd/clientv3\n  - github.com/coreos/etcd/pkg/transport\n",
			findings: []string{".golangci.yml:2:5: review: 2 mentions of packages of old etcd, the first github.com/coreos/etcd/clientv3"}},
		{name: "mentions in prose ask nothing", rule: "text-mentions", file: "docs/a.md", line: atlas.Line36,
			before:   "uses `go.etcd.io/etcd/clientv3`\n",
			findings: []string{"docs/a.md:1:7: note: 1 mention of packages of old etcd: go.etcd.io/etcd/clientv3"}},
		{name: "already moved", rule: "text-mentions", file: "Makefile", line: atlas.Line36, before: "x: go.etcd.io/etcd/client/v3 KV\n"},
		{name: "told by others", rule: "text-mentions", file: "Makefile", line: atlas.Line36, before: "\tgo get github.com/coreos/etcd/clientv3\n\tmockgen go.etcd.io/etcd/clientv3 KV\n"},
		{name: "mockgen in a Makefile", rule: "generator-path", file: "Makefile", line: atlas.Line36,
			before: "# go.etcd.io/etcd/clientv3\nmocks:\n\t@mockgen -package m \\\n\t\tgo.etcd.io/etcd/clientv3 KV,Lease > m/kv.go\n\tgo run github.com/golang/mock/mockgen@v1.6.0 -source=vendor/github.com/coreos/etcd/clientv3/lease.go\n\techo go.etcd.io/etcd/clientv3\n",
			after:  "# go.etcd.io/etcd/clientv3\nmocks:\n\t@mockgen -package m \\\n\t\tgo.etcd.io/etcd/client/v3 KV,Lease > m/kv.go\n\tgo run github.com/golang/mock/mockgen@v1.6.0 -source=vendor/go.etcd.io/etcd/client/v3/lease.go\n\techo go.etcd.io/etcd/clientv3\n"},
		{name: "a generator writes to where it did", rule: "generator-path", file: "Makefile", line: atlas.Line36,
			before: "\tmockgen -destination=mocks/go.etcd.io/etcd/clientv3/kv.go go.etcd.io/etcd/clientv3 KV\n",
			after:  "\tmockgen -destination=mocks/go.etcd.io/etcd/clientv3/kv.go go.etcd.io/etcd/client/v3 KV\n"},
		{name: "and so does what its output is sent to", rule: "generator-path", file: "Makefile", line: atlas.Line36,
			before: "\tmockgen go.etcd.io/etcd/clientv3 KV > mocks/go.etcd.io/etcd/clientv3/kv.go\n",
			after:  "\tmockgen go.etcd.io/etcd/client/v3 KV > mocks/go.etcd.io/etcd/clientv3/kv.go\n"},
		{name: "a folder that is made for it", rule: "generator-path", file: "Makefile", line: atlas.Line36,
			before: "\tmkdir -p mocks/go.etcd.io/etcd/clientv3 && mockgen -destination mocks/go.etcd.io/etcd/clientv3/kv.go go.etcd.io/etcd/clientv3 KV\n",
			after:  "\tmkdir -p mocks/go.etcd.io/etcd/clientv3 && mockgen -destination mocks/go.etcd.io/etcd/clientv3/kv.go go.etcd.io/etcd/client/v3 KV\n"},
		{name: "folders in settings of mockery", rule: "generator-path", file: ".mockery.yaml", line: atlas.Line36,
			before: "dir: vendor/go.etcd.io/etcd/clientv3\npackages:\n  go.etcd.io/etcd/clientv3:\n    config:\n      dir: mocks/go.etcd.io/etcd/clientv3\n",
			after:  "dir: vendor/go.etcd.io/etcd/client/v3\npackages:\n  go.etcd.io/etcd/client/v3:\n    config:\n      dir: mocks/go.etcd.io/etcd/clientv3\n"},
		{name: "generators of all kinds", rule: "generator-path", file: "ci.yml", line: atlas.Line37,
			before:   "run: |\n  mockery --srcpkg github.com/coreos/etcd/clientv3 --name KV\n  counterfeiter -o f.go github.com/coreos/etcd/clientv3.KV\n  minimock -i github.com/coreos/etcd/clientv3.KV -o .\n  moq -out m.go $GOPATH/pkg/mod/github.com/coreos/etcd@v3.3.10+incompatible/clientv3 KV\n  mockgen github.com/coreos/etcd/clientv3/naming GRPCResolver\n",
			after:    "run: |\n  mockery --srcpkg go.etcd.io/etcd/client/v3 --name KV\n  counterfeiter -o f.go go.etcd.io/etcd/client/v3.KV\n  minimock -i go.etcd.io/etcd/client/v3.KV -o .\n  moq -out m.go $GOPATH/pkg/mod/github.com/coreos/etcd@v3.3.10+incompatible/clientv3 KV\n  mockgen go.etcd.io/etcd/client/v3/naming GRPCResolver\n",
			findings: []string{"ci.yml:5:17: review: this command reads from a version of the old etcd module in the module cache"}},
		{name: "settings of mockery", rule: "generator-path", file: "store/.mockery.yaml", line: atlas.Line36,
			before: "packages:\n  github.com/coreos/etcd/clientv3:\n    interfaces:\n      KV:\n", after: "packages:\n  go.etcd.io/etcd/client/v3:\n    interfaces:\n      KV:\n"},
		{name: "go get", rule: "go-command", file: "Dockerfile", line: atlas.Line36,
			before: "RUN go get -u github.com/coreos/etcd/... && \\\n    go get github.com/coreos/etcd/clientv3@v3.3.10\n# go get github.com/coreos/etcd\nRUN go install github.com/coreos/etcd/etcdctl\nRUN go mod edit -require=go.etcd.io/etcd@v3.3.25 -replace=github.com/coreos/etcd=go.etcd.io/etcd/v3@v3.4.0\nRUN go get go.etcd.io/etcd/client/v3 github.com/coreos/etcd-operator/pkg\n",
			findings: []string{
				"Dockerfile:1:15: review: this command has github.com/coreos/etcd/... of old etcd",
				"Dockerfile:2:12: review: this command has github.com/coreos/etcd/clientv3@v3.3.10 of old etcd",
				"Dockerfile:4:16: review: this command has github.com/coreos/etcd/etcdctl of old etcd",
				"Dockerfile:5:26: review: this command has go.etcd.io/etcd@v3.3.25 of old etcd",
				"Dockerfile:5:59: review: this command has github.com/coreos/etcd of old etcd",
				"Dockerfile:5:82: review: this command has go.etcd.io/etcd/v3@v3.4.0 of old etcd"}},
		{name: "modules since 3.5", rule: "go-command", file: "ci.sh", line: atlas.Line36,
			before: "go get go.etcd.io/etcd/raft/v3@v3.5.9 go.etcd.io/raft/v3\ngo get go.etcd.io/etcd/client/v3@v3.5.9 go.etcd.io/etcd/client/v3@v3.6.1 go.etcd.io/etcd/api/v3\ngo mod edit -require=go.etcd.io/etcd/server/v3@v3.4.0 -dropreplace=go.etcd.io/etcd/raft/v3\ngo get go.etcd.io/etcd/server/v3/mvcc go.etcd.io/etcd/client/v2 go.etcd.io/etcd/client/pkg/v3/...@latest\n",
			findings: []string{
				"ci.sh:1:8: review: this command has go.etcd.io/etcd/raft/v3@v3.5.9 of old etcd",
				"ci.sh:2:8: review: this command has go.etcd.io/etcd/client/v3@v3.5.9 of old etcd",
				"ci.sh:4:8: review: this command has go.etcd.io/etcd/server/v3/mvcc of old etcd"}},
		{name: "modules of 3.5 in 3.5", rule: "go-command", file: "ci.sh", line: atlas.Line35, before: "go get go.etcd.io/etcd/raft/v3@v3.5.9 go.etcd.io/etcd/server/v3/mvcc\n"},
		{name: "what a substitution looks for stays", rule: "text-path", file: "fix.sh", line: atlas.Line36,
			before: "sed -i -e 's#github.com/coreos/etcd/clientv3#go.etcd.io/etcd/clientv3#g' -e \"s|^go.etcd.io/etcd/clientv3/\\(.*\\)|go.etcd.io/etcd/clientv3/\\1|\" go.etcd.io/etcd/clientv3\nperl -pe 's{a}{b};s,go.etcd.io/etcd/mvcc,x,' f\n",
			after:  "sed -i -e 's#github.com/coreos/etcd/clientv3#go.etcd.io/etcd/client/v3#g' -e \"s|^go.etcd.io/etcd/clientv3/\\(.*\\)|go.etcd.io/etcd/client/v3/\\1|\" go.etcd.io/etcd/client/v3\nperl -pe 's{a}{b};s,go.etcd.io/etcd/mvcc,x,' f\n"},
		{name: "variables that the linker sets", rule: "go-command", file: "Makefile", line: atlas.Line36, before: "\tgo build -ldflags \"-X github.com/coreos/etcd/version.GitSHA=x\"\n"},
		{name: "labels", rule: "bazel-repository", file: "BUILD.bazel", line: atlas.Line36,
			before:   "# gazelle:resolve go github.com/coreos/etcd/clientv3 @com_github_coreos_etcd//clientv3\ndeps = [\n    \"@io_etcd_go_etcd//clientv3:go_default_library\",\n    \"@io_etcd_go_etcd_client_v3//:client\",\n]\n",
			findings: []string{"BUILD.bazel:1:54: review: 2 mentions of the repository of old etcd, the first @com_github_coreos_etcd//clientv3"}},
		{name: "go_repository", rule: "bazel-repository", file: "deps.bzl", line: atlas.Line36,
			before:   "go_repository(\n    name = \"coreos_etcd\",\n    importpath = \"github.com/coreos/etcd\",\n)\n",
			findings: []string{"deps.bzl:3:19: review: 1 mention of the repository of old etcd: github.com/coreos/etcd"}},
		{name: "use_repo", rule: "bazel-repository", file: "MODULE.bazel", line: atlas.Line36,
			before:   "use_repo(go_deps, \"com_github_coreos_etcd\", \"io_etcd_go_bbolt\")\n",
			findings: []string{"MODULE.bazel:1:20: review: 1 mention of the repository of old etcd: com_github_coreos_etcd"}},
		{name: "images", rule: "server-version", file: "ci.yml", line: atlas.Line36,
			before: "services:\n  a:\n    image: quay.io/coreos/etcd:v3.3.9\n  b:\n    image: quay.io/coreos/etcd:v3.3.9\n  c:\n    image: registry.k8s.io/etcd:3.5.9-0\n  d:\n    image: bitnami/etcd:3.6\n  e:\n    image: app\n    # image: etcd:3.0\n    args: http://etcd:2379\n    env: ETCD_VERSION=v3.2.1 x/coreos/etcd-operator:v0.9.4\n",
			findings: []string{
				"ci.yml:3:12: review: an etcd 3.3.9 server, older than the client of 3.6; 2 times in this file",
				"ci.yml:7:12: note: an etcd 3.5.9 server, older than the client of 3.6",
				"ci.yml:14:24: review: an etcd 3.2.1 server, older than the client of 3.6"}},
		{name: "images and downloads", rule: "server-version", file: "Dockerfile", line: atlas.Line36,
			before: "FROM --platform=x quay.io/coreos/etcd:v3.4.9 AS etcd\nRUN curl -L https://github.com/etcd-io/etcd/releases/download/v3.3.1/etcd-v3.3.1-linux-amd64.tar.gz\n",
			findings: []string{
				"Dockerfile:1:19: note: an etcd 3.4.9 server, older than the client of 3.6",
				"Dockerfile:2:64: review: an etcd 3.3.1 server, older than the client of 3.6; 2 times in this file"}},
		{name: "versions in variables", rule: "server-version", file: "Dockerfile", line: atlas.Line36,
			before: "ENV ETCD_VERSION 3.3.1\nARG ETCD_VER=3.3.2\nENV MY_ETCD_VERSION=3.3.3\n",
			findings: []string{
				"Dockerfile:1:18: review: an etcd 3.3.1 server, older than the client of 3.6",
				"Dockerfile:2:14: review: an etcd 3.3.2 server, older than the client of 3.6"}},
		{name: "flags of a unit", rule: "server-flags", file: "etcd.service", line: atlas.Line36,
			before: "ExecStart=/usr/bin/etcd \\\n  --initial-cluster a=http://a:2380 \\\n  --enable-v2=true --log-output=stdout \\\n  --experimental-initial-corrupt-check\n",
			findings: []string{
				"etcd.service:3:3: review: the etcd 3.6 server does not know --enable-v2; v3.5.35 was the last that did",
				"etcd.service:3:20: review: the etcd 3.6 server does not know --log-output; v3.4.31 was the last that did"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := rewrite.Rewrite(target(c.line), "", nil, []*rules.Rule{rules.Lookup(c.rule)}, &load.Text{Name: c.file, Src: []byte(c.before)})
			if err != nil {
				t.Fatal(err)
			}
			got, changed := s.After[c.file]
			if want := c.after; changed && string(got) != want || !changed && want != "" && want != c.before {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
			var found []string
			for _, f := range s.Findings {
				found = append(found, fmt.Sprintf("%s:%d:%d: %s: %s", f.File, f.Line, f.Col, f.Severity, f.Message))
			}
			if a, b := strings.Join(found, "\n"), strings.Join(c.findings, "\n"); a != b {
				t.Errorf("findings:\n%s\nwant:\n%s", a, b)
			}
		})
	}
}

func TestBeforeAndAfterOfTextRules(t *testing.T) {
	for _, r := range rules.All {
		if r.Text == nil {
			continue
		}
		name := "Makefile"
		if r.ID == "proto-import" {
			name = "a.proto"
		}
		s, err := rewrite.Rewrite(target(atlas.Line37), "", nil, []*rules.Rule{r}, &load.Text{Name: name, Src: []byte(r.Before)})
		if err != nil {
			t.Fatal(err)
		}
		after := r.Before
		if a, ok := s.After[name]; ok {
			after = string(a)
		}
		if after != r.After || after == r.Before && len(s.Findings) == 0 {
			t.Errorf("%s: %q became %q with %d findings, want %q", r.ID, r.Before, after, len(s.Findings), r.After)
		}
	}
}

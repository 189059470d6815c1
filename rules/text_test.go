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
		{name: "mockgen in a Makefile", rule: "text-path", file: "Makefile", line: atlas.Line36,
			before: "mocks:\n\tmockgen go.etcd.io/etcd/clientv3 KV\n", after: "mocks:\n\tmockgen go.etcd.io/etcd/client/v3 KV\n"},
		{name: "links and module paths stay", rule: "text-path", file: "README.md", line: atlas.Line36,
			before: "see https://github.com/coreos/etcd/clientv3 and github.com/coreos/etcd\n", after: "see https://github.com/coreos/etcd/clientv3 and github.com/coreos/etcd\n"},
		{name: "mentions", rule: "text-mentions", file: ".golangci.yml", line: atlas.Line36,
			before:   "deny:\n  - github.com/coreos/etcd/clientv3\n  - github.com/coreos/etcd/pkg/transport\n",
			findings: []string{".golangci.yml:2:5: review: 2 mentions of packages of old etcd, the first github.com/coreos/etcd/clientv3"}},
		{name: "mentions in prose ask nothing", rule: "text-mentions", file: "docs/a.md", line: atlas.Line36,
			before:   "uses `go.etcd.io/etcd/clientv3`\n",
			findings: []string{"docs/a.md:1:7: note: 1 mentions of packages of old etcd, the first go.etcd.io/etcd/clientv3"}},
		{name: "labels", rule: "text-mentions", file: "BUILD.bazel", line: atlas.Line36,
			before:   "deps = [\n    \"@io_etcd_go_etcd//clientv3:go_default_library\",\n]\n",
			findings: []string{"BUILD.bazel:2:6: review: 1 Bazel labels of old etcd, the first @io_etcd_go_etcd//clientv3:go_default_library"}},
		{name: "already moved", rule: "text-mentions", file: "Makefile", line: atlas.Line36, before: "mockgen go.etcd.io/etcd/client/v3 KV\n"},
		{name: "flags of a unit", rule: "server-flags", file: "etcd.service", line: atlas.Line36,
			before: "ExecStart=/usr/bin/etcd \\\n  --initial-cluster a=http://a:2380 \\\n  --enable-v2=true --log-output=stdout \\\n  --experimental-initial-corrupt-check\n",
			findings: []string{
				"etcd.service:3:3: review: the etcd 3.6 server does not know --enable-v2; v3.5.35 was the last that did",
				"etcd.service:3:20: review: the etcd 3.6 server does not know --log-output; v3.4.31 was the last that did"}},
		{name: "a flag that became stable", rule: "server-flags", file: "compose.yaml", line: atlas.Line37,
			before:   "image: quay.io/coreos/etcd\ncommand: [etcd, --listen-client-urls, \"http://0.0.0.0:2379\", --experimental-compaction-batch-limit=5]\n",
			findings: []string{"compose.yaml:2:62: review: the etcd 3.7 server does not know --experimental-compaction-batch-limit; v3.6.16 was the last that did"}},
		{name: "another program's flag", rule: "server-flags", file: "run.sh", line: atlas.Line37,
			before: "# talks to etcd\n./svc --debug --ca-file /ca.pem\n"},
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
		s, err := rewrite.Rewrite(target(atlas.Line37), "", nil, []*rules.Rule{r}, &load.Text{Name: "Makefile", Src: []byte(r.Before)})
		if err != nil {
			t.Fatal(err)
		}
		after := r.Before
		if a, ok := s.After["Makefile"]; ok {
			after = string(a)
		}
		if after != r.After || after == r.Before && len(s.Findings) == 0 {
			t.Errorf("%s: %q became %q with %d findings, want %q", r.ID, r.Before, after, len(s.Findings), r.After)
		}
	}
}

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

// Each case is a file that is not Go; found are the findings of server-flags
// as "line: message"; after is what server-flags-rename makes of the file, ""
// for what it leaves.
func TestServerOptions(t *testing.T) {
	for _, c := range []struct {
		name, file string
		line       atlas.Line
		before     string
		found      []string
		after      string
	}{
		{name: "a unit", file: "etcd.service", line: atlas.Line37, before: `[Service]
Environment=ETCD_DEBUG=false
Environment="ETCD_EXPERIMENTAL_COMPACTION_BATCH_LIMIT=100"
Environment=ETCD_LISTEN_CLIENT_URLS=http://0.0.0.0:2379
ExecStart=/usr/bin/etcd \
  --initial-cluster a=http://a:2380 \
  --debug \
  --experimental-initial-corrupt-check=true
`, found: []string{
			"2: the etcd 3.7 server ignores ETCD_DEBUG; v3.4.31 was the last that read it: drop it",
			"3: the etcd 3.7 server ignores ETCD_EXPERIMENTAL_COMPACTION_BATCH_LIMIT; v3.6.16 was the last that read it: ETCD_COMPACTION_BATCH_LIMIT*",
			"7: the etcd 3.7 server does not know --debug; v3.4.31 was the last that did: --log-level=debug*",
			"8: the etcd 3.7 server does not know --experimental-initial-corrupt-check; v3.6.16 was the last that did: --feature-gates=InitialCorruptCheck=true*",
		}, after: `[Service]
Environment=ETCD_DEBUG=false
Environment="ETCD_COMPACTION_BATCH_LIMIT=100"
Environment=ETCD_LISTEN_CLIENT_URLS=http://0.0.0.0:2379
ExecStart=/usr/bin/etcd \
  --initial-cluster a=http://a:2380 \
  --log-level=debug \
  --feature-gates=InitialCorruptCheck=true
`},
		{name: "several gates are one list", file: "run.sh", line: atlas.Line37,
			before: "etcd --experimental-initial-corrupt-check --experimental-enable-lease-checkpoint=true\n",
			found: []string{
				"1: the etcd 3.7 server does not know --experimental-initial-corrupt-check; v3.6.16 was the last that did: one list for all: --feature-gates with InitialCorruptCheck=true",
				"1: the etcd 3.7 server does not know --experimental-enable-lease-checkpoint; v3.6.16 was the last that did: one list for all: --feature-gates with LeaseCheckpoint=true",
			}},
		{name: "the v2 API of a command", file: "Makefile", line: atlas.Line36,
			before: "run:\n\tdocker run -d quay.io/coreos/etcd:v3.4.9 etcd --enable-v2=true\n\t./bin/etcdctl --debug --ca-file x ls\n\t./svc --debug --proxy on\n",
			found:  []string{"2: the etcd 3.6 server does not know --enable-v2; v3.5.35 was the last that did: drop it: the server has no v2 API any more; move clients and their data to v3 first"}},
		{name: "tools that etcd is given to by name", file: "logs.sh", line: atlas.Line36,
			before: "kubectl logs etcd --debug\nkubectl -n kube-system logs etcd --log-output=x\ndocker logs etcd --debug\njournalctl -u etcd --debug\npgrep etcd --debug\nkubectl logs etcd \\\n  --debug\n"},
		{name: "etcd in a container of theirs", file: "run.sh", line: atlas.Line36,
			before: "kubectl exec -it etcd-0 -- etcd --debug\ndocker run --rm x/etcd:v3.4.9 etcd --debug\ndocker exec etcd /bin/etcd --debug\n",
			found: []string{
				"1: the etcd 3.6 server does not know --debug; v3.4.31 was the last that did: --log-level=debug*",
				"2: the etcd 3.6 server does not know --debug; v3.4.31 was the last that did: --log-level=debug*",
				"3: the etcd 3.6 server does not know --debug; v3.4.31 was the last that did: --log-level=debug*",
			}, after: "kubectl exec -it etcd-0 -- etcd --log-level=debug\ndocker run --rm x/etcd:v3.4.9 etcd --log-level=debug\ndocker exec etcd /bin/etcd --log-level=debug\n"},
		{name: "it is there in 3.5", file: "Makefile", line: atlas.Line35, before: "run:\n\tdocker run -d quay.io/coreos/etcd:v3.4.9 etcd --enable-v2=true\n"},
		{name: "a compose file", file: "docker-compose.yml", line: atlas.Line36, before: `services:
  etcd:
    image: bitnami/etcd:3.4
    environment:
      - ALLOW_NONE_AUTHENTICATION=yes
      - ETCD_ENABLE_V2=true
      ETCD_LOG_OUTPUT: "stdout"
      ETCD_LISTEN_CLIENT_URLS: http://0.0.0.0:2379
  app:
    image: app
    command:
      - --debug
      - --log-output=x
    environment:
      APP_ETCD_CA_FILE: /ca.pem
      HOSTS: ${ETCD_DISCOVERY}
`, found: []string{
			"6: the etcd 3.6 server ignores ETCD_ENABLE_V2; v3.5.35 was the last that read it: drop it: the server has no v2 API any more; move clients and their data to v3 first",
			"7: the etcd 3.6 server ignores ETCD_LOG_OUTPUT; v3.4.31 was the last that read it: ETCD_LOG_OUTPUTS*",
		}, after: `services:
  etcd:
    image: bitnami/etcd:3.4
    environment:
      - ALLOW_NONE_AUTHENTICATION=yes
      - ETCD_ENABLE_V2=true
      ETCD_LOG_OUTPUTS: "stdout"
      ETCD_LISTEN_CLIENT_URLS: http://0.0.0.0:2379
  app:
    image: app
    command:
      - --debug
      - --log-output=x
    environment:
      APP_ETCD_CA_FILE: /ca.pem
      HOSTS: ${ETCD_DISCOVERY}
`},
		{name: "variables of a client", file: ".env", line: atlas.Line37, before: "ETCD_CA_FILE=/ca.pem\nETCD_ADDR=http://etcd:2379\nETCD_DEBUG=true\n"},
		{name: "variables of a server", file: "etcd.conf", line: atlas.Line37, before: "# [member]\nETCD_NAME=a\nETCD_LISTEN_PEER_URLS=\"http://a:2380\"\n#ETCD_DEBUG=\"true\"\n\n[security]\nETCD_CLIENT_CERT_AUTH=\"true\"\nETCD_CA_FILE=\"/ca.pem\"\nETCD_PEER_CA_FILE=\"/ca.pem\"\nETCD_DEBUG=\"true\"\n",
			found: []string{
				"8: the etcd 3.7 server ignores ETCD_CA_FILE; v3.3.27 was the last that read it: ETCD_TRUSTED_CA_FILE*",
				"9: the etcd 3.7 server ignores ETCD_PEER_CA_FILE; v3.3.27 was the last that read it: ETCD_PEER_TRUSTED_CA_FILE in its place, and ETCD_PEER_CLIENT_CERT_AUTH true: it asked clients for certificates, which that does not alone",
				"10: the etcd 3.7 server ignores ETCD_DEBUG; v3.4.31 was the last that read it: ETCD_LOG_LEVEL=debug*",
			},
			after: "# [member]\nETCD_NAME=a\nETCD_LISTEN_PEER_URLS=\"http://a:2380\"\n#ETCD_DEBUG=\"true\"\n\n[security]\nETCD_CLIENT_CERT_AUTH=\"true\"\nETCD_TRUSTED_CA_FILE=\"/ca.pem\"\nETCD_PEER_CA_FILE=\"/ca.pem\"\nETCD_LOG_LEVEL=\"debug\"\n"},
		{name: "a configuration file", file: "etcd.conf.yml", line: atlas.Line37, before: `# etcd
name: a
debug: true
log-output: stdout
logger: capnslog
proxy: 'off'
enable-v2: true
initial-cluster: a=http://a:2380
listen-client-urls: http://0.0.0.0:2379
experimental-corrupt-check-time: 60000000000
experimental-snapshot-catch-up-entries: 5000
experimental-compact-hash-check-enabled: true # watch
client-transport-security:
  ca-file: /ca.pem
  client-cert-auth: true
peer-transport-security:
  ca-file: /ca.pem
  cert-file: /c.pem
`, found: []string{
			"3: the etcd 3.7 server ignores the key debug of its configuration file; v3.4.31 was the last that read it: log-level: debug*",
			"4: the etcd 3.7 server ignores the key log-output of its configuration file; v3.4.31 was the last that read it: log-outputs: [stdout]*",
			"5: the etcd 3.7 server does not start with the logger capnslog; v3.4 was the last that had it: logger: zap*",
			"6: the etcd 3.7 server ignores the key proxy of its configuration file; v3.5.35 was the last that read it: drop it",
			"7: the etcd 3.7 server ignores the key enable-v2 of its configuration file; v3.5.35 was the last that read it: drop it: the server has no v2 API any more; move clients and their data to v3 first",
			"10: the etcd 3.7 server ignores the key experimental-corrupt-check-time of its configuration file; v3.6.16 was the last that read it: corrupt-check-time*",
			"11: the etcd 3.7 server ignores the key experimental-snapshot-catch-up-entries of its configuration file; v3.6.16 was the last that read it: snapshot-catchup-entries*",
			"12: the etcd 3.7 server ignores the key experimental-compact-hash-check-enabled of its configuration file; v3.6.16 was the last that read it: feature-gates: CompactHashCheck=true*",
			"14: the etcd 3.7 server ignores the key ca-file of its configuration file; v3.3.27 was the last that read it: trusted-ca-file*",
			"17: the etcd 3.7 server ignores the key ca-file of its configuration file; v3.3.27 was the last that read it: trusted-ca-file in its place, and client-cert-auth true: it asked clients for certificates, which that does not alone",
		}, after: `# etcd
name: a
log-level: debug
log-outputs: [stdout]
logger: zap
proxy: 'off'
enable-v2: true
initial-cluster: a=http://a:2380
listen-client-urls: http://0.0.0.0:2379
corrupt-check-time: 60000000000
snapshot-catchup-entries: 5000
feature-gates: CompactHashCheck=true # watch
client-transport-security:
  trusted-ca-file: /ca.pem
  client-cert-auth: true
peer-transport-security:
  ca-file: /ca.pem
  cert-file: /c.pem
`},
		{name: "a configuration file as JSON", file: "etcd.json", line: atlas.Line37, before: `{
  "initial-cluster": "a=http://a:2380",
  "advertise-client-urls": "http://a:2379",
  "log-output": "stdout",
  "debug": true,
  "experimental-initial-corrupt-check": true
}
`, found: []string{
			"4: the etcd 3.7 server ignores the key log-output of its configuration file; v3.4.31 was the last that read it: log-outputs: [stdout]*",
			"5: the etcd 3.7 server ignores the key debug of its configuration file; v3.4.31 was the last that read it: log-level: debug*",
			"6: the etcd 3.7 server ignores the key experimental-initial-corrupt-check of its configuration file; v3.6.16 was the last that read it: feature-gates: InitialCorruptCheck=true*",
		}, after: `{
  "initial-cluster": "a=http://a:2380",
  "advertise-client-urls": "http://a:2379",
  "log-outputs": ["stdout"],
  "log-level": "debug",
  "feature-gates": "InitialCorruptCheck=true"
}
`},
		{name: "one in a manifest", file: "cm.yaml", line: atlas.Line36, before: `kind: ConfigMap
metadata:
  name: etcd
data:
  debug: "true"
  etcd.conf: |
    {{- if .Values.v2 }}
    enable-v2: true
    {{- end }}
    log-output: stderr
    initial-cluster-token: t
    listen-peer-urls: {{ .Values.peers }}
---
kind: Pod
spec:
  containers:
  - name: etcd
    image: quay.io/coreos/etcd
    env:
    - name: ETCD_LOG_PACKAGE_LEVELS
      value: "*=DEBUG"
    - name: ETCD_DEBUG
      value: "true"
  - name: app
    args: ["--debug"]
`, found: []string{
			"8: the etcd 3.6 server ignores the key enable-v2 of its configuration file; v3.5.35 was the last that read it: drop it: the server has no v2 API any more; move clients and their data to v3 first",
			"10: the etcd 3.6 server ignores the key log-output of its configuration file; v3.4.31 was the last that read it: log-outputs: [stderr]*",
			"20: the etcd 3.6 server ignores ETCD_LOG_PACKAGE_LEVELS; v3.4.31 was the last that read it: drop it: ETCD_LOG_LEVEL is for all packages",
			"22: the etcd 3.6 server ignores ETCD_DEBUG; v3.4.31 was the last that read it: ETCD_LOG_LEVEL=debug*",
		}, after: `kind: ConfigMap
metadata:
  name: etcd
data:
  debug: "true"
  etcd.conf: |
    {{- if .Values.v2 }}
    enable-v2: true
    {{- end }}
    log-outputs: [stderr]
    initial-cluster-token: t
    listen-peer-urls: {{ .Values.peers }}
---
kind: Pod
spec:
  containers:
  - name: etcd
    image: quay.io/coreos/etcd
    env:
    - name: ETCD_LOG_PACKAGE_LEVELS
      value: "*=DEBUG"
    - name: ETCD_LOG_LEVEL
      value: "debug"
  - name: app
    args: ["--debug"]
`},
		{name: "arguments of a pod", file: "pod.yaml", line: atlas.Line37, before: `spec:
  containers:
  - name: etcd
    image: registry/etcd:3.5
    command:
    - /usr/local/bin/etcd
    - --name=a
    - --experimental-watch-progress-notify-interval=5s
    - "--logger=capnslog"
  - name: api
    command:
    - kube-apiserver
    - --etcd-servers=http://a:2379
    - --proxy=on
`, found: []string{
			"8: the etcd 3.7 server does not know --experimental-watch-progress-notify-interval; v3.6.16 was the last that did: --watch-progress-notify-interval*",
			"9: the etcd 3.7 server does not start with the logger capnslog; v3.4 was the last that had it: --logger=zap*",
		}, after: `spec:
  containers:
  - name: etcd
    image: registry/etcd:3.5
    command:
    - /usr/local/bin/etcd
    - --name=a
    - --watch-progress-notify-interval=5s
    - "--logger=zap"
  - name: api
    command:
    - kube-apiserver
    - --etcd-servers=http://a:2379
    - --proxy=on
`},
		{name: "what installers hand on", file: "kubeadm.yaml", line: atlas.Line37, before: `etcd:
  local:
    extraArgs:
      election-timeout: "500"
      experimental-initial-corrupt-check: "true"
  other:
    extraArgs:
    - name: experimental-warning-apply-duration
      value: 1s
apiServer:
  extraArgs:
    proxy: "on"
etcd-arg:
- "experimental-memory-mlock=true"
`, found: []string{
			"5: the etcd 3.7 server does not know --experimental-initial-corrupt-check; v3.6.16 was the last that did: --feature-gates=InitialCorruptCheck=true*",
			"8: the etcd 3.7 server does not know --experimental-warning-apply-duration; v3.6.16 was the last that did: --warning-apply-duration*",
			"14: the etcd 3.7 server does not know --experimental-memory-mlock; v3.6.16 was the last that did: --memory-mlock*",
		}, after: `etcd:
  local:
    extraArgs:
      election-timeout: "500"
      feature-gates: "InitialCorruptCheck=true"
  other:
    extraArgs:
    - name: warning-apply-duration
      value: 1s
apiServer:
  extraArgs:
    proxy: "on"
etcd-arg:
- "memory-mlock=true"
`},
		{name: "both names stand", file: "run.sh", line: atlas.Line36,
			before: "exec etcd --listen-client-urls=http://a:2379 --log-output=stderr --log-outputs=stderr --debug --log-level=info && ./svc --debug --log-output=x\n",
			found: []string{
				"1: the etcd 3.6 server does not know --log-output; v3.4.31 was the last that did: drop it: --log-outputs stands beside it",
				"1: the etcd 3.6 server does not know --debug; v3.4.31 was the last that did: --log-level debug",
			}},
		{name: "a Dockerfile", file: "Dockerfile", line: atlas.Line36,
			before: "FROM quay.io/coreos/etcd:v3.4.9\nENV ETCD_ENABLE_V2 false\nENTRYPOINT [\"etcd\", \"--log-output=stdout\"]\n",
			found: []string{
				"2: the etcd 3.6 server ignores ETCD_ENABLE_V2; v3.5.35 was the last that read it: drop it: no server has the v2 API any more",
				"3: the etcd 3.6 server does not know --log-output; v3.4.31 was the last that did: --log-outputs*",
			},
			after: "FROM quay.io/coreos/etcd:v3.4.9\nENV ETCD_ENABLE_V2 false\nENTRYPOINT [\"etcd\", \"--log-outputs=stdout\"]\n"},
		{name: "a release of helm and a package", file: "ci.sh", line: atlas.Line36,
			before: "helm upgrade --install etcd bitnami/etcd --debug\nsudo systemctl restart etcd --debug\napt-get install -y etcd && etcd --debug\nhelm install etcd --debug; etcd --debug\n",
			found: []string{
				"3: the etcd 3.6 server does not know --debug; v3.4.31 was the last that did: --log-level=debug*",
				"4: the etcd 3.6 server does not know --debug; v3.4.31 was the last that did: --log-level=debug*",
			},
			after: "helm upgrade --install etcd bitnami/etcd --debug\nsudo systemctl restart etcd --debug\napt-get install -y etcd && etcd --log-level=debug\nhelm install etcd --debug; etcd --log-level=debug\n"},
		{name: "a command that has etcd in other words", file: "ci.sh", line: atlas.Line37,
			before: "cd /opt/etcd && ./app --debug\nchown etcd /data && server --debug\nexec gosu etcd app --debug\netcd grpc-proxy start --endpoints=a:2379 --debug\ndocker exec etcd app --debug\ncmd='[\"app\", \"--name\", \"etcd\", \"--debug\"]'\n\"$BIN/etcd\" $OPTS --debug\n" +
				"docker run quay.io/coreos/etcd:v3.3.9 --debug\n",
			found: []string{
				"7: the etcd 3.7 server does not know --debug; v3.4.31 was the last that did: --log-level=debug*",
				"8: the etcd 3.7 server does not know --debug; v3.4.31 was the last that did: --log-level=debug*",
			},
			after: "cd /opt/etcd && ./app --debug\nchown etcd /data && server --debug\nexec gosu etcd app --debug\netcd grpc-proxy start --endpoints=a:2379 --debug\ndocker exec etcd app --debug\ncmd='[\"app\", \"--name\", \"etcd\", \"--debug\"]'\n\"$BIN/etcd\" $OPTS --log-level=debug\n" +
				"docker run quay.io/coreos/etcd:v3.3.9 --log-level=debug\n"},
		{name: "a service that is called etcd", file: "pod.yaml", line: atlas.Line37, before: "containers:\n- name: app\n  command:\n  - app\n  - --service\n  - etcd\n  - --debug\n"},
		{name: "variables of the service beside it", file: "docker-compose.yml", line: atlas.Line37,
			before: "services:\n  etcd:\n    environment:\n      ETCD_LISTEN_CLIENT_URLS: http://0.0.0.0:2379\n      ETCD_DEBUG: \"true\"\n  app:\n    environment:\n      ETCD_CA_FILE: /ca.pem\n      ETCD_DEBUG: \"true\"\n",
			found:  []string{"5: the etcd 3.7 server ignores ETCD_DEBUG; v3.4.31 was the last that read it: ETCD_LOG_LEVEL=debug*"},
			after:  "services:\n  etcd:\n    environment:\n      ETCD_LISTEN_CLIENT_URLS: http://0.0.0.0:2379\n      ETCD_LOG_LEVEL: \"debug\"\n  app:\n    environment:\n      ETCD_CA_FILE: /ca.pem\n      ETCD_DEBUG: \"true\"\n"},
		{name: "a Makefile that quiets etcd and reads a variable", file: "Makefile", line: atlas.Line37,
			before: "run:\n\t@etcd --debug &\nifeq ($(ETCD_ENABLE_V2),true)\nendif\n",
			found:  []string{"2: the etcd 3.7 server does not know --debug; v3.4.31 was the last that did: --log-level=debug*"},
			after:  "run:\n\t@etcd --log-level=debug &\nifeq ($(ETCD_ENABLE_V2),true)\nendif\n"},
		{name: "a logger beside its flag", file: "pod.yaml", line: atlas.Line37,
			before: "command:\n- etcd\n- --logger\n- capnslog\n- --name=a\n---\ncommand: [\"etcd\", \"--logger\", \"capnslog\"]\n",
			found: []string{
				"3: the etcd 3.7 server does not start with the logger capnslog; v3.4 was the last that had it: --logger=zap*",
				"7: the etcd 3.7 server does not start with the logger capnslog; v3.4 was the last that had it: --logger=zap*",
			},
			after: "command:\n- etcd\n- --logger\n- zap\n- --name=a\n---\ncommand: [\"etcd\", \"--logger\", \"zap\"]\n"},
		{name: "prose", file: "README.md", line: atlas.Line37, before: "run `etcd --listen-client-urls=http://a:2379 --enable-v2`\n"},
		{name: "somebody's configuration", file: "app.yaml", line: atlas.Line37, before: "etcd:\n  endpoints: http://a:2379\n  debug: true\n  ca-file: /ca.pem\n  proxy: x\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := func(rule string) *rewrite.Sources {
				s, err := rewrite.Rewrite(target(c.line), "", nil, []*rules.Rule{rules.Lookup(rule)}, &load.Text{Name: c.file, Src: []byte(c.before)})
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
			var found []string
			for _, f := range run("server-flags").Findings {
				advice, cut := strings.CutSuffix(f.Advice, "; 'etcdshift migrate --rules server-flags-rename' writes it")
				if cut {
					advice += "*"
				}
				found = append(found, fmt.Sprintf("%d: %s: %s", f.Line, f.Message, advice))
			}
			if a, b := strings.Join(found, "\n"), strings.Join(c.found, "\n"); a != b {
				t.Errorf("findings:\n%s\nwant:\n%s", a, b)
			}
			after := run("server-flags-rename")
			if got := string(after.After[c.file]); got != c.after {
				t.Errorf("got:\n%s\nwant:\n%s", got, c.after)
			}
			if n := strings.Count(strings.Join(c.found, "\n")+"\n", "*\n"); len(after.Findings) != len(c.found)-n {
				t.Errorf("the rewrite leaves %d findings, want %d: %v", len(after.Findings), len(c.found)-n, after.Findings)
			}
			if c.after != "" {
				c.before = c.after
				for _, ch := range run("server-flags-rename").Changes {
					t.Errorf("changed again: %s", ch.Message)
				}
			}
		})
	}
}

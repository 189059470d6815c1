package doctor

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeEtcd answers like a member at /version.
func fakeEtcd(t *testing.T, version string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/version" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintf(w, `{"etcdserver":%q,"etcdcluster":%q}`, version, version)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestExamineComparesClientsWithLiveServers(t *testing.T) {
	newClient := repo(t, `
-- go.mod --
module example.com/new

go 1.26.0

require go.etcd.io/etcd/client/v3 v3.7.3
-- main.go --
`+clientMain)
	v2 := repo(t, `
-- go.mod --
module example.com/v2

go 1.21

require github.com/coreos/etcd v3.3.27+incompatible
-- main.go --
package main

import "github.com/coreos/etcd/client"

func main() { _ = client.DefaultTransport }
`)
	e34, e36, e37 := fakeEtcd(t, "3.4.34"), fakeEtcd(t, "3.6.16"), fakeEtcd(t, "3.7.3")
	gone := httptest.NewServer(nil)
	gone.Close()

	ds := examine(t, Options{Dir: newClient, Endpoints: []string{e34}})
	has(t, find(t, ds, "client-server", Warning), "v3.7.3", "3.4.34", "RejectOldCluster")

	ds = examine(t, Options{Dir: newClient, Endpoints: []string{strings.TrimPrefix(e36, "http://")}})
	has(t, find(t, ds, "client-server", Note), "GetStream")

	ds = examine(t, Options{Dir: newClient, Endpoints: []string{e37}})
	has(t, find(t, ds, "endpoint-status", Note), "/v3/maintenance/status: 404")
	for _, d := range ds {
		if strings.HasPrefix(d.ID, "client-") {
			t.Errorf("3.7 and 3.7 go together, yet:\n%s", show(ds))
		}
	}

	ds = examine(t, Options{Dir: v2, Endpoints: []string{e36, e34, gone.URL}})
	has(t, find(t, ds, "client-v2-server", Error), "main.go:3")
	find(t, ds, "servers-differ", Warning)
	has(t, find(t, ds, "endpoint-unreachable", Warning), gone.URL)
}

// etcdBinary builds a member of a release line.
func etcdBinary(t *testing.T, line string) string {
	t.Helper()
	dir := t.TempDir()
	for from, to := range map[string]string{
		"../../../testdata/modules/v" + line + "/go.mod": "go.mod",
		"../../../testdata/modules/v" + line + "/go.sum": "go.sum",
		"testdata/etcd/main.go":                          "main.go",
	} {
		b, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, to), b, 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	bin := filepath.Join(dir, "etcd")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", bin, ".")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build of etcd %s: %v\n%s", line, err, out)
	}
	return bin
}

// aMember is a member to start.
type aMember struct {
	bin, name, client, peer string
}

func newMember(t *testing.T, bin, name string) aMember {
	return aMember{bin, name, freeURL(t), freeURL(t)}
}

func freeURL(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// startCluster starts the members of a cluster, which is new unless joined
// says that the last of them joins the others, and ends them with the test.
func startCluster(t *testing.T, joined bool, members ...aMember) {
	t.Helper()
	var peers []string
	for _, m := range members {
		peers = append(peers, m.name+"="+m.peer)
	}
	state, start := "new", members
	if joined {
		state, start = "existing", members[len(members)-1:]
	}
	var wg sync.WaitGroup
	for _, m := range start {
		dir := t.TempDir()
		config, err := json.Marshal(map[string]any{ // YAML, too
			"name": m.name, "data-dir": filepath.Join(dir, "data"), "log-level": "error",
			"listen-client-urls": m.client, "advertise-client-urls": m.client,
			"listen-peer-urls": m.peer, "initial-advertise-peer-urls": m.peer,
			"initial-cluster": strings.Join(peers, ","), "initial-cluster-state": state,
		})
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "config"), config, 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(m.bin, filepath.Join(dir, "config"))
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			stdin.Close() // it ends with its input
			cmd.Wait()
		})
		wg.Go(func() {
			if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
				t.Errorf("%s does not start: %v\n%s", m.name, err, stderr.String())
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// post asks a member for something through its JSON gateway.
func post(t *testing.T, m aMember, path, body string) {
	t.Helper()
	resp, err := http.Post(m.client+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s\n%s", path, resp.Status, b)
	}
}

// decided waits until members know the version of their cluster, which the
// leader works out once it has heard of all of them.
func decided(t *testing.T, members ...aMember) {
	t.Helper()
	for _, m := range members {
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
			var v struct{ Etcdcluster string }
			resp, err := http.Get(m.client + "/version")
			if err == nil {
				err = json.NewDecoder(resp.Body).Decode(&v)
				resp.Body.Close()
			}
			if err == nil && v.Etcdcluster != "" && v.Etcdcluster != "not_decided" {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: the version of the cluster is %q (%v)", m.name, v.Etcdcluster, err)
			}
		}
	}
}

func TestExamineAsksRealMembersForTheirState(t *testing.T) {
	t.Parallel()
	etcd36, etcd35 := etcdBinary(t, "3.6"), etcdBinary(t, "3.5")
	// ask is Examine of a repository with a version of the client, without what
	// has nothing to do with servers.
	ask := func(client string, members ...aMember) []Diagnosis {
		var eps []string
		for _, m := range members {
			eps = append(eps, m.client)
		}
		e := &examination{ctx: t.Context(), units: []*unit{{rel: ".", build: map[string]*listed{clientV3: {Path: clientV3, Version: client}}}}}
		e.endpoints(Options{Endpoints: eps})
		return sorted(e.ds)
	}
	const c36, c37 = "v3.6.16", "v3.7.3"

	one := newMember(t, etcd36, "one")
	startCluster(t, false, one)
	decided(t, one)
	if ds := ask(c36, one); len(ds) > 0 {
		t.Errorf("a healthy member of the client's release:\n%s", show(ds))
	}

	// Of two releases: the cluster, and so the client, has what the older one has.
	newer, older := newMember(t, etcd36, "newer"), newMember(t, etcd35, "older")
	startCluster(t, false, newer, older)
	decided(t, newer, older)
	ds := ask(c36, newer, older)
	has(t, find(t, ds, "servers-differ", Note), "3.5.", "3.6.")
	has(t, find(t, ds, "cluster-below-server", Note), "the cluster is at 3.5, and servers run 3.6", newer.client)
	ds = ask(c37, newer) // the older one is not named, and counts
	has(t, find(t, ds, "client-server", Warning), "client/v3 v3.7.3 is too new for an etcd 3.5")

	has(t, find(t, ask(c36, one, newer), "clusters-differ", Error), one.client, newer.client)

	learner := newMember(t, etcd36, "learner")
	post(t, one, "/v3/cluster/member/add", fmt.Sprintf(`{"peerURLs": [%q], "isLearner": true}`, learner.peer))
	startCluster(t, true, one, learner)
	has(t, find(t, ask(c36, one, learner), "endpoint-learner", Warning), learner.client, "etcdctl member promote ")

	post(t, one, "/v3/maintenance/alarm", `{"action": "ACTIVATE", "memberID": "0", "alarm": "NOSPACE"}`)
	has(t, find(t, ask(c36, one), "endpoint-errors", Warning), "NOSPACE", "alarm disarm")

	post(t, one, "/v3/maintenance/alarm", `{"action": "DEACTIVATE", "memberID": "0", "alarm": "NOSPACE"}`)
	post(t, one, "/v3/maintenance/downgrade", `{"action": "ENABLE", "version": "3.5"}`)
	ds = ask(c37, one)
	has(t, find(t, ds, "downgrade-under-way", Warning), "3.5.0")
	has(t, find(t, ds, "client-server", Warning), "client/v3 v3.7.3 is too new for an etcd 3.5")
}

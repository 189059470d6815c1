package doctor

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// member is what a live etcd member says of itself. Plain HTTP is enough to
// ask: linking a client would put etcd into this binary.
type member struct {
	endpoint string
	Server   string  `json:"etcdserver"` // at /version
	Cluster  string  `json:"etcdcluster"`
	status   *status // nil if the JSON gateway of gRPC did not answer, and
	noStatus error   // why
}

// status is what Maintenance.Status answers through the JSON gateway.
type status struct {
	Header struct {
		ClusterID string `json:"cluster_id"`
		MemberID  string `json:"member_id"`
	}
	Version   string
	Storage   string   `json:"storageVersion"` // from 3.6 on
	Errors    []string // alarms, and that there is no leader
	Learner   bool     `json:"isLearner"`
	Downgrade struct {
		Enabled bool
		Target  string `json:"targetVersion"`
	} `json:"downgradeInfo"` // from 3.6 on
}

// versionURL is where a member tells its version. An endpoint without a scheme
// is a host and port, as etcd clients take it.
func versionURL(endpoint string) string { return baseURL(endpoint) + "/version" }

func baseURL(endpoint string) string {
	if !strings.Contains(endpoint, "://") {
		endpoint = "http://" + endpoint
	}
	return strings.TrimSuffix(endpoint, "/")
}

// gateways are the places of the JSON gateway: of 3.4 and newer, of 3.3 and of
// those before.
var gateways = []string{"/v3", "/v3beta", "/v3alpha"}

// asker asks members.
type asker struct{ client *http.Client }

func newAsker(config *tls.Config) asker {
	tr := http.DefaultTransport.(*http.Transport).Clone()
	tr.TLSClientConfig = config
	// A member at a socket has no host: the address is kept in the context.
	dial := tr.DialContext
	tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if path, ok := ctx.Value(socket{}).(string); ok {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}
		return dial(ctx, network, addr)
	}
	tr.DisableKeepAlives = true // each member is asked a few times, once
	return asker{&http.Client{Transport: tr, Timeout: 10 * time.Second}}
}

type socket struct{}

// ask returns what a member says of itself; an error if not even its version.
func (a asker) ask(ctx context.Context, endpoint string) (member, error) {
	m := member{endpoint: endpoint}
	if scheme, path, ok := strings.Cut(endpoint, "://"); ok && (scheme == "unix" || scheme == "unixs") {
		ctx = context.WithValue(ctx, socket{}, path)
		endpoint = map[string]string{"unix": "http", "unixs": "https"}[scheme] + "://localhost"
	}
	body, err := a.do(ctx, http.MethodGet, versionURL(endpoint), nil)
	if err != nil {
		return m, err
	}
	if json.Unmarshal(body, &m) != nil || m.Server == "" {
		return m, fmt.Errorf("%s: no etcd version in the answer", versionURL(endpoint))
	}
	for _, g := range gateways {
		body, err := a.do(ctx, http.MethodPost, baseURL(endpoint)+g+"/maintenance/status", []byte("{}"))
		s := new(status)
		if err == nil {
			if err = json.Unmarshal(body, s); err == nil && s.Version == "" {
				err = fmt.Errorf("%s%s/maintenance/status: no etcd version in the answer", baseURL(endpoint), g)
			}
		}
		if err == nil {
			m.status, m.noStatus = s, nil
			break
		}
		// The first place is the one that today's members have.
		m.noStatus = cmp.Or(m.noStatus, err)
	}
	return m, nil
}

func (a asker) do(ctx context.Context, method, url string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, resp.Status)
	}
	return b, nil
}

// evidence is a member as evidence.
func (m member) evidence() Evidence {
	text := m.endpoint + " (cluster " + cmp.Or(m.Cluster, "unknown")
	if s := m.status; s != nil && s.Storage != "" {
		text += ", storage " + s.Storage
	}
	return Evidence{Module: "etcd server", Version: m.Server, Text: []string{text + ")"}}
}

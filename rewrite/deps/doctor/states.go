package doctor

import (
	"fmt"
	"slices"
	"strings"
)

const (
	upgradeRef   = "https://etcd.io/docs/v3.6/upgrades/upgrading-etcd"
	downgradeRef = "https://etcd.io/docs/v3.6/downgrades/downgrading-etcd/"
)

// bounds are the versions that limit what a member offers.
func (m member) bounds() []string {
	b := []string{m.Server, m.Cluster}
	if m.status != nil && m.status.Downgrade.Enabled {
		b = append(b, m.status.Downgrade.Target)
	}
	return b
}

// states judges live members, alone and against each other.
func (e *examination) states(members []member) {
	e.clusters(members)
	e.mixed(members)
	for _, m := range members {
		server, ok := minor(m.Server)
		if cluster, known := minor(m.Cluster); ok && known && cluster < server {
			e.say(Diagnosis{
				ID: "cluster-below-server", Severity: Note, Title: fmt.Sprintf("the cluster is at 3.%d, and servers run 3.%d", cluster, server),
				Evidence: []Evidence{m.evidence()},
				Cause:    fmt.Sprintf("an upgrade or downgrade is under way, or a member that was not asked is older: until all run the newer release the cluster offers what 3.%d has", cluster),
				Fix:      []string{"etcdctl endpoint status --cluster -w table", "# upgrade the members that are behind, one at a time"},
				Ref:      upgradeRef,
			})
		}
		s := m.status
		if s == nil {
			e.say(Diagnosis{
				ID: "endpoint-status", Severity: Note, Title: m.endpoint + " told its version and not its state",
				Evidence: []Evidence{{Text: []string{m.noStatus.Error()}}},
				Cause:    "Maintenance.Status is asked through the JSON gateway, which is off (--enable-grpc-gateway=false), wants a login, or is not at this address: alarms, learners and downgrades were not looked at",
				Fix:      []string{"etcdctl --endpoints " + m.endpoint + " endpoint status -w json"},
				Ref:      "https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/",
			})
			continue
		}
		if s.Version != m.Server {
			e.say(Diagnosis{
				ID: "endpoint-balanced", Severity: Note, Title: m.endpoint + " is more than one member",
				Evidence: []Evidence{m.evidence(), {Module: "etcd server", Version: s.Version, Text: []string{m.endpoint + " (Maintenance.Status)"}}},
				Cause:    "two requests in a row were answered by servers of two versions: there is a load balancer between. A client of etcd balances by itself and wants to know each member",
				Fix:      []string{"etcdctl --endpoints " + m.endpoint + " member list -w table", "# name the client URLs of the members"},
				Ref:      "https://etcd.io/docs/v3.6/learning/design-client/",
			})
		}
		if storage, ok := minor(s.Storage); ok && storage < server {
			e.say(Diagnosis{
				ID: "storage-below-server", Severity: Note, Title: fmt.Sprintf("the data of %s are of 3.%d, and the server is 3.%d", m.endpoint, storage, server),
				Evidence: []Evidence{m.evidence()},
				Cause:    "the cluster is not upgraded as a whole yet, or is being downgraded: the member writes what the older release can read",
				Fix:      []string{"etcdctl endpoint status --cluster -w table"},
				Ref:      downgradeRef,
			})
		}
		if s.Downgrade.Enabled {
			e.say(Diagnosis{
				ID: "downgrade-under-way", Severity: Warning, Title: "the cluster is being downgraded to " + s.Downgrade.Target,
				Evidence: []Evidence{m.evidence()},
				Cause:    "clients are compared with the release that it goes to",
				Fix:      []string{"etcdctl endpoint status --cluster -w table", "# to stop it, before a member runs the older release:", "etcdctl downgrade cancel"},
				Ref:      downgradeRef,
			})
		}
		if s.Learner {
			e.say(Diagnosis{
				ID: "endpoint-learner", Severity: Warning, Title: m.endpoint + " is a learner",
				Evidence: []Evidence{m.evidence()},
				Cause:    "a learner has no vote and answers serializable reads and Status alone; all else fails with \"rpc not supported for learner\", so it is no endpoint for clients",
				Fix:      []string{"etcdctl member promote " + hexID(s.Header.MemberID), "# or leave it out of the clients' endpoints"},
				Ref:      "https://etcd.io/docs/v3.6/learning/design-learner/",
			})
		}
		if len(s.Errors) > 0 {
			fix := []string{"etcdctl --endpoints " + m.endpoint + " alarm list"}
			if slices.ContainsFunc(s.Errors, func(s string) bool { return strings.Contains(s, "NOSPACE") }) {
				fix = append(fix, "# free space: compact, then", "etcdctl --endpoints "+m.endpoint+" defrag", "etcdctl --endpoints "+m.endpoint+" alarm disarm")
			}
			e.say(Diagnosis{
				ID: "endpoint-errors", Severity: Warning, Title: m.endpoint + " reports errors",
				Evidence: []Evidence{{Module: "etcd server", Version: m.Server, Text: append([]string{m.endpoint}, s.Errors...)}},
				Cause:    "the cluster is not well: mend it before clients or servers change version",
				Fix:      fix, Ref: "https://etcd.io/docs/v3.6/op-guide/maintenance/",
			})
		}
	}
}

// mixed compares the releases of the members.
func (e *examination) mixed(members []member) {
	lowest, highest := -1, -1
	var all []Evidence
	for _, m := range members {
		n, ok := minor(m.Server)
		if !ok {
			continue
		}
		if lowest < 0 || n < lowest {
			lowest = n
		}
		highest = max(highest, n)
		all = append(all, m.evidence())
	}
	if highest == lowest {
		return
	}
	d := Diagnosis{
		ID: "servers-differ", Severity: Note, Title: "the members run different minor releases of etcd",
		Evidence: all,
		Cause:    "as in the middle of an upgrade; the cluster offers what its oldest member can",
		Fix:      []string{"etcdctl endpoint status --cluster -w table"},
		Ref:      upgradeRef,
	}
	if highest-lowest > 1 {
		d.Severity, d.Cause = Warning, "more than one minor release apart: upgrades go one minor release at a time, and members further apart are not supported in one cluster"
	}
	e.say(d)
}

// clusters compares the clusters that the members are of.
func (e *examination) clusters(members []member) {
	var ids []string
	var all []Evidence
	for _, m := range members {
		if m.status == nil || m.status.Header.ClusterID == "" {
			continue
		}
		if id := m.status.Header.ClusterID; !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
		ev := m.evidence()
		ev.Text = append(ev.Text, "cluster "+hexID(m.status.Header.ClusterID))
		all = append(all, ev)
	}
	if len(ids) < 2 {
		return
	}
	e.say(Diagnosis{
		ID: "clusters-differ", Severity: Error, Title: "the endpoints are members of different clusters",
		Evidence: all,
		Cause:    "a client with these endpoints reads and writes now here, now there",
		Fix:      []string{"etcdctl endpoint status --endpoints ENDPOINTS -w json", "# name the members of one cluster"},
		Ref:      "https://etcd.io/docs/v3.6/op-guide/clustering/",
	})
}

// hexID writes an id as etcdctl does; JSON has it as a decimal.
func hexID(id string) string {
	var n uint64
	if _, err := fmt.Sscan(id, &n); err != nil {
		return id
	}
	return fmt.Sprintf("%x", n)
}

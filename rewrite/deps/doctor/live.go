package doctor

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/etcdshift/etcdshift/rules/atlas"
)

// proxy asks which versions of the etcd client the user's proxies list, and
// compares with those that are known to exist.
func (e *examination) proxy() {
	if !slices.ContainsFunc(e.units, func(u *unit) bool { return len(u.imports) > 0 || u.build[clientV3] != nil }) {
		return
	}
	dir := filepath.Join(e.scratch, "versions")
	if os.Mkdir(dir, 0o777) != nil || os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module empty\n\ngo 1.21\n"), 0o666) != nil {
		return
	}
	// -retracted spares the go command the newest go.mod.
	out, err := e.run.Run(e.ctx, dir, "list", "-m", "-json=Versions", "-versions", "-retracted", "-mod=mod", clientV3)
	if err != nil {
		e.failed(&unit{rel: ".", dir: dir, scratch: e.scratch}, "go list -m -versions "+clientV3, err)
		return
	}
	var m struct{ Versions []string }
	if json.Unmarshal(out, &m) != nil {
		return
	}
	goproxy := ""
	if out, err := e.run.Run(e.ctx, dir, "env", "GOPROXY"); err == nil {
		goproxy = redact(strings.TrimSpace(string(out)))
	}
	if len(m.Versions) == 0 {
		e.say(Diagnosis{
			ID: "proxy-no-versions", Severity: Warning, Title: "the proxy lists no version of " + clientV3,
			Evidence: []Evidence{{Module: clientV3, Text: []string{"GOPROXY=" + goproxy}}},
			Cause:    "@latest, prefixes like @v3.5 and an import without a requirement cannot be resolved; versions that are named in full may be served all the same",
			Fix:      []string{"go list -m " + clientV3 + "@" + atlas.Newest(atlas.Line35), "# name versions in full"},
			Ref:      modRef + "#goproxy-protocol",
		})
		return
	}
	var behind []Evidence
	for _, l := range atlas.Lines() {
		rs := atlas.Releases(l)
		if len(rs) == 0 {
			continue
		}
		newest := rs[len(rs)-1].Version
		if slices.Contains(m.Versions, newest) {
			continue
		}
		has := "none"
		for _, v := range m.Versions {
			if vl, ok := atlas.LineOf(v); ok && vl == l && !strings.Contains(v, "-") {
				has = v
			}
		}
		if l2, ok := atlas.LineOf(has); ok && l2 == l && patchOf(has) > patchOf(newest) {
			continue // newer than what is known here
		}
		behind = append(behind, Evidence{Module: clientV3, Version: newest, Text: []string{"the proxy's newest " + string(l) + " is " + has}})
	}
	if len(behind) > 0 {
		e.say(Diagnosis{
			ID: "proxy-stale", Severity: Note, Title: "the proxy's list of " + clientV3 + " is not up to date",
			Evidence: append(behind, Evidence{Text: []string{"GOPROXY=" + goproxy}}),
			Cause:    "the list leaves releases out that exist, so @latest and @v3.x stop short of them. Versions that are named in full may be served all the same",
			Fix:      []string{"go list -m " + clientV3 + "@" + behind[len(behind)-1].Version, "# name versions in full; ask the proxy's operators to refresh the list"},
			Ref:      modRef + "#goproxy-protocol",
		})
	}
}

func patchOf(v string) int {
	n, _ := strconv.Atoi(v[strings.LastIndexByte(v, '.')+1:])
	return n
}

// redact takes passwords out of a list of addresses.
func redact(list string) string {
	parts := strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == '|' })
	for _, p := range parts {
		if u, err := url.Parse(p); err == nil && u.User != nil {
			list = strings.ReplaceAll(list, p, u.Redacted())
		}
	}
	return list
}

// endpoints asks live members what they are, judges them, and compares the
// client that the repository builds with.
func (e *examination) endpoints(o Options) {
	if len(o.Endpoints) == 0 {
		return
	}
	ask := newAsker(o.TLS)
	var members []member
	for _, ep := range o.Endpoints {
		m, err := ask.ask(e.ctx, ep)
		if err != nil {
			e.say(Diagnosis{
				ID: "endpoint-unreachable", Severity: Warning, Title: ep + " did not tell its version",
				Evidence: []Evidence{{Text: []string{err.Error()}}},
				Cause:    "the member is not there, does not speak HTTP at this address, or wants a certificate: etcd with --client-cert-auth gives /version only to a client that shows one",
				Fix:      []string{"curl -sS " + versionURL(ep), "# with client certificates:", "curl -sS --cacert CA --cert CERT --key KEY " + versionURL(ep)},
				Ref:      "https://etcd.io/docs/v3.5/op-guide/security/",
			})
			continue
		}
		members = append(members, m)
	}
	e.states(members)
	// What clients can count on: a cluster offers what its oldest member can,
	// or less while it is being upgraded or downgraded.
	lowest, highest := -1, -1
	var all []Evidence
	for _, m := range members {
		n, ok := minor(m.Server)
		if !ok {
			continue
		}
		highest = max(highest, n)
		for _, v := range m.bounds() {
			if n, ok := minor(v); ok && (lowest < 0 || n < lowest) {
				lowest = n
			}
		}
		all = append(all, m.evidence())
	}
	if lowest < 0 {
		return
	}
	for _, u := range e.units {
		e.compare(u, all, lowest, highest)
	}
}

// compare judges the clients of a module against the servers.
func (e *examination) compare(u *unit, servers []Evidence, lowest, highest int) {
	say := func(id, severity, title, cause string, of *listed, fix ...string) {
		e.say(Diagnosis{
			ID: id, Severity: severity, Title: title,
			Evidence: append([]Evidence{{Module: of.Path, Version: of.effective(), File: u.gomod()}}, servers...),
			Cause:    cause, Fix: fix, Ref: upgradeRef,
		})
	}
	server := fmt.Sprintf("3.%d", lowest)
	if c := u.build[clientV3]; c != nil {
		n, ok := minor(c.effective())
		if ok {
			// What the client takes for an old cluster with RejectOldCluster.
			oldest := 4
			if n > 5 {
				oldest = n - 1
			}
			switch {
			case lowest < oldest:
				say("client-server", Warning, fmt.Sprintf("client/v3 %s is too new for an etcd %s", c.effective(), server),
					fmt.Sprintf("client/v3 3.%d is made for servers from 3.%d on: with RejectOldCluster it refuses this one, without it calls that came later fail with Unimplemented", n, oldest),
					c, "# upgrade the servers first, one minor release at a time", fmt.Sprintf("etcdshift migrate --target 3.%d", max(5, min(lowest+1, n))))
			case n >= 7 && lowest < 7:
				say("client-server", Note, fmt.Sprintf("client/v3 %s asks for more than an etcd %s has", c.effective(), server),
					"KV.GetStream came with 3.7; a server before answers Unimplemented. All else works",
					c, "# upgrade the servers before GetStream is used")
			}
		}
	}
	if o := u.oldModule(); o != nil && u.importsOld() && highest >= 6 {
		say("client-server", Warning, fmt.Sprintf("%s %s is not tested with an etcd 3.%d", o.Path, o.effective(), highest),
			"clients up to 3.4 and servers from 3.6 on are more than one minor release apart: the v3 calls are the same, but nobody tests them together",
			o, migrate)
	}
	for _, i := range u.imports {
		rel, layout, ok := atlas.Canonical(i.path)
		if !ok || rel != "client" || layout == atlas.LayoutSplit && i.path != "go.etcd.io/etcd/client/v2" || highest < 6 {
			continue
		}
		e.say(Diagnosis{
			ID: "client-v2-server", Severity: Error, Title: fmt.Sprintf("the v2 API is used, and an etcd 3.%d does not serve it", highest),
			Evidence: append([]Evidence{{File: i.file, Line: i.line, Text: []string{i.path}}}, servers...),
			Cause:    "etcd 3.6 removed the v2 API (3.4 and 3.5 serve it with --enable-v2); v2 keys are not visible through v3",
			Fix:      []string{"etcdshift check", "# move to client/v3, and the data with etcdctl migrate of a 3.4 before the servers are upgraded"},
			Ref:      "https://etcd.io/docs/v3.6/upgrades/upgrade_3_6/",
		})
		break
	}
}

// minor returns the minor release of a version 3.x, with or without a v.
func minor(v string) (int, bool) {
	v = strings.TrimPrefix(v, "v")
	rest, ok := strings.CutPrefix(v, "3.")
	if !ok {
		return 0, false
	}
	m, _, _ := strings.Cut(rest, ".")
	n, err := strconv.Atoi(m)
	return n, err == nil
}

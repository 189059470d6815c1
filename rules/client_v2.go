package rules

import (
	"go/ast"
	"slices"
	"strconv"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// ClientV2 says what becomes of code that talks to the v2 API.
//
// The code goes on to compile with client/v2, whose imports import-path
// moves. What it talks to does not: servers have the v2 API only with
// --enable-v2 since 3.4, and not at all from 3.6 on. Keys, watches and locks
// of v2 live in a store of their own, so a rewrite call by call would change
// what a program reads; each call becomes a finding with its v3 form, and so
// does each type, field and constant, once for a file.
//
// Rewritten: Discover of a Discoverer, which gained a parameter in 3.4.
var ClientV2 = &Rule{
	ID:    "client-v2",
	Title: "report the calls of the v2 client with their v3 form",
	Before: `package p

import (
	"context"

	"github.com/coreos/etcd/client"
)

func members(domain string) ([]string, error) {
	eps, err := client.NewSRVDiscover().Discover(domain)
	if err != nil {
		return nil, err
	}
	c, err := client.New(client.Config{Endpoints: eps})
	if err != nil {
		return nil, err
	}
	resp, err := client.NewKeysAPI(c).Get(context.Background(), "/members", &client.GetOptions{Recursive: true})
	if client.IsKeyNotFound(err) || err != nil {
		return nil, err
	}
	var names []string
	for _, n := range resp.Node.Nodes {
		names = append(names, n.Key)
	}
	return names, nil
}
`,
	After: `package p

import (
	"context"

	client "go.etcd.io/etcd/client/v2"
)

func members(domain string) ([]string, error) {
	eps, err := client.NewSRVDiscover().Discover(domain, "")
	if err != nil {
		return nil, err
	}
	c, err := client.New(client.Config{Endpoints: eps})
	if err != nil {
		return nil, err
	}
	resp, err := client.NewKeysAPI(c).Get(context.Background(), "/members", &client.GetOptions{Recursive: true})
	if client.IsKeyNotFound(err) || err != nil {
		return nil, err
	}
	var names []string
	for _, n := range resp.Node.Nodes {
		names = append(names, n.Key)
	}
	return names, nil
}
`,
	Why: "The v2 API is served with --enable-v2 only since 3.4, and gone from the server in 3.6. Its data is not that of v3: " +
		"move it once, with a program that reads by v2 and writes by v3 while a 3.4 or 3.5 server still has both.",
	Since:  "v3.4.0",
	Safety: Same,
	Refs: []string{
		"https://etcd.io/docs/v3.6/upgrades/upgrade_3_6/",
		"https://github.com/etcd-io/etcd/blob/main/CHANGELOG/CHANGELOG-3.4.md",
		"https://github.com/etcd-io/etcd/blob/main/CHANGELOG/CHANGELOG-3.6.md",
	},
	Claims: []string{"client.*"},
	Run:    runClientV2,
}

// V2Gone says whether the servers of a line have no v2 API.
func V2Gone(line atlas.Line) bool { return line != atlas.Line35 }

// SpeaksV2Only says whether code that imports these etcd packages speaks to
// etcd by the v2 API and by no other: of the rest, pkg and version are for
// programs of any kind. Imports of client/v2 are somebody's decision already.
func SpeaksV2Only(imports []string) bool {
	v2 := false
	for _, i := range imports {
		rel, layout, _ := atlas.Canonical(i)
		switch {
		case rel == "client" && layout != atlas.LayoutSplit:
			v2 = true
		case !strings.HasPrefix(rel, "pkg/") && rel != "version":
			return false
		}
	}
	return v2
}

func runClientV2(p *Pass) {
	refs := p.RefsTo("client")
	if len(refs) == 0 {
		return
	}
	for _, r := range p.Refs("client", "Discoverer.Discover") {
		if call := r.Call(); call != nil && len(call.Args) == 1 && !spreads(p, call, 2) {
			c := p.Change(r.Tier, "Discover takes the name of the service since 3.4")
			c.Insert(r.File, call.Args[0].End(), `, ""`)
		}
	}
	var inCalls []*ast.CompositeLit // options that the finding of a call speaks of
	for _, r := range refs {
		if strings.Contains(r.Name, ".Codec") {
			p.Report(r.File, r.Ident, edit.Manual, r.Name+" is gone: client v2 does not use ugorji's codec since 3.4", "use encoding/json; the types have its tags")
			continue
		}
		if form, ok := v2Calls[r.Name]; ok {
			if call := r.Call(); call != nil {
				for _, a := range call.Args {
					if lit := literalOf(a); lit != nil {
						inCalls = append(inCalls, lit)
					}
				}
				p.reportV2(r, call, form(&v2Call{p, r.File, call}))
				continue
			}
		}
	}
	// Each call is a piece of work of its own; of types, fields and constants one
	// word for each file is enough.
	type place struct{ file, name string }
	first := map[place]func(more int){}
	count := map[place]int{}
	var order []place
	for _, r := range refs {
		form, ok := v2Forms[r.Name]
		if !ok || r.Call() != nil && v2Calls[r.Name] != nil {
			continue
		}
		at, c := r.Expr()
		if strings.Contains(r.Name, ".") {
			// A field: of the chain resp.Node.Value only the end is worth a word,
			// and the keys of a call's options belong to the call.
			if sel, ok := c.Parent().Node().(*ast.SelectorExpr); ok && sel.X == at && p.v2Field(sel) {
				continue
			}
			if r.Selector() == nil {
				continue
			}
		} else if slices.ContainsFunc(inCalls, func(l *ast.CompositeLit) bool { return l.Pos() <= at.Pos() && at.End() <= l.End() }) {
			continue
		}
		pl := place{r.File.Name, r.Name}
		if count[pl]++; count[pl] == 1 {
			order = append(order, pl)
			first[pl] = func(more int) {
				if more > 0 {
					form += "; " + strconv.Itoa(more) + " more in this file"
				}
				p.reportV2(r, at, form)
			}
		}
	}
	for _, pl := range order {
		first[pl](count[pl] - 1)
	}
}

func (p *Pass) v2Field(sel *ast.SelectorExpr) bool {
	for _, r := range p.RefsTo("client") {
		if r.Ident == sel.Sel {
			return strings.Contains(r.Name, ".")
		}
	}
	return false
}

// reportV2 says the same of every use, so that a view can put them together.
func (p *Pass) reportV2(r Ref, n ast.Node, form string) {
	sev, message := edit.Review, "uses the v2 API, which no server has from etcd 3.6 on"
	if !V2Gone(p.Target.Line) {
		sev, message = edit.Note, "uses the v2 API, which etcd 3.5 servers have with --enable-v2=true and later ones have not"
	}
	p.Report(r.File, n, sev, message, "client."+r.Name+" in v3: "+form)
}

// v2Call is a call of the v2 API.
type v2Call struct {
	p    *Pass
	f    *File
	call *ast.CallExpr
}

// arg returns the text of an argument, or a name for one that is too long to
// repeat.
func (c *v2Call) arg(i int, name string) string {
	if i >= len(c.call.Args) {
		return name
	}
	s := strings.Join(strings.Fields(c.f.Text(c.call.Args[i])), " ")
	if _, ok := ast.Unparen(c.call.Args[i]).(*ast.BasicLit); ok && name == "password" {
		return name // reports travel further than the code
	}
	if len(s) > 60 || literalOf(c.call.Args[i]) != nil && len(s) > 40 {
		return name
	}
	return s
}

// options returns the fields of the options literal of a call by name; known
// is false when the options are made elsewhere.
func (c *v2Call) options(i int) (opts map[string]string, known bool) {
	opts = map[string]string{}
	if i >= len(c.call.Args) || isNil(c.call.Args[i]) {
		return opts, true
	}
	lit := literalOf(c.call.Args[i])
	known = lit != nil
	if lit == nil {
		// A variable that is set once: what its literal says holds, and more may
		// be set on it.
		if o := c.p.object(c.call.Args[i]); o != nil {
			if vs, all := c.p.valuesOf(o); all && len(vs) == 1 {
				if e, ok := vs[0].Node().(ast.Expr); ok {
					lit = literalOf(e)
				}
			}
		}
	}
	if lit == nil {
		return opts, false
	}
	for _, e := range lit.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			return opts, false
		}
		if v := c.f.Text(kv.Value); v != "false" {
			opts[c.f.Text(kv.Key)] = v
		}
	}
	return opts, known
}

// lease is the text that makes a lease for a TTL, and the option for it.
func lease(ctx, ttl string) (before, option string) {
	if strings.Contains(ttl, " ") {
		ttl = "(" + ttl + ")"
	}
	return "lease, err := cli.Grant(" + ctx + ", int64(" + ttl + ".Seconds())); then ", ", clientv3.WithLease(lease.ID)"
}

// condition is the comparison that v2 options ask for, "" for none.
func condition(key string, opts map[string]string) string {
	var cs []string
	if v, ok := opts["PrevValue"]; ok {
		cs = append(cs, `clientv3.Compare(clientv3.Value(`+key+`), "=", `+v+`)`)
	}
	if v, ok := opts["PrevIndex"]; ok {
		cs = append(cs, `clientv3.Compare(clientv3.ModRevision(`+key+`), "=", int64(`+v+`))`)
	}
	switch v := opts["PrevExist"]; {
	case strings.HasSuffix(v, "PrevNoExist"):
		cs = append(cs, `clientv3.Compare(clientv3.CreateRevision(`+key+`), "=", 0)`)
	case strings.HasSuffix(v, "PrevExist"):
		cs = append(cs, `clientv3.Compare(clientv3.CreateRevision(`+key+`), ">", 0)`)
	}
	return strings.Join(cs, ", ")
}

func v2Txn(ctx, cond, op string) string {
	return "resp, err := cli.Txn(" + ctx + ").If(" + cond + ").Then(" + op + ").Commit(); resp.Succeeded says whether the condition held"
}

const elsewhere = "; the options are made elsewhere: Recursive is clientv3.WithPrefix(), TTL a lease, PrevExist, PrevValue and PrevIndex are the condition of a Txn"

// prefixed is the key of a v2 directory with the slash that keeps v3 from
// reading its neighbours too.
func prefixed(key string) string {
	if s, err := strconv.Unquote(key); err == nil {
		return strconv.Quote(strings.TrimSuffix(s, "/") + "/")
	}
	return key + `+"/"`
}

// call makes a form from a template: {0} is the text of the first argument,
// or its name when that is too long.
func call(template string, names ...string) func(*v2Call) string {
	return func(c *v2Call) string {
		out := template
		for i, n := range names {
			out = strings.ReplaceAll(out, "{"+strconv.Itoa(i)+"}", c.arg(i, n))
		}
		return out
	}
}

// v2Calls are the calls of the v2 API in terms of a *clientv3.Client named
// cli.
var v2Calls = map[string]func(*v2Call) string{
	"New": func(c *v2Call) string {
		eps := "endpoints"
		var more string
		if lit := literalOf(c.call.Args[0]); lit != nil {
			for _, e := range lit.Elts {
				kv, ok := e.(*ast.KeyValueExpr)
				if !ok {
					continue
				}
				v := strings.Join(strings.Fields(c.f.Text(kv.Value)), " ")
				switch k := c.f.Text(kv.Key); k {
				case "Endpoints":
					if len(v) <= 60 {
						eps = v
					}
				case "Username", "Password":
					if _, ok := kv.Value.(*ast.BasicLit); ok {
						v = strings.ToLower(k)
					}
					more += ", " + k + ": " + v
				case "Transport":
					more += ", TLS: tlsConfig"
				}
			}
		}
		return "cli, err := clientv3.New(clientv3.Config{Endpoints: " + eps + ", DialTimeout: 5 * time.Second" + more + "}), and cli.Close() when it is done with"
	},
	"NewKeysAPI":           call("drop it; the *clientv3.Client has Get, Put, Delete, Txn and Watch itself"),
	"NewKeysAPIWithPrefix": call("kv := namespace.NewKV(cli, {1}+\"/\") of client/v3/namespace, if all keys share a prefix", "c", "prefix"),
	"NewMembersAPI":        call("drop it; the *clientv3.Client has MemberList, MemberAdd, MemberUpdate and MemberRemove itself"),
	"NewAuthAPI":           call("drop it; the *clientv3.Client has AuthEnable and AuthDisable itself"),
	"NewAuthRoleAPI":       call("drop it; the *clientv3.Client has RoleAdd, RoleGet, RoleGrantPermission and so on itself"),
	"NewAuthUserAPI":       call("drop it; the *clientv3.Client has UserAdd, UserGet, UserGrantRole and so on itself"),
	"NewSRVDiscover":       call("drop it; client/pkg/v3/srv has srv.GetClient"),

	"KeysAPI.Get": func(c *v2Call) string {
		ctx, key := c.arg(0, "ctx"), c.arg(1, "key")
		opts, known := c.options(2)
		text, tail := "", "; the value is string(resp.Kvs[0].Value), and a key that is not there gives no Kvs and no error"
		if opts["Recursive"] != "" {
			key = prefixed(key)
			text += ", clientv3.WithPrefix()"
			tail = "; the keys below it are resp.Kvs, all levels in one list; none is not an error"
		}
		if opts["Sort"] != "" {
			text += ", clientv3.WithSort(clientv3.SortByKey, clientv3.SortAscend)"
		}
		if opts["Quorum"] == "" && known {
			tail += "; add clientv3.WithSerializable() to read from any member, as here"
		}
		if !known {
			tail += elsewhere
		}
		return "resp, err := cli.Get(" + ctx + ", " + key + text + ")" + tail
	},
	"KeysAPI.Set": func(c *v2Call) string {
		ctx, key, val := c.arg(0, "ctx"), c.arg(1, "key"), c.arg(2, "value")
		opts, known := c.options(3)
		if opts["Refresh"] != "" {
			return "_, err := cli.KeepAliveOnce(" + ctx + ", leaseID) with the lease that the key was put with"
		}
		if opts["Dir"] != "" {
			return "drop it; v3 has no directories, and keys need none above them"
		}
		before, option := "", ""
		if ttl, ok := opts["TTL"]; ok {
			before, option = lease(ctx, ttl)
		}
		if cond := condition(key, opts); cond != "" {
			return before + v2Txn(ctx, cond, "clientv3.OpPut("+key+", "+val+option+")")
		}
		tail := ""
		if !known {
			tail = elsewhere
		}
		return before + "_, err := cli.Put(" + ctx + ", " + key + ", " + val + option + ")" + tail
	},
	"KeysAPI.Create": func(c *v2Call) string {
		key := c.arg(1, "key")
		return v2Txn(c.arg(0, "ctx"), condition(key, map[string]string{"PrevExist": "PrevNoExist"}), "clientv3.OpPut("+key+", "+c.arg(2, "value")+")")
	},
	"KeysAPI.Update": func(c *v2Call) string {
		key := c.arg(1, "key")
		return v2Txn(c.arg(0, "ctx"), condition(key, map[string]string{"PrevExist": "PrevExist"}), "clientv3.OpPut("+key+", "+c.arg(2, "value")+")")
	},
	"KeysAPI.Delete": func(c *v2Call) string {
		ctx, key := c.arg(0, "ctx"), c.arg(1, "key")
		opts, known := c.options(2)
		text := ""
		if opts["Recursive"] != "" {
			key = prefixed(key)
			text = ", clientv3.WithPrefix()"
		}
		if cond := condition(key, opts); cond != "" {
			return v2Txn(ctx, cond, "clientv3.OpDelete("+key+text+")")
		}
		tail := "; resp.Deleted is 0 when there was none, without an error"
		if !known {
			tail += elsewhere
		}
		return "resp, err := cli.Delete(" + ctx + ", " + key + text + ")" + tail
	},
	"KeysAPI.CreateInOrder": call("put under a name of its own, cli.Put({0}, {1}+\"/\"+uuid, {2}), and read in order with cli.Get(ctx, {1}+\"/\", clientv3.WithPrefix(), clientv3.WithSort(clientv3.SortByCreateRevision, clientv3.SortAscend)); recipe.NewQueue of client/v3/experimental/recipes is a queue made so", "ctx", "dir", "value"),
	"KeysAPI.Watcher": func(c *v2Call) string {
		key, opts, text := c.arg(0, "key"), map[string]string(nil), ""
		opts, known := c.options(1)
		if opts["Recursive"] != "" {
			key = prefixed(key)
			text = ", clientv3.WithPrefix()"
		}
		if n, ok := opts["AfterIndex"]; ok {
			text += ", clientv3.WithRev(int64(" + n + ")+1)"
		}
		tail := ""
		if !known {
			tail = "; Recursive is clientv3.WithPrefix(), AfterIndex is clientv3.WithRev(rev+1)"
		}
		return "wch := cli.Watch(ctx, " + key + text + "); for resp := range wch { if err := resp.Err(); err != nil { ... }; for _, ev := range resp.Events { ... } }" + tail
	},
	"Watcher.Next": call("read from the channel that cli.Watch gives: for resp := range wch { for _, ev := range resp.Events { ... } }, with ev.Kv, ev.Type and ev.IsCreate(); the watch goes on over broken connections by itself"),

	"MembersAPI.List":   call("resp, err := cli.MemberList({0}), and resp.Members", "ctx"),
	"MembersAPI.Add":    call("resp, err := cli.MemberAdd({0}, []string{{1}}), and resp.Member", "ctx", "peerURL"),
	"MembersAPI.Remove": call("id, err := strconv.ParseUint({1}, 16, 64), then cli.MemberRemove({0}, id)", "ctx", "mID"),
	"MembersAPI.Update": call("id, err := strconv.ParseUint({1}, 16, 64), then cli.MemberUpdate({0}, id, {2})", "ctx", "mID", "peerURLs"),
	"MembersAPI.Leader": call("resp, err := cli.Status({0}, cli.Endpoints()[0]); resp.Leader is the ID of the leader among the members of cli.MemberList({0})", "ctx"),

	"Client.Sync":         call("err := cli.Sync({0})", "ctx"),
	"Client.AutoSync":     call("set AutoSyncInterval: {1} in clientv3.Config; the client syncs by itself", "ctx", "interval"),
	"Client.Endpoints":    call("cli.Endpoints()"),
	"Client.SetEndpoints": call("cli.SetEndpoints({0}...), which gives no error", "eps"),
	"Client.GetVersion":   call("resp, err := cli.Status({0}, cli.Endpoints()[0]), and resp.Version", "ctx"),

	"AuthAPI.Enable":             call("_, err := cli.AuthEnable({0})", "ctx"),
	"AuthAPI.Disable":            call("_, err := cli.AuthDisable({0})", "ctx"),
	"AuthRoleAPI.AddRole":        call("_, err := cli.RoleAdd({0}, {1})", "ctx", "role"),
	"AuthRoleAPI.RemoveRole":     call("_, err := cli.RoleDelete({0}, {1})", "ctx", "role"),
	"AuthRoleAPI.GetRole":        call("resp, err := cli.RoleGet({0}, {1}), and resp.Perm", "ctx", "role"),
	"AuthRoleAPI.GrantRoleKV":    call("for _, k := range {2} { _, err := cli.RoleGrantPermission({0}, {1}, k, clientv3.GetPrefixRangeEnd(k), clientv3.PermissionType(clientv3.PermReadWrite)) }", "ctx", "role", "prefixes"),
	"AuthRoleAPI.RevokeRoleKV":   call("for _, k := range {2} { _, err := cli.RoleRevokePermission({0}, {1}, k, clientv3.GetPrefixRangeEnd(k)) }", "ctx", "role", "prefixes"),
	"AuthRoleAPI.ListRoles":      call("resp, err := cli.RoleList({0}), and resp.Roles", "ctx"),
	"AuthUserAPI.AddUser":        call("_, err := cli.UserAdd({0}, {1}, {2})", "ctx", "user", "password"),
	"AuthUserAPI.RemoveUser":     call("_, err := cli.UserDelete({0}, {1})", "ctx", "user"),
	"AuthUserAPI.GetUser":        call("resp, err := cli.UserGet({0}, {1}), and resp.Roles", "ctx", "user"),
	"AuthUserAPI.GrantUser":      call("for _, role := range {2} { _, err := cli.UserGrantRole({0}, {1}, role) }", "ctx", "user", "roles"),
	"AuthUserAPI.RevokeUser":     call("for _, role := range {2} { _, err := cli.UserRevokeRole({0}, {1}, role) }", "ctx", "user", "roles"),
	"AuthUserAPI.ChangePassword": call("_, err := cli.UserChangePassword({0}, {1}, {2})", "ctx", "user", "password"),
	"AuthUserAPI.ListUsers":      call("resp, err := cli.UserList({0}), and resp.Users", "ctx"),
	"Discoverer.Discover":        call("clients, err := srv.GetClient(\"etcd-client\", {0}, \"\") of client/pkg/v3/srv, and clients.Endpoints", "domain"),
	"IsKeyNotFound":              call("len(resp.Kvs) == 0 after Get, resp.Deleted == 0 after Delete, !resp.Succeeded after a Txn that compares CreateRevision; none of them is an error"),
	"IsRoleNotFound":             call("errors.Is({0}, rpctypes.ErrRoleNotFound) of api/v3/v3rpc/rpctypes", "err"),
	"IsUserNotFound":             call("errors.Is({0}, rpctypes.ErrUserNotFound) of api/v3/v3rpc/rpctypes", "err"),
	"EnablecURLDebug":            call("drop it; pass a zap logger at debug level in clientv3.Config.Logger"),
	"DisablecURLDebug":           call("drop it; clientv3 logs what its Config.Logger lets through"),
	"ClusterError.Detail":        call("err.Error(); clientv3 gives one error for the call"),
	"StrToPermissionType":        call("clientv3.StrToPermissionType({0})", "s"),
}

// v2Forms are the types, fields, constants and variables of the v2 API, and
// functions that are not called.
var v2Forms = map[string]string{
	"Config":                "clientv3.Config{Endpoints: ..., DialTimeout: ..., TLS: ..., Username: ..., Password: ...}",
	"Client":                "*clientv3.Client, which has the methods of all v2 APIs",
	"KeysAPI":               "clientv3.KV for reads, writes and transactions, clientv3.Watcher for watches; *clientv3.Client is both",
	"MembersAPI":            "clientv3.Cluster, which *clientv3.Client implements",
	"Watcher":               "clientv3.WatchChan, what cli.Watch gives",
	"AuthAPI":               "clientv3.Auth, which *clientv3.Client implements",
	"AuthRoleAPI":           "clientv3.Auth, which *clientv3.Client implements",
	"AuthUserAPI":           "clientv3.Auth, which *clientv3.Client implements",
	"Response":              "*clientv3.GetResponse, *clientv3.PutResponse, *clientv3.DeleteResponse, or *clientv3.Event for what a watch gives",
	"Node":                  "*mvccpb.KeyValue of api/v3/mvccpb; v3 has no directories",
	"Nodes":                 "[]*mvccpb.KeyValue of api/v3/mvccpb",
	"Member":                "*etcdserverpb.Member of api/v3/etcdserverpb, with a number for ID",
	"User":                  "*clientv3.AuthUserGetResponse",
	"Role":                  "*clientv3.AuthRoleGetResponse",
	"PermissionType":        "clientv3.PermissionType",
	"Discoverer":            "the function srv.GetClient of client/pkg/v3/srv",
	"CancelableTransport":   "clientv3.Config.TLS; gRPC makes the connections",
	"GetOptions":            "options of cli.Get: clientv3.WithPrefix() for Recursive, clientv3.WithSort for Sort, clientv3.WithSerializable() unless Quorum",
	"SetOptions":            "clientv3.WithLease for TTL, the condition of a Txn for PrevExist, PrevValue and PrevIndex",
	"DeleteOptions":         "clientv3.WithPrefix() for Recursive, the condition of a Txn for PrevValue and PrevIndex",
	"WatcherOptions":        "options of cli.Watch: clientv3.WithPrefix() for Recursive, clientv3.WithRev(rev+1) for AfterIndex",
	"CreateInOrderOptions":  "clientv3.WithLease for TTL",
	"PrevExistType":         "a condition of a Txn on clientv3.CreateRevision(key)",
	"PrevExist":             `the condition clientv3.Compare(clientv3.CreateRevision(key), ">", 0) of a Txn`,
	"PrevNoExist":           `the condition clientv3.Compare(clientv3.CreateRevision(key), "=", 0) of a Txn`,
	"PrevIgnore":            "a Put without a condition",
	"DefaultTransport":      "drop it; clientv3.Config.TLS where the servers use TLS, gRPC does the rest",
	"DefaultCheckRedirect":  "drop it; gRPC has no redirects",
	"CheckRedirectFunc":     "drop it; gRPC has no redirects",
	"DefaultRequestTimeout": "ctx, cancel := context.WithTimeout(ctx, 5*time.Second) around each call",

	"EndpointSelectionMode":             "drop it; the client spreads its calls over the members",
	"EndpointSelectionRandom":           "drop it; the client spreads its calls over the members",
	"EndpointSelectionPrioritizeLeader": "drop it; the client spreads its calls over the members",

	"Error":                      "errors of api/v3/v3rpc/rpctypes: errors.Is(err, rpctypes.ErrPermissionDenied); a key that is not there and a condition that fails are no errors in v3",
	"ClusterError":               "err itself; status.Code(err) == codes.Unavailable when no member answers",
	"ErrClusterUnavailable":      "status.Code(err) == codes.Unavailable, or context.DeadlineExceeded",
	"ErrNoEndpoints":             "clientv3.ErrNoAvailableEndpoints",
	"ErrNoLeaderEndpoint":        "errors.Is(err, rpctypes.ErrNoLeader) of api/v3/v3rpc/rpctypes",
	"ErrTooManyRedirects":        "drop it; gRPC has no redirects",
	"ErrInvalidJSON":             "drop it; v3 does not speak JSON",
	"ErrEmptyBody":               "drop it; v3 does not speak JSON",
	"ErrNoRequest":               "drop it; v3 does not speak HTTP/1",
	"ErrorCodeKeyNotFound":       "len(resp.Kvs) == 0; not an error in v3",
	"ErrorCodeTestFailed":        "!resp.Succeeded of a Txn; not an error in v3",
	"ErrorCodeNodeExist":         "!resp.Succeeded of a Txn that compares CreateRevision with 0; not an error in v3",
	"ErrorCodeNotFile":           "drop it; v3 has no directories",
	"ErrorCodeNotDir":            "drop it; v3 has no directories",
	"ErrorCodeRootROnly":         "drop it; v3 has no directories",
	"ErrorCodeDirNotEmpty":       "drop it; v3 has no directories",
	"ErrorCodeUnauthorized":      "errors.Is(err, rpctypes.ErrPermissionDenied) of api/v3/v3rpc/rpctypes",
	"ErrorCodePrevValueRequired": "drop it; a Txn says what it compares",
	"ErrorCodeTTLNaN":            "drop it; TTLs are numbers in v3",
	"ErrorCodeIndexNaN":          "drop it; revisions are numbers in v3",
	"ErrorCodeInvalidField":      "status.Code(err) == codes.InvalidArgument",
	"ErrorCodeInvalidForm":       "status.Code(err) == codes.InvalidArgument",
	"ErrorCodeRaftInternal":      "status.Code(err) == codes.Unavailable",
	"ErrorCodeLeaderElect":       "errors.Is(err, rpctypes.ErrNoLeader) of api/v3/v3rpc/rpctypes",
	"ErrorCodeWatcherCleared":    "resp.Canceled of a clientv3.WatchResponse, with resp.Err()",
	"ErrorCodeEventIndexCleared": "errors.Is(resp.Err(), rpctypes.ErrCompacted) of api/v3/v3rpc/rpctypes; watch again from resp.CompactRevision",

	"Response.Action":    "ev.Type of an event (clientv3.EventTypePut, clientv3.EventTypeDelete) and ev.IsCreate(); an expired lease deletes",
	"Response.Node":      "resp.Kvs[0] after Get, ev.Kv of an event; Put gives none",
	"Response.PrevNode":  "resp.PrevKv after cli.Put(ctx, key, value, clientv3.WithPrevKV()), ev.PrevKv of a watch with clientv3.WithPrevKV()",
	"Response.Index":     "resp.Header.Revision",
	"Response.ClusterID": "resp.Header.ClusterId",
	"Node.Key":           "string(kv.Key)",
	"Node.Value":         "string(kv.Value)",
	"Node.Dir":           "drop it; v3 has no directories",
	"Node.Nodes":         "resp.Kvs of cli.Get(ctx, dir+\"/\", clientv3.WithPrefix()), all levels in one list",
	"Node.CreatedIndex":  "kv.CreateRevision",
	"Node.ModifiedIndex": "kv.ModRevision",
	"Node.Expiration":    "resp, err := cli.TimeToLive(ctx, clientv3.LeaseID(kv.Lease)), and resp.TTL",
	"Node.TTL":           "resp, err := cli.TimeToLive(ctx, clientv3.LeaseID(kv.Lease)), and resp.TTL",
	"Member.ID":          "m.ID, a number; strconv.FormatUint(m.ID, 16) is what v2 has",
	"Error.Code":         "errors.Is(err, rpctypes.ErrX) of api/v3/v3rpc/rpctypes, or status.Code(err)",
	"Error.Index":        "resp.Header.Revision of a response; errors have none",
}

package rules

import (
	"go/ast"
	"go/constant"
	"go/token"
	"slices"
	"strconv"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// embedConfig carries embed.Config over: fields that were renamed, that became
// feature gates, that changed their type or that went.
//
// Matched: fields as keys of literals, as targets of assignments and where they
// are read. A setting without a counterpart is dropped if it says what is now
// the only choice, else reported.
//
// Not matched: a value that is built elsewhere and only passed through.
var embedConfig = &Rule{
	ID:    "embed-config",
	Title: "carry embed.Config fields over to their current names and types",
	Before: `package p

import (
	"net/url"

	"github.com/coreos/etcd/embed"
)

func start(u url.URL, dir string) (*embed.Etcd, error) {
	cfg := embed.NewConfig()
	cfg.Dir = dir
	cfg.LPUrls = []url.URL{u}
	cfg.APUrls = []url.URL{u}
	cfg.SnapCount = 5000
	cfg.Debug = true
	cfg.LogOutput = "stderr"
	return embed.StartEtcd(cfg)
}
`,
	After: `package p

import (
	"net/url"

	"go.etcd.io/etcd/server/v3/embed"
)

func start(u url.URL, dir string) (*embed.Etcd, error) {
	cfg := embed.NewConfig()
	cfg.Dir = dir
	cfg.ListenPeerUrls = []url.URL{u}
	cfg.AdvertisePeerUrls = []url.URL{u}
	cfg.SnapshotCount = 5000
	cfg.LogLevel = "debug"
	cfg.LogOutputs = []string{"stderr"}
	return embed.StartEtcd(cfg)
}
`,
	Why: "Fields of embed.Config were renamed (SnapCount, the URL lists, Experimental… in 3.7), replaced (Debug by LogLevel, LogOutput by LogOutputs, some Experimental… flags by feature gates) or removed " +
		"(LogPkgLevels, EnableV2, discovery v2). Logging goes through zap only: the logger \"capnslog\" is an error since 3.5.",
	Since:  "v3.4.0",
	Safety: Adjusted,
	Refs: []string{
		"server/v3/embed/config.go and config_logging.go of v3.5.35, v3.6.16 and v3.7.3",
		"https://github.com/etcd-io/etcd/blob/main/CHANGELOG/CHANGELOG-3.6.md",
	},
	Claims: []string{
		"embed.Config.*", "embed.DefaultEnableV2", "embed.DefaultExperimentalTxnModeWriteWithSharedBuffer", "embed.Etcd.Peers",
		"embed.ExperimentalDistributedTracing*", "embed.NewZapCoreLoggerBuilder", "embed.SetFeatureGatesFromExperimentalFlags", "embed.SetupGrpcLoggingForTest",
	},
	Run: runEmbedConfig,
}

// embedRenames are the fields that only changed their name, with the first line
// that lacks the old one.
var embedRenames = []struct {
	old, now string
	since    atlas.Line
}{
	{"SnapCount", "SnapshotCount", atlas.Line35},
	{"LCUrls", "ListenClientUrls", atlas.Line35},
	{"LPUrls", "ListenPeerUrls", atlas.Line35},
	{"ACUrls", "AdvertiseClientUrls", atlas.Line35},
	{"APUrls", "AdvertisePeerUrls", atlas.Line35},
	{"DeprecatedLogOutput", "LogOutputs", atlas.Line35},
	{"ExperimentalBackendFreelistType", "BackendFreelistType", atlas.Line35},
	{"ExperimentalBootstrapDefragThresholdMegabytes", "BootstrapDefragThresholdMegabytes", atlas.Line37},
	{"ExperimentalCompactHashCheckTime", "CompactHashCheckTime", atlas.Line37},
	{"ExperimentalCompactionBatchLimit", "CompactionBatchLimit", atlas.Line37},
	{"ExperimentalCompactionSleepInterval", "CompactionSleepInterval", atlas.Line37},
	{"ExperimentalCorruptCheckTime", "CorruptCheckTime", atlas.Line37},
	{"ExperimentalDistributedTracingAddress", "DistributedTracingAddress", atlas.Line37},
	{"ExperimentalDistributedTracingSamplingRatePerMillion", "DistributedTracingSamplingRatePerMillion", atlas.Line37},
	{"ExperimentalDistributedTracingServiceInstanceID", "DistributedTracingServiceInstanceID", atlas.Line37},
	{"ExperimentalDistributedTracingServiceName", "DistributedTracingServiceName", atlas.Line37},
	{"ExperimentalDowngradeCheckTime", "DowngradeCheckTime", atlas.Line37},
	{"ExperimentalEnableDistributedTracing", "EnableDistributedTracing", atlas.Line37},
	{"ExperimentalMemoryMlock", "MemoryMlock", atlas.Line37},
	{"ExperimentalSnapshotCatchUpEntries", "SnapshotCatchUpEntries", atlas.Line37},
	{"ExperimentalWarningApplyDuration", "WarningApplyDuration", atlas.Line37},
	{"ExperimentalWarningUnaryRequestDuration", "WarningUnaryRequestDuration", atlas.Line37},
	{"ExperimentalWatchProgressNotifyInterval", "WatchProgressNotifyInterval", atlas.Line37},
}

// embedGates are the fields that 3.7 has as feature gates.
var embedGates = [][2]string{
	{"ExperimentalCompactHashCheckEnabled", "CompactHashCheck"},
	{"ExperimentalEnableLeaseCheckpoint", "LeaseCheckpoint"},
	{"ExperimentalEnableLeaseCheckpointPersist", "LeaseCheckpointPersist"},
	{"ExperimentalInitialCorruptCheck", "InitialCorruptCheck"},
	{"ExperimentalStopGRPCServiceOnDefrag", "StopGRPCServiceOnDefrag"},
	{"ExperimentalTxnModeWriteWithSharedBuffer", "TxnModeWriteWithSharedBuffer"},
}

// embedGone are the symbols that nothing takes the place of by itself.
var embedGone = []struct {
	name   string
	since  atlas.Line
	drop   func(*Pass, ast.Expr) bool // a setting that says what is the only choice now
	advice string
}{
	{"Config.CorsInfo", atlas.Line35, nil, `set cfg.CORS, a map[string]struct{} of origins; of a string as CorsInfo.Set takes it: flags.NewUniqueURLsWithExceptions(s, "*").Values`},
	{"Config.LogPkgLevels", atlas.Line35, isEmpty, "there are no levels for packages; cfg.LogLevel is that of all"},
	{"Config.NextClusterVersionCompatible", atlas.Line35, nil, "drop it; downgrades are enabled through the downgrade API of the cluster"},
	{"SetupGrpcLoggingForTest", atlas.Line35, nil, "set gRPC's logger with grpclog.SetLoggerV2"},
	{"Config.EnableV2", atlas.Line36, isFalse, "the server has no v2 API any more; move what uses it to clientv3, then drop the field"},
	{"Config.ExperimentalEnableV2V3", atlas.Line36, isEmpty, "the server has no v2 API any more; move what uses it to clientv3, then drop the field"},
	{"DefaultEnableV2", atlas.Line36, nil, "the server has no v2 API any more"},
	{"Config.Durl", atlas.Line37, isEmpty, "v2 discovery is gone; set cfg.DiscoveryCfg (v3discovery.DiscoveryConfig)"},
	{"Config.Dproxy", atlas.Line37, isEmpty, "v2 discovery is gone; set cfg.DiscoveryCfg (v3discovery.DiscoveryConfig)"},
	{"DefaultExperimentalTxnModeWriteWithSharedBuffer", atlas.Line37, nil, "the default of the feature gate TxnModeWriteWithSharedBuffer is true"},
	{"SetFeatureGatesFromExperimentalFlags", atlas.Line37, nil, "set the gates: cfg.ServerFeatureGate.(featuregate.MutableFeatureGate).SetFromMap"},
}

func runEmbedConfig(p *Pass) {
	p.embedUntyped()
	if len(p.RefsTo("embed")) == 0 {
		return
	}
	for _, x := range embedRenames {
		if p.Target.Line < x.since {
			continue
		}
		for _, r := range p.Refs("embed", "Config."+x.old) {
			p.renameField(r, x.now)
		}
	}
	for _, x := range [][2]string{{"ExperimentalDistributedTracingAddress", "DefaultDistributedTracingAddress"}, {"ExperimentalDistributedTracingServiceName", "DefaultDistributedTracingServiceName"}} {
		if p.Target.Line != atlas.Line37 {
			break
		}
		for _, r := range p.Refs("embed", x[0]) {
			c := p.Change(r.Tier, "embed.%s is now %s", x[0], x[1])
			c.ReplaceNode(r.File, r.Ident, x[1])
		}
	}
	if p.Target.Line == atlas.Line37 {
		for _, x := range embedGates {
			for _, r := range p.Refs("embed", "Config."+x[0]) {
				p.featureGate(useOf(r), x[1])
			}
		}
		for _, r := range p.Refs("embed", "Config.ExperimentalPeerSkipClientSanVerification") {
			if u := useOf(r); u.kv != nil {
				p.reportGone(u, "set PeerTLSInfo: transport.TLSInfo{SkipClientSANVerify: …} in the literal")
			} else {
				c := p.Change(r.Tier, "embed.Config.%s is now PeerTLSInfo.SkipClientSANVerify", r.Ident.Name)
				c.ReplaceNode(r.File, r.Ident, "PeerTLSInfo.SkipClientSANVerify")
			}
		}
	}
	for _, x := range embedGone {
		if p.Target.Line < x.since {
			continue
		}
		for _, r := range p.Refs("embed", x.name) {
			u := useOf(r)
			if x.drop != nil && u.settable() && !p.local(p.object(u.value)) && x.drop(p, u.value) {
				u.drop(p.Change(r.Tier, "embed.%s is gone; what it says here is the only choice now", x.name))
				continue
			}
			p.reportGone(u, x.advice)
		}
	}
	p.embedLogging()
	p.embedRetention()
	p.embedReceivers()
	if p.FromBefore("v3.2.0") {
		for _, r := range p.Refs("embed", "Etcd.Peers") {
			p.Report(r.File, r.Ident, edit.Manual, "the elements of Etcd.Peers are no longer net.Listener but embed one", "use the embedded field: e.Peers[i].Listener")
		}
	}
}

// renameField gives a field its new name, unless the literal has that too.
func (p *Pass) renameField(r Ref, now string) {
	u := useOf(r)
	if u.lit != nil && (Literal{Lit: u.lit}).Key(now) != nil {
		p.Report(r.File, u.kv, edit.Manual, r.Ident.Name+" is now "+now+", which the literal sets too", "keep one of the two")
		return
	}
	c := p.Change(r.Tier, "embed.%s is now %s", r.Symbol.Name, now)
	c.ReplaceNode(r.File, r.Ident, now)
}

func (p *Pass) reportGone(u fieldUse, advice string) {
	p.Report(u.File, u.expr, edit.Manual, "embed."+u.Symbol.Name+" is gone in etcd "+string(p.Target.Line), advice)
}

func isFalse(p *Pass, e ast.Expr) bool {
	if tv, ok := p.constant(e); ok && tv.Value.Kind() == constant.Bool {
		return !constant.BoolVal(tv.Value)
	}
	id, ok := e.(*ast.Ident)
	return ok && p.Info == nil && id.Name == "false" && id.Obj == nil
}

func isTrue(p *Pass, e ast.Expr) bool {
	if tv, ok := p.constant(e); ok && tv.Value.Kind() == constant.Bool {
		return constant.BoolVal(tv.Value)
	}
	id, ok := e.(*ast.Ident)
	return ok && p.Info == nil && id.Name == "true" && id.Obj == nil
}

func isEmpty(p *Pass, e ast.Expr) bool {
	if tv, ok := p.constant(e); ok && tv.Value.Kind() == constant.String {
		return constant.StringVal(tv.Value) == ""
	}
	lit, ok := e.(*ast.BasicLit)
	return ok && lit.Value == `""`
}

// featureGate turns a flag into a feature gate. NewConfig makes the gates; a
// Config that starts from a literal has none.
func (p *Pass) featureGate(u fieldUse, gate string) {
	const gates, features = "go.etcd.io/etcd/pkg/v3/featuregate", "go.etcd.io/etcd/server/v3/features"
	switch {
	case u.alone && !p.fromLiteral(u):
		c := p.Change(u.Tier, "embed.%s is the feature gate %s", u.Symbol.Name, gate)
		f := u.File
		c.Replace(f, u.Ident.Pos(), u.value.Pos(), "ServerFeatureGate.("+c.Qualified(f, gates, "MutableFeatureGate")+").SetFromMap(map[string]bool{string("+c.Qualified(f, features, gate)+"): ")
		c.Insert(f, u.value.End(), "})")
	case u.read():
		c := p.Change(u.Tier, "embed.%s is the feature gate %s", u.Symbol.Name, gate)
		c.ReplaceNode(u.File, u.Ident, "ServerFeatureGate.Enabled("+c.Qualified(u.File, features, gate)+")")
	default:
		p.reportGone(u, "it is a feature gate: start from embed.NewConfig() and call cfg.ServerFeatureGate.(featuregate.MutableFeatureGate).SetFromMap(map[string]bool{string(features."+gate+"): true})")
	}
}

func (p *Pass) fromLiteral(u fieldUse) bool {
	sel := u.Selector()
	if sel == nil {
		return true
	}
	values, _ := p.valuesOf(p.object(sel.X))
	for _, v := range values {
		if literalOf(v.Node().(ast.Expr)) != nil {
			return true
		}
	}
	return false
}

// embedLogging maps the settings of capnslog to those of zap.
func (p *Pass) embedLogging() {
	for _, r := range p.Refs("embed", "Config.Debug") {
		u := useOf(r)
		f := r.File
		const message = "embed.Config.Debug is now LogLevel \"debug\""
		switch {
		case u.lit != nil && Literal{Lit: u.lit}.Key("LogLevel") != nil, u.addressed(), u.assign != nil && !u.alone:
			p.reportGone(u, `set cfg.LogLevel = "debug"`)
		case u.settable() && !p.local(p.object(u.value)) && isFalse(p, u.value):
			u.drop(p.Change(r.Tier, message))
		case u.settable() && !p.local(p.object(u.value)) && isTrue(p, u.value):
			c := p.Change(r.Tier, message)
			c.ReplaceNode(f, r.Ident, "LogLevel")
			c.ReplaceNode(f, u.value, `"debug"`)
		case u.alone:
			c := p.Change(r.Tier, message)
			in, nl := f.Indent(u.assign.Pos()), f.NL()
			c.Replace(f, u.assign.Pos(), u.value.Pos(), "if ")
			c.Insert(f, u.value.End(), " {"+nl+in+"\t"+u.base()+`.LogLevel = "debug"`+nl+in+"}")
		case u.read():
			c := p.Change(r.Tier, message)
			tight := false // what is around it binds tighter than ==
			switch n := u.cursor.Parent().Node().(type) {
			case *ast.UnaryExpr:
				tight = true
			case *ast.BinaryExpr:
				tight = n.Op.Precedence() >= token.EQL.Precedence()
			}
			if tight {
				c.Insert(f, u.expr.Pos(), "(")
				c.ReplaceNode(f, r.Ident, `LogLevel == "debug")`)
			} else {
				c.ReplaceNode(f, r.Ident, `LogLevel == "debug"`)
			}
		default:
			p.reportGone(u, `set LogLevel: "debug" where the value is true`)
		}
	}
	for _, r := range p.Refs("embed", "Config.LogOutput") {
		u := useOf(r)
		if u.value == nil || u.lit != nil && (Literal{Lit: u.lit}).Key("LogOutputs") != nil {
			p.reportGone(u, "it is the list cfg.LogOutputs now")
			continue
		}
		c := p.Change(r.Tier, "embed.Config.LogOutput is now the list LogOutputs")
		c.ReplaceNode(r.File, r.Ident, "LogOutputs")
		c.Insert(r.File, u.value.Pos(), "[]string{")
		c.Insert(r.File, u.value.End(), "}")
	}
	for _, r := range p.Refs("embed", "Config.SetupLogging") {
		_, ec := r.Expr()
		st, ok := parent(parent(ec)).Node().(*ast.ExprStmt)
		if r.Call() == nil || !ok {
			p.reportGone(fieldUse{Ref: r, expr: r.Ident}, "drop it; StartEtcd sets logging up")
			continue
		}
		p.Change(r.Tier, "embed.Config.SetupLogging is gone; StartEtcd sets logging up").removeStmt(r.File, st)
	}
	for _, r := range p.Refs("embed", "Config.Logger") {
		u := useOf(r)
		switch {
		case u.value == nil || p.stringOf(u.value) != "capnslog":
		case p.local(p.object(u.value)):
			p.Report(r.File, u.value, edit.Manual, "the logger \"capnslog\" is an error since 3.5; there is only zap", `write "zap"`)
		default:
			p.Change(r.Tier, "the logger \"capnslog\" is an error since 3.5; there is only zap").ReplaceNode(r.File, u.value, `"zap"`)
		}
	}
	if p.Target.Line == atlas.Line35 {
		return
	}
	for _, r := range p.Refs("embed", "NewZapCoreLoggerBuilder") {
		call := r.Call()
		e, _ := r.Expr()
		if call == nil || len(call.Args) != 3 || slices.ContainsFunc(call.Args[1:], func(a ast.Expr) bool { return !p.repeatable(a) && !p.coreOf(a) }) {
			p.Report(r.File, e, edit.Manual, "embed.NewZapCoreLoggerBuilder is gone", "write embed.NewZapLoggerBuilder(lg)")
			continue
		}
		c := p.Change(r.Tier, "embed.NewZapCoreLoggerBuilder is gone; NewZapLoggerBuilder takes the logger alone")
		c.ReplaceNode(r.File, r.Ident, "NewZapLoggerBuilder")
		c.Replace(r.File, call.Args[0].End(), call.Args[2].End(), "")
	}
}

// coreOf says whether an expression is lg.Core() of a zap logger, which does
// nothing but give.
func (p *Pass) coreOf(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok || len(call.Args) > 0 {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "Core" && p.repeatable(sel.X) && (p.Info == nil || IsType(p.TypeOf(sel.X), "go.uber.org/zap", "Logger"))
}

// embedRetention turns the hours of AutoCompactionRetention into the string
// that took their place in 3.3.
func (p *Pass) embedRetention() {
	for _, r := range p.Refs("embed", "Config.AutoCompactionRetention") {
		u := useOf(r)
		lit, isLit := u.value.(*ast.BasicLit)
		if r.Obj != nil && r.Obj.Type().String() != "int" || r.Obj == nil && (!isLit || lit.Kind != token.INT) {
			continue
		}
		switch {
		case isLit && lit.Kind == token.INT:
			c := p.Change(r.Tier, "embed.Config.AutoCompactionRetention is a string now; a plain number still means hours")
			c.ReplaceNode(r.File, lit, strconv.Quote(lit.Value))
		case u.value != nil:
			c := p.Change(r.Tier, "embed.Config.AutoCompactionRetention is a string now; a plain number still means hours")
			c.Insert(r.File, u.value.Pos(), c.Qualified(r.File, "strconv", "Itoa")+"(")
			c.Insert(r.File, u.value.End(), ")")
		default:
			p.Report(r.File, u.expr, edit.Manual, "embed.Config.AutoCompactionRetention is a string now", "read it with strconv.Atoi, or keep the number beside the Config")
		}
	}
}

// embedReceivers reports calls of methods that take a pointer since 3.6, on
// values that have no address.
func (p *Pass) embedReceivers() {
	if p.Target.Line == atlas.Line35 || p.Info == nil {
		return
	}
	for _, name := range []string{"ElectionTicks", "GetLogger", "InitialClusterFromName", "IsNewCluster", "V2DeprecationEffective"} {
		for _, r := range p.Refs("embed", "Config."+name) {
			sel := r.Selector()
			if sel == nil {
				continue
			}
			tv := p.Info.Types[sel.X]
			if !IsType(tv.Type, "embed", "Config") || tv.Type != deref(tv.Type) || tv.IsType() || tv.Addressable() {
				continue
			}
			if !p.addressed(r, sel) {
				p.Report(r.File, sel, edit.Manual, "embed.Config."+name+" has a pointer receiver since 3.6, and this value has no address", "put the Config in a variable first")
			}
		}
	}
}

// addressed puts a Config without an address in a variable, where it is the
// first thing that an if statement looks at.
func (p *Pass) addressed(r Ref, sel *ast.SelectorExpr) bool {
	_, c := r.Expr()
	for ; ; c = c.Parent() {
		switch n := c.Parent().Node().(type) {
		case *ast.CallExpr:
			if n.Fun != c.Node() {
				return false
			}
		case *ast.UnaryExpr, *ast.ParenExpr:
		case *ast.BinaryExpr:
			if n.X != c.Node() {
				return false
			}
		case *ast.IfStmt:
			used := false
			ast.Inspect(n, func(n ast.Node) bool {
				id, ok := n.(*ast.Ident)
				used = used || ok && id.Name == "cfg"
				return true
			})
			if n.Init != nil || n.Cond != c.Node() || used {
				return false
			}
			ch := p.Change(r.Tier, "embed.Config.%s has a pointer receiver since 3.6", r.Ident.Name)
			ch.Insert(r.File, n.Cond.Pos(), "cfg := "+r.File.Text(sel.X)+"; ")
			ch.ReplaceNode(r.File, sel.X, "cfg")
			return true
		default:
			return false
		}
	}
}

// embedUntyped reports selectors that may be fields of an embed.Config, where
// no types tell.
func (p *Pass) embedUntyped() {
	if p.Info != nil {
		return
	}
	for _, x := range embedRenames {
		if p.Target.Line < x.since {
			continue
		}
		for _, r := range p.untyped("embed", x.old) {
			p.Report(r.File, r.Ident, edit.Review, x.old+" of a value without a type: embed.Config calls it "+x.now+" now", "if this is an embed.Config, write "+x.now)
		}
	}
}

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

const viperPath = "github.com/spf13/viper"

// viperRemote reads viper's remote configuration by the v3 API.
//
// Matched: the provider "etcd" of AddRemoteProvider and
// AddSecureRemoteProvider, and in what SupportedRemoteProviders is set to,
// when moving to 3.6 or 3.7, whose servers have no v2 API.
//
// Not matched: providers that are not literals. For 3.5 nothing is changed;
// the v2 API is there with --enable-v2.
var viperRemote = &Rule{
	ID:    "viper-remote",
	Title: "read viper's remote configuration with the provider etcd3",
	Before: `package p

import "github.com/spf13/viper"

func load(endpoint string) error {
	if err := viper.AddRemoteProvider("etcd", endpoint, "/config/app.json"); err != nil {
		return err
	}
	viper.SetConfigType("json")
	return viper.ReadRemoteConfig()
}
`,
	After: `package p

import "github.com/spf13/viper"

func load(endpoint string) error {
	if err := viper.AddRemoteProvider("etcd3", endpoint, "/config/app.json"); err != nil {
		return err
	}
	viper.SetConfigType("json")
	return viper.ReadRemoteConfig()
}
`,
	Why: `viper's provider "etcd" uses the v2 API, which servers have no more from 3.6 on. "etcd3", in viper since 1.11, reads the same key from the v3 store: ` +
		"the configuration has to be written there once, with etcdctl put.",
	Since:  "v3.6.0",
	Safety: Adjusted,
	Refs:   []string{"https://github.com/spf13/viper#remote-keyvalue-store-support"},
	Run:    runViperRemote,
}

func runViperRemote(p *Pass) {
	if len(p.RefsTo(viperPath)) == 0 {
		return
	}
	if p.Info == nil {
		defer p.viperMethods()
	}
	const (
		message = "viper's provider \"etcd\" reads by the v2 API"
		write   = "write the configuration to the v3 store, ETCDCTL_API=3 etcdctl put KEY \"$(cat FILE)\", and use viper 1.11 or newer"
	)
	provider := func(r Ref, e ast.Expr) {
		s, known := p.constString(e)
		if tv, ok := p.constant(e); ok && !known && tv.Value.Kind() == constant.String {
			s, known = constant.StringVal(tv.Value), true
		}
		lit, isLit := ast.Unparen(e).(*ast.BasicLit)
		switch {
		case known && s != "etcd":
		case p.Target.Line == atlas.Line35:
			if known {
				p.Report(r.File, e, edit.Review, message+", which etcd 3.5 servers have with --enable-v2 only", `start the servers with --enable-v2=true, or use the provider "etcd3" and `+write)
			}
		case isLit && lit.Kind == token.STRING:
			c := p.Change(r.Tier, "viper reads from etcd by the v3 API with the provider etcd3")
			c.ReplaceNode(r.File, lit, strconv.Quote("etcd3"))
			p.Report(r.File, e, edit.Review, `viper's provider "etcd3" reads from the v3 store, where what was written by the v2 API is not`, write)
		case known:
			p.Report(r.File, e, edit.Review, message+", which no server has from etcd 3.6 on", `use the provider "etcd3" here, and `+write)
		default:
			p.Report(r.File, e, edit.Review, message+", which no server has from etcd 3.6 on; which provider this is, the code alone does not say", `see that it is "etcd3" where it was "etcd", and `+write)
		}
	}
	for _, name := range []string{"AddRemoteProvider", "AddSecureRemoteProvider", "Viper.AddRemoteProvider", "Viper.AddSecureRemoteProvider"} {
		for _, r := range p.Refs(viperPath, name) {
			if call := r.Call(); call != nil && len(call.Args) > 2 {
				provider(r, call.Args[0])
			}
		}
	}
	for _, r := range p.Refs(viperPath, "SupportedRemoteProviders") {
		e, c := r.Expr()
		as, ok := c.Parent().Node().(*ast.AssignStmt)
		if !ok || len(as.Lhs) != len(as.Rhs) {
			continue
		}
		i := slices.Index(as.Lhs, e)
		if i < 0 {
			continue
		}
		lit := literalOf(as.Rhs[i])
		if lit == nil {
			continue
		}
		for _, e := range lit.Elts {
			// A list that has etcd3 too names what may be used, not what is.
			if s, ok := p.constString(e); ok && s == "etcd" && !slices.ContainsFunc(lit.Elts, func(o ast.Expr) bool { s, _ := p.constString(o); return s == "etcd3" }) {
				provider(r, e)
			}
		}
	}
}

// viperMethods reports calls by name where nothing has a type: of a value that
// may be a *viper.Viper.
func (p *Pass) viperMethods() {
	for c := range p.Inspector().Root().Preorder((*ast.CallExpr)(nil)) {
		call := c.Node().(*ast.CallExpr)
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || len(call.Args) < 3 || sel.Sel.Name != "AddRemoteProvider" && sel.Sel.Name != "AddSecureRemoteProvider" {
			continue
		}
		f := p.FileOf(call.Pos())
		if s, ok := p.literalString(call.Args[0]); !ok || s != "etcd" || !slices.Contains(f.Imports(), viperPath) ||
			p.isCallTo(viperPath, sel.Sel.Name, call) {
			continue
		}
		p.Report(f, call.Args[0], edit.Review, `the provider "etcd", if this is viper, reads by the v2 API, which etcd 3.5 servers have with --enable-v2 only and later ones not at all`,
			`use the provider "etcd3", and write the configuration to the v3 store, ETCDCTL_API=3 etcdctl put KEY "$(cat FILE)"`)
	}
}

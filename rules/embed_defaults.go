package rules

import (
	"go/ast"
	"slices"

	"golang.org/x/tools/go/ast/inspector"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// embedDefaults reports embedded servers that start from other defaults.
//
// Matched: calls of embed.NewConfig in packages that leave a field alone whose
// default changed, and calls of StartEtcd outside tests that skip a release,
// unless the data is in a temporary directory.
var embedDefaults = &Rule{
	ID:    "embed-defaults",
	Title: "report defaults of embedded servers that changed",
	Before: `package p

import "github.com/coreos/etcd/embed"

func start(dir string) (*embed.Etcd, error) {
	cfg := embed.NewConfig()
	cfg.Dir = dir
	return embed.StartEtcd(cfg)
}
`,
	After: `package p

import "go.etcd.io/etcd/server/v3/embed"

func start(dir string) (*embed.Etcd, error) {
	cfg := embed.NewConfig()
	cfg.Dir = dir
	return embed.StartEtcd(cfg)
}
`,
	Why: "embed.NewConfig allows every origin since 3.4 (CORS \"*\"), serves no v2 API since 3.4, and takes a snapshot each 10,000 instead of 100,000 entries since 3.6. " +
		"A data directory goes from one minor release to the next only.",
	Since:  "v3.4.0",
	Safety: Report,
	Refs:   []string{"server/v3/embed/config.go, NewConfig", "https://etcd.io/docs/latest/upgrades/"},
	Run: func(p *Pass) {
		sets := func(fields ...string) bool {
			for _, f := range fields {
				if len(p.Refs("embed", "Config."+f)) > 0 {
					return true
				}
			}
			return false
		}
		for _, r := range p.Refs("embed", "NewConfig") {
			call := r.Call()
			if call == nil || p.From == "" {
				continue
			}
			if p.FromBefore("v3.4.0") && !sets("CORS", "CorsInfo") && !r.File.test() {
				p.Report(r.File, call, edit.Review, "the server allows requests from every origin by default since 3.4 (CORS \"*\")",
					"set cfg.CORS to the origins that are meant, or to an empty map for none")
			}
			if p.FromBefore("v3.4.0") && p.Target.Line == atlas.Line35 && !sets("EnableV2") && len(p.RefsTo("client")) > 0 {
				p.Report(r.File, call, edit.Review, "the server has no v2 API by default since 3.4, and this package uses the v2 client", "set cfg.EnableV2 = true as long as that is needed")
			}
			if p.FromBefore("v3.6.0") && p.Target.Line != atlas.Line35 && !sets("SnapCount", "SnapshotCount") && !r.File.test() {
				p.Report(r.File, call, edit.Note, "the server takes a snapshot each 10,000 entries by default since 3.6; it was 100,000", "")
			}
		}
		previous := map[atlas.Line]string{atlas.Line35: "v3.4.0", atlas.Line36: "v3.5.0", atlas.Line37: "v3.6.0"}[p.Target.Line]
		if !p.FromBefore(previous) || p.temporaryDir() {
			return
		}
		for _, r := range p.Refs("embed", "StartEtcd") {
			if call := r.Call(); call != nil && !r.File.test() {
				p.Report(r.File, ast.Node(call), edit.Review, "a data directory of "+p.From+" cannot be opened by "+string(p.Target.Line)+": servers upgrade by one minor release at a time",
					"open it once with each release in between, or start from a snapshot restored with etcdutl; a new directory needs nothing")
			}
		}
	},
}

// temporaryDir says whether the data directory is seen to be made for the run.
func (p *Pass) temporaryDir() bool {
	refs := p.Refs("embed", "Config.Dir")
	for _, r := range refs {
		u := useOf(r)
		if u.value == nil {
			continue
		}
		made := func(e ast.Expr) bool {
			call, ok := e.(*ast.CallExpr)
			if !ok {
				return false
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			return ok && (sel.Sel.Name == "TempDir" || sel.Sel.Name == "MkdirTemp")
		}
		values, _ := p.valuesOf(p.object(u.value))
		if !made(u.value) && (len(values) == 0 || slices.ContainsFunc(values, func(c inspector.Cursor) bool { return !made(c.Node().(ast.Expr)) })) {
			return false
		}
	}
	return len(refs) > 0
}

package doctor

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/etcdshift/etcdshift/rewrite/deps"
	"github.com/etcdshift/etcdshift/rewrite/gocmd"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// release is the etcd release that a unit's client is of.
func (u *unit) release() (atlas.Release, bool) {
	c := u.build[clientV3]
	if c == nil {
		return atlas.Release{}, false
	}
	return atlas.FindRelease(c.effective())
}

// needs are the versions that an etcd release asks for.
func needs(r atlas.Release) map[string]string {
	m := map[string]string{
		grpcPath:                     r.EffGRPC,
		"google.golang.org/protobuf": r.EffProtobuf,
		"github.com/golang/protobuf": r.EffGolangProtobuf,
		"github.com/gogo/protobuf":   r.EffGogo,
		"go.uber.org/zap":            r.EffZap,
	}
	if r.EffGRPC == "" {
		m[grpcPath] = r.GRPC
	}
	return m
}

// grpcFloor is the oldest gRPC that a client compiles with; what its go.mod
// asks for is higher.
func grpcFloor(client string) string {
	switch {
	case semver.Compare(client, "v3.7.0") >= 0,
		semver.Compare(client, "v3.6.9") >= 0,
		semver.Compare(client, "v3.6.0") < 0 && semver.Compare(client, "v3.5.28") >= 0:
		return "v1.72.0"
	case semver.Compare(client, "v3.6.0") >= 0, semver.Compare(client, "v3.5.22") >= 0:
		return "v1.58.0"
	}
	return "v1.27.0"
}

// grpcCeiling is the first gRPC that an old client does not compile with.
func grpcCeiling(m *listed) string {
	v := m.effective()
	if strings.HasSuffix(v, "+incompatible") && semver.Compare(v, "v3.3.14") >= 0 {
		return "v1.27.0"
	}
	return "v1.30.0"
}

// oldModule returns the old etcd of a build list.
func (u *unit) oldModule() *listed {
	for _, root := range atlas.OldRoots() {
		if l := u.build[root]; l != nil && !l.Main {
			return l
		}
	}
	return nil
}

func (u *unit) importsOld() bool {
	return slices.ContainsFunc(u.imports, func(i imported) bool { return old(i.path) })
}

// at is the place of a replace as evidence.
func (u *unit) at(r *modfile.Replace) Evidence {
	new := strings.TrimSuffix(r.New.Path+" "+r.New.Version, " ")
	return Evidence{
		Module: r.Old.Path, Version: r.Old.Version, File: u.gomod(), Line: r.Syntax.Start.Line,
		Text: []string{fmt.Sprintf("replace %s => %s", strings.TrimSuffix(r.Old.Path+" "+r.Old.Version, " "), new)},
	}
}

// dropReplace is the command that removes a replace; it names the left side as
// it is written.
func (u *unit) dropReplace(r *modfile.Replace) string {
	return u.in("go mod edit -dropreplace=" + joinVersion(r.Old.Path, r.Old.Version))
}

// replaces judges the replaces of go.mod.
func (e *examination) replaces(u *unit) {
	rel, hasClient := u.release()
	min := map[string]string{}
	if hasClient {
		min = needs(rel)
	}
	for _, r := range u.file.Replace {
		p := r.Old.Path
		if r.New.Version == "" {
			e.localReplace(u, r)
		}
		if !related(p) {
			continue
		}
		drop := []string{u.dropReplace(r), u.in("go mod tidy")}
		if u.build != nil {
			selected := u.build[p]
			switch {
			case selected == nil:
				e.say(Diagnosis{
					ID: "replace-stale", Severity: Note, Title: "a replace of " + p + " does nothing",
					Evidence: []Evidence{u.at(r)},
					Cause:    p + " is not in the build list any more; go mod tidy never drops a replace. It would come into force again, unasked, with the next dependency that requires the module",
					Fix:      drop, Ref: modRef + "#go-mod-file-replace",
				})
				continue
			case r.Old.Version != "" && selected.Version != r.Old.Version:
				e.say(Diagnosis{
					ID: "replace-stale", Severity: Note, Title: "a replace of " + p + " does nothing",
					Evidence: []Evidence{u.at(r), {Module: p, Version: selected.Version, Chain: u.why(module.Version{Path: p, Version: selected.Version})}},
					Cause:    "it holds for " + r.Old.Version + " alone, and the build list has " + selected.Version,
					Fix:      drop, Ref: modRef + "#go-mod-file-replace",
				})
				continue
			}
		}
		switch {
		case p == coreosBolt && r.New.Path == bbolt:
			e.say(Diagnosis{
				ID: "replace-bbolt", Severity: Warning, Title: "a replace keeps etcd 3.3's bbolt resolvable",
				Evidence: []Evidence{u.at(r)},
				Cause:    "github.com/coreos/bbolt is required by etcd 3.3 and before only. As soon as something requires go.etcd.io/bbolt " + r.New.Version + " itself, the go command refuses the build list (\"used for two different module paths\")",
				Fix:      []string{migrate}, Ref: "https://github.com/etcd-io/etcd/issues/11749",
			})
		case p == bbolt && r.New.Path == coreosBolt:
			e.say(Diagnosis{
				ID: "replace-bbolt", Severity: Warning, Title: "go.etcd.io/bbolt is replaced by its own past",
				Evidence: []Evidence{u.at(r)},
				Cause:    "github.com/coreos/bbolt ended with v1.3.3 under that name; the fixes since are in go.etcd.io/bbolt",
				Fix:      drop, Ref: "https://github.com/etcd-io/bbolt/issues/224",
			})
		case atlas.IsEtcdModule(p) && r.New.Path != p:
			d := Diagnosis{
				ID: "etcd-fork", Severity: Warning, Title: p + " is replaced by " + r.New.Path,
				Evidence: []Evidence{u.at(r)},
				Cause:    "a fork, a folder or another path stands in for etcd. What it changes is not in any release: a migration leaves it out, and the other modules of etcd are not replaced with it",
				Fix:      []string{"# compare it with the release it started from; what is still needed has to be carried over", "etcdshift check"},
				Ref:      modRef + "#go-mod-file-replace",
			}
			if asks := e.hidden(u, r); len(asks) > 0 {
				d.Evidence = append(d.Evidence, asks...)
			}
			e.say(d)
		case old(p):
			if asks := e.hidden(u, r); len(asks) > 0 {
				e.say(Diagnosis{
					ID: "replace-hides", Severity: Warning, Title: "a replace of " + p + " hides a requirement that cannot be met",
					Evidence: append([]Evidence{u.at(r)}, asks...),
					Cause:    "a dependency requires a version of " + p + " that is no version, and resolves only while the main module replaces it. Dropping the replace alone breaks the build",
					Fix:      []string{migrate, "# or raise what asks for it, then:", u.dropReplace(r), u.in("go mod tidy")},
					Ref:      "https://github.com/etcd-io/etcd/issues/11820",
				})
			}
		case p == grpcPath && r.New.Path == p && hasClient && semver.Compare(r.New.Version, min[p]) < 0:
			c := u.build[clientV3].effective()
			d := Diagnosis{
				ID: "grpc-too-old", Severity: Error, Title: fmt.Sprintf("a replace holds gRPC at %s, and client/v3 %s needs %s", r.New.Version, c, min[p]),
				Evidence: []Evidence{u.at(r), {Module: clientV3, Version: c, Chain: u.why(module.Version{Path: clientV3, Version: u.build[clientV3].Version})}},
				Cause:    "the pin is from the time of an older client; go mod tidy does not object to it",
				Fix:      drop, Ref: "https://github.com/etcd-io/etcd/issues/12124",
			}
			if semver.Compare(r.New.Version, grpcFloor(c)) >= 0 {
				d.Severity = Warning
				d.Cause += ". It compiles, which proves nothing: the client was never tested with it"
			} else {
				d.Cause += ", the compiler does: nothing below " + grpcFloor(c) + " has what the client calls"
			}
			e.say(d)
		case p == grpcPath && !hasClient && u.build != nil:
			d := Diagnosis{
				ID: "grpc-pinned", Severity: Note, Title: "gRPC is pinned for an old etcd client",
				Evidence: []Evidence{u.at(r)},
				Cause:    "etcd up to 3.4 does not compile with gRPC from 1.30 on (3.3.14 and later: 1.27). The pin holds every other user of gRPC back, and has to go together with the old client",
				Fix:      []string{migrate}, Ref: "https://github.com/etcd-io/etcd/issues/12124",
			}
			if u.oldModule() == nil {
				d.ID, d.Title = "replace-stale", "gRPC is pinned, and no etcd is in the build"
				d.Cause = "such a pin is for etcd clients up to 3.4; none is in the build list. It holds every user of gRPC back"
				d.Severity, d.Fix = Warning, drop
			}
			e.say(d)
		case min[p] != "" && r.New.Path == p && semver.Compare(r.New.Version, min[p]) < 0:
			e.say(Diagnosis{
				ID: "replace-below", Severity: Warning, Title: fmt.Sprintf("a replace holds %s at %s, and etcd %s needs %s", p, r.New.Version, rel.Version, min[p]),
				Evidence: []Evidence{u.at(r)},
				Cause:    "a replace wins over what every module of the build requires; this one goes below what client/v3 was built and tested with",
				Fix:      drop, Ref: modRef + "#go-mod-file-replace",
			})
		}
	}
}

// localReplace judges a replace by a folder.
func (e *examination) localReplace(u *unit, r *modfile.Replace) {
	dir := filepath.FromSlash(r.New.Path)
	abs := filepath.IsAbs(dir)
	if !abs {
		dir = filepath.Join(u.dir, dir)
	}
	switch _, err := os.Stat(filepath.Join(dir, "go.mod")); {
	case err != nil:
		e.say(Diagnosis{
			ID: "replace-folder", Severity: Error, Title: r.Old.Path + " is replaced by a folder that is not there",
			Evidence: []Evidence{u.at(r)},
			Cause:    "no go.mod is at " + r.New.Path + ": the line works on the machine of whoever wrote it",
			Fix:      []string{u.dropReplace(r), u.in("go mod tidy")}, Ref: modRef + "#go-mod-file-replace",
		})
	case abs || !strings.HasPrefix(dir+string(filepath.Separator), e.dir+string(filepath.Separator)):
		e.say(Diagnosis{
			ID: "replace-folder", Severity: Warning, Title: r.Old.Path + " is replaced by a folder outside the repository",
			Evidence: []Evidence{u.at(r)},
			Cause:    "who clones the repository does not have " + r.New.Path + ", and its state is recorded nowhere",
			Fix:      []string{u.dropReplace(r), u.in("go mod tidy")}, Ref: modRef + "#go-mod-file-replace",
		})
	}
}

// hidden finds requirements that only a replace makes resolvable: 3.4 releases
// of etcd by their tags.
func (e *examination) hidden(u *unit, r *modfile.Replace) []Evidence {
	var out []Evidence
	for _, m := range u.graph.versionsOf(r.Old.Path) {
		if r.Old.Path != "go.etcd.io/etcd" || module.IsPseudoVersion(m.Version) || !strings.HasPrefix(m.Version, "v3.") || semver.Compare(m.Version, "v3.4.0") < 0 {
			continue
		}
		out = append(out, Evidence{Module: m.Path, Version: m.Version, Chain: u.why(m), Text: []string{"is no version that the go command accepts"}})
	}
	return out
}

// excludes finds excludes that let a build fall below what etcd needs.
func (e *examination) excludes(u *unit) {
	rel, ok := u.release()
	if !ok {
		return
	}
	min := needs(rel)
	for _, x := range u.file.Exclude {
		p := x.Mod.Path
		sel := u.build[p]
		if v := u.tidied[p]; sel == nil && v != "" {
			// A requirement that is excluded is not in the build list at all,
			// until tidy finds the package without one.
			sel = &listed{Path: p, Version: v}
		}
		if sel == nil || min[p] == "" || semver.Compare(sel.effective(), min[p]) >= 0 {
			continue
		}
		e.say(Diagnosis{
			ID: "exclude-below", Severity: Error, Title: fmt.Sprintf("an exclude lets %s fall to %s, and etcd %s needs %s", p, sel.effective(), rel.Version, min[p]),
			Evidence: []Evidence{
				{Module: p, Version: x.Mod.Version, File: u.gomod(), Line: x.Syntax.Start.Line, Text: []string{"exclude " + p + " " + x.Mod.Version}},
				{Module: p, Version: sel.Version, Chain: u.why(module.Version{Path: p, Version: sel.Version})},
			},
			Cause: "an excluded version is not replaced by the next higher one: requirements that name it are dropped, and the highest of the others is taken, which can be lower",
			Fix:   []string{u.in("go mod edit -dropexclude=" + x.Mod.String()), u.in("go mod tidy")},
			Ref:   modRef + "#go-mod-file-exclude",
		})
	}
}

// versions judges the build list.
func (e *examination) versions(u *unit) {
	why := func(l *listed) Evidence {
		return Evidence{Module: l.Path, Version: l.effective(), Chain: u.why(module.Version{Path: l.Path, Version: l.Version})}
	}
	rel, hasClient := u.release()
	grpc := u.build[grpcPath]
	if hasClient {
		var mixed []Evidence
		var want []string
		for _, p := range atlas.SplitModules() {
			l := u.build[p]
			if l == nil || l.Main || p == "go.etcd.io/raft/v3" {
				continue
			}
			if c := atlas.Companion(p, rel.Version); c != "" && c != l.effective() {
				mixed = append(mixed, why(l))
				want = append(want, p+"@"+c)
			}
		}
		if len(mixed) > 0 {
			// The newest of them sets the release: the others cannot stay.
			e.say(Diagnosis{
				ID: "etcd-versions-mixed", Severity: Error, Title: "the etcd modules of this build are of different releases",
				Evidence: append([]Evidence{why(u.build[clientV3])}, mixed...),
				Cause:    "all modules of etcd are released together and call each other's newest functions; go mod tidy raises one without the others",
				Fix:      mixedFix(u, rel, mixed, want),
				Ref:      modRef + "#minimal-version-selection",
			})
		}
		if naming := semver.Compare(rel.Version, "v3.5.10") < 0 && grpc != nil && semver.Compare(grpc.effective(), "v1.53.0") >= 0; naming &&
			slices.ContainsFunc(u.imports, func(i imported) bool { return i.path == clientV3+"/naming/resolver" }) {
			e.say(Diagnosis{
				ID: "client-naming-grpc", Severity: Error, Title: "client/v3/naming/resolver " + rel.Version + " does not compile with gRPC " + grpc.effective(),
				Evidence: []Evidence{why(grpc)},
				Cause:    "Target.Endpoint was a field up to gRPC 1.52 and is a method since; client/v3 up to 3.5.9 reads the field",
				Fix:      []string{u.in("go get go.etcd.io/etcd/client/v3@v3.5.12 go.etcd.io/etcd/api/v3@v3.5.12 go.etcd.io/etcd/client/pkg/v3@v3.5.12"), u.in("go mod tidy")},
				Ref:      "https://github.com/etcd-io/etcd/issues/14923",
			})
		}
	}
	if o := u.oldModule(); o != nil && grpc != nil && u.importsOld() && semver.Compare(grpc.effective(), grpcCeiling(o)) >= 0 {
		e.say(Diagnosis{
			ID: "etcd-grpc-too-new", Severity: Error, Title: fmt.Sprintf("gRPC %s is too new for %s %s", grpc.effective(), o.Path, o.effective()),
			Evidence: []Evidence{why(grpc), why(o)},
			Cause:    "etcd up to 3.4 uses parts of gRPC that left it with 1.27 and 1.30, and has no go.mod, or one that is not read, to say so; the first chain shows who asks for the newer gRPC",
			Fix:      []string{migrate, stay, u.in(pinGRPC), u.in("go mod tidy")},
			Ref:      "https://github.com/etcd-io/etcd/issues/11563",
		})
	}
	e.generated(u, grpc)
	e.genproto(u, grpc)
}

// mixedFix brings all etcd modules to one release: the client's, or, if
// another one is newer, that one's.
func mixedFix(u *unit, rel atlas.Release, mixed []Evidence, want []string) []string {
	newest := rel.Version
	for _, m := range mixed {
		if _, ok := atlas.FindRelease(m.Version); ok && semver.Compare(m.Version, newest) > 0 {
			newest = m.Version
		}
	}
	if newest != rel.Version {
		want = []string{clientV3 + "@" + newest}
		for _, m := range mixed {
			if c := atlas.Companion(m.Module, newest); c != "" {
				want = append(want, m.Module+"@"+c)
			}
		}
	}
	return []string{u.in("go get " + strings.Join(want, " ")), u.in("go mod tidy")}
}

var packageIsVersion = regexp.MustCompile(`grpc\.SupportPackageIsVersion(\d+)\b`)

// generated finds generated code that is newer than the gRPC of the build.
func (e *examination) generated(u *unit, grpc *listed) {
	if grpc == nil {
		return
	}
	var found []Evidence
	need := ""
	filepath.WalkDir(u.dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || e.ctx.Err() != nil {
			return err
		}
		if d.IsDir() {
			if name != u.dir && (skip(d.Name()) || nested(name)) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".pb.go") {
			return nil
		}
		src, err := os.ReadFile(name)
		if err != nil {
			return nil
		}
		m := packageIsVersion.FindSubmatchIndex(src)
		if m == nil {
			return nil
		}
		v := grpcAdded("SupportPackageIsVersion" + string(src[m[2]:m[3]]))
		if v == "" || semver.Compare(grpc.effective(), v) >= 0 {
			return nil
		}
		if semver.Compare(v, need) > 0 {
			need = v
		}
		rel, _ := filepath.Rel(e.dir, name)
		found = append(found, Evidence{File: filepath.ToSlash(rel), Line: 1 + bytes.Count(src[:m[0]], []byte("\n")), Text: []string{string(src[m[0]:m[1]]) + " came with gRPC " + v}})
		return nil
	})
	if len(found) == 0 {
		return
	}
	e.say(Diagnosis{
		ID: "grpc-generated-code", Severity: Error, Title: fmt.Sprintf("generated code needs gRPC %s or newer, and the build has %s", need, grpc.effective()),
		Evidence: append(trim(found), Evidence{Module: grpcPath, Version: grpc.effective(), Chain: u.why(module.Version{Path: grpcPath, Version: grpc.Version})}),
		Cause:    "the code was made by a newer protoc-gen-go than the gRPC of this build, which a replace, an exclude or a requirement holds back",
		Fix:      []string{migrate, "# without an old etcd client in the build:", u.in(unpin), u.in("go get google.golang.org/grpc@" + need), u.in("go mod tidy")},
		Ref:      "https://github.com/etcd-io/etcd/issues/11915",
	})
}

func nested(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// genprotoSplit is the first genproto without the packages that became modules
// of their own.
const genprotoSplit = "v0.0.0-20230525234025-438c736192d0"

// genproto finds a genproto that does not go with the gRPC of the build.
func (e *examination) genproto(u *unit, grpc *listed) {
	whole := u.build[genproto]
	if whole == nil || semver.Compare(whole.effective(), genprotoSplit) >= 0 {
		return
	}
	rpc := u.build[genproto+"/googleapis/rpc"]
	if rpc == nil {
		rpc = u.build[genproto+"/googleapis/api"]
	}
	chain := func(l *listed) Evidence {
		return Evidence{Module: l.Path, Version: l.effective(), Chain: u.why(module.Version{Path: l.Path, Version: l.Version})}
	}
	d := Diagnosis{
		Severity: Warning, Evidence: []Evidence{chain(whole)},
		Fix: []string{u.in("go get google.golang.org/genproto@v0.0.0-20230530153820-e85fd2cbaebc"), u.in("go mod tidy")},
		Ref: "https://github.com/googleapis/go-genproto/issues/1015",
	}
	switch {
	case rpc != nil:
		d.ID, d.Title = "genproto-ambiguous", "genproto is in the build whole and in parts"
		d.Evidence = append(d.Evidence, chain(rpc))
		d.Cause = "up to May 2023 google.golang.org/genproto held the packages that are modules of their own since. Both in one build list make every import of them ambiguous"
		if u.tidied != nil {
			d.Severity = Note
			d.Cause += "; so far nothing imports them"
		}
	case grpc != nil && semver.Compare(grpc.effective(), "v1.55.0") >= 0 && semver.Compare(whole.effective(), "v0.0.0-20200401000000") < 0:
		d.ID, d.Title, d.Severity = "genproto-too-old", "genproto is older than the protobuf of gRPC", Error
		d.Evidence = append(d.Evidence, chain(grpc))
		d.Cause = "its messages lack ProtoReflect, which gRPC " + grpc.effective() + " calls; go mod tidy is content with it, the compiler is not"
	default:
		return
	}
	e.say(d)
}

// oldPaths lists the imports of old etcd in the repository's own code.
func (e *examination) oldPaths(u *unit) {
	var found []Evidence
	homes := map[string]bool{}
	for _, i := range u.imports {
		says := ""
		switch rel, layout, ok := atlas.Canonical(i.path); {
		case i.path == grpcPath+"/naming":
			says = "is gone from gRPC since 1.30"
		case ok && layout != atlas.LayoutSplit:
			says = "has no home from etcd 3.5 on"
			for _, l := range slices.Backward(atlas.Lines()) {
				if h, ok := atlas.HomeOf(rel, l); ok && !h.Gone {
					says = "is " + h.Path + " in etcd " + string(l)
					homes[h.Module] = true
					break
				}
			}
		default:
			continue
		}
		found = append(found, Evidence{File: i.file, Line: i.line, Text: []string{i.path + " " + says}})
	}
	if len(found) == 0 {
		return
	}
	e.say(Diagnosis{
		ID: "old-paths", Severity: Warning, Title: fmt.Sprintf("%d imports of etcd from before 3.5 in %s", len(found), u.rel),
		Evidence: trim(found),
		Cause:    "github.com/coreos/etcd and go.etcd.io/etcd are the paths of etcd up to 3.4, which has its last releases behind it and holds gRPC back at 1.29 or less",
		Fix:      []string{"etcdshift diff", migrate},
		Ref:      "https://github.com/etcd-io/etcd/issues/12124",
	})
}

// packages looks into the import graph: who else imports old etcd, and which
// programs link two generations of it.
func (e *examination) packages(u *unit) {
	out, err := e.run.Run(e.ctx, u.dir, "list", "-e", "-deps", "-test", "-mod=mod", u.modfile("list"),
		"-json=ImportPath,Name,DepOnly,Imports,ImportMap,Module", "./...")
	if err != nil && len(out) == 0 {
		return // what is wrong was said of the build list
	}
	ps, err := parsePackages(out)
	if err != nil {
		return
	}
	by := ps.reach()
	seen := map[string]bool{}
	for _, p := range ps.order {
		q, reached := by[p]
		if !reached || q == nil || !old(p.path()) || q.Module == nil || q.Module.Main || atlas.IsEtcdModule(q.Module.Path) || seen[q.Module.Path] {
			continue
		}
		seen[q.Module.Path] = true
		m := q.Module
		d := Diagnosis{
			ID: "old-by-dependency", Severity: Warning, Title: fmt.Sprintf("%s %s brings old etcd in", m.Path, m.effective()),
			Evidence: []Evidence{{Module: m.Path, Version: m.effective(), Chain: importChain(by, p)}},
			Cause:    "the old client comes with this dependency, whatever the repository's own code imports: its gRPC limits hold for the whole build, and a program that links a new client as well panics at start",
			Fix:      []string{u.in("go list -m -versions " + m.Path), migrate},
			Ref:      "https://github.com/etcd-io/etcd/issues/12124",
		}
		f := facts{"puller": q.path()}
		f.raise()
		if r := f["raise"]; r != "" && semver.Compare(m.effective(), parseVersion(r).Version) < 0 {
			d.Fix = []string{u.in("go get " + r), u.in("go mod tidy")}
		}
		e.say(d)
	}
	clashes, err := deps.Generations(e.ctx, deps.Request{Go: e.run, Dir: u.dir}, &deps.Result{ModFile: filepath.Join(u.scratch, "list", "go.mod")})
	if err != nil {
		return
	}
	for _, c := range clashes {
		ev := []Evidence{}
		for _, ch := range c.Chains {
			last := ch[len(ch)-1]
			x := Evidence{Chain: ch}
			if p := ps.byPath[last]; p != nil && p.Module != nil {
				x.Module, x.Version = p.Module.Path, p.Module.effective()
			}
			ev = append(ev, x)
		}
		e.say(Diagnosis{
			ID: "two-generations", Severity: Error, Title: c.Program + " links two generations of etcd",
			Evidence: ev,
			Cause:    "both hold the protobuf messages of " + path.Base(c.Name) + ", and a program can register them once. It builds, and panics before main",
			Fix:      []string{migrate, "# a chain that starts in a dependency: raise that dependency first"},
			Ref:      "https://protobuf.dev/reference/go/faq#namespace-conflict",
		})
	}
}

// drift finds modules of the repository that build with different versions.
func (e *examination) drift() {
	type use struct {
		u *unit
		l *listed
	}
	uses := map[string][]use{}
	for _, u := range e.units {
		for p, l := range u.build {
			if related(p) && !l.Main && (atlas.IsEtcdModule(p) || p == grpcPath || strings.HasSuffix(p, "/protobuf")) {
				uses[p] = append(uses[p], use{u, l})
			}
		}
	}
	paths := make([]string, 0, len(uses))
	for p := range uses {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	for _, p := range paths {
		us := uses[p]
		slices.SortFunc(us, func(a, b use) int { return strings.Compare(a.u.rel, b.u.rel) })
		same := true
		highest := ""
		var ev []Evidence
		for _, x := range us {
			v := x.l.effective()
			same = same && v == us[0].l.effective()
			if semver.Compare(v, highest) > 0 {
				highest = v
			}
			n := Evidence{Module: p, Version: v, File: x.u.gomod()}
			if x.u.file != nil {
				for _, r := range x.u.file.Require {
					if r.Mod.Path == p {
						n.Line = r.Syntax.Start.Line
					}
				}
			}
			ev = append(ev, n)
		}
		if same {
			continue
		}
		var fix []string
		for _, x := range us {
			if x.l.effective() != highest {
				fix = append(fix, x.u.in("go get "+p+"@"+highest+" && go mod tidy"))
			}
		}
		e.say(Diagnosis{
			ID: "version-drift", Severity: Warning, Title: "the modules of this repository build with different versions of " + p,
			Evidence: ev,
			Cause:    "each module has a build list of its own; what is tested in one is not what the other ships. In a workspace, and for whoever imports both, the highest wins",
			Fix:      fix, Ref: modRef + "#workspaces",
		})
	}
}

// workspace judges go.work: replaces that contradict each other, or that reach
// from one member into the others.
func (e *examination) workspace() {
	b, err := os.ReadFile(filepath.Join(e.dir, "go.work"))
	if err != nil {
		return
	}
	w, err := modfile.ParseWork("go.work", b, nil)
	if err != nil {
		out, _, rerr := e.work.Combined(e.ctx, e.dir, "list", "-m", "-mod=readonly")
		if rerr == nil {
			e.failed(&unit{rel: ".", dir: e.dir, scratch: e.scratch}, "go list -m", fmt.Errorf("%s", out))
		}
		return
	}
	if _, vendored := gocmd.Vendored(e.dir); vendored && len(w.Use) > 0 {
		// Listed in the folder of a member: the root need not be one.
		dir := filepath.Join(e.dir, filepath.FromSlash(w.Use[0].Path))
		if _, err := e.work.Run(e.ctx, dir, "list", "-e", "-mod=vendor", "./..."); err != nil {
			e.failed(&unit{rel: ".", dir: e.dir, scratch: e.scratch}, "go build ./...", err)
		}
	}
	members := map[string]bool{}
	for _, use := range w.Use {
		members[path.Clean(use.Path)] = true
	}
	overridden := map[string]bool{}
	for _, r := range w.Replace {
		overridden[r.Old.Path] = true
	}
	type line struct {
		u *unit
		r *modfile.Replace
	}
	lines := map[string][]line{}
	var order []string
	for _, u := range e.units {
		if !members[u.rel] {
			if len(members) > 0 {
				e.say(Diagnosis{
					ID: "work-not-listed", Severity: Note, Title: u.rel + " is not part of the workspace",
					Evidence: []Evidence{{File: "go.work"}, {File: u.gomod()}},
					Cause:    "go.work does not list the module; in its folder the go command works only with GOWORK=off",
					Fix:      []string{"go work use " + u.rel}, Ref: modRef + "#workspaces",
				})
			}
			continue
		}
		if u.file == nil {
			continue
		}
		for _, r := range u.file.Replace {
			if !related(r.Old.Path) || overridden[r.Old.Path] {
				continue
			}
			if lines[r.Old.Path] == nil {
				order = append(order, r.Old.Path)
			}
			lines[r.Old.Path] = append(lines[r.Old.Path], line{u, r})
		}
	}
	for _, p := range order {
		ls := lines[p]
		var ev []Evidence
		differ := false
		has := map[string]bool{}
		for _, l := range ls {
			ev = append(ev, l.u.at(l.r))
			has[l.u.rel] = true
			differ = differ || l.r.New != ls[0].r.New && l.r.Old == ls[0].r.Old
		}
		if differ {
			e.say(Diagnosis{
				ID: "work-conflicting-replaces", Severity: Error, Title: "two modules of the workspace replace " + p + " differently",
				Evidence: ev,
				Cause:    "a replace of one member counts for the whole workspace, so the go command refuses two",
				Fix:      []string{migrate, "# or decide it for the workspace:", "go work edit -replace=" + p + "=" + strings.TrimSuffix(ls[0].r.New.Path+"@"+ls[0].r.New.Version, "@")},
				Ref:      modRef + "#go-work-file-replace",
			})
			continue
		}
		// A member without the line gets it all the same.
		var others []string
		for _, u := range e.units {
			if members[u.rel] && !has[u.rel] && u.build[p] != nil {
				others = append(others, u.rel)
				ev = append(ev, Evidence{Module: p, Version: u.build[p].effective(), File: u.gomod(), Text: []string{"is what this module builds with by itself"}})
			}
		}
		if len(others) > 0 {
			e.say(Diagnosis{
				ID: "work-replace-reaches", Severity: Warning, Title: "a replace of " + p + " in " + ls[0].u.rel + " holds for the whole workspace",
				Evidence: ev,
				Cause:    strings.Join(others, ", ") + " did not ask for it, and builds with other versions inside the workspace than outside",
				Fix:      []string{migrate, "# or, if nothing needs it:", ls[0].u.dropReplace(ls[0].r)},
				Ref:      modRef + "#go-work-file-replace",
			})
		}
	}
	for _, u := range e.units {
		if members[u.rel] && u.file != nil && u.file.Go != nil && (w.Go == nil || semver.Compare("v"+w.Go.Version, "v"+u.file.Go.Version) < 0) {
			have := "none"
			if w.Go != nil {
				have = w.Go.Version
			}
			e.say(Diagnosis{
				ID: "work-go-line", Severity: Error, Title: "go.work says a lower Go than its module " + u.rel,
				Evidence: []Evidence{{File: "go.work", Text: []string{"go " + have}}, {File: u.gomod(), Line: u.file.Go.Syntax.Start.Line, Text: []string{"go " + u.file.Go.Version}}},
				Cause:    "the go line of a workspace must not be below that of a member; a newer client has raised the latter",
				Fix:      []string{"go work use"}, Ref: modRef + "#go-work-file-go",
			})
		}
	}
}

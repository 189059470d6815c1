package deps

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// genprotoSplit is the first genproto without the packages that moved to
// googleapis/api and googleapis/rpc; genprotoWhole, a little later, is the
// version to require when an older one is in the way.
const (
	genproto      = "google.golang.org/genproto"
	genprotoSplit = "v0.0.0-20230525234025-438c736192d0"
	genprotoWhole = "v0.0.0-20230530153820-e85fd2cbaebc"
)

const (
	grpcPath      = "google.golang.org/grpc"
	bbolt         = "go.etcd.io/bbolt"
	coreosBolt    = "github.com/coreos/bbolt"
	coreosSystemd = "github.com/coreos/go-systemd"
)

// judgeReplaces decides on each replace of go.mod that touches what etcd
// brings into the build. A replace that compiles is no better than one that
// does not: grpc 1.27 to 1.29 build with client 3.5.0 and are below what it
// was tested with.
func (s *solver) judgeReplaces() {
	for _, r := range s.before.Replace {
		key := replaceKey(r.Old)
		switch p := r.Old.Path; {
		case isOldRoot(p) || atlas.IsEtcdModule(p):
			if isTemporary(r) {
				if _, again := s.adds["replace "+p]; !again {
					s.drop[key] = fmt.Sprintf("it stood for %s until there was a release", p)
				}
				continue
			}
			if forkOfEtcd(r) {
				s.judgeFork(r)
				continue
			}
			if isOldRoot(p) {
				s.drop[key] = "the old etcd is no longer used"
			} else {
				s.drop[key] = fmt.Sprintf("all etcd modules are at the release %s", s.release.Version)
			}
		case forked(r):
			s.forks = append(s.forks, &fork{Replace: r})
		case renamed[p] != "" || p == bbolt && r.New.Path == coreosBolt:
			s.drop[key] = "it made the old etcd resolve"
		default:
			s.judgeShared(r)
		}
	}
}

// judgeFork reports a fork of etcd. What it changed is not known, so nothing
// is dropped: the line has no effect once nothing requires the old module.
func (s *solver) judgeFork(r *modfile.Replace) {
	s.finding("gomod-etcd-fork", edit.Review, r.Syntax,
		fmt.Sprintf("%s is replaced by a fork, %s; etcd %s does not have what the fork changed", r.Old.Path, versioned(r.New), s.release.Version),
		"compare the fork with the release it started from, carry over what is still needed, then run 'go mod edit -dropreplace="+versioned(r.Old)+"'")
}

// forkOfEtcd reports whether a replace of an etcd module points away from the
// project: at a folder, or at a path that is none of its own.
func forkOfEtcd(r *modfile.Replace) bool {
	if isLocal(r) {
		return true
	}
	p := r.New.Path
	return !isOldRoot(p) && !atlas.IsEtcdModule(p) && !strings.HasPrefix(p, "github.com/etcd-io/etcd/")
}

func isLocal(r *modfile.Replace) bool { return r.New.Version == "" }

// judgeShared decides on the replace of a module that the etcd release has in
// its own build list: one that forces less than the release asks for goes.
func (s *solver) judgeShared(r *modfile.Replace) {
	p := r.Old.Path
	min := s.min[p]
	if min == "" && p == grpcPath {
		min = s.release.EffGRPC // the v2 client has no gRPC, but the pin was made for etcd
	}
	if min == "" {
		// The monolithic genproto is no longer in the list of newer releases,
		// and an old one shadows the modules that it was split into.
		if p != genproto || s.min[genproto+"/googleapis/rpc"] == "" {
			return
		}
		min = genprotoSplit
	}
	core := isCore(p)
	if isLocal(r) || r.New.Path != p {
		if core || p == bbolt || p == renamed[coreosSystemd] {
			what := fmt.Sprintf("%s is replaced by %s; etcd %s was made for %s %s or newer", p, versioned(r.New), s.release.Version, p, min)
			severity := edit.Note
			if why := behind(r.New, min); why != "" {
				severity, what = edit.Review, what+": "+why
			}
			s.finding("gomod-replace", severity, r.Syntax, what,
				"check that the replacement is up to that version, or drop it with 'go mod edit -dropreplace="+versioned(r.Old)+"'")
		}
		return
	}
	if semver.Compare(r.New.Version, min) < 0 {
		s.drop[replaceKey(r.Old)] = fmt.Sprintf("etcd %s needs %s %s or newer", s.release.Version, p, min)
		return
	}
	if core {
		s.kept[replaceKey(r.Old)] = fmt.Sprintf("it is not below %s, which etcd %s needs", min, s.release.Version)
	}
}

// isCore reports whether a module is one that etcd's generated code and its
// connections depend on: gRPC, genproto and the protobuf runtimes.
func isCore(p string) bool {
	return p == grpcPath || p == genproto || strings.HasPrefix(p, genproto+"/") || path.Base(p) == "protobuf"
}

// otelgrpc takes the place of interceptors by stats handlers, and the server of
// etcd 3.5 goes on to use interceptors: otelgrpcLast is the last that has them.
const (
	otelgrpc     = "go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	otelgrpcLast = "v0.60.0"
	otelgrpcUser = "go.etcd.io/etcd/server/v3/etcdserver/api/v3rpc"
)

// holdOtelgrpc keeps what another module requires from breaking the server of
// etcd 3.5, where the module's code has that in it.
func (s *solver) holdOtelgrpc(ctx context.Context, version map[string]string) (changed bool, err error) {
	if s.release.Line() != atlas.Line35 || semver.Compare(version[otelgrpc], otelgrpcLast) <= 0 || version["go.etcd.io/etcd/server/v3"] == "" {
		return false, nil
	}
	key := "replace " + otelgrpc
	if _, held := s.adds[key]; held || slices.ContainsFunc(s.before.Replace, func(r *modfile.Replace) bool { return r.Old.Path == otelgrpc }) {
		return false, nil
	}
	g, err := loadGraph(ctx, s.Go, s.Dir, s.flags(), "./...")
	if err != nil {
		return false, s.unresolved(ctx, err)
	}
	if g.pkgs[otelgrpcUser] == nil {
		return false, nil
	}
	s.adds[key] = modfileReplace{
		old: module.Version{Path: otelgrpc}, new: module.Version{Path: otelgrpc, Version: otelgrpcLast},
		why: fmt.Sprintf("the server of etcd 3.5 needs its interceptors, which %s no longer has; etcd 3.6 does without", version[otelgrpc]),
	}
	return true, nil
}

// judgeExcludes drops the excludes that keep the build below what the etcd
// release asks for: an excluded version is passed over, and the next one that
// something requires may be lower.
func (s *solver) judgeExcludes() {
	for _, e := range s.before.Exclude {
		switch p, v := e.Mod.Path, e.Mod.Version; {
		case isOldRoot(p):
			s.drop[excludeKey(e.Mod)] = "the old etcd is no longer used"
		case s.min[p] == v:
			s.drop[excludeKey(e.Mod)] = fmt.Sprintf("etcd %s needs this very version, and the build would fall below it", s.release.Version)
		case atlas.IsEtcdModule(p) && v == s.companion(p):
			s.drop[excludeKey(e.Mod)] = "it is the release that was chosen"
		}
	}
}

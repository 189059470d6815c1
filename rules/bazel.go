package rules

import (
	"path"
	"regexp"
	"slices"

	"github.com/etcdshift/etcdshift/rewrite/edit"
)

// bazelRepository names what Bazel's files have of old etcd.
//
// Matched: labels of its repository, the repository by name in
// go_repository, use_repo and directives of gazelle, and its import path in
// go_repository.
//
// Nothing is rewritten: gazelle writes all of it from go.mod and the imports.
var bazelRepository = &Rule{
	ID:     "bazel-repository",
	Title:  "name Bazel files that have the repository of old etcd",
	Before: "deps = [\"@com_github_coreos_etcd//clientv3:go_default_library\"]\n",
	After:  "deps = [\"@com_github_coreos_etcd//clientv3:go_default_library\"]\n",
	Why:    "Bazel does not read go.mod itself: its files go on building the old etcd, or stop when its repository is gone. One finding for a file, at its first mention.",
	Since:  "v3.5.0",
	Safety: Report,
	Refs:   []string{"https://github.com/bazel-contrib/bazel-gazelle#update-repos"},
	Text: func(p *TextPass) {
		all := bazelName.FindAllStringIndex(p.Src, -1)
		if path.Base(p.Name) != "MODULE.bazel" {
			for _, m := range bazelImport.FindAllStringSubmatchIndex(p.Src, -1) {
				all = append(all, m[2:4])
			}
		}
		if len(all) == 0 {
			return
		}
		slices.SortFunc(all, func(a, b []int) int { return a[0] - b[0] })
		advice := "bazel run //:gazelle -- update-repos -from_file=go.mod -prune, then bazel run //:gazelle"
		if path.Base(p.Name) == "MODULE.bazel" {
			advice = "bazel mod tidy, which writes use_repo of the extension go_deps, then bazel run //:gazelle"
		}
		p.Report(all[0][0], all[0][1], edit.Review, mentionsOf("the repository of old etcd", len(all), string(p.Src[all[0][0]:all[0][1]])), advice)
	},
}

var (
	bazelName   = regexp.MustCompile(`@?@?\b(?:com_github_coreos_etcd|com_github_etcd_io_etcd|io_etcd_go_etcd(?:_v3)?)\b(?://[\w/.:-]*)?`)
	bazelImport = regexp.MustCompile(`importpath\s*=\s*"((?:github\.com/(?:coreos|etcd-io)|go\.etcd\.io)/etcd(?:/v3)?)"`)
)

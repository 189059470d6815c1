package rules

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// goCommand reports commands of the go command that fetch or build old etcd,
// in Makefiles, Dockerfiles, scripts and CI files.
//
// Matched: go get, go install, go build, go mod and the like with a path of old
// etcd, its root alone, with a version, or with /... included; of the modules
// since 3.5, those that the target does not have any more, and older versions.
//
// Not matched: prose. Nothing is rewritten: what the command is for decides
// whether it goes, names a module, or is a release to download.
var goCommand = &Rule{
	ID:     "go-command",
	Title:  "report go commands that fetch or build old etcd",
	Before: "RUN go get github.com/coreos/etcd/clientv3@v3.3.10\n",
	After:  "RUN go get github.com/coreos/etcd/clientv3@v3.3.10\n",
	Why:    "In a module, such a command brings the old etcd back into go.mod. Before modules it fetched what the build needs; go.mod does that now.",
	Since:  "v3.5.0",
	Safety: Report,
	Refs:   []string{"https://go.dev/ref/mod#go-get"},
	Text: func(p *TextPass) {
		for _, l := range p.goCommands() {
			for _, at := range p.oldWords(l.text) {
				p.reportGoCommand(l.start+at[0], l.text[at[0]:at[1]])
			}
		}
	},
}

var (
	goTool  = regexp.MustCompile(`(?:^|[\s;&|("'=])(?:go|gvt|govendor|gopm) +(?:get|install|build|run|test|list|mod +\w+|fetch|add)\b`)
	oldWord = regexp.MustCompile(`(?:^|[\s"'=])((?:github\.com/(?:coreos|etcd-io)|go\.etcd\.io)/etcd(?:/[^\s"'\\;&|)@=]*)?(?:@[^\s"'\\;&|)=]*)?)`)
)

// linkerValue ends in the linker's flag -X.
var linkerValue = regexp.MustCompile(`-X[\s=]*["']?$`)

// dropFlag ends in a flag of go mod edit that takes a module out.
var dropFlag = regexp.MustCompile(`-drop\w+=$`)

// goCommands returns the commands that have a path of old etcd.
func (p *TextPass) goCommands() []textLine {
	if prose(p.Name) {
		return nil
	}
	return slices.DeleteFunc(commands(p.Src), func(l textLine) bool {
		if strings.HasPrefix(strings.TrimSpace(l.text), "#") || !goTool.MatchString(l.text) {
			return true
		}
		return len(p.oldWords(l.text)) == 0
	})
}

// oldWords returns where the arguments of a command are that name old etcd.
func (p *TextPass) oldWords(text string) [][2]int {
	var out [][2]int
	for _, m := range oldWord.FindAllStringSubmatchIndex(text, -1) {
		if m[3] < len(text) && isPathByte(text[m[3]]) {
			continue // coreos/etcd-operator
		}
		if linkerValue.MatchString(text[:m[2]]) {
			continue // names a variable for the linker to set
		}
		if dropFlag.MatchString(text[:m[2]]) {
			continue
		}
		if _, ok := p.oldPackage(text[m[2]:m[3]]); ok {
			out = append(out, [2]int{m[2], m[3]})
		}
	}
	return out
}

// oldPackage reads an argument of the go command: the package of old etcd, ""
// for its root or all of it.
func (p *TextPass) oldPackage(word string) (rel string, ok bool) {
	path, version, _ := strings.Cut(word, "@")
	path = strings.TrimSuffix(strings.TrimSuffix(path, "..."), "/")
	if slices.Contains(atlas.OldRoots(), path) {
		return "", true
	}
	rel, layout, ok := atlas.Canonical(path)
	if layout != atlas.LayoutSplit {
		return rel, ok
	}
	if home, known := atlas.HomeOf(rel, p.Target.Line); known && (home.Gone || home.Path != path) {
		return rel, true
	}
	line, known := atlas.LineOf(version)
	return rel, known && line < p.Target.Line
}

func (p *TextPass) reportGoCommand(at int, word string) {
	rel, _ := p.oldPackage(word)
	path, _, _ := strings.Cut(word, "@")
	_, layout, _ := atlas.Canonical(path)
	version := p.Target.Version
	if version == "" {
		version = atlas.Newest(p.Target.Line)
	}
	home, known := atlas.HomeOf(rel, p.Target.Line)
	advice := "go get go.etcd.io/etcd/client/v3@" + version
	switch {
	case known && home.Name == "main", strings.HasPrefix(rel, "cmd"):
		advice = "download it from https://github.com/etcd-io/etcd/releases/tag/" + version + ": its modules replace others, so that go install refuses them"
	case known && home.Gone:
		advice = "drop it: " + home.Note
	case known:
		advice = "go get " + home.Path + "@" + cmp.Or(atlas.Companion(home.Module, version), "latest")
	case layout == atlas.LayoutSplit: // a module without a package at its root
		advice = "go get " + path + "@" + version
	}
	p.Report(at, at+len(word), edit.Review, "this command has "+word+" of old etcd",
		advice+"; nothing, where it was to fetch what the build needs: go.mod says that")
}

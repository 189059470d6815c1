package rules

import (
	"path"
	"regexp"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// protoImport reports what .proto files and commands of protoc have of old
// etcd: imports of its .proto files, Go packages, and folders to look in.
//
// Matched: import "etcd/mvcc/mvccpb/kv.proto", as etcd's own files import each
// other, and imports and options with a Go path; flags of protoc that name the
// old module's folder.
//
// Not matched: mappings of protoc and buf (M...=...), which text-mentions
// counts. text-path rewrites both on request.
var protoImport = &Rule{
	ID:    "proto-import",
	Title: "report imports of old etcd's .proto files",
	Before: `syntax = "proto3";

import "etcd/mvcc/mvccpb/kv.proto";
`,
	After: `syntax = "proto3";

import "etcd/mvcc/mvccpb/kv.proto";
`,
	Why: "In 3.5 etcd's .proto files moved into the module go.etcd.io/etcd/api/v3, where they import each other as etcd/api/mvccpb/kv.proto. " +
		"Generated code compiles with the moved imports that import-path writes; protoc needs the files at their new place the next time it runs.",
	Since:  "v3.5.0",
	Safety: Report,
	Refs: []string{
		"https://github.com/etcd-io/etcd/blob/v3.5.35/api/etcdserverpb/rpc.proto",
		"https://github.com/etcd-io/etcd/blob/v3.7.3/api/etcdserverpb/rpc.proto",
	},
	Text: func(p *TextPass) {
		if prose(p.Name) {
			return
		}
		if path.Ext(p.Name) == ".proto" {
			for _, m := range append(p.movable(p.Src), protoMentions(p.Src, p.Target.Line)...) {
				line := p.Src[strings.LastIndexByte(p.Src[:m.Start], '\n')+1 : m.Start]
				switch {
				case strings.Contains(line, "//"):
				case m.New == "":
					p.Report(m.Start, m.End, edit.Review, m.Path+" is not in etcd "+string(p.Target.Line), "keep a copy of the file, or do without")
				case strings.Contains(line, "import"):
					p.Report(m.Start, m.End, edit.Review, "this imports "+m.Path+", which is now "+m.New, p.protoAdvice(m))
				default:
					p.Report(m.Start, m.End, edit.Review, m.Path+" is now "+m.New, "'etcdshift migrate --rules text-path' writes it")
				}
			}
			return
		}
		for _, l := range commands(p.Src) {
			for _, m := range protoFolder.FindAllStringSubmatchIndex(l.text, -1) {
				if word := l.text[m[2]:m[3]]; oldRootAtEnd(word) || oldInCache(word) {
					p.Report(l.start+m[2], l.start+m[3], edit.Review, "protoc looks into the folder of the old etcd module", "-I include, after: "+linkAPI)
				}
			}
		}
	},
}

const linkAPI = `mkdir -p include/etcd && ln -sfn "$(go list -m -f '{{.Dir}}' go.etcd.io/etcd/api/v3)" include/etcd/api`

var (
	protoFolder = regexp.MustCompile(`(?:^|\s)(?:-I|--proto_path)[= ]?((?:\$\([^)]*\)|\S)+)`)
	// etcdProto is a .proto file as etcd's own files import it: from the folder
	// above the repository.
	etcdProto = regexp.MustCompile(`(?:^|[^\w./-]|[^\w./-]M)(etcd/((?:[\w-]+/)+)([\w-]+\.proto))\b`)
)

// protoMentions finds the .proto files of old etcd that a text names as etcd's
// own files do.
func protoMentions(text string, line atlas.Line) []pathMention {
	var out []pathMention
	for _, m := range etcdProto.FindAllStringSubmatchIndex(text, -1) {
		rel := strings.TrimSuffix(text[m[4]:m[5]], "/")
		home, ok := atlas.HomeOf(rel, line)
		if !ok {
			continue
		}
		o := pathMention{Start: m[2], End: m[3], Path: text[m[2]:m[3]], Rel: rel}
		if !home.Gone {
			// The folder of a package in the repository: without the host and the
			// major version of its module.
			folder := strings.TrimPrefix(strings.Replace(home.Path, "/v3/", "/", 1), "go.etcd.io/")
			o.New = folder + "/" + text[m[6]:m[7]]
		}
		if o.New != o.Path {
			out = append(out, o)
		}
	}
	return out
}

func (p *TextPass) protoAdvice(m pathMention) string {
	advice := "'etcdshift migrate --rules text-path' writes it; protoc finds it with -I include, after: " + linkAPI
	if !strings.HasPrefix(m.New, "etcd/") {
		advice = "'etcdshift migrate --rules text-path' writes it, which is its place below a vendor folder"
	}
	if strings.HasPrefix(m.Rel, "raft") && p.Target.Line != atlas.Line35 {
		advice = "the file is in the module go.etcd.io/raft/v3"
	}
	if path.Base(m.Path) == "rpc.proto" || strings.HasSuffix(m.Rel, "etcdserverpb") {
		advice += "; it imports etcd/api/mvccpb/kv.proto, etcd/api/authpb/auth.proto"
		if p.Target.Line != atlas.Line35 {
			advice += ", etcd/api/versionpb/version.proto, protoc-gen-openapiv2/options/annotations.proto"
		}
		advice += " and google/api/annotations.proto in turn"
	}
	if p.Target.Line == atlas.Line37 {
		advice += "; it has no gogoproto options any more: generate with protoc-gen-go and protoc-gen-go-grpc"
	}
	return advice
}

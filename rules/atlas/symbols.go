package atlas

import (
	"bytes"
	"compress/gzip"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// unzip decodes a compressed table.
func unzip(name string) string {
	data, err := tables.ReadFile("tables/" + name)
	if err != nil {
		panic(err) // the file is part of the binary
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		panic(err)
	}
	var b strings.Builder
	b.Grow(8 * len(data))
	if _, err := io.Copy(&b, z); err != nil {
		panic(err)
	}
	return b.String()
}

// labels are the etcd releases of the tables, in the order of their bits.
var labels = sync.OnceValue(func() []string {
	var ls []string
	for _, s := range sources() {
		if s.Release != "" && !slices.Contains(ls, s.Release) {
			ls = append(ls, s.Release)
		}
	}
	return ls
})

// SourceReleases returns the etcd releases whose symbols the atlas has, oldest
// first: "2.3.8" to "3.7.3". "3.5.0-pre" stands for the go.etcd.io/etcd/v3
// commits between 3.4 and 3.5.
func SourceReleases() []string { return slices.Clone(labels()) }

// releaseBit is the bit of a release ("3.4.31", "v3.6.16"), or of the newest
// release of a target line ("3.6"). For a release that the atlas did not read it
// is that of the nearest older one of the same minor, or else newer; 0 for what is
// no release.
func releaseBit(release string) uint32 {
	if i := Line(release).index(); i >= 0 {
		release = Newest(Line(release))
	}
	older, _ := around(release)
	if i := slices.Index(labels(), older); i >= 0 {
		return 1 << i
	}
	return 0
}

func maskLabels(mask uint32) []string {
	var ls []string
	for i, l := range labels() {
		if mask>>i&1 != 0 {
			ls = append(ls, l)
		}
	}
	return ls
}

func parseMask(s string) uint32 {
	m, err := strconv.ParseUint(s, 16, 32)
	if err != nil {
		panic("atlas: release bits " + strconv.Quote(s)) // the tables are generated
	}
	return uint32(m)
}

// A Symbol is an exported symbol of a package in one release. Members are named
// with their type: "Config.Endpoints", "KV.Get"; those that a type takes from what
// it embeds are there, too, but for types outside etcd (sync.Mutex,
// grpc.ServerStream).
type Symbol struct {
	Pkg, Name string
	// Sig is the declaration, types of the package itself without qualifier:
	// "func New(cfg Config) (*Client, error)", "func (*Client) Close() error",
	// "method Get(...) ..." for an interface, "field Logger *zap.Logger",
	// "embed KV", "type Config struct", "const X T", "var X T".
	Sig string
	// Promoted tells that the member comes from an embedded type.
	Promoted bool
}

// Kind is const, var, func, type, field, embed or method.
func (s Symbol) Kind() string {
	k, rest, _ := strings.Cut(s.Sig, " ")
	if k == "func" && strings.HasPrefix(rest, "(") {
		return "method"
	}
	return k
}

// symbolIndex finds the lines of a package in the symbol table.
var symbolIndex = sync.OnceValue(func() map[string]string {
	index := map[string]string{}
	for _, part := range strings.Split(unzip("symbols.tsv.gz"), "\n>")[1:] {
		pkg, lines, _ := strings.Cut(part, "\n")
		index[pkg] = lines
	}
	return index
})

// pick returns the signature that a row of the symbol table gives for a release.
func pick(pkg, row string, bit uint32) (Symbol, bool) {
	f := strings.Split(row, "\t")
	for i := 1; i+1 < len(f); i += 2 {
		if parseMask(f[i])&bit != 0 {
			sig, promoted := strings.CutPrefix(f[i+1], "^")
			return Symbol{Pkg: pkg, Name: f[0], Sig: sig, Promoted: promoted}, true
		}
	}
	return Symbol{}, false
}

// Symbols returns the exported symbols of a package in a release ("3.4.31",
// "v3.6.16", or a target line), sorted by name.
func Symbols(pkg, release string) []Symbol {
	bit := releaseBit(release)
	var ss []Symbol
	for row := range strings.SplitSeq(symbolIndex()[pkg], "\n") {
		if s, ok := pick(pkg, row, bit); ok {
			ss = append(ss, s)
		}
	}
	return ss
}

// Lookup returns one symbol of a package in a release.
func Lookup(pkg, name, release string) (Symbol, bool) {
	rows := symbolIndex()[pkg]
	i := 0
	if !strings.HasPrefix(rows, name+"\t") {
		if i = strings.Index(rows, "\n"+name+"\t") + 1; i == 0 {
			return Symbol{}, false
		}
	}
	row, _, _ := strings.Cut(rows[i:], "\n")
	return pick(pkg, row, releaseBit(release))
}

// LookupIn returns the declaration in a line of what code for an older release
// calls pkg.name: in its package, or where that or the type of a member moved.
func LookupIn(pkg, name string, line Line) (Symbol, bool) {
	if h, ok := HomeOf(pkg, line); ok && !h.Gone {
		rel, _, _ := Canonical(h.Path)
		if s, ok := Lookup(rel, name, string(line)); ok {
			return s, true
		}
	}
	typ, member, isMember := strings.Cut(name, ".")
	if b := BreakOf(pkg, typ); b != nil {
		if path, moved, ok := b.MovedIn(line); ok {
			if isMember {
				moved += "." + member
			}
			rel, _, _ := Canonical(path)
			return Lookup(rel, moved, string(line))
		}
	}
	return Lookup(pkg, name, string(line))
}

var qualifiers = sync.OnceValue(func() map[string][][]string {
	m := map[string][][]string{}
	for l := range strings.Lines(unzip("qualifiers.tsv.gz")) {
		if f := strings.Split(strings.TrimSuffix(l, "\n"), "\t"); len(f) == 4 {
			m[f[0]] = append(m[f[0]], f[1:])
		}
	}
	return m
})

// Qualifiers returns the import paths behind the qualifiers in the signatures of a
// package in a release: "grpc" is google.golang.org/grpc. One that stands for two
// packages there is missing.
func Qualifiers(pkg, release string) map[string]string {
	bit := releaseBit(release)
	m := map[string]string{}
	for _, f := range qualifiers()[pkg] {
		if parseMask(f[2])&bit != 0 {
			m[f[0]] = f[1]
		}
	}
	return m
}

// A Method is a method of an interface, ready to be written in another package.
type Method struct {
	Name string
	// Sig has parameters and results with every type qualified: "(ctx
	// context.Context, key string, opts ...clientv3.OpOption)
	// (*clientv3.GetResponse, error)". Parameters are unnamed where the
	// declaration has none.
	Sig string
	// Imports are the import paths behind the qualifiers of Sig.
	Imports map[string]string
}

type methodForm struct {
	mask    uint32
	sig     string
	imports string
}

type methodRow struct {
	name  string
	forms []methodForm
}

var interfaces = sync.OnceValue(func() map[string][]methodRow {
	is := map[string][]methodRow{}
	for l := range strings.Lines(unzip("interfaces.tsv.gz")) {
		if l[0] == '#' {
			continue
		}
		f := strings.Split(strings.TrimSuffix(l, "\n"), "\t")
		owner, name, _ := strings.Cut(f[1], ".")
		row := methodRow{name: name}
		for i := 2; i+2 < len(f); i += 3 {
			row.forms = append(row.forms, methodForm{parseMask(f[i]), f[i+1], f[i+2]})
		}
		key := f[0] + "." + owner
		is[key] = append(is[key], row)
	}
	return is
})

func (r methodRow) in(bit uint32) (Method, int) {
	for i, f := range r.forms {
		if f.mask&bit == 0 {
			continue
		}
		m := Method{Name: r.name, Sig: f.sig, Imports: map[string]string{}}
		for _, im := range strings.Fields(f.imports) {
			q, p, _ := strings.Cut(im, "=")
			m.Imports[q] = p
		}
		return m, i
	}
	return Method{}, -1
}

// Methods returns the methods of an interface of a package in a release, those of
// embedded etcd interfaces and unexported ones included, sorted by name. Methods
// of embedded interfaces outside etcd (grpc.ServerStream) are not known.
func Methods(pkg, iface, release string) []Method {
	bit := releaseBit(release)
	var ms []Method
	for _, r := range interfaces()[pkg+"."+iface] {
		if m, i := r.in(bit); i >= 0 {
			ms = append(ms, m)
		}
	}
	return ms
}

// MethodsToWrite returns what a type that implements an interface as it was in
// one release lacks in another: methods that are new, and methods whose signature
// changed.
func MethodsToWrite(pkg, iface, from, to string) (added, changed []Method) {
	fb, tb := releaseBit(from), releaseBit(to)
	for _, r := range interfaces()[pkg+"."+iface] {
		m, t := r.in(tb)
		if t < 0 {
			continue
		}
		switch _, f := r.in(fb); {
		case f < 0:
			added = append(added, m)
		case f != t:
			changed = append(changed, m)
		}
	}
	return added, changed
}

// Interfaces returns the names of the interfaces of a package that some release
// has, sorted.
func Interfaces(pkg string) []string {
	var ns []string
	for k := range interfaces() {
		if n, ok := strings.CutPrefix(k, pkg+"."); ok {
			ns = append(ns, n)
		}
	}
	slices.Sort(ns)
	return ns
}

var noCopy = sync.OnceValue(func() map[string]uint32 {
	m := map[string]uint32{}
	for _, r := range rows("nocopy.tsv") {
		m[r[0]+"."+r[1]] = parseMask(r[2])
	}
	return m
})

// MustNotCopy reports whether a type of a package holds a lock by value in a
// release, so that "go vet" rejects copies of it. All protobuf messages do in 3.7,
// and the types of clientv3 that are made from them.
func MustNotCopy(pkg, typ, release string) bool {
	return noCopy()[pkg+"."+typ]&releaseBit(release) != 0
}

// IsMessage reports whether a type of a package is a protobuf message in a release.
// The types of clientv3 that are made from messages are none themselves.
func IsMessage(pkg, typ, release string) bool {
	_, ok := Lookup(pkg, typ+".ProtoMessage", release)
	return ok
}

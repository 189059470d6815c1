package atlas

import (
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/mod/semver"
)

// GRPCModule is the module path of gRPC.
const GRPCModule = "google.golang.org/grpc"

// A GRPCSymbol is the history of an exported symbol of gRPC. Versions are those of
// minor releases ("v1.30.0"): the first that is so.
type GRPCSymbol struct {
	Package     string // import path
	Name        string // "WithInsecure", "Target.Endpoint"; "" for the package itself
	Kind        string // package, const, var, func, type, field, embed or method
	Added       string
	Deprecated  string // "" when it is not
	Removed     string // "" when it is still there
	Replacement string // what to write instead; "" where nothing does
	Shapes      []GRPCShape
}

// A GRPCShape is a form of a symbol that lasted from one version to the next
// shape. A symbol with several shapes keeps its name, but code that uses it does
// not compile with all of them.
type GRPCShape struct {
	Since string
	Sig   string
}

// grpcTable holds the rows of the table by package, which are decoded when the
// package is asked for.
var grpcTable = sync.OnceValue(func() (t struct {
	versions []string
	pkgs     []string // sorted
	symbols  map[string]func() []GRPCSymbol
}) {
	t.symbols = map[string]func() []GRPCSymbol{}
	rest := unzip("grpc.tsv.gz")
	for rest != "" {
		first, _, _ := strings.Cut(rest, "\n")
		key, more, _ := strings.Cut(first, "\t")
		switch {
		case first[0] == '#':
			rest = rest[len(first)+1:]
			continue
		case key == "versions":
			t.versions = strings.Fields(more)
			rest = rest[len(first)+1:]
			continue
		}
		end := 0
		for strings.HasPrefix(rest[end:], key+"\t") {
			end += strings.IndexByte(rest[end:], '\n') + 1
		}
		pkg, rows, versions := GRPCModule, rest[:end], t.versions
		if key != "" {
			pkg += "/" + key
		}
		t.pkgs = append(t.pkgs, pkg)
		t.symbols[pkg] = sync.OnceValue(func() []GRPCSymbol { return parseGRPC(pkg, rows, versions) })
		rest = rest[end:]
	}
	return t
})

func parseGRPC(pkg, rows string, versions []string) []GRPCSymbol {
	at := func(s string) string {
		if s == "" {
			return ""
		}
		i, err := strconv.Atoi(s)
		if err != nil {
			panic("atlas: gRPC version " + strconv.Quote(s)) // the tables are generated
		}
		return versions[i]
	}
	var symbols []GRPCSymbol
	for l := range strings.Lines(rows) {
		f := strings.Split(strings.TrimSuffix(l, "\n"), "\t")
		s := GRPCSymbol{Package: pkg, Name: f[1], Added: at(f[2]), Deprecated: at(f[3]), Removed: at(f[4]), Replacement: f[5], Kind: "package"}
		for i := 6; i+1 < len(f); i += 2 {
			s.Shapes = append(s.Shapes, GRPCShape{Since: at(f[i]), Sig: f[i+1]})
			s.Kind = Symbol{Sig: f[i+1]}.Kind()
		}
		symbols = append(symbols, s)
	}
	return symbols
}

// GRPC returns the history of every exported symbol of gRPC's public packages,
// sorted by package and name.
func GRPC() []GRPCSymbol {
	t := grpcTable()
	var all []GRPCSymbol
	for _, p := range t.pkgs {
		all = append(all, t.symbols[p]()...)
	}
	return all
}

// GRPCVersions returns the versions of gRPC that the history was read from.
func GRPCVersions() []string { return slices.Clone(grpcTable().versions) }

// GRPCOf returns the history of one symbol, or of a package for an empty name; nil
// when no version had it.
func GRPCOf(importPath, name string) *GRPCSymbol {
	decode := grpcTable().symbols[cutVendor(importPath)]
	if decode == nil {
		return nil
	}
	ss := decode()
	i := sort.Search(len(ss), func(i int) bool { return ss[i].Name >= name })
	if i < len(ss) && ss[i].Name == name {
		return &ss[i]
	}
	return nil
}

// In reports whether a version of gRPC has the symbol.
func (s *GRPCSymbol) In(version string) bool {
	return semver.Compare(version, s.Added) >= 0 && (s.Removed == "" || semver.Compare(version, s.Removed) < 0)
}

// DeprecatedIn reports whether a version of gRPC calls the symbol deprecated.
func (s *GRPCSymbol) DeprecatedIn(version string) bool {
	return s.Deprecated != "" && semver.Compare(version, s.Deprecated) >= 0
}

// ShapeIn returns the declaration of the symbol in a version, or "".
func (s *GRPCSymbol) ShapeIn(version string) string {
	sig := ""
	if s.In(version) {
		for _, sh := range s.Shapes {
			if semver.Compare(version, sh.Since) >= 0 {
				sig = sh.Sig
			}
		}
	}
	return sig
}

// ReshapedBetween reports whether the symbol is in both versions, in forms that
// the same code does not compile with.
func (s *GRPCSymbol) ReshapedBetween(old, new string) bool {
	if !s.In(old) || !s.In(new) {
		return false
	}
	for _, sh := range s.Shapes {
		if semver.Compare(sh.Since, old) > 0 && semver.Compare(sh.Since, new) <= 0 {
			return true
		}
	}
	return false
}

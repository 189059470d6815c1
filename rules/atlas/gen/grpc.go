package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/mod/semver"
)

const grpcModule = "google.golang.org/grpc"

// A grpcSymbol is the history of one symbol of gRPC over its minor releases.
type grpcSymbol struct {
	pkg, name string
	// seen is whether each version has it; deprecated and noted, whether its doc
	// has a "Deprecated:" paragraph, or speaks of deprecation otherwise.
	seen, deprecated, noted []bool
	shapes                  []grpcShape
}

// A grpcShape is a form that the symbol has since a version.
type grpcShape struct {
	since int
	s     *sym
}

var (
	deprecatedDoc = regexp.MustCompile(`\bDeprecated:`)
	deprecatedAny = regexp.MustCompile(`(?i)\bdeprecated\b`)
	deprecatedPkg = regexp.MustCompile(`(?i)\bthis package is deprecated\b`)
)

// writeGRPC writes the history of gRPC's exported symbols.
func (g *gen) writeGRPC() error {
	versions, err := g.grpcVersions()
	if err != nil {
		return err
	}
	var ms []*module
	for _, v := range versions {
		ms = append(ms, &module{Path: grpcModule, Version: v})
	}
	if err := download(ms); err != nil {
		return err
	}
	all := map[string]*grpcSymbol{}
	newest := map[string]bool{} // symbols of the newest version
	for i, m := range ms {
		pkgs := map[string]*pkg{}
		if err := m.scan(pkgs); err != nil {
			return err
		}
		rd := newReader(g, &release{modules: []*module{m}}, nil, nil)
		rd.module = m
		add := func(p, n, doc string, s *sym) {
			key := p + "\t" + n
			h := all[key]
			if h == nil {
				h = &grpcSymbol{pkg: p, name: n, seen: make([]bool, len(ms)), deprecated: make([]bool, len(ms)), noted: make([]bool, len(ms))}
				all[key] = h
			}
			h.seen[i] = true
			h.deprecated[i] = deprecatedDoc.MatchString(doc)
			h.noted[i] = deprecatedAny.MatchString(doc) && (n != "" || deprecatedPkg.MatchString(doc))
			if i == len(ms)-1 {
				newest[p+"."+n] = true
			}
			if s == nil {
				return
			}
			if k := len(h.shapes); k == 0 || !sameShape(h.shapes[k-1].s, s) {
				h.shapes = append(h.shapes, grpcShape{i, s})
			} else {
				h.shapes[k-1].s = s
			}
		}
		for _, p := range sorted(pkgs) {
			if pkgs[p].name == "main" || !grpcPublic(p) {
				continue
			}
			a, err := rd.api(pkgs[p])
			if err != nil {
				return err
			}
			doc := ""
			if src, err := rd.load(p); err == nil && src != nil {
				for _, f := range src.files {
					doc += f.Doc.Text()
				}
			}
			add(p, "", doc, nil)
			for _, n := range sorted(a.syms) {
				s := a.syms[n]
				if usable(s) {
					add(p, n, s.doc, s)
				}
			}
		}
	}
	advice, err := g.lines("grpc.tsv")
	if err != nil {
		return err
	}
	used := make([]bool, len(advice))
	var buf strings.Builder
	fmt.Fprintf(&buf, "versions\t%s\n", strings.Join(versions, " "))
	for _, key := range sorted(all) {
		h := all[key]
		at := func(i int) string {
			if i < 0 {
				return ""
			}
			return strconv.Itoa(i)
		}
		first := func(in []bool) int {
			for i, b := range in {
				if b {
					return i
				}
			}
			return -1
		}
		last := len(h.seen) - 1
		for !h.seen[last] {
			last--
		}
		removed := -1
		if last < len(ms)-1 {
			removed = last + 1
		}
		deprecated := first(h.deprecated)
		if deprecated < 0 {
			// A remark counts only while it stays.
			if deprecated = first(h.noted); deprecated >= 0 && !h.noted[last] {
				deprecated = -1
			}
		} else if !h.deprecated[last] {
			deprecated = -1 // taken back
		}
		replacement := ""
		for i, row := range advice {
			if len(row) < 3 {
				return fmt.Errorf("grpc.tsv: %q: want package, symbol, advice and what it needs", strings.Join(row, " "))
			}
			p := grpcModule
			if row[0] != "." {
				p += "/" + row[0]
			}
			if p != h.pkg || !match(row[1], h.name) && !(row[1] == "." && h.name == "") {
				continue
			}
			used[i] = true
			replacement = row[2]
			if len(row) > 3 {
				for _, need := range strings.Fields(row[3]) {
					if !newest[grpcModule+"."+need] && !newest[grpcModule+"/"+need] {
						return fmt.Errorf("grpc.tsv: %s.%s: gRPC %s has no %s", h.pkg, h.name, versions[len(versions)-1], need)
					}
				}
			}
			break
		}
		cols := []string{strings.TrimPrefix(strings.TrimPrefix(h.pkg, grpcModule), "/"), h.name, at(first(h.seen)), at(deprecated), at(removed), replacement}
		for _, s := range h.shapes {
			cols = append(cols, at(s.since), s.s.sig)
		}
		buf.WriteString(strings.Join(cols, "\t") + "\n")
	}
	for i, row := range advice {
		if !used[i] {
			return fmt.Errorf("grpc.tsv: gRPC never had %s %s", row[0], row[1])
		}
	}
	return g.writeZip("grpc.tsv.gz", "package below google.golang.org/grpc, symbol (empty: the package), version it came with, deprecated, removed, as indexes into the versions; replacement; shapes: since, signature", buf.String())
}

// sameShape reports whether code that uses a symbol compiles alike with both.
func sameShape(a, b *sym) bool {
	method := func(s *sym) string {
		if s.kind == "imethod" {
			return "method"
		}
		return s.kind
	}
	if a.kind == "type" && b.kind == "type" {
		return alike(a, b) || strings.HasPrefix(a.byName, "= ") || strings.HasPrefix(b.byName, "= ")
	}
	if a.key == "" || b.key == "" {
		return true
	}
	return method(a) == method(b) && alike(a, b)
}

// grpcPublic reports whether a package is meant for users.
func grpcPublic(p string) bool {
	below := strings.TrimPrefix(strings.TrimPrefix(p, grpcModule), "/")
	for _, skip := range []string{"examples", "interop", "benchmark", "stress", "profiling", "cmd", "security", "reflection/test", "reflection/grpc_testing", "reflection/grpc_testingv3", "test"} {
		if (below == skip || strings.HasPrefix(below, skip+"/")) && !strings.HasPrefix(below, "test/bufconn") {
			return false
		}
	}
	return true
}

// grpcVersions lists the first release of each minor version, by the bounds in
// grpc-versions.txt.
func (g *gen) grpcVersions() ([]string, error) {
	rows, err := g.lines("grpc-versions.txt")
	if err != nil {
		return nil, err
	}
	var vs []string
	for _, r := range rows {
		from, to, ok := strings.Cut(r[0], " ")
		if !ok {
			vs = append(vs, from)
			continue
		}
		var lo, hi int
		if _, err := fmt.Sscanf(from+" "+to, "v1.%d.0 v1.%d.0", &lo, &hi); err != nil {
			return nil, fmt.Errorf("grpc-versions.txt: %q: %w", r[0], err)
		}
		for i := lo; i <= hi; i++ {
			vs = append(vs, fmt.Sprintf("v1.%d.0", i))
		}
	}
	for _, v := range vs {
		if !semver.IsValid(v) {
			return nil, fmt.Errorf("grpc-versions.txt: %q is no version", v)
		}
	}
	return vs, nil
}

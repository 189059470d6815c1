package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// class says what a break asks of code that uses the symbol. The letters are the
// ones of the source tables and of the written table.
type class byte

const (
	none   class = '-'
	compat class = 'C' // ordinary use still compiles
	mech   class = 'M' // a rewrite that a rule can make
	manual class = 'X' // a person has to decide
)

func worse(a, b class) class {
	order := "-CMX"
	if strings.IndexByte(order, byte(a)) > strings.IndexByte(order, byte(b)) {
		return a
	}
	return b
}

// A form is one shape that a symbol had in source releases.
type form struct {
	s      *sym
	mask   uint32 // releases that have it, by index in modules.txt
	status [3]class
}

// A brk is a symbol that some source release has and some target has not, or not
// alike.
type brk struct {
	pkg, name string
	scope     string
	forms     []*form
	news      [3]*sym // in the targets; nil: gone
	class     [3]class
	moved     [3]string
	advice    string
	orphan    [3]bool // of a package or type that the target does not have
}

// world holds the API of every package of every release.
type world struct {
	g       *gen
	places  map[string]*place
	split   map[string]string
	readers map[*release]*reader
	apis    map[*pkg]*api
	quals   map[*pkg]map[string]map[string]bool // import paths behind the qualifiers that its signatures show
	targets [3]*release
}

func (g *gen) newWorld() (*world, error) {
	places, split, err := g.atlasPaths()
	if err != nil {
		return nil, err
	}
	w := &world{g: g, places: places, split: split, readers: map[*release]*reader{}, apis: map[*pkg]*api{}, quals: map[*pkg]map[string]map[string]bool{}}
	for _, r := range g.releases {
		rd := newReader(g, r, places, split)
		for i, l := range targetLines {
			if r.line() != l {
				continue
			}
			w.targets[i] = r
			// Where two packages of a release share a name, its own home is meant.
			for rel, pl := range places {
				if h := pl.home[i]; h != nil && r.pkgs[h.path] == h && split[h.path] == rel {
					rd.byRel[rel] = h
				}
			}
		}
		w.readers[r] = rd
	}
	return w, nil
}

// api returns the API of a package, reading it once, by the reader of the release
// that it is part of.
func (w *world) api(p *pkg) (*api, error) {
	if a, ok := w.apis[p]; ok {
		return a, nil
	}
	for _, r := range w.g.releases {
		if r.pkgs[p.path] != p {
			continue
		}
		rd, quals := w.readers[r], map[string]map[string]bool{}
		rd.note = func(q, path string) {
			if quals[q] == nil {
				quals[q] = map[string]bool{}
			}
			quals[q][path] = true
		}
		a, err := rd.api(p)
		rd.note = nil
		w.apis[p], w.quals[p] = a, quals
		return a, err
	}
	return nil, fmt.Errorf("package %s is of no release", p.path)
}

// alike reports whether two keys mean the same type; an empty one is not known.
func alike(a, b *sym) bool { return a.key == b.key || a.byName == b.byName }

// compare judges how a symbol of a source release fares against a target's API.
func compare(s *sym, t *api) class {
	n := t.syms[s.name]
	if n == nil {
		owner, _, _ := strings.Cut(s.name, ".")
		if owner != s.name && t.opaque[owner] {
			return none // an alias of, or embedding, a type outside etcd: it is taken to have it
		}
		return manual
	}
	values := func(k string) bool { return k == "const" || k == "var" }
	calls := func(k string) bool { return k == "func" || k == "method" || k == "imethod" }
	switch {
	case values(s.kind) && values(n.kind):
		if s.key == "" || n.key == "" || alike(s, n) {
			return none
		}
		return manual
	case s.kind == "type" && n.kind == "type":
		if alike(s, n) {
			return none
		}
		if strings.HasPrefix(n.byName, "= ") || strings.HasPrefix(s.byName, "= ") {
			return compat
		}
		return manual
	case calls(s.kind) && calls(n.kind):
		if alike(s, n) {
			if s.recv == "" && n.recv == "*" && s.kind == "method" {
				return compat
			}
			return none
		}
		if widened(s.key) == widened(n.key) && s.kind != "imethod" {
			return compat
		}
		if variadicAdded(s.key, n.key) || variadicAdded(s.byName, n.byName) {
			return compat
		}
		return manual
	case (s.kind == "field" || s.kind == "embed") && (n.kind == "field" || n.kind == "embed"):
		if alike(s, n) && s.via == "" && n.via != "" {
			return compat // a literal cannot set what an embedded struct lends
		}
		if alike(s, n) {
			return none
		}
		return manual
	case s.kind == "func" && values(n.kind):
		if n.key == "func"+s.key || n.byName == "func"+s.byName {
			return none
		}
	}
	return manual
}

// widened puts the widest of the types that a test hands to etcd's helpers in the
// place of the narrower ones.
func widened(sig string) string {
	sig = strings.ReplaceAll(sig, "*testing.T,", "testing.TB,")
	sig = strings.ReplaceAll(sig, "*testing.T)", "testing.TB)")
	return strings.ReplaceAll(sig, "testing.TB", "go.etcd.io/etcd/client/pkg/v3/testutil.TB")
}

// variadicAdded reports whether calls of a function stay as they are: the new
// form only takes more arguments, or more of its last one.
func variadicAdded(old, new string) bool {
	op, or := cutParams(old)
	np, nr := cutParams(new)
	if or != nr || len(np) == 0 {
		return false
	}
	last := np[len(np)-1]
	if !strings.HasPrefix(last, "...") {
		return false
	}
	eq := func(a, b []string) bool { return strings.Join(a, ",") == strings.Join(b, ",") }
	if eq(op, np[:len(np)-1]) {
		return true
	}
	return len(op) == len(np) && eq(op[:len(op)-1], np[:len(np)-1]) && op[len(op)-1] == strings.TrimPrefix(last, "...")
}

// cutParams splits "(a, b) c" at the commas of the parameter list.
func cutParams(sig string) (params []string, results string) {
	depth, start := 0, 1
	for i, c := range sig {
		switch c {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
			if depth == 0 {
				if p := strings.TrimSpace(sig[start:i]); p != "" {
					params = append(params, p)
				}
				return params, sig[i+1:]
			}
		case ',':
			if depth == 1 {
				params = append(params, strings.TrimSpace(sig[start:i]))
				start = i + 1
			}
		}
	}
	return nil, ""
}

// usable reports whether a symbol can be named by other packages as one of this
// package: what an exported embedded type lends is a symbol of that type.
func usable(s *sym) bool {
	_, member, ok := strings.Cut(s.name, ".")
	if ok && !isExported(member) {
		return false
	}
	if s.via == "" {
		return true
	}
	n := s.via[strings.LastIndexByte(s.via, '.')+1:]
	return !isExported(n)
}

func isExported(n string) bool { return n != "" && n[0] >= 'A' && n[0] <= 'Z' }

// breaks computes what broke between each source release and each later target.
func (w *world) breaks() ([]*brk, error) {
	index := map[*release]int{}
	for i, r := range w.g.releases {
		index[r] = i
	}
	scopes, err := w.g.scopes()
	if err != nil {
		return nil, err
	}
	var out []*brk
	for _, rel := range sorted(w.places) {
		pl := w.places[rel]
		var targets [3]*api
		for i, h := range pl.home {
			if h == nil {
				continue
			}
			if targets[i], err = w.api(h); err != nil {
				return nil, err
			}
		}
		all := map[string]*brk{}
		for i, r := range w.g.releases {
			p := w.readers[r].byRel[rel]
			if p == nil || p.name == "main" {
				continue
			}
			a, err := w.api(p)
			if err != nil {
				return nil, err
			}
			for _, name := range sorted(a.syms) {
				s := a.syms[name]
				if !usable(s) {
					continue
				}
				b := all[name]
				if b == nil {
					b = &brk{pkg: rel, name: name, class: [3]class{none, none, none}}
					all[name] = b
				}
				var f *form
				// The newest form that is alike; the same names before the same types
				// behind aliases.
				for k := len(b.forms) - 1; k >= 0; k-- {
					have := b.forms[k]
					if have.s.kind != s.kind || have.s.recv != s.recv {
						continue
					}
					if have.s.byName == s.byName || f == nil && have.s.key == s.key {
						if f = have; have.s.byName == s.byName {
							break
						}
					}
				}
				if f != nil && f.s.byName == s.byName {
					f.s = s // the newest spelling
				}
				if f == nil {
					f = &form{s: s, status: [3]class{none, none, none}}
					b.forms = append(b.forms, f)
				}
				f.mask |= 1 << i
				for t, target := range w.targets {
					if index[target] <= i {
						continue
					}
					st := manual
					if targets[t] != nil {
						st = compare(s, targets[t])
					}
					f.status[t] = worse(f.status[t], st)
					b.class[t] = worse(b.class[t], st)
				}
			}
		}
		for _, name := range sorted(all) {
			b := all[name]
			owner, _, _ := strings.Cut(name, ".")
			for t := range w.targets {
				if targets[t] != nil {
					b.news[t] = targets[t].syms[name]
				}
				b.orphan[t] = targets[t] == nil || targets[t].syms[owner] == nil && owner != name
			}
			b.scope = scopes.of(rel)
			out = append(out, b)
		}
	}
	if err := w.applyMoves(out); err != nil {
		return nil, err
	}
	if out, err = w.applyAdvice(out); err != nil {
		return nil, err
	}
	return out, nil
}

// A scopeTable says who uses a package, from scopes.tsv.
type scopeTable [][]string

func (g *gen) scopes() (scopeTable, error) {
	rows, err := g.lines("scopes.tsv")
	return scopeTable(rows), err
}

func (t scopeTable) of(rel string) string {
	best, scope := -1, "server"
	for _, r := range t {
		p, tree := strings.CutSuffix(r[0], "/...")
		if (rel == p || tree && strings.HasPrefix(rel, p+"/")) && len(p) > best {
			best, scope = len(p), r[1]
		}
	}
	return scope
}

// match reports whether a pattern of a source table matches: path.Match without
// the special meaning of "/", "a|b" for either, and "T..." for a type with its
// members.
func match(pattern, s string) bool {
	for _, p := range strings.Split(pattern, "|") {
		if t, ok := strings.CutSuffix(p, "..."); ok {
			if owner, _, _ := strings.Cut(s, "."); owner == t {
				return true
			}
			continue
		}
		p = strings.ReplaceAll(p, "/", "\x01")
		if ok, _ := path.Match(p, strings.ReplaceAll(s, "/", "\x01")); ok {
			return true
		}
	}
	return false
}

// A move is a line of moves.tsv: where a symbol went that left its package or its
// name.
type move struct {
	pkg, name string
	to        [3]string
}

func (g *gen) moves() ([]move, error) {
	rows, err := g.lines("moves.tsv")
	if err != nil {
		return nil, err
	}
	var ms []move
	for _, row := range rows {
		if len(row) != 5 {
			return nil, fmt.Errorf("moves.tsv: %q: want package, symbol and three targets", strings.Join(row, " "))
		}
		m := move{pkg: row[0], name: row[1]}
		for t, to := range row[2:] {
			if to == "=" && t > 0 {
				to = m.to[t-1]
			}
			m.to[t] = to
		}
		ms = append(ms, m)
	}
	return ms, nil
}

// covers reports whether a move is one of the symbol, and the member of it.
func (m *move) covers(pkg, name string) (member string, ok bool) {
	if !match(m.pkg, pkg) {
		return "", false
	}
	for _, p := range strings.Split(m.name, "|") {
		if match(p, name) {
			if strings.HasSuffix(p, "...") {
				_, member, _ = strings.Cut(name, ".")
			}
			return member, true
		}
	}
	return "", false
}

// applyMoves notes where symbols went by moves.tsv, and makes those mechanical
// whose new form is alike.
func (w *world) applyMoves(bs []*brk) error {
	ms, err := w.g.moves()
	if err != nil {
		return err
	}
	for i := range ms {
		m := &ms[i]
		used := false
		for _, b := range bs {
			member, ok := m.covers(b.pkg, b.name)
			if !ok {
				continue
			}
			for t, to := range m.to {
				if to == "-" || b.moved[t] != "" || b.class[t] == none {
					continue
				}
				p, name := "", b.name
				if sym, same := strings.CutPrefix(to, "~"); same {
					// Another name in the same package.
					h := w.places[b.pkg].home[t]
					if h == nil {
						continue
					}
					p, name = h.path, sym
				} else {
					p = to
					if i := strings.LastIndexByte(to, '/'); strings.Contains(to[i+1:], ".") {
						j := i + 1 + strings.IndexByte(to[i+1:], '.')
						p, name = to[:j], to[j+1:]
					}
				}
				if member != "" && !strings.HasSuffix(name, "."+member) {
					name += "." + member
				}
				a, err := w.apiAt(p, t)
				if err != nil {
					return fmt.Errorf("moves.tsv: %s.%s: %w", b.pkg, b.name, err)
				}
				n := a.syms[name]
				if n == nil {
					if member == "" && !strings.ContainsAny(m.name, "*?[") {
						return fmt.Errorf("moves.tsv: %s.%s: %s of %s has no %s", b.pkg, b.name, p, w.targets[t].label, name)
					}
					continue
				}
				used = true
				b.moved[t] = p + "." + name
				for _, f := range b.forms {
					if f.status[t] == manual {
						as := *f.s
						as.name = name
						f.status[t] = compare(&as, a)
						if f.status[t] != manual {
							f.status[t] = mech
						}
					}
				}
				b.class[t] = none
				for _, f := range b.forms {
					b.class[t] = worse(b.class[t], f.status[t])
				}
			}
		}
		if !used {
			return fmt.Errorf("moves.tsv: %s %s: no symbol of the modules moved so", m.pkg, m.name)
		}
	}
	return nil
}

// apiAt returns the API of the package at an import path in a target.
func (w *world) apiAt(p string, t int) (*api, error) {
	for i := t; i >= 0; i-- { // client/v2 is of 3.5
		if q := w.targets[i].pkgs[p]; q != nil && (i == t || q.mod.Path == "go.etcd.io/etcd/client/v2") {
			return w.api(q)
		}
	}
	return nil, fmt.Errorf("etcd %s has no package %s", w.targets[t].label, p)
}

// applyAdvice puts the judgement of advice.tsv on the computed breaks and leaves
// the symbols out that did not break.
func (w *world) applyAdvice(bs []*brk) ([]*brk, error) {
	rows, err := w.g.lines("advice.tsv")
	if err != nil {
		return nil, err
	}
	used := make([]bool, len(rows))
	for i, row := range rows {
		if len(row) != 4 || len(row[2]) != 3 || strings.Trim(row[2], ".-CMXcmx") != "" {
			return nil, fmt.Errorf("advice.tsv: row %d, %q: want package, symbol, three classes and the advice", i+1, strings.Join(row, " "))
		}
	}
	var out []*brk
	for _, b := range bs {
		for i, row := range rows {
			if !match(row[0], b.pkg) || !match(row[1], b.name) {
				continue
			}
			classes := strings.ToUpper(row[2])
			generic := strings.ContainsAny(row[0], "*")
			applies := false
			for t := range targetLines {
				applies = applies || b.class[t] != none || forced(row[2][t])
			}
			if !applies {
				continue
			}
			used[i] = true
			for t := range targetLines {
				c, force := class(classes[t]), forced(row[2][t])
				if c == '.' || b.class[t] == none && !force {
					continue
				}
				if generic && c != manual && b.orphan[t] && b.moved[t] == "" {
					continue // there is nothing left that the advice could be for
				}
				b.class[t] = c
				for _, f := range b.forms {
					if f.status[t] != none || force {
						f.status[t] = c
					}
				}
			}
			b.advice = row[3]
			break
		}
		if b.class != [3]class{none, none, none} {
			out = append(out, b)
		}
	}
	var idle []string
	for i, row := range rows {
		if !used[i] {
			idle = append(idle, row[0]+" "+row[1])
		}
	}
	if len(idle) > 0 {
		return nil, fmt.Errorf("advice.tsv: no break of the modules matches\n\t%s", strings.Join(idle, "\n\t"))
	}
	return out, nil
}

// source returns the package that a release has under a canonical name. client/v2
// is part of the newer lines, too.
func (w *world) source(r *release, rel string) *pkg {
	p := w.readers[r].byRel[rel]
	for i, t := range w.targets {
		if h := w.places[rel].home[i]; t == r && p == nil && h != nil && h.mod.Path == "go.etcd.io/etcd/client/v2" {
			p = h
		}
	}
	if p == nil || p.name == "main" {
		return nil
	}
	return p
}

// writeBreaks writes the breaks.
func (g *gen) writeBreaks() error {
	w, err := g.newWorld()
	if err != nil {
		return err
	}
	bs, err := w.breaks()
	if err != nil {
		return err
	}
	advice := map[string]int{"": 0}
	texts := []string{""}
	for _, b := range bs {
		if _, ok := advice[b.advice]; !ok {
			advice[b.advice] = len(texts)
			texts = append(texts, b.advice)
		}
	}
	var buf strings.Builder
	for i, t := range texts[1:] {
		fmt.Fprintf(&buf, "advice\t%d\t%s\n", i+1, t)
	}
	pkg := ""
	for _, b := range bs {
		if b.pkg != pkg {
			pkg = b.pkg
			fmt.Fprintf(&buf, ">%s\t%s\n", pkg, b.scope)
		}
		cols := []string{b.name, string([]byte{byte(b.class[0]), byte(b.class[1]), byte(b.class[2])}), strconv.Itoa(advice[b.advice])}
		last := b.forms[len(b.forms)-1].s.sig
		for t := range targetLines {
			switch n := b.news[t]; {
			case n == nil:
				cols = append(cols, "")
			case n.sig == last:
				cols = append(cols, "~")
			case t > 0 && b.news[t-1] != nil && b.news[t-1].sig == n.sig:
				cols = append(cols, "=")
			default:
				cols = append(cols, n.sig)
			}
		}
		for t := range targetLines {
			if t > 0 && b.moved[t] != "" && b.moved[t] == b.moved[t-1] {
				cols = append(cols, "=")
			} else {
				cols = append(cols, b.moved[t])
			}
		}
		for _, f := range b.forms {
			cols = append(cols, strconv.FormatUint(uint64(f.mask), 16), string([]byte{byte(f.status[0]), byte(f.status[1]), byte(f.status[2])}), f.s.sig)
		}
		buf.WriteString(strings.Join(cols, "\t"))
		buf.WriteByte('\n')
	}
	return g.writeZip("breaks.tsv.gz", "> package and scope; symbol, class in 3.5, 3.6, 3.7, advice; new form in each (~ the last old one, = as to the left); moved to; forms: releases by bit, classes, signature", buf.String())
}

// writeInterfaces writes the methods of exported interfaces with signatures that
// stand on their own: every type qualified, and the import behind each qualifier.
func (g *gen) writeInterfaces() error {
	w, err := g.newWorld()
	if err != nil {
		return err
	}
	scopes, err := g.scopes()
	if err != nil {
		return err
	}
	type form struct {
		s       *sym
		mask    uint32
		sig     string
		imports string
	}
	var buf strings.Builder
	for _, rel := range sorted(w.places) {
		if scopes.of(rel) == "other" {
			continue
		}
		all := map[string][]*form{}
		for i, r := range g.releases {
			p := w.source(r, rel)
			if p == nil {
				continue
			}
			a, err := w.api(p)
			if err != nil {
				return err
			}
			for _, n := range sorted(a.syms) {
				s := a.syms[n]
				if s.kind != "imethod" {
					continue
				}
				var f *form
				for _, have := range all[n] {
					if alike(have.s, s) {
						f = have
					}
				}
				if f == nil {
					f = &form{}
					all[n] = append(all[n], f)
				}
				f.s = s
				f.mask |= 1 << i
				f.sig, f.imports = s.full()
			}
		}
		for _, n := range sorted(all) {
			cols := []string{rel, n}
			for _, f := range all[n] {
				cols = append(cols, strconv.FormatUint(uint64(f.mask), 16), f.sig, f.imports)
			}
			buf.WriteString(strings.Join(cols, "\t") + "\n")
		}
	}
	return g.writeZip("interfaces.tsv.gz", "package, interface and method; for each form the releases that have it, signature, imports", buf.String())
}

// writeZip writes a compressed table. The bytes depend on the rows alone.
func (g *gen) writeZip(name, columns, rows string) error {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := z.Write([]byte(generated + "# " + columns + "\n" + rows)); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(g.out, name), b.Bytes(), 0o644)
}

// forced reports a class that holds although the code compiles.
func forced(letter byte) bool { return letter >= 'a' && letter <= 'z' }

// writeQualifiers writes the import path behind each qualifier that the signatures
// of a package show. A qualifier that stands for two packages in one release is
// left out.
func (g *gen) writeQualifiers() error {
	w, err := g.newWorld()
	if err != nil {
		return err
	}
	var buf strings.Builder
	for _, rel := range sorted(w.places) {
		masks := map[string]uint64{}
		for i, r := range g.releases {
			p := w.source(r, rel)
			if p == nil {
				continue
			}
			if _, err := w.api(p); err != nil {
				return err
			}
			for q, paths := range w.quals[p] {
				if len(paths) == 1 {
					masks[q+"\t"+sorted(paths)[0]] |= 1 << i
				}
			}
		}
		for _, k := range sorted(masks) {
			fmt.Fprintf(&buf, "%s\t%s\t%x\n", rel, k, masks[k])
		}
	}
	return g.writeZip("qualifiers.tsv.gz", "package, qualifier in its signatures, import path, releases by bit", buf.String())
}

// writeSymbols writes the exported symbols of every package of every release.
func (g *gen) writeSymbols() error {
	w, err := g.newWorld()
	if err != nil {
		return err
	}
	var buf strings.Builder
	for _, rel := range sorted(w.places) {
		type entry struct {
			masks map[string]uint32
		}
		all := map[string]*entry{}
		for i, r := range g.releases {
			p := w.source(r, rel)
			if p == nil {
				continue
			}
			a, err := w.api(p)
			if err != nil {
				return err
			}
			for n, s := range a.syms {
				if _, member, ok := strings.Cut(n, "."); ok && !isExported(member) {
					continue
				}
				if all[n] == nil {
					all[n] = &entry{masks: map[string]uint32{}}
				}
				text := s.sig
				if s.via != "" {
					text = "^" + text // promoted
				}
				all[n].masks[text] |= 1 << i
			}
		}
		if len(all) == 0 {
			continue
		}
		fmt.Fprintf(&buf, ">%s\n", rel)
		for _, n := range sorted(all) {
			buf.WriteString(n)
			ms := all[n].masks
			sigs := sorted(ms)
			sort.SliceStable(sigs, func(i, j int) bool { return lowBit(ms[sigs[i]]) < lowBit(ms[sigs[j]]) })
			for _, s := range sigs {
				fmt.Fprintf(&buf, "\t%x\t%s", ms[s], s)
			}
			buf.WriteByte('\n')
		}
	}
	return g.writeZip("symbols.tsv.gz", "> package; symbol, then for each form the releases that have it, by bit in the order of modules.tsv, and the signature (^ promoted)", buf.String())
}

func lowBit(m uint32) uint32 { return m & -m }

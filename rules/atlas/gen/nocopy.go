package main

import (
	"go/ast"
	"strconv"
	"strings"
)

// lockTypes are the types outside etcd whose values "go vet" lets nobody copy.
var lockTypes = map[string]bool{
	"sync.Mutex": true, "sync.RWMutex": true, "sync.Once": true, "sync.WaitGroup": true, "sync.Map": true, "sync.Pool": true, "sync.Cond": true,
	"sync/atomic.Bool": true, "sync/atomic.Int32": true, "sync/atomic.Int64": true, "sync/atomic.Uint32": true, "sync/atomic.Uint64": true,
	"sync/atomic.Uintptr": true, "sync/atomic.Value": true, "sync/atomic.Pointer": true,
	"google.golang.org/protobuf/runtime/protoimpl.MessageState": true,
}

// holdsLock reports whether a type expression holds a lock by value.
func (rd *reader) holdsLock(src *source, f *ast.File, e ast.Expr, seen map[string]bool) bool {
	switch x := e.(type) {
	case *ast.ParenExpr:
		return rd.holdsLock(src, f, x.X, seen)
	case *ast.ArrayType:
		return x.Len != nil && rd.holdsLock(src, f, x.Elt, seen)
	case *ast.IndexExpr:
		return rd.holdsLock(src, f, x.X, seen)
	case *ast.StructType:
		for _, fl := range x.Fields.List {
			if rd.holdsLock(src, f, fl.Type, seen) {
				return true
			}
		}
		return false
	case *ast.Ident:
		return rd.typeHoldsLock(src, x.Name, seen)
	case *ast.SelectorExpr:
		q, ok := x.X.(*ast.Ident)
		if !ok {
			return false
		}
		p := rd.importOf(f, q.Name)
		if s, err := rd.load(p); err == nil && s != nil {
			return rd.typeHoldsLock(s, x.Sel.Name, seen)
		}
		return lockTypes[p+"."+x.Sel.Name]
	}
	return false
}

func (rd *reader) typeHoldsLock(src *source, name string, seen map[string]bool) bool {
	ts := src.types[name]
	id := src.path + "." + name
	if ts == nil || seen[id] {
		return false
	}
	seen[id] = true
	return rd.holdsLock(src, src.in[ts], ts.Type, seen)
}

// writeNoCopy writes the exported types that hold a lock by value, by release.
// Protobuf messages do from the release on that made them with google's
// generator.
func (g *gen) writeNoCopy() error {
	w, err := g.newWorld()
	if err != nil {
		return err
	}
	var rows [][]string
	for _, rel := range sorted(w.places) {
		masks := map[string]uint64{}
		for i, r := range g.releases {
			p := w.source(r, rel)
			if p == nil {
				continue
			}
			a, err := w.api(p)
			if err != nil {
				return err
			}
			rd := w.readers[r]
			src, err := rd.load(p.path)
			if err != nil {
				return err
			}
			for n, s := range a.syms {
				if s.kind == "type" && !strings.Contains(n, ".") && src != nil && rd.typeHoldsLock(src, n, map[string]bool{}) {
					masks[n] |= 1 << i
				}
			}
		}
		for _, n := range sorted(masks) {
			rows = append(rows, []string{rel, n, strconv.FormatUint(masks[n], 16)})
		}
	}
	return g.write("nocopy.tsv", "package, type that must not be copied, releases by bit in the order of modules.tsv", rows)
}

package atlas

import "strings"

// An Arg is a parameter of a function: its place, counted from 0, and its name
// and type as declared. Name is "" where the declaration has none.
type Arg struct {
	Index int
	Name  string
	Type  string
}

func (a Arg) String() string {
	if a.Name == "" {
		return a.Type
	}
	return a.Name + " " + a.Type
}

// A CallDiff is what a call has to change when a function gets another signature.
type CallDiff struct {
	Added   []Arg // by their place in the new signature
	Dropped []Arg // by their place in the old one
	Results bool  // the results changed, too
}

// DiffCalls compares two declarations of a function or method ("func New(cfg
// Config) (*Client, error)"). Parameters that both have, in the same order, stay.
// ok is false when one is not a function.
func DiffCalls(old, new string) (d CallDiff, ok bool) {
	a, ar, ok1 := args(old)
	b, br, ok2 := args(new)
	if !ok1 || !ok2 {
		return d, false
	}
	same := func(x, y string) bool {
		return strings.ReplaceAll(x, "interface{}", "any") == strings.ReplaceAll(y, "interface{}", "any")
	}
	// The longest common subsequence of types; lists are short.
	n, m := len(a), len(b)
	lcs := make([][]int, n+1)
	for i := range lcs {
		lcs[i] = make([]int, m+1)
	}
	for i := n - 1; i >= 0; i-- {
		for j := m - 1; j >= 0; j-- {
			if same(a[i].Type, b[j].Type) {
				lcs[i][j] = lcs[i+1][j+1] + 1
			} else {
				lcs[i][j] = max(lcs[i+1][j], lcs[i][j+1])
			}
		}
	}
	for i, j := 0, 0; i < n || j < m; {
		switch {
		case i < n && j < m && same(a[i].Type, b[j].Type):
			i, j = i+1, j+1
		case j < m && (i == n || lcs[i][j+1] >= lcs[i+1][j]):
			d.Added = append(d.Added, b[j])
			j++
		default:
			d.Dropped = append(d.Dropped, a[i])
			i++
		}
	}
	d.Results = !same(types(ar), types(br))
	return d, true
}

// args cuts a declaration into its parameters and the text of its results.
func args(sig string) (as []Arg, results string, ok bool) {
	rest, ok := strings.CutPrefix(sig, "func ")
	if ok && strings.HasPrefix(rest, "(") { // the receiver
		_, rest, ok = strings.Cut(rest, ") ")
	} else if !ok {
		rest, ok = strings.CutPrefix(sig, "method ")
	}
	i := strings.IndexByte(rest, '(')
	if !ok || i < 0 {
		return nil, "", false
	}
	list, results := cutParen(rest[i:])
	return list, strings.TrimSpace(results), true
}

// cutParen cuts "(a T, b U) rest" into the parameters and the rest.
func cutParen(s string) (as []Arg, rest string) {
	depth, start := 0, 1
	add := func(end int) {
		if p := strings.TrimSpace(s[start:end]); p != "" {
			as = append(as, Arg{Index: len(as), Type: p})
		}
		start = end + 1
	}
	end := len(s)
scan:
	for i, c := range s {
		switch c {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			if depth--; depth == 0 {
				add(i)
				end = i + 1
				break scan
			}
		case ',':
			if depth == 1 {
				add(i)
			}
		}
	}
	// All have a name or none has.
	for _, a := range as {
		if name, _, ok := strings.Cut(a.Type, " "); !ok || !identifier(name) {
			return as, s[end:]
		}
	}
	for i := range as {
		as[i].Name, as[i].Type, _ = strings.Cut(as[i].Type, " ")
	}
	return as, s[end:]
}

func identifier(s string) bool {
	switch s {
	case "", "chan", "func", "map", "struct", "interface":
		return false
	}
	for i, c := range s {
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// types is a result list without names.
func types(results string) string {
	if !strings.HasPrefix(results, "(") {
		return results
	}
	as, _ := cutParen(results)
	var ts []string
	for _, a := range as {
		ts = append(ts, a.Type)
	}
	return strings.Join(ts, ", ")
}

// steps says a CallDiff in words.
func (d CallDiff) steps() string {
	var out []string
	place := []string{"first", "second", "third", "fourth", "fifth"}
	at := func(i int) string {
		if i < len(place) {
			return place[i]
		}
		return "a later"
	}
	dropped := map[int]Arg{}
	for _, a := range d.Dropped {
		dropped[a.Index] = a
	}
	for _, a := range d.Added {
		if o, ok := dropped[a.Index]; ok && len(d.Added) == len(d.Dropped) {
			out = append(out, "the "+at(a.Index)+" argument is `"+a.String()+"` in place of `"+o.Type+"`")
			delete(dropped, a.Index)
			continue
		}
		hint := ""
		if a.Type == "*zap.Logger" {
			hint = " (a logger of yours, or zap.NewNop())"
		}
		out = append(out, "insert `"+a.String()+"` as "+at(a.Index)+" argument"+hint)
	}
	for _, a := range d.Dropped {
		if _, left := dropped[a.Index]; left {
			out = append(out, "drop the "+at(a.Index)+" argument `"+a.String()+"`")
		}
	}
	if d.Results {
		out = append(out, "its results changed")
	}
	return strings.Join(out, ", ")
}

package rules

import (
	"strings"

	"github.com/etcdshift/etcdshift/rules/atlas"
)

// Claimants returns the rules that answer for a break: those that name it in
// their Claims, else the first whose Answers picks it. It is exactly one, or
// TestEveryBreakHasOneClaimant fails.
func Claimants(b *atlas.Break) []*Rule {
	name := b.Pkg + "." + b.Symbol
	var out []*Rule
	for _, r := range All {
		for _, c := range r.Claims {
			if Covers(c, name) {
				out = append(out, r)
				break
			}
		}
	}
	if out != nil {
		return out
	}
	if r := answering(b, ""); r != nil {
		out = append(out, r)
	}
	return out
}

// answering returns the first rule driven by the atlas that answers for a break
// and applies to a line; "" stands for any.
func answering(b *atlas.Break, line atlas.Line) *Rule {
	for _, r := range All {
		if r.Answers != nil && r.Answers(b) && (line == "" || r.Applies(line)) {
			return r
		}
	}
	return nil
}

// Claimant returns the rule that answers for a break in a line: the one that
// claims it or, where that is for other lines, one driven by the atlas.
func Claimant(b *atlas.Break, line atlas.Line) *Rule {
	if rs := Claimants(b); len(rs) > 0 && rs[0].Applies(line) {
		return rs[0]
	}
	return answering(b, line)
}

// answersFor says whether the rule that runs is the one that answers for a
// break.
func (p *Pass) answersFor(b *atlas.Break) bool { return p.claimant(b) == p.rule }

// claimant returns Claimant for a line, which works each break out once. Passes
// carry it, since rules cannot name All.
func claimant(line atlas.Line) func(*atlas.Break) *Rule {
	known := map[*atlas.Break]*Rule{}
	return func(b *atlas.Break) *Rule {
		r, ok := known[b]
		if !ok {
			r = Claimant(b, line)
			known[b] = r
		}
		return r
	}
}

// Covers says whether a claim covers a symbol: a "*" in it stands for any run
// of characters.
func Covers(claim, symbol string) bool {
	head, rest, star := strings.Cut(claim, "*")
	if !strings.HasPrefix(symbol, head) {
		return false
	}
	symbol = symbol[len(head):]
	if !star {
		return symbol == ""
	}
	for {
		part, next, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(symbol, part)
		}
		i := strings.Index(symbol, part)
		if i < 0 {
			return false
		}
		symbol, rest = symbol[i+len(part):], next
	}
}

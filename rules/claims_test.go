package rules_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/etcdshift/etcdshift/rules"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

// Every broken symbol that the atlas knows must have one rule that answers
// for it, and no rule may claim what did not break.
func TestEveryBreakHasOneClaimant(t *testing.T) {
	type count struct{ total, compiles, rewritten, manual int }
	perLine := map[atlas.Line]*count{}
	perRule := map[*rules.Rule]int{}
	claimed := map[string]bool{}
	for _, l := range atlas.Lines() {
		perLine[l] = &count{}
	}
	bs := atlas.Breaks()
	for i := range bs {
		b := &bs[i]
		name := b.Pkg + "." + b.Symbol
		rs := rules.Claimants(b)
		if len(rs) != 1 {
			var ids []string
			for _, r := range rs {
				ids = append(ids, r.ID)
			}
			t.Errorf("%s is claimed by %d rules %v", name, len(rs), ids)
			continue
		}
		perRule[rs[0]]++
		for _, c := range rs[0].Claims {
			if rules.Covers(c, name) {
				claimed[rs[0].ID+" "+c] = true
			}
		}
		for _, l := range atlas.Lines() {
			c := perLine[l]
			switch {
			case b.In(l) == atlas.None:
				continue
			case b.In(l) == atlas.Compat:
				c.compiles++
			case rs[0].Safety == rules.Report || rs[0].ID == "import-path": // which reports packages that are gone
				c.manual++
			default:
				c.rewritten++
			}
			c.total++
		}
	}
	// What gRPC removed or deprecated may be claimed, too.
	for _, g := range atlas.GRPC() {
		if g.Removed == "" && g.Deprecated == "" && len(g.Shapes) < 2 {
			continue
		}
		for _, r := range rules.All {
			for _, c := range r.Claims {
				if rules.Covers(c, g.Package+"."+g.Name) {
					claimed[r.ID+" "+c] = true
				}
			}
		}
	}
	for _, r := range rules.All {
		for _, c := range r.Claims {
			if !claimed[r.ID+" "+c] {
				t.Errorf("rule %s claims %s, which did not break", r.ID, c)
			}
		}
		if r.Answers != nil && perRule[r] == 0 {
			t.Errorf("rule %s answers for no break", r.ID)
		}
	}
	t.Logf("%d breaks", len(bs))
	for _, l := range atlas.Lines() {
		c := perLine[l]
		t.Logf("to %s: %d broke; %d in rules that rewrite, %d reported with advice, %d compile in ordinary use", l, c.total, c.rewritten, c.manual, c.compiles)
	}
	var lines []string
	for r, n := range perRule {
		lines = append(lines, fmt.Sprintf("%5d %s", n, r.ID))
	}
	slices.Sort(lines)
	slices.Reverse(lines)
	t.Log("by rule:\n" + strings.Join(lines, "\n"))
}

// leftMechanical is how many mechanical breaks of client packages, by target,
// only the fallbacks answer for, which report and do not rewrite. The fallbacks
// take every break that nobody else wants, so without this number a rule could
// lose its claims and no test would notice. It should only fall.
var leftMechanical = map[atlas.Line]int{atlas.Line35: 3, atlas.Line36: 4, atlas.Line37: 4}

func TestNoMechanicalBreakFallsToTheFallbacks(t *testing.T) {
	left := map[atlas.Line][]string{}
	bs := atlas.Breaks()
	for i := range bs {
		b := &bs[i]
		for _, r := range rules.Claimants(b) {
			if r.ID != "removed-symbol" && r.ID != "changed-symbol" || b.Scope != "client" {
				continue
			}
			for _, l := range atlas.Lines() {
				if b.In(l) == atlas.Mech {
					left[l] = append(left[l], b.Pkg+"."+b.Symbol)
				}
			}
		}
	}
	for _, l := range atlas.Lines() {
		if len(left[l]) != leftMechanical[l] {
			t.Errorf("to %s, %d mechanical breaks of client packages are left to the fallbacks, recorded are %d:\n%s",
				l, len(left[l]), leftMechanical[l], strings.Join(left[l], "\n"))
		}
	}
}

// A rule must not answer for breaks of targets that it does not run for: nothing
// would happen there.
func TestClaimantsRunForTheTargetsOfTheirBreaks(t *testing.T) {
	bs := atlas.Breaks()
	for i := range bs {
		b := &bs[i]
		for _, l := range atlas.Lines() {
			if c := b.In(l); c == atlas.None || c == atlas.Compat {
				continue
			}
			if r := rules.Claimant(b, l); r == nil || !r.Applies(l) {
				t.Errorf("%s.%s breaks in %s, where no rule answers for it", b.Pkg, b.Symbol, l)
			}
		}
	}
}

func TestCoversTakesStarsAnywhere(t *testing.T) {
	for _, c := range []struct {
		claim, symbol string
		want          bool
	}{
		{"clientv3.Cmp", "clientv3.Cmp", true},
		{"clientv3.Cmp", "clientv3.Cmp.Key", false},
		{"pkg/cors.*", "pkg/cors.CORSInfo.Set", true},
		{"*pb.*.XXX_*", "mvcc/mvccpb.Event.XXX_Size", true},
		{"*pb.*.Marshal", "mvcc/mvccpb.Event.Marshal", true},
		{"*pb.*.Marshal", "mvcc/mvccpb.Event.MarshalTo", false},
	} {
		if got := rules.Covers(c.claim, c.symbol); got != c.want {
			t.Errorf("Covers(%q, %q) = %t", c.claim, c.symbol, got)
		}
	}
}

package edit

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// The tests below compare the functions with slow ones that cannot be wrong,
// on random input that is the same in each run.
const rounds = 5000

// randomEdits returns edits of a file of n bytes that do not overlap, sorted.
// They touch each other often, and insert at the ends of what others replace.
func randomEdits(r *rand.Rand, n int) []Edit {
	var edits []Edit
	for at := r.IntN(3); at <= n && len(edits) < 8; at += r.IntN(4) {
		end := min(n, at+r.IntN(4))
		edits = append(edits, Edit{File: "f", Start: at, End: end, New: randomText(r)})
		at = end
	}
	return edits
}

func randomText(r *rand.Rand) string { return strings.Repeat("+", r.IntN(4)) }

// original is a file in which each byte tells its offset.
func original(n int) []byte {
	src := make([]byte, n)
	for i := range src {
		src[i] = byte('A' + i)
	}
	return src
}

func TestApplyEqualsReplacingFromTheEnd(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range rounds {
		src := original(r.IntN(20))
		edits := randomEdits(r, len(src))
		want := string(src)
		for _, e := range slices.Backward(edits) {
			want = want[:e.Start] + e.New + want[e.End:]
		}
		got, err := Apply(src, edits)
		if err != nil || string(got) != want {
			t.Fatalf("%s %v: got %q, %v; want %q", src, edits, got, err, want)
		}
		if string(src) != string(original(len(src))) {
			t.Fatalf("%v: the original was changed", edits)
		}
	}
}

func TestApplyRefusesEditsThatDoNotFit(t *testing.T) {
	for _, edits := range [][]Edit{
		{{Start: -1, End: 1}},
		{{Start: 2, End: 1}},
		{{Start: 0, End: 6}},
		{{Start: 6, End: 6, New: "x"}},
		{{Start: 0, End: 3}, {Start: 2, End: 4}},
		{{Start: 0, End: 3}, {Start: 2, End: 2, New: "x"}},
		{{Start: 3, End: 4}, {Start: 0, End: 1}},
	} {
		if got, err := Apply(original(5), edits); err == nil {
			t.Errorf("%v: got %q", edits, got)
		}
	}
}

// A byte that stays is found at its new offset; one that goes maps to the
// start of what stands in its place.
func TestNewOffsetFollowsEachByte(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for range rounds {
		src := original(r.IntN(20))
		edits := randomEdits(r, len(src))
		out, err := Apply(src, edits)
		if err != nil {
			t.Fatal(err)
		}
		starts := map[int]int{} // of replaced bytes
		for i, e := range edits {
			before, err := Apply(src[:e.Start], edits[:i])
			if err != nil {
				t.Fatal(err)
			}
			for off := e.Start; off < e.End; off++ {
				starts[off] = len(before)
			}
		}
		last := 0
		for off := range len(src) + 1 {
			got := NewOffset(edits, off)
			if got < last {
				t.Fatalf("%s %v: offset %d maps to %d, behind %d", src, edits, off, got, last)
			}
			last = got
			switch start, gone := starts[off]; {
			case off == len(src):
				if got != len(out) {
					t.Fatalf("%s %v: the end maps to %d of %q", src, edits, got, out)
				}
			case gone:
				if got != start {
					t.Fatalf("%s %v: offset %d maps to %d of %q, want %d", src, edits, off, got, out, start)
				}
			case out[got] != src[off]:
				t.Fatalf("%s %v: offset %d maps to %d of %q", src, edits, off, got, out)
			}
		}
	}
}

// randomChanges returns changes of three files of 20 bytes each, which get
// in each other's way now and then, and repeat.
func randomChanges(r *rand.Rand) []Change {
	var changes []Change
	for i := range 1 + r.IntN(10) {
		if i > 0 && r.IntN(5) == 0 {
			changes = append(changes, changes[r.IntN(i)])
			continue
		}
		c := Change{Rule: fmt.Sprintf("r%d", r.IntN(3)), Message: fmt.Sprintf("m%d", i)}
		for _, f := range r.Perm(3)[:1+r.IntN(2)] {
			at := 0
			for range r.IntN(4) {
				at += r.IntN(8)
				end := at + r.IntN(4)
				if end > 20 {
					break
				}
				e := Edit{File: fmt.Sprintf("f%d", f), Start: at, End: end, New: randomText(r), Rule: c.Rule}
				if r.IntN(3) == 0 { // what another rule may want as well
					e = Edit{File: e.File, Start: 8, End: 12, New: "same", Rule: c.Rule}
					if at > 8 {
						break
					}
					end = 12
				}
				c.Edits = append(c.Edits, e)
				at = end
			}
		}
		changes = append(changes, c)
	}
	return changes
}

// clash says what a conflict is, without looking at any order.
func clash(a, b Edit) bool {
	if a.File != b.File || a.Start == a.End && b.Start == b.End {
		return false
	}
	if a.Start == b.Start && a.End == b.End && a.New == b.New {
		return false
	}
	return a.Start < b.End && b.Start < a.End
}

func clashes(a, b Change) bool {
	return slices.ContainsFunc(a.Edits, func(x Edit) bool {
		return slices.ContainsFunc(b.Edits, func(y Edit) bool { return clash(x, y) })
	})
}

func TestMergeTakesEachChangeThatFitsWholeAndNoOther(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	sawConflict, sawShared := false, false
	for range rounds {
		changes := randomChanges(r)
		taken, conflicts := Merge(changes)

		// What must come out: each change in turn, unless it repeats one or
		// clashes with one that was taken.
		var want, lost []Change
		var have []string // edits of want that are no insertions
		for i, c := range changes {
			if slices.ContainsFunc(changes[:i], func(o Change) bool { return reflect.DeepEqual(o, c) }) {
				continue
			}
			if slices.ContainsFunc(want, func(o Change) bool { return clashes(o, c) }) {
				lost = append(lost, c)
				continue
			}
			want = append(want, c)
		}
		if len(taken) != len(want) || len(conflicts) != len(lost) {
			t.Fatalf("%v\ntook %v\nwant %v", changes, taken, want)
		}
		for i, c := range want {
			got := taken[i]
			if got.Rule != c.Rule || got.Message != c.Message {
				t.Fatalf("%v\ntook %v\nwant %v", changes, got, c)
			}
			var edits []Edit
			for _, e := range c.Edits {
				key := fmt.Sprint(e.File, e.Start, e.End, e.New)
				if e.Start != e.End && slices.Contains(have, key) {
					sawShared = true
					continue // made by a change before
				}
				if e.Start != e.End {
					have = append(have, key)
				}
				edits = append(edits, e)
			}
			if !slices.Equal(got.Edits, edits) {
				t.Fatalf("%v\ntook %v\nwant %v", changes, got.Edits, edits)
			}
		}
		for i, c := range conflicts {
			sawConflict = true
			if !reflect.DeepEqual(c.Lost, lost[i]) || !slices.Contains(c.Lost.Edits, c.At) {
				t.Fatalf("%v\nconflict %v", changes, c)
			}
			if !slices.ContainsFunc(c.Kept.Edits, func(e Edit) bool { return clash(e, c.At) }) {
				t.Fatalf("%v\nconflict %v: what was kept is not in the way", changes, c)
			}
		}

		for file, edits := range ByFile(Edits(taken)) {
			if _, err := Apply(original(20), edits); err != nil {
				t.Fatalf("%s: %v\n%v", file, err, changes)
			}
		}
		again, none := Merge(taken)
		if len(none) > 0 || len(again) != len(taken) {
			t.Fatalf("%v\nmerged again: %v, %v", taken, again, none)
		}
	}
	if !sawConflict || !sawShared {
		t.Error("the changes are too tame")
	}
}

func TestMergeKeepsInsertionsAtOnePlaceInOrder(t *testing.T) {
	var changes []Change
	for _, s := range []string{"a", "b", "c", "b"} {
		changes = append(changes, Change{Message: fmt.Sprint(len(changes)), Edits: []Edit{{File: "f", Start: 2, End: 2, New: s}}})
	}
	taken, conflicts := Merge(changes)
	got, err := Apply(original(4), Edits(taken))
	if err != nil || len(conflicts) > 0 || string(got) != "ABabcbCD" {
		t.Errorf("got %q, %v, %v", got, conflicts, err)
	}
}

// A rule that gets in its own way is wrong, but must not spoil the rest.
func TestMergeRefusesAChangeThatClashesWithItself(t *testing.T) {
	good := Change{Message: "good", Edits: []Edit{{File: "f", Start: 0, End: 1, New: "x"}}}
	bad := Change{Message: "bad", Edits: []Edit{{File: "f", Start: 2, End: 4, New: "y"}, {File: "f", Start: 3, End: 5, New: "z"}}}
	taken, conflicts := Merge([]Change{bad, good})
	if len(taken) != 1 || taken[0].Message != "good" || len(conflicts) != 1 || conflicts[0].Lost.Message != "bad" {
		t.Fatalf("took %v, conflicts %v", taken, conflicts)
	}
	if _, err := Apply(original(6), Edits(taken)); err != nil {
		t.Error(err)
	}

	// The same edit twice is one edit.
	twice := Change{Message: "twice", Edits: []Edit{good.Edits[0], good.Edits[0]}}
	taken, conflicts = Merge([]Change{twice})
	if len(conflicts) > 0 || len(Edits(taken)) != 1 {
		t.Errorf("took %v, conflicts %v", taken, conflicts)
	}
}

func TestMergeLeavesItsInput(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for range 100 {
		changes := randomChanges(r)
		was := fmt.Sprint(changes)
		taken, _ := Merge(changes)
		for _, c := range taken {
			for i := range c.Edits {
				c.Edits[i].New = "scribbled over"
			}
		}
		if now := fmt.Sprint(changes); now != was {
			t.Fatalf("was %s\nis  %s", was, now)
		}
	}
}

func TestSortFindingsOrdersAndDropsRepetitions(t *testing.T) {
	a := Finding{File: "a.go", Start: 1, Line: 1, Rule: "r", Message: "m"}
	b := Finding{File: "a.go", Start: 9, Line: 2, Rule: "r", Message: "m"}
	c := Finding{File: "b.go", Start: 1, Line: 1, Rule: "q", Message: "m"}
	d := Finding{File: "b.go", Start: 1, Line: 1, Rule: "r", Message: "m"}
	illTyped := b
	illTyped.Tier = IllTyped
	got := SortFindings([]Finding{d, illTyped, a, c, b, a})
	if want := []Finding{a, b, c, d}; !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestTiersAndSeveritiesGoThroughJSON(t *testing.T) {
	for _, want := range []Finding{
		{Tier: Typed, Severity: Note},
		{Tier: IllTyped, Severity: Review},
		{Tier: Syntax, Severity: Manual},
	} {
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Finding
		if err := json.Unmarshal(data, &got); err != nil || got != want {
			t.Errorf("%s: got %v, %v", data, got, err)
		}
		if !strings.Contains(string(data), `"`+want.Tier.String()+`"`) {
			t.Errorf("%s does not name the tier", data)
		}
	}
	var f Finding
	for _, bad := range []string{`{"tier": "guessed"}`, `{"severity": "dire"}`} {
		if err := json.Unmarshal([]byte(bad), &f); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

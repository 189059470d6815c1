package deps_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/etcdshift/etcdshift/rewrite/deps"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

func TestChooseTakesTheNewestThatTheGoInUseBuilds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ goInUse, v35, v36, v37 string }{
		{"1.16.15", "v3.5.9", "", ""},
		{"1.18.10", "v3.5.9", "", ""},
		{"1.19.13", "v3.5.12", "", ""},
		{"1.20.14", "v3.5.12", "", ""},
		{"1.21.13", "v3.5.15", "", ""},
		{"1.22.12", "v3.5.18", "", ""},
		{"1.23.12", "v3.5.22", "v3.6.4", ""},
		{"1.24.13", "v3.5.27", "v3.6.8", ""},
		{"1.25.12", "v3.5.33", "v3.6.14", ""},
		{"1.26.8", "v3.5.35", "v3.6.16", "v3.7.3"},
	} {
		for line, want := range map[atlas.Line]string{atlas.Line35: tt.v35, atlas.Line36: tt.v36, atlas.Line37: tt.v37} {
			r, why, err := deps.Choose(line, "", tt.goInUse, "1.16", false)
			none := (*deps.NoRelease)(nil)
			switch {
			case want == "" && (!errors.As(err, &none) || !strings.Contains(none.Reason, "requires Go") || none.Next == ""):
				t.Errorf("Go %s, line %s: got %s, %v; want none", tt.goInUse, line, r.Version, err)
			case want != "" && r.Version != want:
				t.Errorf("Go %s, line %s: got %s, want %s", tt.goInUse, line, r.Version, want)
			case want != "" && want != atlas.Newest(line) && !strings.Contains(why, "requires Go"):
				t.Errorf("Go %s, line %s: %q does not say what the next would require", tt.goInUse, line, why)
			}
		}
	}
}

func TestChooseKeepsTheGoDirective(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		line            atlas.Line
		directive, want string
	}{
		{atlas.Line35, "1.12", "v3.5.6"}, // older than what any release declares: those with the oldest leave it
		{atlas.Line35, "1.16", "v3.5.6"},
		{atlas.Line35, "1.17", "v3.5.7"},
		{atlas.Line35, "1.19", "v3.5.9"},
		{atlas.Line35, "1.20", "v3.5.12"},
		{atlas.Line35, "1.21", "v3.5.15"},
		{atlas.Line35, "1.22.1", "v3.5.18"},
		{atlas.Line35, "1.24", "v3.5.27"},
		{atlas.Line36, "1.16", ""},
		{atlas.Line36, "1.23", "v3.6.4"},
		{atlas.Line36, "1.26", "v3.6.16"},
		{atlas.Line37, "1.25", ""},
	} {
		r, _, err := deps.Choose(tt.line, "", "1.26.8", tt.directive, true)
		if none := (*deps.NoRelease)(nil); r.Version != tt.want || (tt.want == "") != errors.As(err, &none) {
			t.Errorf("line %s, go %s: got %q, %v; want %q", tt.line, tt.directive, r.Version, err, tt.want)
		}
	}
}

func TestChooseRefusesAnExactReleaseThatDoesNotFit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		exact, goInUse string
		keep           bool
		reason         string
	}{
		{"v3.6.99", "1.26.8", false, "not a known release"},
		{"v3.6.16", "1.24.1", false, "requires Go"},
		{"v3.6.16", "1.26.8", true, "would raise the go directive"},
	} {
		_, _, err := deps.Choose(atlas.Line36, tt.exact, tt.goInUse, "1.21", tt.keep)
		if none := (*deps.NoRelease)(nil); !errors.As(err, &none) || !strings.Contains(none.Reason, tt.reason) {
			t.Errorf("%s: %v", tt.exact, err)
		}
	}
}

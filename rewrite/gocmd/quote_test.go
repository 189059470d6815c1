package gocmd

import "testing"

func TestQuoteMakesOneWordOfAShell(t *testing.T) {
	for in, want := range map[string]string{
		"a/b-1.2_c": "a/b-1.2_c", "ünï": "ünï", "": "''", "my svc": "'my svc'", "it's": `'it'\''s'`, "$HOME": "'$HOME'", "a;b": "'a;b'",
	} {
		if got := Quote(in); got != want {
			t.Errorf("Quote(%q) is %s, want %s", in, got, want)
		}
	}
}

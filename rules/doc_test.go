package rules_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules"
)

func TestRulesAreDocumented(t *testing.T) {
	const name = "../docs/rules.md"
	var b bytes.Buffer
	rules.Markdown(&b)
	if *update {
		if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, b.Bytes()) {
		t.Errorf("%s is out of date: go test ./rules -run %s -update\n%s", name, t.Name(), edit.Diff([]edit.FileChange{{Path: "docs/rules.md", Before: have, After: b.Bytes()}}))
	}
}

func TestEveryRuleSaysWhatItRestsOn(t *testing.T) {
	for _, r := range rules.All {
		var b strings.Builder
		rules.Explain(&b, r)
		if !strings.Contains(b.String(), "\nEvidence: https://") {
			t.Errorf("rule %s has no link to its evidence", r.ID)
		}
		if r.Title == "" || r.Why == "" || r.Since == "" {
			t.Errorf("rule %s lacks a title, a reason or a release", r.ID)
		}
		if strings.HasSuffix(r.Title, ".") {
			t.Errorf("the title of rule %s ends in a full stop", r.ID)
		}
	}
}

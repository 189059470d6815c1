package batch

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestListsAreLinesYAMLOrJSON(t *testing.T) {
	dir := t.TempDir()
	want := []Entry{
		{Repo: "https://example.com/a/b.git"},
		{Repo: "git@example.com:c/d"},
		{Repo: filepath.Join(dir, "local")},
	}
	full := []Entry{{Repo: "https://example.com/a/b.git", Ref: "main", Target: "3.5", Dirs: []string{"x", "y/z"}}}
	for name, c := range map[string]struct {
		text string
		want []Entry
	}{
		"lines.txt":  {"# ours\nhttps://example.com/a/b.git\n\n  git@example.com:c/d # theirs\nlocal\n", want},
		"plain.yaml": {"- https://example.com/a/b.git\n- git@example.com:c/d\n- local\n", want},
		"plain.json": {`["https://example.com/a/b.git", "git@example.com:c/d", "local"]`, want},
		"full.yml":   {"repositories:\n- repo: https://example.com/a/b.git\n  ref: main\n  target: \"3.5\"\n  dirs: [x, y/z]\n", full},
		"full.json":  {`[{"repo": "https://example.com/a/b.git", "ref": "main", "target": "3.5", "dirs": ["x", "y/z"]}]`, full},
	} {
		write(t, dir, name, c.text)
		got, err := ReadList(filepath.Join(dir, name), nil)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	got, err := ReadList("-", strings.NewReader("https://example.com/a/b.git\n"))
	if err != nil || !reflect.DeepEqual(got, want[:1]) {
		t.Errorf("stdin: %v, %v", got, err)
	}
}

func TestListsRefuseWhatGitWouldRun(t *testing.T) {
	for _, bad := range []string{"ext::sh -c true", "--upload-pack=touch x", "- repo: x\n  reff: y\n", "- repo: x\n  target: \"3.9\"\n", "https://-oProxyCommand=x/y", "\n"} {
		if got, err := ReadList("-", strings.NewReader(bad)); err == nil && isURL(got[0].Repo) || err == nil && strings.HasPrefix(got[0].Repo, "-") {
			t.Errorf("%q was taken: %v", bad, got)
		} else if err == nil && !strings.HasPrefix(bad, "https") {
			t.Errorf("%q was taken: %v", bad, got)
		}
	}
}

func TestAFolderListsItsCheckouts(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a/go.mod", cleanMod, "owner/b/.git/HEAD", "x", "notes/readme", "x", "owner/deep/er/go.mod", cleanMod)
	got, err := ReadList(dir, nil)
	want := []Entry{{Repo: filepath.Join(dir, "a")}, {Repo: filepath.Join(dir, "owner", "b")}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := ReadList(filepath.Join(dir, "notes"), nil); err == nil {
		t.Error("a folder without repositories was taken")
	}
}

func TestShardsPartTheList(t *testing.T) {
	env := map[string]string{"JOB_COMPLETION_INDEX": "2"}
	for s, want := range map[string]Shard{"": {1, 1}, "1/4": {1, 4}, "4/4": {4, 4}, "job/4": {3, 4}} {
		if got, err := ParseShard(s, func(k string) string { return env[k] }); err != nil || got != want {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"0/4", "5/4", "x/4", "1", "1/0", "-1/2", "job/2"} {
		if got, err := ParseShard(s, func(k string) string { return env[k] }); err == nil {
			t.Errorf("%s: %v", s, got)
		}
	}
	if _, err := ParseShard("job/4", func(string) string { return "" }); err == nil {
		t.Error("job/4 outside of Kubernetes was taken")
	}

	var entries []Entry
	base := t.TempDir()
	for _, n := range []string{"x/one", "y/one", "two", "three", "four"} {
		write(t, filepath.Join(base, n), "go.mod", cleanMod)
		entries = append(entries, Entry{Repo: filepath.Join(base, n)})
	}
	seen := map[string]string{}
	all, err := jobsOf(t.Context(), entries, Shard{1, 1}, Job{Delivery: Delivery{How: Patch}})
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= 3; i++ {
		part, err := jobsOf(t.Context(), entries, Shard{i, 3}, Job{Delivery: Delivery{How: Patch}})
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range part {
			if seen[j.Name] != "" {
				t.Errorf("%s is in two parts, or two have the name", j.Name)
			}
			seen[j.Name] = j.ID
		}
	}
	for _, j := range all {
		if seen[j.Name] != j.ID {
			t.Errorf("%s: id %s in a part, %s in the whole", j.Name, seen[j.Name], j.ID)
		}
	}
	if len(seen) != len(entries) {
		t.Errorf("%d of %d", len(seen), len(entries))
	}
}

// Two refs of a repository would write one branch, and the second be refused.
func TestEachRefOfARepositoryHasABranch(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "go.mod", cleanMod)
	jobs, err := jobsOf(t.Context(), []Entry{
		{Repo: dir}, {Repo: dir, Ref: "release/1.x", Dirs: []string{"a/b"}}, {Repo: dir, Ref: "v1"}, {Repo: dir, Ref: "v1"},
	}, Shard{1, 1}, Job{Delivery: Delivery{How: Commit, Branch: "etcdshift"}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, j := range jobs {
		got = append(got, j.Delivery.Branch)
	}
	if want := []string{"etcdshift", "etcdshift-a-b-release-1.x", "etcdshift-v1"}; !slices.Equal(got, want) {
		t.Errorf("branches %q, want %q", got, want)
	}
}

func TestPasswordsInURLsAreNotShown(t *testing.T) {
	for in, want := range map[string]string{
		"nats://user:secret@h:4222,nats://token@g:4222": "nats://xxxxx@h:4222,nats://xxxxx@g:4222",
		"https://x-access-token:secret@example.com/a/b": "https://xxxxx@example.com/a/b",
		"ssh://git@example.com/a/b":                     "ssh://git@example.com/a/b",
		"git@example.com:a/b":                           "git@example.com:a/b",
	} {
		if got := redact(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	row := newRow(&Job{Repo: "https://x:secret@example.com/a/b"})
	if strings.Contains(row.Repo, "secret") {
		t.Error("the row has the password")
	}
	_, err := Open(t.Context(), Connection{State: t.TempDir(), URL: "nats://user:secret@127.0.0.1:1"})
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v", err)
	}
}

func TestChildrenGetNoFlagsAndNoSecrets(t *testing.T) {
	for k, v := range map[string]string{"GOFLAGS": "-toolexec=/bin/false", "GITHUB_TOKEN": "t", "AWS_SECRET_ACCESS_KEY": "s", "GIT_DIR": "/x", "LD_PRELOAD": "/x.so"} {
		t.Setenv(k, v)
	}
	env, err := Environ(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text := "\n" + strings.Join(env, "\n") + "\n"
	for _, k := range []string{"toolexec", "GITHUB_TOKEN", "AWS_", "GIT_DIR", "LD_PRELOAD"} {
		if strings.Contains(text, k) {
			t.Errorf("%s is passed on", k)
		}
	}
	for _, k := range []string{"GOENV=off", "GOTOOLCHAIN=", "GOPROXY=", "GOSUMDB=", "GOMODCACHE=", "GOCACHE=", "PATH="} {
		if !strings.Contains(text, "\n"+k) {
			t.Errorf("%s is missing", k)
		}
	}
	if os.Getenv("GOFLAGS") == "" {
		t.Error("the environment of this process changed")
	}
}

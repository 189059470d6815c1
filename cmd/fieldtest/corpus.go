package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// repository is an entry of the corpus.
type repository struct {
	Repo    string `json:"repo"` // owner/name
	Commit  string `json:"pre_commit"`
	Date    string `json:"pre_date"`
	Authors string `json:"human_migration_commit"` // "" where the authors never migrated
	Style   string `json:"style"`
	// Versions are the releases that the authors moved to, by module.
	Versions map[string][]string `json:"human_target_version"`
}

func readCorpus(file string) ([]repository, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var rs []repository
	if err := json.Unmarshal(data, &rs); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return rs, nil
}

// flat names a repository without a slash.
func (r repository) flat() string { return strings.ReplaceAll(r.Repo, "/", "+") }

// clone is a copy of a clone that is complete for the commits of the corpus.
type clone struct {
	Dir     string   `json:"dir"`
	Pre     string   `json:"pre"`
	Authors string   `json:"authors,omitempty"`
	Lacking []string `json:"lacking,omitempty"` // files of Pre that the user's clone does not have
}

// prepare copies the user's clone into the state folder. Large files are often
// absent from partial clones, and git hands a commit out whole or not at all:
// such a commit is stood in for by one without these files.
func prepare(ctx context.Context, s state, clones string, r repository) (clone, error) {
	src, err := findClone(clones, r)
	if err != nil {
		return clone{}, err
	}
	return remember(s, r.flat()+"/clone", keyOf(src, r.Commit, r.Authors), func() (clone, error) {
		c := clone{Dir: s.path("clones", r.flat())}
		if err := os.RemoveAll(c.Dir); err != nil {
			return c, err
		}
		if _, err := git(ctx, "", "", nil, "clone", "-q", "--bare", src, c.Dir); err != nil {
			return c, err
		}
		if c.Pre, c.Lacking, err = whole(ctx, c.Dir, r.Commit, "pre"); err != nil {
			return c, fmt.Errorf("%s: %w", r.Repo, err)
		}
		if r.Authors != "" {
			if c.Authors, _, err = whole(ctx, c.Dir, r.Authors, "authors"); err != nil {
				return c, fmt.Errorf("%s: %w", r.Repo, err)
			}
		}
		return c, nil
	})
}

func findClone(clones string, r repository) (string, error) {
	for _, p := range []string{
		filepath.Join(clones, r.flat(), "repo", ".git"), filepath.Join(clones, r.flat(), "repo"),
		filepath.Join(clones, r.flat()), filepath.Join(clones, filepath.FromSlash(r.Repo)),
	} {
		if _, err := os.Stat(p); err == nil {
			return filepath.Abs(p)
		}
	}
	return "", fmt.Errorf("no clone of %s below %s", r.Repo, clones)
}

// whole returns a commit all of whose files are there, on a branch of its own:
// the one that is asked for, or one of the same date that lacks what the clone
// lacks.
func whole(ctx context.Context, repo, commit, branch string) (_ string, lacking []string, err error) {
	objects, err := git(ctx, repo, "", nil, "rev-list", "--objects", "--missing=print", commit+"^{tree}")
	if err != nil {
		return "", nil, err
	}
	missing := map[string]bool{}
	for line := range strings.Lines(objects) {
		if id, ok := strings.CutPrefix(strings.TrimSpace(line), "?"); ok {
			missing[id] = true
		}
	}
	if len(missing) > 0 {
		if commit, lacking, err = without(ctx, repo, commit, missing); err != nil {
			return "", nil, err
		}
	}
	_, err = git(ctx, repo, "", nil, "branch", "-f", "fieldtest-"+branch, commit)
	return commit, lacking, err
}

// without makes a commit like another one, without some of its files.
func without(ctx context.Context, repo, commit string, missing map[string]bool) (_ string, files []string, err error) {
	tree, err := git(ctx, repo, "", nil, "ls-tree", "-r", "-z", commit)
	if err != nil {
		return "", nil, err
	}
	var info strings.Builder
	for entry := range strings.SplitSeq(strings.TrimSuffix(tree, "\x00"), "\x00") {
		head, name, _ := strings.Cut(entry, "\t")
		if f := strings.Fields(head); len(f) == 3 && missing[f[2]] {
			files = append(files, name)
			continue
		}
		info.WriteString(entry + "\x00")
	}
	index, err := os.CreateTemp("", "field-index-")
	if err != nil {
		return "", nil, err
	}
	index.Close()
	defer os.Remove(index.Name())
	if err := os.Remove(index.Name()); err != nil { // git wants none or a valid one
		return "", nil, err
	}
	env := []string{"GIT_INDEX_FILE=" + index.Name()}
	if _, err := git(ctx, repo, info.String(), env, "update-index", "-z", "--index-info"); err != nil {
		return "", nil, err
	}
	id, err := git(ctx, repo, "", env, "write-tree")
	if err != nil {
		return "", nil, err
	}
	date, err := git(ctx, repo, "", nil, "show", "-s", "--format=%cI", commit)
	if err != nil {
		return "", nil, err
	}
	date = strings.TrimSpace(date)
	env = append(slices.Clone(identity), "GIT_AUTHOR_DATE="+date, "GIT_COMMITTER_DATE="+date)
	made, err := git(ctx, repo, "", env, "commit-tree", "-m", "files that the clone has", strings.TrimSpace(id))
	return strings.TrimSpace(made), files, err
}

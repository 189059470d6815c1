package batch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/sync/errgroup"

	"github.com/etcdshift/etcdshift/rewrite"
)

// Entry is a repository in a list.
type Entry struct {
	Repo   string   `yaml:"repo"`
	Ref    string   `yaml:"ref"`
	Target string   `yaml:"target"`
	Dirs   []string `yaml:"dirs"` // folders to migrate, each as a job of its own; none for the whole
}

// UnmarshalYAML also takes a plain string for a repository.
func (e *Entry) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		return n.Decode(&e.Repo)
	}
	type plain Entry
	// Decoding a node forgets that fields must be known.
	for i := 0; i+1 < len(n.Content); i += 2 {
		if k := n.Content[i].Value; !slices.Contains([]string{"repo", "ref", "target", "dirs"}, k) {
			return fmt.Errorf("line %d: unknown field %q; there are repo, ref, target and dirs", n.Content[i].Line, k)
		}
	}
	return n.Decode((*plain)(e))
}

// ErrList says that a list was not understood.
var ErrList = errors.New("a list has one path or git URL per line, or is YAML or JSON with repo, ref, target and dirs")

// ReadList reads a list of repositories: a file, a folder of checkouts, or
// "-" for stdin.
func ReadList(list string, stdin io.Reader) ([]Entry, error) {
	var data []byte
	base := "."
	if list == "-" {
		var err error
		if data, err = io.ReadAll(stdin); err != nil {
			return nil, err
		}
	} else {
		st, err := os.Stat(list)
		if err != nil {
			return nil, fmt.Errorf("%w; %w, or name a folder of checkouts, or - for stdin", err, ErrList)
		}
		if st.IsDir() {
			return readFolder(list)
		}
		if data, err = os.ReadFile(list); err != nil {
			return nil, err
		}
		base = filepath.Dir(list)
	}
	entries, err := parseList(data, path.Ext(list))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", list, err)
	}
	for i := range entries {
		e := &entries[i]
		if e.Repo == "" {
			return nil, fmt.Errorf("%s: entry %d has no repo: %w", list, i+1, ErrList)
		}
		if err := rewrite.CheckTarget(e.Target); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", list, redact(e.Repo), err)
		}
		if isURL(e.Repo) {
			continue
		}
		if strings.Contains(e.Repo, "::") || strings.HasPrefix(e.Repo, "-") {
			return nil, fmt.Errorf("%s: %q is neither a path nor a URL that git fetches over https, ssh, git or file: %w", list, e.Repo, ErrList)
		}
		if !filepath.IsAbs(e.Repo) {
			e.Repo = filepath.Join(base, e.Repo)
		}
		if e.Repo, err = filepath.Abs(e.Repo); err != nil {
			return nil, err
		}
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("%s: no repositories: %w", list, ErrList)
	}
	return entries, nil
}

func parseList(data []byte, ext string) ([]Entry, error) {
	text := bytes.TrimSpace(data)
	structured := ext == ".yaml" || ext == ".yml" || ext == ".json" ||
		bytes.HasPrefix(text, []byte("[")) || bytes.HasPrefix(text, []byte("{")) || bytes.HasPrefix(text, []byte("- ")) || bytes.HasPrefix(text, []byte("repositories:"))
	if !structured {
		var out []Entry
		for line := range strings.Lines(string(data)) {
			line, _, _ = strings.Cut(line, " #")
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
				out = append(out, Entry{Repo: line})
			}
		}
		return out, nil
	}
	var doc yaml.Node // JSON is YAML
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	if top := doc.Content[0]; top.Kind == yaml.MappingNode {
		var m struct {
			Repositories []Entry `yaml:"repositories"`
		}
		dec := yaml.NewDecoder(bytes.NewReader(data))
		dec.KnownFields(true)
		err := dec.Decode(&m)
		return m.Repositories, err
	}
	var out []Entry
	err := doc.Content[0].Decode(&out)
	return out, err
}

var urlForm = regexp.MustCompile(`^(?:(?:https?|ssh|git|file)://[^-]|[A-Za-z0-9_][A-Za-z0-9_.-]*@[A-Za-z0-9][A-Za-z0-9.-]*:[^-])`)

func isURL(s string) bool { return urlForm.MatchString(s) }

// readFolder lists the checkouts below a folder, at most two levels deep, as
// in owner/name. A folder that is a checkout itself is the only one.
func readFolder(dir string) ([]Entry, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if isRepo(dir) {
		return []Entry{{Repo: dir}}, nil
	}
	var out []Entry
	var walk func(dir string, depth int) error
	walk = func(dir string, depth int) error {
		es, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range es {
			p := filepath.Join(dir, e.Name())
			if st, err := os.Stat(p); err != nil || !st.IsDir() || e.Name()[0] == '.' {
				continue
			}
			if isRepo(p) {
				out = append(out, Entry{Repo: p})
			} else if depth > 1 {
				if err := walk(p, depth-1); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if err := walk(dir, 2); err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: no git repositories or Go modules in it or one level below: %w", dir, ErrList)
	}
	return out, nil
}

func isRepo(dir string) bool {
	if isGit(dir) {
		return true
	}
	_, err := os.Lstat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// Shard is one of n parts of a list.
type Shard struct{ I, N int }

// ParseShard reads i/n, 1/n to n/n, or job/n, which takes the index from the
// variable that Kubernetes sets in an indexed job.
func ParseShard(s string, getenv func(string) string) (Shard, error) {
	bad := fmt.Errorf("--shard %s: must be i/n with i from 1 to n, or job/n in an indexed job of Kubernetes", s)
	if s == "" {
		return Shard{1, 1}, nil
	}
	a, b, _ := strings.Cut(s, "/")
	n, err := strconv.Atoi(b)
	if err != nil {
		return Shard{}, bad
	}
	var i int
	if a == "job" {
		if i, err = strconv.Atoi(getenv("JOB_COMPLETION_INDEX")); err != nil {
			return Shard{}, fmt.Errorf("--shard %s: JOB_COMPLETION_INDEX is not set; the job must have 'completionMode: Indexed'", s)
		}
		i++ // it counts from zero
	} else if i, err = strconv.Atoi(a); err != nil {
		return Shard{}, bad
	}
	if n < 1 || i < 1 || i > n {
		return Shard{}, bad
	}
	return Shard{i, n}, nil
}

// jobsOf makes jobs of a list: names, commits and ids. What a commit is asked
// of is the remote side, many at a time; one that does not answer is a job
// that fails with the reason.
func jobsOf(ctx context.Context, entries []Entry, shard Shard, tmpl Job) ([]*Job, error) {
	var jobs []*Job
	seen := map[string]bool{}
	names := map[string]int{}
	refs := map[string]string{}
	several := map[string]bool{} // repositories that are listed at more than one ref
	for _, e := range entries {
		if ref, ok := refs[e.Repo]; ok && ref != e.Ref {
			several[e.Repo] = true
		}
		refs[e.Repo] = e.Ref
	}
	for _, e := range entries {
		dirs := e.Dirs
		if len(dirs) == 0 {
			dirs = []string{""}
		}
		for _, d := range dirs {
			if d != "" && !filepath.IsLocal(filepath.FromSlash(d)) {
				return nil, fmt.Errorf("%s: the folder %s is not inside the repository", redact(e.Repo), d)
			}
			d = strings.TrimPrefix(path.Clean("/"+filepath.ToSlash(d)), "/")
			key := e.Repo + "\x00" + e.Ref + "\x00" + d
			if seen[key] {
				continue
			}
			seen[key] = true
			j := tmpl
			j.Repo, j.Ref, j.Dir = e.Repo, e.Ref, d
			if e.Target != "" {
				j.Settings.Target = e.Target
			}
			j.Name = nameOf(e.Repo, d)
			if d != "" && j.Delivery.Branch != "" {
				j.Delivery.Branch += "-" + strings.ReplaceAll(d, "/", "-")
			}
			if ref := strings.Trim(unsafe.ReplaceAllString(e.Ref, "-"), "-."); several[e.Repo] && ref != "" {
				j.Name += "-" + ref
				if j.Delivery.Branch != "" {
					j.Delivery.Branch += "-" + ref
				}
			}
			names[j.Name]++
			jobs = append(jobs, &j)
		}
	}
	for _, j := range jobs {
		if names[j.Name] > 1 {
			j.Name += "-" + contentID([]string{j.Repo, j.Ref, j.Dir})[:6]
		}
	}
	var part []*Job
	for i, j := range jobs {
		if i%shard.N == shard.I-1 {
			part = append(part, j)
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	version := Version()
	for _, j := range part {
		g.Go(func() error {
			var err error
			if local(j.Repo) && !isGit(j.Repo) || j.Delivery.InPlace {
				j.Commit, err = hashTree(ctx, j.Repo)
			} else {
				j.Commit, err = resolve(ctx, j.Repo, j.Ref)
			}
			if err != nil && ctx.Err() != nil {
				return ctx.Err()
			}
			j.identify(version)
			return nil
		})
	}
	return part, g.Wait()
}

var unsafe = regexp.MustCompile(`[^A-Za-z0-9._]+`)

// nameOf names a repository by the last two parts of its path.
func nameOf(repo, dir string) string {
	s := strings.TrimSuffix(strings.TrimRight(filepath.ToSlash(repo), "/"), ".git")
	parts := strings.FieldsFunc(s, func(r rune) bool { return r == '/' || r == ':' })
	parts = parts[max(0, len(parts)-2):]
	if local(repo) {
		parts = parts[max(0, len(parts)-1):]
	}
	if dir != "" {
		parts = append(parts, dir)
	}
	name := strings.Trim(unsafe.ReplaceAllString(strings.Join(parts, "-"), "-"), "-.")
	if name == "" {
		name = "repository"
	}
	return name
}

// hashTree stands in for the commit of a folder that is not under git.
func hashTree(ctx context.Context, dir string) (string, error) {
	h := sha256.New()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if d.IsDir() && d.Name() == ".git" {
			return fs.SkipDir
		}
		if !d.Type().IsRegular() {
			return nil
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		f, err := os.Open(p)
		if err != nil {
			return err
		}
		defer f.Close()
		fmt.Fprintf(h, "%q ", rel)
		n, err := io.Copy(h, f)
		fmt.Fprintf(h, " %d\n", n)
		return err
	})
	if err != nil {
		return "", err
	}
	return "tree:" + hex.EncodeToString(h.Sum(nil)[:20]), nil
}

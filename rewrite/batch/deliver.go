package batch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/etcdshift/etcdshift/rules"
)

// defaultMessage is the template of commit messages.
const defaultMessage = `{{if .Rule}}{{capital .Title}}{{else if .PerRule}}Update {{.Title}}{{else}}Move to etcd {{.Release}}{{end}}

{{if .Rule}}etcdshift rule {{.Rule}}, {{end}}{{if .From}}from etcd {{.From}} {{end}}to etcd {{.Release}}; the plan as a whole is {{.Status}}.
`

// messageData is what a template of commit messages can use.
type messageData struct {
	Name, Repo, Dir, Commit, From, Release string
	Status                                 Status
	Rule, Title                            string // of a commit per rule; of module files Rule is empty
	PerRule                                bool
	Rules                                  map[string]int
	RuleTitles                             map[string]string
	Findings                               int
}

// capital makes a title of a rule the subject of a commit.
func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// parseMessage reads a template of commit messages.
func parseMessage(s string) (*template.Template, error) {
	if s == "" {
		s = defaultMessage
	}
	t, err := template.New("commit-message").Funcs(template.FuncMap{"capital": capital}).Parse(s)
	if err != nil {
		return nil, fmt.Errorf("--commit-message: %w", err)
	}
	if err := t.Execute(&bytes.Buffer{}, messageData{}); err != nil {
		return nil, fmt.Errorf("--commit-message: %w", err)
	}
	return t, nil
}

// Check says what is wrong with a delivery before anything is planned for it.
func (d *Delivery) Check(ctx context.Context) error {
	if _, err := parseMessage(d.Message); err != nil {
		return err
	}
	if d.Author != "" && !author.MatchString(d.Author) {
		return fmt.Errorf("--author %s: must be 'Name <address>'", d.Author)
	}
	if d.Branch != "" {
		return d.checkBranch(ctx, os.TempDir())
	}
	return nil
}

var author = regexp.MustCompile(`^\s*[^<>\s][^<>]*<[^<>]+>$`)

func (d *Delivery) checkBranch(ctx context.Context, dir string) error {
	if _, err := gitOwn(ctx, dir, "check-ref-format", "--branch", d.Branch); err != nil || strings.HasPrefix(d.Branch, "-") {
		return fmt.Errorf("--branch %s: not a name that git takes for a branch", d.Branch)
	}
	return nil
}

// deliver leaves the commit, pushes it and runs the command, as asked. All of
// it can be done again after a kill: the commit comes out with the same id,
// and pushing it once more changes nothing. A command alone cannot be
// repeated; it is run once or reported.
func (w *Worker) deliver(ctx context.Context, j *Job, row *Row, dir string, fresh bool) error {
	d := j.Delivery
	if d.InPlace {
		row.Delivered = &Delivered{How: "in place"}
		return nil
	}
	if d.How == Patch && len(d.Command) == 0 {
		return nil
	}
	for how, wanted := range map[string]bool{Push: d.How == Push, Command: len(d.Command) > 0} {
		if wanted && !slices.Contains(w.Allow, how) {
			return fmt.Errorf("this worker was not started with --allow %s", how)
		}
	}
	if local(j.Repo) && !isGit(j.Repo) {
		row.Delivered = &Delivered{How: Patch, Output: "no commit: the folder is not a git repository"}
		return nil
	}
	src := filepath.Join(dir, "src")
	if !fresh {
		o, err := w.runChild(ctx, j, dir, actionCheckout)
		if err != nil {
			return err
		}
		if o.Status != Nothing {
			return errors.New(o.Reason)
		}
	}
	done := &Delivered{How: Commit, Branch: d.Branch}
	var err error
	if done.Commit, err = w.commit(ctx, j, row, dir, src); err != nil {
		return err
	}
	if local(j.Repo) {
		if err := publish(ctx, src, j.Repo, d.Branch, j.Commit, done.Commit); err != nil {
			return err
		}
	} else {
		bundle := filepath.Join(dir, "bundle")
		if _, err := gitOwn(ctx, src, "bundle", "create", "-q", bundle, j.Commit+".."+"refs/heads/"+d.Branch); err != nil {
			return err
		}
		done.Bundle = "bundle/" + j.ID
		if err := w.Store.putFile(ctx, done.Bundle, bundle); err != nil {
			return err
		}
	}
	row.Delivered = done
	to, err := origin(ctx, j.Repo)
	if err == nil {
		_, err = gitOwn(ctx, src, "remote", "add", "origin", to)
	}
	if d.How == Push {
		if err != nil {
			return err
		}
		refspec := "refs/heads/" + d.Branch + ":refs/heads/" + d.Branch
		_, err := gitUser(ctx, src, "push", "-q", "--no-verify", "--", to, refspec)
		if err != nil && strings.Contains(err.Error(), "shallow update not allowed") {
			// The base was never pushed: the branch has to bring it along.
			if _, err := gitUser(ctx, src, "fetch", "-q", "--unshallow", "--no-tags", "--", remote(j.Repo), j.Commit); err != nil {
				return err
			}
			_, err = gitUser(ctx, src, "push", "-q", "--no-verify", "--", to, refspec)
		}
		if err != nil {
			return err
		}
		done.How = Push
	}
	if len(d.Command) > 0 {
		return w.command(ctx, j, row, dir, src)
	}
	return nil
}

// commit makes the branch in a checkout of ours and returns its tip.
func (w *Worker) commit(ctx context.Context, j *Job, row *Row, dir, src string) (string, error) {
	d := j.Delivery
	if err := d.checkBranch(ctx, src); err != nil {
		return "", err
	}
	steps, err := w.steps(ctx, j)
	if err != nil {
		return "", err
	}
	t, err := parseMessage(d.Message)
	if err != nil {
		return "", err
	}
	// The date is that of the listing, so that a repetition after a kill makes
	// the same commit and not a second one.
	date := j.Time.UTC().Format(time.RFC3339)
	name, mail, ok := strings.Cut(strings.TrimSuffix(d.Author, ">"), "<")
	if !ok {
		name, mail = "etcdshift", "etcdshift@localhost"
	}
	name, mail = strings.TrimSpace(name), strings.TrimSpace(mail)
	env := append(slices.Clone(gitOwnEnv),
		"GIT_AUTHOR_DATE="+date, "GIT_COMMITTER_DATE="+date,
		"GIT_AUTHOR_NAME="+name, "GIT_AUTHOR_EMAIL="+mail, "GIT_COMMITTER_NAME="+name, "GIT_COMMITTER_EMAIL="+mail,
	)
	if _, err := gitOwn(ctx, src, "checkout", "-q", "-b", d.Branch); err != nil {
		return "", err
	}
	titles := map[string]string{}
	for _, r := range rules.All {
		titles[r.ID] = r.Title
	}
	if !d.PerRule {
		steps = []step{{Patch: joined(steps)}}
	}
	for _, s := range steps {
		patches := []string{s.Patch}
		if !d.PerRule {
			patches = strings.Split(s.Patch, "\x00")
		}
		for _, p := range patches {
			file := filepath.Join(dir, "step.patch")
			if err := os.WriteFile(file, []byte(p), 0o600); err != nil {
				return "", err
			}
			if _, err := gitOwn(ctx, src, "apply", "--index", "--whitespace=nowarn", file); err != nil {
				return "", err
			}
		}
		data := messageData{
			Name: j.Name, Repo: redact(j.Repo), Dir: j.Dir, Commit: j.Commit, From: row.From, Release: row.Release, Status: row.Status,
			Rule: s.Rule, Title: s.Title, PerRule: d.PerRule, Rules: row.Rules, RuleTitles: titles, Findings: len(row.Findings),
		}
		var msg bytes.Buffer
		if err := t.Execute(&msg, data); err != nil {
			return "", fmt.Errorf("--commit-message: %w", err)
		}
		file := filepath.Join(dir, "message")
		if err := os.WriteFile(file, msg.Bytes(), 0o600); err != nil {
			return "", err
		}
		if _, err := runGit(ctx, src, env, []string{"commit", "-q", "--no-verify", "--cleanup=strip", "-F", file}, ""); err != nil {
			return "", err
		}
	}
	tip, err := gitOwn(ctx, src, "rev-parse", "HEAD")
	return strings.TrimSpace(tip), err
}

// joined puts the patches of steps into one string, for one commit.
func joined(steps []step) string {
	var ps []string
	for _, s := range steps {
		ps = append(ps, s.Patch)
	}
	return strings.Join(ps, "\x00")
}

// steps reads the series of a plan.
func (w *Worker) steps(ctx context.Context, j *Job) ([]step, error) {
	f, err := w.Store.File(ctx, "series/"+j.Plan)
	if err != nil {
		return nil, fmt.Errorf("the patch of the plan: %w", err)
	}
	defer f.Close()
	var steps []step
	if err := json.NewDecoder(f).Decode(&steps); err != nil {
		return nil, fmt.Errorf("the patch of the plan: %w", err)
	}
	return steps, nil
}

// publish puts a branch of our checkout into a repository of the user's. The
// work tree, the index and the branch that is checked out there stay as they
// are.
func publish(ctx context.Context, src, repo, branch, base, tip string) error {
	have, err := gitOwn(ctx, os.TempDir(), "ls-remote", "--", remote(repo), "refs/heads/"+branch)
	if err != nil {
		return err
	}
	if id, _, _ := strings.Cut(have, "\t"); id == tip {
		return nil
	} else if id != "" {
		return fmt.Errorf("%s has a branch %s with other commits; delete it, or name another with --branch", repo, branch)
	}
	// Objects go over as a pack and the branch by update-ref: a fetch would ask
	// the repository's configuration what the URL stands for.
	pack, err := runGit(ctx, src, gitOwnEnv, []string{"pack-objects", "-q", "--revs", "--thin", "--stdout"}, tip+"\n^"+base+"\n")
	if err != nil {
		return err
	}
	if _, err := runGit(ctx, repo, gitOwnEnv, []string{"unpack-objects", "-q"}, pack); err != nil {
		return err
	}
	_, err = gitOwn(ctx, repo, "update-ref", "-m", "etcdshift batch", "refs/heads/"+branch, tip, strings.Repeat("0", len(tip)))
	return err
}

// origin is where a repository's branches are pushed to.
func origin(ctx context.Context, repo string) (string, error) {
	if !local(repo) {
		return repo, nil
	}
	out, err := gitOwn(ctx, repo, "config", "--get", "remote.origin.url")
	to := strings.TrimSpace(out)
	if err != nil || to == "" {
		return "", fmt.Errorf("%s has no remote origin to push to", repo)
	}
	if !filepath.IsAbs(to) && !isURL(to) {
		to = filepath.Join(repo, to)
	}
	return to, nil
}

// command runs the user's command, once. That it began is written down
// before: after a kill nobody can know how far it came.
func (w *Worker) command(ctx context.Context, j *Job, row *Row, dir, src string) error {
	mark := commandMark(j)
	err := persist(ctx, func() error {
		_, err := w.Store.marks.Get(ctx, mark)
		return err
	})
	if err == nil {
		return errors.New("the command was begun before and its end is not known, since the worker was killed; look at what it does outside, then 'etcdshift batch run --retry'")
	} else if !errors.Is(err, jetstream.ErrKeyNotFound) {
		return err
	}
	err = persist(ctx, func() error {
		_, err := w.Store.marks.Put(ctx, mark, []byte("1"))
		return err
	})
	if err != nil {
		return err
	}
	patch := filepath.Join(dir, "out", filePatch)
	if _, err := os.Stat(patch); err != nil {
		if err := w.Store.save(ctx, row.Patch, patch); err != nil {
			return err
		}
	}
	data, err := json.Marshal(row)
	if err != nil {
		return err
	}
	result := filepath.Join(dir, "out", "row.json")
	if err := os.WriteFile(result, data, 0o600); err != nil {
		return err
	}
	limit := j.Limits.Time
	if limit <= 0 {
		limit = DefaultLimits.Time
	}
	// An interrupt lets it finish: a half-made pull request helps nobody.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, j.Delivery.Command[0], j.Delivery.Command[1:]...)
	cmd.Dir = src
	cmd.Env = append(os.Environ(),
		"ETCDSHIFT_ID="+j.ID, "ETCDSHIFT_NAME="+j.Name, "ETCDSHIFT_REPO="+j.Repo, "ETCDSHIFT_DIR="+j.Dir,
		"ETCDSHIFT_STATUS="+string(row.Status), "ETCDSHIFT_FROM="+row.From, "ETCDSHIFT_RELEASE="+row.Release,
		"ETCDSHIFT_BRANCH="+j.Delivery.Branch, "ETCDSHIFT_COMMIT="+row.Delivered.Commit, "ETCDSHIFT_BASE="+j.Commit,
		"ETCDSHIFT_PATCH="+patch, "ETCDSHIFT_RESULT="+result, fmt.Sprintf("ETCDSHIFT_FINDINGS=%d", len(row.Findings)))
	out := &capped{max: maxLog}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = 5 * time.Second
	ownGroup(cmd)
	cmd.Cancel = func() error { endGroup(cmd.Process.Pid); return nil }
	err = cmd.Run()
	text := strings.TrimSpace(out.String())
	row.Delivered.Output = text[max(0, len(text)-2000):]
	if err != nil {
		return fmt.Errorf("the command failed: %w: %s", err, lastWords(text))
	}
	return nil
}

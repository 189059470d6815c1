package batch

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/report"
)

// Hours estimates the work that findings ask for, in hours each: by rule, or
// by severity where the rule has none. Nothing measures them; they are there
// to be set to what a team finds.
type Hours map[string]float64

// defaultHours are rough: half an hour for a place that must be written anew,
// ten minutes for one that must be looked at.
var defaultHours = Hours{"manual": 0.5, "review": 1.0 / 6}

// ParseHours reads rule=hours pairs.
func ParseHours(pairs []string) (Hours, error) {
	h := Hours{}
	for _, p := range pairs {
		k, v, ok := strings.Cut(p, "=")
		n, err := strconv.ParseFloat(v, 64)
		if !ok || err != nil || n < 0 {
			return nil, fmt.Errorf("--hours %s: must be rule=hours, manual=hours or review=hours", p)
		}
		h[k] = n
	}
	return h, nil
}

func (h Hours) each(k Kind) float64 {
	for _, m := range []Hours{h, defaultHours} {
		if n, ok := m[k.Rule]; ok {
			return n
		}
		if n, ok := m[k.Severity.String()]; ok {
			return n
		}
	}
	return 0
}

func (h Hours) of(r *Row) float64 {
	var n float64
	for _, k := range r.Kinds {
		n += float64(k.Count) * h.each(k)
	}
	return n
}

// Summary counts over rows; every view of a report is made from it.
type Summary struct {
	Rows     []*Row
	Statuses []StatusCount
	Rules    []RuleCount
	Kinds    []KindCount
	Retry    []*Row
	Hours    float64
	Files    int
	Added    int
	Removed  int
	Took     time.Duration // of all workers together
	each     Hours
}

// StatusCount is how many repositories have a status.
type StatusCount struct {
	Status Status
	Count  int
}

// RuleCount is how often a rule changed something, and in how many
// repositories.
type RuleCount struct {
	Rule           string
	Changes, Repos int
}

// KindCount is findings of a kind, over all repositories.
type KindCount struct {
	Kind
	Repos int
	Hours float64
}

// Summarize counts rows.
func Summarize(rows []*Row, hours Hours) *Summary {
	s := &Summary{Rows: rows, each: hours}
	status := map[Status]int{}
	rules := map[string]*RuleCount{}
	kinds := map[Kind]*KindCount{}
	for _, r := range rows {
		status[r.Status]++
		if r.Status.Retry() {
			s.Retry = append(s.Retry, r)
		}
		for id, n := range r.Rules {
			if rules[id] == nil {
				rules[id] = &RuleCount{Rule: id}
			}
			rules[id].Changes += n
			rules[id].Repos++
		}
		for _, k := range r.Kinds {
			key := Kind{Rule: k.Rule, Severity: k.Severity}
			if kinds[key] == nil {
				kinds[key] = &KindCount{Kind: key}
			}
			kinds[key].Count += k.Count
			kinds[key].Repos++
			kinds[key].Hours += float64(k.Count) * hours.each(k)
		}
		s.Hours += hours.of(r)
		s.Files += r.Files
		s.Added += r.Added
		s.Removed += r.Removed
		s.Took += r.Took
	}
	for _, st := range statuses {
		if status[st] > 0 {
			s.Statuses = append(s.Statuses, StatusCount{st, status[st]})
		}
	}
	for _, r := range rules {
		s.Rules = append(s.Rules, *r)
	}
	slices.SortFunc(s.Rules, func(a, b RuleCount) int { return cmp.Or(b.Changes-a.Changes, cmp.Compare(a.Rule, b.Rule)) })
	for _, k := range kinds {
		s.Kinds = append(s.Kinds, *k)
	}
	slices.SortFunc(s.Kinds, func(a, b KindCount) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), b.Count-a.Count, cmp.Compare(a.Rule, b.Rule))
	})
	return s
}

// HoursOf estimates the work on one repository.
func (s *Summary) HoursOf(r *Row) float64 { return s.each.of(r) }

func count(repositories int) string {
	return report.Count(repositories, "repository", "repositories")
}

// Text writes the report for people.
func (s *Summary) Text(w io.Writer) error {
	b := &strings.Builder{}
	fmt.Fprintf(b, "%s\n", count(len(s.Rows)))
	for _, c := range s.Statuses {
		fmt.Fprintf(b, "  %5d  %s\n", c.Count, c.Status)
	}
	if len(s.Rules) > 0 {
		b.WriteString("\nchanges\n")
		for _, r := range s.Rules {
			fmt.Fprintf(b, "  %5d  %-32s in %s\n", r.Changes, r.Rule, count(r.Repos))
		}
	}
	if len(s.Kinds) > 0 {
		b.WriteString("\nfindings\n")
		for _, k := range s.Kinds {
			fmt.Fprintf(b, "  %5d  %-32s %-6s in %s", k.Count, k.Rule, k.Severity, count(k.Repos))
			if k.Hours > 0 {
				fmt.Fprintf(b, ", about %.1f hours", k.Hours)
			}
			b.WriteString("\n")
		}
	}
	b.WriteString("\n")
	for _, r := range s.Rows {
		fmt.Fprintf(b, "%-24s %s", r.Status, r.Name)
		if r.Release != "" {
			fmt.Fprintf(b, ", etcd %s", r.Release)
		}
		if r.Files > 0 {
			fmt.Fprintf(b, ", %d files", r.Files)
		}
		if d := r.Delivered; d != nil {
			fmt.Fprintf(b, ", %s", d)
		}
		b.WriteString("\n")
		if r.Reason != "" {
			fmt.Fprintf(b, "    %s\n", strings.ReplaceAll(r.Reason, "\n", "\n    "))
		}
	}
	if len(s.Retry) > 0 {
		fmt.Fprintf(b, "\n%d to try again with 'etcdshift batch run --retry LIST':\n", len(s.Retry))
		for _, r := range s.Retry {
			fmt.Fprintf(b, "  %s\n", r.Repo)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (d *Delivered) String() string {
	switch {
	case d.How == Push:
		return "pushed " + d.Branch
	case d.Branch != "":
		return "branch " + d.Branch
	}
	return d.How
}

// CSV writes a line per repository.
func (s *Summary) CSV(w io.Writer) error {
	c := csv.NewWriter(w)
	rows := [][]string{{"name", "repo", "ref", "commit", "dir", "status", "reason", "from", "release", "files", "added", "removed",
		"changes", "manual", "review", "notes", "hours", "branch", "delivered", "patch", "attempts", "seconds", "worker"}}
	for _, r := range s.Rows {
		var sev [3]int
		for _, k := range r.Kinds {
			sev[k.Severity] += k.Count
		}
		changes := 0
		for _, n := range r.Rules {
			changes += n
		}
		d := r.Delivered
		if d == nil {
			d = &Delivered{}
		}
		patch := ""
		if r.Patch != "" {
			patch = r.patchFile()
		}
		rows = append(rows, []string{
			r.Name, r.Repo, r.Ref, r.Commit, r.Dir, string(r.Status), r.Reason, r.From, r.Release,
			strconv.Itoa(r.Files), strconv.Itoa(r.Added), strconv.Itoa(r.Removed), strconv.Itoa(changes),
			strconv.Itoa(sev[edit.Manual]), strconv.Itoa(sev[edit.Review]), strconv.Itoa(sev[edit.Note]),
			fmt.Sprintf("%.2f", s.each.of(r)), d.Branch, d.How, patch, strconv.Itoa(r.Attempts), fmt.Sprintf("%.1f", r.Took.Seconds()), r.Worker,
		})
	}
	for _, row := range rows {
		for i := range row {
			// A spreadsheet runs what begins like a formula, and names come
			// from other people's repositories.
			if strings.HasPrefix(row[i], "=") || strings.HasPrefix(row[i], "+") || strings.HasPrefix(row[i], "-") || strings.HasPrefix(row[i], "@") {
				row[i] = "'" + row[i]
			}
		}
	}
	return c.WriteAll(rows)
}

// JSONL writes the rows, one per line.
func (s *Summary) JSONL(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, r := range s.Rows {
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// Views of a report by the value of --format.
var Views = map[string]func(*Summary, io.Writer) error{
	"text": (*Summary).Text, "csv": (*Summary).CSV, "jsonl": (*Summary).JSONL, "html": (*Summary).HTML,
}

// rowsFile holds the rows of an export.
const rowsFile = "rows.jsonl"

// WriteReports writes every view into a folder.
func WriteReports(dir string, rows []*Row, hours Hours) error {
	s := Summarize(rows, hours)
	names := map[string]string{"text": "report.txt", "csv": "report.csv", "jsonl": rowsFile, "html": "report.html"}
	for _, format := range slices.Sorted(maps.Keys(Views)) {
		var b strings.Builder
		if err := Views[format](s, &b); err != nil {
			return err
		}
		if err := replaceFile(filepath.Join(dir, names[format]), []byte(b.String())); err != nil {
			return err
		}
	}
	return nil
}

// ReadRows reads the rows of exports, which may be those of shards: folders or
// files of rows. Of two rows of one job the later one counts.
func ReadRows(parts []string) ([]*Row, error) {
	var out []*Row
	at := map[string]int{}
	for _, p := range parts {
		name := p
		if st, err := os.Stat(p); err != nil {
			return nil, err
		} else if st.IsDir() {
			name = filepath.Join(p, rowsFile)
			if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
				name = filepath.Join(p, "results", rowsFile) // a state folder
			}
		}
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("%s holds no results of a batch: %w", p, err)
		}
		defer f.Close()
		for dec, line := json.NewDecoder(bufio.NewReader(f)), 1; ; line++ {
			var r Row
			if err := dec.Decode(&r); err == io.EOF {
				break
			} else if err != nil {
				return nil, fmt.Errorf("%s: row %d: %w", name, line, err)
			}
			if i, ok := at[r.ID]; ok {
				if r.Started.After(out[i].Started) {
					out[i] = &r
				}
				continue
			}
			at[r.ID] = len(out)
			out = append(out, &r)
		}
	}
	return out, nil
}

// Left says whether a row asks something of a person.
func (r *Row) Left() bool {
	switch r.Status {
	case Proved, Nothing, Surveyed, Unverified, NoWorse:
		return slices.ContainsFunc(r.Kinds, func(k Kind) bool { return k.Severity != edit.Note })
	}
	return true
}

// MergeFiles copies the patches, reports, bundles and logs of parts into one folder, so
// that the links of a report over all of them lead somewhere.
func MergeFiles(out string, parts []string) error {
	for _, f := range []string{patchFolder, reportFolder, bundleFolder, logFolder} {
		if err := os.MkdirAll(filepath.Join(out, f), 0o755); err != nil {
			return err
		}
		for _, p := range parts {
			for _, dir := range []string{filepath.Join(p, f), filepath.Join(p, "results", f)} {
				es, err := os.ReadDir(dir)
				if errors.Is(err, fs.ErrNotExist) {
					continue
				}
				if err != nil {
					return err
				}
				for _, e := range es {
					data, err := os.ReadFile(filepath.Join(dir, e.Name()))
					if err != nil {
						return err
					}
					if err := replaceFile(filepath.Join(out, f, e.Name()), data); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

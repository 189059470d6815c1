package batch

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

//go:embed report.html
var page string

var pageTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"hours":   func(h float64) string { return fmt.Sprintf("%.1f", h) },
	"seconds": func(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()) },
	"short":   func(s string) string { return s[:min(len(s), 12)] },
	"slug":    func(s Status) string { return strings.ReplaceAll(string(s), " ", "-") },
	"patch":   (*Row).patchFile,
	"cell":    cell,
	"count":   count,
}).Parse(page))

// HTML writes one page that needs nothing else; only the links to patches lead
// out of it, to the files beside it.
func (s *Summary) HTML(w io.Writer) error {
	data := struct {
		*Summary
		Graph  *Graph
		Matrix *Matrix
		Drawn  *Drawing
	}{Summary: s}
	var surveyed []*Row
	for _, r := range s.Rows {
		if r.Survey != nil {
			surveyed = append(surveyed, r)
		}
	}
	if len(surveyed) > 0 {
		data.Graph = NewGraph(surveyed)
		data.Matrix = NewMatrix(surveyed)
		data.Drawn = data.Graph.draw()
	}
	return pageTemplate.Execute(w, data)
}

// Matrix shows who has which module at which version.
type Matrix struct {
	Modules []string
	Rows    []MatrixRow
}

// MatrixRow is a module of a repository.
type MatrixRow struct {
	Repo   string
	Wave   int
	Module SurveyModule
	Cells  []string
	Old    []string // "clientv3 (3)"
}

// NewMatrix makes the matrix of a survey.
func NewMatrix(rows []*Row) *Matrix {
	m := &Matrix{}
	seen := map[string]bool{}
	for _, r := range rows {
		for _, mod := range r.Survey.Modules {
			for p := range mod.Versions {
				seen[p] = true
			}
		}
	}
	m.Modules = slices.Sorted(maps.Keys(seen))
	for _, n := range NewGraph(rows).InOrder() {
		for _, mod := range n.Survey.Modules {
			mr := MatrixRow{Repo: n.Name, Wave: n.Wave, Module: mod}
			for _, p := range m.Modules {
				mr.Cells = append(mr.Cells, mod.Versions[p])
			}
			for _, p := range slices.Sorted(maps.Keys(mod.Old)) {
				mr.Old = append(mr.Old, fmt.Sprintf("%s (%d)", p, mod.Old[p]))
			}
			m.Rows = append(m.Rows, mr)
		}
	}
	return m
}

func cell(s string) string {
	if s == "" {
		return "·"
	}
	return s
}

// Drawing is a graph laid out in columns of waves.
type Drawing struct {
	Width, Height int
	Boxes         []box
	Lines         []line
}

type box struct {
	X, Y, W, H int
	Name       string
	Old        bool
}

type line struct {
	X1, Y1, XM, X2, Y2 int
	Blocks, Exposes    bool
}

// draw lays out the repositories that require each other; those that stand
// alone are in the table and would only crowd the picture.
func (g *Graph) draw() *Drawing {
	const w, h, gapX, gapY = 190, 26, 90, 12
	used := map[*Node]bool{}
	for _, n := range g.Nodes {
		for _, e := range n.Needs {
			used[n], used[e.To] = true, true
		}
	}
	if len(used) == 0 {
		return nil
	}
	d := &Drawing{}
	at := map[*Node]box{}
	row := map[int]int{}
	for _, n := range g.InOrder() {
		if !used[n] {
			continue
		}
		b := box{X: 10 + (n.Wave-1)*(w+gapX), Y: 30 + row[n.Wave]*(h+gapY), W: w, H: h, Name: n.Name, Old: n.Old}
		row[n.Wave]++
		at[n] = b
		d.Boxes = append(d.Boxes, b)
		d.Width, d.Height = max(d.Width, b.X+w+60), max(d.Height, b.Y+h+20)
	}
	for _, n := range g.InOrder() {
		for _, e := range n.Needs {
			from, to := at[e.To], at[n]
			l := line{X1: from.X + w, Y1: from.Y + h/2, X2: to.X, Y2: to.Y + h/2, Blocks: e.Blocks, Exposes: e.Exposes}
			if from.X == to.X { // of one wave: around on the right
				l.X2 = to.X + w
				l.XM = to.X + w + 50
			} else {
				l.XM = (l.X1 + l.X2) / 2
			}
			d.Lines = append(d.Lines, l)
		}
	}
	return d
}

// SurveyText writes a survey for people: the matrix in short, who blocks
// whom, and the order.
func SurveyText(w io.Writer, rows []*Row) error {
	b := &strings.Builder{}
	var ok []*Row
	for _, r := range rows {
		if r.Survey != nil {
			ok = append(ok, r)
		}
	}
	g := NewGraph(ok)
	old := 0
	for _, n := range g.Nodes {
		if n.Old {
			old++
		}
	}
	fmt.Fprintf(b, "%s, %d with old etcd\n\nmodules\n", count(len(rows)), old)
	for _, r := range NewMatrix(ok).Rows {
		m := r.Module
		fmt.Fprintf(b, "  %s %s", r.Repo, cell(m.Path))
		if m.Go != "" {
			fmt.Fprintf(b, ", go %s", m.Go)
		}
		for _, p := range slices.Sorted(maps.Keys(m.Versions)) {
			fmt.Fprintf(b, ", %s %s", p, m.Versions[p])
		}
		b.WriteString("\n")
		if m.Error != "" {
			fmt.Fprintf(b, "    the go command refuses it: %s\n", m.Error)
		}
		if len(r.Old) > 0 {
			fmt.Fprintf(b, "    old packages: %s\n", strings.Join(r.Old, ", "))
		}
		if len(m.Exposes) > 0 {
			fmt.Fprintf(b, "    etcd types in its API: %s\n", strings.Join(m.Exposes[:min(len(m.Exposes), 10)], ", "))
		}
	}
	b.WriteString("\norder\n")
	wave := 0
	for _, n := range g.InOrder() {
		if !n.Old {
			continue
		}
		if n.Wave != wave {
			wave = n.Wave
			fmt.Fprintf(b, "  wave %d\n", wave)
		}
		fmt.Fprintf(b, "    %s", n.Name)
		var after []string
		for _, e := range n.Needs {
			switch {
			case e.Exposes:
				after = append(after, e.To.Name+" (etcd types in its API)")
			case e.Blocks:
				after = append(after, e.To.Name)
			}
		}
		if len(after) > 0 {
			fmt.Fprintf(b, " after %s", strings.Join(after, ", "))
		}
		b.WriteString("\n")
	}
	for _, r := range rows {
		if r.Survey == nil {
			fmt.Fprintf(b, "\nnot surveyed: %s: %s: %s", r.Name, r.Status, r.Reason)
		}
	}
	if b.String()[b.Len()-1] != '\n' {
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

package rewrite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/etcdshift/etcdshift/rewrite/deps"
	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rewrite/legacy"
	"github.com/etcdshift/etcdshift/rewrite/load"
	"github.com/etcdshift/etcdshift/rewrite/report"
	"github.com/etcdshift/etcdshift/rules"
)

// makeLegacy plans a repository from before modules. It makes a go.mod for
// the old code and plans a copy of the sources that has it; the plan is then
// the one of the repository, where go.mod and go.sum are new files.
//
// A copy, since the go command cannot be told of a go.mod in a folder that has
// none in any way that -modfile, -overlay and a vendor folder all agree on.
func makeLegacy(ctx context.Context, opt Options, tree *load.Tree) (*Plan, error) {
	scratch, err := os.MkdirTemp("", scratchPrefix)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	if opt.From == "" {
		if v, _, err := deps.SourceRelease(tree.Root); err == nil {
			opt.From = v
		}
	}
	opt.Progress("making a go.mod for a repository from before modules")
	query := filepath.Join(scratch, "query")
	copied := filepath.Join(scratch, filepath.Base(tree.Root))
	for _, d := range []string{query, copied} {
		if err := os.Mkdir(d, 0o777); err != nil {
			return nil, err
		}
	}
	res, err := legacy.Make(ctx, legacy.Options{Dir: tree.Root, Scratch: query, Go: opt.Go, Module: opt.Module, EtcdRelease: opt.From})
	if err != nil {
		return nil, err
	}
	opt.From = res.EtcdRelease
	if err := copySources(tree.Root, copied, res.Workspace); err != nil {
		return nil, err
	}
	for name, es := range edit.ByFile(edit.Edits(res.Relative)) {
		if err := rewriteFile(filepath.Join(copied, filepath.FromSlash(name)), es); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(filepath.Join(copied, "go.mod"), res.GoMod, 0o666); err != nil {
		return nil, err
	}
	vendor := filepath.Join(tree.Root, "vendor")
	// What is in a submodule is not the repository's to write.
	vendored := !res.Submodules && len(filesBelow(vendor)) > 0
	if vendored {
		if err := copyVendor(vendor, filepath.Join(copied, "vendor"), res); err != nil {
			return nil, err
		}
	}
	opt.Dir, opt.Module, opt.guessed = copied, "", true
	p, err := Make(ctx, opt)
	if err != nil {
		return nil, err
	}
	p.Root = tree.Root
	if p.sources != nil && len(res.Relative) > 0 {
		if err := p.precede(res.Relative); err != nil {
			return nil, err
		}
	}
	if p.Status == report.Left && len(p.Writes) == 0 {
		p.leaveLegacy()
		return p, nil
	}
	p.Findings = append(p.Findings, res.Astray...)
	p.note(res.Path+" is the module path", "go.mod", "told by "+res.PathFrom+"; --module sets another")
	if res.Submodules {
		p.Findings = append(p.Findings, edit.Finding{
			Rule: legacy.Rule, Severity: edit.Manual, File: ".gitmodules", Line: 1, Col: 1,
			Message: "vendor holds git submodules, and beside a go.mod the go command takes any folder of this name for the module's own",
			Advice:  "git rm -r vendor, with its submodules in .gitmodules; go mod vendor makes one that the go command reads",
		})
	}
	for _, n := range res.Notes {
		p.note(n.Message, "go.mod", n.Advice)
	}
	// There is no go.mod that lines could be dropped from.
	for i, m := range p.Modules {
		if m.Dir == "." {
			p.Modules[i].Changes = slices.DeleteFunc(m.Changes, func(c report.ModChange) bool { return strings.HasPrefix(c.What, "drop ") })
		}
	}
	// The files as they are in the repository.
	keep := map[string]bool{}
	for i, w := range p.Writes {
		before, err := os.ReadFile(filepath.Join(tree.Root, filepath.FromSlash(w.Path)))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			before = nil
		case err != nil:
			return nil, err
		}
		p.Writes[i].Before = before
		keep[w.Path] = true
	}
	remove := func(name string) error {
		data, err := os.ReadFile(filepath.Join(tree.Root, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		if data == nil {
			data = []byte{}
		}
		p.Writes = append(p.Writes, edit.FileChange{Path: name, Before: data})
		return nil
	}
	if vendored {
		for _, m := range res.Vendored {
			for _, f := range filesBelow(filepath.Join(vendor, filepath.FromSlash(m.Path))) {
				keep[path.Join("vendor", m.Path, f)] = true
			}
		}
		for _, f := range filesBelow(vendor) {
			if name := "vendor/" + f; !keep[name] && !slices.Contains(res.Files, name) {
				if err := remove(name); err != nil {
					return nil, err
				}
			}
		}
	}
	for _, f := range res.Files {
		if st, err := os.Stat(filepath.Join(tree.Root, filepath.FromSlash(f))); err != nil || st.IsDir() {
			continue
		}
		if !opt.RemoveLegacy {
			p.note(fmt.Sprintf("this file of %s stays, and nothing reads it any more", res.Tool), f, "delete it, or run with --remove-legacy")
		} else if err := remove(f); err != nil {
			return nil, err
		}
	}
	p.Writes = slices.DeleteFunc(p.Writes, edit.FileChange.Empty)
	p.sortWrites()
	p.countFiles()
	p.Findings = edit.SortFindings(p.Findings)
	return p, nil
}

// precede puts changes before those of a plan that was made of the files as
// they are with them. Offsets count the original files again.
func (p *Plan) precede(first []edit.Change) error {
	byFile := edit.ByFile(edit.Edits(first))
	back := func(file string, offsets ...*int) {
		for _, at := range offsets {
			shift := 0
			for _, e := range byFile[file] {
				if e.Start+shift >= *at {
					break
				}
				shift += len(e.New) - (e.End - e.Start)
			}
			*at -= shift
		}
	}
	for i := range p.Findings {
		f := &p.Findings[i]
		back(f.File, &f.Start, &f.End)
	}
	for _, c := range p.sources.Changes {
		for i := range c.Edits {
			e := &c.Edits[i]
			back(e.File, &e.Start, &e.End)
		}
	}
	for name := range byFile {
		data, err := os.ReadFile(filepath.Join(p.Root, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		p.sources.Before[name] = data
	}
	p.sources.Changes = append(slices.Clone(first), p.sources.Changes...)
	if err := p.sources.settle(); err != nil {
		return err
	}
	return p.setSources(p.Root)
}

// rewriteFile applies edits to a file.
func rewriteFile(name string, es []edit.Edit) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if data, err = edit.Apply(data, es); err != nil {
		return err
	}
	return os.WriteFile(name, data, 0o666)
}

// leaveLegacy takes out of a plan that leaves the repository as it is what it
// says of the go.mod that is not made.
func (p *Plan) leaveLegacy() {
	first := slices.IndexFunc(p.Findings, func(f edit.Finding) bool { return f.File != "go.mod" })
	for i, f := range p.Findings {
		if f.File == "go.mod" && f.Rule == rules.ClientV2.ID && first >= 0 {
			p.Findings[i].File = p.Findings[first].File
		}
	}
	p.Findings = edit.SortFindings(slices.DeleteFunc(p.Findings, func(f edit.Finding) bool { return f.File == "go.mod" }))
	for i := range p.Modules {
		p.Modules[i].Changes = nil
	}
}

// note adds a finding that asks nothing of anybody.
func (p *Plan) note(message, file, advice string) {
	p.Findings = append(p.Findings, edit.Finding{Rule: legacy.Rule, Severity: edit.Note, File: file, Line: 1, Col: 1, Message: message, Advice: advice})
}

// filesBelow lists the regular files below a folder, slash-separated.
func filesBelow(dir string) []string {
	var out []string
	filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			rel, _ := filepath.Rel(dir, p)
			out = append(out, filepath.ToSlash(rel))
		}
		return nil
	})
	return out
}

// copyVendor makes a vendor folder with the modules that nothing but the
// repository's own has; all else is due.
func copyVendor(from, to string, res *legacy.Result) error {
	var txt strings.Builder
	for _, m := range res.Vendored {
		fmt.Fprintf(&txt, "# %s %s\n## explicit\n", m.Path, m.Version)
		src := filepath.Join(from, filepath.FromSlash(m.Path))
		last := ""
		for _, f := range filesBelow(src) {
			if dir := path.Join(m.Path, path.Dir(f)); strings.HasSuffix(f, ".go") && dir != last {
				txt.WriteString(dir + "\n")
				last = dir
			}
		}
		if err := os.CopyFS(filepath.Join(to, filepath.FromSlash(m.Path)), os.DirFS(src)); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(to, 0o777); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, "modules.txt"), []byte(txt.String()), 0o666)
}

// copySources copies what the go command compiles, with modes; vendored code
// and git's folder stay behind. Godeps holds vendored code, too, unless packages
// import it as the repository's own.
func copySources(from, to string, godeps bool) error {
	return filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			// A folder for temporary files can lie in the tree.
			if name := d.Name(); p != from && (p == filepath.Dir(to) || name == ".git" || name == "vendor" || name == "Godeps" && !godeps || name == "node_modules") {
				return fs.SkipDir
			}
			if err := os.MkdirAll(target, 0o777); err != nil || !load.Apart(from, p) {
				return err
			}
			return os.WriteFile(filepath.Join(target, ".git"), nil, 0o666) // it is not the repository's there either
		}
		ext := strings.ToLower(filepath.Ext(p))
		if !d.Type().IsRegular() || !slices.Contains([]string{".go", ".s", ".c", ".h", ".cc", ".cpp", ".hpp", ".m", ".mod", ".sum"}, ext) {
			return nil
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, info.Mode().Perm())
	})
}

package rules

import (
	"path"
	"strconv"

	"github.com/etcdshift/etcdshift/rewrite/edit"
	"github.com/etcdshift/etcdshift/rules/atlas"
)

const (
	prometheusLogPath = "github.com/prometheus/common/log"
	logrusPath        = "github.com/sirupsen/logrus"
)

// prometheusLog moves a logging package that does not survive the migration.
//
// Matched: files that use the logging functions of
// github.com/prometheus/common/log and With. They go to logrus, which that
// package wrapped, under the name that the file uses.
//
// Not matched: files that use its types, its flags or its constructors. Those
// have no counterpart of the same shape; the import is a finding.
var prometheusLog = &Rule{
	ID:    "prometheus-log",
	Title: "log through logrus where prometheus/common/log is gone",
	Before: `package p

import (
	"github.com/coreos/etcd/clientv3"
	"github.com/prometheus/common/log"
)

func open(cfg clientv3.Config) *clientv3.Client {
	cli, err := clientv3.New(cfg)
	if err != nil {
		log.With("endpoints", cfg.Endpoints).Warnf("open: %v", err)
		log.Fatal(err)
	}
	return cli
}
`,
	After: `package p

import (
	log "github.com/sirupsen/logrus"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func open(cfg clientv3.Config) *clientv3.Client {
	cli, err := clientv3.New(cfg)
	if err != nil {
		log.WithField("endpoints", cfg.Endpoints).Warnf("open: %v", err)
		log.Fatal(err)
	}
	return cli
}
`,
	Why: `The client of 3.6 and 3.7 requires Prometheus' client_golang v1.20 or newer, and with it a
github.com/prometheus/common that has no package log any more (removed in v0.30.0): the module
does not resolve while a file imports it. That package wrapped logrus, so the functions have the
same names there. Lines no longer carry the field "source" with the caller's file and line, and
they begin at logrus' own level and format, which are the same (info, text).`,
	Since:   "v3.6.0",
	Targets: []atlas.Line{atlas.Line36, atlas.Line37},
	Safety:  Adjusted,
	Refs:    []string{"https://github.com/prometheus/common/releases/tag/v0.30.0"},
	Run:     runPrometheusLog,
}

// prometheusLogNames maps the functions that logrus has too.
var prometheusLogNames = map[string]string{
	"Debug": "Debug", "Debugln": "Debugln", "Debugf": "Debugf",
	"Info": "Info", "Infoln": "Infoln", "Infof": "Infof",
	"Warn": "Warn", "Warnln": "Warnln", "Warnf": "Warnf",
	"Error": "Error", "Errorln": "Errorln", "Errorf": "Errorf",
	"Fatal": "Fatal", "Fatalln": "Fatalln", "Fatalf": "Fatalf",
	"With": "WithField", "Logger.With": "WithField",
	"Logger.Debug": "Debug", "Logger.Debugln": "Debugln", "Logger.Debugf": "Debugf",
	"Logger.Info": "Info", "Logger.Infoln": "Infoln", "Logger.Infof": "Infof",
	"Logger.Warn": "Warn", "Logger.Warnln": "Warnln", "Logger.Warnf": "Warnf",
	"Logger.Error": "Error", "Logger.Errorln": "Errorln", "Logger.Errorf": "Errorf",
	"Logger.Fatal": "Fatal", "Logger.Fatalln": "Fatalln", "Logger.Fatalf": "Fatalf",
}

func runPrometheusLog(p *Pass) {
	byFile := map[*File][]Ref{}
	for _, r := range p.RefsTo(prometheusLogPath) {
		byFile[r.File] = append(byFile[r.File], r)
	}
	imported := map[*File]bool{}
	moved := 0
	rename := func(c Change, f *File) {
		for _, r := range byFile[f] {
			if name := prometheusLogNames[r.Name]; name != "" && name != r.Ident.Name {
				c.ReplaceNode(f, r.Ident, name)
			}
		}
	}
	for _, f := range p.Files {
		for _, i := range f.imps {
			if i.path != prometheusLogPath {
				continue
			}
			imported[f] = true
			odd := false
			for _, r := range byFile[f] {
				if prometheusLogNames[r.Name] == "" {
					odd = true
					p.Report(f, r.Ident, edit.Manual, prometheusLogPath+" is gone, and logrus has no "+r.Name,
						"log through log/slog, or through "+logrusPath+", which the package wrapped")
				}
			}
			if odd {
				continue
			}
			c := p.Change(edit.Typed, "%s is gone; %s is what it wrapped", prometheusLogPath, logrusPath)
			text := strconv.Quote(logrusPath)
			if !i.alias && i.name != path.Base(logrusPath) {
				text = i.name + " " + text
			}
			c.ReplaceNode(f, i.spec.Path, text)
			rename(c, f)
			moved++
		}
	}
	if moved == 0 && len(imported) > 0 {
		return
	}
	for _, f := range p.Files { // those that use a logger of another file
		if !imported[f] {
			rename(p.Change(p.Tier, "%s is gone; %s is what it wrapped", prometheusLogPath, logrusPath), f)
		}
	}
}

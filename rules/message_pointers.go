package rules

import (
	"go/types"
	"strings"

	"github.com/etcdshift/etcdshift/rules/atlas"
)

// messagePointers follows fields, parameters and results of raft and of the
// server's packages that held messages by value and hold pointers.
//
// Matched: what they flow through in the package, as far as every use is
// understood. Not matched: what leaves the package, types that implement
// interfaces such as raft.Storage; they become findings.
var messagePointers = &Rule{
	ID:    "message-pointers",
	Title: "pass messages to raft and to the server's packages by pointer",
	Before: `package p

import (
	"go.etcd.io/etcd/raft"
	"go.etcd.io/etcd/raft/raftpb"
)

func store(s *raft.MemoryStorage, rd raft.Ready, data []byte) error {
	if !raft.IsEmptyHardState(rd.HardState) {
		if err := s.SetHardState(rd.HardState); err != nil {
			return err
		}
	}
	ents := append([]raftpb.Entry{}, rd.Entries...)
	ents = append(ents, raftpb.Entry{Data: data})
	return s.Append(ents)
}
`,
	After: `package p

import (
	raft "go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

func store(s *raft.MemoryStorage, rd raft.Ready, data []byte) error {
	if !raft.IsEmptyHardState(rd.HardState) {
		if err := s.SetHardState(rd.HardState); err != nil {
			return err
		}
	}
	ents := append([]*raftpb.Entry{}, rd.Entries...)
	ents = append(ents, &raftpb.Entry{Data: data})
	return s.Append(ents)
}
`,
	Why:     "A message holds a lock from 3.7, so raft and etcd's server packages hand out pointers and slices of pointers.",
	Since:   "v3.7.0",
	Targets: []atlas.Line{atlas.Line37},
	Safety:  Same,
	Refs: []string{
		"https://github.com/etcd-io/raft/blob/main/node.go",
	},
	Answers: func(b *atlas.Break) bool { return onlyIn37(b) && starsOnly(b.Old, b.NewIn(atlas.Line37)) },
	Run: func(p *Pass) {
		runGroups(p, server)
		for h := range p.Broken() {
			if !p.pointersFollow(h, h.Break.NewIn(p.Target.Line)) {
				p.reportBroken(h)
			}
		}
	},
}

// starsOnly says whether two declarations differ in nothing but pointers.
func starsOnly(old, now string) bool {
	plain := func(s string) string { return strings.ReplaceAll(plainSig(s), "*", "") }
	return now != "" && old != now && plain(old) == plain(now)
}

// pointersFollow says whether nothing but pointers to messages is new in a
// mention of a symbol, and the mention is one that the analysis of pointers
// sees: a call, a field or a type.
func (p *Pass) pointersFollow(h Hit, now string) bool {
	if p.Target.Line != atlas.Line37 || p.Info == nil || h.Obj == nil || !starsOnly(h.Form.Sig, now) {
		return false
	}
	fn, isFunc := h.Obj.(*types.Func)
	return !isFunc || h.Call() != nil && (passesMessage(fn.Signature().Params()) || passesMessage(fn.Signature().Results()))
}

// passesMessage says whether parameters or results hold messages by value.
func passesMessage(t *types.Tuple) bool {
	for v := range t.Variables() {
		if _, _, ok := valueShape(v.Type()); ok {
			return true
		}
	}
	return false
}

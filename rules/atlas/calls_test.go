package atlas

import "testing"

func TestDiffCallsFindsArgumentsToWrite(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"func SelfCert(dirpath string, hosts []string, additionalUsages ...x509.ExtKeyUsage) (info TLSInfo, err error)",
			"func SelfCert(lg *zap.Logger, dirpath string, hosts []string, selfSignedCertValidity uint, additionalUsages ...x509.ExtKeyUsage) (TLSInfo, error)",
			"insert `lg *zap.Logger` as first argument (a logger of yours, or zap.NewNop()), insert `selfSignedCertValidity uint` as fourth argument"},
		{"func (*T) Send(ctx context.Context, f func(a, b int) bool) error", "func (*T) Send(ctx context.Context, f func(a, b int) bool) (int, error)", "its results changed"},
		{"method Get(context.Context, *Request) error", "method Get(ctx context.Context, r *Other) error", "the second argument is `r *Other` in place of `*Request`"},
		{"func F(a map[string]chan int, b int)", "func F(a map[string]chan int)", "drop the second argument `b int`"},
		{"func F(v interface{})", "func F(v any)", ""},
	} {
		d, ok := DiffCalls(c.old, c.new)
		if !ok || d.steps() != c.want {
			t.Errorf("%s\n%s\n%q, %t; want %q", c.old, c.new, d.steps(), ok, c.want)
		}
	}
	if _, ok := DiffCalls("field X int", "func X()"); ok {
		t.Error("a field was taken for a function")
	}
}

// The diff of every function that is there before and after can be worked out.
func TestDiffCallsReadsEveryDeclaration(t *testing.T) {
	n := 0
	for i := range Breaks() {
		b := &Breaks()[i]
		for _, l := range Lines() {
			s := Symbol{Sig: b.Old}
			if k := s.Kind(); k != "func" && k != "method" || b.NewIn(l) == "" {
				continue
			}
			if _, ok := DiffCalls(b.Old, b.NewIn(l)); !ok && (Symbol{Sig: b.NewIn(l)}).Kind() == s.Kind() {
				t.Errorf("%s: cannot compare %q with %q", b, b.Old, b.NewIn(l))
			}
			n++
		}
	}
	if n == 0 {
		t.Error("no function broke")
	}
}

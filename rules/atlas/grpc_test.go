package atlas

import (
	"testing"

	"golang.org/x/mod/semver"
)

func TestGRPCSymbolsKnowTheirVersions(t *testing.T) {
	for _, c := range []struct{ pkg, name, kind, added, deprecated, removed string }{
		{"", "WithInsecure", "func", "v1.0.5", "v1.43.0", ""},
		{"", "WithBalancerName", "func", "v1.9.0", "v1.23.0", "v1.46.0"},
		{"", "RoundRobin", "func", "v1.0.5", "v1.12.0", "v1.30.0"},
		{"", "NewClient", "func", "v1.63.0", "", ""},
		{"/naming", "", "package", "v1.0.5", "", "v1.30.0"},
		{"/naming", "Update.Addr", "field", "v1.0.5", "", "v1.30.0"},
		{"/metadata", "FromContext", "func", "v1.0.5", "v1.3.0", "v1.6.0"},
		{"/resolver", "Target.Scheme", "field", "v1.7.0", "v1.42.0", "v1.57.0"},
		{"/status", "Status.Code", "method", "v1.3.0", "", ""},
		{"/test/bufconn", "Listener.DialContext", "method", "v1.41.0", "", ""},
		{"/credentials/insecure", "NewCredentials", "func", "v1.34.0", "", ""},
	} {
		s := GRPCOf(GRPCModule+c.pkg, c.name)
		if s == nil {
			t.Errorf("%s.%s is not known", c.pkg, c.name)
			continue
		}
		if s.Kind != c.kind || s.Added != c.added || s.Deprecated != c.deprecated || s.Removed != c.removed {
			t.Errorf("%s.%s: %+v", c.pkg, c.name, s)
		}
	}
	if s := GRPCOf(GRPCModule, "NoSuch"); s != nil {
		t.Errorf("NoSuch is %+v", s)
	}
}

func TestGRPCSymbolsBetweenVersions(t *testing.T) {
	rr := GRPCOf(GRPCModule, "RoundRobin")
	if !rr.In("v1.29.1") || rr.In("v1.30.0") || !rr.DeprecatedIn("v1.26.0") || rr.DeprecatedIn("v1.7.5") {
		t.Errorf("RoundRobin: %+v", rr)
	}
	ep := GRPCOf(GRPCModule+"/resolver", "Target.Endpoint")
	if !ep.ReshapedBetween("v1.38.0", "v1.83.2") || ep.ReshapedBetween("v1.59.0", "v1.83.2") {
		t.Errorf("Target.Endpoint: %+v", ep)
	}
	if ep.ShapeIn("v1.38.0") != "field Endpoint string" || ep.ShapeIn("v1.83.2") != "func (Target) Endpoint() string" {
		t.Errorf("Target.Endpoint: %q, then %q", ep.ShapeIn("v1.38.0"), ep.ShapeIn("v1.83.2"))
	}
	if GRPCOf(GRPCModule, "WithInsecure").ReshapedBetween("v1.0.5", "v1.83.2") {
		t.Error("WithInsecure never changed")
	}
}

// A symbol that package grpc lost or deprecated is common in client code: a
// finding must be able to say what takes its place.
func TestGRPCDialOptionsHaveAReplacement(t *testing.T) {
	for _, s := range GRPC() {
		if s.Package != GRPCModule && s.Package != GRPCModule+"/naming" || s.Kind != "func" {
			continue
		}
		gone := s.Removed != "" && semver.Compare(s.Removed, "v1.16.0") >= 0 || s.Deprecated != "" && s.Removed == ""
		if gone && s.Replacement == "" {
			t.Errorf("%s.%s (deprecated %s, removed %s) has no replacement", s.Package, s.Name, s.Deprecated, s.Removed)
		}
	}
}

// The releases' own gRPC must be within what the history covers.
func TestGRPCHistoryCoversEveryRelease(t *testing.T) {
	vs := GRPCVersions()
	for _, l := range Lines() {
		for _, r := range Releases(l) {
			if semver.Compare(r.EffGRPC, vs[0]) < 0 || semver.Compare(semver.MajorMinor(r.EffGRPC), semver.MajorMinor(vs[len(vs)-1])) > 0 {
				t.Errorf("%s needs gRPC %s, the history ends with %s", r.Version, r.EffGRPC, vs[len(vs)-1])
			}
		}
	}
}

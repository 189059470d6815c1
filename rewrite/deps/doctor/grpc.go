package doctor

import (
	"path"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/etcdshift/etcdshift/rules/atlas"
)

// grpcPackages are the packages of gRPC by the names that code gives them.
var grpcPackages = map[string]string{
	"grpc": "", "balancer": "/balancer", "base": "/balancer/base", "resolver": "/resolver", "manual": "/resolver/manual",
	"credentials": "/credentials", "grpccredentials": "/credentials", "metadata": "/metadata", "connectivity": "/connectivity",
	"serviceconfig": "/serviceconfig", "encoding": "/encoding", "grpclog": "/grpclog", "stats": "/stats",
}

// unmistakable are symbols that no other package of such a name is known to
// have, so that they tell gRPC even in code of which only a line is seen.
var unmistakable = map[string]bool{"balancer.PickOptions": true, "resolver.BuildOption": true, "resolver.ResolveNowOption": true}

// history returns what is known of the symbol of gRPC that a message is about.
// A compiler names a package by its last element only: a repository can have a
// package resolver of its own, so its own code is believed for grpc alone.
func (f facts) history() *atlas.GRPCSymbol {
	if f["name"] != "" {
		f["sym"] = f["in"] + "." + f["name"]
	}
	switch {
	case f["field"] != "":
		f["sym"] = "resolver.Target." + f["field"]
	case f["done"] != "":
		f["sym"] = "balancer.DoneInfo." + f["done"]
	case f["picker"] != "":
		f["sym"] = "balancer.Picker.Pick"
	case f["cc"] != "":
		f["sym"] = "resolver/manual.Resolver.CC"
		return atlas.GRPCOf(atlas.GRPCModule+"/resolver/manual", "Resolver.CC")
	}
	in, name, _ := strings.Cut(f["sym"], ".")
	p, ok := grpcPackages[in]
	whose := f["file"] == "" || strings.HasPrefix(f["file"], "…") || strings.HasPrefix(f["file"], "...")
	if !ok || in != "grpc" && !whose && f["module"] == "" && !isOld(f["file"]) && f["field"]+f["done"]+f["picker"] == "" && !unmistakable[f["sym"]] {
		return nil
	}
	return atlas.GRPCOf(atlas.GRPCModule+p, name)
}

// reshaped is the last version at which a symbol became another.
func reshaped(s *atlas.GRPCSymbol) string {
	if len(s.Shapes) < 2 {
		return ""
	}
	return s.Shapes[len(s.Shapes)-1].Since
}

// user names who uses the symbol.
func (f facts) user() {
	switch {
	case f["module"] != "":
		f["user"] = strings.TrimSpace(f["module"] + " " + f["version"])
	case f["file"] != "":
		f["user"] = path.Dir(f["file"])
		if f["user"] == "." {
			f["user"] = f["file"]
		}
	default:
		f["user"] = "the code"
	}
}

// tooNew accepts a symbol that left gRPC, or changed its form for good.
func tooNew(f facts) bool {
	s := f.history()
	switch {
	case s == nil:
		return false
	case s.Removed != "":
		f["removed"], f["what"] = s.Removed, f["sym"]+" left gRPC"
	case f["picker"] != "":
		// The form of an interface's method is that of the interface.
		f["removed"], f["what"] = "v1.30.0", f["sym"]+" got another signature"
	default:
		return false
	}
	f.user()
	if f["module"] == "" && f["file"] != "" && !isOld(f["file"]) {
		f["module"], f["version"] = "the code of this repository", ""
	}
	return true
}

// tooOld accepts a symbol that came to gRPC late enough for a pin to lie below.
func tooOld(f facts) bool {
	s := f.history()
	if s == nil || s.Removed != "" {
		return false
	}
	f["added"] = s.Added
	if f["cc"] != "" {
		f["added"] = reshaped(s)
	} else if semver.Compare(s.Added, "v1.7.0") <= 0 && f["done"] == "" {
		return false
	}
	f.user()
	return f["added"] != ""
}

// generated accepts a symbol that only generated code uses.
func generated(f facts) bool {
	sym := strings.TrimPrefix(f["sym"], "grpc.")
	f["sym"], f["needs"] = "grpc."+sym, grpcAdded(sym)
	return f["needs"] != ""
}

// grpcAdded returns the version with which a symbol came to package grpc.
func grpcAdded(name string) string {
	if s := atlas.GRPCOf(atlas.GRPCModule, name); s != nil {
		return s.Added
	}
	return ""
}

package rules

import "github.com/etcdshift/etcdshift/rewrite/edit"

const grpcHealth = grpcPath + "/health/grpc_health_v1"

// grpcHealthServer completes health services and fakes of health clients.
//
// Matched: types with a Check method of the health service that lack List.
//
// Not matched: types that embed an implementation, such as one of the package
// that gets List itself.
var grpcHealthServer = &Rule{
	ID:    "grpc-health",
	Title: "embed the rest of the health service, which has grown",
	Before: `package p

import (
	"context"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

type health struct {
	ready bool
}

func (h *health) Check(ctx context.Context, req *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	return &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_SERVING}, nil
}

func (h *health) Watch(req *healthpb.HealthCheckRequest, stream healthpb.Health_WatchServer) error {
	return nil
}

func serve(s *grpc.Server) { healthpb.RegisterHealthServer(s, &health{ready: true}) }
`,
	After: `package p

import (
	"context"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

type health struct {
	healthpb.UnimplementedHealthServer

	ready bool
}

func (h *health) Check(ctx context.Context, req *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	return &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_SERVING}, nil
}

func (h *health) Watch(req *healthpb.HealthCheckRequest, stream healthpb.Health_WatchServer) error {
	return nil
}

func serve(s *grpc.Server) { healthpb.RegisterHealthServer(s, &health{ready: true}) }
`,
	Why:    "The health service got Watch in gRPC 1.12 and List in 1.72, so a type that implements the older service is not a HealthServer any more. What is embedded answers the new calls with Unimplemented, as the old server did.",
	Since:  "v3.5.22",
	Safety: Same,
	Refs:   []string{"https://github.com/grpc/grpc-go/releases/tag/v1.72.0"},
	Run:    runGRPCHealth,
}

func runGRPCHealth(p *Pass) {
	if len(p.Refs(grpcHealth, "HealthCheckRequest")) == 0 || !p.grpcReaches("v1.72.0") {
		return
	}
	own := p.declaredTypes()
	for _, t := range own {
		check, ok := t.Methods["Check"]
		if !ok || t.has("List") || t.Spec == nil || t.embeds(p, grpcHealth) || t.embeds(p, grpcPath+"/health") {
			continue
		}
		in := params(check.Decl.Type.Params)
		if len(in) < 2 || !p.namesPointer(grpcHealth, "HealthCheckRequest", in[1].Type) {
			continue
		}
		name := "UnimplementedHealthServer"
		if len(in) == 3 {
			name = "HealthClient"
		}
		if e := t.promotes(own, "Check", "Watch"); e != nil {
			if !e.has("Check") { // else e brings List
				p.Report(t.File, t.Spec.Name, edit.Manual, t.Name+" lacks List, which the health service has since gRPC 1.72, and gets other methods of it from "+e.Name,
					"embed grpc_health_v1."+name+" in "+e.Name)
			}
			continue
		}
		if t.Struct == nil || p.unkeyed(t) {
			p.Report(t.File, t.Spec.Name, edit.Manual, t.Name+" lacks List, which the health service has since gRPC 1.72",
				"make it a struct that embeds grpc_health_v1."+name+", and give its literals field names")
			continue
		}
		c := p.Change(p.Tier, "the health service has List since gRPC 1.72")
		c.embed(t, grpcHealth, name)
	}
}

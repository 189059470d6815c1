package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/etcdshift/etcdshift/rewrite/deps/doctor"
	"github.com/etcdshift/etcdshift/rewrite/gocmd"
)

func doctorCommand() *cobra.Command {
	var log, format, cacert, cert, key string
	var endpoints []string
	var offline bool
	c := &cobra.Command{
		Use:   "doctor [flags] [dir]",
		Short: "Explain why etcd and gRPC dependencies do not resolve, build or start",
		Long: `doctor reads a repository, changes nothing, and prints what is wrong with its
etcd, gRPC and protobuf dependencies: the evidence, the cause and the commands
that mend it. With --log it explains what a go command printed instead.

Exit status: 0 nothing found; 3 something found; 1 could not look, or did not
recognise the log; 2 usage.`,
		Example: `  etcdshift doctor ./svc
  go build ./... 2>&1 | etcdshift doctor --log -
  etcdshift doctor --endpoints https://etcd-0:2379 ./svc`,
		RunE: func(c *cobra.Command, args []string) error {
			if format != "text" && format != "json" {
				return usageError{fmt.Errorf("--format %s: must be text or json", format)}
			}
			var ds []doctor.Diagnosis
			tls, err := memberTLS(cacert, cert, key)
			if err != nil {
				return err
			}
			if log != "" {
				ds, err = explain(c.InOrStdin(), log)
			} else {
				ds, err = doctor.Examine(c.Context(), doctor.Options{
					Dir: dirOf(args), Go: &gocmd.Runner{Offline: offline}, Endpoints: endpoints, TLS: tls, Offline: offline,
				})
			}
			if err != nil {
				return err
			}
			switch {
			case format == "json":
				enc := json.NewEncoder(c.OutOrStdout())
				enc.SetIndent("", "  ")
				if ds == nil {
					ds = []doctor.Diagnosis{}
				}
				err = enc.Encode(ds)
			case len(ds) == 0 && log != "":
				_, err = fmt.Fprintln(c.OutOrStdout(), "not recognised: no known failure of etcd or gRPC dependencies is in this text")
			case len(ds) == 0:
				_, err = fmt.Fprintln(c.OutOrStdout(), "nothing found")
			default:
				err = doctor.Print(c.OutOrStdout(), ds)
			}
			switch {
			case err != nil:
			case len(ds) > 0:
				err = exit(exitNeeded)
			case log != "":
				err = exit(exitFailed)
			}
			return err
		},
	}
	c.Flags().StringVar(&log, "log", "", "explain the output of a failed go command in this `file`; - for standard input")
	c.Flags().StringSliceVar(&endpoints, "endpoints", nil, "live etcd members to compare the client's version with")
	c.Flags().StringVar(&cacert, "cacert", "", "certificate authorities of the endpoints, a PEM `file` (default: the system's)")
	c.Flags().StringVar(&cert, "cert", "", "client certificate for the endpoints, a PEM `file`")
	c.Flags().StringVar(&key, "key", "", "key of the client certificate, a PEM `file`")
	c.Flags().BoolVar(&offline, "offline", false, "use the module cache alone")
	c.Flags().StringVar(&format, "format", "text", "output: text or json")
	return c
}

// memberTLS makes the TLS configuration for members from PEM files; nil when
// there are none.
func memberTLS(cacert, cert, key string) (*tls.Config, error) {
	if cacert == "" && cert == "" && key == "" {
		return nil, nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if cacert != "" {
		pem, err := os.ReadFile(cacert)
		if err != nil {
			return nil, fmt.Errorf("--cacert: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--cacert %s: no certificate in it", cacert)
		}
	}
	if cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("--cert and --key: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}

func explain(stdin io.Reader, log string) ([]doctor.Diagnosis, error) {
	if log == "-" {
		return doctor.Explain(stdin)
	}
	f, err := os.Open(log)
	if err != nil {
		return nil, fmt.Errorf("--log: %s", strings.TrimPrefix(err.Error(), "open "))
	}
	defer f.Close()
	return doctor.Explain(f)
}

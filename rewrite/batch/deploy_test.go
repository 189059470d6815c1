package batch

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/rhysd/actionlint"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	yamlv3 "go.yaml.in/yaml/v3"
)

const deployDir = "../../docs/deploy"

func deployFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(deployDir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// manifests decodes a file of Kubernetes objects into the types of the API,
// which takes no field that they do not have.
func manifests(t *testing.T, name string) (pods map[string]corev1.PodSpec, objects map[string]any) {
	t.Helper()
	pods, objects = map[string]corev1.PodSpec{}, map[string]any{}
	for dec := yamlv3.NewDecoder(bytes.NewReader(deployFile(t, name))); ; {
		var doc map[string]any
		if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
			return pods, objects
		} else if err != nil {
			t.Fatal(err)
		}
		text, err := yamlv3.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		kind, _ := doc["kind"].(string)
		version, _ := doc["apiVersion"].(string)
		into := map[string]any{
			"v1/Namespace": &corev1.Namespace{}, "v1/ConfigMap": &corev1.ConfigMap{}, "v1/Service": &corev1.Service{},
			"v1/PersistentVolumeClaim": &corev1.PersistentVolumeClaim{}, "apps/v1/StatefulSet": &appsv1.StatefulSet{},
			"apps/v1/Deployment": &appsv1.Deployment{}, "batch/v1/Job": &batchv1.Job{},
		}[version+"/"+kind]
		if into == nil {
			t.Fatalf("%s: no kind %s in %s", name, kind, version)
		}
		if err := yaml.UnmarshalStrict(text, into); err != nil {
			t.Errorf("%s: %s: %v", name, kind, err)
		}
		switch o := into.(type) {
		case *appsv1.StatefulSet:
			pods[kind] = o.Spec.Template.Spec
		case *appsv1.Deployment:
			pods[kind] = o.Spec.Template.Spec
		case *batchv1.Job:
			pods[kind] = o.Spec.Template.Spec
		}
		objects[kind+"/"+meta(doc)] = into
	}
}

func meta(doc map[string]any) string {
	m, _ := doc["metadata"].(map[string]any)
	name, _ := m["name"].(string)
	return name
}

func TestManifestsAreWhatKubernetesTakes(t *testing.T) {
	for _, name := range []string{"kubernetes-nats.yaml", "kubernetes-indexed.yaml"} {
		pods, objects := manifests(t, name)
		for kind, p := range pods {
			for _, c := range p.Containers {
				for _, m := range c.VolumeMounts {
					here := slices.ContainsFunc(p.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name })
					if s, ok := objects["StatefulSet/nats"].(*appsv1.StatefulSet); ok && kind == "StatefulSet" {
						here = here || slices.ContainsFunc(s.Spec.VolumeClaimTemplates, func(v corev1.PersistentVolumeClaim) bool { return v.Name == m.Name })
					}
					if !here {
						t.Errorf("%s: %s mounts %s, which is no volume", name, kind, m.Name)
					}
				}
			}
		}
	}
}

func TestTheServerOfTheManifestSyncsItsWrites(t *testing.T) {
	_, objects := manifests(t, "kubernetes-nats.yaml")
	conf := filepath.Join(t.TempDir(), "nats.conf")
	text := objects["ConfigMap/nats"].(*corev1.ConfigMap).Data["nats.conf"]
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	opts, err := server.ProcessConfigFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	if !opts.JetStream || !opts.SyncAlways || opts.StoreDir != "/data" {
		t.Errorf("JetStream %v, SyncAlways %v, store %s", opts.JetStream, opts.SyncAlways, opts.StoreDir)
	}
	list := objects["ConfigMap/repositories"].(*corev1.ConfigMap).Data["repos.yaml"]
	if es, err := ReadList("-", strings.NewReader(list)); err != nil || len(es) != 2 || len(es[1].Dirs) != 2 {
		t.Errorf("the list: %v, %v", es, err)
	}
}

func TestTheWorkflowIsWhatGitHubTakes(t *testing.T) {
	l, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	found, err := l.Lint("github-actions.yaml", deployFile(t, "github-actions.yaml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range found {
		t.Error(e)
	}
}

// TestDeployedShardsCoverTheList holds the number of parts in the command
// lines against the number of jobs.
func TestDeployedShardsCoverTheList(t *testing.T) {
	for name, count := range map[string]string{"github-actions.yaml": "/8'", "kubernetes-indexed.yaml": "job/8"} {
		text := string(deployFile(t, name))
		if !strings.Contains(text, count) {
			t.Errorf("%s has no shard of 8", name)
		}
	}
	_, objects := manifests(t, "kubernetes-indexed.yaml")
	j := objects["Job/etcdshift"].(*batchv1.Job)
	if *j.Spec.Completions != 8 || *j.Spec.CompletionMode != batchv1.IndexedCompletion {
		t.Errorf("completions %d, mode %s", *j.Spec.Completions, *j.Spec.CompletionMode)
	}
	m := regexp.MustCompile(`shard: \[(.*)\]`).FindStringSubmatch(string(deployFile(t, "github-actions.yaml")))
	if m == nil || len(strings.Split(m[1], ",")) != 8 {
		t.Errorf("matrix %v", m)
	}
}

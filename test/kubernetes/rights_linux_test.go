package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"holdfast/internal/platform"
	driver "holdfast/internal/platform/kubernetes"
	"holdfast/test/kubernetes/cluster"
)

const manifests = "../../deploy/kubernetes"

// right is one line of the Role in the manifests.
type right struct{ group, resource, verb string }

func (r right) String() string { return r.verb + " " + r.resource }

// role reads the rights of the Role in the manifests.
func role(t *testing.T) []right {
	t.Helper()
	for _, o := range documents(t, "rbac.yaml") {
		if o.GetKind() != "Role" {
			continue
		}
		var raw struct {
			Rules []struct{ APIGroups, Resources, Verbs []string }
		}
		body, err := json.Marshal(o.Object)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(body, &raw); err != nil {
			t.Fatal(err)
		}
		var all []right
		for _, rule := range raw.Rules {
			for _, g := range rule.APIGroups {
				for _, r := range rule.Resources {
					for _, v := range rule.Verbs {
						all = append(all, right{g, r, v})
					}
				}
			}
		}
		return all
	}
	t.Fatal("there is no Role in the manifests")
	return nil
}

// documents reads a file of the manifests.
func documents(t *testing.T, name string) []*unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(manifests, name))
	if err != nil {
		t.Fatal(err)
	}
	var all []*unstructured.Unstructured
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		o, err := cluster.Parse(document)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, o)
	}
	return all
}

func without(resource, verb string) func(right) bool {
	return func(r right) bool { return r.resource == resource && r.verb == verb }
}

// user makes a service account that has the rights of the manifests' Role but
// for some, and a driver that uses its token.
func (w *web) user(t *testing.T, lacks func(right) bool) *driver.Driver {
	t.Helper()
	var rules strings.Builder
	for _, r := range role(t) {
		if !lacks(r) {
			fmt.Fprintf(&rules, "  - {apiGroups: [%q], resources: [%s], verbs: [%s]}\n", r.group, r.resource, r.verb)
		}
	}
	name := fmt.Sprintf("user-%d", len(w.users(t)))
	w.c.Apply(t, w.namespace, strings.NewReplacer("NAME", name, "RULES", rules.String()).Replace(`
apiVersion: v1
kind: ServiceAccount
metadata: {name: NAME}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: NAME}
rules:
RULES
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: NAME}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: NAME}
subjects: [{kind: ServiceAccount, name: NAME}]
`))
	cfg := w.config()
	cfg.Kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	file(t, cfg.Kubeconfig, w.c.KubeconfigFor(w.c.Server, fmt.Sprintf("token: %q", w.c.Token(t, w.namespace, name))))
	return newDriver(t, cfg)
}

func (w *web) users(t *testing.T) []unstructured.Unstructured {
	t.Helper()
	all, err := w.c.Resource("ServiceAccount", w.namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return all.Items
}

// awaitRights waits until the API server has taken in a new Role that allows to
// read: it watches them like everybody else.
func (w *web) awaitRights(t *testing.T, d *driver.Driver) {
	t.Helper()
	w.c.Poll(t, "the role is in force", func() bool {
		_, err := d.Metrics(t.Context())
		return err == nil
	})
}

// TestEachRightIsNeeded: without any one of them something does not work, and
// the error names it; with all of them everything does.
func TestEachRightIsNeeded(t *testing.T) {
	t.Parallel()
	only := map[string]func(right) bool{
		"Deployment": func(r right) bool {
			return !strings.HasPrefix(r.resource, "statefulsets") && r.resource != "controllerrevisions"
		},
		"StatefulSet": func(r right) bool {
			return strings.HasPrefix(r.resource, "statefulsets") || r.resource == "controllerrevisions"
		},
	}
	for kind, relevant := range only {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWeb(t, kind)
			await(t, follow(t, newDriver(t, w.config())), "it runs", runs(1))
			w.apply(t, "v2", "web")
			all := func(right) bool { return false }
			full := w.user(t, all)
			w.awaitRights(t, full)
			w.c.Poll(t, "everything works with all rights", func() bool {
				errs := w.everything(t, full, right{})
				t.Log(errs)
				return len(errs) == 0
			})
			for _, r := range role(t) {
				if relevant(r) {
					w.needs(t, r)
				}
			}
		})
	}
}

// needs tries everything without a right, until the rest of the Role is in
// force: then only its lack is complained of.
func (w *web) needs(t *testing.T, r right) {
	t.Helper()
	d := w.user(t, func(other right) bool { return r == other })
	var errs []string
	defer func() {
		if t.Failed() {
			t.Logf("without %s: %q", r, errs)
		}
	}()
	w.c.Poll(t, "the lack of "+r.String()+" is named, and nothing else", func() bool {
		errs = w.everything(t, d, r)
		named := func(text string) bool { return strings.Contains(text, fmt.Sprintf("may not %s in", r)) }
		return len(errs) > 0 && !slices.ContainsFunc(errs, func(text string) bool { return !named(text) })
	})
}

// everything does all that a driver can and returns what went wrong.
func (w *web) everything(t *testing.T, d *driver.Driver, lacks right) (errs []string) {
	t.Helper()
	ctx := t.Context()
	note := func(err error) {
		if err != nil && !errors.Is(err, platform.ErrConflict) {
			errs = append(errs, err.Error())
		}
	}
	note(firstError(ctx, d, lacks.verb == "watch"))
	_, err := d.Metrics(ctx)
	note(err)
	w.c.Scale(t, w.kind, w.namespace, "web", 2, "kubectl")
	pods, err := w.c.Resource("Pod", w.namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=web"})
	if err != nil || len(pods.Items) == 0 {
		t.Fatalf("list pods: %v, %v", pods, err)
	}
	note(d.Scale(ctx, platform.Order{Instances: 1, Victims: []string{pods.Items[0].GetName()}}))
	note(d.Rollback(ctx))
	return errs
}

// firstError runs a driver until it has told an error, or all that is to be
// seen: what cannot be watched is seen first.
func firstError(ctx context.Context, d *driver.Driver, patient bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var told error
	_ = d.Run(ctx, func(_ platform.Observation, err error) {
		if err != nil && told == nil {
			told = err
		}
		if err != nil || !patient {
			cancel()
		}
	})
	return told
}

// TestNoOtherRightIsGiven asks as the service account.
func TestNoOtherRightIsGiven(t *testing.T) {
	t.Parallel()
	w := newWeb(t, "Deployment")
	w.user(t, func(right) bool { return false })
	for _, r := range []right{
		{"", "pods", "create"},
		{"", "pods", "delete"},
		{"", "pods/exec", "create"},
		{"", "secrets", "get"},
		{"", "secrets", "list"},
		{"", "configmaps", "get"},
		{"", "serviceaccounts/token", "create"},
		{"apps", "deployments", "create"},
		{"apps", "deployments", "delete"},
		{"apps", "replicasets", "patch"},
		{"rbac.authorization.k8s.io", "roles", "patch"},
	} {
		if w.may(t, "user-1", r) {
			t.Errorf("Holdfast may %s", r)
		}
	}
	if r := (right{"apps", "deployments/scale", "patch"}); !w.may(t, "user-1", r) {
		t.Errorf("Holdfast may not %s", r)
	}
}

// may asks the API whether an account has a right.
func (w *web) may(t *testing.T, account string, r right) bool {
	t.Helper()
	resource, sub, _ := strings.Cut(r.resource, "/")
	o, err := cluster.Parse(fmt.Sprintf(`
apiVersion: authorization.k8s.io/v1
kind: SubjectAccessReview
spec:
  user: system:serviceaccount:%s:%s
  resourceAttributes: {namespace: %s, group: %q, resource: %s, subresource: %q, verb: %s}
`, w.namespace, account, w.namespace, r.group, resource, sub, r.verb))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := w.c.Resource("SubjectAccessReview", "").Create(t.Context(), o, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	allowed, _, err := unstructured.NestedBool(answer.Object, "status", "allowed")
	if err != nil {
		t.Fatal(err)
	}
	return allowed
}

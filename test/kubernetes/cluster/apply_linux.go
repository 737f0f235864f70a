package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// Manager is the field manager of what tests apply.
const Manager = "kubectl-of-the-test"

// Namespace makes a namespace for a test and waits until pods can be made in
// it. What is in it is deleted with the test.
func (c *Cluster) Namespace(tb testing.TB) string {
	tb.Helper()
	ctx := context.Background()
	o := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"generateName": "test-"},
	}}
	made, err := c.Resource("Namespace", "").Create(ctx, o, metav1.CreateOptions{})
	if err != nil {
		tb.Fatalf("make a namespace: %v", err)
	}
	c.Use(tb, made.GetName())
	return made.GetName()
}

// Use is Namespace for one that was made already.
func (c *Cluster) Use(tb testing.TB, name string) {
	tb.Helper()
	ctx := context.Background()
	tb.Cleanup(func() {
		now := int64(0)
		for _, kind := range []string{"HorizontalPodAutoscaler", "Deployment", "StatefulSet", "ReplicaSet", "Pod"} {
			_ = c.Resource(kind, name).DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{})
		}
	})
	c.Poll(tb, "the namespace has its service account", func() bool {
		_, err := c.Resource("ServiceAccount", name).Get(ctx, "default", metav1.GetOptions{})
		return err == nil
	})
}

// Poll waits for a condition, for as long as a busy machine may need.
func (c *Cluster) Poll(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			tb.Fatalf("waited two minutes until %s\n%s", what, c.Log())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// kinds are the resources of the kinds that tests use.
var kinds = map[string]schema.GroupVersionResource{
	"Namespace": {Version: "v1", Resource: "namespaces"}, "Service": {Version: "v1", Resource: "services"},
	"ConfigMap": {Version: "v1", Resource: "configmaps"}, "ServiceAccount": {Version: "v1", Resource: "serviceaccounts"},
	"Pod": podResource, "PersistentVolumeClaim": {Version: "v1", Resource: "persistentvolumeclaims"}, "Secret": {Version: "v1", Resource: "secrets"},
	"Deployment": {Group: "apps", Version: "v1", Resource: "deployments"}, "StatefulSet": {Group: "apps", Version: "v1", Resource: "statefulsets"},
	"ReplicaSet":              {Group: "apps", Version: "v1", Resource: "replicasets"},
	"EndpointSlice":           {Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"},
	"APIService":              {Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"},
	"Role":                    {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "roles"},
	"RoleBinding":             {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"},
	"PodDisruptionBudget":     {Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"},
	"NetworkPolicy":           {Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"},
	"HorizontalPodAutoscaler": {Group: "autoscaling", Version: "v2", Resource: "horizontalpodautoscalers"},
	"CustomResourceDefinition": {
		Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions",
	},
	"ScaledObject":        {Group: "keda.sh", Version: "v1alpha1", Resource: "scaledobjects"},
	"SubjectAccessReview": {Group: "authorization.k8s.io", Version: "v1", Resource: "subjectaccessreviews"},
	"Rollout":             {Group: "argoproj.io", Version: "v1alpha1", Resource: "rollouts"},
}

var clusterWide = map[string]bool{"Namespace": true, "APIService": true, "CustomResourceDefinition": true, "SubjectAccessReview": true}

// Resource is the client for objects of a kind.
func (c *Cluster) Resource(kind, namespace string) dynamic.ResourceInterface {
	r, ok := kinds[kind]
	if !ok {
		panic("add kind " + kind + " to the table")
	}
	if clusterWide[kind] {
		return c.Objects.Resource(r)
	}
	return c.Objects.Resource(r).Namespace(namespace)
}

// Apply applies YAML documents; fields that the API does not know are errors.
// Objects without a namespace go to namespace.
func (c *Cluster) Apply(tb testing.TB, namespace, manifests string) {
	tb.Helper()
	if err := c.apply(context.Background(), namespace, manifests); err != nil {
		tb.Fatalf("apply: %v", err)
	}
}

func (c *Cluster) apply(ctx context.Context, namespace, manifests string) error {
	for document := range strings.SplitSeq(manifests, "\n---\n") {
		if len(bytes.TrimSpace([]byte(document))) == 0 {
			continue
		}
		o, err := Parse(document)
		if err != nil {
			return err
		}
		ns := namespace
		if own := o.GetNamespace(); own != "" {
			ns = own
		}
		body, err := json.Marshal(o.Object)
		if err != nil {
			return err
		}
		force := true
		_, err = c.Resource(o.GetKind(), ns).Patch(ctx, o.GetName(), types.ApplyPatchType, body,
			metav1.PatchOptions{FieldManager: Manager, Force: &force, FieldValidation: metav1.FieldValidationStrict})
		if err != nil {
			return fmt.Errorf("%s %s: %w", o.GetKind(), o.GetName(), err)
		}
	}
	return nil
}

// Parse reads one YAML document.
func Parse(document string) (*unstructured.Unstructured, error) {
	body, err := yaml.YAMLToJSON([]byte(document))
	if err != nil {
		return nil, err
	}
	o := &unstructured.Unstructured{}
	return o, o.UnmarshalJSON(body)
}

// Scale sets the replicas of an object as somebody else would.
func (c *Cluster) Scale(tb testing.TB, kind, namespace, name string, replicas int, manager string) {
	tb.Helper()
	body := fmt.Sprintf(`{"spec":{"replicas":%d}}`, replicas)
	_, err := c.Resource(kind, namespace).Patch(context.Background(), name, types.MergePatchType, []byte(body), metav1.PatchOptions{FieldManager: manager})
	if err != nil {
		tb.Fatalf("set the replicas of %s %s: %v", kind, name, err)
	}
}

// Delete deletes an object.
func (c *Cluster) Delete(tb testing.TB, kind, namespace, name string) {
	tb.Helper()
	background := metav1.DeletePropagationBackground
	err := c.Resource(kind, namespace).Delete(context.Background(), name, metav1.DeleteOptions{PropagationPolicy: &background})
	if err != nil {
		tb.Fatalf("delete %s %s: %v", kind, name, err)
	}
}

// Patch changes an object, or a subresource of it, by a merge patch.
func (c *Cluster) Patch(tb testing.TB, kind, namespace, name, body string, sub ...string) {
	tb.Helper()
	_, err := c.Resource(kind, namespace).Patch(context.Background(), name, types.MergePatchType, []byte(body), metav1.PatchOptions{FieldManager: Manager}, sub...)
	if err != nil {
		tb.Fatalf("patch %s %s: %v", kind, name, err)
	}
}

// Token makes a token of a service account.
func (c *Cluster) Token(tb testing.TB, namespace, account string) string {
	tb.Helper()
	token, err := c.token(context.Background(), namespace, account)
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

func (c *Cluster) token(ctx context.Context, namespace, account string) (string, error) {
	request := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "metadata": map[string]any{"name": account}, "spec": map[string]any{},
	}}
	made, err := c.Resource("ServiceAccount", namespace).Create(ctx, request, metav1.CreateOptions{}, "token")
	if err != nil {
		return "", fmt.Errorf("make a token of %s: %w", account, err)
	}
	token, _, err := unstructured.NestedString(made.Object, "status", "token")
	return token, err
}

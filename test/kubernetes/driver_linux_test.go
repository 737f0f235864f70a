package kubernetes

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"holdfast/internal/platform"
)

// TestTheAPIServerIsKilled has the whole cluster to itself, because it runs
// before the tests that are parallel.
func TestTheAPIServerIsKilled(t *testing.T) {
	w := newWeb(t, "Deployment")
	tells := follow(t, newDriver(t, w.config()))
	await(t, tells, "it runs", runs(1))

	w.c.KillServer()
	x := await(t, tells, "an error is told", func(x told) bool {
		if x.err == nil && len(x.o.Instances) == 0 {
			t.Error("a cluster without API was told as no instances")
		}
		return x.err != nil && strings.Contains(x.err.Error(), "cannot be reached")
	})
	t.Logf("told: %v", x.err)
	if err := w.c.StartServer(); err != nil {
		t.Fatal(err)
	}
	await(t, tells, "it is seen again", func(x told) bool {
		if x.err == nil && len(x.o.Instances) == 0 {
			t.Error("a cluster that came back was told as no instances")
		}
		return runs(1)(x)
	})
	w.c.Scale(t, "Deployment", w.namespace, "web", 2, "kubectl")
	await(t, tells, "changes are seen again", runs(2))
}

// TestASilentNetworkIsToldInTime: nothing tells of a network that loses all
// packets, and an observation holds for platform.Freshness.
func TestASilentNetworkIsToldInTime(t *testing.T) {
	t.Parallel()
	w := newWeb(t, "Deployment")
	door := newDoor(t, w.c.Server)
	cfg := w.config()
	cfg.Kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	file(t, cfg.Kubeconfig, w.c.KubeconfigFor("https://"+door.Addr().String(), w.c.Admin()))
	tells := follow(t, newDriver(t, cfg))
	await(t, tells, "it runs", runs(1))
	set(t, door, "blackhole")
	shut := time.Now()
	await(t, tells, "an error is told", func(x told) bool {
		if x.err == nil && x.o.At.Sub(shut) > time.Second {
			t.Errorf("told as seen %s after nothing could be seen", x.o.At.Sub(shut))
		}
		return x.err != nil
	})
	set(t, door, "")
	await(t, tells, "it is seen again", runs(1))
}

func TestAnAutoscalerOwnsTheNumber(t *testing.T) {
	t.Parallel()
	w := newWeb(t, "Deployment")
	d := newDriver(t, w.config())
	tells := follow(t, d)
	await(t, tells, "it runs", runs(1))
	w.c.Apply(t, w.namespace, `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: their-hpa}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 1
  maxReplicas: 3
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}]
`)
	err := d.Scale(t.Context(), platform.Order{Instances: 2})
	if !errors.Is(err, platform.ErrOwned) || !strings.Contains(err.Error(), "HorizontalPodAutoscaler their-hpa") {
		t.Errorf("an order against an autoscaler ends with %v", err)
	}
	await(t, tells, "the autoscaler is told as the owner", func(x told) bool {
		return x.err == nil && x.o.Owner == "HorizontalPodAutoscaler their-hpa"
	})
	w.c.Delete(t, "HorizontalPodAutoscaler", w.namespace, "their-hpa")
	if err := d.Scale(t.Context(), platform.Order{Instances: 2}); err != nil {
		t.Errorf("without the autoscaler: %v", err)
	}
	await(t, tells, "nobody owns it any more", func(x told) bool { return runs(2)(x) && x.o.Owner == "" })
}

func TestADeploymentToolPutsTheNumberBack(t *testing.T) {
	t.Parallel()
	w := newWeb(t, "Deployment")
	d := newDriver(t, w.config())
	tells := follow(t, d)
	await(t, tells, "it runs", runs(1))
	order(t, d, 3)
	await(t, tells, "it is scaled", func(x told) bool {
		if x.o.Owner != "" {
			t.Errorf("an order of our own is told as one of %s", x.o.Owner)
		}
		return runs(3)(x)
	})
	w.c.Scale(t, "Deployment", w.namespace, "web", 1, "argocd-controller")
	x := await(t, tells, "the tool is named", func(x told) bool { return x.err == nil && x.o.Owner != "" })
	if !strings.Contains(x.o.Owner, "argocd-controller") || !strings.Contains(x.o.Owner, "set replicas to 1") {
		t.Errorf("the owner is told as %q", x.o.Owner)
	}
	order(t, d, 2)
	await(t, tells, "our order holds again", func(x told) bool { return runs(2)(x) && x.o.Owner == "" })
}

// TestVictimsGoAndKeepNoMark: those that are named go, also from the middle of
// the list, and an order that is refused leaves no mark on them.
func TestVictimsGoAndKeepNoMark(t *testing.T) {
	t.Parallel()
	w := newWeb(t, "Deployment")
	d := newDriver(t, w.config())
	tells := follow(t, d)
	order(t, d, 3)
	three := await(t, tells, "three run", runs(3)).o
	victim := ids(three)[1]

	short := w.user(t, without("deployments/scale", "patch"))
	w.awaitRights(t, short)
	err := short.Scale(t.Context(), platform.Order{Instances: 2, Victims: []string{victim}})
	if err == nil || !strings.Contains(err.Error(), "may not patch deployments/scale") || !strings.Contains(err.Error(), "allow verb patch on resource deployments/scale of API group \"apps\"") {
		t.Errorf("without the right to scale: %v", err)
	}
	if !kerrors.IsForbidden(err) {
		t.Errorf("the API's own answer is lost: %v", err)
	}
	pod, err := w.c.Resource("Pod", w.namespace).Get(t.Context(), victim, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if cost, ok := pod.GetAnnotations()["controller.kubernetes.io/pod-deletion-cost"]; ok {
		t.Errorf("an order that was refused left the victim at cost %s", cost)
	}

	if err := d.Scale(t.Context(), platform.Order{Instances: 2, Victims: []string{victim, "went-by-itself"}}); err != nil {
		t.Fatal(err)
	}
	left := await(t, tells, "two are left", runs(2)).o
	if slices.Contains(ids(left), victim) {
		t.Errorf("%s was to go, and %v are left", victim, ids(left))
	}
}

// TestAnInstanceThatGoesIsToldAtOnce: while the pod still finishes what it has.
func TestAnInstanceThatGoesIsToldAtOnce(t *testing.T) {
	t.Parallel()
	w := newWeb(t, "StatefulSet")
	d := newDriver(t, w.config())
	tells := follow(t, d)
	order(t, d, 2)
	await(t, tells, "two run", runs(2))
	order(t, d, 1)
	x := await(t, tells, "one stops", func(x told) bool {
		return len(x.o.Instances) == 2 && x.o.Instances[1].State == platform.Stopping
	})
	if x.o.Instances[1].ID != "web-1" || x.o.Instances[0].State != platform.Running {
		t.Errorf("of a StatefulSet goes another one than the last: %+v", x.o.Instances)
	}
	await(t, tells, "one is left", runs(1))
}

// TestAPartitionIsNoDeployThatGoesOn: a version that only some pods are to have
// is there once they have it.
func TestAPartitionIsNoDeployThatGoesOn(t *testing.T) {
	t.Parallel()
	w := newWeb(t, "StatefulSet")
	d := newDriver(t, w.config())
	tells := follow(t, d)
	order(t, d, 2)
	old := await(t, tells, "two run", runs(2)).o
	w.c.Patch(t, "StatefulSet", w.namespace, "web", `{"spec":{"updateStrategy":{"rollingUpdate":{"partition":1}}}}`)
	w.apply(t, "v2", "web")
	o := await(t, tells, "it is over", func(x told) bool { return runs(2)(x) && !x.o.Deploying && x.o.Version != old.Version }).o
	if o.Instances[0].Version != old.Version || o.Instances[1].Version != o.Version {
		t.Errorf("of version %s there are %+v", o.Version, o.Instances)
	}
	w.c.Patch(t, "StatefulSet", w.namespace, "web", `{"spec":{"updateStrategy":{"rollingUpdate":{"partition":0}}}}`)
	await(t, tells, "all have the version", func(x told) bool {
		return runs(2)(x) && !x.o.Deploying && x.o.Instances[0].Version == o.Version
	})
}

func TestACrashLoopIsToldWithItsReason(t *testing.T) {
	t.Parallel()
	for version, c := range map[string]struct{ image, reason string }{
		"crash": {"web", "container web: CrashLoopBackOff: back-off"},
		"v2":    {"no-such-image", "container web: ImagePullBackOff: Back-off pulling image"},
	} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			w := newWeb(t, "Deployment")
			d := newDriver(t, w.config())
			tells := follow(t, d)
			good := await(t, tells, "the good version runs", runs(1)).o
			w.apply(t, version, c.image)
			x := await(t, tells, "the bad version is told", func(x told) bool {
				return slices.ContainsFunc(x.o.Instances, func(i platform.Instance) bool { return i.State == platform.CrashLoop })
			})
			at := slices.IndexFunc(x.o.Instances, func(i platform.Instance) bool { return i.State == platform.CrashLoop })
			bad := x.o.Instances[at]
			if !strings.HasPrefix(bad.Reason, c.reason) || bad.Version != x.o.Version || bad.Version == good.Version {
				t.Errorf("told as %+v of version %s", bad, x.o.Version)
			}
			if !x.o.Deploying || x.o.Since.Before(good.Since) {
				t.Errorf("deploying %v since %s, after %s", x.o.Deploying, x.o.Since, good.Since)
			}
			if err := d.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
			await(t, tells, "the good version is alone again", func(x told) bool {
				return runs(1)(x) && x.o.Version == good.Version && !x.o.Deploying
			})
		})
	}
}

func TestAPausedDeploymentIsNotRolledBack(t *testing.T) {
	t.Parallel()
	w := newWeb(t, "Deployment")
	d := newDriver(t, w.config())
	await(t, follow(t, d), "it runs", runs(1))
	w.c.Patch(t, "Deployment", w.namespace, "web", `{"spec":{"paused":true}}`)
	if err := d.Rollback(t.Context()); err == nil || !strings.Contains(err.Error(), "kubectl rollout resume") {
		t.Errorf("a rollback that does nothing ends with %v", err)
	}
}

// TestAnythingScalable: a kind the driver knows nothing of, with its scale
// subresource.
func TestAnythingScalable(t *testing.T) {
	t.Parallel()
	w := newWeb(t, "Deployment")
	w.c.Apply(t, "", rolloutDefinition)
	w.c.Poll(t, "the kind is served", func() bool {
		_, err := w.c.Resource("Rollout", w.namespace).List(t.Context(), metav1.ListOptions{})
		return err == nil
	})
	w.c.Apply(t, w.namespace, `
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: canary}
spec: {replicas: 1}
`)
	// What its controller would do.
	w.c.Patch(t, "Rollout", w.namespace, "canary", `{"status":{"replicas":1,"selector":"app=web"}}`, "status")
	cfg := w.config()
	cfg.Target = "rollouts.argoproj.io/canary"
	d := newDriver(t, cfg)
	tells := follow(t, d)
	await(t, tells, "its pod is found", runs(1))
	order(t, d, 4)
	await(t, tells, "the order shows", func(x told) bool { return x.err == nil && x.o.Desired == 4 && len(x.o.Instances) == 1 })
	if err := d.Rollback(t.Context()); !errors.Is(err, platform.ErrUnsupported) {
		t.Errorf("Rollback of an unknown kind ends with %v", err)
	}
	cfg.Target = "rollouts.nobody.example/canary"
	if err := newDriver(t, cfg).Scale(t.Context(), platform.Order{Instances: 1}); err == nil || !strings.Contains(err.Error(), "API group nobody.example") {
		t.Errorf("a kind nobody serves: %v", err)
	}
}

const rolloutDefinition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: rollouts.argoproj.io}
spec:
  group: argoproj.io
  scope: Namespaced
  names: {plural: rollouts, singular: rollout, kind: Rollout, listKind: RolloutList}
  versions:
    - name: v1alpha1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
      subresources:
        status: {}
        scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas, labelSelectorPath: .status.selector}
`

func TestAPortNobodyHasIsNamed(t *testing.T) {
	t.Parallel()
	w := newWeb(t, "Deployment")
	cfg := w.config()
	cfg.Port = "grpc"
	tells := follow(t, newDriver(t, cfg))
	await(t, tells, "the port is named", func(x told) bool {
		return x.err != nil && strings.Contains(x.err.Error(), `service web: the Service has no port named "grpc", it has http`)
	})
}

func TestAServiceThatSelectsNothingIsSaid(t *testing.T) {
	t.Parallel()
	w := newWeb(t, "Deployment")
	cfg := w.config()
	cfg.Service = "other"
	tells := follow(t, newDriver(t, cfg))
	await(t, tells, "the Service is named", func(x told) bool {
		return len(x.o.Instances) == 1 && x.o.Instances[0].State == platform.Starting && strings.Contains(x.o.Instances[0].Reason, "service other")
	})
}

func order(t *testing.T, d platform.Driver, n int) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	if err := d.Scale(ctx, platform.Order{Instances: n}); err != nil {
		t.Fatalf("scale to %d: %v", n, err)
	}
}

package kubernetes

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// Names the platform gives things.
const (
	costAnnotation     = "controller.kubernetes.io/pod-deletion-cost"
	revisionAnnotation = "deployment.kubernetes.io/revision"
	templateHash       = "pod-template-hash"
	controllerHash     = "controller-revision-hash"
)

// read takes from an object what T has fields for.
func read[T any](o *unstructured.Unstructured) (T, error) {
	var t T
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &t); err != nil {
		return t, fmt.Errorf("read %s %s: %w", o.GetKind(), o.GetName(), err)
	}
	return t, nil
}

// condition is one of an object's status.
type condition struct {
	Type               string    `json:"type"`
	Status             string    `json:"status"`
	Reason             string    `json:"reason"`
	Message            string    `json:"message"`
	LastTransitionTime time.Time `json:"lastTransitionTime"`
}

// pod is what the driver keeps of a pod.
type pod struct {
	name, uid  string
	ip         string
	version    string
	created    time.Time
	ready      bool
	readySince time.Time
	deleted    time.Time // when it was asked to go; zero: it was not
	over       bool
	restarts   int
	waiting    string // why it is not ready
	looping    bool
	cost       *string // its deletion cost, nil: none
	may        usable
}

// usable is what a pod may use: its limits, or where it has none its requests.
// Zero: neither is set.
type usable struct{ cpu, memory float64 }

// rawPod is the part of a pod that is read.
type rawPod struct {
	Spec struct {
		Containers []rawContainer `json:"containers"`
	} `json:"spec"`
	Status struct {
		Phase      string      `json:"phase"`
		PodIP      string      `json:"podIP"`
		Reason     string      `json:"reason"`
		Conditions []condition `json:"conditions"`
		Init       []rawStatus `json:"initContainerStatuses"`
		Containers []rawStatus `json:"containerStatuses"`
	} `json:"status"`
}

type rawContainer struct {
	Resources struct {
		Limits   map[string]string `json:"limits"`
		Requests map[string]string `json:"requests"`
	} `json:"resources"`
}

type rawStatus struct {
	Name         string `json:"name"`
	RestartCount int    `json:"restartCount"`
	State        struct {
		Waiting *struct {
			Reason  string `json:"reason"`
			Message string `json:"message"`
		} `json:"waiting"`
		Terminated *struct {
			ExitCode int    `json:"exitCode"`
			Reason   string `json:"reason"`
		} `json:"terminated"`
	} `json:"state"`
}

// hopeless are reasons to wait which mean that the container failed and will
// be tried again, ever more rarely.
var hopeless = []string{ //nolint:gochecknoglobals // a table
	"CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName",
	"CreateContainerConfigError", "CreateContainerError", "RunContainerError",
}

func readPod(o *unstructured.Unstructured) (pod, error) {
	raw, err := read[rawPod](o)
	if err != nil {
		return pod{}, err
	}
	labels := o.GetLabels()
	p := pod{
		name: o.GetName(), uid: string(o.GetUID()), ip: raw.Status.PodIP,
		version: labels[templateHash], created: o.GetCreationTimestamp().Time,
		over: raw.Status.Phase == "Succeeded" || raw.Status.Phase == "Failed",
	}
	if p.version == "" {
		p.version = labels[controllerHash]
	}
	if cost, ok := o.GetAnnotations()[costAnnotation]; ok {
		p.cost = &cost
	}
	if at := o.GetDeletionTimestamp(); at != nil {
		p.deleted = at.Time
		if grace := o.GetDeletionGracePeriodSeconds(); grace != nil {
			p.deleted = at.Add(-time.Duration(*grace) * time.Second)
		}
	}
	p.readConditions(raw.Status.Conditions)
	p.readContainers(slices.Concat(raw.Status.Init, raw.Status.Containers))
	p.may = usable{cpu: allowed(raw.Spec.Containers, "cpu"), memory: allowed(raw.Spec.Containers, "memory")}
	return p, nil
}

func (p *pod) readConditions(all []condition) {
	for _, c := range all {
		switch c.Type {
		case "Ready":
			p.ready, p.readySince = c.Status == "True", c.LastTransitionTime
		case "PodScheduled":
			if c.Status == "False" {
				p.waiting = strings.TrimSuffix("no node takes it: "+c.Message, ": ")
			}
		}
	}
}

func (p *pod) readContainers(all []rawStatus) {
	for i := range all {
		c := &all[i]
		p.restarts += c.RestartCount
		switch {
		case p.looping:
		case c.State.Waiting != nil:
			w := c.State.Waiting
			p.looping = slices.Contains(hopeless, w.Reason)
			p.waiting = strings.TrimSuffix(fmt.Sprintf("container %s: %s: %s", c.Name, w.Reason, w.Message), ": ")
		case c.State.Terminated != nil && c.State.Terminated.ExitCode != 0:
			p.waiting = fmt.Sprintf("container %s ended with exit code %d", c.Name, c.State.Terminated.ExitCode)
		}
	}
}

// allowed adds up what the containers may use of a resource; 0 if any of them
// says nothing.
func allowed(containers []rawContainer, name string) float64 {
	sum := 0.0
	for i := range containers {
		r := &containers[i].Resources
		text, ok := r.Limits[name]
		if !ok {
			text = r.Requests[name]
		}
		n := quantity(text)
		if n <= 0 {
			return 0
		}
		sum += n
	}
	return sum
}

// quantity reads 250m, 1Gi; 0: nothing, or not to be understood.
func quantity(text string) float64 {
	q, err := resource.ParseQuantity(text)
	if err != nil {
		return 0
	}
	return q.AsApproximateFloat64()
}

// scaled is what the driver keeps of the target.
type scaled struct {
	uid      string
	revision string // of a Deployment, as its ReplicaSets are annotated
	update   string // of a StatefulSet, the revision its pods should have
	paused   bool
	writer   string // field manager that owns the number of replicas
	// Pods of a StatefulSet with a lower ordinal keep their version, by its
	// partition; with OnDelete all do until somebody deletes them.
	firstOrdinal, updatesFrom int
}

func readScaled(o *unstructured.Unstructured) (scaled, error) {
	raw, err := read[struct {
		Spec struct {
			Paused   bool `json:"paused"`
			Strategy struct {
				Type    string `json:"type"`
				Rolling struct {
					Partition int `json:"partition"`
				} `json:"rollingUpdate"`
			} `json:"updateStrategy"`
			Ordinals struct {
				Start int `json:"start"`
			} `json:"ordinals"`
		} `json:"spec"`
		Status struct {
			UpdateRevision string `json:"updateRevision"`
		} `json:"status"`
	}](o)
	if err != nil {
		return scaled{}, err
	}
	t := scaled{
		uid: string(o.GetUID()), revision: o.GetAnnotations()[revisionAnnotation],
		update: raw.Status.UpdateRevision, paused: raw.Spec.Paused, writer: replicasWriter(o),
		firstOrdinal: raw.Spec.Ordinals.Start, updatesFrom: raw.Spec.Ordinals.Start + raw.Spec.Strategy.Rolling.Partition,
	}
	if raw.Spec.Strategy.Type == "OnDelete" {
		t.updatesFrom = math.MaxInt
	}
	return t, nil
}

// outdated reports whether a pod of an earlier version is still to be replaced,
// or about to be, where so many are wanted.
func (t *scaled) outdated(p *pod, desired int) bool {
	stops := !p.deleted.IsZero()
	if t.update == "" { // no StatefulSet: another pod takes its place, with another name
		return !stops
	}
	ordinal, err := strconv.Atoi(p.name[strings.LastIndexByte(p.name, '-')+1:])
	if err != nil {
		return !stops
	}
	return ordinal >= t.updatesFrom && (!stops || ordinal < t.firstOrdinal+desired)
}

// replicasWriter finds the field manager that owns spec.replicas; "" if nobody
// does. Of several the last to write counts.
func replicasWriter(o *unstructured.Unstructured) string {
	var writer string
	var at time.Time
	for _, f := range o.GetManagedFields() {
		if f.FieldsV1 == nil {
			continue
		}
		var fields struct {
			Spec map[string]json.RawMessage `json:"f:spec"`
		}
		if json.Unmarshal(f.FieldsV1.GetRawBytes(), &fields) != nil {
			continue // written by a later version of the API than we know
		}
		if _, ok := fields.Spec["f:replicas"]; !ok || f.Time != nil && f.Time.Time.Before(at) {
			continue
		}
		writer = f.Manager
		if f.Time != nil {
			at = f.Time.Time
		}
	}
	return writer
}

// generation is a version of a Deployment: one of its ReplicaSets.
type generation struct {
	owner    string // uid of the Deployment
	revision string
	hash     string
	created  time.Time
	wanted   int
}

func readGeneration(o *unstructured.Unstructured) (generation, error) {
	wanted, _, err := unstructured.NestedInt64(o.Object, "spec", "replicas")
	if err != nil {
		return generation{}, fmt.Errorf("read ReplicaSet %s: %w", o.GetName(), err)
	}
	g := generation{
		revision: o.GetAnnotations()[revisionAnnotation], hash: o.GetLabels()[templateHash],
		created: o.GetCreationTimestamp().Time, wanted: int(wanted),
	}
	for _, r := range o.GetOwnerReferences() {
		if r.Controller != nil && *r.Controller {
			g.owner = string(r.UID)
		}
	}
	return g, nil
}

// slice is an EndpointSlice.
type slice struct {
	ports     map[string]int // by name
	endpoints []endpoint
}

type endpoint struct {
	pod, address       string
	ready, terminating bool
}

func readSlice(o *unstructured.Unstructured) (slice, error) {
	raw, err := read[struct {
		Ports []struct {
			Name *string `json:"name"`
			Port *int    `json:"port"`
		} `json:"ports"`
		Endpoints []struct {
			Addresses  []string `json:"addresses"`
			Conditions struct {
				Ready       *bool `json:"ready"`
				Terminating *bool `json:"terminating"`
			} `json:"conditions"`
			TargetRef *struct {
				Kind string `json:"kind"`
				Name string `json:"name"`
			} `json:"targetRef"`
		} `json:"endpoints"`
	}](o)
	if err != nil {
		return slice{}, err
	}
	s := slice{ports: map[string]int{}}
	for _, p := range raw.Ports {
		if p.Port != nil {
			s.ports[orZero(p.Name)] = *p.Port
		}
	}
	for i := range raw.Endpoints {
		e := &raw.Endpoints[i]
		if e.TargetRef == nil || e.TargetRef.Kind != "Pod" || len(e.Addresses) == 0 {
			continue // not ours: somebody put it there by hand
		}
		c := e.Conditions
		s.endpoints = append(s.endpoints, endpoint{
			pod: e.TargetRef.Name, address: e.Addresses[0],
			ready: c.Ready == nil || *c.Ready, terminating: orZero(c.Terminating), // nil is ready, says the API
		})
	}
	return s, nil
}

func orZero[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// port picks the port instances are reached at; "" is the only one.
func (s *slice) port(name string) (int, error) {
	if n, ok := s.ports[name]; ok {
		return n, nil
	}
	names := slices.Sorted(maps.Keys(s.ports))
	if name == "" && len(names) == 1 {
		return s.ports[names[0]], nil
	}
	if name == "" {
		return 0, fmt.Errorf("the Service has several ports, set port to one of %s", strings.Join(names, ", "))
	}
	return 0, fmt.Errorf("the Service has no port named %q, it has %s", name, strings.Join(names, ", "))
}

// Package kubernetes looks after one service on Kubernetes: a Deployment, a
// StatefulSet, or anything else with a scale subresource, whose instances are
// the endpoints of a Service.
//
// # What it sees
//
// A [Driver] lists and watches the target, its pods, the EndpointSlices of the
// Service and, for a Deployment, its ReplicaSets. It keeps a few fields of each
// object, not the objects. A watch that ends, for whatever reason ("too old
// resource version" is one of them), is followed by a new list; until that has
// come the state is unknown and told as an error. Every few seconds the scale
// subresource is read as well: an answer proves that the watches, which share
// its connection, are not silent because the network is gone.
//
//	pod, its endpoint                        instance
//	not ready                                starting, with the reason
//	ready                                    running
//	being deleted, or terminating            stopping, at once
//	CrashLoopBackOff, ImagePullBackOff, ...  crash_loop, with the reason
//	over (Succeeded, Failed)                 left out
//
// # What it changes
//
// Victims get the lowest controller.kubernetes.io/pod-deletion-cost before the
// scale subresource is written, with the resource version that was read, so
// that nobody's change is overwritten unseen. A StatefulSet always gives up its
// highest ordinals. A ReplicaSet prefers pods that are not ready over any cost.
//
// Who else sets the number is looked for first: a HorizontalPodAutoscaler or a
// ScaledObject of KEDA makes Scale refuse. A tool that puts replicas back to
// what its files say is known afterwards, by the field manager that owns the
// field, and named as the owner.
//
// The client is client-go's dynamic one: the typed clients would make the
// binary larger by more than all the rest of this package.
package kubernetes

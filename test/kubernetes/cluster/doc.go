// Package cluster is a Kubernetes cluster for tests: the real etcd,
// kube-apiserver and kube-controller-manager, and one node whose agent runs
// each pod as a local process.
//
//	etcd (Debian) ◄── kube-apiserver ◄── kube-controller-manager
//	                        ▲
//	                        └── the agent: binds pods, runs their commands,
//	                            probes them, reports them, ends them
//
// Everything listens on addresses of 198.18.N.0/24, the range for tests of
// networks, which a local route makes this machine's own; endpoints on
// 127.0.0.0/8 are refused by the API. There is no scheduler, no kube-proxy and
// no container runtime: of a container, its command, its variables, its
// readiness probe and its grace period are heeded. A pod's address is real and
// its process the only one that listens there.
//
// scripts/kubernetes.sh builds the two programs. Linux and root only.
package cluster

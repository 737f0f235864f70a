// Package kubernetes tests the kubernetes driver, the manifests of
// deploy/kubernetes, and Holdfast with functions on Kubernetes, against a real
// control plane (package cluster).
package kubernetes

package kubernetes

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Config says which service, and where.
type Config struct {
	// Kubeconfig is the file that says how to reach the cluster; "": as kubectl
	// does ($KUBECONFIG, ~/.kube/config), or, inside a pod, as its service
	// account. Context is one of it; "": its current one.
	Kubeconfig, Context string
	// Namespace is where target and Service are; "": that of the context or pod.
	Namespace string
	// Target is what is scaled, as KIND/NAME or KIND.GROUP/NAME:
	// deployment/hello, statefulset/hello, rollout.argoproj.io/hello.
	Target string
	// Service is the Service whose endpoints are the instances.
	Service string
	// Port is the pods' port, by number or by the name it has in the Service; ""
	// is the only one the Service has.
	Port string
	// Scheme is how instances are spoken to: http (also "") or https.
	Scheme string
}

// check returns all that is wrong with c.
func (c *Config) check() error {
	var problems []error
	if _, err := parseTarget(c.Target); err != nil {
		problems = append(problems, err)
	}
	if c.Service == "" {
		problems = append(problems, errors.New("service is empty: name the Service whose endpoints are the instances"))
	}
	if c.Scheme != "" && c.Scheme != "http" && c.Scheme != "https" {
		problems = append(problems, fmt.Errorf("scheme is %q: use http or https", c.Scheme))
	}
	if n, err := strconv.Atoi(c.Port); err == nil && (n < 1 || n > 65535) {
		problems = append(problems, fmt.Errorf("port is %d: use 1 to 65535, or a name", n))
	}
	return errors.Join(problems...)
}

// connect finds out how the cluster is reached, and the namespace. It asks
// nobody.
func (c *Config) connect() (*rest.Config, string, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.Kubeconfig
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules,
		&clientcmd.ConfigOverrides{CurrentContext: c.Context})
	cfg, err := loader.ClientConfig()
	switch {
	case clientcmd.IsEmptyConfig(err):
		return nil, "", errors.New("no cluster is known: set kubeconfig, or run inside a pod with a service account")
	case err != nil:
		return nil, "", fmt.Errorf("read the kubeconfig: %w", err)
	}
	namespace := c.Namespace
	if namespace == "" {
		if namespace, _, err = loader.Namespace(); err != nil {
			return nil, "", fmt.Errorf("find the namespace: %w", err)
		}
	}
	cfg = rest.CopyConfig(cfg)
	cfg.UserAgent = manager
	cfg.QPS, cfg.Burst = 50, 100
	cfg.WarningHandlerWithContext = rest.NoWarnings{}
	return cfg, namespace, nil
}

// target is what is scaled.
type target struct {
	kind  kind
	word  string // kind or resource as configured, lower case
	group string // "" with kind other: the core group
	name  string
}

// kind is what a target is, as far as the driver makes a difference.
type kind uint8

const (
	other kind = iota
	deployment
	statefulSet
	replicaSet
)

var builtin = map[string]kind{ //nolint:gochecknoglobals // a table
	"deployment": deployment, "deployments": deployment, "deploy": deployment,
	"statefulset": statefulSet, "statefulsets": statefulSet, "sts": statefulSet,
	"replicaset": replicaSet, "replicasets": replicaSet, "rs": replicaSet,
}

func parseTarget(text string) (target, error) {
	what, name, ok := strings.Cut(text, "/")
	word, group, _ := strings.Cut(strings.ToLower(what), ".")
	if !ok || word == "" || name == "" || strings.Contains(name, "/") {
		return target{}, fmt.Errorf("target is %q: write KIND/NAME, as deployment/hello", text)
	}
	t := target{word: word, group: group, name: name}
	if group == "" || group == appsGroup {
		t.kind, t.group = builtin[word], appsGroup
	}
	if t.kind == other && group == "" {
		return target{}, fmt.Errorf("target is %q: name the API group of what is no Deployment or StatefulSet, as rollout.argoproj.io/hello", text)
	}
	return t, nil
}

func (t target) String() string {
	if t.group == appsGroup {
		return t.word + "/" + t.name
	}
	return t.word + "." + t.group + "/" + t.name
}

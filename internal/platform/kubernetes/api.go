package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/go-logr/logr"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"holdfast/internal/platform"
)

// manager is the field manager of what this driver writes.
const manager = "holdfast"

// callTimeout bounds each single call to the API.
const callTimeout = 5 * time.Second

const (
	appsGroup = "apps"
	scaleSub  = "scale"
)

func apps(resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: appsGroup, Version: "v1", Resource: resource}
}

func pods() schema.GroupVersionResource {
	return schema.GroupVersionResource{Version: "v1", Resource: "pods"}
}

// cluster is the API of one cluster, in one namespace.
type cluster struct {
	host      string
	namespace string
	objects   dynamic.Interface
	raw       rest.Interface
}

func newCluster(cfg *rest.Config, namespace string) (*cluster, error) {
	client, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("prepare the connection to %s: %w", cfg.Host, err)
	}
	objects, err := dynamic.NewForConfigAndClient(cfg, client)
	if err != nil {
		return nil, fmt.Errorf("prepare the client of %s: %w", cfg.Host, err)
	}
	raw, err := rest.UnversionedRESTClientForConfigAndClient(dynamic.ConfigFor(cfg), client)
	if err != nil {
		return nil, fmt.Errorf("prepare the client of %s: %w", cfg.Host, err)
	}
	return &cluster{host: cfg.Host, namespace: namespace, objects: objects, raw: raw}, nil
}

func (c *cluster) of(r schema.GroupVersionResource) dynamic.ResourceInterface {
	return c.objects.Resource(r).Namespace(c.namespace)
}

// quiet keeps client-go, which otherwise writes to the log of the process, to
// itself.
func quiet(ctx context.Context) context.Context {
	return klog.NewContext(ctx, logr.Discard())
}

// call is what was asked of the API, for the sentence about its failure.
type call struct {
	verb     string
	resource schema.GroupVersionResource
	name     string // "" for all
	sub      string // subresource
}

func (c call) what() string {
	w := c.resource.Resource
	if c.sub != "" {
		w += "/" + c.sub
	}
	return w
}

// explain makes err, if there is one, a sentence with a way out.
func (c *cluster) explain(err error, asked call) error {
	var unreachable *url.Error
	switch {
	case err == nil:
		return nil
	case kerrors.IsForbidden(err) && strings.Contains(err.Error(), " cannot "+asked.verb+" resource "):
		return c.forbidden(err, asked)
	case kerrors.IsUnauthorized(err):
		return fmt.Errorf("%s refuses the credentials, renew those in the kubeconfig: %w", c.host, err)
	case errors.As(err, &unreachable):
		return fmt.Errorf("the Kubernetes API at %s cannot be reached: %w", c.host, unreachable.Err)
	default:
		return fmt.Errorf("%s %s %s in namespace %s: %w", asked.verb, asked.what(), asked.name, c.namespace, err)
	}
}

// forbidden names the right that is missing.
func (c *cluster) forbidden(err error, asked call) error {
	account := "the account"
	if _, after, ok := strings.Cut(err.Error(), `User "`); ok {
		if name, _, ok := strings.Cut(after, `"`); ok {
			account = name
		}
	}
	return &denied{
		text: fmt.Sprintf("%s may not %s %s in namespace %s: allow verb %s on resource %s of API group %q in its Role, as deploy/kubernetes/rbac.yaml does",
			account, asked.verb, asked.what(), c.namespace, asked.verb, asked.what(), asked.resource.Group),
		err: err,
	}
}

// denied is a right that is missing; the API's own words stay reachable.
type denied struct {
	text string
	err  error
}

func (d *denied) Error() string { return d.text }
func (d *denied) Unwrap() error { return d.err }

// gone is explain for the target: what is not there is ErrGone.
func (d *Driver) gone(err error, asked call) error {
	if kerrors.IsNotFound(err) {
		return fmt.Errorf("%w: %s in namespace %s; create it, or correct target and namespace",
			platform.ErrGone, d.target, d.cluster.namespace)
	}
	return d.cluster.explain(err, asked)
}

// resolve finds the resource of a kind that is not built in, which takes two
// questions to the API.
func (c *cluster) resolve(ctx context.Context, t target) (schema.GroupVersionResource, error) {
	var found schema.GroupVersionResource
	var group struct {
		PreferredVersion struct {
			Version string `json:"version"`
		} `json:"preferredVersion"`
	}
	if err := c.get(ctx, "/apis/"+t.group, &group); err != nil {
		return found, fmt.Errorf("find API group %s of %s: %w", t.group, t, err)
	}
	version := group.PreferredVersion.Version
	var list struct {
		Resources []struct {
			Name string `json:"name"`
			Kind string `json:"kind"`
		} `json:"resources"`
	}
	if err := c.get(ctx, "/apis/"+t.group+"/"+version, &list); err != nil {
		return found, fmt.Errorf("list API group %s: %w", t.group, err)
	}
	scalable := map[string]bool{}
	for _, r := range list.Resources {
		resource, sub, _ := strings.Cut(r.Name, "/")
		switch {
		case sub == "" && (resource == t.word || strings.EqualFold(r.Kind, t.word)):
			found = schema.GroupVersionResource{Group: t.group, Version: version, Resource: resource}
		case sub == scaleSub:
			scalable[resource] = true
		}
	}
	if found.Resource == "" {
		return found, fmt.Errorf("API group %s has no %s", t.group, t.word)
	}
	if !scalable[found.Resource] {
		return found, fmt.Errorf("%s of API group %s have no scale subresource, nothing can scale them", found.Resource, t.group)
	}
	return found, nil
}

// get reads a JSON document of the API.
func (c *cluster) get(ctx context.Context, path string, into any) error {
	ctx, stop := context.WithTimeout(ctx, callTimeout)
	defer stop()
	body, err := c.raw.Get().AbsPath(path).Do(ctx).Raw()
	if err != nil {
		return c.explain(err, call{verb: "get", resource: schema.GroupVersionResource{Resource: path}})
	}
	return json.Unmarshal(body, into)
}

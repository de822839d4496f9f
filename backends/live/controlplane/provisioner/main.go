// A dynamic provisioner that makes volumes without storage behind them.
//
// Class parameters tell it to be slow ("slow": seconds before each volume) or to fail ("fail": how many attempts for
// a claim fail before one succeeds). It honours reclaim policy Delete by forgetting the volume.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

// driver is the CSI driver that the volumes name; nobody answers to it.
const driver = "csi.pvkit.dev"

// A claim that failed is tried again after the first of these, then ever later up to the last: the library's own fifteen
// seconds would make every plan with a failure wait.
const firstRetry, lastRetry = 250 * time.Millisecond, 5 * time.Second

type emptyVolumes struct {
	client   kubernetes.Interface
	lock     sync.Mutex
	failures map[types.UID]int
}

func number(parameters map[string]string, key string) int {
	value, err := strconv.Atoi(parameters[key])
	if err != nil {
		return 0
	}
	return value
}

func (p *emptyVolumes) refuse(claim types.UID, times int) bool {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.failures[claim]++
	return p.failures[claim] <= times
}

func (p *emptyVolumes) Provision(ctx context.Context, options controller.ProvisionOptions) (*v1.PersistentVolume, controller.ProvisioningState, error) {
	class, claim := options.StorageClass, options.PVC
	if claim.Spec.Selector != nil {
		return nil, controller.ProvisioningFinished, fmt.Errorf("claim.Spec.Selector is not supported")
	}
	select {
	case <-time.After(time.Duration(number(class.Parameters, "slow")) * time.Second):
	case <-ctx.Done():
		return nil, controller.ProvisioningNoChange, ctx.Err()
	}
	if p.refuse(claim.UID, number(class.Parameters, "fail")) {
		return nil, controller.ProvisioningReschedule, fmt.Errorf("told to fail by the class")
	}
	volume := &v1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: options.PVName},
		Spec: v1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *class.ReclaimPolicy,
			AccessModes:                   claim.Spec.AccessModes,
			VolumeMode:                    claim.Spec.VolumeMode,
			MountOptions:                  class.MountOptions,
			Capacity:                      v1.ResourceList{v1.ResourceStorage: claim.Spec.Resources.Requests[v1.ResourceStorage]},
			PersistentVolumeSource: v1.PersistentVolumeSource{
				CSI: &v1.CSIPersistentVolumeSource{Driver: driver, VolumeHandle: options.PVName},
			},
		},
	}
	// A claim may say "" for no class; a volume has to leave the field out.
	if named := claim.Spec.VolumeAttributesClassName; named != nil && *named != "" {
		volume.Spec.VolumeAttributesClassName = named
	}
	if options.SelectedNodeName != "" {
		// The hostname label of a node need not be the node's name.
		node, err := p.client.CoreV1().Nodes().Get(ctx, options.SelectedNodeName, metav1.GetOptions{})
		if err != nil {
			return nil, controller.ProvisioningReschedule, err
		}
		volume.Spec.NodeAffinity = &v1.VolumeNodeAffinity{Required: &v1.NodeSelector{NodeSelectorTerms: []v1.NodeSelectorTerm{{
			MatchExpressions: []v1.NodeSelectorRequirement{{
				Key: v1.LabelHostname, Operator: v1.NodeSelectorOpIn, Values: []string{node.Labels[v1.LabelHostname]},
			}},
		}}}}
	}
	return volume, controller.ProvisioningFinished, nil
}

func (p *emptyVolumes) Delete(context.Context, *v1.PersistentVolume) error { return nil }

// SupportsBlock says that volumes of mode Block are made too.
func (p *emptyVolumes) SupportsBlock(context.Context) bool { return true }

func main() {
	kubeconfig := flag.String("kubeconfig", "", "path of the kubeconfig")
	name := flag.String("name", "pvkit.dev/provisioner", "provisioner name that classes use")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		klog.Fatal(err)
	}
	config.QPS, config.Burst = 2000, 4000
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		klog.Fatal(err)
	}
	provisioner := &emptyVolumes{client: client, failures: map[types.UID]int{}}
	controller.NewProvisionController(ctx, client, *name, provisioner,
		controller.LeaderElection(false),
		controller.AddFinalizer(true),
		controller.RateLimiter(workqueue.NewTypedItemExponentialFailureRateLimiter[string](firstRetry, lastRetry)),
		controller.ResyncPeriod(15*time.Second),
		controller.FailedProvisionThreshold(0),
	).Run(ctx)
}

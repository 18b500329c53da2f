// A shared informer of pods, measured: the contract of all clients is in benchmarks/README.md.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

type result struct {
	Client    string  `json:"client"`
	Version   string  `json:"version"`
	Form      string  `json:"form"`
	Objects   int     `json:"objects"`
	Events    int     `json:"events"`
	ListCPU   float64 `json:"list_cpu"`
	ListWall  float64 `json:"list_wall"`
	WatchCPU  float64 `json:"watch_cpu"`
	WatchWall float64 `json:"watch_wall"`
	Before    int     `json:"rss_before"`
	After     int     `json:"rss_after"`
}

func main() {
	kubeconfig := flag.String("kubeconfig", "", "file")
	form := flag.String("form", "typed", "typed (JSON), metadata (JSON), protobuf")
	objects := flag.Int("objects", 0, "objects to list")
	events := flag.Int("events", 0, "events to watch")
	flag.Parse()

	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	must(err)
	config.QPS, config.Burst = -1, -1 // no throttle of its own
	informer, start := build(config, *form)

	var updates atomic.Int64
	done := make(chan struct{})
	_, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		UpdateFunc: func(any, any) {
			if updates.Add(1) == int64(*events) {
				close(done)
			}
		},
	})
	must(err)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	before, cpu0, wall0 := rss(), cpu(), time.Now()
	start(ctx.Done())
	// Not WaitForCacheSync, which looks every 100 ms: the changes of that time would count as work of the list.
	cache.WaitFor(ctx, "", informer.HasSyncedChecker())
	if listed := len(informer.GetStore().ListKeys()); listed != *objects {
		must(fmt.Errorf("%d objects listed, %d expected", listed, *objects))
	}
	cpu1, wall1, after := cpu(), time.Now(), rss()
	if *events > 0 {
		<-done
	}
	cpu2, wall2 := cpu(), time.Now()
	must(json.NewEncoder(os.Stdout).Encode(result{
		Client: "client-go", Version: version(), Form: *form, Objects: *objects, Events: *events,
		ListCPU: cpu1 - cpu0, ListWall: wall1.Sub(wall0).Seconds(),
		WatchCPU: cpu2 - cpu1, WatchWall: wall2.Sub(wall1).Seconds(),
		Before: before, After: after,
	}))
}

func build(config *rest.Config, form string) (cache.SharedIndexInformer, func(<-chan struct{})) {
	switch form {
	case "metadata":
		client, err := metadata.NewForConfig(jsonOnly(config))
		must(err)
		factory := metadatainformer.NewSharedInformerFactory(client, 0)
		informer := factory.ForResource(schema.GroupVersionResource{Version: "v1", Resource: "pods"}).Informer()
		return informer, factory.Start
	case "protobuf":
		config.ContentType = "application/vnd.kubernetes.protobuf"
		config.AcceptContentTypes = "application/vnd.kubernetes.protobuf"
	case "typed":
		config = jsonOnly(config)
	default:
		must(fmt.Errorf("no form %q", form))
	}
	client, err := kubernetes.NewForConfig(config)
	must(err)
	factory := informers.NewSharedInformerFactory(client, 0)
	return factory.Core().V1().Pods().Informer(), factory.Start
}

func jsonOnly(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.ContentType, config.AcceptContentTypes = "application/json", "application/json"
	return config
}

func cpu() float64 {
	var usage syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(usage.Utime) + seconds(usage.Stime)
}

// Resident bytes of this process.
func rss() int {
	status, err := os.ReadFile("/proc/self/status")
	must(err)
	for _, line := range strings.Split(string(status), "\n") {
		var kib int
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kib); n == 1 {
			return kib * 1024
		}
	}
	panic("no VmRSS")
}

func version() string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == "k8s.io/client-go" {
			return module.Version
		}
	}
	return "?"
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

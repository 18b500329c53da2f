"""Where kubewatch is at home: Flask, Django, Prometheus. Each needs its extra; the rest imports nothing of it."""

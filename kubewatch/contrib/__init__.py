"""Where kubewatch is at home: Flask, Django, Prometheus. Each needs its extra, and nothing here is imported by the rest."""

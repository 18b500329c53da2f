"""What else is measured of kubewatch: each a program of its own, which prints its figures as one line of JSON."""

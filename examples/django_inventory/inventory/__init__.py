"""What runs in the cluster, as rows of a database."""

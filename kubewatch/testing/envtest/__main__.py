"""`python -m kubewatch.testing.envtest build`: makes etcd and kube-apiserver, and prints the folder they are in."""

import argparse
import logging
import sys

from .binaries import EnvTestError, build


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m kubewatch.testing.envtest", description=__doc__)
    parser.add_argument("action", choices=["build"])
    parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        sys.stdout.write(f"{build().etcd.parent}\n")
    except EnvTestError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

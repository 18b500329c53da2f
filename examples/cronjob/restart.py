"""A cron job: restarts deployments one after the other, each when the one before is rolled out.

    python restart.py web api

Exit status: 0 all are restarted; 3 a rollout failed, or no name was given; 1 another error; 143 SIGTERM. After an
error, or SIGTERM, those that come later are left as they are.
"""

import logging
import os
import signal
import sys
from datetime import datetime, timezone

from kubewatch import Api, ConditionFailed, ConditionTimeout, KubewatchError, await_condition, conditions

logger = logging.getLogger("restart")

deployments = Api.default_namespaced("apps/v1", "Deployment")

# A retry has it in common with the run that it repeats. What has it already is not restarted again: a patch that
# changes nothing is not written.
RUN = os.environ.get("RUN") or datetime.now(timezone.utc).isoformat(timespec="seconds")


def restart(name: str) -> None:
    """Have the deployment make its pods anew, and wait until they are there."""
    template = {"metadata": {"annotations": {"example.com/restarted-by": RUN}}}
    deployments.patch(name, {"spec": {"template": template}}, field_manager="restart")
    await_condition(deployments, name, conditions.is_rolled_out, timeout=600, unless=conditions.is_rollout_failed)


def main(names: list[str]) -> int:
    if not names:
        logger.error("which deployments? Write python restart.py NAME ...")
        return 3
    for name in names:
        try:
            restart(name)
        except (ConditionFailed, ConditionTimeout) as error:
            logger.error("%s", error)
            return 3  # another try would come to the same
        except KubewatchError as error:
            logger.error("%s", error)
            return 1
        logger.info("%s is restarted", name)
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    # As the first process of a container, Python would not even notice SIGTERM.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    sys.exit(main(sys.argv[1:]))

"""The operator as a cron job: reconciles every website once, and ends; the exit code says whether all went well."""

import sys

from website_operator import controller, reconcile

summary = controller().shutdown_on_signal().run_once(reconcile, timeout=600)
print(summary)
sys.exit(summary.exit_code)

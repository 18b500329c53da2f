"""Django's command line for the inventory: `python manage.py help`."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "inventory_site.settings")
    execute_from_command_line(sys.argv)

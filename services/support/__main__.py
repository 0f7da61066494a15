"""``python -m services.support``: the support service."""

import sys

from services.runtime.main import run_service
from services.support.service import DEFINITION

if __name__ == "__main__":
    sys.exit(run_service(DEFINITION))

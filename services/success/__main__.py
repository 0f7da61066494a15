"""``python -m services.success``: the success service."""

import sys

from services.runtime.main import run_service
from services.success.service import DEFINITION

if __name__ == "__main__":
    sys.exit(run_service(DEFINITION))

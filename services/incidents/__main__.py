"""``python -m services.incidents``: the incidents service."""

import sys

from services.incidents.service import DEFINITION
from services.runtime.main import run_service

if __name__ == "__main__":
    sys.exit(run_service(DEFINITION))

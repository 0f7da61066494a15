"""``python -m services.onboarding``: the onboarding service."""

import sys

from services.onboarding.service import DEFINITION
from services.runtime.main import run_service

if __name__ == "__main__":
    sys.exit(run_service(DEFINITION))

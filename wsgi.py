"""The entry point of gunicorn (``gunicorn wsgi:app``) and of the ``flask`` command."""

import os
import sys

# Read when NumPy loads. All matrices here are small: more BLAS threads would only wait for each
# other and take the cores from the model, and one thread gives the same bits on any machine.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from app import create_app
from app.settings import SettingsError

try:
    app = create_app()
except SettingsError as error:
    print(f"Error: {error}", file=sys.stderr)
    sys.exit(2)

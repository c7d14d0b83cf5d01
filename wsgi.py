"""The entry point of gunicorn (``gunicorn wsgi:app``) and of the ``flask`` command."""

from app import create_app

app = create_app()

"""Environment variables by which a notebook server hands a kernel its slot."""

URL = "JUPYTER_GOV_URL"
SLOT = "JUPYTER_GOV_SLOT"
SECRET = "JUPYTER_GOV_SECRET"  # noqa: S105
"""Works once; the kernel exchanges it for a registered key and removes it."""

"""One group of routes, one file, each with ``router(state) -> APIRouter``."""

from support.sandbox_fixtures import boxes, checkout, listener

__all__ = ["boxes", "checkout", "listener"]

"""GitHub: App and tokens, limits and failures, and one repository's API as plain values."""

from .app import AppIdentity
from .client import GitHub
from .endpoints import Endpoints
from .limits import Pace, Rate
from .repository import Repository
from .values import (
    AppInfo,
    CheckOutput,
    CheckRun,
    Comment,
    DeliveredEvent,
    Delivery,
    DeliveryPage,
    EntryKind,
    File,
    GitCredentials,
    Issue,
    OnIssue,
    OnIssueComment,
    OnReview,
    OnReviewComment,
    Permission,
    Person,
    Pull,
    PullFile,
    RepositoryInfo,
    ReviewComment,
    Subject,
)

__all__ = [
    "AppIdentity",
    "AppInfo",
    "CheckOutput",
    "CheckRun",
    "Comment",
    "DeliveredEvent",
    "Delivery",
    "DeliveryPage",
    "Endpoints",
    "EntryKind",
    "File",
    "GitCredentials",
    "GitHub",
    "Issue",
    "OnIssue",
    "OnIssueComment",
    "OnReview",
    "OnReviewComment",
    "Pace",
    "Permission",
    "Person",
    "Pull",
    "PullFile",
    "Rate",
    "Repository",
    "RepositoryInfo",
    "ReviewComment",
    "Subject",
]

"""Comments on lines of a pull request, and answers that stay in their thread."""

from __future__ import annotations

from .errors import NotFound
from .grants import READ_PULLS, WRITE_PULLS
from .parse import read_review_comment
from .place import Place
from .values import ReviewComment


class Reviews(Place):
    async def review_comments(self, n: int) -> list[ReviewComment]:
        return await self._pages(
            READ_PULLS, "/pulls/{pull_number}/comments", read_review_comment, pull_number=n
        )

    async def review_comment(self, id: int) -> ReviewComment | None:
        try:
            return await self._get(
                READ_PULLS,
                "/pulls/comments/{comment_id}",
                read_review_comment,
                new=self._is_new(f"review comment {id}"),
                comment_id=id,
            )
        except NotFound:
            return None

    async def reply_to_review_comment(self, n: int, comment_id: int, body: str) -> ReviewComment:
        """Answers go to a thread's first comment; to one of its replies GitHub allows none. So the
        first one is looked up where `comment_id` is a reply."""
        asked = await self.review_comment(comment_id)
        first = comment_id if asked is None else asked.in_reply_to or comment_id
        reply = await self._write(
            WRITE_PULLS,
            "POST",
            "/pulls/{pull_number}/comments/{comment_id}/replies",
            read_review_comment,
            body={"body": body},
            creates=True,
            pull_number=n,
            comment_id=first,
        )
        self._made(f"review comment {reply.id}")
        return reply

"""REST: reviews and the comments on lines of a pull request's diff."""

from typing import get_args

from . import changes_reviews as changes
from .changes_pulls import Refused
from .hunks import Side
from .model import Json, Pull, Review, ReviewComment
from .rest import Answer, ApiError, Call, invalid, not_found, route
from .rest_issues import checked_body, the_review_comment
from .rest_pulls import ONE, READ, REPO, WRITE
from .shapes_thread import review as review_shape
from .shapes_thread import review_comment as comment_shape


def _visible(call: Call, number: int) -> list[ReviewComment]:
    """Without those of pending reviews, which only their author sees."""
    repo = call.repo
    return [
        c
        for c in call.seen(repo.review_comments.values())
        if c.number == number and repo.reviews[c.review_id].state != "PENDING"
    ]


def list_comments(call: Call) -> Answer:
    found = _visible(call, call.pull().number)
    return call.page([comment_shape(call.world, call.repo, c) for c in found])


def list_all_comments(call: Call) -> Answer:
    found = [c for n in call.repo.issues for c in _visible(call, n)]
    return call.page([comment_shape(call.world, call.repo, c) for c in found])


def _side(call_body: Json, name: str) -> Side | None:
    value = call_body.get(name)
    if value is None:
        return None
    for side in get_args(Side):
        if value == side:
            return side  # type: ignore[no-any-return]
    return invalid("PullRequestReviewComment", name)


def _whole(body: Json, name: str) -> int | None:
    value = body.get(name)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    return invalid("PullRequestReviewComment", name)


def _remark(given: Json) -> changes.Remark:
    path, body = given.get("path"), given.get("body")
    if not isinstance(path, str) or not path:
        invalid("PullRequestReviewComment", "path", "missing_field")
    if not isinstance(body, str) or not body.strip():
        invalid("PullRequestReviewComment", "body", "missing_field")
    return changes.Remark(
        path=path,
        body=body,
        line=_whole(given, "line"),
        side=_side(given, "side") or "RIGHT",
        start_line=_whole(given, "start_line"),
        start_side=_side(given, "start_side"),
        position=_whole(given, "position"),
        whole_file=given.get("subject_type") == "file",
    )


def create_comment(call: Call) -> Answer:
    found = call.pull()
    checked_body(call, "PullRequestReviewComment")
    to = _whole(call.body, "in_reply_to")
    if to is not None:
        return _reply(call, found, to)
    call.text("commit_id", required=True, resource="PullRequestReviewComment")
    try:
        _, made = changes.add_review(
            call.hooks,
            call.repo,
            found,
            call.actor,
            body="",
            event="COMMENT",
            remarks=[_remark(call.body)],
        )
    except Refused as refusal:
        invalid(
            "PullRequestReviewComment", "pull_request_review_thread.line", "custom", f"{refusal}"
        )
    return Answer(status=201, body=comment_shape(call.world, call.repo, made[0]))


def create_reply(call: Call) -> Answer:
    checked_body(call, "PullRequestReviewComment")
    return _reply(call, call.pull(), call.number("comment_id"))


def _reply(call: Call, found: Pull, to: int) -> Answer:
    """Only to a thread's first comment; replies to replies are refused."""
    first = call.repo.review_comments.get(to)
    if first is None or first.number != found.number:
        not_found()
    if first.in_reply_to is not None:
        invalid("PullRequestReviewComment", "in_reply_to")
    body = call.text("body") or ""
    made = changes.reply(call.hooks, call.repo, found, call.actor, first, body)
    return Answer(status=201, body=comment_shape(call.world, call.repo, made))


def get_comment(call: Call) -> Answer:
    return Answer(body=comment_shape(call.world, call.repo, the_review_comment(call)))


def _pull_of(call: Call, one: ReviewComment) -> Pull:
    found = call.repo.issues[one.number]
    assert isinstance(found, Pull)
    return found


def update_comment(call: Call) -> Answer:
    one, body = the_review_comment(call), checked_body(call, "PullRequestReviewComment")
    changes.edit_review_comment(
        call.hooks, call.repo, _pull_of(call, one), one, call.actor, body or ""
    )
    return get_comment(call)


def delete_comment(call: Call) -> Answer:
    one = the_review_comment(call)
    changes.delete_review_comment(call.hooks, call.repo, _pull_of(call, one), one, call.actor)
    return Answer(status=204)


# -- reviews


def list_reviews(call: Call) -> Answer:
    number, me = call.pull().number, call.token.user if call.token else None
    found = [
        r
        for r in call.seen(call.repo.reviews.values())
        if r.number == number and (r.state != "PENDING" or r.user is me)
    ]
    return call.page([review_shape(call.world, call.repo, r) for r in found])


def _event(call: Call) -> str | None:
    event = call.text("event")
    if event not in (None, "COMMENT", "APPROVE", "REQUEST_CHANGES"):
        raise ApiError(422, "Unprocessable Entity", ["Variable $event was provided invalid value"])
    if event in ("COMMENT", "REQUEST_CHANGES") and not (call.text("body") or "").strip():
        # https://docs.github.com/rest/pulls/reviews#create-a-review-for-a-pull-request
        raise ApiError(422, "Unprocessable Entity", ["Body cannot be blank"])
    return event


def create_review(call: Call) -> Answer:
    found, event = call.pull(), _event(call)
    given = call.body.get("comments") or []
    if not isinstance(given, list) or not all(isinstance(c, dict) for c in given):
        invalid("PullRequestReview", "comments")
    if event in ("APPROVE", "REQUEST_CHANGES") and call.actor.user is found.user:
        what = "approve" if event == "APPROVE" else "request changes on"
        raise ApiError(422, f"Can not {what} your own pull request")
    commit_id = call.text("commit_id")
    if commit_id is not None and call.repo.git.kind(commit_id) != "commit":
        invalid("PullRequestReview", "commit_id")
    try:
        made, _ = changes.add_review(
            call.hooks,
            call.repo,
            found,
            call.actor,
            body=call.text("body") or "",
            event=event,  # type: ignore[arg-type]
            remarks=[_remark(c) for c in given],
            commit_id=commit_id,
        )
    except Refused as refusal:
        # The answer does not say which comment it was.
        raise ApiError(422, "Unprocessable Entity", [str(refusal)]) from refusal
    return Answer(body=review_shape(call.world, call.repo, made))


def _the_review(call: Call) -> Review:
    found = call.repo.reviews.get(call.number("review_id"))
    return found if found is not None and found.number == call.pull().number else not_found()


def get_review(call: Call) -> Answer:
    return Answer(body=review_shape(call.world, call.repo, _the_review(call)))


def update_review(call: Call) -> Answer:
    """Only the text."""
    found, body = _the_review(call), checked_body(call, "PullRequestReview") or ""
    before, found.body = found.body, body
    call.world.record(call.actor, "edit", "review", call.repo, found.number, found.id, body)
    if before != body:
        more = {"changes": {"body": {"from": before}}}
        changes.review_event(call.hooks, call.repo, call.pull(), found, call.actor, "edited", more)
    return Answer(body=review_shape(call.world, call.repo, found))


def submit_review(call: Call) -> Answer:
    found, event = _the_review(call), _event(call)
    if found.state != "PENDING" or event is None:
        invalid("PullRequestReview", "event")
    states = {"COMMENT": "COMMENTED", "APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED"}
    changes.submit_review(
        call.hooks,
        call.repo,
        call.pull(),
        found,
        call.actor,
        body=call.text("body") or "",
        state=states[event],
    )
    return Answer(body=review_shape(call.world, call.repo, found))


def review_comments(call: Call) -> Answer:
    found = _the_review(call)
    mine = [c for c in call.repo.review_comments.values() if c.review_id == found.id]
    return call.page([comment_shape(call.world, call.repo, c) for c in mine])


ROUTES = (
    route("GET", REPO + "/pulls/comments", list_all_comments, *READ),
    route("GET", REPO + "/pulls/comments/{comment_id}", get_comment, *READ),
    route("PATCH", REPO + "/pulls/comments/{comment_id}", update_comment, *WRITE),
    route("DELETE", REPO + "/pulls/comments/{comment_id}", delete_comment, *WRITE),
    route("GET", ONE + "/comments", list_comments, *READ),
    route("POST", ONE + "/comments", create_comment, *WRITE),
    route("POST", ONE + "/comments/{comment_id}/replies", create_reply, *WRITE),
    route("GET", ONE + "/reviews", list_reviews, *READ),
    route("POST", ONE + "/reviews", create_review, *WRITE),
    route("GET", ONE + "/reviews/{review_id}", get_review, *READ),
    route("PUT", ONE + "/reviews/{review_id}", update_review, *WRITE),
    route("POST", ONE + "/reviews/{review_id}/events", submit_review, *WRITE),
    route("GET", ONE + "/reviews/{review_id}/comments", review_comments, *READ),
)

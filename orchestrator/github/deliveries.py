"""What GitHub sent to the App's webhook, and tried to: by which missed events are found again."""

from __future__ import annotations

from typing import Literal
from urllib.parse import parse_qs, urlsplit

from .calls import Caller, nothing
from .errors import NotFound
from .fields import Fields, WrongShape
from .parse import read_delivery, read_words
from .values import DeliveredEvent, DeliveryPage

LIST = "/app/hook/deliveries"
ONE = "/app/hook/deliveries/{delivery_id}"


class Deliveries:
    """GitHub keeps deliveries for three days, Enterprise Server for seven."""

    def __init__(self, as_app: Caller) -> None:
        self._as_app = as_app

    async def deliveries(
        self, *, cursor: str | None = None, status: Literal["success", "failure"] | None = None
    ) -> DeliveryPage:
        """Newest first, 100 at a time. `failure` leaves out those that were never answered, so
        `Delivery.status` has to be looked at as well."""
        query: dict[str, str | int] = {"per_page": 100}
        if cursor is not None:
            query["cursor"] = cursor
        if status is not None:
            query["status"] = status
        items, following = await self._as_app.page(LIST, read_delivery, query=query)
        return DeliveryPage(deliveries=tuple(items), next_cursor=_cursor(following))

    async def delivery(self, id: int) -> DeliveredEvent | None:
        try:
            return await self._as_app.get(ONE, _delivered, values={"delivery_id": id})
        except NotFound:
            return None

    async def redeliver(self, id: int) -> None:
        """Sent again with the same GUID. Asked twice, it comes twice; whoever reads it forgets
        repeats."""
        await self._as_app.write(
            "POST", ONE + "/attempts", nothing, repeatable=True, values={"delivery_id": id}
        )


def _cursor(url: str | None) -> str | None:
    if url is None:
        return None
    found = parse_qs(urlsplit(url).query).get("cursor")
    return found[0] if found else None


def _delivered(data: Fields) -> DeliveredEvent:
    request = data["request"]
    payload = request["payload"].value
    if not isinstance(payload, dict):
        raise WrongShape("answer.request.payload should be an object")
    return DeliveredEvent(
        delivery=read_delivery(data), headers=read_words(request["headers"]), payload=payload
    )

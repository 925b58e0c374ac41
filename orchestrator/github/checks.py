"""Check runs on a commit: how a turn shows among a pull request's checks."""

from __future__ import annotations

from typing import Any

from .grants import READ_CHECKS, WRITE_CHECKS
from .parse import read_check_run
from .place import Place
from .values import CheckOutput, CheckRun


class Checks(Place):
    async def create_check_run(
        self,
        *,
        name: str,
        head_sha: str,
        external_id: str,
        status: str,
        output: CheckOutput | None = None,
        details_url: str | None = None,
    ) -> CheckRun:
        """After an `UncertainOutcome`, `check_runs` and the `external_id` tell."""
        body: dict[str, Any] = {
            "name": name,
            "head_sha": head_sha,
            "external_id": external_id,
            "status": status,
        }
        if output is not None:
            body["output"] = _written(output)
        if details_url is not None:
            body["details_url"] = details_url
        check = await self._write(WRITE_CHECKS, "POST", "/check-runs", read_check_run, body=body)
        self._made(f"check run {check.id}")
        return check

    async def update_check_run(
        self,
        id: int,
        *,
        status: str | None = None,
        conclusion: str | None = None,
        output: CheckOutput | None = None,
    ) -> CheckRun:
        """A conclusion completes the run; saying it twice changes nothing."""
        body: dict[str, Any] = {}
        if status is not None:
            body["status"] = status
        if conclusion is not None:
            body["conclusion"] = conclusion
        if output is not None:
            body["output"] = _written(output)
        return await self._write(
            WRITE_CHECKS,
            "PATCH",
            "/check-runs/{check_run_id}",
            read_check_run,
            body=body,
            repeatable=True,
            new=self._is_new(f"check run {id}"),
            check_run_id=id,
        )

    async def check_runs(self, head_sha: str, name: str) -> list[CheckRun]:
        """Every App's, older ones too, lowest id first."""
        runs = await self._pages(
            READ_CHECKS,
            "/commits/{ref}/check-runs",
            read_check_run,
            query={"check_name": name, "filter": "all"},
            items="check_runs",
            ref=head_sha,
        )
        return sorted(runs, key=lambda run: run.id)


def _written(output: CheckOutput) -> dict[str, str]:
    written = {"title": output.title, "summary": output.summary}
    return {**written, "text": output.text} if output.text else written

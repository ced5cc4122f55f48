"""The automation of a Prefect server that sends how runs of this project end."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.events.actions import SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

from tasks.runs import STATES
from undercard.cli.registered import OURS
from undercard.errors import BadInput

NAME = "undercard: send how runs end"
BLOCK = "undercard-webhook"
TROUBLE = ("Failed", "Crashed", *STATES.values())


def send_to(url: str | None, block: str | None, *, trouble_only: bool) -> None:
    """Send how runs end to the webhook at *url*, or by the notification block called *block*.

    Args:
        url: takes JSON with `subject` and `text`.
        block: `TYPE/NAME`, instead of a URL.
        trouble_only: nothing of runs that are Completed.

    Raises:
        BadInput: there is no such block.
    """
    states = TROUBLE if trouble_only else ("Completed", *TROUBLE)
    with get_client(sync_client=True) as client:
        document = _block(client, block) if block is not None else _webhook(str(url))
        wanted = AutomationCore(
            name=NAME,
            description=f"Set by `undercard notify`: {', '.join(states)}.",
            trigger=EventTrigger(
                **OURS,
                posture=Posture.Reactive,
                expect={f"prefect.flow-run.{state}" for state in states},
                threshold=1,
            ),
            actions=[
                SendNotification(
                    block_document_id=document,
                    subject="{{ flow_run.name }}: {{ flow_run.state.name }}",
                    body="{{ flow_run.state.message }}",
                )
            ],
        )
        known = next(iter(client.read_automations_by_name(NAME)), None)
        if known is None:
            client.create_automation(wanted)
        else:
            client.update_automation(known.id, wanted)


def stop() -> bool:
    """Stop sending; return whether anything was sent."""
    with get_client(sync_client=True) as client:
        found = client.read_automations_by_name(NAME)
        for each in found:
            client.delete_automation(each.id)
    return bool(found)


def _webhook(url: str) -> UUID:
    content = {"subject": "{{subject}}", "text": "{{subject}}\n{{body}}"}
    block = CustomWebhookNotificationBlock(name=BLOCK, url=url, json_data=content, secrets={})
    # Prefect's annotation allows for callers that wait for it.
    return cast("UUID", block.save(BLOCK, overwrite=True))


def _block(client: SyncPrefectClient, block: str) -> UUID:
    kind, _, name = block.partition("/")
    for each in client.request("POST", "/block_documents/filter", json={}).json():
        if (each["block_type"]["slug"], each["name"]) == (kind, name):
            return UUID(each["id"])
    raise BadInput(f"block {block!r} does not exist; make it under Blocks in Prefect's UI, then name it as TYPE/NAME")

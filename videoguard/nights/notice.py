"""Telling people of a night, by Apprise URLs: mail, chat, pagers, web hooks (https://github.com/caronc/apprise)."""

import os
import re
from collections.abc import Sequence

from videoguard.errors import refuse_all

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


def check_addresses(addresses: Sequence[str]) -> list[str]:
    """The addresses with the variables of the environment in their places.

    Raises:
        UserError: one is no address of a service that Apprise knows, or names a variable that is not set. What stands in
            variables is told to nobody.
    """
    from apprise import Apprise

    faults, found = [], []
    for address in addresses:
        names = [first or second for first, second in _VARIABLE.findall(address)]
        absent = [name for name in names if name not in os.environ]
        filled = _VARIABLE.sub(lambda match: os.environ.get(match.group(1) or match.group(2), ""), address)
        if absent:
            faults.append(f"{shown(address)}: the variable {absent[0]} is not set where the flow runs")
        elif Apprise.instantiate(filled, suppress_exceptions=True) is None:
            faults.append(
                f"{shown(address)} is no address that Apprise knows: such as mailto://…, slack://…, json://host/path"
            )
        found.append(filled)
    refuse_all("notify", faults)
    return found


def shown(address: str) -> str:
    """An address without what is secret in it: `slack://…`."""
    scheme, separator, _ = address.partition("://")
    return f"{scheme}://…" if separator else repr(address[:20])


def send(addresses: Sequence[str], title: str, body: str) -> list[str]:
    """Send a message to each address; those that did not take it, without their secrets."""
    from apprise import Apprise

    failed = []
    for address in addresses:
        service = Apprise()
        if not service.add(address) or not service.notify(title=title, body=body):
            failed.append(shown(address))
    return failed

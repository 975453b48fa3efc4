"""The few members of an event that a decision may depend on, read from its message.

The daemon decides by them; a worker shows an action what the policy makes of them. Must not know what they lead to.
"""

from __future__ import annotations

from vestibule.v1 import event_pb2


def protocol(event: event_pb2.PostLoginEvent) -> str | None:
    """Return the protocol of the transaction; None where the gateway does not say."""
    transaction = event.transaction
    return transaction.protocol if transaction.HasField("protocol") else None


def prompt(event: event_pb2.PostLoginEvent) -> tuple[str, ...]:
    """Return the transaction's instructions and the request's own, since actions may ask for either."""
    instructions, query = event.transaction.prompt.values, event.request.query.fields
    # A look-up of what is not there would add it.
    if "prompt" in query:
        return tuple([word for text in (*instructions, query["prompt"].string_value) for word in text.split()])
    return tuple([word for text in instructions for word in text.split()]) if instructions else ()


def acr_values(event: event_pb2.PostLoginEvent) -> tuple[str, ...]:
    """Return the transaction's classes and the request's own, each class once for itself."""
    texts = list(event.transaction.acr_values.values)
    query = event.request.query.fields
    if "acr_values" in query:
        value = query["acr_values"]
        # A parameter that was sent twice may come as a list.
        texts += [item.string_value for item in value.list_value.values] or [value.string_value]
    return tuple([word for text in texts for word in text.split()])


def risk_confidence(event: event_pb2.PostLoginEvent) -> str | None:
    """Return the confidence of the risk assessment; None without one."""
    return event.authentication.risk_assessment.confidence or None


def enrolled(event: event_pb2.PostLoginEvent) -> tuple[str, ...] | None:
    """Return the types of the user's factors; None when the gateway did not say."""
    if not event.user.HasField("enrolled_factors"):
        return None
    return tuple([factor.type for factor in event.user.enrolled_factors.values])


def email_verified(event: event_pb2.PostLoginEvent) -> bool:
    """Tell whether the user's address was verified."""
    return event.user.email_verified

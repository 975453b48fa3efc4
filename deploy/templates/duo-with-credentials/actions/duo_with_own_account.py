"""Send users of some applications to Duo, with the keys of this action.

Reads the application's id and the user's nickname, which names the user at Duo; for a user without one the name is
left out. A user whose profile says `use_mfa: false` is spared.

Secrets: DUO_HOST, DUO_IKEY (client id), DUO_SKEY (client secret). Without one of them the action fails, and its
binding says what that counts as.

Source: post-login examples, Duo provider action with credentials.
"""

from vestibule_actions import Api, Event

CLIENTS = frozenset({"REPLACE_WITH_A_CLIENT_ID"})


def on_execute_post_login(event: Event, api: Api) -> None:
    if event.client.client_id not in CLIENTS or event.user.user_metadata.get("use_mfa") is False:
        return
    # vestibule: allow mfa-on-refresh the documented sample asks there too
    api.multifactor.enable(
        "duo",
        allow_remember_browser=False,
        provider_options={
            "host": event.secrets["DUO_HOST"],
            "ikey": event.secrets["DUO_IKEY"],
            "skey": event.secrets["DUO_SKEY"],
            "username": event.user.nickname,
        },
    )

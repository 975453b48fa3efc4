"""Ask users without any second factor for one, which has them enrol it.

Reads `user.multifactor`: absent and empty both mean that nothing is enrolled. Wants no secrets.

Source: post-login examples, require enrolment.
"""

from vestibule_actions import Api, Event


def on_execute_post_login(event: Event, api: Api) -> None:
    if not event.user.multifactor:
        # vestibule: allow mfa-on-refresh the documented sample asks there too
        api.multifactor.enable("any", allow_remember_browser=False)

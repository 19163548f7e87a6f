"""Stage `watch`: one live page on this machine, until it is interrupted."""

from __future__ import annotations

from zantara_exp.config.schema import Config
from zantara_exp.core.next_command import command
from zantara_exp.core.stage import Context, StageResult
from zantara_exp.page import free_port, serve, token_of
from zantara_exp.text.wording import counted
from zantara_exp.watch.app import app
from zantara_exp.watch.watcher import Watcher


def watch(config: Config, context: Context) -> StageResult:
    """Serve the page. Raises MissingRequirementError without the token, ZantaraError where the address is taken."""
    terms, host = config.watch, config.watch.host
    token = token_of("watch", terms.token_env)
    port = terms.port or free_port(host)
    entry = f"?token=${terms.token_env}" if token else ""
    shown = f"[{host}]" if ":" in host else host
    context.say(f"watching {context.layout.logs} at http://{shown}:{port}/{entry}   (Ctrl-C when done)")
    watcher = Watcher(config, context.layout)
    watcher.start()
    try:
        serve(app(config, context, watcher, [host, "localhost"], token), "watch", host, port, watcher.stop)
    finally:
        watcher.stop()
    return StageResult(
        summary={"watched": f"{counted(watcher.number, 'picture')} drawn"},
        metrics={"watch/pictures": float(watcher.number)},
        tags={},
        tables=[],
        artifacts=[],
        next_command=command("stage=report"),
    )

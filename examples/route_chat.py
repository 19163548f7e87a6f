"""A chat app with shadow mode: Claude answers its users, and the candidate answers a sample of them unseen.

    pip install anthropic
    export ANTHROPIC_API_KEY=... RUNPOD_ENDPOINT=... RUNPOD_API_KEY=...
    python examples/route_chat.py endpoint=runpod shadow=live       # then type messages; an empty line ends it

Words behind the command are overrides of the config. The three lines that an existing app needs are marked.
"""

from __future__ import annotations

import asyncio
import sys
import time

from anthropic import AsyncAnthropic

from zantara_exp import ChatRequest, PrimaryAnswer, ShadowMirror

SYSTEM = "You are ZANTARA, a warm and helpful colleague at Bali Zero."


class ChatApp:
    """The app: one client of Claude, one mirror, what each user has said."""

    def __init__(self, *overrides: str, model: str = "claude-haiku-4-5") -> None:
        self.claude = AsyncAnthropic()
        self.model = model
        self.histories: dict[str, list[dict[str, str]]] = {}
        self.shadow = ShadowMirror.from_config(*overrides)  # 1

    async def route_chat(
        self, message: str, user_id: str, memory_context: str | None = None, category: str | None = None
    ) -> str:
        """Claude's answer. The candidate is asked in another process and can neither delay nor fail this."""
        history = self.histories.setdefault(user_id, [])
        system = "\n\n".join(filter(None, [SYSTEM, memory_context]))
        began = time.perf_counter()
        asked = {"max_tokens": 400}  # and tools, stop words, thinking ... where an app has them
        reply = await self.claude.messages.create(
            model=self.model,
            **asked,
            system=system,
            messages=[*history, {"role": "user", "content": message}],  # type: ignore[list-item]
        )
        answer = PrimaryAnswer(
            text="".join(block.text for block in reply.content if block.type == "text"),
            model=reply.model,
            provider="anthropic",
            usage=reply.usage,
            latency_ms=(time.perf_counter() - began) * 1000,
            finish_reason=reply.stop_reason,
        )
        request = ChatRequest(
            message, user_id, tuple(history), memory_context, category, system_prompt=SYSTEM, options=asked
        )
        self.shadow.observe(request, answer)  # 2
        history += [{"role": "user", "content": message}, {"role": "assistant", "content": answer.text}]
        return answer.text

    async def close(self) -> None:
        """At shutdown."""
        await self.shadow.close()  # 3
        await self.claude.close()


async def main(overrides: list[str]) -> None:
    """Answer the lines of standard input."""
    app = ChatApp(*overrides)
    try:
        while message := (await asyncio.to_thread(sys.stdin.readline)).strip():
            print("ZANTARA:", await app.route_chat(message, user_id="me"), flush=True)
    finally:
        await app.close()
        stats = app.shadow.stats
        lost = dict(stats.dropped)
        print(f"observed {stats.observed}, sampled {stats.sampled}, compared {stats.compared}, lost {lost}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))

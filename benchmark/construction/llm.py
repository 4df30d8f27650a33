"""Texts by a language model behind any endpoint that speaks the OpenAI protocol (``/v1/chat/completions``)."""

import json
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from benchmark.construction.config import Llm
from benchmark.construction.prompts import Message
from benchmark.errors import InputError, Problem
from benchmark.progress import Progress, no_progress
from benchmark.storage import content_hash, write_json

_CHARACTERS_A_TOKEN = 4.0
_MESSAGE_TOKENS = 6
_ANSWER_TOKENS = 60
"""What an answer takes on average; the limit of the settings is several times that."""
_LONGEST_WAIT_S = 120.0
_AGAIN = (408, 409, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Request:
    """One text that is wanted."""

    clip_id: str
    field: str
    messages: list[Message]
    seed: int = 0
    """The clip's own: clips with the same evidence are not to be given the same words."""


@dataclass(frozen=True)
class Estimate:
    """What a run will take, before it starts."""

    requests: int
    """Not in the cache."""
    cached: int
    tokens_in: int
    tokens_out: int
    minutes: float
    """At the rate limit."""
    cost: float | None
    """None where the prices are not given."""

    def render(self) -> str:
        """One line."""
        cost = f"{self.cost:.2f} in the currency of the prices" if self.cost is not None else "unknown, no prices given"
        return (
            f"{self.requests} requests ({self.cached} more are cached), about {self.tokens_in} tokens in and "
            f"{self.tokens_out} out, at least {self.minutes:.1f} minutes; cost: {cost}"
        )


class Client:
    """Asks the endpoint, with cache, rate limit and retries. Safe to use from several threads.

    Args:
        settings: Endpoint, model and limits.
        cache: Folder of answers by content.
        sleep: For tests.
    """

    def __init__(self, settings: Llm, cache: Path, sleep: Callable[[float], None] = time.sleep) -> None:
        self.settings = settings
        self.cache = cache
        self.sent = 0
        """Requests that went out, retries included."""
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = 0.0

    def body(self, messages: Sequence[Message], seed: int) -> dict[str, Any]:
        """What is sent; its hash names the answer in the cache."""
        return {
            "model": self.settings.model,
            "messages": list(messages),
            "temperature": self.settings.temperature,
            "max_tokens": self.settings.max_tokens,
            "seed": seed,
        }

    def cached(self, messages: Sequence[Message], seed: int = 0) -> str | None:
        """The kept answer, if there is one."""
        path = self._path(self.body(messages, seed))
        try:
            return str(json.loads(path.read_text(encoding="utf-8"))["answer"])
        except (OSError, ValueError, KeyError):
            return None

    def complete(self, messages: Sequence[Message], seed: int = 0) -> str:
        """The answer to a conversation.

        Args:
            messages: With role and content each.
            seed: Passed on; endpoints that know no seeds draw by themselves.

        Returns:
            The text, white space evened out.

        Raises:
            InputError: The endpoint refuses, or fails after every retry.
        """
        if (kept := self.cached(messages, seed)) is not None:
            return kept
        body = self.body(messages, seed)
        answer = self._ask(body)
        write_json(self._path(body), {**body, "answer": answer})
        return answer

    def _path(self, body: dict[str, Any]) -> Path:
        key = content_hash(json.dumps(body, sort_keys=True))
        return self.cache / key[:2] / f"{key}.json"

    def _ask(self, body: dict[str, Any]) -> str:
        last = ""
        for attempt in range(self.settings.retries + 1):
            self._wait_for_turn()
            try:
                return _text_of(self._send(body))
            except urllib.error.HTTPError as error:
                last = f"HTTP {error.code}: {error.read(300).decode(errors='replace').strip()}"
                if error.code not in _AGAIN:
                    mend = f"check the key in {self.settings.key_variable}" if error.code in (401, 403) else ""
                    raise InputError(Problem("endpoint refuses", self._url, got=last, mend=mend)) from error
                wait = _asked_wait(error.headers.get("Retry-After"))
            except (OSError, HTTPException, ValueError) as error:
                last, wait = f"{type(error).__name__}: {error}", None
            if attempt < self.settings.retries:
                self._sleep(min(wait if wait is not None else self.settings.backoff_s * 2**attempt, _LONGEST_WAIT_S))
        tries = f"{self.settings.retries + 1} attempts"
        raise InputError(Problem("endpoint gives no answer", self._url, "a completion", f"{last} after {tries}"))

    def _wait_for_turn(self) -> None:
        """Spaces requests evenly below the rate limit."""
        with self._lock:
            now = time.monotonic()
            start = max(now, self._next)
            self._next = start + 60.0 / self.settings.requests_per_minute
            self.sent += 1
        if start > now:
            self._sleep(start - now)

    @property
    def _url(self) -> str:
        return self.settings.endpoint.rstrip("/") + "/chat/completions"

    def _send(self, body: dict[str, Any]) -> Any:
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get(self.settings.key_variable):
            headers["Authorization"] = f"Bearer {key}"
        request = urllib.request.Request(self._url, json.dumps(body).encode(), headers)  # noqa: S310 - the configuration takes web addresses only
        with urllib.request.urlopen(request, timeout=self.settings.timeout_s) as reply:  # noqa: S310
            return json.loads(reply.read())


def estimate(requests: Iterable[Request], client: Client) -> Estimate:
    """What a run will take.

    Args:
        requests: All texts that are wanted.
        client: Whose cache and prices count.

    Returns:
        The estimate: a token is taken for four characters.
    """
    count = cached = 0
    tokens_in = 0.0
    for request in requests:
        if client.cached(request.messages, request.seed) is not None:
            cached += 1
            continue
        count += 1
        tokens_in += sum(len(m["content"]) / _CHARACTERS_A_TOKEN + _MESSAGE_TOKENS for m in request.messages)
    settings = client.settings
    tokens_out = count * min(_ANSWER_TOKENS, settings.max_tokens)
    cost = None
    if settings.price_in is not None and settings.price_out is not None:
        cost = (tokens_in * settings.price_in + tokens_out * settings.price_out) / 1e6
    return Estimate(count, cached, int(tokens_in), tokens_out, count / settings.requests_per_minute, cost)


def check_cost(found: Estimate, settings: Llm) -> None:
    """Stops before a run that would cost more than allowed.

    Raises:
        InputError: The estimate is above ``most_cost``.
    """
    if settings.most_cost is not None and found.cost is not None and found.cost > settings.most_cost:
        expected, got = f"at most {settings.most_cost:g}", f"about {found.cost:.2f}"
        raise InputError(
            Problem("run would cost too much", "llm.most_cost", expected, got, "raise it, or take fewer clips")
        )


def answer_all(
    requests: Sequence[Request], client: Client, done: Callable[[Request, str], None], progress: Progress = no_progress
) -> None:
    """Gets all answers, several at a time.

    Args:
        requests: What is wanted.
        client: Asks.
        done: Called in this thread with each answer as it is at hand, in the order of the requests.
        progress: Told of answers.

    Raises:
        InputError: The endpoint refuses or fails; answers so far are in the cache, so the next run goes on from them.
    """

    def ask(request: Request) -> str:
        return client.complete(request.messages, request.seed)

    with ThreadPoolExecutor(client.settings.parallel) as pool:
        try:
            for number, answer in enumerate(pool.map(ask, requests)):
                done(requests[number], answer)
                progress("asking the language model", number + 1, len(requests))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _text_of(reply: Any) -> str:
    """The text of a completion.

    Raises:
        ValueError: The reply is no completion, or an empty one.
    """
    try:
        content = reply["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"no completion: {str(reply)[:200]}") from error
    text = " ".join(str(content or "").split()).strip("\"' ")
    if not text:
        raise ValueError("an empty completion")
    return text


def _asked_wait(header: str | None) -> float | None:
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:
        return None

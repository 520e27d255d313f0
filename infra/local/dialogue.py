"""How our scripts talk to the crate (one JSON question on standard input, one JSON answer on standard output) and to AWS.

The answer is {"ok": ...} or {"failed": {"cause": ..., "advice": ...}}. Progress goes to standard error.
"""

import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError


class Failed(Exception):
    """A failure we can name: its cause, and what to do next."""

    def __init__(self, cause, advice=""):
        super().__init__(cause)
        self.cause = cause
        self.advice = advice


def client(service):
    """A client for the endpoint and credentials of our environment, which the crate sets."""
    return boto3.client(service, config=Config(retries={"total_max_attempts": 2}, connect_timeout=5, read_timeout=120))


def say(line):
    """A line of progress."""
    print(line, file=sys.stderr, flush=True)


def hold(answer):
    """Reads the question, lets `answer` answer it, and writes what it returned, or why it failed."""
    try:
        result = {"ok": answer(json.load(sys.stdin))}
    except Failed as failure:
        result = {"failed": {"cause": failure.cause, "advice": failure.advice}}
    except (ClientError, BotoCoreError) as failure:
        result = {"failed": {"cause": str(failure), "advice": "the emulator's log may say more (.local/run/<port>/emulator.log)"}}
    except OSError as failure:
        result = {"failed": {"cause": str(failure), "advice": "check that the file exists and can be read"}}
    json.dump(result, sys.stdout)

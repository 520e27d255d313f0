"""Prints the environment of one function of the stack that `cargo xtask up` left up, as lines for `cargo lambda watch --env-file`.

Usage: .local/venv/bin/python infra/local/lambda_env.py FUNCTION > .local/FUNCTION.env

The function then runs outside the emulator, against its tables, keys and bucket. Its credentials are the emulator's administrator's,
not its own role's: what it may do is shown by the deployed function, what it does by this one.
"""

import json
import pathlib
import sys

import boto3


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    state_file = pathlib.Path(__file__).parents[2] / ".local/run/up.json"
    if not state_file.is_file():
        sys.exit("no local stack is up: run `cargo xtask up` first")
    state = json.loads(state_file.read_text(encoding="utf-8"))
    functions = state["outputs"]["functions"]
    if sys.argv[1] not in functions:
        sys.exit(f"no function {sys.argv[1]}: there are {', '.join(sorted(functions))}")
    endpoint = state["endpoint"]
    aws = {
        "AWS_ENDPOINT_URL": endpoint["url"],
        "AWS_REGION": endpoint["region"],
        "AWS_ACCESS_KEY_ID": endpoint["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": endpoint["secret_access_key"],
    }
    service = boto3.client(
        "lambda",
        endpoint_url=endpoint["url"],
        region_name=endpoint["region"],
        aws_access_key_id=endpoint["access_key_id"],
        aws_secret_access_key=endpoint["secret_access_key"],
    )
    found = service.get_function_configuration(FunctionName=functions[sys.argv[1]])["Environment"]["Variables"]
    for name, value in (found | aws).items():
        print(f"{name}={value}")


if __name__ == "__main__":
    main()

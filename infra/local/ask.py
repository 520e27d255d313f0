"""Questions to a running stack: a function's log lines, a direct invocation, or what the functions find in their environment."""

import json

import dialogue


# Lambda's own lines around each invocation.
PLATFORM = ("START RequestId:", "END RequestId:", "REPORT RequestId:")


def physical_name(question):
    function = question["function"]
    if function not in question["functions"]:
        raise dialogue.Failed(f"no function {function}: there are {', '.join(sorted(question['functions']))}")
    return question["functions"][function]


def logs(question):
    """The function's last lines, oldest first."""
    group = dialogue.client("lambda").get_function_configuration(FunctionName=physical_name(question))["LoggingConfig"]["LogGroup"]
    service = dialogue.client("logs")
    try:
        pages = service.get_paginator("filter_log_events").paginate(logGroupName=group)
        events = [event for page in pages for event in page["events"]]
    except service.exceptions.ResourceNotFoundException:
        # Nothing has been logged yet.
        return []
    events.sort(key=lambda event: event["timestamp"])
    lines = [event["message"].rstrip("\n") for event in events]
    return [line for line in lines if not line.startswith(PLATFORM)][-question["lines"]:]


def invoke(question):
    """The function's answer to a payload."""
    answer = dialogue.client("lambda").invoke(FunctionName=physical_name(question), Payload=json.dumps(question["payload"]))
    return {"payload": json.loads(answer["Payload"].read() or "null"), "failed": "FunctionError" in answer}


def environment(question):
    """The environment of all functions in one: template.yaml gives a name the same value wherever it stands."""
    service = dialogue.client("lambda")
    variables = {}
    for function in question["functions"].values():
        for name, value in service.get_function_configuration(FunctionName=function)["Environment"]["Variables"].items():
            if variables.setdefault(name, value) != value:
                raise dialogue.Failed(f"{name} is not the same in every function: {function} has {value}", "give the two meanings two names in template.yaml")
    return variables


ANSWERS = {"logs": logs, "invoke": invoke, "environment": environment}

if __name__ == "__main__":
    dialogue.hold(lambda question: ANSWERS[question["ask"]](question))

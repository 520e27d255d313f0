"""Deploys template.yaml to an emulated AWS through the CloudFormation API: the calls `sam deploy` makes, without its seconds.

Functions are zipped as they are (no build), uploaded under the hash of their binary, and skipped when already there. The template
goes by URL, with CodeUri and DefinitionUri rewritten, in a change set that creates or updates the stack. bridges.py then applies what
the emulator's CloudFormation leaves out. For a real account use SAM: docs/DEPLOY.md.
"""

import hashlib
import io
import json
import pathlib
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import ClientError

import ask
import bridges
import dialogue
import template as templates

POLL_SECONDS = 0.03
# Log lines of a function shown with a failure.
SHOWN_LINES = 10
# Settings that the emulator cannot honour (infra/local/README.md); a caller's own value wins.
EMULATED = {"TaskResultScope": "any", "TlsOnlyBucket": "false", "EncryptionContextConditions": "false", "StreamConditions": "false"}
DONE = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
RUNNING = "_IN_PROGRESS"
# A zip's timestamps are part of its bytes: the same binary must give the same zip.
ZIP_TIME = (1980, 1, 1, 0, 0, 0)


class Stopwatch:
    """The milliseconds of each phase."""

    def __init__(self):
        self.start = self.last = time.monotonic()
        self.timings_ms = {}

    def lap(self, phase):
        now = time.monotonic()
        self.timings_ms[phase] = round((now - self.last) * 1000, 1)
        self.timings_ms["total"] = round((now - self.start) * 1000, 1)
        self.last = now


def zipped(binary):
    """A deployment package: the binary as `bootstrap`, lightly compressed, the same bytes for the same binary."""
    entry = zipfile.ZipInfo("bootstrap", ZIP_TIME)
    entry.external_attr = 0o755 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr(entry, binary, compresslevel=1)
    return buffer.getvalue()


class Artifacts:
    """The bucket that CloudFormation takes code, definition and template from."""

    def __init__(self, s3, account, region):
        self.s3 = s3
        self.bucket = f"chartseal-artifacts-{account}-{region}"
        self.uploaded = 0
        try:
            s3.create_bucket(Bucket=self.bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise
        listed = s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        self.present = {item["Key"] for page in listed for item in page.get("Contents", [])}

    def put(self, folder, content, suffix, make=lambda content: content):
        """Uploads make(content) under the hash of content, unless it is there, and returns its key."""
        key = f"{folder}/{hashlib.sha256(content).hexdigest()}{suffix}"
        if key not in self.present:
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=make(content))
            self.present.add(key)
            self.uploaded += 1
        return key

    def uri(self, key):
        return f"s3://{self.bucket}/{key}"


def checked(question, template):
    """Refuses, before anything is sent, what cannot work. Returns {function: logical id}."""
    unknown = sorted(set(question["parameters"]) - set(template["Parameters"]))
    if unknown:
        raise dialogue.Failed(f"template.yaml has no parameter {', '.join(unknown)}", "see its Parameters section")
    logical_ids = {}
    for logical_id, _ in templates.of_type(template, "AWS::Serverless::Function"):
        logical_ids[template["Resources"][logical_id]["Metadata"]["BuildProperties"]["Binary"]] = logical_id
    if set(logical_ids) != set(question["functions"]):
        odd = ", ".join(sorted(set(logical_ids) ^ set(question["functions"])))
        raise dialogue.Failed(f"template.yaml and FUNCTIONS (infra/local/src/functions.rs) disagree on {odd}", "add it to the other")
    missing = [name for name in sorted(logical_ids) if not pathlib.Path(question["binaries"], name).is_file()]
    if missing:
        advice = "build the functions first (`cargo xtask` does)"
        raise dialogue.Failed(f"{question['binaries']} has no binary for {', '.join(missing)}", advice)
    return logical_ids


def package(question, template, logical_ids, artifacts):
    """Uploads every function and definition; rewrites their places in the template."""
    root = pathlib.Path(question["template"]).parent

    def upload(name):
        binary = pathlib.Path(question["binaries"], name).read_bytes()
        properties = template["Resources"][logical_ids[name]]["Properties"]
        properties["CodeUri"] = artifacts.uri(artifacts.put("functions", binary, ".zip", zipped))

    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(upload, sorted(logical_ids)))
    for _, properties in templates.of_type(template, "AWS::Serverless::StateMachine"):
        definition = (root / properties["DefinitionUri"]).read_bytes()
        properties["DefinitionUri"] = artifacts.uri(artifacts.put("workflows", definition, ".asl.json"))


def existing_stack(cloudformation, name):
    """The stack as it is, or None."""
    try:
        return cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise


def wait(look, still, limit_seconds, what):
    """Looks until it is no longer `still`, at most `limit_seconds`."""
    deadline = time.monotonic() + limit_seconds
    while still(found := look()):
        if time.monotonic() > deadline:
            raise dialogue.Failed(f"{what} did not end within {limit_seconds} s", "see the emulator's log in .local/run")
        time.sleep(POLL_SECONDS)
    return found


def parameters_of(template, given, stack):
    """Every parameter of the template: given, the emulator's, or as it was in the stack."""
    values = EMULATED | given
    before = {entry["ParameterKey"] for entry in (stack or {}).get("Parameters", [])}
    missing = [name for name, one in template["Parameters"].items() if not {"Default"} & set(one) and name not in set(values) | before]
    if missing:
        raise dialogue.Failed(f"no value for parameter {', '.join(missing)}", "give it in the deployment's parameters")
    named = [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()]
    kept = [{"ParameterKey": name, "UsePreviousValue": True} for name in sorted(before - set(values)) if name in template["Parameters"]]
    return named + kept


def first_failure(cloudformation, name, template):
    """What went wrong first, by the stack's events (which come newest first)."""
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    failed = [event for event in events if event["ResourceStatus"].endswith("_FAILED")]
    if not failed:
        return "no resource says why"
    event = failed[-1]
    cause = f"{event['LogicalResourceId']} ({event['ResourceType']}): {event.get('ResourceStatusReason', 'no reason given')}"
    if event["ResourceType"].startswith("Custom::"):
        token = template["Resources"][event["LogicalResourceId"]]["Properties"]["ServiceToken"]["Fn::GetAtt"][0]
        cause += "\nIts function logged:\n" + "\n".join(logs_of(cloudformation, name, token))
    return cause


def logs_of(cloudformation, name, logical_id):
    """The last lines of a function, if it still exists."""
    try:
        found = cloudformation.describe_stack_resource(StackName=name, LogicalResourceId=logical_id)["StackResourceDetail"]
        question = {"function": logical_id, "functions": {logical_id: found["PhysicalResourceId"]}, "lines": SHOWN_LINES}
        return ask.logs(question) or ["(nothing)"]
    except ClientError as error:
        return [f"(not known: {error})"]


def apply(cloudformation, name, url, template, given, limit_seconds, watch):
    """Makes the stack what the template says. Returns "create", "update" or "none"."""
    stack = existing_stack(cloudformation, name)
    if stack and stack["StackStatus"] in ("ROLLBACK_COMPLETE", "CREATE_FAILED", "ROLLBACK_FAILED"):
        # What a failed creation left can only be deleted.
        cloudformation.delete_stack(StackName=name)
        gone = lambda found: found is not None and found["StackStatus"].endswith(RUNNING)
        wait(lambda: existing_stack(cloudformation, name), gone, limit_seconds, f"deleting the failed stack {name}")
        stack = None
    operation = "create" if stack is None or stack["StackStatus"] == "REVIEW_IN_PROGRESS" else "update"
    change_set = f"deploy-{time.time_ns()}"
    cloudformation.create_change_set(
        StackName=name,
        ChangeSetName=change_set,
        ChangeSetType=operation.upper(),
        TemplateURL=url,
        Parameters=parameters_of(template, given, stack),
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    look = lambda: cloudformation.describe_change_set(StackName=name, ChangeSetName=change_set)
    made = wait(look, lambda found: found["Status"].endswith(("_PENDING", RUNNING)), limit_seconds, "the change set")
    watch.lap("change_set")
    if made["Status"] == "FAILED":
        reason = made.get("StatusReason", "")
        if "contain changes" in reason or "No updates" in reason:
            return "none"
        raise dialogue.Failed(f"the change set was refused: {reason}", "fix template.yaml (`sam validate --lint` may say more)")
    # A failed creation keeps its functions, so that their logs can be read; the next deployment clears it away.
    cloudformation.execute_change_set(StackName=name, ChangeSetName=change_set, DisableRollback=operation == "create")
    look = lambda: existing_stack(cloudformation, name)
    ended = wait(look, lambda found: found is None or found["StackStatus"].endswith(RUNNING) or found["StackStatus"] == "REVIEW_IN_PROGRESS",
                 limit_seconds, f"the stack's {operation}")
    watch.lap("execute")
    if ended["StackStatus"] not in DONE:
        advice = "the emulator's log has more: .local/run/<port>/emulator.log"
        raise dialogue.Failed(f"{ended['StackStatus']}: {first_failure(cloudformation, name, template)}", advice)
    return operation


def answer(question):
    watch = Stopwatch()
    template = templates.load(question["template"])
    logical_ids = checked(question, template)
    s3, cloudformation = dialogue.client("s3"), dialogue.client("cloudformation")
    identity = dialogue.client("sts").get_caller_identity()
    endpoint = s3.meta.endpoint_url.rstrip("/")
    name = question["stack_name"]
    artifacts = Artifacts(s3, identity["Account"], s3.meta.region_name)
    package(question, template, logical_ids, artifacts)
    key = artifacts.put("templates", json.dumps(template).encode(), ".json")
    watch.lap("package")
    dialogue.say(f"packaged {len(logical_ids)} functions, {artifacts.uploaded} files uploaded")

    url = f"{endpoint}/{artifacts.bucket}/{key}"
    operation = apply(cloudformation, name, url, template, question["parameters"], question["limit_seconds"], watch)
    stack = existing_stack(cloudformation, name)
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
    physical = {one["LogicalResourceId"]: one["PhysicalResourceId"] for page in pages for one in page["StackResourceSummaries"]}
    if operation != "none":
        parameters = {one["ParameterKey"]: one["ParameterValue"] for one in stack.get("Parameters", [])}
        for line in bridges.apply(dialogue.client, template, physical, parameters):
            dialogue.say(f"bridged: {line}")
    watch.lap("bridges")
    dialogue.say(f"stack {name}: {operation}, {watch.timings_ms['total'] / 1000:.1f} s")
    return {
        "api": f"{endpoint}/_aws/execute-api/{outputs['ApiId']}/$default",
        "stack": outputs,
        "functions": {function: physical[logical_id] for function, logical_id in logical_ids.items()},
        "operation": operation,
        "timings_ms": watch.timings_ms,
    }


if __name__ == "__main__":
    dialogue.hold(answer)

"""What only an administrator of the account can do: one question as JSON on standard input, the answer as JSON on standard output."""

import datetime
import io
import json
import pathlib
import sys
import zipfile

import boto3
import botocore


def client(service, **more):
    return boto3.client(service, **more)


def items(table, **conditions):
    pages = client("dynamodb").get_paginator("scan").paginate(TableName=table, ConsistentRead=True, **conditions)
    return [item for page in pages for item in page["Items"]]


def versions(bucket, prefix):
    pages = client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    return [version for page in pages for version in page.get("Versions", [])]


def inventory(q):
    counts = {table: len(items(table)) for table in q["tables"]}
    return counts | {"objects": len(versions(q["bucket"], ""))}


def forge_event(q):
    key = {"stream": {"S": q["stream"]}, "seq": {"N": str(q["seq"])}}
    item = client("dynamodb").get_item(TableName=q["table"], Key=key, ConsistentRead=True)["Item"]
    body = item["body"]["B"].decode()
    if q["from"] not in body:
        raise SystemExit(f"{q['from']} is not in {body}")
    item["body"]["B"] = body.replace(q["from"], q["to"], 1).encode()
    client("dynamodb").put_item(TableName=q["table"], Item=item)


def keyed(q):
    found = [item for item in items(q["table"]) if item["record"]["S"].startswith(q["prefix"]) and q["attribute"] in item]
    if len(found) != 1:
        raise SystemExit(f"{len(found)} items with {q['attribute']} under {q['prefix']}")
    return found[0]


def flip(q):
    item = keyed(q)
    value = bytearray(item[q["attribute"]]["B"])
    value[q["index"]] ^= 1
    item[q["attribute"]]["B"] = bytes(value)
    client("dynamodb").put_item(TableName=q["table"], Item=item)


def overwrite(q):
    for version in versions(q["bucket"], q["prefix"]):
        client("s3").put_object(Bucket=q["bucket"], Key=version["Key"], Body=b"other bytes")


def delete_object(q):
    for version in versions(q["bucket"], q["prefix"]):
        client("s3").delete_object(Bucket=q["bucket"], Key=version["Key"], VersionId=version["VersionId"])


def uploads(q):
    listed = client("s3").list_multipart_uploads(Bucket=q["bucket"], Prefix=q["prefix"])
    return [upload["UploadId"] for upload in listed.get("Uploads", [])]


def complete(q):
    place = {"Bucket": q["bucket"], "Key": q["key"], "UploadId": q["upload"]}
    kept = ("PartNumber", "ETag", "ChecksumSHA256")
    parts = [{name: part[name] for name in kept} for part in client("s3").list_parts(**place)["Parts"]]
    client("s3").complete_multipart_upload(**place, MultipartUpload={"Parts": parts})


def execution(q):
    arn = q["machine"].replace(":stateMachine:", ":execution:") + ":" + q["name"]
    try:
        return client("stepfunctions").describe_execution(executionArn=arn)["status"]
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]


def start_execution(q):
    return client("stepfunctions").start_execution(stateMachineArn=q["machine"], name=q["name"], input=json.dumps(q["input"]))["executionArn"]


def decide_task(q):
    """Tells a task that waits that it is approved, for so many seconds from now."""
    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=q["seconds"])
    output = {"decision": "approved", "until": until.isoformat(timespec="milliseconds").replace("+00:00", "Z")}
    client("stepfunctions").send_task_success(taskToken=q["token"], output=json.dumps(output))


def passed(q):
    """How an execution stands, with the states that it came to and when it did, in seconds since it began."""
    service = client("stepfunctions")
    described = service.describe_execution(executionArn=q["execution"])
    pages = service.get_paginator("get_execution_history").paginate(executionArn=q["execution"])
    entered = [event for page in pages for event in page["events"] if "stateEnteredEventDetails" in event]
    since = lambda event: (event["timestamp"] - described["startDate"]).total_seconds()
    return {"status": described["status"], "states": [(event["stateEnteredEventDetails"]["name"], since(event)) for event in entered]}


def invoke(q):
    answer = client("lambda").invoke(FunctionName=q["function"], Payload=json.dumps(q["payload"]))
    payload = json.loads(answer["Payload"].read() or "null")
    if "FunctionError" in answer:
        raise SystemExit(f"the function failed: {payload}")
    return payload


def invoke_all(q):
    """Whether each payload was answered."""
    service = client("lambda")
    return ["FunctionError" not in service.invoke(FunctionName=name, Payload=json.dumps(payload)) for name, payload in q["invocations"]]


def may(q):
    role = client("lambda").get_function_configuration(FunctionName=q["function"])["Role"]
    given = client("sts").assume_role(RoleArn=role, RoleSessionName="may")["Credentials"]
    credentials = {
        "aws_access_key_id": given["AccessKeyId"],
        "aws_secret_access_key": given["SecretAccessKey"],
        "aws_session_token": given["SessionToken"],
    }
    allowed = []
    for service, operation, arguments in q["attempts"]:
        if "CiphertextBlob" in arguments:
            arguments["CiphertextBlob"] = bytes.fromhex(arguments["CiphertextBlob"])
        try:
            getattr(client(service, **credentials), operation)(**arguments)
            allowed.append(True)
        except botocore.exceptions.ClientError as error:
            code = error.response["Error"]["Code"]
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            allowed.append(not ("AccessDenied" in code or status == 403))
    return allowed


def logs(q):
    text = []
    for name in q["functions"]:
        group = client("lambda").get_function_configuration(FunctionName=name)["LoggingConfig"]["LogGroup"]
        try:
            pages = client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
            text += [event["message"] for page in pages for event in page["events"]]
        except botocore.exceptions.ClientError as error:
            # A function that was never invoked has no group yet.
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
    return "\n".join(text)


def invocations(q):
    """Each invocation is a log stream of its own in the emulator: Lambda's lines around the function's."""
    found = []
    for name, function in sorted(q["functions"].items()):
        group = client("lambda").get_function_configuration(FunctionName=function)["LoggingConfig"]["LogGroup"]
        streams = {}
        for page in client("logs").get_paginator("filter_log_events").paginate(logGroupName=group):
            for event in page["events"]:
                streams.setdefault(event["logStreamName"], []).append(event["message"].rstrip("\n"))
        for messages in streams.values():
            [start] = [message for message in messages if message.startswith("START RequestId: ")]
            lines = [message for message in messages if not message.startswith(("START RequestId: ", "END RequestId: ", "REPORT RequestId: "))]
            found.append({"function": name, "request_id": start.split()[2], "lines": lines})
    return found


def cut_short(q):
    """How many invocations of each function have no line. The emulator can take a line for the next invocation's, so each is known by its id."""
    begun, written = [], set()
    for invocation in invocations(q):
        begun.append((invocation["function"], invocation["request_id"]))
        written.update(json.loads(line).get("request.id") for line in invocation["lines"])
    counts = dict.fromkeys(q["functions"], 0)
    for function, request_id in begun:
        counts[function] += request_id not in written
    return counts


def in_the_open(q):
    text = [item["body"]["B"].decode() for item in items(q["events"])]
    text += [item["stream"]["S"] for item in items(q["events"])]
    for version in versions(q["bucket"], ""):
        text.append(version["Key"])
        head = client("s3").head_object(Bucket=q["bucket"], Key=version["Key"], VersionId=version["VersionId"])
        text.append(json.dumps({"type": head.get("ContentType"), "metadata": head["Metadata"], "headers": head["ResponseMetadata"]["HTTPHeaders"]}))
    service = client("stepfunctions")
    for page in service.get_paginator("list_executions").paginate(stateMachineArn=q["machine"]):
        for execution in page["executions"]:
            described = service.describe_execution(executionArn=execution["executionArn"])
            text.append(json.dumps({name: described.get(name) for name in ("name", "input", "output", "status", "error", "cause")}))
    return "\n".join(text)


def attribute(value):
    """A DynamoDB attribute whose bytes came as hex."""
    return {"B": bytes.fromhex(value["B"])} if "B" in value else value


def item(values):
    return {name: attribute(value) for name, value in values.items()}


def put_item(q):
    client("dynamodb").put_item(TableName=q["table"], Item=item(q["item"]))


def drop_item(q):
    gone = client("dynamodb").delete_item(TableName=q["table"], Key=q["key"], ReturnValues="ALL_OLD")
    if "Attributes" not in gone:
        raise SystemExit(f"{q['key']} is not in {q['table']}")


def set_attribute(q):
    """Gives an attribute of an item another value, or takes it away."""
    found = client("dynamodb").get_item(TableName=q["table"], Key=q["key"], ConsistentRead=True)["Item"]
    found.pop(q["attribute"])
    if q["value"] is not None:
        found[q["attribute"]] = attribute(q["value"])
    client("dynamodb").put_item(TableName=q["table"], Item=found)


def table_items(q):
    """All items; bytes as hex."""
    plain = lambda value: {"B": value["B"].hex()} if "B" in value else value
    return [{name: plain(value) for name, value in found.items()} for found in items(q["table"])]


def hints(q):
    """Lets the stream's consumer and the rules that wake these functions sleep, or wakes them."""
    for function in q["functions"]:
        for mapping in client("lambda").list_event_source_mappings(FunctionName=function)["EventSourceMappings"]:
            client("lambda").update_event_source_mapping(UUID=mapping["UUID"], Enabled=q["on"])
        arn = client("lambda").get_function_configuration(FunctionName=function)["FunctionArn"]
        for rule in client("events").list_rule_names_by_target(TargetArn=arn)["RuleNames"]:
            (client("events").enable_rule if q["on"] else client("events").disable_rule)(Name=rule)


def forget_stream(q):
    """Deletes a function's one event source mapping; gives what is needed to make it again."""
    service = client("lambda")
    [mapping] = service.list_event_source_mappings(FunctionName=q["function"])["EventSourceMappings"]
    service.delete_event_source_mapping(UUID=mapping["UUID"])
    kept = ("EventSourceArn", "BatchSize", "MaximumBatchingWindowInSeconds", "ParallelizationFactor", "FilterCriteria", "FunctionResponseTypes",
            "BisectBatchOnFunctionError", "MaximumRetryAttempts", "MaximumRecordAgeInSeconds", "DestinationConfig")
    return {name: mapping[name] for name in kept if mapping.get(name) is not None} | {"FunctionName": q["function"]}


def recall_stream(q):
    client("lambda").create_event_source_mapping(StartingPosition="LATEST", **q["mapping"])


def put_function(q):
    """A function that is no part of the stack, with the role of one that is; gives its name."""
    service, archive = client("lambda"), io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as package:
        bootstrap = zipfile.ZipInfo("bootstrap")
        bootstrap.external_attr = 0o755 << 16
        package.writestr(bootstrap, pathlib.Path(q["program"]).read_bytes(), zipfile.ZIP_DEFLATED)
    like = service.get_function_configuration(FunctionName=q["like"])
    return service.create_function(
        FunctionName=q["name"], Runtime=like["Runtime"], Role=like["Role"], Handler="bootstrap", Code={"ZipFile": archive.getvalue()},
        Timeout=q["timeout_s"], Environment={"Variables": q["variables"]}, LoggingConfig={"LogGroup": f"/aws/lambda/{q['name']}"},
    )["FunctionName"]


def put_api(q):
    """An HTTP API that leads every call to one function, as the stack's leads its own; gives its id."""
    service = client("apigatewayv2")
    function = client("lambda").get_function_configuration(FunctionName=q["function"])["FunctionArn"]
    client("lambda").add_permission(FunctionName=q["function"], StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com")
    api = service.create_api(Name=q["function"], ProtocolType="HTTP")["ApiId"]
    integration = service.create_integration(ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=function, PayloadFormatVersion="2.0")
    service.create_route(ApiId=api, RouteKey="$default", Target=f"integrations/{integration['IntegrationId']}")
    service.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    return api


def call(q):
    """What a function gave, or how it failed."""
    answer = client("lambda").invoke(FunctionName=q["function"], Payload=json.dumps(q["payload"]))
    return {"error": answer.get("FunctionError"), "payload": answer["Payload"].read().decode()}


def credentials(q):
    """Temporary credentials of a new role with this policy and nothing else."""
    role, trust = q["role"], {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = client("iam").create_role(RoleName=role, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    client("iam").put_role_policy(RoleName=role, PolicyName="only", PolicyDocument=q["policy"])
    given = client("sts").assume_role(RoleArn=arn, RoleSessionName="story")["Credentials"]
    return {name: given[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")}


def together(q):
    return [DEEDS[deed["do"]](deed) for deed in q["deeds"]]


DEEDS = {
    "put-item": put_item,
    "drop-item": drop_item,
    "set-attribute": set_attribute,
    "table-items": table_items,
    "put-object": lambda q: client("s3").put_object(Bucket=q["bucket"], Key=q["key"], Body=q["body"].encode())["VersionId"],
    "mark-deleted": lambda q: client("s3").delete_object(Bucket=q["bucket"], Key=q["key"])["VersionId"],
    "begin-upload": lambda q: client("s3").create_multipart_upload(Bucket=q["bucket"], Key=q["key"])["UploadId"],
    "credentials": credentials,
    "hints": hints,
    "forget-stream": forget_stream,
    "recall-stream": recall_stream,
    "cut-short": cut_short,
    "put-function": put_function,
    "put-api": put_api,
    "call": call,
    "together": together,
    "inventory": inventory,
    "forge-event": forge_event,
    "flip": flip,
    "overwrite": overwrite,
    "delete-object": delete_object,
    "objects": lambda q: sorted({version["Key"] for version in versions(q["bucket"], q["prefix"])}),
    "uploads": uploads,
    "complete": complete,
    "execution": execution,
    "start-execution": start_execution,
    "decide-task": decide_task,
    "passed": passed,
    "invoke": invoke,
    "invoke-all": invoke_all,
    "may": may,
    "body": lambda q: client("s3").get_object(Bucket=q["bucket"], Key=q["key"])["Body"].read().hex(),
    "binary": lambda q: keyed(q)[q["attribute"]]["B"].hex(),
    "logs": logs,
    "invocations": invocations,
    "in-the-open": in_the_open,
}

if __name__ == "__main__":
    question = json.load(sys.stdin)
    json.dump(DEEDS[question["do"]](question), sys.stdout)

"""What the functions' roles may do, by template.yaml and by trying: one question as JSON on standard input, one row for each attempt on standard output.

Attempts are generated from the template's resources: every function's role, every resource, every kind of action on it. A type of resource that nothing
is known of fails, so that no new one can be forgotten. An attempt that is allowed changes nothing: it is about something that is not there, or its
condition cannot hold. Conditions in policies (streams' kinds, encryption contexts) are not weighed here: the emulator does not know them.
"""

import functools
import json
import pathlib
import re
import sys

import boto3
import botocore

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "infra/local"))
import template as templates  # noqa: E402

NOWHERE = "matrix-no-such-thing"
# What no role could use: it is no place, or only CloudFormation and the services themselves speak to it.
NO_PLACES = {
    "AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::Events::Rule", "AWS::Lambda::EventSourceMapping", "AWS::Lambda::Permission",
    "AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Stage", "AWS::ApiGatewayV2::Integration", "AWS::ApiGatewayV2::Route", "Custom::Genesis",
    "AWS::CloudWatch::Alarm",
}


# --- What the template grants ---------------------------------------------------------------------------------------------------------

def place(resource):
    """A statement's resource as `LogicalId` or `LogicalId/rest`."""
    if resource == "*":
        return "*"
    kind, value = next(iter(resource.items()))
    if kind == "Ref":
        return value
    if kind == "Fn::GetAtt":
        return value[0] + {"Arn": "", "StreamArn": "/stream"}[value[1]]
    if kind == "Fn::Sub" and (found := re.fullmatch(r"\$\{(\w+)\.Arn\}(/.*)?", value)):
        # ListStreams is granted on all of the table's streams: there is one at a time.
        return found[1] + (found[2] or "").replace("/stream/*", "/stream")
    if kind == "Fn::If":
        # Strict on AWS; the emulator knows task results on everything alone (infra/local/README.md).
        return "tasks"
    raise SystemExit(f"tests/rights.py cannot read the resource {resource}")


def listed(value):
    return value if isinstance(value, list) else [value]


def granted(properties):
    """Every (action, place) that a function's policies allow, with what SAM adds for a queue that takes its failures."""
    rights = set()
    for policy in properties.get("Policies", []):
        for statement in policy["Statement"]:
            assert statement["Effect"] == "Allow", statement
            rights |= {(action, place(one)) for action in listed(statement["Action"]) for one in listed(statement["Resource"])}
    on_failure = properties.get("EventInvokeConfig", {}).get("DestinationConfig", {}).get("OnFailure")
    if on_failure:
        assert on_failure["Type"] == "SQS", on_failure
        rights.add(("sqs:SendMessage", place(on_failure["Destination"])))
    return rights


# --- What is tried: (action, place, service, operation, arguments) ------------------------------------------------------------------------

def table(stack, name, properties):
    types = {one["AttributeName"]: one["AttributeType"] for one in properties["AttributeDefinitions"]}
    value = lambda attribute: {types[attribute]: {"S": NOWHERE, "N": "999999"}[types[attribute]]}
    key = {one["AttributeName"]: value(one["AttributeName"]) for one in properties["KeySchema"]}
    of = {"TableName": stack.physical[name]}
    names = {"#k": properties["KeySchema"][0]["AttributeName"]}
    # No such item exists.
    never = of | {"ConditionExpression": "attribute_exists(#k)", "ExpressionAttributeNames": names}
    query = of | {"KeyConditionExpression": "#k = :k"}
    wanted = lambda attribute: {"ExpressionAttributeNames": {"#k": attribute}, "ExpressionAttributeValues": {":k": value(attribute)}}
    yield "GetItem", "", "get_item", of | {"Key": key}
    yield "GetItem", "", "transact_get_items", {"TransactItems": [{"Get": of | {"Key": key}}]}
    yield "BatchGetItem", "", "batch_get_item", {"RequestItems": {of["TableName"]: {"Keys": [key]}}}
    yield "Query", "", "query", query | wanted(names["#k"])
    yield "Scan", "", "scan", of | {"Limit": 1}
    yield "PutItem", "", "put_item", never | {"Item": key}
    yield "PutItem", "", "transact_write_items", {"TransactItems": [{"Put": never | {"Item": key}}]}
    yield "UpdateItem", "", "update_item", never | {"Key": key}
    yield "DeleteItem", "", "delete_item", never | {"Key": key}
    yield "DeleteItem", "", "transact_write_items", {"TransactItems": [{"Delete": never | {"Key": key}}]}
    yield "BatchWriteItem", "", "batch_write_item", {"RequestItems": {of["TableName"]: [{"DeleteRequest": {"Key": key}}]}}
    yield "DescribeTable", "", "describe_table", of
    yield "UpdateTable", "", "update_table", of | {"DeletionProtectionEnabled": True}
    yield "DeleteTable", "", "delete_table", of
    yield "UpdateTimeToLive", "", "update_time_to_live", of | {"TimeToLiveSpecification": {"Enabled": True, "AttributeName": NOWHERE}}
    yield "CreateBackup", "", "create_backup", of | {"BackupName": "matrix"}
    for index in properties.get("GlobalSecondaryIndexes", []):
        attribute = index["KeySchema"][0]["AttributeName"]
        yield "Query", f"/index/{index['IndexName']}", "query", query | {"IndexName": index["IndexName"]} | wanted(attribute)


def stream(stack, name, properties):
    if "StreamSpecification" not in properties:
        return
    streams = stack.client("dynamodbstreams")
    arn = streams.list_streams(TableName=stack.physical[name])["Streams"][0]["StreamArn"]
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    at = {"StreamArn": arn, "ShardId": shard, "ShardIteratorType": "LATEST"}
    yield "DescribeStream", "/stream", "describe_stream", {"StreamArn": arn}
    yield "ListStreams", "/stream", "list_streams", {"TableName": stack.physical[name]}
    yield "GetShardIterator", "/stream", "get_shard_iterator", at
    yield "GetRecords", "/stream", "get_records", {"ShardIterator": streams.get_shard_iterator(**at)["ShardIterator"]}


# The functions' own places in each bucket, and another one, which is nobody's. (One that ends in a slash is a folder.)
PLACES = {"BlobBucket": ["records/", "elsewhere/"], "LedgerBucket": ["checkpoint", "tile/", "elsewhere/"]}


def bucket(stack, name, _properties):
    of = {"Bucket": stack.physical[name]}
    yield "ListBucket", "", "list_objects_v2", of | {"MaxKeys": 1}
    yield "ListBucketVersions", "", "list_object_versions", of | {"MaxKeys": 1}
    yield "ListBucketMultipartUploads", "", "list_multipart_uploads", of | {"MaxUploads": 1}
    yield "GetBucketPolicy", "", "get_bucket_policy", of
    yield "PutBucketPolicy", "", "put_bucket_policy", of | {"Policy": "{"}
    yield "PutBucketVersioning", "", "put_bucket_versioning", of | {"VersioningConfiguration": {"Status": "Enabled"}}
    yield "PutBucketObjectLockConfiguration", "", "put_object_lock_configuration", of | {"ObjectLockConfiguration": {}}
    yield "DeleteBucket", "", "delete_bucket", of
    for where in PLACES[name]:
        suffix = f"/{where}*" if where.endswith("/") else f"/{where}"
        at = of | {"Key": f"{where}{NOWHERE}" if where.endswith("/") else where}
        # An object that is there, where there is one.
        versions = stack.client("s3").list_object_versions(**of, Prefix=where).get("Versions", [])
        found = versions[0] if versions else {"Key": at["Key"], "VersionId": NOWHERE}
        there = of | {"Key": found["Key"]}
        upload = {"UploadId": NOWHERE}
        yield "GetObject", suffix, "get_object", there
        yield "GetObjectVersion", suffix, "get_object", there | {"VersionId": found["VersionId"]}
        # The digest is another body's.
        yield "PutObject", suffix, "put_object", at | {"Body": b"x", "ContentMD5": "AAAAAAAAAAAAAAAAAAAAAA=="}
        yield "PutObject", suffix, "upload_part", at | upload | {"PartNumber": 1, "Body": b"x"}
        yield "DeleteObject", suffix, "delete_object", at
        yield "DeleteObjectVersion", suffix, "delete_object", at | {"VersionId": NOWHERE}
        yield "AbortMultipartUpload", suffix, "abort_multipart_upload", at | upload
        yield "ListMultipartUploadParts", suffix, "list_parts", at | upload
        yield "GetObjectTagging", suffix, "get_object_tagging", there
        yield "PutObjectTagging", suffix, "put_object_tagging", at | {"Tagging": {"TagSet": []}}
        yield "PutObjectAcl", suffix, "put_object_acl", at | {"ACL": "private"}
        yield "PutObjectRetention", suffix, "put_object_retention", at | {"Retention": {}}


def key(stack, name, _properties):
    of = {"KeyId": stack.physical[name]}
    context = {"EncryptionContext": {"matrix": "x"}}
    signing = {"Message": b"x", "SigningAlgorithm": "ED25519_SHA_512"}
    yield "Decrypt", "", "decrypt", of | context | {"CiphertextBlob": NOWHERE.encode()}
    yield "Encrypt", "", "encrypt", of | context | {"Plaintext": b"x"}
    yield "GenerateDataKey", "", "generate_data_key", of | context | {"KeySpec": "AES_256"}
    yield "GenerateDataKeyWithoutPlaintext", "", "generate_data_key_without_plaintext", of | context | {"KeySpec": "AES_256"}
    yield "Sign", "", "sign", of | signing
    yield "Verify", "", "verify", of | signing | {"Signature": b"x" * 64}
    yield "GetPublicKey", "", "get_public_key", of
    yield "DescribeKey", "", "describe_key", of
    yield "GetKeyPolicy", "", "get_key_policy", of
    yield "PutKeyPolicy", "", "put_key_policy", of | {"Policy": "{"}
    yield "CreateGrant", "", "create_grant", of | {"GranteePrincipal": stack.roles[0], "Operations": ["Decrypt"]}
    yield "DisableKey", "", "disable_key", of
    yield "ScheduleKeyDeletion", "", "schedule_key_deletion", of


def machine(stack, name, _properties):
    of = {"stateMachineArn": stack.physical[name]}
    execution = {"executionArn": stack.physical[name].replace(":stateMachine:", ":execution:") + f":{NOWHERE}"}
    task = {"taskToken": NOWHERE}
    # One with this name is there already: nothing starts.
    there = stack.client("stepfunctions").list_executions(**of, maxResults=1)["executions"][0]["name"]
    yield "StartExecution", "", "start_execution", of | {"name": there, "input": "{}"}
    yield "StopExecution", "", "stop_execution", execution
    yield "DescribeExecution", "", "describe_execution", execution
    yield "GetExecutionHistory", "", "get_execution_history", execution
    yield "ListExecutions", "", "list_executions", of
    yield "DescribeStateMachine", "", "describe_state_machine", of
    yield "UpdateStateMachine", "", "update_state_machine", of | {"definition": "{"}
    yield "DeleteStateMachine", "", "delete_state_machine", of
    yield "SendTaskSuccess", None, "send_task_success", task | {"output": "{}"}
    yield "SendTaskFailure", None, "send_task_failure", task
    yield "SendTaskHeartbeat", None, "send_task_heartbeat", task


def queue(stack, name, _properties):
    of = {"QueueUrl": stack.physical[name]}
    # Longer than a message may be: it is refused.
    yield "SendMessage", "", "send_message", of | {"MessageBody": "x" * 1_100_000}
    yield "ReceiveMessage", "", "receive_message", of
    yield "DeleteMessage", "", "delete_message", of | {"ReceiptHandle": NOWHERE}
    yield "PurgeQueue", "", "purge_queue", of
    yield "SetQueueAttributes", "", "set_queue_attributes", of | {"Attributes": {"VisibilityTimeout": "30"}}
    yield "DeleteQueue", "", "delete_queue", of


def function(stack, name, _properties):
    of = {"FunctionName": stack.physical[name]}
    yield "InvokeFunction", "", "invoke", of | {"InvocationType": "DryRun"}
    yield "GetFunction", "", "get_function", of
    yield "UpdateFunctionCode", "", "update_function_code", of | {"ZipFile": b"x", "DryRun": True}
    yield "UpdateFunctionConfiguration", "", "update_function_configuration", of | {"Description": ""}


def log_group(stack, name, _properties):
    of = {"logGroupName": stack.physical[name]}
    yield "FilterLogEvents", "", "filter_log_events", of | {"limit": 1}
    yield "PutRetentionPolicy", "", "put_retention_policy", of | {"retentionInDays": 365}
    yield "DeleteLogGroup", "", "delete_log_group", of


KINDS = {
    "AWS::DynamoDB::Table": [("dynamodb", "dynamodb", table), ("dynamodbstreams", "dynamodb", stream)],
    "AWS::S3::Bucket": [("s3", "s3", bucket)],
    "AWS::KMS::Key": [("kms", "kms", key)],
    "AWS::Serverless::StateMachine": [("stepfunctions", "states", machine)],
    "AWS::SQS::Queue": [("sqs", "sqs", queue)],
    "AWS::Serverless::Function": [("lambda", "lambda", function)],
    "AWS::Logs::LogGroup": [("logs", "logs", log_group)],
}


def account(stack):
    """What is no resource of the template: the roles themselves, the event bus, the stack."""
    document = json.dumps({"Version": "2012-10-17", "Statement": []})
    for arn in stack.roles:
        role = {"RoleName": arn.rsplit("/", 1)[1]}
        yield "sts:AssumeRole", role["RoleName"], "sts", "assume_role", {"RoleArn": arn, "RoleSessionName": "matrix"}
        yield "iam:PutRolePolicy", role["RoleName"], "iam", "put_role_policy", role | {"PolicyName": "matrix", "PolicyDocument": document}
    entry = {"Source": "aws.s3", "DetailType": "Object Created", "Detail": "{}"}
    yield "events:PutEvents", "default bus", "events", "put_events", {"Entries": [entry]}
    yield "cloudformation:DescribeStacks", "stack", "cloudformation", "describe_stacks", {}


def attempts(stack):
    """Everything that is tried with each role."""
    for name, resource in stack.template["Resources"].items():
        kinds = KINDS.get(resource["Type"])
        if kinds is None and resource["Type"] not in NO_PLACES:
            raise SystemExit(f"tests/rights.py does not know what to try on {name}, a {resource['Type']}: add it to KINDS or NO_PLACES")
        for service, prefix, kind in kinds or []:
            for action, suffix, operation, arguments in kind(stack, name, resource.get("Properties", {})):
                yield f"{prefix}:{action}", "tasks" if suffix is None else name + suffix, service, operation, arguments
    yield from account(stack)


# --- Trying ---------------------------------------------------------------------------------------------------------------------------

class Stack:
    """The deployed stack: its template, its resources, an administrator's clients."""

    def __init__(self, q):
        self.template = templates.load(q["template"])
        self.session = boto3.Session()
        self.physical = self.stack_of(next(iter(q["functions"].values())))
        self.functions = {name: properties for name, properties in templates.of_type(self.template, "AWS::Serverless::Function")}
        self.role = {name: self.client("lambda").get_function_configuration(FunctionName=self.physical[name])["Role"] for name in self.functions}
        self.roles = sorted(self.role.values())

    def stack_of(self, function):
        """The physical ids of the stack that has this function. (The emulator cannot be asked for it by the function's name.)"""
        cloudformation = self.client("cloudformation")
        for found in cloudformation.describe_stacks()["Stacks"]:
            resources = cloudformation.describe_stack_resources(StackName=found["StackName"])["StackResources"]
            physical = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in resources}
            if function in physical.values():
                return physical
        raise SystemExit(f"no stack has {function}")

    def client(self, service, credentials=None):
        return self.session.client(service, config=botocore.config.Config(retries={"total_max_attempts": 1}), **(credentials or {}))

    def clients_of(self, name):
        """Makes clients with a function's role."""
        given = self.client("sts").assume_role(RoleArn=self.role[name], RoleSessionName="rights")["Credentials"]
        credentials = {
            "aws_access_key_id": given["AccessKeyId"],
            "aws_secret_access_key": given["SecretAccessKey"],
            "aws_session_token": given["SessionToken"],
        }
        return functools.cache(lambda service: self.client(service, credentials))


def allowed(client, operation, arguments):
    """Whether IAM lets it pass, whatever becomes of it then."""
    try:
        getattr(client, operation)(**arguments)
    except botocore.exceptions.ClientError as error:
        code = error.response["Error"]["Code"]
        return not ("AccessDenied" in code or error.response["ResponseMetadata"]["HTTPStatusCode"] == 403)
    return True


def main():
    q = json.load(sys.stdin)
    stack = Stack(q)
    tried = list(attempts(stack))
    rows = []
    for name, properties in stack.functions.items():
        rights, clients = granted(properties), stack.clients_of(name)
        binary = stack.template["Resources"][name]["Metadata"]["BuildProperties"]["Binary"]
        missed = rights - {(action, where) for action, where, *_ in tried}
        if missed:
            raise SystemExit(f"{name} has rights that tests/rights.py never tries: {sorted(missed)}")
        for action, where, service, operation, arguments in tried:
            row = {"function": binary, "action": action, "place": where, "operation": operation, "granted": (action, where) in rights}
            rows.append(row | {"allowed": allowed(clients(service), operation, arguments)})
    json.dump(rows, sys.stdout)


if __name__ == "__main__":
    main()

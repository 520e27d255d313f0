"""What the emulator's CloudFormation leaves out, applied by API calls after it is done. README.md lists each gap.

Every call is the one CloudFormation itself would make on AWS, so applying it where nothing was left out changes nothing.
"""

import template as templates


def apply(client, template, physical, parameters):
    """Applies every bridge; yields one line for each."""
    yield stage_settings(client("apigatewayv2"), template, physical, parameters)
    yield from tables(client("dynamodb"), template, physical)
    yield from buckets(client("s3"), template, physical, parameters)


def value(given, parameters):
    """A property that is a literal or a reference to a parameter."""
    return parameters[given["Ref"]] if isinstance(given, dict) and "Ref" in given else given


def stage_settings(gateway, template, physical, parameters):
    """HTTP API stage: DefaultRouteSettings (throttling) are dropped."""
    for logical_id, properties in templates.of_type(template, "AWS::ApiGatewayV2::Stage"):
        settings = properties["DefaultRouteSettings"]
        gateway.update_stage(
            ApiId=physical[properties["ApiId"]["Ref"]],
            StageName=properties["StageName"],
            DefaultRouteSettings={
                "ThrottlingRateLimit": float(value(settings["ThrottlingRateLimit"], parameters)),
                "ThrottlingBurstLimit": int(value(settings["ThrottlingBurstLimit"], parameters)),
            },
        )
    return "throttling of the API's stage"


def tables(dynamodb, template, physical):
    """Tables: expiry, point-in-time recovery."""
    expiring = recovering = 0
    for logical_id, properties in templates.of_type(template, "AWS::DynamoDB::Table"):
        name = physical[logical_id]
        if expiry := properties.get("TimeToLiveSpecification"):
            found = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
            # Asking twice for what is so already is an error.
            if found.get("TimeToLiveStatus") not in ("ENABLED", "ENABLING"):
                dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=expiry)
                expiring += 1
        if recovery := properties.get("PointInTimeRecoverySpecification"):
            dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=recovery)
            recovering += 1
    yield f"expiry of {expiring} tables, point-in-time recovery of {recovering}"


def buckets(s3, template, physical, parameters):
    """Buckets: lifecycle rules, locks. (API and template name one property differently.)"""
    for logical_id, properties in templates.of_type(template, "AWS::S3::Bucket"):
        bucket = physical[logical_id]
        if lifecycle := properties.get("LifecycleConfiguration"):
            rules = [api_rule(rule) for rule in lifecycle["Rules"]]
            s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
            yield f"{len(rules)} lifecycle rules of {logical_id}"
        if lock := properties.get("ObjectLockConfiguration"):
            retention = lock["Rule"]["DefaultRetention"]
            retention = {"Mode": value(retention["Mode"], parameters), "Days": int(value(retention["Days"], parameters))}
            locked = {"ObjectLockEnabled": lock["ObjectLockEnabled"], "Rule": {"DefaultRetention": retention}}
            s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=locked)
            yield f"the lock of {logical_id}: {retention['Mode']}, {retention['Days']} days"


def api_rule(rule):
    """A template's lifecycle rule as S3's API takes it."""
    rule = {"ID": rule["Id"], "Filter": {"Prefix": rule.get("Prefix", "")}} | {k: v for k, v in rule.items() if k not in ("Id", "Prefix")}
    if rule.pop("ExpiredObjectDeleteMarker", False):
        rule["Expiration"] = {"ExpiredObjectDeleteMarker": True}
    return rule

//! The member `_aws`, by which CloudWatch finds metrics in a log line: Embedded Metric Format
//! (docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html).

use serde_json::{Map, Value, json};

use super::fields::{FIELDS, METADATA, Metric, NAMESPACE};

/// Adds the member to a line. Metrics that are kept by a field which this line has not got are left out there.
pub(super) fn embed(members: &mut Map<String, Value>, at_ms: u64) {
    let mut directives: Vec<(&'static [&'static [&'static str]], Vec<Value>)> = Vec::new();
    for field in FIELDS.iter().filter(|field| members.contains_key(field.name)) {
        let Some(Metric { unit, by }) = field.metric else { continue };
        let definition = json!({"Name": field.name, "Unit": unit.name()});
        match directives.iter_mut().find(|(known, _)| *known == by) {
            Some((_, definitions)) => definitions.push(definition),
            None => directives.push((by, vec![definition])),
        }
    }
    let directives = directives.into_iter().filter_map(|(by, definitions)| {
        let by: Vec<_> = by.iter().filter(|set| set.iter().all(|name| members.contains_key(*name))).collect();
        (!by.is_empty()).then(|| json!({"Namespace": NAMESPACE, "Dimensions": by, "Metrics": definitions}))
    });
    let directives: Vec<Value> = directives.collect();
    members.insert(METADATA.to_owned(), json!({"Timestamp": at_ms, "CloudWatchMetrics": directives}));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::fields;

    /// What is wrong with a document, by the specification's schema and its words: a root node with integer `Timestamp` and directives, each with a
    /// namespace of 1 to 1,024 characters, sets of at most 30 dimensions, 1 to 100 metrics with a known unit; every reference is a member of the root:
    /// dimensions texts of 1 to 1,024 characters, metrics numbers.
    fn breaches(root: &Value) -> Vec<String> {
        let mut found = Vec::new();
        let mut must = |holds: bool, what: String| {
            if !holds {
                found.push(what);
            }
        };
        let metadata = &root["_aws"];
        must(metadata["Timestamp"].is_u64(), "Timestamp".to_owned());
        must(metadata.as_object().is_some_and(|members| members.len() == 2), "members of _aws".to_owned());
        for directive in metadata["CloudWatchMetrics"].as_array().expect("directives") {
            must(directive.as_object().is_some_and(|members| members.len() == 3), format!("members of {directive}"));
            let namespace = directive["Namespace"].as_str().unwrap_or_default();
            must((1..=1_024).contains(&namespace.len()), format!("namespace {namespace}"));
            let sets = directive["Dimensions"].as_array().expect("sets");
            must(!sets.is_empty(), "no set of dimensions".to_owned());
            for set in sets {
                let set = set.as_array().expect("a set");
                must(set.len() <= 30, "dimensions of a set".to_owned());
                for name in set {
                    let value = root[name.as_str().expect("a name")].as_str().unwrap_or_default();
                    must((1..=1_024).contains(&value.len()), format!("dimension {name}"));
                }
            }
            let metrics = directive["Metrics"].as_array().expect("metrics");
            must((1..=100).contains(&metrics.len()), "metrics of a directive".to_owned());
            for metric in metrics {
                must(metric.as_object().is_some_and(|members| members.len() == 2), format!("members of {metric}"));
                must(
                    ["Count", "Milliseconds"].contains(&metric["Unit"].as_str().unwrap_or_default()),
                    "unit".to_owned(),
                );
                must(root[metric["Name"].as_str().unwrap_or_default()].is_number(), format!("metric {metric}"));
            }
        }
        found
    }

    fn line(members: Value) -> Value {
        let Value::Object(mut members) = members else { panic!("an object") };
        embed(&mut members, 1_795_392_000_000);
        Value::Object(members)
    }

    #[test]
    fn every_metric_at_once_is_a_sound_document() {
        let mut members =
            json!({"vault": "v.example", "function": "records", "operation": "POST /records", "code": "not-found"});
        for field in FIELDS.iter().filter(|field| field.metric.is_some()) {
            members[field.name] = 1.into();
        }
        let line = line(members);
        assert_eq!(breaches(&line), Vec::<String>::new());
        let named = |name: &str| line["_aws"].to_string().contains(&format!("{{\"Name\":\"{name}\""));
        assert!(FIELDS.iter().all(|field| field.metric.is_some() == named(field.name)));
    }

    #[test]
    fn a_metric_is_kept_by_what_the_line_has() {
        let line = line(json!({"vault": "v", "function": "tokens", "duration_ms": 1.5, "refused": 1, "failed": 1}));
        assert_eq!(breaches(&line), Vec::<String>::new());
        let text = line["_aws"].to_string();
        assert!(text.contains(r#"[["vault"],["vault","function"]]"#) && text.contains(r#""failed""#), "{text}");
        assert!(!text.contains("refused") && !text.contains("duration_ms"), "no code and no operation: {text}");
    }

    #[test]
    fn unsound_documents_are_noticed() {
        let sound = line(json!({"vault": "v", "function": "tokens", "conflicts": 1}));
        for (pointer, bad) in [
            ("/_aws/Timestamp", json!("now")),
            ("/_aws/CloudWatchMetrics/0/Namespace", json!("")),
            ("/_aws/CloudWatchMetrics/0/Dimensions", json!([])),
            ("/_aws/CloudWatchMetrics/0/Dimensions/0/0", json!("nowhere")),
            ("/_aws/CloudWatchMetrics/0/Metrics", json!([])),
            ("/_aws/CloudWatchMetrics/0/Metrics/0/Unit", json!("Pieces")),
            ("/_aws/CloudWatchMetrics/0/Metrics/0/Name", json!("nowhere")),
            ("/conflicts", json!("1")),
            ("/vault", json!(7)),
        ] {
            let mut line = sound.clone();
            *line.pointer_mut(pointer).expect("a member") = bad;
            assert!(!breaches(&line).is_empty(), "{pointer}");
        }
        assert_eq!(fields::NAMESPACE, "chartseal", "template.yaml's alarms name it");
    }
}

//! How large DynamoDB takes an item for (Developer Guide, "DynamoDB item sizes and formats").

use serde_json::{Map, Value};

/// An item: attribute values by name, as the API writes them.
pub type Item = Map<String, Value>;

/// Bytes of an item: its attributes' names and values.
pub fn item_bytes(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value_bytes(value)).sum()
}

/// # Panics
/// Where it is of a type that no item of the vault has.
fn value_bytes(value: &Value) -> usize {
    let (kind, value) = value.as_object().and_then(|one| one.iter().next()).expect("a typed attribute value");
    match (kind.as_str(), value) {
        ("S", Value::String(text)) => text.len(),
        ("N", Value::String(digits)) => number_bytes(digits),
        // Base64 on the wire.
        ("B", Value::String(text)) => text.len() / 4 * 3 - text.bytes().rev().take_while(|byte| *byte == b'=').count(),
        ("BOOL" | "NULL", _) => 1,
        _ => panic!("an attribute of type {kind}: no item of the vault has one; give it a size in size.rs"),
    }
}

/// A byte for every two significant digits, and one more. Leading and trailing zeros are not significant.
fn number_bytes(digits: &str) -> usize {
    let negative = digits.starts_with('-');
    let (whole, fraction) =
        digits.trim_start_matches('-').split_once('.').unwrap_or((digits.trim_start_matches('-'), ""));
    let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    let first = all.iter().position(|digit| *digit != b'0');
    let Some(first) = first else { return 1 };
    let last = all.iter().rposition(|digit| *digit != b'0').unwrap_or(first);
    // Digits are stored in pairs from the decimal point on: an odd one at either end takes a byte of its own.
    let (first_pair, last_pair) = (pair(first, whole.len()), pair(last, whole.len()));
    usize::try_from(last_pair - first_pair).unwrap_or(0) + 2 + usize::from(negative)
}

/// Which pair of digits a place belongs to, counted from the decimal point.
fn pair(place: usize, whole: usize) -> i64 {
    let from_point = i64::try_from(place).unwrap_or(0) - i64::try_from(whole).unwrap_or(0);
    from_point.div_euclid(2)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bytes(item: Value) -> usize {
        let Value::Object(item) = item else { panic!("no item: {item}") };
        item_bytes(&item)
    }

    #[test]
    fn the_guides_own_example() {
        // Developer Guide, "DynamoDB item sizes and formats": "shirt-color" is 11 bytes, "R" is 1.
        assert_eq!(bytes(json!({"shirt-color": {"S": "R"}, "shirt-size": {"S": "M"}})), 11 + 1 + 10 + 1);
    }

    #[test]
    fn text_counts_in_utf_8_and_binary_as_it_is() {
        assert_eq!(bytes(json!({"a": {"S": "é€"}})), 1 + 2 + 3);
        assert_eq!(bytes(json!({"a": {"B": "AAEC"}})), 1 + 3);
        assert_eq!(bytes(json!({"a": {"B": "AAE="}})), 1 + 2);
        assert_eq!(bytes(json!({"a": {"B": "AA=="}})), 1 + 1);
        assert_eq!(bytes(json!({"a": {"BOOL": true}})), 1 + 1);
    }

    #[test]
    fn a_number_takes_a_byte_for_two_digits_and_one_more() {
        for (digits, expected) in [
            ("0", 1),
            ("7", 2),
            ("42", 2),
            ("100", 2),
            ("123", 3),
            ("1200", 2),
            ("1795415432107", 8),
            ("1795415432100", 7),
            ("-42", 3),
            ("1.5", 3),
        ] {
            assert_eq!(number_bytes(digits), expected, "{digits}");
        }
    }
}

//! JSON read strictly (RFC 8259, I-JSON's rule on names): a name that stands twice in an object is refused at every depth, so that no
//! two readers of the same signed bytes can see different values.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(Value::Number(v.into()))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(Value::Number(v.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, v: f64) -> Result<Value, E> {
        Number::from_f64(v).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(Value::String(v.to_owned()))
    }

    fn visit_string<E>(self, v: String) -> Result<Value, E> {
        Ok(Value::String(v))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Self)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            let value = access.next_value_seed(Self)?;
            if map.insert(name, value).is_some() {
                return Err(serde::de::Error::custom("a name stands twice in an object"));
            }
        }
        Ok(Value::Object(map))
    }
}

/// Reads one JSON value; trailing bytes and doubled names are errors.
pub fn value(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// Reads one JSON object into `T`, strictly: nothing else in its place (a list of the members' values, say), and no member that is `null` in the place of
/// one that is not there. So what is signed or hashed has one meaning for every reader.
pub fn object<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    match value(bytes)? {
        Value::Object(members) if !members.values().any(Value::is_null) => {
            serde_json::from_value(Value::Object(members))
        }
        _ => Err(serde::de::Error::custom("not an object, or a member is null")),
    }
}

/// Reads one JSON value into `T`, strictly.
pub fn parse<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_value(value(bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubled_names_and_trailing_bytes_are_refused() {
        assert!(value(br#"{"a":1,"b":{"a":[true,null,-1,1.5,"x"]}}"#).is_ok());
        assert!(value(br#"{"a":1,"a":1}"#).is_err());
        assert!(value(br#"{"b":[{"a":1,"\u0061":2}]}"#).is_err());
        assert!(value(br#"{"a":1} x"#).is_err());
        assert!(value(&[b'['; 4096]).is_err(), "depth is bounded");
    }

    #[test]
    fn an_object_is_an_object() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct Two {
            a: u32,
            b: Option<u32>,
        }
        assert_eq!(object::<Two>(br#"{"a":1}"#).ok(), Some(Two { a: 1, b: None }));
        for other in [&b"[1,null]"[..], b"[1,2]", br#"{"a":1,"b":null}"#, b"null"] {
            assert!(object::<Two>(other).is_err());
        }
    }
}

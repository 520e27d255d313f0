//! What each call of DynamoDB consumes, by its rules (Developer Guide, "DynamoDB read and write operations", "On-demand capacity mode", "Using Global
//! Secondary Indexes"). Calls say what they ask for and what they got, but a projected read does not say how large its items are: so every item that
//! was written is kept here, and looked up.
//!
//! The rules: a read of an item takes a unit for each 4 KB begun, half of it where it is eventually consistent, and no less where there is no item. A query
//! sums what it looks at before it rounds; a batch rounds each item. A write takes a unit for each KB begun of the larger of the item before and after; so does
//! one whose condition fails. In a transaction it takes two. An entry of an index that comes, goes or changes is a write of its own, outside the transaction.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::call::Units;
use crate::size::{Item, item_bytes};

/// Bytes of a read request unit.
const READ_UNIT_BYTES: usize = 4096;
/// Bytes of a write request unit.
const WRITE_UNIT_BYTES: usize = 1024;
/// Writes of a transaction: one to prepare, one to commit.
const TRANSACTION_FACTOR: f64 = 2.0;

/// The tables as they are after the calls that were observed.
#[derive(Debug, Default)]
pub struct Mirror {
    tables: BTreeMap<String, Table>,
}

#[derive(Debug)]
struct Table {
    key: Vec<String>,
    /// The keys of its indexes, all of which project keys alone.
    indexes: BTreeMap<String, Vec<String>>,
    items: BTreeMap<String, Item>,
}

/// How a write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    Done,
    /// A condition failed: paid for, and not done.
    Refused,
    /// Something else failed.
    Failed,
}

/// Read units of so many bytes.
pub fn read_units(bytes: usize, consistent: bool) -> f64 {
    let blocks = count(bytes, READ_UNIT_BYTES);
    if consistent { blocks } else { blocks / 2.0 }
}

/// Write units of so many bytes.
pub fn write_units(bytes: usize) -> f64 {
    count(bytes, WRITE_UNIT_BYTES)
}

fn count(bytes: usize, of: usize) -> f64 {
    u32::try_from(bytes.div_ceil(of).max(1)).map_or(f64::NAN, f64::from)
}

impl Mirror {
    /// Takes note of a call, and says what it consumed.
    ///
    /// # Panics
    /// Where it is one whose rules are not written down here.
    pub fn observe(&mut self, action: &str, asked: &Value, status: u16, answered: &Value) -> Units {
        let written = match (status, answered["__type"].as_str().unwrap_or_default()) {
            (200, _) => Written::Done,
            (_, error) if error.ends_with("ConditionalCheckFailedException") => Written::Refused,
            (_, error) if error.ends_with("TransactionCanceledException") => Written::Refused,
            _ => Written::Failed,
        };
        let read = |read| Units { read, write: 0.0 };
        let write = |write| Units { read: 0.0, write };
        match action {
            "CreateTable" => {
                self.create(asked);
                Units::default()
            }
            "GetItem" => read(self.get(asked)),
            "BatchGetItem" => read(self.batch(asked)),
            "Query" => read(self.query(asked, answered)),
            "PutItem" => write(self.put(asked, written)),
            "DeleteItem" => {
                let key = item(&asked["Key"]);
                write(self.table(asked).write(&key, None, written))
            }
            "UpdateItem" => write(self.update(asked, written)),
            "TransactWriteItems" => write(self.transact(asked, written)),
            _ => panic!("{action}: its consumption is not worked out yet; see mirror.rs"),
        }
    }

    fn create(&mut self, asked: &Value) {
        let indexes = asked["GlobalSecondaryIndexes"].as_array().into_iter().flatten().map(|index| {
            assert_eq!(index["Projection"]["ProjectionType"], "KEYS_ONLY", "an index of another kind: see mirror.rs");
            (text(&index["IndexName"]).to_owned(), key_names(index))
        });
        let table = Table { key: key_names(asked), indexes: indexes.collect(), items: BTreeMap::new() };
        self.tables.insert(text(&asked["TableName"]).to_owned(), table);
    }

    fn table(&mut self, asked: &Value) -> &mut Table {
        let name = text(&asked["TableName"]);
        self.tables.get_mut(name).unwrap_or_else(|| panic!("the table {name} was made before anybody looked"))
    }

    fn get(&mut self, asked: &Value) -> f64 {
        let key = item(&asked["Key"]);
        read_units(self.table(asked).bytes_at(&key), asked["ConsistentRead"] == true)
    }

    fn batch(&self, asked: &Value) -> f64 {
        let tables = asked["RequestItems"].as_object().into_iter().flatten();
        let reads = tables.flat_map(|(name, wanted)| {
            let table = &self.tables[name];
            let keys = wanted["Keys"].as_array().into_iter().flatten();
            keys.map(|key| read_units(table.bytes_at(&item(key)), wanted["ConsistentRead"] == true))
        });
        reads.sum()
    }

    fn query(&mut self, asked: &Value, answered: &Value) -> f64 {
        assert!(asked.get("FilterExpression").is_none(), "a filter looks at more than it gives: see mirror.rs");
        let consistent = asked["ConsistentRead"] == true;
        let found = answered["Items"].as_array().into_iter().flatten();
        if asked.get("IndexName").is_some() {
            assert!(asked.get("ProjectionExpression").is_none(), "entries of an index are read whole");
            return read_units(found.map(|entry| item_bytes(&item(entry))).sum(), consistent);
        }
        let (name, value) = queried_key(asked);
        let table = self.table(asked);
        let keys = found.map(|found| {
            let mut key = item(found);
            key.insert(name.clone(), value.clone());
            key
        });
        let sizes = keys.map(|key| table.bytes_at(&key));
        read_units(sizes.sum(), consistent)
    }

    fn put(&mut self, asked: &Value, written: Written) -> f64 {
        let put = item(&asked["Item"]);
        self.table(asked).write(&put.clone(), Some(put), written)
    }

    fn update(&mut self, asked: &Value, written: Written) -> f64 {
        let key = item(&asked["Key"]);
        let table = self.table(asked);
        let mut after = table.at(&key).cloned().unwrap_or_else(|| key.clone());
        apply(&mut after, asked);
        table.write(&key, Some(after), written)
    }

    fn transact(&mut self, asked: &Value, written: Written) -> f64 {
        let mut units = 0.0;
        for write in asked["TransactItems"].as_array().into_iter().flatten() {
            let put = write.get("Put").expect("a put: other writes of transactions have no rule in mirror.rs yet");
            let new = item(&put["Item"]);
            let table = self.table(put);
            let bytes = item_bytes(&new).max(table.bytes_at(&new));
            // The table's part is doubled, the indexes' is not: they follow later, by themselves.
            units += table.write(&new.clone(), Some(new), written);
            if written != Written::Failed {
                units += (TRANSACTION_FACTOR - 1.0) * write_units(bytes);
            }
        }
        units
    }
}

impl Table {
    fn place(&self, item: &Item) -> String {
        let parts = self.key.iter().map(|name| {
            let value = item.get(name).unwrap_or_else(|| panic!("an item whose key attribute {name} is not known"));
            value.to_string()
        });
        parts.collect::<Vec<_>>().join("/")
    }

    fn at(&self, key: &Item) -> Option<&Item> {
        self.items.get(&self.place(key))
    }

    fn bytes_at(&self, key: &Item) -> usize {
        self.at(key).map_or(0, item_bytes)
    }

    fn write(&mut self, key: &Item, after: Option<Item>, written: Written) -> f64 {
        let place = self.place(key);
        let before = self.items.get(&place);
        let bytes = before.map_or(0, item_bytes).max(after.as_ref().map_or(0, item_bytes));
        match written {
            Written::Failed => return 0.0,
            Written::Refused => return write_units(bytes),
            Written::Done => {}
        }
        let entries = self.indexes.values().map(|key| self.entry_units(key, before, after.as_ref()));
        let units = write_units(bytes) + entries.sum::<f64>();
        match after {
            Some(item) => self.items.insert(place, item),
            None => self.items.remove(&place),
        };
        units
    }

    /// What a write costs one index.
    fn entry_units(&self, index_key: &[String], before: Option<&Item>, after: Option<&Item>) -> f64 {
        let entry = |item: &Item| -> Option<Item> {
            if index_key.iter().any(|name| !item.contains_key(name)) {
                return None;
            }
            let names = index_key.iter().chain(&self.key);
            Some(names.filter_map(|name| Some((name.clone(), item.get(name)?.clone()))).collect())
        };
        match (before.and_then(entry), after.and_then(entry)) {
            (Some(before), Some(after)) if before == after => 0.0,
            (before, after) => before.iter().chain(&after).map(|entry| write_units(item_bytes(entry))).sum(),
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

fn item(value: &Value) -> Item {
    value.as_object().expect("an item").clone()
}

fn key_names(described: &Value) -> Vec<String> {
    let elements = described["KeySchema"].as_array().into_iter().flatten();
    elements.map(|element| text(&element["AttributeName"]).to_owned()).collect()
}

/// The partition key that a query names first: `#name = :value`.
fn queried_key(asked: &Value) -> (String, Value) {
    let expression = text(&asked["KeyConditionExpression"]);
    let mut words = expression.split_whitespace();
    let (Some(name), Some("="), Some(value)) = (words.next(), words.next(), words.next()) else {
        panic!("a key condition of another form: {expression}");
    };
    (named(asked, name), asked["ExpressionAttributeValues"][value].clone())
}

/// An attribute's name, where an expression has it as `#name`.
fn named(asked: &Value, name: &str) -> String {
    if name.starts_with('#') { text(&asked["ExpressionAttributeNames"][name]).to_owned() } else { name.to_owned() }
}

/// Applies `ADD name :number` and `SET name = :value`, which is all that the vault's updates do.
fn apply(item: &mut Map<String, Value>, asked: &Value) {
    let expression = text(&asked["UpdateExpression"]);
    let mut words = expression.split_whitespace().map(|word| word.trim_end_matches(','));
    let mut clause = "";
    while let Some(word) = words.next() {
        if matches!(word, "ADD" | "SET") {
            clause = word;
            continue;
        }
        let name = named(asked, word);
        let value = match clause {
            "ADD" => words.next(),
            "SET" => words.nth(1),
            _ => None,
        };
        let value = &asked["ExpressionAttributeValues"][value.unwrap_or_default()];
        assert!(value.is_object(), "an update of another form: {expression}");
        let number = |value: &Value| value["N"].as_str().and_then(|digits| digits.parse::<i64>().ok()).unwrap_or(0);
        let sum = number(value) + item.get(&name).map_or(0, number);
        let value = if clause == "ADD" { serde_json::json!({"N": sum.to_string()}) } else { value.clone() };
        item.insert(name, value);
    }
}

#[cfg(test)]
mod tests;

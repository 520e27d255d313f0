//! What witnesses have said, beside what follows from the blocks: an item for each witness, and one for the newest checkpoint that enough have cosigned.
//! Each moves forwards only. Witnesses are asked again for what is lost.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::types::KeysAndAttributes;
use chartseal_ledger::note::KeyId;

use super::{DynamoStore, Item, failed, item, number, number_of, text, text_of};
use crate::ports::{Cosignatures, Cosigned, Heard, StoreError};

/// The item of the newest checkpoint that enough have cosigned.
const COSIGNED: &str = "cosigned";

fn key(name: impl Into<String>) -> Item {
    item([("item", text(name))])
}

fn witness_name(witness: KeyId) -> String {
    format!("witness/{witness}")
}

fn heard_of(item: &Item) -> Result<Heard, StoreError> {
    Ok(Heard { size: number_of(item, "size")?, line: text_of(item, "line")?.to_owned() })
}

fn cosigned_of(item: &Item) -> Result<Cosigned, StoreError> {
    let (size, witnesses) = (number_of(item, "size")?, number_of(item, "witnesses")?);
    Ok(Cosigned { size, witnesses, note: text_of(item, "note")?.to_owned() })
}

/// A put whose condition is against going back: where it does not hold, there is nothing to do.
async fn forwards(put: PutItemFluentBuilder) -> Result<(), StoreError> {
    match put.send().await {
        Ok(_) => Ok(()),
        Err(error) if matches!(error.as_service_error(), Some(PutItemError::ConditionalCheckFailedException(_))) => {
            Ok(())
        }
        Err(error) => Err(failed(&error)),
    }
}

impl Cosignatures for DynamoStore {
    async fn heard(&self, witnesses: &[KeyId]) -> Result<(Option<Cosigned>, Vec<Option<Heard>>), StoreError> {
        let names: Vec<String> = witnesses.iter().copied().map(witness_name).collect();
        // A batch names an item once.
        let mut wanted: Vec<&str> = names.iter().map(String::as_str).chain([COSIGNED]).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let keys = KeysAndAttributes::builder().set_keys(Some(wanted.into_iter().map(key).collect()));
        let mut found = BTreeMap::new();
        for item in self.get_batch(self.sealed()?, keys.consistent_read(true)).await? {
            found.insert(text_of(&item, "item")?.to_owned(), item);
        }
        let heard: Result<Vec<_>, _> = names.iter().map(|name| found.get(name).map(heard_of).transpose()).collect();
        Ok((found.get(COSIGNED).map(cosigned_of).transpose()?, heard?))
    }

    async fn put_heard(&self, witness: KeyId, heard: &Heard) -> Result<(), StoreError> {
        let put = self.client.put_item().table_name(self.sealed()?).set_item(Some(key(witness_name(witness))));
        let put = put.item("size", number(heard.size)).item("line", text(&heard.line));
        let put = put.condition_expression("attribute_not_exists(#size) OR #size < :size");
        let put = put.expression_attribute_names("#size", "size");
        forwards(put.expression_attribute_values(":size", number(heard.size))).await
    }

    async fn put_cosigned(&self, cosigned: &Cosigned) -> Result<(), StoreError> {
        let put = self.client.put_item().table_name(self.sealed()?).set_item(Some(key(COSIGNED)));
        let put = put.item("size", number(cosigned.size)).item("witnesses", number(cosigned.witnesses));
        let put = put.item("note", text(&cosigned.note));
        let put = put.condition_expression(
            "attribute_not_exists(#size) OR #size < :size OR (#size = :size AND #witnesses < :witnesses)",
        );
        let put = put.expression_attribute_names("#size", "size").expression_attribute_names("#witnesses", "witnesses");
        let put = put.expression_attribute_values(":size", number(cosigned.size));
        forwards(put.expression_attribute_values(":witnesses", number(cosigned.witnesses))).await
    }
}

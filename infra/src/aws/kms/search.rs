//! The search keys: 32 bytes for each epoch, wrapped by KMS, kept in a table of their own.

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_kms::primitives::Blob;
use chartseal_events::Bytes;
use zeroize::Zeroizing;

use super::{SERVICE, decrypt};
use crate::aws::failure::{unavailable, unusable};
use crate::ports::{SearchKeyVault, StoreError};

const TABLE_SERVICE: &str = "DynamoDB";

/// Search keys under their own KMS key. `genesis` keeps (`kms:Encrypt`), `tokens` opens (`kms:Decrypt`).
#[derive(Debug, Clone)]
pub struct KmsSearchKeys {
    kms: aws_sdk_kms::Client,
    tables: aws_sdk_dynamodb::Client,
    key_arn: String,
    table: String,
    tenant: String,
}

impl KmsSearchKeys {
    /// Under the key with this ARN, in this table, for the vault of this origin.
    pub fn new(
        config: &SdkConfig,
        key_arn: impl Into<String>,
        table: impl Into<String>,
        tenant: impl Into<String>,
    ) -> Self {
        let (kms, tables) = (super::client(config), crate::aws::dynamo::client(config));
        Self::with_clients(kms, tables, key_arn, table, tenant)
    }

    /// With clients that were made already.
    pub fn with_clients(
        kms: aws_sdk_kms::Client,
        tables: aws_sdk_dynamodb::Client,
        key_arn: impl Into<String>,
        table: impl Into<String>,
        tenant: impl Into<String>,
    ) -> Self {
        Self { kms, tables, key_arn: key_arn.into(), table: table.into(), tenant: tenant.into() }
    }

    fn context(&self, epoch: u32) -> HashMap<String, String> {
        HashMap::from([("tenant".to_owned(), self.tenant.clone()), ("epoch".to_owned(), epoch.to_string())])
    }

    async fn item(&self, epoch: u32) -> Result<Option<HashMap<String, AttributeValue>>, StoreError> {
        let call = self.tables.get_item().table_name(&self.table).key("epoch", AttributeValue::N(epoch.to_string()));
        let answer = call.consistent_read(true).send().await.map_err(|error| unavailable(TABLE_SERVICE, &error))?;
        Ok(answer.item)
    }
}

impl SearchKeyVault for KmsSearchKeys {
    async fn keep(&self, epoch: u32, key: &[u8; 32], public_key: &Bytes<32>) -> Result<Bytes<32>, StoreError> {
        let call = self.kms.encrypt().key_id(&self.key_arn).plaintext(Blob::new(key.as_slice()));
        let call = call.set_encryption_context(Some(self.context(epoch)));
        let answer = call.send().await.map_err(|error| unavailable(SERVICE, &error))?;
        let wrapped = answer.ciphertext_blob.ok_or_else(|| unusable(SERVICE, "no ciphertext"))?.into_inner();
        let call = self.tables.put_item().table_name(&self.table);
        let call = call.item("epoch", AttributeValue::N(epoch.to_string()));
        let call = call.item("wrapped", AttributeValue::B(aws_sdk_dynamodb::primitives::Blob::new(wrapped)));
        let call = call.item("public", AttributeValue::B(aws_sdk_dynamodb::primitives::Blob::new(public_key.0)));
        match call.condition_expression("attribute_not_exists(epoch)").send().await {
            Ok(_) => Ok(*public_key),
            Err(error)
                if matches!(error.as_service_error(), Some(PutItemError::ConditionalCheckFailedException(_))) =>
            {
                let damaged = || StoreError::Damaged { what: format!("the search key of epoch {epoch}") };
                let item = self.item(epoch).await?.ok_or_else(damaged)?;
                let Some(AttributeValue::B(public)) = item.get("public") else { return Err(damaged()) };
                public.as_ref().try_into().map(Bytes).map_err(|_| damaged())
            }
            Err(error) => Err(unavailable(TABLE_SERVICE, &error)),
        }
    }

    async fn open(&self, epoch: u32) -> Result<Option<Zeroizing<[u8; 32]>>, StoreError> {
        let what = format!("the search key of epoch {epoch}");
        let Some(mut item) = self.item(epoch).await? else { return Ok(None) };
        let Some(AttributeValue::B(wrapped)) = item.remove("wrapped") else { return Err(StoreError::Damaged { what }) };
        decrypt(&self.kms, &self.key_arn, self.context(epoch), wrapped.as_ref(), &what).await.map(Some)
    }
}

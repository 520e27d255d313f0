//! A client that says when an answer came, where the service does not: DynamoDB Local of 2020 sends no header `Date`, which every AWS service does.

use std::time::SystemTime;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::primitives::{DateTime, DateTimeFormat};

#[derive(Debug)]
struct Dated;

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Dated {
    fn name(&self) -> &'static str {
        "dated"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.response_mut().headers_mut();
        if headers.get("date").is_none() {
            headers.insert("date", DateTime::from(SystemTime::now()).fmt(DateTimeFormat::HttpDate)?);
        }
        Ok(())
    }
}

pub fn client(config: &SdkConfig) -> aws_sdk_dynamodb::Client {
    let config = aws_sdk_dynamodb::config::Builder::from(config).interceptor(Dated);
    aws_sdk_dynamodb::Client::from_conf(config.build())
}

//! The time by which a service answered: what it puts in the header `Date`. Our own clock is held against it where a time is signed.

use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::{DateTime, Format};

use super::failure::unusable;
use crate::ports::StoreError;

/// Keeps the header `Date` of the last answer.
#[derive(Debug, Clone, Default)]
pub(super) struct ServiceTime(Arc<Mutex<Option<String>>>);

impl ServiceTime {
    /// Unix milliseconds, to the second.
    pub(super) fn ms(&self, service: &'static str) -> Result<u64, StoreError> {
        self.read().ok_or_else(|| unusable(service, "an answer without a sound header `Date`"))
    }

    fn read(&self) -> Option<u64> {
        let date = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        u64::try_from(DateTime::from_str(&date, Format::HttpDate).ok()?.to_millis().ok()?).ok()
    }
}

#[dyn_dispatch_hint]
impl Intercept for ServiceTime {
    fn name(&self) -> &'static str {
        "service-time"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date").map(str::to_owned);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date;
        Ok(())
    }
}

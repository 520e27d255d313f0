//! Counts the calls that clients make, for the invocation's line.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use crate::telemetry::{fields, note};

/// Sees every request that is sent; presigning sends none.
#[derive(Debug)]
pub(super) struct Counted;

#[dyn_dispatch_hint]
impl Intercept for Counted {
    fn name(&self) -> &'static str {
        "counted"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let again = config.load::<RequestAttempts>().is_some_and(|attempts| attempts.attempts() > 1);
        note::add(if again { &fields::AWS_RETRIES } else { &fields::AWS_CALLS }, 1);
        Ok(())
    }
}

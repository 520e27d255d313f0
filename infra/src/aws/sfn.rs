//! The approval workflow in Step Functions: one execution for each request, named after it.

use aws_config::SdkConfig;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::operation::send_task_success::SendTaskSuccessError;
use aws_sdk_sfn::operation::start_execution::StartExecutionError;
use chartseal_events::Id;
use serde_json::{Value, json};

use super::counted::Counted;
use super::failure::unavailable;
use crate::ports::{StoreError, Workflow};

const SERVICE: &str = "Step Functions";

/// The approval workflow.
#[derive(Debug, Clone)]
pub struct SfnWorkflow {
    client: Client,
    state_machine_arn: String,
}

impl SfnWorkflow {
    /// The state machine with this ARN. Those that only tell give an empty one.
    pub fn new(config: &SdkConfig, state_machine_arn: impl Into<String>) -> Self {
        let config = aws_sdk_sfn::config::Builder::from(config).interceptor(Counted).build();
        Self { client: Client::from_conf(config), state_machine_arn: state_machine_arn.into() }
    }
}

impl Workflow for SfnWorkflow {
    async fn start(&self, request: Id, trace: Option<Id>) -> Result<(), StoreError> {
        let input =
            json!({ "request": request.to_string(), "trace": trace.map(|trace| trace.to_string()) }).to_string();
        let call = self.client.start_execution().state_machine_arn(&self.state_machine_arn);
        match call.name(request.to_string()).input(input).send().await {
            Ok(_) => Ok(()),
            // One execution for each request: another start of it is the same start.
            Err(error) if matches!(error.as_service_error(), Some(StartExecutionError::ExecutionAlreadyExists(_))) => {
                Ok(())
            }
            Err(error) => Err(unavailable(SERVICE, &error)),
        }
    }

    async fn tell(&self, task_token: &str, output: &Value) -> Result<bool, StoreError> {
        use SendTaskSuccessError::{InvalidToken, TaskDoesNotExist, TaskTimedOut};
        let call = self.client.send_task_success().task_token(task_token).output(output.to_string());
        match call.send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(InvalidToken(_) | TaskDoesNotExist(_) | TaskTimedOut(_)) => Ok(false),
                _ => Err(unavailable(SERVICE, &error)),
            },
        }
    }
}

//! What wakes the function: the bucket, when a checkpoint is published, or the schedule. What either says is a hint: the newest checkpoint is looked up.

use serde::Deserialize;

/// EventBridge's event, as far as it is used.
#[derive(Debug, Deserialize)]
pub struct Woken {
    #[serde(rename = "detail-type", default)]
    detail_type: Option<String>,
}

impl Woken {
    /// What the line calls it.
    pub fn operation(&self) -> &'static str {
        match self.detail_type.as_deref() {
            Some("Object Created") => "published",
            _ => "sweep",
        }
    }
}

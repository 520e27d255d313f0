//! Noting something of the invocation that is under way. Outside of one, in tests for instance, it goes nowhere.

use std::cell::RefCell;
use std::error::Error;
use std::fmt::Display;
use std::time::{SystemTime, UNIX_EPOCH};

use chartseal_events::{Code, EventRef, Id, Refusal};
use serde_json::Value;

use super::fields::{self, Field};
use super::invocation::is_id;
use super::line::{Line, in_words};
use super::others;

tokio::task_local! {
    /// The line of the invocation that the task works on.
    pub(super) static CURRENT: RefCell<Line>;
}

fn change(change: impl FnOnce(&mut Line)) {
    // A panic can come while a note is taken; its line does without it.
    let _ = CURRENT.try_with(|line| line.try_borrow_mut().map(|mut line| change(&mut line)));
}

/// A field's value.
pub fn set(field: &Field, value: impl Into<Value>) {
    let value = value.into();
    change(|line| line.set(field, value));
}

/// So many more.
pub fn add(field: &Field, amount: usize) {
    change(|line| line.add(field, u64::try_from(amount).unwrap_or(u64::MAX)));
}

/// At least so much.
pub fn peak(field: &Field, amount: u64) {
    change(|line| line.peak(field, amount));
}

/// At least as long as something is ago.
pub fn since(field: &Field, at_ms: u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    peak(field, u64::try_from(now.as_millis()).unwrap_or(u64::MAX).saturating_sub(at_ms));
}

/// API Gateway's id of the call.
pub fn api_request(id: &str) {
    if is_id(id) {
        set(&fields::API_REQUEST_ID, id);
    }
}

/// The invocation is about this command.
pub fn trace(trace: Id) {
    change(|line| line.about(trace));
}

/// The command that the invocation is about, as far as one is known.
pub fn current_trace() -> Option<Id> {
    CURRENT.try_with(|line| line.try_borrow().ok().and_then(|line| line.trace())).ok().flatten()
}

/// An event woke the function.
pub fn seen(place: &EventRef) {
    change(|line| line.list(&fields::EVENTS_SEEN, &fields::EVENTS_SEEN_MORE, place.to_string()));
}

/// An event was appended.
pub fn appended(place: &EventRef) {
    change(|line| {
        line.add(&fields::EVENTS_APPENDED, 1);
        line.list(&fields::EVENTS_WRITTEN, &fields::EVENTS_WRITTEN_MORE, place.to_string());
    });
}

/// The caller was refused.
pub fn refused(refusal: Refusal) {
    change(|line| {
        line.set(&fields::CODE, refusal.code.name().into());
        line.set(&fields::REFUSED, 1.into());
        if let Some(field) = refusal.field {
            line.set(&fields::FAULT, field.into());
        }
    });
}

/// The vault failed.
pub fn failed(code: Option<Code>, error: &dyn Error) {
    change(|line| {
        if let Some(code) = code {
            line.set(&fields::CODE, code.name().into());
        }
        line.set(&fields::FAILED, 1.into());
        line.set(&fields::ERROR, in_words(error).into());
    });
}

/// One of several things failed.
pub fn item_failed(place: &impl Display, trace: Option<Id>, error: &dyn Error) {
    change(|line| {
        line.set(&fields::FAILED, 1.into());
        line.failure(place.to_string(), trace, in_words(error));
    });
}

/// Somebody outside did not do what they were asked for. The vault has not failed.
pub fn other_failed(place: &impl Display, error: &dyn Error) {
    change(|line| line.failure(place.to_string(), None, in_words(error)));
}

/// Something is not as it must be; nothing failed for it.
pub fn odd(place: &impl Display, what: &'static str) {
    change(|line| line.failure(place.to_string(), None, what.to_owned()));
}

/// The runtime or the SDK had something to say.
pub(super) fn of_others(event: &others::Said) -> bool {
    let text = event.to_string();
    CURRENT.try_with(|line| line.try_borrow_mut().map(|mut line| line.said(text))).is_ok_and(|noted| noted.is_ok())
}

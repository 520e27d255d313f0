//! What each operation of the vault asks of AWS: calls, rounds, request units, bytes; what that costs; and the budget that it is held to.
//!
//! The functions' own handlers run in this process, on the adapters that they have in production, and a recording HTTP client stands between these and the
//! emulator ([`recorder`]). One operation runs at a time in a [`story`] that is always the same, so every call belongs to one operation, and a figure that
//! moves has moved because the code has. Nothing of this is linked by the product.
//!
//! Out of scope: how long AWS takes, which an emulator cannot tell; and what is charged for keeping (storage, keys) whoever calls.
#![forbid(unsafe_code)]
// A measurement fails by panicking, with what went wrong: there is nothing else that it could do.
#![allow(clippy::missing_panics_doc)]
#![allow(clippy::float_cmp, reason = "request units are whole numbers and halves, which floats hold exactly")]

pub mod budget;
pub mod call;
pub mod emulator;
pub mod figures;
pub mod growth;
pub mod mirror;
pub mod opinion;
pub mod prices;
pub mod recorder;
pub mod size;
pub mod story;
pub mod table;
pub mod vault;

//! Defects that a test plants in the sealer, to see that its simulation notices them. Without the feature `defects`, which no function is built with, there
//! are none: the question is answered where the code is compiled.

/// A defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "defects"), allow(dead_code, reason = "asked for by name, and never there"))]
pub enum Defect {
    /// What nobody published is not made again.
    NoHealing,
    /// Events are sealed whatever they have seen.
    IgnoresSeen,
    /// Events are sealed whatever they name before them.
    IgnoresLinks,
    /// The watermark moves on behind what cannot be sealed.
    Forgets,
}

#[cfg(feature = "defects")]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Defect>> = const { std::cell::Cell::new(None) };
}

/// Plants a defect in every sealer of this thread, or takes it out again.
#[cfg(feature = "defects")]
pub fn plant(defect: Option<Defect>) {
    PLANTED.set(defect);
}

#[cfg(feature = "defects")]
pub(crate) fn planted(defect: Defect) -> bool {
    PLANTED.get() == Some(defect)
}

#[cfg(not(feature = "defects"))]
pub(crate) const fn planted(_: Defect) -> bool {
    false
}

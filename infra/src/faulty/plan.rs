//! Which call meets which fault, and what was called so far.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::{Call, Deed, Fault};

/// Faults that are to come, and a count of calls. Clones are one plan.
#[derive(Clone, Default)]
pub struct Plan(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    counts: BTreeMap<Call, usize>,
    /// By kind and number of the call.
    faults: BTreeMap<(Call, usize), Fault>,
    choice: Option<Box<dyn FnMut(Call) -> Option<Fault> + Send>>,
    /// Since they were taken last.
    calls: Vec<Call>,
    struck: Vec<(Call, &'static str)>,
    /// Calls that fail and land later, with how many calls are made before.
    under_way: Vec<(usize, Deed)>,
}

impl Plan {
    /// The call of this kind with this number, counted from 0 since the beginning, meets this fault.
    pub fn fail(&self, call: Call, number: usize, fault: Fault) {
        self.state().faults.insert((call, number), fault);
    }

    /// The next call of this kind that has no fault yet meets this one.
    pub fn fail_next(&self, call: Call, fault: Fault) {
        let mut state = self.state();
        let mut number = state.count(call);
        while state.faults.contains_key(&(call, number)) {
            number += 1;
        }
        state.faults.insert((call, number), fault);
    }

    /// Every call that has no fault of its own meets what `choice` gives it, from now on.
    pub fn choose(&self, choice: impl FnMut(Call) -> Option<Fault> + Send + 'static) {
        self.state().choice = Some(Box::new(choice));
    }

    /// Nothing fails any more. What is under way still lands.
    pub fn relent(&self) {
        let mut state = self.state();
        state.choice = None;
        state.faults.clear();
    }

    /// How many calls of this kind there were.
    pub fn count(&self, call: Call) -> usize {
        self.state().count(call)
    }

    /// The calls since this was asked last, in order.
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.state().calls)
    }

    /// The faults that calls have met since this was asked last, in order.
    pub fn take_struck(&self) -> Vec<(Call, &'static str)> {
        std::mem::take(&mut self.state().struck)
    }

    /// Lets every call that is still under way take effect.
    pub async fn land(&self) {
        loop {
            let landing = std::mem::take(&mut self.state().under_way);
            if landing.is_empty() {
                return;
            }
            for (_, deed) in landing {
                deed.await;
            }
        }
    }

    /// Counts a call; gives its fault, and what lands before it.
    pub(super) fn meet(&self, call: Call) -> (Option<Fault>, Vec<Deed>) {
        let mut state = self.state();
        let number = state.count(call);
        *state.counts.entry(call).or_default() += 1;
        state.calls.push(call);
        let (now, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut state.under_way).into_iter().partition(|(calls, _)| *calls == 0);
        state.under_way = later.into_iter().map(|(calls, deed)| (calls - 1, deed)).collect();
        let fault = match state.faults.remove(&(call, number)) {
            Some(fault) => Some(fault),
            None => state.choice.as_mut().and_then(|choice| choice(call)),
        };
        if let Some(fault) = &fault {
            state.struck.push((call, fault.name()));
        }
        (fault, now.into_iter().map(|(_, deed)| deed).collect())
    }

    pub(super) fn put_under_way(&self, calls: usize, deed: Deed) {
        self.state().under_way.push((calls, deed));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Unwrap safety: a panic while the lock is held has failed the test already.
        self.0.lock().expect("a test panicked inside the twin")
    }
}

impl State {
    fn count(&self, call: Call) -> usize {
        self.counts.get(&call).copied().unwrap_or_default()
    }
}

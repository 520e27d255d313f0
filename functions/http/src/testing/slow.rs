//! A clock on which time passes while somebody works.

use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::Clock;

/// The vault's clock; so many milliseconds pass after each look.
#[derive(Clone)]
pub struct Slow(pub MemoryVault, pub u64);

impl Clock for Slow {
    fn now_ms(&self) -> u64 {
        let now_ms = self.0.now_ms();
        self.0.advance(self.1);
        now_ms
    }
}

//! The binary `chartseal`: being written.

fn main() {}

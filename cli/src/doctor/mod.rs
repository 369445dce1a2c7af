//! What the machine and the engine must offer, each point with its remedy.
//!
//! [`Facts`] are gathered once; every [`Check`] is a pure function of them; what `--fix`
//! would do is a list of commands, shown before any of them runs.

mod check;
mod emulators;
mod engine;
mod facts;
mod features;
mod fix;
mod kernel;
mod machine;
pub(crate) mod stale;
#[cfg(test)]
mod tests;
mod tools;

pub(crate) use check::{Level, Result};
pub(crate) use facts::{Emulation, EngineFacts, Facts};
pub(crate) use fix::{Action, Fix, plan};

/// Every check that concerns this machine, in the order shown.
pub(crate) fn run(facts: &Facts) -> Vec<Result> {
    [
        engine::CHECKS,
        machine::CHECKS,
        kernel::CHECKS,
        tools::CHECKS,
        emulators::CHECKS,
    ]
    .into_iter()
    .flatten()
    .filter_map(|check| check.run(facts))
    .collect()
}

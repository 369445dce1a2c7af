//! What the machine and the engine must offer, each point with its remedy.
//!
//! [`Facts`] are gathered once; every [`Check`] is a pure function of them; what `--fix`
//! would do is a list of commands, shown before any of them runs.

mod check;
mod emulators;
mod engine;
mod facts;
mod fix;
mod kernel;
mod machine;
pub(crate) mod stale;
#[cfg(test)]
mod tests;
mod tools;

pub(crate) use check::{Level, Result, run};
pub(crate) use emulators::Emulation;
pub(crate) use facts::{EngineFacts, Facts};
pub(crate) use fix::{Action, Fix, plan};

//! The whole pipeline on an engine in memory.

mod addons;
pub(crate) mod events;
mod failures;
mod pipeline;
mod removal;
pub(crate) mod stage;

pub(crate) use stage::spec;

//! Many cells: what is planned from the settings, on which engines, and the run itself.
//!
//! [`planning`] turns settings into a [`Plan`](kcluster_matrix::plan::Plan); [`stations`] are the engines that
//! carry it; [`run`] starts cells as they fit, [`cell`] takes one from its boot to its removal; [`state`] is what
//! survives a process that is killed.

pub(crate) mod cell;
pub(crate) mod command;
mod history;
pub(crate) mod planning;
pub(crate) mod run;
mod state;
pub(crate) mod stations;
mod suites;

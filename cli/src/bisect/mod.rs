//! The search for the first bad commit, with real builds and boots.
//!
//! The search itself is pure (`kcluster_matrix::bisect`). Here are its surroundings: which points there are
//! (`points`, `versions`), how one is tested (`judge`), the folder that holds all of it (`folder`), and the loop (`drive`). Each
//! build, boot and run is a kcluster of its own, so that this process holds nothing that a kill could lose.

mod child;
mod drive;
mod ends;
mod folder;
mod judge;
mod plan;
mod points;
mod versions;

pub(crate) use drive::drive;
pub(crate) use ends::Asked;
pub(crate) use folder::{Folder, Saved};
pub(crate) use plan::{Plan, Test};
pub(crate) use points::find;

//! Runs Kubernetes' own `e2e.test` through ginkgo, follows it, and says what happened.
//!
//! [`list`](list::list) asks `e2e.test` itself which specs a [`Selection`] means;
//! [`run`](run::run) runs exactly those in parallel processes, tells a [`Sink`](kcluster_matrix::Sink)
//! of each as it ends, and judges at the end: every spec of the list has one verdict, and a run
//! that lost one is never green. [`dump`](dump::dump) collects what a failure left in the cluster.
//!
//! What is pure is kept apart from what is not: [`follow`] (ginkgo's output to events),
//! [`ginkgo`] (its JSON report), [`verdict`] and [`capacity`] do no I/O and are tested on
//! output captured from real runs (`fixtures/`).

pub mod capacity;
mod collect;
pub mod dump;
pub mod durations;
pub mod error;
pub mod follow;
pub mod ginkgo;
pub mod health;
pub mod list;
pub mod marks;
mod process;
pub mod run;
pub mod selection;
pub mod tools;
pub mod verdict;

pub use durations::Durations;
pub use error::E2eError;
pub use list::{Spec, SpecList};
pub use run::{RunRequest, RunResult};
pub use selection::{Selection, Which};
pub use tools::Tools;
pub use verdict::End;

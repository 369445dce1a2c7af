//! The matrix: axes in, a plan out.
//!
//! A [`MatrixSpec`] is what a team writes down. [`expand()`] turns it into a [`Plan`], in which each combination of
//! the axes is a [`PlannedCell`] or skipped with a reason. Listing, running, sharding and GitHub's job matrix all
//! read that one value; [`Schedule`] says which cell runs where and when.

mod axes;
mod estimate;
mod expand;
mod github;
mod plan_value;
mod schedule;
mod spec;
#[cfg(test)]
mod tests;

pub use axes::{Axes, Point, Release};
pub use estimate::{Costs, Demand, Estimate, SuiteCost};
pub use expand::{World, expand};
pub use github::{GithubError, Job, Jobs, MOST_BYTES, MOST_JOBS, jobs};
pub use plan_value::{Plan, PlannedCell, SkippedCell};
pub use schedule::{Carrier, Schedule};
pub use spec::{Exclude, MatrixSpec, Order, Override, SuiteSpec, suite_name};

//! The search for the first bad commit: pure, and serialisable after every answer.
//!
//! A [`History`] says which points there are and which come before which; a [`Search`] asks about one point after
//! the other and takes good, bad or cannot tell for an answer. It holds nothing but what it was given and what was
//! answered, so a search that was cut off goes on as if nothing had been. Who builds, boots and tests a point is no
//! concern of it.

mod flaky;
mod history;
mod log;
mod pick;
mod search;
#[cfg(test)]
mod tests;

pub use flaky::{Rule, RuleError};
pub use history::{History, HistoryError, Point};
pub use log::git_log;
pub use search::{Answer, Conclusion, Goal, Next, Record, Search, SearchError, Verdict};

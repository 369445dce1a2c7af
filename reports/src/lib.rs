//! Reports, folded from suites: JUnit, JSON, a Markdown summary, tables for a terminal;
//! from events, a timeline; from benchmarks and resumptions, tables and charts.
//!
//! Everything here is a pure function from [`Suite`](kcluster_matrix::Suite)s to text: no I/O, no
//! clock, no colour. What cases printed is untrusted and may be anything; each format is made
//! safe where it is written ([`text`]).

pub mod across;
pub mod annotations;
pub mod bench;
pub mod bisect;
pub mod bundle;
pub mod compare;
pub mod html;
pub mod issues;
pub mod json;
pub mod junit;
pub mod merge;
pub mod native;
pub mod property;
pub mod resume;
pub mod summary;
pub mod table;
pub mod text;
pub mod trace;
pub mod trend;

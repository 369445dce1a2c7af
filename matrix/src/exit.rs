//! Exit codes: part of the interface, so that scripts can tell what happened.

/// All that was asked for was done, and all selected specs passed.
pub const PASSED: u8 = 0;
/// Something kcluster did not foresee; please report it.
pub const UNEXPECTED: u8 = 1;
/// The command line, the configuration or a file named in it cannot be taken;
/// nothing was changed.
pub const BAD_INPUT: u8 = 2;
/// A cluster did not come up, was lost, or the machine or engine failed.
pub const CLUSTER_FAILED: u8 = 3;
/// The cluster worked and at least one spec failed.
pub const TESTS_FAILED: u8 = 4;
/// Stopped by a budget of its own before it was done; what was found so far is kept, and `resume` goes on.
pub const UNFINISHED: u8 = 5;
/// Stopped by Ctrl-C or SIGTERM, after cleaning up.
pub const INTERRUPTED: u8 = 130;

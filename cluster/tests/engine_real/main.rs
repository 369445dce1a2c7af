//! The Docker engine against real ones, started for these tests alone: each has its own
//! data, its own sockets and, where it makes networks, its own network namespace, so that
//! nothing of it meets another engine of this machine.
//!
//! Needs root, dockerd and (for the SSH tests) sshd; what is missing is said, and skipped.

#![expect(
    clippy::unwrap_used,
    reason = "where a test's helper fails, the test fails"
)]

mod exec;
mod faults;
mod image;
mod interactive;
mod node;
mod objects;
mod ssh;
mod support;
mod tls;

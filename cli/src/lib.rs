//! `cargo kcluster`: arguments, configuration, terminal output, one file per command.
//!
//! Parsing does no work. Once a command is known, [`config::load`] builds the settings,
//! a `context::Context` carries them with the event hub and the signal token, and the
//! command calls the libraries. Only `output` prints; only [`main`] decides exit codes.

mod addons;
mod app;
mod bisect;
mod commands;
pub mod config;
mod context;
mod doctor;
mod emulation;
mod engine;
mod error;
mod fold;
mod image;
mod interrupt;
mod kubectl;
mod matrix;
mod output;
mod registry;
mod report;
mod target;

use std::ffi::OsString;
use std::process::ExitCode;

pub use app::command;

/// Runs the command in `args` and answers with the process's exit code.
#[must_use]
pub fn main(args: Vec<OsString>) -> ExitCode {
    ExitCode::from(app::run(args))
}

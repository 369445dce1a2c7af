//! `cargo xtask`: everything a newcomer, a developer or CI runs on this repository.

#![expect(
    clippy::print_stderr,
    reason = "a tool for developers talks to its terminal"
)]

mod bench;
mod book;
mod demo;
mod picture;
mod run;
mod setup;
mod suites;
mod test;
mod tools;

use clap::{Parser, Subcommand};

/// Set-up, demo, tests and benchmarks of kcluster.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Bring the machine to where everything else works: engine, tools, node image
    Setup,
    /// Set up what is missing, boot a cell, run a conformance smoke, leave nothing behind
    Demo,
    /// Set up what is missing and pass all tests, or run one of the long suites
    Test {
        /// A long suite, whose result is recorded in docs/suites.md; all suites that
        /// CI runs when left out
        suite: Option<suites::Suite>,
    },
    /// Draw what kcluster prints at work into docs/demo.svg
    Picture,
    /// Make the book in target/book
    Book,
    /// Measure boots, disk, memory and images, and write docs/benchmarks.md
    Bench {
        /// How often each figure is taken [default: 5, of builds 1]
        #[arg(long)]
        runs: Option<u32>,
        /// Measure instead what node images of each architecture cost to build, and write docs/builds.md
        #[arg(long)]
        builds: bool,
    },
}

fn main() -> anyhow::Result<()> {
    match Args::parse().command {
        Command::Setup => setup::run(),
        Command::Demo => demo::run(),
        Command::Test { suite: None } => test::run(),
        Command::Test { suite: Some(suite) } => suites::run(suite),
        Command::Picture => picture::run(),
        Command::Book => book::run(),
        Command::Bench { runs, builds } => bench::run(runs, builds),
    }
}

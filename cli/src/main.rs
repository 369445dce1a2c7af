//! The binary `cargo-kcluster`; everything is in the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    cargo_kcluster::main(std::env::args_os().collect())
}
